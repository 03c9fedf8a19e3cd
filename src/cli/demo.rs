//! `bylaw demo`: the whole story on an organization in memory. No AWS, no cluster, no network.

use std::io::{self, Write};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::door::{self, Door};
use super::failure::Failure;
use super::show::{self, Context};
use super::{load, tree};
use crate::apply::Control;
use crate::aws::Request;
use crate::aws::offline::{Offline, Options as World};
use crate::desired::{Desired, Source};
use crate::names::{NodeId, PolicyId};
use crate::observed::{Observed, Wants, read};
use crate::pass::{self, Options, Planned};
use crate::plan::Memory;

/// The example that the demo runs on, as it is in the repository.
const EXAMPLE: &[(&str, &str)] = &[
    ("examples/data-science/organization.yaml", include_str!("../../examples/data-science/organization.yaml")),
    ("examples/data-science/policies.yaml", include_str!("../../examples/data-science/policies.yaml")),
    ("examples/data-science/units.yaml", include_str!("../../examples/data-science/units.yaml")),
];

/// A statement that somebody puts first in the policy of all three accounts.
const LOCKOUT: &str = "    Statement:\n      - { Sid: OnlyForAMoment, Effect: Deny, Action: \"*\", Resource: \"*\" }\n";

/// Tells the story. The exit code: 0, or 1 where it did not go as told.
///
/// # Errors
/// Those of `out`; the example does not validate.
pub async fn run(colour: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let desired = declared(EXAMPLE)?;
    let management = desired.organization.spec.management_account.clone();
    let options = World { management: Some(management), creation_delay: Duration::ZERO, ..World::default() };
    let world = std::sync::Arc::new(Offline::new(options));
    let mut story =
        Story { world: world.clone(), door: door::memory(Box::new(world)), memory: Memory::default(), colour, out };

    story.chapter(1, "An organization with nothing in it, and manifests that say what it should be")?;
    story.says("$ bylaw plan -f examples/data-science")?;
    let planned = story.plan(&desired, &[]).await?;
    story.says("\n$ bylaw apply -f examples/data-science --yes")?;
    let made = story.apply(&desired, planned).await?;
    story.says("\n$ bylaw tree")?;
    story.tree().await?;

    story.chapter(2, "A careless afternoon in the console")?;
    story.carelessness()?;
    story.says("\n$ bylaw plan -f examples/data-science")?;
    let planned = story.plan(&desired, &[]).await?;
    story.says("\n$ bylaw apply -f examples/data-science --yes")?;
    let mended = story.apply(&desired, planned).await?;
    story.says("\n$ bylaw plan -f examples/data-science")?;
    let again = story.plan(&desired, &[]).await?;

    story.chapter(3, "A dangerous edit, by mistake, in a pull request")?;
    let edited = lockout()?;
    story.says("Somebody adds to `sagemaker-baseline`, which binds all three accounts:")?;
    story.says(&format!("  +{}", LOCKOUT.lines().nth(1).unwrap_or_default()))?;
    story.says("\n$ bylaw plan -f examples/data-science")?;
    let refused = story.plan(&edited, &[]).await?;
    let hash = refused.plan.refusals.iter().find_map(|refusal| refusal.hash.clone());
    if let Some(hash) = &hash {
        story.says("\nNothing of it runs. Whoever really means it approves exactly these changes, and no others:")?;
        story.says(&format!("$ bylaw apply -f examples/data-science --approve {hash}"))?;
    }
    story.says("\nNothing was written to AWS by any of this: the organization was in memory.")?;
    story.says("Next: `bylaw import` writes manifests for an organization of yours, and changes nothing in it.")?;
    let told = made && mended && again.plan.is_empty() && hash.is_some() && refused.plan.changes.is_empty();
    Ok(u8::from(!told))
}

fn declared(files: &[(&str, &str)]) -> Result<Desired, Failure> {
    let sources: Vec<Source> =
        files.iter().map(|(file, text)| Source { file: (*file).into(), bytes: text.as_bytes().to_vec() }).collect();
    load::desired(&sources, vec![], None, false, &mut io::stderr())
}

fn lockout() -> Result<Desired, Failure> {
    let edited: Vec<(&str, String)> = EXAMPLE
        .iter()
        .map(|(file, text)| {
            (
                *file,
                if file.ends_with("policies.yaml") {
                    text.replacen("    Statement:\n", LOCKOUT, 1)
                } else {
                    (*text).to_owned()
                },
            )
        })
        .collect();
    let edited: Vec<(&str, &str)> = edited.iter().map(|(file, text)| (*file, text.as_str())).collect();
    declared(&edited)
}

struct Story<'a> {
    world: std::sync::Arc<Offline>,
    door: Door,
    memory: Memory,
    colour: bool,
    out: &'a mut dyn Write,
}

impl Story<'_> {
    fn says(&mut self, text: &str) -> Result<(), Failure> {
        let command = text.trim_start().starts_with('$');
        if command && self.colour {
            writeln!(self.out, "\x1b[1;36m{text}\x1b[0m")?;
        } else {
            writeln!(self.out, "{text}")?;
        }
        Ok(())
    }

    fn chapter(&mut self, number: u32, title: &str) -> Result<(), Failure> {
        let title = format!("{number}. {title}");
        let line = "─".repeat(title.chars().count());
        let (bold, plain) = if self.colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        writeln!(self.out, "\n{bold}{title}{plain}\n{line}\n")?;
        Ok(())
    }

    async fn plan(&mut self, desired: &Desired, approve: &[String]) -> Result<Planned, Failure> {
        let options = Options { approvals: crate::plan::Approvals::of(approve), ..Options::default() };
        let before = self.door.tally().calls;
        let planned = pass::plan(&self.door, desired, None, &self.memory, &options, &Timestamp::now).await?;
        let mut calls = self.door.tally().calls;
        for (operation, count) in &mut calls {
            *count -= before.get(operation).copied().unwrap_or_default();
        }
        calls.retain(|_, count| *count > 0);
        let context = Context { calls, oldest: planned.observed.oldest(), now: Timestamp::now(), ..Context::default() };
        show::plan::text(&planned, desired, &context, self.colour, self.out)?;
        Ok(planned)
    }

    async fn apply(&mut self, desired: &Desired, planned: Planned) -> Result<bool, Failure> {
        let control = Control::new(&Timestamp::now, "bylaw-demo");
        let shown = planned.clone();
        let options = Options::default();
        let report = pass::apply_plan(&self.door, desired, planned, &mut self.memory, &options, control)
            .await
            .map_err(|error| Failure { message: error.to_string(), help: None })?;
        show::result::text(&report, &shown, desired, &Context::default(), self.colour, self.out)?;
        Ok(show::result::converged(&report))
    }

    async fn observed(&self) -> Result<Observed, Failure> {
        let wants = Wants { base_access: true, ..Wants::default() };
        Ok(read(&self.door, &wants, None, &Timestamp::now).await?)
    }

    async fn tree(&mut self) -> Result<(), Failure> {
        let observed = self.observed().await?;
        let options = tree::Options { colour: self.colour, ..tree::Options::default() };
        tree::run(&observed, &options, self.out)?;
        Ok(())
    }

    /// Detaches, moves and edits as a person in a hurry would.
    fn carelessness(&mut self) -> Result<(), Failure> {
        let state = self.world.state();
        let policy =
            |name: &str| state.policies().iter().find(|(_, policy)| policy.name == name).map(|(id, _)| id.clone());
        let account = state.accounts().iter().find(|(_, account)| account.name == "data-science-production");
        let found = policy("production-deployments").zip(policy("sagemaker-baseline")).zip(account);
        let Some(((locked, baseline), (account, place))) = found else {
            return Err(Failure { message: "the example is not as the demo knows it".into(), help: None });
        };
        let root = state.root_node();
        let detached: Vec<NodeId> = state.targets(&locked).into_iter().collect();
        let mut acts: Vec<(String, Request)> = detached
            .into_iter()
            .map(|target| {
                (
                    "detaches `production-deployments` from PRODUCTION, to get a deployment through".to_owned(),
                    detach(&locked, target),
                )
            })
            .collect();
        acts.push((
            "moves the production account to the root, to see whether that helps".into(),
            Request::MoveAccount { account: account.clone(), from: place.parent.clone(), to: root },
        ));
        let content =
            state.policies().get(&baseline).map(|policy| without(&policy.content, &["StudioTypes", "OutsideVpc"]));
        acts.push((
            "takes two statements out of `sagemaker-baseline`, which were in the way as well".into(),
            Request::UpdatePolicy { policy: baseline, name: None, description: None, content },
        ));
        for (what, request) in acts {
            self.says(&format!("  somebody {what}"))?;
            self.world.foreign(&request)?;
        }
        Ok(())
    }
}

/// A policy's text without the statements of these ids.
fn without(text: &str, sids: &[&str]) -> String {
    let mut policy: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(statements) = policy.get_mut("Statement").and_then(serde_json::Value::as_array_mut) {
        statements.retain(|statement| !statement.get("Sid").is_some_and(|sid| sids.iter().any(|s| sid == s)));
    }
    policy.to_string()
}

fn detach(policy: &PolicyId, target: NodeId) -> Request {
    Request::DetachPolicy { policy: policy.clone(), target }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `shown` is `line`, where `…` in what is shown stands for any text.
    fn is_shown_as(line: &str, shown: &str) -> bool {
        let parts: Vec<String> = shown.split('…').map(regex::escape).collect();
        regex::Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(line)
    }

    /// The sample of the README is what the demo prints: line by line, where `…` stands for any text, and alone on a line for
    /// any lines.
    #[tokio::test]
    async fn the_readme_shows_what_is_printed() {
        let mut out = vec![];
        assert_eq!(run(false, &mut out).await.unwrap(), 0);
        let printed = String::from_utf8(out).unwrap();
        let printed: Vec<&str> = printed.lines().collect();
        let readme = include_str!("../../README.md");
        let sample = readme.split("```text\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
        assert!(sample.matches("$ bylaw plan -f examples/data-science").count() > 1, "{sample}");
        let mut from = 0;
        for segment in sample.split("\n…\n") {
            let wanted: Vec<&str> = segment.lines().collect();
            let fits = |at: &usize| {
                printed
                    .get(*at..at + wanted.len())
                    .is_some_and(|lines| lines.iter().zip(&wanted).all(|(line, shown)| is_shown_as(line, shown)))
            };
            let found = (from..printed.len()).find(fits);
            let at =
                found.unwrap_or_else(|| panic!("no longer printed:\n{segment}\n\nprinted:\n{}", printed.join("\n")));
            from = at + wanted.len();
        }
    }
}
