//! One CloudTrail record, typed and borrowed from the text that it stands in.
//!
//! Forms: CloudTrail user guide, "CloudTrail record contents" and "CloudTrail userIdentity element". Everything is
//! optional and taken leniently, since AWS adds fields, leaves some out and redacts others; what nobody asks for is passed
//! over without being copied.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use k8s_openapi::jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Text of a record; empty where the record has none. Numbers and booleans are taken as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_bool<E>(self, is: bool) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(if is { "true" } else { "false" })))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }
        d.deserialize_any(Reader)
    }
}

/// A part that may be `null`, and then is as if it were not there.
fn part<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// A part whose text is kept unread.
fn raw<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<&'a str>, D::Error> {
    let raw = Option::<&'a RawValue>::deserialize(d)?;
    Ok(raw.map(RawValue::get).filter(|text| *text != "null"))
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        #[allow(missing_docs, reason = "the fields are CloudTrail's own")]
        pub struct $name<'a> { $(#[serde(borrow)] $(#[$attr])* pub $field: $type,)* }
    };
}

part!(
    /// A record, or one of the things that a record comes in.
    Record {
        event_time: Text<'a>,
        event_source: Text<'a>,
        event_name: Text<'a>,
        #[serde(rename = "eventID")]
        event_id: Text<'a>,
        aws_region: Text<'a>,
        recipient_account_id: Text<'a>,
        #[serde(deserialize_with = "part")]
        user_identity: Identity<'a>,
        error_code: Text<'a>,
        error_message: Text<'a>,
        #[serde(rename = "sourceIPAddress")]
        source_ip_address: Text<'a>,
        user_agent: Text<'a>,
        #[serde(deserialize_with = "raw")]
        resources: Option<&'a str>,
        #[serde(deserialize_with = "raw")]
        request_parameters: Option<&'a str>,
        read_only: Text<'a>,
        event_type: Text<'a>,
        event_category: Text<'a>,
        vpc_endpoint_id: Text<'a>,
        vpc_endpoint_account_id: Text<'a>,
        #[serde(rename = "sharedEventID")]
        shared_event_id: Text<'a>,
        #[serde(deserialize_with = "raw")]
        additional_event_data: Option<&'a str>,
        #[serde(deserialize_with = "part")]
        tls_details: Tls<'a>,
        #[serde(deserialize_with = "raw")]
        event_context: Option<&'a str>,
        /// EventBridge: the record itself.
        #[serde(deserialize_with = "raw")]
        detail: Option<&'a str>,
        /// `LookupEvents` (and exports of CloudWatch Logs and of CloudTrail Lake): the record as text.
        #[serde(rename = "CloudTrailEvent", alias = "message", alias = "eventJson")]
        inner: Text<'a>,
    }
);

part!(
    /// `tlsDetails`.
    Tls {
        tls_version: Text<'a>,
    }
);

part!(
    /// `userIdentity`.
    Identity {
        #[serde(rename = "type")]
        kind: Text<'a>,
        arn: Text<'a>,
        account_id: Text<'a>,
        principal_id: Text<'a>,
        user_name: Text<'a>,
        invoked_by: Text<'a>,
        identity_provider: Text<'a>,
        #[serde(deserialize_with = "part")]
        session_context: Session<'a>,
        #[serde(deserialize_with = "part")]
        on_behalf_of: OnBehalfOf<'a>,
        #[serde(deserialize_with = "part")]
        in_scope_of: Scope<'a>,
    }
);

part!(
    /// `userIdentity.onBehalfOf`: the person of IAM Identity Center.
    OnBehalfOf {
        user_id: Text<'a>,
        identity_store_arn: Text<'a>,
    }
);

part!(
    /// `userIdentity.inScopeOf`: for what the credentials were made.
    Scope {
        issuer_type: Text<'a>,
        credentials_issued_to: Text<'a>,
        source_arn: Text<'a>,
        source_account: Text<'a>,
    }
);

part!(
    /// `userIdentity.sessionContext`.
    Session {
        #[serde(deserialize_with = "part")]
        session_issuer: Issuer<'a>,
        #[serde(deserialize_with = "part")]
        attributes: Attributes<'a>,
        #[serde(deserialize_with = "part")]
        web_id_federation_data: Federation<'a>,
        source_identity: Text<'a>,
        ec2_role_delivery: Text<'a>,
    }
);

part!(
    /// Who the session was made from.
    Issuer {
        #[serde(rename = "type")]
        kind: Text<'a>,
        arn: Text<'a>,
        account_id: Text<'a>,
    }
);

part!(
    /// What the session carries.
    Attributes {
        mfa_authenticated: Text<'a>,
        creation_date: Text<'a>,
    }
);

part!(
    /// The identity provider of the session.
    Federation {
        federated_provider: Text<'a>,
    }
);

impl<'a> Record<'a> {
    /// A whole record from its text, which may stand in an envelope.
    ///
    /// # Errors
    /// The text is no JSON, or a field has another form than CloudTrail gives it.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Whether this is a record, and not only what one may stand in.
    #[must_use]
    pub fn is_one(&self) -> bool {
        !self.event_source.is_empty() && !self.event_name.is_empty()
    }

    /// The text of the record that stands in this one.
    #[must_use]
    pub fn enveloped(&self) -> Option<&str> {
        match self.detail {
            Some(detail) if detail.starts_with('{') => Some(detail),
            _ => self.inner.starts_with('{').then_some(&*self.inner),
        }
    }
}

/// Seconds since 1970 of `2026-01-31T23:59:59Z`; `None` for any other form.
#[must_use]
pub fn seconds(time: &str) -> Option<i64> {
    let bytes = time.as_bytes();
    let number = |from: usize, to: usize| {
        bytes.get(from..to)?.iter().try_fold(0_i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    };
    let is = |at: usize, what: u8| bytes.get(at) == Some(&what);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Athena and Lake write a space for the `T`, and fractions of seconds.
    let form = is(4, b'-') && is(7, b'-') && (is(10, b'T') || is(10, b' ')) && is(13, b':') && is(16, b':');
    let tail = bytes.get(19..).unwrap_or_default();
    let tail = tail.strip_prefix(b".").map_or(tail, |rest| rest.trim_ascii_start_digits());
    let utc = matches!(tail, b"" | b"Z" | b" UTC" | b"+00:00");
    let sane = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !(form && utc && sane) {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

trait Digits {
    fn trim_ascii_start_digits(&self) -> &[u8];
}
impl Digits for [u8] {
    fn trim_ascii_start_digits(&self) -> &[u8] {
        let digits = self.iter().take_while(|b| b.is_ascii_digit()).count();
        self.get(digits..).unwrap_or_default()
    }
}

/// Days since 1970 of a date of the Gregorian calendar, counted from March so that the leap day ends the year.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way round: the time as CloudTrail writes it.
#[must_use]
pub fn written(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_borrowed_and_the_rest_passed_over() {
        let text = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/R/s","accountId":"111122223333","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/R"},"attributes":{"mfaAuthenticated":"false"},"webIdFederationData":{}}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"Get\u004fbject","requestParameters":{"bucketName":"b"},"readOnly":true,"tlsDetails":{"tlsVersion":"TLSv1.3"},"responseElements":null,"resources":[{"ARN":"arn:aws:s3:::b"}],"later":{"a":[[[]]]}}"#;
        let record = Record::parse(text).unwrap();
        assert!(matches!(record.event_source.0, Cow::Borrowed("s3.amazonaws.com")));
        assert!(matches!(record.event_name.0, Cow::Owned(ref name) if name == "GetObject"));
        assert_eq!(record.request_parameters, Some(r#"{"bucketName":"b"}"#));
        assert_eq!(&*record.user_identity.session_context.session_issuer.arn, "arn:aws:iam::111122223333:role/R");
        assert_eq!((&*record.read_only, &*record.tls_details.tls_version), ("true", "TLSv1.3"));
        assert!(record.is_one() && record.error_code.is_empty() && record.enveloped().is_none());
    }

    #[test]
    fn odd_forms_of_fields_are_as_if_absent() {
        let text = r#"{"eventSource":"a.amazonaws.com","eventName":"B","userIdentity":null,"requestParameters":null,"errorCode":null,"sourceIPAddress":{"x":[1]},"userAgent":[1,{}],"recipientAccountId":111122223333,"tlsDetails":null}"#;
        let record = Record::parse(text).unwrap();
        assert_eq!(record.user_identity, Identity::default());
        assert_eq!((record.request_parameters, &*record.error_code, &*record.user_agent), (None, "", ""));
        assert_eq!(&*record.recipient_account_id, "111122223333");
        for bad in ["", "[]x", "{", r#"{"userIdentity":"x"}"#, r#"{"eventName":"a","eventName":"b"}"#, "\u{0}"] {
            assert!(Record::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn deep_nesting_that_nobody_reads_is_no_error() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let text =
            format!(r#"{{"eventSource":"a","eventName":"b","x":{deep},"requestParameters":{deep},"userAgent":"c"}}"#);
        assert_eq!(&*Record::parse(&text).unwrap().user_agent, "c");
    }

    #[test]
    fn envelopes_give_the_record_in_them() {
        let cases = [
            (r#"{"source":"aws.s3","detail":{"eventName":"A"}}"#, Some(r#"{"eventName":"A"}"#)),
            (r#"{"EventName":"A","CloudTrailEvent":"{\"eventName\":\"A\"}"}"#, Some(r#"{"eventName":"A"}"#)),
            (r#"{"id":"1","timestamp":5,"message":"{\"eventName\":\"A\"}"}"#, Some(r#"{"eventName":"A"}"#)),
            (r#"{"message":"hello"}"#, None),
            (r#"{"detail":"hello"}"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(Record::parse(text).unwrap().enveloped(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-03-01T00:00:01Z", 1_772_323_201),
            ("1969-12-31T23:59:59Z", -1),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), Some(expected), "{text}");
            assert_eq!(written(expected), text);
        }
        assert_eq!(seconds("2026-03-01 00:00:01.000"), Some(1_772_323_201));
        for bad in ["", "2026-13-01T00:00:00Z", "2026-03-01", "2026-03-01T00:00:00+02:00", "20260301T000000Z", "ü"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
