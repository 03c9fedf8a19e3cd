//! The custom resources of group `bylaw.dev/v1alpha1`, one file a kind, as people write them.
//!
//! Architecture invariant: nothing here is validated beyond what the CRD's schema and CEL rules say of one object alone;
//! whatever needs two objects is `desired`'s.

#![allow(clippy::duplicated_attributes, reason = "each printer column of the derive has the same attributes again")]

pub mod account;
pub mod approval;
pub mod common;
pub mod conditions;
pub mod organization;
pub mod organizational_unit;
pub mod policy;
mod values;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};

pub use account::{Account, AccountSpec, AccountStatus};
pub use approval::{Approval, ApprovalSpec, ApprovalStatus};
pub use common::{AdoptionPolicy, Attachments, BaseAccess, DeletionPolicy, LabelSelector, Mode, Reference, Target};
pub use organization::{Organization, OrganizationSpec, OrganizationStatus};
pub use organizational_unit::{OrganizationalUnit, OrganizationalUnitSpec, OrganizationalUnitStatus};
pub use policy::{OrganizationPolicy, OrganizationPolicySpec, OrganizationPolicyStatus};

/// `group/version` of every kind.
pub const API_VERSION: &str = "bylaw.dev/v1alpha1";

/// Keeps an object whose deletion is to delete or close something in AWS, until that is done or given up.
pub const FINALIZER: &str = "bylaw.dev/delete";

/// The definitions of all kinds, in the order in which objects depend on one another.
///
/// A status begins with an `observedGeneration` that no object has, so that kstatus takes what the controller has not looked
/// at yet for `InProgress` and not for `Current`.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    use kube::CustomResourceExt;
    let mut all = vec![
        Organization::crd(),
        OrganizationalUnit::crd(),
        Account::crd(),
        OrganizationPolicy::crd(),
        Approval::crd(),
    ];
    all.iter_mut().for_each(values::explain);
    let schemas = all.iter_mut().flat_map(|definition| &mut definition.spec.versions);
    let schemas =
        schemas.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()?.properties.as_mut());
    for status in schemas.filter_map(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(serde_json::json!({"observedGeneration": NEVER_OBSERVED})));
    }
    all
}

/// `status.observedGeneration` of an object that the controller has not looked at.
const NEVER_OBSERVED: i64 = -1;
