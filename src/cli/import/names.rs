//! Object names for AWS's names: readable, unique in their kind, and the same for the same organization.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{AccountId, Kind, NodeId, ObjectKey, PolicyId, TAG_RESOURCE, Tags, UnitId};
use crate::observed::{Observed, Part};

/// Longest part of a name that is made of one AWS name.
const MAX_PART: usize = 60;
/// Longest name: `Kind/name` has to fit into a tag value (256 characters).
const MAX_NAME: usize = 200;

/// Names of all objects, whether or not they come into a manifest: leaving one out renames no other.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) units: BTreeMap<UnitId, String>,
    pub(super) accounts: BTreeMap<AccountId, String>,
    pub(super) policies: BTreeMap<PolicyId, String>,
}

impl Names {
    pub(super) fn of(observed: &Observed) -> Self {
        let units = observed.units.iter().map(|(id, unit)| {
            let mut longer = vec![slug(&unit.name)];
            let chain = observed.chain(&NodeId::Unit(id.clone()));
            longer.extend(
                chain
                    .iter()
                    .skip(1)
                    .filter(|node| matches!(node, NodeId::Unit(_)))
                    .map(|node| slug(observed.name(node))),
            );
            (
                id.clone(),
                Wish { tagged: tagged(Kind::OrganizationalUnit, &unit.tags), parts: longer, id: tail(id.as_str()) },
            )
        });
        let units = unique(units.collect(), "ou");
        let accounts = observed.accounts.iter().map(|(id, account)| {
            let mut parts = vec![slug(&account.name)];
            if let Some(NodeId::Unit(unit)) = &account.parent {
                parts.extend(units.get(unit).cloned());
            }
            (id.clone(), Wish { tagged: tagged(Kind::Account, &account.tags), parts, id: id.to_string() })
        });
        let accounts = unique(accounts.collect(), "account");
        let policies = observed.policies.iter().filter(|(_, policy)| !policy.aws_managed).map(|(id, policy)| {
            let parts = vec![slug(&policy.name), slug(policy.kind.short())];
            (id.clone(), Wish { tagged: tagged(Kind::OrganizationPolicy, &policy.tags), parts, id: tail(id.as_str()) })
        });
        let policies = unique(policies.collect(), "policy");
        Self { units, accounts, policies }
    }
}

/// How one object might be called.
struct Wish {
    /// The name that bylaw's tag gives it.
    tagged: Option<String>,
    /// Its own name, and what can be put before it where that is not enough, nearest first.
    parts: Vec<String>,
    /// What tells it apart for sure.
    id: String,
}

impl Wish {
    /// The name with `level` parts before it; past the last part with the id behind it.
    fn name(&self, level: usize, kind: &str) -> String {
        let last = self.parts.len().saturating_sub(1);
        let mut parts: Vec<&str> = self
            .parts
            .iter()
            .take(level.min(last) + 1)
            .rev()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let own = self.parts.first().is_none_or(String::is_empty);
        if own {
            parts.push(kind);
        }
        let mut name = parts.join("-");
        let cut = name.len() > MAX_NAME;
        name.truncate(MAX_NAME);
        if own || cut || level > last {
            name = format!("{}-{}", name.trim_end_matches('-'), self.id);
        }
        name
    }
}

/// A name for each; longer only where two would be the same.
fn unique<Id: Ord + Clone>(wishes: BTreeMap<Id, Wish>, kind: &str) -> BTreeMap<Id, String> {
    let mut out: BTreeMap<Id, String> = BTreeMap::new();
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in wishes.values().filter_map(|wish| wish.tagged.as_deref()) {
        *tags.entry(tag).or_default() += 1;
    }
    // A name that several tags claim is nobody's: who took it would be declared as the one that they say they are.
    let taken: BTreeSet<String> = tags.keys().map(|tag| (*tag).to_owned()).collect();
    let mut levels: BTreeMap<&Id, usize> = BTreeMap::new();
    for (id, wish) in &wishes {
        match &wish.tagged {
            Some(tag) if tags.get(tag.as_str()) == Some(&1) => drop(out.insert(id.clone(), tag.clone())),
            _ => drop(levels.insert(id, 0)),
        }
    }
    let named = |id: &Id, level: usize| wishes.get(id).map(|wish| wish.name(level, kind)).unwrap_or_default();
    // A chain of OUs has at most a few parts, and with the id behind them names are unique.
    for _ in 0..crate::observed::snapshot::MAX_DEPTH + 2 {
        let mut by_name: BTreeMap<String, Vec<&Id>> = BTreeMap::new();
        for (id, level) in &levels {
            by_name.entry(named(id, *level)).or_default().push(id);
        }
        let mut longer = false;
        for (name, ids) in by_name {
            if ids.len() == 1 && !taken.contains(&name) {
                continue;
            }
            // Who has a parent to be told apart by takes it; the others keep the short name.
            let left = |id: &Id, with_id: usize| {
                let parts = wishes.get(id).map_or(0, |wish| wish.parts.len());
                levels.get(id).is_some_and(|level| level + 1 < parts + with_id)
            };
            let below: Vec<&Id> = ids.iter().copied().filter(|id| left(id, 0)).collect();
            let longer_ones: Vec<&Id> =
                if below.is_empty() { ids.into_iter().filter(|id| left(id, 1)).collect() } else { below };
            for id in longer_ones {
                if let Some(level) = levels.get_mut(id) {
                    *level += 1;
                    longer = true;
                }
            }
        }
        if !longer {
            break;
        }
    }
    let mut used = taken;
    for (id, level) in levels {
        let mut name = named(id, level);
        let mut number = 2;
        while !used.insert(name.clone()) {
            name = format!("{}-{number}", named(id, level));
            number += 1;
        }
        out.insert(id.clone(), name);
    }
    out
}

/// The object name that bylaw's tag gives, where it is one.
fn tagged(kind: Kind, tags: &Part<Tags>) -> Option<String> {
    let key: ObjectKey = tags.get()?.get(TAG_RESOURCE)?.parse().ok()?;
    let name = key.name.to_string();
    (key.kind == kind && is_subdomain(&name)).then_some(name)
}

/// A DNS-1123 subdomain, short enough for the tag that it came from.
fn is_subdomain(name: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// What stands behind the last dash of an id.
fn tail(id: &str) -> String {
    slug(id.rsplit('-').next().unwrap_or(id)).replace('-', "")
}

/// A name as a DNS-1123 label: lower case, words apart by dashes; empty where nothing is left.
pub(super) fn slug(name: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if before.is_lowercase() && c.is_uppercase() && !out.ends_with('-') {
            out.push('-');
        }
        before = c;
        for plain in c.to_lowercase() {
            match plain {
                'a'..='z' | '0'..='9' => out.push(plain),
                '\'' | '’' => {}
                other => match latin(other) {
                    "" if out.ends_with('-') => {}
                    "" => out.push('-'),
                    letters => out.push_str(letters),
                },
            }
        }
    }
    let mut out = out.trim_matches('-').to_owned();
    if out.len() > MAX_PART {
        out.truncate(MAX_PART);
        out = out.trim_end_matches('-').to_owned();
    }
    out
}

/// Letters of western and central Europe without their marks.
fn latin(c: char) -> &'static str {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ő' | 'ō' => "o",
        'ö' | 'ø' | 'œ' => "oe",
        'ř' => "r",
        'ś' | 'ş' | 'š' => "s",
        'ß' => "ss",
        'ť' | 'ţ' => "t",
        'ù' | 'ú' | 'û' | 'ů' | 'ű' | 'ū' => "u",
        'ü' => "ue",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'þ' => "th",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_read_like_the_names() {
        for (name, want) in [
            ("Data Science", "data-science"),
            ("DATA_SCIENCE_MULTI_ACCOUNT_DEPLOYMENTS", "data-science-multi-account-deployments"),
            ("NonProduction", "non-production"),
            ("IPv6", "ipv6"),
            ("  odd -- name!! ", "odd-name"),
            ("Überwachung für Zürich", "ueberwachung-fuer-zuerich"),
            ("日本", ""),
            ("R&D", "r-d"),
            ("Bob's", "bobs"),
            ("v1.2", "v1-2"),
            ("", ""),
        ] {
            assert_eq!(slug(name), want, "{name}");
        }
        assert!(slug(&"x y".repeat(100)).len() <= MAX_PART);
    }

    #[test]
    fn names_are_longer_only_where_they_must() {
        let wish = |parts: &[&str], tagged: Option<&str>, id: &str| Wish {
            tagged: tagged.map(str::to_owned),
            parts: parts.iter().map(|p| (*p).to_owned()).collect(),
            id: id.to_owned(),
        };
        let names = unique(
            BTreeMap::from([
                (1, wish(&["staging", "data-science"], None, "aa")),
                (2, wish(&["staging", "platform"], None, "bb")),
                (3, wish(&["staging"], None, "cc")),
                (4, wish(&["data-science"], None, "dd")),
                (5, wish(&["data-science-staging"], None, "ee")),
                (6, wish(&["security"], Some("sec"), "ff")),
                (7, wish(&["sec"], None, "gg")),
                (8, wish(&[""], None, "hh")),
                (9, wish(&["twice"], Some("same"), "ii")),
                (10, wish(&["once"], Some("same"), "jj")),
            ]),
            "ou",
        );
        let all: BTreeSet<&String> = names.values().collect();
        assert_eq!(all.len(), names.len(), "{names:?}");
        assert_eq!(names[&2], "platform-staging");
        assert_eq!(names[&4], "data-science");
        assert_eq!(names[&6], "sec");
        assert_eq!(names[&7], "sec-gg");
        assert_eq!(names[&8], "ou-hh");
        assert_eq!(names[&9], "twice");
        assert_eq!(names[&3], "staging");
    }
}
