//! Fixes of policy documents, made in the text of the manifests that hold them.
//!
//! A fix is an edit of the document's JSON text. Here it is led to the bytes of the manifest that hold the value, made there
//! in the style in which the value is written, and read back: the document has to be the one that the fix on its JSON text
//! gives, and nothing else in the file may have another value. What does not stand that test is not made.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::content::place_in_block;
use super::lint::look;
use super::model::Issue;
use super::read::{Found, Manifest, Source, read_all};
use super::tree::{Entry, Form, Node, Place, Read, Scalar, Style};
use super::yaml::{self, Chunk};
use crate::policy::flaw::{self, Flaws};
use crate::policy::json;
use crate::policy::lint::fix::{byte_of, replaced, scalar_at};
use crate::policy::lint::{Edit, Fix, Replacement, fix};

/// A fix as it is made in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What it does, for people.
    pub what: String,
    /// The replacements, by bytes of the file.
    pub replacements: Vec<Replacement>,
}

/// A fix that is not made, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// What it would do, for people.
    pub what: String,
    /// Why it is not made; a clause.
    pub why: &'static str,
}

const SHARED: &str = "the value is shared through an anchor, and the edit would change what else refers to it";
const FOLDED: &str = "the document is a text that is folded over lines, or whose quotes are escaped";
const FORM: &str = "the value is written in a form that is not edited (an anchor, a tag, several lines, escapes)";
const OTHER: &str = "the document that is read back is not the one that the fix is to give";
const UNREADABLE: &str = "the file could not be read after the edit";

/// A fix of a document, to be made in the chunk that holds its manifest.
pub(super) struct Candidate<'a> {
    pub(super) manifest: &'a Manifest,
    /// Which of the manifests of the chunk it is.
    pub(super) index: usize,
    pub(super) field: &'static str,
    /// The document as JSON.
    pub(super) text: Arc<str>,
    pub(super) fix: Fix,
}

/// A document of the stream and the bytes of the file that it takes.
pub(super) fn chunks(text: &str) -> Vec<(Range<usize>, Chunk<'_>)> {
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let bytes = |chunk: Chunk<'_>| {
        let begin = at;
        at += chunk.text.len();
        begin..at
    };
    let chunks = yaml::chunks(text);
    let ranges: Vec<Range<usize>> = chunks.iter().copied().map(bytes).collect();
    ranges.into_iter().zip(chunks).collect()
}

/// Fixes of a chunk, and what they replace in its text.
struct Placing<'a> {
    file: &'a Arc<str>,
    chunk: Chunk<'a>,
    candidates: &'a [Candidate<'a>],
    before: State,
    found: Vec<Result<Vec<Replacement>, &'static str>>,
}

impl<'a> Placing<'a> {
    fn new(file: &'a Arc<str>, chunk: Chunk<'a>, candidates: &'a [Candidate<'a>]) -> Self {
        let found = candidates.iter().map(|candidate| in_chunk(&chunk, candidate)).collect();
        Self { file, chunk, candidates, before: State::read(file, chunk), found }
    }

    /// Those fixes at once: the text, where it is what they are to give.
    fn made(&self, chosen: &[usize]) -> Result<String, &'static str> {
        let mut replacements: Vec<Replacement> = vec![];
        let mut fixes = vec![];
        for (index, candidate) in self.candidates.iter().enumerate().filter(|(index, _)| chosen.contains(index)) {
            for new in self.found.get(index).cloned().unwrap_or(Err(OTHER))? {
                if !replacements.contains(&new) {
                    replacements.push(new);
                }
            }
            fixes.push(candidate);
        }
        let text = replaced(self.chunk.text, replacements);
        let after = State::read(self.file, Chunk { text: &text, ..self.chunk });
        self.before.allows(&after, &fixes).map(|()| text)
    }

    /// The fix and those that are the same edit: what an anchor shares is mended at once where it is to be mended in every place.
    fn with_same(&self, index: usize) -> Vec<usize> {
        let same = |other: &usize| self.found.get(*other) == self.found.get(index);
        (0..self.found.len()).filter(same).collect()
    }

    /// Why a fix cannot be made alone, if it cannot.
    fn verify(&self, index: usize) -> Result<(), &'static str> {
        self.found.get(index).cloned().unwrap_or(Err(OTHER))?;
        self.made(&self.with_same(index)).map(|_| ())
    }

    /// One fix a manifest, of those that may be: no two meet, neither in the file nor in a document.
    fn choose(&self, may: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut chosen: Vec<usize> = vec![];
        let mut manifests: Vec<usize> = vec![];
        for index in (0..self.candidates.len()).filter(|index| may(*index)) {
            let same = self.with_same(index);
            let of = |index: &usize| self.candidates.get(*index).map_or(usize::MAX, |candidate| candidate.index);
            if self.found.get(index).is_some_and(Result::is_ok) && !same.iter().any(|one| manifests.contains(&of(one)))
            {
                manifests.extend(same.iter().map(of));
                chosen.extend(same);
            }
        }
        chosen
    }
}

/// Each fix as it is made in the file, in the order of the candidates, which are all of that chunk.
pub(super) fn place(
    file: &Arc<str>,
    (bytes, chunk): &(Range<usize>, Chunk<'_>),
    candidates: &[Candidate<'_>],
) -> Vec<Result<Placed, Unplaced>> {
    let placing = Placing::new(file, *chunk, candidates);
    let shift = |Replacement { bytes: at, text }: &Replacement| Replacement {
        bytes: at.start + bytes.start..at.end + bytes.start,
        text: text.clone(),
    };
    let results = candidates.iter().zip(&placing.found).enumerate().map(|(index, (candidate, found))| {
        let what = candidate.fix.what.clone();
        match (found, placing.verify(index)) {
            (Ok(found), Ok(())) => Ok(Placed { what, replacements: found.iter().map(shift).collect() }),
            (Err(why), _) => Err(Unplaced { what, why }),
            (_, Err(why)) => Err(Unplaced { what, why }),
        }
    });
    results.collect()
}

/// What is read from a chunk.
struct State {
    root: Value,
    manifests: Vec<Value>,
    issues: usize,
}

impl State {
    fn read(file: &Arc<str>, chunk: Chunk<'_>) -> Self {
        let root = yaml::document(file, chunk, &mut vec![]).and_then(|document| document.root);
        let source = Source { file: file.clone(), bytes: chunk.text.as_bytes().to_vec() };
        let Found { manifests, issues, .. } = read_all(&[source]);
        let manifests = manifests.iter().map(|manifest| manifest.tree().to_json()).collect();
        Self {
            root: root.map_or(Value::Null, |root| without_documents(root.to_json())),
            manifests,
            issues: issues.len(),
        }
    }

    /// Whether nothing differs but the documents, and those only as the fixes have it.
    fn allows(&self, after: &Self, fixes: &[&Candidate<'_>]) -> Result<(), &'static str> {
        if after.issues > self.issues || after.manifests.len() != self.manifests.len() {
            return Err(UNREADABLE);
        }
        for (index, (old, new)) in self.manifests.iter().zip(&after.manifests).enumerate() {
            let own: Vec<&&Candidate<'_>> = fixes.iter().filter(|candidate| candidate.index == index).collect();
            let mut wanted = old.clone();
            let mut elsewhere = true;
            if let Some(first) = own.first() {
                let (text, made) = fix::apply(&first.text, own.iter().map(|candidate| &candidate.fix));
                let pointer = format!("/{}", first.field.replace('.', "/"));
                let place = wanted.pointer_mut(&pointer).filter(|_| made.len() == own.len()).ok_or(OTHER)?;
                *place = match place {
                    Value::String(_) => Value::String(text),
                    _ => serde_json::from_str(&text).map_err(|_| OTHER)?,
                };
                elsewhere = new.pointer(&pointer) == Some(&*place);
            }
            if wanted != *new {
                return Err(if elsewhere { SHARED } else { OTHER });
            }
        }
        if self.root == after.root { Ok(()) } else { Err(SHARED) }
    }
}

/// The tree without what is compared object by object.
fn without_documents(mut root: Value) -> Value {
    match &mut root {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_documents(item.take())),
        Value::Object(members) => {
            let ours = members.get("apiVersion").and_then(Value::as_str).is_some_and(|v| v.starts_with("bylaw.dev/"));
            if let Some(Value::Object(spec)) = members.get_mut("spec").filter(|_| ours) {
                spec.remove("content");
                spec.remove("delegationPolicy");
            }
            members.values_mut().for_each(|value| *value = without_documents(value.take()));
        }
        _ => {}
    }
    root
}

/// The replacements of a fix by bytes of the chunk.
fn in_chunk(chunk: &Chunk<'_>, candidate: &Candidate<'_>) -> Result<Vec<Replacement>, &'static str> {
    let Candidate { manifest, field, text, fix, .. } = candidate;
    let byte = |place: Place| {
        let line = place.line.checked_sub(chunk.lines_before)?;
        byte_of(chunk.text, flaw::Place { line, column: place.column })
    };
    let node = manifest.tree().find(field);
    let Form::Scalar(scalar) = &node.form else {
        let document = json::read(text, &mut Flaws::default()).ok_or(OTHER)?;
        let edit = |edit| in_yaml(chunk.text, &byte, &document, node, edit).ok_or(FORM);
        return fix.edits.iter().map(edit).collect();
    };
    if let Style::Literal(_) = scalar.style {
        let edits = fix.edits.iter().map(|edit| {
            let mut edit = edit.clone();
            let (Edit::Scalar { at, .. } | Edit::Member { at, .. }) = &mut edit;
            let place = place_in_block(node, *at)?;
            *at = flaw::Place { line: place.line.checked_sub(chunk.lines_before)?, column: place.column };
            Some(edit)
        });
        let edits = edits.collect::<Option<Vec<Edit>>>().ok_or(FORM)?;
        return Fix { what: String::new(), edits }.replacements(chunk.text).ok_or(FORM);
    }
    // Quoted: as it is, if it stands there as it is.
    let begin = byte(node.place).ok_or(FORM)? + 1;
    let rest = chunk.text.get(begin..).ok_or(FORM)?;
    let quote = chunk.text.get(begin - 1..begin).filter(|quote| matches!(*quote, "\"" | "'")).ok_or(FOLDED)?;
    let plain = !text.contains(['\n', '\\']) && !text.contains(quote);
    if !plain || !rest.strip_prefix(&**text).is_some_and(|behind| behind.starts_with(quote)) {
        return Err(FOLDED);
    }
    let shift = |mut replacement: Replacement| {
        replacement.bytes = replacement.bytes.start + begin..replacement.bytes.end + begin;
        replacement
    };
    let replacements = fix.replacements(text).ok_or(OTHER)?;
    Ok(replacements.into_iter().map(shift).collect())
}

/// What stands at a place of a document's text, in the tree of the manifest.
enum At<'a> {
    Value(&'a Node),
    Key(&'a Entry),
}

/// Walks both trees, which hold the same.
fn find<'a>(document: &json::Node, node: &'a Node, place: flaw::Place) -> Option<At<'a>> {
    if document.place == place {
        return Some(At::Value(node));
    }
    match (&document.value, &node.form) {
        (json::Value::Array(items), Form::List(nodes)) => {
            items.iter().zip(nodes).find_map(|(item, node)| find(item, node, place))
        }
        (json::Value::Object(members), Form::Map(_)) => members.iter().find_map(|member| {
            let entry = node.entry(&member.key)?;
            if member.place == place { Some(At::Key(entry)) } else { find(&member.node, &entry.node, place) }
        }),
        _ => None,
    }
}

/// An edit of a document that is written as YAML.
fn in_yaml(
    text: &str,
    byte: &dyn Fn(Place) -> Option<usize>,
    document: &json::Node,
    node: &Node,
    edit: &Edit,
) -> Option<Replacement> {
    match edit {
        Edit::Scalar { at, text: new } => {
            let (place, old) = match find(document, node, *at)? {
                At::Key(entry) => (entry.place, &*entry.key),
                At::Value(node) => match &node.form {
                    Form::Scalar(scalar) => (node.place, &*scalar.text),
                    _ => return None,
                },
            };
            let Value::String(new) = serde_json::from_str(new).ok()? else { return None };
            scalar(text, byte(place)?, old, &new)
        }
        Edit::Member { at, key, value } => {
            let At::Value(object) = find(document, node, *at)? else { return None };
            let begin = byte(object.place)?;
            if text.get(begin..)?.starts_with('{') {
                let comma = if text.get(begin + 1..)?.trim_start().starts_with('}') { "" } else { "," };
                let text = format!("\"{key}\": {value}{comma}");
                return Some(Replacement { bytes: begin + 1..begin + 1, text });
            }
            let line = text.get(..begin)?.rfind('\n').map_or(0, |at| at + 1);
            let indent = text.get(line..begin)?;
            if !indent.bytes().all(|b| b == b' ') {
                return None;
            }
            let end = text.get(begin..)?.find('\n').map_or(text.len(), |at| begin + at);
            let new_line = if text.get(begin..end)?.ends_with('\r') { "\r\n" } else { "\n" };
            Some(Replacement { bytes: begin..begin, text: format!("{key}: {value}{new_line}{indent}") })
        }
    }
}

/// The text `old` that is written at a byte becomes `new`, in the same style where that can hold it.
fn scalar(text: &str, begin: usize, old: &str, new: &str) -> Option<Replacement> {
    let rest = text.get(begin..)?;
    let mut quoted = String::new();
    json::write_string(&mut quoted, new);
    if rest.starts_with('"') {
        let bytes = scalar_at(text, begin)?;
        let read: String = serde_json::from_str(text.get(bytes.clone())?).ok()?;
        return (read == old).then_some(Replacement { bytes, text: quoted });
    }
    if rest.starts_with('\'') {
        let written = format!("'{}'", old.replace('\'', "''"));
        rest.starts_with(&written).then_some(())?;
        let text = format!("'{}'", new.replace('\'', "''"));
        return Some(Replacement { bytes: begin..begin + written.len(), text });
    }
    if old.is_empty() || !rest.starts_with(old) {
        return None;
    }
    let written = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '-');
    let plain = Scalar { text: new.into(), style: Style::Plain };
    let is_plain = new.starts_with(|c: char| c.is_ascii_alphanumeric())
        && new.chars().all(written)
        && !new.ends_with(':')
        && plain.read() == Read::Text(new)
        && plain.trap().is_none();
    let text = if is_plain { new.to_owned() } else { quoted };
    Some(Replacement { bytes: begin..begin + old.len(), text })
}

/// A file whose fixes are made.
#[derive(Debug)]
pub struct Mended {
    /// The text, everything else byte for byte.
    pub text: String,
    /// What was made: where it stood, and what it did.
    pub made: Vec<(Issue, String)>,
    /// What was not made.
    pub refused: Vec<(Issue, Unplaced)>,
}

/// Most rounds for one document of the stream, each of one fix a policy; it also ends what would go in a circle.
const MOST: usize = 500;

/// Makes the fixes of all policies of a file, those of one policy one after the other: each is made in, and held against, what
/// the one before it left. `None` where the file is no text.
#[must_use]
pub fn mend(source: &Source) -> Option<Mended> {
    let text = std::str::from_utf8(&source.bytes).ok()?;
    let mut out = Mended { text: String::with_capacity(text.len()), made: vec![], refused: vec![] };
    out.text.push_str(if text.starts_with('\u{feff}') { "\u{feff}" } else { "" });
    for (_, chunk) in chunks(text) {
        let mut text = chunk.text.to_owned();
        for _ in 0..MOST {
            let Some(next) = round(&source.file, &text, chunk.lines_before, &mut out) else { break };
            text = next;
        }
        out.text.push_str(&text);
    }
    Some(out)
}

/// The text of a chunk with one fix a policy; `None` where none is left that can be made, and then it is told why.
fn round(file: &Arc<str>, text: &str, lines_before: u32, out: &mut Mended) -> Option<String> {
    let part = Source { file: file.clone(), bytes: text.as_bytes().to_vec() };
    let manifests = read_all(std::slice::from_ref(&part)).manifests;
    let (said, to_place) = look(&manifests, &[part]);
    let at: Vec<usize> = to_place.iter().map(|fix| fix.at).collect();
    let candidates: Vec<Candidate<'_>> =
        to_place.into_iter().filter_map(|fix| fix.candidate(manifests.iter())).collect();
    if candidates.is_empty() {
        return None;
    }
    let issue = |index: &usize| {
        let mut issue = said.get(*at.get(*index)?)?.issue.clone();
        issue.origin.line += lines_before;
        Some(issue)
    };
    let what = |index: &usize| candidates.get(*index).map(|candidate| candidate.fix.what.clone());
    let placing = Placing::new(file, Chunk { lines_before: 0, text }, &candidates);
    let mut chosen = placing.choose(|_| true);
    let mut made = placing.made(&chosen);
    if chosen.is_empty() || made.is_err() {
        // Something among them cannot be made: each by itself.
        let alone: Vec<Result<(), &'static str>> = (0..candidates.len()).map(|index| placing.verify(index)).collect();
        let sound = |index: usize| alone.get(index).is_some_and(Result::is_ok);
        chosen = placing.choose(sound);
        made = placing.made(&chosen);
        let first = chosen.first().map(|first| placing.with_same(*first));
        let Some(first) = first else {
            let refused = alone.iter().enumerate().filter_map(|(index, result)| {
                let (what, why) = (what(&index)?, result.err()?);
                Some((issue(&index)?, Unplaced { what, why }))
            });
            out.refused.extend(refused);
            return None;
        };
        if made.is_err() {
            made = placing.made(&first);
            chosen = first;
        }
    }
    let text = made.ok()?;
    chosen.sort_unstable();
    out.made.extend(chosen.iter().filter_map(|index| Some((issue(index)?, what(index)?))));
    Some(text)
}

#[cfg(test)]
mod tests;
