//! Who may call what (aws-facts section 1, column "who").

use std::collections::BTreeSet;

use super::refusal::Refusal;
use crate::aws::port::Request;
use crate::names::AccountId;

/// Whom the caller's credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// What AWS lets it do here.
    pub rights: Rights,
    /// Operations that an IAM policy or SCP keeps from it.
    pub denied: BTreeSet<String>,
    /// The credentials are past their time.
    pub expired: bool,
}

/// What AWS lets an account do in the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// The management account: everything.
    Management,
    /// A member that the delegation policy lets read everything and write policies, attachments and tags.
    PolicyAdministrator,
    /// Any other member: `DescribeOrganization`.
    Member,
    /// An account of no organization.
    Outsider,
}

impl Identity {
    /// An identity of `account` with `rights` and nothing denied.
    #[must_use]
    pub fn new(account: AccountId, rights: Rights) -> Self {
        Self { account, rights, denied: BTreeSet::new(), expired: false }
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:sts::{}:assumed-role/bylaw/offline", self.account)
    }

    pub(super) fn may(&self, request: &Request) -> Result<(), Refusal> {
        if self.expired {
            let code = match request {
                Request::GetCallerIdentity => "ExpiredToken",
                _ => "ExpiredTokenException",
            };
            return Err(Refusal::new(code, "The security token included in the request is expired"));
        }
        // AWS answers GetCallerIdentity even where a policy denies it.
        if matches!(request, Request::GetCallerIdentity) {
            return Ok(());
        }
        if self.denied.contains(request.operation()) {
            return Err(Refusal::new(
                "AccessDeniedException",
                format!("User: {} is not authorized to perform: organizations:{}", self.arn(), request.operation()),
            ));
        }
        let account_management = matches!(
            request,
            Request::GetAlternateContact { .. } | Request::PutAlternateContact { .. } | Request::PutAccountName { .. }
        );
        let allowed = match self.rights {
            Rights::Management => true,
            Rights::PolicyAdministrator => !account_management && (!request.is_write() || is_policy_write(request)),
            Rights::Member => matches!(request, Request::DescribeOrganization),
            Rights::Outsider if account_management => false,
            Rights::Outsider => {
                return Err(Refusal::new(
                    "AWSOrganizationsNotInUseException",
                    "Your account is not a member of an organization.",
                ));
            }
        };
        if allowed { Ok(()) } else { Err(Refusal::denied()) }
    }
}

fn is_policy_write(request: &Request) -> bool {
    matches!(
        request,
        Request::EnablePolicyType { .. }
            | Request::CreatePolicy { .. }
            | Request::UpdatePolicy { .. }
            | Request::DeletePolicy { .. }
            | Request::AttachPolicy { .. }
            | Request::DetachPolicy { .. }
            | Request::TagResource { .. }
            | Request::UntagResource { .. }
    )
}
