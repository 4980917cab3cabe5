//! Where RAM is, how much there is, and where the things in it go.
//!
//! From the bottom: tags and first page tables, the kernel, its zeroed data and
//! room to grow, the initial RAM disk and the device tree. So nothing that the
//! kernel clears early can lie on them, and the top, from which kernels for
//! telephones and tablets take large pieces for their chips, is free.

use linker::kernel::{Arch, Facts};

use super::{Board, Error, Wishes};

const MIB: u32 = 1 << 20;
/// RAM when neither the user nor the kernel's size asks for more.
const DEFAULT_MIB: u32 = 128;
/// The same for Armv7: kernels of telephones and tablets set aside a hundred MiB
/// and more for their chips, at addresses that their device had.
const DEFAULT_V7_MIB: u32 = 512;
/// RAM base of a kernel that finds out where it is, when the image does not say
/// where it was meant to be. Of the round addresses it is the one at which the
/// fewest chips have registers, so that a kernel that maps its chip's registers
/// does not hit RAM.
const FREE_BASE: u32 = 0x8000_0000;
/// What every kernel maps as low memory, whatever its split and `vmalloc=`.
const LOW_MEMORY: u32 = 256 * MIB;
/// What a kernel may need behind its image before it looks at tags and tree:
/// zeroed data (6 MiB seen), early page tables.
const BEHIND_KERNEL: u32 = 16 * MIB;
/// Alignment of what the kernel is handed: a section of the early mapping.
const SECTION: u32 = MIB;

/// One bank of RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ram {
    /// Physical address of the first byte.
    pub base: u32,
    /// Size in bytes.
    pub size: u32,
}

impl Ram {
    /// Whether the address lies in it.
    pub fn contains(&self, address: u32) -> bool {
        address.wrapping_sub(self.base) < self.size
    }
}

/// Chooses base and size.
pub fn ram(
    board: Board,
    facts: &Facts,
    kernel: usize,
    archive: usize,
    wishes: &Wishes,
) -> Result<Ram, Error> {
    let base = board
        .ram_base()
        .unwrap_or_else(|| base(facts, wishes.load_address));
    let needed = needed_mib(facts, kernel, archive);
    let mib = match wishes.ram_mib {
        Some(given) if given < needed => {
            return Err(Error::TooLittleRam {
                what: "kernel and user space",
                needed,
                given,
            });
        }
        Some(given) => given,
        None => {
            let usual = match facts.arch {
                Arch::V7 if board == Board::Transplant => DEFAULT_V7_MIB,
                _ => DEFAULT_MIB,
            };
            needed.next_power_of_two().max(usual)
        }
    };
    let too_large = Error::RamTooLarge {
        base,
        size_mib: mib,
    };
    let Some(size) = mib.checked_mul(MIB) else {
        return Err(too_large);
    };
    // The last page stays out, so that no end of a range wraps to 0.
    match base.checked_add(size) {
        Some(end) if end <= 0xffff_f000 => Ok(Ram { base, size }),
        _ => Err(too_large),
    }
}

/// RAM base on a board that leaves it open: the kernel's own, else what the image's load address implies, else
/// [`FREE_BASE`].
fn base(facts: &Facts, load_address: Option<u32>) -> u32 {
    if let Some(fixed) = facts.phys_offset {
        return fixed;
    }
    // A kernel that patches itself wants its RAM on a 16 MiB boundary
    // (arch/arm/Kconfig, ARM_PATCH_PHYS_VIRT; 2 MiB from 5.11 on).
    load_address
        .and_then(|load| load.checked_sub(facts.text_offset))
        .filter(|base| base % (16 * MIB) == 0)
        .unwrap_or(FREE_BASE)
}

/// MiB that hold the kernel, what it needs behind itself, and the archive twice:
/// packed, and unpacked into the page cache.
fn needed_mib(facts: &Facts, kernel: usize, archive: usize) -> u32 {
    let bytes = u64::from(facts.text_offset)
        + kernel as u64
        + u64::from(BEHIND_KERNEL)
        + 2 * archive as u64;
    u32::try_from(bytes.div_ceil(u64::from(MIB))).unwrap_or(u32::MAX)
}

/// Hands out room in low memory from behind the kernel's own upwards.
#[derive(Debug)]
pub struct Places {
    ram: Ram,
    /// Distance from the RAM base up to which everything is taken.
    taken: u32,
    /// Distance up to which there is low memory.
    top: u32,
}

impl Places {
    /// Everything above the kernel's own room is free.
    pub fn new(ram: Ram, facts: &Facts, kernel: usize) -> Self {
        let own = facts
            .text_offset
            .saturating_add(kernel as u32)
            .saturating_add(BEHIND_KERNEL);
        Self {
            ram,
            taken: own,
            top: ram.size.min(LOW_MEMORY),
        }
    }

    /// Physical address of `size` bytes that belong to nobody yet.
    pub fn take(&mut self, what: &'static str, size: usize) -> Result<u32, Error> {
        let start = self.taken.checked_next_multiple_of(SECTION);
        let end = start.zip(u32::try_from(size).ok());
        let end = end.and_then(|(start, size)| start.checked_add(size));
        let (Some(start), Some(end)) = (start, end.filter(|&end| end <= self.top)) else {
            let missing = (u64::from(self.taken) + size as u64).div_ceil(u64::from(MIB)) + 1;
            return Err(Error::TooLittleRam {
                what,
                needed: u32::try_from(missing).unwrap_or(u32::MAX),
                given: self.ram.size / MIB,
            });
        };
        self.taken = end;
        Ok(self.ram.base + start)
    }
}

#[cfg(test)]
mod tests {
    use linker::kernel::Version;

    use super::*;

    fn facts(phys_offset: Option<u32>) -> Facts {
        Facts {
            phys_offset,
            ..Facts::usual(Version(6, 1, 0))
        }
    }

    #[test]
    fn base_is_the_kernels_then_the_images_then_the_free_one() {
        assert_eq!(base(&facts(Some(0x6000_0000)), Some(0x8000)), 0x6000_0000);
        assert_eq!(base(&facts(None), Some(0x8000)), 0);
        assert_eq!(base(&facts(None), Some(0x1234_5678)), FREE_BASE);
        assert_eq!(base(&facts(None), None), FREE_BASE);
    }

    #[test]
    fn versatile_has_its_ram_at_zero() {
        let ram = ram(
            Board::Versatile,
            &facts(None),
            8 << 20,
            0,
            &Wishes::default(),
        );
        assert_eq!(ram.unwrap().base, 0);
    }

    #[test]
    fn a_large_archive_gets_more_ram() {
        let wishes = Wishes::default();
        let small = ram(Board::Transplant, &facts(None), 8 << 20, 2 << 20, &wishes).unwrap();
        assert_eq!(small.size, 512 * MIB);
        let large = ram(Board::Transplant, &facts(None), 8 << 20, 300 << 20, &wishes).unwrap();
        assert_eq!(large.size, 1024 * MIB);
    }

    #[test]
    fn too_small_and_too_large_wishes_are_refused() {
        let wish = |mib| Wishes {
            ram_mib: Some(mib),
            ..Wishes::default()
        };
        let small = ram(Board::Transplant, &facts(None), 8 << 20, 2 << 20, &wish(16)).unwrap_err();
        expect_test::expect![
            "29 MiB of RAM are needed for kernel and user space, and there are 16; use --ram"
        ]
        .assert_eq(&small.to_string());
        let large = ram(
            Board::Transplant,
            &facts(None),
            8 << 20,
            2 << 20,
            &wish(2048),
        )
        .unwrap_err();
        expect_test::expect![
            "2048 MiB of RAM from 0x80000000 reach beyond the last physical address; use a smaller --ram"
        ]
        .assert_eq(&large.to_string());
        assert!(
            ram(
                Board::Transplant,
                &facts(None),
                8 << 20,
                2 << 20,
                &wish(u32::MAX)
            )
            .is_err()
        );
    }

    #[test]
    fn places_never_overlap() {
        let ram = Ram {
            base: 0x8000_0000,
            size: 512 * MIB,
        };
        let mut places = Places::new(ram, &facts(None), 8 << 20);
        let archive = places.take("initial RAM disk", 5_000_000).unwrap();
        let tree = places.take("device tree", 3000).unwrap();
        assert_eq!(archive, 0x8000_0000 + 25 * MIB);
        assert_eq!(tree, 0x8000_0000 + 30 * MIB);
        assert!(places.take("too much", 300 << 20).is_err());
    }
}
