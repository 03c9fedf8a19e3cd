//! The organization as it is and as it would be, for recorded calls: what does each of them decide?

use std::collections::{BTreeSet, HashMap};

use xxhash_rust::xxh3::xxh3_64;

use super::forest::{Forest, Standing};
use super::question::unknown;
use crate::names::{AccountId, NodeId};
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
    /// The places that an account may have which the manifests do not know by its id, each that binds otherwise once; none where the
    /// whole organization was read.
    others: Vec<Bonds<'f>>,
}

/// What binds an account before and after; `None`: nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Bonds<'f> {
    before: Option<&'f Standing>,
    after: Option<&'f Standing>,
}

#[derive(Debug)]
struct Side<'f> {
    forest: &'f Forest,
    standings: HashMap<&'f str, &'f Standing>,
    /// Those of accounts that may be there besides.
    others: &'f [(NodeId, Standing)],
}

/// The ways to all accounts of a forest: what [`Impact`] borrows.
#[derive(Debug)]
pub struct Ways {
    accounts: Vec<Standing>,
    /// Where only manifests tell of the organization: by place, what would bind an account there that is not known by its id.
    others: Vec<(NodeId, Standing)>,
}

impl Ways {
    /// All of them.
    #[must_use]
    pub fn of(forest: &Forest) -> Self {
        Self { accounts: forest.accounts().filter_map(|account| forest.standing(account)).collect(), others: vec![] }
    }

    /// Of an organization that only manifests tell of. `known`: the accounts that they name by id; the ids of the others are made up,
    /// and more accounts may be in it than they declare.
    #[must_use]
    pub fn of_declared(forest: &Forest, known: &BTreeSet<AccountId>) -> Self {
        let own = forest.accounts().filter(|account| known.contains(account));
        let accounts = own.filter_map(|account| forest.standing(account)).collect();
        let some: Option<AccountId> = "000000000000".parse().ok();
        let others = some.map(|some| forest.standings_of_others(&some, known)).unwrap_or_default();
        Self { accounts, others }
    }

    fn all(&self) -> impl Iterator<Item = &Standing> {
        self.accounts.iter().chain(self.others.iter().map(|(_, standing)| standing))
    }
}

/// What an answer hangs on where manifests do not know whose account it is.
const ACCOUNT: &str = "account";

impl<'f> Impact<'f> {
    /// Of two forests.
    #[must_use]
    pub fn new(before: (&'f Forest, &'f Ways), after: (&'f Forest, &'f Ways)) -> Self {
        let side = |(forest, ways): (&'f Forest, &'f Ways)| Side {
            forest,
            standings: ways.accounts.iter().map(|standing| (standing.account.as_str(), standing)).collect(),
            others: &ways.others,
        };
        let mut ladders: Vec<(bool, &Ladder)> = vec![];
        let mut seen = BTreeSet::new();
        for standing in before.1.all().chain(after.1.all()) {
            for (resource, ladder) in [(false, standing.service_control()), (true, standing.resource_control())] {
                // Accounts that the same policies bind share their ladders.
                if let Some(ladder) = ladder.filter(|ladder| seen.insert(std::ptr::from_ref::<Ladder>(ladder).addr())) {
                    ladders.push((resource, ladder));
                }
            }
        }
        let others = others(&before.1.others, &after.1.others);
        Self { before: side(before), after: side(after), ladders, others }
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

/// The places of accounts that are not known, before and after; of those that bind alike one.
fn others<'f>(before: &'f [(NodeId, Standing)], after: &'f [(NodeId, Standing)]) -> Vec<Bonds<'f>> {
    let later: HashMap<&NodeId, &Standing> = after.iter().map(|(node, standing)| (node, standing)).collect();
    let address = |ladder: Option<&Ladder>| ladder.map(|ladder| std::ptr::from_ref(ladder).addr());
    let ways = |standing: Option<&Standing>| {
        let ladder = |of: fn(&Standing) -> Option<&Ladder>| address(standing.and_then(of));
        (standing.is_some(), ladder(Standing::service_control), ladder(Standing::resource_control))
    };
    let mut seen = BTreeSet::new();
    let all = before.iter().map(|(node, standing)| Bonds { before: Some(standing), after: later.get(node).copied() });
    all.filter(|bonds| seen.insert((ways(bonds.before), ways(bonds.after)))).collect()
}

impl Side<'_> {
    /// What one side answers, and whether it rests on something that was not read. `holder`: what binds the resource's account;
    /// `None`: it is not told whose resource it is.
    fn answer(&self, caller: Option<&Standing>, holder: Option<Option<&Standing>>, call: &Call) -> Answer {
        match holder {
            Some(holder) => self.answer_for(caller, holder, call),
            None => self.answer_for_any(caller, call),
        }
    }

    /// The same where it is not told whose resource it is.
    fn answer_for_any(&self, caller: Option<&Standing>, call: &Call) -> Answer {
        let mut answer = self.answer_for(caller, None, call);
        let mut asked: BTreeSet<usize> = BTreeSet::new();
        for holder in self.standings.values().copied().chain(self.others.iter().map(|(_, standing)| standing)) {
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

    fn answer_for(&self, caller: Option<&Standing>, holder: Option<&Standing>, call: &Call) -> Answer {
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
        caller: Option<&Standing>,
        holder: Option<&Standing>,
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
        caller: Option<&Standing>,
        holder: Option<&Standing>,
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
        if self.is_management(account) {
            return Bound::Management;
        }
        let member = self.before.standings.contains_key(account) || self.after.standings.contains_key(account);
        // An account that manifests do not name may be of the organization all the same.
        if member || !self.others.is_empty() { Bound::Member } else { Bound::Foreign }
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
        let callers = if call.has_service_control { self.bonds(&call.account) } else { vec![Bonds::default()] };
        let Some(account) = call.resource_account.as_deref() else {
            return either(callers.into_iter().map(|caller| self.judge_as(caller, None, call)));
        };
        if call.has_service_control && *call.account == *account {
            return either(callers.into_iter().map(|both| self.judge_as(both, Some(both), call)));
        }
        let holders = self.bonds(account);
        let pairs = callers.into_iter().flat_map(|caller| holders.iter().map(move |holder| (caller, *holder)));
        either(pairs.map(|(caller, holder)| self.judge_as(caller, Some(holder), call)))
    }
}

/// What is decided where it is not known which of several judgements is of the call's account.
fn either(mut all: impl Iterator<Item = Judgement>) -> Judgement {
    let nothing = Judgement { before: Answer::Allowed, after: Answer::Allowed, same: true };
    let Some(mut found) = all.next() else { return nothing };
    let one = |one: Answer, other: Answer| match (one, other) {
        (Answer::Allowed, Answer::Allowed) => Answer::Allowed,
        (Answer::Denied(by), Answer::Denied(_)) => Answer::Denied(by),
        (one, other) => {
            let mut hangs = (vec![ACCOUNT.into()], By::default());
            for answer in [one, other] {
                let (keys, by) = match answer {
                    Answer::Allowed => continue,
                    Answer::Denied(by) => (vec![], by),
                    Answer::Depends { keys, by } => (keys, by),
                };
                hangs.0.extend(keys.into_iter().filter(|key| **key != *ACCOUNT));
                if hangs.1 == By::default() {
                    hangs.1 = by;
                }
            }
            hangs.0.sort_unstable();
            hangs.0.dedup();
            Answer::Depends { keys: hangs.0, by: hangs.1 }
        }
    };
    for other in all {
        found = match (found.same, other.same) {
            (true, true) => found,
            _ => {
                Judgement { before: one(found.before, other.before), after: one(found.after, other.after), same: false }
            }
        };
    }
    found
}

impl<'f> Impact<'f> {
    /// What may bind an account: one, unless manifests do not know it.
    fn bonds(&self, account: &str) -> Vec<Bonds<'f>> {
        let (before, after) = (self.before.standings.get(account), self.after.standings.get(account));
        let own = Bonds { before: before.copied(), after: after.copied() };
        let is_known = own.before.is_some() || own.after.is_some() || self.is_management(account) || account.is_empty();
        if is_known { vec![own] } else { self.others.iter().copied().chain([own]).collect() }
    }

    fn is_management(&self, account: &str) -> bool {
        let is = |side: &Side<'_>| side.forest.organization.management_account.as_str() == account;
        is(&self.before) || is(&self.after)
    }

    /// The answers where that binds the caller, and that the resource's account; `None`: whose resource it is, is not told.
    fn judge_as(&self, caller: Bonds<'_>, holder: Option<Bonds<'_>>, call: &Call) -> Judgement {
        let caller = if call.has_service_control { caller } else { Bonds::default() };
        let before = self.before.answer(caller.before, holder.map(|holder| holder.before), call);
        let after = self.after.answer(caller.after, holder.map(|holder| holder.after), call);
        let same = match (&before, &after) {
            (Answer::Allowed, Answer::Allowed) | (Answer::Denied(_), Answer::Denied(_)) => true,
            (Answer::Depends { .. }, Answer::Depends { .. }) => self.decides_alike(caller, holder, call),
            _ => false,
        };
        Judgement { before, after, same }
    }

    /// Whether the same statements decide before and after.
    fn decides_alike(&self, caller: Bonds<'_>, holder: Option<Bonds<'_>>, call: &Call) -> bool {
        // Where it is not told whose resource it is, it may be any account's.
        let holders: Vec<Bonds<'_>> = match holder {
            Some(holder) => vec![holder],
            None => {
                let accounts = self.before.standings.keys().chain(self.after.standings.keys());
                accounts.flat_map(|account| self.bonds(account)).chain(self.others.iter().copied()).collect()
            }
        };
        let alike = |bonds: Bonds<'_>, ladder: fn(&Standing) -> Option<&Ladder>| {
            let (before, after) = match (bonds.before, bonds.after) {
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
        (!call.has_service_control || alike(caller, Standing::service_control))
            && holders.into_iter().all(|holder| alike(holder, Standing::resource_control))
    }
}

#[cfg(test)]
mod tests;
