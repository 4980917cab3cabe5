//! Breakpoints, watchpoints, steps; and that none of them changes a run.

use emu::cpu::CpuModel;
use emu::machine::debug::{Banked, Hit, Mode, Watched, Watchpoint};
use emu::machine::{Error, Exit, Machine};

use super::bench::{Bench, CODE, DATA};
use super::programs as p;
use super::running::ticking;

/// mov r5, #1; add r5, r5, #1 three times; b to the first add.
const ADDS: &[u32] = &[
    0xe3a0_5001,
    0xe285_5001,
    0xe285_5001,
    0xe285_5001,
    0xeaff_fffb,
];

#[test]
fn a_breakpoint_stops_before_its_instruction_in_the_middle_of_a_block() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, ADDS).start(CODE);
    // Translated already.
    bench.run(100);
    let machine = &mut bench.machine;
    machine.add_breakpoint(CODE + 8).unwrap();
    let mut last = 0;
    for _ in 0..4 {
        let exit = machine.run(1000).unwrap();
        assert_eq!(exit, Exit::Breakpoint { va: CODE + 8 });
        let registers = machine.registers();
        assert_eq!(registers.r[15], CODE + 8);
        // Three adds to a turn, one of them done; four instructions to a turn.
        assert_eq!(registers.r[5] % 3, 2);
        assert_eq!((machine.instructions() - Bench::FRONT) % 4, 2);
        assert!(machine.instructions() == last + 4 || last == 0);
        last = machine.instructions();
    }
    machine.remove_breakpoint(CODE + 8);
    assert_eq!(machine.run(1000).unwrap(), Exit::Budget);
    assert!(machine.breakpoints().is_empty());
}

#[test]
fn a_breakpoint_where_the_guest_stands_stops_it_once() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, &[0xe3a0_5001, 0xeaff_fffe]).start(CODE);
    let machine = &mut bench.machine;
    machine.add_breakpoint(0x4000).unwrap();
    assert_eq!(machine.run(100).unwrap(), Exit::Breakpoint { va: 0x4000 });
    assert_eq!(machine.instructions(), 0);
    assert_eq!(machine.run(100).unwrap(), Exit::Budget);
}

#[test]
fn steps_go_through_every_instruction() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, ADDS).start(CODE);
    let machine = &mut bench.machine;
    assert_eq!(machine.run_to(Bench::FRONT).unwrap(), Exit::Stepped);
    let mut places = Vec::new();
    for count in 0..7 {
        assert_eq!(machine.instructions(), Bench::FRONT + count);
        places.push((machine.registers().r[15] - CODE) / 4);
        assert_eq!(machine.step().unwrap(), Exit::Stepped);
    }
    assert_eq!(places, [0, 1, 2, 3, 4, 1, 2]);
    // Running on is no different.
    let at = machine.instructions();
    assert_eq!(machine.run_to(at + 5000).unwrap(), Exit::Stepped);
    assert_eq!(machine.instructions(), at + 5000);
}

#[test]
fn a_step_goes_into_the_handler_of_an_exception() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.arm(0, p::VECTORS).arm(CODE, p::SVC).start(CODE);
    let machine = &mut bench.machine;
    machine.run_to(Bench::FRONT).unwrap();
    loop {
        assert_eq!(machine.step().unwrap(), Exit::Stepped);
        let pc = machine.registers().r[15];
        if pc < 0x20 {
            assert_eq!(pc, 8);
            break;
        }
    }
}

#[test]
fn stopping_does_not_change_a_run() {
    let end = 60_000;
    let finish = |machine: &mut Machine| {
        loop {
            match machine.run(end - machine.instructions().min(end)).unwrap() {
                Exit::Budget => break,
                Exit::Milestone(_) | Exit::Breakpoint { .. } | Exit::Watchpoint(_) => {}
                other => panic!("{other:x?}"),
            }
        }
        (machine.registers(), machine.instructions(), machine.now())
    };
    let straight = finish(&mut ticking().machine);

    // At all instructions of the handler and of the loop.
    let mut bench = ticking();
    for va in (0..0x40).chain(CODE..CODE + 0x80).step_by(4) {
        bench.machine.add_breakpoint(va).unwrap();
    }
    assert_eq!(finish(&mut bench.machine), straight);

    // At all accesses to a chip and to the page of the program.
    let mut bench = ticking();
    for address in [0x1014_0000, CODE & !0xfff] {
        let watchpoint = Watchpoint {
            address,
            length: 0x1000,
            watched: Watched::Both,
        };
        bench.machine.add_watchpoint(watchpoint).unwrap();
    }
    assert_eq!(finish(&mut bench.machine), straight);

    // In steps, for some of the way.
    let mut bench = ticking();
    while bench.machine.instructions() < 5_000 {
        bench.machine.step().unwrap();
    }
    assert_eq!(finish(&mut bench.machine), straight);
}

/// How much fits into a block depends on what it is translated with.
#[test]
fn interrupts_of_long_blocks_come_where_they_came_without_a_debugger() {
    const LONG: u32 = CODE + 0x1000;
    // mov r5, #DATA; stm r5, {r0-r12}, nine hundred times; b to the first of them.
    let mut stores = vec![0xe885_1fff; 901];
    stores[0] = 0xe3a0_5602;
    stores.push(0xeaff_ffff - 901);
    for ticks in 770..790 {
        let run = |breakpoint: Option<u32>| {
            let mut bench = ticking();
            // b LONG, instead of the loop.
            bench.arm(CODE + 0x28, &[0xea00_03f4]).arm(LONG, &stores);
            let machine = &mut bench.machine;
            let mut registers = machine.registers();
            registers.r[11] = ticks;
            machine.set_registers(&registers).unwrap();
            if let Some(va) = breakpoint {
                machine.add_breakpoint(va).unwrap();
            }
            while machine.instructions() < 300_000 {
                machine.run(300_000 - machine.instructions()).unwrap();
            }
            machine.registers()
        };
        let registers = run(None);
        assert_eq!(registers.r[3], 0x18, "no interrupt came");
        assert_eq!(run(Some(DATA)), registers);
    }
}

#[test]
fn a_thumb_guest_can_be_stopped_inside_of_an_if_then_block() {
    // movs r0, #0; ite eq; addeq r5, #1; addne r6, #1; b to the second.
    const CONDITIONAL: &[u16] = &[0x2000, 0xbf0c, 0x3501, 0x3601, 0xe7fa];
    let run = |stop: &dyn Fn(&mut Machine)| {
        let mut bench = Bench::new(CpuModel::CortexA9);
        bench.thumb(CODE, CONDITIONAL).start(CODE | 1);
        stop(&mut bench.machine);
        while bench.machine.instructions() < 400 {
            match bench.machine.run(400 - bench.machine.instructions()) {
                Ok(Exit::Budget | Exit::Breakpoint { .. }) => {}
                other => panic!("{other:x?}"),
            }
        }
        (bench.machine.registers(), bench.machine.instructions())
    };
    let straight = run(&|_| {});
    assert!(straight.0.r[5] > 50 && straight.0.r[6] == 0);
    let at =
        |offset: u32| move |machine: &mut Machine| machine.add_breakpoint(CODE + offset).unwrap();
    assert_eq!(run(&at(4)), straight);
    assert_eq!(run(&at(6)), straight);
    let steps =
        run(&|machine| (0..60).for_each(|_| assert_eq!(machine.step().unwrap(), Exit::Stepped)));
    assert_eq!(steps, straight);
}

#[test]
fn a_watchpoint_stops_before_the_access_with_both_values() {
    // str r1, [r0]; ldr r2, [r0]; strb r1, [r0, #5]; add r1, #1; b .
    const ACCESSES: &[u32] = &[
        0xe580_1000,
        0xe590_2000,
        0xe5c0_1005,
        0xe281_1001,
        0xeaff_fffa,
    ];
    let mut bench = Bench::new(CpuModel::Arm926);
    bench
        .arm(CODE, ACCESSES)
        .r(0, DATA)
        .r(1, 0x1234)
        .start(CODE);
    let machine = &mut bench.machine;
    let watchpoint = Watchpoint {
        address: DATA,
        length: 8,
        watched: Watched::Writes,
    };
    machine.add_watchpoint(watchpoint).unwrap();
    let hit = |address, size, old, new| {
        Exit::Watchpoint(Hit {
            watchpoint,
            address,
            size,
            old,
            new: Some(new),
        })
    };
    let word = |machine: &Machine, address| {
        let mut bytes = [0; 4];
        machine.read_virtual(address, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    };
    assert_eq!(machine.run(1000).unwrap(), hit(DATA, 4, 0, 0x1234));
    assert_eq!((machine.registers().r[15], word(machine, DATA)), (CODE, 0));
    assert_eq!(machine.instructions(), Bench::FRONT);
    let Exit::Watchpoint(second) = machine.run(1000).unwrap() else {
        panic!("no hit");
    };
    assert_eq!((second.address, second.size), (DATA + 5, 1));
    assert_eq!(
        (second.old, second.new.map(|new| new & 0xff)),
        (0, Some(0x34))
    );
    assert_eq!(machine.registers().r[15], CODE + 8);
    assert_eq!(word(machine, DATA), 0x1234);
    assert_eq!(machine.run(1000).unwrap(), hit(DATA, 4, 0x1234, 0x1235));
    // Reads only.
    machine.remove_watchpoint(&watchpoint);
    let reads = Watchpoint {
        watched: Watched::Reads,
        ..watchpoint
    };
    machine.add_watchpoint(reads).unwrap();
    for turn in 0x1235..0x1238 {
        let Exit::Watchpoint(hit) = machine.run(1000).unwrap() else {
            panic!("no hit");
        };
        assert_eq!((hit.new, hit.old), (None, turn));
        assert_eq!(machine.registers().r[15], CODE + 4);
    }
    machine.remove_watchpoint(&reads);
    assert_eq!(machine.run(1000).unwrap(), Exit::Budget);
}

#[test]
fn code_that_is_written_by_way_of_a_watched_page_is_forgotten() {
    let result = |watched: bool| {
        let mut bench = Bench::new(CpuModel::CortexA9);
        bench.arm(CODE, p::REWRITE).arm(DATA, p::FUNCTION);
        if watched {
            for address in [CODE & !0xfff, DATA] {
                // Nothing of the page is really watched but its last byte.
                let watchpoint = Watchpoint {
                    address: address + 0xfff,
                    length: 1,
                    watched: Watched::Both,
                };
                bench.machine.add_watchpoint(watchpoint).unwrap();
            }
        }
        bench.r(6, DATA).start(CODE);
        let exit = bench.machine.run(3000).unwrap();
        (
            exit,
            bench.machine.registers(),
            bench.machine.instructions(),
        )
    };
    assert_eq!(result(true), result(false));
}

#[test]
fn registers_can_be_written() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench
        .arm(CODE, ADDS)
        .arm(DATA, &[0xe3a0_7005, 0xeaff_fffe])
        .start(CODE);
    let machine = &mut bench.machine;
    machine.add_breakpoint(CODE + 8).unwrap();
    machine.run(1000).unwrap();
    let before = machine.instructions();
    let mut registers = machine.registers();
    registers.r[15] = DATA;
    registers.r[5] = 77;
    machine.set_registers(&registers).unwrap();
    // What the block had done is counted, and nothing else.
    assert_eq!(machine.instructions(), before);
    assert_eq!(machine.run_to(before + 1).unwrap(), Exit::Stepped);
    let now = machine.registers();
    assert_eq!((now.r[5], now.r[7], now.r[15]), (77, 5, DATA + 4));

    for mode in Mode::ALL {
        let banked = Banked {
            high: if mode == Mode::Fiq { [9; 5] } else { [3; 5] },
            sp: 0x100 + mode as u32,
            lr: 0x200 + mode as u32,
            spsr: if mode == Mode::User { 0 } else { 0x1d3 },
        };
        machine.set_banked(mode, &banked);
    }
    for mode in Mode::ALL {
        let banked = machine.banked(mode);
        assert_eq!(banked.sp, 0x100 + mode as u32, "{}", mode.name());
        assert_eq!(banked.high[0], if mode == Mode::Fiq { 9 } else { 3 });
    }
    assert_eq!(machine.registers().cpsr, now.cpsr);

    assert!(machine.set_system_register("contextidr", 0x42));
    assert_eq!(machine.system_register("contextidr"), Some(0x42));
    assert!(machine.system_registers().contains(&("contextidr", 0x42)));
    assert!(!machine.set_system_register("nothing", 1));
    let refused = machine.set_registers(&emu::machine::Registers::default());
    assert!(matches!(refused, Err(Error::Status { status: 0 })));
}
