//! Policies, their attachments, and policy types.

use super::*;

#[tokio::test(start_paused = true)]
async fn policies_have_names_documents_sizes_and_numbers() {
    let offline = Offline::new(Options::default());
    let scp = PolicyType::scp();
    // The type need not be on to create one, only to attach it.
    let a = policy(&offline, &scp, "a").await;
    assert_eq!(code(&offline, attach(&a, &root(&offline))).await, "PolicyTypeNotEnabledException");
    assert_eq!(code(&offline, detach(&a, &root(&offline))).await, "PolicyNotAttachedException");
    assert_eq!(code(&offline, create_policy(&scp, "a", DENY)).await, "DuplicatePolicyException");
    assert_eq!(code(&offline, create_policy(&scp, "FullAWSAccess", DENY)).await, "DuplicatePolicyException");
    // The same name in another type is another policy.
    ok(&offline, create_policy(&PolicyType::new("TAG_POLICY"), "a", r#"{"tags":{}}"#)).await;
    for bad in ["not json", "[]", "{", "\u{feff}{}"] {
        assert_eq!(code(&offline, create_policy(&scp, "b", bad)).await, "MalformedPolicyDocumentException", "{bad}");
    }
    // JSON that is no policy of the type: an SCP names no principal, an RCP denies only.
    let principal = DENY.replace(r#""Action""#, r#""Principal":"*","Action""#);
    assert_eq!(code(&offline, create_policy(&scp, "b", &principal)).await, "MalformedPolicyDocumentException");
    let allow = principal.replace("Deny", "Allow");
    let request = create_policy(&PolicyType::rcp(), "b", &allow);
    assert_eq!(code(&offline, request).await, "MalformedPolicyDocumentException");
    assert_eq!(code(&offline, create_policy(&scp, "b", "")).await, "InvalidInputException");
    assert_eq!(code(&offline, create_policy(&scp, "", DENY)).await, "InvalidInputException");
    assert_eq!(code(&offline, create_policy(&PolicyType::new("X"), "b", DENY)).await, "InvalidInputException");
    // Size is counted as sent, white space and all.
    let padded = |length: usize| format!("{DENY}{}", " ".repeat(length - DENY.len()));
    ok(&offline, create_policy(&scp, "largest", &padded(10_240))).await;
    assert_eq!(reason(&offline, create_policy(&scp, "b", &padded(10_241))).await, "POLICY_CONTENT_LIMIT_EXCEEDED");
    let rcp = PolicyType::rcp();
    assert_eq!(reason(&offline, create_policy(&rcp, "b", &padded(5_121))).await, "POLICY_CONTENT_LIMIT_EXCEEDED");
    let b = policy(&offline, &scp, "b").await;
    let update = |policy: &PolicyId, name: Option<&str>, content: Option<&str>| Request::UpdatePolicy {
        policy: policy.clone(),
        name: name.map(str::to_owned),
        description: None,
        content: content.map(str::to_owned),
    };
    assert_eq!(code(&offline, update(&b, Some("a"), None)).await, "DuplicatePolicyException");
    assert_eq!(code(&offline, update(&b, None, Some("nope"))).await, "MalformedPolicyDocumentException");
    ok(&offline, update(&b, Some("b"), Some(&padded(200)))).await;
    ok(&offline, update(&b, Some("c"), None)).await;
    let Response::Policy { summary, content } = ok(&offline, Request::DescribePolicy { policy: b.clone() }).await
    else {
        panic!()
    };
    assert_eq!((summary.name.as_str(), content.len()), ("c", 200), "the document stays byte for byte");
    ok(&offline, create_policy(&scp, "b", DENY)).await;
    let gone: PolicyId = "p-00000000".parse().unwrap();
    assert_eq!(code(&offline, update(&gone, None, None)).await, "PolicyNotFoundException");
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    assert_eq!(reason(&offline, update(&full, Some("x"), None)).await, "IMMUTABLE_POLICY");
    assert_eq!(reason(&offline, Request::DeletePolicy { policy: full }).await, "IMMUTABLE_POLICY");
    offline.with(|state| {
        let kind = PolicyType::new("TAG_POLICY");
        (1..1_000).for_each(|number| drop(state.add_policy(&kind, &format!("{number}"), "{}")));
    });
    let request = create_policy(&PolicyType::new("TAG_POLICY"), "one too many", r#"{"tags":{}}"#);
    assert_eq!(reason(&offline, request).await, "POLICY_NUMBER_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn attachments_have_slots_and_the_last_scp_stays() {
    let offline = with_scps();
    let (scp, top) = (PolicyType::scp(), root(&offline));
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    let target = NodeId::Unit(unit(&offline, &top, "a").await);
    assert_eq!(reason(&offline, detach(&full, &target)).await, "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    let mut own = vec![];
    for number in 0..10 {
        own.push(policy(&offline, &scp, &format!("p{number}")).await);
    }
    for policy in &own[..9] {
        ok(&offline, attach(policy, &target)).await;
    }
    assert_eq!(reason(&offline, attach(&own[9], &target)).await, "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    assert_eq!(code(&offline, attach(&own[0], &target)).await, "DuplicatePolicyAttachmentException");
    assert_eq!(code(&offline, Request::DeletePolicy { policy: own[0].clone() }).await, "PolicyInUseException");
    ok(&offline, detach(&full, &target)).await;
    assert_eq!(code(&offline, detach(&full, &target)).await, "PolicyNotAttachedException");
    ok(&offline, attach(&own[9], &target)).await;
    for policy in &own[..9] {
        ok(&offline, detach(policy, &target)).await;
    }
    assert_eq!(reason(&offline, detach(&own[9], &target)).await, "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    ok(&offline, Request::DeletePolicy { policy: own[0].clone() }).await;
    assert_eq!(code(&offline, attach(&own[0], &target)).await, "PolicyNotFoundException");
    let nobody = NodeId::Account("000000000000".parse().unwrap());
    assert_eq!(code(&offline, attach(&own[1], &nobody)).await, "TargetNotFoundException");
    assert_eq!(code(&offline, detach(&own[1], &nobody)).await, "TargetNotFoundException");
    let request = Request::ListPoliciesForTarget { target, kind: scp, token: None };
    let Response::Policies(page) = ok(&offline, request).await else { panic!() };
    assert_eq!(page.items.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["p9"]);
}

#[tokio::test(start_paused = true)]
async fn rcps_have_four_slots_beside_awss_own_and_other_types_have_no_least() {
    let offline = with_scps();
    let (rcp, top) = (PolicyType::rcp(), root(&offline));
    let ai = PolicyType::new("AISERVICES_OPT_OUT_POLICY");
    let made = offline.with(|state| {
        state.set_policy_type(&rcp, true);
        state.set_policy_type(&ai, true);
        (0..5).map(|number| state.add_policy(&rcp, &format!("r{number}"), "{}")).collect::<Vec<_>>()
    });
    for policy in &made[..4] {
        ok(&offline, attach(policy, &top)).await;
    }
    assert_eq!(reason(&offline, attach(&made[4], &top)).await, "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    let opt_out = offline.with(|state| state.add_policy(&ai, "opt out", "{}"));
    ok(&offline, attach(&opt_out, &top)).await;
    ok(&offline, detach(&opt_out, &top)).await;
}

#[tokio::test(start_paused = true)]
async fn turning_a_type_off_takes_every_attachment_of_it() {
    let offline = with_scps();
    offline.with(|state| state.set_policy_type(&PolicyType::scp(), false));
    let state = offline.state();
    assert!(state.nodes().all(|node| state.attached(&node).is_empty()));
}
