//! What is decided: a way of three nodes (the root, an OU, the account) with ten SCPs of thirty statements besides
//! FullAWSAccess, and a thousand requests.

pub mod cedar;
pub mod requests;
pub mod scps;

use bylaw::names::PolicyType;
use bylaw::policy::Document;
use bylaw::policy::document::Content;
use bylaw::policy::eval::{Compiled, Ladder};
use serde_json::Value;

/// Reads and compiles an SCP.
pub fn compile(text: &str) -> Compiled {
    let read = Document::parse(&PolicyType::new("SERVICE_CONTROL_POLICY"), text);
    let (document, _) = read.unwrap_or_else(|flaws| panic!("{flaws:?}"));
    let Content::Statements(policy) = document.content() else { panic!("an SCP has statements") };
    Compiled::new(policy)
}

/// The ladder of the SCPs of each node.
pub fn ladder(nodes: &[Vec<Value>]) -> Ladder {
    let nodes: Vec<Vec<Compiled>> =
        nodes.iter().map(|scps| scps.iter().map(|scp| compile(&scp.to_string())).collect()).collect();
    Ladder::new(&nodes)
}
