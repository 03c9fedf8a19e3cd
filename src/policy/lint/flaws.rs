//! What the reader finds, as rows to be explained by. A test holds the rows to what the reader's files name.

use super::Severity;

/// An id of the reader.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The id.
    pub id: &'static str,
    /// How bad at its worst.
    pub severity: Severity,
    /// What it is, in a line.
    pub summary: &'static str,
    /// What AWS does, why it matters.
    pub explanation: &'static str,
}

const fn error(id: &'static str, summary: &'static str, explanation: &'static str) -> Row {
    Row { id, severity: Severity::Error, summary, explanation }
}

const fn warning(id: &'static str, summary: &'static str, explanation: &'static str) -> Row {
    Row { id, severity: Severity::Warning, summary, explanation }
}

const REFUSED: &str = "AWS refuses the document. Source: IAM user guide, \"Grammar of the IAM JSON policy language\".";
const NOT_JSON: &str = "AWS reads JSON as RFC 8259 has it, and refuses everything else. What is pasted from books, wikis and word \
    processors often is not JSON any more.";

/// Every id of the reader.
pub const FLAWS: &[Row] = &[
    error(
        "allow-in-rcp",
        "an Allow in a resource control policy",
        "A resource control policy of your own can only deny. Source: Organizations user guide, \"RCP syntax\".",
    ),
    error(
        "bare-wildcard-in-rcp",
        "`Action: \"*\"` in a resource control policy",
        "Actions of an RCP begin with a service (`s3:*`). Source: Organizations user guide, \"RCP syntax\".",
    ),
    warning(
        "byte-order-mark",
        "the text begins with a byte order mark",
        "It is left out of what is sent; other tools may refuse the file.",
    ),
    error(
        "character-not-allowed",
        "a character that AWS takes in no policy",
        "Policies of statements hold tab, line ends and U+0020 to U+00FF. Source: IAM user guide, \"IAM and STS quotas\".",
    ),
    error("comment", "a comment in JSON", NOT_JSON),
    error("conflicting-elements", "`Action` and `NotAction`, or another such pair, in one statement", REFUSED),
    error("control-character", "a control character in a string", NOT_JSON),
    error("curly-or-single-quotes", "curly or single quotes in the place of `\"`", NOT_JSON),
    error(
        "duplicate-key",
        "a key that stands twice in an object",
        "JSON readers keep one of the two, and do not say which; AWS refuses some of these documents and cuts others short in silence.",
    ),
    error(
        "duplicate-sid",
        "two statements with the same `Sid`",
        "AWS refuses the document. Source: IAM user guide, \"Sid\".",
    ),
    warning(
        "duplicate-statement",
        "a statement that means the same as an earlier one",
        "It is left out of what is sent.",
    ),
    error(
        "duplicate-top-level",
        "two documents in one text",
        "A policy is exactly one JSON object; what follows it is refused, or lost by tools that stop reading there.",
    ),
    error(
        "element-case",
        "an element in another case than AWS spells it",
        "Names of elements are read with case: `action` is no `Action`.",
    ),
    warning(
        "empty-condition",
        "a condition that tests nothing",
        "An empty condition always holds: the statement is as wide as without it.",
    ),
    error("empty-list", "a list without values", REFUSED),
    warning("empty-policy", "a management policy without content", "It does nothing."),
    error("invalid-action", "an action that is not written `service:Name`", REFUSED),
    error("invalid-character", "an invisible character between values", NOT_JSON),
    error("invalid-condition-key", "a condition key that is not written `service:Name`", REFUSED),
    error("invalid-effect", "an `Effect` other than `Allow` and `Deny`", REFUSED),
    error("invalid-escape", "an escape in a string that JSON does not have", NOT_JSON),
    error(
        "invalid-principal",
        "a principal that AWS does not know",
        "AWS refuses principals that are no account, ARN, service or `*`. Source: IAM user guide, \"Principal\".",
    ),
    error("invalid-resource", "a resource that is no ARN and no `*`", REFUSED),
    error(
        "invalid-version",
        "a `Version` that is no version of the language",
        "`2012-10-17` names the language; it is no date to update.",
    ),
    error("json-invalid", "the text is not JSON", NOT_JSON),
    error("missing-action", "a statement without `Action`", REFUSED),
    error("missing-effect", "a statement without `Effect`", REFUSED),
    warning(
        "missing-operator",
        "a value of a management policy without an operator",
        "Values stand under `@@assign`, `@@append` or `@@remove`. Source: Organizations user guide, \"Inheritance operators\".",
    ),
    error("missing-principal", "a statement without `Principal` where one is needed", REFUSED),
    error("missing-resource", "a statement without `Resource`", REFUSED),
    error("missing-statement", "a document without `Statement`", REFUSED),
    warning(
        "missing-version",
        "a document without `Version`",
        "SCPs and RCPs have to have `2012-10-17`; elsewhere a document without `Version` is in the language of 2008, in which `${…}` is plain text.",
    ),
    error(
        "not-action-in-rcp",
        "`NotAction` in a resource control policy",
        "RCPs have no `NotAction`. Source: Organizations user guide, \"RCP syntax\".",
    ),
    error(
        "not-principal-in-rcp",
        "`NotPrincipal` in a resource control policy",
        "RCPs have no `NotPrincipal`. Source: Organizations user guide, \"RCP syntax\".",
    ),
    warning("old-version", "the language of 2008", "In `2008-10-17`, `${…}` is plain text."),
    error(
        "principal-in-identity-policy",
        "`Principal` in an identity policy",
        "An identity policy speaks of whoever holds it. AWS refuses the element. Source: IAM user guide, \"Principal\".",
    ),
    error(
        "principal-in-rcp",
        "a `Principal` other than `*` in a resource control policy",
        "RCPs deny for everyone; whom to spare says the condition. Source: Organizations user guide, \"RCP syntax\".",
    ),
    error(
        "principal-in-scp",
        "`Principal` in a service control policy",
        "SCPs bind everyone in the accounts below. Whom to spare says the condition (`aws:PrincipalArn`). Source: Organizations user guide, \"SCP syntax\".",
    ),
    warning(
        "sid-characters",
        "a `Sid` with more than letters and digits",
        "IAM refuses it in identity policies. Source: IAM user guide, \"Sid\".",
    ),
    warning(
        "suppression-unused",
        "a suppression of something that is not found",
        "`# bylaw:ignore RULE reason` stands on the line of what is found, or on the line above; the annotation `bylaw.dev/lint-ignore` is meant for its object. One that covers nothing hides what may come.",
    ),
    warning(
        "suppression-without-reason",
        "a suppression that does not say why",
        "Whoever reads it later has to know whether the reason still holds.",
    ),
    error("too-deep", "objects and lists nest too deep", "No policy needs that; a bracket is too many."),
    error(
        "too-many-attachments",
        "more policies at a node than AWS attaches",
        "AWS attaches 10 SCPs, 5 RCPs (its own among them) and as many of other types as the quotas say to each root, OU and account; inherited ones do not count. `bylaw validate` and `bylaw plan` find it in manifests. Source: Organizations user guide, \"Quotas\".",
    ),
    error("trailing-comma", "a comma before a closing bracket", NOT_JSON),
    warning(
        "unexpected-top-level-key",
        "a key at the top that the policy type does not have",
        "The document may be of another type.",
    ),
    error("unknown-element", "an element that the language does not have", REFUSED),
    error("unknown-operator", "an operator that the language does not have", REFUSED),
    error("unterminated-string", "a string without its closing quote", NOT_JSON),
    error(
        "wildcard-in-service",
        "a wildcard in the service's name of an action",
        "RCPs refuse it, and AWS may refuse it elsewhere. Source: Organizations user guide, \"RCP syntax\".",
    ),
    error("wrong-type", "a value of another type than the language has there", REFUSED),
];
