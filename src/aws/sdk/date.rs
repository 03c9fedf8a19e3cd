//! The service's clock: the `Date` of its answers.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_organizations::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_organizations::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822;
use tokio::time::Instant;

use crate::aws::ServiceTime;

/// The time that the last answer told.
#[derive(Debug, Clone, Default)]
pub(super) struct Dates(Arc<Mutex<Option<ServiceTime>>>);

/// When a request was sent.
#[derive(Debug)]
struct Sent(Instant);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Dates {
    pub(super) fn last(&self) -> Option<ServiceTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "bylaw: the time of the service"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(Sent(Instant::now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // A page of a proxy has a date too, of the proxy's clock.
        let date = headers.get("x-amzn-requestid").and_then(|_| headers.get("date")).and_then(parse);
        if let (Some(date), Some(Sent(sent))) = (date, bag.load::<Sent>()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ServiceTime::of(date, *sent));
        }
        Ok(())
    }
}

/// An HTTP date (RFC 9110, section 5.6.7) in the form that services send.
fn parse(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_services_write_it() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), "1994-11-06T08:49:37Z".parse().ok());
        assert_eq!(parse("yesterday"), None);
    }
}
