//! Requests as programs write them, one JSON object each, and the desk that decides many of them by one organization.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::call::Answer;
use super::forest::{Forest, Standing};
use super::principal::Principal;
use super::question::{Own, Question};
use crate::names::{AccountId, PolicyType};
use crate::policy::Document;
use crate::policy::document::Content;
use crate::policy::eval::{Action, Compiled, Fact, Facts, Ladder};
use crate::policy::statement::{IDENTITY_POLICY, PERMISSIONS_BOUNDARY, RESOURCE_POLICY, SESSION_POLICY};

/// A request. What it does not tell is unknown.
///
/// ```json
/// {"id": "1", "principal": "arn:aws:iam::111122223333:role/app", "action": "s3:GetObject",
///  "resource": "arn:aws:s3:::data/a", "context": {"aws:RequestedRegion": "eu-west-1", "aws:SourceVpce": null}}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskedRequest {
    /// Given back with the answer.
    pub id: Option<String>,
    /// The account of who asks, by id or name; left out: the principal's. Where who asks is of no account of the organization, that
    /// of the resource.
    pub account: Option<String>,
    /// The action, such as `sagemaker:CreateEndpoint`.
    pub action: String,
    /// The resource's ARN, `*` for an action that has none; left out: any of each type that such a call is authorized on.
    pub resource: Option<String>,
    /// ARN of who asks, or what stands for one: an AWS service's name, `anonymous`; left out: anybody in the account.
    pub principal: Option<String>,
    /// Condition keys. What is not told is unknown, not absent.
    #[serde(default)]
    pub context: BTreeMap<String, ContextValue>,
    /// Policies of the identity; without any, only the organization is asked.
    #[serde(default)]
    pub identity_policies: Vec<AskedPolicy>,
    /// Its permissions boundary.
    pub boundary: Option<AskedPolicy>,
    /// Policies of its session.
    #[serde(default)]
    pub session_policies: Vec<AskedPolicy>,
    /// The policy of the resource.
    pub resource_policy: Option<AskedPolicy>,
}

/// A policy that a request brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a policy document as an object, or the name of a file that holds one")]
pub enum AskedPolicy {
    /// The document.
    Document(Map<String, Value>),
    /// A file that holds it.
    File(String),
}

/// What is told of a condition key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string, a list of strings, or null where the request lacks the key")]
pub enum ContextValue {
    /// Its value.
    One(String),
    /// Its values; none of them: the request lacks it.
    Several(Vec<String>),
    /// The request lacks it.
    Absent(()),
}

/// The policy of a document of that type.
///
/// # Errors
/// It is none; what is wrong.
pub(super) fn compiled(kind: &str, text: &str) -> Result<Compiled, String> {
    let (document, _) = Document::parse(&PolicyType::new(kind), text)
        .map_err(|flaws| flaws.iter().find(|flaw| flaw.error).map_or_else(String::new, ToString::to_string))?;
    match document.content() {
        Content::Statements(policy) => Ok(Compiled::new(policy)),
        Content::Management(_) => Err("it holds no statements".to_owned()),
    }
}

/// Reads the text of a file that a request names.
pub type ReadFile = fn(&str) -> Result<String, Unanswerable>;

fn no_file(name: &str) -> Result<String, Unanswerable> {
    let help = "write the policy document itself, as an object";
    Err(Unanswerable::new(format!("the file `{name}` is not read here"), help))
}

/// The policies that a request brings along, field by field with their type.
#[derive(Serialize)]
struct Brought<'a>([(&'static str, &'static str, &'a [AskedPolicy]); 4]);

impl<'a> Brought<'a> {
    fn of(asked: &'a AskedRequest) -> Self {
        Self([
            ("identityPolicies", IDENTITY_POLICY, &asked.identity_policies),
            ("boundary", PERMISSIONS_BOUNDARY, asked.boundary.as_slice()),
            ("sessionPolicies", SESSION_POLICY, &asked.session_policies),
            ("resourcePolicy", RESOURCE_POLICY, asked.resource_policy.as_slice()),
        ])
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|(.., policies)| policies.is_empty())
    }

    fn own(&self, read: ReadFile) -> Result<Own, Unanswerable> {
        let one = |field: &str, kind: &str, policy: &AskedPolicy| {
            let (text, shown) = match policy {
                AskedPolicy::Document(document) => {
                    let help = "write a policy document as an object";
                    let text = serde_json::to_string(document);
                    (text.map_err(|error| Unanswerable::new(error.to_string(), help))?, field)
                }
                AskedPolicy::File(name) => (read(name)?, name.as_str()),
            };
            compiled(kind, &text).map_err(|what| {
                let help = match policy {
                    AskedPolicy::File(name) => format!("`bylaw lint --type {kind} {name}` tells all that is wrong"),
                    AskedPolicy::Document(_) => {
                        format!("`bylaw lint --type {kind}` tells all that is wrong with a document")
                    }
                };
                Unanswerable::new(format!("`{shown}`: {what}"), help)
            })
        };
        let mut ladders = [const { None }; 4];
        for ((field, kind, policies), ladder) in self.0.iter().zip(&mut ladders) {
            let policies = policies.iter().map(|policy| one(field, kind, policy)).collect::<Result<Vec<_>, _>>()?;
            *ladder = (!policies.is_empty()).then(|| Ladder::new([policies.iter()]));
        }
        let [identity, boundary, session, resource] = ladders;
        Ok(Own { identity, boundary, session, resource })
    }
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswerable {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Unanswerable {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// An action that can be asked for, whether AWS's reference knows it or not.
///
/// # Errors
/// It has not the form of one.
pub fn action(text: &str) -> Result<Action, Unanswerable> {
    let sane = text.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_".contains(&b));
    Action::parse(text).filter(|_| sane).ok_or_else(|| {
        let help = "name one action, such as `s3:GetObject`; wildcards are for policies";
        Unanswerable::new(format!("`{text}` is not an action"), help)
    })
}

/// A resource by its ARN, or `*`.
///
/// # Errors
/// It is neither.
pub fn resource(text: &str) -> Result<&str, Unanswerable> {
    let is_arn = text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
    if text == "*" || is_arn {
        return Ok(text);
    }
    let help = "write it as policies name it, such as `arn:aws:s3:::bucket/key`, or `*` for an action that has none";
    Err(Unanswerable::new(format!("`{text}` is no ARN of a resource"), help))
}

/// The account whose way to the root is asked: of who asks, or of the resource where who asks is of no account of the organization.
///
/// # Errors
/// It is not told, or not of the organization.
pub fn asker(
    forest: &Forest,
    account: Option<&str>,
    principal: Option<&Principal>,
    resource: Option<&str>,
    told: &Facts,
) -> Result<AccountId, Unanswerable> {
    let known = |text: &str| {
        let help = "`bylaw tree` shows the accounts of the organization";
        forest.account(text).map_err(|why| Unanswerable::new(why, help))
    };
    let Some(principal) = principal else {
        let help = "say in which account with `--account`, or who with `--principal`";
        return known(account.ok_or_else(|| Unanswerable::new("nobody is named", help))?);
    };
    let member = principal.account().filter(|account| forest.account(account).is_ok());
    if let Some(own) = member {
        let named = account.map(known).transpose()?;
        if let Some(other) = named.filter(|named| named.as_str() != own) {
            let help = "policies bind by the account of who asks: leave `--account` out";
            return Err(Unanswerable::new(format!("`{}` is not in account `{other}`", principal.arn()), help));
        }
        return known(own);
    }
    let of_context = match told.of("aws:ResourceAccount") {
        Fact::Values([account]) => Some(&**account),
        _ => None,
    };
    let of_resource = resource.and_then(|arn| arn.split(':').nth(4)).filter(|account| account.len() == 12);
    let holder = account.or(of_context).or(of_resource).or(principal.place().filter(|_| principal.account().is_none()));
    let Some(holder) = holder else {
        let help = "say in whose account the resource is with `--account`, or by the resource's ARN";
        let message = format!("`{}` is of no account of the organization", principal.arn());
        return Err(Unanswerable::new(message, help));
    };
    known(holder)
}

/// Decides requests by one organization, whose policies are compiled once.
///
/// ```
/// use bylaw::aws::offline::{Offline, Options};
/// use bylaw::judge::requests::Desk;
/// use bylaw::judge::Forest;
/// use bylaw::names::{NodeId, PolicyType};
/// use bylaw::policy::eval::Decision;
/// use k8s_openapi::jiff::Timestamp;
///
/// // An organization in memory; `observed::snapshot::from_json` reads one that `bylaw snapshot` wrote.
/// let world = Offline::new(Options::default());
/// let deny = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]}"#;
/// let account = world.with(|state| {
///     state.set_policy_type(&PolicyType::scp(), true);
///     let root = state.root_node();
///     let account = state.add_account(&root, "dev", "dev@example.com");
///     let policy = state.add_policy(&PolicyType::scp(), "buckets", deny);
///     state.attach(&policy, &NodeId::Account(account.clone()));
///     account
/// });
/// let forest = Forest::of(&world.state().to_observed(Timestamp::now()), None);
///
/// let mut desk = Desk::new(&forest);
/// let line = format!(r#"{{"account": "{account}", "action": "s3:DeleteBucket"}}"#);
/// let asked = serde_json::from_str(&line)?;
/// let decision = desk.decide(&asked, |_, answer| answer.decision);
/// assert_eq!(decision, Ok(Decision::Denied));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug)]
pub struct Desk<'f> {
    forest: &'f Forest,
    standings: HashMap<AccountId, Standing>,
    /// The policies that requests brought along, by what they are: most requests bring those of others.
    brought: HashMap<String, Own>,
    none: Own,
    read: ReadFile,
}

/// Sets of policies that are kept for requests to come.
const MOST_BROUGHT: usize = 1_000;

impl AskedRequest {
    /// Looks for what is wrong with it whatever the organization is, before one is read.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn check(&self, read: ReadFile) -> Result<(), Unanswerable> {
        self.parts()?;
        Brought::of(self).own(read).map(drop)
    }

    fn parts(&self) -> Result<Parts<'_>, Unanswerable> {
        Ok(Parts {
            action: action(&self.action)?,
            principal: self.principal.as_deref().map(principal).transpose()?,
            resource: self.resource.as_deref().map(resource).transpose()?,
            told: facts(&self.context)?,
        })
    }
}

/// A request whose parts have the form of what they are.
struct Parts<'a> {
    action: Action,
    principal: Option<Principal>,
    resource: Option<&'a str>,
    told: Facts,
}

impl<'f> Desk<'f> {
    /// For an organization. Requests that name files are not answered.
    #[must_use]
    pub fn new(forest: &'f Forest) -> Self {
        Self::with_files(forest, no_file)
    }

    /// For an organization, where policies may be named by their files, each of which is read once.
    #[must_use]
    pub fn with_files(forest: &'f Forest, read: ReadFile) -> Self {
        Self { forest, standings: HashMap::new(), brought: HashMap::new(), none: Own::default(), read }
    }

    /// Decides a request, and hands the question and its answer to `look`.
    ///
    /// # Errors
    /// The request cannot be answered; why.
    pub fn decide<R>(
        &mut self,
        asked: &AskedRequest,
        look: impl FnOnce(&Question<'_>, &Answer<'_>) -> R,
    ) -> Result<R, Unanswerable> {
        let Parts { action, principal, resource, told } = asked.parts()?;
        let account = asker(self.forest, asked.account.as_deref(), principal.as_ref(), resource, &told)?;
        if !self.standings.contains_key(&account) {
            self.standings.extend(self.forest.standing(&account).map(|standing| (account.clone(), standing)));
        }
        let Some(standing) = self.standings.get(&account) else {
            let help = "`bylaw tree` shows the accounts of the organization";
            return Err(Unanswerable::new(format!("the organization has no account `{account}`"), help));
        };
        let brought = Brought::of(asked);
        let own = match serde_json::to_string(&brought) {
            Ok(key) if !brought.is_empty() => {
                if !self.brought.contains_key(&key) {
                    if self.brought.len() >= MOST_BROUGHT {
                        self.brought.clear();
                    }
                    self.brought.insert(key.clone(), brought.own(self.read)?);
                }
                self.brought.get(&key).unwrap_or(&self.none)
            }
            _ => &self.none,
        };
        let question = Question {
            account: &standing.account,
            action: &action,
            resource,
            principal: principal.as_ref(),
            told: &told,
            own,
        };
        Ok(look(&question, &question.ask_call(self.forest, standing)))
    }
}

/// A principal by its ARN, or by what stands for one.
///
/// # Errors
/// It is none.
pub fn principal(text: &str) -> Result<Principal, Unanswerable> {
    Principal::parse(text).map_err(|why| {
        let (message, help) = why.split_once("; ").unwrap_or((&why, "name who asks by an ARN"));
        Unanswerable::new(message, help)
    })
}

/// What is told of condition keys.
///
/// # Errors
/// One is no condition key, or is told twice.
pub fn facts(context: &BTreeMap<String, ContextValue>) -> Result<Facts, Unanswerable> {
    let mut facts = Facts::unknown();
    let mut seen: Vec<String> = vec![];
    for (key, value) in context {
        if key.split_once(':').is_none_or(|(service, name)| service.is_empty() || name.is_empty()) {
            let help = "write it as policies do, such as `aws:RequestedRegion`";
            return Err(Unanswerable::new(format!("`{key}` is no condition key"), help));
        }
        let lower = key.to_ascii_lowercase();
        if seen.contains(&lower) {
            let help = "case does not count in their names: tell each key once, several values as a list";
            return Err(Unanswerable::new(format!("`{key}` is told twice"), help));
        }
        seen.push(lower);
        match value {
            ContextValue::One(value) => facts.set_one(key, value.as_str()),
            ContextValue::Several(values) => facts.set(key, values.iter().map(String::as_str)),
            ContextValue::Absent(()) => facts.set_absent(key),
        }
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::offline::{Offline, Options};
    use crate::policy::eval::Decision;
    use k8s_openapi::jiff::Timestamp;

    fn forest() -> (Forest, AccountId) {
        let world = Offline::new(Options::default());
        let account = world.with(|state| {
            state.set_policy_type(&PolicyType::scp(), true);
            state.add_account(&state.root_node(), "dev", "dev@example.com")
        });
        (Forest::of(&world.state().to_observed(Timestamp::UNIX_EPOCH), None), account)
    }

    #[test]
    fn a_request_that_cannot_be_answered_says_what_to_do() {
        let (forest, account) = forest();
        let mut desk = Desk::new(&forest);
        let mut wrong = |text: &str| {
            let asked: AskedRequest = serde_json::from_str(&text.replace("ID", account.as_str())).unwrap();
            let wrong = desk.decide(&asked, |_, answer| answer.decision).unwrap_err();
            assert!(!wrong.help.is_empty(), "{wrong:?}");
            wrong.message
        };
        assert_eq!(wrong(r#"{"account": "ID", "action": "s3:Get*"}"#), "`s3:Get*` is not an action");
        assert_eq!(wrong(r#"{"action": "s3:GetObject"}"#), "nobody is named");
        assert_eq!(
            wrong(r#"{"account": "ID", "action": "s3:GetObject", "resource": "b"}"#),
            "`b` is no ARN of a resource"
        );
        assert_eq!(
            wrong(r#"{"account": "ID", "action": "s3:GetObject", "context": {"a": "b"}}"#),
            "`a` is no condition key"
        );
        let twice = r#"{"account": "ID", "action": "s3:GetObject", "context": {"aws:A": "b", "AWS:a": null}}"#;
        assert!(wrong(twice).ends_with("is told twice"));
        let outsider = r#"{"principal": "arn:aws:iam::999900001111:role/x", "action": "s3:GetObject"}"#;
        assert!(wrong(outsider).contains("of no account of the organization"));
        assert!(wrong(r#"{"principal": "ana", "action": "s3:GetObject"}"#).contains("`ana` is no principal"));
    }

    #[test]
    fn a_desk_decides_as_a_question_does() {
        let (forest, account) = forest();
        let asked = AskedRequest {
            account: Some(account.to_string()),
            action: "s3:GetObject".to_owned(),
            ..AskedRequest::default()
        };
        let mut desk = Desk::new(&forest);
        for _ in 0..2 {
            assert_eq!(desk.decide(&asked, |_, answer| answer.decision), Ok(Decision::Allowed));
        }
    }

    #[test]
    fn a_request_brings_policies_along_and_what_is_none_of_them_is_said() {
        let (forest, account) = forest();
        let mut desk = Desk::with_files(&forest, |name| {
            let deny =
                r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}"#;
            let help = "name another";
            if name == "deny.json" { Ok(deny.to_owned()) } else { Err(Unanswerable::new("it is not there", help)) }
        });
        let mut decide = |rest: &str| {
            let text = format!(
                r#"{{"principal": "arn:aws:iam::{account}:role/app", "action": "s3:GetObject", "resource": "arn:aws:s3:::b/k", {rest}}}"#
            );
            desk.decide(&serde_json::from_str(&text).unwrap(), |_, answer| answer.decision)
        };
        let allow = |action: &str| {
            format!(
                r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "{action}", "Resource": "*"}}}}"#
            )
        };
        let (get, put) = (allow("s3:GetObject"), allow("s3:PutObject"));
        for _ in 0..2 {
            assert_eq!(decide(&format!(r#""identityPolicies": [{put}, {get}]"#)), Ok(Decision::Allowed));
            assert_eq!(decide(&format!(r#""identityPolicies": [{put}]"#)), Ok(Decision::Denied));
            assert_eq!(decide(&format!(r#""identityPolicies": [{get}], "boundary": {put}"#)), Ok(Decision::Denied));
            assert_eq!(
                decide(&format!(r#""identityPolicies": [{get}], "sessionPolicies": [{put}]"#)),
                Ok(Decision::Denied)
            );
            assert_eq!(decide(&format!(r#""identityPolicies": [{get}, "deny.json"]"#)), Ok(Decision::Denied));
        }
        let of_resource = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}"#;
        assert_eq!(
            decide(&format!(r#""identityPolicies": [{get}], "resourcePolicy": {of_resource}"#)),
            Ok(Decision::Denied)
        );
        assert_eq!(decide(r#""boundary": "nowhere.json""#).unwrap_err().message, "it is not there");
        let wrong = decide(r#""boundary": {"Statement": []}"#).unwrap_err();
        assert!(wrong.message.starts_with("`boundary`: "), "{wrong:?}");
        let mut closed = Desk::new(&forest);
        let text = format!(r#"{{"account": "{account}", "action": "s3:GetObject", "boundary": "deny.json"}}"#);
        let refused = closed.decide(&serde_json::from_str(&text).unwrap(), |_, answer| answer.decision).unwrap_err();
        assert!(refused.message.contains("deny.json"), "{refused:?}");
    }
}
