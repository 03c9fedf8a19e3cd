//! Resources of which only patterns are known, held against the patterns of a policy.

use super::pattern::{Pattern, Reading, Token};
use crate::policy::pattern::subsumes_resource;
use crate::policy::statement::Version;

/// Colons of an ARN before the resource itself.
const COLONS: usize = 5;

impl Token {
    fn is_star(self) -> bool {
        matches!(self, Self::Any | Self::Within)
    }

    /// Whether some letter is taken by both.
    fn meets(self, other: Self) -> bool {
        let no_colon = |token: Self| matches!(token, Self::OneWithin | Self::Within);
        match (self, other) {
            (Self::Letter(one), Self::Letter(other)) => one == other,
            (Self::Letter(':'), other) | (other, Self::Letter(':')) => !no_colon(other),
            _ => true,
        }
    }
}

/// The resources of a pattern: a wildcard stands for no colon but in a key of S3, since names of other services hold none.
fn of_resources(text: &str) -> Vec<Token> {
    let of_s3 = text.split(':').nth(2).is_some_and(|service| service.starts_with("s3"));
    let mut colons = 0;
    let token = |letter| {
        colons += usize::from(letter == ':');
        match letter {
            '*' if colons < COLONS || !of_s3 => Token::Within,
            '*' => Token::Any,
            '?' if colons < COLONS || !of_s3 => Token::OneWithin,
            '?' => Token::One,
            letter => Token::Letter(letter),
        }
    };
    text.chars().map(token).collect()
}

/// Whether a pattern surely matches every resource of another, of `*` and `?` alone.
pub(super) fn matches_all(pattern: &Pattern, resources: &str) -> bool {
    pattern.variables().next().is_none() && subsumes_resource(&pattern.as_glob(), resources)
}

/// Whether an element `Resource` of a policy may match a resource of a pattern of `*` and `?` alone, such as a type's: a `*` of the
/// policy that ends a part runs over colons. Case does not count, since AWS's reference is not exact about it.
#[must_use]
pub fn resources_meet(policy: &str, resources: &str) -> bool {
    let policy = Pattern::new(&policy.to_ascii_lowercase(), Reading::Resource, Version::V2012);
    may_match(&policy, &resources.to_ascii_lowercase())
}

/// Whether a pattern may match a resource of another, of `*` and `?` alone.
pub(super) fn may_match(pattern: &Pattern, resources: &str) -> bool {
    let (own, other) = (pattern.tokens(), of_resources(resources));
    // row[j]: the tokens of `own` before the present one, and the first j of `other`, take a text in common.
    let mut row = vec![false; other.len() + 1];
    if let Some(start) = row.first_mut() {
        *start = true;
    }
    let skip = |row: &mut Vec<bool>| {
        let mut before = false;
        for (at, here) in row.iter_mut().enumerate() {
            let star = at.checked_sub(1).and_then(|at| other.get(at)).is_some_and(|token| token.is_star());
            *here |= before && star;
            before = *here;
        }
    };
    skip(&mut row);
    for token in own {
        let mut next = vec![false; row.len()];
        if token.is_star() {
            next.clone_from(&row);
        }
        for (at, theirs) in other.iter().enumerate().filter(|(_, theirs)| token.meets(**theirs)) {
            // A star stays where it is as it takes a letter.
            let from = row.get(at).copied().unwrap_or(false)
                || (token.is_star() && next.get(at).copied().unwrap_or(false))
                || (theirs.is_star() && row.get(at + 1).copied().unwrap_or(false));
            if let Some(here) = next.get_mut(at + 1).filter(|_| from) {
                *here = true;
            }
        }
        skip(&mut next);
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, Reading::Resource, Version::V2012)
    }

    #[test]
    fn a_star_of_the_policy_runs_over_colons_and_one_of_a_name_does_not() {
        let may = |own: &str, other: &str| may_match(&pattern(own), other);
        assert!(may("arn:aws:lambda:*:*:prod", "arn:aws:lambda:*:*:function:*"));
        assert!(may("arn:aws:ec2:*:*:inst*", "arn:aws:ec2:*:*:instance/*"));
        assert!(may("arn:aws:ec2:*", "arn:aws:ec2:*:*:subnet/*"));
        assert!(!may("arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:subnet/*"));
        assert!(!may("arn:aws:ec2:*:333333333333:subnet/*", "arn:aws:ec2:*:222222222222:subnet/*"));
        assert!(!may("arn:aws:s3:::b/*", "arn:aws:ec2:*:*:subnet/*"));
    }

    #[test]
    fn a_policy_without_all_parts_of_an_arn_or_with_variables_meets_whatever_these_stand_for() {
        let cases = [
            ("arn:aws:ec2:*", "arn:*:ec2:*:*:subnet/*", true),
            ("*", "arn:*:ec2:*:*:subnet/*", true),
            // What is not written of an ARN comes at its end.
            ("arn:*:subnet/a", "arn:*:ec2:*:*:subnet/*", false),
            ("arn:aws:lambda:*:prod", "arn:*:lambda:*:*:function:*:*", true),
            ("arn:aws:lambda:*:layer:x", "arn:*:lambda:*:*:function:*", false),
            ("arn:aws:s3:::${aws:PrincipalTag/team}/*", "arn:*:s3:::*/*", true),
            ("arn:aws:s3:::b/x:y*", "arn:*:s3:::*/*", true),
            ("arn:aws:ec2:*:*:instance/*", "arn:*:ec2:*:*:subnet/*", false),
        ];
        for (policy, resources, expected) in cases {
            assert_eq!(resources_meet(policy, resources), expected, "{policy} {resources}");
        }
    }

    fn texts(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(pieces), 0..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What is said of all resources of a type is so of each.
        #[test]
        fn what_is_known_of_a_type_is_so_of_each_resource_of_it(
            tail in texts(&["*", "?", ":", "a", "vpc/", "function", "1"]),
            head in prop::sample::select(vec!["arn:aws:ec2:", "arn:*:ec2:", "arn:aws:", "arn:aws:ec2:*:*:", "arn:aws:ec2:e*:1:", "arn:*", ""]),
            among in prop::sample::select(vec!["arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:1:function:*", "arn:aws:ec2:::*", "arn:aws:ec2:e?:*:a*"]),
            fields in prop::collection::vec(prop::sample::select(vec!["", "e", "1", "a", "eu"]), 4),
            rest in texts(&["b", "a", "vpc/", "1"]),
        ) {
            let own = pattern(&format!("{head}{tail}"));
            let (place, resource) = among.match_indices(':').nth(4).map(|(at, _)| among.split_at(at)).unwrap();
            let mut fields = fields.into_iter();
            let place: String = place.chars().map(|letter| match letter {
                '*' => fields.next().unwrap().to_owned(),
                '?' => "u".to_owned(),
                letter => letter.to_string(),
            }).collect();
            let concrete = format!("{place}{}", resource.replace('*', &rest));
            let matches = own.is_match(&concrete);
            prop_assert!(matches || !matches_all(&own, among), "{head}{tail} {among} {concrete}");
            prop_assert!(!matches || may_match(&own, among), "{head}{tail} {among} {concrete}");
        }
    }
}
