//! The walk of long descriptors: 64 bits, three levels, no domains
//! (DDI 0406C B3.6; permissions B3.7).

use super::super::fault::{Fault, Level, Status};
use super::{Descriptors, Mapping, Regime, Rights, word};

/// TTBCR.T0SZ is at bit 0, T1SZ at bit 16: how many top bits of an address say
/// that its table is this one.
const T1SZ: u32 = 16;
/// TTBCR.EPD0 and EPD1: no walk with TTBR0, TTBR1.
const EPD0: u32 = 1 << 7;
const EPD1: u32 = 1 << 23;

/// Address bits of tables and of what is mapped.
const ADDRESS: u64 = (1 << 40) - 1;
/// Bits of an address below the 512 entries of a third-level table.
const PAGE_BITS: u32 = 12;
/// Bits that a whole table decides.
const INDEX_BITS: u32 = 9;

/// Bits of a block's or page's descriptor.
mod entry {
    /// AP\[1\]: user mode may.
    pub(super) const USER: u64 = 1 << 6;
    /// AP\[2\]: nobody may write.
    pub(super) const READ_ONLY: u64 = 1 << 7;
    pub(super) const ACCESSED: u64 = 1 << 10;
    pub(super) const NEVER_PRIVILEGED: u64 = 1 << 53;
    pub(super) const NEVER: u64 = 1 << 54;
}

/// Bits of a table's descriptor, which hold for all that is below.
mod table {
    pub(super) const NEVER_PRIVILEGED: u64 = 1 << 59;
    pub(super) const NEVER: u64 = 1 << 60;
    pub(super) const NOT_USER: u64 = 1 << 61;
    pub(super) const READ_ONLY: u64 = 1 << 62;
}

/// Where a walk begins.
struct Start {
    /// TTBR0 or TTBR1.
    base: u64,
    /// Bits of the address that its tables decide, with those of the page.
    bits: u32,
}

impl Regime {
    /// Whether the second base register is in use.
    pub(crate) fn splits(&self) -> bool {
        match self.format() {
            super::Format::Short => self.ttbcr & 7 != 0,
            super::Format::Long => self.sizes() != (0, 0),
        }
    }

    /// TTBCR.T0SZ and T1SZ.
    fn sizes(&self) -> (u32, u32) {
        (self.ttbcr & 7, self.ttbcr >> T1SZ & 7)
    }

    /// The table of an address, if there is one (B3.6.4 and B3.6.6).
    fn start(&self, va: u32) -> Option<Start> {
        let (zeros, ones) = self.sizes();
        let lower = va.leading_zeros() >= zeros;
        let upper = va.leading_ones() >= ones;
        let first = match (zeros, ones) {
            (0, 0) => true,
            (_, 0) => lower,
            (0, _) => !upper,
            _ if lower => true,
            _ if upper => false,
            _ => return None,
        };
        let (base, size, disabled) = match first {
            true => (self.ttbr0, zeros, EPD0),
            false => (self.ttbr1, ones, EPD1),
        };
        let bits = 32 - size;
        (self.ttbcr & disabled == 0).then_some(Start { base, bits })
    }
}

/// See [`super::walk`].
pub(super) fn walk(memory: &impl Descriptors, regime: &Regime, va: u32) -> Result<Mapping, Fault> {
    let start = regime
        .start(va)
        .ok_or(Fault::new(Status::Translation(Level::First)))?;
    // 1 GiB and less begin at the second level (B3.6.6).
    let mut level = match start.bits > 30 {
        true => Level::First,
        false => Level::Second,
    };
    // The address of the table is a multiple of its size.
    let size = (1 << (start.bits - low_bits(level) + 3)) - 1;
    let mut address = start.base & ADDRESS & !size | index(va, level) & size;
    let mut inherited = 0;
    loop {
        let descriptor =
            long_word(memory, regime, address).ok_or(Fault::new(Status::TableExternal(level)))?;
        match (descriptor & 3, level) {
            (3, Level::Third) | (1, Level::First | Level::Second) => {
                return mapping(regime, va, level, descriptor, inherited);
            }
            (3, _) => {
                inherited |= descriptor;
                level = match level {
                    Level::First => Level::Second,
                    _ => Level::Third,
                };
                address = descriptor & ADDRESS & !0xfff | index(va, level);
            }
            _ => return Err(Fault::new(Status::Translation(level))),
        }
    }
}

/// Address bits below what an entry of a level decides.
fn low_bits(level: Level) -> u32 {
    PAGE_BITS + INDEX_BITS * (3 - level as u32)
}

/// Distance of an address's entry from the start of its table, in bytes.
fn index(va: u32, level: Level) -> u64 {
    u64::from(va >> low_bits(level) & 0x1ff) << 3
}

/// Tables are below 4 GiB, or nowhere.
fn long_word(memory: &impl Descriptors, regime: &Regime, address: u64) -> Option<u64> {
    let address = u32::try_from(address).ok()?;
    let first = u64::from(word(memory, regime, address)?);
    let second = u64::from(word(memory, regime, address | 4)?);
    Some(match regime.big_endian() {
        true => first << 32 | second,
        false => second << 32 | first,
    })
}

fn mapping(
    regime: &Regime,
    va: u32,
    level: Level,
    descriptor: u64,
    inherited: u64,
) -> Result<Mapping, Fault> {
    if descriptor & entry::ACCESSED == 0 {
        return Err(Fault::new(Status::AccessFlag(level)));
    }
    let inside = (1 << low_bits(level)) - 1;
    let physical = descriptor & ADDRESS & !inside | u64::from(va) & inside & !0xfff;
    let user_may = descriptor & entry::USER != 0 && inherited & table::NOT_USER == 0;
    let may_write = descriptor & entry::READ_ONLY == 0 && inherited & table::READ_ONLY == 0;
    let never = descriptor & entry::NEVER != 0 || inherited & table::NEVER != 0;
    let never_privileged =
        descriptor & entry::NEVER_PRIVILEGED != 0 || inherited & table::NEVER_PRIVILEGED != 0;
    let mut privileged = Rights {
        read: true,
        write: may_write,
        execute: !never && !never_privileged,
    };
    let mut user = Rights {
        read: user_may,
        write: user_may && may_write,
        execute: user_may && !never,
    };
    regime.never_both(&mut privileged, &mut user);
    Ok(Mapping {
        physical,
        privileged,
        user,
        domain: 0,
        level,
    })
}

#[cfg(test)]
mod tests;
