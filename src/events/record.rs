//! One message: an EventBridge envelope around a CloudTrail record, as what it means for one organization.
//!
//! Forms: aws-facts section 7 ("Events"); CloudTrail user guide, "CloudTrail record contents" and "CloudTrail userIdentity
//! element". Every field but the ones that name the event is taken leniently: AWS adds fields, leaves some out, and
//! redacts others.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::words::unseen;
use crate::names::{AccountId, NodeId, PolicyId};

/// The source of the envelopes that count.
const SOURCE: &str = "aws.organizations";
/// Their detail types: calls, and what AWS did by itself.
const KINDS: [&str; 2] = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"];
/// The service whose calls count.
const SERVICE: &str = "organizations.amazonaws.com";
/// By this word in the user agent bylaw's own calls are known (`AppName` of the SDK).
const OWN_AGENT: &str = "app/bylaw";
/// Most ids and words taken from one record: a call names a few.
const MOST_NAMED: usize = 200;
/// Most characters of a principal.
const LONGEST: usize = 256;

/// One change in AWS: where to look, and who was at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// CloudTrail's `eventID`, by which a message that comes twice is known.
    pub id: Box<str>,
    /// When AWS took the call.
    pub at: Timestamp,
    /// The principal: its ARN, with the service that it went through and the source identity where there are any.
    pub by: String,
    /// The operation, as AWS spells it (`DetachPolicy`, `CreateAccountResult`).
    pub call: Box<str>,
    /// Policies that it names.
    pub policies: BTreeSet<PolicyId>,
    /// Roots, OUs and accounts that it names.
    pub nodes: BTreeSet<NodeId>,
    /// Tag keys, policy types and service principals that it names.
    pub words: BTreeSet<Box<str>>,
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Somebody changed something, or AWS did.
    Hint(Hint),
    /// A call of the listener itself.
    Own,
    /// A call that AWS refused: nothing was changed.
    Failed,
    /// Of an account that is not in this organization.
    Foreign,
    /// An event of something else, or of a call that only reads.
    Other,
    /// Not an event at all; why, without a word of it.
    Garbage(&'static str),
}

/// Who listens.
pub struct Listener<'a> {
    /// ARN of the principal that it calls AWS with, as `GetCallerIdentity` tells it.
    pub caller: Option<&'a str>,
    /// Whether an account belongs to its organization, the management account included.
    pub is_member: &'a dyn Fn(&AccountId) -> bool,
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    kind: String,
    #[serde(default)]
    account: Value,
    #[serde(default)]
    detail: Value,
}

/// Reads one message.
#[must_use]
pub fn read(message: &[u8], listener: &Listener<'_>) -> Reading {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(message) else {
        return Reading::Garbage("it is no EventBridge event (a JSON object with `source` and `detail-type`)");
    };
    if envelope.source != SOURCE || !KINDS.contains(&&*envelope.kind) {
        return Reading::Other;
    }
    let record = &envelope.detail;
    if text(record, "eventSource") != Some(SERVICE) {
        return Reading::Other;
    }
    // A record keeps the account of the caller, also when its event is forwarded to the bus of another account.
    let Some(account) = envelope.account.as_str().and_then(|account| account.parse::<AccountId>().ok()) else {
        return Reading::Garbage("its `account` is no account id");
    };
    let (Some(id), Some(call)) = (text(record, "eventID"), text(record, "eventName")) else {
        return Reading::Garbage("its CloudTrail record has no `eventID` or no `eventName`");
    };
    let Some(at) = text(record, "eventTime").and_then(|time| time.parse().ok()) else {
        return Reading::Garbage("the `eventTime` of its CloudTrail record is no time");
    };
    if !(listener.is_member)(&account) {
        return Reading::Foreign;
    }
    if !is_nothing(record.get("errorCode")) || !is_nothing(record.get("errorMessage")) {
        return Reading::Failed;
    }
    if only_reads(record, call) {
        return Reading::Other;
    }
    if listener.caller.is_some_and(|caller| is_own(record, caller)) {
        return Reading::Own;
    }
    let mut hint = Hint {
        id: clean(id).into(),
        at,
        by: principal(record),
        call: clean(call).into(),
        policies: BTreeSet::new(),
        nodes: BTreeSet::new(),
        words: BTreeSet::new(),
    };
    for part in ["requestParameters", "responseElements", "serviceEventDetails"] {
        if let Some(value) = record.get(part) {
            hint.gather("", value);
        }
    }
    Reading::Hint(hint)
}

impl Hint {
    /// Whether it took a guard off, which is not to wait.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        &*self.call == "DetachPolicy"
    }

    /// Takes in what stands under the keys by which Organizations names things, however deep. Policy documents are text
    /// here and stay unread.
    fn gather(&mut self, key: &str, value: &Value) {
        if self.policies.len() + self.nodes.len() + self.words.len() >= MOST_NAMED {
            return;
        }
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.gather(key, value)),
            Value::Array(list) => list.iter().for_each(|value| self.gather(key, value)),
            Value::String(text) => self.place(key, text),
            _ => {}
        }
    }

    fn place(&mut self, key: &str, text: &str) {
        match key {
            "policyId"
            | "targetId"
            | "resourceId"
            | "accountId"
            | "parentId"
            | "sourceParentId"
            | "destinationParentId"
            | "organizationalUnitId"
            | "rootId"
            | "childId"
            | "id" => {
                if let Ok(policy) = text.parse::<PolicyId>() {
                    self.policies.insert(policy);
                } else if let Ok(node) = text.parse::<NodeId>() {
                    self.nodes.insert(node);
                }
            }
            "key" | "tagKeys" | "policyType" | "servicePrincipal" => {
                self.words.insert(clean(text).into());
            }
            _ => {}
        }
    }
}

fn text<'a>(record: &'a Value, field: &str) -> Option<&'a str> {
    record.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// Ordinary rules do not deliver calls that only read; a rule can be told to.
fn only_reads(record: &Value, call: &str) -> bool {
    match record.get("readOnly") {
        Some(Value::Bool(only)) => *only,
        Some(Value::String(only)) => only == "true",
        _ => ["List", "Describe", "Get"].iter().any(|verb| call.starts_with(verb)),
    }
}

/// Whether bylaw itself made the call: the same user or role, and the name that bylaw gives its SDK. The role alone would
/// not tell (people assume it too), nor the session (some credentials get a new one every hour).
fn is_own(record: &Value, caller: &str) -> bool {
    let arn = record.get("userIdentity").and_then(|identity| text(identity, "arn"));
    let agent = text(record, "userAgent").unwrap_or_default();
    arn.is_some_and(|arn| without_session(arn) == without_session(caller))
        && agent.split([' ', '[', ']']).any(|word| word == OWN_AGENT)
}

/// `arn:aws:sts::111122223333:assumed-role/name/session` without the session.
fn without_session(arn: &str) -> &str {
    match arn.rsplit_once('/') {
        Some((role, _)) if role.contains(":assumed-role/") => role,
        _ => arn,
    }
}

/// Who made the call, for people.
fn principal(record: &Value) -> String {
    let identity = record.get("userIdentity").unwrap_or(&Value::Null);
    let of = |field: &str| text(identity, field);
    let person = identity.get("onBehalfOf").and_then(|person| text(person, "userId"));
    let service = of("invokedBy");
    let mut by = match (of("arn"), person, service) {
        (Some(arn), ..) => clean(arn),
        (None, Some(person), _) => format!("Identity Center user {}", clean(person)),
        (None, None, Some(service)) => return clean(service),
        (None, None, None) => match of("principalId").or_else(|| of("accountId")) {
            Some(id) => clean(id),
            None => "somebody whom the event does not name".into(),
        },
    };
    let session = identity.get("sessionContext").and_then(|session| text(session, "sourceIdentity"));
    if let Some(source) = session {
        by.push_str(&format!(" (source identity {})", clean(source)));
    }
    if let Some(service) = service {
        by.push_str(&format!(" through {}", clean(service)));
    }
    by
}

/// Text of others on one line, every character of it seen, and not too long.
fn clean(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if unseen(c) { '\u{fffd}' } else { c }).collect::<String>().replace('`', "'")
}

#[cfg(test)]
mod tests;
