//! The organization as AWS says it is: the pure model, and the paged read that builds and refreshes it.
//!
//! Architecture invariant: nothing here knows what is wanted, and a part that was not read is never taken for empty.

mod age;
mod contradictions;
mod draft;
mod hints;
pub mod missing;
pub mod model;
pub mod read;
pub mod snapshot;

pub use age::{Older, Renew};
pub use hints::SETTLES;
pub use model::{Account, Gap, Observed, Part, Policy, Root, Scope, Unit, Unknown};
pub use read::{AccountRef, Clock, Wants, pages, read, refresh};
