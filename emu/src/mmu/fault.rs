//! Fault status codes of short descriptors (DDI 0406C table B3-23; DDI 0100I
//! table B4-1 for Armv5 and v6).

use thiserror::Error;

use super::Access;
use crate::cpu::Architecture;

/// Why an access is refused. The value is the fault status, with bit 4 where
/// the registers have bit 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Not aligned as the instruction demands.
    Alignment = 0b00001,
    /// `bkpt`, reported as a prefetch abort.
    Debug = 0b00010,
    /// The access flag of a section is clear.
    SectionAccessFlag = 0b00011,
    /// The first-level descriptor is empty.
    SectionTranslation = 0b00101,
    /// The access flag of a page is clear.
    PageAccessFlag = 0b00110,
    /// The second-level descriptor is empty.
    PageTranslation = 0b00111,
    /// Nothing there to answer (synchronous external abort).
    External = 0b01000,
    /// The section's domain is closed.
    SectionDomain = 0b01001,
    /// The page's domain is closed.
    PageDomain = 0b01011,
    /// The first-level table is outside of memory.
    FirstLevelExternal = 0b01100,
    /// Permissions of the section.
    SectionPermission = 0b01101,
    /// The second-level table is outside of memory.
    SecondLevelExternal = 0b01110,
    /// Permissions of the page.
    PagePermission = 0b01111,
}

/// A refused access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Why.
    pub status: Status,
    /// The domain of the first-level descriptor; 0 where there is none.
    pub domain: u8,
}

/// The guest asked for a translation that is not emulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[error("the guest uses long page table descriptors (TTBCR.EAE), which are not emulated")]
pub struct Refused;

impl Fault {
    /// A fault without a domain.
    pub fn new(status: Status) -> Self {
        Self { status, domain: 0 }
    }

    /// The value of DFSR after a data abort: status, domain and, from Armv6 on,
    /// whether it was a write.
    pub fn dfsr(self, access: Access, architecture: Architecture) -> u32 {
        let write = access == Access::Write && architecture >= Architecture::V6;
        self.code() | u32::from(self.domain & 15) << 4 | u32::from(write) << 11
    }

    /// The value of IFSR after a prefetch abort.
    pub fn ifsr(self) -> u32 {
        self.code()
    }

    fn code(self) -> u32 {
        let status = self.status as u32;
        status & 15 | (status & 16) << 6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dfsr_has_status_domain_and_write() {
        let fault = Fault {
            status: Status::PagePermission,
            domain: 3,
        };
        assert_eq!(fault.dfsr(Access::Write, Architecture::V7), 0x83f);
        assert_eq!(fault.dfsr(Access::Read, Architecture::V7), 0x03f);
        assert_eq!(fault.dfsr(Access::Write, Architecture::V5), 0x03f);
        assert_eq!(fault.ifsr(), 0x00f);
    }
}
