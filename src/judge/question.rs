//! One question: may this principal do that there? And its answer, with the statements that made it.

use std::collections::BTreeSet;

use super::forest::{Forest, Node, Policy, Standing};
use super::principal::Principal;
use crate::names::AccountId;
use crate::policy::call;
use crate::policy::eval::{Action, Caller, Decision, Fact, Facts, Ladder, Layers, Place, Request, Step, Truth};
use crate::policy::services;
use crate::policy::services::exceptions::{self, Unbound};
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
    /// The account of who asks; where who asks is of no account of the organization, that of the resource.
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
    /// It hangs on the action, which is not known.
    pub open_action: bool,
    /// It hangs on who asks: that is not known, or not named in full.
    pub open_principal: bool,
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
    /// Condition keys that it hangs on, [`RESOURCE`], [`ACTION`], [`PRINCIPAL`] and [`RESOURCE_POLICY`].
    pub depends_on: BTreeSet<String>,
    /// Why SCPs or RCPs have no say here, for people.
    pub exempt: Vec<&'static str>,
    /// What else has to allow it and was not asked, for people.
    pub unasked: Option<&'static str>,
    /// What was taken for so without being told, for people.
    pub assumed: Option<&'static str>,
    /// What is not known of the way, for people: with any of it, allowed is not for sure.
    pub gaps: Vec<String>,
    /// Only declared policies were asked: what no manifest declares may deny it, or allow it where nothing declared does.
    pub declared_only: bool,
}

impl<'a> Verdict<'a> {
    /// The statement that denied, where one did.
    #[must_use]
    pub fn denied(&self) -> Option<&Ruling<'a>> {
        self.denied_by.and_then(|at| self.rulings.get(at))
    }
}

/// In [`Verdict::depends_on`]: the resource.
pub const RESOURCE: &str = "resource";
/// In [`Verdict::depends_on`]: the action, where AWS's reference does not know the name.
pub const ACTION: &str = "action";
/// In [`Verdict::depends_on`]: who asks.
pub const PRINCIPAL: &str = "principal";
/// In [`Verdict::depends_on`]: the resource's own policy.
pub const RESOURCE_POLICY: &str = "resource policy";

/// What a question without one of these has to say about them.
const MANAGEMENT: &str = "it is the management account, which neither SCPs nor RCPs bind";
const MANAGEMENT_CALLER: &str = "who asks is of the management account, which no SCP binds";
const SERVICE_LINKED: &str = "a service-linked role is not bound by SCPs or RCPs";

/// Whether RCPs may bind the action: some services have none (aws-facts section 3), and of an unknown one nobody knows.
fn may_have_resource_control(action: &Action) -> bool {
    services::service(action.service()).is_none_or(|service| service.rcp)
}

const OUTSIDE: &str = "who asks is of no account of the organization, so that no SCP binds it";
const OTHER_ACCOUNT: &str = "the resource is in another account than who asks: its own policy has to allow it too";
const NO_ACCOUNT: &str = "who asks has no account: the resource's own policy has to allow it";
const OWN_RESOURCE: &str = "the resource's ARN names no account: it is taken for one of the account of who asks, whose resource control policies bind it; `--context aws:ResourceAccount=…` tells whose it is";
const OWN_POLICY: &str = "the resource's own policy has to allow it, whatever else does";
const MANAGED_KEY_POLICY: &str = "the key's own policy, which nobody can change, has to allow it too: to principals of its account through its service";

/// What is known of the organization of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Membership {
    /// This one.
    Own,
    /// It is of no account, and its kind says what its requests carry.
    NoAccount,
    /// Another, which no policy names.
    Another,
    /// None.
    Lone,
    /// Another or none.
    NotOwn,
}

/// The account and the region of an ARN.
pub(super) fn parts_of(arn: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = arn.splitn(6, ':').skip(3);
    let region = parts.next().filter(|region| !region.is_empty() && !region.contains(['*', '?', '$']));
    let account = parts.next().filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
    (account, region)
}

impl Question<'_> {
    /// Whether who asks is of no account of the organization.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        self.principal.is_some_and(|principal| principal.account() != Some(self.account.as_str()))
    }

    /// What is known of the condition keys: what was told, what follows from principal, resource and place, and what the
    /// action never carries, on that leg of its call where one is given.
    fn facts(
        &self,
        forest: &Forest,
        standing: &Standing,
        ladders: &[&Ladder],
        leg: Option<&call::Leg>,
        membership: Membership,
    ) -> Facts {
        let mut facts = Facts::unknown();
        let outside = membership != Membership::Own;
        if !outside {
            facts.set_one("aws:PrincipalAccount", self.account.as_str());
            if !forest.declared_only {
                facts.set_one("aws:PrincipalOrgID", forest.organization.id.as_str());
                facts.set("aws:PrincipalOrgPaths", [forest.organization_path(standing)]);
            }
        }
        if let Some(principal) = self.principal {
            principal.tell(&mut facts);
        }
        match membership {
            Membership::Another => {
                facts.set_one("aws:PrincipalOrgID", "o-another");
                facts.set("aws:PrincipalOrgPaths", ["o-another/r-another/"]);
            }
            Membership::Lone => {
                facts.set_absent("aws:PrincipalOrgID");
                facts.set_absent("aws:PrincipalOrgPaths");
            }
            Membership::Own | Membership::NoAccount | Membership::NotOwn => {}
        }
        let (account, region) = self.resource.map_or((None, None), parts_of);
        if let Some(region) = region {
            facts.set_one("aws:RequestedRegion", region);
        }
        if let Some(account) = account.or(outside.then_some(standing.account.as_str())) {
            facts.set_one("aws:ResourceAccount", account);
            let holder = account.parse::<AccountId>().ok().and_then(|account| forest.standing(&account));
            if let Some(holder) = holder.filter(|_| !forest.declared_only) {
                facts.set_one("aws:ResourceOrgID", forest.organization.id.as_str());
                facts.set("aws:ResourceOrgPaths", [forest.organization_path(&holder)]);
            }
        }
        let known = services::action(self.action.as_str());
        let never = |key: &str| match leg {
            Some(leg) => leg.never_carries(key),
            None => known.is_some_and(|action| action.never_carries(key)),
        };
        for ladder in ladders {
            ladder.keys_of(self.action, |key| {
                if facts.of(key) == Fact::Unknown && never(key) {
                    facts.set_absent(key);
                }
            });
        }
        match (self.resource, leg) {
            (Some(_), _) => facts.set_among(self.stands_for()),
            (None, Some(leg)) if self.told.among().is_empty() => facts.set_among(self.resources_of(forest, leg)),
            (None, _) => facts.set_among(self.told.among().iter().cloned()),
        }
        // A key that the action carries on another resource is not on this one.
        let elsewhere = |key: &str| leg.is_some_and(|leg| leg.never_carries(key) && leg.action().carries(key));
        for (key, _) in self.told.iter().filter(|(key, _)| elsewhere(key)) {
            facts.set_absent(key);
        }
        for (key, values) in self.told.iter().filter(|(key, _)| !elsewhere(key)) {
            match values {
                Some(values) => facts.set(key, values.iter().cloned()),
                None => facts.set_unknown(key),
            }
        }
        facts
    }

    /// Whether the resource is a key that AWS manages, by its alias.
    fn is_of_aws_managed_key(&self) -> bool {
        let told = |key: &str| match self.told.of(key) {
            Fact::Values([alias]) => exceptions::is_of_aws_managed_key(alias),
            _ => false,
        };
        self.resource.and_then(exceptions::key_alias).is_some_and(exceptions::is_of_aws_managed_key)
            || (self.action.service().eq_ignore_ascii_case("kms")
                && (told("kms:ResourceAliases") || told("kms:RequestAlias")))
    }

    /// What a named resource is one of, where it is a pattern and not one itself.
    fn stands_for(&self) -> Option<&str> {
        let resource = self.resource.filter(|resource| *resource != "*")?;
        resource.contains(['*', '?']).then_some(resource)
    }

    /// The resources of a leg, as patterns: where they are as far as that is known.
    pub(super) fn resources_of(&self, forest: &Forest, leg: &call::Leg) -> Vec<String> {
        // What a call creates, and a role that it passes, is in the account of who asks.
        let created = leg.tags() == call::Reach::Yes || leg.name() == "role";
        let mut place = self.place(forest, created);
        // The ARN of a key has the account that owns it.
        if let (false, "kms", Fact::Values([account])) =
            (created, leg.action().service.prefix, self.told.of("aws:ResourceAccount"))
        {
            place.account = Some(account);
        }
        leg.arns().map(|arn| place.pattern(arn)).collect()
    }

    /// Where resources are, as far as that is known.
    pub(super) fn place<'p>(&'p self, forest: &'p Forest, own_account: bool) -> call::Place<'p> {
        let region = match self.told.of("aws:RequestedRegion") {
            Fact::Values([region]) => Some(&**region),
            _ => None,
        };
        let account = self.principal.map_or(Some(self.account.as_str()), Principal::account);
        let arn = self.principal.map(Principal::arn).filter(|arn| arn.starts_with("arn:"));
        let partition = arn.and_then(|arn| arn.split(':').nth(1)).or(forest.partition.as_deref());
        call::Place { partition, region, account: account.filter(|_| own_account) }
    }

    /// Asks of one authorization: of the action on the resource.
    #[must_use]
    pub fn ask<'a>(&self, forest: &'a Forest, standing: &'a Standing) -> Verdict<'a> {
        self.ask_on(forest, standing, None)
    }

    /// The same on a leg of the action's call.
    pub(super) fn ask_on<'a>(
        &self,
        forest: &'a Forest,
        standing: &'a Standing,
        leg: Option<&call::Leg>,
    ) -> Verdict<'a> {
        let ask = |membership| self.ask_as(forest, standing, leg, membership);
        match self.principal {
            Some(principal) if self.is_from_outside() => {
                if principal.account().is_none() {
                    return ask(Membership::NoAccount);
                }
                if forest.declared_only || forest.names_other_organizations(standing) {
                    return ask(Membership::NotOwn);
                }
                let (another, lone) = (ask(Membership::Another), ask(Membership::Lone));
                if another.decision == lone.decision { another } else { ask(Membership::NotOwn) }
            }
            _ => ask(Membership::Own),
        }
    }

    fn ask_as<'a>(
        &self,
        forest: &'a Forest,
        standing: &'a Standing,
        leg: Option<&call::Leg>,
        membership: Membership,
    ) -> Verdict<'a> {
        let outside = membership != Membership::Own;
        let service_linked = self.principal.is_some_and(Principal::is_service_linked);
        let exception = exceptions::exception(self.action.as_str());
        let unbound = exception.is_some_and(|exception| exception.unbound == Unbound::ByAny);
        let managed_key = self.is_of_aws_managed_key();
        let rcp_unbound = exception.is_some() || managed_key;
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
        let other_account = other_account || outside;
        let bound = |ladder: Option<&'a Ladder>| ladder.filter(|_| !service_linked && !unbound && !outside);
        let has_to_allow = exceptions::needs_resource_policy(self.action.as_str());
        let layers = Layers {
            service_control: bound(standing.service_control()),
            resource_control: holder
                .and_then(Standing::resource_control)
                .filter(|_| !service_linked && !rcp_unbound && may_have_resource_control(self.action)),
            resource: self.own.resource.as_ref().filter(|_| !unbound),
            identity: self.own.identity.as_ref().filter(|_| !unbound),
            boundary: self.own.boundary.as_ref().filter(|_| !unbound),
            session: self.own.session.as_ref().filter(|_| !unbound),
            // Without the resource's policy nobody knows what it says: that is not asked.
            other_account: other_account && self.own.resource.is_some(),
            resource_has_to_allow: self.own.resource.is_some() && has_to_allow,
        };
        let ladders: Vec<&Ladder> = [layers.service_control, layers.resource_control, layers.resource]
            .into_iter()
            .chain([layers.identity, layers.boundary, layers.session])
            .flatten()
            .collect();
        let facts = self.facts(forest, standing, &ladders, leg, membership);
        let request = Request {
            action: self.action,
            resource: self.resource.filter(|_| self.stands_for().is_none()),
            facts: &facts,
            // Only the resource's policy could allow it to who has no account.
            caller: self.principal.and_then(Principal::caller).filter(|caller| {
                self.own.resource.is_some() || !matches!(caller, Caller::Service(_) | Caller::Anonymous)
            }),
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
        let nothing_binds = service_linked || standing.management || unbound;
        let mut gaps = if nothing_binds { vec![] } else { standing.gaps.clone() };
        if let Some(holder) = holder.filter(|holder| holder.account != *self.account && !unbound) {
            gaps.extend(holder.gaps.iter().cloned());
        }
        if forest.declared_only && matches!(membership, Membership::NotOwn) {
            gaps.push("manifests do not tell whether the account of who asks is of the organization".to_owned());
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
        let unasked = match self.own.resource {
            _ if unbound => None,
            None if membership == Membership::NoAccount => Some(NO_ACCOUNT),
            None if other_account => Some(OTHER_ACCOUNT),
            None if managed_key => Some(MANAGED_KEY_POLICY),
            None if has_to_allow => Some(OWN_POLICY),
            _ => None,
        };
        // What an identity's policy allows is not allowed by that alone.
        let open_policy = decision == Decision::Allowed && unasked.is_some() && self.own.identity.is_some();
        let decision = if open_policy { Decision::Depends } else { decision };
        let mut exempt = vec![];
        if let Some(exception) = exception {
            exempt.push(exception.why);
        }
        if managed_key {
            exempt.push(exceptions::AWS_MANAGED_KEY);
        }
        if outside {
            exempt.push(OUTSIDE);
        }
        if standing.management && !unbound {
            // The RCPs of another account bind who asks for its resources, wherever they are from.
            exempt.push(if layers.resource_control.is_some() { MANAGEMENT_CALLER } else { MANAGEMENT });
        }
        if service_linked {
            exempt.push(SERVICE_LINKED);
        }
        let names_none = match (self.resource, leg) {
            (Some(arn), _) => arn != "*" && parts_of(arn).0.is_none(),
            (None, Some(leg)) => leg.arns().any(|arn| !arn.contains("${Account}")),
            (None, None) => false,
        };
        let by_resource = layers.resource_control.is_some_and(|ladder| ladder.speaks_of(self.action));
        let taken_for_own = !outside && resource_account.is_none() && names_none && by_resource;
        let assumed = taken_for_own.then_some(OWN_RESOURCE);
        let stopped_at = stopped_at.filter(|_| decision == Decision::Denied && silent);
        let mut depends_on = if decision == Decision::Depends { open(&rulings, &facts) } else { BTreeSet::new() };
        if open_policy {
            depends_on.insert(RESOURCE_POLICY.to_owned());
        }
        let lacking = if decision == Decision::Denied && denied_by.is_none() { whole.lacking } else { vec![] };
        let declared_only = forest.declared_only;
        Verdict {
            decision,
            rulings,
            denied_by,
            stopped_at,
            lacking,
            depends_on,
            exempt,
            unasked,
            assumed,
            gaps,
            declared_only,
        }
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
        open_action: step.open.action,
        open_principal: step.open.principal,
    }
}

/// What is not known and makes a difference.
fn open(rulings: &[Ruling<'_>], facts: &Facts) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for ruling in rulings.iter().filter(|ruling| ruling.applies == Truth::Depends) {
        if ruling.open_resource {
            keys.insert(RESOURCE.to_owned());
        }
        if ruling.open_action {
            keys.insert(ACTION.to_owned());
        }
        if ruling.open_principal {
            keys.insert(PRINCIPAL.to_owned());
        }
        ruling.open.iter().for_each(|clause| unknown(clause, facts, &mut keys));
    }
    keys
}

/// The keys of a clause that nothing is known of: its own, and those of the variables in its values; where all are known, those without
/// the one value that its meaning asks for.
pub(super) fn unknown(clause: &Clause, facts: &Facts, keys: &mut BTreeSet<String>) {
    let named: Vec<String> = clause.values.iter().flat_map(|value| variables(value)).collect();
    let all = || [&clause.key].into_iter().chain(&named);
    let open: Vec<&String> = all().filter(|key| facts.of(key) == Fact::Unknown || facts.may_differ(key)).collect();
    if !open.is_empty() {
        keys.extend(open.into_iter().cloned());
        return;
    }
    let several = |key: &&String| matches!(facts.of(key), Fact::Values([_, _, ..]));
    keys.extend(all().filter(several).cloned());
    keys.extend(named.iter().filter(|key| facts.of(key) == Fact::Absent).cloned());
}

/// The keys of `${…}` in a text.
fn variables(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split("${").skip(1).filter_map(|rest| {
        let inside = rest.split('}').next()?;
        let key = inside.split(',').next()?.trim();
        (!matches!(key, "*" | "?" | "$")).then(|| key.to_owned())
    })
}
