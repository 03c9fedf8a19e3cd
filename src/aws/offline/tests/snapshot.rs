//! An organization from a snapshot, and back.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_snapshot_and_back_is_the_same_organization() {
    let offline = with_scps();
    let top = root(&offline);
    let a = NodeId::Unit(unit(&offline, &top, "a").await);
    let member = account(&offline, 1);
    ok(&offline, Request::MoveAccount { account: member.clone(), from: top, to: a.clone() }).await;
    let scp = policy(&offline, &PolicyType::scp(), "p").await;
    ok(&offline, attach(&scp, &a)).await;
    ok(&offline, Request::TagResource { resource: Resource::Policy(scp), tags: tags(&[("k", "v")]) }).await;
    ok(&offline, Request::EnableAWSServiceAccess { principal: "account.amazonaws.com".into() }).await;
    ok(
        &offline,
        Request::RegisterDelegatedAdministrator { account: member, principal: "account.amazonaws.com".into() },
    )
    .await;
    begin(&offline, "x", "x@example.com").await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let first = offline.state().to_observed(Timestamp::UNIX_EPOCH);
    let text = serde_json::to_string(&first).unwrap();
    let read: crate::observed::Observed = serde_json::from_str(&text).unwrap();
    let again = Offline::from_observed(&read, Options::default());
    assert_eq!(again.state().to_observed(Timestamp::UNIX_EPOCH), first);
    // And it goes on as one.
    unit(&again, &a, "b").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_snapshot_did_not_read_is_as_aws_starts_it() {
    let offline = with_scps();
    account(&offline, 1);
    let mut observed = offline.state().to_observed(Timestamp::UNIX_EPOCH);
    for policy in observed.policies.values_mut() {
        policy.targets = crate::observed::Part::Unread;
        policy.content = crate::observed::Part::Unread;
    }
    let again = Offline::from_observed(&observed, Options::default());
    assert_eq!(again.state().to_observed(Timestamp::UNIX_EPOCH), offline.state().to_observed(Timestamp::UNIX_EPOCH));
    observed.policies.clear();
    let again = Offline::from_observed(&observed, Options::default());
    assert_eq!(again.state().policies().len(), 2, "AWS's own policies are always there");
}
