//! The finalizer, only on objects whose deletion is to delete or close something in AWS.
//!
//! It is kept by server-side apply under a field manager of its own: to apply the object without it takes off ours and
//! nobody else's, whatever the spec looks like.

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;

use super::objects::Entry;
use super::said::said;
use super::watch::{Cluster, resource};
use crate::api::{API_VERSION, FINALIZER};
use crate::desired::Home;
use crate::names::ObjectKey;

/// Field manager of the finalizer.
const MANAGER: &str = "bylaw-finalizer";

/// An object by key and uid.
pub type Named = (ObjectKey, String);

fn named((key, entry): (&ObjectKey, &Entry)) -> Named {
    (key.clone(), entry.uid.clone())
}

/// Puts the finalizer on objects that opted in to deletion, and takes it off those that no longer do: setting
/// `deletionPolicy: Retain` frees an object whose deletion is refused.
pub async fn settle(client: &Client, cluster: &Cluster) {
    let (wanted, unwanted) = {
        let objects = cluster.objects();
        let Some(entries) = objects.whole() else { return };
        let keys = |which: fn(&Entry) -> bool| entries.iter().filter(|(_, entry)| which(entry)).map(named).collect();
        let wanted: Vec<Named> = keys(|entry| entry.deletes && !entry.finalizer && !entry.deleting);
        let unwanted: Vec<Named> = keys(|entry| entry.finalizer && !entry.deletes);
        (wanted, unwanted)
    };
    for object in wanted {
        apply(client, &object, &[FINALIZER]).await;
    }
    for object in unwanted {
        let_go(client, &object).await;
    }
}

/// Takes the finalizer off one object.
pub async fn let_go(client: &Client, object: &Named) {
    apply(client, object, &[]).await;
}

/// Takes the finalizer off everything that is being deleted and that no Organization is left to govern: nothing in AWS is
/// touched then.
pub async fn let_go_of_ungoverned(client: &Client, cluster: &Cluster) {
    let leaving: Vec<Named> = {
        let objects = cluster.objects();
        let Some(entries) = objects.whole() else { return };
        let organizations = objects.organizations();
        let governed = |entry: &Entry| matches!(organizations.home(&entry.manifest), Home::Of(_) | Home::Unsaid);
        entries.iter().filter(|(_, entry)| entry.deleting && entry.finalizer && !governed(entry)).map(named).collect()
    };
    for object in leaving {
        let_go(client, &object).await;
    }
}

async fn apply(client: &Client, (key, uid): &Named, finalizers: &[&str]) {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(key.kind));
    // With the uid, an object that is gone is not made anew, nor its successor touched.
    let metadata = json!({"name": key.name, "uid": uid, "finalizers": finalizers});
    let object = json!({"apiVersion": API_VERSION, "kind": key.kind.as_str(), "metadata": metadata});
    match api.patch_metadata(&key.name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&object)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
        Err(error) => tracing::warn!(object = %key, "the finalizer could not be changed: {}", said(&error)),
    }
}
