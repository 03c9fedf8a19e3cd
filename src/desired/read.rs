//! Text to manifests: which documents are ours, and whether each is right by itself.

use std::sync::{Arc, OnceLock};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Issue, Origin, Severity};
use super::report::{nearest, one_of, quoted};
use super::schema::{self, Finding};
use super::tree::{Form, Node, Place};
use super::yaml::{self, Chunk, Document};
use super::{checks, home, metadata, outputs};
use crate::api::account::AccountSpec;
use crate::api::organization::OrganizationSpec;
use crate::api::organizational_unit::OrganizationalUnitSpec;
use crate::api::policy::OrganizationPolicySpec;
use crate::names::words::grouped;
use crate::names::{
    ANNOTATION_ID, ANNOTATION_LINT_IGNORE, ANNOTATION_OWNER, ANNOTATION_TAKE_OVER, AccountId, Kind, ObjectKey, Tags,
};
use crate::policy;

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

impl Body {
    fn take_tags(&mut self) -> Tags {
        let tags = match self {
            Self::Organization(spec) => &mut spec.tags,
            Self::Unit(spec) => &mut spec.tags,
            Self::Account(spec) => &mut spec.tags,
            Self::Policy(spec) => &mut spec.tags,
        };
        std::mem::take(tags).into()
    }
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
    /// Its id is that of its status.
    pub(super) id_of_status: bool,
    /// `status.managementAccounts`: the organizations that it was kept in, or may have been meant for.
    pub(super) kept_in: Box<[AccountId]>,
    /// Its AWS name, where it could be read.
    pub aws_name: Option<String>,
    /// `metadata.creationTimestamp`, which the API server sets.
    pub(super) created: Option<Timestamp>,
    /// Annotation `bylaw.dev/take-over`.
    pub(super) take_over: Option<Box<str>>,
    /// Who answers for it: annotation `bylaw.dev/owner`.
    pub(super) owner: Option<Box<str>>,
    /// Warnings that are not to be told of it, with their reasons: annotation `bylaw.dev/lint-ignore`.
    pub(super) ignored: Option<Box<str>>,
    /// Its labels, packed as tags are.
    pub labels: Tags,
    /// The tags of its spec, which are here and not there: 50,000 objects share them with what is declared of them.
    pub(super) tags: Tags,
    /// Name of the Organization it belongs to, where it says so.
    pub(crate) organization: Option<Box<str>>,
    /// The spec; `None` for an object with an error.
    pub(crate) body: Option<Body>,
    /// The document of a policy, or of an Organization, and what is wrong with it, read when first asked for: what lives on is built from in every
    /// pass.
    pub(super) document: OnceLock<(Option<Arc<policy::Document>>, Vec<Issue>)>,
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
        /// Read when first asked for: an object with a hundred issues is read once.
        tree: OnceLock<Box<Node>>,
    },
}

impl Written {
    fn nothing() -> Self {
        Self::Text { lines_before: 0, text: "".into(), tree: OnceLock::new() }
    }
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
    let mut parts = Vec::new();
    for source in sources {
        match text_of(source) {
            Ok(text) => parts.extend(yaml::chunks(text).into_iter().map(|chunk| (source, Ok(chunk)))),
            Err(issue) => parts.push((source, Err(issue))),
        }
    }
    // A document is read without a look at any other, so all cores read; the order is that of the text.
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(parts.len() / ALONE + 1);
    let mut shares = parts.chunks(parts.len().div_ceil(cores).max(1));
    let first = shares.next().unwrap_or_default();
    std::thread::scope(|scope| {
        let readers: Vec<_> = shares.map(|parts| scope.spawn(|| read_parts(parts))).collect();
        let mut found = read_parts(first);
        for reader in readers {
            match reader.join() {
                Ok(more) => found.add(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    })
}

/// The kind that is no declaration.
const APPROVAL: &str = "Approval";
/// Documents that one core reads faster than two come together.
const ALONE: usize = 32;

/// A document of a source, or why the source has none.
type Part<'a> = (&'a Source, Result<Chunk<'a>, Box<Issue>>);

fn read_parts(parts: &[Part<'_>]) -> Found {
    let mut found = Found::default();
    for (source, part) in parts {
        match part {
            Ok(chunk) => found.chunk(&source.file, *chunk),
            Err(issue) => {
                let (line, column) = (issue.origin.line, issue.origin.column);
                let place = Place { line, column };
                let cx = Context { file: &source.file, place, broken: true, cut: true, chunk: None };
                found.manifests.push(Manifest::unreadable(&cx));
                found.issues.push((**issue).clone());
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
    fn add(&mut self, other: Self) {
        self.manifests.extend(other.manifests);
        self.issues.extend(other.issues);
        self.skipped += other.skipped;
    }

    fn chunk(&mut self, file: &Arc<str>, chunk: Chunk<'_>) {
        let Some(document) = yaml::document(file, chunk, &mut self.issues) else { return };
        let Document { root, place, broken, cut, lost } = document;
        let cx = Context { file, place, broken, cut, chunk: Some(chunk) };
        match root {
            Some(root) => self.document(&cx, root),
            None => self.manifests.push(Manifest::unreadable(&cx)),
        }
        if lost {
            self.manifests.push(Manifest::unreadable(&cx));
        }
    }

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
        if kind == APPROVAL && !cx.broken {
            self.skipped += 1;
            let message = "an Approval counts in a cluster only, and only from the hand of its approver".to_owned();
            let issue = Issue::new(Severity::Warning, "approval", cx.origin(root.place), None, "", message);
            let help = "take it out of the manifests; `bylaw approve HASH` makes one in the cluster, and a command line \
                        takes `--approve HASH`";
            return self.issues.push(issue.help(help));
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
            if let Some((message, help)) = outputs::told(&root, cx.file) {
                let origin = cx.origin(root.place);
                let issue = Issue::new(Severity::Warning, "not-a-manifest", origin, None, "", message);
                return self.issues.push(issue.help(help));
            }
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
        if let Some(issue) = too_large(cx, &root, manifest.label()) {
            self.issues.push(issue);
            manifest.source = Written::Tree(root);
            return self.manifests.push(manifest);
        }
        let mut findings = Vec::new();
        // A name that Kubernetes would refuse is a key all the same: it bounds what the broken object may stand for.
        manifest.labels = metadata::check(&root, &mut findings);
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
                Ok(mut body) => {
                    manifest.tags = body.take_tags();
                    manifest.body = Some(body);
                }
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
                Written::Text { lines_before: chunk.lines_before, text: chunk.text.into(), tree: OnceLock::new() }
            }
            _ => Written::Tree(root),
        };
        self.manifests.push(manifest);
    }
}

/// Most bytes of one object, whatever stands in it. The API server takes no object of more than about 1.5 MiB (etcd's
/// `--max-request-bytes`), and AWS no policy of more than some 10,000 characters: checking what can be used nowhere
/// would only cost the minute that it takes.
const MAX_WEIGHT: usize = 1 << 20;

/// An object that is too large, told at the field that makes it so.
fn too_large(cx: &Context<'_>, root: &Node, label: Option<String>) -> Option<Issue> {
    let mut weight = root.weight();
    if weight <= MAX_WEIGHT {
        return None;
    }
    let (mut node, mut field) = (root, String::new());
    // Fields of the spec are what people know; what is heavy within them is not looked for.
    for _ in 0..2 {
        let Form::Map(entries) = &node.form else { break };
        let Some((entry, heavy)) =
            entries.iter().map(|entry| (entry, entry.node.weight())).find(|(_, weight)| *weight > MAX_WEIGHT)
        else {
            break;
        };
        schema::push_key(&mut field, &entry.key);
        (node, weight) = (&entry.node, heavy);
    }
    let what = if field.is_empty() { "the object".to_owned() } else { format!("`{field}`") };
    let message = format!("{what} has {} bytes; a whole object has at most {}", grouped(weight), grouped(MAX_WEIGHT));
    let help = "AWS takes far less (10,240 characters in a service control policy), and so does the API server: split it, or look for what was pasted in by mistake";
    Some(Issue::new(Severity::Error, "too-large", cx.origin(node.place), label, &field, message).help(help))
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
        let manifest = found.manifests.pop().map(|manifest| match manifest.body {
            // A right one is asked for no more places, and 50,000 trees would be most of the memory.
            Some(_) => Self { source: Written::nothing(), ..manifest },
            None => manifest,
        });
        (manifest, found.issues)
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
        let own_id = text(&["metadata", "annotations", ANNOTATION_ID]);
        let manifest = Self {
            key: kind.zip(name).map(|(kind, name)| ObjectKey::new(kind, name)),
            origin: cx.origin(tree.place),
            id: own_id.or_else(|| text(&["status", "id"])).map(str::to_owned),
            id_of_status: own_id.is_none(),
            kept_in: home::kept_in(&tree),
            aws_name: text(&["spec", "name"]).or(own).map(str::to_owned),
            created: text(&["metadata", "creationTimestamp"]).and_then(|at| at.parse().ok()),
            take_over: text(&["metadata", "annotations", ANNOTATION_TAKE_OVER]).map(Into::into),
            owner: text(&["metadata", "annotations", ANNOTATION_OWNER]).map(Into::into),
            ignored: text(&["metadata", "annotations", ANNOTATION_LINT_IGNORE]).map(Into::into),
            labels: Tags::new(),
            tags: Tags::new(),
            organization: text(&["spec", "organizationRef", "name"]).map(Into::into),
            body: None,
            document: OnceLock::new(),
            source: Written::nothing(),
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
    pub(crate) fn tree(&self) -> &Node {
        match &self.source {
            Written::Tree(tree) => tree,
            Written::Text { lines_before, text, tree } => tree.get_or_init(|| {
                let chunk = Chunk { lines_before: *lines_before, text };
                let root = yaml::document(&self.origin.file, chunk, &mut Vec::new()).and_then(|document| document.root);
                Box::new(root.unwrap_or_else(|| Node::of_value(&Value::Null)))
            }),
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
