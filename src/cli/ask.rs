//! What `can`, `who-can`, `what-binds` and `why` have in common: the organization that they ask, and how they tell of
//! statements.

pub mod can;
pub mod ground;
pub mod what_binds;
pub mod who_can;
pub mod words;

pub use ground::{Asked, Ground};
