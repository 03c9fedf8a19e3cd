//! Placeholders that a template left in a text: what a renderer (CloudFormation, Terraform, Helm, a shell, a person) was to
//! replace and did not.
//!
//! AWS takes such a text as it stands, and it matches nothing. What IAM itself reads in `${…}` is told apart by its form: the name of
//! a condition key (`prefix:Name`, with a default behind a comma), or an escaped `*`, `?` or `$`. Source: IAM user guide, "IAM
//! policy elements: Variables and tags".

use super::services;

/// A placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placeholder<'a> {
    /// Its text with what encloses it.
    pub text: &'a str,
    /// The languages that have it; empty where it has no language (`CHANGEME`).
    pub of: &'static str,
    /// Nothing else is written so: neither the name of a resource nor a value.
    pub sure: bool,
}

/// What stands between two marks.
#[derive(Clone, Copy)]
enum Inside {
    /// Anything.
    Any,
    /// Words, of whatever case, that a person would fill in.
    Words,
    /// An identifier.
    Name,
    /// An identifier in capitals.
    Capitals,
}

struct Form {
    open: &'static str,
    close: &'static str,
    inside: Inside,
    of: &'static str,
    sure: bool,
}

const fn form(open: &'static str, close: &'static str, inside: Inside, of: &'static str, sure: bool) -> Form {
    Form { open, close, inside, of, sure }
}

/// The longest opening mark goes first.
const FORMS: &[Form] = &[
    form("${{", "}}", Inside::Any, "GitHub Actions", true),
    form("{{resolve:", "}}", Inside::Any, "CloudFormation", true),
    form("{{", "}}", Inside::Any, "Helm, Jinja and Ansible", true),
    form("{%", "%}", Inside::Any, "Jinja", true),
    form("<%", "%>", Inside::Any, "ERB", true),
    form("[[", "]]", Inside::Words, "GitLab", true),
    form("((", "))", Inside::Name, "Concourse", true),
    form("<<", ">>", Inside::Words, "", true),
    form("$[", "]", Inside::Name, "", true),
    form("$(", ")", Inside::Name, "shells, make and Azure Pipelines", false),
    form("#{", "}", Inside::Name, "Octopus and Ruby", true),
    form("@{", "}", Inside::Name, "", true),
    form("%{", "}", Inside::Any, "Terraform", true),
    form("%(", ")s", Inside::Name, "Python", true),
    form("<", ">", Inside::Words, "", true),
    form("[", "]", Inside::Capitals, "", false),
    form("{", "}", Inside::Name, "Python and .NET", false),
    form("__", "__", Inside::Capitals, "", false),
    form("@@", "@@", Inside::Capitals, "", false),
    form("@", "@", Inside::Capitals, "autoconf and Maven", false),
    form("%", "%", Inside::Capitals, "Windows", false),
    form("~~", "~~", Inside::Capitals, "", false),
];

/// How a placeholder begins that is written where JSON has a value, without quotes.
pub const MARKS: [&str; 8] = ["{{", "${", "{%", "<", "%{", "[[", "#{", "@{"];

/// Longest placeholder, in characters: text that goes on without its closing mark is none, and costs no more than that.
pub const LONGEST: usize = 300;

impl Inside {
    fn holds(self, text: &str) -> bool {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        let name = text.bytes().all(word) && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match self {
            Self::Any => true,
            Self::Words => {
                let inner = text.trim();
                inner.starts_with(|c: char| c.is_ascii_alphabetic())
                    && inner.bytes().all(|b| word(b) || b" /:'|,".contains(&b))
            }
            Self::Name => name && text.len() > 1,
            Self::Capitals => {
                // Not a part of hexadecimal digits, as in `%C3%A4`.
                let capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_- .".contains(&b);
                name && text.len() > 2 && text.bytes().all(capital) && !text.bytes().all(|b| b.is_ascii_hexdigit())
            }
        }
    }
}

/// Prefixes before a colon in `${…}` that the Serverless Framework reads.
const SERVERLESS: [&str; 8] = ["self", "opt", "env", "cf", "sls", "param", "file", "custom"];

/// The first placeholder of a text. `variables` where IAM reads policy variables in that place: then those are none.
#[must_use]
pub fn find(text: &str, variables: bool) -> Option<Placeholder<'_>> {
    if !text.bytes().any(|b| b"$<{[%_@(~#".contains(&b)) {
        return word(text);
    }
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if !rest.starts_with(['$', '<', '{', '[', '%', '_', '@', '(', '~', '#']) {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let rest = rest.char_indices().nth(LONGEST).and_then(|(end, _)| rest.get(..end)).unwrap_or(rest);
        if rest.starts_with("${") && !rest.starts_with("${{") {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            let whole = rest.get(..end)?;
            let inner = whole.get(2..).unwrap_or_default().trim_end_matches('}');
            match language(inner) {
                Some(of) => return Some(Placeholder { text: whole, of, sure: true }),
                None if !variables => return Some(Placeholder { text: whole, of: "", sure: true }),
                None => at += end,
            }
            continue;
        }
        if let Some(found) = enclosed(text, rest) {
            return Some(found);
        }
        if let Some(found) = dollar(rest) {
            return Some(found);
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    word(text)
}

/// The language that `${inner}` belongs to; `None` where IAM reads it.
fn language(inner: &str) -> Option<&'static str> {
    if matches!(inner, "*" | "?" | "$") {
        return None;
    }
    if inner.starts_with("AWS::") {
        return Some("CloudFormation");
    }
    let name = inner.split(',').next().unwrap_or_default().trim();
    let Some((prefix, rest)) = name.split_once(':') else {
        let terraform = ["var.", "local.", "data.", "module.", "each.", "path.", "aws_"];
        return Some(match name {
            _ if terraform.iter().any(|begin| name.starts_with(begin)) => "Terraform",
            _ if name.starts_with("Token[") => "the CDK",
            _ => "CloudFormation, Terraform and shells",
        });
    };
    if rest.starts_with(['-', '?', '=', '+']) {
        return Some("shells");
    }
    if rest.starts_with('/') || prefix.starts_with("file(") || SERVERLESS.contains(&prefix) {
        return Some("the Serverless Framework");
    }
    // Providers of identities are named by their address, with colons and slashes of its own.
    let known = prefix.contains(['.', '/'])
        || ["aws", "saml", "jwt"].iter().any(|own| prefix.eq_ignore_ascii_case(own))
        || services::service(prefix).is_some();
    (!known || rest.is_empty()).then_some("")
}

fn enclosed<'a>(text: &'a str, rest: &'a str) -> Option<Placeholder<'a>> {
    let form = FORMS.iter().find(|form| {
        let inside = rest.strip_prefix(form.open).and_then(|rest| rest.split_once(form.close));
        inside.is_some_and(|(inside, _)| form.inside.holds(inside))
    })?;
    // The routes of API Gateway have parameters of their own: `/pets/{petId}`.
    if form.open == "{" && (text.contains(":execute-api:") || text.contains(":apigateway:")) {
        return None;
    }
    let length = rest.get(form.open.len()..)?.find(form.close)? + form.open.len() + form.close.len();
    Some(Placeholder { text: rest.get(..length)?, of: form.of, sure: form.sure })
}

/// Names behind a dollar sign that AWS itself has: the version of a function, a default route, a log's system topics.
const OF_AWS: [&str; 3] = ["LATEST", "DEFAULT", "SYS"];

/// `$ACCOUNT_ID`.
fn dollar(rest: &str) -> Option<Placeholder<'_>> {
    let name = rest.strip_prefix('$')?;
    let length = name.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')).unwrap_or(name.len());
    let name = name.get(..length)?;
    let is_name = length > 2 && name.starts_with(|c: char| c.is_ascii_uppercase()) && !OF_AWS.contains(&name);
    is_name.then_some(Placeholder { text: rest.get(..=length)?, of: "shells", sure: false })
}

/// Words that say that something is to be put in their place; without case, `-` and `_`.
const TO_FILL: [&str; 12] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "replacewith",
    "fillme",
    "fillin",
    "insertyour",
    "putyour",
    "accountidhere",
    "youraccount",
    "yourorg",
];

/// `CHANGEME`, `your-account-id`, `XXXXXXXXXXXX`, `vpc-xxxxxxxx`.
fn word(text: &str) -> Option<Placeholder<'_>> {
    let found = |word: &&str| {
        let bare: String = word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let your = ["your-", "your_", "YOUR-", "YOUR_"].iter().any(|begin| word.starts_with(begin));
        let capitals = matches!(
            *word,
            "TODO" | "TBD" | "FIXME" | "PLACEHOLDER" | "ACCOUNT_ID" | "ACCOUNT-ID" | "ACCOUNTID" | "AWS_ACCOUNT_ID"
        );
        let tail = word.rsplit('-').next().unwrap_or_default();
        let crosses = tail.len() >= 8 && (tail.bytes().all(|b| b == b'x') || tail.bytes().all(|b| b == b'X'));
        your || capitals || crosses || TO_FILL.iter().any(|fill| bare.contains(fill))
    };
    let text = text.split([':', '/', ',', '*', '?', ' ', '@', '=']).find(found)?;
    Some(Placeholder { text, of: "", sure: false })
}

impl Placeholder<'_> {
    /// What it is, for messages: `a placeholder of Terraform`.
    #[must_use]
    pub fn noun(&self) -> String {
        if self.of.is_empty() { "a placeholder".to_owned() } else { format!("a placeholder of {}", self.of) }
    }

    /// What to do about it. `aws.username` in `${…}` is most likely the variable `aws:username`.
    #[must_use]
    pub fn help(&self) -> String {
        let inner = self.text.strip_prefix("${").map(|inner| inner.trim_end_matches('}'));
        let variable = inner.and_then(|inner| {
            let dotted = ["aws.", "aws_", "aws/", "aws-"].iter().find_map(|begin| inner.strip_prefix(begin));
            let name = format!("aws:{}", dotted.unwrap_or(inner));
            services::GLOBAL.iter().find(|known| services::key_matches(known.name, &name)).map(|_| name)
        });
        match variable {
            Some(name) => {
                format!("if the policy variable is meant, write `${{{name}}}`; else put the value in its place")
            }
            None => "put the value in its place, or render the template first".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_leave_in_place_is_found() {
        let cases = [
            ("arn:${PARTITION}:iam::*:role/a", "${PARTITION}"),
            ("arn:aws:s3:::home/${aws.username}/*", "${aws.username}"),
            ("home/${username}/*", "${username}"),
            ("home/${AWS::AccountId}/*", "${AWS::AccountId}"),
            ("arn:${AWS::Partition}:s3:::b", "${AWS::Partition}"),
            ("${var.bucket}/x", "${var.bucket}"),
            ("${aws_s3_bucket.b.arn}/*", "${aws_s3_bucket.b.arn}"),
            ("${self:custom.bucket}", "${self:custom.bucket}"),
            ("${file(x.yml):y}", "${file(x.yml):y}"),
            ("${ssm:/a/b}", "${ssm:/a/b}"),
            ("${ACCOUNT:-1}", "${ACCOUNT:-1}"),
            ("${Token[AWS.AccountId.3]}", "${Token[AWS.AccountId.3]}"),
            ("${unclosed", "${unclosed"),
            ("${}", "${}"),
            ("${{ secrets.ID }}", "${{ secrets.ID }}"),
            ("{{ .Values.account }}", "{{ .Values.account }}"),
            ("{{resolve:ssm:/a}}", "{{resolve:ssm:/a}}"),
            ("{% if x %}", "{% if x %}"),
            ("<%= account %>", "<%= account %>"),
            ("<my-vpc>", "<my-vpc>"),
            ("arn:aws:iam::<ACCOUNT_ID>:role/a", "<ACCOUNT_ID>"),
            ("<<account>>", "<<account>>"),
            ("<your account id>", "<your account id>"),
            ("arn:aws:iam::*:role/[ROLE]", "[ROLE]"),
            ("[[ inputs.id ]]", "[[ inputs.id ]]"),
            ("((account-id))", "((account-id))"),
            ("%{ACCOUNT}", "%{ACCOUNT}"),
            ("%ACCOUNT_ID%", "%ACCOUNT_ID%"),
            ("%(account)s", "%(account)s"),
            ("#{account}", "#{account}"),
            ("@{account}", "@{account}"),
            ("@ACCOUNT_ID@", "@ACCOUNT_ID@"),
            ("@@ACCOUNT_ID@@", "@@ACCOUNT_ID@@"),
            ("__ACCOUNT_ID__", "__ACCOUNT_ID__"),
            ("arn:aws:iam::{account_id}:role/a", "{account_id}"),
            ("$(AccountId)", "$(AccountId)"),
            ("arn:aws:iam::$ACCOUNT_ID:role/a", "$ACCOUNT_ID"),
            ("CHANGEME", "CHANGEME"),
            ("arn:aws:iam::*:role/change-me", "change-me"),
            ("REPLACE_WITH_ROLE", "REPLACE_WITH_ROLE"),
            ("arn:aws:iam::YOUR_ACCOUNT_ID:role/a", "YOUR_ACCOUNT_ID"),
            ("your-bucket-name", "your-bucket-name"),
            ("vpc-xxxxxxxx", "vpc-xxxxxxxx"),
            ("XXXXXXXXXXXX", "XXXXXXXXXXXX"),
            ("arn:aws:iam::ACCOUNT_ID:root", "ACCOUNT_ID"),
            ("TODO", "TODO"),
        ];
        for (text, expected) in cases {
            assert_eq!(find(text, true).map(|found| found.text), Some(expected), "{text}");
        }
        assert_eq!(find("${aws:username}", false).map(|found| found.text), Some("${aws:username}"));
    }

    #[test]
    fn names_of_aws_are_no_placeholders() {
        for text in [
            "arn:aws:s3:::home/${aws:username}/*",
            "${aws:PrincipalTag/team, 'company-wide'}",
            "${saml:sub}",
            "${www.amazon.com:user_id}",
            "${cognito-identity.amazonaws.com:sub}",
            "${oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub}",
            "${iot:Connection.Thing.ThingName}",
            "${transfer:HomeBucket}",
            "a${*}b${?}c${$}",
            "arn:aws:lambda:*:*:function:f:$LATEST",
            "arn:aws:iot:*:*:topic/$aws/things/*",
            "arn:aws:s3:::b/*_$folder$",
            "arn:aws:s3:::b/__init__.py",
            "arn:aws:s3:::b/caf%C3%A9%C3%A4",
            "arn:aws:execute-api:*:*:*/*/GET/pets/{petId}",
            "arn:aws:backup:$region:$account:backup-vault:v",
            "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*",
            "user+tag@example.com",
            "todo-app",
            "arn:aws:s3:::exxxon",
            "[a-z]",
            "a<b",
            "2026-12-31T23:59:59Z",
        ] {
            assert_eq!(find(text, true), None, "{text}");
        }
    }

    #[test]
    fn a_variable_that_was_meant_is_named() {
        let help = |text| find(text, true).unwrap().help();
        assert!(help("${aws.username}").contains("`${aws:username}`"));
        assert!(help("${username}").contains("`${aws:username}`"));
        assert!(help("${PrincipalAccount}").contains("`${aws:PrincipalAccount}`"));
        assert!(!help("${PARTITION}").contains("variable"));
    }
}
