//! Fault status codes: of short descriptors (DDI 0406C table B3-23; DDI 0100I
//! table B4-1 for Armv5 and v6) and of long ones (DDI 0406C table B3-24).

use super::Access;
use crate::cpu::Architecture;

/// The level of a walk whose descriptor decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// The first: sections of short descriptors, blocks of 1 GiB of long ones.
    First = 1,
    /// The second: pages of short descriptors, blocks of 2 MiB of long ones.
    Second,
    /// The third, which long descriptors alone have: pages.
    Third,
}

/// Why an access is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Not aligned as the instruction demands.
    Alignment,
    /// `bkpt`, reported as a prefetch abort.
    Debug,
    /// The access flag is clear.
    AccessFlag(Level),
    /// The descriptor is empty.
    Translation(Level),
    /// Nothing there to answer (synchronous external abort).
    External,
    /// The domain is closed.
    Domain(Level),
    /// The table is outside of memory.
    TableExternal(Level),
    /// Permissions.
    Permission(Level),
}

/// The format of the descriptors in use, which is that of fault status too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32 bits, two levels.
    Short,
    /// 64 bits, three levels: TTBCR.EAE is set.
    Long,
}

/// A refused access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Why.
    pub status: Status,
    /// The domain of the first-level descriptor; 0 where there is none.
    pub domain: u8,
}

impl Fault {
    /// A fault without a domain.
    pub fn new(status: Status) -> Self {
        Self { status, domain: 0 }
    }

    /// The value of DFSR after a data abort: status; domain with short
    /// descriptors; and from Armv6 on, whether it was a write.
    pub fn dfsr(self, access: Access, architecture: Architecture, format: Format) -> u32 {
        let write = access == Access::Write && architecture >= Architecture::V6;
        let domain = match format {
            Format::Short => u32::from(self.domain & 15) << 4,
            Format::Long => 0,
        };
        self.ifsr(format) | domain | u32::from(write) << 11
    }

    /// The value of IFSR after a prefetch abort.
    pub fn ifsr(self, format: Format) -> u32 {
        match format {
            Format::Short => {
                let status = self.status.short();
                status & 15 | (status & 16) << 6
            }
            // Bit 9 says which format this is.
            Format::Long => 1 << 9 | self.status.long(),
        }
    }
}

impl Status {
    /// Five bits, of which the registers have the top one apart.
    fn short(self) -> u32 {
        let by_level = |level, first, second| match level {
            Level::First => first,
            _ => second,
        };
        match self {
            Self::Alignment => 0b00001,
            Self::Debug => 0b00010,
            Self::AccessFlag(level) => by_level(level, 0b00011, 0b00110),
            Self::Translation(level) => by_level(level, 0b00101, 0b00111),
            Self::External => 0b01000,
            Self::Domain(level) => by_level(level, 0b01001, 0b01011),
            Self::TableExternal(level) => by_level(level, 0b01100, 0b01110),
            Self::Permission(level) => by_level(level, 0b01101, 0b01111),
        }
    }

    /// Six bits.
    fn long(self) -> u32 {
        match self {
            Self::Translation(level) => 0b000100 | level as u32,
            Self::AccessFlag(level) => 0b001000 | level as u32,
            // There are no domains: their table entry is that of permissions.
            Self::Permission(level) | Self::Domain(level) => 0b001100 | level as u32,
            Self::External => 0b010000,
            Self::TableExternal(level) => 0b010100 | level as u32,
            Self::Alignment => 0b100001,
            Self::Debug => 0b100010,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dfsr_has_status_domain_and_write() {
        let fault = Fault {
            status: Status::Permission(Level::Second),
            domain: 3,
        };
        let short = |access, architecture| fault.dfsr(access, architecture, Format::Short);
        assert_eq!(short(Access::Write, Architecture::V7), 0x83f);
        assert_eq!(short(Access::Read, Architecture::V7), 0x03f);
        assert_eq!(short(Access::Write, Architecture::V5), 0x03f);
        assert_eq!(fault.ifsr(Format::Short), 0x00f);
    }

    #[test]
    fn status_of_long_descriptors_has_the_level_and_no_domain() {
        let fault = Fault {
            status: Status::Permission(Level::Third),
            domain: 3,
        };
        let write = fault.dfsr(Access::Write, Architecture::V7, Format::Long);
        assert_eq!((write, fault.ifsr(Format::Long)), (0xa0f, 0x20f));
        for (status, expected) in [
            (Status::Translation(Level::First), 0x205),
            (Status::Translation(Level::Third), 0x207),
            (Status::AccessFlag(Level::Second), 0x20a),
            (Status::External, 0x210),
            (Status::TableExternal(Level::Second), 0x216),
            (Status::Alignment, 0x221),
            (Status::Debug, 0x222),
        ] {
            assert_eq!(Fault::new(status).ifsr(Format::Long), expected);
        }
    }

    #[test]
    fn status_of_short_descriptors_tells_sections_from_pages() {
        for (status, expected) in [
            (Status::Alignment, 0x001),
            (Status::Debug, 0x002),
            (Status::AccessFlag(Level::First), 0x003),
            (Status::AccessFlag(Level::Second), 0x006),
            (Status::Translation(Level::First), 0x005),
            (Status::Translation(Level::Second), 0x007),
            (Status::External, 0x008),
            (Status::Domain(Level::First), 0x009),
            (Status::Domain(Level::Second), 0x00b),
            (Status::TableExternal(Level::First), 0x00c),
            (Status::TableExternal(Level::Second), 0x00e),
            (Status::Permission(Level::First), 0x00d),
        ] {
            assert_eq!(Fault::new(status).ifsr(Format::Short), expected);
        }
    }
}
