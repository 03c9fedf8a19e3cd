//! The door to AWS: the port, its classes of errors, its pacing, and the two organizations behind it
//! (`sdk`, the real one; `offline`, one in memory with AWS's own rules and quotas).
//!
//! Architecture invariant: no other room names an AWS SDK, and nothing here decides what should be done.

pub mod buckets;
pub mod dice;
pub mod error;
pub mod faults;
pub mod iam;
pub mod offline;
pub mod paced;
pub mod port;
pub mod queue;
#[cfg(feature = "aws")]
pub mod sdk;
pub mod time;

pub use error::{AwsError, ErrorClass};
pub use offline::Offline;
pub use paced::Paced;
pub use port::{Page, Port, Request, Response, Still};
pub use time::ServiceTime;
