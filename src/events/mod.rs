//! What AWS tells of itself: CloudTrail records of calls to Organizations, as EventBridge delivers them, read as hints.
//!
//! Pure. Architecture invariants: a hint says where to look and who was at it, and never what is there: nothing is planned
//! from its words; and whatever arrives, however odd, ends as one [`Reading`].

pub mod record;
pub mod trail;

pub use record::{Hint, Listener, Reading, read};
pub use trail::Trail;
