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
use crate::api::organization::Refused;
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
    let refusals = refusals(&client).await?;
    let text = asked.output == Machine::Text;
    let Some(hash) = asked.hash.as_deref() else {
        if text {
            list(&refusals, out)?;
        } else {
            write_json(&refusals, None, out)?;
        }
        return Ok(0);
    };
    let refused = find(&refusals, hash)?;
    let subject = subject(refused)?;
    let approver = who(&client, &subject.name).await?;
    if text {
        writeln!(
            out,
            "{} {} of {} is refused:\n  {}: {}",
            refused.changes,
            changes(refused),
            refused.object,
            refused.rule,
            refused.message
        )?;
        details(refused, out)?;
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
        hash: refused.hash.clone().unwrap_or_default(),
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
            object: &refused.object,
            hash: &spec.hash,
            approver: &approver,
            reason: &spec.reason,
            expires_at: &spec.expires_at,
        };
        write_json(std::slice::from_ref(refused), Some(made), out)?;
        return Ok(0);
    }
    writeln!(out, "approved by {approver} until {expires:.0}: `kubectl get approval {name}` tells what comes of it")?;
    Ok(0)
}

/// What the Organizations of the cluster show as refused.
async fn refusals(client: &Client) -> Result<Vec<Refused>, Failure> {
    let organizations: Api<Organization> = Api::all(client.clone());
    let found = organizations.list(&ListParams::default()).await.map_err(|error| super::cluster::failure(&error))?;
    Ok(found.items.into_iter().filter_map(|organization| organization.status).flat_map(|s| s.refusals).collect())
}

fn write_json(refusals: &[Refused], approval: Option<Made<'_>>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &ApproveOutput { format_version: FORMAT_VERSION, refusals, approval })?;
    writeln!(out)
}

fn list(refusals: &[Refused], out: &mut dyn Write) -> io::Result<()> {
    if refusals.is_empty() {
        return writeln!(out, "nothing is refused");
    }
    for refused in refusals {
        let hash = refused.hash.as_deref().unwrap_or("(cannot be approved)");
        writeln!(out, "{hash}  {}  {} {}", refused.object, refused.changes, changes(refused))?;
        writeln!(out, "    {}: {}\n    {}", refused.rule, refused.message, refused.remedy)?;
        details(refused, out)?;
    }
    Ok(())
}

/// What would be done, line by line.
fn details(refused: &Refused, out: &mut dyn Write) -> io::Result<()> {
    for detail in &refused.details {
        writeln!(out, "    - {}", crate::names::words::plain(detail))?;
    }
    let more = usize::try_from(refused.changes).unwrap_or_default().saturating_sub(refused.details.len());
    if more > 0 && !refused.details.is_empty() {
        writeln!(out, "    - and {more} more; `bylaw plan --full` shows all")?;
    }
    Ok(())
}

fn changes(refused: &Refused) -> &'static str {
    if refused.changes == 1 { "change" } else { "changes" }
}

fn find<'r>(refusals: &'r [Refused], hash: &str) -> Result<&'r Refused, Failure> {
    let is = |refused: &&Refused| {
        refused.hash.as_deref().is_some_and(|full| full == hash || (hash.len() >= 8 && full.starts_with(hash)))
    };
    let mut found = refusals.iter().filter(is);
    match (found.next(), found.next()) {
        (Some(refused), None) => Ok(refused),
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

fn subject(refused: &Refused) -> Result<Approved, Failure> {
    let subject = refused.approve_for.as_deref().unwrap_or(&refused.object);
    let (kind, name) = subject.split_once('/').unwrap_or_default();
    let kind: ApprovedKind = serde_json::from_value(kind.into()).map_err(|_| {
        Failure::new(
            format!("`{}` is of no kind that this `bylaw` knows", refused.object),
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
        let all = [refused(Some("aabbccdd00000000")), refused(Some("aabbccdd11111111")), refused(None)];
        assert_eq!(find(&all, "aabbccdd0").unwrap().hash.as_deref(), Some("aabbccdd00000000"));
        assert_eq!(find(&all, "aabbccdd11111111").unwrap().hash.as_deref(), Some("aabbccdd11111111"));
        assert!(find(&all, "aabbccdd").unwrap_err().message.contains("several"));
        for none in ["aabbcc", "", "0000000000000000"] {
            assert!(find(&all, none).unwrap_err().message.contains("now"), "{none}");
        }
    }

    #[test]
    fn a_list_tells_what_to_do() {
        let mut out = vec![];
        list(&[refused(Some("aabbccdd00000000")), refused(None)], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("aabbccdd00000000  OrganizationPolicy/p  9 changes\n    limit-detaches: detaches 9"),
            "{text}"
        );
        assert!(text.contains("(cannot be approved)"), "{text}");
    }

    #[test]
    fn the_subject_is_the_object_of_the_refusal() {
        assert_eq!(subject(&refused(None)).unwrap().kind, ApprovedKind::OrganizationPolicy);
        assert!(subject(&Refused { object: "Gate/x".into(), ..refused(None) }).is_err());
    }
}
