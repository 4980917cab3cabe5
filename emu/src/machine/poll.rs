//! Loops that wait for an absent chip.
//!
//! An absent register reads 0. Code that waits for a bit of it (a transmitter
//! that is ready, a clock that has locked, a counter that moves) would wait for
//! ever. So the same instruction that reads the same address again and again is
//! taken for such a loop, and gets other answers until it goes on. The answer
//! that ended the loop is what that instruction reads there from then on, and
//! is changed only when it comes to loop again. A loop with a limit of its own
//! mostly comes to that limit first, and then knows that the chip is absent.
//! Calls of absent firmware are followed in the same way.
//!
//! A loop may wait for two registers, and read the second only when the first has
//! the right value. So the first keeps its answer for a while when another register
//! is read between two reads of it, and the second gets answers soon.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// So many reads in a row are a loop.
const LOOP: u32 = 100_000;
/// The same for an instruction that was in a loop before.
const LOOP_AGAIN: u32 = 2_000;
/// Reads for which one answer is given until the next one is tried.
const PATIENCE: u32 = 64;
/// The same while another register that has no answer yet, or got one later, is read
/// in between: enough for all answers to that one.
const HELD: u32 = 10_000;
/// Instructions between two reads of a loop, at most: a microsecond of delay
/// and what is around it.
const GAP: u64 = 2_000;
/// Loops that are followed at the same time.
const FOLLOWED: usize = 8;
/// Instructions that an answer is kept for, at most.
const LIMIT: usize = 1_024;

/// Stands for the address of a register in what is known of calls of firmware.
const FIRMWARE: u32 = u32::MAX;

/// Address, and program counter of the reader.
type Key = (u32, u32);

/// What a register reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Answer {
    /// This value.
    Value(u32),
    /// A number that grows with time.
    Count,
}

impl Answer {
    /// In the order in which they are tried: all bits, a counter, none, each bit
    /// alone, all bits but one.
    fn try_number(index: u32) -> Self {
        match index % 67 {
            0 => Self::Value(!0),
            1 => Self::Count,
            2 => Self::Value(0),
            bit @ 3..=34 => Self::Value(1 << (bit - 3)),
            bit => Self::Value(!(1 << (bit - 35))),
        }
    }

    fn at(self, instructions: u64) -> u32 {
        match self {
            Self::Value(value) => value,
            Self::Count => (instructions >> 4) as u32,
        }
    }
}

/// A loop that was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ended {
    /// The physical address that it reads; see [`Self::is_firmware`].
    pub address: u32,
    /// The instruction that reads.
    pub pc: u32,
    /// What it got last.
    pub answer: Answer,
}

impl Ended {
    /// Whether it called firmware, and read no register.
    pub fn is_firmware(&self) -> bool {
        self.address == FIRMWARE
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Run {
    key: Key,
    reads: u32,
    last: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Standing {
    /// Which answer is given.
    index: u32,
    /// Reads in a row that got it.
    reads: u32,
    /// Those beyond [`PATIENCE`].
    held: u32,
    last: u64,
    /// How many were known before it.
    order: usize,
}

/// What is known of loops.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Polls {
    runs: [Run; FOLLOWED],
    standing: BTreeMap<Key, Standing>,
    /// What was read last.
    latest: Option<Key>,
}

impl Polls {
    /// What an absent register reads at this moment.
    pub(crate) fn read(&mut self, address: u32, pc: u32, instructions: u64) -> u32 {
        self.answer((address, pc), instructions).unwrap_or(0)
    }

    /// What a call of absent firmware returns, once it is made in a loop.
    pub(crate) fn call(&mut self, pc: u32, instructions: u64) -> Option<u32> {
        self.answer((FIRMWARE, pc), instructions)
    }

    fn answer(&mut self, key: Key, instructions: u64) -> Option<u32> {
        let before = self.latest.replace(key).filter(|it| *it != key);
        let other = before.map(|it| self.standing.get(&it).copied());
        if let Some(standing) = self.standing.get_mut(&key) {
            let younger = |it: Option<Standing>| it.is_none_or(|it| it.order > standing.order);
            let holds = other.is_some_and(younger);
            return Some(standing.read(instructions, holds));
        }
        // It is part of a loop that is known.
        let within = other.flatten().is_some_and(|it| it.reads > LOOP_AGAIN);
        let least = if within { LOOP_AGAIN } else { LOOP };
        if self.reads_in_row(key, instructions) < least || self.standing.len() >= LIMIT {
            return None;
        }
        let mut standing = Standing {
            index: 0,
            reads: LOOP_AGAIN,
            held: 0,
            last: instructions,
            order: self.standing.len(),
        };
        let value = standing.read(instructions, false);
        self.standing.insert(key, standing);
        Some(value)
    }

    fn reads_in_row(&mut self, key: Key, now: u64) -> u32 {
        let at = self.runs.iter().position(|run| run.key == key);
        // A new one takes the place of the one that has been silent for longest.
        let oldest = || (0..FOLLOWED).min_by_key(|&index| self.runs[index].last);
        let Some(run) = at.or_else(oldest).and_then(|at| self.runs.get_mut(at)) else {
            return 0;
        };
        if run.key == key && now.saturating_sub(run.last) <= GAP {
            run.reads = run.reads.saturating_add(1);
        } else {
            *run = Run {
                key,
                reads: 1,
                last: now,
            };
        }
        run.last = now;
        run.reads
    }

    /// The loops that were ended, by address.
    pub(crate) fn list(&self) -> Vec<Ended> {
        self.standing
            .iter()
            .map(|(&(address, pc), standing)| Ended {
                address,
                pc,
                answer: Answer::try_number(standing.index),
            })
            .collect()
    }
}

impl Standing {
    fn read(&mut self, now: u64, holds: bool) -> u32 {
        if now.saturating_sub(self.last) > GAP {
            (self.reads, self.held) = (0, 0);
        }
        self.last = now;
        self.reads = self.reads.saturating_add(1);
        if self.reads > LOOP_AGAIN + PATIENCE && holds && self.held < HELD {
            self.held += 1;
            self.reads = LOOP_AGAIN + PATIENCE;
        }
        if self.reads > LOOP_AGAIN + PATIENCE {
            self.held = 0;
            self.index = self.index.wrapping_add(1);
            self.reads = LOOP_AGAIN + 1;
        }
        Answer::try_number(self.index).at(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads of a loop until it ends, from a moment on; `None` when it does not.
    fn spin(polls: &mut Polls, at: &mut u64, done: impl Fn(u32) -> bool) -> Option<u32> {
        (1..500_000).find(|_| {
            *at += 5;
            done(polls.read(0x1000, 0xc000_8000, *at))
        })
    }

    #[test]
    fn a_loop_that_waits_for_a_bit_is_ended_and_at_once_the_next_time() {
        let (mut polls, mut at) = (Polls::default(), 0);
        let reads = spin(&mut polls, &mut at, |value| value & 0x40 != 0);
        assert_eq!(reads, Some(LOOP));
        at += 1_000_000;
        let reads = spin(&mut polls, &mut at, |value| value & 0x40 != 0);
        assert_eq!(reads, Some(1));
        let ended = Ended {
            address: 0x1000,
            pc: 0xc000_8000,
            answer: Answer::Value(!0),
        };
        assert_eq!(polls.list(), [ended]);
    }

    #[test]
    fn a_bit_among_bits_that_must_be_clear_is_found() {
        let (mut polls, mut at) = (Polls::default(), 0);
        let done = |value| value & 0xff == 0x10;
        assert!(spin(&mut polls, &mut at, done).is_some());
        let done = |value| value & 0xff == 0;
        assert!(spin(&mut polls, &mut at, done).is_some());
    }

    #[test]
    fn a_loop_that_waits_for_a_counter_is_ended() {
        let (mut polls, mut at) = (Polls::default(), 0);
        let last = std::cell::Cell::new(0);
        let done = |value| {
            let before = last.replace(value);
            value != before && value != !0
        };
        assert!(spin(&mut polls, &mut at, done).is_some());
    }

    #[test]
    fn reads_with_work_between_them_are_no_loop() {
        let mut polls = Polls::default();
        for at in 0..200_000 {
            assert_eq!(polls.read(0x1000, 0xc000_8000, at * (GAP + 1)), 0);
        }
        for at in 0..200_000 {
            let address = 0x1000 + (at as u32 & 0xfff);
            assert_eq!(polls.read(address, 0xc000_8000, at), 0);
        }
    }

    /// A loop over two registers, of which the second is read when the first fits;
    /// how many passes it took.
    fn spin_over_two(done: [fn(u32) -> bool; 2]) -> Option<u32> {
        let mut polls = Polls::default();
        (1..2_000_000).find(|pass| {
            let at = 10 * u64::from(*pass);
            done[0](polls.read(0x1000, 0xc000_8000, at))
                && done[1](polls.read(0x1004, 0xc000_8010, at + 5))
        })
    }

    #[test]
    fn a_loop_that_waits_for_two_registers_is_ended() {
        let set = |value: u32| value & 0x80 != 0;
        let alone = |value: u32| value & 0xff == 0x10;
        let passes = spin_over_two([set, set]).expect("it ends");
        assert!(passes < LOOP + 2 * HELD, "{passes}");
        assert!(spin_over_two([alone, set]).is_some());
        assert!(spin_over_two([set, alone]).is_some());
        // A second register that does not matter holds nothing up for ever.
        let mut polls = Polls::default();
        let ended = (1..2_000_000_u32).any(|pass| {
            let at = 10 * u64::from(pass);
            let value = polls.read(0x1000, 0xc000_8000, at);
            polls.read(0x2000 + 4 * pass, 0xc000_8010, at + 5);
            alone(value)
        });
        assert!(ended);
    }
}
