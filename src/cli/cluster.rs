//! The way to a cluster, as kubectl finds it.

use std::error::Error as _;

use kube::Client;
use kube::config::KubeconfigError;

use super::failure::Failure;
use super::files::plainly;

/// A client of the cluster that `KUBECONFIG`, `~/.kube/config`, or the pod's service account names.
///
/// # Errors
/// None of them names one.
pub async fn client() -> Result<Client, Failure> {
    Client::try_default().await.map_err(|error| {
        Failure::new(
            format!("there is no way to a cluster: {}", why(&error)),
            "run it in a cluster, or set `KUBECONFIG` to a file that names one",
        )
    })
}

/// Outside of a cluster the kubeconfig is what is missing.
fn why(error: &kube::Error) -> String {
    let of_file = match error {
        kube::Error::InferConfig(error) => error.source().and_then(|it| it.downcast_ref::<KubeconfigError>()),
        _ => None,
    };
    match of_file {
        Some(KubeconfigError::ReadConfig(error, path)) => {
            format!("the kubeconfig `{}` cannot be read: {}", path.display(), plainly(error))
        }
        Some(error) => format!("the kubeconfig cannot be used: {error}"),
        None => error.to_string(),
    }
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
            format!("the cluster does not answer: {error}"),
            "check that `kubectl get organizations.bylaw.dev` works with the same `KUBECONFIG`",
        ),
    }
}
