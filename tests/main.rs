//! The one integration test crate: it links once, and every module is a subject.

mod generated;
mod tidy;
