//! Two clusters with the same manifests on one organization.

use super::*;
use crate::support::kube::condition;
use crate::support::proxy::Proxy;

impl Scene {
    fn holder(&self) -> Option<String> {
        let root = self.shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].clone();
        let tags = self.shell.aws("ListTagsForResource", &json!({"ResourceId": root}));
        let tag = tags["Tags"].as_array().unwrap().iter().find(|tag| tag["Key"] == "bylaw.dev/lease")?.clone();
        Some(tag["Value"].as_str().unwrap().split('@').next().unwrap().to_owned())
    }

    /// What the names of its processes begin with.
    fn own_name(&self) -> String {
        let uid = self.cluster.get("organizations", "acme")["metadata"]["uid"].clone();
        format!("controller:{}:", uid.as_str().unwrap())
    }

    fn holds(&self) -> bool {
        self.holder().is_some_and(|holder| holder.starts_with(&self.own_name()))
    }
}

fn says(object: &Value, word: &str) -> bool {
    condition(object, "Ready").is_some_and(|ready| ready["message"].as_str().is_some_and(|told| told.contains(word)))
}

#[test]
fn of_two_controllers_of_two_clusters_one_writes_and_the_other_takes_over() {
    let mut first = Scene::new();
    first.start();
    first.data_science();
    first.until_aws(|| first.holds());

    let began = Instant::now();
    let (mut second, proxy) = (Scene::new(), Proxy::start());
    second.shell = first.shell.elsewhere().through(&proxy);
    second.start();
    second.data_science();
    // All is as declared, and it says who sees to that.
    let organization =
        second.until("organizations", "acme", |object| is_ready(object) && says(object, &first.own_name()));
    assert_eq!(second.cluster.kstatus(&organization), "Current");

    // Something to do: the one that holds the lease does it.
    let policy = first.cluster.get("organizationpolicies", "production-deployments")["status"]["id"].clone();
    let policy = policy.as_str().unwrap().to_owned();
    let unit = first.targets(&policy).pop().unwrap();
    first.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    second.ask();
    let waits =
        second.until("organizationpolicies", "production-deployments", |object| says(object, &first.own_name()));
    assert!(condition(&waits, "Reconciling").is_some(), "{waits:#}");
    assert!(condition(&waits, "Drifted").is_some(), "{waits:#}");
    assert!(first.targets(&policy).is_empty());
    first.ask();
    first.until_aws(|| first.targets(&policy).len() == 1);
    first.until("organizationpolicies", "production-deployments", is_ready);
    assert_eq!(proxy.writes_since(began), Vec::<String>::new(), "{}", second.log(0));
    let complaints = second.log(0).matches("somebody else writes to this organization").count();
    assert_eq!(complaints, 1, "told once:\n{}", second.log(0));

    // The first goes, and something is to be done: the second takes the lease and does it, without being asked.
    first.terminate(0);
    // It may be the second's already.
    assert!(!first.holds(), "the lease is given back:\n{}", first.log(0));
    second.until_aws(|| second.holds());
    second.until("organizations", "acme", |object| is_ready(object) && !says(object, "controller:"));
    first.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    let began = Instant::now();
    second.ask();
    second.until_aws(|| second.targets(&policy).len() == 1);
    println!("from detachment to attachment under a lease already held: {:?}", began.elapsed());
    assert_eq!(proxy.writes_since(began), ["AttachPolicy"]);

    // Who observes, or is suspended, holds nothing.
    for (off, on) in [
        (r#"{"spec":{"mode":"Observe"}}"#, r#"{"spec":{"mode":"Enforce"}}"#),
        (r#"{"spec":{"suspend":true}}"#, r#"{"spec":{"suspend":false}}"#),
    ] {
        second.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", off]);
        second.until_aws(|| second.holder().is_none());
        second.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", on]);
        second.until_aws(|| second.holds());
    }
    second.cluster.kubectl(&["delete", "organization.bylaw.dev", "acme", "--timeout=60s"]);
    second.until_aws(|| second.holder().is_none());
    second.terminate(0);
}

#[test]
fn of_two_controllers_of_one_cluster_with_leases_of_their_own_one_writes_and_the_other_takes_over() {
    let mut scene = Scene::new();
    scene.start();
    // As the chart calls it, beside one that was started as the docs say.
    scene.environment.push(("BYLAW_LEASE".into(), "another".into()));
    scene.start();
    scene.until_aws(|| (0..2).all(|number| scene.log(number).contains("this replica writes")));
    scene.data_science();
    let calls = scene.shell.calls();
    let made = |operation: &str| calls.get(operation).copied().unwrap_or_default();
    let made = ["CreateAccount", "CreateOrganizationalUnit", "CreatePolicy"].map(made);
    assert_eq!(made, [3; 3], "{calls:?}\n{}\n---\n{}", scene.log(0), scene.log(1));
    let holder = scene.holder().unwrap();
    let (first, second) = if holder.contains("bylaw-0") { (0, 1) } else { (1, 0) };
    assert!(scene.log(second).contains("somebody else writes"), "{}", scene.log(second));

    // The one goes, and the other waits for nothing.
    scene.terminate(first);
    let next = format!("bylaw-{second}");
    scene.until_aws(|| scene.holder().is_some_and(|holder| holder.contains(&next)));
    let policy = scene.cluster.get("organizationpolicies", "production-deployments")["status"]["id"].clone();
    let policy = policy.as_str().unwrap().to_owned();
    let unit = scene.targets(&policy).pop().unwrap();
    scene.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    scene.ask();
    scene.until_aws(|| scene.targets(&policy).len() == 1);
    scene.terminate(second);
    assert_eq!(scene.holder(), None);
}

/// Objects that do not say to which Organization they belong.
const UNSAID: &str = "\
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationalUnit
metadata: {name: prod}
spec: {name: Production}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {name: guard}
spec:
  type: SERVICE_CONTROL_POLICY
  content: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 's3:*', Resource: '*'}]}
  targets: [{organizationalUnitRef: {name: prod}}]
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {name: doomed}
spec:
  type: SERVICE_CONTROL_POLICY
  deletionPolicy: Delete
  content: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 'sqs:*', Resource: '*'}]}
";

/// An Organization of the cluster; bylaw takes a role in its management account.
fn organization(name: &str, shell: &Shell) -> String {
    let account = &shell.account;
    format!(
        "apiVersion: bylaw.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}}}\nspec:\n  \
         managementAccountId: \"{account}\"\n  policyTypes: [SERVICE_CONTROL_POLICY]\n  \
         access: {{managementRoleArn: 'arn:aws:iam::{account}:role/bylaw'}}\n"
    )
}

/// Calls since the last time that change the organization: the lease does not.
fn changes(shell: &Shell) -> Vec<String> {
    let others = ["Get", "List", "Describe", "Assume", "TagResource", "UntagResource"];
    let calls = shell.calls().into_keys();
    calls.filter(|name| !others.iter().any(|other| name.starts_with(other))).collect()
}

#[test]
fn of_two_organizations_of_one_cluster_neither_gets_what_names_none_not_even_when_the_other_is_gone() {
    let mut scene = Scene::new();
    let (acme, lab) = (scene.shell.clone(), Shell::new());
    scene.start();
    scene.cluster.apply(&organization("acme", &acme));
    scene.cluster.apply(UNSAID);
    for (kind, name) in
        [("organizationalunits", "prod"), ("organizationpolicies", "guard"), ("organizationpolicies", "doomed")]
    {
        let object = scene.until(kind, name, is_ready);
        assert_eq!(object["status"]["managementAccounts"], json!([acme.account]), "{object:#}");
    }
    let policy = scene.cluster.get("organizationpolicies", "guard")["status"]["id"].as_str().unwrap().to_owned();
    let unit = scene.targets(&policy).pop().unwrap();

    // Another Organization comes, one object more, and drift.
    scene.cluster.apply(&organization("lab", &lab));
    let unclear = |object: &Value| says(object, "there are 2 Organizations");
    scene.until("organizationalunits", "prod", unclear);
    scene.until("organizationpolicies", "guard", unclear);
    // What the Organization itself asks for is done.
    scene.until_aws(|| lab.aws("ListRoots", &json!({}))["Roots"][0]["PolicyTypes"][0]["Status"] == "ENABLED");
    lab.calls();
    acme.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    acme.calls();
    scene.cluster.apply(
        "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationalUnit\nmetadata: {name: late}\nspec: {name: Late}\n",
    );
    scene.cluster.kubectl(&["delete", "organizationpolicy.bylaw.dev", "doomed", "--wait=false"]);
    let late = scene.until("organizationalunits", "late", |object| {
        unclear(object) && object["status"]["managementAccounts"].is_array()
    });
    let mut both = [&acme.account, &lab.account];
    both.sort();
    assert_eq!(late["status"]["managementAccounts"], json!(both));
    let doomed = scene.until("organizationpolicies", "doomed", unclear);
    assert!(!doomed["metadata"]["deletionTimestamp"].is_null());
    for name in ["acme", "lab"] {
        let asked = format!("bylaw.dev/reconcile-at={:?}", std::time::SystemTime::now());
        scene.cluster.kubectl(&["annotate", "--overwrite", "organization.bylaw.dev", name, &asked]);
        scene.until("organizations", name, |object| condition(object, "Ready").is_some_and(|c| c["status"] == "False"));
    }
    assert_eq!((changes(&acme), changes(&lab)), (vec![], vec![]), "{}", scene.log(0));
    assert_eq!(scene.targets(&policy), Vec::<String>::new(), "it is nobody's by now");

    // The one goes. What was kept in it, or may have been meant for it, is not the other's; nor is it to the next process.
    scene.cluster.kubectl(&["delete", "organization.bylaw.dev", "acme", "--timeout=60s"]);
    let others = |object: &Value| says(object, "does not say that it belongs to `lab`");
    let settled = scene.until("organizationpolicies", "guard", others)["status"]["settled"].clone();
    scene.until("organizationpolicies", "doomed", Value::is_null);
    let listed = acme.aws("ListPolicies", &json!({"Filter": "SERVICE_CONTROL_POLICY"}));
    assert!(listed["Policies"].as_array().unwrap().iter().any(|policy| policy["Name"] == "doomed"), "let go of");
    scene.terminate(0);
    scene.start();
    scene.until_aws(|| scene.log(1).contains("pass over") || scene.log(1).contains("pass failed"));
    for (kind, name) in
        [("organizationalunits", "prod"), ("organizationpolicies", "guard"), ("organizationalunits", "late")]
    {
        scene.until(kind, name, others);
    }
    assert_eq!(scene.cluster.get("organizationpolicies", "guard")["status"]["settled"], settled);
    assert_eq!((changes(&acme), changes(&lab)), (vec![], vec![]), "{}", scene.log(1));

    // A person says so.
    for (kind, name) in
        [("organizationalunit", "late"), ("organizationalunit", "prod"), ("organizationpolicy", "guard")]
    {
        let patch = r#"{"spec":{"organizationRef":{"name":"lab"}}}"#;
        scene.cluster.kubectl(&["patch", &format!("{kind}.bylaw.dev"), name, "--type=merge", "-p", patch]);
    }
    let guard = scene.until("organizationpolicies", "guard", is_ready);
    assert_eq!(guard["status"]["managementAccounts"], json!([lab.account]));
    assert_ne!(guard["status"]["id"].as_str(), Some(&*policy), "it is another policy");
    scene.until("organizationalunits", "late", is_ready);
    scene.until("organizations", "lab", is_ready);
    assert_eq!(changes(&acme), Vec::<String>::new());
    let calls = lab.calls();
    assert!(calls.is_empty() || !calls.contains_key("CreateAccount"), "{calls:?}");
}
