//! The quick way to a [`Record`], for records as CloudTrail writes them: one pass over the text.
//!
//! It takes only what it reads exactly as serde_json would. Whatever is out of the ordinary (an escape in a text that is
//! needed, a number where text is due, anything that is no JSON) it leaves to serde_json, which also says what is wrong.

use super::reader::{Reader, Value};
use super::record::{Attributes, Federation, Identity, Issuer, Record, Session, Text, Tls};

/// The fields of a part of a record, with how their values are read into it. They stand in the order in which CloudTrail
/// writes them, since the next one is then mostly the one that comes next here.
macro_rules! fields {
    ($name:ident of $part:ident: $($field:literal => $read:expr,)*) => {
        const $name: &[(&str, for<'a> fn(&mut Reader<'a>, &mut $part<'a>) -> Option<()>)] =
            &[$((concat!("\"", $field, "\":"), $read),)*];
    };
}

fields!(RECORD of Record:
    "eventVersion" => |reader, _| reader.step(),
    "userIdentity" => |reader, record| reader.fields(IDENTITY, &mut record.user_identity),
    "eventTime" => |reader, record| put(reader, &mut record.event_time),
    "eventSource" => |reader, record| put(reader, &mut record.event_source),
    "eventName" => |reader, record| put(reader, &mut record.event_name),
    "awsRegion" => |reader, record| put(reader, &mut record.aws_region),
    "sourceIPAddress" => |reader, record| put(reader, &mut record.source_ip_address),
    "userAgent" => |reader, record| put(reader, &mut record.user_agent),
    "errorCode" => |reader, record| put(reader, &mut record.error_code),
    "errorMessage" => |reader, record| put(reader, &mut record.error_message),
    "requestParameters" => |reader, record| raw(reader, &mut record.request_parameters),
    "responseElements" => |reader, _| reader.step(),
    "additionalEventData" => |reader, record| raw(reader, &mut record.additional_event_data),
    "requestID" => |reader, _| reader.step(),
    "eventID" => |reader, record| put(reader, &mut record.event_id),
    "readOnly" => |reader, record| put(reader, &mut record.read_only),
    "resources" => |reader, record| raw(reader, &mut record.resources),
    "eventType" => |reader, record| put(reader, &mut record.event_type),
    "managementEvent" => |reader, _| reader.step(),
    "recipientAccountId" => |reader, record| put(reader, &mut record.recipient_account_id),
    "sharedEventID" => |reader, record| put(reader, &mut record.shared_event_id),
    "vpcEndpointId" => |reader, record| put(reader, &mut record.vpc_endpoint_id),
    "vpcEndpointAccountId" => |reader, record| put(reader, &mut record.vpc_endpoint_account_id),
    "eventCategory" => |reader, record| put(reader, &mut record.event_category),
    "eventContext" => |reader, record| raw(reader, &mut record.event_context),
    "tlsDetails" => |reader, record| reader.fields(TLS, &mut record.tls_details),
    // What a record comes in is opened by serde_json.
    "detail" => |_, _| None,
    "CloudTrailEvent" => |_, _| None,
    "message" => |_, _| None,
    "eventJson" => |_, _| None,
);

fields!(TLS of Tls:
    "tlsVersion" => |reader, tls| put(reader, &mut tls.tls_version),
    "cipherSuite" => |reader, _| reader.step(),
);

fields!(IDENTITY of Identity:
    "type" => |reader, identity| put(reader, &mut identity.kind),
    "principalId" => |reader, identity| put(reader, &mut identity.principal_id),
    "arn" => |reader, identity| put(reader, &mut identity.arn),
    "accountId" => |reader, identity| put(reader, &mut identity.account_id),
    "accessKeyId" => |reader, _| reader.step(),
    "userName" => |reader, identity| put(reader, &mut identity.user_name),
    "sessionContext" => |reader, identity| reader.fields(SESSION, &mut identity.session_context),
    "invokedBy" => |reader, identity| put(reader, &mut identity.invoked_by),
    "identityProvider" => |reader, identity| put(reader, &mut identity.identity_provider),
    // These are few.
    "onBehalfOf" => |_, _| None,
    "inScopeOf" => |_, _| None,
);

fields!(SESSION of Session:
    "sessionIssuer" => |reader, session| reader.fields(ISSUER, &mut session.session_issuer),
    "webIdFederationData" => |reader, session| reader.fields(FEDERATION, &mut session.web_id_federation_data),
    "attributes" => |reader, session| reader.fields(ATTRIBUTES, &mut session.attributes),
    "sourceIdentity" => |reader, session| put(reader, &mut session.source_identity),
    "ec2RoleDelivery" => |reader, session| put(reader, &mut session.ec2_role_delivery),
);

fields!(ISSUER of Issuer:
    "type" => |reader, issuer| put(reader, &mut issuer.kind),
    "principalId" => |reader, _| reader.step(),
    "arn" => |reader, issuer| put(reader, &mut issuer.arn),
    "accountId" => |reader, issuer| put(reader, &mut issuer.account_id),
    "userName" => |reader, _| reader.step(),
);

fields!(ATTRIBUTES of Attributes:
    "creationDate" => |reader, attributes| put(reader, &mut attributes.creation_date),
    "mfaAuthenticated" => |reader, attributes| put(reader, &mut attributes.mfa_authenticated),
);

fields!(FEDERATION of Federation:
    "federatedProvider" => |reader, federation| put(reader, &mut federation.federated_provider),
);

/// A field of text.
fn put<'a>(reader: &mut Reader<'a>, field: &mut Text<'a>) -> Option<()> {
    *field = match reader.value()? {
        Value::Text(text) => text.into(),
        Value::Word("null") => Text::default(),
        Value::Word(word @ ("true" | "false")) => word.into(),
        // Other forms are rare, and serde_json knows what becomes of them.
        _ => return None,
    };
    Some(())
}

/// A field whose text is kept.
fn raw<'a>(reader: &mut Reader<'a>, field: &mut Option<&'a str>) -> Option<()> {
    *field = match reader.value()? {
        Value::Nested(text) => Some(text),
        Value::Word("null") => None,
        _ => return None,
    };
    Some(())
}

/// Reads the record that the text begins with into an empty one, and says how long it is; `None`: serde_json is to look at
/// it.
pub fn read<'a>(text: &'a str, record: &mut Record<'a>) -> Option<usize> {
    let mut reader = Reader::new(text);
    if reader.peek()? != b'{' {
        return None;
    }
    reader.fields(RECORD, record)?;
    Some(reader.at)
}

/// How long the object is that the text begins with; `None` where it does not end in it, or is no JSON.
#[must_use]
pub fn extent(text: &str) -> Option<usize> {
    text.starts_with('{').then(|| Reader::new(text).nested())?.map(str::len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn record(text: &str) -> Option<(Record<'_>, usize)> {
        let mut record = Record::default();
        read(text, &mut record).map(|length| (record, length))
    }

    fn whole(more: &Value) -> Value {
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": {"type": "AssumedRole", "principalId": "A:s", "arn": "arn", "accountId": "1", "userName": "u", "invokedBy": "x", "identityProvider": "p",
                "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "r", "accountId": "1"}, "attributes": {"mfaAuthenticated": "false", "creationDate": "d"},
                    "sourceIdentity": "me", "ec2RoleDelivery": "2.0", "webIdFederationData": {"federatedProvider": "p", "attributes": {}}}},
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
            let (found, length) = record(&text).unwrap();
            assert_eq!(length, text.len());
            assert_eq!(found, Record::parse(&text).unwrap());
            assert_eq!(extent(&format!("{text},{{")), Some(length));
            for cut in (0..text.len()).filter_map(|cut| text.get(..cut)) {
                assert_eq!(record(cut), None, "{cut}");
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
            assert_eq!(record(text), None, "{text}");
        }
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
            if let Some((found, length)) = record(&text) {
                prop_assert_eq!(length, text.len() - after.len());
                prop_assert_eq!(found, Record::parse(&text[..length]).unwrap());
            } else {
                prop_assert!(key != "x", "{}", text);
            }
        }

        /// And no text makes it panic.
        #[test]
        fn any_text_is_survived(text in "[{}\\[\\]\",:\\\\ \ntrue0\u{e9}a]{0,80}") {
            let _ = record(&text);
            let _ = record(&format!("{{\"userIdentity\":{text}"));
        }
    }
}
