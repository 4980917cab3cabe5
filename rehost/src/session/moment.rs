//! A moment of a running machine: the machine, and what was noted of it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Instant;

use emu::machine::file::FileError;
use emu::machine::{Machine, Snapshot};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::record::Piece;
use super::{Notes, Session};
use crate::verdict::Milestone;

/// A moment that a session can go back to.
pub struct Moment {
    machine: Snapshot,
    notes: Notes,
    given: Vec<Piece>,
}

impl Moment {
    /// Instructions that had retired.
    pub fn instructions(&self) -> u64 {
        self.machine.instructions()
    }

    /// The furthest milestone that was passed.
    pub fn furthest(&self) -> Option<Milestone> {
        self.notes.passed.iter().map(|one| one.milestone).max()
    }

    /// Writes a file for [`Session::open`]; `more` is what the caller wants to find
    /// in it again.
    pub fn write(&self, to: &mut impl Write, more: &[u8]) -> io::Result<()> {
        let written = Written {
            notes: &self.notes,
            more,
        };
        let state = postcard::to_allocvec(&written).map_err(io::Error::other)?;
        self.machine.write(to, &state)
    }
}

#[derive(Serialize)]
struct Written<'a> {
    notes: &'a Notes,
    more: &'a [u8],
}

#[derive(Deserialize)]
struct Parts {
    notes: Notes,
    more: Vec<u8>,
}

/// Why a file is no moment of a session.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The machine's part.
    #[error(transparent)]
    Machine(#[from] FileError),
    /// What was noted.
    #[error("the run's state: {0}")]
    Notes(#[from] postcard::Error),
}

impl Session {
    /// This moment.
    pub fn moment(&mut self) -> Moment {
        Moment {
            machine: self.machine.snapshot(),
            notes: self.notes.clone(),
            given: self.given.clone(),
        }
    }

    /// Goes back to a moment, or on to one. Console output since then is gone from
    /// what is noted, though not from the screen.
    ///
    /// # Errors
    /// When it is a moment of another machine.
    pub fn go_to(&mut self, moment: &Moment) -> Result<(), emu::machine::Error> {
        self.machine.restore(&moment.machine)?;
        self.notes = moment.notes.clone();
        self.shown = self.notes.console.len();
        // What was given since then is to be given again.
        let given = std::mem::replace(&mut self.given, moment.given.clone());
        match given.strip_prefix(&moment.given[..]) {
            Some(again) => again
                .iter()
                .rev()
                .for_each(|entry| self.coming.push_front(entry.clone())),
            None => self.coming.clear(),
        }
        Ok(())
    }

    /// A session that goes on where a file was written, and what the caller had
    /// added to it.
    ///
    /// # Errors
    /// When the file is not what [`Moment::write`] writes.
    pub fn open(from: &mut impl Read, began: Instant) -> Result<(Self, Vec<u8>), OpenError> {
        let (machine, state) = Machine::open(from)?;
        let Parts { notes, more } = postcard::from_bytes(&state)?;
        let session = Self {
            machine,
            began,
            // The line under the cursor is shown again: mostly a prompt.
            shown: last_line(&notes.console),
            notes,
            keep_at: None,
            kept: None,
            given: Vec::new(),
            coming: VecDeque::new(),
        };
        Ok((session, more))
    }

    /// Keeps the moment at which this milestone, or a later one, is passed.
    pub fn keep_at(&mut self, milestone: Milestone) {
        self.keep_at = Some(milestone);
    }

    /// The moment that was kept.
    pub fn kept(&self) -> Option<&Moment> {
        self.kept.as_ref()
    }

    pub(super) fn keep_if_due(&mut self) {
        if self.kept.is_none() && self.keep_at.is_some_and(|at| self.furthest() >= Some(at)) {
            self.kept = Some(self.moment());
        }
    }
}

/// Where the last line begins.
fn last_line(console: &[u8]) -> usize {
    let end = console.iter().rposition(|&byte| byte == b'\n');
    end.map_or(0, |end| end + 1)
}
