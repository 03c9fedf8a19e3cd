//! Plans and results for machines: design section 7, held by the schemas in `schemas/`.

use serde_json::Value;

use super::Context;
use super::saved::SavedPlan;
use crate::desired::Desired;
use crate::pass::{Planned, Report};

/// A plan as JSON. `saved`: for `plan --out`.
#[must_use]
pub fn plan(planned: &Planned, desired: &Desired, context: &Context, saved: Option<SavedPlan>) -> Value {
    let _ = (planned, desired, context, saved);
    Value::Null
}

/// What `apply` did, as JSON. `planned` is what was applied.
#[must_use]
pub fn report(report: &Report, planned: &Planned, desired: &Desired, context: &Context) -> Value {
    let _ = (report, planned, desired, context);
    Value::Null
}
