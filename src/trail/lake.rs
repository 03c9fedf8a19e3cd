//! Trails that outgrow one machine: the query that folds them to distinct requests in Athena or CloudTrail Lake, and the
//! CSV that comes back.
//!
//! A column is a field of a record, whatever case, points and underscores its name has; `calls`, `first` and `last` are of
//! the query. Exports with the whole record in a column (`eventJson`) are read as well.

use super::cut::{Flaw, LARGEST};
use super::fold::{Time, opened};
use super::record::{Record, Text, seconds, written};

/// Where the query is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Athena, on the table that the CloudTrail guide makes.
    Athena,
    /// CloudTrail Lake, on an event data store.
    Lake,
}

/// A column: what it is called, its expression in Athena and in Lake, and the condition keys that need it; with none it is
/// always there.
struct Column {
    name: &'static str,
    athena: &'static str,
    lake: &'static str,
    keys: &'static [&'static str],
}

const fn always(name: &'static str, athena: &'static str, lake: &'static str) -> Column {
    Column { name, athena, lake, keys: &[] }
}

const COLUMNS: &[Column] = &[
    always("eventSource", "eventsource", "eventSource"),
    always("eventName", "eventname", "eventName"),
    always("awsRegion", "awsregion", "awsRegion"),
    always("recipientAccountId", "recipientaccountid", "recipientAccountId"),
    always("eventType", "eventtype", "eventType"),
    always("errorCode", "errorcode", "errorCode"),
    always("userIdentity.type", "useridentity.type", "userIdentity.type"),
    always("userIdentity.accountId", "useridentity.accountid", "userIdentity.accountId"),
    // A role's session is as many ARNs as it has sessions: the issuer is what policies name.
    always(
        "userIdentity.arn",
        "CASE WHEN useridentity.type = 'AssumedRole' THEN NULL ELSE useridentity.arn END",
        "CASE WHEN userIdentity.type = 'AssumedRole' THEN NULL ELSE userIdentity.arn END",
    ),
    always(
        "userIdentity.sessionContext.sessionIssuer.arn",
        "useridentity.sessioncontext.sessionissuer.arn",
        "userIdentity.sessionContext.sessionIssuer.arn",
    ),
    always("userIdentity.invokedBy", "useridentity.invokedby", "userIdentity.invokedBy"),
    always("sharedEventID", "IF(sharedeventid IS NULL, NULL, 'x')", "IF(sharedEventId IS NULL, NULL, 'x')"),
    Column {
        name: "userIdentity.sessionContext.attributes.mfaAuthenticated",
        athena: "useridentity.sessioncontext.attributes.mfaauthenticated",
        lake: "userIdentity.sessionContext.attributes.mfaAuthenticated",
        keys: &["aws:multifactorauthpresent", "aws:multifactorauthage"],
    },
    Column {
        name: "userIdentity.principalId",
        athena: "useridentity.principalid",
        lake: "userIdentity.principalId",
        keys: &["aws:userid"],
    },
    Column {
        name: "userIdentity.userName",
        athena: "useridentity.username",
        lake: "userIdentity.username",
        keys: &["aws:username"],
    },
    Column {
        name: "sourceIPAddress",
        athena: "sourceipaddress",
        lake: "sourceIPAddress",
        keys: &["aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce"],
    },
    Column {
        name: "vpcEndpointId",
        athena: "vpcendpointid",
        lake: "vpcEndpointId",
        keys: &["aws:sourcevpce", "aws:sourcevpc", "aws:sourceip", "aws:vpcsourceip"],
    },
    Column {
        name: "userIdentity.sessionContext.attributes.creationDate",
        athena: "useridentity.sessioncontext.attributes.creationdate",
        lake: "userIdentity.sessionContext.attributes.creationDate",
        keys: &["aws:tokenissuetime", "aws:sourceidentity"],
    },
    Column {
        name: "userIdentity.sessionContext.sourceIdentity",
        athena: "useridentity.sessioncontext.sourceidentity",
        lake: "userIdentity.sessionContext.sourceIdentity",
        keys: &["aws:sourceidentity"],
    },
    Column { name: "userAgent", athena: "useragent", lake: "userAgent", keys: &["aws:useragent"] },
    Column {
        name: "tlsDetails.tlsVersion",
        athena: "tlsdetails.tlsversion",
        lake: "tlsDetails.tlsVersion",
        keys: &["aws:securetransport", "s3:tlsversion"],
    },
    Column {
        name: "resources",
        athena: "json_format(CAST(transform(resources, r -> map(array['ARN', 'accountId'], array[r.arn, r.accountid])) AS JSON))",
        lake: "json_format(CAST(transform(resources, r -> map(array['ARN', 'accountId'], array[r.arn, r.accountId])) AS JSON))",
        keys: &["resource", "aws:resourceaccount", "s3:resourceaccount"],
    },
    Column {
        name: "requestParameters",
        athena: "requestparameters",
        lake: "json_format(CAST(requestParameters AS JSON))",
        keys: &["resource", "parameters"],
    },
];

/// Keys that no column but the request's parameters can tell.
fn of_parameters(key: &str) -> bool {
    !key.starts_with("aws:") || key.starts_with("aws:requesttag/") || key == "aws:tagkeys"
}

/// The query. `table` is the table or the event data store; `keys` are the condition keys that the policies look at, with
/// `resource` among them where they look at resources.
#[must_use]
pub fn sql(engine: Engine, table: &str, keys: &[&str], time: Time) -> String {
    let mut lower: Vec<String> = keys.iter().map(|key| key.to_ascii_lowercase()).collect();
    if lower.iter().any(|key| key != "resource" && of_parameters(key)) {
        lower.push("parameters".into());
    }
    let wanted =
        |column: &&Column| column.keys.is_empty() || column.keys.iter().any(|key| lower.iter().any(|it| it == key));
    let columns: Vec<&Column> = COLUMNS.iter().filter(wanted).collect();
    let of = |column: &Column| if engine == Engine::Athena { column.athena } else { column.lake };
    let at = if engine == Engine::Athena { "eventtime" } else { "eventTime" };
    let mut out = String::from("SELECT\n");
    for column in &columns {
        out.push_str(&format!("  {} AS \"{}\",\n", of(column), column.name));
    }
    out.push_str(&format!(
        "  COUNT(*) AS \"calls\",\n  MIN({at}) AS \"first\",\n  MAX({at}) AS \"last\"\nFROM {table}\n"
    ));
    let mut bounds = vec![];
    for (sign, bound) in [(">=", time.since), ("<", time.until)] {
        if let Some(bound) = bound {
            let text = written(bound);
            let text = if engine == Engine::Athena { text } else { text.replace('T', " ").replace('Z', "") };
            bounds.push(format!("{at} {sign} '{text}'"));
        }
    }
    if !bounds.is_empty() {
        out.push_str(&format!("WHERE {}\n", bounds.join(" AND ")));
    }
    let groups: Vec<String> = (1..=columns.len()).map(|n| n.to_string()).collect();
    out.push_str(&format!("GROUP BY {}\n", groups.join(", ")));
    out
}

type Put = for<'a> fn(&mut Record<'a>, &'a str);

/// Column, without points and underscores and in lower case → field.
const FIELDS: &[(&str, Put)] = &[
    ("eventtime", |r, v| r.event_time = Text::from(v)),
    ("first", |r, v| r.event_time = Text::from(v)),
    ("eventsource", |r, v| r.event_source = Text::from(v)),
    ("eventname", |r, v| r.event_name = Text::from(v)),
    ("eventtype", |r, v| r.event_type = Text::from(v)),
    ("eventcategory", |r, v| r.event_category = Text::from(v)),
    ("awsregion", |r, v| r.aws_region = Text::from(v)),
    ("recipientaccountid", |r, v| r.recipient_account_id = Text::from(v)),
    ("errorcode", |r, v| r.error_code = Text::from(v)),
    ("errormessage", |r, v| r.error_message = Text::from(v)),
    ("sourceipaddress", |r, v| r.source_ip_address = Text::from(v)),
    ("useragent", |r, v| r.user_agent = Text::from(v)),
    ("readonly", |r, v| r.read_only = Text::from(v)),
    ("vpcendpointid", |r, v| r.vpc_endpoint_id = Text::from(v)),
    ("sharedeventid", |r, v| r.shared_event_id = Text::from(v)),
    ("tlsdetailstlsversion", |r, v| r.tls_details.tls_version = Text::from(v)),
    ("resources", |r, v| r.resources = v.starts_with('[').then_some(v)),
    ("requestparameters", |r, v| r.request_parameters = v.starts_with('{').then_some(v)),
    ("eventcontext", |r, v| r.event_context = v.starts_with('{').then_some(v)),
    ("useridentitytype", |r, v| r.user_identity.kind = Text::from(v)),
    ("useridentityarn", |r, v| r.user_identity.arn = Text::from(v)),
    ("useridentityaccountid", |r, v| r.user_identity.account_id = Text::from(v)),
    ("useridentityprincipalid", |r, v| r.user_identity.principal_id = Text::from(v)),
    ("useridentityusername", |r, v| r.user_identity.user_name = Text::from(v)),
    ("useridentityinvokedby", |r, v| r.user_identity.invoked_by = Text::from(v)),
    ("useridentitysessioncontextsessionissuerarn", |r, v| {
        r.user_identity.session_context.session_issuer.arn = Text::from(v)
    }),
    ("useridentitysessioncontextattributesmfaauthenticated", |r, v| {
        r.user_identity.session_context.attributes.mfa_authenticated = Text::from(v);
    }),
    ("useridentitysessioncontextattributescreationdate", |r, v| {
        r.user_identity.session_context.attributes.creation_date = Text::from(v);
    }),
    ("useridentitysessioncontextsourceidentity", |r, v| {
        r.user_identity.session_context.source_identity = Text::from(v)
    }),
    ("eventjson", |r, v| r.inner = Text::from(v)),
    ("cloudtrailevent", |r, v| r.inner = Text::from(v)),
];

#[derive(Clone, Copy)]
enum Meaning {
    Field(Put),
    Calls,
    Last,
    Nothing,
}

/// Reads CSV as it comes.
pub struct Csv {
    columns: Option<Vec<Meaning>>,
    offset: u64,
    flaws: Vec<Flaw>,
    /// Nothing of the file can be read.
    dead: bool,
    row: Vec<String>,
}

/// A row: how long it is; `None` where it does not end in what there is.
fn row(text: &[u8], last: bool, cells: &mut Vec<String>) -> Option<usize> {
    let mut at = 0;
    let mut count = 0;
    loop {
        if cells.len() <= count {
            cells.push(String::new());
        }
        let cell = cells.get_mut(count)?;
        cell.clear();
        count += 1;
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                let rest = text.get(at..)?;
                let quote = memchr::memchr(b'"', rest)?;
                cell.push_str(&String::from_utf8_lossy(rest.get(..quote)?));
                at += quote + 1;
                match text.get(at) {
                    Some(b'"') => {
                        cell.push('"');
                        at += 1;
                    }
                    Some(_) => break,
                    None if last => break,
                    None => return None,
                }
            }
        }
        let rest = text.get(at..)?;
        let end = memchr::memchr3(b',', b'\n', b'\r', rest);
        let plain = rest.get(..end.unwrap_or(rest.len()))?;
        cell.push_str(&String::from_utf8_lossy(plain));
        at += plain.len();
        match text.get(at) {
            Some(b',') => at += 1,
            Some(b'\r') if text.get(at + 1) == Some(&b'\n') => {
                cells.truncate(count);
                return Some(at + 2);
            }
            Some(b'\r') if text.get(at + 1).is_none() && !last => return None,
            Some(_) => {
                cells.truncate(count);
                return Some(at + 1);
            }
            None if last => {
                cells.truncate(count);
                return Some(at);
            }
            None => return None,
        }
    }
}

fn folded(name: &str) -> String {
    let name = name.trim_start_matches('\u{feff}');
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn meaning(name: &str) -> Meaning {
    match folded(name).as_str() {
        "calls" | "count" => Meaning::Calls,
        "last" => Meaning::Last,
        name => {
            FIELDS.iter().find(|(known, _)| *known == name).map_or(Meaning::Nothing, |(_, put)| Meaning::Field(*put))
        }
    }
}

impl Csv {
    /// Where the file begins as one of CSV does.
    #[must_use]
    pub fn begins(text: &[u8], name: &str) -> Option<Self> {
        let head = text.get(..text.len().min(4_096)).unwrap_or_default();
        let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let named = name.ends_with(".csv") || name.ends_with(".csv.gz");
        let known = line.split(',').filter(|cell| !matches!(meaning(cell), Meaning::Nothing)).count();
        let json = line.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
        (!json && (named || known > 0)).then(|| Self {
            columns: None,
            offset: 0,
            flaws: vec![],
            dead: false,
            row: vec![],
        })
    }

    /// What is wrong so far; told once.
    pub fn flaws(&mut self) -> Vec<Flaw> {
        std::mem::take(&mut self.flaws)
    }

    fn flaw(&mut self, at: usize, what: impl Into<String>, help: &'static str) {
        self.flaws.push(Flaw { byte: self.offset + at as u64, what: what.into(), help });
    }

    /// Gives the records of the window with how many calls each stands for and when the last was; says how many bytes are
    /// done with.
    pub fn feed(&mut self, window: &[u8], last: bool, give: &mut dyn FnMut(&Record<'_>, u64, Option<i64>)) -> usize {
        const HELP: &str = "name its columns as CloudTrail's fields, or export what `bylaw impact --sql` prints";
        let mut at = 0;
        let mut cells = std::mem::take(&mut self.row);
        while !self.dead && at < window.len() {
            let Some(length) = row(window.get(at..).unwrap_or_default(), last, &mut cells) else {
                if window.len() - at > LARGEST {
                    self.flaw(at, "a row is larger than 16 MiB", "look for a quote that is not closed");
                    self.dead = true;
                } else if last {
                    self.flaw(at, "the text ends within a quoted cell", "export the rows again; the others were read");
                }
                break;
            };
            let empty = cells.len() == 1 && cells.first().is_some_and(String::is_empty);
            match &self.columns {
                _ if empty => {}
                None => {
                    let columns: Vec<Meaning> = cells.iter().map(|cell| meaning(cell)).collect();
                    let has = |names: &[&str]| cells.iter().any(|cell| names.contains(&folded(cell).as_str()));
                    let whole = has(&["eventjson", "cloudtrailevent"]);
                    let called = has(&["eventsource"]) && has(&["eventname"]);
                    let told = called && has(&["useridentityaccountid", "useridentityarn"]);
                    if !(whole || told) {
                        self.flaw(at, "its first line does not name columns that tell who called what", HELP);
                        self.dead = true;
                    }
                    self.columns = Some(columns);
                }
                Some(columns) => {
                    if let Err(what) = given(columns, &cells, give) {
                        self.flaw(at, what, "export the rows again; the rest of the file was read");
                    }
                }
            }
            at += length;
        }
        self.row = cells;
        let used = if last || self.dead { window.len() } else { at };
        self.offset += used as u64;
        used
    }
}

fn given(
    columns: &[Meaning],
    cells: &[String],
    give: &mut dyn FnMut(&Record<'_>, u64, Option<i64>),
) -> Result<(), String> {
    if columns.len() != cells.len() {
        return Err(format!("a row has {} cells, and the first line {}", cells.len(), columns.len()));
    }
    let mut record = Record::default();
    let (mut calls, mut last) = (1, None);
    for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        match column {
            Meaning::Field(put) => put(&mut record, cell),
            Meaning::Calls => calls = cell.parse().map_err(|_| format!("`{cell}` is no number of calls"))?,
            Meaning::Last => last = Some(seconds(cell).ok_or_else(|| format!("`{cell}` is no time"))?),
            Meaning::Nothing => {}
        }
    }
    match opened(&record, &mut |record| give(record, calls, last)) {
        Ok(true) => Ok(()),
        Ok(false) => Err("a row names no call".into()),
        Err(error) => Err(format!("the record in a row cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Vec<(String, String, u64, Option<i64>)>;

    fn read(text: &str, step: usize) -> (Found, Vec<Flaw>) {
        let mut csv = Csv::begins(text.as_bytes(), "a.csv").unwrap();
        let (mut from, mut to, mut found) = (0, 0, vec![]);
        while to < text.len() {
            to = (to + step).min(text.len());
            from += csv.feed(&text.as_bytes()[from..to], to == text.len(), &mut |record, calls, last| {
                found.push((
                    record.event_name.to_string(),
                    record.request_parameters.unwrap_or_default().to_owned(),
                    calls,
                    last,
                ));
            });
        }
        (found, csv.flaws())
    }

    #[test]
    fn rows_are_read_whatever_the_windows() {
        let text = "\"eventSource\",eventname,\"userIdentity.accountId\",requestParameters,calls,first,last\r\n\
            s3.amazonaws.com,GetObject,111122223333,\"{\"\"key\"\":\"\"a,\nb\"\"}\",7,2026-01-02T03:04:05Z,2026-01-02T03:04:06Z\n\
            \n\
            s3.amazonaws.com,PutObject,111122223333,,1,,\n";
        for step in [1, 3, 50, 10_000] {
            let (found, flaws) = read(text, step);
            assert_eq!(flaws, []);
            let expected: Found = vec![
                ("GetObject".into(), "{\"key\":\"a,\nb\"}".into(), 7, Some(1_767_323_046)),
                ("PutObject".into(), String::new(), 1, None),
            ];
            assert_eq!(found, expected, "{step}");
        }
        let (found, flaws) = read("eventJson\n\"{\"\"eventSource\"\":\"\"a\"\",\"\"eventName\"\":\"\"B\"\"}\"", 9);
        assert_eq!((found.len(), found[0].0.as_str(), flaws.len()), (1, "B", 0));
    }

    #[test]
    fn bad_rows_are_told_and_the_rest_is_read() {
        let head = "eventSource,eventName,userIdentity.arn,calls\n";
        for (rows, good, bad) in
            [("a,B,c,x\na,B,c,1\n", 1, 1), ("a,B\na,B,c,1\n", 1, 1), (",,,\na,B,c,1\n", 1, 1), ("a,B,c,\"1", 0, 1)]
        {
            let (found, flaws) = read(&format!("{head}{rows}"), 7);
            assert_eq!((found.len(), flaws.len()), (good, bad), "{rows} {flaws:?}");
        }
        assert_eq!(read("some,other\n1,2\n", 4).1.len(), 1);
        assert!(
            Csv::begins(b"{\"Records\":[]}", "a.json").is_none()
                && Csv::begins(b"eventName,eventSource", "-").is_some()
        );
    }

    #[test]
    fn the_query_has_what_the_policies_look_at_and_its_columns_are_read_back() {
        let time = Time { since: Some(1_767_323_045), until: None };
        let plain = sql(Engine::Athena, "trail", &["aws:PrincipalArn", "aws:RequestedRegion"], time);
        assert!(plain.contains("GROUP BY 1, 2, 3") && plain.contains("eventtime >= '2026-01-02T03:04:05Z'"));
        assert!(!plain.contains("sourceip") && !plain.contains("requestparameters"), "{plain}");
        let more = sql(Engine::Lake, "abc", &["aws:SourceIp", "sagemaker:InstanceTypes"], Time::default());
        assert!(
            more.contains("sourceIPAddress AS \"sourceIPAddress\"")
                && more.contains("requestParameters")
                && !more.contains("WHERE")
        );
        for column in COLUMNS {
            assert!(matches!(meaning(column.name), Meaning::Field(_)), "{}", column.name);
        }
    }
}
