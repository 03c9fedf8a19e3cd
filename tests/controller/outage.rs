//! AWS that does not answer, or not with these credentials; and what a start costs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::support::kube::condition;
use crate::support::proxy::{Fault, Proxy};

impl Scene {
    /// Waits until the Organization says what AWS answers, in these words; kstatus takes it for under way.
    fn until_told(&self, words: &[&str]) {
        let told = self.until("organizations", "acme", |organization| {
            condition(organization, "Ready").is_some_and(|ready| {
                let message = ready["message"].as_str().unwrap_or_default();
                ready["status"] != "True" && ready["reason"] == "AwsError" && words.iter().all(|w| message.contains(w))
            })
        });
        assert!(condition(&told, "Reconciling").is_some_and(|turn| turn["status"] == "True"), "{told:#}");
        assert_eq!(self.cluster.kstatus(&told), "InProgress", "{told:#}");
    }

    /// An interruption of AWS in the middle of the first apply, and back. What was called in 15 seconds of it.
    fn interrupted(&mut self, fault: Fault, words: &[&str]) -> Vec<String> {
        let proxy = Proxy::start();
        proxy.on("CreatePolicy", 0, usize::MAX, Fault::Delay(Duration::from_millis(1000)));
        self.shell = self.shell.through(&proxy);
        self.start();
        let folder = self.unlimited();
        self.apply(&folder);
        self.until_aws(|| proxy.seen("CreatePolicy") >= 1);
        proxy.outage(Some(fault));
        self.until_told(words);
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs(15));
        let meanwhile = proxy.since(began);
        proxy.outage(None);
        self.until("organizations", "acme", is_ready);
        for (kind, name) in DATA_SCIENCE {
            self.until(kind, name, is_ready);
        }
        let calls = self.shell.calls();
        let made = ["CreateAccount", "CreateOrganizationalUnit", "CreatePolicy"].map(|name| calls[name]);
        assert_eq!(made, [3, 3, 3], "{calls:?}");
        self.terminate(0);
        meanwhile
    }
}

#[test]
fn an_outage_of_aws_in_the_middle_of_an_apply_is_told_borne_and_gone_on_from() {
    let mut scene = Scene::new();
    let fault = Fault::Error(503, "ServiceUnavailableException", "Service is unable to handle request");
    let calls = scene.interrupted(fault, &["ServiceUnavailableException"]);
    println!("15 s of an outage: {} calls", calls.len());
    assert!(calls.len() <= 80, "{} calls: {calls:?}", calls.len());
}

#[test]
fn credentials_that_expire_are_named_and_new_ones_are_gone_on_with() {
    let mut scene = Scene::new();
    let message = "The security token included in the request is expired";
    let calls =
        scene.interrupted(Fault::Error(400, "ExpiredTokenException", message), &["expired", "get-caller-identity"]);
    println!("15 s with expired credentials: {} calls", calls.len());
    assert!(calls.len() <= 40, "{} calls: {calls:?}", calls.len());
}

#[test]
fn a_restart_on_an_unchanged_organization_reads_only_what_is_cheap() {
    let mut scene = Scene::new();
    scene.start();
    scene.data_science();
    let pod = scene.shell.home.join("pod-0").to_str().unwrap().to_owned();
    let mut counts: Vec<BTreeMap<String, u64>> = vec![];
    let mut before = 0;
    for warm in [false, true] {
        scene.terminate(before);
        scene.shell.calls();
        if warm {
            scene.environment.push(("HOME".into(), pod.clone()));
        }
        before = scene.start();
        scene.until_aws(|| scene.log(before).contains("pass over"));
        // The lease is part of a start; it is taken beside the pass.
        scene.until_aws(|| scene.log(before).contains("the lease of the organization is held"));
        counts.push(scene.shell.calls());
    }
    let [cold, warm] = &counts[..] else { panic!() };
    println!(
        "cold {} calls: {cold:?}\nwarm {} calls: {warm:?}",
        cold.values().sum::<u64>(),
        warm.values().sum::<u64>()
    );
    assert!(warm.values().sum::<u64>() < cold.values().sum::<u64>());
    assert!(cold["DescribePolicy"] > 0 && !warm.contains_key("DescribePolicy"), "{warm:?}");
    assert_eq!(warm["TagResource"], 1, "the lease, and nothing else is written: {warm:?}");
    // Root: once as a part of the organization, twice for the lease.
    assert!(warm["ListTagsForResource"] <= 3, "{warm:?}");
    scene.terminate(before);
}
