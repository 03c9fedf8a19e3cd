//! One request, one call: the table from [`Request`] to the SDK's operations and from their answers to [`Response`].

use std::error::Error;

use aws_sdk_account::types::AlternateContactType;
use aws_sdk_organizations::operation::RequestId;
use aws_sdk_organizations::types as org;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::convert::{Answer, tags};
use super::{Sdk, fault};
use crate::aws::port::ContactKind;
use crate::aws::{AwsError, ErrorClass, Request, Response};
use crate::names::{AccountId, PolicyType};

/// Most items AWS puts on one page of a list (aws-facts section 1). Asked for by name, since emulators have defaults of
/// their own.
const PAGE: i32 = 20;

fn kind(kind: &PolicyType) -> org::PolicyType {
    org::PolicyType::from(kind.as_str())
}

fn contact_type(kind: ContactKind) -> AlternateContactType {
    AlternateContactType::from(kind.as_str())
}

/// `None` where AWS says by an error of class "not found" and this code that the thing is not there.
fn absent<T>(result: Result<T, AwsError>, code: &str) -> Result<Option<T>, AwsError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.class == ErrorClass::NotFound && error.code == code => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells the log and the trace by which id AWS knows the call: with it, and with nothing else, a support case can be opened.
fn heard<T, E>(operation: &str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<T, AwsError>
where
    T: RequestId,
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    let request_id = match &answer {
        Ok(out) => out.request_id(),
        Err(error) => error.request_id(),
    };
    tracing::Span::current().record("aws.request_id", request_id);
    match answer {
        Ok(out) => {
            tracing::debug!(operation, request_id = out.request_id(), outcome = "ok", "AWS answered");
            Ok(out)
        }
        Err(error) => {
            let error = fault::map(operation, &error);
            let (outcome, request_id) = (error.class.as_str(), error.request_id.as_deref());
            tracing::debug!(operation, request_id, outcome, %error, "AWS answered");
            Err(error)
        }
    }
}

impl Sdk {
    /// The `AccountId` parameter of the Account API: left out for the account of the credentials themselves ("the
    /// management account can't specify its own `AccountId`", AWS Account Management API reference).
    fn account_parameter(&self, account: &AccountId) -> Option<String> {
        (self.own.get() != Some(account)).then(|| account.to_string())
    }

    /// Sends `request` once.
    pub(super) async fn answer(&self, request: &Request) -> Result<Response, AwsError> {
        let operation = request.operation();
        let answer = Answer(operation);
        let organizations = &self.organizations;
        macro_rules! send {
            ($call:expr) => {
                heard(operation, $call.send().await)
            };
        }
        Ok(match request {
            Request::GetCallerIdentity => {
                let out = send!(self.sts.get_caller_identity())?;
                let account: AccountId = answer.id("Account", out.account())?;
                let _ = self.own.set(account.clone());
                Response::Identity { account, arn: answer.need("Arn", out.arn)? }
            }
            Request::DescribeOrganization => {
                Response::Organization(answer.organization(send!(organizations.describe_organization())?.organization)?)
            }
            Request::ListRoots { token } => {
                let out = send!(organizations.list_roots().max_results(PAGE).set_next_token(token.clone()))?;
                Response::Roots(answer.page("Roots", out.roots, out.next_token, Answer::root)?)
            }
            Request::ListAccounts { token } => {
                let out = send!(organizations.list_accounts().max_results(PAGE).set_next_token(token.clone()))?;
                Response::Accounts(answer.page("Accounts", out.accounts, out.next_token, Answer::account)?)
            }
            Request::ListOrganizationalUnitsForParent { parent, token } => {
                let call = organizations.list_organizational_units_for_parent().parent_id(parent.as_str());
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Units(answer.page(
                    "OrganizationalUnits",
                    out.organizational_units,
                    out.next_token,
                    Answer::unit,
                )?)
            }
            Request::ListAccountsForParent { parent, token } => {
                let call = organizations.list_accounts_for_parent().parent_id(parent.as_str());
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Accounts(answer.page("Accounts", out.accounts, out.next_token, Answer::account)?)
            }
            Request::ListParents { child } => {
                let out = send!(organizations.list_parents().child_id(child.as_str()))?;
                let parents = answer.need("Parents", out.parents)?;
                Response::Parent(answer.id("Parents[].Id", parents.first().and_then(org::Parent::id))?)
            }
            Request::DescribeAccount { account } => {
                let out = send!(organizations.describe_account().account_id(account.as_str()))?;
                Response::Account(answer.account(answer.need("Account", out.account)?)?)
            }
            Request::ListPolicies { kind: wanted, token } => {
                let call = organizations.list_policies().filter(kind(wanted));
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Policies(answer.page("Policies", out.policies, out.next_token, Answer::summary)?)
            }
            Request::DescribePolicy { policy } => {
                let out = send!(organizations.describe_policy().policy_id(policy.as_str()))?;
                let (summary, content) = answer.policy(out.policy)?;
                Response::Policy { summary, content }
            }
            Request::ListPoliciesForTarget { target, kind: wanted, token } => {
                let call = organizations.list_policies_for_target().target_id(target.as_str()).filter(kind(wanted));
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Policies(answer.page("Policies", out.policies, out.next_token, Answer::summary)?)
            }
            Request::ListTargetsForPolicy { policy, token } => {
                let call = organizations.list_targets_for_policy().policy_id(policy.as_str());
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Targets(answer.page("Targets", out.targets, out.next_token, |answer, target| {
                    answer.id("Targets[].TargetId", target.target_id())
                })?)
            }
            Request::ListTagsForResource { resource, token } => {
                let call = organizations.list_tags_for_resource().resource_id(resource.as_str());
                let out = send!(call.set_next_token(token.clone()))?;
                Response::Tags(answer.page("Tags", out.tags, out.next_token, |_, tag| Ok((tag.key, tag.value)))?)
            }
            // No page size here: an emulator that is asked for one repeats its token for ever. AWS answers 20 anyway.
            Request::ListCreateAccountStatus { token } => {
                let call = organizations.list_create_account_status();
                let call = call.states(org::CreateAccountState::InProgress).states(org::CreateAccountState::Succeeded);
                let out = send!(call.set_next_token(token.clone()))?;
                Response::Creations(answer.page(
                    "CreateAccountStatuses",
                    out.create_account_statuses,
                    out.next_token,
                    Answer::creation,
                )?)
            }
            Request::DescribeCreateAccountStatus { id } => {
                let out = send!(organizations.describe_create_account_status().create_account_request_id(id))?;
                Response::Creation(answer.creation(answer.need("CreateAccountStatus", out.create_account_status)?)?)
            }
            Request::ListAWSServiceAccessForOrganization { token } => {
                let call = organizations.list_aws_service_access_for_organization();
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Services(answer.page(
                    "EnabledServicePrincipals",
                    out.enabled_service_principals,
                    out.next_token,
                    |answer, service| {
                        answer.need("EnabledServicePrincipals[].ServicePrincipal", service.service_principal)
                    },
                )?)
            }
            Request::ListDelegatedAdministrators { token } => {
                let call = organizations.list_delegated_administrators();
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Administrators(answer.page(
                    "DelegatedAdministrators",
                    out.delegated_administrators,
                    out.next_token,
                    |answer, administrator| answer.id("DelegatedAdministrators[].Id", administrator.id()),
                )?)
            }
            Request::ListDelegatedServicesForAccount { account, token } => {
                let call = organizations.list_delegated_services_for_account().account_id(account.as_str());
                let out = send!(call.max_results(PAGE).set_next_token(token.clone()))?;
                Response::Services(answer.page(
                    "DelegatedServices",
                    out.delegated_services,
                    out.next_token,
                    |answer, service| answer.need("DelegatedServices[].ServicePrincipal", service.service_principal),
                )?)
            }
            Request::DescribeResourcePolicy => {
                let out = send!(organizations.describe_resource_policy());
                let found = absent(out, "ResourcePolicyNotFoundException")?;
                let content = found.map(|out| {
                    let policy = answer.need("ResourcePolicy", out.resource_policy)?;
                    answer.need("ResourcePolicy.Content", policy.content)
                });
                Response::ResourcePolicy(content.transpose()?)
            }
            Request::GetAlternateContact { account, kind } => {
                let call = self.account.get_alternate_contact().alternate_contact_type(contact_type(*kind));
                let out = send!(call.set_account_id(self.account_parameter(account)));
                let found = absent(out, "ResourceNotFoundException")?;
                Response::Contact(found.map(|out| answer.contact(out.alternate_contact)).transpose()?)
            }

            Request::EnablePolicyType { root, kind: wanted } => {
                let out = send!(organizations.enable_policy_type().root_id(root.as_str()).policy_type(kind(wanted)))?;
                answer.need("Root", out.root)?;
                Response::Done
            }
            Request::CreateOrganizationalUnit { parent, name, tags: wanted } => {
                let call = organizations.create_organizational_unit().parent_id(parent.as_str()).name(name);
                let out = send!(call.set_tags(Some(tags(operation, wanted)?)))?;
                Response::UnitCreated(answer.unit(answer.need("OrganizationalUnit", out.organizational_unit)?)?)
            }
            Request::UpdateOrganizationalUnit { unit, name } => {
                let call = organizations.update_organizational_unit().organizational_unit_id(unit.as_str()).name(name);
                answer.need("OrganizationalUnit", send!(call)?.organizational_unit)?;
                Response::Done
            }
            Request::DeleteOrganizationalUnit { unit } => {
                send!(organizations.delete_organizational_unit().organizational_unit_id(unit.as_str()))?;
                Response::Done
            }
            Request::CreateAccount { name, email, role_name, tags: wanted } => {
                let call = organizations.create_account().account_name(name).email(email);
                let call = call.set_role_name(role_name.clone()).set_tags(Some(tags(operation, wanted)?));
                let out = send!(call)?;
                Response::Creation(answer.creation(answer.need("CreateAccountStatus", out.create_account_status)?)?)
            }
            Request::MoveAccount { account, from, to } => {
                let call = organizations.move_account().account_id(account.as_str());
                send!(call.source_parent_id(from.as_str()).destination_parent_id(to.as_str()))?;
                Response::Done
            }
            Request::CloseAccount { account } => {
                send!(organizations.close_account().account_id(account.as_str()))?;
                Response::Done
            }
            Request::PutAccountName { account, name } => {
                let call = self.account.put_account_name().account_name(name);
                send!(call.set_account_id(self.account_parameter(account)))?;
                Response::Done
            }
            Request::CreatePolicy { kind: wanted, name, description, content, tags: with } => {
                let call = organizations.create_policy().r#type(kind(wanted)).name(name).description(description);
                let out = send!(call.content(content).set_tags(Some(tags(operation, with)?)))?;
                Response::PolicyCreated(answer.policy(out.policy)?.0)
            }
            Request::UpdatePolicy { policy, name, description, content } => {
                let call = organizations.update_policy().policy_id(policy.as_str()).set_name(name.clone());
                let call = call.set_description(description.clone()).set_content(content.clone());
                Response::PolicyCreated(answer.policy(send!(call)?.policy)?.0)
            }
            Request::DeletePolicy { policy } => {
                send!(organizations.delete_policy().policy_id(policy.as_str()))?;
                Response::Done
            }
            Request::AttachPolicy { policy, target } => {
                send!(organizations.attach_policy().policy_id(policy.as_str()).target_id(target.as_str()))?;
                Response::Done
            }
            Request::DetachPolicy { policy, target } => {
                send!(organizations.detach_policy().policy_id(policy.as_str()).target_id(target.as_str()))?;
                Response::Done
            }
            Request::TagResource { resource, tags: wanted } => {
                let call = organizations.tag_resource().resource_id(resource.as_str());
                send!(call.set_tags(Some(tags(operation, wanted)?)))?;
                Response::Done
            }
            Request::UntagResource { resource, keys } => {
                let call = organizations.untag_resource().resource_id(resource.as_str());
                send!(call.set_tag_keys(Some(keys.clone())))?;
                Response::Done
            }
            Request::EnableAWSServiceAccess { principal } => {
                send!(organizations.enable_aws_service_access().service_principal(principal))?;
                Response::Done
            }
            Request::RegisterDelegatedAdministrator { account, principal } => {
                let call = organizations.register_delegated_administrator().account_id(account.as_str());
                send!(call.service_principal(principal))?;
                Response::Done
            }
            Request::PutResourcePolicy { content } => {
                let out = send!(organizations.put_resource_policy().content(content))?;
                answer.need("ResourcePolicy", out.resource_policy)?;
                Response::Done
            }
            Request::PutAlternateContact { account, kind, contact } => {
                let call = self.account.put_alternate_contact().alternate_contact_type(contact_type(*kind));
                let call = call.name(&contact.name).title(&contact.title).email_address(&contact.email);
                let call = call.phone_number(&contact.phone).set_account_id(self.account_parameter(account));
                send!(call)?;
                Response::Done
            }
        })
    }
}
