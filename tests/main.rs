//! The one integration test crate: it links once, and every module is a subject.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and clippy.toml reaches only functions marked `#[test]`"
)]

mod calls;
#[cfg(feature = "controller")]
mod chart;
#[cfg(feature = "aws")]
mod cli;
#[cfg(feature = "controller")]
mod controller;
mod engine;
mod events;
#[cfg(feature = "controller")]
mod figures;
mod generated;
#[cfg(feature = "aws")]
mod moto;
mod oracle;
mod owners;
mod plan;
mod simulation;
mod support;
mod tidy;
mod told;
mod undeclared;
