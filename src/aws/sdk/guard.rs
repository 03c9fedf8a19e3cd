//! Answers that only look like success. The SDK reads no body where an operation answers nothing, so the login page of
//! a proxy would pass for a policy attached.

use aws_sdk_organizations::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_organizations::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use serde::de::IgnoredAny;

/// Why an answer is not believed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotAws(String);

/// Refuses a 2xx answer of a JSON service that is not one JSON value, or that is empty and without AWS's request id.
#[derive(Debug)]
pub(super) struct OnlyJson;

impl Intercept for OnlyJson {
    fn name(&self) -> &'static str {
        "bylaw: only JSON"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() {
            return Ok(());
        }
        let Some(body) = response.body().bytes() else { return Ok(()) };
        if body.iter().all(u8::is_ascii_whitespace) {
            return match response.headers().get("x-amzn-requestid") {
                Some(_) => Ok(()),
                None => Err(NotAws("the answer is empty and carries no AWS request id".into()).into()),
            };
        }
        if !body.trim_ascii_start().starts_with(b"{") || serde_json::from_slice::<IgnoredAny>(body).is_err() {
            let start = String::from_utf8_lossy(body);
            let start: String = start.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
            return Err(NotAws(format!("the answer is not JSON: `{start}`")).into());
        }
        Ok(())
    }
}
