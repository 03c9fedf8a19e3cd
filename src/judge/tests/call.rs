//! Tests of whole calls, and of callers of every kind.

use super::*;
use crate::judge::{ACTION, Needed, RESOURCE, RESOURCE_POLICY};
use crate::policy::call::{Reach, When};

const DEV: &str = "222222222222";

/// The organization with `dev`, bound by an SCP and an RCP of these statements.
fn bound(scp: &str, rcp: &str) -> (Observed, AccountId) {
    let offline = Offline::new(Options::default());
    let dev: AccountId = DEV.parse().unwrap();
    offline.with(|state| {
        let root = state.root_node();
        let rcps = PolicyType::new("RESOURCE_CONTROL_POLICY");
        state.set_policy_type(&PolicyType::scp(), true);
        state.set_policy_type(&rcps, true);
        let account = state.add_account(&root, "dev", "dev@example.com");
        let made = state.take_account(&account).unwrap();
        state.put_account(dev.clone(), made);
        let full = "p-FullAWSAccess".parse().unwrap();
        state.attach(&full, &crate::names::NodeId::Account(dev.clone()));
        for (kind, text) in [(PolicyType::scp(), scp), (rcps, rcp)] {
            if !text.is_empty() {
                let text = format!(r#"{{"Version":"2012-10-17","Statement":[{text}]}}"#);
                let policy = state.add_policy(&kind, "policy", &text);
                state.attach(&policy, &root);
            }
        }
    });
    (offline.state().to_observed(Timestamp::UNIX_EPOCH), dev)
}

#[derive(Default)]
struct Call<'a> {
    action: &'a str,
    resource: Option<&'a str>,
    principal: Option<&'a str>,
    told: &'a [(&'a str, &'a str)],
    own: Own,
    declared_only: bool,
}

fn call(observed: &Observed, asks: &Call<'_>, look: impl FnOnce(&Answer<'_>)) -> Decision {
    let mut forest = Forest::of(observed, None);
    forest.declared_only = asks.declared_only;
    let dev: AccountId = DEV.parse().unwrap();
    let standing = forest.standing(&dev).unwrap();
    let action = Action::parse(asks.action).unwrap();
    let principal = asks.principal.map(|arn| Principal::parse(arn).unwrap());
    let mut told = Facts::unknown();
    for (key, value) in asks.told {
        if value.is_empty() { told.set_absent(key) } else { told.set_one(key, *value) }
    }
    let question = Question {
        account: &dev,
        action: &action,
        resource: asks.resource,
        principal: principal.as_ref(),
        told: &told,
        own: &asks.own,
    };
    let answer = question.ask_call(&forest, &standing);
    look(&answer);
    answer.decision
}

const OWNER: &[(&str, &str)] = &[("aws:RequestTag/Owner", "ana")];

fn deny(action: &str, more: &str) -> String {
    format!(r#"{{"Sid":"No","Effect":"Deny","Action":{action},{more}}}"#)
}

fn untagged(resource: &str) -> String {
    let more = format!(r#""Resource":"{resource}","Condition":{{"Null":{{"aws:RequestTag/Owner":"true"}}}}"#);
    deny(r#"["ec2:RunInstances","ec2:CreateSubnet"]"#, &more)
}

#[test]
fn a_call_is_denied_by_the_resource_that_never_carries_the_tag() {
    let (observed, _) = bound(&untagged("*"), "");
    let subnet = Call { action: "ec2:CreateSubnet", told: OWNER, ..Call::default() };
    let decision = call(&observed, &subnet, |answer| {
        let part = answer.deciding().unwrap();
        assert_eq!((part.resource_type, part.tags), (Some("vpc"), Some(Reach::No)));
        assert_eq!(part.verdict.denied().unwrap().statement.unwrap().sid.as_deref(), Some("No"));
    });
    assert_eq!(decision, Decision::Denied);
    let instances = Call { action: "ec2:RunInstances", ..subnet };
    assert_eq!(call(&observed, &instances, |_| {}), Decision::Denied);
    // On the VPC nothing else has to be told.
    let vpc = format!("arn:aws:ec2:eu-west-1:{DEV}:vpc/vpc-0123456789abcdef0");
    let named = Call { action: "ec2:CreateSubnet", resource: Some(&vpc), ..Call::default() };
    assert_eq!(call(&observed, &named, |answer| assert_eq!(answer.decided_by, 0)), Decision::Denied);
}

#[test]
fn a_statement_that_names_what_is_created_denies_what_is_not_tagged_and_nothing_else() {
    let (observed, _) = bound(&untagged("arn:aws:ec2:*:*:subnet/*"), "");
    let asks = |told| Call { action: "ec2:CreateSubnet", told, ..Call::default() };
    assert_eq!(call(&observed, &asks(OWNER), |_| {}), Decision::Allowed);
    assert_eq!(call(&observed, &asks(&[("aws:RequestTag/Owner", "")]), |_| {}), Decision::Denied);
    let decision = call(&observed, &asks(&[]), |answer| {
        assert_eq!(answer.deciding().unwrap().resource_type, Some("subnet"));
        assert!(answer.deciding().unwrap().verdict.depends_on.contains("aws:RequestTag/Owner"));
    });
    assert_eq!(decision, Decision::Depends);
    // Of another account than the one where the call creates it, nothing is said.
    let (observed, _) = bound(&untagged("arn:aws:ec2:*:333333333333:subnet/*"), "");
    assert_eq!(call(&observed, &asks(&[]), |_| {}), Decision::Allowed);
}

#[test]
fn a_resource_type_that_only_some_calls_have_denies_none_for_sure() {
    let (observed, _) = bound(&deny(r#""ec2:RunInstances""#, r#""Resource":"arn:aws:ec2:*:*:snapshot/*""#), "");
    let asks = Call { action: "ec2:RunInstances", ..Call::default() };
    let decision = call(&observed, &asks, |answer| {
        let part = answer.deciding().unwrap();
        assert_eq!((part.resource_type, part.needed), (Some("snapshot"), Needed::IfThere));
        assert_eq!(answer.open().count(), 1);
    });
    assert_eq!(decision, Decision::Depends);
    // One that is named is there.
    let snapshot = Call { resource: Some("arn:aws:ec2:eu-west-1::snapshot/snap-0123456789abcdef0"), ..asks };
    assert_eq!(call(&observed, &snapshot, |_| {}), Decision::Denied);
}

#[test]
fn a_call_on_one_of_several_types_is_denied_only_where_all_of_them_are() {
    let model = "arn:aws:bedrock:*::foundation-model/*";
    let (observed, _) = bound(&deny(r#""bedrock:InvokeModel""#, &format!(r#""Resource":"{model}""#)), "");
    let asks = Call { action: "bedrock:InvokeModel", ..Call::default() };
    assert_eq!(call(&observed, &asks, |_| {}), Decision::Depends);
    let own = format!("arn:aws:bedrock:eu-west-1:{DEV}:custom-model-deployment/a");
    let named = Call { resource: Some(&own), ..asks };
    assert_eq!(call(&observed, &named, |_| {}), Decision::Allowed);
    let (observed, _) = bound(&deny(r#""bedrock:InvokeModel""#, r#""Resource":"*""#), "");
    let asks = Call { action: "bedrock:InvokeModel", ..Call::default() };
    assert_eq!(call(&observed, &asks, |_| {}), Decision::Denied);
}

#[test]
fn a_dependent_action_that_is_denied_denies_the_calls_that_need_it() {
    let (observed, _) =
        bound(&deny(r#"["iam:PassRole","sagemaker:AddTags","ec2:CreateTags"]"#, r#""Resource":"*""#), "");
    let asks = |action, told| Call { action, told, ..Call::default() };
    let decision = call(&observed, &asks("lambda:CreateFunction", &[]), |answer| {
        let part = answer.deciding().unwrap();
        assert_eq!(part.action, "iam:PassRole");
        assert_eq!(part.needed, Needed::Besides { when: When::PassesRole, sure: true });
    });
    assert_eq!(decision, Decision::Denied);
    // An instance may be launched without a role.
    assert_eq!(call(&observed, &asks("ec2:RunInstances", &[("aws:TagKeys", "")]), |_| {}), Decision::Depends);
    let tags = &[("aws:RequestTag/a", "b")];
    let decision = call(&observed, &asks("ec2:CreateSubnet", tags), |answer| {
        assert_eq!(answer.deciding().unwrap().action, "ec2:CreateTags");
    });
    assert_eq!(decision, Decision::Denied);
    assert_eq!(call(&observed, &asks("ec2:CreateSubnet", &[]), |_| {}), Decision::Depends);
    assert_eq!(call(&observed, &asks("ec2:CreateSubnet", &[("aws:TagKeys", "")]), |_| {}), Decision::Allowed);
    // What the tags are for is known to the tagging action.
    let more = r#""Resource":"*","Condition":{"StringNotEquals":{"ec2:CreateAction":"CreateSubnet"}}"#;
    let (observed, _) = bound(&deny(r#""ec2:CreateTags""#, more), "");
    assert_eq!(call(&observed, &asks("ec2:CreateSubnet", tags), |_| {}), Decision::Allowed);
    assert_eq!(call(&observed, &asks("ec2:CreateVolume", tags), |_| {}), Decision::Denied);
}

#[test]
fn a_key_of_one_resource_is_absent_on_the_others() {
    let more = r#""Resource":"*","Condition":{"StringNotEquals":{"ec2:InstanceType":"t3.micro"}}"#;
    let (observed, _) = bound(&deny(r#""ec2:RunInstances""#, more), "");
    let micro = &[("ec2:InstanceType", "t3.micro")];
    let asks = Call { action: "ec2:RunInstances", told: micro, ..Call::default() };
    assert_eq!(
        call(&observed, &asks, |answer| assert_ne!(answer.deciding().unwrap().resource_type, Some("instance"))),
        Decision::Denied
    );
    let (observed, _) =
        bound(&deny(r#""ec2:RunInstances""#, &more.replace("\"*\"", "\"arn:aws:ec2:*:*:instance/*\"")), "");
    assert_eq!(call(&observed, &asks, |_| {}), Decision::Allowed);
}

#[test]
fn an_action_that_the_reference_does_not_know_is_asked_alone() {
    let (observed, _) = bound(&deny(r#""new:Thing""#, r#""Resource":"arn:aws:new:::a""#), "");
    let asks = Call { action: "new:Thing", ..Call::default() };
    assert_eq!(call(&observed, &asks, |answer| assert_eq!(answer.parts.len(), 1)), Decision::Depends);
}

#[test]
fn awss_own_resource_control_policy_is_attached_everywhere_whether_its_targets_were_read_or_not() {
    let (mut observed, _) = bound("", "");
    let own: PolicyId = "p-RCPFullAWSAccess".parse().unwrap();
    observed.policies.get_mut(&own).unwrap().targets = lost();
    observed.policies.get_mut(&own).unwrap().content = Part::Unread;
    let asks = Call { action: "s3:GetObject", ..Call::default() };
    assert_eq!(call(&observed, &asks, |answer| assert!(answer.parts[0].verdict.gaps.is_empty())), Decision::Allowed);
}

#[test]
fn what_aws_exempts_no_policy_denies() {
    let everything = deny(r#""*""#, r#""Resource":"*""#);
    let rcp = r#"{"Effect":"Deny","Principal":"*","Action":["kms:*","sts:*"],"Resource":"*"}"#;
    let (observed, _) = bound(&everything, rcp);
    let asks = |action| Call { action, ..Call::default() };
    for free in ["sts:GetCallerIdentity", "sts:GetSessionToken"] {
        assert_eq!(
            call(&observed, &asks(free), |answer| assert_eq!(answer.parts[0].verdict.exempt.len(), 1)),
            Decision::Allowed
        );
    }
    assert_eq!(call(&observed, &asks("sts:AssumeRole"), |_| {}), Decision::Denied);
    let (observed, _) = bound("", rcp);
    assert_eq!(call(&observed, &asks("kms:RetireGrant"), |_| {}), Decision::Allowed);
    assert_eq!(call(&observed, &asks("kms:Decrypt"), |_| {}), Decision::Denied);
    let alias = format!("arn:aws:kms:eu-west-1:{DEV}:alias/aws/s3");
    let managed = Call { resource: Some(&alias), ..asks("kms:CreateAlias") };
    call(&observed, &managed, |answer| assert_eq!(answer.parts[0].verdict.decision, Decision::Allowed));
}

/// AWS's own pattern: who is of no account of the organization, and is no AWS service.
const PERIMETER: &str = r#"{"Sid":"Outsiders","Effect":"Deny","Principal":"*","Action":["s3:*","sts:*"],"Resource":"*","Condition":{
    "StringNotEqualsIfExists":{"aws:PrincipalOrgID":"ORG"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}"#;

fn perimeter() -> Observed {
    let id = bound("", "").0.organization.id;
    bound("", &PERIMETER.replace("ORG", id.as_str())).0
}

#[test]
fn callers_of_every_kind_are_held_to_the_policies_of_the_resource() {
    let observed = perimeter();
    let bucket = Call { action: "s3:GetObject", resource: Some("arn:aws:s3:::b/k"), ..Call::default() };
    let by = |principal, asks: Call<'_>| call(&observed, &Call { principal: Some(principal), ..asks }, |_| {});
    let member = format!("arn:aws:iam::{DEV}:role/x");
    assert_eq!(by(&member, Call { own: Own::default(), ..bucket }), Decision::Allowed);
    let bucket = || Call { action: "s3:GetObject", resource: Some("arn:aws:s3:::b/k"), ..Call::default() };
    assert_eq!(by("arn:aws:iam::999900001111:role/x", bucket()), Decision::Denied);
    assert_eq!(by("anonymous", bucket()), Decision::Denied);
    assert_eq!(by("delivery.logs.amazonaws.com", bucket()), Decision::Allowed);
    let role = format!("arn:aws:iam::{DEV}:role/app");
    let assume = Call { action: "sts:AssumeRoleWithWebIdentity", resource: Some(&role), ..Call::default() };
    let provider = format!("arn:aws:iam::{DEV}:oidc-provider/oidc.example.com");
    assert_eq!(by(&provider, assume), Decision::Denied);
    // SCPs bind none of them.
    let (closed, _) = bound(&deny(r#""*""#, r#""Resource":"*""#), "");
    for outside in ["arn:aws:iam::999900001111:role/x", "anonymous", "delivery.logs.amazonaws.com"] {
        let asks = Call { principal: Some(outside), ..bucket() };
        let decision = call(&closed, &asks, |answer| {
            let verdict = &answer.parts[0].verdict;
            assert!(verdict.exempt.iter().any(|why| why.contains("no SCP binds")) && verdict.unasked.is_some());
        });
        assert_eq!(decision, Decision::Allowed, "{outside}");
    }
}

#[test]
fn of_whose_organization_an_outsider_is_nothing_is_made_up() {
    let outsider = Call { principal: Some("arn:aws:iam::999900001111:role/x"), ..Call::default() };
    let asks = |declared_only| Call {
        action: "s3:GetObject",
        resource: Some("arn:aws:s3:::b/k"),
        principal: outsider.principal,
        declared_only,
        ..Call::default()
    };
    // A partner's organization may be theirs.
    let own = bound("", "").0.organization.id;
    let both = PERIMETER.replace("\"ORG\"", &format!("[\"{own}\",\"o-partner000\"]"));
    assert_eq!(call(&bound("", &both).0, &asks(false), |_| {}), Decision::Depends);
    // Whether they are of any organization decides.
    let some = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Null":{"aws:PrincipalOrgID":"true"}}}"#;
    assert_eq!(call(&bound("", some).0, &asks(false), |_| {}), Decision::Depends);
    // From manifests alone nobody knows who is a member.
    assert_eq!(call(&perimeter(), &asks(true), |_| {}), Decision::Depends);
}

#[test]
fn from_manifests_alone_the_organizations_id_is_not_known() {
    let real =
        r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"KEY":"o-real000000"}}}"#;
    for key in ["aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths"] {
        let (observed, _) = bound(&real.replace("KEY", key), "");
        let queue = format!("arn:aws:s3:eu-west-1:{DEV}:accesspoint/a");
        let asks =
            |declared_only| Call { action: "s3:GetObject", resource: Some(&queue), declared_only, ..Call::default() };
        let decision = call(&observed, &asks(true), |answer| {
            assert!(answer.deciding().unwrap().verdict.depends_on.contains(key), "{key}");
        });
        assert_eq!((decision, call(&observed, &asks(false), |_| {})), (Decision::Depends, Decision::Denied), "{key}");
    }
}

#[test]
fn an_identitys_policy_alone_allows_nothing_that_needs_the_resources_policy_too() {
    let (observed, _) = bound("", "");
    let allow = || {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let (document, _) = crate::policy::Document::parse(&PolicyType::new("IDENTITY_POLICY"), text).unwrap();
        let crate::policy::document::Content::Statements(policy) = document.content().clone() else { panic!() };
        let compiled = crate::policy::eval::Compiled::new(&policy);
        Own { identity: Some(crate::policy::eval::Ladder::new([[&compiled]])), ..Own::default() }
    };
    let role = format!("arn:aws:iam::{DEV}:role/x");
    let queue = "arn:aws:sqs:eu-west-1:333333333333:queue";
    let key = format!("arn:aws:kms:eu-west-1:{DEV}:key/1");
    let other = "arn:aws:iam::333333333333:role/app";
    for (action, resource) in [
        ("sqs:SendMessage", Some(queue)),
        ("kms:Decrypt", Some(&*key)),
        ("kms:Decrypt", None),
        ("sts:AssumeRole", Some(other)),
    ] {
        let asks = Call { action, resource, principal: Some(&role), own: allow(), ..Call::default() };
        let decision = call(&observed, &asks, |answer| {
            let verdict = &answer.parts[0].verdict;
            assert!(verdict.depends_on.contains(RESOURCE_POLICY) && verdict.unasked.is_some(), "{action}");
        });
        assert_eq!(decision, Decision::Depends, "{action}");
        // Without them the organization alone is asked.
        let alone = Call { own: Own::default(), ..asks };
        assert_eq!(call(&observed, &alone, |_| {}), Decision::Allowed, "{action}");
    }
    let own_queue = format!("arn:aws:sqs:eu-west-1:{DEV}:queue");
    let asks = Call {
        action: "sqs:SendMessage",
        resource: Some(&own_queue),
        principal: Some(&role),
        own: allow(),
        ..Call::default()
    };
    assert_eq!(call(&observed, &asks, |_| {}), Decision::Allowed);
}

#[test]
fn the_alias_of_a_key_stands_for_the_key_and_tells_what_aws_manages() {
    let on_key = |account: &str, more: &str| {
        deny(r#""kms:Decrypt""#, &format!(r#""Resource":"arn:aws:kms:*:{account}:key/*"{more}"#))
    };
    let rcp = deny(r#"["kms:Decrypt"]"#, r#""Principal":"*","Resource":"*""#);
    let (managed, own) =
        (format!("arn:aws:kms:eu-west-1:{DEV}:alias/aws/s3"), format!("arn:aws:kms:eu-west-1:{DEV}:alias/app"));
    let role = format!("arn:aws:iam::{DEV}:role/x");
    let ask = |scp: &str, rcp: &str, resource: &str| {
        let (observed, _) = bound(scp, rcp);
        let asks = Call { action: "kms:Decrypt", resource: Some(resource), principal: Some(&role), ..Call::default() };
        let mut told = vec![];
        let decision = call(&observed, &asks, |answer| {
            let verdict = &answer.deciding().unwrap().verdict;
            told = verdict.exempt.iter().chain(&verdict.unasked).map(|text| (*text).to_owned()).collect();
        });
        (decision, told.join("; "))
    };
    // Policies are held against the key, and not against its alias.
    assert_eq!(ask(&on_key(DEV, ""), "", &managed).0, Decision::Denied);
    assert_eq!(ask(&on_key(DEV, ""), "", &own).0, Decision::Denied);
    assert_eq!(ask(&on_key("333333333333", ""), "", &own).0, Decision::Allowed);
    let one = deny(r#""kms:Decrypt""#, r#""Resource":"arn:aws:kms:*:*:key/1234abcd-12ab-34cd-56ef-1234567890ab""#);
    assert_eq!(ask(&one, "", &own).0, Decision::Depends);
    // RCPs do not bind the keys that AWS manages, and that is said.
    let (decision, told) = ask("", &rcp, &managed);
    assert_eq!(decision, Decision::Allowed);
    assert!(told.contains("AWS manages this key") && told.contains("nobody can change"), "{told}");
    assert_eq!(ask("", &rcp, &own).0, Decision::Denied);
    // What is so of all of them is known.
    let condition = |key: &str, value: &str| format!(r#","Condition":{{"StringEquals":{{"{key}":"{value}"}}}}"#);
    for (key, value, decision) in [
        ("kms:KeySpec", "RSA_2048", Decision::Allowed),
        ("kms:KeySpec", "SYMMETRIC_DEFAULT", Decision::Denied),
        ("kms:MultiRegion", "true", Decision::Allowed),
    ] {
        assert_eq!(ask(&on_key("*", &condition(key, value)), "", &managed).0, decision, "{key} {value}");
        assert_eq!(ask(&on_key("*", &condition(key, value)), "", &own).0, Decision::Depends, "{key} {value}");
    }
    let alias = r#","Condition":{"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/aws/s3"}}"#;
    assert_eq!(ask(&on_key("*", alias), "", &managed).0, Decision::Denied);
}

#[test]
fn a_resource_with_a_wildcard_is_one_of_many() {
    let (observed, _) = bound(&deny(r#""s3:GetObject""#, r#""Resource":"arn:aws:s3:::b/secret/*""#), "");
    let decide = |resource| {
        let asks = Call { action: "s3:GetObject", resource, ..Call::default() };
        call(&observed, &asks, |answer| {
            let open = answer.deciding().unwrap().verdict.depends_on.contains(RESOURCE);
            assert_eq!(open, answer.decision == Decision::Depends);
        })
    };
    assert_eq!(decide(Some("arn:aws:s3:::b/secret/k")), Decision::Denied);
    assert_eq!(decide(Some("arn:aws:s3:::b/secret/k*")), Decision::Denied);
    assert_eq!(decide(Some("arn:aws:s3:::b/open/*")), Decision::Allowed);
    assert_eq!(decide(Some("arn:aws:s3:::b/*")), Decision::Depends);
    assert_eq!(decide(Some("arn:aws:s3:::b/?ecret/k")), Decision::Depends);
    // Not that it has none: it is on an object, and which is not told.
    assert_eq!(decide(Some("*")), Decision::Depends);
    assert_eq!(decide(None), Decision::Depends);
    // What is of another service is none of its resources.
    let (observed, _) = bound(&deny(r#""*""#, r#""Resource":"arn:aws:iam::*:role/x""#), "");
    assert_eq!(call(&observed, &Call { action: "s3:GetObject", ..Call::default() }, |_| {}), Decision::Allowed);
}

#[test]
fn the_name_of_a_call_is_asked_for_as_the_action_that_policies_know() {
    let decide = |denied: &str, action, resource: Option<&str>| {
        let (observed, _) = bound(&deny(&format!("\"{denied}\""), r#""Resource":"*""#), "");
        let mut asked_as = vec![];
        let decision = call(&observed, &Call { action, resource, ..Call::default() }, |answer| {
            asked_as.clone_from(&answer.asked_as);
            assert!(answer.parts.iter().all(|part| part.action != action));
        });
        (decision, asked_as.join(" "))
    };
    let object = Some("arn:aws:s3:::b/k");
    assert_eq!(decide("s3:GetObject", "s3:HeadObject", object), (Decision::Denied, "s3:GetObject".to_owned()));
    assert_eq!(decide("s3:GetObjectVersion", "s3:HeadObject", object).0, Decision::Allowed);
    let public = decide("s3:PutBucketPublicAccessBlock", "s3:PutPublicAccessBlock", Some("arn:aws:s3:::b"));
    assert!(public.0 != Decision::Allowed && public.1.contains("s3:PutBucketPublicAccessBlock"), "{public:?}");
    assert_eq!(decide("lambda:InvokeFunction", "lambda:Invoke", None).0, Decision::Denied);
    assert_eq!(decide("bedrock:InvokeModel", "bedrock:Converse", None).0, Decision::Denied);
}

#[test]
fn a_name_that_nobody_knows_depends_where_the_statements_of_its_service_do_not_agree() {
    let decide = |denied: &str, action| {
        let (observed, _) = bound(&deny(denied, r#""Resource":"*""#), "");
        call(&observed, &Call { action, ..Call::default() }, |answer| {
            let open = answer.deciding().unwrap().verdict.depends_on.contains(ACTION);
            assert_eq!(open, answer.decision == Decision::Depends);
        })
    };
    assert_eq!(decide(r#""s3:GetObject""#, "s3:NoSuchThing"), Decision::Depends);
    assert_eq!(decide(r#""s3:*""#, "s3:NoSuchThing"), Decision::Denied);
    assert_eq!(decide(r#""s3:*""#, "ec2:NoSuchThing"), Decision::Allowed);
}

#[test]
fn arns_are_those_of_the_organizations_partition() {
    let decide = |partition: &str, more: &str| {
        let resource = format!(r#""Resource":"arn:{partition}:ec2:*:*:instance/*""#);
        let (observed, _) = bound(&[&deny(r#""ec2:RunInstances""#, &resource), more].concat(), "");
        call(&observed, &Call { action: "ec2:RunInstances", ..Call::default() }, |_| {})
    };
    assert_eq!(decide("aws", ""), Decision::Denied);
    assert_eq!(decide("aws-us-gov", ""), Decision::Denied);
    // Which it is, is not known.
    let other = format!(",{}", deny(r#""s3:*""#, r#""Resource":"arn:aws-cn:s3:::b""#));
    assert_eq!(decide("aws", &other), Decision::Depends);
}

#[test]
fn an_object_that_is_named_is_not_an_access_point_as_well() {
    let asks = |resource| Call { action: "s3:GetObject", resource, ..Call::default() };
    let (observed, _) = bound(&deny(r#""s3:GetObject""#, r#""Resource":"arn:aws:s3:*:*:accesspoint/*""#), "");
    assert_eq!(call(&observed, &asks(Some("arn:aws:s3:::b/k")), |_| {}), Decision::Allowed);
    let point = format!("arn:aws:s3:eu-west-1:{DEV}:accesspoint/ap/object/k");
    assert_eq!(call(&observed, &asks(Some(&point)), |_| {}), Decision::Denied);
    assert_eq!(call(&observed, &asks(None), |_| {}), Decision::Depends);
    let function = format!("arn:aws:lambda:eu-west-1:{DEV}:function:f");
    let mappings = r#""Resource":"arn:aws:lambda:*:*:event-source-mapping:*""#;
    let (observed, _) = bound(&deny(r#""lambda:TagResource""#, mappings), "");
    let tags = Call { action: "lambda:TagResource", resource: Some(&function), ..Call::default() };
    assert_eq!(call(&observed, &tags, |_| {}), Decision::Allowed);
}

#[test]
fn what_a_variable_without_a_value_makes_of_a_negated_operator_is_not_known() {
    let role = "arn:aws:iam::222222222222:role/x";
    let user = "arn:aws:iam::222222222222:user/ana";
    let home = r#""Resource":"*","Condition":{"StringNotLike":{"s3:prefix":"${aws:username}/*"}}"#;
    let (observed, _) = bound(&deny(r#""s3:ListBucket""#, home), "");
    let asks = |principal| Call {
        action: "s3:ListBucket",
        resource: Some("arn:aws:s3:::home"),
        principal: Some(principal),
        told: &[("s3:prefix", "bob/")],
        ..Call::default()
    };
    assert_eq!(call(&observed, &asks(user), |_| {}), Decision::Denied);
    let decision = call(&observed, &asks(role), |answer| {
        assert!(answer.deciding().unwrap().verdict.depends_on.contains("aws:username"));
    });
    assert_eq!(decision, Decision::Depends);
    let not = r#"{"Effect":"Deny","Action":"s3:ListBucket","NotResource":"arn:aws:s3:::${aws:username}"}"#;
    let (observed, _) = bound(not, "");
    assert_eq!(call(&observed, &asks(role), |_| {}), Decision::Depends);
}

#[test]
fn plain_operators_on_several_values_are_sure_only_where_the_values_agree() {
    let types = r#""Resource":"*","Condition":{"StringNotLike":{"sagemaker:InstanceTypes":"ml.t3.*"}}"#;
    let (observed, _) = bound(&deny(r#""sagemaker:CreateEndpointConfig""#, types), "");
    let decide = |values: &[&str]| {
        let mut told = Facts::unknown();
        told.set("sagemaker:InstanceTypes", values.iter().copied());
        let (forest, dev): (Forest, AccountId) = (Forest::of(&observed, None), DEV.parse().unwrap());
        let action = Action::parse("sagemaker:CreateEndpointConfig").unwrap();
        let (own, standing) = (Own::default(), forest.standing(&dev).unwrap());
        let question =
            Question { account: &dev, action: &action, resource: None, principal: None, told: &told, own: &own };
        question.ask(&forest, &standing).decision
    };
    assert_eq!(decide(&["ml.t3.large", "ml.p5.48xlarge"]), Decision::Depends);
    assert_eq!(decide(&["ml.p4d.24xlarge", "ml.p5.48xlarge"]), Decision::Denied);
    assert_eq!(decide(&["ml.t3.large", "ml.t3.medium"]), Decision::Allowed);
}

#[test]
fn a_not_principal_spares_for_sure_only_who_is_listed_in_full() {
    let session = "arn:aws:sts::222222222222:assumed-role/x/s";
    let decide = |listed: &[&str], principal| {
        let listed: Vec<String> = listed.iter().map(|arn| format!("\"arn:aws:{arn}\"")).collect();
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}},
            {{"Effect":"Deny","NotPrincipal":{{"AWS":[{}]}},"Action":"s3:*","Resource":"*"}}]}}"#,
            listed.join(",")
        );
        let compiled = crate::judge::requests::compiled("RESOURCE_POLICY", &text).unwrap();
        let own = Own { resource: Some(crate::policy::eval::Ladder::new([[&compiled]])), ..Own::default() };
        let (observed, _) = bound("", "");
        let asks = Call {
            action: "s3:GetObject",
            resource: Some("arn:aws:s3:::b/k"),
            principal: Some(principal),
            told: &[("aws:ResourceAccount", DEV)],
            own,
            ..Call::default()
        };
        call(&observed, &asks, |_| {})
    };
    let (root, role, own) =
        ("iam::222222222222:root", "iam::222222222222:role/x", "sts::222222222222:assumed-role/x/s");
    assert_eq!(decide(&[root, role, own], session), Decision::Allowed);
    assert_eq!(decide(&[root, role], session), Decision::Depends);
    assert_eq!(decide(&["iam::222222222222:role/y"], session), Decision::Denied);
    let user = "arn:aws:iam::222222222222:user/ana";
    assert_eq!(decide(&[root, "iam::222222222222:user/ana"], user), Decision::Allowed);
    assert_eq!(decide(&["iam::222222222222:user/ana"], user), Decision::Depends);
}
