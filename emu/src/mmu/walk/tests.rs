//! Every kind of descriptor, by the tables of the manuals; then any table at
//! all against what must hold of it.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::mmu::Access;

#[derive(Debug, Default)]
struct Tables(HashMap<u32, u32>);

impl Descriptors for Tables {
    fn word(&self, address: u32) -> Option<u32> {
        // Tables are in the first 64 MiB; elsewhere is nothing.
        (address < 64 << 20).then(|| self.0.get(&address).copied().unwrap_or(0))
    }
}

const TABLE: u32 = 0x10_0000;
const SECOND: u32 = 0x20_0000;
const VA: u32 = 0xc123_4567;

fn regime(architecture: Architecture) -> Regime {
    Regime {
        architecture,
        lpae: false,
        sctlr: SCTLR_M | SCTLR_XP,
        ttbr0: TABLE.into(),
        ttbr1: 0,
        ttbcr: 0,
        dacr: 0x5555_5555,
    }
}

const V5: fn() -> Regime = || regime(Architecture::V5);
const V7: fn() -> Regime = || regime(Architecture::V7);
/// Armv6 with subpages.
const V6_OLD: fn() -> Regime = || Regime {
    sctlr: SCTLR_M,
    ..regime(Architecture::V6)
};

fn section(regime: &Regime, descriptor: u32) -> Result<Mapping, Fault> {
    let tables = Tables(HashMap::from([(TABLE + (VA >> 20) * 4, descriptor)]));
    walk(&tables, regime, VA)
}

fn page(regime: &Regime, first: u32, second: u32) -> Result<Mapping, Fault> {
    let tables = Tables(HashMap::from([
        (TABLE + (VA >> 20) * 4, SECOND | first),
        (SECOND + (VA >> 12 & 255) * 4, second),
    ]));
    walk(&tables, regime, VA)
}

#[test]
fn big_endian_tables() {
    let big = Regime {
        sctlr: SCTLR_M | SCTLR_EE,
        ..V7()
    };
    let swap = u32::swap_bytes;
    let tables = Tables(HashMap::from([
        (TABLE + (VA >> 20) * 4, swap(SECOND | 1)),
        (SECOND + (VA >> 12 & 255) * 4, swap(0x0012_3032)),
    ]));
    assert_eq!(walk(&tables, &big, VA).unwrap().physical, 0x0012_3000);
    assert!(walk(&tables, &V7(), VA).is_err());
    // Armv5 has no such bit.
    let architecture = Architecture::V5;
    let old = Regime {
        architecture,
        ..big
    };
    assert_eq!(section(&old, 0x0010_0c12).unwrap().physical, 0x0013_4000);
}

/// Rights as three letters for privileged modes and three for user mode.
fn rights(mapping: Mapping) -> String {
    let letters = |rights: Rights| {
        let letter = |yes, letter| if yes { letter } else { '-' };
        [
            letter(rights.read, 'r'),
            letter(rights.write, 'w'),
            letter(rights.execute, 'x'),
        ]
    };
    let all = [letters(mapping.privileged), letters(mapping.user)];
    all.concat().into_iter().collect()
}

fn status(result: Result<Mapping, Fault>) -> (Status, u8) {
    let fault = result.unwrap_err();
    (fault.status, fault.domain)
}

#[test]
fn sections_and_supersections() {
    let found = section(&V7(), 0x8760_0c02).unwrap();
    assert_eq!(
        (found.physical, found.domain, found.level),
        (0x8763_4000, 0, Level::First)
    );
    // 16 MiB; bits 39..36 from 8..5, 35..32 from 23..20; domain 0.
    let found = section(&V7(), 0x87f4_0da2).unwrap();
    assert_eq!((found.physical, found.domain), (0xdf_8723_4000, 0));
    // Armv5 has none: bit 18 is part of nothing.
    assert_eq!(section(&V5(), 0x8764_0c12).unwrap().physical, 0x8763_4000);
}

#[test]
fn permissions_of_armv7() {
    for (apx_ap, expected) in [
        (0b000, "------"),
        (0b001, "rwx---"),
        (0b010, "rwxr-x"),
        (0b011, "rwxrwx"),
        (0b100, "------"),
        (0b101, "r-x---"),
        (0b110, "r-xr-x"),
        (0b111, "r-xr-x"),
    ] {
        let bits = (apx_ap & 3) << 10 | (apx_ap >> 2) << 15;
        assert_eq!(
            rights(section(&V7(), 2 | bits).unwrap()),
            expected,
            "{apx_ap:03b}"
        );
        let bits = (apx_ap & 3) << 4 | (apx_ap >> 2) << 9;
        assert_eq!(
            rights(page(&V7(), 1, 2 | bits).unwrap()),
            expected,
            "{apx_ap:03b}"
        );
        let never = expected.replace('x', "-");
        assert_eq!(rights(page(&V7(), 1, 3 | bits).unwrap()), never);
    }
    assert_eq!(rights(section(&V7(), 0xc12).unwrap()), "rw-rw-");
    // A large page has execute never in bit 15.
    assert_eq!(rights(page(&V7(), 1, 0x8031).unwrap()), "rw-rw-");
}

#[test]
fn the_access_flag() {
    let flagged = Regime {
        sctlr: SCTLR_M | SCTLR_AFE,
        ..V7()
    };
    assert_eq!(
        status(section(&flagged, 0x042)),
        (Status::AccessFlag(Level::First), 2)
    );
    assert_eq!(
        status(page(&flagged, 0x21, 0x002)),
        (Status::AccessFlag(Level::Second), 1)
    );
    for (apx_ap, expected) in [
        (0b001, "rwx---"),
        (0b011, "rwxrwx"),
        (0b101, "r-x---"),
        (0b111, "r-xr-x"),
    ] {
        let bits = (apx_ap & 3) << 4 | (apx_ap >> 2) << 9;
        assert_eq!(rights(page(&flagged, 1, 2 | bits).unwrap()), expected);
    }
}

#[test]
fn privileged_execute_never() {
    let with = Regime { lpae: true, ..V7() };
    assert_eq!(rights(section(&with, 0xc03).unwrap()), "rw-rwx");
    assert_eq!(rights(page(&with, 0x5, 0x32).unwrap()), "rw-rwx");
    // Without it the kind is reserved, and the bit ignored.
    assert_eq!(
        status(section(&V7(), 0xc03)).0,
        Status::Translation(Level::First)
    );
    assert_eq!(rights(page(&V7(), 0x5, 0x32).unwrap()), "rwxrwx");
    let wxn = Regime {
        sctlr: SCTLR_M | SCTLR_WXN,
        ..with
    };
    assert_eq!(rights(page(&wxn, 1, 0x22).unwrap()), "rw-r-x");
    let uwxn = Regime {
        sctlr: SCTLR_M | SCTLR_UWXN,
        ..with
    };
    assert_eq!(rights(page(&uwxn, 1, 0x32).unwrap()), "rw-rwx");
    assert_eq!(rights(page(&uwxn, 1, 0x22).unwrap()), "rwxr-x");
}

#[test]
fn domains() {
    let closed = Regime { dacr: 0x4, ..V7() };
    assert_eq!(
        status(section(&closed, 0xc42)),
        (Status::Domain(Level::First), 2)
    );
    assert_eq!(
        status(page(&closed, 0x41, 0x32)),
        (Status::Domain(Level::Second), 2)
    );
    assert_eq!(rights(section(&closed, 0x022).unwrap()), "------");
    // A manager, whom nothing stops.
    let manager = Regime { dacr: 0xc, ..V7() };
    assert_eq!(rights(section(&manager, 0x032).unwrap()), "rwxrwx");
    assert_eq!(
        rights(page(&Regime { dacr: 0xc, ..V5() }, 0x31, 0x002).unwrap()),
        "rwxrwx"
    );
    // Reserved is closed.
    let reserved = Regime { dacr: 0x8, ..V7() };
    assert_eq!(
        status(section(&reserved, 0x022)),
        (Status::Domain(Level::First), 1)
    );
}

#[test]
fn nothing_there() {
    assert_eq!(
        status(section(&V7(), 0)),
        (Status::Translation(Level::First), 0)
    );
    assert_eq!(
        status(page(&V7(), 0x61, 0)),
        (Status::Translation(Level::Second), 3)
    );
    // The second level where no memory is, and the first.
    assert_eq!(
        status(section(&V7(), 0x8000_0061)),
        (Status::TableExternal(Level::Second), 3)
    );
    let lost = Regime {
        ttbr0: 0x8000_0000,
        ..V7()
    };
    assert_eq!(
        status(section(&lost, 0)),
        (Status::TableExternal(Level::First), 0)
    );
}

#[test]
fn the_strictest_quarter_of_a_small_page() {
    // AP3..AP0.
    for (bits, expected) in [
        (0xff0, "rwxrwx"),
        (0xfb0, "rwxr-x"),
        (0x7f0, "rwx---"),
        (0xfd0, "rwx---"),
        (0xff0 & !0x30, "------"),
        (0xaa0, "rwxr-x"),
    ] {
        let found = page(&V5(), 0x11, 0x8765_4002 | bits).unwrap();
        assert_eq!(rights(found), expected, "{bits:#x}");
        assert_eq!(found.physical, 0x8765_4000);
        assert_eq!(rights(page(&V6_OLD(), 1, 2 | bits).unwrap()), expected);
    }
}

#[test]
fn the_quarter_of_a_large_page() {
    // Quarter 1 of 64 KiB: bits 15..14 of the address are 01 for 0xc1234567.
    let found = page(&V5(), 0x11, 0x8765_0001 | 0b01_10_11_00 << 4).unwrap();
    assert_eq!(
        (rights(found).as_str(), found.physical),
        ("rwxrwx", 0x8765_4000)
    );
    let found = page(&V5(), 0x11, 0x8765_0001 | 0b11_11_01_11 << 4).unwrap();
    assert_eq!(rights(found), "rwx---");
}

#[test]
fn system_and_rom_protection() {
    let with = |bits, base: fn() -> Regime| Regime {
        sctlr: SCTLR_M | bits,
        ..base()
    };
    for base in [V5, V6_OLD] {
        assert_eq!(rights(section(&with(0, base), 2).unwrap()), "------");
        assert_eq!(rights(section(&with(SCTLR_S, base), 2).unwrap()), "r-x---");
        assert_eq!(rights(section(&with(SCTLR_R, base), 2).unwrap()), "r-xr-x");
        assert_eq!(rights(page(&with(SCTLR_S, base), 1, 2).unwrap()), "r-x---");
    }
    // No more on Armv7.
    assert_eq!(rights(section(&with(SCTLR_S, V7), 2).unwrap()), "------");
}

#[test]
fn extended_small_pages_came_with_armv6() {
    let found = page(&V6_OLD(), 1, 0x8765_4033).unwrap();
    assert_eq!(
        (rights(found).as_str(), found.physical),
        ("rwxrwx", 0x8765_4000)
    );
    assert_eq!(rights(page(&V6_OLD(), 1, 0xfe3).unwrap()), "rwxr-x");
    assert_eq!(
        status(page(&V5(), 1, 3)).0,
        Status::Translation(Level::Second)
    );
    // With XP set, Armv6 has the new format.
    let new = regime(Architecture::V6);
    assert_eq!(rights(page(&new, 1, 0x33).unwrap()), "rw-rw-");
    assert_eq!(rights(page(&new, 1, 0x212).unwrap()), "r-x---");
}

#[test]
fn tiny_pages() {
    let entry = SECOND + (VA >> 12 & 255) * 16;
    let walk_tiny = |words: [u32; 4]| {
        let mut tables = Tables(HashMap::from([(TABLE + (VA >> 20) * 4, SECOND | 0x23)]));
        for (number, word) in (0..).zip(words) {
            tables.0.insert(entry + number * 4, word);
        }
        walk(&tables, &V5(), VA)
    };
    let tiny = |quarter: u32, ap: u32| 0x8765_4003 | quarter << 10 | ap << 4;
    let found = walk_tiny([tiny(0, 3), tiny(1, 3), tiny(2, 2), tiny(3, 3)]).unwrap();
    assert_eq!(
        (rights(found).as_str(), found.physical),
        ("rwxr-x", 0x8765_4000)
    );
    // A hole, and a page of elsewhere.
    let hole = walk_tiny([tiny(0, 3), 0, tiny(2, 3), tiny(3, 3)]);
    assert_eq!(status(hole), (Status::Translation(Level::Second), 1));
    let elsewhere = walk_tiny([tiny(0, 3), 0x1000_0033, tiny(2, 3), tiny(3, 3)]);
    assert_eq!(status(elsewhere), (Status::Translation(Level::Second), 1));
    // Small and large pages can be in a fine table, too; no fine tables since v6.
    assert_eq!(rights(walk_tiny([0xff2; 4]).unwrap()), "rwxrwx");
    assert_eq!(rights(walk_tiny([0xff1; 4]).unwrap()), "rwxrwx");
    assert_eq!(
        status(section(&V6_OLD(), SECOND | 3)).0,
        Status::Translation(Level::First)
    );
}

#[test]
fn two_tables() {
    let split = |n| Regime {
        ttbr0: 0x30_0000 | 0x7f,
        ttbr1: 0x40_0000 | 0x7f,
        ttbcr: n,
        ..V7()
    };
    // N = 2: table 0 has the first GiB, in 4 KiB.
    assert_eq!(split(2).first_level(0x3ff0_0000), Some(0x30_0ffc));
    assert_eq!(split(2).first_level(0x4000_0000), Some(0x40_1000));
    assert_eq!(split(0).first_level(0xfff0_0000), Some(0x30_3ffc));
    assert_eq!(split(7).first_level(0x01f0_0000), Some(0x30_007c));
    // Walks disabled.
    assert_eq!(split(2 | TTBCR_PD0).first_level(0), None);
    assert_eq!(split(2 | TTBCR_PD1).first_level(0x4000_0000), None);
    assert_eq!(split(2 | TTBCR_PD1).first_level(0), Some(0x30_0000));
    // Armv5 has no such register.
    let five = Regime {
        ttbr1: 0x40_0000,
        ttbcr: 2,
        ..V5()
    };
    assert_eq!(five.first_level(0x8000_0000), Some(TABLE + 0x2000));
}

fn any_regime() -> impl Strategy<Value = Regime> {
    let architecture = prop_oneof![
        Just(Architecture::V5),
        Just(Architecture::V6),
        Just(Architecture::V7)
    ];
    (architecture, any::<[u32; 5]>(), any::<bool>()).prop_map(
        |(architecture, [sctlr, ttbr0, ttbr1, ttbcr, dacr], lpae)| Regime {
            architecture,
            lpae: lpae && architecture == Architecture::V7,
            sctlr: sctlr | SCTLR_M,
            // Often inside memory.
            ttbr0: (ttbr0 & 0x07ff_ffff).into(),
            ttbr1: (ttbr1 & 0x07ff_ffff).into(),
            ttbcr,
            dacr,
        },
    )
}

/// Memory that is the same word everywhere, or none.
struct Same(u32, u32);

impl Descriptors for Same {
    fn word(&self, address: u32) -> Option<u32> {
        let hash = address.wrapping_mul(0x9e37_79b1).rotate_left(7);
        (address < 64 << 20).then_some(if hash & 1 == 0 { self.0 } else { self.1 })
    }
}

proptest! {
    #[test]
    fn whatever_the_tables_hold(regime in any_regime(), va: u32, a: u32, b: u32) {
        match walk(&Same(a & 0x03ff_ffff, b), &regime, va) {
            Ok(found) => {
                prop_assert_eq!(found.physical & 0xfff, 0);
                prop_assert!(found.physical < 1 << 40);
                prop_assert!(found.domain < 16);
                // User mode never has more than privileged modes, but for execution.
                prop_assert!(found.privileged.read || !found.user.read);
                prop_assert!(found.privileged.write || !found.user.write);
                // Nobody writes what they cannot read.
                for rights in [found.privileged, found.user] {
                    prop_assert!(rights.read || !rights.write && !rights.execute);
                    for access in [Access::Read, Access::Write, Access::Fetch] {
                        rights.allow(access);
                    }
                }
                // The same for the whole page.
                prop_assert_eq!(walk(&Same(a & 0x03ff_ffff, b), &regime, va ^ 0x3ff), Ok(found));
            }
            Err(fault) => {
                prop_assert!(fault.domain < 16);
                prop_assert!(fault.ifsr(Format::Short) & !0x40f == 0);
                prop_assert!(fault.ifsr(Format::Long) & !0x03f == 1 << 9);
            }
        }
    }
}
