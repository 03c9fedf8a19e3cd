//! `bylaw tree`: OUs, accounts and attached policies as a tree. What is not known is shown as unknown, with the reason.

mod forest;
mod json;

use std::collections::BTreeMap;
use std::io::{self, Write};

use forest::{Attached, Folded, Forest};
pub use json::TreeOutput;

use crate::names::words::{count, grouped, plain};
use crate::names::{NodeId, PolicyType};
use crate::observed::Observed;

/// How the tree is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// AWS's own policies too, and every node of a large organization.
    pub all: bool,
    /// JSON instead of text.
    pub json: bool,
    /// Whether text is coloured.
    pub colour: bool,
}

/// Prints the tree. Reads nothing but `observed`, so it is the same for a snapshot.
///
/// # Errors
/// Those of `out`.
pub fn run(observed: &Observed, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let forest = Forest::of(observed, options.all);
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    if options.json {
        json::write(&forest, &mut out)?;
    } else {
        let plain = if options.all { BTreeMap::new() } else { forest.plain() };
        Text { forest: &forest, plain, colour: options.colour, out: &mut out }.all()?;
    }
    out.flush()
}

struct Text<'a, 'o> {
    forest: &'a Forest<'a>,
    /// Nodes that are counted instead of shown, with what is at and below each.
    plain: BTreeMap<NodeId, Folded>,
    colour: bool,
    out: &'o mut dyn Write,
}

/// SGR parameters.
const BOLD: &str = "1";
const DIM: &str = "2";
const YELLOW: &str = "33";
const RED: &str = "31";

impl Text<'_, '_> {
    fn all(&mut self) -> io::Result<()> {
        let observed = self.forest.observed;
        let root = observed.root_node();
        self.node(&root, "")?;
        self.below(&root, "", 0)?;
        if !self.forest.strays.is_empty() {
            writeln!(self.out)?;
            let line = self.paint(YELLOW, "not placed: what lies above these is not known");
            writeln!(self.out, "{line}")?;
            for (index, stray) in self.forest.strays.iter().enumerate() {
                let last = index + 1 == self.forest.strays.len();
                self.branch(stray, "", last, 0)?;
            }
        }
        for unknown in &self.forest.unknown {
            let line = self.paint(YELLOW, &format!("? {}", plain(unknown)));
            writeln!(self.out, "{line}")?;
        }
        writeln!(self.out)?;
        self.counts()
    }

    fn branch(&mut self, node: &NodeId, prefix: &str, last: bool, depth: usize) -> io::Result<()> {
        write!(self.out, "{prefix}{}", if last { "└── " } else { "├── " })?;
        let inner = format!("{prefix}{}", if last { "    " } else { "│   " });
        self.node(node, &inner)?;
        self.below(node, &inner, depth + 1)
    }

    /// The node's own lines: its name, and one line a policy type. The first line stands where the cursor is.
    fn node(&mut self, id: &NodeId, prefix: &str) -> io::Result<()> {
        let node = self.forest.node(id);
        let mut line = match id {
            NodeId::Account(_) => plain(node.name),
            _ => self.paint(BOLD, &plain(node.name)),
        };
        line.push_str("  ");
        line.push_str(&self.paint(DIM, id.as_str()));
        if node.managed == Some(true) {
            line.push_str(" *");
        }
        if node.management {
            line.push_str("  management account");
        }
        if let Some(state) = node.state {
            line.push_str("  ");
            line.push_str(&self.paint(RED, state));
        }
        if let Some(hold) = node.hold {
            line.push_str(&self.paint(YELLOW, &format!("  held until {}", plain(hold))));
        }
        writeln!(self.out, "{line}")?;
        let children = !self.forest.children(id).is_empty() || !node.unknown.is_empty();
        let stem = if children { "│ " } else { "  " };
        for (kind, policies) in &node.policies {
            let names: Vec<String> = policies.iter().map(|policy| self.policy(policy)).collect();
            writeln!(self.out, "{prefix}{stem}{} {}", self.paint(DIM, kind.short()), names.join(", "))?;
        }
        Ok(())
    }

    fn policy(&self, policy: &Attached<'_>) -> String {
        let mut name = plain(policy.name);
        if policy.managed == Some(true) {
            name.push_str(" *");
        }
        let name = if policy.aws_managed { self.paint(DIM, &name) } else { name };
        match policy.hold {
            Some(hold) => format!("{name}{}", self.paint(YELLOW, &format!(" (held until {})", plain(hold)))),
            None => name,
        }
    }

    /// What lies below a node; the walk goes no deeper than the forest was planted.
    fn below(&mut self, id: &NodeId, prefix: &str, depth: usize) -> io::Result<()> {
        let forest = self.forest;
        let (unknown, children) = (&forest.node(id).unknown, forest.children(id));
        for (index, reason) in unknown.iter().enumerate() {
            let last = index + 1 == unknown.len() && children.is_empty();
            let line = self.paint(YELLOW, &format!("? {}", plain(reason)));
            writeln!(self.out, "{prefix}{}{line}", if last { "└── " } else { "├── " })?;
        }
        let shown: Vec<&NodeId> = children.iter().filter(|child| !self.plain.contains_key(child)).collect();
        let folded = children.iter().filter_map(|child| self.plain.get(child)).fold(Folded::default(), Folded::and);
        let folded = (folded != Folded::default()).then_some(folded);
        for (index, child) in shown.iter().enumerate() {
            self.branch(child, prefix, index + 1 == shown.len() && folded.is_none(), depth)?;
        }
        if let Some(folded) = folded {
            let line = self.paint(DIM, &format!("… {}; `--all` shows all", folded.told()));
            writeln!(self.out, "{prefix}└── {line}")?;
        }
        Ok(())
    }

    fn counts(&mut self) -> io::Result<()> {
        let counts = &self.forest.counts;
        let mut line = format!("{}, {}", count(counts.units, "OU"), count(counts.accounts, "account"));
        if counts.inactive > 0 {
            line.push_str(&format!(" ({} not active)", counts.inactive));
        }
        let kinds: Vec<String> =
            counts.policies.iter().map(|(kind, count)| format!("{} {}", grouped(count), kind.short())).collect();
        let policies: usize = counts.policies.values().sum();
        line.push_str(&format!(", {}", count(policies, "policy")));
        if !kinds.is_empty() {
            line.push_str(&format!(" ({})", kinds.join(", ")));
        }
        line.push_str(&format!(", {}", count(counts.attachments, "attachment")));
        if counts.holds > 0 {
            line.push_str(&format!(", {}", count(counts.holds, "hold")));
        }
        if counts.unknown > 0 {
            line.push_str(&format!("; at least: {} could not be read", count(counts.unknown, "part")));
        }
        writeln!(self.out, "{line}")?;
        if counts.managed > 0 {
            writeln!(self.out, "* kept by bylaw")?;
        }
        Ok(())
    }

    fn paint(&self, sgr: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{sgr}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

impl Folded {
    fn told(self) -> String {
        let parts = [(self.units, "OU"), (self.accounts, "account")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(number, word)| count(number, word));
        parts.collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests;
