//! Condition operators: what AWS knows, spelled as AWS spells them.

use std::fmt;

use crate::names::words::nearest;

/// What an operator tests. Each says which negation it is and whether letters' case counts in its name alone: an
/// evaluator matches on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are AWS's own, each documented on the IAM page of condition operators")]
pub enum Test {
    StringEquals,
    StringNotEquals,
    StringEqualsIgnoreCase,
    StringNotEqualsIgnoreCase,
    StringLike,
    StringNotLike,
    NumericEquals,
    NumericNotEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateNotEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    BinaryEquals,
    IpAddress,
    NotIpAddress,
    ArnEquals,
    ArnNotEquals,
    ArnLike,
    ArnNotLike,
    Null,
}

impl Test {
    /// Every test (IAM user guide, "Condition operators").
    pub const ALL: [Self; 27] = [
        Self::StringEquals,
        Self::StringNotEquals,
        Self::StringEqualsIgnoreCase,
        Self::StringNotEqualsIgnoreCase,
        Self::StringLike,
        Self::StringNotLike,
        Self::NumericEquals,
        Self::NumericNotEquals,
        Self::NumericLessThan,
        Self::NumericLessThanEquals,
        Self::NumericGreaterThan,
        Self::NumericGreaterThanEquals,
        Self::DateEquals,
        Self::DateNotEquals,
        Self::DateLessThan,
        Self::DateLessThanEquals,
        Self::DateGreaterThan,
        Self::DateGreaterThanEquals,
        Self::Bool,
        Self::BinaryEquals,
        Self::IpAddress,
        Self::NotIpAddress,
        Self::ArnEquals,
        Self::ArnNotEquals,
        Self::ArnLike,
        Self::ArnNotLike,
        Self::Null,
    ];

    /// The name as AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StringEquals => "StringEquals",
            Self::StringNotEquals => "StringNotEquals",
            Self::StringEqualsIgnoreCase => "StringEqualsIgnoreCase",
            Self::StringNotEqualsIgnoreCase => "StringNotEqualsIgnoreCase",
            Self::StringLike => "StringLike",
            Self::StringNotLike => "StringNotLike",
            Self::NumericEquals => "NumericEquals",
            Self::NumericNotEquals => "NumericNotEquals",
            Self::NumericLessThan => "NumericLessThan",
            Self::NumericLessThanEquals => "NumericLessThanEquals",
            Self::NumericGreaterThan => "NumericGreaterThan",
            Self::NumericGreaterThanEquals => "NumericGreaterThanEquals",
            Self::DateEquals => "DateEquals",
            Self::DateNotEquals => "DateNotEquals",
            Self::DateLessThan => "DateLessThan",
            Self::DateLessThanEquals => "DateLessThanEquals",
            Self::DateGreaterThan => "DateGreaterThan",
            Self::DateGreaterThanEquals => "DateGreaterThanEquals",
            Self::Bool => "Bool",
            Self::BinaryEquals => "BinaryEquals",
            Self::IpAddress => "IpAddress",
            Self::NotIpAddress => "NotIpAddress",
            Self::ArnEquals => "ArnEquals",
            Self::ArnNotEquals => "ArnNotEquals",
            Self::ArnLike => "ArnLike",
            Self::ArnNotLike => "ArnNotLike",
            Self::Null => "Null",
        }
    }
}

/// What a test reads its values as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `String…`.
    Text,
    /// `Numeric…`.
    Number,
    /// `Date…`.
    Date,
    /// `Bool` and `Null`.
    Bool,
    /// `BinaryEquals`.
    Binary,
    /// `IpAddress`, `NotIpAddress`.
    Address,
    /// `Arn…`.
    Arn,
}

impl Test {
    /// Whether it is true where no value matches, and where the key is absent.
    #[must_use]
    pub fn negated(self) -> bool {
        matches!(
            self,
            Self::StringNotEquals
                | Self::StringNotEqualsIgnoreCase
                | Self::StringNotLike
                | Self::NumericNotEquals
                | Self::DateNotEquals
                | Self::NotIpAddress
                | Self::ArnNotEquals
                | Self::ArnNotLike
        )
    }

    /// What it reads its values as.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::StringEquals
            | Self::StringNotEquals
            | Self::StringEqualsIgnoreCase
            | Self::StringNotEqualsIgnoreCase
            | Self::StringLike
            | Self::StringNotLike => Family::Text,
            Self::NumericEquals
            | Self::NumericNotEquals
            | Self::NumericLessThan
            | Self::NumericLessThanEquals
            | Self::NumericGreaterThan
            | Self::NumericGreaterThanEquals => Family::Number,
            Self::DateEquals
            | Self::DateNotEquals
            | Self::DateLessThan
            | Self::DateLessThanEquals
            | Self::DateGreaterThan
            | Self::DateGreaterThanEquals => Family::Date,
            Self::Bool | Self::Null => Family::Bool,
            Self::BinaryEquals => Family::Binary,
            Self::IpAddress | Self::NotIpAddress => Family::Address,
            Self::ArnEquals | Self::ArnNotEquals | Self::ArnLike | Self::ArnNotLike => Family::Arn,
        }
    }
}

/// How an operator goes over a key that has many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantifier {
    /// Every value of the request has to match; true where the key is absent.
    ForAllValues,
    /// One value of the request has to match; false where the key is absent.
    ForAnyValue,
}

impl Quantifier {
    /// The prefix as AWS spells it, with its colon.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ForAllValues => "ForAllValues:",
            Self::ForAnyValue => "ForAnyValue:",
        }
    }
}

/// A whole operator, such as `ForAnyValue:StringLikeIfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator {
    /// `ForAllValues` or `ForAnyValue`.
    pub quantifier: Option<Quantifier>,
    /// The test.
    pub test: Test,
    /// True where the key is absent.
    pub if_exists: bool,
}

impl Operator {
    /// The operator of that name, whatever its case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut rest = name;
        let mut quantifier = None;
        for candidate in [Quantifier::ForAllValues, Quantifier::ForAnyValue] {
            if let Some(head) = rest.get(..candidate.prefix().len())
                && head.eq_ignore_ascii_case(candidate.prefix())
            {
                quantifier = Some(candidate);
                rest = rest.get(head.len()..)?;
                break;
            }
        }
        let (stem, if_exists) = match rest.len().checked_sub("IfExists".len()).and_then(|at| rest.split_at_checked(at))
        {
            Some((stem, tail)) if tail.eq_ignore_ascii_case("IfExists") => (stem, true),
            _ => (rest, false),
        };
        let test = Test::ALL.into_iter().find(|test| test.as_str().eq_ignore_ascii_case(stem))?;
        // `Null` asks whether the key is there; `IfExists` beside it has no meaning and AWS refuses it.
        (test != Test::Null || !if_exists).then_some(Self { quantifier, test, if_exists })
    }

    /// What an unknown operator may have been meant to be.
    #[must_use]
    pub fn suggest(name: &str) -> Option<&'static str> {
        let stem = name.rsplit(':').next().unwrap_or(name);
        nearest(stem, Test::ALL.into_iter().map(Test::as_str))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.quantifier.map_or("", Quantifier::prefix);
        let suffix = if self.if_exists { "IfExists" } else { "" };
        write!(f, "{prefix}{}{suffix}", self.test.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_read_back_in_any_case() {
        for test in Test::ALL {
            for quantifier in [None, Some(Quantifier::ForAllValues), Some(Quantifier::ForAnyValue)] {
                for if_exists in [false, true] {
                    let operator = Operator { quantifier, test, if_exists };
                    let expected = (test != Test::Null || !if_exists).then_some(operator);
                    assert_eq!(Operator::parse(&operator.to_string()), expected, "{operator}");
                    assert_eq!(Operator::parse(&operator.to_string().to_uppercase()), expected, "{operator}");
                }
            }
        }
        for bad in ["", "StringEqual", "IfExists", "ForAllValues:", "ForAllValues:ForAnyValue:Bool", "ß:Bool", "Boolé"]
        {
            assert_eq!(Operator::parse(bad), None, "{bad}");
        }
        assert_eq!(Operator::suggest("ForAnyValue:StringEqual"), Some("StringEquals"));
    }
}
