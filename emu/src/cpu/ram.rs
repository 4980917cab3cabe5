//! Guest memory: anonymous mappings that Unicorn executes from and that the
//! page walk, the loader and the debugger read and write through safe calls.
//!
//! No reference to the bytes is ever made: translated code changes them behind
//! the compiler's back, so every access copies through raw pointers.

use std::io;

use memmap2::{MmapMut, MmapRaw};

/// Bytes in a page of the emulator, whatever the guest's page size.
pub(crate) const PAGE: u64 = 4096;

/// The banks of guest memory, numbered page by page.
#[derive(Debug)]
pub(crate) struct Ram {
    banks: Vec<Bank>,
    pages: u32,
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
        let bank = self
            .banks
            .iter()
            .rev()
            .find(|bank| page >= bank.first_page)?;
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
        true
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
