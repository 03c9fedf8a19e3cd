//! Management policies as each type has them: which settings there are, what they hold, and which operators they take.
//!
//! [`shapes`] has a table a type. What AWS may add to at any time (services, Regions, resource types) is told as unknown and
//! never as wrong; a type without a table is not looked at. Source: Organizations user guide, "Inheritance operators" and
//! the page "syntax and examples" of each policy type.

use super::subject::{Spot, Subject};
use super::{Fix, Severity};
use crate::names::words::nearest;
use crate::policy::flaw::{join_index, join_key};
use crate::policy::json::{Member, Node, Value};

mod schedule;
pub mod shapes;

use shapes::{AI_SERVICES, REGIONS, Shape, Values};

/// Which rule tells a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name that the type does not have: `unknown-setting`.
    Name,
    /// A value that the setting does not take: `invalid-setting`.
    Value,
    /// An operator that the setting does not take: `operator-on-single-value`.
    Operator,
}

/// Something that is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which rule tells it.
    pub kind: Kind,
    /// Where.
    pub spot: Spot,
    /// How bad.
    pub severity: Severity,
    /// What will happen.
    pub message: String,
    /// What to do.
    pub help: String,
    /// What to replace.
    pub fix: Option<Fix>,
}

/// Everything that is wrong with the settings of a management policy; nothing where its type has no table.
#[must_use]
pub fn problems(subject: &Subject<'_>) -> Vec<Problem> {
    let mut walk = Walk { found: vec![] };
    if let (Some((top, shape)), Value::Object(members)) = (shapes::of(subject.kind()), &subject.node.value) {
        // Another key at the top is told by the reader.
        for member in members.iter().filter(|member| member.key == top) {
            walk.node(&member.node, &join_key("", top), shape);
        }
    }
    walk.found
}

struct Walk {
    found: Vec<Problem>,
}

impl Walk {
    fn tell(&mut self, kind: Kind, severity: Severity, spot: Spot, message: String, help: impl Into<String>) {
        self.found.push(Problem { kind, spot, severity, message, help: help.into(), fix: None });
    }

    /// What stands under a name.
    fn node(&mut self, node: &Node, path: &str, shape: &Shape) {
        let Value::Object(members) = &node.value else {
            // That the operator is missing is told by the reader.
            return self.value(node, path, shape);
        };
        for member in members {
            let own = join_key(path, &member.key);
            match member.key.as_str() {
                "@@assign" => self.value(&member.node, &own, shape),
                operator @ ("@@append" | "@@remove") => match shape {
                    Shape::One(_) => {
                        let message = format!("`{operator}` on a setting that has one value");
                        let help = "AWS takes it on lists only: write `@@assign`";
                        self.tell(Kind::Operator, Severity::Error, key_of(member, own), message, help);
                    }
                    Shape::Many(_) => self.value(&member.node, &own, shape),
                    // What they do to objects is not documented.
                    _ => {}
                },
                other if other.starts_with("@@") => {}
                _ => self.name(member, own, path, shape),
            }
        }
    }

    /// A name that is no operator.
    fn name(&mut self, member: &Member, own: String, path: &str, shape: &Shape) {
        match shape {
            Shape::Members(known) => {
                if let Some((_, inner)) = known.iter().find(|(name, _)| *name == member.key) {
                    return self.node(&member.node, &own, inner);
                }
                let help = match nearest(&member.key, known.iter().map(|(name, _)| *name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", list(known.iter().map(|(name, _)| *name))),
                };
                let message = format!("`{path}` has no `{}` that is known", member.key);
                self.tell(Kind::Name, Severity::Warning, key_of(member, own), message, help);
            }
            Shape::Named(keys, inner) => {
                self.word(&member.key, &key_of(member, own.clone()), keys, Kind::Name);
                self.node(&member.node, &own, inner);
            }
            Shape::One(_) | Shape::Many(_) => {
                let message = format!("`{path}` is a setting, and `{}` is no operator", member.key);
                let help = "the value stands under `@@assign`";
                self.tell(Kind::Value, Severity::Error, key_of(member, own), message, help);
            }
            Shape::Any => {}
        }
    }

    /// What stands under an operator.
    fn value(&mut self, node: &Node, path: &str, shape: &Shape) {
        let spot = || Spot { place: node.place, path: path.to_owned(), key: false };
        match (shape, &node.value) {
            (Shape::Any, _) | (_, Value::Null) => {}
            (Shape::Members(_) | Shape::Named(..), Value::Object(_)) => self.node(node, path, shape),
            (Shape::Members(_) | Shape::Named(..), other) => {
                let message = format!("here an object is expected, and stands {}", other.kind());
                self.tell(Kind::Value, Severity::Error, spot(), message, "write `{ … }`");
            }
            (Shape::One(_), Value::Array(_)) => {
                self.tell(
                    Kind::Value,
                    Severity::Error,
                    spot(),
                    "the setting has one value, and here stands a list".into(),
                    "write the value without `[ ]`",
                );
            }
            (Shape::Many(values), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.scalar(item, &join_index(path, index), values);
                }
            }
            (Shape::One(values), _) => self.scalar(node, path, values),
            (Shape::Many(values), _) => {
                let message = "the setting is a list, and here stands one value".to_owned();
                self.tell(Kind::Value, Severity::Warning, spot(), message, "put it in `[ ]`");
                self.scalar(node, path, values);
            }
        }
    }

    fn scalar(&mut self, node: &Node, path: &str, values: &Values) {
        let spot = Spot { place: node.place, path: path.to_owned(), key: false };
        let text = match &node.value {
            Value::String(text) => text.as_str(),
            Value::Number(text) if matches!(values, Values::Number(_)) => text.as_str(),
            Value::Bool(value) if matches!(values, Values::Bool) => {
                if *value {
                    "true"
                } else {
                    "false"
                }
            }
            other => {
                let message = format!("here {} is expected, and stands {}", values.noun(), other.kind());
                return self.tell(Kind::Value, Severity::Error, spot, message, values.help());
            }
        };
        self.word(text, &spot, values, Kind::Value);
    }

    /// A value, or a key that is one.
    fn word(&mut self, text: &str, spot: &Spot, values: &Values, kind: Kind) {
        let (severity, message, help) = match values {
            Values::Text => return,
            Values::Words(words) if !words.contains(&text) => {
                let message = format!("`{text}` is no value of this setting");
                let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text)) else {
                    return self.tell(kind, Severity::Error, spot.clone(), message, values.help());
                };
                let (help, what) = (format!("write `{word}`: case counts"), format!("`{text}` becomes `{word}`"));
                let fix = Some(Fix::string(what, spot.place, word));
                let (spot, severity) = (spot.clone(), Severity::Error);
                self.found.push(Problem { kind, spot, severity, message, help, fix });
                return;
            }
            Values::Number(least) if !text.parse::<i64>().is_ok_and(|number| number >= *least) => {
                let message = format!("`{text}` is no number of {least} or more");
                (Severity::Error, message, values.help())
            }
            Values::Bool if !matches!(text, "true" | "false") => {
                (Severity::Error, format!("`{text}` is neither `true` nor `false`"), values.help())
            }
            Values::Region if text != "ALL_SUPPORTED" && !REGIONS.contains(&text) => {
                let help = match nearest(text, REGIONS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "it may be newer than this version of bylaw".to_owned(),
                };
                (Severity::Warning, format!("`{text}` is no Region that is known"), help)
            }
            Values::AiService if !AI_SERVICES.contains(&text) => {
                let near = nearest(text, AI_SERVICES);
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "AWS lists the names in \"List of supported AI services\"".to_owned(),
                };
                // AWS adds services: only what looks like a slip of the pen is doubtful.
                let severity = if near.is_some() { Severity::Warning } else { Severity::Info };
                (severity, format!("`{text}` is no AI service that is known"), help)
            }
            Values::Schedule => match schedule::check(text) {
                Err(message) => (Severity::Error, message, values.help()),
                Ok(()) => return,
            },
            Values::Vault if !is_name(text, 2..=50, &['-', '_']) => {
                (Severity::Error, format!("`{text}` is no name of a backup vault"), values.help())
            }
            Values::Rule if !is_name(text, 1..=50, &['-', '_', '.']) => {
                (Severity::Error, format!("`{text}` is no name of a backup rule"), values.help())
            }
            Values::Role if !is_role(text) => (Severity::Error, format!("`{text}` is no ARN of a role"), values.help()),
            _ => return,
        };
        self.tell(kind, severity, spot.clone(), message, help);
    }
}

fn key_of(member: &Member, path: String) -> Spot {
    Spot { place: member.place, path, key: true }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Letters and digits of ASCII, and some more.
fn is_name(text: &str, length: std::ops::RangeInclusive<usize>, more: &[char]) -> bool {
    length.contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
}

/// An ARN whose account may be `$account`, which AWS replaces by the account of the effective policy.
fn is_role(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, role) = (next(), next(), next(), next(), next(), next());
    let id = account == "$account" || (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()));
    let name = role.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    arn == "arn" && partition.starts_with("aws") && service == "iam" && region.is_empty() && id && name
}
