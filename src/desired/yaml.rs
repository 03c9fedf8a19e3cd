//! Text to documents: each document of a file is read by itself, so that a broken one hides no other.
//!
//! Built on the events of `granit-parser` and not on serde, because the style of a scalar (`NO` or `"NO"`), both places
//! of a duplicate key, and what stands before a syntax error are gone once a value is deserialized. JSON is YAML here.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::model::{Issue, Origin, Severity};
use super::tree::{Entry, Form, Node, Place, Scalar, Style};

/// Deepest nesting, aliases resolved. No manifest comes near; without it an alias can grow a tree that no stack holds.
const MAX_DEPTH: usize = 100;
/// Most nodes that the aliases of one document may add.
const MAX_ALIASED: usize = 100_000;

/// One document of a file.
#[derive(Debug)]
pub(super) struct Document {
    /// What was read, `None` for an empty document. Of a broken document: what stands before the error.
    pub(super) root: Option<Node>,
    /// Where it starts.
    pub(super) place: Place,
    /// It has an error, which is among the issues.
    pub(super) broken: bool,
    /// Reading ended at the error, so what follows it is missing.
    pub(super) cut: bool,
    /// Reading ended between this document and another, of which nothing is known.
    pub(super) lost: bool,
}

/// A piece of a text that holds one document, and the number of lines before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) lines_before: u32,
    pub(super) text: &'a str,
}

/// The document of a chunk; `None` where it holds nothing.
pub(super) fn document(file: &Arc<str>, chunk: Chunk<'_>, issues: &mut Vec<Issue>) -> Option<Document> {
    let before = issues.len();
    let mut builder = Builder {
        file,
        chunk: chunk.text,
        first_line: chunk.lines_before,
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        open_anchors: Vec::new(),
        aliased: 0,
        lost: false,
        issues,
    };
    let cut = builder.run().is_err();
    let (root, lost) = (builder.root.take(), builder.lost);
    let broken = issues.len() > before;
    let place = root.as_ref().map_or(Place { line: chunk.lines_before + 1, column: 1 }, |node| node.place);
    (broken || root.is_some()).then_some(Document { root, place, broken, cut, lost })
}

/// The text cut before each `---`, after each `...`, and between JSON objects that stand one after the other. A `---`
/// that only comments or directives precede cuts nothing off.
pub(super) fn chunks(text: &str) -> Vec<Chunk<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = Vec::new();
    let (mut start, mut start_line, mut content) = (0, 0, false);
    // The chunk begins with `{`, and its last line so far ended with `}`: in JSON no `{` can follow within it.
    let (mut json, mut closed) = (false, false);
    let (mut at, mut line) = (0, 0);
    for piece in text.split_inclusive('\n') {
        let marker =
            |m: &str| piece.strip_prefix(m).is_some_and(|r| r.is_empty() || r.starts_with([' ', '\t', '\n', '\r']));
        let after = at + piece.len();
        let trimmed = piece.trim();
        let explicit = marker("---");
        if explicit || (json && closed && piece.starts_with('{')) {
            if content {
                out.push(Chunk { lines_before: start_line, text: text.get(start..at).unwrap_or_default() });
                (start, start_line) = (at, line);
            }
            (content, json) = (true, !explicit);
        } else if marker("...") {
            out.push(Chunk { lines_before: start_line, text: text.get(start..after).unwrap_or_default() });
            (start, start_line, content, json) = (after, line + 1, false, false);
        } else if !trimmed.is_empty() && !piece.starts_with(['#', '%']) {
            json = json || (!content && piece.starts_with('{'));
            content = true;
        }
        if !trimmed.is_empty() {
            closed = trimmed.ends_with('}');
        }
        at = after;
        line += 1;
    }
    out.push(Chunk { lines_before: start_line, text: text.get(start..).unwrap_or_default() });
    out
}

enum Open {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(Box<str>, bool, Place)>, merges: Vec<(Place, Node)> },
}

struct Frame {
    open: Open,
    place: Place,
    anchor: usize,
    size: usize,
    height: usize,
}

struct Builder<'a> {
    file: &'a Arc<str>,
    chunk: &'a str,
    first_line: u32,
    stack: Vec<Frame>,
    root: Option<Node>,
    /// Finished anchors: node, its number of nodes, its height.
    anchors: HashMap<usize, (Rc<Node>, usize, usize)>,
    open_anchors: Vec<usize>,
    aliased: usize,
    lost: bool,
    issues: &'a mut Vec<Issue>,
}

/// Reading of this document ends here; the issue is told.
struct Stop;

impl Builder<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        let options: Options = granit_parser::options! { emit_comments: false };
        let mut parser = Parser::with_options(StrInput::new(self.chunk), options);
        while let Some(next) = parser.next_event() {
            let done = match next {
                Ok((event, span)) => self.event(event, &span),
                Err(error) => {
                    self.syntax(&error);
                    Err(Stop)
                }
            };
            if done.is_err() {
                self.lost |= self.stack.is_empty() && self.root.is_some();
                // What stands before the error still tells which object it is.
                while let Some(frame) = self.stack.pop() {
                    let node = self.close(frame);
                    if self.add(node, 0, 0).is_err() {
                        break;
                    }
                }
                return Err(Stop);
            }
        }
        Ok(())
    }

    fn place(&self, at: &Marker) -> Place {
        Place {
            line: u32::try_from(at.line()).unwrap_or(u32::MAX).saturating_add(self.first_line),
            column: u32::try_from(at.col()).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    fn issue(&mut self, rule: &'static str, place: Place, message: impl Into<String>) -> &mut Issue {
        let origin = Origin { file: self.file.clone(), line: place.line, column: place.column };
        self.issues.push(Issue::new(Severity::Error, rule, origin, None, "", message));
        // The push just above makes the list non-empty.
        let last = self.issues.len() - 1;
        #[allow(clippy::indexing_slicing, reason = "pushed two lines above")]
        &mut self.issues[last]
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Stop> {
        let place = self.place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = self.style(style, span, tag.as_deref(), place)?;
                // An omitted value arrives as `~`.
                let text: &str = if style == Style::Plain && span.is_empty() { "" } else { &text };
                if let Some(Frame { open: Open::Map { key: key @ None, .. }, .. }) = self.stack.last_mut() {
                    *key = Some((text.into(), style == Style::Plain, place));
                    return Ok(());
                }
                let node = Node { place, form: Form::Scalar(Scalar { text: text.into(), style }) };
                self.anchor(anchor, &node, 1, 1);
                self.add(node, 1, 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(Open::List(Vec::new()), place, anchor, tag.as_deref(), "seq")
            }
            Event::MappingStart(_, anchor, tag) => {
                let open = Open::Map { entries: Vec::new(), key: None, merges: Vec::new() };
                self.open(open, place, anchor, tag.as_deref(), "map")
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let (anchor, size, height) = (frame.anchor, frame.size + 1, frame.height + 1);
                let node = self.close(frame);
                self.anchor(anchor, &node, size, height);
                self.add(node, size, height)
            }
            Event::Alias(id) => self.alias(id, place),
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, place: Place, anchor: usize, tag: Option<&Tag>, core: &str) -> Result<(), Stop> {
        if tag.is_some_and(|tag| tag.core_suffix() != Some(core)) {
            return self.foreign_tag(tag, place);
        }
        if matches!(self.stack.last(), Some(Frame { open: Open::Map { key: None, .. }, .. })) {
            let above = place.line.saturating_sub(self.first_line + 1);
            if self.chunk.lines().nth(above as usize).is_some_and(|line| line.contains("{{")) {
                self.template(place);
                return Err(Stop);
            }
            self.issue("yaml-syntax", place, "a list or an object stands where a key was expected").help =
                Some("a key is a single word; quote it if it begins with `{`, `[` or `?`".into());
            return Err(Stop);
        }
        if self.stack.len() >= MAX_DEPTH {
            self.issue("yaml-depth", place, format!("nested deeper than {MAX_DEPTH} levels")).help =
                Some("no field of a manifest lies that deep: look for a bracket that is never closed".into());
            return Err(Stop);
        }
        if anchor != 0 {
            self.open_anchors.push(anchor);
        }
        self.stack.push(Frame { open, place, anchor, size: 0, height: 0 });
        Ok(())
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(), Stop> {
        let Some((node, size, height)) = self.anchors.get(&id).cloned() else {
            let known = self.open_anchors.contains(&id);
            let message = if known {
                "the alias stands inside of what it refers to"
            } else {
                "the alias refers to a key or to nothing, not to a value"
            };
            self.issue("yaml-alias", place, message).help = Some("write the value out".into());
            return Err(Stop);
        };
        self.aliased += size;
        if self.aliased > MAX_ALIASED || self.stack.len() + height > MAX_DEPTH {
            self.issue(
                "alias-bomb",
                place,
                format!("the aliases of this document stand for more than {MAX_ALIASED} values or {MAX_DEPTH} levels"),
            )
            .help = Some("write the values out, or split the document".into());
            return Err(Stop);
        }
        if let Some(Frame { open: Open::Map { key: key @ None, .. }, .. }) = self.stack.last_mut() {
            if let Form::Scalar(scalar) = &node.form {
                *key = Some((scalar.text.clone(), scalar.style == Style::Plain, place));
                return Ok(());
            }
            self.issue("yaml-alias", place, "an alias of a list or an object stands where a key was expected");
            return Err(Stop);
        }
        self.add(Node::clone(&node), size, height)
    }

    fn anchor(&mut self, id: usize, node: &Node, size: usize, height: usize) {
        if id != 0 {
            self.anchors.insert(id, (Rc::new(node.clone()), size, height));
        }
    }

    /// Puts a finished node into what is open around it.
    fn add(&mut self, node: Node, size: usize, height: usize) -> Result<(), Stop> {
        let Some(frame) = self.stack.last_mut() else {
            if self.root.is_some() {
                self.lost = true;
                self.issue("yaml-syntax", node.place, "a second document begins here without a line `---` before it")
                    .help = Some("put `---` on a line of its own, lines ended by `\\n`".into());
                return Err(Stop);
            }
            self.root = Some(node);
            return Ok(());
        };
        frame.size += size;
        frame.height = frame.height.max(height);
        match &mut frame.open {
            Open::List(items) => items.push(node),
            Open::Map { entries, key, merges } => {
                let Some((name, plain, place)) = key.take() else {
                    // Only while an error unwinds: a container stood where a key was expected.
                    return Err(Stop);
                };
                if plain && &*name == "<<" {
                    merges.push((place, node));
                } else {
                    entries.push(Entry { key: name, plain, place, node });
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, frame: Frame) -> Node {
        let Frame { open, place, .. } = frame;
        match open {
            Open::List(items) => Node { place, form: Form::List(items) },
            Open::Map { mut entries, merges, .. } => {
                self.duplicates(&mut entries);
                for (place, node) in merges {
                    self.merge(place, node, &mut entries);
                }
                Node { place, form: Form::Map(entries) }
            }
        }
    }

    /// Tells keys that stand twice and keeps the first of each.
    fn duplicates(&mut self, entries: &mut Vec<Entry>) {
        let mut seen: HashMap<&str, Place> = HashMap::with_capacity(entries.len());
        let mut twice = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(first) = seen.get(&*entry.key) {
                twice.push((index, *first));
            } else {
                seen.insert(&entry.key, entry.place);
            }
        }
        if twice.is_empty() {
            return;
        }
        let places: HashMap<usize, Place> = twice.into_iter().collect();
        let (mut kept, mut doubles) = (Vec::with_capacity(entries.len()), Vec::new());
        for (index, entry) in entries.drain(..).enumerate() {
            match places.get(&index) {
                Some(first) => doubles.push((entry, *first)),
                None => kept.push(entry),
            }
        }
        *entries = kept;
        for (entry, first) in doubles {
            let first = Origin { file: self.file.clone(), line: first.line, column: first.column };
            let name = super::report::quoted(&entry.key);
            let issue =
                self.issue("duplicate-key", entry.place, format!("the key `{name}` stands twice in one object"));
            issue.help = Some("keep one of the two: readers disagree about which one counts".into());
            issue.related.push((first, "here first".into()));
        }
    }

    /// Merge keys as kubectl reads them: what stands in the object itself counts, then the earlier source.
    fn merge(&mut self, place: Place, node: Node, entries: &mut Vec<Entry>) {
        match node.form {
            Form::Map(more) => {
                let own: HashSet<Box<str>> = entries.iter().map(|entry| entry.key.clone()).collect();
                entries.extend(more.into_iter().filter(|entry| !own.contains(&entry.key)));
            }
            Form::List(sources) if sources.iter().all(|s| matches!(s.form, Form::Map(_))) => {
                for source in sources {
                    self.merge(place, source, entries);
                }
            }
            _ => {
                self.issue("yaml-merge", place, "`<<` takes an alias of an object, or a list of such").help =
                    Some("write `<<: *name`, where `&name` stands before an object".into());
            }
        }
    }

    fn style(&mut self, style: ScalarStyle, span: &Span, tag: Option<&Tag>, place: Place) -> Result<Style, Stop> {
        let written = match style {
            ScalarStyle::Plain => Style::Plain,
            // Such a span starts at the first line with content, behind its indentation.
            ScalarStyle::Literal => Style::Literal(u16::try_from(span.start.col()).unwrap_or(0)),
            _ => Style::Quoted,
        };
        match tag {
            None => Ok(written),
            Some(tag) => match tag.core_suffix() {
                Some("str") if written == Style::Plain => Ok(Style::Quoted),
                Some("str") => Ok(written),
                Some("int" | "float" | "bool" | "null") if written == Style::Plain => Ok(Style::Plain),
                _ => self.foreign_tag(Some(tag), place).map(|()| written),
            },
        }
    }

    fn foreign_tag(&mut self, tag: Option<&Tag>, place: Place) -> Result<(), Stop> {
        let tag = tag.map(Tag::original).unwrap_or_default();
        self.issue(
            "yaml-tag",
            place,
            format!("the tag `{}` has no meaning in a manifest", super::report::quoted(&tag)),
        )
        .help = Some("leave the tag out; a value that begins with `!` is put into quotes".into());
        Err(Stop)
    }

    fn template(&mut self, place: Place) {
        self.issue("template", place, "not YAML: `{{ … }}` is a template that was not rendered").help =
            Some("render it first (`helm template … | bylaw … -f -`), or leave its directory out".into());
    }

    fn syntax(&mut self, error: &ScanError) {
        let mut place = self.place(error.marker());
        let (rule, message, help) = explain(error.kind());
        let line = self.chunk.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
        if line.contains("{{") {
            self.template(place);
            return;
        }
        if rule == "yaml-tab"
            && let Some(column) = line.chars().position(|c| c == '\t')
        {
            place.column = u32::try_from(column + 1).unwrap_or(u32::MAX);
        }
        self.issue(rule, place, message).help = help.map(Into::into);
    }
}

/// A syntax error in words of the person who wrote the file.
fn explain(kind: &ErrorKind) -> (&'static str, String, Option<&'static str>) {
    use ErrorKind as E;
    let (message, help) = match kind {
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabInPlainScalar
        | E::TabAtBlockScalarStart => {
            return ("yaml-tab", "a tab stands where YAML allows only spaces".into(), Some("indent with spaces"));
        }
        E::RecursionLimitExceeded => {
            return (
                "yaml-depth",
                format!("nested deeper than {MAX_DEPTH} levels"),
                Some("no field of a manifest lies that deep: look for a bracket that is never closed"),
            );
        }
        E::UnknownAnchor => {
            return (
                "yaml-alias",
                "the alias (`*name`) has no anchor (`&name`) before it in this document".into(),
                Some("anchors end with their document; quote a value that begins with `*`"),
            );
        }
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::MappingKeyNotAllowed => (
            "a `:` makes a key where none can stand",
            "check the indentation of this line and the line before; quote a value that contains `: `",
        ),
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            ("a quote is opened and never closed", "close the quote")
        }
        E::UnclosedFlowCollection { .. }
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofImplicitFlowMapping => ("a bracket is opened and never closed", "close the bracket"),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => {
            ("a bracket closes what was not opened", "check the brackets of this value")
        }
        E::ExpectedFlowMappingSeparator => ("expected `,` or `}`", "put a `,` between the fields, or quote the value"),
        E::ExpectedFlowSequenceSeparator => ("expected `,` or `]`", "put a `,` between the items, or quote the value"),
        E::ExpectedBlockMappingKey => {
            ("expected a key", "this line is indented less than its neighbours, or the line before is not finished")
        }
        E::ExpectedBlockSequenceEntry | E::BlockSequenceEntryNotAllowed => {
            ("a list item (`- `) cannot stand here", "put the list on lines of its own, below its key")
        }
        E::SimpleKeyExpected | E::InvalidSimpleKey => ("a key without its `:`", "write `key: value`"),
        E::InvalidIndentation
        | E::InvalidFlowScalarIndent
        | E::InvalidQuotedScalarIndent
        | E::InvalidBlockScalarIndent => {
            ("the indentation fits nothing before it", "align the line with its neighbours")
        }
        E::UnexpectedCharacter { .. } => {
            ("this character cannot begin a value", "quote the value (`@` and backquotes need quotes)")
        }
        E::UnknownQuotedScalarEscape => {
            ("an unknown escape in a double-quoted text", "double the backslash, or use single quotes")
        }
        E::InvalidTrailingDoubleQuotedScalar | E::InvalidTrailingSingleQuotedScalar => {
            ("something follows a closed quote", "quote the whole value, and escape the quotes within")
        }
        E::ExpectedDocumentStart => {
            ("the document ends before this, and something follows", "begin another document with a line `---`")
        }
        other => return ("yaml-syntax", format!("not YAML: {other}"), None),
    };
    ("yaml-syntax", message.into(), Some(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(file: &Arc<str>, text: &str, issues: &mut Vec<Issue>) -> Vec<Document> {
        chunks(text).into_iter().filter_map(|chunk| document(file, chunk, issues)).collect()
    }

    fn read(text: &str) -> (Vec<Document>, Vec<(&'static str, u32, u32)>) {
        let mut issues = Vec::new();
        let documents = documents(&"f".into(), text, &mut issues);
        (documents, issues.iter().map(|i| (i.rule, i.origin.line, i.origin.column)).collect())
    }

    #[test]
    fn places_count_through_documents() {
        let (documents, issues) = read("# head\n---\na: 1\n---\n\nb:\n  - c: x\n");
        assert!(issues.is_empty(), "{issues:?}");
        assert_eq!(documents.len(), 2);
        let second = documents[1].root.as_ref().unwrap();
        assert_eq!(second.place_of("b[0].c"), Place { line: 7, column: 8 });
    }

    #[test]
    fn a_broken_document_hides_no_other() {
        let (documents, issues) = read("a: 1\n---\nkind: K\nb: [\n---\nc: 3\n");
        assert_eq!(documents.len(), 3);
        assert_eq!(documents[1].root.as_ref().and_then(|n| n.get("kind")).and_then(Node::text), Some("K"));
        assert!(documents[1].broken && !documents[0].broken && !documents[2].broken);
        assert_eq!(issues.len(), 1, "{issues:?}");
    }

    #[test]
    fn merge_keys_and_anchors_are_read_as_kubectl_reads_them() {
        let (documents, issues) = read("base: &b {x: 1, y: 2}\nall:\n  <<: *b\n  x: 3\nlist: [*b]\n");
        assert!(issues.is_empty(), "{issues:?}");
        let root = documents[0].root.as_ref().unwrap().to_json();
        assert_eq!(root["all"], serde_json::json!({"x": 3, "y": 2}));
        assert_eq!(root["list"][0]["y"], 2);
    }

    #[test]
    fn duplicate_keys_are_told_with_both_places() {
        let mut issues = Vec::new();
        documents(&"f".into(), "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", &mut issues);
        assert_eq!((issues[0].rule, issues[0].origin.line, issues[0].origin.column), ("duplicate-key", 5, 3));
        assert_eq!((issues[0].related[0].0.line, issues[0].related[0].0.column), (3, 3));
    }

    #[test]
    fn traps_of_syntax_have_rules_of_their_own() {
        for (text, rule) in [
            ("a:\n\t- b\n", "yaml-tab"),
            ("a: *b\n", "yaml-alias"),
            ("a: &a [*a]\n", "yaml-alias"),
            ("a: !Ref b\n", "yaml-tag"),
            ("? [a]\n: b\n", "yaml-syntax"),
            ("a: {{ .Values.x }}\n", "template"),
            ("a: b: c\n", "yaml-syntax"),
            ("a: \"b\n", "yaml-syntax"),
        ] {
            let (_, issues) = read(text);
            assert_eq!(issues.first().map(|i| i.0), Some(rule), "{text:?}: {issues:?}");
        }
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for i in 1..12 {
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(",")));
        }
        assert_eq!(read(&bomb).1[0].0, "alias-bomb");
        let mut deep = "a0: &a0 x\n".to_owned();
        for i in 1..9 {
            deep.push_str(&format!("a{i}: &a{i} {}*a{}{}\n", "[".repeat(20), i - 1, "]".repeat(20)));
        }
        assert_eq!(read(&deep).1[0].0, "alias-bomb");
        assert_eq!(read(&"[".repeat(100_000)).1[0].0, "yaml-depth");
    }

    #[test]
    fn json_is_read_with_its_escapes_and_tabs() {
        let (documents, issues) = read("{\n\t\"a\": \"\\ud83d\\ude00\\/\",\n\t\"b\": [1, true, null]\n}\n");
        assert!(issues.is_empty(), "{issues:?}");
        assert_eq!(
            documents[0].root.as_ref().unwrap().to_json(),
            serde_json::json!({"a": "😀/", "b": [1, true, null]})
        );
    }

    #[test]
    fn json_objects_may_stand_one_after_the_other() {
        for text in ["{\"a\": 1}\n{\"a\": 2}\n", "{\n \"a\": {\n \"b\": 1}\n}\n\n{\n\"a\": 2\n}\n---\na: 3\n"] {
            let (documents, issues) = read(text);
            assert!(issues.is_empty() && documents.len() >= 2, "{text}: {issues:?}");
        }
        // In YAML lines may begin so without being a new document.
        assert_eq!(read("- a\n{b: c}\n").0.len(), 1);
        assert_eq!(read("a: 1\r---\rb: 2\r").1.len(), 1, "nothing is passed over in silence");
    }
}
