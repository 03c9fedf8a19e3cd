//! The Organization: what holds for the whole, and the head of its file.

use std::collections::BTreeMap;

use super::policies::document;
use super::{Cx, key, main_file, quoted};
use crate::api::organization::Partition;
use crate::cli::import::Options;
use crate::cli::import::names::slug;
use crate::cli::import::yaml::{Fields, Yaml};
use crate::names::{ANNOTATION_TAKE_OVER, AccountId, Kind, PolicyType, TAG_MANAGED_BY, Tags};
use crate::observed::Part;
use crate::observed::missing::Missing;
use crate::policy::statement::DELEGATION_POLICY;

/// Most trusted services and delegated administrators, as the schema has it.
const MAX_SERVICES: usize = 200;

impl Cx<'_> {
    pub(super) fn organization(&mut self, options: &Options, missing: &[Missing]) {
        let observed = self.observed;
        let mut notes = vec![];
        let mut spec = Fields::default();
        spec.put("managementAccountId", Yaml::text(&observed.organization.management_account));
        let partition = (options.partition != Partition::Aws).then(|| Yaml::text(options.partition.as_str()));
        spec.maybe("partition", partition);
        spec.some("policyTypes", self.policy_types(&mut notes));
        spec.some("ignore", self.ignore());
        spec.put("adoptionTags", Yaml::text("WithChanges"));
        spec.maybe("baseAccess", self.base_access(&observed.root_node()));
        spec.some("trustedServices", self.services(&mut notes));
        spec.some("delegatedAdministrators", self.administrators(&mut notes));
        spec.maybe("delegationPolicy", self.delegation_policy(&mut notes));
        spec.some("tags", self.tags(&observed.root.tags, &mut notes));

        let name = options.name.clone().unwrap_or_else(|| self.organization_name());
        let mut head = vec![format!(
            "Organization `{}` as it is: planning these manifests changes nothing. Written by `bylaw import`.",
            observed.organization.id
        )];
        head.extend(missing.iter().map(|missing| format!("not known: {missing}")));
        head.extend(self.managed_by_others(&name).map(|(other, count)| {
            let objects = if count == 1 { "1 object is" } else { "objects are" };
            let count = if count == 1 { String::new() } else { format!("{count} ") };
            format!(
                "not ours: {count}{objects} managed by the Organization object `{}`, and left alone until the annotation \
                 `{ANNOTATION_TAKE_OVER}: {}` is set on them, or on this Organization",
                quoted(other),
                quoted(other)
            )
        }));
        let left_out = self.draft.heads.remove(&main_file()).unwrap_or_default();
        head.extend(left_out);
        self.draft.heads.insert(main_file(), head);
        self.put(key(Kind::Organization, &name), None, main_file(), notes, spec);
        // Objects stand in the order of their files; this one is read first.
        self.draft.objects.rotate_right(1);
    }

    /// Organization objects that bylaw's tags name, each with how many AWS objects carry it.
    fn managers(&self) -> BTreeMap<&str, usize> {
        let observed = self.observed;
        let tags = observed.units.values().map(|unit| &unit.tags);
        let tags = tags.chain(observed.accounts.values().map(|account| &account.tags));
        let tags = tags.chain(observed.policies.values().map(|policy| &policy.tags));
        let mut names = BTreeMap::new();
        for name in tags.filter_map(Part::<Tags>::get).filter_map(|tags| tags.get(TAG_MANAGED_BY)) {
            *names.entry(name).or_default() += 1;
        }
        names
    }

    /// Those whose objects a plan of the Organization `name` refuses.
    fn managed_by_others(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        self.managers().into_iter().filter(move |(other, _)| *other != name)
    }

    /// The name that most of bylaw's tags have.
    fn organization_name(&self) -> String {
        let managers = self.managers();
        let fit = managers.iter().filter(|(name, _)| !slug(name).is_empty() && slug(name) == **name);
        fit.max_by_key(|(_, count)| **count).map_or_else(|| "main".to_owned(), |(name, _)| (*name).to_owned())
    }

    fn policy_types(&self, notes: &mut Vec<String>) -> Yaml {
        let mut list = vec![];
        for kind in self.observed.root.policy_types.keys() {
            if self.is_on(kind) {
                list.push(Yaml::text(kind));
            } else {
                notes.push(format!("policyTypes: `{}` is being switched off", quoted(kind.as_str())));
            }
        }
        Yaml::List(list)
    }

    fn ignore(&self) -> Yaml {
        let mut fields = Fields::default();
        let list = |texts: &std::collections::BTreeSet<String>| Yaml::List(texts.iter().map(Yaml::text).collect());
        fields.some("organizationalUnits", list(&self.ignored_units));
        fields.some("accounts", list(&self.ignored_accounts));
        fields.map()
    }

    fn services(&self, notes: &mut Vec<String>) -> Yaml {
        let Some(services) = told("trustedServices", &self.observed.services, notes) else { return Yaml::List(vec![]) };
        if services.len() > MAX_SERVICES {
            notes.push(format!(
                "trustedServices: left out, these are {} and a manifest holds {MAX_SERVICES}",
                services.len()
            ));
            return Yaml::List(vec![]);
        }
        Yaml::List(services.iter().filter(|s| principal(s, "trustedServices", notes)).map(Yaml::text).collect())
    }

    fn administrators(&self, notes: &mut Vec<String>) -> Yaml {
        let none = Yaml::List(vec![]);
        let Some(all) = told("delegatedAdministrators", &self.observed.administrators, notes) else { return none };
        let mut list: Vec<(&str, Yaml)> = vec![];
        for (account, services) in all {
            let Some(name) = self.names.accounts.get(account).filter(|_| self.accounts.contains(account)) else {
                notes.push(no_account(account));
                continue;
            };
            let services: Vec<Yaml> =
                services.iter().filter(|s| principal(s, "delegatedAdministrators", notes)).map(Yaml::text).collect();
            if services.is_empty() || services.len() > 100 {
                notes.push(format!(
                    "delegatedAdministrators: `{account}` is left out, it acts for {} services",
                    services.len()
                ));
                continue;
            }
            let entry = vec![("accountRef".into(), Yaml::reference(name)), ("services".into(), Yaml::List(services))];
            list.push((name, Yaml::Map(entry)));
        }
        if list.len() > MAX_SERVICES {
            notes.push(format!(
                "delegatedAdministrators: left out, these are {} and a manifest holds {MAX_SERVICES}",
                list.len()
            ));
            return none;
        }
        list.sort_by_key(|(name, _)| *name);
        Yaml::List(list.into_iter().map(|(_, entry)| entry).collect())
    }

    fn delegation_policy(&self, notes: &mut Vec<String>) -> Option<Yaml> {
        let text = told("delegationPolicy", &self.observed.delegation_policy, notes)?.as_ref()?;
        match document(&PolicyType::new(DELEGATION_POLICY), text, true) {
            Ok(document) => Some(document),
            Err(why) => {
                notes.push(format!("delegationPolicy: left out, {why}"));
                None
            }
        }
    }
}

fn no_account(account: &AccountId) -> String {
    format!("delegatedAdministrators: `{account}` is left out, the account has no manifest")
}

/// A part, or a note that it is not known.
fn told<'p, T>(field: &str, part: &'p Part<T>, notes: &mut Vec<String>) -> Option<&'p T> {
    match part {
        Part::Known { value, .. } => return Some(value),
        Part::Unread => notes.push(format!("{field}: left out, they were not read")),
        Part::Unreadable { error, .. } => notes.push(format!("{field}: left out, they could not be read: {error}")),
    }
    None
}

fn principal(name: &str, field: &str, notes: &mut Vec<String>) -> bool {
    let fits = (1..=128).contains(&name.chars().count());
    if !fits {
        notes.push(format!("{field}: `{}` is left out, it is no service principal", quoted(name)));
    }
    fits
}
