//! `bylaw snapshot`: the organization as data.

use std::io::{self, Write};

use k8s_openapi::jiff::SignedDuration;

use crate::api::organization::Partition;
use crate::aws::{AwsError, Port, Request, Response};
use crate::observed::missing::{ACCOUNT_MANAGEMENT, Missing, missing};
use crate::observed::{Clock, Observed, Wants, pages, read, snapshot};

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFailed {
    /// AWS's error.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The file cannot be written.
    #[error("the snapshot cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Everything that a snapshot holds, asked anew.
#[must_use]
pub fn wants(contacts: bool) -> Wants {
    Wants {
        types: None,
        contacts: vec![],
        all_contacts: contacts,
        services: true,
        administrators: true,
        delegation_policy: true,
        base_access: true,
        max_age: SignedDuration::ZERO,
        contents_max_age: SignedDuration::ZERO,
        renew: None,
    }
}

/// Reads the whole organization. Alternate contacts are asked for only where AWS would tell them: without trusted access
/// of account management each of three calls an account would be refused.
///
/// # Errors
/// Where nothing can be known at all, as [`read`].
pub async fn observe(port: &dyn Port, clock: Clock<'_>) -> Result<Observed, AwsError> {
    let services = pages(port, Request::ListAWSServiceAccessForOrganization { token: None }).await;
    let contacts = services.map_or(true, |answers| {
        answers.iter().any(
            |answer| matches!(answer, Response::Services(page) if page.items.iter().any(|s| s == ACCOUNT_MANAGEMENT)),
        )
    });
    read(port, &wants(contacts), None, clock).await
}

/// The partition that the credentials belong to, from the caller's ARN.
///
/// # Errors
/// AWS's.
pub async fn partition(port: &dyn Port) -> Result<Partition, AwsError> {
    let Response::Identity { arn, .. } = port.call(&Request::GetCallerIdentity).await? else {
        return Ok(Partition::default());
    };
    let name = arn.split(':').nth(1).unwrap_or_default();
    let all = [Partition::Aws, Partition::AwsCn, Partition::AwsUsGov];
    Ok(all.into_iter().find(|partition| partition.as_str() == name).unwrap_or_default())
}

/// Reads the organization and writes its snapshot. Returns what could not be read: the snapshot says so too, and the
/// caller tells it beside the file.
///
/// # Errors
/// Nothing can be known at all, or the writer's.
pub async fn run(port: &dyn Port, clock: Clock<'_>, out: &mut dyn Write) -> Result<Vec<Missing>, SnapshotFailed> {
    let observed = observe(port, clock).await?;
    writeln!(out, "{}", snapshot::to_json(&observed))?;
    out.flush()?;
    Ok(missing(&observed))
}
