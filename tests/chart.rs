//! The charts: rendered by helm, judged as text and as objects, and installed on a real API server.

mod approvals;
mod figures;
mod health;
mod install;
mod render;
mod rights;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::support::kube::Cluster;
use crate::support::scratch::{self, Scratch};

/// Namespace of the releases.
const NAMESPACE: &str = "bylaw-system";
/// Values with everything turned on.
const ALL: &str = include_str!("chart/all-on.yaml");
/// The oldest Kubernetes that the charts are for, and the one of the test's API server.
const VERSIONS: [&str; 2] = ["1.30.0", "1.36.0"];

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// Where a program is that `tests/support/gotool.sh` builds.
fn tool(name: &str) -> PathBuf {
    // Asked one after the other: two would wait for one another's lock anyway.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let script = repository("tests/support/gotool.sh");
    let built = Command::new("bash").arg(script).arg(name).output().expect("`bash` runs");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "tests/support/gotool.sh cannot build {name}:\n{errors}");
    PathBuf::from(String::from_utf8_lossy(&built.stdout).trim())
}

/// A file for a moment.
fn scratch(name: &str, text: &str) -> Scratch {
    scratch::file(name, text)
}

/// What helm said: whether it went well, and all of its output.
fn try_helm(arguments: &[&str], kubeconfig: Option<&Path>) -> (bool, String, String) {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let nowhere = PathBuf::from("/dev/null");
    let ran = Command::new(tool("helm"))
        .args(arguments)
        .current_dir(repository("."))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &home)
        .env("KUBECONFIG", kubeconfig.unwrap_or(&nowhere))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.success(), text(&ran.stdout), text(&ran.stderr))
}

#[track_caller]
fn helm(arguments: &[&str]) -> String {
    let (well, out, err) = try_helm(arguments, None);
    assert!(well, "helm {}:\n{out}{err}", arguments.join(" "));
    out
}

/// The text that a chart renders to with these values, for a version of Kubernetes.
#[track_caller]
fn rendered(chart: &str, values: &str, version: &str) -> String {
    let file = scratch("values.yaml", values);
    let chart = format!("charts/{chart}");
    helm(&["template", "bylaw", &chart, "-n", NAMESPACE, "--kube-version", version, "-f", path(&file)])
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The objects of a stream.
fn objects(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(yaml).filter(|object| !object.is_null()).collect()
}

/// The chart `bylaw` with these values.
#[track_caller]
fn chart(values: &str) -> Vec<Value> {
    objects(&rendered("bylaw", values, VERSIONS[1]))
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// A cluster on which both charts are installed by helm, with these values for `bylaw`.
fn installed(values: &str) -> Cluster {
    let cluster = Cluster::bare();
    let kubeconfig = cluster.kubeconfig("admin");
    let on = |arguments: &[&str]| {
        let (well, out, err) = try_helm(arguments, Some(&kubeconfig));
        assert!(well, "helm {}:\n{out}{err}", arguments.join(" "));
    };
    on(&["install", "bylaw-crds", "charts/bylaw-crds", "-n", NAMESPACE, "--create-namespace"]);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    let file = scratch("values.yaml", values);
    on(&["install", "bylaw", "charts/bylaw", "-n", NAMESPACE, "-f", path(&file)]);
    cluster
}
