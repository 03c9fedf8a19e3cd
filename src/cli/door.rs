//! The way to an organization: AWS, or a snapshot in memory. Both are paced ports.

use std::path::Path;
use std::time::Duration;

use crate::api::organization::{Access, Partition};
use crate::aws::offline::{Offline, Options as InMemory};
use crate::aws::paced::{Conduct, Moment, Pace, Paced};
use crate::aws::{AwsError, Port};
use crate::observed::{Observed, snapshot};

use super::args;
use super::failure::Failure;

/// A paced port, whatever is behind it.
pub type Door = Paced<Box<dyn Port>>;

/// How AWS is to be reached.
#[derive(Debug, Clone, Default)]
pub struct Way<'a> {
    /// Profile of `~/.aws`.
    pub profile: Option<&'a str>,
    /// Endpoint instead of AWS's.
    pub endpoint: Option<&'a str>,
    /// Partition.
    pub partition: Partition,
    /// Roles of the `Organization`.
    pub access: Option<&'a Access>,
    /// Keep to no rates (emulators).
    pub unpaced: bool,
}

impl<'a> Way<'a> {
    /// As the arguments of `plan` and `apply` say.
    #[must_use]
    pub fn of(aws: &'a args::Aws, partition: Partition, access: Option<&'a Access>) -> Self {
        Self {
            profile: aws.profile.as_deref(),
            endpoint: aws.endpoint_url.as_deref(),
            partition,
            access,
            unpaced: aws.pace == args::Pace::None,
        }
    }

    /// As the arguments of the commands without manifests say.
    #[must_use]
    pub fn reach(aws: &'a args::Reach) -> Self {
        Self {
            profile: aws.profile.as_deref(),
            endpoint: aws.endpoint_url.as_deref(),
            partition: aws.partition,
            access: None,
            unpaced: aws.pace == args::Pace::None,
        }
    }
}

/// Real AWS.
///
/// # Errors
/// The configuration cannot be used.
#[cfg(feature = "aws")]
pub async fn aws(way: &Way<'_>) -> Result<Door, Failure> {
    use crate::aws::sdk;
    let options = sdk::Options {
        partition: way.partition,
        role_arn: way.access.and_then(|access| access.management_role_arn.clone()),
        external_id: way.access.and_then(|access| access.external_id.clone()),
        profile: way.profile.map(str::to_owned),
        endpoint: way.endpoint.map(str::to_owned),
        ..sdk::Options::default()
    };
    let sdk = sdk::Sdk::connect(&options).await?;
    let pace = if way.unpaced { Pace::None } else { Pace::Aws };
    Ok(door(Box::new(sdk), pace))
}

/// Real AWS, in a binary that cannot reach it.
///
/// # Errors
/// Always.
#[cfg(not(feature = "aws"))]
pub async fn aws(_: &Way<'_>) -> Result<Door, Failure> {
    Err(Failure::new(
        "this binary was built without AWS",
        "build it with the feature `aws` (it is on by default), or work on a file with `--snapshot`",
    ))
}

fn door(port: Box<dyn Port>, pace: Pace) -> Door {
    let seed = std::process::id();
    let conduct = Conduct { pace, seed: seed.into(), ..Conduct::default() };
    Paced::new(port, conduct).observed(|moment| {
        if let Moment::Again(request, error, pause) = moment {
            tracing::debug!(operation = request.operation(), %error, ?pause, "asked again");
        }
    })
}

/// An organization in memory, which keeps to no rates.
#[must_use]
pub fn memory(port: Box<dyn Port>) -> Door {
    door(port, Pace::None)
}

/// An organization in memory as a snapshot says, where nothing takes time.
#[must_use]
pub fn rehearsal(observed: &Observed) -> Offline {
    let instant = Duration::ZERO;
    let options = InMemory { creation_delay: instant, closing_delay: instant, ..InMemory::default() };
    Offline::from_observed(observed, options)
}

/// The organization in a snapshot file.
///
/// # Errors
/// The file cannot be read, or is no snapshot.
pub fn snapshot_file(path: &Path) -> Result<Observed, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            format!("`{}` cannot be read: {error}", path.display()),
            "`bylaw snapshot -o FILE` writes a snapshot",
        )
    })?;
    snapshot::from_json(&text).map_err(|error| {
        Failure::new(format!("`{}`: {error}", path.display()), "`bylaw snapshot -o FILE` writes a snapshot")
    })
}

/// Where a failure comes from AWS, the same as a [`Failure`].
impl From<crate::apply::lease::LeaseError> for Failure {
    fn from(error: crate::apply::lease::LeaseError) -> Self {
        match error {
            crate::apply::lease::LeaseError::Aws(error) => AwsError::into(error),
            held @ crate::apply::lease::LeaseError::Held { .. } => Self::new(
                held.to_string(),
                format!(
                    "wait for it to end; if it died, its lease runs out by itself (tag `{}` on the root)",
                    crate::names::TAG_LEASE
                ),
            ),
        }
    }
}
