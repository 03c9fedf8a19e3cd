//! Condition types and reasons, as the API promises them.

/// The object is as declared. Always present.
pub const READY: &str = "Ready";
/// bylaw is at work on the object. Present only when true.
pub const RECONCILING: &str = "Reconciling";
/// A person has to act before bylaw goes on. Present only when true.
pub const STALLED: &str = "Stalled";
/// AWS differs from what was last applied or, with `mode: Observe`, from what is declared. Present only when true.
pub const DRIFTED: &str = "Drifted";

/// AWS is as declared.
pub const REASON_SUCCEEDED: &str = "Succeeded";
/// The object cannot be used as it is written.
pub const REASON_INVALID: &str = "Invalid";
/// A change was refused by the guard; the message carries the rule and the hash.
pub const REASON_REFUSED: &str = "Refused";
/// Somebody else keeps undoing what bylaw does.
pub const REASON_CONTESTED: &str = "Contested";
/// A hold tag keeps bylaw from the object.
pub const REASON_HELD: &str = "Held";
/// An approval's time is over, and it let nothing pass.
pub const REASON_EXPIRED: &str = "Expired";
/// AWS answered with an error.
pub const REASON_AWS_ERROR: &str = "AwsError";
/// Something the object depends on is not there yet.
pub const REASON_WAITING: &str = "Waiting";
/// Differences are told and left as they are, because of `mode: Observe`.
pub const REASON_OBSERVED: &str = "Observed";
/// The Organization is suspended.
pub const REASON_SUSPENDED: &str = "Suspended";
/// Objects of the Organization are not as declared.
pub const REASON_OBJECTS: &str = "ObjectsNotReady";
/// There is no Organization, so that nobody keeps the object.
pub const REASON_NO_ORGANIZATION: &str = "NoOrganization";
/// The objects of a kind cannot be listed, and nothing is planned before they are.
pub const REASON_UNLISTED: &str = "Unlisted";
/// Somebody changed AWS since it was last as declared.
pub const REASON_CHANGED_OUTSIDE: &str = "ChangedOutside";
/// Its AWS counterpart could not be read.
pub const REASON_UNREADABLE: &str = "Unreadable";
