//! What a reading says against itself. AWS Organizations is eventually consistent: for some time after a change a list may
//! answer without an error and leave out what is there. Such an answer is found by what AWS cannot answer otherwise, and
//! counts as a call that failed: it is a [`Gap`] of that list, which says what contradicts what.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Gap, Observed, Scope};
use crate::aws::Request;
use crate::aws::port::{AccountState, PolicyTypeStatus};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, UnitId};

/// What to do about it: most of it passes by itself.
const REMEDY: &str =
    "run again in a minute, since AWS's lists lag behind changes; where it stays, compare the two in AWS's console";

/// A list that was found out.
pub(super) fn gap(scope: Scope, error: String) -> Gap {
    Gap { scope, error, remedy: Some(REMEDY.into()) }
}

/// A list that leaves out what the look at it by its id shows.
pub(super) fn left_out(look: &Request, scope: Scope) -> Gap {
    let list = match &scope {
        Scope::Accounts => "ListAccounts",
        Scope::UnitsBelow(_) => "ListOrganizationalUnitsForParent",
        Scope::Policies(_) => "ListPolicies",
    };
    let id = match look {
        Request::DescribeAccount { account } => account.as_str(),
        Request::DescribePolicy { policy } => policy.as_str(),
        Request::ListParents { child } => child.as_str(),
        _ => "it",
    };
    gap(scope, format!("{list} leaves out `{id}`, which the last reading had and {} shows", look.operation()))
}

/// Everything that the parts of a reading say against each other, at most one gap a list.
pub(super) fn gaps(observed: &Observed) -> Vec<Gap> {
    let mut found: Vec<Gap> = vec![];
    let known = |scope: &Scope| observed.gaps.iter().any(|gap| gap.scope == *scope);
    if !known(&Scope::Accounts) {
        found.extend(accounts(observed).map(|why| gap(Scope::Accounts, why)));
    }
    // A list of OUs that failed explains what is missing from the tree.
    if !observed.gaps.iter().any(|gap| matches!(gap.scope, Scope::UnitsBelow(_))) {
        found.extend(tree(observed).map(|why| gap(Scope::UnitsBelow(observed.root_node()), why)));
    }
    for kind in types(observed) {
        let scope = Scope::Policies(kind.clone());
        if !known(&scope) {
            found.extend(policies(observed, kind).map(|why| gap(scope, why)));
        }
    }
    found
}

/// Types that are on, and those that policies with targets have all the same.
fn types(observed: &Observed) -> BTreeSet<&PolicyType> {
    let attached = attached(observed).map(|(_, policy, _)| &policy.kind);
    observed.root.policy_types.keys().chain(attached).collect()
}

/// Where policies of customers are attached.
fn attached(observed: &Observed) -> impl Iterator<Item = (&PolicyId, &super::Policy, &NodeId)> {
    let own = observed.policies.iter().filter(|(_, policy)| !policy.aws_managed);
    own.flat_map(|(id, policy)| policy.targets.get().into_iter().flatten().map(move |node| (id, policy, node)))
}

/// `first` and how many more of the same there are.
fn and_more(first: String, all: usize) -> String {
    match all.saturating_sub(1) {
        0 => first,
        more => format!("{first}, and so for {more} more"),
    }
}

/// The management account is one of every organization, and so is whatever account another list names.
fn accounts(observed: &Observed) -> Option<String> {
    let management = &observed.organization.management_account;
    if !observed.accounts.contains_key(management) {
        return Some(format!(
            "ListAccounts leaves out the management account `{management}`, which DescribeOrganization names"
        ));
    }
    let mut shown: BTreeMap<&AccountId, String> = BTreeMap::new();
    let unlisted = |id: &AccountId| !observed.accounts.contains_key(id);
    for (id, policy) in &observed.policies {
        for node in policy.targets.get().into_iter().flatten() {
            if let NodeId::Account(account) = node
                && unlisted(account)
            {
                shown.entry(account).or_insert_with(|| {
                    format!("ListTargetsForPolicy shows as a target of policy `{}` (`{id}`)", policy.name)
                });
            }
        }
    }
    for account in observed.administrators.get().into_iter().flat_map(BTreeMap::keys).filter(|id| unlisted(id)) {
        shown.entry(account).or_insert_with(|| "ListDelegatedAdministrators shows".to_owned());
    }
    let (account, who) = shown.first_key_value()?;
    Some(and_more(format!("ListAccounts leaves out account `{account}`, which {who}"), shown.len()))
}

/// Every OU and account hangs on the root, and so does whatever a policy is attached to.
fn tree(observed: &Observed) -> Option<String> {
    const LIST: &str = "ListOrganizationalUnitsForParent";
    let lost: Vec<(NodeId, &NodeId)> = observed.unplaced().filter_map(|(node, above)| Some((node, above?))).collect();
    if let Some((node, above)) = lost.first() {
        let what = match node {
            NodeId::Account(_) => "account",
            _ => "OU",
        };
        let there = observed.tags(above).is_some();
        let why = match there {
            false => format!("{LIST} leaves out `{above}`, which {what} `{node}` is in"),
            true => format!("{LIST} shows {what} `{node}` in `{above}`, and nothing above leads to the root"),
        };
        return Some(and_more(why, lost.len()));
    }
    let unknown: BTreeMap<&NodeId, String> = attached(observed)
        .filter(|(_, _, node)| !matches!(node, NodeId::Account(_)) && observed.tags(node).is_none())
        .map(|(id, policy, node)| (node, format!("policy `{}` (`{id}`)", policy.name)))
        .collect();
    let (node, policy) = unknown.first_key_value()?;
    let why = format!("{LIST} leaves out `{node}`, which ListTargetsForPolicy shows as a target of {policy}");
    Some(and_more(why, unknown.len()))
}

/// A type that is on has AWS's own policy, and service control policies are attached to every node; of a type that is off
/// nothing is attached.
fn policies(observed: &Observed, kind: &PolicyType) -> Option<String> {
    let default = kind.rule().default_policy;
    let status = observed.root.policy_types.get(kind);
    let Some(status) = status else {
        let (id, policy, node) = attached(observed).find(|(_, policy, _)| policy.kind == *kind)?;
        return Some(format!(
            "ListRoots shows type `{kind}` as off, and ListTargetsForPolicy shows policy `{}` (`{id}`) of it on `{node}`",
            policy.name
        ));
    };
    if *status != PolicyTypeStatus::Enabled || !observed.listed_types.contains(kind) {
        return None;
    }
    let Some((_, full)) = observed.policies.iter().find(|(id, _)| Some(id.as_str()) == default) else {
        let default = default?;
        return Some(format!("ListPolicies leaves out `{default}`, which AWS keeps as long as type `{kind}` is on"));
    };
    // A Deny list or an allow list: AWS detaches the last policy of no node (quotas of AWS Organizations, "minimum
    // attached").
    full.targets.get()?;
    let of_kind = observed.policies.values().filter(|policy| policy.kind == *kind);
    let targets: Vec<_> = of_kind.map(|policy| policy.targets.get()).collect::<Option<_>>()?;
    let covered: BTreeSet<&NodeId> = targets.into_iter().flatten().collect();
    let bare: Vec<NodeId> = nodes(observed).filter(|node| !covered.contains(node)).collect();
    let first = bare.first()?;
    Some(and_more(
        format!(
            "ListTargetsForPolicy shows no policy of type `{kind}` on `{first}`, and AWS keeps at least one on each"
        ),
        bare.len(),
    ))
}

/// The nodes that are bound by policies.
fn nodes(observed: &Observed) -> impl Iterator<Item = NodeId> {
    let units = observed.units.keys().cloned().map(|id: UnitId| NodeId::Unit(id));
    let bound = observed.accounts.iter().filter(|(id, account)| {
        account.state == AccountState::Active && **id != observed.organization.management_account
    });
    std::iter::once(observed.root_node()).chain(units).chain(bound.map(|(id, _)| NodeId::Account(id.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Part;
    use k8s_openapi::jiff::Timestamp;

    use crate::aws::offline::{Offline, Options};

    /// An organization with every SCP target known, `a` in OU `sub` below `prod`, and `p` on `prod` and `a`.
    fn observed() -> (Observed, [String; 4]) {
        let world = Offline::new(Options::default());
        let at: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        world.with(|state| {
            state.set_policy_type(&PolicyType::scp(), true);
            let root = state.root_node();
            let prod = NodeId::Unit(state.add_unit(&root, "prod"));
            let sub = NodeId::Unit(state.add_unit(&prod, "sub"));
            let account = NodeId::Account(state.add_account(&sub, "a", "a@example.com"));
            let policy = state.add_policy(&PolicyType::scp(), "p", "{}");
            state.attach(&policy, &prod);
            state.attach(&policy, &account);
            let names = [prod.to_string(), sub.to_string(), account.to_string(), policy.to_string()];
            (state.to_observed(at), names)
        })
    }

    /// What is found where something is taken out of a reading that is whole.
    fn told(change: impl FnOnce(&mut Observed)) -> Vec<(Scope, String)> {
        let (mut observed, _) = observed();
        change(&mut observed);
        gaps(&observed).into_iter().map(|gap| (gap.scope, gap.error)).collect()
    }

    fn account(text: &str) -> AccountId {
        text.parse().unwrap()
    }

    #[test]
    fn a_whole_reading_says_nothing_against_itself() {
        assert_eq!(told(|_| ()), []);
    }

    #[test]
    fn a_list_that_leaves_out_what_must_be_there_is_a_gap_of_that_list_alone() {
        let (whole, [prod, sub, a, p]) = observed();
        let (root, scp) = (whole.root_node(), PolicyType::scp());
        let management = whole.organization.management_account.clone();
        type Change<'a> = &'a dyn Fn(&mut Observed);
        let full = |it: &mut Observed, change: &dyn Fn(&mut BTreeSet<NodeId>)| {
            let id: PolicyId = "p-FullAWSAccess".parse().unwrap();
            change(it.policies.get_mut(&id).unwrap().targets.get_mut().unwrap());
        };
        let units = Scope::UnitsBelow(root.clone());
        let cases: [(&str, Change<'_>, Scope, Vec<&str>); 10] = [
            ("no account", &|it| it.accounts.clear(), Scope::Accounts, vec!["ListAccounts", management.as_str()]),
            (
                "a target",
                &|it| drop(it.accounts.remove(&account(&a))),
                Scope::Accounts,
                vec!["ListTargetsForPolicy", &a],
            ),
            (
                "an administrator",
                &|it| {
                    let id = account("999999999999");
                    it.administrators.get_mut().unwrap().insert(id, BTreeSet::new());
                },
                Scope::Accounts,
                vec!["ListDelegatedAdministrators", "999999999999"],
            ),
            ("an OU of an account", &|it| drop(it.units.remove(&sub.parse().unwrap())), units.clone(), vec![&sub, &a]),
            ("an OU of an OU", &|it| drop(it.units.remove(&prod.parse().unwrap())), units.clone(), vec![&prod, &sub]),
            (
                "a loop",
                &|it| it.units.get_mut(&prod.parse().unwrap()).unwrap().parent = sub.parse().unwrap(),
                units.clone(),
                vec!["the root"],
            ),
            (
                "an OU with a policy",
                &|it| {
                    let other: NodeId = "ou-abcd-99999999".parse().unwrap();
                    it.policies.get_mut(&p.parse().unwrap()).unwrap().targets.get_mut().unwrap().insert(other);
                },
                units.clone(),
                vec!["ou-abcd-99999999", "ListTargetsForPolicy", &p],
            ),
            (
                "no policy",
                &|it| it.policies.retain(|_, policy| policy.kind != PolicyType::scp()),
                Scope::Policies(scp.clone()),
                vec!["ListPolicies", "p-FullAWSAccess"],
            ),
            (
                "an OU without a policy",
                &|it| full(it, &|targets| targets.retain(|node| node.as_str() != sub)),
                Scope::Policies(scp.clone()),
                vec![&sub],
            ),
            (
                "a type that is off",
                &|it| it.root.policy_types.clear(),
                Scope::Policies(scp.clone()),
                vec!["ListRoots", &p],
            ),
        ];
        for (what, change, scope, words) in cases {
            let told = told(change);
            let [(found, error)] = told.as_slice() else { panic!("{what}: {told:?}") };
            assert_eq!(*found, scope, "{what}");
            assert!(words.iter().all(|word| error.contains(word)), "{what}: {error}");
        }
    }

    #[test]
    fn what_was_not_read_contradicts_nothing() {
        let id: PolicyId = "p-FullAWSAccess".parse().unwrap();
        assert_eq!(told(|it| it.policies.get_mut(&id).unwrap().targets = Part::Unread), []);
        let unlisted = |it: &mut Observed| {
            it.policies.clear();
            it.listed_types.clear();
        };
        assert_eq!(told(unlisted), []);
        let failed = |it: &mut Observed| {
            it.accounts.clear();
            it.gaps.push(Gap { scope: Scope::Accounts, error: "no".into(), remedy: None });
        };
        assert_eq!(told(failed), [], "one call that failed is one gap");
    }

    #[test]
    fn many_of_a_kind_are_one_gap() {
        let (whole, _) = observed();
        let told = told(|it| {
            let account = it.accounts.values().find(|account| account.name == "a").unwrap().clone();
            for n in 0..9 {
                it.accounts.insert(format!("90000000000{n}").parse().unwrap(), account.clone());
            }
            it.units.clear();
        });
        assert!(
            told.iter().any(|(scope, why)| {
                *scope == Scope::UnitsBelow(whole.root_node()) && why.ends_with("and so for 9 more")
            }),
            "{told:?}"
        );
    }
}
