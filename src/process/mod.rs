//! What a cluster asks of a process: is it alive, is it ready, what are its figures, and how much is it to log.
//!
//! Architecture invariant: nothing here knows an organization. No account id and no object name is a label, but for the
//! name of the Organization, of which there are few: the success of one is not to hide the failure of another.

pub mod http;
pub mod metrics;
#[cfg(feature = "otel")]
pub mod traces;

pub use http::{Filter, Health, serve};
pub use metrics::Metrics;
