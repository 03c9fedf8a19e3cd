//! How long to wait after passes that failed.

use std::time::Duration;

use crate::aws::dice::Dice;

/// First pause after a failure.
const FIRST: Duration = Duration::from_secs(5);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A pass went well.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// A pass failed: the pause before the next, doubled each time up to five minutes, and a random half of it off, so
    /// that many do not come back at once.
    pub fn failed(&mut self, dice: &mut Dice) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        spread(whole, dice)
    }
}

/// Between half of it and the whole.
pub fn spread(whole: Duration, dice: &mut Dice) -> Duration {
    let thousandth = u32::try_from(dice.below(501)).unwrap_or_default();
    whole - whole * thousandth / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_begin_again_after_success() {
        let mut dice = Dice::new(1);
        let mut backoff = Backoff::default();
        for whole in [5, 10, 20, 40, 80, 160, 300, 300] {
            let whole = Duration::from_secs(whole);
            let pause = backoff.failed(&mut dice);
            assert!(pause <= whole && pause * 2 >= whole, "{pause:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.failed(&mut dice) <= FIRST);
    }
}
