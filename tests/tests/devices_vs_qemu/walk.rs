//! The walk of long descriptors against QEMU's: random tables, translation
//! registers and addresses. A bare-metal program (tests/bare/walk.c) asks a
//! Cortex-A15 with its address translation operations, and fetches instructions;
//! physical addresses, rights and fault status must be those of our walk.
//!
//! Tables are in 128 MiB of memory at 0, and what they map is there, or nowhere.
//! (Tables that are nowhere read as zero on this board of QEMU's.)

use std::path::Path;

use emu::cpu::Architecture;
use emu::mmu::Access;
use emu::mmu::fault::{Fault, Format};
use emu::mmu::walk::{Descriptors, Mapping, Regime, walk};

use crate::bare;
use crate::random::Random;

/// Where walk.c expects its cases.
const CASES: u32 = 0x0004_0000;
const ROOM: usize = 0x0004_0000;
/// Page tables.
const TABLES: u32 = 0x0200_0000;
const TABLE: u32 = 0x1000;
/// Tables of a case: two of the first level, three of the second, four of the
/// third.
const FIRST: u32 = 2;
const SECOND: u32 = 3;
const THIRD: u32 = 4;
const ALL: u32 = FIRST + SECOND + THIRD;
/// Pages whose first word is `svc #1`, for fetches.
const CODE: u32 = 0x0400_0000;
const CODE_END: u32 = 0x0500_0000;
const SERVICE: u32 = 0xef00_0001;
/// Where there is memory.
const MEMORY: u32 = 0x0800_0000;

const COUNT: usize = 200;
const ADDRESSES: usize = 100;

const SCTLR_M: u32 = 1;
/// With WXN the program itself could not run.
const SCTLR_UWXN: u32 = 1 << 20;
const TTBCR_EAE: u32 = 1 << 31;
const TTBCR_EPD1: u32 = 1 << 23;

/// Tables from [`TABLES`] on, as in memory.
struct Memory(Vec<u32>);

impl Descriptors for Memory {
    fn word(&self, address: u32) -> Option<u32> {
        let number = address.wrapping_sub(TABLES) as usize / 4;
        let elsewhere = (address < MEMORY).then(|| match address & 0xfff {
            0 if (CODE..CODE_END).contains(&address) => SERVICE,
            _ => 0,
        });
        self.0.get(number).copied().or(elsewhere)
    }
}

impl Memory {
    fn put(&mut self, table: u32, index: u32, descriptor: u64) {
        let at = ((table - TABLES) / 4 + index * 2) as usize;
        self.0[at] = descriptor as u32;
        self.0[at + 1] = (descriptor >> 32) as u32;
    }
}

struct Case {
    regime: Regime,
    addresses: Vec<u32>,
}

/// What a descriptor points at: code, elsewhere in memory, or anything.
fn output(random: &mut Random) -> u64 {
    match random.below(8) {
        0..4 => u64::from(CODE + random.below(CODE_END - CODE)),
        4..6 => u64::from(random.below(MEMORY)),
        _ => u64::from(random.bits()) | u64::from(random.below(256)) << 32,
    }
}

/// A block's or page's descriptor without its kind.
fn leaf(random: &mut Random) -> u64 {
    let accessed = u64::from(!random.one_in(8)) << 10;
    let upper = u64::from(random.bits() & random.bits()) << 52;
    // Contiguous, PXN, XN, and what software may use. With the contiguous bit in
    // neighbours that differ, a processor may do as it likes.
    let upper = upper & 0x07e0_0000_0000_0000;
    let lower = u64::from(random.bits() & 0xbdc);
    output(random) & !0xfff | upper | lower | accessed
}

/// Of the tables below.
fn table(random: &mut Random, first: u32, number: u32) -> u64 {
    let place = match random.one_in(24) {
        true => (TABLES + random.below(MEMORY - TABLES)) & !0xfff,
        false => first + random.below(number) * TABLE,
    };
    let attributes = u64::from(random.sparse() & 0x1f) << 59;
    u64::from(place | random.bits() & 0xffc) | attributes
}

fn descriptor(random: &mut Random, level: u32, base: u32) -> u64 {
    let kind = random.below(10);
    match (level, kind) {
        (_, 0) => leaf(random) & !3 | u64::from(random.below(2)) << 1,
        (3, 1) => leaf(random) | 1,
        (3, _) => leaf(random) | 3,
        (_, 1..4) => leaf(random) | 1,
        (1, _) => table(random, base + FIRST * TABLE, SECOND) | 3,
        _ => table(random, base + (FIRST + SECOND) * TABLE, THIRD) | 3,
    }
}

fn case(random: &mut Random, memory: &mut Memory, number: usize) -> Case {
    let base = TABLES + number as u32 * ALL * TABLE;
    for (level, tables) in [
        (1, 0..FIRST),
        (2, FIRST..FIRST + SECOND),
        (3, FIRST + SECOND..ALL),
    ] {
        for table in tables {
            for index in 0..512 {
                let descriptor = descriptor(random, level, base);
                memory.put(base + table * TABLE, index, descriptor);
            }
        }
    }
    let size = |random: &mut Random| match random.one_in(2) {
        true => 0,
        false => random.below(8),
    };
    let (lower, upper) = (size(random), size(random));
    let mut ttbcr = TTBCR_EAE | lower | upper << 16;
    if random.one_in(8) {
        ttbcr |= TTBCR_EPD1;
    }
    // A range of 1 GiB and less begins at the second level.
    let root = |first: u32, size: u32| match size {
        0 | 1 => base + first * TABLE,
        _ => base + (FIRST + first) * TABLE,
    };
    let roots = [root(0, lower), root(1, upper)];
    let uwxn = if random.one_in(4) { SCTLR_UWXN } else { 0 };
    let regime = Regime {
        architecture: Architecture::V7,
        lpae: true,
        sctlr: SCTLR_M | uwxn,
        ttbr0: u64::from(roots[0]),
        ttbr1: u64::from(roots[1]),
        ttbcr,
        dacr: 0,
    };
    // The program's own 2 MiB.
    if lower < 2 {
        memory.put(roots[0], 0, u64::from(base + FIRST * TABLE) | 3);
    }
    memory.put(base + FIRST * TABLE, 0, 0x401);
    let anywhere = |random: &mut Random| match random.below(4) {
        // Where table 0 is of little use, or table 1.
        0 => random.bits() >> lower,
        1 => !(random.bits() >> upper),
        _ => random.bits(),
    };
    let addresses = (0..ADDRESSES).map(|_| anywhere(random) & !0xfff);
    Case {
        regime,
        addresses: addresses.collect(),
    }
}

/// Whether a fetch can be tried: what QEMU finds there is known, or it faults.
fn may_fetch(found: Result<Mapping, Fault>) -> bool {
    match found {
        Ok(mapping) => (u64::from(CODE)..u64::from(CODE_END)).contains(&mapping.physical),
        Err(_) => true,
    }
}

fn encode(cases: &[Case], memory: &Memory, results: &Path) -> Vec<u8> {
    let name = results.to_str().expect("a path in UTF-8");
    assert!(name.len() < 256, "the temporary folder's name is too long");
    let mut bodies = Vec::new();
    let mut offsets = Vec::new();
    let front = 256 + 8 + 4 * cases.len();
    for Case { regime, addresses } in cases {
        let start = (front + bodies.len()).next_multiple_of(8);
        bodies.resize(start - front, 0);
        offsets.push(start as u32);
        let words = [
            regime.sctlr,
            regime.ttbcr,
            regime.ttbr0 as u32,
            (regime.ttbr0 >> 32) as u32,
            regime.ttbr1 as u32,
            (regime.ttbr1 >> 32) as u32,
            addresses.len() as u32,
        ];
        let addresses = addresses
            .iter()
            .map(|&va| va | u32::from(may_fetch(walk(memory, regime, va))));
        bodies.extend(
            words
                .into_iter()
                .chain(addresses)
                .flat_map(u32::to_le_bytes),
        );
    }
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(256, 0);
    let head = [name.len() as u32, cases.len() as u32];
    bytes.extend(head.into_iter().chain(offsets).flat_map(u32::to_le_bytes));
    bytes.extend(bodies);
    assert!(bytes.len() <= ROOM, "{} bytes of cases", bytes.len());
    bytes
}

/// What the program tells of an address.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// Of reads and writes with privilege, and without.
    data: [Result<u64, u32>; 4],
    fetch: Option<[u32; 2]>,
}

/// Of PAR the physical page or the fault status, without attributes (DDI 0406C
/// B4.1.112).
fn of_par(par: u64) -> Result<u64, u32> {
    match par & 1 {
        0 => Ok(par & 0xff_ffff_f000),
        _ => Err((par >> 1) as u32 & 0x3f),
    }
}

fn of_ours(found: Result<Mapping, Fault>) -> Told {
    let status = |fault: Fault| fault.ifsr(Format::Long) & 0x3f;
    let ask = |user: bool, access| {
        let mapping = found.map_err(status)?;
        let rights = if user {
            mapping.user
        } else {
            mapping.privileged
        };
        match rights.allow(access) {
            true => Ok(mapping.physical),
            false => Err(status(mapping.permission_fault())),
        }
    };
    let fetch = |user| match ask(user, Access::Fetch) {
        Ok(_) => 0,
        Err(status) => 1 << 9 | status,
    };
    Told {
        data: [
            ask(false, Access::Read),
            ask(false, Access::Write),
            ask(true, Access::Read),
            ask(true, Access::Write),
        ],
        fetch: may_fetch(found).then(|| [fetch(false), fetch(true)]),
    }
}

fn under_qemu(cases: &[Case], memory: &Memory) -> Vec<[u64; 5]> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let results = file("results.bin");
    let bytes = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let mut code = vec![0; (CODE_END - CODE) as usize / 4];
    code.iter_mut()
        .step_by(1024)
        .for_each(|word| *word = SERVICE);
    for (name, bytes) in [
        ("cases.bin", encode(cases, memory, &results)),
        ("tables.bin", bytes(&memory.0)),
        ("code.bin", bytes(&code)),
    ] {
        std::fs::write(file(name), bytes).expect("a file for QEMU");
    }
    let program = bare::build("walk", "cortex-a15", &["start.S", "fetch.S", "walk.c"]);
    let files = [
        (file("cases.bin"), CASES),
        (file("tables.bin"), TABLES),
        (file("code.bin"), CODE),
    ];
    let files: Vec<(&Path, u32)> = files
        .iter()
        .map(|(file, at)| (file.as_path(), *at))
        .collect();
    let mut qemu = bare::qemu("versatilepb", &program, &files);
    bare::run_to_end(qemu.args(["-cpu", "cortex-a15", "-m", "128"]));
    let bytes = std::fs::read(&results).expect("QEMU's guest wrote its results");
    bytes
        .chunks_exact(40)
        .map(|result| std::array::from_fn(|index| le64(&result[index * 8..])))
        .collect()
}

fn le64(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

#[test]
fn random_long_tables_translate_as_under_qemu() {
    let mut random = Random::new(0x1ae);
    let words = (COUNT as u32 * ALL * TABLE / 4) as usize;
    let mut memory = Memory(vec![0; words]);
    let cases: Vec<Case> = (0..COUNT)
        .map(|number| case(&mut random, &mut memory, number))
        .collect();
    let theirs = under_qemu(&cases, &memory);
    assert_eq!(theirs.len(), COUNT * ADDRESSES, "the guest stopped early");
    let asked = cases
        .iter()
        .flat_map(|case| case.addresses.iter().map(move |&va| (&case.regime, va)));
    let (mut mapped, mut fetched, mut statuses) = (0, 0, std::collections::BTreeSet::new());
    for ((regime, va), theirs) in asked.zip(theirs) {
        let found = walk(&memory, regime, va);
        let ours = of_ours(found);
        let fetch = [theirs[4] as u32, (theirs[4] >> 32) as u32];
        let theirs = Told {
            data: std::array::from_fn(|index| of_par(theirs[index])),
            fetch: ours.fetch.map(|_| fetch),
        };
        assert_eq!(ours, theirs, "{va:#010x} with {regime:x?}: {found:x?}");
        mapped += u32::from(found.is_ok());
        fetched += u32::from(ours.fetch.is_some_and(|fetch| fetch[0] == 0));
        statuses.extend(ours.data.into_iter().filter_map(Result::err));
    }
    // All kinds of answers were among them: translation, access flag and permission
    // faults of three levels.
    assert!(mapped > 4000 && fetched > 1000, "{mapped} {fetched}");
    for level in 1..=3 {
        for status in [0x04, 0x08, 0x0c] {
            assert!(statuses.contains(&(status | level)), "{status:#x}");
        }
    }
}
