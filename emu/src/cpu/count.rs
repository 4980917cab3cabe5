//! The count of retired instructions, kept by the block hook.
//!
//! A block is counted when it starts. ARM instructions are four bytes each; for
//! Thumb the number in a block is kept in a table, filled by Unicorn when the
//! block is translated. When a block is left early the count is corrected with
//! the program counter.

use std::rc::Rc;

use super::ram::Ram;

/// Virtual pages of the guest.
const VIRTUAL_PAGES: usize = 1 << 20;
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
    /// For every virtual page that code ran from: the number of the page of
    /// memory behind it plus one, times two; bit 0 is set once Thumb code was
    /// translated there.
    pages: Box<[u32; VIRTUAL_PAGES]>,
    blocks: Box<[Block; BLOCKS]>,
    ram: Rc<Ram>,
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
            pages: zeroed(),
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
        if *entry >> 1 != page + 1 {
            *entry = (page + 1) << 1;
        }
    }

    /// The page of memory that a virtual page's code came from last.
    pub(crate) fn code_page(&self, address: u32) -> Option<u32> {
        (self.pages[(address >> 12) as usize] >> 1).checked_sub(1)
    }

    /// The halfword of an instruction that was translated or is about to be.
    pub(crate) fn code_halfword(&self, address: u32) -> Option<u16> {
        self.ram
            .halfword_of_page(self.code_page(address)?, address & 0xffe)
    }

    /// A block was translated.
    pub(super) fn translated(&mut self, address: u32, bytes: u32, instructions: u32, thumb: bool) {
        let entry = &mut self.pages[(address >> 12) as usize];
        if thumb {
            *entry |= 1;
        }
        if *entry & 1 != 0 {
            let page = *entry >> 1;
            let place = (address & 0xfff) << 16 | bytes;
            self.blocks[slot(page, place)] = Block {
                page,
                place,
                instructions,
            };
        }
    }

    /// Whether a block is known to be ARM code: no Thumb code was translated in
    /// its page.
    #[inline(always)]
    pub(super) fn is_arm(&self, address: u32) -> bool {
        self.pages[(address >> 12) as usize] & 1 == 0
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
        if self.is_arm(address) {
            return bytes / 4;
        }
        let page = self.pages[(address >> 12) as usize] >> 1;
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
        // A block does not leave its page, but for one Thumb instruction.
        if bytes > 0x1002 {
            return 0;
        }
        if !thumb {
            return bytes / 4;
        }
        let mut count = 0;
        let mut offset = 0;
        while offset < bytes {
            let first = self.code_halfword(start.wrapping_add(offset)).unwrap_or(0);
            offset += if is_wide(first) { 4 } else { 2 };
            count += 1;
        }
        count
    }
}

/// Whether a Thumb instruction that starts with this halfword has two
/// (DDI 0406C A6.1).
pub(crate) fn is_wide(first: u16) -> bool {
    first >> 11 >= 0b11101
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
mod tests {
    use super::*;
    use crate::cpu::ram::PAGE;

    fn count(code: &[u16]) -> Count {
        let mut ram = Ram::new();
        ram.add(0, PAGE).unwrap();
        let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
        assert!(ram.write(0, &bytes));
        let mut count = Count::new(Rc::new(ram));
        count.fetched_from(0x8000, 0);
        count
    }

    #[test]
    fn arm_blocks_are_words() {
        assert_eq!(count(&[]).instructions(0x8000, 20, || false), 5);
    }

    #[test]
    fn thumb_blocks_are_decoded_once_and_again_when_translated_anew() {
        // nop; nop.w; bx lr
        let mut count = count(&[0xbf00, 0xf3af, 0x8000, 0x4770]);
        count.translated(0x8000, 8, 3, true);
        assert_eq!(count.instructions(0x8000, 8, || unreachable!()), 3);
        // An entry that is not there is decoded.
        assert_eq!(count.instructions(0x8002, 6, || true), 2);
        // Other code at the same place.
        count.translated(0x8000, 8, 4, true);
        assert_eq!(count.instructions(0x8000, 8, || unreachable!()), 4);
        // ARM code in the same page is still told apart.
        count.translated(0x8100, 8, 2, false);
        assert_eq!(count.instructions(0x8100, 8, || unreachable!()), 2);
        assert_eq!(count.instructions(0x8200, 8, || false), 2);
    }

    #[test]
    fn a_block_left_early_counts_what_it_did() {
        let mut count = count(&[0xbf00, 0xf3af, 0x8000, 0x4770]);
        count.retired = 103;
        count.block = 0x8000;
        count.block_instructions = 3;
        assert_eq!(count.at_block(), 100);
        assert_eq!(count.before(0x8006, true), 102);
        count.left_at(0x8002, true);
        assert_eq!(count.retired, 101);
        assert_eq!(count.at_block(), 101);
    }
}
