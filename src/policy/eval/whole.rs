//! A request under every policy that has a say: the organization's, the identity's, the resource's.
//!
//! Source: IAM user guide, "Policy evaluation logic" with its pages on a single account, on several, and on denies;
//! "Permissions boundaries" and "Session policies" (aws-facts section 3, "Whole request").

use super::ladder::{Decision, Ladder, Walk};
use super::request::{Caller, Request};
use super::rule::Naming;
use super::truth::Truth;

/// The kinds of policies that have a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Service control policies of the caller's account.
    ServiceControl,
    /// Resource control policies of the resource's account.
    ResourceControl,
    /// The policy of the resource.
    Resource,
    /// The policies of the identity.
    Identity,
    /// Its permissions boundary.
    Boundary,
    /// Session policies.
    Session,
}

/// The policies of a request. What is `None` has no say: there is none, or it was not asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// SCPs down the way to the caller's account. `None` for the management account, service-linked roles and services.
    pub service_control: Option<&'a Ladder>,
    /// RCPs down the way to the resource's account. `None` where the service has none, and for service-linked roles.
    pub resource_control: Option<&'a Ladder>,
    /// The resource's own policy.
    pub resource: Option<&'a Ladder>,
    /// The identity's policies. `None`: whatever they say is taken for allowed.
    pub identity: Option<&'a Ladder>,
    /// The permissions boundary.
    pub boundary: Option<&'a Ladder>,
    /// Session policies.
    pub session: Option<&'a Ladder>,
    /// Whether the resource is in another account than the caller.
    pub other_account: bool,
    /// Whether the resource's policy has to allow in its own account too, as a role's trust policy and a KMS key's policy.
    pub resource_has_to_allow: bool,
}

/// How a whole request was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// What came out.
    pub decision: Decision,
    /// Of each kind of policies that has a say, how it decided.
    pub layers: Vec<(Layer, Walk)>,
    /// The kinds that allow too little, for sure: without any of them it would not be denied implicitly.
    pub lacking: Vec<Layer>,
}

impl<'a> Layers<'a> {
    fn each(&self) -> impl Iterator<Item = (Layer, &'a Ladder)> + use<'a> {
        [
            (Layer::ServiceControl, self.service_control),
            (Layer::ResourceControl, self.resource_control),
            (Layer::Resource, self.resource),
            (Layer::Identity, self.identity),
            (Layer::Boundary, self.boundary),
            (Layer::Session, self.session),
        ]
        .into_iter()
        .filter_map(|(layer, ladder)| Some((layer, ladder?)))
    }

    /// Whether all that has to allow does, denies aside.
    fn allows(&self, request: &Request<'_>) -> Truth {
        let allows = |ladder: Option<&Ladder>| ladder.map_or(Truth::Yes, |ladder| ladder.allows(request));
        let granted = |naming| self.resource.map_or(Truth::No, |ladder| ladder.allows_by_name(request, naming));
        let organization = allows(self.service_control);
        let bounds = allows(self.boundary).and(allows(self.session));
        let own = match request.caller {
            Some(Caller::Service(_) | Caller::Anonymous) => return organization.and(granted(Naming::Account)),
            // Nothing but the organization bounds the root user in its account.
            Some(Caller::Root { .. }) => Truth::Yes,
            _ => allows(self.identity).and(bounds),
        };
        let inside = match (self.other_account, self.resource_has_to_allow) {
            (true, _) => own.and(granted(Naming::Account)),
            (false, true) => {
                own.and(granted(Naming::Account)).or(bounds.and(granted(Naming::Role))).or(granted(Naming::Himself))
            }
            (false, false) => own.or(bounds.and(granted(Naming::Role))).or(granted(Naming::Himself)),
        };
        organization.and(inside)
    }

    /// What all of them decide.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let denied = Truth::any(self.each().map(|(_, ladder)| ladder.denies(request)));
        Decision::of(denied, self.allows(request))
    }

    /// The same, with every statement that has to do with it.
    #[must_use]
    pub fn walk(&self, request: &Request<'_>) -> Whole {
        let layers: Vec<(Layer, Walk)> = self.each().map(|(layer, ladder)| (layer, ladder.walk(request))).collect();
        let lacking = self
            .each()
            // AWS's own RCPFullAWSAccess is attached everywhere and cannot be taken off.
            .filter(|(layer, ladder)| *layer != Layer::ResourceControl && ladder.allows(request) == Truth::No)
            .map(|(layer, _)| layer)
            .filter(|layer| *layer != Layer::Resource || self.other_account || self.resource_has_to_allow)
            .collect();
        Whole { decision: self.decide(request), layers, lacking }
    }
}
