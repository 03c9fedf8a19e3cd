//! Decisions of a way of SCPs: bylaw, beside `cedar-policy` on equal policies and, where `tests/support/oracle.sh` can
//! install it, iam-simulate as a process of its own. All that decide the same request have to decide it alike.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use bylaw::names::PolicyType;
use bylaw::policy::Document;
use bylaw::policy::document::Content;
use bylaw::policy::eval::{Compiled, Decision};
use bylaw_decisions::requests::Asked;
use bylaw_decisions::{cedar, ladder, requests, scps};
use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput};
use serde_json::{Value, json};

/// Requests that iam-simulate is asked: it takes milliseconds for each.
const ASKED_OF_IT: usize = 100;

/// Time that the thread had a core for: what else runs on the machine does not count.
struct OwnTime;

impl Measurement for OwnTime {
    type Intermediate = ThreadTime;
    type Value = std::time::Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }
    fn end(&self, start: ThreadTime) -> Self::Value {
        start.elapsed()
    }
    fn add(&self, one: &Self::Value, other: &Self::Value) -> Self::Value {
        *one + *other
    }
    fn zero(&self) -> Self::Value {
        Self::Value::ZERO
    }
    fn to_f64(&self, value: &Self::Value) -> f64 {
        WallTime.to_f64(value)
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

type Bench = Criterion<OwnTime>;

fn main() {
    let nodes = scps::nodes();
    let asked = requests::requests();
    let mut criterion = Criterion::default().with_measurement(OwnTime).configure_from_args();
    let own = decisions(&mut criterion, &nodes, &asked);
    beside(&mut criterion, &nodes, &asked, &own);
    parts(&mut criterion);
    criterion.final_summary();
}

fn decisions(criterion: &mut Bench, nodes: &[Vec<Value>], asked: &[Asked]) -> Vec<bool> {
    let ladder = ladder(nodes);
    let prepared: Vec<_> = asked.iter().map(Asked::request).collect();
    let own: Vec<bool> = prepared.iter().map(|request| ladder.decide(request) == Decision::Allowed).collect();
    println!("{} of {} requests are allowed", own.iter().filter(|allowed| **allowed).count(), own.len());
    let mut group = criterion.benchmark_group("way of 10 SCPs");
    group.throughput(Throughput::Elements(prepared.len() as u64));
    group.bench_function("decide", |bencher| {
        bencher
            .iter(|| prepared.iter().filter(|request| ladder.decide(black_box(request)) == Decision::Allowed).count());
    });
    group.bench_function("walk", |bencher| {
        bencher.iter(|| prepared.iter().map(|request| ladder.walk(black_box(request)).steps.len()).sum::<usize>());
    });
    group.finish();
    own
}

fn beside(criterion: &mut Bench, nodes: &[Vec<Value>], asked: &[Asked], own: &[bool]) {
    let (policies, entities) = (cedar::policies(nodes, asked), cedar::entities());
    let prepared = cedar::requests(asked);
    let authorizer = cedar_policy::Authorizer::new();
    let allows = |request| {
        let response = authorizer.is_authorized(request, &policies, &entities);
        assert!(response.diagnostics().errors().next().is_none(), "{response:?}");
        response.decision() == cedar_policy::Decision::Allow
    };
    for ((request, asked), own) in prepared.iter().zip(asked).zip(own) {
        assert_eq!(allows(request), *own, "Cedar: {} {:?}", asked.action, asked.keys);
    }
    let mut group = criterion.benchmark_group("beside");
    group.sample_size(10).throughput(Throughput::Elements(prepared.len() as u64));
    group.bench_function("cedar-policy", |bencher| {
        bencher.iter(|| prepared.iter().filter(|request| allows(black_box(request))).count());
    });
    group.finish();
    simulate(nodes, asked, own);
}

/// Times iam-simulate by its own clock, over the same policies and the first of the same requests.
fn simulate(nodes: &[Vec<Value>], asked: &[Asked], own: &[bool]) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let made = Command::new(tests.join("support/oracle.sh")).stderr(Stdio::inherit()).output();
    let Some(made) = made.ok().filter(|made| made.status.success()) else {
        println!("iam-simulate is left out: tests/support/oracle.sh could not install it");
        return;
    };
    let said = String::from_utf8_lossy(&made.stdout);
    let mut lines = said.lines();
    let (node, installed) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let named = |policies: &[Value]| -> Value {
        policies.iter().enumerate().map(|(at, policy)| json!({"name": format!("p{at}"), "policy": policy})).collect()
    };
    let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let questions: String = asked
        .iter()
        .take(ASKED_OF_IT)
        .map(|asked| {
            let controls = nodes.iter().enumerate();
            let controls =
                controls.map(|(at, node)| json!({"orgIdentifier": format!("n{at}"), "policies": named(node)}));
            let simulation = json!({
                "request": {
                    "principal": "arn:aws:iam::111122223333:role/app",
                    "action": asked.action.as_str(),
                    "resource": {"resource": asked.resource, "accountId": "111122223333"},
                    "contextVariables": asked.keys,
                },
                "identityPolicies": named(std::slice::from_ref(&full)),
                "resourcePolicy": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "*", "Resource": "*",
                }]},
                "serviceControlPolicies": controls.collect::<Vec<_>>(),
                "resourceControlPolicies": [],
            });
            format!("{simulation}\n")
        })
        .collect();
    let mut child = Command::new(node)
        .arg(tests.join("oracle/ask.mjs"))
        .args([installed, "--time", "3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    child.stdin.take().expect("it is piped").write_all(questions.as_bytes()).expect("node reads all");
    let output = child.wait_with_output().expect("node ends");
    let answers: Vec<Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (time, answers) = answers.split_last().expect("it answers");
    for ((answer, asked), own) in answers.iter().zip(asked).zip(own) {
        assert_eq!(answer["result"] == "Allowed", *own, "iam-simulate: {answer} {} {:?}", asked.action, asked.keys);
    }
    let each = time["nanoseconds"].as_f64().unwrap_or_default() / (3 * ASKED_OF_IT) as f64;
    println!("beside/iam-simulate     {:.0} ns a decision, {:.0} decisions a second\n", each, 1e9 / each);
}

/// What comes before decisions.
fn parts(criterion: &mut Bench) {
    let kind = PolicyType::new("SERVICE_CONTROL_POLICY");
    // As long as AWS takes them.
    let text = scps::of_length(3, 39).to_string();
    let (document, _) = Document::parse(&kind, &text).expect("it is an SCP");
    let Content::Statements(policy) = document.content() else { panic!("an SCP has statements") };
    println!("an SCP of {} characters", text.len());
    criterion.bench_function("parse an SCP", |bencher| bencher.iter(|| Document::parse(&kind, black_box(&text))));
    criterion.bench_function("compile an SCP", |bencher| bencher.iter(|| Compiled::new(black_box(policy))));
    let nodes = scps::nodes();
    criterion.bench_function("parse and compile a way", |bencher| bencher.iter(|| ladder(black_box(&nodes))));
}
