//! Moments of a boot that it can go on from when a function is left out, instead
//! of starting over.
//!
//! They are kept where an initial call is about to be made and at milestones, so
//! that where they are depends on the guest's instructions alone. A boot that
//! nothing stops keeps none: they are there from the second start on.

/// Instructions between two moments, at least.
const INTERVAL: u64 = 3_000_000;
/// Moments that are kept, at most; then every second one is dropped.
const MOST: usize = 48;

/// The moments of one start, the earliest first, by the instructions that had
/// retired.
#[derive(Debug)]
pub struct Moments<T> {
    kept: Vec<(u64, T)>,
    /// How often the distance between moments was doubled.
    doubled: u32,
    /// The one that the boot went on from last.
    went_to: Option<u64>,
}

impl<T> Default for Moments<T> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            doubled: 0,
            went_to: None,
        }
    }
}

impl<T> Moments<T> {
    /// Whether it is time to keep one.
    pub fn is_due(&self, now: u64) -> bool {
        let last = self.kept.last().map(|(at, _)| *at);
        last.is_none_or(|last| now >= last.saturating_add(INTERVAL << self.doubled))
    }

    /// Keeps one.
    pub fn keep(&mut self, now: u64, moment: T) {
        if self.kept.len() >= MOST {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.doubled += 1;
        }
        self.kept.push((now, moment));
    }

    /// Whether the boot under way went on from one of them.
    pub fn went_back(&self) -> bool {
        self.went_to.is_some()
    }

    /// The last one that is no later than this. Those behind it are forgotten.
    pub fn back_to(&mut self, latest: u64) -> Option<&T> {
        self.kept.retain(|(at, _)| *at <= latest);
        let (at, moment) = self.kept.last()?;
        self.went_to = Some(*at);
        Some(moment)
    }

    /// One before the last that was gone on from: each time half of what there is.
    pub fn earlier(&mut self) -> Option<&T> {
        let went_to = self.went_to?;
        self.kept.retain(|(at, _)| *at < went_to);
        let middle = self.kept.len() / 2;
        let (at, _) = self.kept.get(middle)?;
        self.back_to(*at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(at: &[u64]) -> Moments<u64> {
        let mut moments = Moments::default();
        for &at in at {
            moments.keep(at, at);
        }
        moments
    }

    #[test]
    fn the_last_before_a_call_is_gone_on_from() {
        let mut moments = moments(&[10, 20, 30]);
        assert!(!moments.went_back());
        assert_eq!(moments.back_to(20), Some(&20));
        assert!(moments.went_back());
        // What came later was of another boot.
        assert_eq!(moments.back_to(u64::MAX), Some(&20));
        assert_eq!(moments.back_to(9), None);
    }

    #[test]
    fn what_was_under_way_already_is_looked_for_earlier_and_earlier() {
        let mut moments = moments(&[10, 20, 30, 40, 50]);
        assert_eq!(moments.earlier(), None);
        assert_eq!(moments.back_to(60), Some(&50));
        assert_eq!(moments.earlier(), Some(&30));
        assert_eq!(moments.earlier(), Some(&20));
        assert_eq!(moments.earlier(), Some(&10));
        assert_eq!(moments.earlier(), None);
    }

    #[test]
    fn there_are_never_many() {
        let mut moments = Moments::default();
        let mut now = 0;
        for _ in 0..5000 {
            now += INTERVAL;
            if moments.is_due(now) {
                moments.keep(now, now);
            }
            assert!(moments.kept.len() <= MOST);
        }
        // They are spread over all of it.
        let first = moments.kept.first().expect("a moment").0;
        let last = moments.kept.last().expect("a moment").0;
        assert!(first <= INTERVAL && last >= now / 2, "{first} {last}");
        assert!(!moments.is_due(last + INTERVAL));
    }
}
