//! Management policies: trees of `@@` operators (tag, backup, AI opt-out, chat, declarative, Security Hub and later ones).
//!
//! Source: Organizations user guide, "Policy syntax and inheritance for management policy types"; aws-facts section 3.

use std::collections::{BTreeMap, BTreeSet};

use super::flaw::{Flaws, join_index, join_key};
use super::json::{self, Node, Value, write_string};
use crate::names::PolicyType;
use crate::names::words::nearest;

/// Operators that set values.
const OPERATORS: [&str; 3] = ["@@assign", "@@append", "@@remove"];
/// The operator that says which of the others child policies may use.
pub const CONTROL: &str = "@@operators_allowed_for_child_policies";
/// What it may name besides [`OPERATORS`].
const GRANTS: [&str; 2] = ["@@all", "@@none"];

/// The key that a document of the type begins with.
pub const TOP: [(&str, &str); 9] = [
    ("TAG_POLICY", "tags"),
    ("BACKUP_POLICY", "plans"),
    ("AISERVICES_OPT_OUT_POLICY", "services"),
    ("CHATBOT_POLICY", "chatbot"),
    ("DECLARATIVE_POLICY_EC2", "ec2_attributes"),
    ("SECURITYHUB_POLICY", "securityhub"),
    ("INSPECTOR_POLICY", "inspector"),
    ("S3_POLICY", "s3_attributes"),
    ("BEDROCK_POLICY", "bedrock"),
];

/// A document: keys sorted, what has no order without repetitions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// A string, number, boolean or null, as JSON.
    Leaf(String),
    /// A list whose order counts, as far as anyone knows.
    List(Vec<Tree>),
    /// A list under an operator: a set, in the order of the text.
    Set(Vec<Tree>),
    /// An object.
    Object(BTreeMap<String, Tree>),
}

impl Tree {
    /// As JSON without white space.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, false);
        out
    }

    /// As JSON in which sets are sorted: equal where the documents mean the same.
    #[must_use]
    pub fn meaning(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, true);
        out
    }

    fn write(&self, out: &mut String, sort: bool) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Set(items) if sort => {
                let items: BTreeSet<String> = items.iter().map(Self::meaning).collect();
                write_all(out, ('[', ']'), items.iter(), |out, item| out.push_str(item));
            }
            Self::List(items) | Self::Set(items) => {
                write_all(out, ('[', ']'), items.iter(), |out, item| item.write(out, sort));
            }
            Self::Object(members) => write_all(out, ('{', '}'), members.iter(), |out, (key, value)| {
                write_string(out, key);
                out.push(':');
                value.write(out, sort);
            }),
        }
    }
}

fn write_all<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(close);
}

/// The tree of a document. `None` where it has an error.
pub fn read(node: &Node, kind: &PolicyType, flaws: &mut Flaws) -> Option<Tree> {
    let before = flaws.errors();
    let Value::Object(members) = &node.value else {
        let message = format!("the document is {}; a policy is one JSON object", node.value.kind());
        flaws.error("wrong-type", node.place, "", message, "write `{ … }`");
        return None;
    };
    if members.is_empty() {
        flaws.warning("empty-policy", node.place, "", "the policy is empty and does nothing", "");
    }
    if let Some((_, top)) = TOP.iter().find(|(name, _)| *name == kind.as_str()) {
        for member in members.iter().filter(|member| member.key != *top && !member.key.starts_with("@@")) {
            let message = format!("a policy of type `{kind}` begins with `{top}`, not `{}`", member.key);
            let help = "look whether the document is of another type";
            flaws.warning("unexpected-top-level-key", member.place, &join_key("", &member.key), message, help);
        }
    }
    let tree = object(node, "", flaws);
    (flaws.errors() == before).then_some(tree)
}

fn object(node: &Node, path: &str, flaws: &mut Flaws) -> Tree {
    let Value::Object(members) = &node.value else { return value(node, path, false, flaws) };
    let mut out = BTreeMap::new();
    for member in members {
        let path = join_key(path, &member.key);
        let tree = match member.key.as_str() {
            CONTROL => {
                grants(&member.node, &path, flaws);
                value(&member.node, &path, true, flaws)
            }
            "@@assign" => value(&member.node, &path, true, flaws),
            "@@append" | "@@remove" => {
                if !matches!(member.node.value, Value::Array(_)) {
                    let message =
                        format!("`{}` takes a list, and here stands {}", member.key, member.node.value.kind());
                    let help = "put the value in `[ ]`, or use `@@assign`";
                    flaws.error("wrong-type", member.node.place, &path, message, help);
                }
                value(&member.node, &path, true, flaws)
            }
            unknown if unknown.starts_with("@@") => {
                let help = match nearest(unknown, OPERATORS.into_iter().chain([CONTROL])) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("known are `@@assign`, `@@append`, `@@remove` and `{CONTROL}`"),
                };
                flaws.error("unknown-operator", member.place, &path, format!("`{unknown}` is not an operator"), &help);
                value(&member.node, &path, false, flaws)
            }
            _ => {
                if !matches!(member.node.value, Value::Object(_)) {
                    let message = format!("`{path}` is {} without an operator", member.node.value.kind());
                    let help = format!("write `\"{}\": {{\"@@assign\": …}}`", member.key);
                    flaws.warning("missing-operator", member.node.place, &path, message, &help);
                }
                object(&member.node, &path, flaws)
            }
        };
        out.insert(member.key.clone(), tree);
    }
    Tree::Object(out)
}

fn grants(node: &Node, path: &str, flaws: &mut Flaws) {
    let items: &[Node] = match &node.value {
        Value::Array(items) => items,
        Value::String(_) => {
            let message = format!("`{CONTROL}` takes a list, and here stands a string");
            flaws.warning("wrong-type", node.place, path, message, "put it in `[ ]`");
            std::slice::from_ref(node)
        }
        other => {
            let message = format!("`{CONTROL}` takes a list of operators, and here stands {}", other.kind());
            flaws.error(
                "wrong-type",
                node.place,
                path,
                message,
                "write `[\"@@all\"]`, `[\"@@none\"]` or a list of operators",
            );
            return;
        }
    };
    for (index, item) in items.iter().enumerate() {
        let known = |text: &String| OPERATORS.contains(&text.as_str()) || GRANTS.contains(&text.as_str());
        if !matches!(&item.value, Value::String(text) if known(text)) {
            let mut shown = String::new();
            json::write(&mut shown, &item.value);
            let help = "known are `@@all`, `@@none`, `@@assign`, `@@append` and `@@remove`";
            let message = format!("`{shown}` is not an operator that child policies can be allowed");
            flaws.error("unknown-operator", item.place, &join_index(path, index), message, help);
        }
    }
}

/// What stands under an operator (a set where it is a list), or where an operator is missing.
fn value(node: &Node, path: &str, set: bool, flaws: &mut Flaws) -> Tree {
    match &node.value {
        Value::Array(items) => {
            let items =
                items.iter().enumerate().map(|(index, item)| value(item, &join_index(path, index), false, flaws));
            if set {
                let mut seen = BTreeSet::new();
                Tree::Set(items.filter(|item| seen.insert(item.meaning())).collect())
            } else {
                Tree::List(items.collect())
            }
        }
        Value::Object(_) => object(node, path, flaws),
        scalar => {
            let mut out = String::new();
            json::write(&mut out, scalar);
            Tree::Leaf(out)
        }
    }
}
