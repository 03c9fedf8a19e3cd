//! The arguments, as typed.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::iam_policy::IamPolicy;

/// Keeps an AWS organization the way its Kubernetes resources say it should be.
#[derive(Debug, Parser)]
#[command(name = "bylaw", version, propagate_version = true, max_term_width = 100)]
pub struct Arguments {
    /// When to colour: `auto` (on a terminal), `always`, `never`. `NO_COLOR` turns colours off.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Colour::Auto,
        value_name = "WHEN",
        hide_possible_values = true,
        display_order = 998
    )]
    pub color: Colour,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands with what people call them with first.
const EXAMPLES: &[(&str, &str)] = &[
    ("validate", "bylaw validate -f organization\nbylaw validate -f organization -o sarif"),
    (
        "lint",
        "bylaw lint policy.json --type SERVICE_CONTROL_POLICY\nbylaw lint organization --fix\nbylaw lint --explain impossible-value",
    ),
    (
        "plan",
        "bylaw plan -f organization\nbylaw plan -f organization --out plan.json\nbylaw plan -f organization --snapshot org.json -o markdown",
    ),
    (
        "apply",
        "bylaw apply -f organization\nbylaw apply plan.json --yes\nbylaw apply -f organization --approve 895caf4b4f31dc27",
    ),
    ("snapshot", "bylaw snapshot -o org.json"),
    ("import", "bylaw import -o organization\nbylaw import -o organization --snapshot org.json"),
    ("tree", "bylaw tree\nbylaw tree --snapshot org.json"),
    (
        "can",
        "bylaw can --account data-science --action sagemaker:CreateEndpoint\n\
         bylaw can --principal arn:aws:iam::111122223333:role/deployer --action s3:PutObject --resource arn:aws:s3:::bucket/key\n\
         bylaw can --requests requests.jsonl -o jsonl --snapshot org.json",
    ),
    ("who-can", "bylaw who-can sagemaker:CreateEndpoint --snapshot org.json"),
    ("what-binds", "bylaw what-binds data-science --snapshot org.json"),
    ("why", "bylaw why denied.txt\nbylaw why event.json --events trail"),
    ("history", "bylaw history data-science --events trail"),
    ("diff", "bylaw diff old.json new.json\nbylaw diff old new -o markdown"),
    (
        "impact",
        "bylaw impact -f organization --events trail\n\
         bylaw impact -f organization --against main --events trail --since 2026-05-01 -o html\n\
         bylaw impact -f organization --snapshot org.json --sql athena",
    ),
    ("approve", "bylaw approve\nbylaw approve 895caf4b4f31dc27 --reason change-1234"),
    ("iam-policy", "bylaw iam-policy management\nbylaw iam-policy policy --read-only"),
    ("completions", "bylaw completions bash"),
];

/// The command line, with examples below the help of each command.
#[must_use]
pub fn usage() -> clap::Command {
    EXAMPLES.iter().fold(Arguments::command(), |usage, (name, examples)| {
        if usage.find_subcommand(name).is_none() {
            return usage;
        }
        let lines: Vec<String> = examples.lines().map(|line| format!("  {line}")).collect();
        usage.mut_subcommand(name, |command| command.after_help(format!("Examples:\n{}", lines.join("\n"))))
    })
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests without AWS: schema, rules, references, tree, policy documents, quotas.
    ///
    /// Exits 0: no errors, 1: errors.
    Validate(Validate),
    /// Look at policy documents alone: what AWS refuses, and what does not do what it seems to.
    ///
    /// Exits 0: no errors, 1: errors.
    Lint(Lint),
    /// Show what would change in AWS, why, in which order, and what is refused.
    ///
    /// Exits 0: nothing, 2: changes, 1: error.
    Plan(Plan),
    /// Make AWS as the manifests say: plan, ask, apply, verify.
    ///
    /// Exits 0: as declared, 1: not.
    Apply(Apply),
    /// Write the organization as data, for `--snapshot`.
    Snapshot(Snapshot),
    /// Write manifests for an organization that exists. Nothing is written to AWS.
    Import(Import),
    /// Show OUs, accounts and attached policies as a tree.
    Tree(Tree),
    /// Tell whether somebody may do something, and which statement at which node says so.
    ///
    /// Exits 0: allowed, 3: denied, 4: depends.
    Can(super::ask::can::Can),
    /// Tell in which accounts an action is allowed, and what stops the others.
    WhoCan(super::ask::who_can::WhoCan),
    /// Show every statement in force for an account, and from where it comes.
    WhatBinds(super::ask::what_binds::WhatBinds),
    /// Explain an "access denied": the statement that did it, who answers for it, since when, and the way out.
    Why(super::ask::why::Why),
    /// Tell what changed what binds an account, when and by whom, from CloudTrail's events.
    History(super::ask::history::History),
    /// Compare two policies by meaning: requests that tell them apart.
    ///
    /// Exits 0: equal, 2: different, 1: error or undecided.
    Diff(super::diff::Diff),
    /// Tell which recorded calls the manifests would newly deny or allow.
    ///
    /// Exits 0: none, 2: some, 1: something was not read.
    Impact(super::impact::command::Impact),
    /// Run the operator: keep the organization as the objects of a cluster say.
    #[cfg(feature = "controller")]
    Controller(super::controller::Controller),
    /// Let refused changes pass that the controller shows in `status.refusals`: make an Approval in the cluster.
    #[cfg(feature = "controller")]
    Approve(super::approve::Approve),
    /// The whole story on an organization in memory: no AWS, no cluster, no network.
    Demo,
    /// Print the custom resource definitions.
    Crds {
        /// Write one file a kind into this directory instead.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print the least IAM permissions of bylaw's own roles.
    IamPolicy(IamPolicy),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Where manifests are read from.
#[derive(Debug, Clone, Args)]
pub struct Manifests {
    /// A file, a directory (read recursively), or `-` for standard input; may be repeated.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub files: Vec<PathBuf>,
    /// The Organization, where the manifests hold several.
    #[arg(long, value_name = "NAME")]
    pub organization: Option<String>,
}

/// How AWS is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "AWS")]
pub struct Reach {
    /// The profile of `~/.aws` to use, whatever keys the environment holds (`AWS_PROFILE` gives way to them).
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The endpoint of all services, instead of AWS's own (`AWS_ENDPOINT_URL` works as well).
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Whose rates to keep to: AWS's published ones, or none for an emulator.
    #[arg(long, env = "BYLAW_PACE", value_enum, default_value_t = Pace::Aws, value_name = "RATES")]
    pub pace: Pace,
    /// Longest wait for one answer of AWS (`30s`); reads are tried again.
    #[arg(long, env = "BYLAW_TIMEOUT", value_name = "TIME", default_value = "30s", value_parser = wait)]
    pub timeout: std::time::Duration,
}

/// AWS as `plan` and `apply` reach it: an Organization object says how, and the last pass is remembered.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "AWS")]
pub struct Aws {
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub reach: Reach,
    /// Read everything again: take nothing from the snapshot of the last pass.
    #[arg(long)]
    pub fresh: bool,
    /// Take the contents of policies from the last pass as well, as far as `--max-age` lets: a call less for each policy, and
    /// what somebody wrote into one since then is not seen.
    #[arg(long, conflicts_with = "fresh")]
    pub cached: bool,
    /// How old tags and contacts, and with `--cached` contents of policies, may be that are taken from the last pass (`30m`,
    /// `24h`). Whatever a change touches is read again before it is planned.
    #[arg(long, value_name = "AGE", default_value = "24h", value_parser = age)]
    pub max_age: k8s_openapi::jiff::SignedDuration,
}

/// AWS as `snapshot`, `import` and `tree` reach it, with no Organization object to say how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "AWS")]
pub struct Look {
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub reach: Reach,
    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    #[arg(long, default_value = "aws", value_name = "PARTITION", value_parser = super::iam_policy::partition)]
    pub partition: crate::api::organization::Partition,
}

/// Whose rates to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// AWS's published rates.
    Aws,
    /// None.
    None,
}

fn age(text: &str) -> Result<k8s_openapi::jiff::SignedDuration, String> {
    match text.parse::<k8s_openapi::jiff::SignedDuration>() {
        Ok(age) if !age.is_negative() => Ok(age),
        _ => Err("expected a duration such as `30m` or `24h`".into()),
    }
}

pub(super) fn wait(text: &str) -> Result<std::time::Duration, String> {
    match text.parse::<k8s_openapi::jiff::SignedDuration>().map(std::time::Duration::try_from) {
        Ok(Ok(time)) if !time.is_zero() => Ok(time),
        _ => Err("expected a duration such as `10s` or `2m`".into()),
    }
}

/// `validate`.
#[derive(Debug, Clone, Args)]
pub struct Validate {
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub manifests: Manifests,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: super::diagnostics::Format,
}

/// `lint`.
#[derive(Debug, Clone, Args)]
pub struct Lint {
    /// Policy documents, manifests, directories (read recursively), or `-` for standard input.
    #[arg(value_name = "FILE|DIR|-", required_unless_present = "explain")]
    pub files: Vec<PathBuf>,
    /// Type of the documents: one of AWS's policy types, or `IDENTITY_POLICY`, `RESOURCE_POLICY`,
    /// `VPC_ENDPOINT_POLICY`, `SESSION_POLICY`, `PERMISSIONS_BOUNDARY`, `DELEGATION_POLICY`. Left out: what the document looks like, and else `SERVICE_CONTROL_POLICY`.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Write back what can be mended mechanically, and leave everything else byte for byte.
    #[arg(long)]
    pub fix: bool,
    /// Print each document as small as it gets with the same meaning, a line each, instead of looking for what is wrong.
    #[arg(long, conflicts_with_all = ["fix", "strict", "output"])]
    pub minify: bool,
    /// Exit with 1 where there are warnings, too.
    #[arg(long)]
    pub strict: bool,
    /// Tell of a rule what AWS does and why it matters.
    #[arg(long, value_name = "RULE")]
    pub explain: Option<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: super::diagnostics::Format,
}

/// Forms of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a pull request's comment.
    Markdown,
}

/// `plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub manifests: Manifests,
    /// Plan on this snapshot instead of AWS (`bylaw snapshot` writes one).
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Write the plan to this file, for `bylaw apply FILE`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Let the refused changes of this hash pass; may be repeated.
    #[arg(long, value_name = "HASH")]
    pub approve: Vec<String>,
    /// Delete what bylaw made, whose object is gone and had opted in to deletion.
    #[arg(long)]
    pub prune: bool,
    /// Show every change, however many are alike.
    #[arg(long)]
    pub full: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Form,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub aws: Aws,
}

/// `apply`.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    /// A plan that `bylaw plan --out` wrote: exactly its changes run.
    #[arg(value_name = "PLAN", conflicts_with_all = ["files", "prune", "approve"])]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub manifests: Manifests,
    /// Apply to this snapshot in memory instead of AWS.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Let the refused changes of this hash pass; may be repeated.
    #[arg(long, value_name = "HASH")]
    pub approve: Vec<String>,
    /// Delete what bylaw made, whose object is gone and had opted in to deletion.
    #[arg(long)]
    pub prune: bool,
    /// Show every change, however many are alike.
    #[arg(long)]
    pub full: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Machine,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub aws: Aws,
}

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Machine {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `snapshot`.
#[derive(Debug, Clone, Args)]
pub struct Snapshot {
    /// Write it to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub aws: Look,
}

/// `import`.
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// Directory for the manifests.
    #[arg(short, long, value_name = "DIR", default_value = "organization")]
    pub output: PathBuf,
    /// Read this snapshot instead of AWS.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Name of the Organization object; left out: the one that bylaw's tags name, else `main`.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Overwrite files.
    #[arg(long)]
    pub force: bool,
    /// Import what could be read, with comments on the rest.
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub aws: Look,
}

/// `tree`.
#[derive(Debug, Clone, Args)]
pub struct Tree {
    /// Show this snapshot instead of AWS.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Show AWS's own policies too, and every OU and account of a large organization.
    #[arg(long)]
    pub all: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Machine,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub aws: Look,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the help shows can be typed: every command has examples, and every example is understood.
    #[test]
    fn examples_in_the_help_are_understood() {
        let whole = usage();
        for command in whole.get_subcommands().map(clap::Command::get_name) {
            let none = ["controller", "demo", "crds", "help"].contains(&command);
            let examples = EXAMPLES.iter().find(|(name, _)| *name == command).map(|(_, examples)| *examples);
            assert_ne!(none, examples.is_some(), "{command}");
            for example in examples.unwrap_or_default().lines() {
                let words: Vec<&str> = example.split_whitespace().collect();
                assert_eq!(words.get(..2), Some(&["bylaw", command][..]), "{example}");
                usage().try_get_matches_from(&words).unwrap_or_else(|error| panic!("{example}: {error}"));
            }
        }
    }

    /// What a command has of its own comes first, and `impact` does not promise what it refuses.
    #[test]
    fn the_help_of_a_command_begins_with_its_own_options() {
        let mut whole = usage();
        whole.build();
        for command in whole.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            let help = command.render_long_help().to_string();
            let options = help.split("Options:").nth(1).unwrap_or_default();
            let first = options.lines().find(|line| line.trim_start().starts_with('-')).unwrap_or_default();
            let own = command.get_arguments().filter(|arg| arg.get_help_heading().is_none() && !arg.is_positional());
            let has_own = own.filter(|arg| !["color", "help", "version"].contains(&arg.get_id().as_str())).count() > 0;
            assert_eq!(first.contains("--color"), !has_own, "{help}");
        }
        // The list of commands has a line for each; exit codes are told by the help of a command.
        let list = whole.render_help().to_string();
        let commands = list.split("Options:").next().unwrap();
        assert!(commands.lines().all(|line| line.chars().count() <= 120) && !list.contains("Exits"), "{list}");
        let plan = whole.find_subcommand_mut("plan").unwrap().render_long_help().to_string();
        assert!(plan.contains("Exits 0: nothing, 2: changes, 1: error"), "{plan}");
        let impact = whole.find_subcommand_mut("impact").unwrap().render_long_help().to_string();
        assert!(impact.contains("CloudTrail's records of the calls") && !impact.contains("--at "), "{impact}");
    }
}
