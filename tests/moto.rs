//! The SDK held to moto: names of operations, shape of what goes over the wire, paging, errors. moto proves nothing
//! about quotas, order, throttles and asynchronous work: those are the organization in memory's.

mod calls;
mod differential;
#[cfg(feature = "events")]
mod queue;
