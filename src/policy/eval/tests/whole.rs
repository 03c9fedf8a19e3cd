//! Whole requests (IAM user guide, "Policy evaluation logic").

use super::*;

const ROLE: Caller<'_> = Caller::Role {
    account: "111122223333",
    arn: "arn:aws:iam::111122223333:role/app",
    session: Some("arn:aws:sts::111122223333:assumed-role/app/s1"),
};
const USER: Caller<'_> = Caller::User { account: "111122223333", arn: "arn:aws:iam::111122223333:user/ana" };

struct Policies {
    service_control: Option<Ladder>,
    resource_control: Option<Ladder>,
    resource: Option<Ladder>,
    identity: Option<Ladder>,
    boundary: Option<Ladder>,
    session: Option<Ladder>,
}

const NONE: Policies = Policies {
    service_control: None,
    resource_control: None,
    resource: None,
    identity: None,
    boundary: None,
    session: None,
};

fn one(statements: &str) -> Option<Ladder> {
    Some(ladder(&[&[&scp(statements)]]))
}

fn allow(actions: &str) -> Option<Ladder> {
    one(&format!(r#"{{"Effect": "Allow", "Action": "{actions}", "Resource": "*"}}"#))
}

fn deny(actions: &str) -> Option<Ladder> {
    one(&format!(r#"{{"Effect": "Deny", "Action": "{actions}", "Resource": "*"}}"#))
}

fn nothing() -> Option<Ladder> {
    allow("none:None")
}

fn granted(principal: &str) -> Option<Ladder> {
    let statement = format!(r#"{{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": {principal}}}"#);
    Some(ladder(&[&[&resource_policy(&statement)]]))
}

fn decide(policies: &Policies, caller: Caller<'_>, other_account: bool, resource_has_to_allow: bool) -> Decision {
    let (action, facts) = (Action::parse("s3:GetObject").unwrap(), Facts::complete());
    let request = Request { action: &action, resource: Some("arn:aws:s3:::b/k"), facts: &facts, caller: Some(caller) };
    let layers = Layers {
        service_control: policies.service_control.as_ref(),
        resource_control: policies.resource_control.as_ref(),
        resource: policies.resource.as_ref(),
        identity: policies.identity.as_ref(),
        boundary: policies.boundary.as_ref(),
        session: policies.session.as_ref(),
        other_account,
        resource_has_to_allow,
    };
    assert_eq!(layers.walk(&request).decision, layers.decide(&request));
    layers.decide(&request)
}

#[test]
fn every_kind_that_bounds_has_to_allow() {
    let all = |identity, boundary, session, service_control| Policies {
        identity,
        boundary,
        session,
        service_control,
        ..NONE
    };
    let cases = [
        (all(allow("s3:*"), None, None, None), Decision::Allowed),
        (all(nothing(), None, None, None), Decision::Denied),
        (all(allow("s3:*"), allow("s3:*"), allow("s3:*"), allow("*")), Decision::Allowed),
        (all(allow("s3:*"), nothing(), allow("s3:*"), allow("*")), Decision::Denied),
        (all(allow("s3:*"), allow("s3:*"), nothing(), allow("*")), Decision::Denied),
        (all(allow("s3:*"), allow("s3:*"), allow("s3:*"), nothing()), Decision::Denied),
    ];
    for (at, (policies, expected)) in cases.iter().enumerate() {
        assert_eq!(decide(policies, ROLE, false, false), *expected, "{at}");
    }
}

#[test]
fn a_deny_of_any_kind_wins() {
    let base = || Policies { identity: allow("*"), ..NONE };
    for policies in [
        Policies { service_control: deny("s3:*"), ..base() },
        Policies { resource_control: deny("s3:*"), ..base() },
        Policies {
            identity: deny("s3:*"),
            resource: granted(r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#),
            ..NONE
        },
        Policies { boundary: deny("s3:*"), ..base() },
        Policies { session: deny("s3:*"), ..base() },
    ] {
        assert_eq!(decide(&policies, ROLE, false, false), Decision::Denied);
    }
    // An RCP of one's own has no allow, and needs none.
    assert_eq!(decide(&Policies { resource_control: deny("sqs:*"), ..base() }, ROLE, false, false), Decision::Allowed);
}

#[test]
fn who_a_resource_names_in_its_own_account_needs_no_policy_of_his_own() {
    let with = |principal: &str, boundary, session| Policies {
        identity: nothing(),
        resource: granted(principal),
        boundary,
        session,
        ..NONE
    };
    let session = r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/app/s1"}"#;
    let role = r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#;
    let (user, account) = (r#"{"AWS": "arn:aws:iam::111122223333:user/ana"}"#, r#"{"AWS": "111122223333"}"#);
    let cases = [
        (ROLE, with(role, None, None), Decision::Allowed),
        // The role is named: boundary and session policies still bound it.
        (ROLE, with(role, nothing(), None), Decision::Denied),
        (ROLE, with(role, None, nothing()), Decision::Denied),
        // The session itself is named: nothing does.
        (ROLE, with(session, nothing(), nothing()), Decision::Allowed),
        (USER, with(user, nothing(), None), Decision::Allowed),
        // An account that is named hands on to its own policies.
        (USER, with(account, None, None), Decision::Denied),
        (USER, with("\"*\"", None, None), Decision::Allowed),
        (USER, with(role, None, None), Decision::Denied),
    ];
    for (at, (caller, policies, expected)) in cases.iter().enumerate() {
        assert_eq!(decide(policies, *caller, false, false), *expected, "{at}");
    }
}

#[test]
fn across_accounts_both_sides_have_to_allow() {
    let role = r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#;
    let with = |identity, resource| Policies { identity, resource, ..NONE };
    let cases = [
        (with(allow("s3:*"), granted(role)), Decision::Allowed),
        (with(allow("s3:*"), granted(r#"{"AWS": "111122223333"}"#)), Decision::Allowed),
        (with(allow("s3:*"), granted("\"*\"")), Decision::Allowed),
        (with(nothing(), granted(role)), Decision::Denied),
        (with(allow("s3:*"), None), Decision::Denied),
        (with(allow("s3:*"), granted(r#"{"AWS": "999999999999"}"#)), Decision::Denied),
    ];
    for (at, (policies, expected)) in cases.iter().enumerate() {
        assert_eq!(decide(policies, ROLE, true, false), *expected, "{at}");
    }
}

#[test]
fn a_role_and_a_key_have_to_allow_in_their_own_account_too() {
    let with = |identity, resource| Policies { identity, resource, ..NONE };
    assert_eq!(decide(&with(allow("s3:*"), None), ROLE, false, true), Decision::Denied);
    assert_eq!(
        decide(&with(allow("s3:*"), granted(r#"{"AWS": "111122223333"}"#)), ROLE, false, true),
        Decision::Allowed
    );
    assert_eq!(decide(&with(nothing(), granted(r#"{"AWS": "111122223333"}"#)), ROLE, false, true), Decision::Denied);
    assert_eq!(
        decide(&with(nothing(), granted(r#"{"AWS": "arn:aws:iam::111122223333:role/app"}"#)), ROLE, false, true),
        Decision::Allowed
    );
}

#[test]
fn root_users_services_and_strangers() {
    let root = Caller::Root { account: "111122223333" };
    // The root user has every right in its account, and the organization bounds it.
    assert_eq!(decide(&Policies { identity: nothing(), ..NONE }, root, false, false), Decision::Allowed);
    assert_eq!(decide(&Policies { service_control: deny("s3:*"), ..NONE }, root, false, false), Decision::Denied);
    let service = Caller::Service("logging.s3.amazonaws.com");
    let named = r#"{"Service": "logging.s3.amazonaws.com"}"#;
    assert_eq!(decide(&Policies { resource: granted(named), ..NONE }, service, true, false), Decision::Allowed);
    assert_eq!(
        decide(&Policies { resource: granted("\"*\""), ..NONE }, Caller::Anonymous, true, false),
        Decision::Allowed
    );
    assert_eq!(
        decide(&Policies { resource: granted(named), ..NONE }, Caller::Anonymous, true, false),
        Decision::Denied
    );
    assert_eq!(decide(&NONE, service, true, false), Decision::Denied);
}
