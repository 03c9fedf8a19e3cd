//! What each object's status says after a pass: what the pass came to goes in, a verdict for every declared object comes
//! out. Statuses of all kinds are projected from the one plan.
//!
//! Architecture invariants: no client and no clock here; every object gets a verdict or keeps the one it has, and an
//! object that is wrong degrades itself only.

pub mod approvals;
mod facts;
mod judge;
mod notices;
mod verdict;

pub use facts::{Pass, facts, is_gone, status, vanished};
pub use judge::{Came, Subject, judge, unlisted, without_organization};
pub use notices::{Notice, Weight, notices};
pub use verdict::{Readiness, Turn, Verdict};
