//! Tests of the tree of policies.

mod call;

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::aws::offline::{Offline, Options};
use crate::names::{AccountId, PolicyId, PolicyType};
use crate::observed::{Observed, Part};
use crate::policy::eval::{Action, Decision, Fact, Facts};

const LOCK: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Regions","Effect":"Deny","NotAction":["iam:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}]}"#;
const OUTSIDERS: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Outsiders","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-other00000"}}}]}"#;

struct World {
    observed: Observed,
    prod: AccountId,
    dev: AccountId,
}

/// Root with `dev`, OU `PROD` below it with `prod`; a region lock on PROD, an RCP on the account `dev`.
fn world() -> World {
    let offline = Offline::new(Options::default());
    let (prod, dev) = offline.with(|state| {
        let root = state.root_node();
        state.set_policy_type(&PolicyType::scp(), true);
        state.set_policy_type(&PolicyType::new("RESOURCE_CONTROL_POLICY"), true);
        let unit = crate::names::NodeId::Unit(state.add_unit(&root, "PROD"));
        let prod = state.add_account(&unit, "prod", "prod@example.com");
        let dev = state.add_account(&root, "dev", "dev@example.com");
        let lock = state.add_policy(&PolicyType::scp(), "lock", LOCK);
        state.attach(&lock, &unit);
        let outsiders = state.add_policy(&PolicyType::new("RESOURCE_CONTROL_POLICY"), "outsiders", OUTSIDERS);
        state.attach(&outsiders, &crate::names::NodeId::Account(dev.clone()));
        (prod, dev)
    });
    World { observed: offline.state().to_observed(Timestamp::UNIX_EPOCH), prod, dev }
}

fn lost<T>() -> Part<T> {
    Part::Unreadable { error: "denied".into(), remedy: None, at: Timestamp::UNIX_EPOCH }
}

struct Asks<'a> {
    action: &'a str,
    resource: Option<&'a str>,
    principal: Option<String>,
    told: &'a [(&'a str, &'a str)],
}

impl Default for Asks<'_> {
    fn default() -> Self {
        Self { action: "ec2:RunInstances", resource: Some("*"), principal: None, told: &[] }
    }
}

fn ask(observed: &Observed, account: &AccountId, asks: &Asks<'_>, look: impl FnOnce(&Verdict<'_>)) -> Decision {
    let forest = Forest::of(observed, None);
    let standing = forest.standing(account).unwrap();
    let action = Action::parse(asks.action).unwrap();
    let principal = asks.principal.as_deref().map(|arn| Principal::parse(arn).unwrap());
    let mut told = Facts::unknown();
    for (key, value) in asks.told {
        told.set_one(key, *value);
    }
    let question = Question {
        account,
        action: &action,
        resource: asks.resource,
        principal: principal.as_ref(),
        told: &told,
        own: &Own::default(),
    };
    let verdict = question.ask(&forest, &standing);
    look(&verdict);
    verdict.decision
}

const ABROAD: &[(&str, &str)] = &[("aws:RequestedRegion", "us-east-1")];

#[test]
fn a_deny_is_named_with_its_node_and_policy() {
    let world = world();
    let asks = Asks { told: ABROAD, ..Asks::default() };
    let decision = ask(&world.observed, &world.prod, &asks, |verdict| {
        let ruling = &verdict.rulings[verdict.denied_by.unwrap()];
        assert_eq!(ruling.node.unwrap().name, "PROD");
        assert_eq!(ruling.policy.unwrap().name, "lock");
        assert_eq!(ruling.statement.unwrap().sid.as_deref(), Some("Regions"));
    });
    assert_eq!(decision, Decision::Denied);
    assert_eq!(ask(&world.observed, &world.dev, &asks, |_| {}), Decision::Allowed);
}

#[test]
fn what_is_not_told_is_what_it_depends_on() {
    let world = world();
    let decision = ask(&world.observed, &world.prod, &Asks::default(), |verdict| {
        assert_eq!(verdict.depends_on.iter().collect::<Vec<_>>(), ["aws:RequestedRegion"]);
    });
    assert_eq!(decision, Decision::Depends);
    // The region follows from a resource that has one.
    let here = Asks { resource: Some("arn:aws:ec2:eu-west-1:111122223333:instance/i-1"), ..Asks::default() };
    assert_eq!(ask(&world.observed, &world.prod, &here, |_| {}), Decision::Allowed);
}

#[test]
fn the_management_account_and_service_linked_roles_are_bound_by_nothing() {
    let world = world();
    let mut observed = world.observed.clone();
    observed.organization.management_account = world.prod.clone();
    let asks = Asks { told: ABROAD, ..Asks::default() };
    assert_eq!(ask(&observed, &world.prod, &asks, |verdict| assert_eq!(verdict.exempt.len(), 1)), Decision::Allowed);
    let role = |path: &str| Some(format!("arn:aws:iam::{}:role/{path}", world.prod));
    let linked =
        Asks { principal: role("aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"), ..asks };
    assert_eq!(ask(&world.observed, &world.prod, &linked, |_| {}), Decision::Allowed);
    let plain = Asks { principal: role("app"), told: ABROAD, ..Asks::default() };
    assert_eq!(ask(&world.observed, &world.prod, &plain, |_| {}), Decision::Denied);
}

#[test]
fn resource_control_policies_are_those_of_the_resources_account() {
    let world = world();
    let bucket = format!("arn:aws:sqs:eu-west-1:{}:queue", world.dev);
    let asks = Asks { action: "s3:GetObject", resource: Some(&bucket), ..Asks::default() };
    let decision = ask(&world.observed, &world.prod, &asks, |verdict| {
        assert_eq!(verdict.rulings[verdict.denied_by.unwrap()].layer, Layer::ResourceControl);
    });
    assert_eq!(decision, Decision::Denied);
    // Who asks may be of the management account, and is not said to be bound by nothing.
    let mut observed = world.observed.clone();
    observed.organization.management_account = world.prod.clone();
    let decision = ask(&observed, &world.prod, &asks, |verdict| {
        assert!(!verdict.exempt.iter().any(|why| why.contains("neither SCPs nor RCPs")), "{:?}", verdict.exempt);
    });
    assert_eq!(decision, Decision::Denied);
    // Of a service that has no RCPs they have no say.
    let instance = format!("arn:aws:ec2:eu-west-1:{}:instance/i-1", world.dev);
    let ec2 = Asks { action: "ec2:RunInstances", resource: Some(&instance), ..Asks::default() };
    assert_eq!(ask(&world.observed, &world.dev, &ec2, |_| {}), Decision::Allowed);
    let own = format!("arn:aws:sqs:eu-west-1:{}:queue", world.prod);
    assert_eq!(ask(&world.observed, &world.prod, &Asks { resource: Some(&own), ..asks }, |_| {}), Decision::Allowed);
}

#[test]
fn what_was_not_read_allows_nothing_for_sure_and_takes_no_deny_away() {
    let world = world();
    let id = |name: &str| -> PolicyId {
        world.observed.policies.iter().find(|(_, policy)| policy.name == name).map(|(id, _)| id.clone()).unwrap()
    };
    let home = Asks { told: &[("aws:RequestedRegion", "eu-west-1")], ..Asks::default() };
    assert_eq!(ask(&world.observed, &world.prod, &home, |_| {}), Decision::Allowed);
    let mut unread = world.observed.clone();
    unread.policies.get_mut(&id("lock")).unwrap().content = lost();
    assert_eq!(ask(&unread, &world.prod, &home, |verdict| assert_eq!(verdict.gaps.len(), 1)), Decision::Depends);
    // It may be what allows, too.
    let mut only = world.observed.clone();
    for (id, policy) in &mut only.policies {
        if id.as_str() == "p-FullAWSAccess" {
            policy.targets = Part::known(std::collections::BTreeSet::new(), Timestamp::UNIX_EPOCH);
        }
    }
    assert_eq!(ask(&only, &world.prod, &home, |_| {}), Decision::Denied);
    only.policies.get_mut(&id("lock")).unwrap().content = lost();
    assert_eq!(ask(&only, &world.prod, &home, |_| {}), Decision::Depends);
    // It does not bind the other account.
    assert_eq!(ask(&unread, &world.dev, &home, |_| {}), Decision::Allowed);
    let mut lost_targets = world.observed.clone();
    lost_targets.policies.get_mut(&id("outsiders")).unwrap().targets = lost();
    let abroad = Asks { told: ABROAD, ..Asks::default() };
    assert_eq!(ask(&lost_targets, &world.prod, &abroad, |_| {}), Decision::Denied);
    assert_eq!(ask(&lost_targets, &world.dev, &abroad, |_| {}), Decision::Depends);
    let mut nowhere = world.observed.clone();
    nowhere.accounts.get_mut(&world.prod).unwrap().parent = None;
    assert_eq!(ask(&nowhere, &world.prod, &home, |_| {}), Decision::Depends);
}

#[test]
fn without_the_policy_type_nothing_is_bound() {
    let world = world();
    let mut off = world.observed.clone();
    off.root.policy_types.clear();
    assert_eq!(ask(&off, &world.prod, &Asks { told: ABROAD, ..Asks::default() }, |_| {}), Decision::Allowed);
}

#[test]
fn accounts_that_the_same_policies_bind_share_their_ladders() {
    let offline = Offline::new(Options::default());
    let accounts: Vec<AccountId> = offline.with(|state| {
        let root = state.root_node();
        state.set_policy_type(&PolicyType::scp(), true);
        (0..3).map(|n| state.add_account(&root, &format!("a{n}"), &format!("a{n}@example.com"))).collect()
    });
    let forest = Forest::of(&offline.state().to_observed(Timestamp::UNIX_EPOCH), None);
    let standings: Vec<Standing> = accounts.iter().map(|account| forest.standing(account).unwrap()).collect();
    let ladders = standings.iter().map(|standing| std::ptr::from_ref(standing.service_control().unwrap()).addr());
    assert_eq!(ladders.collect::<std::collections::BTreeSet<_>>().len(), 1);
    assert_eq!(forest.account("a1").as_ref(), Ok(&accounts[1]));
    assert!(forest.account("a9").unwrap_err().contains("did you mean"));
    assert!(forest.account("000000000000").is_err());
}

#[test]
fn principals_are_known_by_every_form_of_their_arn() {
    let arn = |text: &str| Principal::parse(text).unwrap().arn().to_owned();
    assert_eq!(arn("arn:aws:sts::111122223333:assumed-role/app/i-1"), "arn:aws:iam::111122223333:role/app");
    assert_eq!(arn("arn:aws-cn:iam::111122223333:user/team/ana"), "arn:aws-cn:iam::111122223333:user/team/ana");
    assert!(
        Principal::parse("arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForSupport/x")
            .unwrap()
            .is_service_linked()
    );
    for bad in [
        "",
        "ana",
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::111122223333:group/x",
        "arn:aws:s3:::bucket",
        "111122223333",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::111122223333:role/ap?",
        "arn:aws:iam::111122223333:role/*/app",
        "arn:aws:iam::111122223333:role/app\n",
        "arn:aws:iam::111122223333:user/a b",
        "arn:azure:iam::111122223333:role/app",
        "arn:aws:sts::111122223333:federated-user/",
        "arn:aws:iam::111122223333:role/team/",
    ] {
        assert!(Principal::parse(bad).unwrap_err().contains("expected"), "{bad}");
    }
}

#[test]
fn a_federated_user_is_told_by_its_own_arn_and_not_as_a_user() {
    let arn = "arn:aws:sts::111122223333:federated-user/ana";
    let mut facts = Facts::unknown();
    Principal::parse(arn).unwrap().tell(&mut facts);
    assert_eq!(facts.of("aws:PrincipalArn"), Fact::Values(&[arn.into()]));
    assert_eq!(facts.of("aws:username"), Fact::Absent);
}

#[test]
fn the_path_that_a_session_of_identity_center_lacks_is_not_taken_for_absent() {
    let mut facts = Facts::unknown();
    Principal::parse("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ana")
        .unwrap()
        .tell(&mut facts);
    assert_eq!(facts.of("aws:PrincipalArn"), Fact::Unknown);
    let role = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
    Principal::parse(role).unwrap().tell(&mut facts);
    assert_eq!(facts.of("aws:PrincipalArn"), Fact::Values(&[role.into()]));
}
