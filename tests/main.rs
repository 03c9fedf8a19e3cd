//! The one integration test crate: it links once, and every module is a subject.

mod support;

#[cfg(feature = "aws")]
mod moto;
