//! The watch of each kind, from the API server into [`Objects`] and [`Approvals`].

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, core::GroupVersionKind};
use tokio::sync::Notify;

use super::approvals::Approvals;
use super::objects::Objects;
use super::said::said;
use crate::names::Kind;

/// Pause before a kind that the server does not have, or does not show, is listed again.
const AGAIN: Duration = Duration::from_secs(5);

/// Errors in a row after which a watch is begun anew with a list.
const ERRORS: usize = 4;

/// What the cluster holds, and the word that it has changed.
#[derive(Debug, Default)]
pub struct Cluster {
    objects: Mutex<Objects>,
    approvals: Mutex<Approvals>,
    changed: Notify,
    version: AtomicU64,
}

impl Cluster {
    /// The objects of now.
    pub fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The approvals of now.
    pub fn approvals(&self) -> MutexGuard<'_, Approvals> {
        self.approvals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in one watch event. Whether a pass should look at what changed.
    pub fn take(&self, watched: Watched, event: watcher::Event<DynamicObject>) -> bool {
        let news = match watched {
            Watched::Declared(kind) => self.objects().take(kind, event),
            Watched::Approvals => self.approvals().take(event),
        };
        if news {
            self.version.fetch_add(1, Ordering::Release);
        }
        news
    }

    /// A number that grows with everything that a pass should look at: whoever reads it before the objects sees by it
    /// whether they may have changed since.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The kind cannot be listed.
    fn lose(&self, watched: Watched, why: &str) {
        match watched {
            Watched::Declared(kind) => {
                tracing::warn!(%kind, "the objects cannot be listed, nothing is planned: {why}");
                self.objects().lose(kind, why);
            }
            Watched::Approvals => {
                tracing::warn!("the approvals cannot be listed, none counts: {why}");
                self.approvals().lose();
            }
        }
        self.version.fetch_add(1, Ordering::Release);
        self.wake();
    }

    /// Resolves when something changed that a pass should look at.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Says that a pass should look.
    pub fn wake(&self) {
        self.changed.notify_one();
    }
}

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// What people declare.
    Declared(Kind),
    /// What people let pass.
    Approvals,
}

impl Watched {
    /// All of it.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Kind::ALL.into_iter().map(Self::Declared).chain([Self::Approvals]).collect()
    }

    /// How the API server names it.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let (kind, plural) = match self {
            Self::Declared(Kind::Organization) => ("Organization", "organizations"),
            Self::Declared(Kind::OrganizationalUnit) => ("OrganizationalUnit", "organizationalunits"),
            Self::Declared(Kind::Account) => ("Account", "accounts"),
            Self::Declared(Kind::OrganizationPolicy) => ("OrganizationPolicy", "organizationpolicies"),
            Self::Approvals => ("Approval", "approvals"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("bylaw.dev", "v1alpha1", kind), plural)
    }
}

/// How the API server names a kind.
#[must_use]
pub fn resource(kind: Kind) -> ApiResource {
    Watched::Declared(kind).resource()
}

/// Keeps one kind up to date, for ever.
pub async fn watch(client: Client, watched: Watched, cluster: Arc<Cluster>) {
    let api: Api<DynamicObject> = Api::all_with(client, &watched.resource());
    loop {
        // A watcher of its own each time: it begins with a list of everything.
        let events = watcher(api.clone(), watcher::Config::default()).default_backoff();
        let mut events = pin!(events);
        let mut errors = 0;
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    errors = 0;
                    if cluster.take(watched, event) {
                        cluster.wake();
                    }
                }
                Err(error) if is_lasting(&error) => {
                    cluster.lose(watched, &told(&error));
                    break;
                }
                Err(error) => {
                    let (kind, error) = (watched.resource().kind, told(&error));
                    tracing::info!(kind, "the watch was interrupted and is begun again: {error}");
                    errors += 1;
                    // A server that was restored from a backup knows no such version as the last one seen here, and
                    // would be asked for it for ever.
                    if errors >= ERRORS {
                        break;
                    }
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What the API server said, without what its client adds for programmers.
fn told(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => said(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// The kind is not there, or not for us: what was known of it no longer counts.
fn is_lasting(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status,
        watcher::Error::WatchError(status) => status,
        _ => return false,
    };
    // By the code: where the definition is gone the server answers with a plain `404 page not found`, without a reason.
    matches!(status.code, 403 | 404)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_whose_definition_is_gone_is_lost_though_the_server_gives_no_reason() {
        let answered = |code, reason: &str| {
            let status = kube::core::Status { code, reason: reason.into(), ..kube::core::Status::default() };
            watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
        };
        assert!(is_lasting(&answered(404, "Failed to parse error data")));
        assert!(is_lasting(&answered(403, "Forbidden")));
        assert!(!is_lasting(&answered(429, "TooManyRequests")));
        assert!(!is_lasting(&answered(503, "ServiceUnavailable")));
    }
}
