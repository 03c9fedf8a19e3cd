//! One `operator: {key: values}` of a condition, compiled.
//!
//! What a key that is absent means: aws-facts section 3, "Missing-key semantics" (IAM user guide, "Condition operators"
//! and "Multivalued context keys").

use std::cmp::Ordering;

use super::among;
use super::pattern::{Pattern, Reading};
use super::request::{Fact, Facts, Key};
use super::truth::Truth;
use super::values::{Network, boolean, date, number};
use crate::policy::condition::{Operator, Quantifier, Test};
use crate::policy::statement::{Clause, Version};

/// What the values of the request are compared with.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// Letters' case counts, and nothing stands for anything else.
    Plain(Box<[Box<str>]>),
    /// Letters' case counts.
    Texts(Box<[Pattern]>),
    /// It does not.
    AnyCase(Box<[Pattern]>),
    Numbers(Box<[f64]>, Order),
    Dates(Box<[i64]>, Order),
    /// Whether `true` is, and `false`.
    Booleans {
        yes: bool,
        no: bool,
    },
    /// As [`Wanted::AnyCase`], of values that are booleans.
    BooleanTexts(Box<[Pattern]>),
    Networks(Box<[Network]>),
    /// Base64 without its padding: texts that are equal when the bytes are.
    Bytes(Box<[Box<str>]>),
    /// Whether it holds for a key that is absent, and for one that is there.
    Presence {
        absent: bool,
        present: bool,
    },
}

/// Which outcomes of a comparison match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn takes(self, found: Option<Ordering>) -> bool {
        match (self, found) {
            (_, None) => false,
            (Self::Equal, Some(found)) => found.is_eq(),
            (Self::Less, Some(found)) => found.is_lt(),
            (Self::LessOrEqual, Some(found)) => found.is_le(),
            (Self::Greater, Some(found)) => found.is_gt(),
            (Self::GreaterOrEqual, Some(found)) => found.is_ge(),
        }
    }
}

/// Whether the operator asks that the key does *not* match, which is true of a key that is absent.
#[must_use]
pub fn is_negated(test: Test) -> bool {
    matches!(
        test,
        Test::StringNotEquals
            | Test::StringNotEqualsIgnoreCase
            | Test::StringNotLike
            | Test::NumericNotEquals
            | Test::DateNotEquals
            | Test::NotIpAddress
            | Test::ArnNotEquals
            | Test::ArnNotLike
    )
}

/// Base64 without padding.
fn bare(text: &str) -> &str {
    text.trim_end_matches('=')
}

/// A clause, ready to be tested.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tested {
    key: Key,
    operator: Operator,
    negated: bool,
    wanted: Wanted,
}

impl Tested {
    pub(super) fn new(clause: &Clause, version: Version) -> Self {
        let texts =
            |reading, version| clause.values.iter().map(|value| Pattern::new(value, reading, version)).collect();
        let numbers = |order| Wanted::Numbers(clause.values.iter().filter_map(|text| number(text)).collect(), order);
        let dates = |order| Wanted::Dates(clause.values.iter().filter_map(|text| date(text)).collect(), order);
        let said = |wanted| clause.values.iter().any(|text| boolean(text) == Some(wanted));
        let wanted = match clause.operator.test {
            Test::StringEquals | Test::StringNotEquals => Wanted::Texts(texts(Reading::Plain, version)),
            Test::StringEqualsIgnoreCase | Test::StringNotEqualsIgnoreCase => {
                Wanted::AnyCase(texts(Reading::Plain, version))
            }
            Test::StringLike | Test::StringNotLike => Wanted::Texts(texts(Reading::Wild, version)),
            // `ArnEquals` and `ArnLike` behave identically.
            Test::ArnEquals | Test::ArnLike | Test::ArnNotEquals | Test::ArnNotLike => {
                Wanted::Texts(texts(Reading::Arn, version))
            }
            Test::NumericEquals | Test::NumericNotEquals => numbers(Order::Equal),
            Test::NumericLessThan => numbers(Order::Less),
            Test::NumericLessThanEquals => numbers(Order::LessOrEqual),
            Test::NumericGreaterThan => numbers(Order::Greater),
            Test::NumericGreaterThanEquals => numbers(Order::GreaterOrEqual),
            Test::DateEquals | Test::DateNotEquals => dates(Order::Equal),
            Test::DateLessThan => dates(Order::Less),
            Test::DateLessThanEquals => dates(Order::LessOrEqual),
            Test::DateGreaterThan => dates(Order::Greater),
            Test::DateGreaterThanEquals => dates(Order::GreaterOrEqual),
            // Variables are allowed, unlike in numbers, dates and networks.
            Test::Bool if clause.values.iter().any(|text| text.contains("${")) => {
                Wanted::BooleanTexts(texts(Reading::Plain, version))
            }
            Test::Bool => Wanted::Booleans { yes: said(true), no: said(false) },
            Test::IpAddress | Test::NotIpAddress => {
                Wanted::Networks(clause.values.iter().filter_map(|text| Network::parse(text)).collect())
            }
            Test::BinaryEquals => Wanted::Bytes(clause.values.iter().map(|text| bare(text).into()).collect()),
            Test::Null => Wanted::Presence { absent: said(true), present: said(false) },
        };
        let wanted = match &wanted {
            Wanted::Texts(patterns) => patterns
                .iter()
                .map(|pattern| pattern.as_plain().map(Into::into))
                .collect::<Option<_>>()
                .map_or(wanted, Wanted::Plain),
            _ => wanted,
        };
        let negated = is_negated(clause.operator.test);
        Self { key: Key::new(&clause.key), operator: clause.operator, negated, wanted }
    }

    /// The keys that it looks at: its own and those of variables.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.key).chain(self.patterns().iter().flat_map(Pattern::keys))
    }

    fn patterns(&self) -> &[Pattern] {
        match &self.wanted {
            Wanted::Texts(patterns) | Wanted::AnyCase(patterns) | Wanted::BooleanTexts(patterns) => patterns,
            _ => &[],
        }
    }

    /// Whether it holds. Of a request that is known as a whole that is yes or no, by the reading that evaluators share; of others it hangs
    /// on what AWS does where it documents no meaning: a variable without a value in a negated operator "might cause the entire
    /// statement to be invalid" (IAM user guide, "Policy variables").
    pub(super) fn holds(&self, facts: &Facts) -> Truth {
        let holds = self.holds_as_read(facts);
        if let Some(pattern) = facts.or_like(&self.key)
            && self.holds_for_all(pattern) != holds
        {
            return Truth::Depends;
        }
        match holds {
            Truth::Yes if self.negated && !facts.is_complete() && self.lacks_variable(facts) => Truth::Depends,
            holds => holds,
        }
    }

    /// Whether it holds for every value of a pattern.
    fn holds_for_all(&self, like: &str) -> Truth {
        let found = match &self.wanted {
            Wanted::Presence { present, .. } => return (*present).into(),
            Wanted::Plain(texts) if texts.iter().any(|text| crate::policy::pattern::matches(like, text, true)) => {
                Truth::Depends
            }
            Wanted::Plain(_) => Truth::No,
            Wanted::Texts(patterns) if patterns.iter().any(|pattern| among::matches_all(pattern, like)) => Truth::Yes,
            Wanted::Texts(patterns) if !patterns.iter().any(|pattern| among::may_match(pattern, like)) => Truth::No,
            _ => Truth::Depends,
        };
        if self.negated { !found } else { found }
    }

    /// Whether a variable of its values has no value.
    pub(super) fn lacks_variable(&self, facts: &Facts) -> bool {
        self.patterns().iter().any(|pattern| pattern.lacks_variable(facts))
    }

    fn holds_as_read(&self, facts: &Facts) -> Truth {
        let values = match (facts.get(&self.key), &self.wanted) {
            (Fact::Unknown, _) => return Truth::Depends,
            (Fact::Absent, Wanted::Presence { absent, .. }) => return (*absent).into(),
            (Fact::Values(_), Wanted::Presence { present, .. }) => return (*present).into(),
            (Fact::Absent, _) => return self.holds_when_absent().into(),
            (Fact::Values(values), _) => values,
        };
        let one = |value: &str| {
            let found = self.is_wanted(value, facts);
            if self.negated { !found } else { found }
        };
        if let [value] = values {
            return one(value);
        }
        let each = values.iter().map(|value| one(value));
        // IAM documents operators without a quantifier for keys with one value.
        if self.operator.quantifier.is_none() && !facts.is_complete() {
            return match (Truth::all(each.clone()), Truth::any(each)) {
                (all, any) if all == any => all,
                _ => Truth::Depends,
            };
        }
        match (self.operator.quantifier, self.negated) {
            (Some(Quantifier::ForAllValues), _) | (None, true) => Truth::all(each),
            (Some(Quantifier::ForAnyValue), _) | (None, false) => Truth::any(each),
        }
    }

    fn holds_when_absent(&self) -> bool {
        self.operator.if_exists
            || match self.operator.quantifier {
                Some(Quantifier::ForAllValues) => true,
                Some(Quantifier::ForAnyValue) => false,
                None => self.negated,
            }
    }

    /// Whether one value of the request is among the wanted.
    #[inline]
    fn is_wanted(&self, value: &str, facts: &Facts) -> Truth {
        match &self.wanted {
            Wanted::Plain(texts) => texts.iter().any(|text| **text == *value).into(),
            Wanted::Texts(patterns) => Truth::any(patterns.iter().map(|pattern| pattern.matches(value, facts))),
            Wanted::Booleans { yes, no } => boolean(value).is_some_and(|own| if own { *yes } else { *no }).into(),
            Wanted::BooleanTexts(_) if boolean(value).is_none() => Truth::No,
            Wanted::AnyCase(patterns) | Wanted::BooleanTexts(patterns) => {
                Truth::any(patterns.iter().map(|pattern| pattern.equals_in_any_case(value, facts)))
            }
            Wanted::Numbers(wanted, order) => {
                let own = number(value);
                wanted.iter().any(|wanted| order.takes(own.and_then(|own| own.partial_cmp(wanted)))).into()
            }
            Wanted::Dates(wanted, order) => {
                let own = date(value);
                wanted.iter().any(|wanted| order.takes(own.map(|own| own.cmp(wanted)))).into()
            }
            Wanted::Networks(wanted) => {
                Network::parse(value).is_some_and(|own| wanted.iter().any(|wanted| wanted.holds(own))).into()
            }
            Wanted::Bytes(wanted) => wanted.iter().any(|wanted| **wanted == *bare(value)).into(),
            Wanted::Presence { present, .. } => (*present).into(),
        }
    }
}
