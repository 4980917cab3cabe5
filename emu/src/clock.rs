//! Virtual time: a count of retired instructions, read as nanoseconds.
//!
//! Two things move it: an instruction takes [`NANOSECONDS_PER_INSTRUCTION`],
//! and a guest that waits for an interrupt is taken to the next moment at which
//! one can come. Nothing else does, so the same input gives the same run.

use serde::{Deserialize, Serialize};

/// A moment of virtual time, in nanoseconds since power-on.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

/// 125 million instructions to the virtual second. A kernel measures how fast
/// its processor is by looping through some ten periods of its timer
/// (init/calibrate.c), and waits for chips by looping; so a faster processor has
/// more to do. A much slower one would be busy with its timer.
pub const NANOSECONDS_PER_INSTRUCTION: u64 = 8;

/// Turns counts of instructions into moments and back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Clock {
    /// Nanoseconds that were slept, not executed.
    slept: u64,
}

impl Clock {
    /// The moment at which `instructions` have retired.
    pub fn at(&self, instructions: u64) -> Time {
        Time(
            instructions
                .saturating_mul(NANOSECONDS_PER_INSTRUCTION)
                .saturating_add(self.slept),
        )
    }

    /// The count of instructions at which `moment` is reached if the guest does
    /// not sleep before; 0 for a moment that was slept through.
    pub fn instructions_at(&self, moment: Time) -> u64 {
        moment
            .0
            .saturating_sub(self.slept)
            .div_ceil(NANOSECONDS_PER_INSTRUCTION)
    }

    /// Sleeps until `moment`. A moment that is past changes nothing.
    pub fn sleep_until(&mut self, moment: Time, instructions: u64) {
        let now = self.at(instructions);
        self.slept = self.slept.saturating_add(moment.0.saturating_sub(now.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_takes_eight_nanoseconds() {
        let clock = Clock::default();
        assert_eq!(clock.at(0), Time(0));
        assert_eq!(clock.at(125_000_000), Time(1_000_000_000));
        assert_eq!(clock.instructions_at(Time(25)), 4);
    }

    #[test]
    fn sleep_moves_time_and_not_the_count() {
        let mut clock = Clock::default();
        clock.sleep_until(Time(1_000), 100);
        assert_eq!(clock.at(100), Time(1_000));
        assert_eq!(clock.at(101), Time(1_008));
        assert_eq!(clock.instructions_at(Time(1_008)), 101);
        assert_eq!(clock.instructions_at(Time(10)), 0);
        clock.sleep_until(Time(5), 101);
        assert_eq!(clock.at(101), Time(1_008));
    }
}
