//! What is asked before each write: whether the cluster still says what the plan was made from.
//!
//! Objects are read once, at the beginning of a pass, and a pass can take an hour. A change is started only while its own
//! object says what it said then; one that takes a guard away, only while every object does, since what it rests on is not
//! only its own. An edit of the Organization (its mode, `suspend`, its limits) ends the run, and the next pass plans anew.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::jiff::Timestamp;

use super::scene::Scene;
use crate::api::Mode;
use crate::apply::Halt;
use crate::desired::{Declared, Desired};
use crate::names::{Kind, ObjectKey};
use crate::observed::{Clock, Observed};
use crate::pass::Planned;
use crate::plan::{Approvals, Change, Guarded, Plan, guard};

/// The brakes of one run.
pub struct Brakes<'a> {
    scene: &'a Scene,
    desired: &'a Desired,
    clock: Clock<'a>,
    /// What approvals let pass rests on them as long as it is not started.
    approved: Option<(Plan<Guarded>, Observed)>,
    seen: Mutex<Seen>,
}

/// What the cluster said when it was looked at last.
#[derive(Default)]
struct Seen {
    version: u64,
    /// Why nothing more is to be started.
    over: Option<String>,
    /// The objects, where something changed since the pass began.
    now: Option<Scene>,
    /// Every object says what it said when the pass began.
    same: bool,
    /// The approvals that counted when it was last worked out what they let pass, and the changes that may run with them.
    allowed: Option<(Approvals, BTreeSet<u32>)>,
}

impl<'a> Brakes<'a> {
    /// The brakes of the run of a plan that was made from `scene`. `clock`: the latest that it can be now.
    #[must_use]
    pub fn of(scene: &'a Scene, desired: &'a Desired, planned: &Planned, clock: Clock<'a>) -> Self {
        let approved = (!planned.plan.approved.is_empty()).then(|| (planned.plan.clone(), planned.observed.clone()));
        let seen = Seen { version: scene.version, same: true, ..Seen::default() };
        Self { scene, desired, clock, approved, seen: Mutex::new(seen) }
    }

    /// Whether the change is still wanted.
    ///
    /// # Errors
    /// It is not, or nothing of the plan is.
    pub fn wanted(&self, change: &Change) -> Result<(), Halt> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.scene.cluster.version();
        if version != seen.version {
            *seen = self.look(version);
        }
        if let Some(why) = &seen.over {
            return Err(Halt::Run(why.clone()));
        }
        if let Some(now) = &seen.now {
            let desired = now.desired().ok_or_else(|| Halt::Run(GONE.into()))?;
            self.declared(change, now, desired)?;
            if change.action.loosens() && !seen.same {
                return Err(Halt::Change("objects were edited since the plan was made".into()));
            }
        }
        self.approved(change, &mut seen)
    }

    fn look(&self, version: u64) -> Seen {
        let key = self.desired.organization_key();
        let over = |why: &str| Seen { version, over: Some(why.to_owned()), ..Seen::default() };
        let Some(now) = Scene::of(&self.scene.cluster, &key.name) else {
            return over("the objects of a kind cannot be listed any more");
        };
        let Some(desired) = now.desired() else { return over(GONE) };
        if now.uid(key) != self.scene.uid(key) {
            return over(GONE);
        }
        if desired.organization.suspend && !self.desired.organization.suspend {
            return over("the Organization was suspended (`spec.suspend`)");
        }
        if desired.organization.spec.mode == Mode::Observe && self.desired.organization.spec.mode != Mode::Observe {
            return over("`spec.mode` of the Organization was set to `Observe`");
        }
        if !says_the_same(&desired.organization, &self.desired.organization) {
            return over("the Organization was edited");
        }
        let same = is_same(desired, self.desired);
        Seen { version, over: None, now: Some(now), same, allowed: None }
    }

    /// Whether the object of the change says what it said.
    fn declared(&self, change: &Change, now: &Scene, desired: &Desired) -> Result<(), Halt> {
        let key = &change.object;
        let stop = |why: &str| Err(Halt::Change(format!("`{key}` {why}")));
        if self.scene.is_deleted(key) {
            return if now.is_deleted(key) { Ok(()) } else { stop("is no longer to be deleted") };
        }
        match (self.desired.is_suspended(key), desired.is_suspended(key)) {
            (None, _) => Ok(()),
            (_, None) if broken(desired, key) => stop("cannot be used any more as it is written"),
            (_, None) => stop("was deleted from the cluster"),
            (_, Some(true)) => stop("was suspended (`spec.suspend`)"),
            _ if now.uid(key) != self.scene.uid(key) => stop("was deleted from the cluster and made anew"),
            _ if !object_says_the_same(desired, self.desired, key) => stop("was edited"),
            _ => Ok(()),
        }
    }

    /// Whether what the change was approved by still counts.
    fn approved(&self, change: &Change, seen: &mut Seen) -> Result<(), Halt> {
        let Some((plan, observed)) = &self.approved else { return Ok(()) };
        let now: Timestamp = (self.clock)();
        let mut approvals = seen.now.as_ref().unwrap_or(self.scene).approved(now);
        // As the plan was shown: what is held back since is no reason to hold back what was approved with it.
        for (alone, lifted) in &plan.approved {
            approvals.cover(&lifted.hash, [alone.clone()]);
        }
        if seen.allowed.as_ref().is_none_or(|(then, _)| *then != approvals) {
            let all: BTreeSet<u32> = plan.changes.iter().map(|change| change.id).collect();
            let left = guard(plan.clone().only(&all), self.desired, observed, &approvals, now);
            let ids = left.changes.iter().map(|change| change.id).collect();
            seen.allowed = Some((approvals, ids));
        }
        match &seen.allowed {
            Some((_, ids)) if !ids.contains(&change.id) => {
                Err(Halt::Change("the approval that let it pass was taken back, or has expired".into()))
            }
            _ => Ok(()),
        }
    }
}

const GONE: &str = "the Organization was deleted from the cluster, or cannot be used any more as it is written";

fn broken(desired: &Desired, key: &ObjectKey) -> bool {
    desired.broken.iter().any(|broken| broken.key.as_ref() == Some(key))
}

/// Whether two readings of an object ask for the same. An id that a status told only now asks for nothing else.
fn says_the_same<T: PartialEq>(one: &Declared<T>, other: &Declared<T>) -> bool {
    let ids = one.id.as_ref().zip(other.id.as_ref());
    one.suspend == other.suspend && one.spec == other.spec && ids.is_none_or(|(one, other)| one == other)
}

fn object_says_the_same(one: &Desired, other: &Desired, key: &ObjectKey) -> bool {
    fn both<T: PartialEq>(one: Option<&Declared<T>>, other: Option<&Declared<T>>) -> bool {
        one.zip(other).is_some_and(|(one, other)| says_the_same(one, other))
    }
    let name = &key.name;
    match key.kind {
        Kind::Organization => says_the_same(&one.organization, &other.organization),
        Kind::OrganizationalUnit => both(one.units.get(name), other.units.get(name)),
        Kind::Account => both(one.accounts.get(name), other.accounts.get(name)),
        Kind::OrganizationPolicy => both(one.policies.get(name), other.policies.get(name)),
    }
}

/// Whether every object asks for the same, and no other is there.
fn is_same(one: &Desired, other: &Desired) -> bool {
    let declared =
        |desired: &Desired| -> BTreeSet<ObjectKey> { desired.objects().map(|(key, ..)| key.clone()).collect() };
    let broken = |desired: &Desired| -> BTreeSet<Option<ObjectKey>> {
        desired.broken.iter().map(|broken| broken.key.clone()).collect()
    };
    let all = declared(one);
    all == declared(other)
        && broken(one) == broken(other)
        && all.iter().all(|key| object_says_the_same(one, other, key))
}

#[cfg(test)]
mod tests;
