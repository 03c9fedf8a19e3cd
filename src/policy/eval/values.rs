//! Values of conditions that are no texts: numbers, dates, booleans, networks.
//!
//! Source: IAM user guide, "Condition operators". What cannot be read equals nothing.

use core::net::IpAddr;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::Date;

/// A number, whole or with a point.
pub(in crate::policy) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    text.trim().parse().ok().filter(|number: &f64| plain && number.is_finite())
}

/// `true` or `false`, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Milliseconds since 1970: an ISO 8601 date, with or without time (without: midnight UTC), or seconds since 1970.
pub(in crate::policy) fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    if let Some(seconds) = number(text).filter(|_| !text.contains(['e', 'E'])) {
        // A year alone is a date and no second of 1970.
        if !(text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())) {
            #[expect(clippy::cast_possible_truncation, reason = "a float casts to the nearest integer there is")]
            return Some((seconds * 1000.0) as i64);
        }
    }
    let midnight = |text: &str| {
        let date: Date = text.parse().ok()?;
        date.to_zoned(k8s_openapi::jiff::tz::TimeZone::UTC).ok().map(|at| at.timestamp().as_millisecond())
    };
    match text.len() {
        4 => midnight(&format!("{text}-01-01")),
        7 => midnight(&format!("{text}-01")),
        10 => midnight(text),
        _ => minutes(text),
    }
}

/// `2026-01-31T10:00Z`, `2026-01-31T10:00+01:00`: ISO 8601 without seconds.
fn minutes(text: &str) -> Option<i64> {
    let (day, rest) = text.split_once('T')?;
    let split = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(split)?;
    let zone = if zone.is_empty() { "Z" } else { zone };
    let clock = match clock.len() {
        2 => format!("{clock}:00:00"),
        5 => format!("{clock}:00"),
        _ => clock.to_owned(),
    };
    format!("{day}T{clock}{zone}").parse::<Timestamp>().ok().map(|at| at.as_millisecond())
}

/// A network: an address with as many leading bits as count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`, or one address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    pub(super) fn holds(self, other: Self) -> bool {
        let same = |own: u128, other: u128, width: u32| {
            let drop = width - u32::from(self.bits);
            // All bits gone: everything is in it.
            drop >= width || own >> drop == other >> drop
        };
        other.bits >= self.bits
            && match (self.address, other.address) {
                (IpAddr::V4(own), IpAddr::V4(other)) => same(own.to_bits().into(), other.to_bits().into(), 32),
                (IpAddr::V6(own), IpAddr::V6(other)) => same(own.to_bits(), other.to_bits(), 128),
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_every_form_of_iso_8601_and_as_seconds() {
        let noon = 1_769_860_800_000;
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12Z",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T13:00+01:00",
            "2026-01-31T12:00:00.000Z",
            "1769860800",
        ] {
            assert_eq!(date(text), Some(noon), "{text}");
        }
        assert_eq!(date("2026-01-31"), Some(noon - 12 * 3_600_000));
        assert_eq!(date("2026"), date("2026-01-01T00:00:00Z"));
        assert_eq!(date("2026-02"), date("2026-02-01"));
        for text in ["", "yesterday", "2026-13-01", "31.01.2026", "2026-01-31 noon"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn networks_hold_addresses_and_narrower_networks() {
        let holds = |wide: &str, narrow: &str| Network::parse(wide).unwrap().holds(Network::parse(narrow).unwrap());
        assert!(
            holds("10.0.0.0/8", "10.255.0.1") && holds("10.0.0.0/8", "10.1.0.0/16") && holds("0.0.0.0/0", "1.2.3.4")
        );
        assert!(!holds("10.0.0.0/8", "11.0.0.1") && !holds("10.1.0.0/16", "10.0.0.0/8") && !holds("0.0.0.0/0", "::1"));
        assert!(
            holds("2001:db8::/32", "2001:db8:1::5") && !holds("2001:db8::/32", "2001:db9::1") && holds("::/0", "::1")
        );
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/x", "cloudtrail.amazonaws.com"] {
            assert!(Network::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn numbers_and_booleans() {
        assert_eq!(
            (number("1.50"), number("-3"), number("0x10"), number("NaN"), number("")),
            (Some(1.5), Some(-3.0), None, None, None)
        );
        assert_eq!((boolean("TRUE"), boolean("false"), boolean("yes")), (Some(true), Some(false), None));
    }
}
