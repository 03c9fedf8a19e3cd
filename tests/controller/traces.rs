//! Traces, as a collector receives them, and the log beside them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

/// What a collector was sent: request line and headers, in lower case, and the body.
type Posts = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// An OTLP collector that keeps what it is sent. It ends with the tests.
fn collector() -> (String, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let posts = Posts::default();
    let kept = posts.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let kept = kept.clone();
            std::thread::spawn(move || {
                while let Some(post) = post(stream.as_ref().unwrap()) {
                    kept.lock().unwrap().push(post);
                }
            });
        }
    });
    (url, posts)
}

/// Takes one request, where there is one more.
fn post(mut stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()?;
    Some((head, body))
}

/// Whether the text is in the bytes; protobuf writes texts as they are.
fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn set(scene: &mut Scene, variables: &[(&str, &str)]) {
    scene.environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
}

#[test]
fn passes_their_phases_and_calls_are_traced_and_the_log_names_each_request_of_aws() {
    let (url, posts) = collector();
    let mut scene = Scene::new();
    let attributes = "k8s.pod.name=bylaw-0,deployment.environment.name=test";
    set(
        &mut scene,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=bylaw-tests"),
            ("OTEL_RESOURCE_ATTRIBUTES", attributes),
            ("BYLAW_LOG", "warn,bylaw=debug"),
        ],
    );
    scene.start();
    scene.data_science();
    // What is left is sent at the end.
    scene.terminate(0);

    let posts = posts.lock().unwrap();
    for (head, _) in &*posts {
        for part in ["post /v1/traces http/1.1", "content-type: application/x-protobuf", "x-scope: bylaw-tests"] {
            assert!(head.contains(part), "{head}");
        }
    }
    let all: Vec<u8> = posts.iter().flat_map(|(_, body)| body.clone()).collect();
    let missing: Vec<&str> = [
        "pass",
        "observe",
        "plan",
        "guard",
        "apply",
        "verify",
        "status",
        "organization",
        "acme",
        "ListRoots",
        "AttachPolicy",
        "CreatePolicy",
        "aws-api",
        "aws.request_id",
        "outcome",
        "service.name",
        "bylaw",
        "k8s.pod.name",
        "deployment.environment.name",
        "service.version",
    ]
    .into_iter()
    .filter(|text| !holds(&all, text))
    .collect();
    assert!(missing.is_empty(), "{missing:?} are in none of {} deliveries", posts.len());

    let log = scene.log(0);
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let answers: Vec<&Value> = lines.iter().filter(|line| line["message"] == "AWS answered").collect();
    let operations: BTreeSet<&str> = answers.iter().filter_map(|line| line["operation"].as_str()).collect();
    assert!(operations.contains("CreatePolicy") && operations.contains("GetCallerIdentity"), "{operations:?}");
    for line in &answers {
        let id = line["request_id"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && line["outcome"].is_string(), "{line}");
        assert!(holds(&all, id), "no span has the id of {line}");
    }
}

#[test]
fn a_collector_that_is_away_is_told_once_and_holds_up_nothing() {
    let mut scene = Scene::new();
    // Nobody listens, and what would be sent is sent often.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    set(&mut scene, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_BSP_SCHEDULE_DELAY", "200")]);
    scene.start();
    scene.data_science();
    let began = Instant::now();
    scene.terminate(0);
    assert!(began.elapsed() < Duration::from_secs(6), "it took {:?} to end", began.elapsed());
    let log = scene.log(0);
    assert_eq!(log.matches("traces cannot be sent").count(), 1, "{log}");

    // One that takes the call and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    set(&mut scene, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    scene.start();
    scene.until_aws(|| scene.log(1).contains("pass over"));
    let began = Instant::now();
    scene.terminate(1);
    assert!(began.elapsed() < Duration::from_secs(6), "it took {:?} to end", began.elapsed());
}

#[test]
fn no_traces_are_sent_where_nobody_asks_or_somebody_forbids_it() {
    let (url, posts) = collector();
    let mut scene = Scene::new();
    set(&mut scene, &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &url), ("OTEL_SDK_DISABLED", "true")]);
    scene.start();
    scene.until_aws(|| scene.log(0).contains("this replica writes"));
    scene.terminate(0);
    assert!(!scene.log(0).contains("traces"), "{}", scene.log(0));
    set(&mut scene, &[("OTEL_SDK_DISABLED", "false"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")]);
    scene.start();
    scene.until_aws(|| scene.log(1).contains("no traces are sent: `grpc` is not spoken"));
    assert!(posts.lock().unwrap().is_empty());
}
