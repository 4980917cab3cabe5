//! Ranges of virtual addresses for opaque memory, the first choice first.
//!
//! A range is good when the kernel never maps it. The default of the paper lies
//! in the vmalloc area of a small machine, where bottom-up allocation keeps
//! apart from it, and in low memory of a large one, where it does not hold. The
//! safest other place is the hole of 8 MiB that every kernel leaves between the
//! end of low memory and the start of the vmalloc area (`VMALLOC_OFFSET`,
//! `arch/arm/include/asm/pgtable.h`).

use linker::link::OpaqueRequest;
use linker::transplant::{DEFAULT_OPAQUE_BASE, DEFAULT_OPAQUE_SIZE};

use crate::plan::Ram;

/// Size and alignment of the hole above low memory.
const HOLE: u32 = 8 << 20;
/// End of the vmalloc area up to 4.5 and from then on; below it lie 240 MiB of
/// vmalloc area (`vmalloc_size`, `arch/arm/mm/mmu.c`), below them the hole, and
/// below that the highest end that low memory can have.
const VMALLOC_ENDS: [u32; 2] = [0xff00_0000, 0xff80_0000];
const VMALLOC_SIZE: u32 = 240 << 20;

/// The candidates. `printed_end` is where the kernel itself says that low memory
/// ends, when it has said so.
pub fn candidates(page_offset: u32, ram: Ram, printed_end: Option<u32>) -> Vec<OpaqueRequest> {
    let of_ram = page_offset.checked_add(ram.size);
    let highest = VMALLOC_ENDS.map(|end| end - VMALLOC_SIZE - HOLE);
    let in_low_memory = DEFAULT_OPAQUE_BASE.wrapping_sub(page_offset) < ram.size;
    let default = [DEFAULT_OPAQUE_BASE];
    let mut bases = Vec::new();
    bases.extend(default.iter().filter(|_| !in_low_memory));
    bases.extend(printed_end.map(middle_of_hole));
    // Low memory ends where RAM does, or at the highest end there is.
    bases.extend(of_ram.filter(|&end| end <= highest[1]).map(middle_of_hole));
    bases.extend(highest.map(middle_of_hole));
    // Low memory may be smaller than RAM is.
    bases.extend(default);
    let mut ranges: Vec<OpaqueRequest> = Vec::new();
    for base in bases {
        let range = OpaqueRequest {
            base,
            size: DEFAULT_OPAQUE_SIZE,
        };
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    ranges
}

fn middle_of_hole(low_memory_end: u32) -> u32 {
    low_memory_end.saturating_add(HOLE / 2) & !(HOLE / 2 - 1)
}

/// Where low memory ends, from the layout that kernels up to 5.x print:
/// `lowmem  : 0xc0000000 - 0xe0000000   ( 512 MB)`.
pub fn printed_end(messages: &str) -> Option<u32> {
    let line = messages.lines().find(|line| line.contains("lowmem  : "))?;
    let end = line.split(" - 0x").nth(1)?;
    u32::from_str_radix(end.get(..8)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(mib: u32, printed: Option<u32>) -> String {
        let ram = Ram {
            base: 0,
            size: mib << 20,
        };
        let bases = candidates(0xc000_0000, ram, printed);
        bases
            .iter()
            .map(|range| format!("{:08x} ", range.base))
            .collect()
    }

    #[test]
    fn small_machine() {
        expect_test::expect!["d0008000 c8400000 efc00000 f0400000 "].assert_eq(&bases(128, None));
    }

    #[test]
    fn half_a_gigabyte() {
        expect_test::expect!["e0400000 efc00000 f0400000 d0008000 "]
            .assert_eq(&bases(512, Some(0xe000_0000)));
    }

    #[test]
    fn more_than_low_memory() {
        expect_test::expect!["efc00000 f0400000 d0008000 "].assert_eq(&bases(1024, None));
    }

    #[test]
    fn layout_in_the_boot_messages() {
        let text = "[    0.0]     vmalloc : 0xe0800000 - 0xff000000   ( 488 MB)\n\
            [    0.0]     lowmem  : 0xc0000000 - 0xe0000000   ( 512 MB)\n";
        assert_eq!(printed_end(text), Some(0xe000_0000));
        assert_eq!(printed_end("lowmem  : 0x1 - 0xzz"), None);
    }
}
