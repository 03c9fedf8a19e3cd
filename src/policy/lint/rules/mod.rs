//! The rules, one file each.
//!
//! Adding a rule: a file with a `RULE` of which it speaks on every `bad` sample and on no `good` one, and its row in
//! [`RULES`]. A test runs every rule on the samples of all: what one calls good, no other may call bad.

use super::settings::{Kind, problems};
use super::subject::Subject;
use super::{Rule, Told};
use crate::policy::services::Action;

mod absent_key_comparison;
mod action_matches_nothing;
mod action_resource_type_mismatch;
mod allow_in_scp_no_effect;
mod allow_with_not;
mod backup_lifecycle;
mod conflicting_operators;
mod confused_deputy;
mod default_value_omission;
mod deprecated_key;
mod group_principal;
mod impossible_value;
mod invalid_account_id;
mod invalid_setting;
mod invalid_value;
mod key_not_on_action;
mod key_not_on_resource;
mod key_on_few_actions;
mod mfa_without_if_exists;
mod missing_key_fail_open;
mod multi_key_and;
mod never_matches;
mod null_multi_key_and;
mod number_as_id;
mod operator_on_single_value;
mod operator_type_mismatch;
mod over_broad_wildcard;
mod over_size;
mod partial_action_coverage;
mod pass_role_wildcard;
mod placeholder;
mod public_principal;
mod rcp_service_principals;
mod rcp_unsupported_service;
mod redundant_statement;
mod redundant_value;
mod region_lock_without_global;
mod service_linked_role_in_scp;
mod session_principal;
mod set_operator_absent_on_array;
mod set_operator_on_single;
mod tag_key_case;
mod tag_key_mismatch;
mod tag_not_enforceable;
mod tag_policy;
mod tag_value_wildcard;
mod unknown_action;
mod unknown_key;
mod unknown_setting;
mod username_of_roles;
mod variable_is_text;
mod wildcard_in_equals;
mod wildcard_in_sensitive_key;

/// Every rule.
pub static RULES: &[&Rule] = &[
    &absent_key_comparison::RULE,
    &action_matches_nothing::RULE,
    &action_resource_type_mismatch::RULE,
    &allow_in_scp_no_effect::RULE,
    &allow_with_not::RULE,
    &backup_lifecycle::RULE,
    &confused_deputy::RULE,
    &conflicting_operators::RULE,
    &default_value_omission::RULE,
    &deprecated_key::RULE,
    &group_principal::RULE,
    &impossible_value::RULE,
    &invalid_account_id::RULE,
    &invalid_setting::RULE,
    &invalid_value::RULE,
    &key_not_on_action::RULE,
    &key_not_on_resource::RULE,
    &key_on_few_actions::RULE,
    &mfa_without_if_exists::RULE,
    &missing_key_fail_open::RULE,
    &multi_key_and::RULE,
    &never_matches::RULE,
    &null_multi_key_and::RULE,
    &number_as_id::RULE,
    &operator_on_single_value::RULE,
    &operator_type_mismatch::RULE,
    &over_broad_wildcard::RULE,
    &over_size::RULE,
    &partial_action_coverage::RULE,
    &pass_role_wildcard::RULE,
    &placeholder::RULE,
    &public_principal::RULE,
    &rcp_service_principals::RULE,
    &rcp_unsupported_service::RULE,
    &redundant_statement::RULE,
    &redundant_value::RULE,
    &region_lock_without_global::RULE,
    &service_linked_role_in_scp::RULE,
    &session_principal::RULE,
    &set_operator_absent_on_array::RULE,
    &set_operator_on_single::RULE,
    &tag_key_mismatch::RULE,
    &tag_key_case::RULE,
    &tag_not_enforceable::RULE,
    &tag_value_wildcard::RULE,
    &unknown_action::RULE,
    &unknown_key::RULE,
    &unknown_setting::RULE,
    &username_of_roles::RULE,
    &variable_is_text::RULE,
    &wildcard_in_equals::RULE,
    &wildcard_in_sensitive_key::RULE,
];

pub(in crate::policy::lint) use over_size::of_unread as size_of_unread;

/// What the settings of a management policy have of one kind.
fn tell_settings(subject: &Subject<'_>, told: &mut Told, kind: Kind) {
    for problem in problems(subject).into_iter().filter(|problem| problem.kind == kind) {
        let finding = told.at(&problem.spot, problem.message).severity(problem.severity).help(problem.help);
        told.push(match problem.fix {
            Some(fix) => finding.fix(fix),
            None => finding,
        });
    }
}

/// `a`, `b` and 3 more.
fn some_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let words: Vec<&str> = words.collect();
    let mut out: Vec<String> = words.iter().take(SHOWN).map(|word| format!("`{word}`")).collect();
    let last = if words.len() > SHOWN { Some(format!("{} more", words.len() - SHOWN)) } else { out.pop() };
    match last {
        Some(last) if out.is_empty() => last,
        Some(last) => format!("{} and {last}", out.join(", ")),
        None => String::new(),
    }
}

fn some_of_actions(actions: &[Action]) -> String {
    let names: Vec<String> = actions.iter().map(Action::to_string).collect();
    some_of(names.iter().map(String::as_str))
}
