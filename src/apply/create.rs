//! Creations: once, whatever call the process dies in. AWS refuses a second of the same name or e-mail; what was made by a
//! life that did not live to see the answer is known by bylaw's tag and taken up.

use std::collections::BTreeSet;
use std::time::Duration;

use super::check::{garbage, held, tags};
use super::effect::Made;
use super::ledger::Outcome;
use crate::aws::error::EMAIL_TAKEN;
use crate::aws::port::{Creation, CreationState, Resource};
use crate::aws::{AwsError, ErrorClass, Port, Request, Response};
use crate::names::{AccountId, NodeId, ObjectKey, TAG_MANAGED_BY, TAG_RESOURCE, Tags};
use crate::observed::{Clock, pages};

/// How soon the state of an account creation is asked for first, before it is known how long one takes; each further
/// time after twice as long.
const FIRST_POLL: Duration = Duration::from_millis(250);
/// How often it is asked for at last (`DescribeCreateAccountStatus` has 2/s for all).
const POLL: Duration = Duration::from_secs(5);
/// How often a creation is looked for whose answer was lost.
const LOOKS: u32 = 3;
/// How long one run waits for one account; the next goes on with it.
const PATIENCE: Duration = Duration::from_secs(600);

/// What became of a creation.
pub(super) type Creating = Result<(Outcome, Made), AwsError>;

/// What is there already is taken up, unless somebody holds it: the plan, which did not see it, judged by no hold.
fn taken_up(made: Made, has: &Tags, port: &dyn Port, clock: Clock<'_>) -> (Outcome, Made) {
    match held(has, port, clock) {
        Some(found) => (Outcome::Changed { found }, Made::Nothing),
        None => (Outcome::AlreadyDone, made),
    }
}

/// The object of that name that is there and carries `object`'s tag: made by an earlier life. `None`: there is none.
///
/// # Errors
/// AWS's error.
pub(super) async fn made_before(
    port: &dyn Port,
    request: &Request,
    object: &ObjectKey,
    clock: Clock<'_>,
) -> Result<Option<(Outcome, Made)>, AwsError> {
    let found = match request {
        Request::CreateOrganizationalUnit { parent, name, .. } => {
            let first = Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token: None };
            let mut found = None;
            for page in pages(port, first).await? {
                let Response::Units(page) = page else { return Err(garbage("ListOrganizationalUnitsForParent")) };
                found = found.or(page.items.into_iter().find(|unit| unit.name == *name));
            }
            found.map(|unit| (Resource::Node(NodeId::Unit(unit.id.clone())), Made::Unit(unit.id)))
        }
        Request::CreatePolicy { kind, name, .. } => {
            let mut found = None;
            for page in pages(port, Request::ListPolicies { kind: kind.clone(), token: None }).await? {
                let Response::Policies(page) = page else { return Err(garbage("ListPolicies")) };
                found = found.or(page.items.into_iter().find(|policy| policy.name == *name));
            }
            found.map(|policy| (Resource::Policy(policy.id.clone()), Made::Policy(policy.id)))
        }
        Request::CreateAccount { email, .. } => {
            let mut found = None;
            for page in pages(port, Request::ListAccounts { token: None }).await? {
                let Response::Accounts(page) = page else { return Err(garbage("ListAccounts")) };
                found = found.or(page.items.into_iter().find(|account| account.email.eq_ignore_ascii_case(email)));
            }
            found.map(|account| (Resource::Node(NodeId::Account(account.id.clone())), Made::Account(account.id)))
        }
        _ => None,
    };
    let Some((resource, made)) = found else { return Ok(None) };
    let has = tags(port, &resource).await?;
    if !is_by(&has, request, object) {
        return Ok(None);
    }
    if let (Request::CreatePolicy { content, .. }, Resource::Policy(policy)) = (request, &resource) {
        let asked = Request::DescribePolicy { policy: policy.clone() };
        let Response::Policy { content: found, .. } = port.call(&asked).await? else {
            return Err(garbage("DescribePolicy"));
        };
        // What the plan goes on to do rests on what the policy says.
        if found != *content {
            return Ok(None);
        }
    }
    Ok(Some(taken_up(made, &has, port, clock)))
}

/// What one run knows of account creations. The lists that would tell whether one was made before have a page for every
/// twenty accounts of the organization, so they are read once a run and after an answer that leaves it open, and not for
/// each account.
#[derive(Debug, Default)]
pub(super) struct Creations {
    /// Those that were under way when the first of the run was due, and what those that were over had made.
    earlier: tokio::sync::OnceCell<Earlier>,
    /// Held while one waits for its token: what waits longer than a lease lasts would not be sent any more.
    turn: tokio::sync::Mutex<()>,
    /// Shortest time that one took.
    quickest: std::sync::Mutex<Option<Duration>>,
}

/// Account creations that are not of this run.
#[derive(Debug, Default)]
struct Earlier {
    under_way: Vec<Creation>,
    /// Accounts that AWS created and does not list yet, with their tags.
    unlisted: Vec<(AccountId, Tags)>,
}

impl Creations {
    fn quickest(&self) -> std::sync::MutexGuard<'_, Option<Duration>> {
        self.quickest.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Creates an account, or goes on with a creation that is under way under the same name. `is_listed`: whether AWS lists an
/// account.
pub(super) async fn account(
    port: &dyn Port,
    creations: &Creations,
    request: &Request,
    object: &ObjectKey,
    is_listed: &(dyn Fn(&AccountId) -> bool + Send + Sync),
    clock: Clock<'_>,
) -> Creating {
    let Request::CreateAccount { name, .. } = request else { return Err(garbage("CreateAccount")) };
    let earlier = creations.earlier.get_or_try_init(|| earlier(port, is_listed)).await?;
    if let Some((made, has)) = earlier.unlisted.iter().find(|(_, has)| is_by(has, request, object)) {
        return Ok(taken_up(Made::Account(made.clone()), has, port, clock));
    }
    for creation in earlier.under_way.iter().filter(|creation| creation.account_name == *name) {
        let (outcome, made) = wait(port, creations, creation.clone()).await?;
        // An account of the same name may be somebody else's: only the tag tells.
        match &made {
            Made::Account(id) => {
                let resource = Resource::Node(NodeId::Account(id.clone()));
                if is_of(port, &resource, request, object).await? {
                    return Ok((outcome, made));
                }
            }
            _ => return Ok((outcome, made)),
        }
    }
    let turn = creations.turn.lock().await;
    let answer = port.call(request).await;
    drop(turn);
    let (outcome, made) = match answer {
        Ok(Response::Creation(creation)) => wait(port, creations, creation).await?,
        Ok(_) => return Err(garbage("CreateAccount")),
        Err(error) if error.class == ErrorClass::Unknown => match lost(port, request, object, is_listed).await? {
            Some(creation) => {
                let is_over = creation.state == CreationState::Succeeded;
                let (outcome, made) = wait(port, creations, creation).await?;
                match &made {
                    // Two accounts can have one name: what became of this call is still open.
                    Made::Account(id) if !is_ours(port, id, request, object).await? => {
                        (Outcome::Unknown { error }, Made::Nothing)
                    }
                    // Anybody may have been at it since.
                    Made::Account(_) if is_over => (Outcome::AlreadyDone, made),
                    _ => (outcome, made),
                }
            }
            None => (Outcome::Unknown { error }, Made::Nothing),
        },
        Err(error) => return Err(error),
    };
    let taken = |error: &AwsError| error.code == EMAIL_TAKEN;
    match &outcome {
        // Perhaps it was made by an earlier life, or is over already though its answer was lost.
        Outcome::Failed { error } if taken(error) => {}
        Outcome::Unknown { .. } => {}
        _ => return Ok((outcome, made)),
    }
    Ok(made_before(port, request, object, clock).await?.unwrap_or((outcome, made)))
}

/// The creation under a name whose answer was lost: AWS may take a moment to list it.
async fn lost(
    port: &dyn Port,
    request: &Request,
    object: &ObjectKey,
    is_listed: &(dyn Fn(&AccountId) -> bool + Send + Sync),
) -> Result<Option<Creation>, AwsError> {
    let Request::CreateAccount { name, .. } = request else { return Err(garbage("CreateAccount")) };
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(POLL).await;
        }
        for creation in listed(port).await?.into_iter().filter(|creation| creation.account_name == *name) {
            // One that is over can be of long ago, and the account another's.
            let own = match (creation.state, &creation.account) {
                (CreationState::InProgress, _) => true,
                (CreationState::Succeeded, Some(id)) => !is_listed(id) && is_ours(port, id, request, object).await?,
                _ => false,
            };
            if own {
                return Ok(Some(creation));
            }
        }
    }
    Ok(None)
}

/// What earlier runs asked for. What they made is in the accounts as a rule; where AWS is behind with that list, the tag of
/// the account says whose it is.
async fn earlier(port: &dyn Port, is_listed: &(dyn Fn(&AccountId) -> bool + Send + Sync)) -> Result<Earlier, AwsError> {
    let mut earlier = Earlier::default();
    for creation in listed(port).await? {
        match (creation.state, &creation.account) {
            (CreationState::InProgress, _) => earlier.under_way.push(creation),
            (CreationState::Succeeded, Some(id)) if !is_listed(id) => {
                let has = tags_of(port, id).await?;
                earlier.unlisted.extend(has.map(|has| (id.clone(), has)));
            }
            _ => {}
        }
    }
    Ok(earlier)
}

/// Whether what is there carries the tag of the object, and that of the Organization object that asks for it.
async fn is_of(port: &dyn Port, resource: &Resource, request: &Request, object: &ObjectKey) -> Result<bool, AwsError> {
    Ok(is_by(&tags(port, resource).await?, request, object))
}

/// Whether these are the tags of what `request` makes for the object: two clusters have objects of one name, so that the
/// Organization object counts as well.
fn is_by(has: &Tags, request: &Request, object: &ObjectKey) -> bool {
    let maker = match request {
        Request::CreateOrganizationalUnit { tags, .. }
        | Request::CreatePolicy { tags, .. }
        | Request::CreateAccount { tags, .. } => tags.get(TAG_MANAGED_BY),
        _ => None,
    };
    let same_maker = has.get(TAG_MANAGED_BY).is_none_or(|has| maker.is_none_or(|maker| maker == has));
    same_maker && has.get(TAG_RESOURCE) == Some(&object.to_string())
}

async fn is_ours(port: &dyn Port, id: &AccountId, request: &Request, object: &ObjectKey) -> Result<bool, AwsError> {
    Ok(tags_of(port, id).await?.is_some_and(|has| is_by(&has, request, object)))
}

/// The tags of an account; `None` where it left the organization.
async fn tags_of(port: &dyn Port, id: &AccountId) -> Result<Option<Tags>, AwsError> {
    match tags(port, &Resource::Node(NodeId::Account(id.clone()))).await {
        Ok(has) => Ok(Some(has)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All creations that are under way or have succeeded, as far as AWS still tells. A list that goes round in a circle ends
/// where it began: AWS refuses the second account of an e-mail, whatever this list leaves out.
async fn listed(port: &dyn Port) -> Result<Vec<Creation>, AwsError> {
    let (mut found, mut seen) = (vec![], BTreeSet::new());
    let mut request = Request::ListCreateAccountStatus { token: None };
    loop {
        let Response::Creations(page) = port.call(&request).await? else {
            return Err(garbage("ListCreateAccountStatus"));
        };
        found.extend(page.items);
        match page.next {
            Some(token) if seen.insert(token.clone()) => request = request.page(&token),
            _ => return Ok(found),
        }
    }
}

async fn wait(port: &dyn Port, creations: &Creations, mut creation: Creation) -> Creating {
    let began = tokio::time::Instant::now();
    let known = *creations.quickest();
    let mut first = known.filter(|took| *took > FIRST_POLL);
    let mut pause = FIRST_POLL;
    loop {
        match (creation.state, creation.account.clone()) {
            (CreationState::Succeeded, Some(account)) => {
                let took = began.elapsed();
                let mut quickest = creations.quickest();
                *quickest = Some(quickest.map_or(took, |least| least.min(took)));
                return Ok((Outcome::Done, Made::Account(account)));
            }
            (CreationState::Failed, _) => {
                let reason = creation.failure.unwrap_or_else(|| "no reason given".into());
                let error = AwsError::answered("CreateAccount", &reason, "AWS did not create the account", None);
                return Ok((Outcome::Failed { error }, Made::Nothing));
            }
            _ if began.elapsed() >= PATIENCE => {
                let what = format!("creation `{}` is still in progress", creation.id);
                return Ok((Outcome::Waiting { what }, Made::Nothing));
            }
            _ => {}
        }
        if let Some(usual) = first.take() {
            tokio::time::sleep(usual).await;
        } else {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL);
        }
        match port.call(&Request::DescribeCreateAccountStatus { id: creation.id.clone() }).await? {
            Response::Creation(next) => creation = next,
            _ => return Err(garbage("DescribeCreateAccountStatus")),
        }
    }
}
