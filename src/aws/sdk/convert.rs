//! Answers of the SDK as facts. A field that AWS always sends and that is missing makes the answer `garbage`: an empty
//! list must never stand for a list that could not be read.

use std::str::FromStr;

use aws_sdk_account::types::AlternateContact;
use aws_sdk_organizations::types as org;
use aws_smithy_types::DateTime;
use k8s_openapi::jiff::Timestamp;

use crate::aws::AwsError;
use crate::aws::port::{
    AccountFact, AccountState, Contact, Creation, CreationState, OrganizationFact, Page, PolicySummary,
    PolicyTypeStatus, RootFact, UnitFact,
};
use crate::names::{AccountId, NameError, NodeId, PolicyType, Tags};

/// Reads the answer of one operation; every error names it.
#[derive(Clone, Copy)]
pub(super) struct Answer(pub &'static str);

impl Answer {
    fn garbage(self, message: &str) -> AwsError {
        AwsError::unanswered(self.0, "garbage", message)
    }

    /// The field, which AWS always sends.
    pub(super) fn need<T>(self, field: &str, value: Option<T>) -> Result<T, AwsError> {
        value.ok_or_else(|| self.garbage(&format!("the answer has no `{field}`")))
    }

    /// The field as an id.
    pub(super) fn id<T: FromStr<Err = NameError>>(self, field: &str, value: Option<&str>) -> Result<T, AwsError> {
        let text = self.need(field, value)?;
        text.parse().map_err(|error: NameError| self.garbage(&format!("`{field}` of the answer: {error}")))
    }

    /// A value of an enumeration that this version does not know. Guessing what it means could hurt.
    fn unknown<T>(self, field: &str, value: &str) -> Result<T, AwsError> {
        Err(self.garbage(&format!("`{field}` is `{value}`, which this version of bylaw does not know: upgrade bylaw")))
    }

    /// One page of a list; `field` is the list's name in the answer.
    pub(super) fn page<S, T>(
        self,
        field: &str,
        items: Option<Vec<S>>,
        next: Option<String>,
        read: impl Fn(Self, S) -> Result<T, AwsError>,
    ) -> Result<Page<T>, AwsError> {
        let items = self.need(field, items)?.into_iter().map(|item| read(self, item)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: next.filter(|token| !token.is_empty()) })
    }

    pub(super) fn organization(self, found: Option<org::Organization>) -> Result<OrganizationFact, AwsError> {
        let found = self.need("Organization", found)?;
        Ok(OrganizationFact {
            id: self.id("Organization.Id", found.id())?,
            management_account: self.id("Organization.MasterAccountId", found.master_account_id())?,
            all_features: *self.need("Organization.FeatureSet", found.feature_set())?
                == org::OrganizationFeatureSet::All,
        })
    }

    pub(super) fn root(self, root: org::Root) -> Result<RootFact, AwsError> {
        let types = self.need("Roots[].PolicyTypes", root.policy_types.as_deref())?;
        let policy_types = types
            .iter()
            .map(|summary| {
                let kind = self.need("PolicyTypes[].Type", summary.r#type())?;
                let status = match self.need("PolicyTypes[].Status", summary.status())? {
                    org::PolicyTypeStatus::Enabled => PolicyTypeStatus::Enabled,
                    org::PolicyTypeStatus::PendingEnable => PolicyTypeStatus::PendingEnable,
                    org::PolicyTypeStatus::PendingDisable => PolicyTypeStatus::PendingDisable,
                    other => self.unknown("PolicyTypes[].Status", other.as_str())?,
                };
                Ok((PolicyType::new(kind.as_str()), status))
            })
            .collect::<Result<_, AwsError>>()?;
        Ok(RootFact {
            id: self.id("Roots[].Id", root.id())?,
            name: self.need("Roots[].Name", root.name)?,
            policy_types,
        })
    }

    pub(super) fn account(self, account: org::Account) -> Result<AccountFact, AwsError> {
        let id: AccountId = self.id("Account.Id", account.id())?;
        let parent = self.parent_of(&id, account.paths.as_deref().unwrap_or_default())?;
        Ok(AccountFact {
            state: self.state(&account)?,
            parent,
            id,
            name: self.need("Account.Name", account.name)?,
            email: self.need("Account.Email", account.email)?,
        })
    }

    /// The state; of emulators that know only the retired `Status`, that.
    fn state(self, account: &org::Account) -> Result<AccountState, AwsError> {
        let word = match account.state() {
            Some(state) => state.as_str(),
            #[allow(deprecated, reason = "emulators of AWS still answer it alone")]
            None => self.need("Account.State", account.status())?.as_str(),
        };
        Ok(match word {
            "PENDING_ACTIVATION" => AccountState::PendingActivation,
            "ACTIVE" => AccountState::Active,
            "SUSPENDED" => AccountState::Suspended,
            "PENDING_CLOSURE" => AccountState::PendingClosure,
            "CLOSED" => AccountState::Closed,
            other => self.unknown("Account.State", other)?,
        })
    }

    /// The parent of an account by its paths (`o-…/r-…/ou-…/…/123456789012/`): the step before its own id. AWS gives one
    /// path, since an account is in one place.
    fn parent_of(self, id: &AccountId, paths: &[String]) -> Result<Option<NodeId>, AwsError> {
        let mut parent: Option<NodeId> = None;
        for path in paths {
            let mut steps = path.trim_end_matches('/').rsplit('/');
            let own = steps.next();
            let above = steps.next().and_then(|step| step.parse::<NodeId>().ok());
            match (own == Some(id.as_str()), above) {
                (true, Some(above @ (NodeId::Root(_) | NodeId::Unit(_)))) => {
                    if parent.as_ref().is_some_and(|before| *before != above) {
                        return Err(self.garbage(&format!("account {id} is said to be in two places (`{path}`)")));
                    }
                    parent = Some(above);
                }
                _ => return Err(self.garbage(&format!("`{path}` is not the path of account {id}"))),
            }
        }
        Ok(parent)
    }

    pub(super) fn unit(self, unit: org::OrganizationalUnit) -> Result<UnitFact, AwsError> {
        Ok(UnitFact {
            id: self.id("OrganizationalUnit.Id", unit.id())?,
            name: self.need("OrganizationalUnit.Name", unit.name)?,
        })
    }

    pub(super) fn summary(self, summary: org::PolicySummary) -> Result<PolicySummary, AwsError> {
        Ok(PolicySummary {
            id: self.id("PolicySummary.Id", summary.id())?,
            kind: PolicyType::new(self.need("PolicySummary.Type", summary.r#type())?.as_str()),
            aws_managed: summary.aws_managed,
            name: self.need("PolicySummary.Name", summary.name)?,
            // AWS leaves an empty description out.
            description: summary.description.unwrap_or_default(),
        })
    }

    pub(super) fn policy(self, policy: Option<org::Policy>) -> Result<(PolicySummary, String), AwsError> {
        let policy = self.need("Policy", policy)?;
        let summary = self.need("Policy.PolicySummary", policy.policy_summary)?;
        Ok((self.summary(summary)?, self.need("Policy.Content", policy.content)?))
    }

    pub(super) fn creation(self, status: org::CreateAccountStatus) -> Result<Creation, AwsError> {
        let state = match self.need("CreateAccountStatus.State", status.state())? {
            org::CreateAccountState::InProgress => CreationState::InProgress,
            org::CreateAccountState::Succeeded => CreationState::Succeeded,
            org::CreateAccountState::Failed => CreationState::Failed,
            other => self.unknown("CreateAccountStatus.State", other.as_str())?,
        };
        let account = status.account_id().map(|id| self.id("CreateAccountStatus.AccountId", Some(id))).transpose()?;
        if state == CreationState::Succeeded && account.is_none() {
            return Err(self.garbage("the account is said to be created, and the answer has no `AccountId`"));
        }
        Ok(Creation {
            state,
            account,
            failure: status.failure_reason().map(|reason| reason.as_str().to_owned()),
            requested: status.requested_timestamp().map(|at| self.time(at)).transpose()?,
            id: self.need("CreateAccountStatus.Id", status.id)?,
            account_name: self.need("CreateAccountStatus.AccountName", status.account_name)?,
        })
    }

    fn time(self, at: &DateTime) -> Result<Timestamp, AwsError> {
        let nanoseconds = i32::try_from(at.subsec_nanos()).unwrap_or_default();
        Timestamp::new(at.secs(), nanoseconds).map_err(|_| self.garbage(&format!("`{}` is not a time", at.secs())))
    }

    pub(super) fn contact(self, contact: Option<AlternateContact>) -> Result<Contact, AwsError> {
        let contact = self.need("AlternateContact", contact)?;
        Ok(Contact {
            name: self.need("AlternateContact.Name", contact.name)?,
            title: self.need("AlternateContact.Title", contact.title)?,
            email: self.need("AlternateContact.EmailAddress", contact.email_address)?,
            phone: self.need("AlternateContact.PhoneNumber", contact.phone_number)?,
        })
    }
}

/// Tags as Organizations wants them.
pub(super) fn tags(operation: &str, tags: &Tags) -> Result<Vec<org::Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| {
            let tag = org::Tag::builder().key(key).value(value).build();
            tag.map_err(|error| AwsError::answered(operation, "request", &error.to_string(), None))
        })
        .collect()
}
