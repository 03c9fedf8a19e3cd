//! A statement as a list of named value sets, which is what a person compares.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ElementChange;
use crate::policy::statement::{Principals, Statement};

/// One element of a statement: `Effect`, `Action`, `NotResource`, `Principal AWS`, `Condition StringEquals aws:PrincipalArn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Element {
    /// Its name.
    pub element: String,
    /// Its values.
    pub values: Vec<String>,
}

impl Element {
    fn new(element: impl Into<String>, values: Vec<String>) -> Self {
        Self { element: element.into(), values }
    }
}

/// The elements of a statement in AWS's order, Sid left out.
#[must_use]
pub fn elements(statement: &Statement) -> Vec<Element> {
    let mut out = vec![Element::new("Effect", vec![statement.effect.as_str().to_owned()])];
    if let Some(scope) = &statement.principal {
        let name = scope.element("Principal");
        match scope.named() {
            Principals::Everyone => out.push(Element::new(name, vec!["*".to_owned()])),
            Principals::Listed(kinds) => out.extend(
                kinds.iter().map(|(kind, names)| Element::new(format!("{name} {}", kind.as_str()), names.clone())),
            ),
        }
    }
    out.push(Element::new(statement.action.element("Action"), statement.action.named().clone()));
    out.push(Element::new(statement.resource.element("Resource"), statement.resource.named().clone()));
    out.extend(
        statement
            .condition
            .iter()
            .map(|clause| Element::new(format!("Condition {} {}", clause.operator, clause.key), clause.values.clone())),
    );
    out
}

/// What differs between two statements, Sid and spelling aside.
pub(super) fn compare(before: &Statement, after: &Statement) -> Vec<ElementChange> {
    use crate::policy::canonical::fold;
    let (folded_before, folded_after) = (fold(before), fold(after));
    if folded_before == folded_after {
        return vec![];
    }
    let spelled = Spelling::of([before, after]);
    let mut out = changes(&elements(&folded_before), &elements(&folded_after));
    for change in &mut out {
        spelled.restore(change);
    }
    out
}

/// What differs between two lists of elements, compared as written. Elements of `before` come first, in its order.
pub(super) fn changes(before: &[Element], after: &[Element]) -> Vec<ElementChange> {
    let index = |list: &[Element]| -> BTreeMap<String, BTreeSet<String>> {
        list.iter().map(|element| (element.element.clone(), element.values.iter().cloned().collect())).collect()
    };
    let (old, new) = (index(before), index(after));
    let none = BTreeSet::new();
    let names = before.iter().chain(after.iter().filter(|element| !old.contains_key(&element.element)));
    names
        .filter_map(|element| {
            let old = old.get(&element.element).unwrap_or(&none);
            let new = new.get(&element.element).unwrap_or(&none);
            (old != new).then(|| ElementChange {
                element: element.element.clone(),
                added: new.difference(old).cloned().collect(),
                removed: old.difference(new).cloned().collect(),
                kept: old.intersection(new).count(),
            })
        })
        .collect()
}

/// How the user spelled what folding made lower case: `s3:PutObject`, `aws:PrincipalArn`. The later statement wins.
struct Spelling(BTreeMap<String, String>);

impl Spelling {
    fn of<'a>(statements: impl IntoIterator<Item = &'a Statement>) -> Self {
        let mut out = BTreeMap::new();
        for statement in statements {
            for action in statement.action.named() {
                out.insert(action.to_ascii_lowercase(), action.clone());
            }
            for clause in &statement.condition {
                let name = format!("Condition {} ", clause.operator);
                out.insert(format!("{name}{}", clause.key.to_ascii_lowercase()), format!("{name}{}", clause.key));
            }
        }
        Self(out)
    }

    fn restore(&self, change: &mut ElementChange) {
        if let Some(name) = self.0.get(&change.element) {
            change.element.clone_from(name);
        }
        if matches!(change.element.as_str(), "Action" | "NotAction") {
            for value in change.added.iter_mut().chain(&mut change.removed) {
                if let Some(spelled) = self.0.get(value.as_str()) {
                    value.clone_from(spelled);
                }
            }
        }
    }
}
