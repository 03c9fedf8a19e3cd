//! The way to an organization: AWS, or a snapshot in memory. Both are paced ports.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::api::organization::{Access, Partition};
use crate::aws::offline::{Offline, Options as InMemory};
use crate::aws::paced::{Conduct, Moment, Pace, Paced};
#[cfg(feature = "aws")]
use crate::aws::sdk;
use crate::aws::{AwsError, ErrorClass, Port};
use crate::observed::{Observed, snapshot};

use super::args;
use super::failure::Failure;

/// A paced port, whatever is behind it.
pub type Door = Paced<Box<dyn Port>>;

/// How AWS is to be reached.
#[derive(Debug, Clone)]
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
    /// Longest wait for one answer.
    pub timeout: Duration,
}

impl<'a> Way<'a> {
    /// As the arguments say.
    #[must_use]
    pub fn of(reach: &'a args::Reach, partition: Partition, access: Option<&'a Access>) -> Self {
        Self {
            profile: reach.profile.as_deref(),
            endpoint: reach.endpoint_url.as_deref(),
            partition,
            access,
            unpaced: reach.pace == args::Pace::None,
            timeout: reach.timeout,
        }
    }

    /// As the arguments of the commands without manifests say.
    #[must_use]
    pub fn look(aws: &'a args::Look) -> Self {
        Self::of(&aws.reach, aws.partition, None)
    }
}

/// Real AWS.
///
/// # Errors
/// The configuration cannot be used.
#[cfg(feature = "aws")]
pub async fn aws(way: &Way<'_>) -> Result<Door, Failure> {
    aws_behind(way, |port| port).await
}

/// [`aws`] with something between the pace and AWS.
///
/// # Errors
/// The configuration cannot be used.
#[cfg(feature = "aws")]
pub async fn aws_behind(way: &Way<'_>, between: impl FnOnce(Box<dyn Port>) -> Box<dyn Port>) -> Result<Door, Failure> {
    let sdk = sdk::Sdk::connect(&options(way)).await.map_err(unusable)?;
    let pace = if way.unpaced { Pace::None } else { Pace::Aws };
    Ok(door(between(Box::new(sdk)), pace, way.timeout))
}

/// The queue of that URL, with the same credentials.
///
/// # Errors
/// The configuration cannot be used.
#[cfg(feature = "events")]
pub async fn queue(way: &Way<'_>, url: &str) -> Result<Box<dyn crate::aws::queue::Queue>, Failure> {
    Ok(Box::new(sdk::Sqs::connect(&options(way), url).await.map_err(unusable)?))
}

#[cfg(feature = "aws")]
fn unusable(error: AwsError) -> Failure {
    match error.operation.as_str() {
        "connect" => Failure::new(error.message, "check the arguments, and `spec.access` of the Organization"),
        _ => error.into(),
    }
}

#[cfg(feature = "aws")]
fn options(way: &Way<'_>) -> sdk::Options {
    sdk::Options {
        partition: way.partition,
        role_arn: way.access.and_then(|access| access.management_role_arn.clone()),
        external_id: way.access.and_then(|access| access.external_id.clone()),
        profile: way.profile.map(str::to_owned),
        endpoint: way.endpoint.map(str::to_owned),
        // The port's own clock speaks first, and in plainer words.
        attempt_timeout: way.timeout + Duration::from_secs(1),
        connect_timeout: way.timeout.min(sdk::Options::default().connect_timeout),
        ..sdk::Options::default()
    }
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

fn door(port: Box<dyn Port>, pace: Pace, timeout: Duration) -> Door {
    let seed = std::process::id();
    let conduct = Conduct { pace, timeout, seed: seed.into(), ..Conduct::default() };
    let told = std::sync::Once::new();
    Paced::new(port, conduct).observed(move |moment| {
        if let Moment::Again(request, error, pause) = moment {
            tracing::debug!(operation = request.operation(), %error, pause_ms = pause.as_millis(), "asked again");
            // A person who waits for an endpoint that does not answer wants to know what for; once is enough.
            if error.class == ErrorClass::Unknown {
                told.call_once(|| tracing::warn!("{error}; asking again"));
            }
        }
    })
}

/// An organization in memory, which keeps to no rates.
#[must_use]
pub fn memory(port: Box<dyn Port>) -> Door {
    door(port, Pace::None, Conduct::default().timeout)
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
            format!("`{}` cannot be read: {}", path.display(), super::files::plainly(&error)),
            "`bylaw snapshot -o FILE` writes a snapshot",
        )
    })?;
    snapshot::from_json(&text).map_err(|error| Failure::new(format!("`{}`: {error}", path.display()), error.remedy()))
}

/// Where a failure comes from AWS, the same as a [`Failure`].
impl From<crate::apply::lease::LeaseError> for Failure {
    fn from(error: crate::apply::lease::LeaseError) -> Self {
        match error {
            crate::apply::lease::LeaseError::Aws(error) => AwsError::into(error),
            ref braked @ crate::apply::lease::LeaseError::Braked(_) => Self::new(
                braked.to_string(),
                format!("remove the tag `{}` from the root, or wait until it expires", crate::names::TAG_HOLD),
            ),
            ref held @ crate::apply::lease::LeaseError::Held { until, .. } => {
                let left = until.duration_since(Timestamp::now()).as_secs().max(1);
                Self::new(
                    held.to_string(),
                    format!(
                        "wait for it to end, {left} s at most if it died; where that is sure, taking the tag `{}` off the \
                         root lets you in at once",
                        crate::names::TAG_LEASE
                    ),
                )
            }
        }
    }
}
