//! Cases: a request that iam-simulate takes for legal, and policies that have something to do with it.

use serde_json::{Map, Value, json};

use super::requests::{ACCOUNTS, Key, Kind, TARGETS, Target, every_key, values};

/// SplitMix64: small, seeded, the same everywhere.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Kinds of policies, which differ in what they may say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    /// SCPs, identity policies and boundaries.
    Themselves,
    /// Session policies, which do not take incomplete ARNs.
    Session,
    /// RCPs: only denies, for everyone.
    Everyone,
    /// Resource policies.
    Principals,
}

/// What a case is about.
struct Scene<'a> {
    target: &'a Target,
    resource: String,
    principal: Value,
    facts: Map<String, Value>,
}

/// One case, as iam-simulate is asked for it.
pub fn case(random: &mut Random) -> Value {
    let target = &TARGETS[random.below(TARGETS.len())];
    let own = ACCOUNTS[0];
    let account = if target.granted && random.percent(35) { ACCOUNTS[1] } else { own };
    let principal = principal(random, target);
    let resource = target.resource.replace("{account}", account);
    let facts = facts(random, target, &principal);
    let scene = Scene { target, resource, principal, facts };
    let text = scene.principal.as_str().unwrap_or_default();
    let (service, anonymous, root) = (text.ends_with(".amazonaws.com"), text.is_empty(), text.ends_with(":root"));
    let is_session = text.contains(":sts:") || text.contains(":role/");

    let mut simulation = json!({
        "request": {
            "principal": scene.principal,
            "action": scene.target.action,
            "resource": {"resource": scene.resource, "accountId": account},
            "contextVariables": scene.facts,
        },
        "identityPolicies": [],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    });
    let full = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let document = |statements: Vec<Value>| json!({"Version": "2012-10-17", "Statement": statements});
    let named = |at: usize, policy: Value| json!({"name": format!("p{at}"), "policy": policy});
    if !service && !anonymous {
        if random.percent(70) {
            simulation["serviceControlPolicies"] = (0..[1, 1, 2, 3, 4][random.below(5)])
                .map(|node| {
                    let policies = (0..=random.below(2)).map(|at| {
                        let mut statements = statements(random, &scene, Speaks::Themselves);
                        if at == 0 && random.percent(75) {
                            statements.insert(0, full.clone());
                        }
                        named(node * 10 + at, document(statements))
                    });
                    json!({"orgIdentifier": format!("n{node}"), "policies": policies.collect::<Vec<_>>()})
                })
                .collect();
        }
        // The root user has every right in its account; iam-simulate has to be told.
        let identity = match random.below(10) {
            _ if root => vec![named(0, document(vec![full.clone()]))],
            0 => vec![],
            1..=4 => vec![named(0, document(vec![full.clone()]))],
            _ => (0..=random.below(2))
                .map(|at| {
                    let mut policy = document(statements(random, &scene, Speaks::Themselves));
                    if random.percent(4) {
                        policy["Version"] = json!("2008-10-17");
                    }
                    named(at, policy)
                })
                .collect(),
        };
        simulation["identityPolicies"] = identity.into();
        if !root && random.percent(20) {
            let policy = document(statements(random, &scene, Speaks::Themselves));
            simulation["permissionBoundaryPolicies"] = json!([named(0, policy)]);
        }
        if is_session && random.percent(20) {
            simulation["sessionPolicy"] = document(statements(random, &scene, Speaks::Session));
        }
    }
    if target.granted && random.percent(25) {
        simulation["resourceControlPolicies"] = (0..=random.below(3))
            .map(|node| {
                let policy = named(node, document(statements(random, &scene, Speaks::Everyone)));
                json!({"orgIdentifier": format!("n{node}"), "policies": [policy]})
            })
            .collect();
    }
    let trust = scene.target.has_to_grant;
    if target.granted && (trust || service || anonymous || account != own || random.percent(35)) {
        simulation["resourcePolicy"] = document(statements(random, &scene, Speaks::Principals));
    }
    simulation
}

fn principal(random: &mut Random, target: &Target) -> Value {
    let account = ACCOUNTS[0];
    let texts = [
        format!("arn:aws:iam::{account}:user/ana"),
        format!("arn:aws:iam::{account}:user/team/bob"),
        format!("arn:aws:iam::{account}:role/app"),
        format!("arn:aws:sts::{account}:assumed-role/app/s1"),
        format!("arn:aws:sts::{account}:assumed-role/admin/s1"),
        format!("arn:aws:sts::{account}:federated-user/ana"),
        format!("arn:aws:iam::{account}:root"),
    ];
    match random.below(20) {
        0 if target.granted => json!("cloudtrail.amazonaws.com"),
        1 if target.granted => json!({"type": "Anonymous"}),
        _ => json!(texts[random.below(texts.len())]),
    }
}

fn facts(random: &mut Random, target: &Target, principal: &Value) -> Map<String, Value> {
    let mut facts = Map::new();
    for key in every_key(target) {
        if !random.percent(if key.global { 35 } else { 65 }) {
            continue;
        }
        let values = values(key);
        let value = match key.kind {
            Kind::Many => {
                let many: Vec<&str> = (0..=random.below(3)).map(|_| random.pick(values)).collect();
                json!(many)
            }
            _ => match principal.as_str() {
                Some(arn) if key.name == "aws:PrincipalArn" && arn.starts_with("arn:") && random.percent(60) => {
                    json!(arn)
                }
                _ => json!(random.pick(values)),
            },
        };
        facts.insert(any_case(random, key.name), value);
    }
    facts
}

/// Keys are told in another case now and then; a tag's own name is part of the key.
fn any_case(random: &mut Random, name: &str) -> String {
    match random.below(12) {
        0 => name.to_ascii_lowercase(),
        1 => name.to_ascii_uppercase(),
        _ => name.to_owned(),
    }
}

fn one_or_list(random: &mut Random, mut values: Vec<String>) -> Value {
    values.dedup();
    if values.len() == 1 && random.percent(60) { json!(values[0]) } else { json!(values) }
}

fn statements(random: &mut Random, scene: &Scene<'_>, speaks: Speaks) -> Vec<Value> {
    (0..=random.below(2)).map(|_| statement(random, scene, speaks)).collect()
}

fn statement(random: &mut Random, scene: &Scene<'_>, speaks: Speaks) -> Value {
    let deny = speaks == Speaks::Everyone || random.percent(25);
    let mut statement = json!({"Effect": if deny { "Deny" } else { "Allow" }});
    if random.percent(20) {
        statement["Sid"] = json!(format!("S{}", random.below(1_000_000)));
    }
    let all_but = speaks != Speaks::Everyone && random.percent(12);
    let hits = random.percent(if all_but { 25 } else { 80 });
    let actions = (0..=random.below(2)).map(|_| action(random, scene, speaks, hits)).collect();
    statement[if all_but { "NotAction" } else { "Action" }] = one_or_list(random, actions);

    let all_but = random.percent(12);
    let hits = random.percent(if all_but { 25 } else { 80 });
    let resources = if !all_but && random.percent(45) {
        vec!["*".to_owned()]
    } else {
        (0..=random.below(2)).map(|_| resource(random, scene, speaks, hits)).collect()
    };
    statement[if all_but { "NotResource" } else { "Resource" }] = one_or_list(random, resources);

    match speaks {
        Speaks::Themselves | Speaks::Session => {}
        Speaks::Everyone => statement["Principal"] = json!("*"),
        Speaks::Principals => {
            let all_but = deny && random.percent(30);
            let named = named_principals(random, scene, all_but);
            statement[if all_but { "NotPrincipal" } else { "Principal" }] = named;
        }
    }
    let mut condition = Map::new();
    // A deny of everything, whatever the rest is, proves nothing of the rest.
    for _ in 0..[usize::from(deny), 0, 0, 1, 1, 1, 2, 3][random.below(8)].max(usize::from(deny && random.percent(90))) {
        let (operator, key, values) = clause(random, scene, deny);
        let block = condition.entry(operator).or_insert_with(|| json!({}));
        // A key once a block, whatever its case.
        if !block.as_object().unwrap().keys().any(|known| known.eq_ignore_ascii_case(&key)) {
            block[key] = values;
        }
    }
    if !condition.is_empty() {
        statement["Condition"] = condition.into();
    }
    statement
}

fn action(random: &mut Random, scene: &Scene<'_>, speaks: Speaks, hits: bool) -> String {
    let whole = if hits { scene.target.action } else { TARGETS[random.below(TARGETS.len())].action };
    let (service, name) = whole.split_once(':').unwrap();
    let half = name.len() / 2;
    match random.below(11) {
        0 => whole.to_ascii_lowercase(),
        1 => whole.to_ascii_uppercase(),
        2 | 3 => format!("{service}:*"),
        4 => format!("{service}:{}*", &name[..half]),
        5 => format!("{service}:*{}", &name[half..]),
        6 => format!("{service}:{}?{}", &name[..half], &name[half + 1..]),
        7 => format!("{service}:{}*{}", &name[..2], &name[half..]),
        8 if speaks != Speaks::Everyone => "*".to_owned(),
        9 => format!("{service}:{name}?"),
        _ => whole.to_owned(),
    }
}

fn resource(random: &mut Random, scene: &Scene<'_>, speaks: Speaks, hits: bool) -> String {
    let own = if scene.resource == "*" { "arn:aws:s3:::reports/ana/2026.csv" } else { &scene.resource };
    let other = TARGETS[random.below(TARGETS.len())].resource.replace("{account}", ACCOUNTS[random.below(2)]);
    let whole = if hits || other == "*" { own.to_owned() } else { other };
    let parts: Vec<&str> = whole.splitn(6, ':').collect();
    let with = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part;
        parts.join(":")
    };
    let last = parts[5];
    let half = last.len() / 2;
    let short = speaks == Speaks::Themselves;
    match random.below(16) {
        0 => with(5, "*"),
        1 => with(3, "*"),
        2 => with(4, "*"),
        3 => with(1, "*"),
        4 | 5 => with(5, &format!("{}*", &last[..half])),
        6 => with(5, &format!("{}?{}", &last[..half], &last[half + 1..])),
        7 => with(5, &format!("*{}", &last[half..])),
        8 => with(4, "${aws:PrincipalAccount}"),
        9 => with(5, &last.replace("ana", "${aws:username}").replace("app", "${aws:PrincipalTag/team}")),
        10 => {
            with(5, &last.replace("ana", "${aws:username, 'ana'}").replace("prod", "${aws:PrincipalTag/team, 'prod'}"))
        }
        11 => with(5, &last.to_ascii_uppercase()),
        12 if short => parts[..3 + random.below(3)].join(":"),
        13 if short => format!("{}:*", parts[..2 + random.below(3)].join(":")),
        14 => with(3, "eu-*"),
        _ => whole,
    }
}

fn named_principals(random: &mut Random, scene: &Scene<'_>, all_but: bool) -> Value {
    let [own, other] = ACCOUNTS;
    let text = scene.principal.as_str().unwrap_or_default();
    let mut named: Vec<String> = vec![];
    for _ in 0..=random.below(2) {
        named.push(match random.below(if all_but { 8 } else { 10 }) {
            0 => own.to_owned(),
            1 => format!("arn:aws:iam::{own}:root"),
            2 => other.to_owned(),
            3 => format!("arn:aws:iam::{own}:role/app"),
            4 => format!("arn:aws:iam::{own}:user/ana"),
            5 => format!("arn:aws:sts::{own}:assumed-role/app/s1"),
            6 | 7 if text.starts_with("arn:") => text.to_owned(),
            8 => return if random.percent(50) { json!("*") } else { json!({"AWS": "*"}) },
            _ => {
                let service = random.pick(&["cloudtrail.amazonaws.com", "s3.amazonaws.com"]);
                return json!({"Service": service});
            }
        });
    }
    let mut principals = json!({"AWS": one_or_list(random, named)});
    if random.percent(15) {
        principals["Service"] = json!("cloudtrail.amazonaws.com");
    }
    principals
}

const OPERATORS: [&str; 26] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
];

/// Operators that go with values of a kind.
fn fitting(kind: Kind) -> std::ops::Range<usize> {
    match kind {
        Kind::Text | Kind::Many => 0..6,
        Kind::Number => 6..12,
        Kind::Date => 12..18,
        Kind::Bool => 18..19,
        Kind::Bytes => 19..20,
        Kind::Network => 20..22,
        Kind::Arn => 22..26,
    }
}

fn clause(random: &mut Random, scene: &Scene<'_>, deny: bool) -> (String, String, Value) {
    let keys: Vec<&Key> = every_key(scene.target).collect();
    let known = |key: &Key| scene.facts.iter().find(|(name, _)| name.eq_ignore_ascii_case(key.name)).map(|(_, v)| v);
    // Keys that the request carries, more often than not.
    let mut key = keys[random.below(keys.len())];
    for _ in 0..2 {
        if known(key).is_none() {
            key = keys[random.below(keys.len())];
        }
    }
    let name = any_case(random, key.name);
    if random.percent(8) {
        let wanted = if random.percent(5) { vec!["true", "false"] } else { vec![random.pick(&["true", "false"])] };
        return ("Null".to_owned(), name, json!(wanted));
    }
    // An operator of another type goes with texts that nobody takes for a number or a date.
    let texts = matches!(key.kind, Kind::Text | Kind::Many)
        && !values(key).iter().any(|value| value.contains(|letter: char| letter.is_ascii_digit()));
    let range = match random.below(20) {
        0 if texts => 6..OPERATORS.len(),
        1 => 0..6,
        _ => fitting(key.kind),
    };
    let operator = OPERATORS[range.start + random.below(range.len())];
    // A set operator where the key has many values; now and then where it has not, and the other way round.
    let set = match (key.kind == Kind::Many, random.below(20)) {
        (true, 0) | (false, 1..) => "",
        (_, n) if n % 2 == 0 => "ForAllValues:",
        _ => "ForAnyValue:",
    };
    let suffix = if random.percent(15) { "IfExists" } else { "" };
    let mut wanted: Vec<String> = vec![];
    for _ in 0..=random.below(3) {
        let told = known(key).filter(|_| random.percent(if deny { 40 } else { 65 }));
        let told = told.and_then(|value| match value {
            Value::Array(values) => values[random.below(values.len())].as_str(),
            value => value.as_str(),
        });
        let plain = told.unwrap_or_else(|| random.pick(values(key))).to_owned();
        wanted.push(value(random, key.kind, operator, plain));
    }
    (format!("{set}{operator}{suffix}"), name, one_or_list(random, wanted))
}

/// The value, or a pattern or a spelling that may take it.
fn value(random: &mut Random, kind: Kind, operator: &str, plain: String) -> String {
    let like = operator.contains("Like") || operator.starts_with("Arn");
    match kind {
        Kind::Number => match random.below(6) {
            0 if !plain.contains('.') => format!("{plain}.0"),
            1 => format!("{}", plain.parse::<f64>().unwrap() + 1.0),
            _ => plain,
        },
        Kind::Bool if random.percent(20) => plain.to_uppercase(),
        Kind::Network => match random.below(6) {
            0 if plain.contains(':') => "2001:db8::/32".to_owned(),
            1 if plain.contains(':') => "::/0".to_owned(),
            0 => "10.0.0.0/8".to_owned(),
            1 => "0.0.0.0/0".to_owned(),
            2 => "10.1.0.0/16".to_owned(),
            3 if !plain.contains('/') => format!("{plain}/{}", if plain.contains(':') { 128 } else { 32 }),
            _ => plain,
        },
        Kind::Text | Kind::Many | Kind::Arn => match random.below(14) {
            0 if like => format!("{}*", &plain[..plain.len() / 2]),
            1 if operator.starts_with("String") && like => "*".to_owned(),
            2 if like => format!("{}?", &plain[..plain.len() - 1]),
            3 if like && kind == Kind::Arn => {
                let mut parts: Vec<&str> = plain.splitn(6, ':').collect();
                parts[1 + random.below(5)] = "*";
                parts.join(":")
            }
            4 if kind != Kind::Arn => "${aws:username}".to_owned(),
            5 if kind != Kind::Arn => "${aws:PrincipalTag/team, 'red'}".to_owned(),
            6 if kind != Kind::Arn => "${AWS:principaltag/team}".to_owned(),
            7 if kind != Kind::Arn => format!("{plain}${{*}}"),
            8 => plain.to_uppercase(),
            9 if kind == Kind::Arn => plain.replace(ACCOUNTS[0], "${aws:PrincipalAccount}"),
            _ => plain,
        },
        _ => plain,
    }
}
