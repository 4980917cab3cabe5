//! How memory and chips share the physical address space.

use super::{Error, RamBank};
use crate::cpu::ram::PAGE;
use crate::mmu::opaque::PHYSICAL;

/// Whether these banks can be.
pub(super) fn check_banks(banks: &[RamBank]) -> Result<(), Error> {
    let mut sorted: Vec<&RamBank> = banks.iter().collect();
    sorted.sort_by_key(|bank| bank.base);
    let mut free = 0_u64;
    for &&RamBank { base, size } in &sorted {
        let error = |why| Err(Error::Bank { base, size, why });
        let start = u64::from(base);
        if (start | size) % PAGE != 0 || size == 0 {
            return error("not a whole number of 4 KiB pages");
        }
        let Some(end) = start.checked_add(size).filter(|&end| end <= PHYSICAL) else {
            return error("reaches beyond 4 GiB");
        };
        if start < free {
            return error("overlaps another bank");
        }
        free = end;
    }
    Ok(())
}

/// A part of the physical address space outside of memory.
pub(super) struct Region {
    pub(super) base: u32,
    pub(super) size: u64,
    pub(super) chip: bool,
}

/// Divides what memory leaves into pages of chips and the gaps between.
pub(super) fn regions(banks: &[RamBank], mut chips: Vec<u32>) -> Result<Vec<Region>, Error> {
    chips.sort_unstable();
    let mut taken: Vec<(u64, u64, bool)> = banks
        .iter()
        .map(|bank| (u64::from(bank.base), bank.size, false))
        .chain(chips.iter().map(|&page| (u64::from(page), PAGE, true)))
        .collect();
    taken.sort_unstable_by_key(|&(base, ..)| base);
    let mut regions = Vec::new();
    let mut free = 0;
    for (base, size, chip) in taken {
        if base < free {
            let address = chips
                .iter()
                .copied()
                .find(|&page| u64::from(page) == base || u64::from(page) + PAGE == free);
            return Err(Error::Chip {
                address: address.unwrap_or(base as u32),
            });
        }
        if base > free {
            regions.push(Region {
                base: free as u32,
                size: base - free,
                chip: false,
            });
        }
        if chip {
            regions.push(Region {
                base: base as u32,
                size,
                chip,
            });
        }
        free = base + size;
    }
    if free < PHYSICAL {
        regions.push(Region {
            base: free as u32,
            size: PHYSICAL - free,
            chip: false,
        });
    }
    Ok(regions)
}
