//! The down-counter of one SP804 timer as arithmetic: any number of counts in
//! one step.

use serde::{Deserialize, Serialize};

/// What the counter does at zero (DDI 0271, "Timer operation"). `mask`
/// has the bits that take part: 16 or 32 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Goes on from the largest value.
    FreeRunning { mask: u32 },
    /// Goes on from `reload`.
    Periodic { mask: u32, reload: u32 },
    /// Stays at zero.
    OneShot { mask: u32 },
}

impl Mode {
    pub(super) fn mask(self) -> u32 {
        let (Self::FreeRunning { mask } | Self::Periodic { mask, .. } | Self::OneShot { mask }) =
            self;
        mask
    }
}

/// The count. In 16-bit mode the upper half stands still and can be read
/// (DDI 0271, TimerXValue).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter(pub(super) u32);

impl Counter {
    /// Counts down `n` times, `n` at least 1; true when zero was reached on
    /// the way.
    ///
    /// A periodic timer with the reload value `p` reaches zero every `p`
    /// counts, as the manual computes intervals (DDI 0271, "Programming the timer
    /// interval"): zero and
    /// the reloaded value are the same moment, so VALUE runs `p` to 1. A
    /// free-running one shows zero for one count and repeats after 2^16 or
    /// 2^32.
    pub(super) fn count(&mut self, n: u64, mode: Mode) -> bool {
        let mask = mode.mask();
        let count = u64::from(self.0 & mask);
        let reached = self.until_zero(mode).is_some_and(|counts| counts <= n);
        let (low, high) = match mode {
            Mode::OneShot { .. } => (count.saturating_sub(n), self.0),
            Mode::FreeRunning { .. } => (count.wrapping_sub(n), self.0),
            Mode::Periodic { reload, .. } => {
                // From zero, which another mode has left, the first count
                // reloads.
                let first = if count == 0 { 1 } else { count };
                let period = u64::from(reload & mask);
                if count != 0 && n < count {
                    (count - n, self.0)
                } else if period == 0 {
                    (0, reload)
                } else {
                    (period - (n - first) % period, reload)
                }
            }
        };
        self.0 = (low as u32 & mask) | (high & !mask);
        reached
    }

    /// Counts until zero is reached the next time, `None` for never. Standing
    /// at zero does not count.
    pub(super) fn until_zero(self, mode: Mode) -> Option<u64> {
        let mask = mode.mask();
        let count = u64::from(self.0 & mask);
        if count != 0 {
            return Some(count);
        }
        match mode {
            Mode::OneShot { .. } => None,
            Mode::FreeRunning { .. } => Some(u64::from(mask) + 1),
            Mode::Periodic { reload, .. } => Some(u64::from(reload & mask) + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One count, as the manual words it.
    fn step(value: u32, mode: Mode) -> (u32, bool) {
        let mask = mode.mask();
        let (low, high) = (value & mask, value & !mask);
        match (mode, low) {
            (Mode::OneShot { .. }, 0) => (value, false),
            (Mode::FreeRunning { .. }, 0) => (mask | high, false),
            (Mode::Periodic { reload, .. }, 0) => (reload, reload & mask == 0),
            (Mode::Periodic { reload, .. }, 1) => (reload, true),
            (_, low) => ((low - 1) | high, low == 1),
        }
    }

    fn modes() -> impl Strategy<Value = Mode> {
        let mask = prop_oneof![Just(0xffff), Just(u32::MAX)];
        let reload = prop_oneof![0..20u32, 0xffff_fff0..=u32::MAX, 0x1_0000..0x1_0008u32];
        (0..3, mask, reload).prop_map(|(kind, mask, reload)| match kind {
            0 => Mode::OneShot { mask },
            1 => Mode::FreeRunning { mask },
            _ => Mode::Periodic { mask, reload },
        })
    }

    proptest! {
        #[test]
        fn test_many_counts_equal_single_ones(
            value in prop_oneof![0..40u32, 0x1_0000..0x1_0028u32, any::<u32>()],
            mode in modes(),
            n in 1..100u64,
        ) {
            let (mut expected, mut expected_reached) = (value, false);
            for _ in 0..n {
                let (next, reached) = step(expected, mode);
                expected = next;
                expected_reached |= reached;
            }
            let mut counter = Counter(value);
            let reached = counter.count(n, mode);
            prop_assert_eq!((counter.0, reached), (expected, expected_reached));
        }

        #[test]
        fn test_until_zero_is_exact(value in 0..200u32, mode in modes()) {
            match Counter(value).until_zero(mode) {
                None => prop_assert!(!Counter(value).count(u64::MAX >> 1, mode)),
                Some(counts) => {
                    prop_assert!(Counter(value).count(counts, mode));
                    if counts > 1 {
                        prop_assert!(!Counter(value).count(counts - 1, mode));
                    }
                }
            }
        }
    }
}
