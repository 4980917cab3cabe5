//! A hostile guest made of bytes: they choose the processor, the board, registers,
//! page tables, vectors, code, and what the host does meanwhile. Whatever they say,
//! each run comes back in time, and a snapshot from before works as it did.
//!
//! The fuzz target `guest` is made of this file, too.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use emu::board::BoardConfig;
use emu::clock::Time;
use emu::cpu::CpuModel;
use emu::machine::debug::{Watched, Watchpoint};
use emu::machine::{Config, Entry, Error, Exit, Machine, RamBank, Registers};
use emu::mmu::opaque::{Chip, ChipKind, OpaqueMap, Segment};

use super::encode::{arm, code_of, thumb};

const RAM: u32 = 4 << 20;
const GOOD: u32 = 0x6000;
pub(crate) const CODE: u32 = 0x8000;
const DATA: u32 = 0x20_0000;
/// Short descriptors: the first level, and second levels of 1 KiB.
const TABLE: u32 = 0x10_0000;
const SECOND: u32 = 0x10_8000;
/// Long descriptors: the first level, four second levels of 4 KiB, and a third.
const LONG: u32 = 0x11_0000;
const LONG_SECOND: u32 = 0x11_1000;
const LONG_THIRD: u32 = 0x11_8000;
/// Where the opaque range begins.
pub(crate) const OPAQUE: u32 = 0xd000_8000;
/// Chips of both boards (interrupt controller, timer, serial port), and the memory
/// of the transplant's.
const CHIPS: [u32; 4] = [0x1014_0000, 0x101e_2000, 0x101f_1000, 0x1015_0000];
/// What a guest may write into pointers: memory, chips, the opaque range, nothing.
const PLACES: [u32; 16] = [
    0,
    CODE,
    DATA,
    TABLE,
    LONG_SECOND,
    RAM - 4,
    CHIPS[0],
    CHIPS[1],
    CHIPS[2],
    0x4000_0000,
    OPAQUE,
    OPAQUE + 0x4000,
    0xc000_8000,
    0xffff_0000,
    0xffff_fffc,
    0x8000_0000,
];
/// Instructions of one run at most.
const BUDGET: u64 = 4000;
/// Far more than a run of so many instructions takes.
const LIMIT: Duration = Duration::from_secs(10);
/// A block reaches to the end of its page at most.
const BLOCK: u64 = 2048;

/// Sums up 100 numbers by way of memory and calls the supervisor.
const GOOD_PROGRAM: [u32; 8] = [
    0xe3a0_7000, // mov r7, #0
    0xe3a0_6064, // mov r6, #100
    0xe087_7006, // add r7, r7, r6
    0xe780_7106, // str r7, [r0, r6, lsl #2]
    0xe790_4106, // ldr r4, [r0, r6, lsl #2]
    0xe256_6001, // subs r6, r6, #1
    0x1aff_fffa, // bne 8
    0xef00_0001, // svc 1
];
/// mov r3, #8; b .
const GOOD_VECTOR: [u32; 2] = [0xe3a0_3008, 0xeaff_fffe];

/// Bytes that are read one by one; zeros follow them.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub(crate) fn word(&mut self) -> u32 {
        u32::from_le_bytes([(); 4].map(|()| self.byte()))
    }

    /// A value that a register may have: a place, something near it, or anything.
    pub(crate) fn value(&mut self) -> u32 {
        let kind = self.byte();
        let place = PLACES[usize::from(kind & 15)];
        match kind >> 4 {
            0..8 => place,
            8..12 => place.wrapping_add(u32::from(self.byte()) << 2),
            12..14 => place.wrapping_add(u32::from(self.byte()).wrapping_sub(128)),
            _ => self.word(),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a guest was seen to do.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) instructions: u64,
    pub(crate) exits: Vec<Exit>,
    pub(crate) errors: Vec<Error>,
}

fn board(transplant: bool) -> BoardConfig {
    if !transplant {
        return BoardConfig::Versatile;
    }
    let kinds = [
        ChipKind::Pl190,
        ChipKind::Sp804,
        ChipKind::Uart16550,
        ChipKind::Rom,
    ];
    let chips = (0..).zip(kinds).zip(CHIPS);
    let segment = |va, writable| Segment {
        va,
        bytes: GOOD_PROGRAM
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect(),
        size: 0x1000,
        writable,
    };
    BoardConfig::Transplant(OpaqueMap {
        base: OPAQUE,
        size: 0x8000,
        segments: vec![segment(OPAQUE, false), segment(OPAQUE + 0x1000, true)],
        chips: chips
            .map(|((number, chip), phys)| Chip {
                chip,
                va: OPAQUE + 0x4000 + number * 0x1000,
                phys,
                irq: 3 + number,
            })
            .collect(),
        rom: vec![0x5a; 100],
    })
}

/// A machine with a good program that is about to start.
pub(crate) fn machine(cpu: CpuModel, transplant: bool) -> Machine {
    let ram = vec![RamBank {
        base: 0,
        size: RAM.into(),
    }];
    let config = Config {
        cpu,
        midr: None,
        ram,
        board: board(transplant),
    };
    let mut machine = Machine::new(config).expect("a machine");
    put(&mut machine, 8, &GOOD_VECTOR);
    put(&mut machine, GOOD, &GOOD_PROGRAM);
    machine.start(Entry {
        pc: GOOD,
        r: [DATA, 0, 0],
    });
    machine
}

/// Runs the good program to its end.
pub(crate) fn good(machine: &mut Machine) -> (Registers, u64) {
    let end = machine.instructions() + 600;
    while machine.instructions() < end {
        let left = end - machine.instructions();
        machine.run(left).expect("a good program runs");
    }
    let registers = machine.registers();
    assert_eq!(
        (registers.r[3], registers.r[7]),
        (8, 5050),
        "{registers:x?}"
    );
    assert_eq!(registers.cpsr & 0x1f, 0x13);
    (registers, machine.instructions())
}

pub(crate) fn put(machine: &mut Machine, at: u32, words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    machine.load(at, &bytes).expect("room in memory");
}

/// Lets the guest that `bytes` describe run, and the good program before and after.
pub(crate) fn run(bytes: &[u8]) -> Seen {
    let mut bytes = Bytes(bytes);
    let choice = bytes.byte();
    let model = CpuModel::ALL[usize::from(choice >> 1) % CpuModel::ALL.len()];
    let mut machine = machine(model, choice & 1 != 0);
    let before = machine.snapshot();
    let expected = good(&mut machine);
    machine.restore(&before).expect("its own snapshot");

    set_up(&mut machine, &mut bytes);
    let mut seen = Seen::default();
    let start = machine.instructions();
    code(&mut machine, &mut bytes);
    for _ in 0..bytes.byte() % 4 {
        host(&mut machine, &mut bytes, &mut seen);
    }
    for _ in 0..12 {
        let budget = 1 + u64::from(bytes.byte()) * BUDGET / 256;
        let goes_on = limited(&mut machine, budget, &mut seen);
        let is_stuck = |exit: &&Exit| matches!(exit, Exit::Stuck { .. });
        if !goes_on || seen.exits.iter().filter(is_stuck).count() > 2 {
            break;
        }
        host(&mut machine, &mut bytes, &mut seen);
    }
    seen.instructions = machine.instructions().saturating_sub(start);

    let none = machine.set_stops(&BTreeSet::new(), &BTreeSet::new());
    none.expect("nothing is added");
    machine.stop_at_exceptions(false);
    machine.hold_at(None);
    machine.restore(&before).expect("its own snapshot");
    assert_eq!(good(&mut machine), expected, "after a hostile guest");
    seen
}

/// One run, within its bounds; false when the machine cannot go on.
fn limited(machine: &mut Machine, budget: u64, seen: &mut Seen) -> bool {
    let (before, began) = (machine.instructions(), Instant::now());
    let result = machine.run(budget);
    // The host may have rewritten the block that was stopped in, which then has
    // another number of instructions.
    let (ran, took) = (
        machine.instructions().saturating_sub(before),
        began.elapsed(),
    );
    assert!(
        ran <= budget + BLOCK,
        "{ran} of {budget} instructions: {result:?}"
    );
    assert!(took < LIMIT, "{ran} instructions took {took:?}: {result:?}");
    match result {
        Ok(exit) => seen.exits.push(exit),
        Err(error) => {
            seen.errors.push(error);
            return false;
        }
    }
    true
}

/// Registers, system registers, page tables, vectors.
fn set_up(machine: &mut Machine, bytes: &mut Bytes<'_>) {
    let flags = bytes.byte();
    short_tables(machine, bytes);
    let long = flags & 2 != 0 && long_tables(machine, bytes);
    let vectors: Vec<u32> = (0..8).map(|number| vector(number, bytes)).collect();
    put(machine, 0, &vectors);

    for _ in 0..bytes.byte() % 8 {
        let names = machine.system_registers();
        let (name, _) = names[usize::from(bytes.byte()) % names.len()];
        machine.set_system_register(name, bytes.value());
    }
    if flags & 1 != 0 {
        let (table, control) = if long { (LONG, 1 << 31) } else { (TABLE, 0) };
        machine.set_system_register("ttbr0", table);
        machine.set_system_register("ttbcr", control);
        let domains = if flags & 4 != 0 { 0x5555_5555 } else { !0 };
        machine.set_system_register("dacr", domains);
        let sctlr = machine.system_register("sctlr").unwrap_or(0);
        machine.set_system_register("sctlr", sctlr | 1);
    }

    let mut registers = Registers {
        cpsr: 0x10 | u32::from(bytes.byte()) & 0x1ef | u32::from(flags & 8) << 2,
        spsr: bytes.value(),
        ..Registers::default()
    };
    registers.r = registers.r.map(|_| bytes.value());
    registers.r[15] = CODE;
    if machine.set_registers(&registers).is_err() {
        registers.cpsr = 0x13 | u32::from(flags & 8) << 2;
        let set = machine.set_registers(&registers);
        set.expect("there is a supervisor mode");
    }
}

/// A page or a section of memory, of a chip, or anything.
fn descriptor(bytes: &mut Bytes<'_>) -> u32 {
    let kind = bytes.byte();
    let word = bytes.word();
    match kind % 4 {
        0 => word & (RAM - 1),
        1 => CHIPS[usize::from(kind >> 2) % CHIPS.len()] | word & 0xfff,
        2 => (TABLE + (word & 0x1_ff00)) | word & 0xff,
        _ => word,
    }
}

/// Everything is where it is and open to all; then come the exceptions.
fn short_tables(machine: &mut Machine, bytes: &mut Bytes<'_>) {
    const OPEN: u32 = 0xc02;
    for mib in 0..RAM >> 20 {
        for at in [mib, 0xc00 + mib] {
            put(machine, TABLE + at * 4, &[mib << 20 | OPEN]);
        }
    }
    put(machine, TABLE + 0x100 * 4, &[0x1000_0c02, 0x1010_0c02]);
    put(machine, TABLE + 0x400 * 4, &[SECOND | 1]);
    put(machine, TABLE + 0xfff * 4, &[(SECOND + 0x400) | 1]);
    put(machine, SECOND, &CHIPS.map(|chip| chip | 0x32));
    put(machine, SECOND + 0x400 + 0xf0 * 4, &[0x32]);
    for _ in 0..bytes.byte() % 16 {
        let at = match bytes.byte() {
            place @ 0..128 => TABLE + (PLACES[usize::from(place & 15)] >> 20) * 4,
            place @ 128..=255 => SECOND + u32::from(place & 127) * 4,
        };
        put(machine, at, &[descriptor(bytes)]);
    }
}

/// The same in the long format; false when there is no such format.
fn long_tables(machine: &mut Machine, bytes: &mut Bytes<'_>) -> bool {
    if machine.system_register("ttbr0_upper").is_none() {
        return false;
    }
    for part in 0..4 {
        put(
            machine,
            LONG + part * 8,
            &[(LONG_SECOND + part * 0x1000) | 3, 0],
        );
    }
    const OPEN: u32 = 0x441;
    for block in 0..RAM >> 21 {
        for second in [0, 3] {
            let at = LONG_SECOND + second * 0x1000 + block * 8;
            put(machine, at, &[block << 21 | OPEN, 0]);
        }
    }
    put(machine, LONG_SECOND + 0x80 * 8, &[0x1000_0441, 0]);
    put(machine, LONG_SECOND + 0x1000, &[LONG_THIRD | 3, 0]);
    for (number, chip) in (0..).zip(CHIPS) {
        put(machine, LONG_THIRD + number * 8, &[chip | 0x443, 0]);
    }
    for _ in 0..bytes.byte() % 16 {
        let place = bytes.byte();
        let at = match place >> 6 {
            0 => LONG + u32::from(place & 3) * 8,
            1 => LONG_THIRD + u32::from(place & 63) * 8,
            _ => LONG_SECOND + (PLACES[usize::from(place & 15)] >> 21) * 8,
        };
        let upper = u32::from_le_bytes([bytes.byte() & 1, 0, 0, bytes.byte()]);
        put(machine, at, &[descriptor(bytes), upper]);
    }
    true
}

/// What stands in the place of a vector.
fn vector(number: u32, bytes: &mut Bytes<'_>) -> u32 {
    let kind = bytes.byte();
    match kind % 12 {
        0 => 0,
        1 | 2 => 0xe25e_f004,                          // subs pc, lr, #4
        3 => 0xe1b0_f00e,                              // movs pc, lr
        4 => 0xe25e_f008,                              // subs pc, lr, #8
        5 => 0xe590_0000 | u32::from(kind >> 4) << 16, // ldr r0, [rN]
        6 => 0xe7f0_00f0,                              // udf
        7 => 0xeaff_fffe,                              // b .
        8 => 0xea00_0000 | (CODE / 4 - number - 2),    // b CODE
        9 => 0xe8ad_ffff,                              // stm sp!, {all}
        10 => 0xf8bd_0a00,                             // rfe sp!
        _ => bytes.word(),
    }
}

/// The rest of the bytes is code.
fn code(machine: &mut Machine, bytes: &mut Bytes<'_>) {
    // It does not eat what the host's bytes are read from.
    let mut own = Bytes(bytes.0);
    let is_thumb = machine.registers().cpsr & 0x20 != 0;
    let mut halves = Vec::new();
    while !own.is_empty() && halves.len() < 900 {
        if is_thumb {
            thumb(&mut own, &mut halves);
        } else {
            arm(&mut own, &mut halves);
        }
    }
    machine
        .load(CODE, &code_of(halves, is_thumb))
        .expect("room for code");
}

/// Something that a user, a debugger or a script may do between runs.
fn host(machine: &mut Machine, bytes: &mut Bytes<'_>, seen: &mut Seen) {
    let choice = bytes.byte();
    let address = PLACES[usize::from(choice >> 4)];
    let result = match choice & 15 {
        0 => machine.step().map(|exit| seen.exits.push(exit)),
        1 => machine.add_breakpoint(address),
        2 => machine.add_watchpoint(Watchpoint {
            address,
            length: 64,
            watched: Watched::Both,
        }),
        3 => {
            let snapshot = machine.snapshot();
            limited(machine, 100, seen);
            machine.restore(&snapshot)
        }
        4 => {
            machine.hold_at(Some(Time(machine.now().0.saturating_add(10_000))));
            Ok(())
        }
        5 => {
            machine.leave_to_nobody(address..=address.saturating_add(0x10_0000));
            Ok(())
        }
        6 => {
            machine.mapped();
            machine.chips();
            machine.system_registers();
            Ok(())
        }
        7 => {
            machine.stop_at_exceptions(choice & 16 != 0);
            Ok(())
        }
        8 => machine.write_physical(address, &GOOD_PROGRAM[2].to_le_bytes()),
        9 => machine
            .run_to(machine.instructions().saturating_add(20))
            .map(|exit| seen.exits.push(exit)),
        _ => {
            machine.type_in(b"\x03x");
            machine.take_output();
            Ok(())
        }
    };
    seen.errors.extend(result.err());
}
