//! Text to manifests: which documents are ours, and whether each is right by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::checks;
use super::model::{Issue, Origin, Severity};
use super::report::{nearest, one_of, quoted};
use super::schema::{self, Finding};
use super::tree::{Form, Node, Place};
use super::yaml::{self, Chunk, Document};
use crate::api::account::AccountSpec;
use crate::api::organization::OrganizationSpec;
use crate::api::organizational_unit::OrganizationalUnitSpec;
use crate::api::policy::OrganizationPolicySpec;
use crate::names::{ANNOTATION_ID, Kind, ObjectKey};

/// A text and where it is from.
#[derive(Debug, Clone)]
pub struct Source {
    /// File as the user named it, or `<stdin>`.
    pub file: Arc<str>,
    /// Its content as read; that it is UTF-8 is checked here.
    pub bytes: Vec<u8>,
}

/// The spec of a manifest, as its kind has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Organization(Box<OrganizationSpec>),
    Unit(Box<OrganizationalUnitSpec>),
    Account(Box<AccountSpec>),
    Policy(Box<OrganizationPolicySpec>),
}

/// One object of group `bylaw.dev`, right or wrong.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its key, where it could be read.
    pub key: Option<ObjectKey>,
    /// Where it starts.
    pub origin: Origin,
    /// AWS id of annotation `bylaw.dev/id`, or of status.
    pub id: Option<String>,
    /// Its AWS name, where it could be read.
    pub aws_name: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Name of the Organization it belongs to, where it says so.
    pub(crate) organization: Option<Box<str>>,
    /// The spec; `None` for an object with an error.
    pub(crate) body: Option<Body>,
    source: Written,
}

/// What a manifest was read from, for the places of issues.
#[derive(Debug, Clone)]
enum Written {
    Tree(Node),
    /// Of an object without an error only the text is kept: trees of 50,000 of them would be most of the memory, and are
    /// asked for by few.
    Text {
        lines_before: u32,
        text: Box<str>,
    },
}

/// What [`read_all`] found.
#[derive(Debug, Default)]
pub struct Found {
    /// Objects of our group, broken ones included.
    pub manifests: Vec<Manifest>,
    /// Everything wrong.
    pub issues: Vec<Issue>,
    /// Objects of other groups, which are none of our business.
    pub skipped: usize,
}

/// Reads every document of every source. One that is broken hides no other.
#[must_use]
pub fn read(sources: &[Source]) -> (Vec<Manifest>, Vec<Issue>) {
    let found = read_all(sources);
    (found.manifests, found.issues)
}

/// [`read`], with the count of what was passed over.
#[must_use]
pub fn read_all(sources: &[Source]) -> Found {
    let mut found = Found::default();
    for source in sources {
        match text_of(source) {
            Ok(text) => {
                for chunk in yaml::chunks(text) {
                    let Some(document) = yaml::document(&source.file, chunk, &mut found.issues) else { continue };
                    let Document { root, place, broken, cut, lost } = document;
                    let cx = Context { file: &source.file, place, broken, cut, chunk: Some(chunk) };
                    match root {
                        Some(root) => found.document(&cx, root),
                        None => found.manifests.push(Manifest::unreadable(&cx)),
                    }
                    if lost {
                        found.manifests.push(Manifest::unreadable(&cx));
                    }
                }
            }
            Err(issue) => {
                let (line, column) = (issue.origin.line, issue.origin.column);
                let place = Place { line, column };
                let cx = Context { file: &source.file, place, broken: true, cut: true, chunk: None };
                found.manifests.push(Manifest::unreadable(&cx));
                found.issues.push(*issue);
            }
        }
    }
    found
}

/// The text of a source, or why it is none.
fn text_of(source: &Source) -> Result<&str, Box<Issue>> {
    let bytes = &source.bytes;
    let at = |offset: usize| {
        let before = bytes.get(..offset).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
        Origin {
            file: source.file.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    };
    let issue = |offset: usize, message: String| Issue::new(Severity::Error, "not-text", at(offset), None, "", message);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(issue(0, "the file is UTF-16; manifests are UTF-8".into()).help("save it as UTF-8").into());
    }
    if let Some(offset) = bytes.iter().position(|b| *b == 0) {
        let message = format!("byte {offset} is NUL: this is a binary file, not a manifest");
        return Err(issue(offset, message).help("give text files only, or name them one by one with `-f`").into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let message = format!("byte {offset} is not UTF-8: this is text in another encoding, or a binary file");
        issue(offset, message).help("save it as UTF-8 (`iconv -f WINDOWS-1252 -t UTF-8`)").into()
    })
}

struct Context<'a> {
    file: &'a Arc<str>,
    place: Place,
    broken: bool,
    cut: bool,
    /// The text of the document, where the object is the whole of it.
    chunk: Option<Chunk<'a>>,
}
impl Context<'_> {
    fn origin(&self, place: Place) -> Origin {
        Origin { file: self.file.clone(), line: place.line, column: place.column }
    }
}

impl Found {
    fn document(&mut self, cx: &Context<'_>, root: Node) {
        if schema::is_null(&root) && !cx.broken {
            return;
        }
        let api_version = root.get("apiVersion").and_then(Node::text).unwrap_or_default().to_owned();
        let kind = root.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let ours = Kind::ALL.into_iter().find(|k| k.as_str() == kind);

        let list =
            kind == "List" && matches!(group, "" | "bylaw.dev") || group == "bylaw.dev" && kind.ends_with("List");
        if list && let Some(items) = take_items(&root) {
            for item in items {
                let cx = Context { place: item.place, chunk: None, ..*cx };
                self.document(&cx, item);
            }
            if cx.cut {
                // Items behind the error are there and unknown.
                self.manifests.push(Manifest::unreadable(cx));
            }
            return;
        }
        if group != "bylaw.dev" {
            return self.foreign(cx, root, &api_version, group, &kind, ours);
        }
        let Some(our_kind) = ours.filter(|_| version == "v1alpha1") else {
            let (field, message, help) = if version != "v1alpha1" {
                let message = format!("group `bylaw.dev` has no version `{}`", quoted(version));
                ("apiVersion", message, format!("write `apiVersion: {}`", crate::api::API_VERSION))
            } else {
                let known = Kind::ALL.map(Kind::as_str);
                let message = if kind.is_empty() {
                    "`kind` is missing".to_owned()
                } else {
                    format!("group `bylaw.dev` has no kind `{}`", quoted(&kind))
                };
                let help = match nearest(&kind, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the kinds are {}", one_of(known).replace(" or ", " and ")),
                };
                ("kind", message, help)
            };
            if !cx.broken {
                let origin = cx.origin(root.place_of(field));
                self.issues.push(Issue::new(Severity::Error, "unknown-kind", origin, None, field, message).help(help));
            }
            self.manifests.push(Manifest { key: None, ..Manifest::of_tree(cx, root) });
            return;
        };
        self.manifest(cx, root, our_kind);
    }

    /// An object that is not of our group, or looks as if it should be.
    fn foreign(
        &mut self,
        cx: &Context<'_>,
        root: Node,
        api_version: &str,
        group: &str,
        kind: &str,
        ours: Option<Kind>,
    ) {
        let near_group = group.to_ascii_lowercase().starts_with("bylaw") || nearest(group, ["bylaw.dev"]).is_some();
        let near = ours.is_some() && (api_version.is_empty() || near_group);
        if cx.broken {
            // Its error is told. What it was can only be ruled out where another group is readable.
            if near || api_version.is_empty() {
                self.manifests.push(Manifest { key: None, ..Manifest::of_tree(cx, root) });
            } else {
                self.skipped += 1;
            }
            return;
        }
        if near {
            let message = if api_version.is_empty() {
                "`apiVersion` is missing".to_owned()
            } else {
                format!("`{}` is not the API of kind `{kind}`", quoted(api_version))
            };
            let origin = cx.origin(root.place_of("apiVersion"));
            self.issues.push(
                Issue::new(Severity::Error, "unknown-kind", origin, None, "apiVersion", message)
                    .help(format!("write `apiVersion: {}`", crate::api::API_VERSION)),
            );
            self.manifests.push(Manifest { key: None, ..Manifest::of_tree(cx, root) });
        } else if api_version.is_empty() || kind.is_empty() {
            self.skipped += 1;
            let name = cx.file.rsplit(['/', '\\']).next().unwrap_or_default();
            // Kustomize needs no `apiVersion` there, and JSON of every sort lies beside manifests.
            let usual = matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization");
            // A list of objects is no manifest to kubectl either, and looks as if it were.
            let objects =
                matches!(&root.form, Form::List(items) if items.iter().any(|item| item.get("apiVersion").is_some()));
            if objects || (!usual && !name.ends_with(".json")) {
                let message = match &root.form {
                    Form::Map(_) => "the document has no `apiVersion` and `kind`; it is passed over".to_owned(),
                    _ => format!("the document is {}, not an object; it is passed over", root.noun()),
                };
                self.issues.push(
                    Issue::new(Severity::Warning, "not-a-manifest", cx.origin(root.place), None, "", message).help(
                        format!("a manifest begins with `apiVersion: {}` and `kind: …`", crate::api::API_VERSION),
                    ),
                );
            }
        } else {
            self.skipped += 1;
        }
    }

    fn manifest(&mut self, cx: &Context<'_>, root: Node, kind: Kind) {
        let (mut manifest, root) = Manifest::split(cx, root);
        let mut findings = Vec::new();
        // A name that Kubernetes would refuse is a key all the same: it bounds what the broken object may stand for.
        metadata(&root, &mut manifest.labels, &mut findings);
        let Some(rules) = schema::of(kind) else { return };
        top_level(&root, &mut findings);
        let spec = rules.check(&root, &mut findings);
        checks::tags(&root, &mut findings);
        let object_name = manifest.key.as_ref().map_or("", |key| &key.name);
        let object = json!({"apiVersion": crate::api::API_VERSION, "kind": kind.as_str(),
            "metadata": {"name": object_name}, "spec": spec});
        let sound = findings.is_empty();
        // A broken document may lack fields only because reading ended before them.
        if !cx.cut {
            rules.rules(&object, &root, sound, &mut findings);
        } else {
            findings.clear();
        }
        if findings.is_empty() && !cx.broken {
            match typed(kind, spec) {
                Ok(body) => manifest.body = Some(body),
                Err(error) => findings.push(Finding {
                    rule: "wrong-type",
                    place: root.place_of("spec"),
                    field: "spec".into(),
                    message: format!("the spec cannot be read: {error}"),
                    help: None,
                }),
            }
        }
        let label = manifest.label().or_else(|| Some(kind.as_str().to_owned()));
        for finding in findings {
            self.issues.push(
                Issue::new(
                    Severity::Error,
                    finding.rule,
                    cx.origin(finding.place),
                    label.clone(),
                    &finding.field,
                    finding.message,
                )
                .maybe_help(finding.help),
            );
        }
        manifest.source = match cx.chunk {
            Some(chunk) if manifest.body.is_some() => {
                Written::Text { lines_before: chunk.lines_before, text: chunk.text.into() }
            }
            _ => Written::Tree(root),
        };
        self.manifests.push(manifest);
    }
}

fn take_items(root: &Node) -> Option<Vec<Node>> {
    match &root.get("items")?.form {
        Form::List(items) => Some(items.clone()),
        _ => None,
    }
}

fn typed(kind: Kind, spec: Value) -> Result<Body, serde_json::Error> {
    Ok(match kind {
        Kind::Organization => Body::Organization(serde_json::from_value(spec)?),
        Kind::OrganizationalUnit => Body::Unit(serde_json::from_value(spec)?),
        Kind::Account => Body::Account(serde_json::from_value(spec)?),
        Kind::OrganizationPolicy => Body::Policy(serde_json::from_value(spec)?),
    })
}

fn top_level(root: &Node, findings: &mut Vec<Finding>) {
    const KNOWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let Form::Map(entries) = &root.form else { return };
    for entry in entries.iter().filter(|entry| !KNOWN.contains(&&*entry.key)) {
        let help = match nearest(&entry.key, KNOWN) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "fields of the object go below `spec:`".to_owned(),
        };
        findings.push(Finding {
            rule: "unknown-field",
            place: entry.place,
            field: entry.key.to_string(),
            message: format!("`{}` is not a field here", quoted(&entry.key)),
            help: Some(help),
        });
    }
}

/// Fields of `metadata`: those people write, and those the API server adds.
const METADATA: [&str; 15] = [
    "name",
    "labels",
    "annotations",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "selfLink",
];

/// Checks `metadata`.
fn metadata(root: &Node, labels: &mut BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    let mut add = |rule, place, field: &str, message: String, help: Option<String>| {
        findings.push(Finding { rule, place, field: field.into(), message, help });
    };
    let Some(metadata) = root.get("metadata").filter(|node| matches!(node.form, Form::Map(_))) else {
        let help = Some("add `metadata: {name: …}`".to_owned());
        add("missing-field", root.place_of("metadata"), "metadata.name", "`metadata.name` is missing".into(), help);
        return;
    };
    if let Form::Map(entries) = &metadata.form {
        for entry in entries {
            let field = format!("metadata.{}", quoted(&entry.key));
            match &*entry.key {
                "namespace" if !schema::is_null(&entry.node) => add(
                    "namespace",
                    entry.place,
                    &field,
                    "objects of bylaw are cluster-scoped: they have no namespace".into(),
                    Some("leave the field out".into()),
                ),
                key if !METADATA.contains(&key) => {
                    let help = match nearest(key, METADATA) {
                        Some(near) => Some(format!("did you mean `{near}`?")),
                        None => Some(
                            "`metadata` takes `name`, `labels` and `annotations`; the rest goes below `spec:`".into(),
                        ),
                    };
                    add("unknown-field", entry.place, &field, format!("`{}` is not a field here", quoted(key)), help);
                }
                _ => {}
            }
        }
    }
    match metadata.entry("name") {
        None => {
            let (message, help) = if metadata.get("generateName").is_some() {
                ("`generateName` gives no name that others could refer to", "write `name: …` instead")
            } else {
                ("`metadata.name` is missing", "add `name:`, by which other objects refer to this one")
            };
            add("missing-field", metadata.place, "metadata.name", message.into(), Some(help.into()));
        }
        Some(entry) => match entry.node.text() {
            None => {
                let message = format!("expected a name, found {}", entry.node.noun());
                add("wrong-type", entry.node.place, "metadata.name", message, None);
            }
            Some(name) => {
                let plain_other = matches!(&entry.node.form, Form::Scalar(s) if !matches!(s.read(), super::tree::Read::Text(_)) || s.trap().is_some());
                if plain_other {
                    let message = format!("`{}` without quotes is no text to kubectl and the API server", quoted(name));
                    add(
                        "unquoted-text",
                        entry.node.place,
                        "metadata.name",
                        message,
                        Some(format!("quote it: `\"{}\"`", quoted(name))),
                    );
                }
                if !is_subdomain(name) {
                    let message = format!(
                        "`{}` is not an object name (up to 253 lower-case letters, digits, `-` and `.`, first and last a letter or digit)",
                        quoted(name)
                    );
                    let tidy = tidied(name);
                    let help = if is_subdomain(&tidy) {
                        format!("write `{tidy}`; the name in AWS is `spec.name`")
                    } else {
                        "the name in AWS is `spec.name`".to_owned()
                    };
                    add("wrong-name", entry.node.place, "metadata.name", message, Some(help));
                }
            }
        },
    }
    for field in ["labels", "annotations"] {
        let Some(node) = metadata.get(field).filter(|node| !schema::is_null(node)) else { continue };
        let map = schema::text_map(node, &format!("metadata.{field}"), findings);
        if field == "labels" {
            check_labels(node, &map, findings);
            *labels = map;
        }
    }
}

fn check_labels(node: &Node, labels: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    for (key, value) in labels {
        let mut field = "metadata.labels".to_owned();
        schema::push_key(&mut field, key);
        let place = node.entry(key).map_or(node.place, |entry| entry.place);
        if !is_label_key(key) {
            let message = format!(
                "`{}` is not a label key (`name` or `example.com/name`, the name up to 63 letters, digits, `-_.`)",
                quoted(key)
            );
            findings.push(Finding { rule: "wrong-label", place, field, message, help: None });
        } else if !(value.is_empty() || is_label_word(value)) {
            let place = node.get(key).map_or(place, |node| node.place);
            let message = format!(
                "`{}` is not a label value (up to 63 letters, digits, `-_.`, first and last a letter or digit)",
                quoted(value)
            );
            let help = Some("labels are for selecting; free text goes into `annotations` or `spec.tags`".to_owned());
            findings.push(Finding { rule: "wrong-label", place, field, message, help });
        }
    }
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_word(name),
        None => is_label_word(key),
    }
}

fn is_label_word(word: &str) -> bool {
    word.len() <= 63
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A DNS-1123 subdomain, as Kubernetes wants object names.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

fn tidied(name: &str) -> String {
    let lower = name.trim().to_lowercase();
    let mapped: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    mapped.trim_matches(['-', '.']).to_owned()
}

impl Manifest {
    /// An object from the API server, where `value` is the whole of it. Its places are those of `<cluster>`.
    #[must_use]
    pub fn of_value(value: &Value) -> (Option<Self>, Vec<Issue>) {
        let file: Arc<str> = "<cluster>".into();
        let mut found = Found::default();
        found.document(
            &Context { file: &file, place: Place::default(), broken: false, cut: false, chunk: None },
            Node::of_value(value),
        );
        (found.manifests.pop(), found.issues)
    }

    /// What can be read of an object before anything is checked.
    fn of_tree(cx: &Context<'_>, tree: Node) -> Self {
        let (manifest, tree) = Self::split(cx, tree);
        Self { source: Written::Tree(tree), ..manifest }
    }

    /// [`Self::of_tree`], with the tree beside it and not in it.
    fn split(cx: &Context<'_>, tree: Node) -> (Self, Node) {
        let text = |path: &[&str]| path.iter().try_fold(&tree, |node, key| node.get(key)).and_then(Node::text);
        let name = text(&["metadata", "name"]);
        let kind = Kind::ALL.into_iter().find(|k| tree.get("kind").and_then(Node::text) == Some(k.as_str()));
        let own = if kind == Some(Kind::OrganizationPolicy) { name } else { None };
        let manifest = Self {
            key: kind.zip(name).map(|(kind, name)| ObjectKey::new(kind, name)),
            origin: cx.origin(tree.place),
            id: text(&["metadata", "annotations", ANNOTATION_ID])
                .or_else(|| text(&["status", "id"]))
                .map(str::to_owned),
            aws_name: text(&["spec", "name"]).or(own).map(str::to_owned),
            labels: BTreeMap::new(),
            organization: text(&["spec", "organizationRef", "name"]).map(Into::into),
            body: None,
            source: Written::Text { lines_before: 0, text: "".into() },
        };
        (manifest, tree)
    }

    fn unreadable(cx: &Context<'_>) -> Self {
        let tree = Node { place: cx.place, ..Node::of_value(&Value::Null) };
        Self { key: None, ..Self::of_tree(cx, tree) }
    }

    /// Whether the object is right by itself.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.body.is_some()
    }

    /// `Kind/name`.
    pub(crate) fn label(&self) -> Option<String> {
        self.key.as_ref().map(ToString::to_string)
    }

    /// The object as written.
    pub(crate) fn tree(&self) -> Cow<'_, Node> {
        match &self.source {
            Written::Tree(tree) => Cow::Borrowed(tree),
            Written::Text { lines_before, text } => {
                let chunk = Chunk { lines_before: *lines_before, text };
                let root = yaml::document(&self.origin.file, chunk, &mut Vec::new()).and_then(|document| document.root);
                Cow::Owned(root.unwrap_or_else(|| Node::of_value(&Value::Null)))
            }
        }
    }

    /// The place of a field.
    pub(crate) fn place(&self, field: &str) -> Origin {
        let place = self.tree().place_of(field);
        Origin { file: self.origin.file.clone(), line: place.line, column: place.column }
    }

    /// An error at a field.
    pub(crate) fn error(&self, rule: &'static str, field: &str, message: impl Into<String>) -> Issue {
        Issue::new(Severity::Error, rule, self.place(field), self.label(), field, message)
    }

    /// A warning at a field.
    pub(crate) fn warning(&self, rule: &'static str, field: &str, message: impl Into<String>) -> Issue {
        Issue::new(Severity::Warning, rule, self.place(field), self.label(), field, message)
    }
}
