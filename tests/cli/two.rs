//! Two at once, one that is told to stop, one that is killed.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::proxy::{Fault, Proxy};
use crate::support::shell::{Ran, Shell};

/// Waits until so many calls of an operation have reached the proxy.
fn until(proxy: &Proxy, operation: &str, calls: usize) {
    let began = Instant::now();
    while proxy.seen(operation) < calls {
        assert!(began.elapsed() < Duration::from_secs(40), "{operation} is not called");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap().success());
}

fn lease(shell: &Shell) -> Option<String> {
    let root = shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].clone();
    let tags = shell.aws("ListTagsForResource", &json!({"ResourceId": root}));
    let tag = tags["Tags"].as_array().unwrap().iter().find(|tag| tag["Key"] == "bylaw.dev/lease")?.clone();
    Some(tag["Value"].as_str().unwrap().to_owned())
}

fn slow() -> Proxy {
    let proxy = Proxy::start();
    for operation in ["CreatePolicy", "AttachPolicy", "CreateOrganizationalUnit"] {
        proxy.on(operation, 0, usize::MAX, Fault::Delay(Duration::from_millis(1500)));
    }
    proxy
}

#[test]
#[cfg(unix)]
fn who_is_told_to_stop_finishes_the_call_in_flight() {
    for name in ["INT", "TERM"] {
        let shell = Shell::new();
        let files = shell.data_science();
        let proxy = slow();
        let child = shell.through(&proxy).spawn(&["apply", "-f", &files, "--yes"]);
        until(&proxy, "CreatePolicy", 1);
        signal(name, child.id());
        let ran = Ran::from(child.wait_with_output().unwrap()).exits(1);
        let ran = ran.says(&["Applied 6 of 17 changes", "stopped on request", "the next run goes on"]);
        ran.complains(&["stopping after the call in flight"]);
        assert_eq!(lease(&shell), None, "the lease is given back");
        let calls = shell.calls();
        assert_eq!(calls["CreatePolicy"], 1, "{calls:?}");
        shell.run(&["apply", "-f", &files, "--yes"]).exits(0).says(&["Applied 11 changes."]);
    }
}

#[test]
#[cfg(unix)]
fn after_a_kill_the_same_person_goes_on_at_once_and_others_wait() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = slow();
    let mut child = shell.through(&proxy).spawn(&["apply", "-f", &files, "--yes"]);
    until(&proxy, "CreatePolicy", 1);
    // While it lives, a second one on the same machine is refused as well.
    let second = shell.run(&["apply", "-f", &files, "--yes"]).exits(1);
    second.complains(&["`cli:ann:", "writes to this organization until 20", "Z\n", "wait for it to end"]);
    signal("KILL", child.id());
    child.wait().unwrap();
    // What it had sent still arrives: the lease that it leaves behind is there for that.
    std::thread::sleep(Duration::from_millis(1800));
    let holder = lease(&shell).expect("a killed process gives nothing back");
    shell.calls();
    let other = shell.elsewhere().run(&["apply", "-f", &files, "--yes"]).exits(1);
    other.complains(&[holder.split('@').next().unwrap(), " s at most", "bylaw.dev/lease"]);
    assert_eq!(shell.writes(), 0);
    // Nobody else can hold the lock of the dead one, so its lease is ours.
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    assert_eq!(lease(&shell), None);
    shell.run(&["plan", "-f", &files]).exits(0);
}
