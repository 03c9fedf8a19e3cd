//! `/healthz`, `/readyz`, `/metrics`, and `/log-level` to be read and set.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::Metrics;

/// Reads the log's filter with `None`, sets it with `Some`; an error is for people.
pub type Filter = Box<dyn Fn(Option<&str>) -> Result<String, String> + Send + Sync>;

/// What the process waits for, and how its log is set.
pub struct Health {
    /// What is not listed to its end yet, each with the reason; the process is ready where it is nothing.
    pub waits: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// The log's filter.
    pub log: Filter,
    /// Counts what is counted only when somebody reads it.
    pub count: Box<dyn Fn() + Send + Sync>,
}

/// Serves until the process ends.
///
/// # Errors
/// The listener broke.
pub async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Metrics) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move |State(health): State<Arc<Health>>| page(health, metrics.clone())))
        .route("/log-level", get(level).put(set_level))
        .with_state(health);
    axum::serve(listener, router).await
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    let waits = (health.waits)();
    if waits.is_empty() {
        return (StatusCode::OK, "ok\n".into());
    }
    let lines = waits.iter().map(|wait| format!("not listed yet: {wait}\n"));
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

async fn page(health: Arc<Health>, metrics: Metrics) -> impl IntoResponse {
    (health.count)();
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.text())
}

async fn level(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    answer((health.log)(None))
}

async fn set_level(State(health): State<Arc<Health>>, filter: String) -> (StatusCode, String) {
    // An empty filter is one that tells nothing at all, which nobody means.
    match filter.trim() {
        "" => answer(Err("a log filter is expected, such as `info` or `warn,bylaw=debug`".into())),
        filter => answer((health.log)(Some(filter))),
    }
}

fn answer(result: Result<String, String>) -> (StatusCode, String) {
    match result {
        Ok(text) => (StatusCode::OK, text + "\n"),
        Err(why) => (StatusCode::BAD_REQUEST, why + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(waits: &'static [&'static str]) -> State<Arc<Health>> {
        let log: Filter = Box::new(|asked| match asked {
            Some("info") | None => Ok("info".into()),
            Some(other) => Err(format!("`{other}` is not a log filter")),
        });
        let waits = Box::new(|| waits.iter().map(ToString::to_string).collect());
        State(Arc::new(Health { waits, log, count: Box::new(|| {}) }))
    }

    #[tokio::test]
    async fn readiness_names_the_kind_that_it_waits_for() {
        let (status, text) = ready(health(&["Account: the server has no such kind"])).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "not listed yet: Account: the server has no such kind\n");
        assert_eq!(ready(health(&[])).await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn an_empty_log_filter_is_refused() {
        for (filter, status) in [("", 400), (" \n", 400), ("nonsense[", 400), ("info\n", 200)] {
            assert_eq!(set_level(health(&[]), filter.to_owned()).await.0.as_u16(), status, "{filter:?}");
        }
    }
}
