//! The space of requests behind an action: its dimensions (the resource, who asks, each condition key), and of each the
//! choices that the statements tell apart.
//!
//! An *atom* is what a statement asks of one dimension: its resources, its principals, or one clause of its condition. A
//! choice says which atoms of its dimension hold. A variable (`${…}`) is not resolved: where a pattern would match for some
//! text in its place, there is a choice in which it does and one in which it does not. So there may be choices that no
//! request makes, and what they tell apart has to be tried; but no request is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::callers::{self, Known as KnownCaller};
use super::glob::{Bits, Glob, Globs, Shape};
use super::values::{self, Known};
use super::{Budget, examples};
use crate::policy::condition::{Operator, Quantifier, Test};
use crate::policy::eval::pattern::{Pattern, Reading};
use crate::policy::eval::{Action, Compiled, Decision, Facts, Ladder, Request, is_negated};
use crate::policy::statement::{Clause, Effect, Policy, Principals, Scope, Statement, Version};

/// Most ways in which the variables of one dimension can fall for one value.
const MOST_WAYS: usize = 256;
/// Most choices of one dimension.
const MOST_CHOICES: usize = 4_000;

/// What a dimension is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum What {
    Resource,
    Caller,
    /// A condition key, in lower case.
    Key(String),
}

/// What a request has there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Resource(String),
    Caller(KnownCaller),
    /// Of a key; none of them: it is absent.
    Key(Vec<String>),
}

/// One choice of a dimension.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// The atoms that hold.
    pub(super) bits: Bits,
    pub(super) value: Value,
    /// Dimensions of variables that have to have one value, or not to have it, for this to be possible.
    pub(super) needs: Vec<(usize, bool)>,
    /// Patterns with variables that are taken to match a value.
    pub(super) matched: Vec<usize>,
}

impl Choice {
    /// Whether a variable of this key would stand for something.
    pub(super) fn is_one(&self) -> bool {
        matches!(&self.value, Value::Key(values) if values.len() == 1)
    }
}

/// A dimension.
#[derive(Debug, Clone)]
pub(super) struct Dimension {
    pub(super) what: What,
    /// The name as a policy spells it.
    pub(super) name: String,
    pub(super) choices: Vec<Choice>,
    /// Dimensions of the keys that stand as variables in its patterns.
    pub(super) variables: Vec<usize>,
    /// Whether these are all choices that there are.
    pub(super) whole: bool,
}

/// What an atom is in a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Atom {
    Always,
    Never,
    /// The atom of that number.
    Hangs(u32),
}

/// A pattern with variables, with what has to be known to try it.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) pattern: Pattern,
    /// Keys of its variables, in lower case, and whether they have defaults.
    keys: Vec<(String, bool)>,
    glob: Glob,
}

/// All dimensions.
#[derive(Debug, Default)]
pub(super) struct Space {
    pub(super) dimensions: Vec<Dimension>,
    /// Of each atom its dimension, and its number there.
    pub(super) atoms: Vec<(usize, usize)>,
    pub(super) opens: Vec<Open>,
    places: BTreeMap<What, usize>,
    /// Atoms by what they ask.
    known: HashMap<Asked, usize>,
    /// What they ask, by dimension and number there.
    asked: Vec<Vec<Asked>>,
    folded: Vec<Atom>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Asked {
    Resource { all_but: bool, patterns: BTreeSet<String>, version: Version },
    Principal(usize),
    Clause { operator: Operator, key: String, values: BTreeSet<String>, version: Version },
}

fn text_version(texts: &BTreeSet<String>, version: Version) -> Version {
    // Without `${` both versions read alike.
    if texts.iter().any(|text| text.contains("${")) { version } else { Version::V2012 }
}

impl Space {
    fn dimension(&mut self, what: What, name: &str) -> usize {
        if let Some(known) = self.places.get(&what) {
            return *known;
        }
        let at = self.dimensions.len();
        self.places.insert(what.clone(), at);
        self.asked.push(vec![]);
        self.dimensions.push(Dimension {
            what,
            name: name.to_owned(),
            choices: vec![],
            variables: vec![],
            whole: true,
        });
        at
    }

    fn atom(&mut self, dimension: usize, asked: Asked) -> usize {
        if let Some(known) = self.known.get(&asked) {
            return *known;
        }
        let at = self.atoms.len();
        let Some(own) = self.asked.get_mut(dimension) else { return at };
        self.atoms.push((dimension, own.len()));
        own.push(asked.clone());
        self.known.insert(asked, at);
        at
    }

    /// The atoms of a statement, all of which have to hold; as numbers that [`Space::fold`] gives a meaning to.
    pub(super) fn atoms_of(
        &mut self,
        statement: &Statement,
        version: Version,
        principals: &mut Vec<Scope<Principals>>,
    ) -> Vec<usize> {
        let mut out = vec![];
        let every = |patterns: &[String]| {
            patterns.iter().any(|text| Pattern::new(text, Reading::Resource, version).is_everything())
        };
        if !matches!(&statement.resource, Scope::Only(patterns) if every(patterns)) {
            let patterns: BTreeSet<String> = statement.resource.named().iter().cloned().collect();
            let version = text_version(&patterns, version);
            let all_but = matches!(statement.resource, Scope::AllBut(_));
            let dimension = self.dimension(What::Resource, "resource");
            out.push(self.atom(dimension, Asked::Resource { all_but, patterns, version }));
        }
        if let Some(scope) = statement.principal.as_ref().filter(|scope| !callers::is_everyone(scope)) {
            let known = principals.iter().position(|known| known == scope).unwrap_or_else(|| {
                principals.push(scope.clone());
                principals.len() - 1
            });
            let dimension = self.dimension(What::Caller, "caller");
            out.push(self.atom(dimension, Asked::Principal(known)));
        }
        for clause in &statement.condition {
            let key = clause.key.to_ascii_lowercase();
            let values: BTreeSet<String> = clause.values.iter().cloned().collect();
            let version = text_version(&values, version);
            let dimension = self.dimension(What::Key(key.clone()), &clause.key);
            out.push(self.atom(dimension, Asked::Clause { operator: clause.operator, key, values, version }));
        }
        out
    }

    /// Finds the choices of every dimension, and folds atoms that no choice tells apart into one.
    pub(super) fn fill(&mut self, principals: &[Scope<Principals>], budget: &Budget) {
        // Variables bring keys that no clause looks at.
        let all: Vec<Asked> = self.asked.iter().flatten().cloned().collect();
        for asked in &all {
            for (pattern, _) in open_patterns(asked) {
                for key in pattern.keys() {
                    self.dimension(What::Key(key.as_str().to_ascii_lowercase()), key.as_str());
                }
            }
        }
        for at in 0..self.dimensions.len() {
            let what = self.dimensions.get(at).map(|it| it.what.clone());
            let asked = self.asked.get(at).cloned().unwrap_or_default();
            let (mut choices, whole) = match what {
                Some(What::Resource) => self.resources(&asked, budget),
                Some(What::Caller) => (callers::choices(principals), true),
                Some(What::Key(key)) => self.values(&key, &asked, budget),
                None => (vec![], false),
            };
            let mut seen = HashSet::new();
            choices.retain(|choice| seen.insert((choice.bits.clone(), choice.needs.clone(), choice.is_one())));
            let whole = whole && choices.len() <= MOST_CHOICES;
            choices.truncate(MOST_CHOICES);
            let variables: BTreeSet<usize> = choices.iter().flat_map(|it| it.needs.iter().map(|need| need.0)).collect();
            if let Some(dimension) = self.dimensions.get_mut(at) {
                dimension.choices = choices;
                dimension.whole = whole;
                dimension.variables = variables.into_iter().collect();
            }
        }
        self.fold_alike();
    }

    /// What an atom is, once the choices are known.
    pub(super) fn folded(&self, atom: usize) -> Atom {
        self.folded.get(atom).copied().unwrap_or(Atom::Never)
    }

    fn fold_alike(&mut self) {
        let mut first: HashMap<(usize, Vec<bool>), u32> = HashMap::new();
        for (at, (dimension, own)) in self.atoms.iter().enumerate() {
            let column: Vec<bool> = self
                .dimensions
                .get(*dimension)
                .into_iter()
                .flat_map(|it| it.choices.iter().map(|choice| choice.bits.has(*own)))
                .collect();
            let whole = self.dimensions.get(*dimension).is_some_and(|it| it.whole);
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            self.folded.push(if whole && column.iter().all(|holds| *holds) {
                Atom::Always
            } else if whole && !column.contains(&true) {
                Atom::Never
            } else if whole {
                Atom::Hangs(*first.entry((*dimension, column)).or_insert(number))
            } else {
                Atom::Hangs(number)
            });
        }
    }

    fn open(&mut self, pattern: Pattern, any_case: bool) -> usize {
        let glob = Glob::new(&pattern, any_case);
        if let Some(known) = self.opens.iter().position(|open| open.pattern == pattern && open.glob == glob) {
            return known;
        }
        let keys =
            pattern.variables().map(|(key, default)| (key.as_str().to_ascii_lowercase(), default.is_some())).collect();
        self.opens.push(Open { pattern, keys, glob });
        self.opens.len() - 1
    }

    /// The ways in which patterns with variables can fall for one text: those that match, and what that needs.
    fn ways(&self, text: &str, opens: &[usize]) -> (Vec<Way>, bool) {
        let mut ways = vec![Way::default()];
        for open in opens {
            let Some(known) = self.opens.get(*open) else { continue };
            if !Globs::new(std::slice::from_ref(&known.glob), Shape::Text).run(text).0.has(0) {
                continue;
            }
            let place = |key: &str| self.places.get(&What::Key(key.to_owned())).copied();
            let mut options: Vec<(bool, Vec<(usize, bool)>)> = vec![];
            if let [(key, true)] = known.keys.as_slice() {
                let gone: Vec<_> = place(key).map(|at| (at, false)).into_iter().collect();
                let there: Vec<_> = place(key).map(|at| (at, true)).into_iter().collect();
                let by_default = known.pattern.matches(text, &Facts::complete()) == crate::policy::eval::Truth::Yes;
                options.extend([(by_default, gone), (false, there.clone()), (true, there)]);
            } else {
                let needs =
                    known.keys.iter().filter(|(_, default)| !default).filter_map(|(key, _)| Some((place(key)?, true)));
                options.extend([(false, vec![]), (true, needs.collect())]);
            }
            if ways.len() * options.len() > MOST_WAYS {
                return (ways, false);
            }
            ways = ways
                .iter()
                .flat_map(|way| options.iter().filter_map(|(holds, needs)| way.and(*open, *holds, needs)))
                .collect();
        }
        (ways, true)
    }

    fn resources(&mut self, asked: &[Asked], budget: &Budget) -> (Vec<Choice>, bool) {
        let (mut globs, mut examples): (Vec<Glob>, Vec<String>) = (vec![], vec![]);
        // Of each atom the numbers of its patterns, and of those with variables.
        let mut atoms: Vec<(bool, Vec<usize>, Vec<usize>)> = vec![];
        for it in asked {
            let Asked::Resource { all_but, patterns, version } = it else { continue };
            let (mut plain, mut open) = (vec![], vec![]);
            for text in patterns {
                let pattern = Pattern::new(text, Reading::Resource, *version);
                examples.push(examples::filled(&pattern, None));
                let glob = Glob::new(&pattern, false);
                let at = globs.iter().position(|known| *known == glob).unwrap_or_else(|| {
                    globs.push(glob);
                    globs.len() - 1
                });
                if pattern.keys().next().is_some() { open.push(self.open(pattern, false)) } else { plain.push(at) }
            }
            atoms.push((*all_but, plain, open));
        }
        let globs = Globs::new(&globs, Shape::Arn);
        examples.push("arn:aws:dynamodb:us-east-1:111122223333:table/example".to_owned());
        let (regions, mut whole) = globs.regions(examples.into_iter(), budget.letters);
        let mut texts: Vec<(Bits, String)> = regions.into_iter().map(|region| (region.bits, region.example)).collect();
        // A request for an action that has no resource.
        texts.insert(0, (globs.run("*").0, "*".to_owned()));
        let opens: BTreeSet<usize> = atoms.iter().flat_map(|(_, _, open)| open.iter().copied()).collect();
        let opens: Vec<usize> = opens.into_iter().collect();
        let mut out = vec![];
        for (bits, text) in texts {
            let (ways, all) = self.ways(&text, &opens);
            whole &= all;
            for way in ways {
                let holds = |(all_but, plain, open): &(bool, Vec<usize>, Vec<usize>)| {
                    let found = plain.iter().any(|at| bits.has(*at)) || open.iter().any(|at| way.matched.contains(at));
                    found != *all_but
                };
                let own = atoms.iter().enumerate().filter(|(_, atom)| holds(atom)).map(|(at, _)| at);
                out.push(Choice {
                    bits: Bits::of(atoms.len(), own),
                    value: Value::Resource(text.clone()),
                    needs: way.needs,
                    matched: way.matched,
                });
            }
        }
        (out, whole)
    }

    fn values(&mut self, key: &str, asked: &[Asked], budget: &Budget) -> (Vec<Choice>, bool) {
        let known = Known::of(key);
        let mut clauses: Vec<(Clause, Version)> = vec![];
        for it in asked {
            let Asked::Clause { operator, key, values, version } = it else { continue };
            let clause = Clause { operator: *operator, key: key.clone(), values: values.iter().cloned().collect() };
            clauses.push((clause, *version));
        }
        let borrowed: Vec<(&Clause, Version)> = clauses.iter().map(|(clause, version)| (clause, *version)).collect();
        let (texts, mut whole) = values::distinguished(key, known, &borrowed, &examples::usual(key), budget.letters);
        let tests: Vec<ClauseTest> =
            clauses.iter().map(|(clause, version)| ClauseTest::new(clause, *version, self)).collect();
        let opens: BTreeSet<usize> = tests.iter().flat_map(|test| test.opens.iter().copied()).collect();
        let opens: Vec<usize> = opens.into_iter().collect();
        let mut singles = vec![];
        for text in texts {
            let (ways, all) = self.ways(&text, &opens);
            whole &= all;
            for way in ways {
                let own =
                    tests.iter().enumerate().filter(|(_, test)| test.holds(&text, &way.matched)).map(|(at, _)| at);
                singles.push(Choice {
                    bits: Bits::of(tests.len(), own),
                    value: Value::Key(vec![text.clone()]),
                    needs: way.needs,
                    matched: way.matched,
                });
            }
        }
        let own = tests.iter().enumerate().filter(|(_, test)| test.when_absent).map(|(at, _)| at);
        let absent =
            Choice { bits: Bits::of(tests.len(), own), value: Value::Key(vec![]), needs: vec![], matched: vec![] };
        let sets = clauses
            .iter()
            .any(|(clause, _)| clause.operator.quantifier.is_some() && clause.operator.test != Test::Null);
        let many = if sets && !known.single {
            let (many, all) = sets_of(&singles, &tests);
            whole &= all;
            many
        } else {
            vec![]
        };
        let mut out = if known.usual { [singles, vec![absent]].concat() } else { [vec![absent], singles].concat() };
        out.extend(many);
        (out, whole)
    }
}

/// One way in which variables can fall.
#[derive(Debug, Clone, Default)]
struct Way {
    matched: Vec<usize>,
    needs: Vec<(usize, bool)>,
}

impl Way {
    /// `None` where the two cannot be together.
    fn and(&self, open: usize, holds: bool, needs: &[(usize, bool)]) -> Option<Self> {
        let mut out = self.clone();
        if holds {
            out.matched.push(open);
        }
        out.needs = together(&out.needs, needs)?;
        Some(out)
    }
}

fn together(some: &[(usize, bool)], others: &[(usize, bool)]) -> Option<Vec<(usize, bool)>> {
    let mut out: BTreeMap<usize, bool> = some.iter().copied().collect();
    for (at, there) in others {
        if *out.entry(*at).or_insert(*there) != *there {
            return None;
        }
    }
    Some(out.into_iter().collect())
}

/// Sets of several values, as far as the clauses tell them apart: whatever a set holds besides what makes them so is left out.
fn sets_of(singles: &[Choice], tests: &[ClauseTest]) -> (Vec<Choice>, bool) {
    let mut seen: HashSet<(Bits, Vec<(usize, bool)>)> = HashSet::new();
    let mut out: Vec<Choice> = vec![];
    let mut at = 0;
    let mut begin: Vec<Choice> = singles.to_vec();
    while let Some(set) = begin.get(at).cloned() {
        at += 1;
        for single in singles {
            let (Value::Key(values), Value::Key(more)) = (&set.value, &single.value) else { continue };
            if more.iter().any(|value| values.contains(value)) {
                continue;
            }
            let Some(needs) = together(&set.needs, &single.needs) else { continue };
            let own = tests.iter().enumerate().filter(|(at, test)| {
                let (a, b) = (set.bits.has(*at), single.bits.has(*at));
                if test.all { a && b } else { a || b }
            });
            let bits = Bits::of(tests.len(), own.map(|(at, _)| at));
            if !seen.insert((bits.clone(), needs.clone())) {
                continue;
            }
            if out.len() >= MOST_CHOICES {
                return (out, false);
            }
            let mut matched = set.matched.clone();
            matched.extend(&single.matched);
            let choice = Choice { bits, value: Value::Key([values.clone(), more.clone()].concat()), needs, matched };
            out.push(choice.clone());
            begin.push(choice);
        }
    }
    (out, true)
}

/// The patterns of an atom that hold variables, and whether letters' case is passed over.
fn open_patterns(asked: &Asked) -> Vec<(Pattern, bool)> {
    let found: Vec<(Pattern, bool)> = match asked {
        Asked::Resource { patterns, version, .. } => {
            patterns.iter().map(|text| (Pattern::new(text, Reading::Resource, *version), false)).collect()
        }
        Asked::Clause { operator, values, version, .. } if values::family(operator.test) == values::Family::Text => {
            let of = |text: &String| (values::pattern(operator.test, text, *version), values::reading(operator.test).1);
            values.iter().map(of).collect()
        }
        _ => vec![],
    };
    found.into_iter().filter(|(pattern, _)| pattern.keys().next().is_some()).collect()
}

/// A clause that is asked of one value at a time; the evaluator answers.
struct ClauseTest {
    key: String,
    /// The clause with the values that hold no variable.
    plain: Ladder,
    opens: Vec<usize>,
    /// What is neither true nor false matches nothing.
    boolean: bool,
    negated: bool,
    /// Of a set of values it holds where it holds of all, else of one.
    all: bool,
    when_absent: bool,
}

impl ClauseTest {
    fn new(clause: &Clause, version: Version, space: &mut Space) -> Self {
        let test = clause.operator.test;
        let (open, plain): (Vec<String>, Vec<String>) =
            clause.values.iter().cloned().partition(|value| values::has_variable(test, value, version));
        let any_case = values::reading(test).1;
        let opens = open.iter().map(|value| space.open(values::pattern(test, value, version), any_case)).collect();
        let negated = is_negated(test);
        let plain = only(clause.operator, &clause.key, plain, version);
        let when_absent = allows(&plain, &Facts::complete());
        let all = match clause.operator.quantifier {
            // Of a set of values it is true that the key is there, as of each.
            _ if test == Test::Null => true,
            Some(Quantifier::ForAllValues) => true,
            Some(Quantifier::ForAnyValue) => false,
            None => negated,
        };
        Self { key: clause.key.clone(), plain, opens, boolean: test == Test::Bool, negated, all, when_absent }
    }

    fn holds(&self, text: &str, matched: &[usize]) -> bool {
        let mut facts = Facts::complete();
        facts.set_one(&self.key, text);
        let found = allows(&self.plain, &facts) != self.negated;
        let can = !self.boolean || ["true", "false"].iter().any(|own| own.eq_ignore_ascii_case(text));
        let found = found || (can && self.opens.iter().any(|open| matched.contains(open)));
        found != self.negated
    }
}

/// A policy that allows where one clause holds.
fn only(operator: Operator, key: &str, values: Vec<String>, version: Version) -> Ladder {
    let everything = || Scope::Only(vec!["*".to_owned()]);
    let statement = Statement {
        sid: None,
        effect: Effect::Allow,
        principal: None,
        action: everything(),
        resource: everything(),
        condition: vec![Clause { operator, key: key.to_owned(), values }],
    };
    let compiled = Compiled::new(&Policy { version, id: None, statements: vec![statement] });
    Ladder::new([[&compiled]])
}

fn allows(ladder: &Ladder, facts: &Facts) -> bool {
    let Some(action) = Action::parse("a:a") else { return false };
    let request = Request { action: &action, resource: Some("*"), facts, caller: None };
    ladder.decide(&request) == Decision::Allowed
}
