//! The tags that a request sets.

use std::borrow::Cow;

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

/// The tags that a request sets, read once for all keys and types of resources that are asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::trail) struct Tags<'r> {
    told: Whole,
    /// Whether a template may set others, which no record of the call tells.
    template: bool,
    sets: Vec<Set<'r>>,
}

/// How far the parameters tell tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Whole {
    /// They are not whole, or no JSON, or something in them is only called like tags.
    #[default]
    Unknown,
    /// No parameter is called like tags.
    None,
    /// They are read.
    Read,
}

/// A tag.
#[derive(Debug, Clone)]
struct Set<'r> {
    /// The type of the resources that it is set on, where the request says so.
    on: Option<Cow<'r, str>>,
    /// Key and value; `None`: what cannot be read.
    tag: Option<(Cow<'r, str>, Cow<'r, str>)>,
}

impl<'r> Tags<'r> {
    /// Of the parameters of a request, where they are whole.
    pub(in crate::trail) fn of(parameters: Option<&'r str>) -> Self {
        let Some(text) = parameters else { return Self::default() };
        let (tags, template) = may_hold(text);
        let mut found = Self { told: Whole::None, template, sets: vec![] };
        if !tags {
            return found;
        }
        let mut lists = false;
        let read = Reader::new(text).entries(|reader, name| {
            let holds = TAGS.iter().any(|known| known.eq_ignore_ascii_case(&name));
            lists |= holds;
            if holds { pairs(reader, None, 0, &mut found.sets) } else { reader.step() }
        });
        // Without a list something deeper is called like tags.
        found.told = if read.is_some() && lists { Whole::Read } else { Whole::Unknown };
        found
    }

    /// Gives those of resources of a type (`None`: of any) to `take`; what is known of them, where it takes none.
    fn each(&self, on: Option<&str>, mut take: impl FnMut(&str, &str)) -> Told {
        let here = |set: &&Set<'r>| on.zip(set.on.as_deref()).is_none_or(|(on, own)| own == on);
        let sets = || self.sets.iter().filter(here);
        if self.told == Whole::Unknown || sets().any(|set| set.tag.is_none()) {
            return Told::Unknown;
        }
        sets().filter_map(|set| set.tag.as_ref()).for_each(|(key, value)| take(key, value));
        if self.template { Told::Unknown } else { Told::Absent }
    }
}

/// Reads the tags that a request sets on resources of a type (`None`: on any) with `take`.
pub(super) fn read(
    who: &Who<'_, '_>,
    on: Option<&str>,
    out: &mut Values,
    mut take: impl FnMut(&str, &str, &mut Values),
) -> Told {
    let before = out.len();
    let told = who.tags().each(on, |key, value| take(key, value, out));
    if out.len() > before { Told::Known } else { told }
}

/// Whether a request sets tags on resources of a type (`None`: on any).
pub(super) fn sets(who: &Who<'_, '_>, on: Option<&str>) -> Truth {
    let mut some = false;
    match who.tags().each(on, |_, _| some = true) {
        _ if some => Truth::Yes,
        Told::Unknown => Truth::Depends,
        Told::Known | Told::Absent => Truth::No,
    }
}

/// Whether a key of the text begins like tags, and whether one begins like a template: a look that costs little, since in most
/// none does.
fn may_hold(text: &str) -> (bool, bool) {
    let bytes = text.as_bytes();
    // With an escape a name can be spelled in many ways.
    if memchr(b'\\', bytes).is_some() {
        return (true, true);
    }
    let begins = |quote: usize, word: &[u8]| {
        let key = bytes.get(quote + 1..).and_then(|rest| rest.get(..word.len()));
        key.is_some_and(|key| key.eq_ignore_ascii_case(word))
    };
    let mut found = (false, false);
    // Both begin with a letter that few names begin with.
    for quote in memchr_iter(b'"', bytes) {
        match bytes.get(quote + 1) {
            Some(b't' | b'T') => found.0 |= begins(quote, TAG),
            Some(b'l' | b'L') => found.1 |= begins(quote, TEMPLATE),
            _ => {}
        }
    }
    found
}

/// Takes the tags of a list of `{key, value}`, of lists in objects, or of a map; `None` where it is none of these. `on`: the type
/// of resources that they are set on.
fn pairs<'r>(reader: &mut Reader<'r>, on: Option<&Cow<'r, str>>, depth: usize, sets: &mut Vec<Set<'r>>) -> Option<()> {
    match reader.peek()? {
        b'[' if depth < 4 => reader.list(|reader| pairs(reader, on, depth + 1, sets)),
        b'{' => object(reader, on, depth, sets),
        b'n' if depth == 0 => reader.step(),
        _ => None,
    }
}

/// An object is a tag, or holds lists of them, or is a map of them: which, is known at its end.
fn object<'r>(reader: &mut Reader<'r>, on: Option<&Cow<'r, str>>, depth: usize, sets: &mut Vec<Set<'r>>) -> Option<()> {
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
        sets.push(Set { on: on.cloned(), tag: Some((key, value.unwrap_or_default())) });
        *reader = ahead;
        return Some(());
    }
    let from = sets.len();
    let own = kind.as_ref().or(on);
    let mut inside = *reader;
    let read = inside.entries(|reader, name| match reader.peek()? {
        _ if lists && LISTS.contains(&&*name) => pairs(reader, own, depth + 1, sets),
        _ if lists => reader.step(),
        b'"' => {
            let value = reader.spelled()?;
            sets.push(Set { on: own.cloned(), tag: Some((name, value)) });
            Some(())
        }
        _ => None,
    });
    if read.is_none() && kind.is_some() {
        // What is not to be read of one type says nothing of another.
        sets.truncate(from);
        sets.push(Set { on: kind, tag: None });
    } else {
        read?;
    }
    *reader = ahead;
    Some(())
}
