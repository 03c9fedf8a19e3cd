use super::*;
use crate::policy::services::action;

fn told(name: &str) -> Vec<(&'static str, Need)> {
    legs(action(name).unwrap()).iter().map(|leg| (leg.name(), leg.need)).collect()
}

fn leg(name: &str, kind: &str) -> Leg {
    legs(action(name).unwrap()).into_iter().find(|leg| leg.name() == kind).unwrap()
}

fn needs(name: &str) -> Vec<(String, When)> {
    dependents(action(name).unwrap()).iter().map(|one| (one.action.to_string(), one.when)).collect()
}

#[test]
fn a_calls_tags_are_on_what_it_creates_and_on_nothing_else() {
    let reach = |name: &str, kind: &str| tag_reaches(action(name).unwrap(), kind);
    assert_eq!(reach("ec2:CreateSubnet", "subnet"), Reach::Yes);
    assert_eq!(reach("ec2:CreateSubnet", "vpc"), Reach::No);
    for kind in ["instance", "volume", "network-interface", "spot-instances-request"] {
        assert_eq!(reach("ec2:RunInstances", kind), Reach::Yes, "{kind}");
    }
    for kind in ["image", "subnet", "security-group", "key-pair", "launch-template", "snapshot", "placement-group"] {
        assert_eq!(reach("ec2:RunInstances", kind), Reach::No, "{kind}");
    }
    assert_eq!(reach("ec2:CreateFleet", "subnet"), Reach::No);
    assert_eq!(reach("sagemaker:CreateTrainingJob", "training-job"), Reach::Yes);
    // AWS lists the key for the action as a whole.
    assert_eq!(reach("sagemaker:CreateEndpoint", "endpoint"), Reach::Yes);
    assert_eq!(reach("sagemaker:CreateEndpoint", "endpoint-config"), Reach::Unsure);
    assert_eq!(reach("s3:GetObject", "object"), Reach::No);
    assert_eq!(reach("ec2:CreateSubnet", "no-such-type"), Reach::No);
}

#[test]
fn every_leg_of_every_ec2_call_that_creates_either_takes_tags_or_lacks_them() {
    let ec2 = crate::policy::services::service("ec2").unwrap();
    for leg in ec2.actions().flat_map(legs) {
        assert_ne!(leg.tags(), Reach::Unsure, "{} {}", leg.action(), leg.name());
    }
}

#[test]
fn legs_say_which_calls_have_them() {
    assert_eq!(
        told("ec2:CreateSubnet"),
        [("ipam-pool", Need::Perhaps), ("subnet", Need::Always), ("vpc", Need::Always)]
    );
    assert_eq!(told("sagemaker:CreateEndpoint"), [("endpoint", Need::Always), ("endpoint-config", Need::Always)]);
    assert_eq!(told("s3:ListAllMyBuckets"), [("*", Need::Always)]);
    assert_eq!(leg("ec2:CreateFleet", "launch-template").need, Need::Always);
    // A model is invoked by itself or through a profile, and a tagged resource is of one type.
    let model = leg("bedrock:InvokeModel", "foundation-model").need;
    assert!(matches!(model, Need::OneOf(_)));
    assert_eq!(leg("bedrock:InvokeModel", "inference-profile").need, model);
    assert!(told("dynamodb:TagResource").iter().all(|(_, need)| *need == Need::OneOf(0)));
    assert_eq!(leg("organizations:MoveAccount", "account").need, Need::Always);
    assert!(matches!(leg("organizations:MoveAccount", "root").need, Need::OneOf(_)));
}

#[test]
fn a_key_is_known_to_be_absent_leg_by_leg() {
    let carries = |name: &str, kind: &str, key: &str| !leg(name, kind).never_carries(key);
    assert!(carries("ec2:RunInstances", "instance", "ec2:InstanceType"));
    assert!(!carries("ec2:RunInstances", "subnet", "ec2:InstanceType"));
    assert!(!carries("ec2:RunInstances", "volume", "ec2:InstanceType"));
    assert!(carries("ec2:RunInstances", "subnet", "aws:ResourceTag/team"));
    assert!(!carries("ec2:RunInstances", "instance", "aws:ResourceTag/team"));
    assert!(!carries("ec2:CreateSubnet", "vpc", "AWS:requesttag/Owner"));
    assert!(!carries("ec2:CreateSubnet", "vpc", "aws:TagKeys"));
    assert!(carries("ec2:CreateSubnet", "vpc", "ec2:Region"));
    for everywhere in ["aws:PrincipalArn", "aws:SourceVpc", "ec2:SourceInstanceArn", "aws:ResourceAccount"] {
        assert!(carries("ec2:CreateSubnet", "vpc", everywhere), "{everywhere}");
    }
    assert!(carries("sagemaker:CreateTrainingJob", "training-job", "sagemaker:InstanceTypes"));
}

#[test]
fn dependent_actions_say_when_they_are_needed() {
    let pass = |when| ("iam:PassRole".to_owned(), when);
    assert_eq!(
        needs("sagemaker:CreateTrainingJob"),
        [pass(When::PassesRole), ("sagemaker:AddTags".to_owned(), When::Tagged)]
    );
    assert!(needs("lambda:CreateFunction").contains(&pass(When::PassesRole)));
    assert!(needs("ec2:RunInstances").contains(&pass(When::MayPassRole)));
    assert!(
        needs("grafana:CreateWorkspace").iter().any(|(name, when)| name.starts_with("sso:") && *when == When::Perhaps)
    );
    assert_eq!(needs("ec2:CreateSubnet"), [("ec2:CreateTags".to_owned(), When::Tagged)]);
    // The packaged list of dependent actions is older than the actions.
    assert!(needs("ec2:CreateIpamPolicy").contains(&("ec2:CreateTags".to_owned(), When::Tagged)));
    assert_eq!(needs("ec2:CreateTags"), []);
    assert_eq!(needs("ec2:TerminateInstances"), []);
    assert_eq!(created_by(action("ec2:CreateTags").unwrap()), Some("ec2:CreateAction"));
    assert_eq!(created_by(action("rds:AddTagsToResource").unwrap()), None);
}

#[test]
fn a_call_that_creates_something_with_tags_needs_the_tagging_action_or_may() {
    for (name, tags) in [
        ("secretsmanager:CreateSecret", "secretsmanager:TagResource"),
        ("lambda:CreateFunction", "lambda:TagResource"),
        ("dynamodb:CreateTable", "dynamodb:TagResource"),
        ("iam:CreateRole", "iam:TagRole"),
        ("iam:CreateUser", "iam:TagUser"),
        ("sqs:CreateQueue", "sqs:TagQueue"),
        ("sns:CreateTopic", "sns:TagResource"),
        ("sts:AssumeRole", "sts:TagSession"),
        ("organizations:CreatePolicy", "organizations:TagResource"),
        ("rds:CreateDBInstance", "rds:AddTagsToResource"),
        ("kms:CreateKey", "kms:TagResource"),
    ] {
        let of_service = |one: &str| one.split(':').next() == name.split(':').next() && one.contains("Tag");
        let all: Vec<_> = needs(name).into_iter().filter(|(one, _)| of_service(one)).collect();
        assert_eq!(all, [(tags.to_owned(), When::Tagged)], "{name}");
    }
    // The secret of a database is tagged by the service.
    assert!(needs("rds:CreateDBInstance").contains(&("secretsmanager:TagResource".to_owned(), When::Perhaps)));
    for (name, tags) in [
        ("ecs:CreateCluster", "ecs:TagResource"),
        ("ssm:PutParameter", "ssm:AddTagsToResource"),
        ("backup:CreateBackupVault", "backup:TagResource"),
        ("autoscaling:CreateAutoScalingGroup", "autoscaling:CreateOrUpdateTags"),
        ("logs:CreateLogGroup", "logs:TagResource"),
        ("s3:CreateBucket", "s3:TagResource"),
        // The reference lists no resource type for it.
        ("bedrock:CreateAgent", "bedrock:TagResource"),
    ] {
        assert!(needs(name).contains(&(tags.to_owned(), When::MayTag)), "{name} {:?}", needs(name));
    }
    for name in ["s3:GetObject", "sns:Publish", "cleanrooms-ml:DeleteTrainingDataset", "secretsmanager:TagResource"] {
        assert!(!needs(name).iter().any(|(_, when)| matches!(when, When::Tagged | When::MayTag)), "{name}");
    }
}

#[test]
fn every_action_that_takes_the_tags_of_what_it_creates_needs_a_tagging_action_where_its_service_has_one() {
    for service in crate::policy::services::all() {
        let sets = |action: &Action| {
            action.level() == Level::Tagging && tables::SETS_TAGS.iter().any(|verb| action.name().starts_with(verb))
        };
        if !service.actions().any(|action| sets(&action)) {
            continue;
        }
        for action in service.actions().filter(|action| action.level() == Level::Write && creates_with_tags(*action)) {
            let creates = !tables::CREATES_NOTHING.iter().any(|verb| action.name().starts_with(verb));
            let asks = dependents(action).iter().any(|one| matches!(one.when, When::Tagged | When::MayTag));
            assert!(asks || !creates, "{action}");
        }
    }
}

#[test]
fn a_key_of_one_resource_may_be_in_the_context_of_the_others_where_the_service_does_not_keep_them_apart() {
    let carries = |name: &str, kind: &str, key: &str| !leg(name, kind).never_carries(key);
    for kind in ["db", "og", "pg", "subgrp"] {
        assert!(carries("rds:CreateDBInstance", kind, "rds:DatabaseClass"), "{kind}");
    }
    assert!(!carries("rds:CreateDBInstance", "og", "rds:TlsVersion"));
    assert!(!carries("ec2:RunInstances", "subnet", "ec2:InstanceType"));
}

#[test]
fn every_row_of_the_tables_is_of_something_that_aws_knows() {
    for (prefix, kinds) in tables::ALTERNATIVES {
        let known = service(prefix).unwrap().resource_types();
        assert!(kinds.len() > 1 && kinds.iter().all(|kind| known.iter().any(|one| one.name == *kind)), "{kinds:?}");
    }
    for (prefix, names) in tables::PASS_A_ROLE {
        for name in *names {
            let action = action(&format!("{prefix}:{name}")).unwrap();
            assert!(action.dependents().any(|one| one == PASS_ROLE), "{action}");
        }
    }
    for (name, kind) in tables::REQUIRED {
        assert!(legs(action(name).unwrap()).iter().any(|leg| leg.name() == *kind));
    }
    for (begins, names) in tables::TAGGING {
        let (prefix, name) = begins.split_once(':').unwrap();
        let service = service(prefix).unwrap();
        assert!(service.actions().any(|action| action.name().starts_with(name)), "{begins}");
        for name in *names {
            assert_eq!(service.action(name).unwrap().level(), Level::Tagging, "{prefix}:{name}");
        }
    }
    assert!(tables::APART.iter().all(|prefix| service(prefix).is_some()));
    for (tags, key) in tables::CREATED_BY {
        assert!(action(tags).unwrap().carries(key), "{tags} {key}");
    }
}

#[test]
fn what_is_reached_through_an_access_point_is_not_the_bucket_as_well_and_one_resource_is_tagged() {
    let alternatives = |name: &str, one: &str, other: &str| are_alternatives(&leg(name, one), &leg(name, other));
    assert!(alternatives("s3:GetObject", "object", "accesspointobject"));
    assert!(alternatives("s3:ListBucket", "accesspoint", "bucket"));
    assert!(alternatives("lambda:TagResource", "function", "eventSourceMapping"));
    assert!(alternatives("bedrock:InvokeModel", "foundation-model", "imported-model"));
    assert!(!alternatives("ec2:RunInstances", "subnet", "snapshot"));
    assert!(!alternatives("ec2:AssociateAddress", "elastic-ip", "instance"));
    assert!(!alternatives("glue:GetSchemaVersion", "registry", "schema"));
}

#[test]
fn templates_of_arns_become_patterns_of_a_place() {
    let here = Place { partition: Some("aws"), region: Some("eu-west-1"), account: Some("111122223333") };
    let vpc = leg("ec2:CreateSubnet", "vpc").arns().next().unwrap();
    assert_eq!(here.pattern(vpc), "arn:aws:ec2:eu-west-1:111122223333:vpc/*");
    assert_eq!(Place::default().pattern(vpc), "arn:*:ec2:*:*:vpc/*");
    assert!(leg("ec2:CreateSubnet", "vpc").is_of("arn:aws:ec2:eu-west-1:222222222222:vpc/vpc-0123456789abcdef0"));
    assert!(!leg("ec2:CreateSubnet", "subnet").is_of("arn:aws:ec2:eu-west-1:222222222222:vpc/vpc-0"));
}
