//! The policy languages: documents parsed with their places, compared by meaning, made as small as possible.
//!
//! The way of the data: text → [`json`] (a tree with places) → [`read`] or [`management`] (the languages, every flaw at
//! once) → [`document`] (what other rooms hold), which [`canonical`] writes, [`atoms`] cuts and [`diff`] compares.
//!
//! Pure. Architecture invariant: nothing here knows where a policy is attached or who asks.

pub mod atoms;
pub mod call;
pub mod canonical;
pub mod compare;
pub mod condition;
pub mod diff;
pub mod document;
pub mod eval;
pub mod flaw;
pub mod json;
pub mod lint;
pub mod management;
pub mod minify;
pub mod pattern;
mod principal;
pub mod read;
pub mod services;
pub mod statement;
pub mod template;
#[cfg(test)]
mod tests;

pub use atoms::{covers, meeting};
pub use document::Document;
pub use flaw::Flaw;
