//! Every kind of long descriptor, by the tables of the manual.

use std::collections::HashMap;

use super::super::{SCTLR_EE, SCTLR_M, SCTLR_UWXN, SCTLR_WXN, TTBCR_EAE};
use super::*;
use crate::cpu::Architecture;
use crate::mmu::fault::Format;

#[derive(Debug, Default)]
struct Tables(HashMap<u32, u32>);

impl Tables {
    fn put(&mut self, address: u32, descriptor: u64) -> &mut Self {
        self.0.insert(address, descriptor as u32);
        self.0.insert(address + 4, (descriptor >> 32) as u32);
        self
    }
}

impl Descriptors for Tables {
    fn word(&self, address: u32) -> Option<u32> {
        // Tables are in the first 64 MiB; elsewhere is nothing.
        (address < 64 << 20).then(|| self.0.get(&address).copied().unwrap_or(0))
    }
}

const FIRST: u32 = 0x10_0000;
const SECOND: u32 = 0x20_0000;
const THIRD: u32 = 0x30_0000;
const VA: u32 = 0xc123_4567;
/// A block, or a page with another bit; accessed, privileged modes may all.
const BLOCK: u64 = 0x401;
const PAGE: u64 = 0x403;

fn regime() -> Regime {
    Regime {
        architecture: Architecture::V7,
        lpae: true,
        sctlr: SCTLR_M,
        ttbr0: u64::from(FIRST),
        ttbr1: 0,
        ttbcr: TTBCR_EAE,
        dacr: 0,
    }
}

/// A walk through entries of the three levels.
fn through(regime: &Regime, [first, second, third]: [u64; 3]) -> Result<Mapping, Fault> {
    let mut tables = Tables::default();
    tables
        .put(FIRST + (VA >> 30) * 8, first)
        .put(SECOND + (VA >> 21 & 511) * 8, second)
        .put(THIRD + (VA >> 12 & 511) * 8, third);
    super::super::walk(&tables, regime, VA)
}

#[test]
fn big_endian_tables() {
    let big = Regime {
        sctlr: SCTLR_M | SCTLR_EE,
        ..regime()
    };
    let tables = [SECOND, THIRD].map(|table| u64::from(table) | 3);
    let descriptors = [tables[0], tables[1], 0x12_3456_7000 | PAGE];
    let found = through(&big, descriptors.map(u64::swap_bytes)).unwrap();
    assert_eq!(found, through(&regime(), descriptors).unwrap());
    assert_eq!(found.physical, 0x12_3456_7000);
}

fn page(descriptor: u64) -> Result<Mapping, Fault> {
    let tables = [SECOND, THIRD].map(|table| u64::from(table) | 3);
    through(&regime(), [tables[0], tables[1], descriptor])
}

/// Rights as three letters for privileged modes and three for user mode.
fn rights(mapping: Mapping) -> String {
    [mapping.privileged, mapping.user]
        .iter()
        .flat_map(|rights| {
            [
                (rights.read, 'r'),
                (rights.write, 'w'),
                (rights.execute, 'x'),
            ]
        })
        .map(|(yes, letter)| if yes { letter } else { '-' })
        .collect()
}

fn status(result: Result<Mapping, Fault>) -> Status {
    result.unwrap_err().status
}

#[test]
fn blocks_and_pages() {
    let gib = through(&regime(), [0x4000_0000 | BLOCK, 0, 0]).unwrap();
    assert_eq!((gib.physical, gib.level), (0x4123_4000, Level::First));
    let second = u64::from(SECOND) | 3;
    let block = through(&regime(), [second, 0x12_8760_0000 | BLOCK, 0]).unwrap();
    assert_eq!(
        (block.physical, block.level),
        (0x12_8763_4000, Level::Second)
    );
    let found = page(0xff_8765_4000 | PAGE).unwrap();
    assert_eq!(
        (found.physical, found.level),
        (0xff_8765_4000, Level::Third)
    );
}

#[test]
fn nothing_there() {
    let third = [u64::from(SECOND) | 3, u64::from(THIRD) | 3];
    for (entries, expected) in [
        ([0, 0, 0], Status::Translation(Level::First)),
        // Bit 0 alone decides that an entry is empty.
        ([2, 0, 0], Status::Translation(Level::First)),
        ([third[0], 0, 0], Status::Translation(Level::Second)),
        ([third[0], third[1], 0], Status::Translation(Level::Third)),
        // There are no blocks in the third level.
        (
            [third[0], third[1], BLOCK],
            Status::Translation(Level::Third),
        ),
        ([0x8000_0003, 0, 0], Status::TableExternal(Level::Second)),
        (
            [third[0], 0x1_0000_0003, 0],
            Status::TableExternal(Level::Third),
        ),
        ([1, 0, 0], Status::AccessFlag(Level::First)),
        ([third[0], 1, 0], Status::AccessFlag(Level::Second)),
        ([third[0], third[1], 3], Status::AccessFlag(Level::Third)),
    ] {
        assert_eq!(
            status(through(&regime(), entries)),
            expected,
            "{entries:x?}"
        );
    }
    let lost = Regime {
        ttbr0: 0x8000_0000,
        ..regime()
    };
    assert_eq!(
        status(through(&lost, [0; 3])),
        Status::TableExternal(Level::First)
    );
    let far = Regime {
        ttbr0: 1 << 32 | u64::from(FIRST),
        ..regime()
    };
    assert_eq!(
        status(through(&far, [BLOCK; 3])),
        Status::TableExternal(Level::First)
    );
}

#[test]
fn permissions() {
    const PXN: u64 = 1 << 53;
    const XN: u64 = 1 << 54;
    for (bits, expected) in [
        (0, "rwx---"),
        (entry::USER, "rwxrwx"),
        (entry::READ_ONLY, "r-x---"),
        (entry::USER | entry::READ_ONLY, "r-xr-x"),
        (entry::USER | PXN, "rw-rwx"),
        (entry::USER | XN, "rw-rw-"),
        (entry::USER | entry::READ_ONLY | XN | PXN, "r--r--"),
    ] {
        assert_eq!(rights(page(PAGE | bits).unwrap()), expected, "{bits:#x}");
        let second = u64::from(SECOND) | 3;
        let block = through(&regime(), [second, BLOCK | bits, 0]).unwrap();
        assert_eq!(rights(block), expected, "{bits:#x}");
        // There are no domains: DACR does not count.
        assert_eq!(block.domain, 0);
    }
}

#[test]
fn what_tables_take_away() {
    let through_tables = |first: u64, second: u64| {
        let entries = [
            u64::from(SECOND) | 3 | first,
            u64::from(THIRD) | 3 | second,
            PAGE | entry::USER,
        ];
        rights(through(&regime(), entries).unwrap())
    };
    for (bits, expected) in [
        (0, "rwxrwx"),
        (1 << 59, "rw-rwx"),
        (1 << 60, "rw-rw-"),
        (1 << 61, "rwx---"),
        (1 << 62, "r-xr-x"),
        (3 << 61, "r-x---"),
        // NSTable.
        (1 << 63, "rwxrwx"),
    ] {
        assert_eq!(through_tables(bits, 0), expected, "{bits:#x}");
        assert_eq!(through_tables(0, bits), expected, "{bits:#x}");
    }
    assert_eq!(through_tables(1 << 61, 1 << 60), "rw----");
}

#[test]
fn what_may_be_written_is_not_executed_where_the_control_register_says_so() {
    let with = |sctlr, bits| {
        let control = Regime {
            sctlr: SCTLR_M | sctlr,
            ..regime()
        };
        rights(through(&control, [BLOCK | bits, 0, 0]).unwrap())
    };
    assert_eq!(with(SCTLR_WXN, 0), "rw----");
    assert_eq!(with(SCTLR_WXN, entry::USER | entry::READ_ONLY), "r-xr-x");
    assert_eq!(with(SCTLR_UWXN, entry::USER), "rw-rwx");
    assert_eq!(with(SCTLR_UWXN, 0), "rwx---");
}

#[test]
fn two_tables() {
    /// Which base register, and how many bits it decides.
    fn start(zeros: u32, ones: u32, va: u32) -> Option<(u64, u32)> {
        let split = Regime {
            ttbr0: 0,
            ttbr1: 1,
            ttbcr: TTBCR_EAE | zeros | ones << 16,
            ..regime()
        };
        assert_eq!(split.splits(), zeros != 0 || ones != 0);
        split.start(va).map(|start| (start.base, start.bits))
    }
    assert_eq!(start(0, 0, 0xffff_ffff), Some((0, 32)));
    // The kernel's upper GiB in a table of its own.
    assert_eq!(start(0, 2, 0xbfff_ffff), Some((0, 32)));
    assert_eq!(start(0, 2, 0xc000_0000), Some((1, 30)));
    assert_eq!(start(1, 0, 0x7fff_ffff), Some((0, 31)));
    assert_eq!(start(1, 0, 0x8000_0000), Some((1, 32)));
    // With both there is a gap between them.
    assert_eq!(start(2, 1, 0x3fff_ffff), Some((0, 30)));
    assert_eq!(start(2, 1, 0x4000_0000), None);
    assert_eq!(start(2, 1, 0x8000_0000), Some((1, 31)));
}

#[test]
fn short_ranges_begin_at_the_second_level() {
    // The upper GiB: the register points at a second-level table.
    let upper = Regime {
        ttbr1: u64::from(SECOND) | 0x7ff,
        ttbcr: TTBCR_EAE | 2 << 16,
        ..regime()
    };
    let block = through(&upper, [0, 0x8760_0000 | BLOCK, 0]).unwrap();
    assert_eq!((block.physical, block.level), (0x8763_4000, Level::Second));
    // The lower 32 MiB: sixteen entries, and the table is as small.
    let lower = Regime {
        ttbr0: u64::from(SECOND) + 0x80 + 0x7f,
        ttbcr: TTBCR_EAE | 7,
        ..regime()
    };
    let mut tables = Tables::default();
    tables.put(SECOND + 0x80 + 8 * 8, 0x8760_0000 | BLOCK);
    let found = super::super::walk(&tables, &lower, 0x0112_3456).unwrap();
    assert_eq!(found.physical, 0x8772_3000);
    // 2 GiB have a first level of two entries.
    let half = Regime {
        ttbr0: u64::from(FIRST) + 0x10 + 0xf,
        ttbcr: TTBCR_EAE | 1,
        ..regime()
    };
    let mut tables = Tables::default();
    tables.put(FIRST + 0x18, 0x4000_0000 | BLOCK);
    let found = super::super::walk(&tables, &half, 0x4000_1234).unwrap();
    assert_eq!(found.physical, 0x4000_1000);
}

#[test]
fn walks_that_are_disabled() {
    for (ttbcr, va) in [(EPD0, 0), (EPD1 | 2 << 16, VA), (EPD0 | 1, 0x1000)] {
        let off = Regime {
            ttbcr: TTBCR_EAE | ttbcr,
            ..regime()
        };
        let tables = Tables(HashMap::from([(FIRST, 1), (FIRST + 4, 0)]));
        let fault = super::super::walk(&tables, &off, va).unwrap_err();
        assert_eq!(fault.status, Status::Translation(Level::First));
    }
}

#[test]
fn processors_without_the_extension_have_short_descriptors_whatever_ttbcr_says() {
    assert_eq!(regime().format(), Format::Long);
    let without = Regime {
        lpae: false,
        ..regime()
    };
    assert_eq!(without.format(), Format::Short);
}
