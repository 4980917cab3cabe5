//! Guest memory: anonymous mappings that Unicorn executes from and that the
//! page walk, the loader and the debugger read and write through safe calls.
//!
//! No reference to the bytes is ever made: translated code changes them behind
//! the compiler's back, so every access copies through raw pointers.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use memmap2::{MmapMut, MmapRaw};

/// Bytes in a page of the emulator, whatever the guest's page size.
pub(crate) const PAGE: u64 = 4096;

/// What one page holds.
pub(crate) type PageBytes = [u8; PAGE as usize];

/// The banks of guest memory, numbered page by page.
#[derive(Debug)]
pub(crate) struct Ram {
    banks: Vec<Bank>,
    pages: u32,
    /// A bit for every page that may have changed since this was last cleared.
    /// The host's writes set it here; the guest's are noted where pages are
    /// handed out for writing.
    dirty: Vec<Cell<u64>>,
}

#[derive(Debug)]
struct Bank {
    base: u64,
    size: u64,
    first_page: u32,
    bytes: MmapRaw,
}

impl Ram {
    pub(crate) fn new() -> Self {
        Self {
            banks: Vec::new(),
            pages: 0,
            dirty: Vec::new(),
        }
    }

    /// Adds a bank of zeroes. The caller has checked that base and size are
    /// multiples of [`PAGE`] and that banks do not overlap.
    pub(crate) fn add(&mut self, base: u64, size: u64) -> io::Result<()> {
        let length = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let pages = u32::try_from(size / PAGE).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.banks.push(Bank {
            base,
            size,
            first_page: self.pages,
            bytes: MmapRaw::from(MmapMut::map_anon(length)?),
        });
        self.pages += pages;
        let words = self.pages.div_ceil(u64::BITS) as usize;
        self.dirty.resize(words, Cell::new(0));
        Ok(())
    }

    /// How many pages all banks have.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// Base, size and host address of every bank, for mapping it in Unicorn.
    pub(super) fn banks(&self) -> impl Iterator<Item = (u64, u64, *mut u8)> + '_ {
        self.banks
            .iter()
            .map(|bank| (bank.base, bank.size, bank.bytes.as_mut_ptr()))
    }

    /// The number of the page that holds a physical address.
    pub(crate) fn page_of(&self, address: u64) -> Option<u32> {
        let (bank, offset) = self.find(address, 1)?;
        Some(bank.first_page + (offset / PAGE) as u32)
    }

    /// An aligned little-endian word; none outside of memory.
    #[inline]
    pub(crate) fn word(&self, address: u64) -> Option<u32> {
        let (bank, offset) = self.find(address, 4)?;
        // SAFETY: `find` checked that four bytes at `offset` are inside the mapping,
        // which lives as long as `self`. Any bit pattern is a valid word.
        let word = unsafe {
            bank.bytes
                .as_ptr()
                .add(offset as usize)
                .cast::<u32>()
                .read_unaligned()
        };
        Some(u32::from_le(word))
    }

    /// The little-endian halfword at a byte offset (even, below [`PAGE`]) of a
    /// page.
    #[inline]
    pub(crate) fn halfword_of_page(&self, page: u32, offset: u32) -> Option<u16> {
        let bank = self.bank_of(page)?;
        let at = u64::from(page - bank.first_page) * PAGE + u64::from(offset);
        if at + 2 > bank.size {
            return None;
        }
        // SAFETY: two bytes at `at` are inside the mapping, checked above.
        let halfword = unsafe {
            bank.bytes
                .as_ptr()
                .add(at as usize)
                .cast::<u16>()
                .read_unaligned()
        };
        Some(u16::from_le(halfword))
    }

    /// Copies memory out; false, and nothing is read, unless all is inside one
    /// bank.
    pub(crate) fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some((bank, offset)) = self.find(address, into.len() as u64) else {
            return false;
        };
        // SAFETY: `find` checked the range; `into` is memory of our own that cannot
        // overlap the mapping.
        unsafe {
            bank.bytes
                .as_ptr()
                .add(offset as usize)
                .copy_to_nonoverlapping(into.as_mut_ptr(), into.len());
        }
        true
    }

    /// Copies into memory; false, and nothing is written, unless all is inside
    /// one bank.
    pub(crate) fn write(&self, address: u64, from: &[u8]) -> bool {
        let Some((bank, offset)) = self.find(address, from.len() as u64) else {
            return false;
        };
        // SAFETY: `find` checked the range; `from` is memory of our own that cannot
        // overlap the mapping. The mapping is writable.
        unsafe {
            bank.bytes
                .as_mut_ptr()
                .add(offset as usize)
                .copy_from_nonoverlapping(from.as_ptr(), from.len());
        }
        if let Some(last) = (from.len() as u64).checked_sub(1) {
            let page = |offset: u64| bank.first_page + (offset / PAGE) as u32;
            (page(offset)..=page(offset + last)).for_each(|page| self.mark_dirty(page));
        }
        true
    }

    /// A page may be written from now on.
    #[inline]
    pub(crate) fn mark_dirty(&self, page: u32) {
        if let Some(word) = self.dirty.get((page / u64::BITS) as usize) {
            word.set(word.get() | 1 << (page % u64::BITS));
        }
    }

    pub(crate) fn is_dirty(&self, page: u32) -> bool {
        let word = self.dirty.get((page / u64::BITS) as usize);
        word.is_some_and(|word| word.get() >> (page % u64::BITS) & 1 != 0)
    }

    /// All pages that may have changed, which are then taken to be clean. The
    /// guest must not hold one for writing: empty its TLB.
    pub(crate) fn take_dirty(&self) -> Vec<u32> {
        let mut pages = Vec::new();
        for (first, word) in (0..).step_by(u64::BITS as usize).zip(&self.dirty) {
            let mut bits = word.take();
            while bits != 0 {
                pages.push(first + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
        pages
    }

    /// The physical address of a page.
    pub(crate) fn address_of(&self, page: u32) -> Option<u64> {
        let bank = self.bank_of(page)?;
        Some(bank.base + u64::from(page - bank.first_page) * PAGE)
    }

    /// A copy of a page; none of one that holds nothing but zeros, or that is not
    /// there.
    pub(crate) fn copy_of(&self, page: u32) -> Option<Rc<PageBytes>> {
        let from = self.start_of(page)?;
        let mut copy = Rc::<PageBytes>::new_uninit();
        let to = Rc::get_mut(&mut copy)?.as_mut_ptr();
        // SAFETY: `start_of` gives a whole page inside a mapping that lives as long as
        // `self`; `to` is a page of our own. All of it is written.
        let copy = unsafe {
            from.copy_to_nonoverlapping(to.cast(), PAGE as usize);
            copy.assume_init()
        };
        copy.iter().any(|&byte| byte != 0).then_some(copy)
    }

    /// Fills a page; with zeros if there is nothing to fill it with. It is not
    /// marked as dirty.
    pub(crate) fn fill_page(&self, page: u32, bytes: Option<&PageBytes>) {
        let Some(to) = self.start_of(page) else {
            return;
        };
        // SAFETY: `start_of` gives a whole page inside a writable mapping that lives as
        // long as `self`, and `bytes` is memory of our own.
        unsafe {
            match bytes {
                Some(bytes) => to.copy_from_nonoverlapping(bytes.as_ptr(), PAGE as usize),
                None => to.write_bytes(0, PAGE as usize),
            }
        }
    }

    fn bank_of(&self, page: u32) -> Option<&Bank> {
        if page >= self.pages {
            return None;
        }
        let mut banks = self.banks.iter().rev();
        banks.find(|bank| page >= bank.first_page)
    }

    fn start_of(&self, page: u32) -> Option<*mut u8> {
        let bank = self.bank_of(page)?;
        let offset = (page - bank.first_page) as usize * PAGE as usize;
        // SAFETY: the bank has the page, so the offset is inside its mapping.
        Some(unsafe { bank.bytes.as_mut_ptr().add(offset) })
    }

    #[inline]
    fn find(&self, address: u64, length: u64) -> Option<(&Bank, u64)> {
        self.banks.iter().find_map(|bank| {
            let offset = address.checked_sub(bank.base)?;
            let room = bank.size.checked_sub(offset)?;
            (length <= room).then_some((bank, offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_through_the_banks() {
        let mut ram = Ram::new();
        ram.add(0, 2 * PAGE).unwrap();
        ram.add(0x8000_0000, PAGE).unwrap();
        assert_eq!(ram.pages(), 3);
        assert_eq!(ram.page_of(0x1fff), Some(1));
        assert_eq!(ram.page_of(0x8000_0000), Some(2));
        assert_eq!(ram.page_of(0x2000), None);
    }

    #[test]
    fn changed_pages_are_known() {
        let mut ram = Ram::new();
        ram.add(0x1000, 70 * PAGE).unwrap();
        ram.add(0x8000_0000, 2 * PAGE).unwrap();
        assert!(ram.take_dirty().is_empty());
        // Two pages at once; nothing; behind the last bit of a word.
        assert!(ram.write(0x1ffe, &[1; 4]) && ram.write(0x5000, &[]));
        assert!(ram.write(0x8000_1000, &[1]));
        assert!(ram.is_dirty(1) && !ram.is_dirty(2) && !ram.is_dirty(1000));
        assert_eq!(ram.take_dirty(), [0, 1, 71]);
        assert!(ram.take_dirty().is_empty());
        assert_eq!(ram.address_of(71), Some(0x8000_1000));
        assert_eq!(ram.address_of(72), None);
    }

    #[test]
    fn pages_are_copied_and_filled() {
        let mut ram = Ram::new();
        ram.add(0, 2 * PAGE).unwrap();
        assert!(ram.write(0x1000, &[7]));
        assert_eq!(ram.copy_of(0), None);
        assert_eq!(ram.copy_of(2), None);
        let copy = ram.copy_of(1).unwrap();
        ram.fill_page(0, Some(&copy));
        ram.fill_page(1, None);
        ram.fill_page(2, Some(&copy));
        assert_eq!((ram.word(0), ram.word(0x1000)), (Some(7), Some(0)));
    }

    #[test]
    fn access_past_the_end_is_refused() {
        let mut ram = Ram::new();
        ram.add(0x1000, PAGE).unwrap();
        assert!(ram.write(0x1ffc, &[1, 2, 3, 4]));
        assert_eq!(ram.word(0x1ffc), Some(0x0403_0201));
        assert_eq!(ram.word(0x1ffd), None);
        assert_eq!(ram.halfword_of_page(0, 0xffe), Some(0x0403));
        assert!(!ram.write(0x1ffd, &[0; 4]));
        assert!(!ram.read(u64::MAX, &mut [0; 4]));
        assert!(ram.read(0x1000, &mut []));
    }
}
