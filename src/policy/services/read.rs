//! One service's block of `services.txt`; `trim.py` tells the form.

use super::{Key, Leg, Level, ResourceType, Row, Service, ValueType};

/// The service of a block. What a line does not tell is left out: a test reads every block of the file and counts.
pub(super) fn block(text: &'static str) -> Service {
    let mut lines = text.lines();
    let mut head = lines.next().unwrap_or_default().trim_start_matches('@').splitn(3, ' ');
    let prefix = head.next().unwrap_or_default();
    let rcp = head.next() == Some("r");
    let name = head.next().unwrap_or_default();
    let mut out =
        Service { prefix, name, rcp, keys: vec![], sets: vec![], dependents: vec![], kinds: vec![], rows: vec![] };
    for line in lines {
        let Some((letter, rest)) = line.split_at_checked(1) else { continue };
        match letter {
            "k" => out.keys.extend(key(rest)),
            "s" => out.sets.push(rest.split(' ').filter_map(|index| index.parse().ok()).collect()),
            "d" => out.dependents.push(rest),
            "r" => out.kinds.extend(resource_type(rest)),
            "a" => out.rows.extend(action(rest)),
            _ => {}
        }
    }
    let sets = out.kinds.iter().map(|kind| kind.set).chain(out.rows.iter().map(|row| row.set));
    let legs = out.rows.iter().flat_map(|row| &row.legs).map(|leg| leg.set);
    for index in sets.chain(legs).filter_map(|set| out.sets.get(set)).flatten() {
        if let Some(key) = out.keys.get_mut(*index) {
            key.attached = true;
        }
    }
    out
}

/// Keys with many values that the reference tells as one: the IAM user guide has them tested with set operators ("Available
/// keys for AWS web identity federation").
const MANY: &[&str] = &["cognito-identity.amazonaws.com:amr"];

fn key(text: &'static str) -> Option<Key> {
    let (kind, name) = text.split_once(' ')?;
    let (many, kind) = kind.strip_prefix('*').map_or((false, kind), |kind| (true, kind));
    let kind = match kind {
        "S" => ValueType::String,
        "A" => ValueType::Arn,
        "B" => ValueType::Bool,
        "N" => ValueType::Numeric,
        "D" => ValueType::Date,
        "I" => ValueType::IpAddress,
        "Y" => ValueType::Binary,
        _ => return None,
    };
    Some(Key { name, kind, many: many || MANY.contains(&name), attached: false })
}

fn resource_type(text: &'static str) -> Option<ResourceType> {
    let (set, rest) = text.split_once(' ')?;
    // Names may hold spaces.
    let (name, arns) = rest.split_at_checked(rest.find(" arn:")?)?;
    Some(ResourceType { name, arns: arns.trim_start().split(", ").collect(), set: set.parse().ok()? })
}

fn action(text: &'static str) -> Option<Row> {
    let mut parts = text.split(' ');
    let (level, set) = parts.next()?.split_at_checked(1)?;
    let level = match level {
        "L" => Level::List,
        "R" => Level::Read,
        "W" => Level::Write,
        "P" => Level::Permissions,
        "T" => Level::Tagging,
        _ => return None,
    };
    let name = parts.next()?;
    let (mut legs, mut dependents) = (vec![], vec![]);
    for part in parts {
        match part.strip_prefix('+') {
            Some(index) => dependents.push(index.parse().ok()?),
            None => legs.push(leg(part)?),
        }
    }
    Some(Row { name, level, set: set.parse().ok()?, legs, dependents })
}

fn leg(text: &str) -> Option<Leg> {
    let (kind, set) = text.split_once(':').unwrap_or((text, "0"));
    let (kind, required) = kind.strip_suffix('!').map_or((kind, false), |kind| (kind, true));
    Some(Leg { kind: kind.parse().ok()?, required, set: set.parse().ok()? })
}
