//! Traces by OTLP over HTTP, as the variables of the OpenTelemetry specification say: the passes, their phases, and each
//! call to AWS.
//!
//! What is traced is said where it happens, by spans of target [`SPANS`]; here they are collected and sent. Batches are
//! made on a thread of their own, and sent through kube's HTTP client: there is one TLS in the process. Nothing waits for
//! a collector. Whatever it does not take is lost, which is logged once.
//!
//! Specification: "OpenTelemetry Environment Variable Specification" and "OTLP Exporter Configuration".

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kube::client::Body;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::names::SPANS;

/// Longest time of one delivery where the environment says nothing (OTLP: 10 s).
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that the end of the process waits for the last delivery.
const FAREWELL: Duration = Duration::from_secs(3);

/// The traces of this process.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    endpoint: String,
}

/// A variable that is there and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The first of these that is there: the one for traces goes before the one for everything.
fn of_traces(name: &str) -> Option<String> {
    variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}")).or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
}

impl Traces {
    /// Traces, where `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names a collector, and neither
    /// `OTEL_SDK_DISABLED=true` nor `OTEL_TRACES_EXPORTER=none` says otherwise. It must be called in the runtime by which
    /// they are to be sent.
    ///
    /// # Errors
    /// For people: the variables cannot be used.
    pub fn from_environment() -> Result<Option<Self>, String> {
        let is = |name: &str, word: &str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        let Some(endpoint) = of_traces("ENDPOINT") else { return Ok(None) };
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        if let Some(protocol) = of_traces("PROTOCOL").filter(|protocol| protocol != "http/protobuf") {
            return Err(format!("`{protocol}` is not spoken: set `OTEL_EXPORTER_OTLP_PROTOCOL` to `http/protobuf`"));
        }
        let courier = Courier::new(&endpoint);
        let exporter = SpanExporter::builder().with_http().with_http_client(courier);
        let exporter = exporter.with_protocol(Protocol::HttpBinary).build();
        let exporter = exporter.map_err(|error| format!("`{endpoint}` cannot be sent to: {error}"))?;
        let provider = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
        Ok(Some(Self { provider, endpoint }))
    }

    /// What turns spans into traces. Warnings of bylaw become events of the span in which they are told.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.provider.tracer("bylaw");
        let traced = Targets::new().with_target("bylaw", LevelFilter::WARN).with_target(SPANS, LevelFilter::TRACE);
        let spans = tracing_opentelemetry::layer().with_tracer(tracer);
        let spans = spans.with_location(false).with_threads(false).with_tracked_inactivity(false);
        spans.with_filter(traced)
    }

    /// Where they are sent.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends what is left, within a few seconds.
    pub async fn end(self) {
        // It waits on its thread, and what is to be sent is sent by this runtime meanwhile.
        let ended = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(FAREWELL)).await;
        if let Ok(Err(error)) = ended {
            tracing::debug!("the last traces were not sent: {error}");
        }
    }
}

/// What the environment says of this process; its name is `bylaw` unless that says otherwise.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let unnamed = matches!(found.get(&Key::new("service.name")), Some(Value::String(name))
        if name.as_str().starts_with("unknown_service"));
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if unnamed {
        resource = resource.with_service_name("bylaw");
    }
    resource.build()
}

/// Delivers batches through kube's HTTP client, on the runtime of the process: the thread that makes the batches has none.
struct Courier {
    runtime: Handle,
    timeout: Duration,
    client: OnceLock<kube::Client>,
    state: Arc<State>,
}

/// What is known of the collector.
struct State {
    endpoint: String,
    silent: AtomicBool,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("endpoint", &self.state.endpoint).finish_non_exhaustive()
    }
}

impl State {
    /// A collector that is away is away for long: one line says so, and one that it is back.
    fn learn(&self, delivered: Result<(), String>) {
        match delivered {
            Ok(()) if self.silent.swap(false, Ordering::Relaxed) => {
                tracing::info!("traces are sent to `{}` again", self.endpoint);
            }
            Err(why) if !self.silent.swap(true, Ordering::Relaxed) => {
                tracing::warn!("traces cannot be sent to `{}`, and are lost until they can: {why}", self.endpoint);
            }
            _ => {}
        }
    }
}

impl Courier {
    fn new(endpoint: &str) -> Self {
        let timeout = of_traces("TIMEOUT").and_then(|milliseconds| milliseconds.parse().ok());
        Self {
            runtime: Handle::current(),
            timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
            client: OnceLock::new(),
            state: Arc::new(State { endpoint: endpoint.to_owned(), silent: AtomicBool::new(false) }),
        }
    }

    /// The client, made when the first batch tells whereto.
    fn client(&self, request: &Request<Bytes>) -> Result<kube::Client, HttpError> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let (scheme, authority) = (request.uri().scheme_str().unwrap_or("http"), request.uri().authority());
        let authority = authority.ok_or("the endpoint names no host")?;
        let mut config = kube::Config::new(format!("{scheme}://{authority}").parse()?);
        config.default_retry = false;
        config.connect_timeout = Some(self.timeout);
        config.root_cert_file = of_traces("CERTIFICATE").map(Into::into);
        // The client is a task of the runtime.
        let _inside = self.runtime.enter();
        let client = kube::Client::try_from(config)?;
        Ok(self.client.get_or_init(|| client).clone())
    }
}

async fn deliver(client: kube::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.send(request.map(Body::from)).await?;
    let (parts, body) = answer.into_parts();
    Ok(Response::from_parts(parts, body.collect_bytes().await?))
}

impl HttpClient for Courier {
    fn send_bytes<'courier, 'answer>(
        &'courier self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>
    where
        'courier: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            let client = self.client(&request);
            let (timeout, state) = (self.timeout, self.state.clone());
            let sent = self.runtime.spawn(async move {
                let answer = match client {
                    Ok(client) => tokio::time::timeout(timeout, deliver(client, request)).await,
                    Err(error) => Ok(Err(error)),
                };
                let answer =
                    answer.unwrap_or_else(|_| Err(format!("no answer within {} s", timeout.as_secs_f64()).into()));
                state.learn(match &answer {
                    Ok(answer) if answer.status().is_success() => Ok(()),
                    Ok(answer) => Err(format!("it answers {}", answer.status())),
                    Err(error) => Err(error.to_string()),
                });
                answer
            });
            sent.await?
        })
    }
}
