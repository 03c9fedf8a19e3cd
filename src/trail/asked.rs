//! What a call asks for, learnt once for each name of a call: actions, with what a judge looks at for each, and how a record
//! tells it.
//!
//! One call is authorized for several actions, and for each on several resources, all of which have to be allowed. Not all
//! resources carry the same condition keys: those that do are a [`Part`].

use std::collections::BTreeMap;

use super::actions::{self, Ask, Asks, On, When};
use super::fold::{Answer, By, Judge, Judgement, Looks};
use super::keys::{self, Key};
use super::record::Record;
use super::request::{Call, Told as Tell, Values, Who};
use super::resources::{self, Legs};
use crate::policy::call::{self, Leg, Need, Reach};
use crate::policy::eval::{Action, Facts, Truth};
use crate::policy::services;

/// What an answer hangs on where it is not known which action AWS asked for, or whether it asked for one.
const ACTION: &str = "action";
/// What it hangs on where it is not known whether the call has a resource.
const RESOURCE: &str = "resource";

/// What calls of one name ask for.
pub struct Event {
    /// The action of the call itself, or those that it may be: one of them at least is asked for.
    own: Vec<Asked>,
    /// What AWS asks for besides.
    more: Vec<Asked>,
    /// Whether RCPs may decide any of it.
    pub by_resource: bool,
    /// Whether the name of its action is not known.
    pub is_open: bool,
}

/// An action that is asked for, or may be.
struct Asked {
    action: Action,
    /// The same in AWS's reference.
    known: Option<services::Action>,
    /// As reports name it.
    name: Box<str>,
    when: When,
    on: On,
    by_resource: bool,
    /// What stands for the statements that decide it, so that two can be compared.
    statements: Vec<u64>,
    /// Whether something has to allow it.
    has_to_be_allowed: bool,
    /// Whether a statement is of some resources alone.
    by_pattern: bool,
    parts: Vec<Part>,
    /// Its keys, each that records tell in another way once: the part, and the place in it.
    distinct: Vec<(usize, usize)>,
    /// To name the resources of calls that change, which need not be looked at.
    named: Option<Legs>,
}

/// Resources that carry the same keys.
struct Part {
    /// `None`: which they are makes no difference.
    legs: Option<Legs>,
    keys: Vec<Key>,
    /// Whether not every call has them.
    optional: bool,
    /// The type of the resources, where it is asked for only what the call sets tags on.
    tagged: Option<&'static str>,
}

/// A judgement, and the action that it comes from.
struct Found<'e> {
    judgement: Judgement,
    from: &'e Asked,
}

impl Event {
    /// Of a name; `None` where it is none of AWS's.
    pub fn learn(judge: &dyn Judge, source: &str, name: &str) -> Option<Self> {
        let (mut own, mut more, is_open) = match actions::asks(source, name) {
            Asks::Known { own, more } => {
                let known = |asks: &[Ask]| asks.iter().filter_map(|ask| Asked::known(judge, *ask)).collect::<Vec<_>>();
                (known(&own), known(&more), false)
            }
            Asks::Unknown(action) => (vec![Asked::unknown(judge, action, &format!("{source}:{name}"))], vec![], true),
            Asks::Nothing => return None,
        };
        let dependents = own.iter().filter_map(|asked| asked.known).flat_map(actions::dependents);
        let mut besides: Vec<Asked> = dependents.filter_map(|ask| Asked::known(judge, ask)).collect();
        if let [first, rest @ ..] = own.as_slice()
            && rest.iter().all(|other| first.is_decided_as(other))
        {
            own.truncate(1);
            own.iter_mut().for_each(|asked| asked.when = When::Always);
        } else if own.len() > 1 {
            // Which of them it is says what else it needs.
            besides.iter_mut().for_each(|asked| asked.when = When::Maybe);
        }
        more.append(&mut besides);
        let sole = own.first().filter(|_| own.len() == 1);
        more.retain(|asked| !asked.adds_nothing(sole));
        let by_resource = own.iter().chain(&more).any(|asked| asked.by_resource);
        (!own.is_empty()).then_some(Self { own, more, by_resource, is_open })
    }

    fn all(&self) -> impl Iterator<Item = &Asked> {
        self.own.iter().chain(&self.more)
    }

    /// Adds everything that makes a difference, in a form in which no two requests are the same.
    pub fn write_key(&self, who: &Who<'_, '_>, values: &mut Values, key: &mut Vec<u8>) {
        if self.by_resource {
            write_text(key, who.resource_account().unwrap_or_default());
        }
        let mut write = |all: &[Asked]| {
            let mut some = false;
            for asked in all {
                let asks = asked.when.holds(who);
                key.push(asks as u8);
                if asks > Truth::No {
                    some = true;
                    asked.write_key(who, values, key);
                }
            }
            some
        };
        let some = write(&self.own);
        write(&self.more);
        // Where the record seems to say that none of them is asked for, each may be.
        if !some {
            self.own.iter().for_each(|asked| asked.write_key(who, values, key));
        }
    }

    /// Both answers, with the name of the action that they come from and its place in [`Event::name_resource`].
    pub fn judge(&self, judge: &dyn Judge, who: &Who<'_, '_>, values: &mut Values) -> Option<(Judgement, &str, usize)> {
        let mut judged = |asked: &'_ Asked| asked.judge(judge, who, values);
        let told: Vec<(&Asked, Truth)> = self.own.iter().map(|asked| (asked, asked.when.holds(who))).collect();
        let surely = told.iter().any(|(_, asks)| *asks == Truth::Yes);
        // One of them is asked for, whatever the record seems to say.
        let some = told.iter().any(|(_, asks)| *asks > Truth::No);
        let mut all: Option<Found<'_>> = None;
        for (asked, asks) in told {
            if some && asks == Truth::No {
                continue;
            }
            let found = Found { judgement: judged(asked), from: asked };
            all = Some(match all {
                None if surely && asks == Truth::Depends => found.weakened(ACTION),
                None => found,
                Some(all) if !surely => all.or(found),
                Some(all) if asks == Truth::Yes => all.and(found),
                Some(all) => all.and(found.weakened(ACTION)),
            });
        }
        for asked in &self.more {
            let asks = asked.when.holds(who);
            if asks == Truth::No {
                continue;
            }
            let found = Found { judgement: judged(asked), from: asked };
            let found = if asks == Truth::Yes { found } else { found.weakened(ACTION) };
            all = Some(match all {
                None => found,
                Some(all) => all.and(found),
            });
        }
        let found = all?;
        let at = self.all().position(|asked| std::ptr::eq(asked, found.from))?;
        Some((found.judgement, &found.from.name, at))
    }

    /// Writes the resources of an action as reports name them.
    pub fn name_resource(&self, at: usize, who: &Who<'_, '_>, values: &mut Values, out: &mut String) {
        values.clear();
        if let Some(asked) = self.all().nth(at) {
            match (&asked.named, asked.on) {
                (Some(legs), On::Own) => {
                    legs.tell(who, values);
                }
                _ => asked.tell_resources(None, who, values),
            }
        }
        match values.iter().flatten().next() {
            Some(arn) => resources::grouped(arn, out),
            None => out.push_str("a resource that is not told"),
        }
    }
}

/// What one record tells of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The action that it surely asked for.
    pub action: Option<String>,
    /// The one resource, where it tells one.
    pub resource: Option<String>,
    /// Condition keys with their values; none for a key that the request surely lacked.
    pub facts: Vec<(String, Vec<String>)>,
}

/// Reads one record. `action`: what is known to have been asked for.
#[must_use]
pub fn tell(record: &str, action: Option<&str>) -> Told {
    let Ok(record) = Record::parse(record) else { return Told::default() };
    let who = Who::of(&record);
    let asks = match actions::asks(&record.event_source, &record.event_name) {
        Asks::Known { own, more } => own.into_iter().chain(more).collect::<Vec<_>>(),
        Asks::Unknown(_) | Asks::Nothing => vec![],
    };
    let named = action.and_then(services::action);
    let sure = asks.iter().find(|ask| ask.when.holds(&who) == Truth::Yes).map(|ask| ask.action);
    let Some(action) = named.or(sure) else { return Told::default() };
    let mut told = Told { action: Some(action.to_string()), ..Told::default() };
    let mut values = Values::default();
    Legs::of(action).tell(&who, &mut values);
    if let (1, Some(Some(arn))) = (values.len(), values.iter().next())
        && !resources::is_made(arn)
    {
        told.resource = Some(arn.to_owned());
    }
    for name in keys::of_records(&who, action) {
        values.clear();
        match Key::new(&name, action, None).tell(&who, &mut values) {
            Tell::Known => told.facts.push((name, values.iter().flatten().map(str::to_owned).collect())),
            Tell::Absent => told.facts.push((name, vec![])),
            Tell::Unknown => {}
        }
    }
    told
}

fn write_text(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

fn write_values(key: &mut Vec<u8>, values: &Values, told: Tell) {
    key.push(told as u8);
    key.extend_from_slice(&u32::try_from(values.len()).unwrap_or(u32::MAX).to_le_bytes());
    for value in values.iter() {
        let length = value.map_or(u32::MAX, |value| u32::try_from(value.len()).unwrap_or(u32::MAX - 1));
        key.extend_from_slice(&length.to_le_bytes());
        key.extend_from_slice(value.unwrap_or_default().as_bytes());
    }
}

impl Asked {
    fn known(judge: &dyn Judge, ask: Ask) -> Option<Self> {
        let action = Action::parse(&ask.action.to_string())?;
        let looks = judge.looks(&action);
        let mut parts = match (ask.on, ask.of) {
            (On::Own, Some(of)) if matches!(ask.when, When::Tagged | When::MayTag) => {
                tagging(of, ask.action, &looks.keys, &looks.resources)
            }
            (On::Own, _) => parts(ask.action, &looks.keys, &looks.resources),
            (On::Parameter(_) | On::Copied | On::Roles, _) => {
                let keys = looks.keys.iter().map(|key| Key::new(key, ask.action, None)).collect();
                vec![Part { legs: None, keys, optional: false, tagged: None }]
            }
        };
        parts.iter_mut().flat_map(|part| &mut part.keys).for_each(|key| fix(key, ask));
        Some(Self {
            known: Some(ask.action),
            name: ask.action.to_string().into(),
            when: ask.when,
            on: ask.on,
            named: Some(Legs::of(ask.action)),
            ..Self::of(action, looks, parts)
        })
    }

    /// What is asked for always, on resources of its own.
    fn of(action: Action, looks: Looks, parts: Vec<Part>) -> Self {
        let mut distinct: Vec<(usize, usize)> = vec![];
        let key = |(part, at): (usize, usize)| parts.get(part).and_then(|part: &Part| part.keys.get(at));
        for (at, part) in parts.iter().enumerate() {
            for (place, one) in part.keys.iter().enumerate() {
                if !distinct.iter().any(|known| key(*known).is_some_and(|known| known.is_told_as(one))) {
                    distinct.push((at, place));
                }
            }
        }
        Self {
            name: action.as_str().into(),
            action,
            known: None,
            when: When::Always,
            on: On::Own,
            by_resource: looks.resource_policies,
            statements: looks.statements,
            has_to_be_allowed: looks.has_to_be_allowed,
            by_pattern: !looks.resources.is_empty(),
            parts,
            distinct,
            named: None,
        }
    }

    fn unknown(judge: &dyn Judge, action: Action, name: &str) -> Self {
        let looks = judge.looks(&action);
        let keys = looks.keys.iter().map(|key| Key::of_any_action(key)).collect();
        let parts = vec![Part { legs: None, keys, optional: false, tagged: None }];
        Self { name: name.into(), ..Self::of(action, looks, parts) }
    }

    /// Whether the answer to a call is the same without asking for it: nothing speaks of it, or it is decided as the call
    /// itself is, or whatever denies it denies the call as well.
    fn adds_nothing(&self, own: Option<&Self>) -> bool {
        if self.statements.is_empty() && !self.has_to_be_allowed {
            return true;
        }
        let Some(own) = own else { return false };
        if self.on == On::Own && own.is_decided_as(self) {
            return true;
        }
        let has_key = |part: &Part, wanted: &Key| part.keys.iter().any(|key| key.is_told_as(wanted));
        let implies = |part: &Part| {
            let wanted = || self.parts.iter().flat_map(|part| &part.keys);
            !part.optional && part.tagged.is_none() && wanted().all(|wanted| has_key(part, wanted))
        };
        !self.has_to_be_allowed
            && !self.by_pattern
            && self.statements.iter().all(|statement| own.statements.binary_search(statement).is_ok())
            && (own.by_resource || !self.by_resource)
            && own.parts.iter().any(implies)
    }

    /// Whether the same statements decide both, on the same resources, under the same keys.
    fn is_decided_as(&self, other: &Self) -> bool {
        let alike = |(one, other): (&Part, &Part)| {
            let legs = match (&one.legs, &other.legs) {
                (None, None) => true,
                (Some(one), Some(other)) => one.is_as(other),
                _ => false,
            };
            legs && (one.optional, one.tagged) == (other.optional, other.tagged)
                && one.keys.len() == other.keys.len()
                && one.keys.iter().zip(&other.keys).all(|(one, other)| one.is_told_as(other))
        };
        self.statements == other.statements
            && (self.by_resource, self.has_to_be_allowed) == (other.by_resource, other.has_to_be_allowed)
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(alike)
    }

    fn write_key(&self, who: &Who<'_, '_>, values: &mut Values, key: &mut Vec<u8>) {
        for part in &self.parts {
            if let Some(on) = part.tagged {
                key.push(keys::tags_on(who, on) as u8);
            }
            if part.legs.is_some() || self.on != On::Own {
                values.clear();
                self.tell_resources(part.legs.as_ref(), who, values);
                write_values(key, values, Tell::Known);
            }
        }
        for (part, at) in &self.distinct {
            let Some(one) = self.parts.get(*part).and_then(|part| part.keys.get(*at)) else { continue };
            values.clear();
            let told = one.tell(who, values);
            write_values(key, values, told);
        }
    }

    /// The resources of one of its parts.
    fn tell_resources(&self, legs: Option<&Legs>, who: &Who<'_, '_>, values: &mut Values) {
        match (self.on, legs) {
            (On::Own, Some(legs)) => legs.tell(who, values),
            (On::Own, None) => values.push_unknown(),
            (On::Copied, _) => {
                if !values.build(|out| actions::copied(who, out)) {
                    values.push_unknown();
                }
            }
            (On::Parameter(path), _) => resources::of_parameter(path, who, values),
            (On::Roles, _) => resources::roles(who, values),
        }
    }

    /// The call that a record tells, with what is looked at.
    fn call(&self, part: &Part, who: &Who<'_, '_>, values: &mut Values) -> Call {
        let mut facts = Facts::unknown();
        for key in &part.keys {
            values.clear();
            match key.tell(who, values) {
                Tell::Known => facts.set(&key.name, values.iter().flatten().map(Box::<str>::from)),
                Tell::Absent => facts.set_absent(&key.name),
                // So is whatever is not told of.
                Tell::Unknown => {}
            }
        }
        values.clear();
        self.tell_resources(part.legs.as_ref(), who, values);
        // Whose resource it is, is asked of RCPs alone.
        let holder = if self.by_resource { who.resource_account() } else { Some(who.account) };
        Call {
            account: who.account.into(),
            has_service_control: who.has_service_control,
            resource_account: holder.map(Into::into),
            kind: who.kind,
            principal: who.arn.map(Into::into),
            session: who.session_arn.map(Into::into),
            action: self.action.clone(),
            resources: values.iter().map(|resource| resource.map(Into::into)).collect(),
            region: (*who.record.aws_region).into(),
            facts,
        }
    }

    fn judge(&self, judge: &dyn Judge, who: &Who<'_, '_>, values: &mut Values) -> Judgement {
        let mut all: Option<Found<'_>> = None;
        for part in &self.parts {
            let set = part.tagged.map_or(Truth::Yes, |on| keys::tags_on(who, on));
            if set == Truth::No {
                continue;
            }
            let call = self.call(part, who, values);
            let told = call.resources.iter().all(Option::is_some);
            let found = Found { judgement: judge.judge(&call), from: self };
            let found = if part.optional && !told || set == Truth::Depends { found.weakened(RESOURCE) } else { found };
            all = Some(match all {
                None => found,
                Some(all) => all.and(found),
            });
        }
        let nothing = Judgement { before: Answer::Allowed, after: Answer::Allowed, same: true };
        all.map_or(nothing, |found| found.judgement)
    }
}

/// The parts of an action's resources.
fn parts(action: services::Action, keys: &[Box<str>], patterns: &[Box<str>]) -> Vec<Part> {
    let made = |leg: Option<&Leg>| -> Vec<Key> { keys.iter().map(|key| Key::new(key, action, leg)).collect() };
    let all = resources::legs(action);
    let needed = |leg: &&Leg| resources::is_needed(leg);
    let some_needed = all.iter().any(|leg| leg.need != Need::Perhaps);
    let mut parts: Vec<(Vec<Key>, Vec<Leg>)> = vec![];
    for leg in all.iter().filter(needed) {
        let own = made(Some(leg));
        match parts.iter_mut().find(|(keys, _)| are_told_alike(keys, &own)) {
            Some((_, legs)) => legs.push(*leg),
            None => parts.push((own, vec![*leg])),
        }
    }
    let mut groups: BTreeMap<usize, Vec<Leg>> = BTreeMap::new();
    for leg in all.iter().filter(|leg| !resources::is_needed(leg)) {
        match leg.need {
            Need::OneOf(group) => groups.entry(group).or_default().push(*leg),
            // Where no resource is needed, a call is of one that it may have.
            Need::Perhaps if !all.iter().any(|leg| leg.need != Need::Perhaps) => {
                groups.entry(0).or_default().push(*leg)
            }
            Need::Perhaps | Need::Always => {}
        }
    }
    for legs in groups.into_values() {
        let first = made(legs.first());
        // Of one of several with different keys no key is surely absent.
        let alike = legs.iter().all(|leg| are_told_alike(&made(Some(leg)), &first));
        parts.push((if alike { first } else { made(None) }, legs));
    }
    let whole = parts.len() == 1 && patterns.is_empty();
    let held = |legs: &[Leg]| Legs::of_these(action, legs).held_against(patterns);
    let mut out: Vec<Part> = parts
        .into_iter()
        .map(|(keys, legs)| Part { legs: (!whole).then(|| held(&legs)), keys, optional: false, tagged: None })
        .collect();
    // Of those that not every call has, those count that a policy speaks of.
    let optional = |leg: &&Leg| some_needed && leg.need == Need::Perhaps && !resources::is_needed(leg);
    for leg in all.iter().filter(optional) {
        let legs = Legs::of_these(action, std::slice::from_ref(leg));
        if legs.meets(patterns) {
            out.push(Part {
                legs: Some(legs.held_against(patterns)),
                keys: made(Some(leg)),
                optional: true,
                tagged: None,
            });
        }
    }
    out
}

fn are_told_alike(one: &[Key], other: &[Key]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_told_as(other))
}

/// The parts of a tagging action that calls of another ask for: the resources that these set tags on.
fn tagging(of: services::Action, tags: services::Action, keys: &[Box<str>], patterns: &[Box<str>]) -> Vec<Part> {
    let of_call = resources::legs(of);
    let taken = of_call.iter().filter(|leg| leg.tags() > Reach::No);
    let own = call::legs(tags);
    let named: Vec<(&Leg, &Leg)> =
        taken.filter_map(|leg| Some((leg, own.iter().find(|own| own.name() == leg.name())?))).collect();
    let made = |leg: Option<&Leg>| keys.iter().map(|key| Key::new(key, tags, leg)).collect();
    if named.is_empty() {
        return vec![Part { legs: None, keys: made(None), optional: false, tagged: None }];
    }
    let part = |(created, own): (&Leg, &Leg)| Part {
        // What the call creates is named as the call names it.
        legs: Some(Legs::of_these(of, std::slice::from_ref(created)).held_against(patterns)),
        keys: made(Some(own)),
        optional: false,
        tagged: Some(created.name()),
    };
    named.into_iter().map(part).collect()
}

/// Services whose name as a principal is that of their actions: what `iam:PassedToService` is.
const PASSED_TO: &[&str] = &["codebuild", "ec2", "firehose", "glue", "lambda", "sagemaker", "states"];

/// Sets a key that follows from which call asks for the action.
fn fix(key: &mut Key, ask: Ask) {
    let is = |name: &str| key.name.eq_ignore_ascii_case(name);
    let passed_to = ask.of.map(|of| of.service.prefix).filter(|service| PASSED_TO.contains(service));
    *key = match (call::created_by(ask.action).filter(|created_by| is(created_by)), ask.of) {
        (Some(_), Some(of)) => Key::fixed(&key.name, of.name()),
        // Tags that are set by a call of their own (EC2 user guide, "Grant permission to tag resources during creation").
        (Some("ec2:CreateAction"), None) => Key::absent(&key.name),
        _ if is("iam:PassedToService")
            && let Some(service) = passed_to =>
        {
            Key::fixed(&key.name, &format!("{service}.amazonaws.com"))
        }
        _ => return,
    };
}

fn rank(answer: &Answer) -> u8 {
    match answer {
        Answer::Allowed => 0,
        Answer::Depends { .. } => 1,
        Answer::Denied(_) => 2,
    }
}

impl<'e> Found<'e> {
    /// Where it is not known whether it is asked for.
    fn weakened(mut self, on: &str) -> Self {
        for answer in [&mut self.judgement.before, &mut self.judgement.after] {
            match answer {
                Answer::Denied(by) => {
                    *answer = Answer::Depends { keys: vec![on.into()], by: std::mem::take(by) };
                }
                Answer::Depends { keys, .. } if !keys.iter().any(|key| **key == *on) => keys.push(on.into()),
                _ => {}
            }
        }
        self
    }

    /// Both are asked for.
    fn and(self, other: Self) -> Self {
        let ranks = |found: &Self| (rank(&found.judgement.after), rank(&found.judgement.before));
        let from = if ranks(&other) > ranks(&self) { other.from } else { self.from };
        let (one, other) = (self.judgement, other.judgement);
        let worst = |one: Answer, other: Answer| if rank(&other) > rank(&one) { other } else { one };
        let (before, after) = (worst(one.before, other.before), worst(one.after, other.after));
        let same = one.same && other.same || rank(&before) == rank(&after) && rank(&before) != 1;
        Self { judgement: Judgement { before, after, same }, from }
    }

    /// One of both is asked for, and it is not known which.
    fn or(self, other: Self) -> Self {
        let from = if rank(&other.judgement.after) > rank(&self.judgement.after) { other.from } else { self.from };
        let (one, other) = (self.judgement, other.judgement);
        let either = |one: Answer, other: Answer| match (rank(&one), rank(&other)) {
            (0, 0) | (2, 2) => one,
            (first, second) => {
                let (mut keys, by) = match if second > first { other } else { one } {
                    Answer::Depends { keys, by } => (keys, by),
                    Answer::Denied(by) => (vec![], by),
                    Answer::Allowed => (vec![], By::default()),
                };
                if !keys.iter().any(|key| **key == *ACTION) {
                    keys.push(ACTION.into());
                }
                Answer::Depends { keys, by }
            }
        };
        let (before, after) = (either(one.before, other.before), either(one.after, other.after));
        let same = one.same && other.same || rank(&before) == rank(&after) && rank(&before) != 1;
        Self { judgement: Judgement { before, after, same }, from }
    }
}
