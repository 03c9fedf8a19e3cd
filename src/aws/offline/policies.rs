//! Writes to policies and attachments (aws-facts sections 1 and 2; quotas in [`crate::names::POLICY_TYPES`]).

use super::reads::{known_type, no_policy, no_target, summary};
use super::refusal::{self, Refusal};
use super::state::{Due, Policy, State};
use super::writes::Circumstances;
use crate::aws::port::{PolicyTypeStatus, Response};
use crate::names::{NodeId, PolicyId, PolicyType, RootId, Tags};
use crate::policy::Document;

/// Policy types that AWS turns on only for a trusted service (Organizations API reference,
/// `ConstraintViolationException`, reasons `SERVICE_ACCESS_NOT_ENABLED` and `POLICY_TYPE_ENABLED_FOR_THIS_SERVICE`).
const NEEDS_SERVICE: &[(&str, &str)] = &[("SECURITYHUB_POLICY", "securityhub.amazonaws.com")];

/// The document of AWS's own policy, as AWS stores it.
pub(super) fn managed_content(kind: &PolicyType) -> &'static str {
    if *kind == PolicyType::rcp() {
        "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      \"Principal\": \"*\",\n      \"Action\": \"*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}"
    } else {
        "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\",\n      \"Action\": \"*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}"
    }
}

impl State {
    /// AWS's own policies, which are there whether their type is on or not.
    pub(super) fn put_managed_policies(&mut self) {
        for rule in crate::names::POLICY_TYPES {
            let Some(Ok(id)) = rule.default_policy.map(str::parse::<PolicyId>) else { continue };
            if self.policies.contains_key(&id) {
                continue;
            }
            let kind = PolicyType::new(rule.name);
            let name = id.as_str().trim_start_matches("p-").to_owned();
            let description = match rule.name {
                "RESOURCE_CONTROL_POLICY" => "Allows access to every resource",
                _ => "Allows access to every operation",
            };
            let content = managed_content(&kind).into();
            let description = description.to_owned();
            self.put_policy(id, Policy { kind, name, description, aws_managed: true, content, tags: Tags::new() });
        }
    }

    fn available(&self) -> Result<(), Refusal> {
        if self.organization.all_features {
            return Ok(());
        }
        Err(Refusal::new(
            "PolicyTypeNotAvailableForOrganizationException",
            "You can't use the specified policy type with the feature set currently enabled for this organization.",
        ))
    }

    pub(super) fn enable_policy_type(
        &mut self,
        root: &RootId,
        kind: &PolicyType,
        at: &Circumstances,
    ) -> Result<Response, Refusal> {
        known_type(kind)?;
        if *root != self.root.id {
            return Err(Refusal::new(
                "RootNotFoundException",
                format!("You specified a root that doesn't exist: {root}"),
            ));
        }
        self.available()?;
        match self.root.policy_types.get(kind) {
            Some(PolicyTypeStatus::Enabled) => {
                return Err(Refusal::new(
                    "PolicyTypeAlreadyEnabledException",
                    "The specified policy type is already enabled.",
                ));
            }
            Some(_) => return Err(in_progress()),
            None => {}
        }
        if let Some((_, service)) = NEEDS_SERVICE.iter().find(|(name, _)| *name == kind.as_str())
            && !self.services.contains(*service)
        {
            return Err(Refusal::constraint(
                "SERVICE_ACCESS_NOT_ENABLED",
                &format!("Call EnableAWSServiceAccess for {service} first."),
            ));
        }
        if at.enabling_delay.is_zero() {
            self.set_policy_type(kind, true);
        } else {
            self.root.policy_types.insert(kind.clone(), PolicyTypeStatus::PendingEnable);
            self.later(at.now + at.enabling_delay, Due::Enabled(kind.clone()));
        }
        Ok(Response::Done)
    }

    /// A document that AWS takes for the type.
    fn check_content(kind: &PolicyType, content: &str) -> Result<(), Refusal> {
        let rule = kind.rule();
        if content.is_empty() {
            return Err(Refusal::input("MIN_LENGTH_EXCEEDED", "Content is empty."));
        }
        let characters = content.chars().count();
        if characters > rule.max_characters {
            return Err(Refusal::constraint(
                "POLICY_CONTENT_LIMIT_EXCEEDED",
                &format!(
                    "You attempted to create a policy that is larger than the maximum size ({characters} characters of {}).",
                    rule.max_characters
                ),
            ));
        }
        let malformed = |why: &str| {
            Refusal::new(
                "MalformedPolicyDocumentException",
                format!(
                    "The provided policy document doesn't meet the requirements of the specified policy type: {why}"
                ),
            )
        };
        match serde_json::from_str::<serde_json::Value>(content) {
            Ok(serde_json::Value::Object(_)) => {}
            Ok(_) => return Err(malformed("not an object")),
            Err(error) => return Err(malformed(&error.to_string())),
        }
        Document::parse(kind, content).map(|_| ()).map_err(|flaws| {
            malformed(flaws.iter().find(|flaw| flaw.error).map_or("not valid", |flaw| flaw.message.as_str()))
        })
    }

    /// The type need not be on: `CreatePolicy` does not declare `PolicyTypeNotEnabledException`, only
    /// `PolicyTypeNotAvailableForOrganizationException` for an organization without all features (API model);
    /// `AttachPolicy` declares it.
    pub(super) fn create_policy(
        &mut self,
        kind: &PolicyType,
        name: &str,
        description: &str,
        content: &str,
        tags: &Tags,
    ) -> Result<Response, Refusal> {
        known_type(kind)?;
        refusal::text("Name", name, 1, 128, refusal::any)?;
        refusal::text("Description", description, 0, 512, refusal::any)?;
        refusal::tags(tags)?;
        self.available()?;
        Self::check_content(kind, content)?;
        if self.policy_named(kind, name).is_some() {
            return Err(duplicate_policy());
        }
        let managed = usize::from(self.default_policy(kind).is_some());
        let of_kind = self.policy_names.get(kind).map_or(0, |names| names.len());
        if of_kind.saturating_sub(managed) >= kind.rule().max_policies {
            return Err(Refusal::constraint(
                "POLICY_NUMBER_LIMIT_EXCEEDED",
                "You attempted to exceed the number of policies that you can have in an organization.",
            ));
        }
        refusal::tag_count(tags.len())?;
        let id = self.mint_policy();
        let policy = Policy {
            kind: kind.clone(),
            name: name.to_owned(),
            description: description.to_owned(),
            aws_managed: false,
            content: content.into(),
            tags: tags.clone(),
        };
        let created = summary(&id, &policy);
        self.put_policy(id, policy);
        Ok(Response::PolicyCreated(created))
    }

    fn own_policy(&self, id: &PolicyId) -> Result<&Policy, Refusal> {
        let policy = self.policies.get(id).ok_or_else(|| no_policy(id))?;
        if policy.aws_managed {
            return Err(Refusal::input(
                "IMMUTABLE_POLICY",
                "You specified a policy that is managed by AWS and can't be modified.",
            ));
        }
        Ok(policy)
    }

    pub(super) fn update_policy(
        &mut self,
        id: &PolicyId,
        name: Option<&str>,
        description: Option<&str>,
        content: Option<&str>,
    ) -> Result<Response, Refusal> {
        if let Some(name) = name {
            refusal::text("Name", name, 1, 128, refusal::any)?;
        }
        if let Some(description) = description {
            refusal::text("Description", description, 0, 512, refusal::any)?;
        }
        let mut policy = self.own_policy(id)?.clone();
        if let Some(content) = content {
            Self::check_content(&policy.kind, content)?;
            policy.content = content.into();
        }
        if let Some(name) = name {
            if self.policy_named(&policy.kind, name).is_some_and(|other| other != id) {
                return Err(duplicate_policy());
            }
            policy.name = name.to_owned();
        }
        if let Some(description) = description {
            policy.description = description.to_owned();
        }
        let changed = summary(id, &policy);
        self.put_policy(id.clone(), policy);
        Ok(Response::PolicyCreated(changed))
    }

    pub(super) fn delete_policy(&mut self, id: &PolicyId) -> Result<Response, Refusal> {
        self.own_policy(id)?;
        if self.targets.get(id).is_some_and(|nodes| !nodes.is_empty()) {
            return Err(Refusal::new(
                "PolicyInUseException",
                "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation.",
            ));
        }
        self.take_policy(id);
        Ok(Response::Done)
    }

    pub(super) fn attach_policy(&mut self, id: &PolicyId, target: &NodeId) -> Result<Response, Refusal> {
        let policy = self.policies.get(id).ok_or_else(|| no_policy(id))?;
        if !self.has(target) {
            return Err(no_target(target.as_str()));
        }
        match self.root.policy_types.get(&policy.kind) {
            Some(PolicyTypeStatus::Enabled) => {}
            Some(_) => return Err(in_progress()),
            None => {
                return Err(Refusal::new(
                    "PolicyTypeNotEnabledException",
                    "This operation can be performed only for enabled policy types.",
                ));
            }
        }
        if self.is_attached(id, target) {
            return Err(Refusal::new(
                "DuplicatePolicyAttachmentException",
                "A policy with the specified name and type already exists on the target.",
            ));
        }
        if self.attached_of(target, &policy.kind).count() >= policy.kind.rule().max_attached {
            return Err(Refusal::constraint(
                "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "You have attached the maximum number of policies to the specified target.",
            ));
        }
        self.attach(id, target);
        Ok(Response::Done)
    }

    pub(super) fn detach_policy(&mut self, id: &PolicyId, target: &NodeId) -> Result<Response, Refusal> {
        let policy = self.policies.get(id).ok_or_else(|| no_policy(id))?;
        if !self.has(target) {
            return Err(no_target(target.as_str()));
        }
        if !self.is_attached(id, target) {
            return Err(Refusal::new(
                "PolicyNotAttachedException",
                "The policy isn't attached to the specified target in the specified root.",
            ));
        }
        if policy.aws_managed && policy.kind == PolicyType::rcp() {
            return Err(Refusal::input("NON_DETACHABLE_POLICY", "You can't detach this AWS Managed Policy."));
        }
        if policy.kind == PolicyType::scp() && self.attached_of(target, &policy.kind).count() <= 1 {
            return Err(Refusal::constraint(
                "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "You cannot remove the last policy attached to the specified target. You must have at least one attached at all times.",
            ));
        }
        self.detach(id, target);
        Ok(Response::Done)
    }
}

fn duplicate_policy() -> Refusal {
    Refusal::new("DuplicatePolicyException", "A policy with the same name already exists.")
}
fn in_progress() -> Refusal {
    Refusal::new(
        "PolicyChangesInProgressException",
        "Changes to the effective policy are in progress, and its contents can't be returned. Try the operation again later.",
    )
}
