//! The count of retired instructions, kept by the block hook, and what else it
//! notices.
//!
//! A block is counted when it starts. ARM instructions are four bytes each; for
//! Thumb the number in a block is kept in a table, filled by Unicorn when the
//! block is translated. When a block is left early the count is corrected with
//! the program counter.
//!
//! Blocks that may write a system register which rules the translation of
//! addresses are noticed too: reading those registers anew for every page would
//! cost more than the walk.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::live::{Live, psr};
use super::ram::{PAGE, Ram};
use super::split::is_plain;

/// Virtual pages of the guest.
const VIRTUAL_PAGES: usize = 1 << 20;
/// Bytes of a block at most: it does not leave its page, but for one Thumb
/// instruction.
const LONGEST: u32 = 0x1002;
/// Entries of the table of Thumb blocks; a power of two.
const BLOCKS: usize = 1 << 16;

/// What the block hook touches, and nothing else does while a block runs.
pub(crate) struct Count {
    /// Instructions retired when the running block is through.
    pub(crate) retired: u64,
    /// The boundary handler is called at the first block that starts with this
    /// many retired.
    pub(crate) deadline: u64,
    /// Where the running block starts, and how many instructions it has; 0 of
    /// them when no block runs.
    block: u32,
    pub(super) block_instructions: u32,
    /// A block that may write such a register has started.
    system_written: bool,
    /// The block that runs was stopped before the instruction at this address.
    interrupted: Option<u32>,
    /// If-Then bits at the start of the running block; kept only while the guest
    /// may be stopped inside of blocks.
    if_then: u32,
    /// For every virtual page that code ran from: the number of the page of
    /// memory behind it plus one, then two bits, [`mark`]s of what was
    /// translated there. A mark stays when other memory is mapped: code of the
    /// memory before may come back without being translated again.
    pages: Box<[u32; VIRTUAL_PAGES]>,
    /// A bit for every virtual page that has a mark: `pages`, which is asked before
    /// each block, is too large for the host's cache.
    marked: Box<[u64; VIRTUAL_PAGES / 64]>,
    blocks: Box<[Block; BLOCKS]>,
    ram: Rc<Ram>,
}

/// What pages are marked for.
mod mark {
    /// Thumb code.
    pub(super) const THUMB: u32 = 1;
    /// A block that may write a register which rules translation.
    pub(super) const SYSTEM: u32 = 2;
    pub(super) const ALL: u32 = THUMB | SYSTEM;
    /// Bits of all marks.
    pub(super) const BITS: u32 = 2;
}

#[derive(Clone, Copy, Default)]
struct Block {
    page: u32,
    /// Offset in the page and size in bytes, 16 bits each. A block has at least
    /// two bytes, so 0 is an empty entry.
    place: u32,
    instructions: u32,
}

impl Count {
    pub(crate) fn new(ram: Rc<Ram>) -> Self {
        Self {
            retired: 0,
            deadline: 0,
            block: 0,
            block_instructions: 0,
            system_written: true,
            interrupted: None,
            if_then: 0,
            pages: zeroed(),
            marked: zeroed(),
            blocks: zeroed(),
            ram,
        }
    }

    /// The count before the running block. It never goes back, so that it can
    /// serve as the time of an access that the block makes.
    pub(crate) fn at_block(&self) -> u64 {
        self.retired - u64::from(self.block_instructions)
    }

    /// Code of a virtual page is from now on fetched from this page of memory.
    pub(super) fn fetched_from(&mut self, address: u32, page: u32) {
        let entry = &mut self.pages[(address >> 12) as usize];
        *entry = (page + 1) << mark::BITS | *entry & mark::ALL;
    }

    /// The page of memory that a virtual page's code came from last.
    pub(crate) fn code_page(&self, address: u32) -> Option<u32> {
        (self.pages[(address >> 12) as usize] >> mark::BITS).checked_sub(1)
    }

    /// The halfword of an instruction that was translated or is about to be.
    pub(crate) fn code_halfword(&self, address: u32) -> Option<u16> {
        self.ram
            .halfword_of_page(self.code_page(address)?, address & 0xffe)
    }

    /// A block was translated.
    pub(super) fn translated(&mut self, address: u32, bytes: u32, instructions: u32, thumb: bool) {
        if thumb {
            self.mark(address, mark::THUMB);
        }
        if self.may_write_system(address, bytes, thumb) {
            self.mark(address, mark::SYSTEM);
        }
        let entry = self.pages[(address >> 12) as usize];
        if entry & mark::THUMB != 0 {
            let page = entry >> mark::BITS;
            let place = (address & 0xfff) << 16 | bytes;
            self.blocks[slot(page, place)] = Block {
                page,
                place,
                instructions,
            };
        }
    }

    /// Nothing is known of the block at an address that is about to run: Unicorn
    /// does not tell of the first one that it translates.
    pub(crate) fn starts_at(&mut self, address: u32, thumb: bool) {
        let also = if thumb { mark::THUMB } else { 0 };
        self.mark(address, mark::SYSTEM | also);
    }

    fn mark(&mut self, address: u32, mark: u32) {
        self.pages[(address >> 12) as usize] |= mark;
        let page = address >> 12;
        self.marked[(page / 64) as usize] |= 1 << (page % 64);
    }

    /// Whether a block is known to be ARM code that writes no register of
    /// interest: its page has no mark.
    #[inline(always)]
    pub(super) fn is_plain(&self, address: u32) -> bool {
        let page = address >> 12;
        self.marked[(page / 64) as usize] >> (page % 64) & 1 == 0
    }

    fn is_marked(&self, address: u32, mark: u32) -> bool {
        self.pages[(address >> 12) as usize] & mark != 0
    }

    /// A block of a page that has marks starts.
    pub(super) fn noticed(&mut self, address: u32) {
        self.system_written |= self.is_marked(address, mark::SYSTEM);
    }

    /// The registers that rule translation were written by the host.
    pub(crate) fn wrote_system(&mut self) {
        self.system_written = true;
    }

    /// The guest stops before the instruction at `address` of the running block.
    /// When it goes on there, that is still the same block: time and interrupts
    /// are as if it had not stopped.
    pub(crate) fn interrupt(&mut self, address: u32) {
        self.interrupted = Some(address);
    }

    /// The guest will not go on where it was interrupted.
    pub(crate) fn abandon(&mut self, thumb: bool) {
        if let Some(address) = self.interrupted.take() {
            self.left_at(address, thumb);
        }
    }

    /// Instructions retired: when a block was interrupted, of that what is done.
    pub(crate) fn done(&self, thumb: bool) -> u64 {
        match self.interrupted {
            Some(address) => self.before(address, thumb),
            None => self.retired,
        }
    }

    /// The count that stands for the moment of what happens now: accesses of an
    /// interrupted block are made at its start.
    pub(crate) fn moment(&self) -> u64 {
        match self.interrupted {
            Some(_) => self.at_block(),
            None => self.retired,
        }
    }

    /// Code that was stopped in the middle of a block has no If-Then bits in its
    /// status: see the head of [`crate::cpu`].
    pub(crate) fn bring_back_if_then(&self, cpu: &Live<'_>) {
        let cpsr = cpu.cpsr();
        if let Some(address) = self.interrupted
            && cpsr & psr::THUMB != 0
        {
            cpu.set_cpsr(cpsr & !psr::IF_THEN | self.if_then_before(address));
        }
    }

    /// Whether a block that starts is the rest of one that was interrupted.
    pub(super) fn continues(
        &mut self,
        address: u32,
        bytes: u32,
        thumb: impl FnOnce() -> bool,
    ) -> bool {
        if self.interrupted.take() != Some(address) {
            return false;
        }
        let done = self.count_between(self.block, address.wrapping_add(bytes), thumb());
        self.retired = self.at_block() + u64::from(done);
        self.block_instructions = done;
        true
    }

    /// Whether an ARM block that starts is the rest of one that was too long, so that
    /// it is no boundary: see [`split`](super::split).
    pub(super) fn is_rest(&self, address: u32) -> bool {
        let end = self
            .block
            .wrapping_add(self.block_instructions.wrapping_mul(4));
        // The first of a page is one: a straight run must end somewhere. Its address may be
        // odd, where a debugger set the program counter.
        if self.block_instructions == 0 || end != address || address & 0xfff < 4 {
            return false;
        }
        let halfword = |address| self.code_halfword(address).map(u32::from);
        let (low, high) = (address.wrapping_sub(4), address.wrapping_sub(2));
        match (halfword(low), halfword(high)) {
            (Some(low), Some(high)) => is_plain(high << 16 | low),
            _ => false,
        }
    }

    /// The If-Then bits at the start of a block.
    pub(super) fn starts_with(&mut self, cpsr: u32) {
        self.if_then = cpsr & psr::IF_THEN;
    }

    /// The If-Then bits before the instruction at `address` of the running block,
    /// which is Thumb code.
    pub(crate) fn if_then_before(&self, address: u32) -> u32 {
        let bytes = address.wrapping_sub(self.block);
        self.if_then_behind(self.block, bytes, self.if_then)
    }

    /// The If-Then bits behind so many bytes of Thumb code.
    fn if_then_behind(&self, start: u32, bytes: u32, bits: u32) -> u32 {
        self.thumb_code(start, bytes)
            .fold(bits, |bits, (_, first)| match first {
                0xbf00..=0xbfff if first & 15 != 0 => if_then(u32::from(first) & 0xff),
                _ => advanced_if_then(bits),
            })
    }

    /// The instructions of so many bytes of Thumb code, at most those of a block: the
    /// offset and the first halfword of each.
    fn thumb_code(&self, start: u32, bytes: u32) -> impl Iterator<Item = (u32, u16)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let offset = next;
            (offset < bytes.min(LONGEST)).then(|| {
                let first = self.code_halfword(start.wrapping_add(offset)).unwrap_or(0);
                next += if is_wide(first) { 4 } else { 2 };
                (offset, first)
            })
        })
    }

    /// Whether the last instruction of a Thumb block is in an If-Then block, when the
    /// status is `cpsr` at its start.
    pub(super) fn ends_in_if_then(&self, address: u32, bytes: u32, cpsr: u32) -> bool {
        let last = self.thumb_code(address, bytes).last().map_or(0, |it| it.0);
        self.if_then_behind(address, last, cpsr & psr::IF_THEN) & psr::IF_THEN_MASK != 0
    }

    /// What a snapshot keeps.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            retired: self.retired,
            block: self.block,
            block_instructions: self.block_instructions,
            interrupted: self.interrupted,
            if_then: self.if_then,
        }
    }

    /// Goes back to what was kept. What is known of code stays: it is asked only
    /// for what was fetched since the TLB was emptied, and marks may be too many.
    pub(crate) fn keep(&mut self, kept: &Kept) {
        let Kept {
            retired,
            block,
            block_instructions,
            interrupted,
            if_then,
        } = *kept;
        self.retired = retired;
        self.block = block;
        self.block_instructions = block_instructions;
        self.interrupted = interrupted;
        self.if_then = if_then;
        self.system_written = true;
    }

    /// Whether the registers that rule translation may have been written since
    /// this was asked last.
    pub(crate) fn take_system_written(&mut self) -> bool {
        // The block that runs may be one that does so further on.
        let running = self.is_marked(self.block, mark::SYSTEM);
        std::mem::replace(&mut self.system_written, running) || running
    }

    /// Whether a block has an MCR or MCRR to the registers 1 to 3 of CP15:
    /// control, translation tables, domains (DDI 0406C B3.17). In Thumb code any
    /// two halfwords are taken for an instruction.
    fn may_write_system(&self, address: u32, bytes: u32, thumb: bool) -> bool {
        let step = if thumb { 2 } else { 4 };
        (0..bytes).step_by(step).any(|offset| {
            let halfword = |offset: u32| {
                self.code_halfword(address.wrapping_add(offset))
                    .map_or(0, u32::from)
            };
            let (first, second) = (halfword(offset), halfword(offset + 2));
            writes_system(match thumb {
                true => first << 16 | second,
                false => second << 16 | first,
            })
        })
    }

    /// A block starts.
    #[inline(always)]
    pub(super) fn started(&mut self, address: u32, instructions: u32) {
        self.block = address;
        self.block_instructions = instructions;
        self.retired += u64::from(instructions);
    }

    /// How many instructions a block has. `thumb` is asked only when that is not
    /// known.
    pub(super) fn instructions(
        &mut self,
        address: u32,
        bytes: u32,
        thumb: impl FnOnce() -> bool,
    ) -> u32 {
        if !self.is_marked(address, mark::THUMB) {
            return bytes / 4;
        }
        let page = self.pages[(address >> 12) as usize] >> mark::BITS;
        let place = (address & 0xfff) << 16 | bytes;
        let block = self.blocks[slot(page, place)];
        if block.page == page && block.place == place {
            return block.instructions;
        }
        let thumb = thumb();
        let instructions = self.count_between(address, address.wrapping_add(bytes), thumb);
        self.translated(address, bytes, instructions, thumb);
        instructions
    }

    /// The running block is left before the instruction at `address`.
    pub(crate) fn left_at(&mut self, address: u32, thumb: bool) {
        let done = self.count_between(self.block, address, thumb);
        if done <= self.block_instructions {
            self.retired = self.at_block() + u64::from(done);
        }
        self.block_instructions = 0;
    }

    /// The count before the instruction at `address` of the running block.
    pub(crate) fn before(&self, address: u32, thumb: bool) -> u64 {
        let done = self.count_between(self.block, address, thumb);
        self.at_block() + u64::from(done.min(self.block_instructions))
    }

    /// Instructions from `start` up to `end`, which are in one block.
    fn count_between(&self, start: u32, end: u32, thumb: bool) -> u32 {
        let bytes = end.wrapping_sub(start);
        match (bytes > LONGEST, thumb) {
            (true, _) => 0,
            (false, true) => self.thumb_code(start, bytes).count() as u32,
            (false, false) => bytes / 4,
        }
    }
}

/// See [`Count::kept`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    retired: u64,
    block: u32,
    block_instructions: u32,
    interrupted: Option<u32>,
    if_then: u32,
}

impl Kept {
    /// Whether a count can be like this: nothing below would overflow.
    pub(crate) fn is_possible(&self) -> bool {
        let block = u64::from(self.block_instructions);
        self.retired < u64::MAX / 2 && block <= self.retired && block <= PAGE
    }
}

/// The If-Then bits of a status from the eight of an `it` instruction.
pub(super) fn if_then(state: u32) -> u32 {
    (state & 0xfc) << 8 | (state & 3) << 25
}

/// The If-Then bits behind the next instruction (DDI 0406C A2.5.2).
pub(crate) fn advanced_if_then(cpsr: u32) -> u32 {
    let state = cpsr >> 8 & 0xfc | cpsr >> 25 & 3;
    if_then(if state & 7 == 0 {
        0
    } else {
        state & 0xe0 | state << 1 & 0x1f
    })
}

/// Whether a Thumb instruction that starts with this halfword has two
/// (DDI 0406C A6.1).
pub(crate) fn is_wide(first: u16) -> bool {
    first >> 11 >= 0b11101
}

/// Whether an instruction is such a one, whatever its condition. Encodings are
/// the same in both instruction sets.
fn writes_system(instruction: u32) -> bool {
    let to_register = instruction & 0x0f10_0f10 == 0x0e00_0f10;
    let to_pair = instruction & 0x0ff0_0f00 == 0x0c40_0f00;
    to_pair || to_register && (1..=3).contains(&(instruction >> 16 & 15))
}

fn slot(page: u32, place: u32) -> usize {
    let mixed = (page ^ place.rotate_left(13)).wrapping_mul(0x9e37_79b1);
    mixed as usize >> (32 - BLOCKS.trailing_zeros())
}

/// A large array on the heap that never was on the stack.
fn zeroed<T: Clone + Copy + Default, const N: usize>() -> Box<[T; N]> {
    match vec![T::default(); N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("a vector of N has N elements"),
    }
}

#[cfg(test)]
mod tests;
