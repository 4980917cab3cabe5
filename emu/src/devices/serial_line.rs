//! The far end of a UART's serial line: what was typed and waits to be
//! received, and what was sent and waits to be fetched.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Characters that wait at most; a UART takes no more.
pub const INPUT_LIMIT: usize = 64 * 1024;

/// What comes in on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Arrival {
    /// A character.
    Byte(u8),
    /// The line was held low for longer than a character.
    Break,
}

/// Both directions of the line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SerialLine {
    incoming: VecDeque<Arrival>,
    outgoing: Vec<u8>,
}

impl SerialLine {
    /// Types `bytes`; returns how many were taken.
    pub(crate) fn push_input(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes
            .len()
            .min(INPUT_LIMIT.saturating_sub(self.incoming.len()));
        self.incoming
            .extend(bytes.iter().take(taken).copied().map(Arrival::Byte));
        taken
    }

    /// Types a break; false when there is no room for it.
    pub(crate) fn push_break(&mut self) -> bool {
        let room = self.incoming.len() < INPUT_LIMIT;
        if room {
            self.incoming.push_back(Arrival::Break);
        }
        room
    }

    /// The next character for the chip.
    pub(crate) fn receive(&mut self) -> Option<Arrival> {
        self.incoming.pop_front()
    }

    /// A character from the chip.
    pub(crate) fn send(&mut self, byte: u8) {
        self.outgoing.push(byte);
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }
}
