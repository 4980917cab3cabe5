//! Jump tables: where a `switch` goes.
//!
//! | what jumps | the table |
//! |---|---|
//! | `ldrls pc, [pc, rn, lsl #2]` | addresses behind the jump of the default case |
//! | `ldr pc, [rt, rn, lsl #2]`, also in two steps | addresses at a constant |
//! | `addls pc, pc, rn, lsl #2` | jumps, or pieces of code of one size |
//! | `ldrh rn, [rt, ..]; add pc, pc, rn, lsl #2` | distances in words at a constant |
//! | `tbb [pc, rn]`, `tbh [pc, rn, lsl #1]` | distances in halfwords behind it |

use super::{State, Walker, ends};
use crate::code::{
    decode::{Insn, Op, PC},
    map::{CODE, JUMPED, LITERAL},
};

/// Entries of a jump table believed in.
const MAX_TABLE: u32 = 2048;
/// Instructions looked back over for what a table jump depends on.
const BACK: usize = 24;

/// What an indexed load before the jump reads.
struct Indexed {
    table: u32,
    size: u8,
}

impl Walker<'_, '_> {
    /// Follows a jump through a table; false when it is none that can be read.
    pub(super) fn table(&mut self, at: u32, next: u32, insn: &Insn, state: &State) -> bool {
        let pc = match self.thumb {
            false => at.wrapping_add(8),
            true => at.wrapping_add(4) & !3,
        };
        match insn.op {
            Op::JumpTable { base: PC, index } => {
                let count = self.count(at, Some(index));
                self.addresses(pc, count, state)
            }
            Op::JumpTable { base, .. } => match self.constant(at, base) {
                Some(table) => self.addresses(table, self.count(at, None), state),
                None => false,
            },
            Op::JumpRegister(register) => match self.indexed(at, register) {
                Some(Indexed { table, size: 4 }) => {
                    self.addresses(table, self.count(at, None), state)
                }
                Some(_) => false,
                None => self.follows(at, next, register) && self.pieces(next, 8, state),
            },
            Op::JumpSum {
                base: PC,
                index,
                shift,
            } => match self.indexed(at, index) {
                Some(indexed) if shift == 2 => {
                    let count = self.count(at, None);
                    self.distances(indexed.table, pc, count, indexed.size, 4, state)
                }
                _ => self.steps(at, index, shift, state),
            },
            Op::TableBranch {
                base: PC,
                index,
                half,
            } => {
                let count = self.count(at, Some(index));
                let size = if half { 2 } else { 1 };
                self.distances(next, next, count, size, 2, state)
            }
            _ => false,
        }
    }

    /// The instructions before `at`, backwards, as far as they were reached.
    fn before(&self, at: u32) -> impl Iterator<Item = (u32, Insn)> {
        let step = if self.thumb { 2 } else { 4 };
        (1..2 * BACK as u32)
            .map(move |index| at.wrapping_sub(step * index))
            .take_while(move |&back| back >= self.start && back < at)
            .filter(|&back| self.map.has(back, CODE))
            .filter_map(|back| Some((back, self.map.insn(back, self.thumb)?)))
            .take(BACK)
    }

    /// One more than the constant with which a register (or any) is compared before
    /// `at`.
    fn count(&self, at: u32, register: Option<u8>) -> Option<u32> {
        self.before(at).find_map(|(_, insn)| match insn.op {
            Op::Compare(_, rn, value)
                if value < MAX_TABLE && register.is_none_or(|register| rn == register) =>
            {
                Some(value + 1)
            }
            _ => None,
        })
    }

    /// The constant that a register holds at `at`.
    fn constant(&self, at: u32, register: u8) -> Option<u32> {
        let mut high = None;
        for (_, insn) in self.before(at) {
            if insn.writes & 1 << (register & 15) == 0 {
                continue;
            }
            return match insn.op {
                Op::LoadLiteral { address, .. } => self.map.word(address),
                Op::Movt(_, half) => {
                    high = Some(half);
                    continue;
                }
                Op::Mov(_, value) => Some(value & 0xffff | high? << 16),
                Op::Adr(_, value) => Some(value),
                _ => None,
            };
        }
        None
    }

    /// What was loaded into a register from a table at a constant.
    fn indexed(&self, at: u32, register: u8) -> Option<Indexed> {
        let mut before = self.before(at);
        let (from, insn) = before.find(|(_, insn)| {
            // In Thumb code bit 0 of the address is set between load and jump.
            insn.writes & 1 << (register & 15) != 0 && !matches!(insn.op, Op::Arith(..))
        })?;
        match insn.op {
            Op::LoadSum { rn, size, .. } => Some(Indexed {
                table: self.constant(from, rn)?,
                size,
            }),
            _ => None,
        }
    }

    /// Whether the address behind the jump is what the register was made from.
    fn follows(&self, at: u32, next: u32, register: u8) -> bool {
        let mut before = self.before(at);
        let sum = before.find(|(_, insn)| insn.writes & 1 << (register & 15) != 0);
        sum.is_some_and(|(from, insn)| {
            (0..16u8).any(|rn| insn.reads >> rn & 1 == 1 && self.constant(from, rn) == Some(next))
        })
    }

    /// Pieces of code of one size, each of which ends for itself.
    fn pieces(&mut self, first: u32, size: u32, state: &State) -> bool {
        let mut entry = first;
        while entry < self.limit && self.ends_within(entry, size) && self.enter(entry, state) {
            entry = entry.wrapping_add(size);
        }
        entry != first
    }

    /// Whether control does not go on behind a piece of code of this size.
    fn ends_within(&self, piece: u32, size: u32) -> bool {
        let mut at = piece;
        while at < piece.wrapping_add(size) {
            let Some(insn) = self.map.insn(at, self.thumb) else {
                return false;
            };
            if ends(&insn) {
                return true;
            }
            at = at.wrapping_add(u32::from(insn.size));
        }
        false
    }

    /// A target of a table; false when it lies outside of the function.
    fn enter(&mut self, target: u32, state: &State) -> bool {
        let inside = (self.start..self.limit).contains(&target);
        if !inside || self.map.has(target, LITERAL) || self.entries == 0 {
            return false;
        }
        self.entries -= 1;
        self.map.set(target, JUMPED);
        self.waiting.push((target, *state));
        true
    }

    /// A table of addresses.
    fn addresses(&mut self, table: u32, count: Option<u32>, state: &State) -> bool {
        let mut entry = table;
        for _ in 0..count.unwrap_or(MAX_TABLE) {
            let Some(target) = self.map.word(entry) else {
                break;
            };
            if !self.enter(target & !u32::from(self.thumb), state) {
                break;
            }
            entry = entry.wrapping_add(4);
        }
        self.data(table, entry);
        entry != table
    }

    /// A table of distances from `from`, in units of `unit` bytes.
    fn distances(
        &mut self,
        table: u32,
        from: u32,
        count: Option<u32>,
        size: u8,
        unit: u32,
        state: &State,
    ) -> bool {
        let mut entry = table;
        let mut lowest = u32::MAX;
        for _ in 0..count.unwrap_or(MAX_TABLE) {
            let distance = match size {
                1 => self.map.byte(entry).map(u32::from),
                2 => self.map.half(entry).map(u32::from),
                _ => None,
            };
            let target = distance.map(|distance| from.wrapping_add(unit * distance));
            // A table before its targets ends where the first of them is.
            if entry >= lowest || !target.is_some_and(|target| self.enter(target, state)) {
                break;
            }
            lowest = lowest.min(target.filter(|&t| t > table).unwrap_or(u32::MAX));
            entry = entry.wrapping_add(u32::from(size));
        }
        self.data(table, entry);
        entry != table
    }

    /// Marks a table that lies in the function.
    fn data(&mut self, table: u32, end: u32) {
        if table < self.start || end > self.limit || end <= table {
            return;
        }
        let end = end.wrapping_add(1) & !1;
        self.map.set_all(table, end - table, LITERAL);
        self.walk.end = self.walk.end.max(end);
    }

    /// A table of jumps, or pieces of code of one size.
    fn steps(&mut self, at: u32, index: u8, shift: u8, state: &State) -> bool {
        let step = match shift {
            2..=6 => 1 << shift,
            _ => 4,
        };
        let count = self.count(at, Some(index));
        let mut entry = at.wrapping_add(8);
        for _ in 0..count.unwrap_or(MAX_TABLE) {
            if !self.enter(entry, state) {
                break;
            }
            self.walk.end = self.walk.end.max(entry.wrapping_add(4));
            let last = self.map.insn(entry.wrapping_add(step - 4), self.thumb);
            if count.is_none() && !last.is_some_and(|insn| ends(&insn)) {
                break;
            }
            entry = entry.wrapping_add(step);
        }
        true
    }
}
