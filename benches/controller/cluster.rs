//! As much of an API server as the controller asks of one: lists in pages, watches, status and merge patches, Events.
//! Objects come as the API server delivers them, managed fields included.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bylaw::desired::{Declared, Desired, NodeKey};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

const API: &str = "/apis/bylaw.dev/v1alpha1/";
const BORN: &str = "2026-01-01T00:00:00Z";

/// Objects of one kind.
#[derive(Default)]
struct Shelf {
    objects: BTreeMap<String, Value>,
    /// Watch events since the beginning, each with its version.
    log: Vec<(u64, String)>,
}

/// Everything, and the count of what was written.
struct Contents {
    shelves: BTreeMap<String, Shelf>,
    version: u64,
    statuses: u64,
    events: u64,
}

/// A cluster in memory.
pub struct Cluster {
    contents: Mutex<Contents>,
    changed: watch::Sender<u64>,
}

impl Cluster {
    /// What is declared, as objects without a status.
    pub fn of(desired: &Desired) -> Arc<Self> {
        let mut shelves: BTreeMap<String, Shelf> = BTreeMap::new();
        for (plural, kind, name, spec) in manifests(desired) {
            let shelf = shelves.entry(plural.to_owned()).or_default();
            shelf.objects.insert(name.to_owned(), object(kind, name, &spec));
        }
        let contents = Contents { shelves, version: 1, statuses: 0, events: 0 };
        Arc::new(Self { contents: Mutex::new(contents), changed: watch::Sender::new(1) })
    }

    /// Serves on a free port until the process ends.
    pub async fn serve(self: Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self);
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        address
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }

    /// Statuses and Events that were written so far.
    pub fn written(&self) -> (u64, u64) {
        let contents = self.contents();
        (contents.statuses, contents.events)
    }

    fn list(&self, plural: &str, query: &str) -> Response {
        let contents = self.contents();
        let none = Shelf::default();
        let shelf = contents.shelves.get(plural).unwrap_or(&none);
        let limit: usize = parameter(query, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let after = parameter(query, "continue").unwrap_or_default();
        let mut rest = shelf.objects.iter().filter(|(name, _)| **name > after).peekable();
        let mut items = Vec::new();
        let mut last = "";
        while items.len() < limit
            && let Some((name, object)) = rest.next()
        {
            items.push(object);
            last = name;
        }
        let next = if rest.peek().is_some() { last } else { "" };
        let metadata = json!({"resourceVersion": contents.version.to_string(), "continue": next});
        page(&json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": "List", "metadata": metadata, "items": items}))
    }

    fn watch(self: Arc<Self>, plural: String, query: &str) -> Response {
        let from: u64 = parameter(query, "resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
        let news = self.changed.subscribe();
        let stream =
            futures::stream::unfold((self, plural, from, news), |(cluster, plural, mut from, mut news)| async move {
                loop {
                    let mut text = String::new();
                    if let Some(shelf) = cluster.contents().shelves.get(&plural) {
                        let seen = shelf.log.partition_point(|(version, _)| *version <= from);
                        for (version, event) in &shelf.log[seen..] {
                            text.push_str(event);
                            from = *version;
                        }
                    }
                    if !text.is_empty() {
                        return Some((Ok::<_, std::io::Error>(Bytes::from(text)), (cluster, plural, from, news)));
                    }
                    news.changed().await.ok()?;
                }
            });
        ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream)).into_response()
    }

    /// A merge patch of the object, or its status as it was applied.
    fn patch(&self, plural: &str, name: &str, part: Option<&str>, patch: &Value) -> Response {
        let mut contents = self.contents();
        contents.version += 1;
        contents.statuses += u64::from(part == Some("status"));
        let version = contents.version;
        let Some(shelf) = contents.shelves.get_mut(plural) else { return StatusCode::NOT_FOUND.into_response() };
        let Some(object) = shelf.objects.get_mut(name) else { return StatusCode::NOT_FOUND.into_response() };
        if part == Some("status") {
            object["status"] = patch["status"].clone();
        } else {
            merge(object, patch);
            object["metadata"]["generation"] = (object["metadata"]["generation"].as_i64().unwrap() + 1).into();
        }
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let answer = page(object);
        shelf.log.push((version, json!({"type": "MODIFIED", "object": object}).to_string() + "\n"));
        drop(contents);
        self.changed.send_replace(version);
        answer
    }
}

async fn answer(State(cluster): State<Arc<Cluster>>, request: Request) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    if path == "/written" {
        let (statuses, events) = cluster.written();
        return page(&json!([statuses, events]));
    }
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let sent = || serde_json::from_slice::<Value>(&body).unwrap();
    let Some(rest) = path.strip_prefix(API) else {
        cluster.contents().events += 1;
        return (StatusCode::CREATED, page(&sent())).into_response();
    };
    let parts: Vec<&str> = rest.split('/').collect();
    match (&method, &*parts) {
        (&Method::GET, [plural]) if parameter(query, "watch").is_some() => cluster.watch((*plural).to_owned(), query),
        (&Method::GET, [plural]) => cluster.list(plural, query),
        (&Method::PATCH, [plural, name, rest @ ..]) => cluster.patch(plural, name, rest.first().copied(), &sent()),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn page(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

fn merge(into: &mut Value, patch: &Value) {
    let (Value::Object(into), Value::Object(patch)) = (&mut *into, patch) else {
        *into = patch.clone();
        return;
    };
    for (key, value) in patch {
        merge(into.entry(key.clone()).or_insert(Value::Null), value);
    }
}

/// With what a server adds to what was applied.
fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let fields: serde_json::Map<String, Value> =
        spec.as_object().unwrap().keys().map(|key| (format!("f:{key}"), json!({}))).collect();
    let managed = json!([{"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "bylaw.dev/v1alpha1",
        "time": BORN, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": fields}}]);
    let uid = format!("7c5d2e1a-0000-4000-8000-{name:0>12}");
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "organization",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "uid": uid, "generation": 1, "resourceVersion": "1", "creationTimestamp": BORN,
                     "labels": labels, "managedFields": managed}})
}

fn reference(name: &str) -> Value {
    json!({"name": name})
}

fn target(node: &NodeKey) -> Value {
    match node {
        NodeKey::Root => json!({"root": true}),
        NodeKey::Unit(name) => json!({"organizationalUnitRef": reference(name)}),
        NodeKey::Account(name) => json!({"accountRef": reference(name)}),
    }
}

fn manifests(desired: &Desired) -> impl Iterator<Item = (&'static str, &'static str, &str, Value)> {
    let organization = &desired.organization;
    let spec = json!({"managementAccountId": organization.spec.management_account.as_str(),
        "policyTypes": organization.spec.policy_types});
    let unit = |(name, unit): (_, &_)| {
        let unit: &Declared<bylaw::desired::model::Unit> = unit;
        let mut spec = json!({"name": unit.spec.name, "tags": unit.spec.tags});
        if let NodeKey::Unit(parent) = &unit.spec.parent {
            spec["parentRef"] = reference(parent);
        }
        ("organizationalunits", "OrganizationalUnit", name, spec)
    };
    let account = |(name, account): (_, &_)| {
        let account: &Declared<bylaw::desired::model::Account> = account;
        let mut spec = json!({"name": account.spec.name, "email": account.spec.email, "tags": account.spec.tags});
        if let NodeKey::Unit(parent) = &account.spec.parent {
            spec["organizationalUnitRef"] = reference(parent);
        }
        ("accounts", "Account", name, spec)
    };
    let policy = |(name, policy): (_, &_)| {
        let policy: &Declared<bylaw::desired::model::Policy> = policy;
        let targets: Vec<Value> = policy.spec.targets.iter().map(target).collect();
        let spec = json!({"type": policy.spec.kind.as_str(), "name": policy.spec.name,
            "description": policy.spec.description, "content": policy.spec.content.minified(), "targets": targets,
            "tags": policy.spec.tags});
        ("organizationpolicies", "OrganizationPolicy", name, spec)
    };
    std::iter::once(("organizations", "Organization", &*organization.key.name, spec))
        .chain(desired.units.iter().map(move |(name, it)| unit((&**name, it))))
        .chain(desired.accounts.iter().map(move |(name, it)| account((&**name, it))))
        .chain(desired.policies.iter().map(move |(name, it)| policy((&**name, it))))
}
