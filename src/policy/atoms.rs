//! The meaning of a document cut into pieces that can be compared one by one, and which of two pieces surely holds the
//! other. The order of a plan rests on this: no deny may be lost on the way while another seems to hold it.

use std::collections::BTreeSet;

use super::canonical::{fold, lone_statement_text};
use super::document::Content;
use super::pattern::{intersect, is_everything, subsumes, subsumes_resource};
use super::statement::{Effect, Scope, Statement, Version};
use crate::names::PolicyType;

/// A statement of more pieces stays whole.
const MOST_OF_A_STATEMENT: usize = 2_000;
/// Statements past that many pieces stay whole, so that a hostile document costs no more than a large one.
const MOST_OF_A_DOCUMENT: usize = 50_000;

/// The pieces of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Atoms {
    /// What it forbids.
    pub denies: BTreeSet<String>,
    /// What it allows.
    pub allows: BTreeSet<String>,
}

impl Atoms {
    /// Cuts a document: one piece for each pair of an action and a resource, with the condition and principal it hangs on.
    /// `NotAction` and `NotResource` cannot be cut. Pieces are statements as JSON, canonical and without Sid.
    #[must_use]
    pub fn of(kind: &PolicyType, content: &Content) -> Self {
        let mut out = Self::default();
        match content {
            Content::Management(tree) => {
                // No JSON, so that it is never taken for a statement whatever its keys are.
                out.denies.insert(format!("{kind}: {}", tree.meaning()));
            }
            Content::Statements(policy) => {
                let mut left = MOST_OF_A_DOCUMENT;
                for statement in &policy.statements {
                    let pieces = cut(fold(statement), policy.version, left.min(MOST_OF_A_STATEMENT));
                    left = left.saturating_sub(pieces.len());
                    match statement.effect {
                        Effect::Deny => out.denies.extend(pieces),
                        Effect::Allow => out.allows.extend(pieces),
                    }
                }
            }
        }
        out
    }
}

/// Documents of more pieces are not looked through for pieces that others hold.
const MOST_COMPARED: usize = 400;

impl Atoms {
    /// The pieces that no other piece holds, as a text: documents that say the same in other statements have the same.
    /// `None` where there are too many to look through.
    #[must_use]
    pub fn meaning(&self, version: Version) -> Option<String> {
        if self.denies.len() + self.allows.len() > MOST_COMPARED {
            return None;
        }
        let mut out = version.as_str().to_owned();
        for pieces in [&self.denies, &self.allows] {
            let parsed: Vec<(&String, Option<Atom>)> = pieces.iter().map(|text| (text, Atom::parse(text))).collect();
            for (at, (text, atom)) in parsed.iter().enumerate() {
                let holds = |(other_at, (_, other)): (usize, &(&String, Option<Atom>))| match (other, atom) {
                    // Of two that hold each other the first stays.
                    (Some(other), Some(atom)) => {
                        other_at != at && other.covers(atom) && (other_at < at || !atom.covers(other))
                    }
                    _ => false,
                };
                if !parsed.iter().enumerate().any(holds) {
                    out.push('\n');
                    out.push_str(text);
                }
            }
        }
        Some(out)
    }
}

fn singles(scope: &Scope<Vec<String>>) -> Vec<Scope<Vec<String>>> {
    match scope {
        Scope::Only(values) => values.iter().map(|value| Scope::Only(vec![value.clone()])).collect(),
        Scope::AllBut(values) => vec![Scope::AllBut(values.clone())],
    }
}

fn cut(statement: Statement, version: Version, most: usize) -> Vec<String> {
    let count = |scope: &Scope<Vec<String>>| match scope {
        Scope::Only(values) => values.len(),
        Scope::AllBut(_) => 1,
    };
    if count(&statement.action).saturating_mul(count(&statement.resource)) > most {
        return vec![lone_statement_text(&statement, version)];
    }
    let (actions, resources) = (singles(&statement.action), singles(&statement.resource));
    let mut piece = statement;
    let mut out = vec![];
    for action in actions {
        piece.action = action;
        for resource in &resources {
            piece.resource = resource.clone();
            out.push(lone_statement_text(&piece, version));
        }
    }
    out
}

/// Whether everything that the piece `held` speaks of is surely spoken of by `holder` too: for denies, whoever is denied by
/// `held` is denied by `holder`. `false` says nothing. To compare many, parse each once ([`Atom::parse`]).
#[must_use]
pub fn covers(holder: &str, held: &str) -> bool {
    holder == held
        || matches!((Atom::parse(holder), Atom::parse(held)), (Some(holder), Some(held)) if holder.covers(&held))
}

/// Which of the pieces `some` may speak of a request that one of `others` speaks of too, by their places. Pieces of management
/// policies have nothing in common.
#[must_use]
pub fn meeting(some: &[&str], others: &[&str]) -> Vec<(usize, usize)> {
    let parsed = |texts: &[&str]| texts.iter().map(|text| Atom::parse(text)).collect::<Vec<_>>();
    let (some, others) = (parsed(some), parsed(others));
    let mut out = vec![];
    for (at, one) in some.iter().enumerate() {
        let Some(one) = one else { continue };
        let met = others.iter().enumerate().filter(|(_, other)| other.as_ref().is_some_and(|other| one.meets(other)));
        out.extend(met.map(|(other, _)| (at, other)));
    }
    out
}

/// A piece, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    version: Option<String>,
    effect: String,
    principal: Option<(bool, serde_json::Value)>,
    action: Scope<Vec<String>>,
    resource: Scope<Vec<String>>,
    condition: Option<serde_json::Value>,
}

impl Atom {
    /// Takes a piece apart. `None` for one of a management policy, which only itself covers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let serde_json::Value::Object(members) = serde_json::from_str(text).ok()? else { return None };
        let (mut version, mut effect, mut principal, mut condition) = (None, None, None, None);
        let (mut action, mut resource) = (None, None);
        for (key, value) in members {
            match key.as_str() {
                "Version" => version = Some(value.as_str()?.to_owned()),
                "Effect" => effect = Some(value.as_str()?.to_owned()),
                "Principal" => principal = Some((true, value)),
                "NotPrincipal" => principal = Some((false, value)),
                "Action" => action = Some(Scope::Only(strings(&value)?)),
                "NotAction" => action = Some(Scope::AllBut(strings(&value)?)),
                "Resource" => resource = Some(Scope::Only(strings(&value)?)),
                "NotResource" => resource = Some(Scope::AllBut(strings(&value)?)),
                "Condition" => condition = Some(value),
                _ => return None,
            }
        }
        Some(Self { version, effect: effect?, principal, action: action?, resource: resource?, condition })
    }

    /// Whether everything that `held` speaks of is surely spoken of by this.
    #[must_use]
    pub fn covers(&self, held: &Self) -> bool {
        self.version == held.version
            && self.effect == held.effect
            && (self.condition.is_none() || self.condition == held.condition)
            && self.covers_principal(held)
            && covers_scope(&self.action, &held.action, subsumes)
            && covers_scope(&self.resource, &held.resource, subsumes_resource)
    }

    /// Whether there may be a request that both speak of. `false` is sure.
    fn meets(&self, other: &Self) -> bool {
        scopes_meet(&self.action, &other.action, subsumes)
            && scopes_meet(&self.resource, &other.resource, subsumes_resource)
            && !self.excludes(other)
    }

    /// Whether both demand values of one key of which no request has both.
    fn excludes(&self, other: &Self) -> bool {
        let demands = |of: &Self| -> Vec<(String, Vec<String>)> {
            let equals = of.condition.as_ref().and_then(|condition| condition.get("StringEquals")?.as_object());
            let keys = equals.into_iter().flatten();
            keys.filter_map(|(key, values)| Some((key.to_ascii_lowercase(), strings(values)?))).collect()
        };
        let other = demands(other);
        let plain = |values: &[String]| !values.iter().any(|value| value.contains("${"));
        demands(self).iter().any(|(key, values)| {
            other.iter().any(|(same, theirs)| {
                key == same && plain(values) && plain(theirs) && !values.iter().any(|value| theirs.contains(value))
            })
        })
    }

    fn covers_principal(&self, held: &Self) -> bool {
        let everyone = |(only, named): &(bool, serde_json::Value)| *only && named.as_str() == Some("*");
        // A piece without principals is of an SCP, one with is of another language: neither stands in for the other.
        self.principal == held.principal || (self.principal.as_ref().is_some_and(everyone) && held.principal.is_some())
    }
}

fn strings(value: &serde_json::Value) -> Option<Vec<String>> {
    match value {
        serde_json::Value::String(text) => Some(vec![text.clone()]),
        serde_json::Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn scopes_meet(one: &Scope<Vec<String>>, other: &Scope<Vec<String>>, subsumes: fn(&str, &str) -> bool) -> bool {
    let left = |named: &[String], but: &[String]| !named.iter().all(|named| but.iter().any(|but| subsumes(but, named)));
    match (one, other) {
        (Scope::Only(one), Scope::Only(other)) => one.iter().any(|one| other.iter().any(|other| intersect(one, other))),
        (Scope::Only(named), Scope::AllBut(but)) | (Scope::AllBut(but), Scope::Only(named)) => left(named, but),
        (Scope::AllBut(_), Scope::AllBut(_)) => true,
    }
}

fn covers_scope(holder: &Scope<Vec<String>>, held: &Scope<Vec<String>>, subsumes: fn(&str, &str) -> bool) -> bool {
    let each_in =
        |narrow: &[String], wide: &[String]| narrow.iter().all(|narrow| wide.iter().any(|wide| subsumes(wide, narrow)));
    match (holder, held) {
        (Scope::Only(wide), Scope::Only(narrow)) => each_in(narrow, wide),
        (Scope::Only(wide), Scope::AllBut(_)) => wide.iter().any(|wide| is_everything(wide)),
        // All but less is more.
        (Scope::AllBut(less), Scope::AllBut(more)) => each_in(less, more),
        (Scope::AllBut(_), Scope::Only(_)) => false,
    }
}
