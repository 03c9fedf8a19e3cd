//! What helm makes of the charts, without a cluster.

use bylaw::api;
use serde_json::{Map, json};

use super::*;

#[test]
fn helm_finds_nothing_to_complain_of() {
    for chart in ["charts/bylaw-crds", "charts/bylaw"] {
        helm(&["lint", "--strict", chart]);
    }
    helm(&["lint", "--strict", "charts/bylaw", "-f", path(&repository("tests/chart/all-on.yaml"))]);
}

#[test]
fn both_charts_render_for_every_version_that_they_are_for_and_for_no_older_one() {
    for version in VERSIONS {
        assert!(objects(&rendered("bylaw-crds", "{}", version)).len() >= 4);
        let (few, all) = (objects(&rendered("bylaw", "{}", version)), objects(&rendered("bylaw", ALL, version)));
        for kind in ["Deployment", "ServiceAccount", "ClusterRole", "Service", "PodDisruptionBudget"] {
            assert!(!of_kind(&few, kind).is_empty(), "{kind}");
        }
        for kind in ["PodMonitor", "PrometheusRule", "NetworkPolicy", "PersistentVolumeClaim", "ConfigMap"] {
            assert!(of_kind(&few, kind).is_empty() && !of_kind(&all, kind).is_empty(), "{kind}");
        }
        for objects in [few, all] {
            assert_eq!(of_kind(&objects, "ValidatingAdmissionPolicy").len(), 1, "nothing turns that off");
            assert_eq!(of_kind(&objects, "ValidatingAdmissionPolicyBinding").len(), 1);
        }
    }
    for chart in ["charts/bylaw-crds", "charts/bylaw"] {
        let (well, _, err) = try_helm(&["template", chart, "--kube-version", "1.29.9"], None);
        assert!(!well && err.contains("1.30"), "{err}");
    }
}

#[test]
fn the_values_with_everything_on_turn_every_switch_on() {
    fn switches(at: &str, value: &Value, out: &mut Vec<String>) {
        for (key, below) in value.as_object().into_iter().flatten() {
            let at = format!("{at}/{key}");
            if below.is_boolean() {
                out.push(at);
            } else {
                switches(&at, below, out);
            }
        }
    }
    let mut all = vec![];
    switches("", &yaml(&read("charts/bylaw/values.yaml")), &mut all);
    // Those of security contexts are no switches of the chart.
    all.retain(|at| !at.contains("ecurityContext"));
    assert!(all.len() > 8, "{all:?}");
    let on = yaml(ALL);
    let off: Vec<_> = all.into_iter().filter(|at| on.pointer(at) != Some(&json!(true))).collect();
    assert_eq!(off, Vec::<String>::new());
}

#[test]
fn a_typo_in_values_is_refused() {
    for (typo, named) in [
        ("replica=3", "replica"),
        ("replicas=two", "replicas"),
        ("image.repo=x", "repo"),
        ("image.digest=latest", "digest"),
        ("image.pullPolicy=always", "pullPolicy"),
        ("serviceAccount.annotation.x=y", "annotation"),
        ("rbac.aggregateToAdmin=true", "aggregateToAdmin"),
        ("persistence.accessModes[0]=ReadWriteTwice", "accessModes"),
        ("prometheusRule.driftedfor=1h", "driftedfor"),
        ("prometheusRule.driftedFor=soon", "driftedFor"),
        ("networkPolicy.apiServer.port=6443", "port"),
        ("otel.endpoint=collector:4318", "endpoint"),
        ("resources.limit.memory=1Gi", "limit"),
        ("extraEnv[0].name=BYLAW_LEASE", "extraEnv"),
        ("strategy.type=Rolling", "type"),
    ] {
        let (well, _, err) = try_helm(&["template", "charts/bylaw", "--set", typo], None);
        assert!(!well && err.contains(named), "`{typo}`: {err}");
    }
    let (well, _, err) = try_helm(&["template", "charts/bylaw-crds", "--set", "keeep=true"], None);
    assert!(!well && err.contains("keeep"), "{err}");
}

/// Fields by path, down to what is no map with entries.
fn leaves(at: &str, value: &Value, out: &mut Vec<String>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, below) in map {
                leaves(&if at.is_empty() { key.clone() } else { format!("{at}.{key}") }, below, out);
            }
        }
        None => out.push(at.to_owned()),
    }
}

#[test]
fn the_schema_and_the_table_of_the_readme_have_the_values_and_no_others() {
    for chart in ["bylaw", "bylaw-crds"] {
        let values = yaml(&read(&format!("charts/{chart}/values.yaml")));
        let schema: Value = serde_json::from_str(&read(&format!("charts/{chart}/values.schema.json"))).unwrap();
        strict(chart, &schema);
        let mut paths = vec![];
        leaves("", &values, &mut paths);
        // Whole maps of Kubernetes' own are one row.
        for whole in ["podSecurityContext", "securityContext", "resources"] {
            paths.retain(|path| !path.starts_with(&format!("{whole}.")));
            if chart == "bylaw" {
                paths.push(whole.to_owned());
            }
        }
        // Labels of the dashboard are a map of the user's.
        paths
            .iter_mut()
            .filter(|path| path.starts_with("dashboard.labels."))
            .for_each(|p| *p = "dashboard.labels".into());
        paths.sort();
        let readme = read(&format!("charts/{chart}/README.md"));
        let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let mut told: Vec<String> = rows.map(|(path, _)| path.to_owned()).collect();
        told.sort();
        assert_eq!(told, paths, "charts/{chart}/README.md");
        let declared: Vec<&String> =
            schema["properties"].as_object().unwrap().keys().filter(|k| *k != "global").collect();
        let mut there: Vec<&String> = values.as_object().unwrap().keys().collect();
        there.sort();
        let mut declared = declared;
        declared.sort();
        assert_eq!(declared, there, "charts/{chart}/values.schema.json");
    }
}

/// Every object of the schema that says which fields it has takes no others.
fn strict(at: &str, schema: &Value) {
    if schema["properties"].is_object() && at != "extraVolumes" {
        let loose = schema["additionalProperties"] != false;
        assert!(!loose || schema["required"].is_array(), "`{at}` takes any field");
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        strict(key, below);
    }
}

/// An object without what a release adds.
fn bare(definition: &Value) -> Value {
    let mut bare = definition.clone();
    let metadata: Map<String, Value> =
        [("name".to_owned(), definition["metadata"]["name"].clone())].into_iter().collect();
    bare["metadata"] = Value::Object(metadata);
    bare
}

#[test]
fn the_definitions_of_the_chart_are_those_of_the_types_and_are_kept() {
    let kept = objects(&rendered("bylaw-crds", "{labels: {a: b}, annotations: {c: d}}", VERSIONS[0]));
    for definition in &kept {
        assert_eq!(definition["metadata"]["annotations"], json!({"c": "d", "helm.sh/resource-policy": "keep"}));
        assert_eq!(definition["metadata"]["labels"]["a"], "b");
    }
    for definition in objects(&rendered("bylaw-crds", "{keep: false}", VERSIONS[0])) {
        assert!(definition["metadata"]["annotations"].is_null(), "{}", definition["metadata"]);
    }
    // Numbers are written as whole ones by the chart and as they are by the types.
    let whole = |value: Value| yaml(&value.to_string().replace(".0,", ",").replace(".0}", "}"));
    let mut types: Vec<Value> = api::definitions().iter().map(|d| whole(serde_json::to_value(d).unwrap())).collect();
    let mut found: Vec<Value> = kept.iter().map(bare).collect();
    let name = |value: &Value| value["metadata"]["name"].as_str().unwrap().to_owned();
    types.sort_by_key(name);
    found.sort_by_key(name);
    assert_eq!(found, types);
}

#[test]
fn a_claim_of_one_node_has_one_replica_and_is_never_mounted_twice() {
    let (well, _, err) = try_helm(&["template", "charts/bylaw", "--set", "persistence.enabled=true"], None);
    assert!(!well && err.contains("ReadWriteMany") && err.contains("replicas: 1"), "{err}");
    let one = chart("{replicas: 1, persistence: {enabled: true}}");
    assert_eq!(of_kind(&one, "Deployment")[0]["spec"]["strategy"], json!({"type": "Recreate"}));
    let claim = of_kind(&one, "PersistentVolumeClaim")[0];
    assert_eq!(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "the audit log outlives a release");
    let there = chart("{replicas: 1, persistence: {enabled: true, existingClaim: mine}}");
    assert!(of_kind(&there, "PersistentVolumeClaim").is_empty());
    let volume = &of_kind(&there, "Deployment")[0]["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["persistentVolumeClaim"]["claimName"], "mine");
}

/// Environment of the container, by name.
fn environment(objects: &[Value]) -> std::collections::BTreeMap<String, Value> {
    let container = &of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap();
    variables.iter().map(|v| (v["name"].as_str().unwrap().to_owned(), v["value"].clone())).collect()
}

#[test]
fn what_belongs_together_has_one_name() {
    for (release, values) in
        [("bylaw", "{}"), ("x", "{}"), ("x", "{fullnameOverride: keeper}"), (&*"r".repeat(53), ALL)]
    {
        let file = scratch("values.yaml", values);
        let text = helm(&["template", release, "charts/bylaw", "-n", NAMESPACE, "-f", path(&file)]);
        let objects = objects(&text);
        let lease = environment(&objects)["BYLAW_LEASE"].clone();
        let roles = of_kind(&objects, "Role");
        let rules: Vec<&Value> = roles.iter().flat_map(|role| role["rules"].as_array().unwrap()).collect();
        let named: Vec<&Value> =
            rules.iter().map(|rule| &rule["resourceNames"]).filter(|names| !names.is_null()).collect();
        assert_eq!(named, [&json!([lease])], "{release}");
        let account = &of_kind(&objects, "ServiceAccount")[0]["metadata"]["name"];
        let bindings = [of_kind(&objects, "RoleBinding"), of_kind(&objects, "ClusterRoleBinding")].concat();
        for binding in &bindings {
            assert_eq!(&binding["subjects"][0]["name"], account, "{binding:#}");
            assert_eq!(binding["subjects"][0]["namespace"], NAMESPACE);
        }
        let pod = &of_kind(&objects, "Deployment")[0]["spec"];
        assert_eq!(&pod["template"]["spec"]["serviceAccountName"], account);
        for (key, value) in pod["selector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&pod["template"]["metadata"]["labels"][key], value);
        }
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            assert!(name.len() <= 63 && !name.ends_with('-'), "{name}");
            for (key, value) in object["metadata"]["labels"].as_object().unwrap() {
                assert!(value.as_str().is_some_and(|value| value.len() <= 63), "{name}: {key}");
            }
        }
    }
}

#[test]
fn the_release_the_image_and_the_toolchain_are_those_of_the_program() {
    for chart in ["bylaw", "bylaw-crds"] {
        let about = yaml(&read(&format!("charts/{chart}/Chart.yaml")));
        assert_eq!(
            (&about["version"], &about["appVersion"]),
            (&json!(env!("CARGO_PKG_VERSION")), &json!(env!("CARGO_PKG_VERSION")))
        );
    }
    let image = |values: &str| {
        let objects = chart(values);
        of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image("{}"), concat!("bylaw:", env!("CARGO_PKG_VERSION")));
    let digest = format!("sha256:{}", "a".repeat(64));
    assert_eq!(image(&format!("{{image: {{tag: v9, digest: \"{digest}\"}}}}")), format!("bylaw:v9@{digest}"));
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"')).unwrap();
    let dockerfile = read("Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{channel}-")), "{channel}:\n{dockerfile}");
    let account = chart("{}");
    let pod = &of_kind(&account, "Deployment")[0]["spec"]["template"]["spec"];
    assert!(dockerfile.contains(&format!("USER {0}:{0}", pod["securityContext"]["runAsUser"])), "{dockerfile}");
}

#[test]
fn replicas_that_serve_are_asked_at_the_pages_that_the_program_has() {
    let objects = chart(ALL);
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let routes = read("src/process/http.rs");
    let mut pages = vec![];
    for probe in ["livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "http");
        pages.push(container[probe]["httpGet"]["path"].as_str().unwrap());
    }
    pages.push(of_kind(&objects, "PodMonitor")[0]["spec"]["podMetricsEndpoints"][0]["path"].as_str().unwrap());
    assert_eq!(pages, ["/healthz", "/readyz", "/metrics"]);
    for page in pages {
        assert!(routes.contains(&format!(".route(\"{page}\"")), "{page}");
    }
    assert_eq!(container["ports"][0]["containerPort"], 8080);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    // What is written is below the volume.
    let mount = container["volumeMounts"][0]["mountPath"].as_str().unwrap().to_owned();
    let environment = environment(&objects);
    for variable in ["BYLAW_CACHE_DIR", "BYLAW_STATE_DIR"] {
        assert!(environment[variable].as_str().unwrap().starts_with(&format!("{mount}/")), "{variable}");
    }
}

#[test]
fn the_network_policy_lets_out_names_the_api_server_and_aws_only() {
    let objects = chart("{networkPolicy: {enabled: true, ingressFrom: []}}");
    let policy = &of_kind(&objects, "NetworkPolicy")[0]["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert!(policy["ingress"].is_null(), "an empty list lets nobody in");
    let mut ports: Vec<i64> = policy["egress"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| rule["ports"].as_array().unwrap())
        .map(|port| port["port"].as_i64().unwrap())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports, [53, 80, 443, 6443]);
}
