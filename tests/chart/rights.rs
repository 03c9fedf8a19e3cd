//! Who may do what: the roles as they are written, and as the API server judges them.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

/// The service account of the controller, as the API server names it.
const CONTROLLER: &str = "system:serviceaccount:bylaw-system:bylaw";

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

/// One question to the API server, and the answer that is expected.
struct Question {
    user: &'static str,
    verb: &'static str,
    group: &'static str,
    /// With `/` before a subresource.
    resource: String,
    name: &'static str,
    namespace: &'static str,
    expected: bool,
}

/// Of something of the whole cluster.
fn wide(user: &'static str, verb: &'static str, resource: &str, expected: bool) -> Question {
    Question { user, verb, group: "bylaw.dev", resource: resource.to_owned(), name: "", namespace: "", expected }
}

/// Asks all at once, as `kubectl auth can-i --as` asks one; what is not as expected.
fn unexpected(cluster: &Cluster, questions: &[Question]) -> Vec<String> {
    let review = |question: &Question| {
        let (resource, sub) = question.resource.split_once('/').unwrap_or((&question.resource, ""));
        let attributes = json!({"verb": question.verb, "group": question.group, "resource": resource, "subresource": sub,
            "name": question.name, "namespace": question.namespace});
        let spec = json!({"user": question.user, "resourceAttributes": attributes});
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
    };
    let reviews: Vec<Value> = questions.iter().map(review).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews});
    let file = scratch("reviews.json", &list.to_string());
    let answers = cluster.kubectl(&["create", "-f", path(&file), "-o", "json"]);
    // One object after the other, no list.
    let answers = serde_json::Deserializer::from_str(&answers).into_iter::<Value>();
    let answers: Vec<Value> = answers.map(Result::unwrap).collect();
    assert_eq!(answers.len(), questions.len());
    let differ = |(question, answer): &(&Question, &Value)| {
        assert_eq!(answer["spec"]["resourceAttributes"]["verb"], question.verb, "the order is another");
        answer["status"]["allowed"] != question.expected
    };
    let tell = |(q, _): (&Question, &Value)| {
        let may = if q.expected { "may not" } else { "may" };
        format!("{} {may} {} {}.{} {} in `{}`", q.user, q.verb, q.resource, q.group, q.name, q.namespace)
    };
    questions.iter().zip(&answers).filter(differ).map(tell).collect()
}

#[test]
fn the_api_server_lets_everybody_do_what_the_role_says_and_nothing_else() {
    const READS: [&str; 3] = ["get", "list", "watch"];
    const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];
    let cluster = cluster_with_users();
    let mut all = vec![];
    for kind in ["organizations", "organizationalunits", "accounts", "organizationpolicies"] {
        for verb in READS {
            all.extend(["reader", "editor", "approver"].map(|user| wide(user, verb, kind, true)));
            all.push(wide(CONTROLLER, verb, kind, verb != "get"));
            all.push(wide("stranger", verb, kind, false));
        }
        for verb in WRITES {
            all.push(wide("editor", verb, kind, verb != "deletecollection"));
            all.extend(["reader", "approver", "stranger"].map(|user| wide(user, verb, kind, false)));
            all.push(wide(CONTROLLER, verb, kind, verb == "patch" && kind != "organizations"));
            let status = format!("{kind}/status");
            all.extend(["reader", "editor", "approver"].map(|user| wide(user, verb, &status, false)));
            all.push(wide(CONTROLLER, verb, &status, verb == "patch"));
        }
    }
    for verb in READS {
        all.extend(["reader", "editor", "approver"].map(|user| wide(user, verb, "approvals", true)));
    }
    for verb in WRITES.into_iter().chain(["approve"]) {
        all.extend(["reader", "editor", "stranger", CONTROLLER].map(|user| wide(user, verb, "approvals", false)));
        all.push(wide("approver", verb, "approvals", ["create", "delete", "approve"].contains(&verb)));
        all.extend(["approver", "editor"].map(|user| wide(user, verb, "approvals/status", false)));
        all.push(wide(CONTROLLER, verb, "approvals/status", verb == "patch"));
    }
    // Nothing beside its kinds, its Lease and its Events.
    let (leases, events) = ("coordination.k8s.io", "events.k8s.io");
    for (verb, group, resource, name, namespace, expected) in [
        ("create", leases, "leases", "", NAMESPACE, true),
        ("get", leases, "leases", "bylaw", NAMESPACE, true),
        ("update", leases, "leases", "bylaw", NAMESPACE, true),
        ("get", leases, "leases", "other", NAMESPACE, false),
        ("update", leases, "leases", "other", NAMESPACE, false),
        ("delete", leases, "leases", "bylaw", NAMESPACE, false),
        ("list", leases, "leases", "", NAMESPACE, false),
        ("create", leases, "leases", "", "default", false),
        ("create", events, "events", "", "default", true),
        ("patch", events, "events", "", "default", true),
        ("create", events, "events", "", NAMESPACE, false),
        ("delete", events, "events", "", "default", false),
        ("list", events, "events", "", "default", false),
        ("create", "", "events", "", "default", false),
        ("get", "", "secrets", "", NAMESPACE, false),
        ("list", "", "secrets", "", "", false),
        ("get", "", "configmaps", "", NAMESPACE, false),
        ("create", "", "pods", "", NAMESPACE, false),
        ("create", "", "serviceaccounts/token", "bylaw", NAMESPACE, false),
        ("impersonate", "", "users", "", "", false),
        ("create", "rbac.authorization.k8s.io", "clusterrolebindings", "", "", false),
        ("update", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "", false),
        ("patch", "apiextensions.k8s.io", "customresourcedefinitions", "", "", false),
    ] {
        let resource = resource.to_owned();
        all.push(Question { user: CONTROLLER, verb, group, resource, name, namespace, expected });
    }
    assert_eq!(unexpected(&cluster, &all), Vec::<String>::new());
    // kubectl says the same, and the questions can be answered otherwise.
    for (user, verb, what, said) in [
        ("reader", "patch", "accounts.bylaw.dev", "no"),
        ("editor", "patch", "accounts.bylaw.dev", "yes"),
        ("editor", "create", "approvals.bylaw.dev", "no"),
        ("approver", "create", "approvals.bylaw.dev", "yes"),
        (CONTROLLER, "get", "secrets", "no"),
    ] {
        let asked = cluster.try_kubectl(&["auth", "can-i", verb, what, "--as", user]);
        let answer = String::from_utf8_lossy(&asked.stdout).trim().lines().last().unwrap_or_default().to_owned();
        assert_eq!(answer, said, "{user} {verb} {what}");
    }
}
