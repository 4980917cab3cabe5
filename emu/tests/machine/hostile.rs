//! Hostile guests: whatever a guest does, the run comes back, the machine can be
//! used again, and the host is left alone.
//!
//! * `scenario`: a guest made of bytes
//! * `encode`: its instructions

mod encode;
mod scenario;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use emu::cpu::{Architecture, CpuModel};
use emu::machine::debug::Mode;
use emu::machine::{Exit, Machine, Registers};
use proptest::prelude::any;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};

use super::bench::{Bench, CODE, DATA, PAGE};
use super::programs as p;
use super::running::CONTROLLER;
use super::snapshots::held;
use scenario::{OPAQUE, Seen};

/// Far more than anything here takes.
const HANG: Duration = Duration::from_secs(120);

/// Where the bytes of the guest that runs are: when it ends the process, they are
/// still there. The fuzz target `guest` takes them.
fn kept() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile-guest")
}

/// Does something that may never end: then the process does, and says why.
fn in_time<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let (done, waits) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waits.recv_timeout(HANG) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{what}: no end after {HANG:?}");
                std::process::abort();
            }
        });
        // The other thread hears of it when this is dropped, by a panic too.
        let _done = done;
        act()
    })
}

/// Past milestones to the next exit.
fn on(machine: &mut Machine, instructions: u64) -> Exit {
    loop {
        match machine.run(instructions).expect("a run") {
            Exit::Milestone(_) => {}
            other => return other,
        }
    }
}

/// The name of an exit without what it carries.
fn name(exit: &Exit) -> String {
    let text = format!("{exit:?}");
    let end = text.find([' ', '(']).unwrap_or(text.len());
    text[..end].to_owned()
}

#[test]
fn whatever_guests_do_the_run_comes_back_and_the_machine_can_be_used_again() {
    // `ECMO_GUESTS=100000` for a long run.
    let guests = std::env::var("ECMO_GUESTS").map_or(700, |count| count.parse().unwrap());
    let cases = Cases {
        cases: guests,
        failure_persistence: None,
        ..Cases::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(cases, rng);
    let total = RefCell::new((0, BTreeMap::<String, u32>::new()));
    let kept = kept();
    let guest = proptest::collection::vec(any::<u8>(), 100..700);
    runner
        .run(&guest, |guest| {
            std::fs::write(&kept, &guest).unwrap();
            let Seen {
                instructions,
                exits,
                errors,
            } = in_time("a guest", || scenario::run(&guest));
            let (ran, seen) = &mut *total.borrow_mut();
            *ran += instructions;
            let errors = errors.iter().map(|error| format!("Error: {error}"));
            for name in exits.iter().map(name).chain(errors) {
                *seen.entry(name).or_default() += 1;
            }
            Ok(())
        })
        .unwrap();
    let (ran, seen) = total.into_inner();
    eprintln!("{guests} guests, {ran} instructions: {seen:?}");
    // They do get somewhere, in more than one way.
    assert!(ran > u64::from(guests) * 500, "{ran} instructions");
    for name in ["Budget", "Stuck", "Idle", "NoVector", "Watchpoint"] {
        assert!(seen.contains_key(name), "no {name} among {seen:?}");
    }
}

#[test]
fn a_million_interrupts_are_taken_in_one_run() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    // The handler counts in its stack pointer, and leaves the line as it is.
    bench.arm(0x18, &[0xe28d_d001, 0xe25e_f004]); // add sp, sp, #1; subs pc, lr, #4
    bench.arm(
        CODE,
        &[
            0xe3a0_1001, // mov r1, #1
            0xe580_1018, // str r1, [r0, #0x18]: a soft interrupt
            0xe580_1010, // str r1, [r0, #0x10]: let through
            0xe321_f013, // msr CPSR_c, #0x13
            0xeaff_fffe, // b .
        ],
    );
    bench.r(0, CONTROLLER).start(CODE);
    let began = Instant::now();
    let exit = in_time("interrupts", || on(&mut bench.machine, 2_100_000));
    assert_eq!(exit, Exit::Budget);
    let taken = bench.machine.banked(Mode::Irq).sp;
    assert!(taken > 1_000_000, "{taken} interrupts");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn aborts_without_end_are_told() {
    for model in CpuModel::ALL {
        for (what, vectors) in [
            // Handlers that abort themselves.
            ("loads", [0xe59b_0000_u32; 8]),
            ("undefined", [0xe7f0_00f0; 8]),
            ("calls", [0xef00_0000; 8]),
            // No vectors at all.
            ("absent", [0; 8]),
        ] {
            let mut bench = Bench::new(model);
            bench.identity().arm(0, &vectors).arm(CODE, &[0xe59b_0000]);
            if what == "absent" {
                bench.first(0xfff0_0000, 0);
            }
            let control = if what == "absent" { 1 << 13 } else { 0 };
            bench.r(11, 0x7fff_fff0).start_mapped(CODE, control);
            let mut exits = Vec::new();
            for _ in 0..3 {
                exits.push(in_time(what, || on(&mut bench.machine, 100_000)));
            }
            let is_stuck = |exit: &Exit| matches!(exit, Exit::Stuck { .. });
            // A call is an instruction that is done: it uses the budget up.
            let expected = match what {
                "calls" => exits.contains(&Exit::Budget),
                _ => exits.iter().any(is_stuck),
            };
            assert!(expected, "{model}, {what}: {exits:x?}");
        }
    }
}

/// The registers after a jump to r6, with the abort's vectors of `programs`.
fn jump(machine: &mut Machine, to: u32, cpsr: u32) -> Registers {
    scenario::put(machine, 0, p::VECTORS);
    scenario::put(machine, CODE, p::JUMP);
    let mut registers = Registers {
        cpsr,
        ..Registers::default()
    };
    registers.r[6] = to;
    registers.r[15] = CODE;
    machine.set_registers(&registers).unwrap();
    assert_eq!(on(machine, 1000), Exit::Budget);
    machine.registers()
}

#[test]
fn no_code_runs_from_chips_or_from_nothing() {
    for model in CpuModel::ALL {
        for transplant in [false, true] {
            for to in [0x101f_1000, 0x1014_0000, 0x101e_2004, 0x8000_0000, !3] {
                let mut machine = scenario::machine(model, transplant);
                let registers = jump(&mut machine, to, 0x1d3);
                // The offset of the vector, and the link register.
                let told = (registers.r[3], registers.r[1]);
                assert_eq!(told, (12, to.wrapping_add(4)), "{model}, {to:#x}");
            }
        }
    }
}

#[test]
fn user_mode_cannot_reach_opaque_memory() {
    for model in CpuModel::ALL {
        for offset in [0, 0x1000, 0x4000, 0x6ffc] {
            let mut machine = scenario::machine(model, true);
            scenario::put(&mut machine, 0x10_0000, &[0xc02]);
            machine.set_system_register("ttbr0", 0x10_0000);
            machine.set_system_register("dacr", 1);
            let sctlr = machine.system_register("sctlr").unwrap();
            machine.set_system_register("sctlr", sctlr | 1);
            let registers = jump(&mut machine, OPAQUE + offset, 0x1d0);
            assert_eq!(registers.r[3], 12, "{model}, {offset:#x}");
        }
    }
}

/// Every MCR and MCRR of r0 (and r2) to coprocessors 14 and 15, or MRC and MRRC to
/// r5 (and r6).
fn system_accesses(load: bool) -> Vec<u32> {
    let (one, two) = if load {
        (0x0010_5000, 0x0016_5000)
    } else {
        (0, 0x0002_0000)
    };
    let mut all = Vec::new();
    for coprocessor in [0xe00, 0xf00] {
        for number in 0..1 << 14 {
            let (opc1, crn) = (number & 7, number >> 3 & 15);
            let (opc2, crm) = (number >> 7 & 7, number >> 10);
            let place = opc1 << 21 | crn << 16 | opc2 << 5 | crm;
            all.push(0xee00_0010 | coprocessor | one | place);
        }
        all.extend((0..1 << 8).map(|number| 0xec40_0000 | coprocessor | two | number));
    }
    all
}

#[test]
fn every_system_register_can_be_written_without_harm() {
    /// Instructions from one snapshot to the next.
    const ROW: usize = 512;
    let (reads, writes) = (system_accesses(true), system_accesses(false));
    for model in CpuModel::ALL {
        let mut machine = scenario::machine(model, false);
        // Undefined instructions are passed over: movs pc, lr.
        scenario::put(&mut machine, 4, &[0xe1b0_f00e]);
        let before = machine.snapshot();
        let (mut rows, mut ended) = (0, 0);
        for (all, value) in [(&reads, 0), (&writes, 0), (&writes, !0)] {
            for row in all.chunks(ROW) {
                machine.restore(&before).unwrap();
                // An interrupt that is closed wakes what waits.
                let wake = [0xe581_2018, 0xe581_2010];
                let rest = [0xe1a0_0003, 0xeaff_fffe];
                scenario::put(&mut machine, CODE, &[&wake[..], row, &rest].concat());
                let mut registers = machine.registers();
                registers.r = [0; 16];
                registers.r[..4].copy_from_slice(&[value, CONTROLLER, 1, 0x600d]);
                registers.r[15] = CODE;
                machine.set_registers(&registers).unwrap();
                let result = in_time("a row", || machine.run(4 * ROW as u64));
                let end = CODE + 4 * (row.len() as u32 + 3);
                rows += 1;
                ended += u32::from(result.is_ok() && machine.registers().r[15] == end);
            }
        }
        // With all ones some switch the MMU on, or go into another world.
        assert!(ended > rows / 2, "{model}: {ended} of {rows}");
        machine.restore(&before).unwrap();
        scenario::good(&mut machine);
    }
}

/// Pages of both boards' chips, and one of nobody.
const PAGES: [u32; 13] = [
    0x1000_0000,
    0x1000_2000,
    0x1000_3000,
    0x1000_9000,
    0x1014_0000,
    0x1015_0000,
    0x101e_0000,
    0x101e_2000,
    0x101e_3000,
    0x101f_1000,
    0x101f_2000,
    0x101f_3000,
    0x5000_0000,
];
/// Accesses of every kind and size to r0: of r2, of r2 and r3, of d0 and more.
const ACCESSES: [u32; 20] = [
    0xe590_2000, // ldr
    0xe580_2000, // str
    0xe580_2000,
    0xe580_2000,
    0xe5d0_2000, // ldrb
    0xe5c0_2000, // strb
    0xe1d0_20b0, // ldrh
    0xe1c0_20b0, // strh
    0xe1d0_20f0, // ldrsh
    0xe1c0_20d0, // ldrd
    0xe1c0_20f0, // strd
    0xe890_000c, // ldm
    0xe880_000c, // stm
    0xe100_2092, // swp
    0xe190_2f9f, // ldrex
    0xe180_4f92, // strex
    0xed90_0b00, // vldr
    0xed80_0b00, // vstr
    0xecb0_0b08, // vldm
    0xf400_020f, // vst1
];

#[test]
fn devices_can_be_hit_at_random() {
    const ACCESSES_OF_ONE: u32 = 3000;
    // movs pc, lr; subs pc, lr, #4
    const PASS: u32 = 0xe1b0_f00e;
    const BACK: u32 = 0xe25e_f004;
    // mrs r12, SPSR; orr r12, r12, #0xc0; msr SPSR_c, r12
    const CLOSE: &[u32] = &[0xe14f_c000, 0xe38c_c0c0, 0xe161_f00c, BACK];
    // msr CPSR_c, #0x13
    const OPEN: u32 = 0xe321_f013;
    for (seed, model) in (1_u32..).zip(CpuModel::ALL) {
        for transplant in [false, true] {
            let mut machine = scenario::machine(model, transplant);
            let before = machine.snapshot();
            // What is undefined or aborts is passed over; an interrupt closes both
            // kinds, or it would come again before anything else.
            scenario::put(&mut machine, 4, &[PASS, PASS, BACK, BACK, BACK]);
            scenario::put(&mut machine, 0x18, &[0xea00_0008, 0xea00_0007]);
            scenario::put(&mut machine, 0x40, CLOSE);
            let mut random = seed.wrapping_mul(0x9e37_79b9);
            let mut next = || {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                random
            };
            let mut program = Vec::new();
            for number in 0..ACCESSES_OF_ONE {
                if number % 16 == 0 {
                    program.push(OPEN);
                }
                let page = PAGES[next() as usize % PAGES.len()];
                // Seldom anything but a register of 32 bits near the start.
                let offset = match next() % 4 {
                    0 => next() & 0xfff,
                    1 => next() & 0xffc,
                    _ => next() & 0x3c,
                };
                let value = [next() & 0xff, 1 << (next() % 32), next()][next() as usize % 3];
                let access = ACCESSES[next() as usize % ACCESSES.len()];
                // ldr r0, [pc, #4]; ldr r2, [pc, #4]; b over them.
                program.extend([0xe59f_0004, 0xe59f_2004, 0xea00_0001]);
                program.extend([page + offset, value, access]);
            }
            program.push(0xeaff_fffe);
            scenario::put(&mut machine, CODE, &program);
            machine.set_system_register("cpacr", 0x00f0_0000);
            let mut registers = machine.registers();
            registers.r[15] = CODE;
            registers.cpsr = 0x13;
            machine.set_registers(&registers).unwrap();
            let end = CODE + 4 * (program.len() as u32 - 1);
            let mut rounds = 0;
            while machine.registers().r[15] != end {
                in_time("accesses", || on(&mut machine, 500));
                machine.take_output();
                machine.type_in(b"ab");
                machine.chips();
                rounds += 1;
                assert!(rounds < 2000, "{model}: {:x?}", machine.registers());
            }
            machine.restore(&before).unwrap();
            scenario::good(&mut machine);
        }
    }
}

#[test]
fn the_address_space_has_an_end() {
    const LAST: u32 = 0x0030_0000;
    // adds r5, r5, #1 (twice for Thumb), then a wide nop over the end.
    let arm = vec![0xe295_5001_u32, 0xe295_5001];
    let thumb = vec![0x3501_3501, 0xf3af_3501];
    for model in CpuModel::ALL {
        for (is_thumb, code) in [(false, &arm), (true, &thumb)] {
            let is_new = model.architecture() == Architecture::V7;
            if is_thumb && !is_new {
                continue;
            }
            // A small page of the old format has rights for each quarter.
            let open = if is_new { PAGE } else { 0xff2 };
            let mut bench = Bench::new(model);
            bench.identity().second(0xffff_f000, LAST | open);
            bench.arm(LAST + 0xff8, code);
            // What is at 0: add r6, r6, #1; b . or the rest of the nop and the same.
            let front: &[u32] = match is_thumb {
                false => &[0xe286_6001, 0xeaff_fffe],
                true => &[0x3601_8000, 0xe7fe_e7fe],
            };
            bench.arm(0, front);
            // bx r8, after accesses over the end.
            let accesses = [0xe597_0000, 0xe587_0000, 0xe897_000f, 0xe887_000f];
            bench.arm(CODE, &[&accesses[..], &[0xe12f_ff18]].concat());
            let start = 0xffff_fff8 | u32::from(is_thumb);
            bench
                .r(7, 0xffff_fffe)
                .r(8, start)
                .start_mapped(CODE, 1 << 22);
            let exit = in_time("the end", || on(&mut bench.machine, 10_000));
            assert_eq!(exit, Exit::Budget);
            let registers = bench.machine.registers();
            let told = (registers.r[5], registers.r[6], registers.r[15]);
            let expected = if is_thumb { 3 } else { 2 };
            assert_eq!(told, (expected, 1, 4), "{model}: {registers:x?}");
        }
    }
}

#[test]
fn code_that_is_always_new_fills_nothing_up() {
    const FRESH: u32 = 0x0000_a000;
    let mut bench = Bench::new(CpuModel::CortexA9);
    // Counts in r6 how often it has rewritten the code at r0 and run it.
    bench.arm(
        CODE,
        &[
            0xe590_1000, // ldr r1, [r0]
            0xe221_1001, // eor r1, r1, #1
            0xe580_1000, // str r1, [r0]
            0xe12f_ff30, // blx r0
            0xe286_6001, // add r6, r6, #1
            0xeaff_fff9, // b CODE
        ],
    );
    // mov r1, #0; then ldm r7, {r1-r5, r8-r12}, which is long when translated.
    let mut fresh = vec![0xe897_1f3e_u32; 600];
    fresh[0] = 0xe3a0_1000;
    fresh.push(0xe12f_ff1e);
    bench.arm(FRESH, &fresh).r(0, FRESH).r(7, DATA).start(CODE);
    let mut run = |times: u32| {
        for _ in 0..times {
            assert_eq!(on(&mut bench.machine, 100_000), Exit::Budget);
        }
        (bench.machine.registers().r[6], held().2)
    };
    let (early, before) = run(4);
    let (late, after) = run(24);
    assert!(late > early + 3000, "{early}, {late}");
    // Kept without end, translated code would be 190 MiB more. Other tests of this
    // process may run beside it.
    let grown = after.saturating_sub(before) >> 10;
    assert!(grown < 120, "{grown} MiB more");
}
