//! The organization as a life finds it: things of earlier lives, of other people, of Control Tower, with colliding names.

use std::collections::BTreeMap;

use bylaw::aws::dice::Dice;
use bylaw::aws::offline::{Account, Offline};
use bylaw::aws::port::{AccountState, Request, Response};
use bylaw::names::{AccountId, NodeId, TAG_DELETION, TAG_HOLD, TAG_MANAGED_BY, TAG_RESOURCE, Tags};

use super::wish::{UNIT_NAMES, kind, text};

/// Tags of an earlier life, or none.
fn tags(dice: &mut Dice, object: &str, deletion: &str) -> Tags {
    let mut tags = Tags::new();
    if dice.chance(0.4) {
        tags.insert(TAG_RESOURCE.into(), object.into());
        // Some of them are managed by another cluster.
        if object.ends_with('4') {
            tags.insert(TAG_MANAGED_BY.into(), "other".into());
        }
        if dice.chance(0.6) {
            tags.insert(TAG_DELETION.into(), deletion.into());
        }
    }
    if dice.chance(0.04) {
        let until = if dice.chance(0.7) { "2030-01-01T00:00:00Z" } else { "2020-01-01T00:00:00Z" };
        tags.insert(TAG_HOLD.into(), until.into());
    }
    tags
}

pub fn populate(world: &Offline, dice: &mut Dice) {
    for (index, chance) in [(0, 0.9), (1, 0.4), (2, 0.5)] {
        if dice.chance(chance) {
            world.with(|state| state.set_policy_type(&kind(index), true));
        }
    }
    world.with(|state| {
        state.services.insert("account.amazonaws.com".into());
    });
    let mut parents = vec![world.state().root_node()];
    let size = [2, 3, 6][dice.below(3)];
    for _ in 0..dice.below(size) {
        let parent = parents[dice.below(parents.len())].clone();
        let index = dice.below(7);
        let tags = tags(dice, &format!("OrganizationalUnit/u{index}"), "Delete");
        let name = UNIT_NAMES[dice.below(6)].to_owned();
        if let Ok(Response::UnitCreated(unit)) =
            world.foreign(&Request::CreateOrganizationalUnit { parent, name, tags })
        {
            parents.push(NodeId::Unit(unit.id));
        }
    }
    for index in 0..dice.below(size) {
        let id: AccountId = format!("2222222222{:02}", index + 10).parse().unwrap();
        let ours = dice.chance(0.6);
        let email = if ours { format!("a{index}@example.com") } else { format!("f{index}@example.com") };
        let account = Account {
            name: format!("acc{}", dice.below(5)),
            email,
            state: if dice.chance(0.05) { AccountState::Suspended } else { AccountState::Active },
            parent: parents[dice.below(parents.len())].clone(),
            tags: tags(dice, &format!("Account/a{index}"), "Close"),
            contacts: BTreeMap::new(),
        };
        world.with(|state| {
            let node = NodeId::Account(id.clone());
            state.put_account(id, account);
            for at in 0..2 {
                if state.is_enabled(&kind(at))
                    && let Some(default) = state.default_policy(&kind(at))
                {
                    state.attach(&default, &node);
                }
            }
        });
    }
    let crowd = if dice.chance(0.05) { 9 } else { 0 };
    for turn in 0..dice.below(size) + crowd {
        let index = dice.below(7);
        let of = [0, 0, 0, 0, 0, 1, 2][index];
        let name = match dice.below(5) {
            0 => format!("aws-guardrails-{turn}"),
            1 | 2 => format!("foreign{turn}"),
            _ => format!("pol{index}"),
        };
        let mask = u8::try_from(dice.below(64)).unwrap();
        let request = Request::CreatePolicy {
            kind: kind(of),
            name,
            description: String::new(),
            content: text(of, mask, if dice.chance(0.2) { 1 } else { 0 }),
            tags: tags(dice, &format!("OrganizationPolicy/p{index}"), "Delete"),
        };
        let Ok(Response::PolicyCreated(policy)) = world.foreign(&request) else { continue };
        for _ in 0..dice.below(4) {
            let nodes: Vec<NodeId> = world.state().nodes().collect();
            let target = nodes[dice.below(nodes.len())].clone();
            drop(world.foreign(&Request::AttachPolicy { policy: policy.id.clone(), target }));
        }
    }
    // Somebody made an allow list by hand.
    if dice.chance(0.1)
        && let Some(full) = world.state().default_policy(&kind(0))
    {
        let nodes: Vec<NodeId> = world.state().nodes().collect();
        let target = nodes[dice.below(nodes.len())].clone();
        drop(world.foreign(&Request::DetachPolicy { policy: full, target }));
    }
}
