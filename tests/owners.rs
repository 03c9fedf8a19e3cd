//! Whose an AWS object is: of two objects of a cluster that claim it, of an account that was there before its manifest, and
//! of what another Organization object manages.

use bylaw::aws::Request;
use bylaw::aws::offline::Offline;
use bylaw::desired::{Desired, Manifest, build_from};
use bylaw::names::{Kind, NodeId, ObjectKey, PolicyType};
use bylaw::pass::{Options, Planned};
use bylaw::plan::{Memory, Refusal};
use serde_json::{Value, json};

use crate::engine::{apply, plan, world};

const MANAGEMENT: &str = "111111111111";
/// Ages of objects, the first the oldest.
const AGES: [&str; 3] = ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"];

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn organization(more: Value) -> Value {
    let mut spec = json!({"managementAccountId": MANAGEMENT, "policyTypes": ["SERVICE_CONTROL_POLICY"],
        "limits": {"maxCreates": 100, "maxAffected": {"accounts": 1000, "percent": 100}}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object("Organization", "org", spec)
}

fn unit(object_name: &str, name: &str) -> Value {
    object("OrganizationalUnit", object_name, json!({"name": name}))
}

fn account(object_name: &str, email: &str) -> Value {
    object("Account", object_name, json!({"email": email, "name": object_name}))
}

fn policy(object_name: &str, name: &str, unit: &str) -> Value {
    let content =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]});
    let targets = json!([{"organizationalUnitRef": {"name": unit}}]);
    object(
        "OrganizationPolicy",
        object_name,
        json!({"type": "SERVICE_CONTROL_POLICY", "name": name, "content": content, "targets": targets}),
    )
}

fn aged(mut object: Value, age: usize) -> Value {
    object["metadata"]["creationTimestamp"] = json!(AGES[age]);
    object
}

fn with_annotation(mut object: Value, key: &str, value: &str) -> Value {
    object["metadata"]["annotations"][key] = json!(value);
    object
}

fn with_id(object: Value, id: &str) -> Value {
    with_annotation(object, "bylaw.dev/id", id)
}

/// The objects as a controller reads them.
fn cluster(objects: &[Value]) -> Desired {
    let read: Vec<(Manifest, _)> = objects
        .iter()
        .map(|object| {
            let (manifest, issues) = Manifest::of_value(object);
            assert!(issues.is_empty(), "{issues:#?}");
            (manifest.unwrap(), issues)
        })
        .collect();
    let manifests: Vec<&Manifest> = read.iter().map(|(manifest, _)| manifest).collect();
    let (desired, issues) = build_from(&manifests, None);
    assert!(issues.iter().all(|issue| issue.severity != bylaw::desired::Severity::Error), "{issues:#?}");
    desired.unwrap()
}

async fn settle(objects: &[Value]) -> (Offline, Memory) {
    let world = world(MANAGEMENT);
    let mut memory = Memory::default();
    let desired = cluster(objects);
    let planned = plan(&world, &desired, &memory, &Options::default()).await;
    let report = apply(&world, &desired, planned, &mut memory, &Options::default()).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    (world, memory)
}

async fn planned(world: &Offline, memory: &Memory, objects: &[Value]) -> Planned {
    plan(world, &cluster(objects), memory, &Options::default()).await
}

/// Operation and object of each change.
fn changes(planned: &Planned) -> Vec<String> {
    planned.plan.changes.iter().map(|c| format!("{} {}", c.action.operations().0, c.object)).collect()
}

/// Rule, object, and message with its remedy of each refusal.
fn refusals(planned: &Planned) -> Vec<(&'static str, String, String)> {
    let told = |r: &Refusal| (r.rule, r.object.to_string(), format!("{}; {}", r.message, r.remedy));
    planned.plan.refusals.iter().map(told).collect()
}

fn unit_id(world: &Offline, name: &str) -> NodeId {
    world.with(|state| NodeId::Unit(state.units().iter().find(|(_, unit)| unit.name == name).unwrap().0.clone()))
}

fn tags(world: &Offline, node: &NodeId) -> Vec<(String, String)> {
    let own = |(key, value): (&str, &str)| (key.starts_with("bylaw.dev/")).then(|| (key.to_owned(), value.to_owned()));
    world.with(|state| state.tags_mut(node).unwrap().iter().filter_map(own).collect())
}

fn tag(world: &Offline, node: &NodeId, key: &str, value: &str) {
    world.with(|state| state.tags_mut(node).unwrap().insert(key.into(), value.into()));
}

fn owners() -> Vec<Value> {
    vec![
        aged(organization(json!({})), 0),
        aged(unit("prod", "Production"), 1),
        aged(account("data", "data@example.com"), 1),
        aged(policy("guard", "Guard", "prod"), 1),
    ]
}

/// Objects that claim what the owners have.
fn newcomers(age: usize) -> Vec<Value> {
    vec![
        aged(unit("a-prod", "Production"), age),
        aged(account("a-data", "DATA@example.com"), age),
        aged(policy("a-guard", "Guard", "prod"), age),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_claims_the_same_name_does_not_stop_the_drift_of_the_owner_from_being_corrected() {
    // Even one that looks older, as after a cluster was rebuilt: the tag in AWS says whose it is.
    for age in [0, 2] {
        let (world, memory) = settle(&owners()).await;
        let prod = unit_id(&world, "Production");
        let guard = world.with(|s| s.policies().iter().find(|(_, p)| p.name == "Guard").unwrap().0.clone());
        world.foreign(&Request::DetachPolicy { policy: guard, target: prod }).unwrap();
        let planned = planned(&world, &memory, &[owners(), newcomers(age)].concat()).await;
        assert_eq!(changes(&planned), ["AttachPolicy OrganizationPolicy/guard"]);
        let refusals = refusals(&planned);
        assert_eq!(refusals.len(), 3, "{refusals:#?}");
        for ((_, object, told), (newcomer, owner)) in refusals.iter().zip([
            ("OrganizationalUnit/a-prod", "`OrganizationalUnit/prod`"),
            ("Account/a-data", "`Account/data`"),
            ("OrganizationPolicy/a-guard", "`OrganizationPolicy/guard`"),
        ]) {
            assert_eq!(object, newcomer);
            assert!(told.contains(owner), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_objects_that_would_create_the_same_thing_the_older_does() {
    let world = world(MANAGEMENT);
    let both = [owners(), newcomers(2)].concat();
    let found = planned(&world, &Memory::default(), &both).await;
    assert!(!changes(&found).iter().any(|line| line.contains("/a-")), "{:#?}", changes(&found));
    assert_eq!(refusals(&found).iter().filter(|(rule, ..)| *rule == "shared").count(), 3);
    assert!(changes(&found).contains(&"CreatePolicy OrganizationPolicy/guard".to_owned()));

    // What nothing tells apart is nobody's.
    let found = planned(&world, &Memory::default(), &[owners(), newcomers(1)].concat()).await;
    assert_eq!(changes(&found), ["EnablePolicyType Organization/org"]);
    let shared: Vec<_> = refusals(&found).into_iter().filter(|(rule, ..)| *rule == "shared").collect();
    assert_eq!(shared.len(), 6, "{shared:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_id_in_a_manifest_does_not_take_what_carries_the_tag_of_another_object() {
    let (world, memory) = settle(&owners()).await;
    let id = unit_id(&world, "Production").to_string();
    let thief = with_id(aged(unit("a-prod", "Renamed"), 0), &id);
    let found = planned(&world, &memory, &[owners(), vec![thief.clone()]].concat()).await;
    assert_eq!(changes(&found), Vec::<String>::new());
    assert_eq!(refusals(&found)[0].0, "shared");
    // An object with a new name takes up what the old one had.
    let renamed: Vec<Value> = owners().into_iter().filter(|o| o["metadata"]["name"] != "prod").collect();
    let renamed: Vec<Value> = renamed.into_iter().filter(|o| o["kind"] != "OrganizationPolicy").collect();
    let found = planned(&world, &memory, &[renamed, vec![thief]].concat()).await;
    let unit = "OrganizationalUnit/a-prod";
    assert_eq!(changes(&found), [format!("UpdateOrganizationalUnit {unit}"), format!("TagResource {unit}")]);
}

#[tokio::test(start_paused = true)]
async fn two_that_are_bound_to_one_id_without_a_tag_are_told_apart_by_their_age() {
    let world = world(MANAGEMENT);
    let id = world.with(|state| {
        let root = state.root_node();
        state.add_unit(&root, "Production")
    });
    let objects = |age| {
        let older = with_id(aged(unit("prod", "Production"), 1), id.as_str());
        let other = with_id(aged(unit("a-prod", "Production"), age), id.as_str());
        [aged(organization(json!({})), 0), older, other]
    };
    let found = planned(&world, &Memory::default(), &objects(2)).await;
    assert!(changes(&found).contains(&"TagResource OrganizationalUnit/prod".to_owned()));
    assert_eq!(refusals(&found)[0].1, "OrganizationalUnit/a-prod");
    let found = planned(&world, &Memory::default(), &objects(1)).await;
    assert_eq!(refusals(&found).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_a_selector_matches_does_not_stop_the_policy() {
    let labelled = |mut object: Value| {
        object["metadata"]["labels"] = json!({"exempt": "true"});
        object
    };
    let mut guard = policy("guard", "Guard", "prod");
    guard["spec"]["excluding"] = json!([{"selector": {"matchLabels": {"exempt": "true"}}}]);
    let mut objects = owners();
    objects[3] = aged(guard, 1);
    let (world, memory) = settle(&objects).await;
    let guard = world.with(|s| s.policies().iter().find(|(_, p)| p.name == "Guard").unwrap().0.clone());
    world.foreign(&Request::DetachPolicy { policy: guard, target: unit_id(&world, "Production") }).unwrap();
    let mut newcomer = labelled(aged(account("a-data", "data@example.com"), 2));
    newcomer["spec"]["organizationalUnitRef"] = json!({"name": "prod"});
    objects.push(newcomer);
    let found = planned(&world, &memory, &objects).await;
    assert_eq!(changes(&found), ["AttachPolicy OrganizationPolicy/guard"]);
}

#[test]
fn a_newcomer_does_not_push_a_policy_out_of_the_slots_of_a_node() {
    let mut objects = vec![aged(organization(json!({})), 0), aged(unit("prod", "Production"), 0)];
    for index in 0..9 {
        objects.push(aged(policy(&format!("p{index}"), &format!("p{index}"), "prod"), 0));
    }
    objects.push(aged(policy("a-newcomer", "a-newcomer", "prod"), 1));
    let read: Vec<Manifest> = objects.iter().map(|object| Manifest::of_value(object).0.unwrap()).collect();
    let (desired, issues) = build_from(&read.iter().collect::<Vec<_>>(), None);
    let errors: Vec<_> = issues.iter().filter(|i| i.severity == bylaw::desired::Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].object.as_deref(), Some("OrganizationPolicy/a-newcomer"));
    assert_eq!(desired.unwrap().policies.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_taken_over_by_its_e_mail_only_where_the_manifest_says_so() {
    let world = world(MANAGEMENT);
    let id: bylaw::names::AccountId = "222222222222".parse().unwrap();
    world.with(|state| {
        let parent = state.root_node();
        let account = bylaw::aws::offline::Account {
            name: "data".into(),
            email: "Data@example.com".into(),
            state: bylaw::aws::port::AccountState::Active,
            parent,
            tags: [].into(),
            contacts: [].into(),
        };
        state.put_account(id.clone(), account);
    });
    let objects = |more: &str| {
        let mut data = account("data", "data@example.com");
        if !more.is_empty() {
            data["spec"]["adoptionPolicy"] = json!(more);
        }
        [organization(json!({"policyTypes": []})), data]
    };
    for unasked in ["", "Create"] {
        let found = planned(&world, &Memory::default(), &objects(unasked)).await;
        assert_eq!(changes(&found), Vec::<String>::new());
        let [(rule, _, told)] = &refusals(&found)[..] else { panic!("{:#?}", refusals(&found)) };
        assert_eq!(*rule, "exists");
        for said in ["`222222222222`", "accountId: \"222222222222\"", "adoptionPolicy: AdoptOrCreate"] {
            assert!(told.contains(said), "{told}");
        }
    }
    for asked in ["Adopt", "AdoptOrCreate"] {
        let found = planned(&world, &Memory::default(), &objects(asked)).await;
        assert_eq!(changes(&found), ["TagResource Account/data"]);
    }
    // What bylaw itself made is found again without a word.
    tag(&world, &NodeId::Account(id.clone()), "bylaw.dev/resource", "Account/data");
    let found = planned(&world, &Memory::default(), &objects("")).await;
    assert!(found.plan.is_empty(), "{:#?}", found.plan);
    // Not where another Organization object made it.
    tag(&world, &NodeId::Account(id), "bylaw.dev/managed-by", "other");
    let found = planned(&world, &Memory::default(), &objects("AdoptOrCreate")).await;
    assert_eq!((changes(&found), refusals(&found)[0].0), (vec![], "managed-by-another"));
}

#[tokio::test(start_paused = true)]
async fn adoption_by_id_writes_the_tags_like_every_other_adoption() {
    let world = world(MANAGEMENT);
    let id = world.with(|state| {
        let root = state.root_node();
        state.add_unit(&root, "Production")
    });
    let objects = |more: Value, unit: Value| [organization(more), with_id(unit, id.as_str())];
    let always = cluster(&objects(json!({"policyTypes": []}), unit("prod", "Production")));
    let options = Options::default();
    let mut memory = Memory::default();
    let first = plan(&world, &always, &memory, &options).await;
    assert_eq!(changes(&first), ["TagResource OrganizationalUnit/prod"]);

    // As `bylaw import` writes it: nothing, until something changes.
    let quiet = json!({"policyTypes": [], "adoptionTags": "WithChanges"});
    let found = planned(&world, &memory, &objects(quiet.clone(), unit("prod", "Production"))).await;
    assert!(found.plan.is_empty(), "{:#?}", found.plan);
    let found = planned(&world, &memory, &objects(quiet.clone(), unit("prod", "Prod"))).await;
    let unit_key = "OrganizationalUnit/prod";
    assert_eq!(changes(&found), [format!("UpdateOrganizationalUnit {unit_key}"), format!("TagResource {unit_key}")]);

    let report = apply(&world, &always, first, &mut memory, &options).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    let has = tags(&world, &NodeId::Unit(id.clone()));
    let own = [
        ("bylaw.dev/adopted", "true"),
        ("bylaw.dev/managed-by", "org"),
        ("bylaw.dev/resource", "OrganizationalUnit/prod"),
    ];
    assert_eq!(has, own.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

/// What another Organization object manages, under the names and keys of ours.
async fn managed_by_another() -> (Offline, Memory) {
    let mut objects = owners();
    objects[1]["spec"]["deletionPolicy"] = json!("Delete");
    objects[3]["spec"]["deletionPolicy"] = json!("Delete");
    objects[0]["metadata"]["name"] = json!("other");
    let (world, _) = settle(&objects).await;
    (world, Memory::default())
}

#[tokio::test(start_paused = true)]
async fn what_another_organization_object_manages_is_left_alone_until_a_person_says_to_take_it_over() {
    let (world, memory) = managed_by_another().await;
    let prod = unit_id(&world, "Production").to_string();
    let by_id = |mut objects: Vec<Value>| {
        objects[1] = with_id(objects[1].clone(), &prod);
        objects
    };
    for objects in [owners(), by_id(owners())] {
        let found = planned(&world, &memory, &objects).await;
        assert_eq!(changes(&found), Vec::<String>::new());
        let refusals = refusals(&found);
        assert_eq!(refusals.len(), 3, "{refusals:#?}");
        for (rule, _, told) in refusals {
            assert_eq!(rule, "managed-by-another");
            assert!(told.contains("`other`") && told.contains("`bylaw.dev/take-over: other`"), "{told}");
        }
    }
    // A word about somebody else is none about this one.
    let said = |word: &str, objects: Vec<Value>| -> Vec<Value> {
        objects.into_iter().map(|object| with_annotation(object, "bylaw.dev/take-over", word)).collect()
    };
    let found = planned(&world, &memory, &said("third", owners())).await;
    assert_eq!((changes(&found), refusals(&found).len()), (vec![], 3));
    let on_root_alone = || {
        let mut objects = owners();
        objects[0] = with_annotation(objects[0].clone(), "bylaw.dev/take-over", "other");
        objects
    };
    for objects in [said("other", owners()), said("true", by_id(owners())), on_root_alone()] {
        let found = planned(&world, &memory, &objects).await;
        let tagged = |key: &str| format!("TagResource {key}");
        let want = ["OrganizationalUnit/prod", "Account/data", "OrganizationPolicy/guard"].map(tagged);
        assert_eq!((changes(&found), refusals(&found).len()), (want.to_vec(), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_organization_object_manages_is_neither_deleted_nor_detached() {
    let (world, memory) = managed_by_another().await;
    let prod = unit_id(&world, "Production");
    let none = cluster(&[organization(json!({"attachments": "Exclusive"}))]);
    let options = Options { prune: true, ..Options::default() };
    let found = plan(&world, &none, &memory, &options).await;
    assert!(found.plan.is_empty(), "{:#?}", found.plan);
    // On a node of ours that is exclusive, it is told.
    let guard = world.with(|s| s.policies().iter().find(|(_, p)| p.name == "Guard").unwrap().0.clone());
    let root = world.state().root_node();
    world.foreign(&Request::AttachPolicy { policy: guard.clone(), target: root.clone() }).unwrap();
    let found = plan(&world, &none, &memory, &options).await;
    assert_eq!((changes(&found), refusals(&found)[0].0), (vec![], "managed-by-another"));
    assert!(world.with(|state| state.is_attached(&guard, &prod)));
    assert!(world.with(|state| state.is_enabled(&PolicyType::scp())));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_the_same_name_under_another_organization_object_is_no_reason_to_touch_its_unit() {
    let (world, memory) = managed_by_another().await;
    // Another `prod`, elsewhere: found neither by the other's tag nor by its name.
    let objects = [organization(json!({})), unit("prod", "Elsewhere")];
    let found = planned(&world, &memory, &objects).await;
    assert_eq!(changes(&found), ["CreateOrganizationalUnit OrganizationalUnit/prod"]);
}

#[tokio::test(start_paused = true)]
async fn whose_an_object_is_that_was_not_read_is_not_guessed() {
    let (world, memory) = settle(&owners()).await;
    let id = unit_id(&world, "Production");
    let mut found = planned(&world, &memory, &owners()).await;
    let NodeId::Unit(unit) = &id else { unreachable!() };
    let lost = bylaw::observed::Part::Unreadable {
        error: "AWS did not answer".into(),
        remedy: None,
        at: found.observed.lists_at,
    };
    found.observed.units.get_mut(unit).unwrap().tags = lost;
    let mut objects = owners();
    objects[1] = with_id(objects[1].clone(), id.as_str());
    objects.extend(newcomers(2));
    let now = found.observed.lists_at;
    let again = bylaw::pass::plan_offline(&cluster(&objects), found.observed, &memory, &Options::default(), now);
    assert_eq!(changes(&again), Vec::<String>::new());
    for name in ["prod", "a-prod"] {
        let key = ObjectKey::new(Kind::OrganizationalUnit, name);
        let held = |refusal: &&Refusal| refusal.object == key || refusal.objects.contains(&key);
        let rules: Vec<_> = again.plan.refusals.iter().filter(held).map(|refusal| refusal.rule).collect();
        assert!(!rules.is_empty() && rules.iter().all(|rule| *rule == "partial-read"), "{name}: {rules:?}");
    }
}
