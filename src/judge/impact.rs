//! The organization as it is and as it would be, for recorded calls: what does each of them decide?

use std::collections::{BTreeSet, HashMap};

use xxhash_rust::xxh3::xxh3_64;

use super::forest::{Forest, Standing};
use super::question::unknown;
use crate::policy::eval::{Action, Decision, Ladder, Layers, Place, Request, Truth};
use crate::policy::services;
use crate::policy::services::exceptions::{self, Unbound};
use crate::trail::{Answer, Bound, By, Call, Judge, Judgement, Looks};

/// Before and after, with the way to every account.
#[derive(Debug)]
pub struct Impact<'f> {
    before: Side<'f>,
    after: Side<'f>,
    /// Every ladder there is, once, with whether it is of RCPs.
    ladders: Vec<(bool, &'f Ladder)>,
}

#[derive(Debug)]
struct Side<'f> {
    forest: &'f Forest,
    standings: HashMap<&'f str, &'f Standing>,
}

/// The ways to all accounts of a forest: what [`Impact`] borrows.
#[derive(Debug)]
pub struct Ways(Vec<Standing>);

impl Ways {
    /// All of them.
    #[must_use]
    pub fn of(forest: &Forest) -> Self {
        Self(forest.accounts().filter_map(|account| forest.standing(account)).collect())
    }
}

impl<'f> Impact<'f> {
    /// Of two forests.
    #[must_use]
    pub fn new(before: (&'f Forest, &'f Ways), after: (&'f Forest, &'f Ways)) -> Self {
        let side = |(forest, ways): (&'f Forest, &'f Ways)| Side {
            forest,
            standings: ways.0.iter().map(|standing| (standing.account.as_str(), standing)).collect(),
        };
        let mut ladders: Vec<(bool, &Ladder)> = vec![];
        let mut seen = BTreeSet::new();
        for standing in before.1.0.iter().chain(&after.1.0) {
            for (resource, ladder) in [(false, standing.service_control()), (true, standing.resource_control())] {
                // Accounts that the same policies bind share their ladders.
                if let Some(ladder) = ladder.filter(|ladder| seen.insert(std::ptr::from_ref::<Ladder>(ladder).addr())) {
                    ladders.push((resource, ladder));
                }
            }
        }
        Self { before: side(before), after: side(after), ladders }
    }

    /// The condition keys that policies look at for any of the actions that they name, and whether they look at resources:
    /// what a query for recorded calls has to keep apart.
    #[must_use]
    pub fn keys(&self) -> (BTreeSet<String>, bool) {
        let mut keys = BTreeSet::new();
        let mut resources = false;
        for (is_resource, ladder) in &self.ladders {
            ladder.every_key(|key| {
                keys.insert(key.to_owned());
            });
            // RCPs are those of the resource's account.
            resources |= *is_resource || ladder.looks_at_resources();
        }
        (keys, resources)
    }
}

impl Side<'_> {
    /// What one side answers, and whether it rests on something that was not read.
    fn answer(&self, call: &Call) -> Answer {
        let caller = self.standings.get(&*call.account).filter(|_| call.has_service_control);
        let Some(account) = call.resource_account.as_deref() else { return self.answer_for_any(caller, call) };
        self.answer_for(caller, self.standings.get(account), call)
    }

    /// The same where it is not told whose resource it is.
    fn answer_for_any(&self, caller: Option<&&Standing>, call: &Call) -> Answer {
        let mut answer = self.answer_for(caller, None, call);
        let mut asked: BTreeSet<usize> = BTreeSet::new();
        for holder in self.standings.values() {
            let Some(ladder) = holder.resource_control() else { continue };
            if matches!(answer, Answer::Denied(_)) || !asked.insert(std::ptr::from_ref::<Ladder>(ladder).addr()) {
                continue;
            }
            answer = match (answer, self.answer_for(caller, Some(holder), call)) {
                (Answer::Allowed, Answer::Denied(by)) => {
                    Answer::Depends { keys: vec!["aws:ResourceAccount".into()], by }
                }
                (Answer::Allowed, other) => other,
                (answer, _) => answer,
            };
        }
        answer
    }

    fn answer_for(&self, caller: Option<&&Standing>, holder: Option<&&Standing>, call: &Call) -> Answer {
        let exempt = exceptions::exception(call.action.as_str()).map(|exception| exception.unbound);
        if exempt == Some(Unbound::ByAny) {
            return Answer::Allowed;
        }
        let holder = holder.filter(|_| exempt.is_none());
        let gaps = caller.into_iter().chain(holder).any(|standing| !standing.gaps.is_empty() && !standing.management);
        let mut worst = Answer::Allowed;
        for resource in &call.resources {
            let request = call.request(resource.as_deref());
            let layers = Layers {
                service_control: caller.and_then(|standing| standing.service_control()),
                resource_control: holder.and_then(|standing| standing.resource_control()),
                ..Layers::default()
            };
            match decision(&layers, &request) {
                Decision::Allowed => {}
                // What was not read may be what allows it at a node where nothing else does.
                Decision::Denied if gaps && !denies(&layers, &request) => worst = unread(),
                Decision::Denied => return Answer::Denied(self.denied_by(caller, holder, &layers, &request)),
                Decision::Depends => worst = self.depends(caller, holder, &layers, &request),
            }
        }
        if worst == Answer::Allowed && gaps { unread() } else { worst }
    }

    fn denied_by(
        &self,
        caller: Option<&&Standing>,
        holder: Option<&&Standing>,
        layers: &Layers<'_>,
        request: &Request<'_>,
    ) -> By {
        let of = |ladder: Option<&Ladder>| ladder.and_then(|ladder| ladder.denied_by(request));
        let found = of(layers.service_control)
            .and_then(|place| Some((self.forest.service_control_at(caller?, place)?, place)))
            .or_else(|| {
                let place = of(layers.resource_control)?;
                Some((self.forest.resource_control_at(holder?, place)?, place))
            });
        if let Some(((node, policy), place)) = found {
            return by(node, policy, place.statement);
        }
        // Nothing allows it at some node.
        let stopped = layers.service_control.and_then(|ladder| ladder.walk(request).stopped_at());
        let node = caller.zip(stopped).and_then(|(standing, at)| self.forest.node(*standing.path.get(at)?));
        By { node: node.map(ToString::to_string).unwrap_or_default().into(), ..By::default() }
    }

    fn depends(
        &self,
        caller: Option<&&Standing>,
        holder: Option<&&Standing>,
        layers: &Layers<'_>,
        request: &Request<'_>,
    ) -> Answer {
        let mut keys: BTreeSet<String> = BTreeSet::new();
        let mut first = None;
        for (is_resource, ladder) in [(false, layers.service_control), (true, layers.resource_control)] {
            let Some(ladder) = ladder else { continue };
            for step in ladder.walk(request).steps {
                let at = match (is_resource, caller, holder) {
                    (false, Some(standing), _) => self.forest.service_control_at(standing, step.place),
                    (true, _, Some(standing)) => self.forest.resource_control_at(standing, step.place),
                    _ => None,
                };
                let Some((node, policy)) = at.filter(|_| step.open != Default::default()) else { continue };
                let statement = policy.statement(step.place.statement);
                for (open, name) in [(step.open.resource, "resource"), (step.open.action, "action")] {
                    if open {
                        keys.insert(name.to_owned());
                    }
                }
                for clause in step.open.clauses.iter().filter_map(|at| statement?.condition.get(*at)) {
                    unknown(clause, request.facts, &mut keys);
                }
                first.get_or_insert_with(|| by(node, policy, step.place.statement));
            }
        }
        Answer::Depends { keys: keys.into_iter().map(Into::into).collect(), by: first.unwrap_or_default() }
    }
}

/// What the organization's policies decide, whoever asks: no others are asked for, and a service or an unsigned request needs
/// those of the resource.
fn decision(layers: &Layers<'_>, request: &Request<'_>) -> Decision {
    layers.decide(&Request { caller: request.caller.filter(|caller| caller.account().is_some()), ..*request })
}

/// Whether a statement denies for sure.
fn denies(layers: &Layers<'_>, request: &Request<'_>) -> bool {
    [layers.service_control, layers.resource_control]
        .into_iter()
        .flatten()
        .any(|ladder| ladder.denies(request) == Truth::Yes)
}

/// The answer that rests on what was not read.
fn unread() -> Answer {
    Answer::Depends { keys: vec!["what could not be read of the organization".into()], by: By::default() }
}

fn by(node: &super::Node, policy: &super::Policy, statement: usize) -> By {
    let sid = policy.statement(statement).and_then(|statement| statement.sid.clone());
    By {
        policy: policy.object.clone().unwrap_or_else(|| policy.name.clone()).into(),
        statement: sid.unwrap_or_else(|| format!("statement {}", statement + 1)).into(),
        node: node.to_string().into(),
    }
}

impl Judge for Impact<'_> {
    fn binds(&self, account: &str) -> Bound {
        let management = |side: &Side<'_>| side.forest.organization.management_account.as_str() == account;
        if management(&self.before) || management(&self.after) {
            return Bound::Management;
        }
        let member = self.before.standings.contains_key(account) || self.after.standings.contains_key(account);
        if member { Bound::Member } else { Bound::Foreign }
    }

    fn looks(&self, action: &Action) -> Looks {
        let mut keys: BTreeSet<String> = BTreeSet::new();
        let mut resources: BTreeSet<String> = BTreeSet::new();
        let mut looks = Looks::default();
        let rcp = action.services().any(|name| services::service(name).is_some_and(|service| service.rcp));
        for (at, (is_resource, ladder)) in self.ladders.iter().enumerate() {
            if *is_resource && !rcp {
                continue;
            }
            ladder.places_of(action, |place: Place| {
                let place = [at, place.node, place.policy, place.statement].map(usize::to_le_bytes);
                looks.statements.push(xxh3_64(place.as_flattened()));
            });
            looks.has_to_be_allowed |= !is_resource && !ladder.is_open();
            let before = keys.len();
            ladder.keys_of(action, |key| {
                keys.insert(key.to_ascii_lowercase());
            });
            let mut resource = false;
            ladder.resources_of(action, |pattern| {
                resource = true;
                resources.insert(pattern);
            });
            looks.resource_policies |= *is_resource && (resource || keys.len() > before || ladder.speaks_of(action));
        }
        looks.statements.sort_unstable();
        looks.statements.dedup();
        looks.resources = resources.into_iter().map(Into::into).collect();
        looks.keys = keys.into_iter().map(Into::into).collect();
        looks
    }

    fn judge(&self, call: &Call) -> Judgement {
        let (before, after) = (self.before.answer(call), self.after.answer(call));
        let same = match (&before, &after) {
            (Answer::Allowed, Answer::Allowed) | (Answer::Denied(_), Answer::Denied(_)) => true,
            (Answer::Depends { .. }, Answer::Depends { .. }) => self.decides_alike(call),
            _ => false,
        };
        Judgement { before, after, same }
    }
}

impl Impact<'_> {
    /// Whether the same statements decide before and after.
    fn decides_alike(&self, call: &Call) -> bool {
        // Where it is not told whose resource it is, it may be any account's.
        let holders: Vec<&str> = match call.resource_account.as_deref() {
            Some(account) => vec![account],
            None => self.before.standings.keys().chain(self.after.standings.keys()).copied().collect(),
        };
        let alike = |account: &str, ladder: fn(&Standing) -> Option<&Ladder>| {
            let (before, after) = match (self.before.standings.get(account), self.after.standings.get(account)) {
                (Some(before), Some(after)) => (before, after),
                (before, after) => return before.is_none() && after.is_none(),
            };
            match (ladder(before), ladder(after)) {
                (None, None) => before.gaps == after.gaps,
                (Some(one), Some(other)) => call.resources.iter().all(|resource| {
                    let request = call.request(resource.as_deref());
                    one.decides_as(other, &request)
                }),
                _ => false,
            }
        };
        (!call.has_service_control || alike(&call.account, Standing::service_control))
            && holders.iter().all(|holder| alike(holder, Standing::resource_control))
    }
}

#[cfg(test)]
mod tests;
