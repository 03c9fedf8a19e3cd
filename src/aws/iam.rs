//! What bylaw's own roles may do, from one table of its operations: IAM policies and the organization's delegation policy.
//!
//! Pure. Sources: aws-facts section 1, column "who"; AWS Organizations user guide, "Update a resource-based delegation
//! policy" (the actions that can be delegated) and "Protecting member accounts from closure" (`aws:ResourceTag`);
//! `CreateAccount` and `CreateOrganizationalUnit` ("if the request includes tags, then the requester must have the
//! `organizations:TagResource` permission"). `iam:CreateServiceLinkedRole` is needed by none of them: in today's API model
//! only `CreateOrganization` and `AcceptHandshake` answer `AccessDeniedForDependencyException`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::organization::Partition;
use crate::names::{AccountId, PolicyType, TAG_DELETION};

/// The credentials that carry out an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Any credentials; AWS asks for no permission.
    Anyone,
    /// The management account alone (`access.managementRoleArn`).
    Management,
    /// The management account, or an account that the delegation policy names (`access.policyRoleArn`).
    Policy,
}

struct Permission {
    operation: &'static str,
    who: Who,
    /// Statement of the document that it stands in.
    sid: &'static str,
}

const fn permission(operation: &'static str, who: Who, sid: &'static str) -> Permission {
    Permission { operation, who, sid }
}

const READ: &str = "Read";
const POLICIES: &str = "Policies";
const TAGS: &str = "Tags";
const TREE: &str = "Tree";
const CLOSE: &str = "CloseWhereOptedIn";
const SERVICES: &str = "Services";
const DELEGATION: &str = "Delegation";
const CONTACTS: &str = "Contacts";

/// Every operation of [`Request`](super::Request), once.
const PERMISSIONS: &[Permission] = &[
    permission("GetCallerIdentity", Who::Anyone, READ),
    permission("DescribeOrganization", Who::Policy, READ),
    permission("ListRoots", Who::Policy, READ),
    permission("ListAccounts", Who::Policy, READ),
    permission("ListOrganizationalUnitsForParent", Who::Policy, READ),
    permission("ListAccountsForParent", Who::Policy, READ),
    permission("ListParents", Who::Policy, READ),
    permission("DescribeAccount", Who::Policy, READ),
    permission("ListPolicies", Who::Policy, READ),
    permission("DescribePolicy", Who::Policy, READ),
    permission("ListPoliciesForTarget", Who::Policy, READ),
    permission("ListTargetsForPolicy", Who::Policy, READ),
    permission("ListTagsForResource", Who::Policy, READ),
    permission("ListCreateAccountStatus", Who::Policy, READ),
    permission("DescribeCreateAccountStatus", Who::Policy, READ),
    permission("ListAWSServiceAccessForOrganization", Who::Policy, READ),
    permission("ListDelegatedAdministrators", Who::Policy, READ),
    permission("ListDelegatedServicesForAccount", Who::Policy, READ),
    permission("DescribeResourcePolicy", Who::Policy, READ),
    permission("EnablePolicyType", Who::Policy, POLICIES),
    permission("CreatePolicy", Who::Policy, POLICIES),
    permission("UpdatePolicy", Who::Policy, POLICIES),
    permission("DeletePolicy", Who::Policy, POLICIES),
    permission("AttachPolicy", Who::Policy, POLICIES),
    permission("DetachPolicy", Who::Policy, POLICIES),
    permission("TagResource", Who::Policy, TAGS),
    permission("UntagResource", Who::Policy, TAGS),
    permission("CreateOrganizationalUnit", Who::Management, TREE),
    permission("UpdateOrganizationalUnit", Who::Management, TREE),
    permission("DeleteOrganizationalUnit", Who::Management, TREE),
    permission("CreateAccount", Who::Management, TREE),
    permission("MoveAccount", Who::Management, TREE),
    permission("CloseAccount", Who::Management, CLOSE),
    permission("EnableAWSServiceAccess", Who::Management, SERVICES),
    permission("RegisterDelegatedAdministrator", Who::Management, SERVICES),
    permission("PutResourcePolicy", Who::Management, DELEGATION),
    permission("GetAlternateContact", Who::Management, CONTACTS),
    permission("PutAlternateContact", Who::Management, CONTACTS),
    permission("PutAccountName", Who::Management, CONTACTS),
];

/// The IAM action that allows an operation: `AttachPolicy` is `organizations:AttachPolicy`.
#[must_use]
pub fn action(operation: &str) -> String {
    let service = match operation {
        "GetAlternateContact" | "PutAlternateContact" | "PutAccountName" => "account",
        "ReceiveMessage" | "DeleteMessage" => "sqs",
        "GetCallerIdentity" | "AssumeRole" | "AssumeRoleWithWebIdentity" => "sts",
        _ => "organizations",
    };
    format!("{service}:{operation}")
}

/// Who carries out the operation; `None` where bylaw has no such operation.
#[must_use]
pub fn who(operation: &str) -> Option<Who> {
    PERMISSIONS.iter().find(|permission| permission.operation == operation).map(|permission| permission.who)
}

/// What the documents are narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrow {
    /// Partition of the ARNs.
    pub partition: Partition,
    /// Nothing that writes: for `plan`, and for `mode: Observe`.
    pub read_only: bool,
    /// Only policies of these types; empty: of every type.
    pub policy_types: Vec<PolicyType>,
    /// Only these service principals; empty: every one.
    pub services: Vec<String>,
    /// ARN of the queue of `events.queueUrl`; none: no queue is read.
    pub queue: Option<String>,
}

/// An IAM policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

/// One statement; all of them allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    principal: BTreeMap<&'static str, String>,
    action: Vec<String>,
    resource: String,
    /// Operator, key, values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
}

impl Policy {
    /// The actions that it allows, in the order of its statements.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.statement.iter().flat_map(|statement| statement.action.iter().map(String::as_str))
    }

    /// Indented JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and lists of strings: nothing that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The policy of the role in the management account. One role for everything carries this one and [`policy_role`]'s.
#[must_use]
pub fn management_role(narrow: &Narrow) -> Policy {
    let mut statement = statements(Who::Management, narrow, &BTreeMap::new());
    if !narrow.read_only {
        // OUs and accounts are created with their tags.
        statement.push(Statement {
            sid: "TagsOfWhatIsCreated",
            effect: "Allow",
            principal: BTreeMap::new(),
            action: vec![action("TagResource")],
            resource: "*".into(),
            condition: BTreeMap::new(),
        });
    }
    // Also for one that writes nothing: what was read from a queue has to be taken off it.
    statement.extend(narrow.queue.as_ref().map(|queue| Statement {
        sid: "Events",
        effect: "Allow",
        principal: BTreeMap::new(),
        action: ["ReceiveMessage", "DeleteMessage"].map(action).into(),
        resource: queue.clone(),
        condition: BTreeMap::new(),
    }));
    Policy { version: VERSION, statement }
}

/// The policy of the role that reads, and writes policies, attachments and tags.
#[must_use]
pub fn policy_role(narrow: &Narrow) -> Policy {
    Policy { version: VERSION, statement: statements(Who::Policy, narrow, &BTreeMap::new()) }
}

/// The delegation policy (`delegationPolicy` of the `Organization`, `PutResourcePolicy` of AWS) by which the policy role
/// of a member account works. AWS takes it from the management account alone, and one for the whole organization: its
/// statements go beside those that are there.
#[must_use]
pub fn delegation(narrow: &Narrow, account: &AccountId) -> Policy {
    // The account as a whole, as in AWS's own examples; which of its roles may act is for the account's IAM to say.
    let root = format!("arn:{}:iam::{account}:root", narrow.partition.as_str());
    Policy { version: VERSION, statement: statements(Who::Policy, narrow, &BTreeMap::from([("AWS", root)])) }
}

const VERSION: &str = "2012-10-17";

fn statements(who: Who, narrow: &Narrow, principal: &BTreeMap<&'static str, String>) -> Vec<Statement> {
    let mut made: Vec<Statement> = vec![];
    for permission in PERMISSIONS.iter().filter(|permission| permission.who == who) {
        if narrow.read_only && super::port::is_write(permission.operation) {
            continue;
        }
        match made.iter_mut().find(|statement| statement.sid == permission.sid) {
            Some(statement) => statement.action.push(action(permission.operation)),
            None => made.push(Statement {
                sid: permission.sid,
                effect: "Allow",
                principal: principal.clone(),
                action: vec![action(permission.operation)],
                resource: "*".into(),
                condition: condition(permission.sid, narrow),
            }),
        }
    }
    made
}

/// The condition of a statement. `IfExists`, as in AWS's examples, where not every action of it carries the key.
fn condition(sid: &str, narrow: &Narrow) -> BTreeMap<&'static str, BTreeMap<String, Vec<String>>> {
    let (operator, key, values) = match sid {
        POLICIES => (
            "StringLikeIfExists",
            "organizations:PolicyType".to_owned(),
            narrow.policy_types.iter().map(|kind| kind.as_str().to_owned()).collect(),
        ),
        SERVICES => ("StringEquals", "organizations:ServicePrincipal".to_owned(), narrow.services.clone()),
        // No account is closed whose object did not opt in to it, whatever bylaw may think.
        CLOSE => ("StringEquals", format!("aws:ResourceTag/{TAG_DELETION}"), vec!["Close".to_owned()]),
        _ => return BTreeMap::new(),
    };
    if values.is_empty() {
        return BTreeMap::new();
    }
    BTreeMap::from([(operator, BTreeMap::from([(key, values)]))])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The operations as the port spells them, read from its source: a new one without a permission fails here.
    fn operations() -> BTreeSet<&'static str> {
        let port = include_str!("port.rs");
        let table = port.split("pub fn operation").nth(1).unwrap().split("\n    }\n").next().unwrap();
        table.lines().filter_map(|line| line.split_once("=> \"")?.1.split('"').next()).collect()
    }

    #[test]
    fn every_operation_is_in_exactly_one_document() {
        let (management, policy) = (management_role(&Narrow::default()), policy_role(&Narrow::default()));
        let operations = operations();
        assert!(operations.len() > 38 && operations.contains("PutAlternateContact"), "{operations:?}");
        for operation in &operations {
            let action = action(operation);
            let times = |policy: &Policy| {
                let own = policy.statement.iter().filter(|statement| statement.sid != "TagsOfWhatIsCreated");
                own.flat_map(|statement| &statement.action).filter(|named| **named == action).count()
            };
            let expected = usize::from(who(operation).unwrap() != Who::Anyone);
            assert_eq!(times(&management) + times(&policy), expected, "{operation}");
        }
        let known: BTreeSet<&str> = PERMISSIONS.iter().map(|permission| permission.operation).collect();
        assert_eq!(known, operations);
        assert_eq!(PERMISSIONS.len(), operations.len());
    }

    #[test]
    fn prefixes() {
        for name in ["account:GetAlternateContact", "account:PutAlternateContact", "account:PutAccountName"] {
            assert!(management_role(&Narrow::default()).actions().any(|action| action == name), "{name}");
        }
        assert!(policy_role(&Narrow::default()).actions().all(|action| action.starts_with("organizations:")));
        assert_eq!(action("GetCallerIdentity"), "sts:GetCallerIdentity");
    }

    /// AWS user guide, "Update a resource-based delegation policy", "Supported delegation policy actions".
    const DELEGABLE: &str = "AttachPolicy CreatePolicy DeletePolicy DescribeAccount DescribeCreateAccountStatus \
        DescribeEffectivePolicy DescribeHandshake DescribeOrganization DescribeOrganizationalUnit DescribePolicy \
        DescribeResourcePolicy DetachPolicy DisablePolicyType EnablePolicyType ListAccounts ListAccountsForParent \
        ListAWSServiceAccessForOrganization ListChildren ListCreateAccountStatus ListDelegatedAdministrators \
        ListDelegatedServicesForAccount ListHandshakesForAccount ListHandshakesForOrganization \
        ListOrganizationalUnitsForParent ListParents ListPolicies ListPoliciesForTarget ListRoots ListTagsForResource \
        ListTargetsForPolicy TagResource UntagResource UpdatePolicy";

    #[test]
    fn only_what_aws_lets_be_delegated_is_delegated() {
        let account = "012345678901".parse().unwrap();
        let delegable: BTreeSet<String> = DELEGABLE.split_whitespace().map(action).collect();
        let policy = delegation(&Narrow::default(), &account);
        for action in policy.actions() {
            assert!(delegable.contains(action), "{action}");
        }
        assert!(policy.actions().eq(policy_role(&Narrow::default()).actions()));
        let json = policy.to_json();
        assert!(json.contains(r#""AWS": "arn:aws:iam::012345678901:root""#), "{json}");
        // Refused by AWS since 2026-06-30.
        assert!(!json.contains("NotAction") && !json.contains("NotResource"));
        assert!(json.len() < 40_000);
    }

    #[test]
    fn read_only_writes_nothing() {
        let narrow = Narrow { read_only: true, ..Narrow::default() };
        let actions = |policy: &Policy| policy.actions().map(str::to_owned).collect::<Vec<_>>();
        for action in actions(&management_role(&narrow)).iter().chain(&actions(&policy_role(&narrow))) {
            let (_, operation) = action.split_once(':').unwrap();
            assert!(["List", "Describe", "Get"].iter().any(|read| operation.starts_with(read)), "{action}");
        }
        assert_eq!(actions(&management_role(&narrow)), ["account:GetAlternateContact"]);
        assert_eq!(policy_role(&narrow).statement.len(), 1);
    }

    #[test]
    fn the_queue_is_read_by_the_management_role_and_no_other_queue_is() {
        let queue = "arn:aws:sqs:us-east-1:012345678901:bylaw-events";
        for read_only in [true, false] {
            let narrow = Narrow { queue: Some(queue.into()), read_only, ..Narrow::default() };
            let json: serde_json::Value = serde_json::from_str(&management_role(&narrow).to_json()).unwrap();
            let statement = json["Statement"].as_array().unwrap().iter().find(|s| s["Sid"] == "Events").unwrap();
            assert_eq!(statement["Resource"], queue);
            assert_eq!(statement["Action"], serde_json::json!(["sqs:ReceiveMessage", "sqs:DeleteMessage"]));
        }
        assert!(!management_role(&Narrow::default()).actions().any(|action| action.starts_with("sqs:")));
    }

    #[test]
    fn conditions_narrow_what_can_be_hurt() {
        let narrow = Narrow {
            policy_types: vec![PolicyType::scp()],
            services: vec!["ram.amazonaws.com".into()],
            ..Narrow::default()
        };
        let json = |policy: Policy| serde_json::from_str::<serde_json::Value>(&policy.to_json()).unwrap();
        let of = |value: &serde_json::Value, sid: &str| {
            value["Statement"].as_array().unwrap().iter().find(|s| s["Sid"] == sid).unwrap()["Condition"].clone()
        };
        let management = json(management_role(&narrow));
        assert_eq!(
            of(&management, CLOSE),
            serde_json::json!({"StringEquals": {"aws:ResourceTag/bylaw.dev/deletion-policy": ["Close"]}})
        );
        assert_eq!(
            of(&management, SERVICES),
            serde_json::json!({"StringEquals": {"organizations:ServicePrincipal": ["ram.amazonaws.com"]}})
        );
        assert_eq!(
            of(&json(policy_role(&narrow)), POLICIES),
            serde_json::json!({"StringLikeIfExists": {"organizations:PolicyType": ["SERVICE_CONTROL_POLICY"]}})
        );
        // An account is closed only where it opted in, also where nothing else is narrowed.
        assert_eq!(of(&json(management_role(&Narrow::default())), CLOSE), of(&management, CLOSE));
        assert_eq!(of(&json(policy_role(&Narrow::default())), POLICIES), serde_json::Value::Null);
    }

    #[test]
    fn sids_have_only_letters_and_digits_and_an_inline_policy_is_small_enough() {
        for policy in [management_role(&Narrow::default()), policy_role(&Narrow::default())] {
            let mut sids = BTreeSet::new();
            for statement in &policy.statement {
                assert!(statement.sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{}", statement.sid);
                assert!(sids.insert(statement.sid), "{} twice", statement.sid);
            }
            // A managed policy takes 6,144 characters without white space (IAM quotas).
            assert!(serde_json::to_string(&policy).unwrap().len() < 6_144);
        }
    }
}
