//! A named profile as the source of credentials.

use std::sync::OnceLock;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

/// The SDK's provider, which tells only its first caller why it cannot start, and the others that it was told already.
#[derive(Debug)]
pub(super) struct Profile {
    name: String,
    provider: ProfileFileCredentialsProvider,
    why: OnceLock<String>,
}

impl Profile {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            provider: ProfileFileCredentialsProvider::builder().profile_name(name).build(),
            why: OnceLock::new(),
        }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let error = match self.provider.provide_credentials().await {
            Ok(credentials) => return Ok(credentials),
            Err(error) => error,
        };
        let text = super::fault::causes(Some(&error));
        if text.contains("already taken") {
            let why = self.why.get().cloned().unwrap_or(text);
            return Err(CredentialsError::not_loaded(why));
        }
        // Where there is no file of profiles at all, the SDK does not say which one it looked for.
        let (text, error) = if text.contains(&self.name) {
            (text, error)
        } else {
            let why = format!("profile `{}` is in neither `~/.aws/config` nor `~/.aws/credentials`", self.name);
            (why.clone(), CredentialsError::not_loaded(why))
        };
        let _ = self.why.set(text);
        Err(error)
    }
}

impl ProvideCredentials for Profile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
