//! One call, asked of everything that AWS authorizes it on: each of its resources, and the actions that it needs besides.

use super::forest::{Forest, Standing};
use super::question::{ACTION, Own, Question, Verdict};
use crate::policy::call::{self, Dependent, Leg, Need, When};
use crate::policy::eval::{Action, Decision, Fact, Facts};
use crate::policy::services::{self, exceptions};

/// When AWS authorizes a part of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Needed {
    /// In every call.
    Always,
    /// Every call is on one of the resource types with the same number.
    OneOf(usize),
    /// In calls that have such a resource.
    IfThere,
    /// A dependent action.
    Besides {
        /// When.
        when: When,
        /// Whether that is known of this call.
        sure: bool,
    },
}

impl Needed {
    /// Whether a denial of it denies the call.
    #[must_use]
    pub fn is_sure(self) -> bool {
        matches!(self, Self::Always | Self::Besides { sure: true, .. })
    }
}

/// One authorization of a call, and its answer.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// The action: the call's own, or a dependent one.
    pub action: String,
    /// Name of the resource type in AWS's reference; `None` where the action has none, or the resource is of none that it lists.
    pub resource_type: Option<&'static str>,
    /// The resource, where the question names it.
    pub resource: Option<String>,
    /// When AWS authorizes it.
    pub needed: Needed,
    /// Whether the tags that a request sends are in its context; `None` where such requests send none.
    pub tags: Option<call::Reach>,
    /// The answer.
    pub verdict: Verdict<'a>,
}

/// The answer of a whole call.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// What came out.
    pub decision: Decision,
    /// Every part, those of the action itself first.
    pub parts: Vec<Part<'a>>,
    /// Index of the part that decides: the first that denies, else the first that does not surely allow, else the first.
    pub decided_by: usize,
    /// The actions that were asked for, where the name is that of a call of an API and of no action.
    pub asked_as: Vec<String>,
}

impl<'a> Answer<'a> {
    fn of(parts: Vec<Part<'a>>) -> Option<Self> {
        let denied = |part: &Part<'_>| part.verdict.decision == Decision::Denied;
        let all_of_group = |group: usize| {
            let of_group = |part: &&Part<'_>| part.needed == Needed::OneOf(group);
            parts.iter().filter(of_group).all(denied)
        };
        let denies = |part: &Part<'_>| {
            denied(part)
                && match part.needed {
                    Needed::OneOf(group) => all_of_group(group),
                    needed => needed.is_sure(),
                }
        };
        let open = |part: &Part<'_>| part.verdict.decision != Decision::Allowed;
        let (decision, decided_by) = match (parts.iter().position(denies), parts.iter().position(open)) {
            (Some(at), _) => (Decision::Denied, at),
            (None, Some(at)) => (Decision::Depends, at),
            (None, None) => (Decision::Allowed, 0),
        };
        (!parts.is_empty()).then_some(Self { decision, parts, decided_by, asked_as: vec![] })
    }

    /// Of a call that is authorized as one of several actions.
    fn or(mut self, mut other: Self) -> Self {
        let from = self.parts.len();
        let open = |answer: &Self| answer.decision != Decision::Allowed;
        if self.decision != other.decision {
            if !open(&self) {
                self.decided_by = from + other.decided_by;
            }
            self.decision = Decision::Depends;
            // Which of them it is decides.
            for part in self.parts.iter_mut().chain(&mut other.parts) {
                if part.verdict.decision == Decision::Denied {
                    part.verdict.depends_on.insert(ACTION.to_owned());
                }
            }
        }
        self.parts.append(&mut other.parts);
        self.asked_as.append(&mut other.asked_as);
        self
    }

    /// Nothing is known.
    fn none() -> Self {
        Self { decision: Decision::Depends, parts: vec![], decided_by: 0, asked_as: vec![] }
    }

    /// The part that decides.
    #[must_use]
    pub fn deciding(&self) -> Option<&Part<'a>> {
        self.parts.get(self.decided_by)
    }

    /// The parts that are not surely allowed, where the call is neither.
    pub fn open(&self) -> impl Iterator<Item = &Part<'a>> {
        self.parts.iter().filter(|part| part.verdict.decision != Decision::Allowed)
    }
}

impl Question<'_> {
    /// Asks of the whole call: of the resource that is named, of the other resources that such a call is authorized on, of which
    /// nothing is known but their type, and of its dependent actions. The name of a call that policies know by another is asked of as the
    /// action that is meant; of a name that AWS's reference does not know, the answer depends on it where the statements of its service
    /// do not agree.
    #[must_use]
    pub fn ask_call<'a>(&self, forest: &'a Forest, standing: &'a Standing) -> Answer<'a> {
        let known = services::action(self.action.as_str());
        if known.is_none() {
            return self.ask_by_name(forest, standing);
        }
        let mut parts = match known {
            Some(action) if call::is_whole(action.service.prefix) => self.own_parts(action, forest, standing),
            _ => vec![self.part(None, self.resource, Needed::Always, forest, standing)],
        };
        // What no policy decides needs nothing besides.
        let unbound = exceptions::exception(self.action.as_str())
            .is_some_and(|exception| exception.unbound == exceptions::Unbound::ByAny);
        if let Some(action) = known.filter(|_| !unbound) {
            let elsewhere = Own { resource: None, ..self.own.clone() };
            let dependents = call::dependents(action);
            parts.extend(dependents.iter().filter_map(|one| self.dependent(action, one, &elsewhere, forest, standing)));
        }
        let alone = || vec![self.part(None, self.resource, Needed::Always, forest, standing)];
        Answer::of(parts).or_else(|| Answer::of(alone())).unwrap_or_else(Answer::none)
    }

    /// The same of a name that AWS's reference does not know: that of a call which policies know by another, of an action that is
    /// newer than the reference, or of nothing.
    fn ask_by_name<'a>(&self, forest: &'a Forest, standing: &'a Standing) -> Answer<'a> {
        let (prefix, name) = self.action.as_str().split_once(':').unwrap_or_default();
        let mut meant = services::calls::actions(prefix, name);
        // Calls on a version of an object have an action of their own.
        let versioned = matches!(self.told.of("s3:VersionId"), Fact::Values(_));
        let names: Vec<String> = meant.iter().map(ToString::to_string).collect();
        meant.retain(|action| {
            let name = action.to_string();
            let plain = name.strip_suffix("Version").is_some_and(|plain| names.iter().any(|other| other == plain));
            let of_version = names.iter().any(|other| other.strip_suffix("Version") == Some(&name));
            if versioned { !of_version } else { !plain }
        });
        let answers = meant.iter().filter_map(|action| {
            let parsed = Action::parse(&action.to_string())?;
            let mut answer = Question { action: &parsed, ..*self }.ask_call(forest, standing);
            answer.asked_as = vec![action.to_string()];
            Some(answer)
        });
        if let Some(answer) = answers.reduce(Answer::or) {
            return answer;
        }
        let alone = self.part(None, self.resource, Needed::Always, forest, standing);
        // Where the statements that speak of the service do not agree, it is not known which of them speak of it.
        let any = Action::some_of(prefix, &[]).map(|action| {
            let part =
                Question { action: &action, ..*self }.part(None, self.resource, Needed::Always, forest, standing);
            Part { action: self.action.to_string(), ..part }
        });
        let part = match any {
            Some(any) if any.verdict.decision != alone.verdict.decision => any,
            _ => alone,
        };
        Answer::of(vec![part]).unwrap_or_else(Answer::none)
    }

    fn own_parts<'a>(&self, action: services::Action, forest: &'a Forest, standing: &'a Standing) -> Vec<Part<'a>> {
        let legs = call::legs(action);
        let named = self.resource.filter(|resource| *resource != "*");
        let Some(resource) = named else {
            if legs.iter().all(|leg| leg.need == Need::Perhaps) {
                // It is on any of its resource types, or on none.
                let mut told = self.told.clone();
                let none = String::new();
                let any = legs.iter().flat_map(|leg| self.resources_of(forest, leg)).chain([none]);
                told.set_among(any.collect::<Vec<_>>());
                let question = Question { told: &told, resource: None, ..*self };
                return vec![question.part(None, None, Needed::Always, forest, standing)];
            }
            return legs.iter().map(|leg| self.leg(leg, None, needed(leg), forest, standing)).collect();
        };
        // Templates are wide: of several types that match, the one that spells out most is meant.
        let spelled = |leg: &&Leg| leg.arns().map(|arn| services::as_pattern(arn).replace('*', "").len()).max();
        let of_alias = exceptions::key_alias(resource).and_then(|alias| {
            Some((legs.iter().find(|leg| leg.name() == "key")?, self.told_of_alias(resource, alias)))
        });
        let (own, part) = match (legs.iter().filter(|leg| leg.is_of(resource)).max_by_key(spelled), &of_alias) {
            (Some(own), _) => (own, self.leg(own, Some(resource), Needed::Always, forest, standing)),
            // An alias stands for a key, which it is not known which it is.
            (None, Some((key, told))) => {
                let question = Question { resource: None, told, ..*self };
                let part = question.leg(key, None, Needed::Always, forest, standing);
                (*key, Part { resource: Some(resource.to_owned()), ..part })
            }
            (None, None) => return vec![self.part(None, Some(resource), Needed::Always, forest, standing)],
        };
        let mut parts = vec![part];
        let elsewhere = Own { resource: None, ..self.own.clone() };
        let others = Question { own: &elsewhere, resource: None, ..*self };
        let is_other = |leg: &&Leg| leg.name() != own.name() && !call::are_alternatives(own, leg);
        parts.extend(legs.iter().filter(is_other).map(|leg| others.leg(leg, None, needed(leg), forest, standing)));
        parts
    }

    fn leg<'a>(
        &self,
        leg: &Leg,
        resource: Option<&str>,
        needed: Needed,
        forest: &'a Forest,
        standing: &'a Standing,
    ) -> Part<'a> {
        // An action without resource types is authorized on `*`.
        let resource = resource.or(leg.resource().is_none().then_some("*"));
        self.part(Some(leg), resource, needed, forest, standing)
    }

    fn part<'a>(
        &self,
        leg: Option<&Leg>,
        resource: Option<&str>,
        needed: Needed,
        forest: &'a Forest,
        standing: &'a Standing,
    ) -> Part<'a> {
        let question = Question { resource, ..*self };
        Part {
            action: self.action.to_string(),
            resource_type: leg.and_then(Leg::resource).map(|on| on.kind.name),
            resource: resource.map(str::to_owned),
            needed,
            tags: leg.filter(|leg| sends_tags(leg.action())).map(Leg::tags),
            verdict: question.ask_on(forest, standing, leg),
        }
    }

    /// A dependent action, unless it is known that this call does not need it.
    fn dependent<'a>(
        &self,
        action: services::Action,
        dependent: &Dependent,
        own: &Own,
        forest: &'a Forest,
        standing: &'a Standing,
    ) -> Option<Part<'a>> {
        let sure = match (dependent.when, tells_tags(self.told)) {
            (When::Tagged | When::MayTag, Some(false)) => return None,
            (When::Tagged, tagged) => tagged.is_some(),
            (When::PassesRole, _) => true,
            (When::MayTag | When::MayPassRole | When::Perhaps, _) => false,
        };
        let parsed = Action::parse(&dependent.action.to_string())?;
        let legs = call::legs(dependent.action);
        let mut required = legs.iter().filter(|leg| leg.need == Need::Always);
        let leg = match (required.next(), required.next()) {
            (Some(leg), None) => Some(*leg),
            _ => None,
        };
        let mut told = self.told_besides(action, dependent);
        if leg.is_none() && matches!(dependent.when, When::Tagged | When::MayTag) {
            // What the call creates is what is tagged.
            let place = self.place(forest, true);
            let created = call::legs(action).into_iter().filter(|leg| leg.tags() > call::Reach::No);
            told.set_among(created.flat_map(|leg| leg.arns()).map(|arn| place.pattern(arn)).collect::<Vec<_>>());
        }
        let question = Question { action: &parsed, resource: None, told: &told, own, ..*self };
        let needed = Needed::Besides { when: dependent.when, sure };
        let resource = legs.iter().all(|leg| leg.resource().is_none()).then_some("*");
        Some(question.part(leg.as_ref(), resource, needed, forest, standing))
    }

    /// What was told, with what the alias of a key tells of it.
    fn told_of_alias(&self, resource: &str, alias: &str) -> Facts {
        let mut told = self.told.clone();
        let mut tell = |key: &str, value: &str| {
            if told.of(key) == Fact::Unknown {
                told.set(key, [value]);
            }
        };
        let (account, region) = super::question::parts_of(resource);
        account.into_iter().for_each(|account| tell("aws:ResourceAccount", account));
        region.into_iter().for_each(|region| tell("aws:RequestedRegion", region));
        if exceptions::is_of_aws_managed_key(alias) {
            // Others may have more aliases.
            tell("kms:ResourceAliases", alias);
            exceptions::OF_AWS_MANAGED_KEYS.iter().for_each(|(key, value)| tell(key, value));
        }
        told
    }

    /// What was told, as far as it is in the context of a dependent action too.
    fn told_besides(&self, action: services::Action, dependent: &Dependent) -> Facts {
        // IAM answers in one region for all, and what a service asks for in the caller's name may look as if it came from there.
        const UNKNOWN_BESIDES: &[&str] =
            &["aws:viaawsservice", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast"];
        let mut told = Facts::unknown();
        for (key, values) in self.told.iter() {
            let lower = key.to_ascii_lowercase();
            let other_region = lower == "aws:requestedregion" && dependent.action.service.prefix == "iam";
            let of_resource = lower.starts_with("aws:resource");
            if other_region || of_resource || UNKNOWN_BESIDES.contains(&&*lower) || dependent.action.never_carries(key)
            {
                continue;
            }
            match values {
                Some(values) => told.set(key, values.iter().cloned()),
                None => told.set_unknown(key),
            }
        }
        if let Some(key) = call::created_by(dependent.action) {
            told.set_one(key, action.name());
        }
        told
    }
}

/// Whether requests of an action can send tags.
fn sends_tags(action: services::Action) -> bool {
    action.carries("aws:RequestTag/key")
}

fn needed(leg: &Leg) -> Needed {
    match leg.need {
        Need::Always => Needed::Always,
        Need::OneOf(group) => Needed::OneOf(group),
        Need::Perhaps => Needed::IfThere,
    }
}

/// Whether the request sends tags, as far as it was told.
fn tells_tags(told: &Facts) -> Option<bool> {
    let sends = told.iter().any(|(key, values)| {
        let lower = key.to_ascii_lowercase();
        (lower == "aws:tagkeys" || lower.starts_with("aws:requesttag/"))
            && values.is_some_and(|values| !values.is_empty())
    });
    match told.of("aws:TagKeys") {
        _ if sends => Some(true),
        Fact::Absent => Some(false),
        _ => None,
    }
}
