//! Errors of the SDK as errors of the port: what AWS said, or that nobody knows.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_organizations::operation::RequestId;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::guard::NotAws;
use crate::aws::{AwsError, ErrorClass};

/// Codes by which AWS says that it failed itself, whatever the HTTP status: the change may or may not be done.
/// `ServiceException` is Organizations' own, the others are common to all services (AWS: "Common errors").
const OWN_FAILURES: &[&str] = &[
    "ServiceException",
    "InternalFailure",
    "InternalError",
    "InternalServerError",
    "InternalServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeout",
    "RequestTimeoutException",
];

const NO_CODE: &str = "the answer carries no AWS error code";

/// The error of one call of `operation`.
pub(super) fn map<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    if let Some(fault) = credentials(operation, error) {
        return fault;
    }
    match error {
        SdkError::ServiceError(context) => {
            let id = error.request_id().map(str::to_owned);
            service(operation, context.raw().status().as_u16(), context.err(), id)
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status();
            let refused = error.source().and_then(|cause| chain(cause).find(|cause| cause.is::<NotAws>()));
            let why = match refused {
                Some(refused) => refused.to_string(),
                None if status.is_success() => causes(error.source()),
                // The SDK looked for an error code, and says only where its parser stumbled.
                None => NO_CODE.to_owned(),
            };
            unreadable(operation, status.as_u16(), &why)
        }
        SdkError::TimeoutError(_) => AwsError::unanswered(operation, "timeout", "no answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            AwsError::unanswered(operation, "timeout", &causes(error.source()))
        }
        SdkError::ConstructionFailure(_) => AwsError::answered(operation, "request", &causes(error.source()), None),
        _ => AwsError::unanswered(operation, "connection", &causes(error.source())),
    }
}

/// An answer of an HTTP status that says "error".
fn service<E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    status: u16,
    error: &E,
    request_id: Option<String>,
) -> AwsError {
    let Some(code) = error.code() else {
        return unreadable(operation, status, NO_CODE);
    };
    let message = error.message().unwrap_or("AWS gave no message");
    let answered = AwsError::answered(operation, code, message, request_id.clone());
    // A throttle is AWS's word that nothing was done, also where it comes as 503.
    if OWN_FAILURES.contains(&code) || (status >= 500 && answered.class != ErrorClass::Throttled) {
        let unknown = AwsError::unanswered(operation, "server", &format!("{code}: {message}"));
        return AwsError { request_id, ..unknown };
    }
    answered
}

/// An answer that is not AWS's: an HTML page, truncated JSON, nothing.
fn unreadable(operation: &str, status: u16, why: &str) -> AwsError {
    let code = if status >= 500 { "server" } else { "garbage" };
    AwsError::unanswered(operation, code, &format!("HTTP {status}: {why}"))
}

/// The error, if there were no credentials to sign the call with; then it was not sent.
fn credentials(operation: &str, error: &(dyn Error + 'static)) -> Option<AwsError> {
    let found = chain(error).find(|cause| cause.is::<CredentialsError>())?;
    if let Some(role) = chain(found).find_map(|cause| cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>()) {
        return Some(signing(map("AssumeRole", role)));
    }
    if let Some(role) =
        chain(found).find_map(|cause| cause.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>())
    {
        return Some(signing(map("AssumeRoleWithWebIdentity", role)));
    }
    Some(AwsError {
        operation: operation.to_owned(),
        code: "credentials".to_owned(),
        message: match found.downcast_ref::<CredentialsError>() {
            // The chain's own words are a page about each place where there is nothing.
            Some(CredentialsError::CredentialsNotLoaded(_)) if causes(Some(found)).contains("Attempted") => {
                let profile = std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
                let (profile, then) = match profile {
                    Some(name) => (format!("profile `{name}` (`AWS_PROFILE`)"), ""),
                    None => ("a profile".to_owned(), "; name a profile with `--profile` or `AWS_PROFILE`"),
                };
                format!(
                    "no credentials were found in the environment, {profile}, a web identity token, the container or \
                     the instance{then}"
                )
            }
            _ => causes(Some(found)).replace("the credential provider was not enabled: ", ""),
        },
        request_id: None,
        class: ErrorClass::Credentials,
    })
}

/// What a refused sign-in means: anything that STS calls invalid (ARN, token, external id) is wrong credentials to us.
fn signing(error: AwsError) -> AwsError {
    match error.class {
        ErrorClass::Invalid | ErrorClass::Constraint | ErrorClass::NotFound => {
            AwsError { class: ErrorClass::Credentials, ..error }
        }
        _ => error,
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| (*cause).source())
}

/// The messages of the chain, outermost first; one that repeats the one before is left out.
pub(super) fn causes(error: Option<&(dyn Error + 'static)>) -> String {
    let mut told: Vec<String> = vec![];
    for cause in error.into_iter().flat_map(chain) {
        let text = cause.to_string();
        if !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
    }
    told.join(": ").chars().take(600).collect()
}
