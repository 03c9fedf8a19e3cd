//! The values of a condition key that its clauses can tell apart: one of each kind, plain ones first.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::jiff::Timestamp;

use super::glob::{Glob, Globs, Shape};
use crate::policy::condition::Test;
use crate::policy::eval::pattern::{Pattern, Reading};
use crate::policy::eval::values::{date, number};
use crate::policy::services::{self, Presence, ValueType};
use crate::policy::statement::{Clause, Version};

/// What AWS says of a key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) kind: Option<ValueType>,
    /// It never has more than one value.
    pub(super) single: bool,
    /// Every request carries it.
    pub(super) usual: bool,
    /// It is of every service.
    global: bool,
}

impl Known {
    pub(super) fn of(key: &str) -> Self {
        if let Some(known) = services::GLOBAL.iter().find(|known| services::key_matches(known.name, key)) {
            let usual = matches!(known.presence, Presence::Always | Presence::Signed);
            return Self { kind: Some(known.kind), single: !known.many, usual, global: true };
        }
        let service = key.split_once(':').and_then(|(prefix, _)| services::service(prefix));
        let known = service.and_then(|service| service.key(key));
        known.map_or_else(Self::default, |known| Self {
            kind: Some(known.kind),
            single: !known.many,
            ..Self::default()
        })
    }
}

/// How the values of a key are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Texts, booleans among them.
    Text,
    Number,
    Date,
    Network,
    Bytes,
    /// Only whether the key is there.
    Presence,
}

pub(super) fn family(test: Test) -> Family {
    match test {
        Test::NumericEquals
        | Test::NumericNotEquals
        | Test::NumericLessThan
        | Test::NumericLessThanEquals
        | Test::NumericGreaterThan
        | Test::NumericGreaterThanEquals => Family::Number,
        Test::DateEquals
        | Test::DateNotEquals
        | Test::DateLessThan
        | Test::DateLessThanEquals
        | Test::DateGreaterThan
        | Test::DateGreaterThanEquals => Family::Date,
        Test::IpAddress | Test::NotIpAddress => Family::Network,
        Test::BinaryEquals => Family::Bytes,
        Test::Null => Family::Presence,
        _ => Family::Text,
    }
}

/// How a value of a clause of texts is read as a pattern, and whether letters' case is passed over.
pub(super) fn reading(test: Test) -> (Reading, bool) {
    match test {
        Test::StringLike | Test::StringNotLike => (Reading::Wild, false),
        Test::ArnEquals | Test::ArnLike | Test::ArnNotEquals | Test::ArnNotLike => (Reading::Arn, false),
        // `true` and `false` are read in any case.
        Test::StringEqualsIgnoreCase | Test::StringNotEqualsIgnoreCase | Test::Bool => (Reading::Plain, true),
        _ => (Reading::Plain, false),
    }
}

/// The pattern of a value of a clause of texts.
pub(super) fn pattern(test: Test, value: &str, version: Version) -> Pattern {
    Pattern::new(value, reading(test).0, version)
}

/// Whether a value holds a variable.
pub(super) fn has_variable(test: Test, value: &str, version: Version) -> bool {
    family(test) == Family::Text && pattern(test, value, version).keys().next().is_some()
}

/// One of each kind of value, and whether these are all kinds that there are.
pub(super) fn distinguished(
    key: &str,
    known: Known,
    clauses: &[(&Clause, Version)],
    usual: &[String],
    most: usize,
) -> (Vec<String>, bool) {
    let mut families: Vec<Family> = clauses.iter().map(|(clause, _)| family(clause.operator.test)).collect();
    families.retain(|family| *family != Family::Presence);
    families.dedup();
    families.sort_by_key(|family| *family as u8);
    families.dedup();
    let of = |wanted: Family| {
        clauses.iter().filter(move |(clause, _)| family(clause.operator.test) == wanted).map(|(clause, _)| *clause)
    };
    let values = |wanted| of(wanted).flat_map(|clause| clause.values.iter().map(String::as_str));
    // Where one family alone looks at a key of its own type, there are no other values than those of the type.
    let typed = |kind| families.len() == 1 && known.kind == Some(kind);
    let (mut out, mut whole) = (vec![], families.len() <= 1);
    for family in &families {
        match family {
            Family::Text => {
                // AWS writes its booleans in one way, so that texts are compared with them as well.
                if typed(ValueType::Bool) {
                    out.extend(["true".to_owned(), "false".to_owned()]);
                    continue;
                }
                let (texts, all) = texts(key, known, clauses, usual, most);
                out.extend(texts);
                whole &= all;
            }
            Family::Number => {
                out.extend(numbers(values(Family::Number).filter_map(number).collect()));
                out.extend((!typed(ValueType::Numeric)).then(|| "none".to_owned()));
            }
            Family::Date => {
                out.extend(dates(values(Family::Date).filter_map(date).collect()));
                out.extend((!typed(ValueType::Date)).then(|| "none".to_owned()));
            }
            Family::Network => {
                out.extend(addresses(values(Family::Network)));
                out.extend((!typed(ValueType::IpAddress)).then(|| "none".to_owned()));
            }
            Family::Bytes => {
                out.extend(values(Family::Bytes).map(str::to_owned));
                let taken: Vec<&str> = values(Family::Bytes).collect();
                out.extend((0..).map(|n| format!("bm9uZQ{n}")).find(|text| !taken.contains(&text.as_str())));
            }
            Family::Presence => {}
        }
    }
    if out.is_empty() {
        out.extend(usual.first().cloned().or_else(|| Some("example".to_owned())));
    }
    (out, whole)
}

fn texts(
    key: &str,
    known: Known,
    clauses: &[(&Clause, Version)],
    usual: &[String],
    most: usize,
) -> (Vec<String>, bool) {
    let mut globs: Vec<Glob> = vec![];
    let mut examples: Vec<String> = usual.to_vec();
    for (clause, version) in clauses {
        let test = clause.operator.test;
        if family(test) != Family::Text {
            continue;
        }
        // What is no boolean is none of those wanted, whatever a variable stands for.
        let booleans: &[String] = if test == Test::Bool { &["true".to_owned(), "false".to_owned()] } else { &[] };
        for value in clause.values.iter().chain(booleans) {
            let own = pattern(test, value, *version);
            examples.push(super::examples::filled(&own, None));
            let glob = Glob::new(&own, reading(test).1);
            if !globs.contains(&glob) {
                globs.push(glob);
            }
        }
    }
    // What AWS fills with an ARN never holds anything else; keys of one service it says less surely of.
    let arn = known.global && known.kind == Some(ValueType::Arn) && !key.contains('/');
    let globs = Globs::new(&globs, if arn { Shape::Arn } else { Shape::Text });
    let (regions, whole) = globs.regions(examples.into_iter(), most);
    (regions.into_iter().map(|region| region.example).collect(), whole)
}

/// Each bound, something between any two, and something past either end.
fn numbers(mut bounds: Vec<f64>) -> Vec<String> {
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let (Some(least), Some(most)) = (bounds.first(), bounds.last()) else { return vec!["1".to_owned()] };
    let mut out = vec![least - 1.0 - least.abs() / 2.0, most + 1.0 + most.abs() / 2.0];
    for (low, high) in bounds.iter().zip(bounds.iter().skip(1)) {
        let whole = (low + 1.0).floor();
        let between = if whole > *low && whole < *high { whole } else { low + (high - low) / 2.0 };
        if between > *low && between < *high {
            out.push(between);
        }
    }
    out.extend(bounds);
    out.iter().filter(|bound| bound.is_finite()).map(f64::to_string).collect()
}

fn dates(mut bounds: Vec<i64>) -> Vec<String> {
    const DAY: i64 = 86_400_000;
    bounds.sort_unstable();
    bounds.dedup();
    let mut out = vec![];
    if let (Some(least), Some(most)) = (bounds.first(), bounds.last()) {
        out.extend([least.saturating_sub(DAY), most.saturating_add(DAY)]);
    } else {
        out.push(0);
    }
    for (low, high) in bounds.iter().zip(bounds.iter().skip(1)) {
        let day = low.saturating_add(DAY);
        let between = if day < *high { day } else { low.saturating_add(high.saturating_sub(*low) / 2) };
        if between > *low && between < *high {
            out.push(between);
        }
    }
    out.extend(bounds);
    out.into_iter().filter_map(|at| Timestamp::from_millisecond(at).ok()).map(|at| at.to_string()).collect()
}

/// An address of each stretch between the ends of networks.
fn addresses<'a>(networks: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut four, mut six) = (vec![0_u128], vec![0_u128]);
    for text in networks {
        let (address, bits) = text.split_once('/').unwrap_or((text, "128"));
        let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u32>()) else { continue };
        let (ends, own, width) = match address {
            IpAddr::V4(own) => (&mut four, u128::from(own.to_bits()), 32),
            IpAddr::V6(own) => (&mut six, own.to_bits(), 128),
        };
        let drop = width - bits.min(width);
        let size = 1_u128.checked_shl(drop);
        let first = size.map_or(0, |size| own & !(size - 1));
        ends.push(first);
        ends.extend(
            size.and_then(|size| first.checked_add(size)).filter(|end| width == 128 || *end <= u32::MAX.into()),
        );
    }
    let stretches = |mut ends: Vec<u128>, last: u128| {
        ends.sort_unstable();
        ends.dedup();
        let after: Vec<u128> = ends.iter().skip(1).copied().map(|end| end - 1).chain([last]).collect();
        // Not the first address of a network, which no machine has, where there is another.
        ends.into_iter()
            .zip(after)
            .map(|(first, last)| if first < last { first + 1 } else { first })
            .collect::<Vec<_>>()
    };
    let four = stretches(four, u32::MAX.into());
    let six = stretches(six, u128::MAX);
    let four = four.into_iter().filter_map(|bits| u32::try_from(bits).ok()).map(Ipv4Addr::from_bits);
    four.map(|address| address.to_string())
        .chain(six.into_iter().map(|bits| Ipv6Addr::from_bits(bits).to_string()))
        .collect()
}
