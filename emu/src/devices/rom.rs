//! Read-only memory behind a port, for what a kernel without initial RAM disks
//! cannot be handed in RAM. A chip of our own: no manual describes it.
//!
//! | offset | register | |
//! |---|---|---|
//! | 0x0 | `SIZE` | bytes that there are |
//! | 0x4 | `POSITION` | where the next word is read; can be written |
//! | 0x8 | `DATA` | the word at the position, which reading moves on behind it |
//!
//! Behind the end everything is zero.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::Device;
use crate::clock::Time;

const SIZE: u32 = 0x0;
const POSITION: u32 = 0x4;
const DATA: u32 = 0x8;
/// Bytes that a read of `DATA` moves on, whatever its width.
const WORD: u32 = 4;

/// The memory and where in it the guest reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rom {
    contents: Rc<[u8]>,
    position: u32,
}

impl Rom {
    /// Memory with these contents, at its first byte.
    pub fn new(contents: Vec<u8>) -> Self {
        Self {
            contents: contents.into(),
            position: 0,
        }
    }

    fn next_word(&mut self) -> u32 {
        let rest = self.contents.get(self.position as usize..).unwrap_or(&[]);
        let mut word = [0; WORD as usize];
        for (to, from) in word.iter_mut().zip(rest) {
            *to = *from;
        }
        self.position = self.position.saturating_add(WORD);
        u32::from_le_bytes(word)
    }
}

impl Device for Rom {
    fn read(&mut self, offset: u32, _size: u32, _now: Time) -> u32 {
        match offset {
            SIZE => self.contents.len() as u32,
            POSITION => self.position,
            DATA => self.next_word(),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, _size: u32, value: u32, _now: Time) {
        if offset == POSITION {
            self.position = value;
        }
    }

    fn advance(&mut self, _now: Time) {}

    fn next_event(&self) -> Option<Time> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_one_after_the_other_and_zeros_behind_the_end() {
        let now = Time(0);
        let mut rom = Rom::new(vec![1, 2, 3, 4, 5]);
        assert_eq!(rom.read(SIZE, 4, now), 5);
        assert_eq!(rom.read(DATA, 4, now), 0x0403_0201);
        assert_eq!(rom.read(DATA, 4, now), 5);
        assert_eq!(rom.read(DATA, 4, now), 0);
        assert_eq!(rom.read(POSITION, 4, now), 12);
        rom.write(POSITION, 4, 4, now);
        assert_eq!(rom.read(DATA, 4, now), 5);
    }

    #[test]
    fn a_position_far_behind_the_end_stays_there() {
        let now = Time(0);
        let mut rom = Rom::new(vec![1]);
        rom.write(POSITION, 4, u32::MAX, now);
        assert_eq!(rom.read(DATA, 4, now), 0);
        assert_eq!(rom.read(POSITION, 4, now), u32::MAX);
    }
}
