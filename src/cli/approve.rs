//! `bylaw approve`: a person lets refused changes pass in a cluster.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams, ObjectMeta, PostParams};
use kube::{Client, Resource};
use schemars::JsonSchema;
use serde::Serialize;

use super::args::{self, Machine};
use super::diagnostics::FORMAT_VERSION;
use super::failure::Failure;
use crate::api::approval::{Approved, ApprovedKind};
use crate::api::organization::{Refused, RefusedTogether};
use crate::api::{Approval, ApprovalSpec, Organization};

/// `approve`.
#[derive(Debug, Clone, clap::Args)]
pub struct Approve {
    /// The hash under which the changes were refused, or its first eight characters; left out: what is refused is listed.
    #[arg(value_name = "HASH", requires = "reason")]
    pub hash: Option<String>,
    /// Why, for those who read it later.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// How long it counts (`30m`, `24h`).
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = args::wait)]
    pub expires_in: Duration,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Machine,
}

/// Output of `bylaw approve -o json`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApproveOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// What the cluster's Organizations show as refused; where a hash was given, what is refused under it.
    refusals: &'a [Refused],
    /// What of it can be approved at once though several refusals hold it back; where a hash was given, what has it.
    refused_together: &'a [RefusedTogether],
    /// The Approval that was made, where a hash was given.
    approval: Option<Made<'a>>,
}

/// An Approval that is in the cluster now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    /// Its `metadata.name`.
    name: &'a str,
    /// The object that it is for, `Kind/name`.
    object: &'a str,
    /// The whole hash.
    hash: &'a str,
    /// Who approves, as the API server knows the person.
    approver: &'a str,
    /// Why.
    reason: &'a str,
    /// Until when it counts (RFC 3339).
    expires_at: &'a str,
}

/// Lists refusals, or makes an Approval of one.
///
/// # Errors
/// The cluster cannot be reached, nothing is refused under that hash, or the person may not approve.
pub async fn run(asked: &Approve, out: &mut dyn Write) -> Result<u8, Failure> {
    let client = super::cluster::client().await?;
    let refused = refused(&client).await?;
    let text = asked.output == Machine::Text;
    let Some(hash) = asked.hash.as_deref() else {
        if text {
            list(&refused, out)?;
        } else {
            write_json(&refused, None, out)?;
        }
        return Ok(0);
    };
    let found = find(&refused, hash)?;
    let subject = subject(found.approve_for())?;
    let approver = who(&client, &subject.name).await?;
    if text {
        found.tell(out)?;
        out.flush()?;
    }
    let asks = text && io::stdin().is_terminal();
    if !asked.yes && !asks {
        return Err(Failure::new("nobody is there to confirm the approval", "add `--yes`"));
    }
    if !asked.yes && !confirmed(&approver, out)? {
        writeln!(out, "nothing was approved")?;
        return Ok(1);
    }
    let expires = Timestamp::now().checked_add(asked.expires_in).map_err(|_| {
        Failure::new("`--expires-in` reaches beyond all calendars", "give a shorter time, such as `24h`")
    })?;
    let spec = ApprovalSpec {
        subject,
        hash: found.hash().to_owned(),
        approver: approver.clone(),
        reason: asked.reason.clone().unwrap_or_default(),
        expires_at: format!("{expires:.0}"),
    };
    let metadata = ObjectMeta { generate_name: Some(format!("approve-{:.8}-", spec.hash)), ..ObjectMeta::default() };
    let approval = Approval { metadata, ..Approval::new("", spec) };
    let approvals: Api<Approval> = Api::all(client);
    let made = approvals.create(&PostParams::default(), &approval).await.map_err(|error| match error {
        kube::Error::Api(status) => Failure::new(
            format!("the cluster refuses the approval: {}", status.message),
            "the role `bylaw-approver` of the chart gives the right to approve; who wrote the change cannot approve it",
        ),
        error => super::cluster::failure(&error),
    })?;
    let (name, spec) = (made.metadata.name.unwrap_or_default(), made.spec);
    if !text {
        let made = Made {
            name: &name,
            object: found.object(),
            hash: &spec.hash,
            approver: &approver,
            reason: &spec.reason,
            expires_at: &spec.expires_at,
        };
        write_json(&found.alone(), Some(made), out)?;
        return Ok(0);
    }
    writeln!(out, "approved by {approver} until {expires:.0}: `kubectl get approval {name}` tells what comes of it")?;
    Ok(0)
}

/// What Organizations show as refused.
#[derive(Default)]
struct AllRefused {
    refusals: Vec<Refused>,
    together: Vec<RefusedTogether>,
}

/// What is refused under one hash.
enum Found<'r> {
    One(&'r Refused),
    Together(&'r RefusedTogether),
}

impl Found<'_> {
    fn hash(&self) -> &str {
        match self {
            Self::One(refused) => refused.hash.as_deref().unwrap_or_default(),
            Self::Together(together) => &together.hash,
        }
    }

    fn approve_for(&self) -> &str {
        match self {
            Self::One(refused) => refused.approve_for.as_deref().unwrap_or(&refused.object),
            Self::Together(together) => &together.approve_for,
        }
    }

    fn object(&self) -> &str {
        match self {
            Self::One(refused) => &refused.object,
            Self::Together(together) => &together.approve_for,
        }
    }

    fn alone(&self) -> AllRefused {
        match self {
            Self::One(refused) => AllRefused { refusals: vec![(*refused).clone()], together: vec![] },
            Self::Together(together) => AllRefused { refusals: vec![], together: vec![(*together).clone()] },
        }
    }

    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let (count, of, why, shown) = match self {
            Self::One(refused) => {
                (refused.changes, &refused.object, format!("{}: {}", refused.rule, refused.message), &refused.details)
            }
            Self::Together(together) => {
                (together.changes, &together.approve_for, together.rules.join(", "), &together.details)
            }
        };
        writeln!(out, "{count} {} of {of} is refused:\n  {why}", changes(count))?;
        details(shown, count, out)
    }
}

/// What the Organizations of the cluster show as refused.
async fn refused(client: &Client) -> Result<AllRefused, Failure> {
    let organizations: Api<Organization> = Api::all(client.clone());
    let found = organizations.list(&ListParams::default()).await.map_err(|error| super::cluster::failure(&error))?;
    let mut all = AllRefused::default();
    for status in found.items.into_iter().filter_map(|organization| organization.status) {
        all.refusals.extend(status.refusals);
        all.together.extend(status.refused_together);
    }
    Ok(all)
}

fn write_json(refused: &AllRefused, approval: Option<Made<'_>>, out: &mut dyn Write) -> io::Result<()> {
    let (refusals, refused_together) = (&*refused.refusals, &*refused.together);
    let output = ApproveOutput { format_version: FORMAT_VERSION, refusals, refused_together, approval };
    serde_json::to_writer(&mut *out, &output)?;
    writeln!(out)
}

fn list(all: &AllRefused, out: &mut dyn Write) -> io::Result<()> {
    if all.refusals.is_empty() {
        return writeln!(out, "nothing is refused");
    }
    for refused in &all.refusals {
        let hash = refused.hash.as_deref().unwrap_or("(cannot be approved)");
        writeln!(out, "{hash}  {}  {} {}", refused.object, refused.changes, changes(refused.changes))?;
        writeln!(out, "    {}: {}\n    {}", refused.rule, refused.message, refused.remedy)?;
        details(&refused.details, refused.changes, out)?;
    }
    for together in &all.together {
        let (hash, of, count) = (&together.hash, &together.approve_for, together.changes);
        writeln!(out, "{hash}  {of}  {count} {}, all at once", changes(count))?;
        writeln!(out, "    {}: one approval of everything that is refused here", together.rules.join(", "))?;
        details(&together.details, count, out)?;
    }
    Ok(())
}

/// What would be done, line by line.
fn details(shown: &[String], changes: u32, out: &mut dyn Write) -> io::Result<()> {
    for detail in shown {
        writeln!(out, "    - {}", crate::names::words::plain(detail))?;
    }
    let more = usize::try_from(changes).unwrap_or_default().saturating_sub(shown.len());
    if more > 0 && !shown.is_empty() {
        writeln!(out, "    - and {more} more; `bylaw plan --full` shows all")?;
    }
    Ok(())
}

fn changes(count: u32) -> &'static str {
    if count == 1 { "change" } else { "changes" }
}

fn find<'r>(all: &'r AllRefused, hash: &str) -> Result<Found<'r>, Failure> {
    let is = |found: &Found<'r>| {
        let full = found.hash();
        !full.is_empty() && (full == hash || (hash.len() >= 8 && full.starts_with(hash)))
    };
    let mut found = all.refusals.iter().map(Found::One).chain(all.together.iter().map(Found::Together)).filter(is);
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(Failure::new(
            format!("`{hash}` begins several hashes"),
            "give the whole hash; `bylaw approve` without one shows them",
        )),
        (None, _) => {
            let hash = crate::names::words::plain(hash);
            Err(Failure::new(
                format!("nothing that can be approved is refused under the hash `{hash}` now"),
                "a hash is of exactly the changes that it was shown with, and ends when they are done or others; \
                 `bylaw approve` without one shows those of now",
            ))
        }
    }
}

fn subject(subject: &str) -> Result<Approved, Failure> {
    let (kind, name) = subject.split_once('/').unwrap_or_default();
    let kind: ApprovedKind = serde_json::from_value(kind.into()).map_err(|_| {
        Failure::new(
            format!("`{subject}` is of no kind that this `bylaw` knows"),
            "use a `bylaw` of the controller's version",
        )
    })?;
    Ok(Approved { kind, namespace: None, name: name.to_owned() })
}

/// The name that the API server knows the person by, who has to hold the right.
async fn who(client: &Client, object: &str) -> Result<String, Failure> {
    let failure = |error: kube::Error| super::cluster::failure(&error);
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.map_err(failure)?;
    let name = review.status.and_then(|status| status.user_info?.username).unwrap_or_default();
    let attributes = ResourceAttributes {
        group: Some("bylaw.dev".into()),
        resource: Some(Approval::plural(&()).into_owned()),
        verb: Some("approve".into()),
        name: Some(object.to_owned()),
        ..ResourceAttributes::default()
    };
    let asked = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let access: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = access.create(&PostParams::default(), &asked).await.map_err(failure)?;
    if answer.status.is_some_and(|status| status.allowed) {
        return Ok(name);
    }
    Err(Failure::new(
        format!("`{name}` may not approve changes of `{object}`"),
        "ask somebody who holds the verb `approve` on `approvals.bylaw.dev`: the role `bylaw-approver` of the chart",
    ))
}

fn confirmed(approver: &str, out: &mut dyn Write) -> Result<bool, Failure> {
    write!(out, "Approve as {approver}? Only `yes` does: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(hash: Option<&str>) -> Refused {
        Refused {
            rule: "limit-detaches".into(),
            object: "OrganizationPolicy/p".into(),
            message: "detaches 9".into(),
            remedy: "raise it".into(),
            changes: 9,
            hash: hash.map(str::to_owned),
            approve_for: None,
            details: vec![],
        }
    }

    #[test]
    fn a_hash_is_found_by_its_first_eight_characters_and_no_fewer() {
        let refusals = vec![refused(Some("aabbccdd00000000")), refused(Some("aabbccdd11111111")), refused(None)];
        let all = AllRefused { refusals, together: vec![together("aabbccdd22222222")] };
        let found = |hash: &str| find(&all, hash).map(|found| found.hash().to_owned());
        assert_eq!(found("aabbccdd0").unwrap(), "aabbccdd00000000");
        assert_eq!(found("aabbccdd11111111").unwrap(), "aabbccdd11111111");
        assert_eq!(found("aabbccdd2").unwrap(), "aabbccdd22222222");
        assert!(found("aabbccdd").unwrap_err().message.contains("several"));
        for none in ["aabbcc", "", "0000000000000000"] {
            assert!(found(none).unwrap_err().message.contains("now"), "{none}");
        }
    }

    #[test]
    fn a_list_tells_what_to_do() {
        let mut out = vec![];
        let refusals = vec![refused(Some("aabbccdd00000000")), refused(None)];
        list(&AllRefused { refusals, together: vec![together("aabbccdd22222222")] }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("aabbccdd00000000  OrganizationPolicy/p  9 changes\n    limit-detaches: detaches 9"),
            "{text}"
        );
        assert!(text.contains("(cannot be approved)"), "{text}");
        assert!(
            text.contains("aabbccdd22222222  Organization/acme  12 changes, all at once\n    limit-affected, "),
            "{text}"
        );
    }

    fn together(hash: &str) -> RefusedTogether {
        RefusedTogether {
            approve_for: "Organization/acme".into(),
            rules: vec!["limit-affected".into(), "limit-detaches".into()],
            changes: 12,
            hash: hash.into(),
            details: vec![],
        }
    }

    #[test]
    fn the_subject_is_the_object_of_the_refusal() {
        let of = |refused: &Refused| subject(Found::One(refused).approve_for()).map(|subject| subject.kind);
        assert_eq!(of(&refused(None)).unwrap(), ApprovedKind::OrganizationPolicy);
        assert!(of(&Refused { object: "Gate/x".into(), ..refused(None) }).is_err());
        let whole = together("aabbccdd22222222");
        assert_eq!(subject(Found::Together(&whole).approve_for()).unwrap().kind, ApprovedKind::Organization);
    }
}
