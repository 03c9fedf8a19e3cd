//! Which replica writes: a `Lease` of the cluster, and a fence before every write to AWS.
//!
//! A replica that was frozen, or cut off from the API server, learns that it lost the lease only by its own clocks. So the
//! right to write ends at a time that was fixed before the lease was last renewed, and every write asks for it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};

use super::said::said;
use crate::aws::error::NOT_LEADER;
use crate::aws::{AwsError, Port, Request, Response, ServiceTime};
use crate::process::Metrics;

/// How long a lease counts for the others.
const LENGTH: Duration = Duration::from_secs(15);
/// How long its holder relies on it: the difference is for a call in flight and for clocks that run unlike.
const RELIED_ON: Duration = Duration::from_secs(10);
/// Time from one renewal to the next, and between two looks at another's lease.
const EVERY: Duration = Duration::from_secs(3);
/// Longest wait for one answer of the API server.
const ANSWER: Duration = Duration::from_secs(5);

/// The right to write, as this process knows it.
#[derive(Debug, Clone, Default)]
pub struct Claim(Arc<Mutex<Option<(Instant, Timestamp)>>>);

impl Claim {
    /// Whether it holds now. Both clocks have to say so: one stands still while the machine sleeps, the other is set.
    #[must_use]
    pub fn holds(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|(instant, time)| Instant::now() < instant && Timestamp::now() < time)
    }

    fn until(&self, asked: (Instant, Timestamp)) {
        let relied_on = SignedDuration::try_from(RELIED_ON).unwrap_or_default();
        let until = (asked.0 + RELIED_ON, asked.1 + relied_on);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A way to AWS that lets writes through only while this replica is the leader, and counts every call.
pub struct Fenced<P> {
    /// The way behind the fence.
    pub port: P,
    /// The right to write.
    pub claim: Claim,
    /// Where calls are counted.
    pub metrics: Metrics,
}

impl<P: Port> Port for Fenced<P> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let answer = if request.is_write() && !self.claim.holds() {
                let why = "this replica is not, or no longer, the one that writes; nothing was sent";
                Err(AwsError::unsent(request.operation(), NOT_LEADER, why))
            } else {
                self.port.call(request).await
            };
            self.metrics.call(request.operation(), answer.as_ref().map_or_else(|error| error.class.as_str(), |_| "ok"));
            answer
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.port.time()
    }
}

/// What one look at the lease said.
enum Look {
    /// It is this replica's.
    Mine,
    /// Somebody else's.
    Theirs,
    /// The cluster is older than it was.
    Back,
}

/// A cluster that was restored from a backup counts its versions from there again, and a watch that asks for what comes
/// after a version that is not reached yet is told of nothing until it is. Whoever watched before has to list anew.
const WENT_BACK: &str =
    "the cluster was set back, as when it is restored from a backup: what is known of it is to be read anew";

/// One candidate.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    who: String,
    /// The record of another holder as it was seen first, and when: the others' clocks are not trusted.
    seen: Option<(LeaseSpec, Instant)>,
    /// The record as this replica wrote it last: with it, a renewal is one call, and a server that takes seconds for each
    /// costs nobody the lease.
    mine: Option<Lease>,
    /// The newest version of the cluster that was seen.
    newest: u64,
    /// When the lease was asked for last.
    asked: Instant,
    /// The holder whose lease ran out and was taken.
    predecessor: Option<String>,
}

/// A name that no other process has, whatever it is called: that of the Pod, and a random number.
#[must_use]
pub fn process_name(pod: &str) -> String {
    let random = RandomState::new().build_hasher().finish();
    let pod: String = pod.chars().take(60).collect();
    format!("{pod}_{random:016x}")
}

impl Candidate {
    /// A candidate for the lease `name` in `namespace`, under a name that no other replica has.
    #[must_use]
    pub fn new(client: &Client, namespace: &str, name: &str, who: &str) -> Self {
        Self {
            api: Api::namespaced(client.clone(), namespace),
            name: name.into(),
            who: who.into(),
            seen: None,
            mine: None,
            newest: 0,
            asked: Instant::now(),
            predecessor: None,
        }
    }

    /// The process that held the lease before, where it did not give it up: it ran out, so that process writes no more.
    #[must_use]
    pub fn predecessor(&self) -> Option<&str> {
        self.predecessor.as_deref()
    }

    /// Waits until this replica is the leader and has the right to write.
    ///
    /// # Errors
    /// For people: what this replica knows of the cluster is of a time that the cluster has gone back from.
    pub async fn elected(&mut self, claim: &Claim) -> Result<(), String> {
        loop {
            self.asked = Instant::now();
            let asked = (self.asked, Timestamp::now());
            match self.look().await {
                Ok(Look::Mine) => {
                    claim.until(asked);
                    // Where the server took longer than the lease is relied on, it is asked once more.
                    if claim.holds() {
                        return Ok(());
                    }
                }
                Ok(Look::Theirs) => tokio::time::sleep(EVERY).await,
                Ok(Look::Back) => return Err(WENT_BACK.into()),
                Err(error) => {
                    tracing::info!("the lease cannot be had: {}", said(&error));
                    tokio::time::sleep(EVERY).await;
                }
            }
        }
    }

    /// Renews the lease until it is lost; the reason is for people. The process is to end then: what it knows is old.
    pub async fn lost(&mut self, claim: &Claim) -> String {
        loop {
            tokio::time::sleep(EVERY.saturating_sub(self.asked.elapsed())).await;
            self.asked = Instant::now();
            let asked = (self.asked, Timestamp::now());
            match self.look().await {
                // One that ran out in between was nobody's in the meantime, or somebody's: what is known may be old.
                Ok(Look::Mine) if claim.holds() => claim.until(asked),
                Ok(Look::Mine) => return "the lease ran out before it could be renewed".into(),
                Ok(Look::Theirs) => {
                    claim.end();
                    return "another replica took the lease".into();
                }
                Ok(Look::Back) => {
                    claim.end();
                    return WENT_BACK.into();
                }
                Err(error) if claim.holds() => tracing::warn!("the lease could not be renewed yet: {}", said(&error)),
                Err(error) => return format!("the lease ran out and could not be renewed: {}", said(&error)),
            }
        }
    }

    /// Gives the lease up, so that the next replica need not wait until it runs out.
    pub async fn give_up(&mut self, claim: &Claim) {
        claim.end();
        let given = async {
            let mut lease = self.api.get(&self.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.who) {
                return Ok(());
            }
            spec.holder_identity = None;
            self.api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        };
        match tokio::time::timeout(ANSWER, given).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::info!("the lease could not be given up, it runs out by itself: {}", said(&error))
            }
            Err(_) => tracing::info!("the lease could not be given up in time, it runs out by itself"),
        }
    }

    /// Takes or renews the lease where it is free or this replica's. A write that crosses another's is refused by the
    /// resource version: whose the lease is then, the next look says.
    async fn look(&mut self) -> Result<Look, kube::Error> {
        let now = MicroTime(Timestamp::now());
        let who = self.who.clone();
        let spec = |transitions: i32, acquired: Option<MicroTime>| LeaseSpec {
            holder_identity: Some(who.clone()),
            lease_duration_seconds: i32::try_from(LENGTH.as_secs()).ok(),
            acquire_time: acquired.or_else(|| Some(now.clone())),
            renew_time: Some(now.clone()),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
        if let Some(mut lease) = self.mine.take() {
            let held = lease.spec.take().unwrap_or_default();
            lease.spec = Some(spec(held.lease_transitions.unwrap_or_default(), held.acquire_time));
            match in_time(self.api.replace(&self.name, &PostParams::default(), &lease)).await {
                Ok(written) => return Ok(self.is_mine(written)),
                // Somebody else wrote it, or took it away: whose it is, is to be seen.
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let Some(mut lease) = in_time(self.api.get_opt(&self.name)).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(spec(0, None)) };
            let created = in_time(self.api.create(&PostParams::default(), &lease)).await?;
            return Ok(self.is_mine(created));
        };
        if self.is_back(&lease) {
            return Ok(Look::Back);
        }
        let held = lease.spec.clone().unwrap_or_default();
        let transitions = held.lease_transitions.unwrap_or_default();
        let holder = held.holder_identity.as_deref().filter(|holder| !holder.is_empty());
        if holder != Some(&self.who) {
            // Also where the answer to what follows is lost: the next look finds the lease ours.
            self.predecessor = holder.map(str::to_owned);
        }
        lease.spec = Some(match holder {
            Some(holder) if holder == self.who => spec(transitions, held.acquire_time),
            Some(_) if !self.ran_out(&held) => return Ok(Look::Theirs),
            _ => spec(transitions.saturating_add(1), None),
        });
        let written = in_time(self.api.replace(&self.name, &PostParams::default(), &lease)).await?;
        Ok(self.is_mine(written))
    }

    fn is_mine(&mut self, written: Lease) -> Look {
        if self.is_back(&written) {
            return Look::Back;
        }
        self.mine = Some(written);
        Look::Mine
    }

    /// Whether a record has an older version than one that was seen before. All objects of a cluster count by one clock, and
    /// versions may be compared (Kubernetes API concepts, "Resource versions"); one that is no number tells nothing.
    fn is_back(&mut self, lease: &Lease) -> bool {
        let version = lease.metadata.resource_version.as_ref().and_then(|version| version.parse().ok());
        let back = version.is_some_and(|version| version < self.newest);
        self.newest = self.newest.max(version.unwrap_or_default());
        back
    }

    /// Whether another's record has not changed for as long as it counts.
    fn ran_out(&mut self, held: &LeaseSpec) -> bool {
        let length = held.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let length = length.map_or(LENGTH, Duration::from_secs);
        match &self.seen {
            Some((seen, at)) if seen == held => at.elapsed() >= length,
            _ => {
                self.seen = Some((held.clone(), Instant::now()));
                false
            }
        }
    }
}

async fn in_time<T>(call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    match tokio::time::timeout(ANSWER, call).await {
        Ok(answer) => answer,
        Err(_) => Err(kube::Error::Service("the API server does not answer in time".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_by_itself() {
        let claim = Claim::default();
        assert!(!claim.holds(), "nobody elected it");
        claim.until((Instant::now(), Timestamp::now()));
        assert!(claim.holds());
        let Some(long_ago) = Instant::now().checked_sub(RELIED_ON) else { return };
        claim.until((long_ago, Timestamp::now()));
        assert!(!claim.holds(), "the steady clock says that it ran out");
        claim.until((Instant::now(), Timestamp::now() - SignedDuration::from_secs(60)));
        assert!(!claim.holds(), "the clock of the day says that it ran out");
        claim.until((Instant::now(), Timestamp::now()));
        claim.end();
        assert!(!claim.holds());
    }
}
