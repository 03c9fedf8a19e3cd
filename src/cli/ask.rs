//! What `can`, `who-can`, `what-binds`, `why` and `history` have in common: the organization that they ask, and how they tell of
//! statements.

pub mod bulk;
pub mod can;
pub mod events;
pub mod ground;
pub mod history;
pub mod reasons;
pub mod what_binds;
pub mod who_can;
pub mod why;
pub mod words;

pub use ground::{Asked, Ground};
