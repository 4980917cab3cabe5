//! The walk of page tables as a pure function of memory and of the registers
//! that rule it: here for short descriptors, in [`long`] for long ones.
//!
//! Two formats of short descriptors share the first level. The old one (Armv4, v5, and v6 with
//! SCTLR.XP clear) has permissions for each quarter of a page; the new one (v6
//! with XP set, and v7) has one set of them, execute-never and an access flag.
//! Sources: DDI 0100I B4 (v5, v6), DDI 0406C B3.5 (v7), DDI 0406C D12 and D15
//! (what v6, v5 and v4 do differently).

use serde::{Deserialize, Serialize};

use super::fault::{Fault, Format, Level, Status};
use crate::cpu::Architecture;

mod long;

/// Where descriptors are read from: physical memory.
pub trait Descriptors {
    /// The aligned word at a physical address, as if it was little-endian, or none when there
    /// is no memory.
    fn word(&self, address: u32) -> Option<u32>;
}

impl Descriptors for crate::cpu::ram::Ram {
    fn word(&self, address: u32) -> Option<u32> {
        self.word(u64::from(address))
    }
}

/// The registers that rule a walk, as they are in CP15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regime {
    /// Which architecture's formats.
    pub architecture: Architecture,
    /// Whether the processor has the large physical address extension: long
    /// descriptors, and a privileged-execute-never bit in short ones.
    pub lpae: bool,
    /// System control register.
    pub sctlr: u32,
    /// Translation table base 0; 64 bits with long descriptors, else 32.
    pub ttbr0: u64,
    /// Translation table base 1; read only when `ttbcr` asks for it.
    pub ttbr1: u64,
    /// Translation table base control; 0 on Armv5, which has none.
    pub ttbcr: u32,
    /// Domain access control.
    pub dacr: u32,
}

/// SCTLR.M: the MMU is on.
pub const SCTLR_M: u32 = 1 << 0;
/// SCTLR.S: system protection (before v7).
const SCTLR_S: u32 = 1 << 8;
/// SCTLR.R: ROM protection (before v7).
const SCTLR_R: u32 = 1 << 9;
/// SCTLR.WXN: writable pages are never executable (with LPAE).
const SCTLR_WXN: u32 = 1 << 19;
/// SCTLR.UWXN: pages that user mode can write are never executable in
/// privileged modes (with LPAE).
const SCTLR_UWXN: u32 = 1 << 20;
/// SCTLR.XP: the new format (v6; always 1 in v7).
const SCTLR_XP: u32 = 1 << 23;
/// SCTLR.EE: tables are big-endian (v6 and later).
const SCTLR_EE: u32 = 1 << 25;
/// SCTLR.AFE: AP\[0\] is the access flag.
const SCTLR_AFE: u32 = 1 << 29;

/// TTBCR.EAE: long descriptors.
const TTBCR_EAE: u32 = 1 << 31;
/// TTBCR.PD0 and PD1: no walk with TTBR0, TTBR1.
const TTBCR_PD0: u32 = 1 << 4;
const TTBCR_PD1: u32 = 1 << 5;

/// What one level of privilege may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Rights {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Rights {
    const ALL: Self = Self {
        read: true,
        write: true,
        execute: true,
    };

    /// Whether an access is among them.
    pub fn allow(self, access: super::Access) -> bool {
        match access {
            super::Access::Read => self.read,
            super::Access::Write => self.write,
            super::Access::Fetch => self.execute,
        }
    }
}

/// A mapping that a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The physical address of the 4 KiB page. Supersections and long
    /// descriptors reach 40 bits.
    pub physical: u64,
    /// What privileged modes may do.
    pub privileged: Rights,
    /// What user mode may do.
    pub user: Rights,
    /// The domain of the first-level descriptor; 0 with long ones.
    pub domain: u8,
    /// The level whose descriptor it is.
    pub level: Level,
}

impl Mapping {
    /// The fault of an access that the rights do not allow.
    pub fn permission_fault(&self) -> Fault {
        Fault {
            status: Status::Permission(self.level),
            domain: self.domain,
        }
    }
}

impl Regime {
    /// Whether addresses are translated at all.
    pub fn on(&self) -> bool {
        self.sctlr & SCTLR_M != 0
    }

    fn new_format(&self) -> bool {
        match self.architecture {
            Architecture::V5 => false,
            Architecture::V6 => self.sctlr & SCTLR_XP != 0,
            Architecture::V7 => true,
        }
    }

    fn big_endian(&self) -> bool {
        self.architecture >= Architecture::V6 && self.sctlr & SCTLR_EE != 0
    }

    /// Takes execution from what may be written, where SCTLR asks for it.
    fn never_both(&self, privileged: &mut Rights, user: &mut Rights) {
        if self.lpae && self.sctlr & SCTLR_WXN != 0 {
            privileged.execute &= !privileged.write;
            user.execute &= !user.write;
        }
        if self.lpae && self.sctlr & SCTLR_UWXN != 0 {
            privileged.execute &= !user.write;
        }
    }

    /// The format of its descriptors.
    pub fn format(&self) -> Format {
        match self.lpae && self.ttbcr & TTBCR_EAE != 0 {
            true => Format::Long,
            false => Format::Short,
        }
    }

    /// The physical address of the first-level short descriptor of `va`, or none
    /// when walks there are disabled.
    pub fn first_level(&self, va: u32) -> Option<u32> {
        let (mut n, mut ttbcr) = (0, 0);
        if self.architecture >= Architecture::V6 {
            ttbcr = self.ttbcr;
            n = ttbcr & 7;
        }
        // N = 0: TTBR0 alone. Else TTBR0 has the addresses whose N top bits are 0.
        let upper = n != 0 && va >> (32 - n) != 0;
        let (base, disabled, size) = if upper {
            (self.ttbr1, TTBCR_PD1, 14)
        } else {
            (self.ttbr0, TTBCR_PD0, 14 - n)
        };
        if ttbcr & disabled != 0 {
            return None;
        }
        let index = (va >> 20) << 2;
        let mask = (1 << size) - 1;
        Some(base as u32 & !mask | index & mask)
    }
}

/// A word of a table (DDI 0406C B4.1.130: EE rules their endianness).
fn word(memory: &impl Descriptors, regime: &Regime, address: u32) -> Option<u32> {
    let word = memory.word(address)?;
    Some(match regime.big_endian() {
        true => word.swap_bytes(),
        false => word,
    })
}

/// Finds the mapping of the page at `va` with the MMU on.
///
/// # Errors
/// Nothing is mapped there, a table is outside of memory, the domain is closed
/// or the access flag is clear.
pub fn walk(memory: &impl Descriptors, regime: &Regime, va: u32) -> Result<Mapping, Fault> {
    if regime.format() == Format::Long {
        return long::walk(memory, regime, va);
    }
    let address = regime
        .first_level(va)
        .ok_or(Fault::new(Status::Translation(Level::First)))?;
    let descriptor =
        word(memory, regime, address).ok_or(Fault::new(Status::TableExternal(Level::First)))?;
    first_level(memory, regime, va, descriptor)
}

fn first_level(
    memory: &impl Descriptors,
    regime: &Regime,
    va: u32,
    descriptor: u32,
) -> Result<Mapping, Fault> {
    let new = regime.new_format();
    match descriptor & 3 {
        1 => coarse(memory, regime, va, descriptor),
        2 => section(regime, va, descriptor),
        3 if new && regime.lpae => section(regime, va, descriptor),
        3 if regime.architecture == Architecture::V5 => fine(memory, regime, va, descriptor),
        _ => Err(Fault::new(Status::Translation(Level::First))),
    }
}

fn section(regime: &Regime, va: u32, descriptor: u32) -> Result<Mapping, Fault> {
    let new = regime.new_format();
    // Supersections came with v6, in both formats of the second level.
    let large = regime.architecture >= Architecture::V6 && descriptor & 1 << 18 != 0;
    let (physical, domain) = if large {
        let high = u64::from(descriptor >> 20 & 15) | u64::from(descriptor >> 5 & 15) << 4;
        let low = descriptor & 0xff00_0000 | va & 0x00ff_f000;
        (high << 32 | u64::from(low), 0)
    } else {
        let low = descriptor & 0xfff0_0000 | va & 0x000f_f000;
        (u64::from(low), (descriptor >> 5 & 15) as u8)
    };
    let found = Found {
        physical,
        domain,
        level: Level::First,
    };
    let ap = descriptor >> 10 & 3;
    if new {
        found.new_rights(
            regime,
            descriptor >> 15 & 1,
            ap,
            descriptor & 1 << 4 != 0,
            regime.lpae && descriptor & 1 != 0,
        )
    } else {
        found.old_rights(regime, &[ap])
    }
}

fn coarse(
    memory: &impl Descriptors,
    regime: &Regime,
    va: u32,
    first: u32,
) -> Result<Mapping, Fault> {
    let domain = (first >> 5 & 15) as u8;
    let fault = |status| Fault { status, domain };
    let address = first & 0xffff_fc00 | va >> 10 & 0x3fc;
    let descriptor =
        word(memory, regime, address).ok_or(fault(Status::TableExternal(Level::Second)))?;
    let small = Found {
        physical: u64::from(descriptor & 0xffff_f000),
        domain,
        level: Level::Second,
    };
    let large = Found {
        physical: u64::from(descriptor & 0xffff_0000 | va & 0xf000),
        ..small
    };
    let kind = descriptor & 3;
    if regime.new_format() {
        let apx = descriptor >> 9 & 1;
        let ap = descriptor >> 4 & 3;
        let pxn = regime.lpae && first & 1 << 2 != 0;
        return match kind {
            0 => Err(fault(Status::Translation(Level::Second))),
            1 => large.new_rights(regime, apx, ap, descriptor & 1 << 15 != 0, pxn),
            _ => small.new_rights(regime, apx, ap, descriptor & 1 != 0, pxn),
        };
    }
    match kind {
        // The quarter of a large page is 16 KiB, so one of the four is right.
        1 => large.old_rights(regime, &[descriptor >> (4 + (va >> 13 & 6)) & 3]),
        2 => small.old_rights(
            regime,
            &[
                descriptor >> 4 & 3,
                descriptor >> 6 & 3,
                descriptor >> 8 & 3,
                descriptor >> 10 & 3,
            ],
        ),
        // Extended small page: one set of permissions.
        3 if regime.architecture == Architecture::V6 => {
            small.old_rights(regime, &[descriptor >> 4 & 3])
        }
        _ => Err(fault(Status::Translation(Level::Second))),
    }
}

/// Armv5's table of 1 KiB entries. Of the four that make up a page the first
/// decides where it is.
fn fine(memory: &impl Descriptors, regime: &Regime, va: u32, first: u32) -> Result<Mapping, Fault> {
    let domain = (first >> 5 & 15) as u8;
    let fault = |status| Fault { status, domain };
    let address = first & 0xffff_f000 | va >> 8 & 0xff0;
    let entry = |number: u32| {
        word(memory, regime, address | number << 2)
            .ok_or(fault(Status::TableExternal(Level::Second)))
    };
    let descriptor = entry(0)?;
    let found = Found {
        physical: u64::from(descriptor & 0xffff_f000),
        domain,
        level: Level::Second,
    };
    match descriptor & 3 {
        0 => Err(fault(Status::Translation(Level::Second))),
        1 => Found {
            physical: u64::from(descriptor & 0xffff_0000 | va & 0xf000),
            ..found
        }
        .old_rights(regime, &[descriptor >> (4 + (va >> 13 & 6)) & 3]),
        2 => found.old_rights(
            regime,
            &[
                descriptor >> 4 & 3,
                descriptor >> 6 & 3,
                descriptor >> 8 & 3,
                descriptor >> 10 & 3,
            ],
        ),
        _ => {
            let mut rights = [descriptor >> 4 & 3; 4];
            for (number, right) in (1..).zip(&mut rights[1..]) {
                let tiny = entry(number)?;
                // A hole, or a tiny page of another page of memory, is not ours to show.
                if tiny & 3 != 3 || tiny & 0xffff_f000 != descriptor & 0xffff_f000 {
                    return Err(fault(Status::Translation(Level::Second)));
                }
                *right = tiny >> 4 & 3;
            }
            found.old_rights(regime, &rights)
        }
    }
}

/// A mapping whose rights are yet to be worked out.
#[derive(Clone, Copy)]
struct Found {
    physical: u64,
    domain: u8,
    level: Level,
}

impl Found {
    fn fault(self, status: fn(Level) -> Status) -> Fault {
        Fault {
            status: status(self.level),
            domain: self.domain,
        }
    }

    fn with(self, privileged: Rights, user: Rights) -> Mapping {
        Mapping {
            physical: self.physical,
            privileged,
            user,
            domain: self.domain,
            level: self.level,
        }
    }

    /// Whether permissions count; a manager may do everything.
    fn is_client(self, regime: &Regime) -> Result<bool, Fault> {
        match regime.dacr >> (2 * u32::from(self.domain)) & 3 {
            1 => Ok(true),
            3 => Ok(false),
            _ => Err(self.fault(Status::Domain)),
        }
    }

    /// The strictest of the given access permissions, old format.
    fn old_rights(self, regime: &Regime, permissions: &[u32]) -> Result<Mapping, Fault> {
        if !self.is_client(regime)? {
            return Ok(self.with(Rights::ALL, Rights::ALL));
        }
        let mut privileged = Rights::ALL;
        let mut user = Rights::ALL;
        for &ap in permissions {
            let (kernel, program) = simple(ap, regime);
            privileged = both(privileged, kernel);
            user = both(user, program);
        }
        Ok(self.with(privileged, user))
    }

    /// The rights of the new format.
    fn new_rights(
        self,
        regime: &Regime,
        apx: u32,
        ap: u32,
        never: bool,
        never_privileged: bool,
    ) -> Result<Mapping, Fault> {
        // The flag comes before the domain (DDI 0406C B3.12.3).
        let flagged = regime.sctlr & SCTLR_AFE != 0;
        if flagged && ap & 1 == 0 {
            return Err(self.fault(Status::AccessFlag));
        }
        if !self.is_client(regime)? {
            return Ok(self.with(Rights::ALL, Rights::ALL));
        }
        let ap = if flagged { ap | 1 } else { ap };
        let (mut privileged, mut user) = match (apx, ap) {
            (0, _) => simple(ap, regime),
            (_, 1) => (READ, NONE),
            (_, 2 | 3) => (READ, READ),
            _ => (NONE, NONE),
        };
        if never {
            privileged.execute = false;
            user.execute = false;
        }
        if never_privileged {
            privileged.execute = false;
        }
        regime.never_both(&mut privileged, &mut user);
        Ok(self.with(privileged, user))
    }
}

const NONE: Rights = Rights {
    read: false,
    write: false,
    execute: false,
};
const READ: Rights = Rights {
    read: true,
    write: false,
    execute: true,
};

/// AP\[1:0\] without APX: what privileged modes and user mode may do.
fn simple(ap: u32, regime: &Regime) -> (Rights, Rights) {
    match ap {
        0 if regime.architecture == Architecture::V7 => (NONE, NONE),
        0 => match (regime.sctlr & SCTLR_S != 0, regime.sctlr & SCTLR_R != 0) {
            (true, false) => (READ, NONE),
            (false, true) => (READ, READ),
            _ => (NONE, NONE),
        },
        1 => (Rights::ALL, NONE),
        2 => (Rights::ALL, READ),
        _ => (Rights::ALL, Rights::ALL),
    }
}

fn both(a: Rights, b: Rights) -> Rights {
    Rights {
        read: a.read && b.read,
        write: a.write && b.write,
        execute: a.execute && b.execute,
    }
}

#[cfg(test)]
mod tests;
