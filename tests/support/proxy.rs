//! A loopback proxy in front of moto that misbehaves as endpoints, networks and expired credentials do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::moto::moto;

/// What is done to a call.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// It takes this much longer.
    Delay(Duration),
    /// AWS's error of this HTTP status, code and message; moto never sees the call.
    Error(u16, &'static str, &'static str),
    /// A page of HTML with status 200: a captive portal.
    Html,
    /// The first half of the answer.
    Truncated,
    /// No answer at all.
    Hang,
    /// The connection is closed before an answer; moto never sees the call.
    Close,
    /// moto does it, and the answer is lost.
    Lost,
    /// A list whose pages name each other in turns.
    Loop,
}

/// An operation's calls past the first `skip`, `times` of them.
struct Rule {
    operation: &'static str,
    skip: usize,
    times: usize,
    fault: Fault,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<BTreeMap<String, usize>>,
    /// What is done to every call now, before all rules.
    outage: Mutex<Option<Fault>>,
    log: Mutex<Vec<(Instant, String)>>,
}

/// The proxy; it ends with the test process.
pub struct Proxy {
    /// `127.0.0.1:port`.
    pub address: String,
    shared: Arc<Shared>,
}

struct Call {
    head: Vec<String>,
    body: Vec<u8>,
    operation: String,
}

impl Proxy {
    /// Listens on a free port and passes everything on.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let (of_threads, to) = (shared.clone(), moto().address.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, to) = (of_threads.clone(), to.clone());
                // A client that went away is no failure of the test.
                std::thread::spawn(move || drop(serve(stream, &shared, &to)));
            }
        });
        Self { address, shared }
    }

    /// Misbehaves on `times` calls of `operation` (`*`: any) after the first `skip`.
    pub fn on(&self, operation: &'static str, skip: usize, times: usize, fault: Fault) -> &Self {
        self.shared.rules.lock().unwrap().push(Rule { operation, skip, times, fault });
        self
    }

    /// Does this to every call from now on, or no longer.
    pub fn outage(&self, fault: Option<Fault>) {
        *self.shared.outage.lock().unwrap() = fault;
    }

    /// Calls that arrived since then, in order.
    pub fn since(&self, then: Instant) -> Vec<String> {
        let log = self.shared.log.lock().unwrap();
        log.iter().filter(|(at, _)| *at >= then).map(|(_, operation)| operation.clone()).collect()
    }

    /// Of these, the ones that write, the lease included.
    pub fn writes_since(&self, then: Instant) -> Vec<String> {
        let reads = ["Get", "List", "Describe", "Assume", "Receive"];
        self.since(then).into_iter().filter(|name| !reads.iter().any(|read| name.starts_with(read))).collect()
    }

    /// Calls that arrived, by operation.
    pub fn seen(&self, operation: &str) -> usize {
        self.shared.seen.lock().unwrap().get(operation).copied().unwrap_or_default()
    }
}

fn read_call(stream: &TcpStream) -> std::io::Result<Call> {
    let mut reader = BufReader::new(stream);
    let mut head = vec![];
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        head.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let action = || {
        let text = String::from_utf8_lossy(&body).into_owned();
        text.split('&').find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned))
    };
    let path = || {
        let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").trim_matches('/').to_owned();
        let mut letters = path.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    let target = header("x-amz-target").and_then(|target| target.split('.').nth(1).map(str::to_owned));
    let operation = target.or_else(action).unwrap_or_else(path);
    Ok(Call { head, body, operation })
}

fn serve(mut stream: TcpStream, shared: &Shared, to: &str) -> std::io::Result<()> {
    let call = read_call(&stream)?;
    let fault = {
        *shared.seen.lock().unwrap().entry(call.operation.clone()).or_default() += 1;
        shared.log.lock().unwrap().push((Instant::now(), call.operation.clone()));
        let mut rules = shared.rules.lock().unwrap();
        let mut matching = rules.iter_mut().filter(|rule| ["*", &call.operation].contains(&rule.operation));
        let rule = matching.find_map(|rule| {
            if rule.skip > 0 {
                rule.skip -= 1;
                return None;
            }
            (rule.times > 0).then_some(rule)
        });
        let of_rule = rule.map(|rule| {
            rule.times -= 1;
            rule.fault
        });
        shared.outage.lock().unwrap().or(of_rule)
    };
    let xml = ["GetCallerIdentity", "AssumeRole"].contains(&call.operation.as_str());
    match fault {
        None => stream.write_all(&forward(&call, to)?),
        Some(Fault::Delay(time)) => {
            std::thread::sleep(time);
            stream.write_all(&forward(&call, to)?)
        }
        Some(Fault::Error(status, code, message)) if xml => {
            let body = format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            );
            answer(&mut stream, status, "text/xml", &[], body.as_bytes())
        }
        Some(Fault::Error(status, code, message)) => {
            let body = serde_json::json!({"__type": code, "Message": message}).to_string();
            let kind = format!("x-amzn-errortype: {code}");
            answer(&mut stream, status, "application/x-amz-json-1.1", &[&kind], body.as_bytes())
        }
        Some(Fault::Html) => {
            answer(&mut stream, 200, "text/html", &[], b"<!DOCTYPE html><html><body>Please sign in</body></html>")
        }
        Some(Fault::Truncated) => {
            let whole = forward(&call, to)?;
            let body = &whole[end_of_head(&whole)..];
            answer(&mut stream, 200, "application/x-amz-json-1.1", &["x-amzn-requestid: r"], &body[..body.len() / 2])
        }
        Some(Fault::Hang) => {
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        Some(Fault::Close) => Ok(()),
        Some(Fault::Lost) => forward(&call, to).map(drop),
        Some(Fault::Loop) => {
            let mut asked: serde_json::Value = serde_json::from_slice(&call.body)?;
            let token = asked.as_object_mut().and_then(|asked| asked.remove("NextToken"));
            let next = if token.is_some_and(|token| token == "a") { "b" } else { "a" };
            let whole = forward(&Call { body: serde_json::to_vec(&asked)?, ..call }, to)?;
            let mut page: serde_json::Value = serde_json::from_slice(&whole[end_of_head(&whole)..])?;
            page["NextToken"] = next.into();
            answer(&mut stream, 200, "application/x-amz-json-1.1", &[], page.to_string().as_bytes())
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, headers: &[&str], body: &[u8]) -> std::io::Result<()> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// The end of a message's head.
fn end_of_head(message: &[u8]) -> usize {
    message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |at| at + 4)
}

/// moto's whole answer, head and body; the connection is closed after it on both sides.
fn forward(call: &Call, to: &str) -> std::io::Result<Vec<u8>> {
    let mut moto = TcpStream::connect(to)?;
    let mut head = String::new();
    for line in &call.head {
        let lower = line.to_ascii_lowercase();
        if !lower.starts_with("connection:") && !lower.starts_with("content-length:") {
            head.push_str(line);
            head.push_str("\r\n");
        }
    }
    let length = call.body.len();
    head.push_str(&format!("Connection: close\r\nContent-Length: {length}\r\n\r\n"));
    moto.write_all(&[head.as_bytes(), &call.body].concat())?;
    let mut whole = vec![];
    moto.read_to_end(&mut whole)?;
    Ok(whole)
}
