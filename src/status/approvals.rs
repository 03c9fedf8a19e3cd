//! Which approvals count, and what their status says.
//!
//! Whoever has a copy of an object cannot approve by it: the API server's admission holds the approver to be the one who
//! asked. What it cannot see is judged here: the author of what is approved, and the time.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Readiness, Turn, Verdict};
use crate::api::approval::{ApprovalSpec, ApprovalStatus, ApprovedKind};
use crate::api::conditions as reasons;
use crate::apply::Outcome;
use crate::names::{Kind, ObjectKey};
use crate::plan::guard::Word;
use crate::plan::{Approvals, Change, Guarded, Plan};

/// An Approval as the cluster has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// The spec, or what is wrong with it.
    pub spec: Result<ApprovalSpec, String>,
    /// The status as the API server has it.
    pub status: Value,
}

impl Given {
    fn before(&self) -> ApprovalStatus {
        serde_json::from_value(self.status.clone()).unwrap_or_default()
    }
}

/// The object that an approval is for.
#[must_use]
pub fn subject(spec: &ApprovalSpec) -> ObjectKey {
    let kind = match spec.subject.kind {
        ApprovedKind::Organization => Kind::Organization,
        ApprovedKind::OrganizationalUnit => Kind::OrganizationalUnit,
        ApprovedKind::Account => Kind::Account,
        ApprovedKind::OrganizationPolicy => Kind::OrganizationPolicy,
    };
    ObjectKey::new(kind, &spec.subject.name)
}

/// Why an approval does not count now; `None`: it does. `wrote`: the objects that its approver is the author of, as far as
/// they say.
#[must_use]
pub fn hindrance(given: &Given, wrote: &BTreeSet<ObjectKey>, now: Timestamp) -> Option<(&'static str, String)> {
    let spec = match &given.spec {
        Ok(spec) => spec,
        Err(why) => return Some((reasons::REASON_INVALID, why.clone())),
    };
    let Ok(expires) = spec.expires_at.parse::<Timestamp>() else {
        let message = format!("`expiresAt` is `{}`; expected a time such as `2026-12-01T12:00:00Z`", spec.expires_at);
        return Some((reasons::REASON_INVALID, message));
    };
    if expires <= now {
        let message = format!("it expired at {expires}; approve again with `bylaw approve {}`", spec.hash);
        return Some((reasons::REASON_EXPIRED, message));
    }
    if wrote.contains(&subject(spec)) {
        let message = format!("`{}` is the author of {}: somebody else has to approve", spec.approver, subject(spec));
        return Some((reasons::REASON_REFUSED, message));
    }
    None
}

/// Approvals of those that count now, with what they let pass before; each comes with the objects that its approver wrote.
pub fn counting<'a>(all: impl IntoIterator<Item = (&'a Given, &'a BTreeSet<ObjectKey>)>, now: Timestamp) -> Approvals {
    let mut approvals = Approvals::default();
    for (given, wrote) in all {
        let Ok(spec) = &given.spec else { continue };
        if hindrance(given, wrote, now).is_some() {
            continue;
        }
        approvals.hashes.insert(spec.hash.clone());
        let word = Word { approver: spec.approver.clone(), subject: subject(spec), wrote: wrote.clone() };
        approvals.only.entry(spec.hash.clone()).or_default().push(word);
        approvals.cover(&spec.hash, given.before().covers);
    }
    approvals
}

/// What approvals let pass in a pass.
#[derive(Debug, Clone, Default)]
pub struct Passed {
    /// Hashes that were refused otherwise.
    pub hashes: BTreeSet<String>,
    /// Hashes of the changes, each alone, with the hash that was approved.
    pub alone: BTreeMap<String, String>,
    /// By approved hash, the changes that are not done, each with why.
    pub undone: BTreeMap<String, Vec<String>>,
}

impl Passed {
    /// What the approvals of `hashes` let pass in a plan, of whose changes these came to be.
    #[must_use]
    pub fn of(hashes: BTreeSet<String>, plan: &Plan<Guarded>, outcomes: &[(Change, Outcome)]) -> Self {
        let alone = plan.approved.iter().map(|(alone, lifted)| (alone.clone(), lifted.hash.clone())).collect();
        let held = plan.refusals.iter().flat_map(|refusal| {
            refusal.changes.iter().map(move |change| {
                let hash = refusal.hash.as_ref().map(|hash| format!(" under the hash {hash}")).unwrap_or_default();
                (change.id, (change, format!("`{}` refuses it as well{hash}", refusal.rule)))
            })
        });
        let failed = outcomes.iter().filter(|(_, outcome)| !outcome.is_success());
        let failed = failed.map(|(change, outcome)| (change.id, (change, outcome.to_string())));
        let why: BTreeMap<u32, (&Change, String)> = held.chain(failed).collect();
        let mut undone: BTreeMap<String, BTreeMap<u32, String>> = BTreeMap::new();
        for lifted in plan.approved.values() {
            if let Some((change, why)) = why.get(&lifted.change) {
                let (operation, _) = change.action.operations();
                let told = format!("{operation} for {}: {why}", change.object);
                undone.entry(lifted.hash.clone()).or_default().insert(lifted.change, told);
            }
        }
        let undone = undone.into_iter().map(|(hash, told)| (hash, told.into_values().collect())).collect();
        Self { hashes, alone, undone }
    }

    /// Of what the hash let pass, what is not done, as the end of a sentence.
    fn rest(&self, hash: &str) -> String {
        let Some(undone) = self.undone.get(hash) else { return String::new() };
        let told: Vec<&str> = undone.iter().take(MOST_UNDONE).map(String::as_str).collect();
        let more = undone.len().saturating_sub(told.len());
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("; not done: {}{more}", told.join("; "))
    }
}

/// Most changes that the message of an approval tells as not done.
const MOST_UNDONE: usize = 3;

/// What a pass means for one approval, and the fields of its status.
#[must_use]
pub fn approval(
    given: &Given,
    wrote: &BTreeSet<ObjectKey>,
    passed: &Passed,
    now: Timestamp,
) -> (Verdict, Map<String, Value>) {
    let mut after = given.before();
    let hindrance = hindrance(given, wrote, now);
    let hash = given.spec.as_ref().ok().map(|spec| spec.hash.as_str()).filter(|_| hindrance.is_none());
    let mine = passed.alone.iter().filter(|(_, group)| Some(group.as_str()) == hash).map(|(alone, _)| alone);
    for alone in mine {
        if !after.covers.contains(alone) {
            after.covers.push(alone.clone());
        }
    }
    if after.used_at.is_none() && hash.is_some_and(|hash| passed.hashes.contains(hash)) {
        after.used_at = Some(format!("{now:.0}"));
    }
    let say = |ready, reason, message: String, turn| Verdict { ready, reason, message, turn, drifted: None };
    let verdict = match (&after.used_at, hindrance) {
        (Some(at), _) => {
            let rest = given.spec.as_ref().map(|spec| passed.rest(&spec.hash)).unwrap_or_default();
            let message = format!("it let the changes pass, first at {at}{rest}");
            say(Readiness::True, reasons::REASON_SUCCEEDED, message, Turn::Nobody)
        }
        (None, Some((reason, message))) => say(Readiness::False, reason, message, Turn::Person),
        (None, None) => {
            let mut message =
                "nothing is refused under this hash that it is for: changes that were done, or are others by \
                               now, have another; for changes of several objects it has to be for the Organization"
                    .to_owned();
            if !wrote.is_empty() {
                message +=
                    "; who approves is the author of objects here, and their changes are for somebody else to approve";
            }
            say(Readiness::False, reasons::REASON_WAITING, message, Turn::Bylaw)
        }
    };
    let mut fields = Map::new();
    if let Some(at) = after.used_at {
        fields.insert("usedAt".into(), at.into());
        fields.insert("covers".into(), after.covers.into());
    }
    (verdict, fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::approval::Approved;

    fn given(hash: &str, name: &str, expires: &str) -> Given {
        let spec = ApprovalSpec {
            subject: Approved { kind: ApprovedKind::OrganizationPolicy, namespace: None, name: name.into() },
            hash: hash.into(),
            approver: "jane".into(),
            reason: "r".into(),
            expires_at: expires.into(),
        };
        Given { name: "a".into(), uid: "u".into(), generation: 1, spec: Ok(spec), status: Value::Null }
    }

    fn now() -> Timestamp {
        "2026-11-25T10:00:00Z".parse().unwrap()
    }

    fn nothing() -> BTreeSet<ObjectKey> {
        BTreeSet::new()
    }

    const LATER: &str = "2026-11-25T11:00:00Z";

    #[test]
    fn an_approval_counts_until_it_expires() {
        let counts = |expires: &str| counting([(&given("aa", "p", expires), &nothing())], now());
        assert!(counts(LATER).hashes.contains("aa"));
        assert!(counts("2026-11-25T11:00:00+02:00").hashes.is_empty(), "another zone's eleven is past");
        for expires in ["2026-11-25T10:00:00Z", "2026-11-25T09:59:59Z", "tomorrow", ""] {
            assert!(counts(expires).hashes.is_empty(), "{expires}");
        }
    }

    #[test]
    fn the_author_of_a_change_does_not_approve_it() {
        let slip = given("aa", "p", LATER);
        let wrote = |name: &str| BTreeSet::from([ObjectKey::new(Kind::OrganizationPolicy, name)]);
        assert!(counting([(&slip, &wrote("p"))], now()).hashes.is_empty());
        let other = counting([(&slip, &wrote("q"))], now());
        assert_eq!(other.only["aa"][0].wrote, wrote("q"), "which the hash may cover as well");
        let (verdict, _) = approval(&slip, &wrote("p"), &Passed::default(), now());
        assert_eq!((verdict.reason, verdict.turn), (reasons::REASON_REFUSED, Turn::Person));
    }

    #[test]
    fn an_approval_names_its_object() {
        let (both, none) = ([given("aa", "p", LATER), given("aa", "q", LATER)], nothing());
        let approvals = counting(both.iter().map(|given| (given, &none)), now());
        let only: Vec<String> = approvals.only["aa"].iter().map(|word| word.subject.to_string()).collect();
        assert_eq!(only, ["OrganizationPolicy/p", "OrganizationPolicy/q"]);
    }

    #[test]
    fn what_was_let_pass_is_remembered_after_it_expired() {
        let mut slip = given("aa", "p", LATER);
        let passed = |hashes: &[&str], alone: &[(&str, &str)]| Passed {
            hashes: hashes.iter().map(|hash| (*hash).into()).collect(),
            alone: alone.iter().map(|(alone, hash)| ((*alone).into(), (*hash).into())).collect(),
            undone: BTreeMap::new(),
        };
        let (waiting, none) = approval(&slip, &nothing(), &passed(&["bb"], &[("1", "bb")]), now());
        assert_eq!((waiting.ready, waiting.turn), (Readiness::False, Turn::Bylaw));
        assert!(none.is_empty());
        // One change alone has no hash beside that which was approved.
        let (used, _) = approval(&slip, &nothing(), &passed(&["aa"], &[]), now());
        assert_eq!(used.ready, Readiness::True);
        let passed = passed(&["aa", "bb"], &[("1", "aa"), ("2", "aa"), ("3", "bb")]);
        let (used, fields) = approval(&slip, &nothing(), &passed, now());
        assert_eq!((used.ready, used.turn), (Readiness::True, Turn::Nobody));
        assert_eq!(fields["covers"], serde_json::json!(["1", "2"]));
        slip.status = fields.into();
        let counts = counting([(&slip, &nothing())], now());
        let covered: Vec<&str> = counts.covers.keys().map(String::as_str).collect();
        assert_eq!(covered, ["1", "2"]);
        assert!(counts.covers.values().all(|by| by.contains("aa")), "by that word alone: {counts:?}");
        let later = "2026-11-26T10:00:00Z".parse().unwrap();
        assert!(counting([(&slip, &nothing())], later).hashes.is_empty());
        let (still, _) = approval(&slip, &nothing(), &Passed::default(), later);
        assert_eq!(still.message, "it let the changes pass, first at 2026-11-25T10:00:00Z");
    }
}
