//! Opaque memory: a range of virtual addresses that has a table of our own.
//!
//! Privileged modes see the driver's code, its data and the registers of the
//! chips; the guest's tables are not asked. Its memory lies above 4 GiB, where
//! the guest has no address for it. User mode gets what the guest's own tables
//! say, which is nothing as long as there is no conflict.
//!
//! A conflict is a mapping that the kernel makes there. A page that it maps
//! where nothing was needs no flush of the TLB, so looking at walks alone would
//! miss it: the kernel's table is also looked at on a cadence.

use serde::{Deserialize, Serialize};

use thiserror::Error;

use super::fault::{Format, Level, Status};
use super::walk::{Descriptors, Mapping, Regime, Rights, walk};
use crate::cpu::ram::PAGE;

/// Where opaque memory lies for Unicorn.
pub(crate) const PHYSICAL: u64 = 1 << 32;

/// A chip of the transplant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChipKind {
    /// Interrupt controller.
    Pl190,
    /// Timer.
    Sp804,
    /// Serial port.
    Uart16550,
    /// Read-only memory.
    Rom,
}

/// A piece of the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Where it goes.
    pub va: u32,
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// Its length in bytes; zeroes follow `bytes`.
    pub size: u32,
    /// Data that may be written, rather than code that may be executed.
    pub writable: bool,
}

/// The registers of a chip: one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chip {
    /// Which one.
    pub chip: ChipKind,
    /// Where the driver finds it: a page of the opaque range.
    pub va: u32,
    /// Where the kernel's own drivers can map it: a page outside of memory.
    pub phys: u32,
    /// Its line into the interrupt controller; not used for a chip that has none.
    pub irq: u32,
}

/// What the opaque range holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpaqueMap {
    /// First address, a multiple of 4096.
    pub base: u32,
    /// Length in bytes, a multiple of 4096.
    pub size: u32,
    /// The driver.
    pub segments: Vec<Segment>,
    /// The chips.
    pub chips: Vec<Chip>,
    /// What the read-only memory holds, if it is among them.
    pub rom: Vec<u8>,
}

/// An opaque map that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpaqueError {
    /// Not a range of whole pages below 4 GiB.
    #[error("opaque range {base:#010x}+{size:#x} is not a range of whole 4 KiB pages")]
    Range {
        /// First address.
        base: u32,
        /// Length.
        size: u32,
    },
    /// Something reaches out of the range.
    #[error("{va:#010x}+{size:#x} is not inside the opaque range")]
    Outside {
        /// First address.
        va: u32,
        /// Length.
        size: u64,
    },
    /// A chip's page is in use already.
    #[error("the chip at {va:#010x} shares its page")]
    Shared {
        /// The chip's address.
        va: u32,
    },
}

/// The table of the opaque range.
#[derive(Debug, Clone)]
pub(crate) struct Opaque {
    base: u32,
    pages: Vec<Option<Mapping>>,
}

impl Opaque {
    /// The table, and the memory that belongs at [`PHYSICAL`].
    pub(crate) fn new(map: &OpaqueMap) -> Result<(Self, Vec<u8>), OpaqueError> {
        let (base, size) = (map.base, map.size);
        let end = u64::from(base) + u64::from(size);
        let aligned = (u64::from(base) | u64::from(size)) % PAGE == 0;
        if !aligned || size == 0 || end > PHYSICAL {
            return Err(OpaqueError::Range { base, size });
        }
        let mut memory = vec![0; size as usize];
        let mut pages = vec![None; (u64::from(size) / PAGE) as usize];
        let place = |va: u32, length: u64| {
            let offset = u64::from(va.wrapping_sub(base));
            if va < base || u64::from(va) + length > end {
                return Err(OpaqueError::Outside { va, size: length });
            }
            Ok(offset as usize..(offset + length) as usize)
        };
        for segment in &map.segments {
            let length = u64::from(segment.size).max(segment.bytes.len() as u64);
            let range = place(segment.va, length)?;
            memory[range.clone()][..segment.bytes.len()].copy_from_slice(&segment.bytes);
            let numbers = range.start / PAGE as usize..range.end.div_ceil(PAGE as usize);
            let first = PHYSICAL + numbers.start as u64 * PAGE;
            for (physical, page) in (first..).step_by(PAGE as usize).zip(&mut pages[numbers]) {
                let page = page.get_or_insert(Mapping {
                    physical,
                    privileged: Rights::default(),
                    user: Rights::default(),
                    domain: 0,
                    level: Level::Second,
                });
                page.privileged.read = true;
                page.privileged.write |= segment.writable;
                page.privileged.execute |= !segment.writable;
            }
        }
        for chip in &map.chips {
            let range = place(chip.va & !0xfff, PAGE)?;
            let page = &mut pages[range.start / PAGE as usize];
            if page.is_some() {
                return Err(OpaqueError::Shared { va: chip.va });
            }
            *page = Some(Mapping {
                physical: u64::from(chip.phys & !0xfff),
                privileged: Rights {
                    read: true,
                    write: true,
                    execute: false,
                },
                user: Rights::default(),
                domain: 0,
                level: Level::Second,
            });
        }
        Ok((Self { base, pages }, memory))
    }

    /// Whether an address is in the range.
    #[inline]
    pub(crate) fn contains(&self, va: u32) -> bool {
        (va.wrapping_sub(self.base) as usize) < self.pages.len() << 12
    }

    /// What is there for privileged modes.
    pub(crate) fn page(&self, va: u32) -> Option<Mapping> {
        let number = va.wrapping_sub(self.base) as usize >> 12;
        self.pages.get(number).copied().flatten()
    }

    /// First address and last.
    pub(crate) fn range(&self) -> (u32, u32) {
        let size = (self.pages.len() as u32).wrapping_shl(12);
        (self.base, self.base.wrapping_add(size.wrapping_sub(1)))
    }

    /// The first page of the range that the guest's tables map.
    pub(crate) fn conflict(&self, memory: &impl Descriptors, regime: &Regime) -> Option<u32> {
        let mut number = 0;
        while number < self.pages.len() {
            let va = self.base.wrapping_add((number as u32) << 12);
            match is_mapped(memory, regime, va) {
                Presence::Mapped => return Some(va),
                Presence::Empty { pages } => number += pages - (va as usize >> 12) % pages,
            }
        }
        None
    }
}

/// What the guest's tables have for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// A mapping, whatever its permissions.
    Mapped,
    /// None, up to the next multiple of so many pages.
    Empty {
        /// Pages of an entry that is empty.
        pages: usize,
    },
}

/// Whether the guest's tables map an address.
pub(crate) fn is_mapped(memory: &impl Descriptors, regime: &Regime, va: u32) -> Presence {
    let Err(fault) = walk(memory, regime, va) else {
        return Presence::Mapped;
    };
    let (Status::Translation(level) | Status::TableExternal(level)) = fault.status else {
        return Presence::Mapped;
    };
    // A walk that is disabled counts as the first level, and may cover less
    // than an entry of that level of long descriptors: 2 MiB are always safe.
    let pages = match (regime.format(), level) {
        (Format::Short, Level::First) => 1 << 8,
        (Format::Long, Level::First | Level::Second) => 1 << 9,
        _ => 1,
    };
    Presence::Empty { pages }
}
