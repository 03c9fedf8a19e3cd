//! The real AWS behind the port: one attempt a call, no retry, no waiting; what comes back is a fact or an error.
//!
//! Architecture invariant: nothing outside this folder names an AWS SDK, and nothing here retries, paces, pages or
//! caches (but for credentials, and the account that they belong to).

mod call;
mod convert;
mod date;
mod fault;
mod guard;
mod profile;
#[cfg(feature = "events")]
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(feature = "events")]
pub use queue::Sqs;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_account as account;
use aws_sdk_organizations as organizations;
use aws_sdk_organizations::config::retry::RetryConfig;
use aws_sdk_organizations::config::timeout::TimeoutConfig;
use aws_sdk_organizations::config::{IdentityCache, SharedCredentialsProvider};
use aws_sdk_sts as sts;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{AwsError, ErrorClass, Port, Request, Response, ServiceTime};
use crate::api::organization::Partition;
use crate::names::AccountId;

/// How to reach AWS. What is left out comes from the environment, as the AWS command line reads it: `AWS_PROFILE`,
/// `AWS_ACCESS_KEY_ID`, the files in `~/.aws`, web identity, container and instance credentials, `AWS_ENDPOINT_URL`.
#[derive(Debug, Clone)]
pub struct Options {
    /// The partition; it decides the region, whatever the environment says (Organizations answers in one).
    pub partition: Partition,
    /// The role to assume (`access.managementRoleArn`); left out: the credentials as they are.
    pub role_arn: Option<String>,
    /// External id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// The profile, before any keys of the environment; left out: these, then `AWS_PROFILE`, else `default`.
    pub profile: Option<String>,
    /// The endpoint of all three services; left out: `AWS_ENDPOINT_URL`, else AWS.
    pub endpoint: Option<String>,
    /// Access key instead of the environment's credentials (emulators).
    pub keys: Option<Keys>,
    /// Longest time to a connection.
    pub connect_timeout: Duration,
    /// Longest time of one call, with its connection and with fetching credentials where that is needed.
    pub attempt_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partition: Partition::Aws,
            role_arn: None,
            external_id: None,
            profile: None,
            endpoint: None,
            keys: None,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(30),
        }
    }
}

/// An access key. Its `Debug` form shows the id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// `AKIA…`, `ASIA…`.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// Session token of temporary keys.
    pub token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Real AWS: Organizations, Account and STS with one set of credentials.
pub struct Sdk {
    organizations: organizations::Client,
    account: account::Client,
    sts: sts::Client,
    /// The account of the credentials, once `GetCallerIdentity` has answered. The Account API wants no `AccountId` when
    /// a management account asks for itself.
    own: OnceLock<AccountId>,
    dates: date::Dates,
}

impl fmt::Debug for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sdk").field("own", &self.own.get()).finish_non_exhaustive()
    }
}

/// Names the cryptography of TLS for the whole process. Called first thing in `main`; a second call does nothing.
pub fn install_crypto() {
    // An `Err` says that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

impl Sdk {
    /// Reads the configuration and makes the clients. No call is sent: credentials that are missing or wrong show at
    /// the first one, for which `GetCallerIdentity` is the natural choice.
    ///
    /// # Errors
    /// [`ErrorClass::Invalid`] where an option has not the form that AWS asks for (role ARN, external id, endpoint).
    pub async fn connect(options: &Options) -> Result<Self, AwsError> {
        Ok(Self::new(&configured(options).await?))
    }

    fn new(shared: &SdkConfig) -> Self {
        let dates = date::Dates::default();
        macro_rules! client {
            ($service:ident) => {
                $service::config::Builder::from(shared).interceptor(dates.clone())
            };
        }
        Self {
            organizations: organizations::Client::from_conf(
                client!(organizations).interceptor(guard::OnlyJson).build(),
            ),
            account: account::Client::from_conf(client!(account).interceptor(guard::OnlyJson).build()),
            sts: sts::Client::from_conf(client!(sts).build()),
            own: OnceLock::new(),
            dates,
        }
    }
}

impl Port for Sdk {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        self.answer(request).boxed()
    }

    fn time(&self) -> Option<ServiceTime> {
        self.dates.last()
    }
}

/// The configuration of all clients.
async fn configured(options: &Options) -> Result<SdkConfig, AwsError> {
    check(options)?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(options.connect_timeout)
        .operation_attempt_timeout(options.attempt_timeout)
        .operation_timeout(options.attempt_timeout)
        .build();
    let name = AppName::new("bylaw").map_err(|error| unusable(&error.to_string()))?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(options.partition.region()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // Single sign-on and credential processes take longer than the 5 s that the SDK allows them; the timeout of
        // the attempt, which covers them too, stays the shorter one.
        .identity_cache(IdentityCache::lazy().load_timeout(options.attempt_timeout).build())
        .app_name(name);
    if let Some(profile) = &options.profile {
        // Who names a profile means it: by the SDK's own order the keys of the environment would go before it.
        loader = loader.profile_name(profile).credentials_provider(profile::Profile::new(profile));
    }
    if let Some(endpoint) = &options.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(keys) = &options.keys {
        loader = loader.credentials_provider(Credentials::new(
            &keys.id,
            &keys.secret,
            keys.token.clone(),
            None,
            "bylaw options",
        ));
    }
    let shared = loader.load().await;
    Ok(assume(options, shared).await)
}

/// The configuration with the role's credentials in place of the caller's, where there is a role.
async fn assume(options: &Options, shared: SdkConfig) -> SdkConfig {
    let Some(role) = &options.role_arn else { return shared };
    let mut provider = aws_config::sts::AssumeRoleProvider::builder(role).configure(&shared).session_name("bylaw");
    if let Some(external_id) = &options.external_id {
        provider = provider.external_id(external_id);
    }
    let provider = provider.build().await;
    shared.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

fn unusable(message: &str) -> AwsError {
    AwsError {
        operation: "connect".into(),
        code: "options".into(),
        message: message.into(),
        request_id: None,
        class: ErrorClass::Invalid,
    }
}

/// Refuses what AWS would refuse later with less to go by (forms of aws-facts section 8).
fn check(options: &Options) -> Result<(), AwsError> {
    if let Some(role) = &options.role_arn {
        let fits = role.strip_prefix("arn:").is_some_and(|rest| {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            matches!(parts.as_slice(), [partition, "iam", "", account, path]
                if *partition == options.partition.as_str()
                    && account.parse::<AccountId>().is_ok()
                    && path.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
        });
        if !fits {
            return Err(unusable(&format!(
                "role `{role}` is not the ARN of a role in this partition: expected `arn:{}:iam::<account>:role/<name>`",
                options.partition.as_str()
            )));
        }
    }
    if let Some(id) = &options.external_id {
        if options.role_arn.is_none() {
            return Err(unusable(
                "an external id is given without a role: name the role, or leave the external id out",
            ));
        }
        if !(2..=1224).contains(&id.len()) {
            return Err(unusable("the external id has to have 2 to 1224 characters"));
        }
    }
    if let Some(endpoint) = &options.endpoint
        && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
    {
        return Err(unusable(&format!("endpoint `{endpoint}` is not a URL: expected `https://…` or `http://…`")));
    }
    Ok(())
}
