//! Errors of AWS and what to do about each: one table from code to class.

use serde::{Deserialize, Serialize};

/// What an error means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// Past a rate; nothing was done, ask again later.
    Throttled,
    /// Another change is under way; nothing was done, ask again soon.
    Busy,
    /// The wanted state is there already (attach twice, move to where it is).
    AlreadyDone,
    /// An object of that name is there already.
    Exists,
    /// What was named is not there (any more).
    NotFound,
    /// The credentials lack the permission.
    Denied,
    /// The credentials are missing, wrong or expired.
    Credentials,
    /// A quota or rule of AWS that only a person can change.
    Constraint,
    /// AWS refuses the input as such.
    Invalid,
    /// bylaw did not send it: it is no longer wanted, or may no longer be written. Nothing was done.
    Unsent,
    /// No answer, or not one of AWS's (timeout, closed connection, 5xx, garbage): it is unknown whether it was done.
    Unknown,
}

impl ErrorClass {
    /// As figures and traces name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Busy => "busy",
            Self::AlreadyDone => "already_done",
            Self::Exists => "exists",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Credentials => "credentials",
            Self::Constraint => "constraint",
            Self::Invalid => "invalid",
            Self::Unsent => "unsent",
            Self::Unknown => "unknown",
        }
    }
}

/// An AWS call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{operation}: {code}: {message}{}", request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default())]
pub struct AwsError {
    /// The operation, as AWS spells it.
    pub operation: String,
    /// AWS's error code; bylaw's own words in lower case where there was no answer (`timeout`, `connection`, `garbage`).
    pub code: String,
    /// AWS's message.
    pub message: String,
    /// AWS's request id, for a support case.
    pub request_id: Option<String>,
    /// What it means.
    pub class: ErrorClass,
}

/// Codes and their classes (aws-facts section 1: "Errors, retry class", "ConstraintViolation reasons").
const CLASSES: &[(&str, ErrorClass)] = &[
    ("TooManyRequestsException", ErrorClass::Throttled),
    ("ThrottlingException", ErrorClass::Throttled),
    ("Throttling", ErrorClass::Throttled),
    ("RequestLimitExceeded", ErrorClass::Throttled),
    ("ConcurrentModificationException", ErrorClass::Busy),
    ("PolicyChangesInProgressException", ErrorClass::Busy),
    ("FinalizingOrganizationException", ErrorClass::Busy),
    ("ConflictException", ErrorClass::Busy),
    ("DuplicatePolicyAttachmentException", ErrorClass::AlreadyDone),
    ("PolicyNotAttachedException", ErrorClass::AlreadyDone),
    ("PolicyTypeAlreadyEnabledException", ErrorClass::AlreadyDone),
    ("DuplicateAccountException", ErrorClass::AlreadyDone),
    ("AccountAlreadyClosedException", ErrorClass::AlreadyDone),
    ("AccountAlreadyRegisteredException", ErrorClass::AlreadyDone),
    ("DuplicateOrganizationalUnitException", ErrorClass::Exists),
    ("DuplicatePolicyException", ErrorClass::Exists),
    ("AccountNotFoundException", ErrorClass::NotFound),
    ("AccountNotRegisteredException", ErrorClass::NotFound),
    ("ChildNotFoundException", ErrorClass::NotFound),
    ("OrganizationalUnitNotFoundException", ErrorClass::NotFound),
    ("ParentNotFoundException", ErrorClass::NotFound),
    ("SourceParentNotFoundException", ErrorClass::NotFound),
    ("DestinationParentNotFoundException", ErrorClass::NotFound),
    ("PolicyNotFoundException", ErrorClass::NotFound),
    ("TargetNotFoundException", ErrorClass::NotFound),
    ("RootNotFoundException", ErrorClass::NotFound),
    ("ResourceNotFoundException", ErrorClass::NotFound),
    ("ResourcePolicyNotFoundException", ErrorClass::NotFound),
    ("QueueDoesNotExist", ErrorClass::NotFound),
    ("AWS.SimpleQueueService.NonExistentQueue", ErrorClass::NotFound),
    ("RequestThrottled", ErrorClass::Throttled),
    ("OverLimit", ErrorClass::Throttled),
    ("KmsThrottled", ErrorClass::Throttled),
    ("KmsAccessDenied", ErrorClass::Denied),
    ("CreateAccountStatusNotFoundException", ErrorClass::NotFound),
    ("AccessDeniedException", ErrorClass::Denied),
    ("AccessDenied", ErrorClass::Denied),
    ("AccessDeniedForDependencyException", ErrorClass::Denied),
    ("UnauthorizedOperation", ErrorClass::Denied),
    ("ExpiredToken", ErrorClass::Credentials),
    ("ExpiredTokenException", ErrorClass::Credentials),
    ("InvalidClientTokenId", ErrorClass::Credentials),
    ("UnrecognizedClientException", ErrorClass::Credentials),
    ("SignatureDoesNotMatch", ErrorClass::Credentials),
    ("RequestExpired", ErrorClass::Credentials),
    ("RequestTimeTooSkewed", ErrorClass::Credentials),
    ("InvalidSignatureException", ErrorClass::Credentials),
    ("MissingAuthenticationToken", ErrorClass::Credentials),
    ("ConstraintViolationException", ErrorClass::Constraint),
    ("AWSOrganizationsNotInUseException", ErrorClass::Constraint),
    ("PolicyInUseException", ErrorClass::Constraint),
    ("PolicyTypeNotEnabledException", ErrorClass::Constraint),
    ("PolicyTypeNotAvailableForOrganizationException", ErrorClass::Constraint),
    ("OrganizationalUnitNotEmptyException", ErrorClass::Constraint),
    ("AccountOwnerNotVerifiedException", ErrorClass::Constraint),
    ("UnsupportedAPIEndpointException", ErrorClass::Constraint),
    ("InvalidInputException", ErrorClass::Invalid),
    ("InvalidParameterValue", ErrorClass::Invalid),
    ("ValidationException", ErrorClass::Invalid),
    ("MalformedPolicyDocumentException", ErrorClass::Invalid),
    // Reasons of a failed account creation (AWS: `CreateAccountStatus`, `FailureReason`).
    ("EMAIL_ALREADY_EXISTS", ErrorClass::Exists),
    ("GOVCLOUD_ACCOUNT_ALREADY_EXISTS", ErrorClass::Exists),
    ("ACCOUNT_LIMIT_EXCEEDED", ErrorClass::Constraint),
    ("CONCURRENT_ACCOUNT_MODIFICATION", ErrorClass::Busy),
    ("INTERNAL_FAILURE", ErrorClass::Busy),
    ("FAILED_BUSINESS_VALIDATION", ErrorClass::Constraint),
    ("INVALID_IDENTITY_FOR_BUSINESS_VALIDATION", ErrorClass::Constraint),
    ("MISSING_BUSINESS_VALIDATION", ErrorClass::Constraint),
    ("PENDING_BUSINESS_VALIDATION", ErrorClass::Constraint),
    ("UNKNOWN_BUSINESS_VALIDATION", ErrorClass::Constraint),
    ("INVALID_PAYMENT_INSTRUMENT", ErrorClass::Constraint),
    ("MISSING_PAYMENT_INSTRUMENT", ErrorClass::Constraint),
    ("INVALID_ADDRESS", ErrorClass::Constraint),
    ("INVALID_EMAIL", ErrorClass::Constraint),
    ("UPDATE_EXISTING_RESOURCE_POLICY_WITH_TAGS_NOT_SUPPORTED", ErrorClass::Constraint),
];

/// AWS's reason why an account was not created: another account, of whatever organization, has the e-mail. No later call
/// goes better.
pub const EMAIL_TAKEN: &str = "EMAIL_ALREADY_EXISTS";

const CLOCK: &str = "set the clock of this machine: AWS takes no request whose time is minutes off its own";
const SIGNATURE: &str = "check the secret access key in use, and the clock of this machine: AWS takes no request whose \
                         time is minutes off its own";
const BUSINESS: &str = "complete the business verification of the management account with AWS, then run again";
const PAYMENT: &str = "put the payment method of the management account right in AWS Billing, then run again";

/// What to do about codes that say more than their class.
const REMEDIES: &[(&str, &str)] = &[
    ("RequestExpired", CLOCK),
    ("RequestTimeTooSkewed", CLOCK),
    ("SignatureDoesNotMatch", SIGNATURE),
    ("InvalidSignatureException", SIGNATURE),
    ("AWSOrganizationsNotInUseException", "use credentials of an account that is in an organization"),
    (
        EMAIL_TAKEN,
        "give another address in `spec.email`: an account of another organization, or a closed one, has this one; where the \
         account is in this organization, give its `spec.accountId`",
    ),
    ("GOVCLOUD_ACCOUNT_ALREADY_EXISTS", "give the id of the account that is there in `spec.accountId`"),
    ("ACCOUNT_LIMIT_EXCEEDED", "have AWS raise the quota of accounts of the organization, then run again"),
    ("FAILED_BUSINESS_VALIDATION", BUSINESS),
    ("INVALID_IDENTITY_FOR_BUSINESS_VALIDATION", BUSINESS),
    ("MISSING_BUSINESS_VALIDATION", BUSINESS),
    ("PENDING_BUSINESS_VALIDATION", BUSINESS),
    ("UNKNOWN_BUSINESS_VALIDATION", BUSINESS),
    ("INVALID_PAYMENT_INSTRUMENT", PAYMENT),
    ("MISSING_PAYMENT_INSTRUMENT", PAYMENT),
    ("INVALID_ADDRESS", "put the address of the management account right, then run again"),
    ("INVALID_EMAIL", "give an e-mail address in `spec.email` that AWS takes"),
];

impl AwsError {
    /// An error that AWS answered with; its class follows from `code`. An unknown code of a 4xx answer is
    /// [`ErrorClass::Invalid`], since AWS did nothing; the SDK room passes 5xx answers to [`AwsError::unanswered`].
    #[must_use]
    pub fn answered(operation: &str, code: &str, message: &str, request_id: Option<String>) -> Self {
        let class = CLASSES.iter().find(|(name, _)| *name == code).map_or(ErrorClass::Invalid, |(_, class)| *class);
        Self { operation: operation.to_owned(), code: code.to_owned(), message: message.to_owned(), request_id, class }
    }

    /// No answer that AWS vouches for: `code` is one of `timeout`, `connection`, `garbage`, `server`.
    #[must_use]
    pub fn unanswered(operation: &str, code: &str, message: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: None,
            class: ErrorClass::Unknown,
        }
    }

    /// What to do where AWS denied the call.
    fn permission(&self) -> String {
        let action = super::iam::action(&self.operation);
        // AWS says "with an explicit deny in a service control policy" and the like: allowing would not help.
        if self.message.contains("explicit deny") {
            return format!("take `{action}` out of the deny that AWS names, then run again");
        }
        let document = match super::iam::who(&self.operation) {
            Some(super::iam::Who::Policy) => "policy",
            _ => "management",
        };
        // AWS tells alternate contacts of member accounts only under trusted access of account management.
        let access = match self.operation.as_str() {
            "GetAlternateContact" => " and trusted access of `account.amazonaws.com` (`spec.trustedServices`)",
            "ReceiveMessage" | "DeleteMessage" => " on the queue, with `--queue ARN`",
            _ => "",
        };
        format!(
            "allow `{action}` (`bylaw iam-policy {document}` prints every permission needed){access}, then run again"
        )
    }

    /// A write that was not sent; `code` is bylaw's own word for why.
    #[must_use]
    pub fn unsent(operation: &str, code: &str, why: &str) -> Self {
        let (operation, code, message) = (operation.to_owned(), code.to_owned(), why.to_owned());
        Self { operation, code, message, request_id: None, class: ErrorClass::Unsent }
    }

    /// What the person who runs bylaw can do about it, in one sentence; `None` where waiting is all there is.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        if let Some((_, remedy)) = REMEDIES.iter().find(|(code, _)| *code == self.code) {
            return Some((*remedy).to_owned());
        }
        Some(match self.class {
            ErrorClass::Denied => return Some(self.permission()),
            ErrorClass::Credentials => {
                "sign in again, or check the AWS profile, environment or role in use (`aws sts get-caller-identity`)"
                    .into()
            }
            ErrorClass::Constraint => "raise the quota, or change what the manifests ask for".into(),
            ErrorClass::Invalid => "this is a bug of bylaw or a newer AWS API: report it with the request id".into(),
            ErrorClass::Unknown if self.code == "garbage" => {
                "check that the endpoint (`AWS_ENDPOINT_URL`, proxies) is AWS".into()
            }
            ErrorClass::Unknown => "check the network and the endpoint (`AWS_ENDPOINT_URL`), then run again".into(),
            ErrorClass::Throttled | ErrorClass::Busy => {
                "run again later: other tools use the same rates in this organization".into()
            }
            ErrorClass::AlreadyDone | ErrorClass::Exists | ErrorClass::NotFound | ErrorClass::Unsent => return None,
        })
    }
}

/// Code of a write that was not sent, because another replica of the controller has the right to write.
pub const NOT_LEADER: &str = "not-leader";

#[cfg(test)]
mod tests {
    use super::*;

    /// What the machine's clock or somebody's account is at the bottom of is no bug, and says what it is.
    #[test]
    fn no_error_of_the_clock_or_of_an_account_creation_is_told_as_a_bug() {
        for (code, class, told) in [
            ("RequestExpired", ErrorClass::Credentials, "clock"),
            ("SignatureDoesNotMatch", ErrorClass::Credentials, "clock"),
            ("InvalidSignatureException", ErrorClass::Credentials, "clock"),
            ("RequestTimeTooSkewed", ErrorClass::Credentials, "clock"),
            ("EMAIL_ALREADY_EXISTS", ErrorClass::Exists, "`spec.email`"),
            ("ACCOUNT_LIMIT_EXCEEDED", ErrorClass::Constraint, "quota"),
            ("INTERNAL_FAILURE", ErrorClass::Busy, "later"),
            ("MISSING_PAYMENT_INSTRUMENT", ErrorClass::Constraint, "Billing"),
        ] {
            let error = AwsError::answered("CreateAccount", code, "no", None);
            let remedy = error.remedy().unwrap();
            assert_eq!(error.class, class, "{code}");
            assert!(remedy.contains(told) && !remedy.contains("bug"), "{code}: {remedy}");
        }
        for (code, _) in REMEDIES {
            assert!(CLASSES.iter().any(|(known, _)| known == code), "`{code}` has no class");
        }
    }

    #[test]
    fn a_denied_call_names_the_permission_and_where_the_rest_is() {
        let told = |operation: &str, message: &str| {
            AwsError::answered(operation, "AccessDeniedException", message, None).remedy().unwrap()
        };
        let plain = told("ListTagsForResource", "You don't have permissions to access this resource.");
        assert!(plain.starts_with("allow `organizations:ListTagsForResource` (`bylaw iam-policy policy`"), "{plain}");
        let tree = told("CreateAccount", "no");
        assert!(tree.starts_with("allow `organizations:CreateAccount` (`bylaw iam-policy management`"), "{tree}");
        let contact = told("GetAlternateContact", "no");
        assert!(contact.contains("`account:GetAlternateContact`") && contact.contains("account.amazonaws.com"));
        let queue = told("ReceiveMessage", "no");
        assert!(queue.starts_with("allow `sqs:ReceiveMessage` (`bylaw iam-policy management`"), "{queue}");
        let denied = told("ListRoots", "User: x is not authorized with an explicit deny in a service control policy");
        assert!(denied.starts_with("take `organizations:ListRoots` out of the deny"), "{denied}");
    }
}
