//! The way to a cluster, as kubectl finds it.

use kube::Client;

use super::failure::Failure;
use crate::controller::said::said;

/// A client of the cluster that `KUBECONFIG`, `~/.kube/config`, or the pod's service account names.
///
/// # Errors
/// None of them names one.
pub async fn client() -> Result<Client, Failure> {
    Client::try_default().await.map_err(|error| {
        Failure::new(
            format!("there is no way to a cluster: {}", said(&error)),
            "run it in a cluster, or set `KUBECONFIG` to a file that names one",
        )
    })
}

/// An answer of the cluster that is none.
#[must_use]
pub fn failure(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.is_not_found() => Failure::new(
            format!("the cluster does not know bylaw's kinds: {}", status.message),
            "install them: `helm install bylaw-crds charts/bylaw-crds`, or `bylaw crds | kubectl apply -f -`",
        ),
        kube::Error::Api(status) if status.is_forbidden() => Failure::new(
            format!("the cluster forbids it: {}", status.message),
            "ask for the role `bylaw-reader` or `bylaw-approver` of the chart",
        ),
        kube::Error::Api(status) => Failure::new(
            format!("the cluster answered: {}", status.message),
            "check that `kubectl auth whoami` works with the same `KUBECONFIG`",
        ),
        error => Failure::new(
            format!("the cluster does not answer: {}", said(error)),
            "check that `kubectl get organizations.bylaw.dev` works with the same `KUBECONFIG`",
        ),
    }
}
