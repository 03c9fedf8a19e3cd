//! A request that tells two sets of policies apart: tried on the evaluator, and made as simple as it can be.

use std::collections::BTreeMap;

use super::callers::Known as KnownCaller;
use super::search::Path;
use super::space::{Choice, Open, Space, Value, What};
use super::values::Known;
use super::{Decision, examples};
use crate::policy::eval::pattern::{Pattern, Piece};
use crate::policy::eval::{Action, Facts, Ladder, Place, Request, Truth};
use crate::policy::services;
use crate::policy::statement::Effect;

/// Most requests that are tried for one difference that hangs on variables.
const MOST_TRIED: usize = 600;

/// What one side decides of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What came out.
    pub decision: Decision,
    /// The statements that decide: all that deny, or of each node the first that allows.
    pub by: Vec<Place>,
    /// The first node at which nothing allows, where nothing denies.
    pub stopped_at: Option<usize>,
}

/// A request, and what both sides decide of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The action.
    pub action: String,
    /// Whether AWS's reference lists the action; else it stands for those that may come.
    pub known_action: bool,
    /// The resource; `*`: none.
    pub resource: String,
    /// Who asks, where that matters.
    pub caller: Option<String>,
    /// The condition keys that the request carries, with their values; it carries no others that matter.
    pub facts: Vec<(String, Vec<String>)>,
    /// Keys that it does not carry though every request of AWS does, as AWS documents it.
    pub without: Vec<String>,
    /// Of its keys, and `resource`, what AWS's reference does not list for the action: such a request may never come.
    pub unlisted: Vec<String>,
    /// Alone both sets deny it: they decide it differently beside another policy that allows it.
    pub beside: bool,
    /// Before.
    pub before: Verdict,
    /// After.
    pub after: Verdict,
}

impl Witness {
    /// How much a reader has to take in; less is better.
    pub(super) fn weight(&self) -> (usize, bool, usize, usize) {
        let values = self.facts.iter().map(|(_, values)| values.len()).sum::<usize>();
        let odd = self.unlisted.len() + self.without.len();
        (odd, !self.known_action, values + usize::from(self.caller.is_some()), self.resource.len())
    }
}

/// What decides before and after: one witness is told of each.
pub(super) type Pair = (Decider, Decider);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Decider {
    Denied(Place),
    StoppedAt(usize),
    Allowed(Vec<Place>),
}

/// A request in the making.
#[derive(Debug, Clone, PartialEq)]
struct Trial {
    resource: String,
    caller: Option<KnownCaller>,
    /// By key in lower case: its name, and its values.
    facts: BTreeMap<String, (String, Vec<String>)>,
}

/// Both sides, ready to be asked.
pub(super) struct Asker<'a> {
    sides: [Ladder; 2],
    /// The same without the policy beside them, where what they decide alone is told already.
    alone: Option<[Ladder; 2]>,
    /// Policies of each node that were given.
    sizes: [Vec<usize>; 2],
    space: &'a Space,
}

impl<'a> Asker<'a> {
    pub(super) fn new(
        sides: [Ladder; 2],
        alone: Option<[Ladder; 2]>,
        sizes: [Vec<usize>; 2],
        space: &'a Space,
    ) -> Self {
        Self { sides, alone, sizes, space }
    }

    fn ask<T>(trial: &Trial, action: &Action, look: impl FnOnce(&Request<'_>) -> T) -> T {
        let mut facts = Facts::complete();
        for (name, values) in trial.facts.values() {
            facts.set(name, values.iter().map(String::as_str));
        }
        let caller = trial.caller.as_ref().map(KnownCaller::caller);
        look(&Request { action, resource: Some(&trial.resource), facts: &facts, caller })
    }

    fn differs(&self, trial: &Trial, action: &Action) -> bool {
        Self::ask(trial, action, |request| {
            let differs = |[old, new]: &[Ladder; 2]| {
                let (before, after) = (old.decide(request), new.decide(request));
                before != after && before != Decision::Depends && after != Decision::Depends
            };
            differs(&self.sides) && !self.alone.as_ref().is_some_and(differs)
        })
    }

    fn verdicts(&self, trial: &Trial, action: &Action) -> [(Verdict, Decider); 2] {
        let [old, new] = &self.sides;
        let [old_sizes, new_sizes] = &self.sizes;
        Self::ask(trial, action, |request| [verdict(old, old_sizes, request), verdict(new, new_sizes, request)])
    }

    fn pair(&self, trial: &Trial, action: &Action) -> Option<Pair> {
        let [(_, before), (_, after)] = self.differs(trial, action).then(|| self.verdicts(trial, action))?;
        Some((before, after))
    }

    /// The request that a path leads to, made simple. `None` where none was found that shows the difference.
    pub(super) fn witness(&self, action: &Action, known_action: bool, path: &Path) -> Option<(Pair, Witness)> {
        let tries = self.tries(action, path).into_iter().flat_map(agreeing);
        let trial = tries.into_iter().find(|trial| self.differs(trial, action))?;
        let (trial, pair) = self.simplest(trial, action)?;
        let [(before, _), (after, _)] = self.verdicts(&trial, action);
        let without = path.iter().filter_map(|(at, _)| self.space.dimensions.get(*at)).filter(|dimension| {
            match &dimension.what {
                What::Key(key) => Known::of(key).usual && !trial.facts.contains_key(key),
                _ => false,
            }
        });
        let without = without.map(|dimension| dimension.name.clone()).collect();
        let witness = Witness {
            action: action.to_string(),
            known_action,
            unlisted: unlisted(&trial, action),
            resource: trial.resource,
            caller: trial.caller.map(|caller| caller.told()),
            facts: trial.facts.into_values().collect(),
            without,
            beside: self.alone.is_some(),
            before,
            after,
        };
        Some((pair, witness))
    }

    fn trial(&self, action: &Action, path: &Path) -> (Trial, Vec<(What, &'a Choice)>) {
        let resource = examples::resource(action.as_str()).unwrap_or_else(|| "*".to_owned());
        let mut trial = Trial { resource, caller: None, facts: BTreeMap::new() };
        let mut choices = vec![];
        for (at, index) in path {
            let Some(dimension) = self.space.dimensions.get(*at) else { continue };
            let Some(choice) = dimension.choices.get(*index) else { continue };
            match (&choice.value, &dimension.what) {
                (Value::Resource(resource), _) => trial.resource.clone_from(resource),
                (Value::Caller(caller), _) => trial.caller = Some(caller.clone()),
                (Value::Key(values), What::Key(key)) if !values.is_empty() => {
                    trial.facts.insert(key.clone(), (dimension.name.clone(), values.clone()));
                }
                (Value::Key(_), _) => {}
            }
            choices.push((dimension.what.clone(), choice));
        }
        (trial, choices)
    }

    /// Requests that may be what a path stands for: variables leave open which.
    fn tries(&self, action: &Action, path: &Path) -> Vec<Trial> {
        let (trial, choices) = self.trial(action, path);
        let mut all = vec![trial];
        let variables = choices
            .iter()
            .any(|(what, _)| self.space.dimensions.iter().any(|it| it.what == *what && !it.variables.is_empty()));
        if !variables {
            return all;
        }
        for (what, choice) in &choices {
            for open in choice.matched.iter().filter_map(|at| self.space.opens.get(*at)) {
                let more: Vec<Trial> = all.iter().flat_map(|trial| made_to_match(trial, what, choice, open)).collect();
                all.splice(0..0, more);
                all.truncate(MOST_TRIED);
            }
        }
        // Keys that happen to have the same example are not meant to be the same.
        let mut more = vec![];
        for trial in &all {
            for key in trial.facts.keys() {
                let mut other = trial.clone();
                if let Some((_, values)) = other.facts.get_mut(key)
                    && values.len() == 1
                {
                    *values = vec!["another".to_owned()];
                    more.push(other);
                }
            }
        }
        all.extend(more);
        all
    }

    /// Leaves away what makes no difference.
    fn simplest(&self, mut trial: Trial, action: &Action) -> Option<(Trial, Pair)> {
        let pair = self.pair(&trial, action)?;
        let same = |other: &Trial| agrees(other) && self.pair(other, action).as_ref() == Some(&pair);
        let natural = examples::resource(action.as_str());
        // What begins as a bucket may be meant for its objects.
        let within = ["", "/example", ":example"].map(|rest| format!("{}{rest}", trial.resource));
        let known = services::action(action.as_str());
        let within = within.into_iter().filter(|arn| known.is_some_and(|action| !action.never_takes(arn)));
        for resource in natural.into_iter().chain(["*".to_owned()]).chain(within) {
            let other = Trial { resource, ..trial.clone() };
            if same(&other) {
                trial = other;
                break;
            }
        }
        let none = Trial { caller: None, ..trial.clone() };
        if same(&none) {
            trial = none;
        }
        for key in trial.facts.keys().cloned().collect::<Vec<_>>() {
            let mut other = trial.clone();
            other.facts.remove(&key);
            if same(&other) && !Known::of(&key).usual {
                trial = other;
            }
        }
        Some((trial, pair))
    }
}

fn verdict(ladder: &Ladder, sizes: &[usize], request: &Request<'_>) -> (Verdict, Decider) {
    let walk = ladder.walk(request);
    let given = |place: &Place| sizes.get(place.node).is_some_and(|size| place.policy < *size);
    let of = |effect: Effect| {
        let applies = walk.steps.iter().filter(move |step| step.effect == effect && step.applies == Truth::Yes);
        applies.map(|step| step.place).filter(given)
    };
    if let Some(first) = walk.denied_by() {
        let verdict = Verdict { decision: walk.decision, by: of(Effect::Deny).collect(), stopped_at: None };
        return (verdict, Decider::Denied(first));
    }
    if let Some(node) = walk.stopped_at() {
        let verdict = Verdict { decision: walk.decision, by: vec![], stopped_at: Some(node) };
        return (verdict, Decider::StoppedAt(node));
    }
    let mut by: Vec<Place> = of(Effect::Allow).collect();
    by.dedup_by_key(|place| place.node);
    (Verdict { decision: walk.decision, by: by.clone(), stopped_at: None }, Decider::Allowed(by))
}

/// What of a request AWS's reference does not list for its action.
fn unlisted(trial: &Trial, action: &Action) -> Vec<String> {
    let Some(action) = services::action(action.as_str()) else { return vec![] };
    let resource = action.never_takes(&trial.resource).then(|| "resource".to_owned());
    let keys = trial.facts.values().map(|(key, _)| key).filter(|key| action.never_carries(key));
    resource.into_iter().chain(keys.cloned()).collect()
}

/// Whether what a request says of who asks is of one principal.
fn agrees(trial: &Trial) -> bool {
    let told = trial.facts.get("aws:principalarn").map(|(_, values)| values.as_slice());
    let arn = trial.caller.as_ref().and_then(KnownCaller::principal_arn);
    match (arn, told) {
        (Some(arn), Some([one])) => *one == arn,
        _ => true,
    }
}

/// The request, or those nearest to it that AWS can make: caller and `aws:PrincipalArn` are cut apart each for itself.
fn agreeing(trial: Trial) -> Vec<Trial> {
    if agrees(&trial) {
        return vec![trial];
    }
    let mut out = vec![];
    if let (Some(arn), Some((name, _))) =
        (trial.caller.as_ref().and_then(KnownCaller::principal_arn), trial.facts.get("aws:principalarn"))
    {
        let mut other = trial.clone();
        other.facts.insert("aws:principalarn".to_owned(), (name.clone(), vec![arn]));
        out.push(other);
    }
    if let Some((_, values)) = trial.facts.get("aws:principalarn")
        && let Some(caller) = values.first().and_then(|arn| KnownCaller::of_arn(arn))
    {
        out.push(Trial { caller: Some(caller), ..trial.clone() });
    }
    out
}

/// Requests in which a pattern with variables matches: the variable made what stands in its place, or the text made what
/// the pattern says.
fn made_to_match(trial: &Trial, what: &What, choice: &Choice, open: &Open) -> Vec<Trial> {
    let mut out = vec![];
    let texts: Vec<String> = match &choice.value {
        Value::Resource(text) => vec![text.clone()],
        Value::Key(values) => values.clone(),
        Value::Caller(_) => vec![],
    };
    for text in &texts {
        if let Some(key) = only_key(&open.pattern) {
            for part in parts_of(text) {
                let mut facts = Facts::complete();
                facts.set_one(&key, part);
                if open.pattern.matches(text, &facts) == Truth::Yes {
                    let mut other = trial.clone();
                    other.facts.insert(key.to_ascii_lowercase(), (key.clone(), vec![part.to_owned()]));
                    out.push(other);
                }
            }
        }
        let mut other = trial.clone();
        let mut filled = String::new();
        for piece in open.pattern.pieces() {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::One | Piece::OneWithin => filled.push('x'),
                Piece::Any | Piece::Within => filled.push_str("example"),
                Piece::Variable { key, default } => {
                    let lower = key.as_str().to_ascii_lowercase();
                    let known = other.facts.get(&lower).and_then(|(_, values)| match values.as_slice() {
                        [one] => Some(one.clone()),
                        _ => None,
                    });
                    let value = known.or_else(|| default.as_deref().map(str::to_owned)).unwrap_or_else(|| {
                        other.facts.insert(lower, (key.as_str().to_owned(), vec!["example".to_owned()]));
                        "example".to_owned()
                    });
                    filled.push_str(&value);
                }
            }
        }
        match what {
            What::Resource => other.resource = filled,
            What::Key(key) => {
                if let Some((_, values)) = other.facts.get_mut(key) {
                    values.iter_mut().filter(|value| *value == text).for_each(|value| value.clone_from(&filled));
                }
            }
            What::Caller => {}
        }
        out.push(other);
    }
    out
}

fn only_key(pattern: &Pattern) -> Option<String> {
    let mut keys = pattern.keys();
    let first = keys.next()?;
    keys.next().is_none().then(|| first.as_str().to_owned())
}

/// Parts of a text that a variable may stand for, long ones first.
fn parts_of(text: &str) -> Vec<&str> {
    const MOST: usize = 48;
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).take(MOST).collect();
    let mut out: Vec<&str> = ends
        .iter()
        .enumerate()
        .flat_map(|(at, from)| ends.iter().skip(at + 1).filter_map(move |to| text.get(*from..*to)))
        .collect();
    out.sort_by_key(|part| std::cmp::Reverse(part.len()));
    out.insert(0, text);
    out
}
