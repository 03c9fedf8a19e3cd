//! Decisions allocate no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bylaw::policy::eval::{Caller, Ladder, Layers};
use bylaw_decisions::{ladder, requests, scps};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

// One test: others of this process would be counted too.
#[test]
fn a_decision_allocates_nothing() {
    let (ladder, asked): (Ladder, _) = (ladder(&scps::nodes()), requests::requests());
    let role = "arn:aws:iam::111122223333:role/app";
    let caller = Caller::Role { account: "111122223333", arn: role, session: None };
    let layers = Layers { service_control: Some(&ladder), identity: Some(&ladder), ..Layers::default() };
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    assert!(before > 0, "what came before is counted");
    let mut decided = 0_usize;
    for asked in &asked {
        let mut request = asked.request();
        decided += ladder.decide(&request) as usize + usize::from(ladder.denied_by(&request).is_some());
        request.caller = Some(caller);
        decided += layers.decide(&request) as usize;
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "of {decided}");
}
