//! Condition keys as a record tells them: with their values, as surely absent, or not at all.
//!
//! Sources: IAM user guide, "AWS global condition context keys" (when a request carries a key); CloudTrail user guide,
//! "CloudTrail userIdentity element", "Enrich CloudTrail events". What an enriched event tells goes before what is
//! gathered here. A key that AWS's reference does not know for an action, or for one of its resources, is absent from its
//! requests.

use super::reader::Reader;
use super::request::{Told, Values, Who};
use super::walk;
use crate::policy::call::{Leg, Reach};
use crate::policy::services::{self, Action, ValueType};

mod fields;
pub mod places;
mod tags;

use fields::Read;
use places::{Place, Where};
pub(super) use tags::Tags;

/// Whether a request sets tags.
#[must_use]
pub fn sets_tags(who: &Who<'_, '_>) -> crate::policy::eval::Truth {
    tags::sets(who, None)
}

/// Whether a request sets tags on resources of that type.
#[must_use]
pub fn tags_on(who: &Who<'_, '_>, kind: &str) -> crate::policy::eval::Truth {
    tags::sets(who, Some(kind))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Request,
    Resource,
    Principal,
}

const FAMILIES: &[(&str, Family)] = &[
    ("aws:requesttag/", Family::Request),
    ("aws:resourcetag/", Family::Resource),
    ("aws:principaltag/", Family::Principal),
];

enum How {
    Field(Read),
    Tag(Family, Box<str>),
    TagKeys,
    Parameters(Vec<Row>),
    Fixed(Box<str>),
    Absent,
    Unknown,
}

/// A parameter that holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    path: &'static str,
    /// What fills the last step of the path, where it is `*`.
    filled: Option<Box<str>>,
    names: bool,
    absent: bool,
    /// Whether values have to be ARNs: a name or an alias is not what the condition key holds.
    arns: bool,
}

/// The keys that fields of records tell, as AWS spells them, with where.
pub fn of_fields() -> impl Iterator<Item = (&'static str, &'static str)> {
    fields::FIELDS.iter().map(|(name, place, _)| (services::key(name).map_or(*name, |key| key.name), *place))
}

/// The names of keys that records of an action may tell, for whoever does not know which are looked at: each tag of the request
/// by its name.
#[must_use]
pub fn of_records(who: &Who<'_, '_>, action: Action) -> Vec<String> {
    let of_fields = fields::FIELDS.iter().map(|(name, ..)| (*name).to_owned());
    let of_action = action.keys().map(|key| key.name.to_owned()).filter(|name| !name.contains("${"));
    let mut names: Vec<String> = of_fields.chain(of_action).collect();
    if action.carries("aws:TagKeys") || action.carries("aws:RequestTag/any") {
        tags::read(who, None, &mut Values::default(), |tag, _, _| names.push(format!("aws:RequestTag/{tag}")));
        names.push("aws:TagKeys".to_owned());
    }
    names.sort_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    names
}

/// A key that a judge looks at, with how it is read from the records of one action.
pub struct Key {
    /// As the judge spelled it.
    pub name: Box<str>,
    how: How,
    /// The type of the resource whose tags it is of, where the request says of each tag whose it is.
    on: Option<&'static str>,
    /// Whether AWS does not say if what the request sets is in the context of that resource.
    unsure: bool,
}

impl Key {
    /// For records of that action, on one of its resources or whatever the resource.
    #[must_use]
    pub fn new(name: &str, action: Action, on: Option<&Leg>) -> Self {
        let how = how(name, action, on);
        let of_tags = matches!(how, How::Tag(Family::Request, _) | How::TagKeys);
        let unsure = of_tags && on.is_some_and(|on| on.tags() == Reach::Unsure);
        Self { name: name.into(), how, on: on.map(Leg::name).filter(|_| of_tags), unsure }
    }

    /// The same with the one value that it has whatever the record says.
    #[must_use]
    pub fn fixed(name: &str, value: &str) -> Self {
        Self { name: name.into(), how: How::Fixed(value.into()), on: None, unsure: false }
    }

    /// One that no such call carries.
    #[must_use]
    pub fn absent(name: &str) -> Self {
        Self { name: name.into(), how: How::Absent, on: None, unsure: false }
    }

    /// For records of an action that is not known.
    #[must_use]
    pub fn of_any_action(name: &str) -> Self {
        let how = fields::find(&name.to_ascii_lowercase()).map_or(How::Unknown, How::Field);
        Self { name: name.into(), how, on: None, unsure: false }
    }

    /// Whether every record tells the same of both.
    #[must_use]
    pub fn is_told_as(&self, other: &Self) -> bool {
        let same = match (&self.how, &other.how) {
            (How::Parameters(one), How::Parameters(other)) => one == other,
            (How::Fixed(one), How::Fixed(other)) => one == other,
            (one, other) => core::mem::discriminant(one) == core::mem::discriminant(other),
        };
        // Whatever else is told of the same key is told in the same way.
        self.name == other.name && same && self.on == other.on && self.unsure == other.unsure
    }

    /// Reads it. Values are added to `out`.
    pub fn tell(&self, who: &Who<'_, '_>, out: &mut Values) -> Told {
        let before = out.len();
        let told = self.read(who, out);
        if told == Told::Known && self.unsure {
            out.truncate(before);
            return Told::Unknown;
        }
        told
    }

    fn read(&self, who: &Who<'_, '_>, out: &mut Values) -> Told {
        if let Some(context) = who.record.event_context
            && let Some(told) = enriched(context, self, out)
        {
            return told;
        }
        match &self.how {
            How::Field(read) => read(who, out),
            How::Fixed(value) => out.one(value),
            How::Absent => Told::Absent,
            How::Unknown | How::Tag(Family::Resource | Family::Principal, _) => Told::Unknown,
            How::Parameters(rows) => parameters(who, rows, out),
            How::Tag(Family::Request, key) => tags::read(who, self.on, out, |tag, value, out| {
                if tag.eq_ignore_ascii_case(key) {
                    out.push(value);
                }
            }),
            How::TagKeys => tags::read(who, self.on, out, |tag, _, out| out.push(tag)),
        }
    }
}

fn how(name: &str, action: Action, on: Option<&Leg>) -> How {
    let lower = name.to_ascii_lowercase();
    let never = on.map_or_else(|| action.never_carries(name), |on| on.never_carries(name));
    if lower != "kms:viaservice" && never && action.service.is_whole() && services::key(name).is_some() {
        return How::Absent;
    }
    if let Some(read) = fields::find(&lower) {
        return How::Field(read);
    }
    if lower == "aws:tagkeys" {
        return How::TagKeys;
    }
    for (prefix, family) in FAMILIES {
        if let Some(tag) = lower.starts_with(prefix).then(|| name.get(prefix.len()..)).flatten() {
            return How::Tag(*family, tag.into());
        }
    }
    let rows: Vec<Row> = places::all().iter().filter_map(|place| row(place, name, action)).collect();
    if rows.is_empty() { How::Unknown } else { How::Parameters(rows) }
}

/// The row that a line of the table is for an action.
fn row(place: &Place, name: &str, action: Action) -> Option<Row> {
    let Where::Parameter { path, names, absent } = place.place else { return None };
    let of_action = place.actions.is_empty() || place.actions.contains(&action.name());
    let template = place.key.split_once("${").map(|(before, _)| before);
    let filled = match template {
        Some(before) => {
            let begins = name.get(..before.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(before));
            Some(name.get(before.len()..).filter(|rest| begins && !rest.is_empty())?)
        }
        None if place.key.eq_ignore_ascii_case(name) => None,
        None => return None,
    };
    // Actions of other services have the same names.
    let own = services::key(name).is_some_and(|_| action.carries(name));
    let arns = place.key.ends_with("KmsKeyArn") || services::key(name).is_some_and(|key| key.kind == ValueType::Arn);
    (of_action && own).then(|| Row { path, filled: filled.map(Into::into), names, absent, arns })
}

fn parameters(who: &Who<'_, '_>, rows: &[Row], out: &mut Values) -> Told {
    let Some(text) = who.parameters() else { return Told::Unknown };
    let before = out.len();
    let mut hidden = false;
    for row in rows {
        let mut take = |value: &str| {
            hidden |= value.contains("HIDDEN_DUE_TO_SECURITY_REASONS") || value == "***";
            hidden |= row.arns && !value.starts_with("arn:");
            out.push(value);
        };
        let read = match (&row.filled, row.names) {
            (None, false) => walk::each(text, row.path, &mut take),
            (None, true) => walk::names(text, row.path, &mut take),
            (Some(filled), _) => walk::named(text, row.path.trim_end_matches(".*"), filled, &mut take),
        };
        hidden |= !read;
    }
    match out.len() > before {
        _ if hidden => {
            out.truncate(before);
            Told::Unknown
        }
        true => Told::Known,
        false if rows.iter().all(|row| row.absent) => Told::Absent,
        false => Told::Unknown,
    }
}

/// What an enriched event says of the key; `None`: nothing.
fn enriched(context: &str, key: &Key, out: &mut Values) -> Option<Told> {
    let before = out.len();
    let mut values = |reader: &mut Reader<'_>| match reader.peek()? {
        b'[' => reader.list(|reader| walk::scalar(reader, &mut |value| out.push(value))),
        _ => walk::scalar(reader, &mut |value| out.push(value)),
    };
    let read = Reader::new(context).entries(|reader, part| match (&*part, &key.how) {
        ("requestContext", _) => reader.under(&key.name, &mut values),
        ("tagContext", How::Tag(Family::Principal, tag)) => {
            reader.under("principalTags", &mut |reader| reader.under(tag, &mut values))
        }
        ("tagContext", How::Tag(Family::Resource, tag)) => reader.under("resourceTags", &mut |reader| {
            // With several resources one value would be held against all.
            if resources(*reader)? != 1 {
                return reader.step();
            }
            reader.list(|reader| reader.under("tags", &mut |reader| reader.under(tag, &mut values)))
        }),
        _ => reader.step(),
    });
    if read.is_none() {
        out.truncate(before);
    }
    (out.len() > before).then_some(Told::Known)
}

/// How many values a list has; 0 in another value.
fn resources(mut reader: Reader<'_>) -> Option<usize> {
    let mut count = 0;
    if reader.peek()? == b'[' {
        reader.list(|reader| {
            count += 1;
            reader.step()
        })?;
    }
    Some(count)
}

#[cfg(test)]
mod tests;
