//! A small seeded generator (splitmix64), so that ids, jitter and faults replay from a seed.

/// Draws that are the same for the same seed. Not for secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Dice that draw what `seed` says.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, and without, `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// A number from 0 up to, and without, 1.
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are all that an f64 holds.
        #[allow(clippy::cast_precision_loss, reason = "the value has 53 bits, so nothing is lost")]
        let draw = (self.bits() >> 11) as f64;
        draw / 9_007_199_254_740_992.0
    }

    /// True with that probability. Draws even where the answer is certain, so schedules with one knob turned stay
    /// comparable.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// One of the items; `None` where there are none.
    pub fn pick<T>(&mut self, items: impl ExactSizeIterator<Item = T>) -> Option<T> {
        let mut items = items;
        let index = self.below(items.len());
        items.nth(index)
    }

    /// `length` characters out of `alphabet`.
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).filter_map(|_| self.pick(alphabet.iter()).map(|byte| char::from(*byte))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_draws_and_fractions_stay_in_range() {
        let (mut a, mut b) = (Dice::new(7), Dice::new(7));
        for _ in 0..1_000 {
            assert_eq!(a.bits(), b.bits());
            let f = a.fraction();
            b.fraction();
            assert!((0.0..1.0).contains(&f));
        }
        assert_ne!(Dice::new(1).bits(), Dice::new(2).bits());
        assert_eq!(Dice::new(1).below(0), 0);
        assert_eq!(Dice::new(1).pick(std::iter::empty::<u8>()), None);
    }

    #[test]
    fn a_chance_is_about_its_probability() {
        let mut dice = Dice::new(3);
        let hits = (0..10_000).filter(|_| dice.chance(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
    }
}
