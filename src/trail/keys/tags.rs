//! The tags that a request sets.

use memchr::{memchr, memchr_iter};

use crate::policy::eval::Truth;
use crate::trail::reader::Reader;
use crate::trail::request::{Told, Values, Who};

/// The parameters in which requests hold the tags that they set.
const TAGS: &[&str] = &["tags", "tagList", "tagSet", "tagSpecificationSet", "tagSpecifications", "tagging"];
/// How all of them begin.
const TAG: &[u8] = b"tag";
/// The parameter of what sets tags of its own.
const TEMPLATE: &[u8] = b"launchTemplate";
/// What lists of tags are called that stand in objects.
const LISTS: &[&str] = &["items", "tags", "tag", "tagSet"];

/// Reads the tags that a request sets on resources of a type (`None`: on any) with `take`.
pub(super) fn read(
    who: &Who<'_, '_>,
    on: Option<&str>,
    out: &mut Values,
    mut take: impl FnMut(&str, &str, &mut Values),
) -> Told {
    let Some(text) = who.parameters() else { return Told::Unknown };
    // A template may set tags, which no record of the call tells.
    let absent = || if may_hold(text, TEMPLATE) { Told::Unknown } else { Told::Absent };
    if !may_hold(text, TAG) {
        return absent();
    }
    let (before, mut lists) = (out.len(), false);
    let read = Reader::new(text).entries(|reader, name| {
        let holds = TAGS.iter().any(|known| known.eq_ignore_ascii_case(&name));
        lists |= holds;
        if holds { pairs(reader, on, 0, &mut |tag, value| take(tag, value, out)) } else { reader.step() }
    });
    if read.is_none() {
        out.truncate(before);
        return Told::Unknown;
    }
    match (out.len() > before, lists) {
        (true, _) => Told::Known,
        (false, true) => absent(),
        // Something deeper is called like tags.
        (false, false) => Told::Unknown,
    }
}

/// Whether a request sets tags on resources of a type (`None`: on any).
pub(super) fn sets(who: &Who<'_, '_>, on: Option<&str>) -> Truth {
    let (mut out, mut some) = (Values::default(), false);
    match read(who, on, &mut out, |_, _, _| some = true) {
        Told::Unknown => Truth::Depends,
        Told::Known | Told::Absent => some.into(),
    }
}

/// Whether a key of the text begins so: a look that costs little, since in most none does.
fn may_hold(text: &str, word: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let begins = |quote| {
        let key = bytes.get(quote + 1..).and_then(|rest| rest.get(..word.len()));
        key.is_some_and(|key| key.eq_ignore_ascii_case(word))
    };
    // With an escape a name can be spelled in many ways.
    memchr(b'\\', bytes).is_some() || memchr_iter(b'"', bytes).any(begins)
}

/// Gives the tags of a list of `{key, value}`, of lists in objects, or of a map; `None` where it is none of these. Of objects
/// that name a type of resources, those of another than `on` are passed over.
fn pairs(reader: &mut Reader<'_>, on: Option<&str>, depth: usize, give: &mut dyn FnMut(&str, &str)) -> Option<()> {
    match reader.peek()? {
        b'[' if depth < 4 => reader.list(|reader| pairs(reader, on, depth + 1, give)),
        b'{' => object(reader, on, depth, give),
        b'n' if depth == 0 => reader.step(),
        _ => None,
    }
}

/// An object is a tag, or holds lists of them, or is a map of them: which, is known at its end.
fn object(reader: &mut Reader<'_>, on: Option<&str>, depth: usize, give: &mut dyn FnMut(&str, &str)) -> Option<()> {
    let (mut key, mut value, mut lists, mut kind) = (None, None, false, None);
    let mut ahead = *reader;
    ahead.entries(|reader, name| {
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(&name));
        match reader.peek()? {
            b'"' if is(&["key", "tagKey"]) => key = key.take().or(Some(reader.spelled()?)),
            b'"' if is(&["resourceType"]) => kind = kind.take().or(Some(reader.spelled()?)),
            b'"' if is(&["value", "tagValue"]) => value = value.take().or(Some(reader.spelled()?)),
            first => {
                lists |= first == b'[' && LISTS.contains(&&*name);
                reader.step()?;
            }
        }
        Some(())
    })?;
    if let Some(key) = key {
        give(&key, &value.unwrap_or_default());
        *reader = ahead;
        return Some(());
    }
    if let (Some(kind), Some(on)) = (&kind, on)
        && **kind != *on
    {
        return reader.step();
    }
    reader.entries(|reader, name| match reader.peek()? {
        _ if lists && LISTS.contains(&&*name) => pairs(reader, on, depth + 1, give),
        _ if lists => reader.step(),
        b'"' => {
            give(&name, &reader.spelled()?);
            Some(())
        }
        _ => None,
    })
}
