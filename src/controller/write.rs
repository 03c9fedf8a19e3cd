//! Statuses and Events to the API server, each only where there is something new.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource};
use serde_json::{Value, json};

use super::Context;
use super::keep::{Judged, Said, Turnout};
use super::said::said;
use super::watch::{Cluster, Watched, resource};
use crate::api::API_VERSION;
use crate::names::ObjectKey;
use crate::status::{self, Notice, Weight};

/// Field manager of everything that bylaw writes into the cluster.
pub const MANAGER: &str = "bylaw";
/// Status writes under way at once.
const AT_ONCE: usize = 8;
/// The same Event is told again only after this.
const SILENT: Duration = Duration::from_secs(3600);

/// Writes statuses and tells Events. Returns how many statuses were written, and how many could not be.
pub async fn write<'t>(cx: &Context, client: &Client, cluster: &Cluster, turnout: &'t Turnout) -> (usize, usize) {
    let now = (cx.clock)();
    let mut patches: Vec<(ApiResource, &'t str, Value)> = {
        let objects = cluster.objects();
        let entries = objects.known();
        let patch = |(key, said): (&'t ObjectKey, &Said)| {
            let entry = entries.get(key).filter(|entry| entry.uid == said.uid)?;
            let status = status::status(&said.verdict, &said.facts, &entry.status, said.generation, now)?;
            Some((resource(key.kind), &*key.name, status))
        };
        turnout.statuses.iter().filter_map(patch).collect()
    };
    patches.extend(of_approvals(&turnout.approvals, now));
    patch(client, patches).await
}

/// Writes the statuses of approvals alone.
pub async fn write_approvals(client: &Client, approvals: &[Judged], now: Timestamp) {
    patch(client, of_approvals(approvals, now).collect()).await;
}

fn of_approvals(approvals: &[Judged], now: Timestamp) -> impl Iterator<Item = (ApiResource, &str, Value)> {
    approvals.iter().filter_map(move |(given, verdict, fields)| {
        let status = status::status(verdict, fields, &given.status, given.generation, now)?;
        Some((Watched::Approvals.resource(), &*given.name, status))
    })
}

async fn patch(client: &Client, patches: Vec<(ApiResource, &str, Value)>) -> (usize, usize) {
    let written = stream::iter(patches).map(|(resource, name, status)| async move {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let object = json!({"apiVersion": API_VERSION, "kind": resource.kind, "metadata": {"name": name},
            "status": status});
        let parameters = PatchParams::apply(MANAGER).force();
        match api.patch_status(name, &parameters, &Patch::Apply(&object)).await {
            Ok(_) => true,
            Err(kube::Error::Api(error)) if error.is_not_found() => true,
            Err(error) => {
                let kind = &resource.kind;
                tracing::warn!(object = %format_args!("{kind}/{name}"), "the status could not be written: {}", said(&error));
                false
            }
        }
    });
    let written: Vec<bool> = written.buffer_unordered(AT_ONCE).collect().await;
    let failed = written.iter().filter(|done| !**done).count();
    (written.len() - failed, failed)
}

/// What was told lately, so that a state that lasts is not told with every pass.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<Notice, Instant>);

impl Told {
    /// The notices that are news, which count as told from now on.
    pub fn news(&mut self, notices: &[Notice], now: Instant) -> Vec<Notice> {
        self.0.retain(|_, at| now.duration_since(*at) < SILENT);
        let news: Vec<Notice> = notices.iter().filter(|notice| !self.0.contains_key(notice)).cloned().collect();
        self.0.extend(news.iter().map(|notice| (notice.clone(), now)));
        news
    }
}

/// Tells Events. One that cannot be told is logged and lost: nothing waits for it.
pub async fn tell(recorder: &Recorder, cluster: &Cluster, notices: &[Notice]) {
    for notice in notices {
        let uid = cluster.objects().whole().and_then(|entries| Some(entries.get(&notice.object)?.uid.clone()));
        let metadata = ObjectMeta { name: Some(notice.object.name.to_string()), uid, ..ObjectMeta::default() };
        let kind = resource(notice.object.kind);
        let object = DynamicObject { metadata, ..DynamicObject::new(&notice.object.name, &kind) };
        let event = Event {
            type_: match notice.weight {
                Weight::Normal => EventType::Normal,
                Weight::Warning => EventType::Warning,
            },
            reason: notice.reason.to_owned(),
            note: Some(notice.note.chars().take(1000).collect()),
            action: notice.action.to_owned(),
            secondary: None,
        };
        if let Err(error) = recorder.publish(&event, &object.object_ref(&kind)).await {
            tracing::warn!(object = %notice.object, reason = notice.reason, "an Event could not be told: {}", said(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Kind;

    #[test]
    fn the_same_event_is_told_once_an_hour() {
        let notice = Notice {
            object: ObjectKey::new(Kind::Account, "a"),
            weight: Weight::Warning,
            reason: "Refused",
            action: "Plan",
            note: "no".into(),
        };
        let (mut told, now) = (Told::default(), Instant::now());
        assert_eq!(told.news(std::slice::from_ref(&notice), now).len(), 1);
        assert_eq!(told.news(std::slice::from_ref(&notice), now + Duration::from_secs(60)).len(), 0);
        assert_eq!(told.news(&[notice], now + SILENT).len(), 1);
    }
}
