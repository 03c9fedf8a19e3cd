//! Recorded calls under two organizations, from their records to the figures.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::aws::offline::{Offline, Options};
use crate::names::{AccountId, PolicyType};
use crate::observed::Observed;
use crate::trail::fold::{Fold, Time};
use crate::trail::record::Record;
use crate::trail::tally::{Effect, Tally};

/// An organization of the account `dev` under the root, with policies attached to the root.
fn organization(policies: &[(&PolicyType, &str)]) -> (Observed, AccountId) {
    let offline = Offline::new(Options::default());
    let dev = offline.with(|state| {
        let root = state.root_node();
        for kind in [PolicyType::scp(), PolicyType::rcp()] {
            state.set_policy_type(&kind, true);
        }
        let dev = state.add_account(&root, "dev", "dev@example.com");
        for (at, (kind, statements)) in policies.iter().enumerate() {
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
            let policy = state.add_policy(kind, &format!("policy-{at}"), &text);
            state.attach(&policy, &root);
        }
        dev
    });
    (offline.state().to_observed(Timestamp::UNIX_EPOCH), dev)
}

/// What adding the policies changes for the records, which are told the account's id.
fn change(policies: &[(&PolicyType, &str)], records: impl Fn(&str) -> Vec<Value>) -> Tally {
    let ((old, dev), (new, _)) = (organization(&[]), organization(policies));
    let (before, after) = (Forest::of(&old, None), Forest::of(&new, None));
    let (before_ways, after_ways) = (Ways::of(&before), Ways::of(&after));
    let impact = Impact::new((&before, &before_ways), (&after, &after_ways));
    let mut fold = Fold::new(&impact, Time::default(), 1_000);
    for record in records(dev.as_str()) {
        let text = record.to_string();
        fold.add(&Record::parse(&text).unwrap(), 1, None);
    }
    fold.tally
}

fn deny(rest: &str) -> String {
    format!(r#"{{"Sid":"It","Effect":"Deny",{rest}}}"#)
}

/// How many calls an SCP newly denies, at least and at most.
fn by_scp(rest: &str, records: impl Fn(&str) -> Vec<Value>) -> (u64, u64) {
    change(&[(&PolicyType::scp(), &deny(rest))], records).figures(true)
}

fn by_rcp(rest: &str, records: impl Fn(&str) -> Vec<Value>) -> (u64, u64) {
    change(&[(&PolicyType::rcp(), &deny(&format!(r#""Principal":"*",{rest}"#)))], records).figures(true)
}

/// A call of a role's session.
fn call(account: &str, source: &str, name: &str, parameters: Value) -> Value {
    json!({
        "eventTime": "2026-10-01T09:00:01Z", "eventSource": format!("{source}.amazonaws.com"), "eventName": name,
        "awsRegion": "eu-west-1", "sourceIPAddress": "198.51.100.7", "eventType": "AwsApiCall",
        "recipientAccountId": account, "requestParameters": parameters,
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAX:ana", "accountId": account,
            "arn": format!("arn:aws:sts::{account}:assumed-role/dev/ana"),
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": format!("arn:aws:iam::{account}:role/dev"), "accountId": account},
                "attributes": {"creationDate": "2026-10-01T08:00:00Z", "mfaAuthenticated": "false"},
            },
        },
    })
}

fn with(mut record: Value, more: Value) -> Value {
    let (Value::Object(record), Value::Object(more)) = (&mut record, more) else { panic!("no objects") };
    record.extend(more);
    Value::Object(record.clone())
}

const ALL: &str = r#""Resource":"*""#;

#[test]
fn calls_whose_action_is_not_known_are_decided_by_what_speaks_of_their_whole_service() {
    let calls = |account: &str| {
        vec![
            call(account, "ec2", "CreateSomethingNew", Value::Null),
            call(account, "newservice", "CreateIt", Value::Null),
            call(account, "billingconsole", "GetSomething", Value::Null),
        ]
    };
    let region = r#""Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-central-1"}}"#;
    let cases = [
        (format!(r#""NotAction":["iam:*","sts:*"],{ALL},{region}"#), (3, 3)),
        (format!(r#""Action":"*",{ALL},{region}"#), (3, 3)),
        (format!(r#""Action":"ec2:*",{ALL}"#), (1, 1)),
        (format!(r#""Action":"ec2:RunInstances",{ALL}"#), (0, 1)),
        (format!(r#""Action":"s3:PutObject",{ALL}"#), (0, 0)),
        // A source that is not known may be of a service whose source is not.
        (format!(r#""Action":"q:*",{ALL}"#), (0, 1)),
        (format!(r#""Action":"invoicing:*",{ALL}"#), (0, 1)),
    ];
    for (rest, expected) in cases {
        assert_eq!(by_scp(&rest, calls), expected, "{rest}");
    }
    let tally = change(&[(&PolicyType::scp(), &deny(&format!(r#""Action":"ec2:RunInstances",{ALL}"#)))], calls);
    let [row] = tally.of(Effect::Unknown)[..] else { panic!("{:?}", tally.rows) };
    assert_eq!((&*row.line.action, &*row.line.change.keys[0]), ("ec2.amazonaws.com:CreateSomethingNew", "action"));
    assert_eq!(tally.open.len(), 3);
    assert_eq!(tally.evaluated, 3);
}

#[test]
fn a_version_of_an_object_has_actions_of_its_own() {
    let parameters = |version: bool| {
        let mut parameters = json!({"bucketName": "b", "key": "k"});
        if version {
            parameters["versionId"] = json!("3HL4");
        }
        parameters
    };
    for (name, action) in [
        ("GetObject", "GetObject"),
        ("HeadObject", "GetObject"),
        ("DeleteObject", "DeleteObject"),
        ("GetObjectAcl", "GetObjectAcl"),
        ("PutObjectAcl", "PutObjectAcl"),
        ("GetObjectTagging", "GetObjectTagging"),
        ("PutObjectTagging", "PutObjectTagging"),
        ("DeleteObjectTagging", "DeleteObjectTagging"),
    ] {
        let versioned = action.replacen("Object", "ObjectVersion", 1);
        for (denied, of_version, expected) in
            [(action, false, 1), (action, true, 0), (versioned.as_str(), true, 1), (versioned.as_str(), false, 0)]
        {
            let found = by_scp(&format!(r#""Action":"s3:{denied}",{ALL}"#), |account| {
                vec![call(account, "s3", name, parameters(of_version))]
            });
            assert_eq!(found, (expected, expected), "{name} {denied} {of_version}");
        }
        // Where the parameters are not told, it is one of both.
        let untold = |account: &str| vec![call(account, "s3", name, Value::Null)];
        assert_eq!(by_scp(&format!(r#""Action":"s3:{action}",{ALL}"#), untold), (0, 1), "{name}");
        let both = format!(r#""Action":["s3:{action}","s3:{versioned}"],{ALL}"#);
        assert_eq!(by_scp(&both, untold), (1, 1), "{name}");
    }
}

#[test]
fn a_call_needs_all_that_it_asks_for() {
    let copy = |account: &str| {
        let parameters = json!({"bucketName": "b", "key": "k", "x-amz-copy-source": "secrets/x"});
        vec![call(account, "s3", "CopyObject", parameters)]
    };
    assert_eq!(by_scp(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::secrets/*""#, copy), (1, 1));
    assert_eq!(by_scp(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#, copy), (0, 0));
    let reencrypt = |account: &str| {
        let key = |id: &str| format!("arn:aws:kms:eu-west-1:{account}:key/{id}");
        vec![call(account, "kms", "ReEncrypt", json!({"sourceKeyId": key("a"), "destinationKeyId": key("b")}))]
    };
    assert_eq!(by_scp(r#""Action":"kms:ReEncryptTo","Resource":"arn:aws:kms:*:*:key/b""#, reencrypt), (1, 1));
    assert_eq!(by_scp(r#""Action":"kms:ReEncryptTo","Resource":"arn:aws:kms:*:*:key/a""#, reencrypt), (0, 0));
    let statement = |account: &str| vec![call(account, "dynamodb", "ExecuteStatement", Value::Null)];
    assert_eq!(by_scp(&format!(r#""Action":"dynamodb:PartiQLDelete",{ALL}"#), statement), (0, 1));
    assert_eq!(by_scp(&format!(r#""Action":"dynamodb:PartiQL*",{ALL}"#), statement), (1, 1));
    // Parameters of a form that is not known say nothing, and calls in two regions are two.
    let odd = |account: &str| {
        let write = call(account, "dynamodb", "TransactWriteItems", json!({"items": []}));
        vec![write.clone(), with(write, json!({"awsRegion": "us-east-1"}))]
    };
    let region = r#""Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#;
    assert_eq!(by_scp(&format!(r#""Action":"dynamodb:*",{ALL},{region}"#), odd), (1, 1));
    assert_eq!(by_scp(&format!(r#""Action":"dynamodb:PutItem",{ALL},{region}"#), odd), (0, 1));
}

#[test]
fn actions_that_no_record_shows_are_asked_for_as_well() {
    let role = |account: &str| format!("arn:aws:iam::{account}:role/app");
    let tags = json!({"items": [{"resourceType": "instance", "tags": [{"key": "a", "value": "b"}]}]});
    let run = |account: &str| vec![call(account, "ec2", "RunInstances", json!({"tagSpecificationSet": tags}))];
    let pass = format!(r#""Action":"iam:PassRole",{ALL}"#);
    let create = |account: &str| {
        vec![call(account, "lambda", "CreateFunction20150331", json!({"functionName": "f", "role": role(account)}))]
    };
    assert_eq!(by_scp(&pass, create), (1, 1));
    assert_eq!(by_scp(r#""Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/app""#, create), (1, 1));
    assert_eq!(by_scp(r#""Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/other""#, create), (0, 0));
    let passed_to = |service: &str| {
        format!(r#""Action":"iam:PassRole",{ALL},"Condition":{{"StringEquals":{{"iam:PassedToService":"{service}"}}}}"#)
    };
    assert_eq!(by_scp(&passed_to("lambda.amazonaws.com"), create), (1, 1));
    assert_eq!(by_scp(&passed_to("ec2.amazonaws.com"), create), (0, 0));
    // No role is passed, or it is not told whether one is.
    assert_eq!(by_scp(&pass, run), (0, 0));
    let template = |account: &str| {
        vec![call(account, "ec2", "RunInstances", json!({"launchTemplate": {"launchTemplateId": "lt-1"}}))]
    };
    assert_eq!(by_scp(&pass, template), (0, 1));
    let tagging = format!(r#""Action":"ec2:CreateTags",{ALL}"#);
    assert_eq!(by_scp(&tagging, run), (1, 1));
    let untagged = |account: &str| vec![call(account, "ec2", "RunInstances", json!({"instanceType": "t3.micro"}))];
    assert_eq!(by_scp(&tagging, untagged), (0, 0));
    assert_eq!(by_scp(&tagging, template), (0, 1));
    assert_eq!(by_scp(r#""Action":"ec2:CreateTags","Resource":"arn:aws:ec2:*:*:volume/*""#, run), (0, 0));
    let by_hand = format!(
        r#""Action":"ec2:CreateTags",{ALL},"Condition":{{"StringNotEquals":{{"ec2:CreateAction":["RunInstances","CreateVolume"]}}}}"#
    );
    assert_eq!(by_scp(&by_hand, run), (0, 0));
    let itself = |account: &str| vec![call(account, "ec2", "CreateTags", json!({"tagSet": {"items": []}}))];
    assert_eq!(by_scp(&by_hand, itself), (1, 1));
    let train = |account: &str| {
        let parameters =
            json!({"trainingJobName": "t", "roleArn": role(account), "tags": [{"key": "a", "value": "b"}]});
        vec![call(account, "sagemaker", "CreateTrainingJob", parameters)]
    };
    assert_eq!(by_scp(&format!(r#""Action":"sagemaker:AddTags",{ALL}"#), train), (1, 1));
    // What AWS only says may be asked for is in the upper bound.
    let grafana = |account: &str| vec![call(account, "grafana", "CreateWorkspace", json!({}))];
    assert_eq!(by_scp(&format!(r#""Action":"sso:*",{ALL}"#), grafana), (0, 1));
}

#[test]
fn a_tag_is_on_the_resources_of_its_type_alone() {
    let run = |kinds: &'static [&'static str]| {
        move |account: &str| {
            let items: Vec<Value> = kinds
                .iter()
                .map(|kind| json!({"resourceType": kind, "tags": [{"key": "team", "value": "ml"}]}))
                .collect();
            vec![call(account, "ec2", "RunInstances", json!({"tagSpecificationSet": {"items": items}}))]
        }
    };
    let untagged = |on: &str| {
        format!(
            r#""Action":"ec2:RunInstances","Resource":"{on}","Condition":{{"Null":{{"aws:RequestTag/team":"true"}}}}"#
        )
    };
    let volumes = untagged("arn:aws:ec2:*:*:volume/*");
    assert_eq!(by_scp(&volumes, run(&["instance"])), (1, 1));
    assert_eq!(by_scp(&volumes, run(&["instance", "volume"])), (0, 0));
    assert_eq!(by_scp(&untagged("arn:aws:ec2:*:*:instance/*"), run(&["instance"])), (0, 0));
    // The image never carries a tag of the request.
    assert_eq!(by_scp(&untagged("*"), run(&["instance", "volume", "network-interface"])), (1, 1));
    let subnet = |account: &str| {
        let tags = json!({"items": [{"resourceType": "subnet", "tags": [{"key": "team", "value": "ml"}]}]});
        vec![call(account, "ec2", "CreateSubnet", json!({"vpcId": "vpc-1", "tagSpecificationSet": tags}))]
    };
    let lacking = |on: &str| {
        format!(
            r#""Action":"ec2:CreateSubnet","Resource":"{on}","Condition":{{"Null":{{"aws:RequestTag/team":"true"}}}}"#
        )
    };
    assert_eq!(by_scp(&lacking("*"), subnet), (1, 1));
    assert_eq!(by_scp(&lacking("arn:aws:ec2:*:*:subnet/*"), subnet), (0, 0));
}

/// A record of somebody who is no principal of the organization, delivered to the resource's account.
fn visit(account: &str, identity: Value, source: &str, name: &str, parameters: Value) -> Value {
    with(call(account, source, name, parameters), json!({"userIdentity": identity}))
}

#[test]
fn rcps_bind_whoever_calls() {
    let web = |account: &str| {
        let role = json!({"roleArn": format!("arn:aws:iam::{account}:role/irsa"), "roleSessionName": "b"});
        let provider = json!({"type": "WebIdentityUser", "userName": "u", "identityProvider": format!("arn:aws:iam::{account}:oidc-provider/x")});
        let saml = json!({"type": "SAMLUser", "principalId": "x:ana", "userName": "ana", "identityProvider": "x"});
        vec![
            visit(account, provider, "sts", "AssumeRoleWithWebIdentity", role.clone()),
            visit(account, saml, "sts", "AssumeRoleWithSAML", role),
        ]
    };
    let assume = format!(r#""Action":["sts:AssumeRoleWithWebIdentity","sts:AssumeRoleWithSAML"],{ALL}"#);
    assert_eq!(by_rcp(&assume, web), (2, 2));
    // No SCP binds who is of no account.
    assert_eq!(by_scp(&assume, web), (0, 0));
    let of_role = r#""Action":"sts:AssumeRoleWithWebIdentity","Resource":"arn:aws:iam::*:role/irsa""#;
    assert_eq!(by_rcp(of_role, web), (1, 1));
    let put = |identity: Value| {
        move |account: &str| {
            let record = visit(account, identity.clone(), "s3", "PutObject", json!({"bucketName": "b", "key": "k"}));
            vec![with(record, json!({"resources": [{"accountId": account, "ARN": "arn:aws:s3:::b"}]}))]
        }
    };
    let service = json!({"type": "AWSService", "invokedBy": "delivery.logs.amazonaws.com"});
    let conditions = |conditions: &str| format!(r#""Action":"s3:PutObject",{ALL},"Condition":{conditions}"#);
    // AWS's sample against confused deputies hangs on what no record tells.
    let deputy =
        r#"{"StringNotEqualsIfExists":{"aws:SourceOrgID":"o-a1b2c3d4e5"},"Bool":{"aws:PrincipalIsAWSService":"true"}}"#;
    assert_eq!(by_rcp(&conditions(deputy), put(service.clone())), (0, 1));
    let named = r#"{"StringNotEquals":{"aws:PrincipalServiceName":"cloudtrail.amazonaws.com"}}"#;
    assert_eq!(by_rcp(&conditions(named), put(service.clone())), (1, 1));
    let people = r#"{"Bool":{"aws:PrincipalIsAWSService":"false"}}"#;
    assert_eq!(by_rcp(&conditions(people), put(service)), (0, 0));
    let anonymous = json!({"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL", "principalId": ""});
    assert_eq!(by_rcp(&conditions(people), put(anonymous.clone())), (1, 1));
    let known = r#"{"StringEquals":{"aws:PrincipalAccount":"anonymous"}}"#;
    assert_eq!(by_rcp(&conditions(known), put(anonymous)), (1, 1));
    let outsider = json!({"type": "AWSAccount", "accountId": "888888888888", "principalId": "AROAY:s"});
    assert_eq!(by_rcp(&conditions(people), put(outsider.clone())), (1, 1));
    // The record of the resource's account, where the caller's account has another.
    let copy = |account: &str| vec![with(put(outsider.clone())(account).remove(0), json!({"sharedEventID": "x"}))];
    assert_eq!(by_rcp(&conditions(people), copy), (1, 1));
    assert_eq!(by_scp(&conditions(people), copy), (0, 0));
    let linked = json!({
        "type": "AssumedRole", "accountId": "888888888888", "arn": "a",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::888888888888:role/aws-service-role/x/y"}},
    });
    assert_eq!(by_rcp(&conditions(people), put(linked)), (0, 0));
}

#[test]
fn a_call_of_the_organization_into_another_account_is_under_that_accounts_rcps() {
    let away = |account: &str| {
        let record = call(account, "s3", "GetObject", json!({"bucketName": "theirs", "key": "k"}));
        let resources =
            json!([{"ARN": "arn:aws:s3:::theirs/k"}, {"accountId": "888888888888", "ARN": "arn:aws:s3:::theirs"}]);
        vec![with(record, json!({"resources": resources}))]
    };
    let all = format!(r#""Action":"s3:GetObject",{ALL}"#);
    assert_eq!(by_rcp(&all, away), (0, 0), "no RCP of ours binds a bucket of others");
    assert_eq!(by_scp(&all, away), (1, 1));
    let outside = |operator: &str| {
        format!(
            r#""Action":"s3:GetObject",{ALL},"Condition":{{"{operator}":{{"aws:ResourceAccount":"888888888888"}}}}"#
        )
    };
    assert_eq!(by_scp(&outside("StringEquals"), away), (1, 1));
    assert_eq!(by_scp(&outside("StringNotEquals"), away), (0, 0));
    // Nobody tells whose it is.
    let untold = |account: &str| {
        let record = call(account, "s3", "GetObject", json!({"bucketName": "theirs", "key": "k"}));
        vec![with(record, json!({"sharedEventID": "x"}))]
    };
    assert_eq!(by_rcp(&all, untold), (0, 1));
}

#[test]
fn keys_stand_in_many_places_of_a_record() {
    let get = |more: Value| {
        move |account: &str| {
            vec![with(call(account, "s3", "GetObject", json!({"bucketName": "b", "key": "k"})), more.clone())]
        }
    };
    let when = |condition: &str| format!(r#""Action":"s3:GetObject",{ALL},"Condition":{condition}"#);
    let old_tls = when(r#"{"NumericLessThan":{"s3:TlsVersion":"1.2"}}"#);
    assert_eq!(by_scp(&old_tls, get(json!({"tlsDetails": {"tlsVersion": "TLSv1.1"}}))), (1, 1));
    assert_eq!(by_scp(&old_tls, get(json!({"tlsDetails": {"tlsVersion": "TLSv1.3"}}))), (0, 0));
    assert_eq!(by_scp(&old_tls, get(json!({}))), (0, 1));
    let presigned = when(r#"{"StringNotEquals":{"s3:authType":"REST-HEADER"}}"#);
    assert_eq!(
        by_scp(&presigned, get(json!({"additionalEventData": {"AuthenticationMethod": "QueryString"}}))),
        (1, 1)
    );
    assert_eq!(by_scp(&presigned, get(json!({"additionalEventData": {"AuthenticationMethod": "AuthHeader"}}))), (0, 0));
    let signature = when(r#"{"StringNotEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}}"#);
    assert_eq!(by_scp(&signature, get(json!({"additionalEventData": {"SignatureVersion": "SigV2"}}))), (1, 1));
    assert_eq!(by_scp(&signature, get(json!({"additionalEventData": {"SignatureVersion": "SigV4"}}))), (0, 0));
}

#[test]
fn what_aws_exempts_is_denied_by_nothing() {
    let who = |account: &str| vec![call(account, "sts", "GetCallerIdentity", Value::Null)];
    assert_eq!(by_scp(&format!(r#""Action":"*",{ALL}"#), who), (0, 0));
    let retire = |account: &str| vec![call(account, "kms", "RetireGrant", json!({"grantId": "g"}))];
    assert_eq!(by_rcp(&format!(r#""Action":"kms:*",{ALL}"#), retire), (0, 0));
    assert_eq!(by_scp(&format!(r#""Action":"kms:*",{ALL}"#), retire), (1, 1));
    let decrypt = |account: &str| vec![call(account, "kms", "Decrypt", json!({}))];
    assert_eq!(by_rcp(&format!(r#""Action":"kms:*",{ALL}"#), decrypt), (1, 1));
}

#[test]
fn an_account_that_manifests_do_not_name_by_its_id_may_be_anywhere_in_the_organization() {
    let region = format!(r#""Action":"ec2:*",{ALL}"#);
    let change = |kind: &PolicyType, rest: &str, known: bool, record: &dyn Fn(&str) -> Value| {
        let ((old, dev), (new, _)) = (organization(&[]), organization(&[(kind, &deny(rest))]));
        let (before, after) = (Forest::of(&old, None), Forest::of(&new, None));
        let ids: BTreeSet<AccountId> = known.then(|| dev.clone()).into_iter().collect();
        let (before_ways, after_ways) = (Ways::of_declared(&before, &ids), Ways::of_declared(&after, &ids));
        let impact = Impact::new((&before, &before_ways), (&after, &after_ways));
        let mut fold = Fold::new(&impact, Time::default(), 1_000);
        let text = record(dev.as_str()).to_string();
        fold.add(&Record::parse(&text).unwrap(), 1, None);
        let keys: Vec<String> =
            fold.tally.rows.iter().flat_map(|row| &row.line.change.keys).map(ToString::to_string).collect();
        (fold.tally.figures(true), keys)
    };
    let run = |account: &str| call(account, "ec2", "CreateVpc", json!({"cidrBlock": "10.0.0.0/16"}));
    let scp = PolicyType::scp();
    assert_eq!(change(&scp, &region, true, &run), ((1, 1), vec![]));
    // The id of `dev` is made up, where no manifest names it: so no record is known to be of it, and any may be.
    assert_eq!(change(&scp, &region, false, &run), ((0, 1), vec!["account".to_owned()]));
    let elsewhere = |_: &str| run("999900001111");
    assert_eq!(change(&scp, &region, true, &elsewhere), ((0, 1), vec!["account".to_owned()]));
    // What no policy speaks of stays as it is, wherever the account is.
    assert_eq!(change(&scp, &format!(r#""Action":"s3:*",{ALL}"#), true, &elsewhere), ((0, 0), vec![]));
    // The same of whose resource it is.
    let get = |dev: &str| {
        let resources = json!([{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::b/k", "accountId": "999900001111"}]);
        with(call(dev, "s3", "GetObject", json!({"bucketName": "b", "key": "k"})), json!({"resources": resources}))
    };
    let rcp = PolicyType::rcp();
    let of_s3 = format!(r#""Principal":"*","Action":"s3:*",{ALL}"#);
    assert_eq!(change(&rcp, &of_s3, true, &get), ((0, 1), vec!["account".to_owned()]));
}
