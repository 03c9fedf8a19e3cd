//! An API server that is slow, cut off, or without one of bylaw's kinds.

use std::time::Duration;

use super::*;
use crate::support::proxy::{Fault, Proxy};
use crate::support::relay::Relay;

/// How long a leader relies on its lease, with the call that may be in flight.
const FENCE: Duration = Duration::from_secs(12);

impl Scene {
    /// Replicas from now on reach the API server through a relay.
    fn through_relay(&mut self) -> Relay {
        let (relay, kubeconfig) = self.cluster.relay();
        self.environment.push(("KUBECONFIG".into(), kubeconfig.to_str().unwrap().into()));
        relay
    }

    fn as_declared(&self) {
        self.until("organizations", "acme", is_ready);
        for (kind, name) in DATA_SCIENCE {
            self.until(kind, name, is_ready);
        }
    }

    fn exit_code(&mut self, number: usize) -> Option<i32> {
        self.running[number].child.try_wait().unwrap().and_then(|status| status.code())
    }
}

#[test]
fn a_slow_api_server_costs_nobody_the_lease() {
    let mut scene = Scene::new();
    let relay = scene.through_relay();
    relay.delay(Duration::from_secs(2));
    scene.start();
    let folder = scene.unlimited();
    scene.apply(&folder);
    scene.as_declared();
    // Several renewals later it is still the same leader.
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(scene.exit_code(0), None, "{}", scene.log(0));
    assert_eq!(scene.log(0).matches("this replica writes").count(), 1, "{}", scene.log(0));
    relay.delay(Duration::ZERO);
    scene.terminate(0);
    assert_eq!(scene.exit_code(0), Some(0));
}

#[test]
fn a_leader_that_is_cut_off_from_its_cluster_writes_nothing_past_its_lease() {
    let mut scene = Scene::new();
    let relay = scene.through_relay();
    let proxy = Proxy::start();
    for operation in ["CreatePolicy", "AttachPolicy", "CreateOrganizationalUnit", "CreateAccount", "MoveAccount"] {
        proxy.on(operation, 0, usize::MAX, Fault::Delay(Duration::from_millis(1500)));
    }
    scene.shell = scene.shell.through(&proxy);
    scene.start();
    scene.until_aws(|| scene.log(0).contains("this replica writes"));
    let folder = scene.unlimited();
    scene.apply(&folder);
    scene.until_aws(|| proxy.seen("CreateOrganizationalUnit") >= 1);

    // Cut off for less than the lease counts: it goes on.
    relay.cut(true);
    std::thread::sleep(Duration::from_secs(4));
    relay.cut(false);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(scene.exit_code(0), None, "{}", scene.log(0));
    assert!(proxy.seen("AttachPolicy") < 3, "the plan is over too early to show anything");

    // Cut off for longer, in the middle of the plan: it ends, and what it had begun is gone on with by the next.
    let cut = Instant::now();
    relay.cut(true);
    scene.until_aws(|| scene.log(0).contains("this replica ends"));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.exit_code(0), Some(1), "{}", scene.log(0));
    let late = proxy.writes_since(cut + FENCE);
    assert!(late.is_empty(), "written without the lease: {late:?}\n{}", scene.log(0));
    assert!(!proxy.writes_since(cut).is_empty(), "it was cut off too late to show anything");
    assert!(cut.elapsed() < FENCE + Duration::from_secs(10), "it took {:?}", cut.elapsed());

    relay.cut(false);
    scene.start();
    scene.as_declared();
    let calls = scene.shell.calls();
    assert_eq!(
        (calls["CreateAccount"], calls["CreateOrganizationalUnit"], calls["CreatePolicy"]),
        (3, 3, 3),
        "{calls:?}"
    );
    scene.terminate(1);
}

#[test]
fn a_kind_that_is_deleted_from_the_cluster_and_comes_back_changes_nothing() {
    let mut scene = Scene::new();
    scene.start();
    scene.data_science();
    let before = scene.organization();
    scene.shell.calls();
    scene.cluster.kubectl(&["delete", "crd", "accounts.bylaw.dev", "organizationpolicies.bylaw.dev", "--timeout=60s"]);
    scene.until_aws(|| scene.page(0, "/readyz").0 == 503);
    let passes = scene.log(0).matches("pass over").count();
    // Whatever asks for a pass now gets none.
    scene.ask();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(scene.log(0).matches("pass over").count(), passes, "{}", scene.log(0));
    let meanwhile = scene.shell.calls();
    for call in meanwhile.keys().filter(|call| !["TagResource", "UntagResource"].contains(&call.as_str())) {
        assert!(["Get", "List", "Describe"].iter().any(|read| call.starts_with(read)), "{meanwhile:?}");
    }
    assert_eq!(scene.organization(), before);

    let crds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    scene.cluster.kubectl(&["apply", "-f", crds.to_str().unwrap()]);
    scene.cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    scene.until_aws(|| scene.page(0, "/readyz").0 == 200);
    scene.data_science();
    assert_eq!(scene.organization(), before);
    scene.terminate(0);
    let after = scene.shell.calls();
    for call in after.keys().filter(|call| !["TagResource", "UntagResource"].contains(&call.as_str())) {
        assert!(["Get", "List", "Describe"].iter().any(|read| call.starts_with(read)), "{after:?}");
    }
}
