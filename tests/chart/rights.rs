//! Who may do what: the roles as they are written, and as the API server judges them.

use std::collections::BTreeSet;

use super::*;

/// The service account of the controller, as the API server names it.
const CONTROLLER: &str = "system:serviceaccount:bylaw-system:bylaw";

/// The kind as far as the admission policy sees it, where the chart of the definitions does not have it yet.
const KIND: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: approvals.bylaw.dev}
spec:
  group: bylaw.dev
  scope: Cluster
  names: {kind: Approval, plural: approvals, singular: approval, shortNames: [appr]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [for, hash, approver, reason, expiresAt]
            properties:
              for:
                type: object
                required: [kind, name]
                properties: {kind: {type: string}, namespace: {type: string}, name: {type: string}}
              hash: {type: string}
              approver: {type: string}
              reason: {type: string}
              expiresAt: {type: string, format: date-time}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

/// Who is bound to which role of the chart.
fn bindings() -> String {
    let binding = |user: &str, role: &str| {
        format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {user}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n\
             subjects: [{{kind: User, name: {user}}}]\n"
        )
    };
    [("reader", "bylaw-reader"), ("editor", "bylaw-editor"), ("approver", "bylaw-approver")]
        .map(|(user, role)| binding(user, role))
        .concat()
}

/// A cluster with the charts, and a user of each role.
pub fn cluster_with_users() -> Cluster {
    let cluster = installed("{}");
    cluster.apply(&bindings());
    if !repository("crds/bylaw.dev_approvals.yaml").exists() {
        cluster.apply(KIND);
        cluster.kubectl(&["wait", "--for=condition=Established", "crd/approvals.bylaw.dev", "--timeout=60s"]);
    }
    cluster
}

#[test]
fn every_rule_says_why_it_is_there() {
    let mut seen = 0;
    for file in ["rbac-controller.yaml", "rbac-people.yaml"] {
        let text = read(&format!("charts/bylaw/templates/{file}"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("- apiGroups:")) {
            seen += 1;
            assert!(at > 0 && lines[at - 1].starts_with("# "), "{file}:{}: `{line}` has no comment above it", at + 1);
        }
    }
    let objects = chart(ALL);
    let roles = [of_kind(&objects, "ClusterRole"), of_kind(&objects, "Role")].concat();
    let rules: usize = roles.iter().map(|role| role["rules"].as_array().unwrap().len()).sum();
    assert_eq!(seen, rules, "there are rules in another file");
    assert!(rules >= 10);
}

#[test]
fn no_rule_has_a_wildcard_or_reaches_beyond_what_bylaw_needs() {
    let objects = chart(ALL);
    let roles = [of_kind(&objects, "ClusterRole"), of_kind(&objects, "Role")].concat();
    let mut groups = BTreeSet::new();
    for role in roles {
        for rule in role["rules"].as_array().unwrap() {
            for field in ["apiGroups", "resources", "verbs", "nonResourceURLs"] {
                let words = rule[field].as_array().into_iter().flatten().map(|word| word.as_str().unwrap());
                for word in words {
                    assert!(!word.contains('*'), "{rule:#}");
                    if field == "apiGroups" {
                        groups.insert(word.to_owned());
                    }
                    for verb in ["escalate", "bind", "impersonate", "deletecollection"] {
                        assert_ne!(word, verb, "{rule:#}");
                    }
                }
            }
        }
    }
    assert_eq!(groups.iter().collect::<Vec<_>>(), ["bylaw.dev", "coordination.k8s.io", "events.k8s.io"]);
}

#[test]
fn the_roles_of_people_go_into_view_and_edit_where_that_is_wanted() {
    let labels = |values: &str, name: &str| {
        let objects = chart(values);
        let roles = of_kind(&objects, "ClusterRole");
        let role = roles.into_iter().find(|role| role["metadata"]["name"] == name).unwrap();
        let labels = role["metadata"]["labels"].as_object().unwrap();
        labels
            .keys()
            .filter_map(|key| key.strip_prefix("rbac.authorization.k8s.io/").map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(labels("{}", "bylaw-reader"), ["aggregate-to-view"]);
    assert_eq!(labels("{}", "bylaw-editor"), ["aggregate-to-edit"]);
    let off = "{rbac: {aggregateToView: false, aggregateToEdit: false}}";
    for role in ["bylaw-reader", "bylaw-editor"] {
        assert_eq!(labels(off, role), Vec::<String>::new());
    }
    for values in ["{}", off] {
        for role in ["bylaw-approver", "bylaw"] {
            assert_eq!(labels(values, role), Vec::<String>::new(), "nobody gets it by the way");
        }
    }
    assert!(of_kind(&chart("{rbac: {create: false}}"), "ClusterRole").is_empty());
}

#[test]
fn the_api_server_lets_everybody_do_what_the_role_says_and_nothing_else() {
    let cluster = cluster_with_users();
    let may = |user: &str, verb: &str, what: &str, more: &[&str]| {
        let asked = [&["auth", "can-i", verb, what, "--as", user], more].concat();
        let said = String::from_utf8(cluster.try_kubectl(&asked).stdout).unwrap();
        match said.trim().lines().last().unwrap_or_default() {
            "yes" => true,
            word if word.starts_with("no") => false,
            other => panic!("{asked:?}: {other}"),
        }
    };
    let kinds = ["organizations", "organizationalunits", "accounts", "organizationpolicies"];
    let writes = ["create", "update", "patch", "delete"];
    for kind in kinds {
        let kind = format!("{kind}.bylaw.dev");
        for verb in ["get", "list", "watch"] {
            for user in ["reader", "editor", "approver"] {
                assert!(may(user, verb, &kind, &[]), "{user} {verb} {kind}");
            }
        }
        for verb in writes {
            assert!(may("editor", verb, &kind, &[]), "editor {verb} {kind}");
            for user in ["reader", "approver", "stranger"] {
                assert!(!may(user, verb, &kind, &[]), "{user} {verb} {kind}");
            }
            let controller = verb == "patch" && !kind.starts_with("organizations");
            assert_eq!(may(CONTROLLER, verb, &kind, &[]), controller, "controller {verb} {kind}");
        }
        for verb in ["update", "patch"] {
            for user in ["reader", "editor", "approver"] {
                assert!(!may(user, verb, &kind, &["--subresource=status"]), "{user} {verb} {kind}/status");
            }
        }
        assert!(may(CONTROLLER, "patch", &kind, &["--subresource=status"]), "{kind}");
        assert!(may(CONTROLLER, "list", &kind, &[]) && may(CONTROLLER, "watch", &kind, &[]), "{kind}");
        assert!(!may("stranger", "list", &kind, &[]), "{kind}");
    }
    let approvals = "approvals.bylaw.dev";
    for user in ["reader", "editor", "stranger", CONTROLLER] {
        for verb in ["create", "update", "patch", "delete", "approve"] {
            assert!(!may(user, verb, approvals, &[]), "{user} {verb}");
        }
    }
    for (verb, allowed) in [("create", true), ("approve", true), ("delete", true), ("update", false), ("patch", false)]
    {
        assert_eq!(may("approver", verb, approvals, &[]), allowed, "approver {verb}");
    }
    assert!(may("reader", "list", approvals, &[]) && may(CONTROLLER, "watch", approvals, &[]));
    for (user, allowed) in [("approver", false), ("editor", false), (CONTROLLER, true)] {
        assert_eq!(may(user, "patch", approvals, &["--subresource=status"]), allowed, "{user} patch status");
    }
    // Nothing beside its kinds, its Lease and its Events.
    for (verb, what, namespace) in [
        ("get", "secrets", NAMESPACE),
        ("list", "secrets", "default"),
        ("get", "configmaps", NAMESPACE),
        ("create", "pods", NAMESPACE),
        ("get", "lease/other", NAMESPACE),
        ("update", "lease/other", NAMESPACE),
        ("delete", "lease/bylaw", NAMESPACE),
        ("list", "leases", NAMESPACE),
        ("create", "leases", "default"),
        ("create", "events.events.k8s.io", NAMESPACE),
        ("delete", "events.events.k8s.io", "default"),
        ("list", "events.events.k8s.io", "default"),
        ("create", "events", "default"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io", "default"),
        ("impersonate", "users", "default"),
        ("update", "validatingadmissionpolicies.admissionregistration.k8s.io", "default"),
        ("patch", "customresourcedefinitions.apiextensions.k8s.io", "default"),
    ] {
        assert!(!may(CONTROLLER, verb, what, &["-n", namespace]), "controller {verb} {what} in {namespace}");
    }
    for (verb, what, namespace) in [
        ("create", "leases", NAMESPACE),
        ("get", "lease/bylaw", NAMESPACE),
        ("update", "lease/bylaw", NAMESPACE),
        ("create", "events.events.k8s.io", "default"),
        ("patch", "events.events.k8s.io", "default"),
    ] {
        assert!(may(CONTROLLER, verb, what, &["-n", namespace]), "controller {verb} {what} in {namespace}");
    }
}
