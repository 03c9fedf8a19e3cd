//! Where a record has the condition keys of services: `places.txt`, which says its form.

use std::sync::OnceLock;

/// Why no record tells a key: its name in the file, and in words.
pub const REASONS: &[(&str, &str)] = &[
    ("body", "it stands in the body of the request, which records leave out"),
    ("header", "it stands in headers that records leave out"),
    ("resource", "it is a property of the resource, which records do not tell"),
    ("tags", "tags of resources stand only in enriched events"),
    ("token", "it comes with the caller's token, which records leave out"),
    ("unsure", "no documentation says where records have it"),
];

/// Where a record has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// A request parameter.
    Parameter {
        /// Its path; the last step `*` is the filled template of the key.
        path: &'static str,
        /// Whether it is the names under the path.
        names: bool,
        /// Whether a call without it is one without the key.
        absent: bool,
    },
    /// A field, which code reads.
    Field,
    /// Nowhere: why ([`REASONS`]).
    Nowhere(&'static str),
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The key; for [`Where::Nowhere`] a pattern.
    pub key: &'static str,
    /// The actions it is of (without the service); none: all that carry the key.
    pub actions: Vec<&'static str>,
    /// Where.
    pub place: Where,
}

/// Every line, sorted by key.
pub fn all() -> &'static [Place] {
    static ALL: OnceLock<Vec<Place>> = OnceLock::new();
    ALL.get_or_init(|| {
        include_str!("places.txt").lines().filter(|line| !line.starts_with('#')).filter_map(place).collect()
    })
}

fn place(line: &'static str) -> Option<Place> {
    let mut parts = line.split(" | ");
    let (key, actions, place) = (parts.next()?, parts.next()?, parts.next()?);
    let actions = if actions == "*" { vec![] } else { actions.split(',').collect() };
    let place = match place.strip_prefix('-') {
        Some(reason) => Where::Nowhere(reason),
        None if place == "@" => Where::Field,
        None => {
            let (path, absent) = place.strip_suffix('?').map_or((place, false), |path| (path, true));
            let (path, names) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
            Where::Parameter { path, names, absent }
        }
    };
    Some(Place { key, actions, place })
}
