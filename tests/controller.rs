//! The controller as a process, on a real API server with etcd and on moto.

mod brakes;
mod cluster;
mod docs;
mod events;
mod hours;
mod keeps;
mod outage;
mod statuses;
#[cfg(feature = "otel")]
mod traces;
mod trouble;
mod two;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::kube::{Cluster, PATIENCE, is_ready};
use crate::support::shell::Shell;

/// The objects of `examples/data-science` beside the Organization, by resource.
pub const DATA_SCIENCE: [(&str, &str); 9] = [
    ("organizationalunits", "data-science"),
    ("organizationalunits", "data-science-staging"),
    ("organizationalunits", "data-science-production"),
    ("accounts", "data-science"),
    ("accounts", "data-science-staging"),
    ("accounts", "data-science-production"),
    ("organizationpolicies", "sagemaker-baseline"),
    ("organizationpolicies", "production-deployments"),
    ("organizationpolicies", "project-tag"),
];

/// A cluster, an organization, and what runs between them.
pub struct Scene {
    pub cluster: Cluster,
    pub shell: Shell,
    running: Vec<Running>,
    /// Environment of the replicas beside, or instead of, the usual.
    pub environment: Vec<(String, String)>,
}

/// One replica.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Scene {
    pub fn new() -> Self {
        Self::on(Cluster::new())
    }

    /// With a cluster that is there.
    pub fn on(cluster: Cluster) -> Self {
        Self { cluster, shell: Shell::new(), running: vec![], environment: vec![] }
    }

    /// Starts one replica more.
    pub fn start(&mut self) -> usize {
        let number = self.running.len();
        let log = self.shell.home.join(format!("controller-{number}.log"));
        let file = File::create(&log).unwrap();
        let home = self.shell.home.join(format!("pod-{number}"));
        fs::create_dir_all(&home).unwrap();
        let child = self
            .shell
            .command(&["controller"])
            .env("KUBECONFIG", self.cluster.kubeconfig("admin"))
            .env("POD_NAME", format!("bylaw-{number}"))
            .env("POD_NAMESPACE", "default")
            .env("HOME", home)
            .env("BYLAW_LISTEN", "127.0.0.1:0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        self.running.push(Running { child, log });
        number
    }

    /// Ends a replica as Kubernetes does, and waits for it.
    pub fn terminate(&mut self, number: usize) {
        let pid = self.running[number].child.id();
        std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap();
        let began = Instant::now();
        while self.running[number].child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "the controller does not end:\n{}", self.log(number));
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    pub fn log(&self, number: usize) -> String {
        fs::read_to_string(&self.running[number].log).unwrap_or_default()
    }

    /// Waits until an object is as it should be, and shows the log of the controller where it is not.
    pub fn until(&self, kind: &str, name: &str, what: impl Fn(&Value) -> bool) -> Value {
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.cluster.until(kind, name, what)));
        waited.unwrap_or_else(|why| {
            for number in 0..self.running.len() {
                eprintln!("--- controller {number}\n{}", self.log(number));
            }
            std::panic::resume_unwind(why)
        })
    }

    /// Applies the manifests of a folder, the Organization last: nothing is planned of half of them.
    pub fn apply(&self, folder: &str) {
        let file = |name: &str| format!("{folder}/{name}");
        self.cluster.kubectl(&["apply", "-f", &file("units.yaml"), "-f", &file("policies.yaml")]);
        self.cluster.kubectl(&["apply", "-f", &file("organization.yaml")]);
    }

    /// The manifests of `examples/data-science`, without the limit on affected accounts: each kind is watched by itself, so
    /// what was applied first can be seen last, and policies that come after their accounts would wait for an approval.
    pub fn unlimited(&self) -> String {
        self.shell.example("data-science", |_, text| Some(text.replace("accounts: 2", "accounts: 100")))
    }

    /// Applies `examples/data-science` and waits until every object is as declared.
    pub fn data_science(&self) {
        self.apply(&self.unlimited());
        for (kind, name) in DATA_SCIENCE {
            let object = self.until(kind, name, is_ready);
            assert_eq!(self.cluster.kstatus(&object), "Current", "{object:#}");
        }
        // With its limit, from here on.
        let folder = self.shell.data_science();
        self.cluster.kubectl(&["apply", "-f", &format!("{folder}/organization.yaml")]);
        self.until("organizations", "acme", is_ready);
    }

    /// A page of a replica: status and text.
    pub fn page(&self, number: usize, path: &str) -> (u16, String) {
        let log = self.log(number);
        let address = log.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
        (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
    }

    /// Asks for a pass.
    pub fn ask(&self) {
        let now = format!("bylaw.dev/reconcile-at={:?}", std::time::SystemTime::now());
        self.cluster.kubectl(&["annotate", "--overwrite", "organization.bylaw.dev", "acme", &now]);
    }

    /// Waits until AWS is as it should be.
    pub fn until_aws(&self, what: impl Fn() -> bool) {
        let began = Instant::now();
        while !what() {
            let log = || (0..self.running.len()).map(|number| self.log(number)).collect::<Vec<_>>().join("\n---\n");
            assert!(began.elapsed() < PATIENCE, "AWS did not become as expected:\n{}", log());
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// Ids of what a policy is attached to.
    pub fn targets(&self, policy: &str) -> Vec<String> {
        let answer = self.shell.aws("ListTargetsForPolicy", &json!({"PolicyId": policy}));
        let ids = answer["Targets"].as_array().into_iter().flatten();
        ids.map(|target| target["TargetId"].as_str().unwrap().to_owned()).collect()
    }

    /// Names of OUs, accounts and policies, in order: what is there, whatever it is attached to.
    pub fn organization(&self) -> String {
        let ran = self.shell.run(&["tree"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.out
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for running in &mut self.running {
            drop(running.child.kill());
            drop(running.child.wait());
        }
    }
}
