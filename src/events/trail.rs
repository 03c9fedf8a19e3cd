//! The hints of late: each once, few enough to keep and young enough to explain what is found.

use std::collections::VecDeque;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Hint;

/// Most hints that are remembered.
pub const MOST: usize = 1_000;
/// How long one is remembered. Drift that nobody corrects (`mode: Observe`) is explained so long.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Hints in the order in which they arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trail(VecDeque<Hint>);

impl Trail {
    /// Remembers a hint. Returns whether it is news: EventBridge and SQS deliver at least once.
    ///
    /// A hint of the future is of a clock that is wrong, and counts as of `now`: it would else explain everything.
    pub fn note(&mut self, hint: Hint, now: Timestamp) -> bool {
        self.0.retain(|kept| now.duration_since(kept.at) < LONGEST);
        if self.0.iter().any(|kept| kept.id == hint.id) {
            return false;
        }
        self.0.push_back(Hint { at: hint.at.min(now), ..hint });
        while self.0.len() > MOST {
            self.0.pop_front();
        }
        true
    }

    /// All of them, in the order in which they arrived.
    pub fn iter(&self) -> impl Iterator<Item = &Hint> {
        self.0.iter()
    }

    /// Of those that `explains` holds for, the one that happened last.
    pub fn newest(&self, explains: impl Fn(&Hint) -> bool) -> Option<&Hint> {
        self.0.iter().filter(|hint| explains(hint)).max_by_key(|hint| hint.at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hint(id: &str, at: Timestamp) -> Hint {
        let (policies, nodes, words) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Hint { id: id.into(), at, by: id.into(), call: "DetachPolicy".into(), policies, nodes, words }
    }

    #[test]
    fn each_is_noted_once_and_the_last_to_happen_is_found_whatever_the_order_of_arrival() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let (mut trail, earlier) = (Trail::default(), now - SignedDuration::from_secs(60));
        assert!(trail.note(hint("late", now), now));
        assert!(trail.note(hint("early", earlier), now));
        assert!(!trail.note(hint("late", now), now));
        assert_eq!(trail.newest(|_| true).map(|hint| &*hint.by), Some("late"));
        assert_eq!(trail.newest(|hint| &*hint.by == "early").map(|hint| hint.at), Some(earlier));
        assert_eq!(trail.newest(|_| false), None);
    }

    #[test]
    fn few_are_kept_and_none_that_is_old_or_of_the_future() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut trail = Trail::default();
        for n in 0..MOST + 10 {
            trail.note(hint(&n.to_string(), now), now);
        }
        assert_eq!(trail.iter().count(), MOST);
        assert_eq!(trail.iter().next().map(|hint| &*hint.id), Some("10"));
        let later = now + LONGEST;
        trail.note(hint("future", later + SignedDuration::from_hours(9)), later);
        assert_eq!(trail.iter().map(|hint| hint.at).collect::<Vec<_>>(), [later]);
    }

    #[test]
    fn it_survives_as_json() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let mut trail = Trail::default();
        trail.note(hint("a", now), now);
        let text = serde_json::to_string(&trail).unwrap();
        assert_eq!(serde_json::from_str::<Trail>(&text).unwrap(), trail);
    }
}
