//! Going back: moments are kept from time to time, and where between two of them
//! the guest was is reached by running on from the earlier one. Since a run
//! repeats itself, that is where it was.

use std::collections::BTreeSet;

use emu::machine::Error;

use crate::session::moment::Moment;
use crate::session::{Event, Session};

/// Instructions between two moments, at least.
const INTERVAL: u64 = 20_000_000;
/// Moments that are kept, at most; then every second one is dropped.
const MOST: usize = 64;

/// Moments of a run, the earliest first.
#[derive(Default)]
pub struct History {
    moments: Vec<Moment>,
    /// How often the distance between moments was doubled.
    doubled: u32,
}

impl History {
    /// Keeps this moment if it is time to.
    pub fn note(&mut self, session: &mut Session) {
        let now = session.machine().instructions();
        let last = self.moments.last().map(Moment::instructions);
        let due = last.is_none_or(|last| now >= last.saturating_add(INTERVAL << self.doubled));
        if !due {
            return;
        }
        if self.moments.len() >= MOST {
            let mut place = 0;
            self.moments.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.doubled += 1;
        }
        self.moments.push(session.moment());
    }

    /// Goes back to the moment at which this many instructions had retired. False
    /// when that is before everything that is known; the guest stays where it is.
    ///
    /// # Errors
    /// When the machine cannot go on on the way.
    pub fn go_back(&mut self, session: &mut Session, instructions: u64) -> Result<bool, Error> {
        let moments = self.moments.iter();
        let before = moments.take_while(|one| one.instructions() <= instructions);
        let Some(moment) = before.last() else {
            return Ok(false);
        };
        session.go_to(moment)?;
        let breakpoints = session.machine().breakpoints();
        let watchpoints = session.machine().watchpoints();
        session
            .machine_mut()
            .set_stops(&BTreeSet::new(), &BTreeSet::new())?;
        let result = session.run_to(instructions);
        session
            .machine_mut()
            .set_stops(&breakpoints, &watchpoints)?;
        self.forget_later(instructions);
        result.map(|_| true)
    }

    /// Goes back to the last breakpoint or watchpoint before now. False when there
    /// was none; the guest is then at the first moment that is known.
    ///
    /// # Errors
    /// As for [`go_back`](Self::go_back).
    pub fn go_back_to_stop(&mut self, session: &mut Session) -> Result<bool, Error> {
        let mut end = session.machine().instructions();
        while let Some(moment) = self.moments.iter().rfind(|one| one.instructions() < end) {
            let start = moment.instructions();
            session.go_to(moment)?;
            let mut last = None;
            while let Event::Stopped(_) = session.run_to(end)? {
                let count = session.machine().instructions();
                if count >= end {
                    break;
                }
                last = Some(count);
            }
            if let Some(count) = last {
                return self.go_back(session, count);
            }
            end = start;
        }
        if let Some(first) = self.moments.first() {
            session.go_to(first)?;
        }
        Ok(false)
    }

    /// What comes later may be different from now on.
    fn forget_later(&mut self, instructions: u64) {
        self.moments
            .retain(|one| one.instructions() <= instructions);
    }
}
