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

/// Whether the process is ready, and how its log is set.
pub struct Health {
    /// Whether every kind was listed to its end.
    pub ready: Box<dyn Fn() -> bool + Send + Sync>,
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

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    if (health.ready)() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the objects of the cluster were not listed yet\n")
    }
}

async fn page(health: Arc<Health>, metrics: Metrics) -> impl IntoResponse {
    (health.count)();
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], metrics.text())
}

async fn level(State(health): State<Arc<Health>>) -> (StatusCode, String) {
    answer((health.log)(None))
}

async fn set_level(State(health): State<Arc<Health>>, filter: String) -> (StatusCode, String) {
    answer((health.log)(Some(filter.trim())))
}

fn answer(result: Result<String, String>) -> (StatusCode, String) {
    match result {
        Ok(text) => (StatusCode::OK, text + "\n"),
        Err(why) => (StatusCode::BAD_REQUEST, why + "\n"),
    }
}
