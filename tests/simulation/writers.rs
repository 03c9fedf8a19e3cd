//! Two bylaws at once, on machines whose clocks are wrong: no write of the one falls into the lease of the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bylaw::apply::Control;
use bylaw::apply::lease::parse;
use bylaw::aws::dice::Dice;
use bylaw::aws::faults::{Faulty, Schedule};
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::{AwsError, Port, Request, Response, ServiceTime};
use bylaw::names::TAG_LEASE;
use bylaw::pass::{self, ApplyError, Options};
use bylaw::plan::Memory;
use futures::future::BoxFuture;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::start;
use super::watch::is_lease;
use super::wish::{MANAGEMENT, Wish, wide};

/// Looks at the lease whenever a write is carried out.
struct Gate {
    world: Arc<Offline>,
    who: &'static str,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    problems: Arc<Mutex<Vec<String>>>,
}

impl Port for Gate {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            if request.is_write() && !is_lease(request) {
                let state = self.world.state();
                let lease = state.root.tags.get(TAG_LEASE).and_then(parse);
                let now = (self.clock)();
                if !lease.as_ref().is_some_and(|(holder, until)| holder == self.who && *until > now) {
                    let text = format!("`{}` writes under the lease {lease:?} at {now}: {request:?}", self.who);
                    self.problems.lock().unwrap().push(text);
                }
            }
            self.world.call(request).await
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.world.time()
    }
}

/// One race. `Ok`: how many of the two got the lease.
pub fn race(seed: u64) -> Result<usize, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let management = Some(MANAGEMENT.parse().unwrap());
        let creation_delay = Duration::from_secs([5, 200, 700][dice.below(3)]);
        let world =
            Arc::new(Offline::new(World { seed, management, creation_delay, tells_time: true, ..World::default() }));
        start::populate(&world, &mut dice);
        let mut wish = Wish::random(&mut dice, &[]);
        wish.limits = wide();
        let (first, options) = (wish.render(), Options { prune: true, ..Options::default() });
        wish.edit(&mut dice, &[]);
        wish.mode = bylaw::api::Mode::Enforce;
        wish.suspend = false;
        let second = wish.render();
        let began = tokio::time::Instant::now();
        let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(move || {
            Timestamp::from_millisecond(1_767_225_600_000 + began.elapsed().as_millis() as i64).unwrap()
        });
        let problems: Arc<Mutex<Vec<String>>> = Arc::default();
        let delays = [dice.below(4_000), dice.below(4_000)];
        // By the clock of who is eleven minutes ahead, whatever the other holds has run out.
        let minutes = [-20, -11, 0, 0, 11, 20];
        let wrong = [minutes[dice.below(6)], minutes[dice.below(6)]].map(SignedDuration::from_mins);
        let run = |who: &'static str, desired, delay: usize, wrong: SignedDuration, seed| {
            let (world, clock, problems) = (world.clone(), clock.clone(), problems.clone());
            let options = options.clone();
            async move {
                let gate = Gate { world, who, clock: clock.clone(), problems };
                let schedule = Schedule { seed, throttled: 0.3, busy: 0.3, hang: 0.02, ..Schedule::default() };
                let conduct =
                    Conduct { pace: if seed % 2 == 0 { Pace::Aws } else { Pace::None }, seed, ..Conduct::default() };
                let port = Paced::new(Faulty::new(gate, schedule), conduct);
                let clock = move || clock() + wrong;
                let mut memory = Memory::default();
                tokio::time::sleep(Duration::from_millis(delay as u64)).await;
                let Ok(planned) = pass::plan(&port, desired, None, &memory, &options, &clock).await else {
                    return false;
                };
                let control = Control::new(&clock, who);
                !matches!(
                    pass::apply_plan(&port, desired, planned, &mut memory, &options, control).await,
                    Err(ApplyError::Lease(_))
                )
            }
        };
        let (a, b) = (dice.bits(), dice.bits());
        let (one, two) =
            tokio::join!(run("one", &first, delays[0], wrong[0], a), run("two", &second, delays[1], wrong[1], b));
        match problems.lock().unwrap().first() {
            Some(problem) => Err(problem.clone()),
            None => Ok(usize::from(one) + usize::from(two)),
        }
    })
}
