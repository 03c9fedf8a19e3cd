//! OUs that somebody renamed by hand.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_absent_ou_whose_accounts_are_together_beside_it_is_not_built_a_second_time() {
    let (world, mut memory) = settle(&[organization(""), tree()].concat()).await;
    let (prod, options) = (unit_of(&world, "prod"), Options::default());
    world.with(|state| {
        let units: Vec<NodeId> = state.units().keys().cloned().map(NodeId::Unit).collect();
        // Manifests without ids, and nothing that carries their tags.
        units.iter().for_each(|unit| *state.tags_mut(unit).unwrap() = Tags::new());
    });
    let NodeId::Unit(id) = &prod else { panic!("{prod}") };
    world.foreign(&Request::UpdateOrganizationalUnit { unit: id.clone(), name: "production".into() }).unwrap();
    foreign_policy(&world, "foreign", &prod);
    let manifests = [organization(""), tree(), policy("p", "ec2:*", "prod")].concat();
    for memory in [&memory, &Memory::default()] {
        let planned = plan(&world, &from_text(&manifests), memory, &options).await;
        let shown = shown(&world, &planned.plan);
        assert_eq!(shown, ["CreatePolicy p", "TagResource dev", "refused renamed prod []"], "{shown:#?}");
        let refusal = &planned.plan.refusals[0];
        assert!(refusal.message.contains("`production`") && refusal.remedy.contains(id.as_str()), "{refusal:#?}");
    }
    // Each of the three remedies.
    let bound = manifests.replacen(
        "  name: prod\nspec",
        &format!("  name: prod\n  annotations: {{bylaw.dev/id: {id}}}\nspec"),
        1,
    );
    assert!(lines(&world, &memory, &bound, &options).await.contains(&"UpdateOrganizationalUnit prod".to_owned()));
    let new = manifests.replacen("name: prod\n---", "name: prod\n  adoptionPolicy: Create\n---", 1);
    assert!(lines(&world, &memory, &new, &options).await.contains(&"CreateOrganizationalUnit prod".to_owned()));
    world.foreign(&Request::UpdateOrganizationalUnit { unit: id.clone(), name: "prod".into() }).unwrap();
    assert!(pass(&world, &mut memory, &manifests).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_absent_ou_is_not_built_a_second_time_though_one_of_its_accounts_stands_elsewhere() {
    let stray = account("a-more", "prod", "");
    let (world, _) = settle(&[organization(""), tree(), stray.clone()].concat()).await;
    let (prod, options, memory) = (unit_of(&world, "prod"), Options::default(), Memory::default());
    world.with(|state| {
        let units: Vec<NodeId> = state.units().keys().cloned().map(NodeId::Unit).collect();
        units.iter().for_each(|unit| *state.tags_mut(unit).unwrap() = Tags::new());
    });
    let NodeId::Unit(id) = &prod else { panic!("{prod}") };
    world.foreign(&Request::UpdateOrganizationalUnit { unit: id.clone(), name: "production".into() }).unwrap();
    let account = world.with(|state| state.account_of("a-more@example.com").unwrap().clone());
    let (root, dev) = (world.with(|state| state.root_node()), unit_of(&world, "dev"));
    world.foreign(&Request::MoveAccount { account: account.clone(), from: prod.clone(), to: root.clone() }).unwrap();
    let manifests = [organization(""), tree(), stray].concat();
    let held = |shown: &[String]| {
        shown.contains(&"refused renamed prod []".to_owned())
            && !shown.iter().any(|line| line.starts_with("CreateOrg") || line.starts_with("MoveAccount"))
    };
    // Nothing else is in it.
    let found = lines(&world, &memory, &manifests, &options).await;
    assert!(held(&found), "{found:#?}");
    // Or a policy is on it, wherever the other one is.
    world.with(|state| state.add_account(&prod, "other", "other@example.com"));
    let found = lines(&world, &memory, &manifests, &options).await;
    assert!(!held(&found), "{found:#?}");
    foreign_policy(&world, "foreign", &prod);
    for to in [root.clone(), dev] {
        let now = world.with(|state| state.accounts()[&account].parent.clone());
        if now != to {
            world.foreign(&Request::MoveAccount { account: account.clone(), from: now, to }).unwrap();
        }
        let planned = plan(&world, &from_text(&manifests), &memory, &options).await;
        let found = shown(&world, &planned.plan);
        assert!(held(&found), "{found:#?}");
        let refusal = planned.plan.refusals.iter().find(|refusal| refusal.rule == "renamed").unwrap();
        let words = ["2 of the 3 accounts", "`Account/a-more`", "`production`"];
        assert!(words.iter().all(|word| refusal.message.contains(word)), "{refusal:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_absent_ou_whose_own_ou_is_beside_it_is_not_built_a_second_time() {
    let before = [organization(""), unit("prod", "", ""), unit("team", "prod", "")].concat();
    let (world, _) = settle(&before).await;
    let (prod, memory) = (unit_of(&world, "prod"), Memory::default());
    world.with(|state| *state.tags_mut(&prod).unwrap() = Tags::new());
    let NodeId::Unit(id) = &prod else { panic!("{prod}") };
    world.foreign(&Request::UpdateOrganizationalUnit { unit: id.clone(), name: "production".into() }).unwrap();
    let planned = plan(&world, &from_text(&before), &memory, &Options::default()).await;
    assert_eq!(shown(&world, &planned.plan), ["refused renamed prod []"]);
    let message = &planned.plan.refusals[0].message;
    assert!(message.contains("what is declared in it (`team`) is in the OU `production`"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_stays_on_an_ou_that_was_renamed_by_hand_though_no_account_in_it_is_declared() {
    let manifests = [organization(""), unit("prod", "", ""), policy("g", "s3:*", "prod")].concat();
    let (world, memory) = settle(&manifests).await;
    let prod = unit_of(&world, "prod");
    world.with(|state| {
        // Adopted without tags, as by `adoptionTags: WithChanges`.
        *state.tags_mut(&prod).unwrap() = Tags::new();
        state.add_account(&prod, "a", "a@example.com");
    });
    let NodeId::Unit(id) = &prod else { panic!("{prod}") };
    world.foreign(&Request::UpdateOrganizationalUnit { unit: id.clone(), name: "production".into() }).unwrap();
    for memory in [memory, Memory::default()] {
        let planned = plan(&world, &from_text(&manifests), &memory, &Options::default()).await;
        assert_eq!(shown(&world, &planned.plan), ["refused renamed prod []"]);
        let message = &planned.plan.refusals[0].message;
        assert!(message.contains("(`OrganizationPolicy/g`) is attached to the OU `production`"), "{message}");
    }
}
