//! The organization in memory held to moto: the same random conversations with both, the same answers up to ids. Where
//! the two differ, [`KNOWN`] says which of them is AWS, and why; a difference that is not there fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use bylaw::aws::dice::Dice;
use bylaw::aws::offline::{Offline, Options};
use bylaw::aws::port::{Creation, Resource};
use bylaw::aws::{AwsError, Port, Request, Response};
use bylaw::names::{AccountId, NodeId, PolicyId, PolicyType, Tags, UnitId};

use crate::support::moto::{Organization, moto};

/// What moto does with a request that AWS, and the organization in memory, refuses.
enum Moto {
    /// Takes it and changes nothing; it is sent, so that a moto that learns the rule is noticed.
    Ignores,
    /// Takes it and does what AWS never would; it is not sent, or nothing could be compared any more.
    Obeys,
    /// Refuses it with another code.
    Says(&'static str),
}
use Moto::{Ignores, Obeys, Says};

/// Operation, code of AWS (of the API model: the operation's declared errors), what moto does, and the fact that decides.
/// "facts" is aws-facts.
const KNOWN: &[(&str, &str, Moto, &str)] = &[
    ("AttachPolicy", "DuplicatePolicyAttachmentException", Ignores, "facts 1: attached already"),
    ("AttachPolicy", "PolicyTypeNotEnabledException", Obeys, "API model: the type has to be on at the root"),
    ("AttachPolicy", "ConstraintViolationException", Obeys, "facts 2: slots of a node"),
    ("AttachPolicy", "TargetNotFoundException", Says("OrganizationalUnitNotFoundException"), "API model"),
    ("AttachPolicy", "TargetNotFoundException", Says("AccountNotFoundException"), "API model"),
    ("DetachPolicy", "PolicyNotAttachedException", Ignores, "facts 1: detached already"),
    ("DetachPolicy", "ConstraintViolationException", Obeys, "facts 2: at least one SCP stays"),
    ("DetachPolicy", "InvalidInputException", Obeys, "facts 2: RCPFullAWSAccess cannot be detached"),
    ("DetachPolicy", "TargetNotFoundException", Says("OrganizationalUnitNotFoundException"), "API model"),
    ("DetachPolicy", "TargetNotFoundException", Says("AccountNotFoundException"), "API model"),
    ("MoveAccount", "DuplicateAccountException", Ignores, "facts 1: there already"),
    ("MoveAccount", "SourceParentNotFoundException", Obeys, "facts 1: needs the exact source"),
    ("MoveAccount", "DestinationParentNotFoundException", Says("ParentNotFoundException"), "API model"),
    (
        "CreateOrganizationalUnit",
        "DuplicateOrganizationalUnitException",
        Obeys,
        "facts 2: names are unique in a parent",
    ),
    ("CreateOrganizationalUnit", "ConstraintViolationException", Obeys, "facts 2: 5 levels"),
    ("CreateOrganizationalUnit", "ParentNotFoundException", Obeys, "API model"),
    ("DeleteOrganizationalUnit", "OrganizationalUnitNotEmptyException", Obeys, "facts 1: has to be empty"),
    ("UpdatePolicy", "InvalidInputException", Obeys, "API model: IMMUTABLE_POLICY"),
    ("CloseAccount", "ConstraintViolationException", Obeys, "API model: CANNOT_CLOSE_MANAGEMENT_ACCOUNT"),
    ("ListPoliciesForTarget", "TargetNotFoundException", Says("OrganizationalUnitNotFoundException"), "API model"),
    ("ListPoliciesForTarget", "TargetNotFoundException", Says("AccountNotFoundException"), "API model"),
];

/// One side: the port, and the ids that the conversation has made there, at the same index on both sides.
struct World<'a> {
    port: &'a dyn Port,
    /// moto: forgets nothing of a deleted OU.
    ghosts: bool,
    root: NodeId,
    management: AccountId,
    units: Vec<UnitId>,
    accounts: Vec<AccountId>,
    policies: Vec<PolicyId>,
    creations: Vec<String>,
    dead: BTreeSet<usize>,
}

#[derive(Clone, Copy)]
enum Node {
    Root,
    Unit(usize),
    Account(usize),
    /// An account of some other organization.
    Nobody,
}

type Step = Box<dyn Fn(&World<'_>) -> Request>;

impl<'a> World<'a> {
    async fn new(port: &'a dyn Port, ghosts: bool) -> Self {
        let Ok(Response::Organization(fact)) = port.call(&Request::DescribeOrganization).await else { panic!() };
        let Ok(Response::Roots(page)) = port.call(&Request::ListRoots { token: None }).await else { panic!() };
        Self {
            port,
            ghosts,
            root: page.items[0].id.clone().into(),
            accounts: vec![fact.management_account.clone()],
            management: fact.management_account,
            units: vec![],
            policies: vec!["p-FullAWSAccess".parse().unwrap(), "p-RCPFullAWSAccess".parse().unwrap()],
            creations: vec![],
            dead: BTreeSet::new(),
        }
    }

    fn node(&self, node: Node) -> NodeId {
        match node {
            Node::Root => self.root.clone(),
            Node::Unit(n) => self.units[n].clone().into(),
            Node::Account(n) => self.accounts[n].clone().into(),
            Node::Nobody => "999999999999".parse().unwrap(),
        }
    }

    /// Every page of the answer, as sorted lines without ids.
    async fn ask(&mut self, request: &Request) -> Result<Vec<String>, AwsError> {
        let (mut request, mut lines) = (request.clone(), vec![]);
        loop {
            let response = self.port.call(&request).await?;
            let next = response.next().map(str::to_owned);
            self.learn(&response).await;
            lines.extend(self.lines(&request, response));
            let Some(next) = next else {
                let mut lines: Vec<String> = lines.iter().map(|line| self.without_ids(line)).collect();
                lines.sort();
                return Ok(lines);
            };
            request = request.page(&next);
        }
    }

    async fn learn(&mut self, response: &Response) {
        match response {
            Response::UnitCreated(unit) => self.units.push(unit.id.clone()),
            Response::PolicyCreated(policy) if !self.policies.contains(&policy.id) => {
                self.policies.push(policy.id.clone());
            }
            Response::Creation(creation) if !self.creations.contains(&creation.id) => {
                self.creations.push(creation.id.clone());
                // AWS, and the organization in memory, create later; moto at once.
                let again = Request::DescribeCreateAccountStatus { id: creation.id.clone() };
                let Ok(Response::Creation(done)) = self.port.call(&again).await else { panic!() };
                self.accounts.push(done.account.unwrap());
            }
            _ => {}
        }
    }

    fn lines(&self, request: &Request, response: Response) -> Vec<String> {
        fn each<T: std::fmt::Debug>(items: Vec<T>) -> Vec<String> {
            items.into_iter().map(|item| format!("{item:?}")).collect()
        }
        let creation = |creation: Creation| Creation { requested: None, ..creation };
        match response {
            Response::Roots(page) => each(
                page.items
                    .into_iter()
                    .map(|mut root| {
                        root.policy_types.sort_by(|(a, _), (b, _)| a.cmp(b));
                        root
                    })
                    .collect(),
            ),
            // The management account's own name and e-mail are whatever the maker of the organization says.
            Response::Accounts(page) => {
                each(page.items.into_iter().filter(|account| account.id != self.management).collect())
            }
            Response::Account(account) if account.id == self.management => vec!["management account".into()],
            Response::Units(page) => each(page.items),
            // Words of AWS's own policies are AWS's; ids, names and types are compared.
            Response::Policies(page) => page
                .items
                .into_iter()
                .map(|policy| {
                    let description = if policy.aws_managed { "" } else { &policy.description };
                    format!("{} {} {} {} {description}", policy.id, policy.kind, policy.name, policy.aws_managed)
                })
                .collect(),
            Response::Policy { summary, .. } if summary.aws_managed => vec![summary.name],
            Response::Targets(page) => {
                let gone: BTreeSet<&str> = self.dead.iter().map(|n| self.units[*n].as_str()).collect();
                let here = |node: &NodeId| !self.ghosts || !gone.contains(node.as_str());
                each(page.items.into_iter().filter(here).collect())
            }
            Response::Tags(page) => each(page.items),
            // moto lists the management account as if it had been created.
            Response::Creations(page) => {
                each(page.items.into_iter().filter(|one| self.creations.contains(&one.id)).map(creation).collect())
            }
            Response::Creation(one) if matches!(request, Request::CreateAccount { .. }) => vec![one.account_name],
            Response::Creation(one) => each(vec![creation(one)]),
            other => vec![format!("{other:?}")],
        }
    }

    fn without_ids(&self, line: &str) -> String {
        let units = self.units.iter().map(UnitId::as_str).enumerate().map(|(n, id)| (id, format!("<unit {n}>")));
        let accounts =
            self.accounts.iter().map(AccountId::as_str).enumerate().map(|(n, id)| (id, format!("<account {n}>")));
        let policies =
            self.policies.iter().map(PolicyId::as_str).enumerate().map(|(n, id)| (id, format!("<policy {n}>")));
        let creations =
            self.creations.iter().map(String::as_str).enumerate().map(|(n, id)| (id, format!("<creation {n}>")));
        let mut line = line.replace(self.root.as_str(), "<root>");
        for (id, label) in units.chain(accounts).chain(policies).chain(creations) {
            line = line.replace(id, &label);
        }
        line
    }
}

const KINDS: [&str; 3] = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY"];

fn content(kind: &str, n: usize) -> String {
    match kind {
        "SERVICE_CONTROL_POLICY" => {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"s3:Get{n}*","Resource":"*"}}]}}"#
            )
        }
        "RESOURCE_CONTROL_POLICY" => format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":"s3:Get{n}*","Resource":"*"}}]}}"#
        ),
        _ => format!(r#"{{"tags":{{"k{n}":{{"tag_key":{{"@@assign":"k{n}"}}}}}}}}"#),
    }
}

/// Draws the next step. Now and then it names something that was deleted, or does what was done.
fn draw(dice: &mut Dice, world: &World<'_>, n: usize) -> Step {
    let unit = |dice: &mut Dice| dice.below(world.units.len());
    let account = |dice: &mut Dice| dice.below(world.accounts.len());
    let policy = |dice: &mut Dice| dice.below(world.policies.len());
    let parent = |dice: &mut Dice| {
        match dice.below(10) {
            _ if world.units.is_empty() => Node::Root,
            0..=2 => Node::Root,
            // The newest, so that some branches grow deep.
            3..=5 => Node::Unit(world.units.len() - 1),
            _ => Node::Unit(dice.below(world.units.len())),
        }
    };
    let node = |dice: &mut Dice| match dice.below(20) {
        0 => Node::Nobody,
        1..=6 => Node::Account(account(dice)),
        7..=10 => Node::Root,
        _ => parent(dice),
    };
    let tags = |dice: &mut Dice| -> Tags {
        (0..dice.below(3)).map(|_| (format!("k{}", dice.below(4)), format!("v{}", dice.below(3)))).collect()
    };
    let resource = |dice: &mut Dice| -> Box<dyn Fn(&World<'_>) -> Resource> {
        // AWS's own policies carry no tags that anybody could write.
        if world.policies.len() > 2 && dice.chance(0.3) {
            let p = 2 + dice.below(world.policies.len() - 2);
            return Box::new(move |w| Resource::Policy(w.policies[p].clone()));
        }
        let node = node(dice);
        Box::new(move |w| Resource::Node(w.node(node)))
    };
    match dice.below(if world.units.is_empty() { 6 } else { 20 }) {
        0 | 1 => {
            let (parent, tags, name) = (parent(dice), tags(dice), format!("unit {}", dice.below(8)));
            Box::new(move |w| Request::CreateOrganizationalUnit {
                parent: w.node(parent),
                name: name.clone(),
                tags: tags.clone(),
            })
        }
        2 => {
            let tags = tags(dice);
            Box::new(move |_| Request::CreateAccount {
                name: format!("account {n}"),
                email: format!("a{n}@example.com"),
                role_name: None,
                tags: tags.clone(),
            })
        }
        3..=5 => {
            let (kind, tags) = (KINDS[dice.below(3)], tags(dice));
            let name = format!("{kind} {}", dice.below(n + 1));
            Box::new(move |_| Request::CreatePolicy {
                kind: PolicyType::new(kind),
                name: name.clone(),
                description: format!("d{n}"),
                content: content(kind, n),
                tags: tags.clone(),
            })
        }
        6 | 7 => {
            let (account, to, wrong) = (account(dice), parent(dice), dice.chance(0.1));
            // The true source is not known here: the step reads it.
            let from = if wrong { Some(parent(dice)) } else { None };
            Box::new(move |w| Request::MoveAccount {
                account: w.accounts[account].clone(),
                from: from.map_or_else(|| w.root.clone(), |from| w.node(from)),
                to: w.node(to),
            })
        }
        8..=12 => {
            let (policy, node) = (policy(dice), node(dice));
            Box::new(move |w| Request::AttachPolicy { policy: w.policies[policy].clone(), target: w.node(node) })
        }
        13 | 14 => {
            let (policy, node) = (policy(dice), node(dice));
            Box::new(move |w| Request::DetachPolicy { policy: w.policies[policy].clone(), target: w.node(node) })
        }
        15 => {
            let (unit, name) = (unit(dice), format!("renamed {n}"));
            Box::new(move |w| Request::UpdateOrganizationalUnit { unit: w.units[unit].clone(), name: name.clone() })
        }
        16 => {
            let unit = unit(dice);
            Box::new(move |w| Request::DeleteOrganizationalUnit { unit: w.units[unit].clone() })
        }
        17 => {
            let policy = policy(dice);
            match dice.below(3) {
                0 => Box::new(move |w| Request::DeletePolicy {
                    policy: w.policies[policy.max(2) % w.policies.len()].clone(),
                }),
                1 => Box::new(move |w| Request::DescribePolicy {
                    policy: w.policies[policy.max(2) % w.policies.len()].clone(),
                }),
                _ => Box::new(move |w| Request::UpdatePolicy {
                    policy: w.policies[policy].clone(),
                    name: None,
                    description: Some(format!("changed {n}")),
                    content: None,
                }),
            }
        }
        18 => {
            let (resource, tags, keys) = (resource(dice), tags(dice), vec![format!("k{}", dice.below(4))]);
            if !tags.is_empty() && dice.chance(0.6) {
                Box::new(move |w| Request::TagResource { resource: resource(w), tags: tags.clone() })
            } else {
                Box::new(move |w| Request::UntagResource { resource: resource(w), keys: keys.clone() })
            }
        }
        _ => {
            let account = account(dice);
            let (node, kind) = (node(dice), PolicyType::new(KINDS[dice.below(3)]));
            match dice.below(5) {
                0 => Box::new(move |w| Request::CloseAccount { account: w.accounts[account].clone() }),
                1 => Box::new(move |w| Request::DescribeAccount { account: w.accounts[account].clone() }),
                2 if !matches!(node, Node::Account(_) | Node::Nobody) => {
                    Box::new(move |w| Request::ListOrganizationalUnitsForParent { parent: w.node(node), token: None })
                }
                2 | 3 => Box::new(move |w| Request::ListPoliciesForTarget {
                    target: w.node(node),
                    kind: kind.clone(),
                    token: None,
                }),
                _ => Box::new(move |w| Request::ListParents { child: w.accounts[account].clone().into() }),
            }
        }
    }
}

/// The lines of an answer that the other one lacks, or its error.
fn alone(one: &Result<Vec<String>, AwsError>, other: &Result<Vec<String>, AwsError>) -> Vec<String> {
    let other = other.as_ref().map(Vec::as_slice).unwrap_or_default();
    match one {
        Ok(lines) => lines.iter().filter(|line| !other.contains(line)).cloned().collect(),
        Err(error) => vec![format!("{error:?}")],
    }
}

struct Both<'a> {
    offline: World<'a>,
    moto: World<'a>,
    seed: u64,
    told: String,
    /// How often each row of [`KNOWN`] was met.
    met: BTreeMap<usize, usize>,
    compared: usize,
}

impl Both<'_> {
    /// Sends one step to both sides; `true` where both did it.
    async fn step(&mut self, step: &dyn Fn(&World<'_>) -> Request) -> bool {
        let (here, there) = (step(&self.offline), step(&self.moto));
        let operation = here.operation();
        let _ = writeln!(self.told, "  {here:?}");
        let answer = self.offline.ask(&here).await;
        let code = answer.as_ref().err().map(|error| error.code.clone());
        let rows: Vec<(usize, &Moto)> = (KNOWN.iter().enumerate())
            .filter(|(_, row)| row.0 == operation && code.as_deref() == Some(row.1))
            .map(|(n, row)| (n, &row.2))
            .collect();
        if let Some((n, _)) = rows.iter().find(|(_, known)| matches!(known, Obeys)) {
            *self.met.entry(*n).or_default() += 1;
            return false;
        }
        let other = self.moto.ask(&there).await;
        let known = rows.iter().find(|(_, known)| match (known, &other) {
            (Ignores, Ok(_)) => true,
            (Says(code), Err(error)) => error.code == *code,
            _ => false,
        });
        self.compared += 1;
        match (known, &answer, &other) {
            (Some((n, _)), _, _) => {
                *self.met.entry(*n).or_default() += 1;
                false
            }
            (None, Ok(a), Ok(b)) if a == b => true,
            (None, Err(a), Err(b)) if a.code == b.code && a.class == b.class => false,
            _ => panic!(
                "seed {}: {here:?}\n  in memory alone: {:#?}\n  moto alone:      {:#?}\nbefore it:\n{}\n{}",
                self.seed,
                alone(&answer, &other),
                alone(&other, &answer),
                self.told,
                moto().errors()
            ),
        }
    }

    /// Makes an OU free of policies of ours, since moto would keep their attachments, and deletes it.
    async fn delete_unit(&mut self, unit: usize) {
        for policy in 2..self.offline.policies.len() {
            let request = Request::ListTargetsForPolicy { policy: self.offline.policies[policy].clone(), token: None };
            match self.offline.port.call(&request).await {
                Ok(Response::Targets(page)) if page.items.contains(&self.offline.node(Node::Unit(unit))) => {}
                _ => continue,
            }
            self.step(&|w| Request::DetachPolicy {
                policy: w.policies[policy].clone(),
                target: w.node(Node::Unit(unit)),
            })
            .await;
        }
        if self.step(&|w| Request::DeleteOrganizationalUnit { unit: w.units[unit].clone() }).await {
            self.offline.dead.insert(unit);
            self.moto.dead.insert(unit);
        }
    }

    /// What chance seldom comes to: a tree as deep as AWS lets it be, a node with all its slots taken, a deleted OU.
    async fn reach_the_limits(&mut self) {
        let mut parent = Node::Root;
        for level in 1..=6 {
            let name = format!("level {level}");
            let create = |w: &World<'_>| Request::CreateOrganizationalUnit {
                parent: w.node(parent),
                name: name.clone(),
                tags: Tags::new(),
            };
            assert_eq!(self.step(&create).await, level <= 5, "level {level}");
            parent = Node::Unit(self.offline.units.len() - 1);
        }
        for n in 1..=5 {
            let (kind, text) = (PolicyType::rcp(), content(KINDS[1], n));
            let create = |_: &World<'_>| Request::CreatePolicy {
                kind: kind.clone(),
                name: format!("slot {n}"),
                description: String::new(),
                content: text.clone(),
                tags: Tags::new(),
            };
            assert!(self.step(&create).await);
            let attach = |w: &World<'_>| Request::AttachPolicy {
                policy: w.policies.last().unwrap().clone(),
                target: w.node(parent),
            };
            assert_eq!(self.step(&attach).await, n <= 4, "slot {n}: AWS's own takes one of 5");
        }
        self.delete_unit(self.offline.units.len() - 1).await;
        let list = |w: &World<'_>| Request::ListOrganizationalUnitsForParent { parent: w.node(parent), token: None };
        self.step(&list).await;
    }

    /// Reads everything from both.
    async fn read_all(&mut self) {
        self.step(&|_| Request::ListRoots { token: None }).await;
        self.step(&|_| Request::ListAccounts { token: None }).await;
        self.step(&|_| Request::ListCreateAccountStatus { token: None }).await;
        let live = (0..self.offline.units.len()).filter(|unit| !self.offline.dead.contains(unit));
        let parents: Vec<Node> = std::iter::once(Node::Root).chain(live.map(Node::Unit)).collect();
        let accounts = (0..self.offline.accounts.len()).map(Node::Account);
        let nodes: Vec<Node> = parents.iter().copied().chain(accounts).collect();
        for parent in parents {
            self.step(&|w| Request::ListAccountsForParent { parent: w.node(parent), token: None }).await;
            self.step(&|w| Request::ListOrganizationalUnitsForParent { parent: w.node(parent), token: None }).await;
        }
        for node in nodes {
            self.step(&|w| Request::ListTagsForResource { resource: Resource::Node(w.node(node)), token: None }).await;
            for kind in KINDS {
                let kind = PolicyType::new(kind);
                self.step(&|w| Request::ListPoliciesForTarget {
                    target: w.node(node),
                    kind: kind.clone(),
                    token: None,
                })
                .await;
            }
            if !matches!(node, Node::Root) {
                self.step(&|w| Request::ListParents { child: w.node(node) }).await;
            }
        }
        for kind in KINDS {
            self.step(&|_| Request::ListPolicies { kind: PolicyType::new(kind), token: None }).await;
        }
        for policy in 0..self.offline.policies.len() {
            self.step(&|w| Request::ListTargetsForPolicy { policy: w.policies[policy].clone(), token: None }).await;
            if policy > 1 {
                self.step(&|w| Request::DescribePolicy { policy: w.policies[policy].clone() }).await;
            }
        }
    }
}

async fn converse(seed: u64, steps: usize) -> (BTreeMap<usize, usize>, usize) {
    let mut dice = Dice::new(seed);
    let org = Organization::create().await;
    let offline = Offline::new(Options {
        seed,
        creation_delay: Duration::ZERO,
        closing_delay: Duration::ZERO,
        ..Options::default()
    });
    let mut both = Both {
        offline: World::new(&offline, false).await,
        moto: World::new(&org.sdk, true).await,
        seed,
        told: String::new(),
        met: BTreeMap::new(),
        compared: 0,
    };
    for n in 0..steps {
        // Tag policies come on late, so that some cannot be attached before.
        let enabled: &[&str] = match n {
            0 => &KINDS[..2],
            n if n == steps / 2 => &KINDS[2..],
            _ => &[],
        };
        for kind in enabled {
            let enable = |w: &World<'_>| {
                let NodeId::Root(root) = w.root.clone() else { panic!() };
                Request::EnablePolicyType { root, kind: PolicyType::new(kind) }
            };
            assert!(both.step(&enable).await, "{kind}");
            assert!(!both.step(&enable).await, "{kind}: on already");
        }
        let step = draw(&mut dice, &both.offline, n);
        match step(&both.offline) {
            Request::DeleteOrganizationalUnit { unit } => {
                let unit = both.offline.units.iter().position(|other| *other == unit).unwrap();
                both.delete_unit(unit).await;
            }
            // Mostly from where the account is.
            Request::MoveAccount { account, from, .. } if from == both.offline.root => {
                let child = account.into();
                let Ok(Response::Parent(parent)) = offline.call(&Request::ListParents { child }).await else {
                    panic!()
                };
                let from = both.offline.units.iter().position(|unit| NodeId::from(unit.clone()) == parent);
                both.step(&|w| match step(w) {
                    Request::MoveAccount { account, to, .. } => {
                        Request::MoveAccount { account, from: w.node(from.map_or(Node::Root, Node::Unit)), to }
                    }
                    other => other,
                })
                .await;
            }
            _ => {
                both.step(&*step).await;
            }
        }
    }
    both.reach_the_limits().await;
    both.read_all().await;
    (both.met, both.compared)
}

/// `BYLAW_SEEDS=from..to` asks for other conversations than the usual ones; a failure names its seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_organization_in_memory_answers_as_moto_does() {
    let (from, to) = std::env::var("BYLAW_SEEDS")
        .ok()
        .and_then(|text| text.split_once("..").map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())))
        .unwrap_or((0, 6));
    let mut met = BTreeMap::<usize, usize>::new();
    let mut compared = 0;
    for seed in from..to {
        let (rows, answers) = converse(seed, 120).await;
        compared += answers;
        for (row, times) in rows {
            *met.entry(row).or_default() += times;
        }
    }
    println!("{compared} answers compared in {} conversations", to - from);
    let mut never = vec![];
    for (n, (operation, code, _, fact)) in KNOWN.iter().enumerate() {
        let times = met.get(&n).copied().unwrap_or_default();
        println!("{times:5}  {operation} {code} ({fact})");
        if times == 0 {
            never.push((operation, code));
        }
    }
    assert!(compared > 1_000, "{compared}");
    assert!(never.is_empty(), "known differences that no conversation met, so that nothing holds them: {never:?}");
}
