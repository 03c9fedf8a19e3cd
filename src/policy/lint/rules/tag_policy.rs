//! What the rules on tag policies share: the tags of a document.

use crate::policy::flaw::{join_index, join_key};
use crate::policy::json::{Member, Node, Value};
use crate::policy::lint::subject::{Spot, Subject, member};

/// One tag of a tag policy: its key in the policy, and its fields.
pub(super) struct Tag<'a> {
    pub(super) member: &'a Member,
    path: String,
}

/// The tags of a tag policy; none of any other.
pub(super) fn tags<'a>(subject: &Subject<'a>) -> Vec<Tag<'a>> {
    if subject.kind().as_str() != "TAG_POLICY" {
        return vec![];
    }
    let Some(Value::Object(tags)) = member(subject.node, "tags").map(|tags| &tags.node.value) else { return vec![] };
    tags.iter()
        .filter(|member| !member.key.starts_with("@@"))
        .map(|member| Tag { member, path: join_key("tags", &member.key) })
        .collect()
}

impl<'a> Tag<'a> {
    /// The strings under the operators of a field.
    pub(super) fn values(&self, field: &str) -> Vec<(&'a str, Spot)> {
        let Some(found) = member(&self.member.node, field) else { return vec![] };
        let path = join_key(&self.path, field);
        let mut out = vec![];
        for operator in ["@@assign", "@@append"] {
            if let Some(found) = member(&found.node, operator) {
                strings(&found.node, &join_key(&path, operator), &mut out);
            }
        }
        out
    }
}

fn strings<'a>(node: &'a Node, path: &str, out: &mut Vec<(&'a str, Spot)>) {
    match &node.value {
        Value::String(text) => out.push((text, Spot { place: node.place, path: path.to_owned(), key: false })),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                strings(item, &join_index(path, at), out);
            }
        }
        _ => {}
    }
}
