//! Carries out a guarded plan: one AWS call a change, in order, each preceded by a look whether it is still needed and
//! recorded whatever comes of it.
//!
//! Architecture invariants: nothing here decides what is wanted; a plan that is not guarded cannot be given to it; and no
//! change that takes a guard away runs after one that adds a guard there has failed.

pub mod check;
pub mod create;
pub mod effect;
pub mod lease;
pub mod ledger;
mod rehearse;
mod run;
mod state;

pub use lease::Lease;
pub use ledger::{Entry, Ledger, Outcome};
pub use rehearse::rehearse;
pub use run::{Applied, Control, Halt, Progress, Wanted, always, apply};
