-- Health of a kind of bylaw.dev for Argo CD, from the conditions as kstatus reads them.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "it is being deleted")
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return health("Suspended", "`spec.suspend` is set: bylaw leaves it alone")
end

local found = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    found[condition.type] = condition
  end
end
local ready, stalled, reconciling = found.Ready, found.Stalled, found.Reconciling

if ready == nil then
  return health("Progressing", "bylaw has not looked at it yet")
end
-- A status speaks of one generation; that of an older spec says nothing of this one.
if obj.status.observedGeneration ~= nil and obj.metadata.generation ~= nil
    and obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "bylaw has not looked at the last change yet")
end
if stalled ~= nil and stalled.status == "True" then
  -- Somebody asked for nothing to be done: that is no failure.
  if stalled.reason == "Held" then
    return health("Suspended", stalled.message)
  end
  return health("Degraded", stalled.message)
end
if reconciling ~= nil and reconciling.status == "True" then
  return health("Progressing", reconciling.message)
end
-- `mode: Observe`, or `suspend` of the Organization.
if ready.reason == "Observed" or ready.reason == "Suspended" then
  return health("Suspended", ready.message)
end
if ready.status == "True" then
  return health("Healthy", ready.message)
end
if ready.status == "Unknown" then
  return health("Progressing", ready.message)
end
return health("Degraded", ready.message)
