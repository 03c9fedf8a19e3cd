//! From two sides to one plan: [`propose`] finds the changes, [`guard`] says which may run.
//!
//! Pure. Architecture invariants: a plan is never made from a part that was not read; only a [`Guarded`] plan can be
//! applied; and nothing here writes, waits or looks at a clock.

pub mod authors;
pub mod bind;
pub mod delta;
pub mod estimate;
pub mod fresh;
pub mod guard;
pub mod kept;
pub mod memory;
pub mod model;
mod owner;
pub mod partial;
mod renamed;
pub mod undeclared;
pub mod words;
mod world;

pub use authors::name_authors;
pub use delta::{Options, propose};
pub use guard::{Approvals, guard};
pub use memory::Memory;
pub use model::{
    Action, Bundle, Change, Drift, Guarded, Lifted, NodeRef, Note, Plan, PolicyRef, Proposed, Reason, Refusal, Stage,
    Verb,
};
pub use undeclared::Undeclared;
