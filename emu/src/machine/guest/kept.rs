//! What a snapshot keeps of the guest.

use serde::{Deserialize, Serialize};

use super::Guest;
use crate::board::{Board, Wiring};
use crate::clock::{Clock, Time};
use crate::machine::milestone::Reached;
use crate::machine::poll::Polls;
use crate::machine::{coprocessor, unassigned};

/// What a snapshot keeps of the guest: what it could tell apart, and what was
/// noted of it until then. Where it is watched and held is the caller's affair.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    board: Board,
    clock: Clock,
    waiting: bool,
    milestones: Vec<Reached>,
    unassigned: unassigned::Account,
    polls: Polls,
    absent: coprocessor::Account,
    driver_instructions: u64,
    look: Time,
    unserved: bool,
}

impl Kept {
    /// Whether it can be of a machine with this board.
    pub(crate) fn fits(&self, board: &Board) -> bool {
        self.board.pages() == board.pages()
    }
}

impl Guest {
    pub(crate) fn keep(&self) -> Kept {
        Kept {
            board: self.board.clone(),
            clock: self.clock.clone(),
            waiting: self.waiting,
            milestones: self.milestones.clone(),
            unassigned: self.unassigned.clone(),
            polls: self.polls.clone(),
            absent: self.absent.clone(),
            driver_instructions: self.driver_instructions,
            look: self.look,
            unserved: self.unserved,
        }
    }

    pub(crate) fn restore(&mut self, kept: &Kept) {
        let kept = kept.clone();
        self.board = kept.board;
        self.clock = kept.clock;
        self.waiting = kept.waiting;
        self.milestones = kept.milestones;
        self.unassigned = kept.unassigned;
        self.polls = kept.polls;
        self.absent = kept.absent;
        self.driver_instructions = kept.driver_instructions;
        self.look = kept.look;
        self.unserved = kept.unserved;
        self.exit = None;
        self.stops.forget();
    }
}
