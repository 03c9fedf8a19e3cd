//! What the integration tests share.

#[cfg(feature = "aws")]
pub mod form;
#[cfg(feature = "controller")]
pub mod kube;
#[cfg(feature = "aws")]
pub mod moto;
#[cfg(feature = "aws")]
pub mod proxy;
#[cfg(feature = "controller")]
pub mod relay;
pub mod scratch;
#[cfg(feature = "aws")]
pub mod shell;
