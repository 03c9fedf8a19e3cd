//! Somebody says stop in the middle of a pass.

use std::time::Duration;

use super::*;
use crate::support::kube::condition;
use crate::support::proxy::{Fault, Proxy};

/// What a watch event, and the call in flight, may take.
const IN_FLIGHT: Duration = Duration::from_millis(2500);

impl Scene {
    /// A controller whose writes take long enough to be stopped in the middle.
    fn slow() -> (Self, Proxy) {
        let (mut scene, proxy) = (Self::new(), Proxy::start());
        for operation in ["CreatePolicy", "AttachPolicy", "CreateOrganizationalUnit", "CreateAccount", "MoveAccount"] {
            proxy.on(operation, 0, usize::MAX, Fault::Delay(Duration::from_millis(1500)));
        }
        scene.shell = scene.shell.through(&proxy);
        (scene, proxy)
    }

    fn patch(&self, what: &str, name: &str, patch: &str) {
        self.cluster.kubectl(&["patch", &format!("{what}.bylaw.dev"), name, "--type=merge", "-p", patch]);
    }
}

/// Writes of the organization since then: the lease is none.
fn writes(proxy: &Proxy, then: Instant) -> Vec<String> {
    let lease = ["TagResource", "UntagResource"];
    proxy.writes_since(then).into_iter().filter(|name| !lease.contains(&name.as_str())).collect()
}

#[test]
fn what_is_suspended_observed_or_held_in_the_middle_of_a_pass_is_not_gone_on_with() {
    let (mut scene, proxy) = Scene::slow();
    scene.start();
    let folder = scene.unlimited();
    scene.apply(&folder);
    let root = scene.shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].clone();
    let held = json!([{"Key": "bylaw.dev/hold", "Value": "2099-01-01T00:00:00Z"}]);
    type Act<'a> = &'a dyn Fn(&Scene);
    let brakes: [(&str, Act<'_>, Act<'_>, Duration); 3] = [
        (
            "suspended",
            &|scene| scene.patch("organization", "acme", r#"{"spec":{"suspend":true}}"#),
            &|scene| scene.patch("organization", "acme", r#"{"spec":{"suspend":false}}"#),
            IN_FLIGHT,
        ),
        (
            "Observe",
            &|scene| scene.patch("organization", "acme", r#"{"spec":{"mode":"Observe"}}"#),
            &|scene| scene.patch("organization", "acme", r#"{"spec":{"mode":"Enforce"}}"#),
            IN_FLIGHT,
        ),
        (
            "held",
            &|scene| drop(scene.shell.aws("TagResource", &json!({"ResourceId": root, "Tags": held}))),
            &|scene| {
                scene.shell.aws("UntagResource", &json!({"ResourceId": root, "TagKeys": ["bylaw.dev/hold"]}));
                scene.ask();
            },
            // A look at the root is ten seconds old at most.
            IN_FLIGHT + Duration::from_secs(10),
        ),
    ];
    let mut made = 0;
    for (what, pull, release, bound) in brakes {
        let began = Instant::now();
        scene.until_aws(|| writes(&proxy, began).len() >= 2);
        pull(&scene);
        let pulled = Instant::now();
        std::thread::sleep(bound + Duration::from_secs(4));
        let late = writes(&proxy, pulled + bound);
        assert!(late.is_empty(), "{what}, and written all the same: {late:?}\n{}", scene.log(0));
        assert!(scene.log(0).contains(what), "the log does not say why:\n{}", scene.log(0));
        made += writes(&proxy, began).len();
        release(&scene);
    }
    println!("{made} writes were made before the brakes were pulled");
    for (kind, name) in DATA_SCIENCE {
        scene.until(kind, name, is_ready);
    }
    let calls = scene.shell.calls();
    assert_eq!(calls["CreateAccount"], 3, "{calls:?}");
    scene.terminate(0);
}

#[test]
fn an_account_is_not_moved_back_once_its_manifest_is_deleted() {
    let (mut scene, proxy) = Scene::slow();
    scene.start();
    scene.data_science();
    // Somebody moves all three out, and the manifest of one is deleted while bylaw moves the first back.
    let root = scene.shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].clone();
    let names = ["data-science", "data-science-production", "data-science-staging"];
    let accounts = names.map(|name| scene.cluster.get("accounts", name)["status"]["id"].clone());
    let parent =
        |account: &Value| scene.shell.aws("ListParents", &json!({"ChildId": account}))["Parents"][0]["Id"].clone();
    let before = accounts.each_ref().map(parent);
    for (account, from) in accounts.iter().zip(&before) {
        let request = json!({"AccountId": account, "SourceParentId": from, "DestinationParentId": root});
        scene.shell.aws("MoveAccount", &request);
    }
    let began = Instant::now();
    scene.ask();
    scene.until_aws(|| writes(&proxy, began).contains(&"MoveAccount".to_owned()));
    let last = accounts.iter().zip(names).zip(&before).rfind(|((account, _), _)| parent(account) == root).unwrap();
    let ((account, name), _) = last;
    scene.cluster.kubectl(&["delete", "account.bylaw.dev", name, "--timeout=30s"]);
    scene.until("organizations", "acme", |object| condition(object, "Reconciling").is_none());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(parent(account), root, "{name} was moved back:\n{}", scene.log(0));
    let moved = accounts.iter().filter(|account| parent(account) != root).count();
    assert_eq!(moved, 2, "{}", scene.log(0));
    scene.terminate(0);
}
