//! A real kube-apiserver with etcd, and kubectl, as processes of one test.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::relay::Relay;
use super::scratch::{self, Scratch};

/// Longest wait for anything in a cluster: machines of tests are slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Users by token, as `tokens.csv` has them.
const TOKENS: &str = "admintoken,admin,1,\"system:masters\"\neditortoken,editor,2,\"editors\"\napprovertoken,approver,3,\"approvers\"\nreadertoken,reader,4,\"readers\"\n";

/// One cluster without nodes.
pub struct Cluster {
    folder: Scratch,
    etcd_port: u16,
    port: u16,
    etcd: Option<Child>,
    server: Option<Child>,
}

/// The binary that holds all roles.
fn kubetest() -> &'static Path {
    static KUBETEST: OnceLock<PathBuf> = OnceLock::new();
    KUBETEST.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/kubetest/build.sh");
        let built = Command::new("bash").arg(script).output().expect("`bash` runs");
        let errors = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "tests/support/kubetest/build.sh cannot build the API server:\n{errors}");
        PathBuf::from(String::from_utf8_lossy(&built.stdout).trim())
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// An empty cluster with bylaw's kinds.
    pub fn new() -> Self {
        let cluster = Self::bare();
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        cluster.kubectl(&["apply", "-f", crds.to_str().unwrap()]);
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
        cluster
    }

    /// An empty cluster without them.
    pub fn bare() -> Self {
        let folder = scratch::folder("kube");
        let key = Command::new(kubetest()).arg("key").output().unwrap().stdout;
        fs::write(folder.join("sa.key"), key).unwrap();
        fs::write(folder.join("tokens.csv"), TOKENS).unwrap();
        let mut cluster = Self { folder, etcd_port: 0, port: 0, etcd: None, server: None };
        cluster.start();
        cluster
    }

    /// Starts etcd on a free port, and the API server on one, or on the one that it had. Whoever takes a port between its
    /// choice and its use ends one round of these, not the test.
    fn start(&mut self) {
        for _ in 0..5 {
            if !is_running(&mut self.etcd) {
                self.start_etcd();
            }
            if self.start_server() {
                return;
            }
        }
        panic!("the API server does not start; its log:\n{}\netcd's:\n{}", self.log("apiserver"), self.log("etcd"));
    }

    fn spawn(&self, role: &str, arguments: &[String]) -> Child {
        let log = File::create(self.folder.join(format!("{role}.log"))).unwrap();
        Command::new(kubetest())
            .arg(role)
            .args(arguments)
            .current_dir(&*self.folder)
            .env("KUBETEST_END_WITH_INPUT", "1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn start_etcd(&mut self) {
        self.etcd_port = free_port();
        let url = format!("http://127.0.0.1:{}", self.etcd_port);
        let arguments = [
            "--data-dir=etcd",
            &format!("--listen-client-urls={url}"),
            &format!("--advertise-client-urls={url}"),
            "--listen-peer-urls=http://127.0.0.1:0",
            "--unsafe-no-fsync",
            "--log-level=error",
        ]
        .map(str::to_owned);
        self.etcd = Some(self.spawn("etcd", &arguments));
    }

    /// Whether it came up; a port that is taken is given up for another.
    fn start_server(&mut self) -> bool {
        if self.port == 0 {
            self.port = free_port();
        }
        let arguments = [
            &format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--cert-dir=certs",
            &format!("--secure-port={}", self.port),
            "--bind-address=127.0.0.1",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=sa.key",
            "--service-account-signing-key-file=sa.key",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
        ]
        .map(str::to_owned);
        self.server = Some(self.spawn("apiserver", &arguments));
        self.kubeconfig("admin");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if !is_running(&mut self.server) || !is_running(&mut self.etcd) {
                break;
            }
            let ready = self.try_kubectl(&["get", "--raw", "/readyz", "--request-timeout=5s"]);
            if ready.status.success() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        if let Some(server) = self.server.take() {
            stop(server);
        }
        self.port = 0;
        false
    }

    /// Path of a kubeconfig of that user of the token file.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.kubeconfig_with(user, &format!("{user}token"))
    }

    /// Path of a kubeconfig with that token; `user` names the file.
    pub fn kubeconfig_with(&self, user: &str, token: &str) -> PathBuf {
        self.write_kubeconfig(user, user, token, self.port)
    }

    /// A relay in front of the API server, and the path of an administrator's kubeconfig that goes through it.
    pub fn relay(&self) -> (Relay, PathBuf) {
        let relay = Relay::to(self.port);
        let path = self.write_kubeconfig("relay", "admin", "admintoken", relay.port);
        (relay, path)
    }

    fn write_kubeconfig(&self, file: &str, user: &str, token: &str, port: u16) -> PathBuf {
        let path = self.folder.join(format!("{file}.kubeconfig"));
        let ca = self.folder.join("certs/apiserver.crt");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\ncontexts: [{{name: test, context: {{cluster: test, user: {user}}}}}]\n\
             clusters: [{{name: test, cluster: {{server: \"https://127.0.0.1:{}\", certificate-authority: \"{}\"}}}}]\n\
             users: [{{name: {user}, user: {{token: \"{token}\"}}}}]\n",
            port,
            ca.display()
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// kubectl as a person in the group of all rights runs it.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Output {
        Command::new(kubetest())
            .arg("kubectl")
            .args(arguments)
            .env("KUBECONFIG", self.folder.join("admin.kubeconfig"))
            .env("HOME", &*self.folder)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// [`Self::try_kubectl`], which has to succeed. What it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let ran = self.try_kubectl(arguments);
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "kubectl {}: {out}{err}", arguments.join(" "));
        out.into_owned()
    }

    /// `kubectl apply` of a text.
    pub fn apply(&self, text: &str) {
        let path = self.folder.join("applied.yaml");
        fs::write(&path, text).unwrap();
        self.kubectl(&["apply", "-f", path.to_str().unwrap()]);
    }

    /// An object, `Null` where it is not there.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let ran = self.try_kubectl(&["get", &format!("{kind}.bylaw.dev"), name, "-o", "json"]);
        serde_json::from_slice(&ran.stdout).unwrap_or_default()
    }

    /// Waits until an object is as it should be.
    pub fn until(&self, kind: &str, name: &str, what: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        let mut last = Value::Null;
        while began.elapsed() < PATIENCE {
            last = self.get(kind, name);
            if what(&last) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{kind}/{name} did not become as expected; it is {last:#}");
    }

    /// What Flux, Argo CD and kubectl would read from an object's status (`Current`, `InProgress`, `Failed` …).
    pub fn kstatus(&self, object: &Value) -> String {
        let mut child =
            Command::new(kubetest()).arg("kstatus").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
        let said = child.wait_with_output().unwrap().stdout;
        String::from_utf8_lossy(&said).split('\t').next().unwrap_or_default().to_owned()
    }

    /// Stops the API server and starts it again, after something was done to the cluster meanwhile.
    pub fn restart(&mut self, meanwhile: impl FnOnce(&Path)) {
        for child in [self.server.take(), self.etcd.take()].into_iter().flatten() {
            stop(child);
        }
        meanwhile(&self.folder.join("etcd"));
        self.start();
    }

    fn log(&self, role: &str) -> String {
        let text = fs::read_to_string(self.folder.join(format!("{role}.log"))).unwrap_or_default();
        text.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

fn is_running(child: &mut Option<Child>) -> bool {
    child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
}

fn stop(mut child: Child) {
    drop(child.kill());
    drop(child.wait());
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in [self.server.take(), self.etcd.take()].into_iter().flatten() {
            stop(child);
        }
    }
}

/// Whether the condition of that type has that status.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether bylaw says that the object is as declared, and speaks of its present generation.
pub fn is_ready(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
}
