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
    /// All pages that have a mark lie in this many bytes from here on: outside
    /// of them `pages`, which is large and seldom in the host's cache, need not
    /// be asked. Thumb programs under an ARM kernel are far from it.
    marked_start: u32,
    marked_size: u64,
    /// A block that may write such a register has started.
    system_written: bool,
    /// For every virtual page that code ran from: the number of the page of
    /// memory behind it plus one, then two bits, [`mark`]s of what was
    /// translated there. A mark stays when other memory is mapped: code of the
    /// memory before may come back without being translated again.
    pages: Box<[u32; VIRTUAL_PAGES]>,
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
            marked_start: 0,
            marked_size: 0,
            system_written: true,
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
    pub(crate) fn starts_at(&mut self, address: u32) {
        self.mark(address, mark::SYSTEM);
    }

    fn mark(&mut self, address: u32, mark: u32) {
        self.pages[(address >> 12) as usize] |= mark;
        let page = address & !0xfff;
        let end = u64::from(page) + 0x1000;
        let (start, end) = match self.marked_size {
            0 => (page, end),
            size => (
                page.min(self.marked_start),
                end.max(u64::from(self.marked_start) + size),
            ),
        };
        self.marked_start = start;
        self.marked_size = end - u64::from(start);
    }

    /// Whether a block is known to be ARM code that writes no register of
    /// interest: its page has no mark.
    #[inline(always)]
    pub(super) fn is_plain(&self, address: u32) -> bool {
        u64::from(address.wrapping_sub(self.marked_start)) >= self.marked_size
            || self.pages[(address >> 12) as usize] & mark::ALL == 0
    }

    fn is_marked(&self, address: u32, mark: u32) -> bool {
        self.pages[(address >> 12) as usize] & mark != 0
    }

    /// A block of a page that has marks starts.
    pub(super) fn noticed(&mut self, address: u32) {
        self.system_written |= self.is_marked(address, mark::SYSTEM);
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
    fn thumb_code_may_lie_at_both_ends_of_memory() {
        let mut count = count(&[]);
        assert!(count.is_plain(0x8000));
        count.translated(0x8000, 2, 1, true);
        assert!(!count.is_plain(0x8ffe) && count.is_plain(0x9000));
        count.translated(0, 2, 1, true);
        count.translated(0xffff_f000, 2, 1, true);
        for page in [0, 0x8000, 0xffff_f000] {
            assert!(!count.is_plain(page));
        }
        assert!(count.is_plain(0x9000));
    }

    #[test]
    fn thumb_code_is_still_known_when_its_memory_comes_back() {
        let mut count = count(&[0xbf00, 0xf3af, 0x8000, 0x4770]);
        count.translated(0x8000, 8, 3, true);
        count.fetched_from(0x8000, 1);
        count.fetched_from(0x8000, 0);
        assert_eq!(count.instructions(0x8000, 8, || unreachable!()), 3);
    }

    #[test]
    fn writes_of_system_registers_are_noticed() {
        // mcr p15, 0, r0, c2, c0, 0 (TTBR0)
        let mut arm = count(&[0x0f10, 0xee02]);
        assert!(arm.take_system_written());
        assert!(!arm.take_system_written());
        arm.translated(0x8000, 4, 1, false);
        assert!(!arm.is_plain(0x8000));
        arm.noticed(0x8000);
        arm.started(0x8000, 1);
        // As long as the block runs it may do it again.
        assert!(arm.take_system_written() && arm.take_system_written());
        arm.started(0x9000, 1);
        assert!(arm.take_system_written());
        assert!(!arm.take_system_written());
        // The same in Thumb code, behind a nop.
        let mut thumb = count(&[0xbf00, 0xee02, 0x0f10]);
        thumb.translated(0x8000, 6, 2, true);
        assert!(thumb.is_marked(0x8000, mark::SYSTEM));
    }

    #[test]
    fn instructions_that_write_system_registers() {
        for (instruction, expected) in [
            (0xee01_0f10, true),  // mcr p15, 0, r0, c1, c0, 0
            (0x1e03_1f10, true),  // mcrne p15, 0, r1, c3, c0, 0
            (0xec41_0f12, true),  // mcrr p15, 1, r0, r1, c2
            (0xee11_0f10, false), // mrc p15, 0, r0, c1, c0, 0
            (0xee08_0f17, false), // mcr p15, 0, r0, c8, c7, 0
            (0xee02_0e10, false), // mcr p14, 0, r0, c2, c0, 0
            (0xee02_0f00, false), // cdp p15, 0, c0, c2, c0, 0
        ] {
            assert_eq!(writes_system(instruction), expected, "{instruction:#x}");
        }
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
