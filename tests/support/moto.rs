//! moto, an emulator of AWS, as one process for all tests of this binary; each test works in an account of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bylaw::aws::buckets::rate_of;
use bylaw::aws::port::{Port, Request, Response, RootFact};
use bylaw::aws::sdk::{Keys, Options, Sdk};
use bylaw::names::AccountId;
use serde_json::{Value, json};

/// The account of moto's own credentials.
pub const FIRST: &str = "123456789012";

/// The server. It ends with this process: it reads its standard input, which closes then, however that comes about.
pub struct Moto {
    /// `127.0.0.1:port`.
    pub address: String,
    _child: Child,
    errors: PathBuf,
}

/// The server, started at the first call.
pub fn moto() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(Moto::start)
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support")
}

/// The Python of the environment that `venv.sh` makes. Tests that cannot have it fail and say why.
fn python() -> PathBuf {
    let made = Command::new("bash").arg(here().join("venv.sh")).output().expect("`bash` runs");
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "tests/support/venv.sh cannot make the Python environment that moto needs:\n{errors}"
    );
    Path::new(String::from_utf8_lossy(&made.stdout).trim()).join("bin/python")
}

/// Rates as `serve_moto.py` reads them, of the operations that have one.
fn throttles(path: &Path) {
    let operations = [
        "AttachPolicy",
        "CreateAccount",
        "CreateOrganizationalUnit",
        "CreatePolicy",
        "DescribeAccount",
        "DescribeOrganization",
        "DescribePolicy",
        "DetachPolicy",
        "ListAccounts",
        "ListAccountsForParent",
        "ListCreateAccountStatus",
        "ListOrganizationalUnitsForParent",
        "ListPolicies",
        "ListPoliciesForTarget",
        "ListRoots",
        "ListTagsForResource",
        "ListTargetsForPolicy",
        "MoveAccount",
        "TagResource",
    ];
    let rates: serde_json::Map<String, Value> = operations
        .into_iter()
        .map(|name| (name.to_owned(), json!([rate_of(name).per_second, rate_of(name).burst])))
        .collect();
    fs::write(path, json!({"throttles": rates}).to_string()).unwrap();
}

impl Moto {
    fn start() -> Self {
        let python = python();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("moto-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let errors = folder.join("errors.txt");
        throttles(&folder.join("throttles.json"));
        let mut child = Command::new(python)
            .arg(here().join("serve_moto.py"))
            .arg("--throttles")
            .arg(folder.join("throttles.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).unwrap())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(output).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(Duration::from_secs(90)).unwrap_or_default();
        let ready = serde_json::from_str::<Value>(&line).ok().and_then(|ready| ready["port"].as_u64());
        let Some(port) = ready else {
            let _ = child.kill();
            panic!("moto does not start; its standard error:\n{}", tail(&errors));
        };
        Self { address: format!("127.0.0.1:{port}"), _child: child, errors }
    }

    /// The end of what moto wrote to standard error; shown by tests that fail.
    pub fn errors(&self) -> String {
        tail(&self.errors)
    }

    /// Options of credentials in moto's first account.
    pub fn options(&self) -> Options {
        Options {
            endpoint: Some(format!("http://{}", self.address)),
            keys: Some(Keys { id: "testing".into(), secret: "testing".into(), token: None }),
            ..Options::default()
        }
    }

    /// Options by which a role in `account` is assumed, as bylaw does with `access.managementRoleArn`.
    pub fn options_in(&self, account: &AccountId) -> Options {
        Options { role_arn: Some(format!("arn:aws:iam::{account}:role/bylaw")), ..self.options() }
    }

    /// Keys that belong to `account`, for a process of its own.
    pub fn keys(&self, account: &AccountId) -> Keys {
        let body = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::{account}:role/bylaw&RoleSessionName=bylaw"
        );
        let head = "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
                    Credential=testing/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0\r\n";
        let (status, text) = self.http(head, &body);
        assert_eq!(status, 200, "AssumeRole: {text}");
        let of = |tag: &str| {
            let rest = text.split_once(&format!("<{tag}>")).unwrap().1;
            rest.split_once('<').unwrap().0.to_owned()
        };
        Keys { id: of("AccessKeyId"), secret: of("SecretAccessKey"), token: Some(of("SessionToken")) }
    }

    fn http(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(stream, "{head}Host: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}", self.address)
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// One call of Organizations in `account`, past bylaw: for what the port does not have.
    pub fn organizations(&self, account: &AccountId, operation: &str, body: &Value) -> Value {
        let head = format!(
            "POST / HTTP/1.1\r\nX-Amz-Target: AWSOrganizationsV20161128.{operation}\r\nx-moto-account-id: {account}\r\n\
             Content-Type: application/x-amz-json-1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=testing/20260101/\
             us-east-1/organizations/aws4_request, SignedHeaders=host, Signature=0\r\n"
        );
        let (status, text) = self.http(&head, &body.to_string());
        assert_eq!(status, 200, "{operation}: {text}\n{}", self.errors());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// One call of a JSON service in `account`, past bylaw (`AmazonSQS`, `sqs`, `CreateQueue`).
    pub fn service(&self, account: &AccountId, target: &str, scope: &str, operation: &str, body: &Value) -> Value {
        let head = format!(
            "POST / HTTP/1.1\r\nX-Amz-Target: {target}.{operation}\r\nx-moto-account-id: {account}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 Credential=testing/20260101/\
             us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0\r\n"
        );
        let (status, text) = self.http(&head, &body.to_string());
        assert_eq!(status, 200, "{operation}: {text}\n{}", self.errors());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// URL of a queue of that name, there or not.
    pub fn queue_url(&self, account: &AccountId, name: &str) -> String {
        format!("http://{}/{account}/{name}", self.address)
    }

    /// Makes a queue.
    pub fn make_queue(&self, account: &AccountId, name: &str) {
        self.service(account, "AmazonSQS", "sqs", "CreateQueue", &json!({"QueueName": name}));
    }

    /// Puts a CloudTrail record into a queue, in the envelope in which EventBridge delivers it: moto makes no events of
    /// its own, and needs more packages for the rules that would carry them.
    pub fn put_event(&self, account: &AccountId, name: &str, record: &Value) {
        let envelope = json!({"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "AWS API Call via CloudTrail", "source": "aws.organizations", "account": account,
            "time": record["eventTime"], "region": "us-east-1", "resources": [], "detail": record});
        self.send(account, name, &envelope.to_string());
    }

    /// Puts any text into a queue.
    pub fn send(&self, account: &AccountId, name: &str, body: &str) {
        let message = json!({"QueueUrl": self.queue_url(account, name), "MessageBody": body});
        self.service(account, "AmazonSQS", "sqs", "SendMessage", &message);
    }

    /// Messages in a queue, those that somebody received and did not delete included.
    pub fn messages(&self, account: &AccountId, name: &str) -> u64 {
        let asked = json!({"QueueUrl": self.queue_url(account, name), "AttributeNames": ["All"]});
        let answer = self.service(account, "AmazonSQS", "sqs", "GetQueueAttributes", &asked);
        let count = |name: &str| answer["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap();
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible")
    }

    fn ours(&self, path: &str) -> Value {
        serde_json::from_str(&self.http(&format!("GET {path} HTTP/1.1\r\n"), "").1).unwrap()
    }

    /// Calls and errors of the credentials of `account` since the last `zero`.
    pub fn counts(&self, account: &AccountId) -> Value {
        self.ours(&format!("/_count/{account}"))
    }

    /// The same, and begins at zero.
    pub fn zero(&self, account: &AccountId) -> Value {
        self.ours(&format!("/_count/{account}/zero"))
    }

    /// Answers `account` as AWS's token buckets would, or no longer.
    pub fn throttle(&self, account: &AccountId, on: bool) {
        self.ours(&format!("/_throttle/{account}/{}", if on { "on" } else { "off" }));
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// An account that no other test uses.
pub fn random_account() -> AccountId {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros();
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let (process, own) = (std::process::id() % 10_000, n % 1_000);
    format!("5{process:04}{:04}{own:03}", time % 10_000).parse().unwrap()
}

/// A new organization, its management account, and the SDK in it.
pub struct Organization {
    pub account: AccountId,
    pub root: RootFact,
    pub sdk: Sdk,
}

impl Organization {
    pub async fn create() -> Self {
        let account = random_account();
        moto().organizations(&account, "CreateOrganization", &json!({"FeatureSet": "ALL"}));
        let sdk = Sdk::connect(&moto().options_in(&account)).await.unwrap();
        let Response::Roots(page) = sdk.call(&Request::ListRoots { token: None }).await.unwrap() else { panic!() };
        Self { account, root: page.items.into_iter().next().unwrap(), sdk }
    }
}
