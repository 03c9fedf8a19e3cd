//! The health scripts for Argo CD, run by the Lua that Argo CD runs.

use std::process::Stdio;

use bylaw::api;
use serde_json::json;

use super::*;

/// Scripts of the chart, by kind.
fn scripts() -> Vec<(String, String)> {
    let objects = chart("{argocdHealth: {enabled: true}}");
    let map = of_kind(&objects, "ConfigMap")[0]["data"].as_object().unwrap();
    let kind = |key: &str| key.strip_prefix("resource.customizations.health.bylaw.dev_").unwrap().to_owned();
    map.iter().map(|(key, script)| (kind(key), script.as_str().unwrap().to_owned())).collect()
}

/// A value as Lua writes it.
fn lua(value: &Value) -> String {
    match value {
        Value::Null => "nil".into(),
        Value::Array(items) => format!("{{{}}}", items.iter().map(lua).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let fields: Vec<String> = map.iter().map(|(key, value)| format!("[{key:?}]={}", lua(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

/// What Argo CD would show of an object: status and message.
fn health(script: &str, object: &Value) -> (String, String) {
    let program = format!(
        "obj = {}\nlocal function judge()\n{script}\nend\nlocal hs = judge()\nprint(hs.status)\nprint(hs.message)\n",
        lua(object)
    );
    let file = scratch("health.lua", &program);
    let ran = Command::new(tool("glua")).arg(&*file).stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let (status, message) = out.split_once('\n').unwrap_or_else(|| panic!("{err}\n{program}"));
    (status.to_owned(), message.trim().to_owned())
}

#[test]
fn every_kind_has_a_script() {
    let scripts = scripts();
    let mut kinds: Vec<String> = api::definitions().into_iter().map(|definition| definition.spec.names.kind).collect();
    kinds.sort();
    assert_eq!(scripts.iter().map(|(kind, _)| kind.clone()).collect::<Vec<_>>(), kinds);
    for (kind, script) in &scripts {
        assert_eq!(health(script, &json!({"metadata": {"generation": 1}})).0, "Progressing", "{kind}");
    }
}

#[test]
fn health_follows_the_conditions() {
    let (_, script) = scripts().remove(0);
    let object = |conditions: Value| json!({"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": 2, "conditions": conditions}});
    let is = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": reason});
    let ready = is("Ready", "True", "Succeeded");
    let not = is("Ready", "False", "Refused");
    let mut stale = object(json!([ready]));
    stale["status"]["observedGeneration"] = json!(1);
    let mut leaving = object(json!([ready]));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut suspended = object(json!([ready]));
    suspended["spec"]["suspend"] = json!(true);
    for (what, object, expected) in [
        ("ready", object(json!([ready])), ("Healthy", "Succeeded")),
        (
            "drifted and put right",
            object(json!([is("Drifted", "True", "ChangedOutside"), ready])),
            ("Healthy", "Succeeded"),
        ),
        ("stalled", object(json!([not, is("Stalled", "True", "Refused")])), ("Degraded", "Refused")),
        ("under way", object(json!([not, is("Reconciling", "True", "Waiting")])), ("Progressing", "Waiting")),
        ("observed", object(json!([is("Ready", "True", "Observed")])), ("Suspended", "Observed")),
        ("suspended", object(json!([is("Ready", "False", "Suspended")])), ("Suspended", "Suspended")),
        ("held", object(json!([not, is("Stalled", "True", "Held")])), ("Suspended", "Held")),
        ("unread", object(json!([is("Ready", "Unknown", "Unreadable")])), ("Progressing", "Unreadable")),
        ("not ready", object(json!([not])), ("Degraded", "Refused")),
        ("nothing said", object(json!([])), ("Progressing", "bylaw has not looked at it yet")),
        ("an older spec", stale, ("Progressing", "bylaw has not looked at the last change yet")),
        ("being deleted", leaving, ("Progressing", "it is being deleted")),
        ("suspended", suspended, ("Suspended", "`spec.suspend` is set: bylaw leaves it alone")),
    ] {
        let (status, message) = health(&script, &object);
        assert_eq!((status.as_str(), message.as_str()), expected, "{what}");
    }
}
