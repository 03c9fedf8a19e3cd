//! What a plan would make of the organization, on the model alone: nothing is asked, refused or waited for.

use k8s_openapi::jiff::Timestamp;

use super::effect::Made;
use super::state::State;
use crate::aws::Request;
use crate::names::{AccountId, PolicyId, UnitId};
use crate::observed::Observed;
use crate::plan::{Change, Plan};

/// The organization after every change of a plan, guarded or not, and the changes that could not be carried out, each with
/// what it waits for. What is made gets ids of its own: `p-rehearsed00001` in the order of the plan, accounts that begin with `999` by their e-mail.
#[must_use]
pub fn rehearse<G>(observed: Observed, plan: &Plan<G>, now: Timestamp) -> (Observed, Vec<(Change, String)>) {
    let state = State::new(observed);
    let mut left = vec![];
    for (number, change) in plan.changes.iter().enumerate() {
        let mut inner = state.lock();
        match inner.request(change) {
            Ok(request) => {
                let made = made(&inner.observed, &request, number);
                inner.wrote(change, &request, &made, now);
            }
            Err(missing) => left.push((change.clone(), missing)),
        }
    }
    (state.into_observed(), left)
}

/// An id of the right form for what a request makes.
fn made(observed: &Observed, request: &Request, number: usize) -> Made {
    let root = observed.root.id.as_str().trim_start_matches("r-");
    let unit = || format!("ou-{root}-rehearsed{number:05}").parse::<UnitId>().ok();
    let policy = || format!("p-rehearsed{number:05}").parse::<PolicyId>().ok();
    // The same for an object in every rehearsal, so that two of them can be compared; in a range that is told apart at sight.
    let account = |email: &str| {
        let seed = email.to_lowercase().bytes().fold(5_381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte));
        (0..1_000).find_map(|step| {
            let id = format!("999{:09}", seed.wrapping_add(step) % 1_000_000_000).parse::<AccountId>().ok()?;
            (!observed.accounts.contains_key(&id)).then_some(id)
        })
    };
    let found = match request {
        Request::CreateOrganizationalUnit { .. } => unit().map(Made::Unit),
        Request::CreatePolicy { .. } => policy().map(Made::Policy),
        Request::CreateAccount { email, .. } => account(email).map(Made::Account),
        _ => None,
    };
    found.unwrap_or(Made::Nothing)
}
