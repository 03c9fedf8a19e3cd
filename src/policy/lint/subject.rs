//! A document as rules look at it: every value with its place, actions resolved to what AWS's services know.

use std::borrow::Cow;

use crate::names::PolicyType;
use crate::policy::condition::{Operator, Quantifier, Test};
use crate::policy::document::{Content, Document};
use crate::policy::flaw::{Place, join_index, join_key};
use crate::policy::json::{Member, Node, Value};
use crate::policy::pattern;
use crate::policy::services::{self, Action};
use crate::policy::statement::{Effect, Language, Version};

/// Where something stands.
#[derive(Debug, Clone, Default)]
pub struct Spot {
    /// Line and column.
    pub place: Place,
    /// JSON path.
    pub path: String,
    /// It is the key that is meant, not the value under it.
    pub key: bool,
}

/// A text of the document and where it stands.
#[derive(Debug, Clone)]
pub struct Word<'a> {
    /// The text; booleans and numbers as AWS reads them.
    pub text: Cow<'a, str>,
    /// Where.
    pub spot: Spot,
}

/// The actions that a word of `Action` stands for.
#[derive(Debug)]
pub enum Reach {
    /// `*`, or a wildcard in the service: too many to look at.
    Everything,
    /// Those of one service; none where the pattern matches nothing that is known.
    Of(Vec<Action>),
}

/// A word of `Action` or `NotAction`.
#[derive(Debug)]
pub struct ActionWord<'a> {
    /// The word.
    pub word: Word<'a>,
    /// What it stands for.
    pub reach: Reach,
}

impl ActionWord<'_> {
    /// Whether it has no wildcards.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.word.text.contains(['*', '?'])
    }

    /// The actions, where they can be looked at.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        match &self.reach {
            Reach::Everything => &[],
            Reach::Of(actions) => actions,
        }
    }
}

/// One `operator: {key: values}`.
#[derive(Debug)]
pub struct ClauseAt<'a> {
    /// The operator.
    pub operator: Operator,
    /// Its name as written.
    pub block: Word<'a>,
    /// How many keys its block has.
    pub keys_in_block: usize,
    /// The key.
    pub key: Word<'a>,
    /// The values.
    pub values: Vec<Word<'a>>,
}

impl ClauseAt<'_> {
    /// Whether it holds where the request does not carry the key (aws-facts section 3, "Missing-key semantics").
    #[must_use]
    pub fn when_absent(&self) -> bool {
        match (self.operator.test, self.operator.quantifier) {
            (Test::Null, _) => self.has("true"),
            (_, _) if self.operator.if_exists => true,
            (_, Some(Quantifier::ForAllValues)) => true,
            (_, Some(Quantifier::ForAnyValue)) => false,
            (test, None) => test.negated(),
        }
    }

    /// Whether one of the values is that; case does not count.
    #[must_use]
    pub fn has(&self, value: &str) -> bool {
        self.values.iter().any(|word| word.text.eq_ignore_ascii_case(value))
    }

    /// Whether it is of that key; case does not count.
    #[must_use]
    pub fn is_of(&self, key: &str) -> bool {
        self.key.text.eq_ignore_ascii_case(key)
    }

    /// Whether it is `Null: {key: "true"}`: the key has to be absent.
    #[must_use]
    pub fn demands_absence(&self) -> bool {
        self.operator.test == Test::Null && self.has("true") && !self.has("false")
    }

    /// Whether it can hold only where the key is there.
    #[must_use]
    pub fn demands_presence(&self) -> bool {
        !self.when_absent()
    }
}

/// One statement.
#[derive(Debug)]
pub struct StatementAt<'a> {
    /// Where it begins.
    pub spot: Spot,
    /// Allow or deny.
    pub effect: Effect,
    /// Where `Action` or `NotAction` stands.
    pub action_spot: Spot,
    /// It is `NotAction`.
    pub not_action: bool,
    /// Its words.
    pub actions: Vec<ActionWord<'a>>,
    /// It is `NotResource`.
    pub not_resource: bool,
    /// Patterns of ARNs; `*` where a resource policy names none.
    pub resources: Vec<Word<'a>>,
    /// It is `NotPrincipal`.
    pub not_principal: bool,
    /// Principals with their kind (`AWS`; empty for a bare `*`).
    pub principals: Vec<(&'a str, Word<'a>)>,
    /// What has to hold.
    pub clauses: Vec<ClauseAt<'a>>,
}

impl StatementAt<'_> {
    /// Whether it denies.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.effect == Effect::Deny
    }

    /// `denies` or `allows`, for messages.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        if self.denies() { "denies" } else { "allows" }
    }

    /// Whether it speaks of every resource.
    #[must_use]
    pub fn on_everything(&self) -> bool {
        !self.not_resource && self.resources.iter().any(|word| pattern::is_everything(&word.text))
    }

    /// Whether it speaks of every action.
    #[must_use]
    pub fn of_everything(&self) -> bool {
        !self.not_action && self.actions.iter().any(|action| pattern::is_everything(&action.word.text))
    }
}

/// A document and what is known of it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The document.
    pub document: &'a Document,
    /// Its language.
    pub language: Language,
    /// Version of the language.
    pub version: Version,
    /// Its tree.
    pub node: &'a Node,
    /// Its statements, as written; none of a management policy.
    pub statements: Vec<StatementAt<'a>>,
}

impl<'a> Subject<'a> {
    /// A document that was read from that tree.
    #[must_use]
    pub fn new(document: &'a Document, node: &'a Node) -> Self {
        let version = match document.content() {
            Content::Statements(policy) => policy.version,
            Content::Management(_) => Version::V2012,
        };
        let statements = match (document.content(), member(node, "Statement")) {
            (Content::Statements(_), Some(found)) => statements(&found.node),
            _ => vec![],
        };
        Self { document, language: Language::of(document.kind()), version, node, statements }
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> &PolicyType {
        self.document.kind()
    }

    /// Every clause with its statement.
    pub fn clauses(&self) -> impl Iterator<Item = (&StatementAt<'a>, &ClauseAt<'a>)> {
        self.statements.iter().flat_map(|statement| statement.clauses.iter().map(move |clause| (statement, clause)))
    }
}

/// The member of that key, in its own spelling.
#[must_use]
pub fn member<'a>(node: &'a Node, key: &str) -> Option<&'a Member> {
    match &node.value {
        Value::Object(members) => members.iter().find(|member| member.key == key),
        _ => None,
    }
}

fn statements(node: &Node) -> Vec<StatementAt<'_>> {
    match &node.value {
        Value::Array(items) => {
            items.iter().enumerate().filter_map(|(at, item)| statement(item, join_index("Statement", at))).collect()
        }
        _ => statement(node, "Statement".to_owned()).into_iter().collect(),
    }
}

fn statement<'a>(node: &'a Node, path: String) -> Option<StatementAt<'a>> {
    let effect = match member(node, "Effect").map(|member| &member.node.value) {
        Some(Value::String(text)) if text == "Allow" => Effect::Allow,
        Some(Value::String(_)) => Effect::Deny,
        _ => return None,
    };
    let either = |only: &str, all_but: &str| match (member(node, only), member(node, all_but)) {
        (Some(member), _) => (Some(member), false),
        (None, member) => (member, member.is_some()),
    };
    let at = |member: Option<&Member>| {
        member.map_or_else(Spot::default, |member| Spot {
            place: member.place,
            path: join_key(&path, &member.key),
            key: true,
        })
    };
    let (action, not_action) = either("Action", "NotAction");
    let (resource, not_resource) = either("Resource", "NotResource");
    let (principal, not_principal) = either("Principal", "NotPrincipal");

    let words_of = |found: Option<&'a Member>| {
        found.map_or_else(Vec::new, |found| words(&found.node, join_key(&path, &found.key)))
    };
    let mut resources = words_of(resource);
    if resource.is_none() {
        resources.push(Word { text: "*".into(), spot: Spot { place: node.place, path: path.clone(), key: false } });
    }
    Some(StatementAt {
        effect,
        action_spot: at(action),
        not_action,
        actions: words_of(action).into_iter().map(action_word).collect(),
        not_resource,
        resources,
        not_principal,
        principals: principal.map_or_else(Vec::new, |found| principals(found, &path)),
        clauses: member(node, "Condition")
            .map_or_else(Vec::new, |found| clauses(&found.node, &join_key(&path, "Condition"))),
        spot: Spot { place: node.place, path, key: false },
    })
}

fn action_word(word: Word<'_>) -> ActionWord<'_> {
    let service = word.text.split_once(':').map_or(&*word.text, |(service, _)| service);
    let reach = if service.contains(['*', '?']) {
        Reach::Everything
    } else {
        match services::action(&word.text) {
            Some(action) => Reach::Of(vec![action]),
            None => Reach::Of(services::matching(&word.text).collect()),
        }
    };
    ActionWord { word, reach }
}

/// A scalar, or the items of a list.
fn words(node: &Node, path: String) -> Vec<Word<'_>> {
    match &node.value {
        Value::Array(items) => {
            items.iter().enumerate().filter_map(|(at, item)| word(item, join_index(&path, at))).collect()
        }
        _ => word(node, path).into_iter().collect(),
    }
}

fn word(node: &Node, path: String) -> Option<Word<'_>> {
    let text = match &node.value {
        Value::String(text) | Value::Number(text) => Cow::Borrowed(text.as_str()),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        _ => return None,
    };
    Some(Word { text, spot: Spot { place: node.place, path, key: false } })
}

fn principals<'a>(found: &'a Member, path: &str) -> Vec<(&'a str, Word<'a>)> {
    let path = join_key(path, &found.key);
    match &found.node.value {
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|kind| {
                let names = words(&kind.node, join_key(&path, &kind.key));
                names.into_iter().map(|name| (kind.key.as_str(), name))
            })
            .collect(),
        _ => words(&found.node, path).into_iter().map(|name| ("", name)).collect(),
    }
}

fn clauses<'a>(node: &'a Node, path: &str) -> Vec<ClauseAt<'a>> {
    let Value::Object(blocks) = &node.value else { return vec![] };
    let mut out = vec![];
    for block in blocks {
        let (Some(operator), Value::Object(keys)) = (Operator::parse(&block.key), &block.node.value) else { continue };
        let path = join_key(path, &block.key);
        for key in keys {
            let own = join_key(&path, &key.key);
            let name = |member: &'a Member, path: String| Word {
                text: Cow::Borrowed(member.key.as_str()),
                spot: Spot { place: member.place, path, key: true },
            };
            out.push(ClauseAt {
                operator,
                block: name(block, path.clone()),
                keys_in_block: keys.len(),
                key: name(key, own.clone()),
                values: words(&key.node, own),
            });
        }
    }
    out
}
