//! Synthetic organizations of any size: what is declared, and AWS as it is when all of it holds.
//!
//! The same shape everywhere: OU names repeat under different parents (AWS asks uniqueness below one parent only),
//! attachments keep to AWS's slots, seven of ten policies are service control policies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bylaw::api::Mode;
use bylaw::api::common::{AdoptionPolicy, Attachments, DeletionPolicy};
use bylaw::api::organization::{Limits, MaxAffected, Partition};
use bylaw::aws::dice::Dice;
use bylaw::aws::offline::{self, Offline};
use bylaw::aws::port::AccountState;
use bylaw::desired::{Declared, Desired, NodeKey, Origin, model};
use bylaw::names::{
    AccountId, Kind, NodeId, ObjectKey, PolicyId, PolicyType, TAG_MANAGED_BY, TAG_RESOURCE, Tags, UnitId,
};
use bylaw::policy::Document;
use serde_json::{Value, json};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// OUs.
    pub units: usize,
    /// Member accounts.
    pub accounts: usize,
    /// Policies.
    pub policies: usize,
    /// Attachments.
    pub attachments: usize,
}

/// The organization of the comparison with Terraform.
pub const MEDIUM: Size = Size { units: 100, accounts: 500, policies: 50, attachments: 120 };
/// As large as AWS lets an organization grow: 50,000 accounts, the management account among them.
pub const LARGE: Size = Size { units: 2_000, accounts: 49_999, policies: 1_000, attachments: 2_400 };

/// The management account.
pub const MANAGEMENT: &str = "111111111111";

const MAX_DEPTH: usize = 4;
const OU_NAMES: [&str; 12] = [
    "Data Science",
    "Staging",
    "Production",
    "Sandbox",
    "Research",
    "Platform",
    "Security",
    "Workloads",
    "Batch",
    "Realtime",
    "Regulated",
    "Shared",
];
const TEAMS: [&str; 8] = ["vision", "speech", "ranking", "fraud", "search", "ads", "maps", "core"];
const STAGES: [&str; 3] = ["data-science", "staging", "production"];
const INSTANCES: [&str; 5] =
    ["ml.p4d.24xlarge", "ml.p5.48xlarge", "ml.g5.48xlarge", "ml.trn1.32xlarge", "ml.p3.16xlarge"];
const ACTIONS: [&str; 9] = [
    "CreateNotebookInstance",
    "CreateEndpointConfig",
    "CreateTrainingJob",
    "CreateProcessingJob",
    "CreateTransformJob",
    "CreateHyperParameterTuningJob",
    "CreateDomain",
    "CreateUserProfile",
    "CreateModel",
];
/// Policy types and the attachments that are ours to give: service control policies have a tenth, `FullAWSAccess`.
const SLOTS: [(&str, usize); 3] = [("SERVICE_CONTROL_POLICY", 9), ("TAG_POLICY", 10), ("RESOURCE_CONTROL_POLICY", 4)];

fn pick<'a>(dice: &mut Dice, items: &[&'a str]) -> &'a str {
    items[dice.below(items.len())]
}

fn sample(dice: &mut Dice, items: &[&str], count: usize) -> Vec<String> {
    let mut chosen = BTreeSet::new();
    while chosen.len() < count {
        chosen.insert(pick(dice, items).to_owned());
    }
    chosen.into_iter().collect()
}

fn actions(dice: &mut Dice, of: &[&str], count: usize) -> Vec<String> {
    sample(dice, of, count).into_iter().map(|action| format!("sagemaker:{action}")).collect()
}

fn content(dice: &mut Dice, kind: &str, n: usize) -> Value {
    match kind {
        "SERVICE_CONTROL_POLICY" => {
            let mut statements = vec![
                json!({"Sid": format!("DenyBigInstances{n}"), "Effect": "Deny", "Action": actions(dice, &ACTIONS[..6], 3),
                       "Resource": "*", "Condition": {"ForAnyValue:StringLike":
                           {"sagemaker:InstanceTypes": sample(dice, &INSTANCES, 3)}}}),
                json!({"Sid": format!("DenyUntagged{n}"), "Effect": "Deny", "Action": actions(dice, &ACTIONS, 4),
                       "Resource": "*", "Condition": {"Null": {"aws:RequestTag/cost-center": "true"}}}),
                json!({"Sid": format!("DenyRegions{n}"), "Effect": "Deny",
                       "NotAction": ["iam:*", "organizations:*", "sts:*", "support:*"], "Resource": "*",
                       "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]},
                                     "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Bylaw*"}}}),
                json!({"Sid": format!("DenyLeave{n}"), "Effect": "Deny", "Action": "organizations:LeaveOrganization",
                       "Resource": "*"}),
            ];
            statements.truncate(1 + dice.below(4));
            json!({"Version": "2012-10-17", "Statement": statements})
        }
        "RESOURCE_CONTROL_POLICY" => json!({"Version": "2012-10-17", "Statement": [
            {"Sid": format!("OrgOnly{n}"), "Effect": "Deny", "Principal": "*",
             "Action": sample(dice, &["s3:*", "sqs:*", "kms:*"], 2), "Resource": "*",
             "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"},
                           "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}]}),
        _ => {
            let key = format!("cost-center-{n}");
            let values = sample(dice, &["100", "200", "300*", "400"], 2);
            json!({"tags": {key.as_str(): {"tag_key": {"@@assign": key}, "tag_value": {"@@assign": values},
                   "enforced_for": {"@@assign": ["sagemaker:training-job", "sagemaker:model-package-group"]}}}})
        }
    }
}

fn declared<T>(kind: Kind, name: &str, spec: T) -> Declared<T> {
    Declared {
        key: ObjectKey::new(kind, name),
        origin: Origin::default(),
        id: None,
        created: None,
        take_over: None,
        labels: Tags::new(),
        suspend: false,
        spec,
    }
}

fn tags<const N: usize>(tags: [(&str, String); N]) -> Tags {
    tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What is declared. The same size and seed give the same organization.
pub fn desired(size: Size, seed: u64) -> Desired {
    let mut dice = Dice::new(seed);
    let units = units(size.units, &mut dice);
    let accounts = accounts(size.accounts, &units, &mut dice);
    let policies = policies(size, &units, &accounts, &mut dice);
    let all = u32::MAX;
    let organization = model::Organization {
        management_account: MANAGEMENT.parse().unwrap(),
        partition: Partition::default(),
        mode: Mode::Enforce,
        policy_types: SLOTS.iter().map(|(kind, _)| PolicyType::new(kind)).collect(),
        attachments: Attachments::Additive,
        ignore: Default::default(),
        adoption_tags: Default::default(),
        base_access: None,
        access: None,
        services: BTreeSet::new(),
        administrators: BTreeMap::new(),
        delegation_policy: None,
        tags: Tags::new(),
        interval: None,
        queue: None,
        limits: Limits {
            max_creates: all,
            max_moves: all,
            max_detaches: all,
            max_updates: all,
            max_tags: all,
            max_affected: MaxAffected { accounts: all, percent: 100 },
            ..Limits::default()
        },
    };
    Desired {
        organization: declared(Kind::Organization, "bench", organization),
        units,
        accounts,
        policies,
        broken: vec![],
    }
}

fn units(count: usize, dice: &mut Dice) -> BTreeMap<Box<str>, Declared<model::Unit>> {
    let mut units = BTreeMap::new();
    let mut parents: Vec<(Box<str>, usize)> = vec![];
    let mut used: BTreeSet<(NodeKey, String)> = BTreeSet::new();
    let tops = (count / 10).clamp(1, 8).min(count);
    for i in 0..count {
        let (parent, depth) = if i < tops {
            (NodeKey::Root, 1)
        } else {
            let (name, depth) = &parents[dice.below(parents.len())];
            (NodeKey::Unit(name.clone()), depth + 1)
        };
        let mut name = pick(dice, &OU_NAMES).to_owned();
        if !used.insert((parent.clone(), name.clone())) {
            name = format!("{name} {i}");
        }
        let key: Box<str> = format!("ou-{i:04}").into();
        let spec = model::Unit {
            name,
            parent,
            tags: tags([("owner", pick(dice, &TEAMS).into()), ("stage", pick(dice, &STAGES).into())]),
            attachments: Attachments::Additive,
            base_access: None,
            adoption: AdoptionPolicy::AdoptOrCreate,
            deletion: DeletionPolicy::Retain,
        };
        if depth < MAX_DEPTH {
            parents.push((key.clone(), depth));
        }
        units.insert(key.clone(), declared(Kind::OrganizationalUnit, &key, spec));
    }
    units
}

fn accounts(
    count: usize,
    units: &BTreeMap<Box<str>, Declared<model::Unit>>,
    dice: &mut Dice,
) -> BTreeMap<Box<str>, Declared<model::Account>> {
    let parents: Vec<&Box<str>> = units.keys().collect();
    let account = |i: usize| {
        let (team, stage) = (pick(dice, &TEAMS), pick(dice, &STAGES));
        let spec = model::Account {
            account_id: None,
            email: Some(format!("aws+{i:05}@example.com")),
            name: Some(format!("{team}-{stage}-{i:05}")),
            parent: NodeKey::Unit(parents[dice.below(parents.len())].clone()),
            tags: tags([
                ("owner", team.into()),
                ("stage", stage.into()),
                ("cost-center", (100 + dice.below(400)).to_string()),
            ]),
            adoption: AdoptionPolicy::Create,
            contacts: BTreeMap::new(),
            role_name: None,
            base_access: None,
            close: false,
        };
        let key: Box<str> = format!("acct-{i:05}").into();
        (key.clone(), declared(Kind::Account, &key, spec))
    };
    (0..count).map(account).collect()
}

fn policies(
    size: Size,
    units: &BTreeMap<Box<str>, Declared<model::Unit>>,
    accounts: &BTreeMap<Box<str>, Declared<model::Account>>,
    dice: &mut Dice,
) -> BTreeMap<Box<str>, Declared<model::Policy>> {
    let kind_of = |i: usize| match i % 10 {
        0..7 => SLOTS[0],
        7..9 => SLOTS[1],
        _ => SLOTS[2],
    };
    let (units, accounts): (Vec<_>, Vec<_>) = (units.keys().collect(), accounts.keys().collect());
    let mut targets: Vec<BTreeSet<NodeKey>> = vec![BTreeSet::new(); size.policies];
    let mut taken: BTreeMap<(&str, NodeKey), usize> = BTreeMap::new();
    for at in 0..size.attachments {
        let policy = at % size.policies;
        let (kind, slots) = kind_of(policy);
        let node = loop {
            let throw = dice.fraction();
            let node = if throw < 0.03 {
                NodeKey::Root
            } else if throw < 0.65 {
                NodeKey::Unit(units[dice.below(units.len())].clone())
            } else {
                NodeKey::Account(accounts[dice.below(accounts.len())].clone())
            };
            if !targets[policy].contains(&node) && taken.get(&(kind, node.clone())).is_none_or(|n| *n < slots) {
                break node;
            }
        };
        *taken.entry((kind, node.clone())).or_default() += 1;
        targets[policy].insert(node);
    }
    let policy = |(i, targets): (usize, BTreeSet<NodeKey>)| {
        let kind = PolicyType::new(kind_of(i).0);
        let document = Document::from_value(&kind, &content(dice, kind.as_str(), i)).unwrap().0;
        let spec = model::Policy {
            kind,
            name: format!("bench-{i:04}"),
            description: format!("bench policy {i}"),
            owner: None,
            content: Arc::new(document),
            targets,
            excluding: BTreeSet::new(),
            named: BTreeSet::new(),
            tags: tags([("owner", pick(dice, &TEAMS).into()), ("tier", pick(dice, &["base", "extra"]).into())]),
            adoption: AdoptionPolicy::AdoptOrCreate,
            deletion: DeletionPolicy::Retain,
        };
        let key: Box<str> = format!("pol-{i:04}").into();
        (key.clone(), declared(Kind::OrganizationPolicy, &key, spec))
    };
    targets.into_iter().enumerate().map(policy).collect()
}

/// An organization with nothing in it but its management account.
pub fn empty(options: offline::Options) -> Offline {
    Offline::new(offline::Options { management: Some(MANAGEMENT.parse().unwrap()), ..options })
}

/// AWS as it is once all that is declared holds, without one call.
pub fn settled(desired: &Desired, options: offline::Options) -> Offline {
    let world = empty(options);
    world.with(|state| fill(state, desired));
    world
}

fn fill(state: &mut offline::State, desired: &Desired) {
    let born = |key: &ObjectKey, declared: &Tags| {
        let mut tags = declared.clone();
        tags.insert(TAG_RESOURCE.into(), key.to_string());
        tags.insert(TAG_MANAGED_BY.into(), desired.organization.key.name.to_string());
        tags
    };
    let root = state.root_node();
    let suffix = root.as_str().trim_start_matches("r-").to_owned();
    let unit_id =
        |name: &str| -> UnitId { format!("ou-{suffix}-0000{}", name.trim_start_matches("ou-")).parse().unwrap() };
    let account_id =
        |name: &str| -> AccountId { format!("2000000{}", name.trim_start_matches("acct-")).parse().unwrap() };
    let node = |key: &NodeKey| -> NodeId {
        match key {
            NodeKey::Root => root.clone(),
            NodeKey::Unit(name) => unit_id(name).into(),
            NodeKey::Account(name) => account_id(name).into(),
        }
    };
    for (name, unit) in &desired.units {
        let (parent, tags) = (node(&unit.spec.parent), born(&unit.key, &unit.spec.tags));
        state.put_unit(unit_id(name), offline::Unit { name: unit.spec.name.clone(), parent, tags });
    }
    for (name, account) in &desired.accounts {
        let spec = &account.spec;
        let account = offline::Account {
            name: spec.name.clone().unwrap(),
            email: spec.email.clone().unwrap(),
            state: AccountState::Active,
            parent: node(&spec.parent),
            tags: born(&account.key, &spec.tags),
            contacts: BTreeMap::new(),
        };
        state.put_account(account_id(name), account);
    }
    for kind in &desired.organization.spec.policy_types {
        state.set_policy_type(kind, true);
    }
    for (name, policy) in &desired.policies {
        let id: PolicyId = format!("p-0000{}", name.trim_start_matches("pol-")).parse().unwrap();
        let spec = &policy.spec;
        let held = offline::Policy {
            kind: spec.kind.clone(),
            name: spec.name.clone(),
            description: spec.description.clone(),
            aws_managed: false,
            content: spec.content.minified().into(),
            tags: born(&policy.key, &spec.tags),
        };
        state.put_policy(id.clone(), held);
        spec.targets.iter().for_each(|target| state.attach(&id, &node(target)));
    }
}
