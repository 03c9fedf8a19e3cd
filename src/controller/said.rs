//! What the API server, or the way to it, said: without what its client adds for programmers, and without what a program
//! that fetches credentials printed.

use std::error::Error;
use std::io;
use std::iter::successors;

use kube::client::AuthError;
use kube::config::KubeconfigError;

/// An error of the client in words for people.
#[must_use]
pub fn said<'a>(error: &'a (dyn Error + 'static)) -> String {
    // The words of each error hold those of its causes, so the first that is known by its type speaks for all.
    successors(Some(error), |cause: &&'a (dyn Error + 'static)| (*cause).source())
        .find_map(known)
        .unwrap_or_else(|| error.to_string())
}

/// Errors whose own words hold Rust's debug text.
fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(kube::Error::Api(status)) = error.downcast_ref() {
        return Some(format!("the API server answers {}: {}", status.code, status.message));
    }
    if let Some(error) = error.downcast_ref::<AuthError>() {
        return match error {
            AuthError::AuthExecRun { cmd, out } => {
                let told = String::from_utf8_lossy(&out.stderr);
                let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
                let told = crate::names::words::plain(&told).chars().take(MOST_TOLD).collect::<String>();
                Some(format!("`{cmd}`, which the kubeconfig names for credentials, ended with {}: {told}", out.status))
            }
            AuthError::ReadTokenFile(error, path) => {
                Some(format!("the token file `{}` cannot be read: {}", path.display(), unread(error)))
            }
            _ => None,
        };
    }
    // Outside of a cluster the kubeconfig is what is missing.
    Some(match error.downcast_ref::<KubeconfigError>()? {
        KubeconfigError::ReadConfig(error, path) => {
            format!("the kubeconfig `{}` cannot be read: {}", path.display(), unread(error))
        }
        error => format!("the kubeconfig cannot be used: {error}"),
    })
}

/// Why a file cannot be read, without the number that the system gives the reason.
fn unread(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Most characters of what a program said.
const MOST_TOLD: usize = 400;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Signs of debug text, and what only a program's standard output has.
    fn is_plain(text: &str) -> bool {
        !["{ ", "Some(", "\\n", "Output", "ExitStatus", "Status", "Os {", "secret"]
            .iter()
            .any(|sign| text.contains(sign))
    }

    #[test]
    fn no_error_on_the_way_to_the_api_server_is_told_as_debug_text() {
        let out =
            Command::new("sh").args(["-c", "echo secret; echo 'token\nhas expired' >&2; exit 3"]).output().unwrap();
        let exec = || AuthError::AuthExecRun { cmd: "aws eks get-token".into(), out: Box::new(out.clone()) };
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let status = kube::core::Status { code: 403, message: "no".into(), ..kube::core::Status::default() };
        let errors: [(Box<dyn Error>, &str); 6] = [
            (Box::new(kube::Error::Api(Box::new(status.clone()))), "answers 403: no"),
            (Box::new(kube::Error::Service(Box::new(kube::Error::Api(Box::new(status))))), "answers 403: no"),
            (Box::new(kube::Error::Auth(exec())), "`aws eks get-token`, which the kubeconfig names"),
            (Box::new(kube::Error::Service(Box::new(exec()))), "exit status: 3: token has expired"),
            (Box::new(kube::Error::Auth(AuthError::ReadTokenFile(gone(), "/a\u{301}".into()))), "the token file `/a"),
            (Box::new(KubeconfigError::ReadConfig(gone(), "/x".into())), "the kubeconfig `/x` cannot be read"),
        ];
        for (error, says) in &errors {
            let told = said(&**error);
            assert!(told.contains(says) && is_plain(&told), "{told}");
        }
        // The client's own words would not do.
        assert!(errors.iter().take(4).all(|(error, _)| !is_plain(&error.to_string())));
    }
}
