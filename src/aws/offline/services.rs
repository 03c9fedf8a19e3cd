//! Writes to trusted access, delegation and contacts.

use super::reads::no_account;
use super::refusal::{self, Refusal};
use super::state::State;
use crate::aws::port::{AccountState, Contact, ContactKind, Response};
use crate::names::AccountId;

fn principal(name: &str) -> Result<(), Refusal> {
    refusal::text("ServicePrincipal", name, 1, 128, refusal::word)?;
    if [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| name.ends_with(end)) {
        return Ok(());
    }
    Err(Refusal::input("UNRECOGNIZED_SERVICE_PRINCIPAL", "You specified a service principal that isn't recognized."))
}

impl State {
    pub(super) fn enable_service(&mut self, name: &str) -> Result<Response, Refusal> {
        principal(name)?;
        self.all_features()?;
        self.services.insert(name.to_owned());
        Ok(Response::Done)
    }

    pub(super) fn register_administrator(&mut self, id: &AccountId, service: &str) -> Result<Response, Refusal> {
        principal(service)?;
        self.all_features()?;
        let account = self.accounts.get(id).ok_or_else(|| no_account(id))?;
        if *id == self.organization.management_account {
            return Err(Refusal::constraint(
                "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
                "You can designate only a member account as a delegated administrator.",
            ));
        }
        if account.state != AccountState::Active {
            return Err(Refusal::constraint(
                "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
                "You cannot register a suspended account as a delegated administrator.",
            ));
        }
        if !self.services.contains(service) {
            return Err(Refusal::constraint(
                "SERVICE_ACCESS_NOT_ENABLED",
                "You attempted to register a delegated administrator before you enabled service access.",
            ));
        }
        if !self.administrators.entry(id.clone()).or_default().insert(service.to_owned()) {
            return Err(Refusal::new(
                "AccountAlreadyRegisteredException",
                "The specified account is already a delegated administrator for this AWS service.",
            ));
        }
        Ok(Response::Done)
    }

    pub(super) fn put_delegation_policy(&mut self, content: &str) -> Result<Response, Refusal> {
        refusal::text("Content", content, 1, 40_000, refusal::any)?;
        self.all_features()?;
        if !matches!(serde_json::from_str(content), Ok(serde_json::Value::Object(_))) {
            return Err(Refusal::input("INVALID_PATTERN", "The provided policy document is not a JSON object."));
        }
        self.delegation_policy = Some(content.to_owned());
        Ok(Response::Done)
    }

    pub(super) fn put_contact(
        &mut self,
        id: &AccountId,
        kind: ContactKind,
        contact: &Contact,
    ) -> Result<Response, Refusal> {
        let fields =
            [("Name", &contact.name, 64), ("Title", &contact.title, 50), ("EmailAddress", &contact.email, 254)];
        let phone = |c: char| c.is_ascii_digit() || c.is_whitespace() || "()+-".contains(c);
        fields
            .iter()
            .try_for_each(|(what, value, max)| refusal::text(what, value, 1, *max, refusal::any))
            .and_then(|()| refusal::text("PhoneNumber", &contact.phone, 1, 25, phone))
            .map_err(|_| Refusal::new("ValidationException", "The input fails to satisfy the constraints of AWS."))?;
        if !contact.email.contains('@') {
            return Err(Refusal::new("ValidationException", "EmailAddress is not an e-mail address."));
        }
        self.managed_account(id)?;
        if let Some(account) = self.account_mut(id) {
            account.contacts.insert(kind, contact.clone());
        }
        Ok(Response::Done)
    }
}
