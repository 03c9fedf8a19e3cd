//! BY HAND, not to be kept.
use super::*;
use std::time::Duration;

#[test]
fn by_hand_start_of_five_hundred_accounts() {
    let mut scene = Scene::new();
    let mut desired = crate::calls::generate::desired(crate::calls::generate::MEDIUM, 7);
    desired.organization.spec.management_account = scene.shell.account.clone();
    let items: Vec<Value> = crate::figures::server::manifests(&desired)
        .map(|(_, kind, name, mut spec)| {
            if kind == "Organization" {
                spec["limits"] = json!({"maxCreates": 10000, "maxMoves": 10000, "maxDetaches": 1000, "maxAffected": {"accounts": 10000, "percent": 100}});
            }
            json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        })
        .collect();
    let file = scene.shell.home.join("all.json");
    fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    scene.cluster.kubectl(&["apply", "--server-side", "-f", file.to_str().unwrap()]);
    eprintln!("applied");
    scene.start();
    let began = Instant::now();
    while !scene.cluster.get("organizations", "bench")["status"]["conditions"]
        .to_string()
        .contains("\"AWS is as declared\"")
    {
        std::thread::sleep(Duration::from_secs(1));
        if began.elapsed() > Duration::from_secs(400) {
            eprintln!(
                "{}\n{}",
                scene.cluster.get("organizations", "bench")["status"],
                scene.log(0).lines().rev().take(20).collect::<Vec<_>>().join("\n")
            );
            panic!("no");
        }
    }
    eprintln!("made in {:?}", began.elapsed());
    scene.terminate(0);
    for n in 1..4 {
        let began = Instant::now();
        scene.start();
        while !scene.log(n).contains("health and metrics are served") {
            std::thread::sleep(Duration::from_millis(5));
        }
        let served = began.elapsed();
        while scene.page(n, "/readyz").0 != 200 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let ready = began.elapsed();
        while !scene.log(n).contains("pass over") {
            std::thread::sleep(Duration::from_millis(5));
        }
        eprintln!("served {served:?} ready {ready:?} pass over {:?}", began.elapsed());
        eprintln!("{}", scene.log(n).lines().filter(|l| l.contains("pass over")).collect::<Vec<_>>().join("\n"));
        scene.terminate(n);
    }
}
