//! What would newly be denied or allowed, counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;

use super::classes::{Class, DATA_PLANES};
use super::fold::{Answer, By, Judgement};
use super::repeats::Repeats;

/// Lines of a report; past them principals and resources are put together.
const MOST_ROWS: usize = 50_000;
/// Names of calls whose action is not known that are kept apart.
const MOST_OPEN: usize = 1_000;
/// What stands for those that were put together.
pub const OTHERS: &str = "others";

/// What a change may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Allowed in the past, denied from now on.
    NewlyDenied,
    /// Denied in the past, allowed from now on.
    NewlyAllowed,
    /// The record does not tell enough.
    Unknown,
}

/// A change of the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// What it is.
    pub effect: Effect,
    /// Whether it may be a new denial.
    pub may_deny: bool,
    /// Whether it may newly be allowed.
    pub may_allow: bool,
    /// The statement that decides: of the new policies, or of the old ones where it is newly allowed.
    pub by: By,
    /// What it hangs on.
    pub keys: Vec<Box<str>>,
}

/// The change that two answers make. A call that was `refused` by AWS can only be newly allowed.
#[must_use]
pub fn change(judgement: &Judgement, refused: bool) -> Option<Change> {
    if judgement.same {
        return None;
    }
    let may = |answer: &Answer| match answer {
        Answer::Allowed => (true, false),
        Answer::Denied(_) => (false, true),
        Answer::Depends { .. } => (true, true),
    };
    let ((allowed, denied), (allows, denies)) = (may(&judgement.before), may(&judgement.after));
    // What was made was allowed, and what was refused may have been denied: the record tells of the past for sure.
    let may_deny = allowed && denies && !refused;
    let may_allow = denied && allows && refused;
    let unmade = denied && !allowed && allows && !denies && !refused;
    let (by, keys) = match (&judgement.before, &judgement.after) {
        (Answer::Denied(by), Answer::Allowed) | (_, Answer::Denied(by)) => (by.clone(), vec![]),
        (_, Answer::Depends { keys, by }) | (Answer::Depends { keys, by }, _) => (by.clone(), keys.clone()),
        _ => (By::default(), vec![]),
    };
    let effect = match (&judgement.before, &judgement.after) {
        (Answer::Allowed, Answer::Denied(_)) if may_deny => Effect::NewlyDenied,
        // It was made, so that it was allowed, whatever was not known.
        (Answer::Depends { .. }, Answer::Denied(_)) if may_deny => Effect::NewlyDenied,
        (Answer::Denied(_), Answer::Allowed) if may_allow || unmade => Effect::NewlyAllowed,
        _ if may_deny || may_allow => Effect::Unknown,
        _ => return None,
    };
    Some(Change { effect, may_deny, may_allow: may_allow || unmade, by, keys })
}

/// A change, of whom, for which action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// The change.
    pub change: Change,
    /// The caller's account.
    pub account: Box<str>,
    /// The principal.
    pub principal: Box<str>,
    /// The action.
    pub action: Box<str>,
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// What changes.
    pub line: Line,
    /// Resources of one kind.
    pub resource: Box<str>,
    /// How often it was called.
    pub count: u64,
    /// Seconds since 1970 of the first call; later than `last` where no record told its time.
    pub first: i64,
    /// And of the last.
    pub last: i64,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Records that were read.
    pub events: u64,
    /// Records that were held against the policies.
    pub evaluated: u64,
    /// Requests that were judged; some more than once where memory was short.
    pub distinct: u64,
    /// How often the table of requests was emptied.
    pub emptied: u64,
    /// Records that were not, by class.
    pub skipped: [u64; Class::COUNT],
    /// What is told of some calls that were read.
    pub limits: BTreeSet<&'static str>,
    /// Data planes that were seen, by their place in [`DATA_PLANES`].
    pub planes: [bool; DATA_PLANES.len()],
    /// Records that came more than once.
    pub repeats: Repeats,
    /// Calls across accounts that change, by the id that both of their records have.
    pub twice: Repeats,
    /// Calls whose action is not known (`eventSource:eventName`), and how often each came.
    pub open: BTreeMap<Box<str>, u64>,
    /// Time of the first and the last record.
    pub span: Option<(i64, i64)>,
    /// The lines.
    pub rows: Vec<Row>,
    index: HashMap<(Line, Box<str>), usize, RandomState>,
}

impl Tally {
    /// Counts records that are not judged.
    pub fn skip(&mut self, class: Class, count: u64) {
        if let Some(skipped) = self.skipped.get_mut(class as usize) {
            *skipped += count;
        }
    }

    /// Hears of calls whose action is not known.
    pub fn open(&mut self, source: &str, name: &str, count: u64) {
        let known = format!("{source}:{name}");
        let full = self.open.len() >= MOST_OPEN && !self.open.contains_key(known.as_str());
        let name = if full { OTHERS.into() } else { known.into() };
        *self.open.entry(name).or_default() += count;
    }

    /// Hears of records of a data plane.
    pub fn data_plane(&mut self, plane: usize) {
        if let Some(seen) = self.planes.get_mut(plane) {
            *seen = true;
        }
    }

    /// Hears of the time of records.
    pub fn seen(&mut self, (first, last): (i64, i64)) {
        let (from, to) = self.span.unwrap_or((first, last));
        self.span = Some((from.min(first), to.max(last)));
    }

    /// The place of a line.
    pub fn row(&mut self, line: &Line, resource: &str) -> usize {
        let full = self.rows.len() >= MOST_ROWS;
        let mut line = line.clone();
        let mut resource: Box<str> = resource.into();
        if full && !self.index.contains_key(&(line.clone(), resource.clone())) {
            (line.principal, resource) = (OTHERS.into(), OTHERS.into());
            if self.rows.len() >= 2 * MOST_ROWS {
                (line.account, line.action) = (OTHERS.into(), OTHERS.into());
            }
        }
        let next = self.rows.len();
        let at = *self.index.entry((line.clone(), resource.clone())).or_insert(next);
        if at == next {
            self.rows.push(Row { line, resource, count: 0, first: i64::MAX, last: i64::MIN });
        }
        at
    }

    /// Counts calls of a line.
    pub fn count(&mut self, row: usize, count: u64, (first, last): (i64, i64)) {
        if let Some(row) = self.rows.get_mut(row) {
            row.count += count;
            row.first = row.first.min(first);
            row.last = row.last.max(last);
        }
    }

    /// Adds what another thread found.
    pub fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.evaluated += other.evaluated;
        self.distinct += other.distinct;
        self.emptied += other.emptied;
        self.skipped.iter_mut().zip(other.skipped).for_each(|(own, other)| *own += other);
        self.planes.iter_mut().zip(other.planes).for_each(|(own, other)| *own |= other);
        self.limits.extend(other.limits);
        self.repeats.merge(other.repeats);
        self.twice.merge(other.twice);
        for (name, count) in other.open {
            *self.open.entry(name).or_default() += count;
        }
        other.span.into_iter().for_each(|span| self.seen(span));
        for row in other.rows {
            let at = self.row(&row.line, &row.resource);
            self.count(at, row.count, (row.first, row.last));
        }
    }

    /// The lines of one effect, the most frequent first.
    #[must_use]
    pub fn of(&self, effect: Effect) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.line.change.effect == effect).collect();
        rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        rows
    }

    /// Calls that change so: at least, and at most.
    #[must_use]
    pub fn figures(&self, denied: bool) -> (u64, u64) {
        let effect = if denied { Effect::NewlyDenied } else { Effect::NewlyAllowed };
        let of = |row: &&Row| row.line.change.effect == effect;
        let may = |row: &&Row| if denied { row.line.change.may_deny } else { row.line.change.may_allow };
        let sum = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.count).sum();
        (sum(&mut self.rows.iter().filter(of)), sum(&mut self.rows.iter().filter(may)))
    }
}

/// The narrowest way out of a statement that newly denies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// The statement.
    pub by: By,
    /// Calls that it newly denies.
    pub count: u64,
    /// The condition or element that lets exactly those pass.
    pub way: Way,
}

/// How to let calls pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// `ArnNotLike` `aws:PrincipalArn` of exactly these.
    Principals(Vec<Box<str>>),
    /// `StringNotEquals` `aws:PrincipalAccount` of exactly these: their principals are too many.
    Accounts(Vec<Box<str>>),
    /// The statement without these actions.
    Actions(Vec<Box<str>>),
}

/// Most principals that are named one by one.
const MOST_PRINCIPALS: usize = 20;

/// Whether `aws:PrincipalArn` can be that: services and identity providers have no such key.
fn is_principal_arn(name: &str) -> bool {
    name.starts_with("arn:") && !name.contains(":oidc-provider/") && !name.contains(":saml-provider/")
}

/// For each statement that newly denies: what would let exactly those pass.
#[must_use]
pub fn exemptions(tally: &Tally) -> Vec<Exemption> {
    #[derive(Default)]
    struct Hit<'t> {
        principals: BTreeSet<&'t str>,
        accounts: BTreeSet<&'t str>,
        actions: BTreeSet<&'t str>,
        count: u64,
    }
    let mut hits: BTreeMap<&By, Hit<'_>> = BTreeMap::new();
    for row in tally.rows.iter().filter(|row| row.line.change.effect == Effect::NewlyDenied) {
        let hit = hits.entry(&row.line.change.by).or_default();
        hit.principals.insert(&row.line.principal);
        hit.accounts.insert(&row.line.account);
        hit.actions.insert(&row.line.action);
        hit.count += row.count;
    }
    let owned = |set: &BTreeSet<&str>| set.iter().map(|text| (*text).into()).collect::<Vec<Box<str>>>();
    let mut out: Vec<Exemption> = hits
        .into_iter()
        // What no statement allows has no statement to exempt from.
        .filter(|(by, _)| !by.policy.is_empty())
        .map(|(by, hit)| {
            let named = hit.principals.len() <= MOST_PRINCIPALS && hit.principals.iter().all(|it| is_principal_arn(it));
            let way = if named {
                Way::Principals(owned(&hit.principals))
            } else if hit.actions.len() <= 3 && !hit.actions.contains(OTHERS) {
                Way::Actions(owned(&hit.actions))
            } else {
                Way::Accounts(owned(&hit.accounts))
            };
            Exemption { by: by.clone(), count: hit.count, way }
        })
        .collect();
    out.sort_by_key(|exemption| std::cmp::Reverse(exemption.count));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by() -> By {
        By { policy: "p-1".into(), statement: "S".into(), node: "r-1".into() }
    }

    #[test]
    fn two_answers_make_a_change() {
        let (allowed, denied) = (Answer::Allowed, Answer::Denied(by()));
        let depends = Answer::Depends { keys: vec!["k".into()], by: by() };
        let cases = [
            (&allowed, &allowed, false, None),
            (&denied, &denied, false, None),
            (&allowed, &denied, false, Some((Effect::NewlyDenied, true, false))),
            (&allowed, &denied, true, None),
            (&denied, &allowed, true, Some((Effect::NewlyAllowed, false, true))),
            (&denied, &allowed, false, Some((Effect::NewlyAllowed, false, true))),
            (&allowed, &depends, false, Some((Effect::Unknown, true, false))),
            (&depends, &denied, false, Some((Effect::NewlyDenied, true, false))),
            (&depends, &denied, true, None),
            (&depends, &allowed, false, None),
            (&depends, &allowed, true, Some((Effect::Unknown, false, true))),
            (&denied, &depends, true, Some((Effect::Unknown, false, true))),
            (&depends, &depends, false, Some((Effect::Unknown, true, false))),
        ];
        for (before, after, refused, expected) in cases {
            let judgement = Judgement { before: before.clone(), after: after.clone(), same: false };
            let found = change(&judgement, refused).map(|change| (change.effect, change.may_deny, change.may_allow));
            assert_eq!(found, expected, "{before:?} {after:?} {refused}");
            assert_eq!(change(&Judgement { same: true, ..judgement }, refused), None);
        }
    }

    fn line(principal: &str, effect: Effect) -> Line {
        let change = Change { effect, may_deny: true, may_allow: false, by: by(), keys: vec![] };
        Line { change, account: "1".into(), principal: principal.into(), action: "s3:GetObject".into() }
    }

    #[test]
    fn rows_are_counted_merged_and_bounded() {
        let mut tally = Tally::default();
        for n in 0..MOST_ROWS + 10 {
            let at = tally.row(&line(&format!("arn:{n}"), Effect::NewlyDenied), "*");
            tally.count(at, 2, (5, 6));
        }
        assert_eq!(tally.rows.len(), MOST_ROWS + 1);
        assert_eq!((tally.rows[MOST_ROWS].count, &*tally.rows[MOST_ROWS].line.principal), (20, OTHERS));
        let mut other = Tally::default();
        for (principal, effect) in [("arn:1", Effect::NewlyDenied), ("arn:x", Effect::Unknown)] {
            let at = other.row(&line(principal, effect), "*");
            other.count(at, 1, (1, 9));
        }
        other.merge(tally);
        assert_eq!(other.figures(true), (2 * (MOST_ROWS as u64 + 10) + 1, 2 * (MOST_ROWS as u64 + 10) + 2));
        assert_eq!((other.of(Effect::NewlyDenied)[0].count, other.of(Effect::Unknown).len()), (22, 1));
        assert_eq!(exemptions(&other)[0].way, Way::Actions(vec!["s3:GetObject".into()]));
    }

    #[test]
    fn the_narrowest_exemption_names_exactly_the_principals() {
        let mut tally = Tally::default();
        for principal in ["arn:b", "arn:a", "arn:b"] {
            let at = tally.row(&line(principal, Effect::NewlyDenied), "*");
            tally.count(at, 1, (0, 0));
        }
        // An identity provider is no principal that a condition could name.
        let mut of_provider = tally.clone();
        let at = of_provider.row(&line("arn:aws:iam::1:oidc-provider/x", Effect::NewlyDenied), "*");
        of_provider.count(at, 1, (0, 0));
        assert_eq!(exemptions(&of_provider)[0].way, Way::Actions(vec!["s3:GetObject".into()]));
        let way = Way::Principals(vec!["arn:a".into(), "arn:b".into()]);
        assert_eq!(exemptions(&tally), [Exemption { by: by(), count: 3, way }]);
    }
}
