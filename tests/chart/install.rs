//! The charts on a real API server, and the controller with the rights that they give.

use serde_json::json;

use super::*;
use crate::controller::Scene;
use crate::support::kube::{condition, is_ready};

/// The kinds of the Prometheus operator, as far as a server has to know them.
fn monitoring() -> String {
    let kind = |kind: &str, plural: &str| {
        format!(
            "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.monitoring.coreos.com}}\n\
             spec:\n  group: monitoring.coreos.com\n  scope: Namespaced\n  names: {{kind: {kind}, plural: {plural}, singular: {}}}\n  \
             versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, \
             x-kubernetes-preserve-unknown-fields: true}}}}}}]\n",
            kind.to_lowercase()
        )
    };
    kind("PodMonitor", "podmonitors") + &kind("PrometheusRule", "prometheusrules")
}

fn namespace(name: &str, level: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{pod-security.kubernetes.io/enforce: {level}}}}}\n"
    )
}

/// Something done to the specification of a Pod.
type Change = fn(&mut Value);

#[test]
fn the_charts_are_installed_upgraded_and_uninstalled_and_the_kinds_stay() {
    let cluster = Cluster::bare();
    let kubeconfig = cluster.kubeconfig("admin");
    let helm = |arguments: &[&str]| {
        let (well, out, err) = try_helm(&[arguments, &["-n", NAMESPACE]].concat(), Some(&kubeconfig));
        assert!(well, "helm {}:\n{out}{err}", arguments.join(" "));
        out
    };
    cluster.apply(&monitoring());
    cluster.apply(&namespace(NAMESPACE, "restricted"));
    helm(&["install", "bylaw-crds", "charts/bylaw-crds"]);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);

    // The server knows every field of every object.
    let values = repository("tests/chart/all-on.yaml");
    let text = scratch("rendered.yaml", &rendered("bylaw", ALL, VERSIONS[1]));
    cluster.kubectl(&["create", "--dry-run=server", "--validate=strict", "-f", path(&text)]);

    let notes = helm(&["install", "bylaw", "charts/bylaw", "-f", path(&values)]);
    for word in ["arn:aws:iam::111111111111:role/bylaw", "bylaw-approver", "mode: Observe", "argocd-cm"] {
        assert!(notes.contains(word), "`{word}` is not in the notes:\n{notes}");
    }
    // Every Pod is one that a restricted namespace lets in, and the check can fail.
    let deployment: Value =
        serde_json::from_str(&cluster.kubectl(&["get", "deployment", "bylaw", "-n", NAMESPACE, "-o", "json"])).unwrap();
    let pod = |change: Change| {
        let mut spec = deployment["spec"]["template"]["spec"].clone();
        change(&mut spec);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bylaw", "namespace": NAMESPACE}, "spec": spec});
        let file = scratch("pod.json", &pod.to_string());
        cluster.try_kubectl(&["create", "--dry-run=server", "-f", path(&file)])
    };
    let ran = pod(|_| {});
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let weaker: [(&str, Change); 4] = [
        ("runAsNonRoot", |spec| drop(spec["securityContext"].as_object_mut().unwrap().remove("runAsNonRoot"))),
        ("seccompProfile", |spec| drop(spec["securityContext"].as_object_mut().unwrap().remove("seccompProfile"))),
        ("capabilities", |spec| spec["containers"][0]["securityContext"]["capabilities"] = json!({})),
        ("allowPrivilegeEscalation", |spec| {
            spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        }),
    ];
    for (what, change) in weaker {
        let ran = pod(change);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(what), "{what}: {said}");
    }

    // The command of the notes puts the scripts into what is Argo CD's own.
    cluster.kubectl(&["create", "namespace", "argocd"]);
    cluster.kubectl(&["-n", "argocd", "create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example"]);
    let data = cluster.kubectl(&["-n", NAMESPACE, "get", "configmap", "bylaw-argocd-health", "-o", "jsonpath={.data}"]);
    let patch = format!("{{\"data\":{data}}}");
    cluster.kubectl(&["-n", "argocd", "patch", "configmap", "argocd-cm", "--type", "merge", "-p", &patch]);
    let map: Value =
        serde_json::from_str(&cluster.kubectl(&["-n", "argocd", "get", "cm", "argocd-cm", "-o", "json"])).unwrap();
    assert_eq!(map["data"]["url"], "https://argocd.example");
    let script = map["data"]["resource.customizations.health.bylaw.dev_Account"].as_str().unwrap();
    assert_eq!(script.trim(), read("charts/bylaw/files/health.lua").trim());

    helm(&["upgrade", "bylaw-crds", "charts/bylaw-crds"]);
    helm(&["upgrade", "bylaw", "charts/bylaw", "-f", path(&values), "--set", "replicas=3"]);
    let replicas = ["get", "deployment", "bylaw", "-n", NAMESPACE, "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.kubectl(&replicas), "3");

    cluster.apply(
        "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationalUnit\nmetadata: {name: kept}\nspec: {name: kept}\n",
    );
    helm(&["uninstall", "bylaw"]);
    helm(&["uninstall", "bylaw-crds"]);
    assert!(!cluster.get("organizationalunits", "kept").is_null(), "the kinds and their objects stay");
    let claim = ["get", "pvc", "bylaw-state", "-n", NAMESPACE, "-o", "name"];
    assert!(cluster.kubectl(&claim).contains("bylaw-state"), "the audit log stays");
    let left = ["get", "clusterrole,validatingadmissionpolicy", "-l", "app.kubernetes.io/part-of=bylaw", "-o", "name"];
    assert_eq!(cluster.kubectl(&left), "");
    // And are found again.
    helm(&["install", "bylaw-crds", "charts/bylaw-crds"]);
}

/// A cluster with the charts, and replicas that run as the chart's service account with the chart's environment.
pub fn scene(cluster: Cluster) -> Scene {
    let mut scene = Scene::on(cluster);
    let asked = ["get", "deployment", "bylaw", "-n", NAMESPACE, "-o", "json"];
    let deployment: Value = serde_json::from_str(&scene.cluster.kubectl(&asked)).unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["args"], json!(["controller"]));
    // Names and folders are those that Kubernetes would give it.
    let variables = pod["containers"][0]["env"].as_array().unwrap().iter();
    let given = variables.filter_map(|v| Some((v["name"].as_str()?.to_owned(), v["value"].as_str()?.to_owned())));
    scene.environment = given.filter(|(_, value)| !value.starts_with("/var/lib/bylaw")).collect();
    let token = ["create", "token", pod["serviceAccountName"].as_str().unwrap(), "-n", NAMESPACE];
    let kubeconfig = scene.cluster.kubeconfig_with("controller", scene.cluster.kubectl(&token).trim());
    scene.environment.push(("KUBECONFIG".into(), path(&kubeconfig).into()));
    scene.environment.push(("POD_NAMESPACE".into(), NAMESPACE.into()));
    scene
}

fn holder(scene: &Scene) -> String {
    scene.cluster.kubectl(&["get", "lease", "bylaw", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}"])
}

#[test]
fn the_controller_keeps_an_organization_with_the_rights_of_the_chart_and_no_others() {
    let mut scene = scene(installed("{}"));
    scene.start();
    scene.data_science();
    assert!(holder(&scene).starts_with("bylaw-0_"), "a holder is one process of a Pod: {}", holder(&scene));
    assert!(scene.page(0, "/metrics").1.contains("\nbylaw_ready 1\n"));

    // Drift is put right and told. The second is a repeat of the first Event, which is a patch.
    let policy = scene.cluster.get("organizationpolicies", "production-deployments");
    let id = policy["status"]["id"].as_str().unwrap().to_owned();
    let unit = scene.cluster.get("organizationalunits", "data-science-production")["status"]["id"].clone();
    scene.shell.aws("DetachPolicy", &json!({"PolicyId": id, "TargetId": unit}));
    scene.ask();
    scene.until_aws(|| scene.targets(&id).len() == 1);
    let description = || {
        scene.shell.aws("DescribePolicy", &json!({"PolicyId": id}))["Policy"]["PolicySummary"]["Description"].clone()
    };
    let declared = description();
    scene.shell.aws("UpdatePolicy", &json!({"PolicyId": id, "Description": "by hand"}));
    scene.ask();
    scene.until_aws(|| description() == declared);
    let events = || -> Vec<Value> {
        let listed = scene.cluster.kubectl(&["get", "events.events.k8s.io", "-n", "default", "-o", "json"]);
        serde_json::from_str::<Value>(&listed).unwrap()["items"].as_array().unwrap().clone()
    };
    for reason in ["Created", "DriftFound", "DriftCorrected"] {
        scene.until_aws(|| events().iter().any(|event| event["reason"] == reason));
    }
    scene.until_aws(|| events().iter().any(|event| event["reason"] == "DriftFound" && !event["series"].is_null()));

    // Deletion that was opted in to is done, by a finalizer that is put on and taken off.
    scene.cluster.apply(
        "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {name: goes}\nspec:\n  type: SERVICE_CONTROL_POLICY\n  \
         deletionPolicy: Delete\n  content: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 's3:*', Resource: '*'}]}\n",
    );
    let made = scene.until("organizationpolicies", "goes", |object| {
        is_ready(object) && !object["metadata"]["finalizers"].is_null()
    });
    assert!(condition(&made, "Ready").is_some());
    let id = made["status"]["id"].as_str().unwrap().to_owned();
    scene.cluster.kubectl(&["delete", "organizationpolicy.bylaw.dev", "goes", "--timeout=60s"]);
    let listed = scene.shell.aws("ListPolicies", &json!({"Filter": "SERVICE_CONTROL_POLICY"}));
    assert!(!listed["Policies"].as_array().unwrap().iter().any(|policy| policy["Id"] == id.as_str()), "{listed:#}");

    // A second replica waits, and goes on when the first gives the Lease up.
    scene.start();
    scene.terminate(0);
    scene.until_aws(|| holder(&scene).starts_with("bylaw-1_"));
    scene.ask();
    scene.until_aws(|| scene.log(1).contains("pass over"));
    scene.terminate(1);
    assert_eq!(holder(&scene), "", "the Lease is given up");
    for replica in [0, 1] {
        let log = scene.log(replica);
        for word in ["forbidden", "Forbidden", "could not be told", "could not be written", "could not be changed"] {
            assert!(!log.contains(word), "`{word}` is in the log of replica {replica}:\n{log}");
        }
    }
}
