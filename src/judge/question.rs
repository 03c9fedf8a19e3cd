//! One question: may this principal do that there? And its answer, with the statements that made it.

use std::collections::BTreeSet;

use super::forest::{Forest, Node, Policy, Standing};
use super::principal::Principal;
use crate::names::AccountId;
use crate::policy::eval::{Action, Decision, Fact, Facts, Ladder, Layers, Place, Request, Step, Truth};
use crate::policy::services;
use crate::policy::statement::{Clause, Effect, Statement};

pub use crate::policy::eval::Layer;

/// Policies of the caller and the resource that a question brings along; what is `None` is not asked of.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// The identity's.
    pub identity: Option<Ladder>,
    /// The permissions boundary.
    pub boundary: Option<Ladder>,
    /// Of the session.
    pub session: Option<Ladder>,
    /// The resource's.
    pub resource: Option<Ladder>,
}

/// What is asked.
pub struct Question<'a> {
    /// The account of who asks.
    pub account: &'a AccountId,
    /// The action.
    pub action: &'a Action,
    /// The resource's ARN, `*` for none; `None`: any.
    pub resource: Option<&'a str>,
    /// Who asks; `None`: anybody in the account.
    pub principal: Option<&'a Principal>,
    /// Condition keys that were told. They count more than what follows from the rest.
    pub told: &'a Facts,
    /// Policies that are brought along.
    pub own: &'a Own,
}

/// A statement that had a say.
#[derive(Debug, Clone)]
pub struct Ruling<'a> {
    /// Of which kind of policies.
    pub layer: Layer,
    /// Where it is attached; `None` for policies that were brought along.
    pub node: Option<&'a Node>,
    /// The policy, likewise.
    pub policy: Option<&'a Policy>,
    /// Its place in its ladder.
    pub place: Place,
    /// The statement, where its policy is of the organization.
    pub statement: Option<&'a Statement>,
    /// Allow or deny.
    pub effect: Effect,
    /// Whether it applies for sure.
    pub applies: Truth,
    /// What it hangs on: clauses of its condition.
    pub open: Vec<&'a Clause>,
    /// It hangs on the resource, which is not known.
    pub open_resource: bool,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Verdict<'a> {
    /// What came out.
    pub decision: Decision,
    /// Every statement that had a say, from the root down.
    pub rulings: Vec<Ruling<'a>>,
    /// Index in `rulings` of what denied, where a statement did.
    pub denied_by: Option<usize>,
    /// The first node at which nothing allows, where that is why it is denied.
    pub stopped_at: Option<&'a Node>,
    /// Kinds of policies that were brought along and do not allow.
    pub lacking: Vec<Layer>,
    /// Condition keys that it hangs on, and `resource`.
    pub depends_on: BTreeSet<String>,
    /// Why SCPs or RCPs have no say here, for people.
    pub exempt: Vec<&'static str>,
    /// What is not known of the way, for people: with any of it, allowed is not for sure.
    pub gaps: Vec<String>,
}

impl<'a> Verdict<'a> {
    /// The statement that denied, where one did.
    #[must_use]
    pub fn denied(&self) -> Option<&Ruling<'a>> {
        self.denied_by.and_then(|at| self.rulings.get(at))
    }
}

/// What a question without one of these has to say about them.
const MANAGEMENT: &str = "it is the management account, which neither SCPs nor RCPs bind";
const MANAGEMENT_CALLER: &str = "who asks is of the management account, which no SCP binds";
const SERVICE_LINKED: &str = "a service-linked role is not bound by SCPs or RCPs";

/// Whether RCPs may bind the action: some services have none (aws-facts section 3), and of an unknown one nobody knows.
fn may_have_resource_control(action: &Action) -> bool {
    services::service(action.service()).is_none_or(|service| service.rcp)
}

/// Whether the resource's policy has to allow the action also to the account of the resource: a KMS key's and a role's do
/// (IAM user guide, "Policy evaluation for requests within a single account").
fn needs_resource_policy(action: &Action) -> bool {
    let name = action.as_str().to_ascii_lowercase();
    action.service() == "kms" || name.starts_with("sts:assumerole")
}

/// The account and the region of an ARN.
fn parts_of(arn: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = arn.splitn(6, ':').skip(3);
    let region = parts.next().filter(|region| !region.is_empty() && !region.contains(['*', '?', '$']));
    let account = parts.next().filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
    (account, region)
}

impl Question<'_> {
    /// What is known of the condition keys: what was told, what follows from principal, resource and place, and what the
    /// action never carries.
    fn facts(&self, forest: &Forest, standing: &Standing, ladders: &[&Ladder]) -> Facts {
        let mut facts = Facts::unknown();
        facts.set_one("aws:PrincipalAccount", self.account.as_str());
        facts.set_one("aws:PrincipalOrgID", forest.organization.id.as_str());
        facts.set("aws:PrincipalOrgPaths", [forest.organization_path(standing)]);
        if let Some(principal) = self.principal {
            principal.tell(&mut facts);
        }
        let (account, region) = self.resource.map_or((None, None), parts_of);
        if let Some(region) = region {
            facts.set_one("aws:RequestedRegion", region);
        }
        if let Some(account) = account {
            facts.set_one("aws:ResourceAccount", account);
            let holder = account.parse::<AccountId>().ok().and_then(|account| forest.standing(&account));
            if let Some(holder) = holder {
                facts.set_one("aws:ResourceOrgID", forest.organization.id.as_str());
                facts.set("aws:ResourceOrgPaths", [forest.organization_path(&holder)]);
            }
        }
        let known = services::action(self.action.as_str());
        for ladder in ladders {
            ladder.keys_of(self.action, |key| {
                if facts.of(key) == Fact::Unknown && known.is_some_and(|action| action.never_carries(key)) {
                    facts.set_absent(key);
                }
            });
        }
        for (key, values) in self.told.iter() {
            match values {
                Some(values) => facts.set(key, values.iter().cloned()),
                None => facts.set_unknown(key),
            }
        }
        facts
    }

    /// Asks.
    #[must_use]
    pub fn ask<'a>(&self, forest: &'a Forest, standing: &'a Standing) -> Verdict<'a> {
        let service_linked = self.principal.is_some_and(Principal::is_service_linked);
        let told_account = match self.told.of("aws:ResourceAccount") {
            Fact::Values([account]) => Some(&**account),
            _ => None,
        };
        let resource_account = told_account.or_else(|| self.resource.and_then(|arn| parts_of(arn).0));
        let other_account = resource_account.is_some_and(|account| account != self.account.as_str());
        // The RCPs are those of the resource's account; where that is not told, it is taken for the caller's own.
        let holder = resource_account
            .filter(|_| other_account)
            .and_then(|account| account.parse::<AccountId>().ok())
            .and_then(|account| forest.standing(&account));
        let holder = holder.as_ref().or((!other_account).then_some(standing));
        let bound = |ladder: Option<&'a Ladder>| ladder.filter(|_| !service_linked);
        let layers = Layers {
            service_control: bound(standing.service_control()),
            resource_control: holder
                .and_then(Standing::resource_control)
                .filter(|_| !service_linked && may_have_resource_control(self.action)),
            resource: self.own.resource.as_ref(),
            identity: self.own.identity.as_ref(),
            boundary: self.own.boundary.as_ref(),
            session: self.own.session.as_ref(),
            // Without the resource's policy nobody knows what it says: that is not asked.
            other_account: other_account && self.own.resource.is_some(),
            resource_has_to_allow: self.own.resource.is_some() && needs_resource_policy(self.action),
        };
        let ladders: Vec<&Ladder> = [layers.service_control, layers.resource_control, layers.resource]
            .into_iter()
            .chain([layers.identity, layers.boundary, layers.session])
            .flatten()
            .collect();
        let facts = self.facts(forest, standing, &ladders);
        let request = Request {
            action: self.action,
            resource: self.resource,
            facts: &facts,
            caller: self.principal.map(Principal::caller),
        };
        let whole = layers.walk(&request);
        let mut rulings = vec![];
        let mut stopped_at = None;
        for (layer, walk) in &whole.layers {
            if *layer == Layer::ServiceControl {
                stopped_at = walk.stopped_at().and_then(|at| forest.node(*standing.path.get(at)?));
            }
            for step in &walk.steps {
                let at = match layer {
                    Layer::ServiceControl => forest.service_control_at(standing, step.place),
                    Layer::ResourceControl => holder.and_then(|holder| forest.resource_control_at(holder, step.place)),
                    _ => None,
                };
                rulings.push(ruling(*layer, at, step));
            }
        }
        let mut gaps = if service_linked || standing.management { vec![] } else { standing.gaps.clone() };
        if let Some(holder) = holder.filter(|holder| holder.account != *self.account) {
            gaps.extend(holder.gaps.iter().cloned());
        }
        let denies = |ruling: &Ruling<'_>| ruling.effect == Effect::Deny && ruling.applies == Truth::Yes;
        let denied_by = rulings.iter().position(denies);
        // What was not read may deny, and may be what allows it at a node where nothing else does.
        let silent = denied_by.is_none() && stopped_at.is_some();
        let decision = match whole.decision {
            Decision::Allowed if !gaps.is_empty() => Decision::Depends,
            Decision::Denied if !gaps.is_empty() && silent => Decision::Depends,
            other => other,
        };
        let mut exempt = vec![];
        if standing.management {
            // The RCPs of another account bind who asks for its resources, wherever they are from.
            exempt.push(if layers.resource_control.is_some() { MANAGEMENT_CALLER } else { MANAGEMENT });
        }
        if service_linked {
            exempt.push(SERVICE_LINKED);
        }
        let stopped_at = stopped_at.filter(|_| decision == Decision::Denied && silent);
        let depends_on = if decision == Decision::Depends { open(&rulings, &facts) } else { BTreeSet::new() };
        let lacking = if decision == Decision::Denied && denied_by.is_none() { whole.lacking } else { vec![] };
        Verdict { decision, rulings, denied_by, stopped_at, lacking, depends_on, exempt, gaps }
    }
}

fn ruling<'a>(layer: Layer, at: Option<(&'a Node, &'a Policy)>, step: &Step) -> Ruling<'a> {
    let (node, policy) = (at.map(|(node, _)| node), at.map(|(_, policy)| policy));
    let statement = policy.and_then(|policy| policy.statement(step.place.statement));
    let clause = |at: &usize| statement.and_then(|statement| statement.condition.get(*at));
    Ruling {
        layer,
        node,
        policy,
        place: step.place,
        statement,
        effect: step.effect,
        applies: step.applies,
        open: step.open.clauses.iter().filter_map(clause).collect(),
        open_resource: step.open.resource,
    }
}

/// What is not known and makes a difference.
fn open(rulings: &[Ruling<'_>], facts: &Facts) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for ruling in rulings.iter().filter(|ruling| ruling.applies == Truth::Depends) {
        if ruling.open_resource {
            keys.insert("resource".to_owned());
        }
        ruling.open.iter().for_each(|clause| unknown(clause, facts, &mut keys));
    }
    keys
}

/// The keys of a clause that nothing is known of: its own, and those of the variables in its values.
pub(super) fn unknown(clause: &Clause, facts: &Facts, keys: &mut BTreeSet<String>) {
    let named = clause.values.iter().flat_map(|value| variables(value));
    keys.extend([clause.key.clone()].into_iter().chain(named).filter(|key| facts.of(key) == Fact::Unknown));
}

/// The keys of `${…}` in a text.
fn variables(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split("${").skip(1).filter_map(|rest| {
        let inside = rest.split('}').next()?;
        let key = inside.split(',').next()?.trim();
        (!matches!(key, "*" | "?" | "$")).then(|| key.to_owned())
    })
}
