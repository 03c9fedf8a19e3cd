//! What a document of statements is written as, and what it means: two texts of one tree.
//!
//! *Text*: no white space, elements in AWS's order, single values without list, nothing twice, spelling and order of
//! statements and values as the user has them (so that a diff stays small), condition operators spelled as AWS does.
//! *Meaning*: besides, everything folded that AWS does not look at: Sid, order, case of actions and condition keys, the two
//! ways to write an account. Equal meaning texts mean the same; merging beyond repetitions is not tried.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Operator;
use super::json::write_string;
use super::principal::account_of;
use super::statement::{Clause, Policy, PrincipalKind, Principals, Scope, Statement, Version};

/// The statement with everything folded that has no meaning. Idempotent.
#[must_use]
pub fn fold(statement: &Statement) -> Statement {
    Statement {
        sid: None,
        effect: statement.effect,
        principal: statement.principal.as_ref().map(|scope| scope.map(fold_principals)),
        action: statement.action.map(|values| sorted(values.iter().map(|value| value.to_ascii_lowercase()))),
        resource: statement.resource.map(|values| sorted(values.iter().cloned())),
        condition: fold_condition(&statement.condition),
    }
}

fn sorted(values: impl Iterator<Item = String>) -> Vec<String> {
    values.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Condition keys do not count case (IAM user guide, "Condition"); values do.
fn fold_condition(clauses: &[Clause]) -> Vec<Clause> {
    let folded = clauses.iter().map(|clause| Clause {
        operator: clause.operator,
        key: clause.key.to_ascii_lowercase(),
        values: sorted(clause.values.iter().cloned()),
    });
    folded.collect::<BTreeSet<_>>().into_iter().collect()
}

/// `{"AWS": "*"}` is `*` in resource policies (IAM user guide, "Principal"), and an account's id is its root's ARN.
fn fold_principals(principals: &Principals) -> Principals {
    let Principals::Listed(kinds) = principals else { return Principals::Everyone };
    let mut by_kind: BTreeMap<PrincipalKind, BTreeSet<String>> = BTreeMap::new();
    for (kind, names) in kinds {
        let fold = |name: &String| match kind {
            PrincipalKind::Aws => account_of(name).unwrap_or(name).to_owned(),
            _ => name.clone(),
        };
        by_kind.entry(*kind).or_default().extend(names.iter().map(fold));
    }
    let everyone = by_kind.len() == 1
        && by_kind.get(&PrincipalKind::Aws).is_some_and(|names| names.len() == 1 && names.contains("*"));
    if everyone {
        return Principals::Everyone;
    }
    Principals::Listed(by_kind.into_iter().map(|(kind, names)| (kind, names.into_iter().collect())).collect())
}

/// Drops what stands twice: values that differ in the case of actions alone, and whole statements. Of two statements that
/// mean the same the first stays, and it takes the other's Sid where it has none. Says which were dropped, by index.
pub fn drop_repetitions(policy: &mut Policy) -> Vec<usize> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Statement> = Vec::with_capacity(policy.statements.len());
    let mut dropped = vec![];
    for (index, mut statement) in std::mem::take(&mut policy.statements).into_iter().enumerate() {
        statement.action = statement.action.map(|values| {
            let mut seen = BTreeSet::new();
            values.iter().filter(|value| seen.insert(value.to_ascii_lowercase())).cloned().collect()
        });
        let meaning = statement_text(&fold(&statement));
        if let Some(first) = places.get(&meaning).and_then(|place| kept.get_mut(*place)) {
            first.sid = first.sid.take().or(statement.sid);
            dropped.push(index);
        } else {
            places.insert(meaning, kept.len());
            kept.push(statement);
        }
    }
    policy.statements = kept;
    dropped
}

/// The text that is sent.
#[must_use]
pub fn text(policy: &Policy) -> String {
    let mut out = String::from("{\"Version\":");
    write_string(&mut out, policy.version.as_str());
    if let Some(id) = &policy.id {
        out.push_str(",\"Id\":");
        write_string(&mut out, id);
    }
    out.push_str(",\"Statement\":[");
    for (index, statement) in policy.statements.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_statement(&mut out, None, statement);
    }
    out.push_str("]}");
    out
}

/// The meaning, as a text.
#[must_use]
pub fn meaning(policy: &Policy) -> String {
    let statements: BTreeSet<String> =
        policy.statements.iter().map(|statement| statement_text(&fold(statement))).collect();
    let mut out = policy.version.as_str().to_owned();
    for statement in statements {
        out.push('\n');
        out.push_str(&statement);
    }
    out
}

/// One statement as it is sent.
#[must_use]
pub fn statement_text(statement: &Statement) -> String {
    let mut out = String::new();
    write_statement(&mut out, None, statement);
    out
}

/// One statement that stands alone: with its version where that is not today's, since `${…}` hangs on it.
#[must_use]
pub fn lone_statement_text(statement: &Statement, version: Version) -> String {
    let mut out = String::new();
    write_statement(&mut out, (version != Version::V2012).then_some(version), statement);
    out
}

fn write_statement(out: &mut String, version: Option<Version>, statement: &Statement) {
    out.push('{');
    if let Some(version) = version {
        write_key(out, "Version");
        write_string(out, version.as_str());
    }
    if let Some(sid) = &statement.sid {
        write_key(out, "Sid");
        write_string(out, sid);
    }
    write_key(out, "Effect");
    write_string(out, statement.effect.as_str());
    if let Some(principal) = &statement.principal {
        write_key(out, principal.element("Principal"));
        write_principals(out, principal.named());
    }
    write_scope(out, "Action", &statement.action);
    write_scope(out, "Resource", &statement.resource);
    if !statement.condition.is_empty() {
        write_key(out, "Condition");
        write_condition(out, &statement.condition);
    }
    out.push('}');
}

fn write_scope(out: &mut String, element: &'static str, scope: &Scope<Vec<String>>) {
    write_key(out, scope.element(element));
    write_values(out, scope.named());
}

/// A key, with the comma that parts it from what is there.
fn write_key(out: &mut String, key: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_string(out, key);
    out.push(':');
}

fn write_values(out: &mut String, values: &[String]) {
    if let [single] = values {
        write_string(out, single);
        return;
    }
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, value);
    }
    out.push(']');
}

/// Appends principals as they are sent.
pub(super) fn write_principals(out: &mut String, principals: &Principals) {
    let Principals::Listed(kinds) = principals else {
        out.push_str("\"*\"");
        return;
    };
    let mut kinds: Vec<_> = kinds.iter().collect();
    kinds.sort_by_key(|(kind, _)| *kind);
    out.push('{');
    for (kind, names) in kinds {
        write_key(out, kind.as_str());
        write_values(out, names);
    }
    out.push('}');
}

/// Appends a condition as it is sent: operators and keys sorted, so that a YAML object and a text give the same.
pub(super) fn write_condition(out: &mut String, clauses: &[Clause]) {
    let mut blocks: BTreeMap<Operator, Vec<&Clause>> = BTreeMap::new();
    for clause in clauses {
        blocks.entry(clause.operator).or_default().push(clause);
    }
    out.push('{');
    for (operator, mut clauses) in blocks {
        clauses.sort_by_key(|clause| clause.key.to_ascii_lowercase());
        write_key(out, &operator.to_string());
        out.push('{');
        for clause in clauses {
            write_key(out, &clause.key);
            write_values(out, &clause.values);
        }
        out.push('}');
    }
    out.push('}');
}
