//! bylaw keeps an AWS organization the way its Kubernetes resources say it should be.
//!
//! The rooms, in the order in which data passes through them; imports go only that way (`tests/tidy.rs`).

#![warn(missing_docs)]

// What tests and benchmarks share names the library from outside.
#[cfg(test)]
extern crate self as bylaw;

pub mod names;

pub mod policy;

pub mod api;
pub mod apply;
pub mod aws;
pub mod cli;
#[cfg(feature = "controller")]
pub mod controller;
pub mod desired;
pub mod events;
pub mod judge;
pub mod observed;
pub mod pass;
pub mod plan;
#[cfg(feature = "controller")]
pub mod process;
pub mod status;
pub mod store;
pub mod trail;
