//! What the integration tests share.

#[cfg(feature = "aws")]
pub mod moto;
