//! The real binary as a person runs it: a clean environment, a home of its own, credentials of one account of moto.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use bylaw::aws::sdk::Keys;
use bylaw::names::AccountId;
use serde_json::{Value, json};

use super::moto::{moto, random_account};
use super::proxy::Proxy;
use super::scratch::{self, Scratch};

/// A home directory and credentials.
#[derive(Clone)]
pub struct Shell {
    /// The account of the credentials.
    pub account: AccountId,
    /// The home directory, empty at first.
    pub home: Arc<Scratch>,
    keys: Keys,
    endpoint: String,
    more: Vec<(String, String)>,
}

/// What a command said.
pub struct Ran {
    /// Its exit code; `None`: it was ended by a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Shell {
    /// Credentials of an account, whatever it is.
    pub fn of(account: &AccountId) -> Self {
        let home = Arc::new(scratch::folder("home"));
        let endpoint = format!("http://{}", moto().address);
        Self { account: account.clone(), home, keys: moto().keys(account), endpoint, more: vec![] }
    }

    /// Credentials of the management account of a new organization.
    pub fn new() -> Self {
        let account = random_account();
        moto().organizations(&account, "CreateOrganization", &json!({"FeatureSet": "ALL"}));
        moto().zero(&account);
        Self::of(&account)
    }

    /// The same with one variable more.
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut shell = self.clone();
        shell.more.push((name.to_owned(), value.into()));
        shell
    }

    /// The same through a proxy. Answers are waited for no longer than tests like to wait.
    pub fn through(&self, proxy: &Proxy) -> Self {
        Self { endpoint: format!("http://{}", proxy.address), ..self.with("BYLAW_TIMEOUT", "5s") }
    }

    /// The same at another endpoint.
    pub fn at(&self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self.clone() }
    }

    /// The same person in another home.
    pub fn elsewhere(&self) -> Self {
        let home = Self::of(&self.account).home;
        Self { home, ..self.clone() }
    }

    /// The command, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bylaw"));
        command
            .args(arguments)
            .current_dir(&**self.home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &**self.home)
            .env("USER", "ann")
            .env("AWS_ACCESS_KEY_ID", &self.keys.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.keys.secret)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("BYLAW_PACE", "none")
            .stdin(Stdio::null());
        if let Some(token) = &self.keys.token {
            command.env("AWS_SESSION_TOKEN", token);
        }
        command.envs(self.more.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs to the end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs to the end with something on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Starts.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Writes a file into the home directory; its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The manifests of an example, for this organization; `change` edits each file, or leaves it out.
    pub fn example(&self, name: &str, change: impl Fn(&str, String) -> Option<String>) -> String {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let to = self.home.join(name);
        let mut folders = vec![from.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let inside = path.strip_prefix(&from).unwrap();
                let text = fs::read_to_string(&path).unwrap();
                let text = text.replace("111111111111", self.account.as_str());
                let text = text.replace("222222222222", self.account.as_str());
                if let Some(text) = change(inside.to_str().unwrap(), text) {
                    fs::create_dir_all(to.join(inside).parent().unwrap()).unwrap();
                    fs::write(to.join(inside), text).unwrap();
                }
            }
        }
        to.to_str().unwrap().to_owned()
    }

    /// `examples/data-science` as it is.
    pub fn data_science(&self) -> String {
        self.example("data-science", |_, text| Some(text))
    }

    /// Calls since the last time, by operation, without the service's name.
    pub fn calls(&self) -> std::collections::BTreeMap<String, u64> {
        let counts = moto().zero(&self.account);
        let calls = counts["calls"].as_object().unwrap();
        let short = |name: &str| name.split('.').next_back().unwrap_or(name).to_owned();
        calls.iter().map(|(name, count)| (short(name), count.as_u64().unwrap())).collect()
    }

    /// Calls since the last time that write, the lease included.
    pub fn writes(&self) -> u64 {
        written(&self.calls())
    }

    /// One call of Organizations past bylaw.
    pub fn aws(&self, operation: &str, body: &Value) -> Value {
        moto().organizations(&self.account, operation, body)
    }
}

/// How many of the calls write.
pub fn written(calls: &std::collections::BTreeMap<String, u64>) -> u64 {
    let reads = ["Get", "List", "Describe", "Assume"];
    calls.iter().filter(|(name, _)| !reads.iter().any(|read| name.starts_with(read))).map(|(_, n)| n).sum()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text is UTF-8");
        let ran = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        if std::env::var_os("BYLAW_SHOW").is_some() {
            eprintln!("{ran}\n{}", "-".repeat(100));
        }
        for word in ["panicked at", "RUST_BACKTRACE", "SdkError", "DispatchFailure", "AwsError", "Some(", "\u{1b}["] {
            assert!(!ran.err.contains(word) && !ran.out.contains(word), "`{word}` is nothing for a user:\n{ran}");
        }
        ran
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.out, self.err)
    }
}

impl Ran {
    /// Fails with everything that was said where the code is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard output holds each of these.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.out.contains(word), "`{word}` is not said:\n{self}");
        }
        self
    }

    /// Standard error holds each of these.
    #[track_caller]
    pub fn complains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not said on standard error:\n{self}");
        }
        self
    }

    /// Standard error is empty.
    #[track_caller]
    pub fn quietly(self) -> Self {
        assert!(self.err.is_empty(), "{self}");
        self
    }

    /// Standard output as JSON, which has the form of the published schema of that name.
    #[track_caller]
    pub fn json(&self, schema: &str) -> Value {
        let value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{self}"));
        super::form::fits(schema, &value);
        value
    }
}
