//! Virtual time held back to wall time, so that a second in the guest takes a
//! second, and a guest that waits costs next to nothing.

use std::time::{Duration, Instant};

use emu::clock::Time;

/// A guest may run this far ahead before the host sleeps: also the longest time
/// for which a sleeping guest's timers wait.
const STEP: Duration = Duration::from_millis(20);
/// A guest that is this far behind is not made to catch up.
const BEHIND: Duration = Duration::from_millis(100);

/// Holds virtual time back once it was started.
#[derive(Debug, Default)]
pub struct Pace {
    /// A moment of both times that belong together.
    anchor: Option<(Time, Instant)>,
}

impl Pace {
    /// From now on, or anew: these two moments are the same.
    pub fn start(&mut self, virtual_now: Time, now: Instant) {
        self.anchor = Some((virtual_now, now));
    }

    /// Whether virtual time is held back.
    pub fn is_held(&self) -> bool {
        self.anchor.is_some()
    }

    /// How far virtual time is ahead of wall time. One that is far behind is
    /// given up on, else the guest would spin through its idle time later.
    pub fn ahead(&mut self, virtual_now: Time, now: Instant) -> Duration {
        let Some((virtual_start, start)) = self.anchor else {
            return Duration::ZERO;
        };
        let virtual_passed = Duration::from_nanos(virtual_now.0.saturating_sub(virtual_start.0));
        let passed = now.saturating_duration_since(start);
        if passed > virtual_passed + BEHIND {
            self.start(virtual_now, now);
        }
        virtual_passed.saturating_sub(passed)
    }

    /// Where the next stretch of running ends.
    pub fn horizon(&self, virtual_now: Time) -> Time {
        Time(virtual_now.0.saturating_add(STEP.as_nanos() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn nothing_is_held_before_the_start() {
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(Time(5_000 * MS), Instant::now()), Duration::ZERO);
    }

    #[test]
    fn a_guest_that_is_ahead_waits() {
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.start(Time(100 * MS), start);
        let now = start + Duration::from_millis(15);
        assert_eq!(pace.ahead(Time(120 * MS), now), Duration::from_millis(5));
    }

    #[test]
    fn a_guest_that_is_behind_does_not_catch_up() {
        let mut pace = Pace::default();
        let start = Instant::now();
        pace.start(Time(0), start);
        let later = start + Duration::from_secs(10);
        assert_eq!(pace.ahead(Time(MS), later), Duration::ZERO);
        // Ten seconds are forgotten: 20 ms further on, it waits at once.
        assert_eq!(pace.ahead(Time(21 * MS), later), Duration::from_millis(20));
    }
}
