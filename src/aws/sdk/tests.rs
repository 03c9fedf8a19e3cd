use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::aws::port::{AccountState, Contact, ContactKind};
use crate::names::NodeId;

/// A server on loopback that gives every connection one answer and closes it.
struct Endpoint {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

enum Answer {
    Say(String),
    /// Read the request, then say nothing for that long.
    Hang(Duration),
}

impl Endpoint {
    fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(vec![]));
        let record = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream);
                record.lock().unwrap().push(request.clone());
                match answer(&request) {
                    Answer::Say(text) => {
                        let _ = stream.write_all(text.as_bytes());
                    }
                    Answer::Hang(time) => std::thread::sleep(time),
                }
            }
        });
        Self { url, heard }
    }

    fn saying(text: &str) -> Self {
        let text = text.to_owned();
        Self::start(move |_| Answer::Say(text.clone()))
    }

    fn options(&self) -> Options {
        Options {
            endpoint: Some(self.url.clone()),
            keys: Some(Keys { id: "AKIDTEST".into(), secret: "s".into(), token: None }),
            attempt_timeout: Duration::from_secs(10),
            ..Options::default()
        }
    }

    async fn ask(&self, request: &Request) -> Result<Response, AwsError> {
        Sdk::connect(&self.options()).await.unwrap().call(request).await
    }
}

fn read(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (vec![], [0; 4096]);
    loop {
        let n = stream.read(&mut buffer).unwrap_or(0);
        text.extend_from_slice(&buffer[..n]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            if n == 0 {
                return so_far;
            }
            continue;
        };
        let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if n == 0 || body.len() >= length.map_or(0, |l| l.trim().parse().unwrap()) {
            return so_far;
        }
    }
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
const AWS: &str = "x-amzn-requestid: 0a1b2c\r\nContent-Type: application/x-amz-json-1.1\r\n";

fn list_accounts() -> Request {
    Request::ListAccounts { token: None }
}
fn attach() -> Request {
    Request::AttachPolicy { policy: "p-abcdefgh".parse().unwrap(), target: "123456789012".parse().unwrap() }
}

#[tokio::test]
async fn whatever_answers_instead_of_aws_is_not_believed() {
    let page = "<html><body>Please sign in</body></html>";
    let html = "Content-Type: text/html\r\n";
    let whole = r#"{"Accounts":[{"Id":"123456789012","Name":"a","Email":"a@b.c","State":"ACTIVE"}]}"#;
    let table: &[(&str, String, Request, &str)] = &[
        ("a login page for a list", http("200 OK", html, page), list_accounts(), "garbage"),
        ("a login page for a write", http("200 OK", html, page), attach(), "garbage"),
        ("an empty page for a list", http("200 OK", AWS, ""), list_accounts(), "garbage"),
        ("nothing for a write, not from AWS", http("200 OK", html, ""), attach(), "garbage"),
        ("an object without the list", http("200 OK", AWS, "{}"), list_accounts(), "garbage"),
        ("null for the list", http("200 OK", AWS, r#"{"Accounts":null}"#), list_accounts(), "garbage"),
        ("truncated JSON", http("200 OK", AWS, &whole[..whole.len() / 2]), list_accounts(), "garbage"),
        ("JSON and then some", http("200 OK", AWS, &format!("{whole}x")), list_accounts(), "garbage"),
        ("another type", http("200 OK", AWS, r#"{"Accounts":7}"#), list_accounts(), "garbage"),
        ("a bad id", http("200 OK", AWS, &whole.replace("123456789012", "12")), list_accounts(), "garbage"),
        ("a redirect", http("302 Found", "Location: http://127.0.0.1:9/\r\n", ""), list_accounts(), "garbage"),
        ("a page that forbids", http("403 Forbidden", html, page), list_accounts(), "garbage"),
        ("a page of a proxy", http("407 Proxy Authentication Required", html, page), attach(), "garbage"),
        ("a page of a broken server", http("500 Internal Server Error", html, page), list_accounts(), "server"),
        ("a gateway without words", http("502 Bad Gateway", "", ""), attach(), "server"),
        ("AWS's own failure", http("500 E", AWS, r#"{"__type":"InternalFailure"}"#), attach(), "server"),
        ("the same as 400", http("400 E", AWS, r#"{"__type":"ServiceException","Message":"m"}"#), attach(), "server"),
        ("a body that breaks off", format!("HTTP/1.1 200 OK\r\n{AWS}Content-Length: 900\r\n\r\n{whole}"), attach(), ""),
        ("no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n".into(), attach(), "connection"),
        ("a closed connection", String::new(), attach(), "connection"),
    ];
    for (what, answer, request, code) in table {
        let endpoint = Endpoint::saying(answer);
        let error = endpoint.ask(request).await.expect_err(what);
        assert_eq!(error.class, ErrorClass::Unknown, "{what}: {error}");
        assert_eq!(error.operation, request.operation(), "{what}");
        assert!(code.is_empty() || error.code == *code, "{what}: {error:?}");
        assert_eq!(endpoint.heard.lock().unwrap().len(), 1, "{what}: one attempt, no retry");
        assert!(error.message.len() < 700 && !error.message.is_empty(), "{what}: {error}");
        eprintln!("{what}: {error}");
    }
}

#[tokio::test]
async fn the_time_of_the_service_is_that_of_its_answers() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let told: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
    for (status, body) in [("200 OK", r#"{"Accounts":[]}"#), ("400 E", r#"{"__type":"AccessDeniedException"}"#)] {
        let endpoint = Endpoint::saying(&http(status, &format!("{AWS}{date}"), body));
        let sdk = Sdk::connect(&endpoint.options()).await.unwrap();
        assert!(sdk.time().is_none(), "nothing was heard yet");
        drop(sdk.call(&list_accounts()).await);
        let time = sdk.time().unwrap();
        let (earliest, latest) = (time.earliest(), time.latest());
        assert!(told <= earliest && earliest < latest, "{earliest} {latest}");
        assert!(latest.duration_since(told).as_secs() < 60, "{latest}");
    }
    // A page of a proxy tells the time of the proxy.
    let endpoint = Endpoint::saying(&http("403 Forbidden", date, "<html>"));
    let sdk = Sdk::connect(&endpoint.options()).await.unwrap();
    drop(sdk.call(&list_accounts()).await);
    assert!(sdk.time().is_none());
}

#[tokio::test]
async fn an_error_of_aws_keeps_its_code_message_and_request() {
    let table = [
        ("400 E", "TooManyRequestsException", ErrorClass::Throttled),
        ("429 E", "TooManyRequestsException", ErrorClass::Throttled),
        ("503 E", "ThrottlingException", ErrorClass::Throttled),
        ("400 E", "ConcurrentModificationException", ErrorClass::Busy),
        ("400 E", "DuplicatePolicyAttachmentException", ErrorClass::AlreadyDone),
        ("400 E", "PolicyNotFoundException", ErrorClass::NotFound),
        ("400 E", "AccessDeniedException", ErrorClass::Denied),
        ("400 E", "ExpiredTokenException", ErrorClass::Credentials),
        ("403 E", "InvalidSignatureException", ErrorClass::Credentials),
        ("400 E", "UnrecognizedClientException", ErrorClass::Credentials),
        ("400 E", "AnExceptionOf2030", ErrorClass::Invalid),
    ];
    for (status, code, class) in table {
        for message in ["Message", "message"] {
            let body = format!(r#"{{"__type":"com.amazonaws.organizations#{code}","{message}":"why"}}"#);
            let error = Endpoint::saying(&http(status, AWS, &body)).ask(&attach()).await.unwrap_err();
            assert_eq!((error.code.as_str(), error.class), (code, class));
            assert_eq!((error.message.as_str(), error.request_id.as_deref()), ("why", Some("0a1b2c")));
        }
    }
}

#[tokio::test]
async fn a_write_that_answers_nothing_is_done() {
    assert_eq!(Endpoint::saying(&http("200 OK", AWS, "")).ask(&attach()).await, Ok(Response::Done));
    assert_eq!(Endpoint::saying(&http("200 OK", AWS, "{}")).ask(&attach()).await, Ok(Response::Done));
}

#[tokio::test]
async fn an_endpoint_that_hangs_ends_with_a_timeout() {
    let silent = Endpoint::start(|_| Answer::Hang(Duration::from_secs(20)));
    let options = Options { attempt_timeout: Duration::from_millis(400), ..silent.options() };
    let began = Instant::now();
    let error = Sdk::connect(&options).await.unwrap().call(&list_accounts()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("timeout", ErrorClass::Unknown), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // Headers at once, then a body that never ends.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = Options { endpoint: Some(format!("http://{}", listener.local_addr().unwrap())), ..options };
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read(&mut stream);
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{AWS}Content-Length: 900\r\n\r\n{{").as_bytes());
        std::thread::sleep(Duration::from_secs(20));
    });
    let error = Sdk::connect(&options).await.unwrap().call(&list_accounts()).await.unwrap_err();
    assert_eq!(error.code, "timeout", "{error}");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_connection_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = Options { endpoint: Some(format!("http://127.0.0.1:{port}")), ..Endpoint::saying("").options() };
    let error = Sdk::connect(&options).await.unwrap().call(&list_accounts()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("connection", ErrorClass::Unknown), "{error}");
    assert!(error.message.contains("refused"), "{error}");
}

async fn accounts(account: &str) -> Result<Vec<crate::aws::port::AccountFact>, AwsError> {
    let body = format!(r#"{{"Accounts":[{account}]}}"#);
    match Endpoint::saying(&http("200 OK", AWS, &body)).ask(&list_accounts()).await? {
        Response::Accounts(page) => Ok(page.items),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_parent_of_an_account_is_read_from_its_path() {
    let with = |rest: &str| format!(r#"{{"Id":"012345678901","Name":"a","Email":"a@b.c","State":"ACTIVE"{rest}}}"#);
    let parent = async |rest: &str| accounts(&with(rest)).await.map(|found| found[0].parent.clone());
    let node = |id: &str| Ok(Some(id.parse::<NodeId>().unwrap()));

    assert_eq!(parent("").await, Ok(None));
    assert_eq!(parent(r#","Paths":[]"#).await, Ok(None));
    assert_eq!(parent(r#","Paths":["o-abcdefghij/r-abcd/012345678901/"]"#).await, node("r-abcd"));
    let deep = r#","Paths":["o-abcdefghij/r-abcd/ou-abcd-11111111/ou-abcd-22222222/012345678901/"]"#;
    assert_eq!(parent(deep).await, node("ou-abcd-22222222"));
    for bad in [
        r#","Paths":["o-abcdefghij/r-abcd/999999999999/"]"#,
        r#","Paths":["o-abcdefghij/012345678901/"]"#,
        r#","Paths":["012345678901/"]"#,
        r#","Paths":[""]"#,
        r#","Paths":["o-abcdefghij/r-abcd/012345678901/","o-abcdefghij/r-abcd/ou-abcd-11111111/012345678901/"]"#,
    ] {
        assert_eq!(parent(bad).await.unwrap_err().code, "garbage", "{bad}");
    }
}

#[tokio::test]
async fn a_state_that_is_not_known_is_named_and_not_guessed() {
    let with = |rest: &str| format!(r#"{{"Id":"012345678901","Name":"a","Email":"a@b.c",{rest}}}"#);
    let error = accounts(&with(r#""State":"QUARANTINED""#)).await.unwrap_err();
    assert!(error.message.contains("`QUARANTINED`") && error.message.contains("upgrade"), "{error}");
    assert_eq!(error.class, ErrorClass::Unknown);
    assert_eq!(accounts(&with(r#""State":"CLOSED""#)).await.unwrap()[0].state, AccountState::Closed);
    // The retired `Status` counts only where there is no `State`.
    assert_eq!(accounts(&with(r#""Status":"SUSPENDED""#)).await.unwrap()[0].state, AccountState::Suspended);
    let both = accounts(&with(r#""State":"CLOSED","Status":"SUSPENDED""#)).await.unwrap();
    assert_eq!(both[0].state, AccountState::Closed);
    assert_eq!(accounts(&with(r#""Joined":1"#)).await.unwrap_err().code, "garbage");
}

#[tokio::test]
async fn an_unknown_policy_type_passes_and_an_unknown_status_does_not() {
    let roots = |status: &str| {
        let body = format!(
            r#"{{"Roots":[{{"Id":"r-abcd","Name":"Root","PolicyTypes":[{{"Type":"POLICY_OF_2030","Status":"{status}"}}]}}]}}"#
        );
        http("200 OK", AWS, &body)
    };
    let known = Endpoint::saying(&roots("ENABLED")).ask(&Request::ListRoots { token: None }).await.unwrap();
    let Response::Roots(page) = known else { panic!("{known:?}") };
    assert_eq!(page.items[0].policy_types[0].0.as_str(), "POLICY_OF_2030");
    let error = Endpoint::saying(&roots("DREAMING")).ask(&Request::ListRoots { token: None }).await.unwrap_err();
    assert!(error.message.contains("`DREAMING`"), "{error}");
}

#[tokio::test]
async fn tokens_and_page_sizes_go_out_and_come_back() {
    let endpoint = Endpoint::saying(&http("200 OK", AWS, r#"{"Accounts":[],"NextToken":"second"}"#));
    let answer = endpoint.ask(&Request::ListAccounts { token: Some("first".into()) }).await.unwrap();
    assert_eq!(answer.next(), Some("second"), "an empty page may have a following one");
    let heard = endpoint.heard.lock().unwrap()[0].clone();
    assert!(heard.contains(r#""NextToken":"first""#) && heard.contains(r#""MaxResults":20"#), "{heard}");
    assert!(heard.to_lowercase().contains("app/bylaw"), "{heard}");
    assert!(heard.contains("/us-east-1/organizations/"), "{heard}");

    let last = Endpoint::saying(&http("200 OK", AWS, r#"{"Accounts":[],"NextToken":""}"#));
    assert_eq!(last.ask(&list_accounts()).await.unwrap().next(), None);
}

#[tokio::test]
async fn the_region_follows_the_partition() {
    for (partition, region) in [(Partition::AwsCn, "cn-northwest-1"), (Partition::AwsUsGov, "us-gov-west-1")] {
        let endpoint = Endpoint::saying(&http("200 OK", AWS, r#"{"Accounts":[]}"#));
        let options = Options { partition, ..endpoint.options() };
        Sdk::connect(&options).await.unwrap().call(&list_accounts()).await.unwrap();
        assert!(endpoint.heard.lock().unwrap()[0].contains(&format!("/{region}/organizations/")));
    }
}

const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:sts::111111111111:assumed-role/x/y</Arn><UserId>u</UserId><Account>111111111111</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

#[tokio::test]
async fn an_account_does_not_name_itself_to_the_account_api() {
    let contact = r#"{"AlternateContact":{"Name":"n","Title":"t","EmailAddress":"e@x.y","PhoneNumber":"1"}}"#;
    let endpoint = Endpoint::start(move |request| {
        let body = if request.contains("GetCallerIdentity") { IDENTITY } else { contact };
        Answer::Say(http("200 OK", AWS, body))
    });
    let sdk = Sdk::connect(&endpoint.options()).await.unwrap();
    let ask =
        |account: &str| Request::GetAlternateContact { account: account.parse().unwrap(), kind: ContactKind::Security };
    let identity = sdk.call(&Request::GetCallerIdentity).await.unwrap();
    assert!(matches!(identity, Response::Identity { account, .. } if account.as_str() == "111111111111"));
    let found = sdk.call(&ask("111111111111")).await.unwrap();
    let expected = Contact { name: "n".into(), title: "t".into(), email: "e@x.y".into(), phone: "1".into() };
    assert_eq!(found, Response::Contact(Some(expected.clone())));
    sdk.call(&ask("222222222222")).await.unwrap();
    let account = "111111111111".parse().unwrap();
    sdk.call(&Request::PutAccountName { account, name: "new".into() }).await.unwrap();
    let (account, kind) = ("222222222222".parse().unwrap(), ContactKind::Billing);
    sdk.call(&Request::PutAlternateContact { account, kind, contact: expected }).await.unwrap();
    let heard = endpoint.heard.lock().unwrap().clone();
    let named: Vec<bool> = heard.iter().skip(1).map(|request| request.contains("AccountId")).collect();
    assert_eq!(named, [false, true, false, true], "{heard:#?}");
}

#[tokio::test]
async fn what_is_not_there_is_none_and_what_is_denied_is_not() {
    let missing = |code: &str| http("404 E", &format!("{AWS}x-amzn-errortype: {code}\r\n"), r#"{"message":"m"}"#);
    let contact =
        || Request::GetAlternateContact { account: "1".repeat(12).parse().unwrap(), kind: ContactKind::Billing };
    let found = Endpoint::saying(&missing("ResourceNotFoundException")).ask(&contact()).await;
    assert_eq!(found, Ok(Response::Contact(None)));
    let found =
        Endpoint::saying(&missing("ResourcePolicyNotFoundException")).ask(&Request::DescribeResourcePolicy).await;
    assert_eq!(found, Ok(Response::ResourcePolicy(None)));
    for code in ["AccessDeniedException", "AccountNotFoundException"] {
        assert!(Endpoint::saying(&missing(code)).ask(&contact()).await.is_err(), "{code}");
    }
    let page = http("404 Not Found", "Content-Type: text/html\r\n", "<h1>Not Found</h1>");
    assert_eq!(Endpoint::saying(&page).ask(&contact()).await.unwrap_err().code, "garbage");
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_says_so() {
    let refusal = |code: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>not you</Message></Error><RequestId>q</RequestId></ErrorResponse>"
        )
    };
    for (code, class) in [
        ("AccessDenied", ErrorClass::Denied),
        ("ExpiredToken", ErrorClass::Credentials),
        ("ValidationError", ErrorClass::Credentials),
        ("Throttling", ErrorClass::Throttled),
    ] {
        let endpoint =
            Endpoint::saying(&http("403 E", "x-amzn-requestid: q\r\nContent-Type: text/xml\r\n", &refusal(code)));
        let role_arn = Some("arn:aws:iam::123456789012:role/bylaw".to_owned());
        let options = Options { role_arn, external_id: Some("outside".into()), ..endpoint.options() };
        let error = Sdk::connect(&options).await.unwrap().call(&list_accounts()).await.unwrap_err();
        assert_eq!((error.operation.as_str(), error.code.as_str(), error.class), ("AssumeRole", code, class));
        assert_eq!((error.message.as_str(), error.request_id.as_deref()), ("not you", Some("q")));
        let heard = endpoint.heard.lock().unwrap().clone();
        assert_eq!(heard.len(), 1, "the call itself is not sent: {heard:#?}");
        assert!(heard[0].contains("ExternalId=outside") && heard[0].contains("RoleSessionName=bylaw"), "{heard:#?}");
    }
}

#[derive(Debug)]
struct Nobody(fn() -> CredentialsError);
impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_the_reason_is_told() {
    let endpoint = Endpoint::saying(&http("200 OK", AWS, r#"{"Accounts":[]}"#));
    let reasons: [fn() -> CredentialsError; 3] = [
        CredentialsError::not_loaded_no_source,
        || CredentialsError::provider_error("the SSO session has expired"),
        || CredentialsError::invalid_configuration("profile `x` is not there"),
    ];
    for reason in reasons {
        let shared = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint.url)
            .retry_config(RetryConfig::disabled())
            .credentials_provider(Nobody(reason))
            .load()
            .await;
        let error = Sdk::new(&shared).call(&list_accounts()).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.class), ("credentials", ErrorClass::Credentials), "{error}");
        let inner = std::error::Error::source(&reason()).map(ToString::to_string).unwrap_or_default();
        assert!(error.message.contains(&inner), "{error}");
        eprintln!("{error}");
    }
    assert!(endpoint.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn options_are_checked_before_anything_is_sent() {
    let role = |arn: &str| Options { role_arn: Some(arn.into()), ..Options::default() };
    for bad in [
        role("bylaw"),
        role("arn:aws:iam::123:role/x"),
        role("arn:aws:iam::123456789012:user/x"),
        role("arn:aws:iam::123456789012:role/"),
        role("arn:aws-cn:iam::123456789012:role/x"),
        Options { external_id: Some("outside".into()), ..Options::default() },
        Options { external_id: Some("x".into()), ..role("arn:aws:iam::123456789012:role/x") },
        Options { endpoint: Some("127.0.0.1:5000".into()), ..Options::default() },
    ] {
        assert_eq!(Sdk::connect(&bad).await.unwrap_err().class, ErrorClass::Invalid, "{bad:?}");
    }
    assert!(Sdk::connect(&role("arn:aws:iam::123456789012:role/path/x")).await.is_ok());
    let keys = Keys { id: "AKID".into(), secret: "hidden".into(), token: Some("hidden".into()) };
    assert!(!format!("{keys:?}").contains("hidden"));
}
