//! The quick way to a [`Record`], for records as CloudTrail writes them: one pass over the bytes, in which what nobody asks
//! for is stepped over eight bytes at a time.
//!
//! It takes only what it reads exactly as serde_json would. Whatever is out of the ordinary (an escape in a text that is
//! needed, a number where text is due, anything that is no JSON) it leaves to serde_json, which also says what is wrong.
//! Within what is stepped over only strings and brackets are looked at.

use super::record::{Federation, Identity, Issuer, Record, Session, Text};

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Bytes of which one is the end of a string, a backslash, or a control character.
fn marks(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(EACH) & !word;
    let quote = zero(word ^ (EACH * b'"' as u64));
    let slash = zero(word ^ (EACH * b'\\' as u64));
    let control = word.wrapping_sub(EACH * 0x20) & !word;
    // A borrow may mark bytes above one that is marked rightly: the lowest mark is right.
    (quote | slash | control) & HIGH
}

/// Where the next byte is that ends a string or has a meaning in it.
fn next_mark(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let marks = marks(u64::from_le_bytes(chunk.try_into().ok()?));
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|b| matches!(b, b'"' | b'\\') || *b < 0x20).map(|found| at + found)
}

/// Reads on through one text.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What a value is.
enum Value<'a> {
    /// Text without escapes.
    Text(&'a str),
    /// `true`, `false`, `null` or a number.
    Word(&'a str),
    /// An object or a list, with its brackets.
    Nested(&'a [u8]),
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Steps over the string whose first quote was eaten.
    fn step_string(&mut self) -> Option<()> {
        loop {
            let mark = next_mark(self.bytes, self.at)?;
            match self.bytes.get(mark)? {
                b'"' => {
                    self.at = mark + 1;
                    return Some(());
                }
                b'\\' => self.at = mark + 2,
                _ => return None,
            }
        }
    }

    /// The string whose first quote was eaten, if it has no escape.
    fn string(&mut self) -> Option<&'a [u8]> {
        let mark = next_mark(self.bytes, self.at)?;
        let text = self.bytes.get(self.at..mark)?;
        (*self.bytes.get(mark)? == b'"').then(|| self.at = mark + 1)?;
        Some(text)
    }

    /// Steps over an object or a list, and gives it.
    fn nested(&mut self) -> Option<&'a [u8]> {
        let from = self.at;
        let mut depth = 0_usize;
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => self.step_string()?,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return self.bytes.get(from..self.at);
                    }
                }
                _ => {}
            }
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))?;
        self.at += end;
        std::str::from_utf8(rest.get(..end)?).ok().filter(|word| !word.is_empty())
    }

    /// Steps over a value, whatever it is.
    fn step(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.step_string()
            }
            b'{' | b'[' => self.nested().map(drop),
            _ => self.word().map(drop),
        }
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                std::str::from_utf8(self.string()?).ok().map(Value::Text)
            }
            b'{' | b'[' => self.nested().map(Value::Nested),
            _ => self.word().map(Value::Word),
        }
    }

    /// A field of text.
    fn text(&mut self) -> Option<Text<'a>> {
        match self.value()? {
            Value::Text(text) => Some(text.into()),
            Value::Word("null") => Some(Text::default()),
            Value::Word(word @ ("true" | "false")) => Some(word.into()),
            // Other forms are rare, and serde_json knows what becomes of them.
            _ => None,
        }
    }

    /// A field whose text is kept.
    fn raw(&mut self) -> Option<Option<&'a str>> {
        match self.value()? {
            Value::Nested(bytes) => std::str::from_utf8(bytes).ok().map(Some),
            Value::Word("null") => Some(None),
            _ => None,
        }
    }

    /// Calls `field` with each key of an object, whose value it takes or steps over.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        if self.peek()? != b'{' {
            return (self.word()? == "null").then_some(());
        }
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.eat(b'"')?;
            let key = self.string()?;
            self.eat(b':')?;
            field(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.peek()?;
        }
    }
}

/// The record that the bytes begin with, and how long it is; `None`: serde_json is to look at it.
#[must_use]
pub fn record(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let mut record = Record::default();
    let mut reader = Reader { bytes, at: 0 };
    if reader.peek()? != b'{' {
        return None;
    }
    reader.object(|reader, key| {
        match key {
            b"userIdentity" => return identity(reader, &mut record.user_identity),
            b"eventTime" => record.event_time = reader.text()?,
            b"eventSource" => record.event_source = reader.text()?,
            b"eventName" => record.event_name = reader.text()?,
            b"awsRegion" => record.aws_region = reader.text()?,
            b"recipientAccountId" => record.recipient_account_id = reader.text()?,
            b"errorCode" => record.error_code = reader.text()?,
            b"sourceIPAddress" => record.source_ip_address = reader.text()?,
            b"userAgent" => record.user_agent = reader.text()?,
            b"eventType" => record.event_type = reader.text()?,
            b"eventCategory" => record.event_category = reader.text()?,
            b"readOnly" => record.read_only = reader.text()?,
            b"eventID" => record.event_id = reader.text()?,
            b"vpcEndpointId" => record.vpc_endpoint_id = reader.text()?,
            b"vpcEndpointAccountId" => record.vpc_endpoint_account_id = reader.text()?,
            b"sharedEventID" => record.shared_event_id = reader.text()?,
            b"errorMessage" => record.error_message = reader.text()?,
            b"resources" => record.resources = reader.raw()?,
            b"requestParameters" => record.request_parameters = reader.raw()?,
            b"additionalEventData" => record.additional_event_data = reader.raw()?,
            b"eventContext" => record.event_context = reader.raw()?,
            b"tlsDetails" => {
                return reader.object(|reader, key| match key {
                    b"tlsVersion" => reader.text().map(|text| record.tls_details.tls_version = text),
                    _ => reader.step(),
                });
            }
            // What a record comes in is opened by serde_json.
            b"detail" | b"CloudTrailEvent" | b"message" | b"eventJson" => return None,
            _ => return reader.step(),
        }
        Some(())
    })?;
    Some((record, reader.at))
}

/// How long the object is that the bytes begin with; `None` where it does not end in them, or is no JSON.
#[must_use]
pub fn extent(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader { bytes, at: 0 };
    bytes.starts_with(b"{").then(|| reader.nested())?.map(<[u8]>::len)
}

fn identity<'a>(reader: &mut Reader<'a>, identity: &mut Identity<'a>) -> Option<()> {
    reader.object(|reader, key| {
        match key {
            b"type" => identity.kind = reader.text()?,
            b"arn" => identity.arn = reader.text()?,
            b"accountId" => identity.account_id = reader.text()?,
            b"principalId" => identity.principal_id = reader.text()?,
            b"userName" => identity.user_name = reader.text()?,
            b"invokedBy" => identity.invoked_by = reader.text()?,
            b"sessionContext" => return session(reader, &mut identity.session_context),
            // These are few.
            b"onBehalfOf" | b"inScopeOf" => return None,
            _ => return reader.step(),
        }
        Some(())
    })
}

fn session<'a>(reader: &mut Reader<'a>, session: &mut Session<'a>) -> Option<()> {
    reader.object(|reader, key| match key {
        b"sourceIdentity" => reader.text().map(|text| session.source_identity = text),
        b"sessionIssuer" => issuer(reader, &mut session.session_issuer),
        b"webIdFederationData" => federation(reader, &mut session.web_id_federation_data),
        b"attributes" => reader.object(|reader, key| match key {
            b"mfaAuthenticated" => reader.text().map(|text| session.attributes.mfa_authenticated = text),
            b"creationDate" => reader.text().map(|text| session.attributes.creation_date = text),
            _ => reader.step(),
        }),
        _ => reader.step(),
    })
}

fn issuer<'a>(reader: &mut Reader<'a>, issuer: &mut Issuer<'a>) -> Option<()> {
    reader.object(|reader, key| match key {
        b"type" => reader.text().map(|text| issuer.kind = text),
        b"arn" => reader.text().map(|text| issuer.arn = text),
        b"accountId" => reader.text().map(|text| issuer.account_id = text),
        _ => reader.step(),
    })
}

fn federation<'a>(reader: &mut Reader<'a>, federation: &mut Federation<'a>) -> Option<()> {
    reader.object(|reader, key| match key {
        b"federatedProvider" => reader.text().map(|text| federation.federated_provider = text),
        _ => reader.step(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn whole(more: &Value) -> Value {
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": {"type": "AssumedRole", "principalId": "A:s", "arn": "arn", "accountId": "1", "userName": "u", "invokedBy": "x",
                "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "r", "accountId": "1"}, "attributes": {"mfaAuthenticated": "false", "creationDate": "d"},
                    "sourceIdentity": "me", "webIdFederationData": {"federatedProvider": "p", "attributes": {}}}},
            "eventTime": "2026-01-02T03:04:05Z", "eventSource": "s3.amazonaws.com", "eventName": "A", "awsRegion": "r",
            "recipientAccountId": "1", "errorCode": "e", "errorMessage": "m", "sourceIPAddress": "1.2.3.4", "userAgent": "ü",
            "resources": [{"ARN": "a"}], "requestParameters": {"a": "\"}\\"}, "readOnly": true, "eventType": "t", "eventCategory": "c",
            "eventID": "i", "vpcEndpointId": "v", "vpcEndpointAccountId": "2", "sharedEventID": "s", "additionalEventData": {"x": 1},
            "tlsDetails": {"tlsVersion": "1.3"}, "eventContext": {"requestContext": {}}, "responseElements": {"x": ["]\"", {"y": null}]}
        });
        if let (Value::Object(record), Value::Object(more)) = (&mut record, more) {
            record.extend(more.clone());
        }
        record
    }

    #[test]
    fn records_are_those_of_serde_json() {
        for text in [
            whole(&json!({})).to_string(),
            format!("{:#}", whole(&json!({"userIdentity": null, "requestParameters": null}))),
        ] {
            let (found, length) = record(text.as_bytes()).unwrap();
            assert_eq!(length, text.len());
            assert_eq!(found, Record::parse(&text).unwrap());
            assert_eq!(extent(format!("{text},{{").as_bytes()), Some(length));
            for cut in 0..text.len() {
                assert_eq!(record(&text.as_bytes()[..cut]), None, "{cut}");
            }
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_alone() {
        for text in [
            r#"{"eventName":"a\u0041"}"#,
            r#"{"eventName":5}"#,
            r#"{"eventName":{}}"#,
            r#"{"eventName" "a"}"#,
            r#"{"eventName":"a",,}"#,
            r#"{"a\"b":1}"#,
            r#"{"detail":{}}"#,
            "{\"x\":\"\n\"}",
            "[]",
            "5",
            "",
            "{",
            "{]",
        ] {
            assert_eq!(record(text.as_bytes()), None, "{text}");
        }
        assert_eq!(record(b"{\"eventName\":\"\xff\"}"), None);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z\\\\\"{}\\[\\]\n\u{e9} ,:]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,6}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        /// Where the quick way gives a record it is the one that serde_json gives, and as long.
        #[test]
        fn the_quick_way_agrees(
            key in prop::sample::select(vec!["eventName", "userIdentity", "requestParameters", "resources", "x", "tlsDetails", "userAgent"]),
            value in values(), pretty in any::<bool>(), after in "[,\\]} a]{0,3}",
        ) {
            let value = whole(&json!({key: value}));
            let text = if pretty { format!("{value:#}{after}") } else { format!("{value}{after}") };
            if let Some((found, length)) = record(text.as_bytes()) {
                prop_assert_eq!(length, text.len() - after.len());
                prop_assert_eq!(found, Record::parse(&text[..length]).unwrap());
            } else {
                prop_assert!(key != "x", "{}", text);
            }
        }

        /// And no bytes make it panic.
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ \ntrue0\xffa".to_vec()), 0..80)) {
            let _ = record(&bytes);
            let _ = record(&[b"{\"userIdentity\":".as_slice(), &bytes].concat());
        }
    }
}
