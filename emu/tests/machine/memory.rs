//! Translation as programs see it: rights of user mode, code that changes,
//! If-Then blocks, absent chips, access by the host.

use emu::cpu::CpuModel;
use emu::machine::Unassigned;

use super::bench::{Bench, CODE, DATA, PAGE, PAGE_PRIVILEGED};
use super::programs as p;

const MAPPED: u32 = 0x7000_0000;

fn mapped(cpu: CpuModel) -> Bench {
    let mut bench = Bench::new(cpu);
    bench.identity().arm(0, p::VECTORS);
    bench
}

#[test]
fn loads_and_stores_with_the_rights_of_user_mode() {
    for (program, page, vector) in [
        (p::LDRT, PAGE, 0),
        (p::LDRT, PAGE_PRIVILEGED, 0x10),
        (p::STRT, PAGE, 0),
        (p::STRT, PAGE_PRIVILEGED, 0x10),
        // User mode may read, not write.
        (p::LDRT, 0x22, 0),
        (p::STRT, 0x22, 0x10),
        (p::LDRHT, PAGE_PRIVILEGED, 0x10),
        (p::STORE, 0x22, 0),
        (p::LOAD, PAGE_PRIVILEGED, 0),
    ] {
        let mut bench = mapped(CpuModel::CortexA9);
        bench.second(MAPPED, DATA | page).arm(CODE, program);
        let registers = bench.r(6, MAPPED).r(3, 0).start_mapped(CODE, 0).run(100);
        let expected = if vector == 0 { None } else { Some(vector) };
        let taken = (registers.r[15] < CODE).then_some(registers.r[3]);
        assert_eq!(taken, expected, "{program:x?} {page:#x} {registers:x?}");
    }
}

#[test]
fn a_translation_for_privileged_modes_is_not_one_for_user_mode() {
    // ldr r5, [r6]; ldrt r5, [r6]: the first fills the buffer.
    let mut bench = mapped(CpuModel::CortexA9);
    bench.second(MAPPED, DATA | PAGE_PRIVILEGED);
    bench.arm(CODE, &[p::LOAD[0], p::LDRT[1]]);
    let registers = bench.r(6, MAPPED).start_mapped(CODE, 0).run(100);
    assert_eq!(registers.r[3], 0x10);
}

#[test]
fn thumb_loads_and_stores_with_the_rights_of_user_mode() {
    for program in [p::THUMB_LDRT, p::THUMB_STRBT] {
        for (page, aborts) in [(PAGE, false), (PAGE_PRIVILEGED, true)] {
            let mut bench = mapped(CpuModel::CortexA9);
            bench.second(MAPPED, DATA | page).thumb(CODE, program);
            let registers = bench.r(6, MAPPED).start_mapped(CODE | 1, 0).run(100);
            assert_eq!(
                registers.r[15] < CODE,
                aborts,
                "{program:x?} {registers:x?}"
            );
        }
    }
}

#[test]
fn code_changed_through_another_address_runs_anew() {
    for cpu in [CpuModel::Arm926, CpuModel::Arm1176, CpuModel::CortexA15] {
        let mut bench = mapped(cpu);
        // Two addresses of one page, for both formats: all four quarters alike.
        let page = if cpu == CpuModel::Arm926 { 0xff2 } else { PAGE };
        bench.second(MAPPED, DATA | page);
        bench.second(0x7110_0000, DATA | page);
        bench.arm(DATA, p::FUNCTION).arm(CODE + 0x1000, p::REWRITE);
        // r0 to r4 are taken: the program gets its arguments from moves in front.
        // mov r0, r9; mov r1, r10; mov r2, r11; mov r3, r12; b program
        bench.arm(
            CODE,
            &[
                0xe1a0_0009,
                0xe1a0_100a,
                0xe1a0_200b,
                0xe1a0_300c,
                0xea00_03fa,
            ],
        );
        bench.r(9, MAPPED).r(10, 0x7110_0000);
        // mov r5, #16; mov r6, #32
        bench.r(11, 0xe3a0_5010).r(12, 0xe3a0_6020);
        let registers = bench.start_mapped(CODE, 1 << 23).run(300);
        assert_eq!(registers.r[7], 1 + (16 << 8) + (32 << 16), "{cpu}");
        assert_eq!(registers.r[8], 17 + (32 << 8), "{cpu}");
        assert_eq!(registers.r[9], 17 + (33 << 8), "{cpu}");
    }
}

#[test]
fn a_page_that_turns_from_code_to_data_and_back_again_and_again() {
    // Each turn: write `mov r5, #n; bx lr` through the alias, call it, add it up.
    // 1: add r2, r2, #1; str r2, [r1]; mcr icache; blx r0; add r7, r7, r5; cmp; bne
    let program = [
        0xe1a0_0009, // mov r0, r9
        0xe1a0_100a, // mov r1, r10
        0xe1a0_200b, // mov r2, r11
        0xe3a0_7000, // mov r7, #0
        0xe3a0_8064, // mov r8, #100
        0xe282_2001, // 1: add r2, r2, #1
        0xe581_2000, // str r2, [r1]
        0xee07_4f15, // mcr p15, 0, r4, c7, c5, 0
        0xe12f_ff30, // blx r0
        0xe087_7005, // add r7, r7, r5
        0xe258_8001, // subs r8, r8, #1
        0x1aff_fff8, // bne 1b
        0xeaff_fffe, // b .
    ];
    let mut bench = mapped(CpuModel::CortexA9);
    bench.second(MAPPED, DATA | PAGE);
    bench.second(0x7110_0000, DATA | PAGE);
    bench.arm(DATA, &[0, 0xe12f_ff1e]).arm(CODE, &program);
    bench.r(9, MAPPED).r(10, 0x7110_0000).r(11, 0xe3a0_5000);
    let registers = bench.start_mapped(CODE, 0).run(2000);
    assert_eq!(registers.r[7], 5050);
}

#[test]
fn code_written_by_the_host_runs_anew() {
    let mut bench = mapped(CpuModel::CortexA9);
    // 1: add r5, r5, #1; b 1b
    bench
        .arm(CODE, &[0xe285_5001, 0xeaff_fffd])
        .start(CODE)
        .run(1000);
    // add r6, r6, #1
    bench.arm(CODE, &[0xe286_6001]);
    let before = bench.machine.registers();
    let registers = bench.run(1000);
    assert!(registers.r[5] - before.r[5] <= 1);
    assert!(registers.r[6] > 400);
    bench
        .machine
        .write_virtual(CODE, &0xe287_7001_u32.to_le_bytes())
        .unwrap();
    assert!(bench.run(1000).r[7] > 400);
}

#[test]
fn instructions_behind_an_if_then_block_stay_unconditional() {
    for cpu in [CpuModel::CortexA8, CpuModel::CortexA15] {
        let mut bench = mapped(cpu);
        bench
            .second(MAPPED, DATA | PAGE)
            .thumb(CODE, p::IF_THEN_LOAD);
        bench.word(DATA, 0x1234);
        let registers = bench.r(6, MAPPED).start_mapped(CODE | 1, 0).run(100);
        assert_eq!(registers.r[4], 0x1234);
        assert_eq!(registers.r[7..11], [7, 8, 9, 10], "{cpu} {registers:x?}");
        // The same with a chip that is not there, for which the state is brought up to
        // date as well.
        let mut bench = mapped(cpu);
        bench
            .first(MAPPED, 0x5000_0000 | super::bench::SECTION)
            .thumb(CODE, p::IF_THEN_LOAD);
        let registers = bench.r(6, MAPPED).start_mapped(CODE | 1, 0).run(100);
        assert_eq!(registers.r[7..11], [7, 8, 9, 10], "{cpu} {registers:x?}");
    }
}

#[test]
fn an_abort_in_an_if_then_block_saves_its_state() {
    let mut bench = mapped(CpuModel::CortexA15);
    bench.thumb(CODE, p::IF_THEN_FAULT);
    let registers = bench.r(6, MAPPED).start_mapped(CODE | 1, 0).run(100);
    assert_eq!(registers.r[3], 0x10);
    // ITT NE at its first instruction: condition 0001, mask 1100.
    assert_eq!(registers.r[0] & 0x0600_fc00, 0x0000_1c00, "{registers:x?}");
}

#[test]
fn accesses_to_absent_chips_are_counted_by_address_and_instruction() {
    for cpu in [CpuModel::Arm926, CpuModel::CortexA15] {
        let mut bench = Bench::new(cpu);
        bench.arm(CODE, p::ABSENT_CHIP).r(6, 0x5000_0000).r(5, 99);
        let registers = bench.start(CODE).run(100);
        assert_eq!(registers.r[5], 0);
        let entry = |offset: u32, at: u32, reads, writes| Unassigned {
            address: 0x5000_0000 + offset,
            pc: CODE + at,
            reads,
            writes,
        };
        assert_eq!(
            bench.machine.unassigned(),
            [entry(0, 0, 1, 0), entry(4, 4, 0, 1), entry(9, 8, 1, 0)],
            "{cpu}"
        );
    }
}

#[test]
fn writes_to_a_chip_are_made_once() {
    // strb r5, [r6] thrice, one right behind the other, to the console.
    let mut bench = Bench::new(CpuModel::CortexA15);
    bench.arm(
        CODE,
        &[
            0xe5c6_5000,
            0xe285_5001,
            0xe5c6_5000,
            0xe285_5001,
            0xe5c6_5000,
            0xeaff_fffe,
        ],
    );
    // Enable the port by hand first: str r7, [r6, #0x30].
    bench.arm(CODE - 4, &[0xe586_7030]);
    bench
        .r(5, u32::from(b'a'))
        .r(6, 0x101f_1000)
        .r(7, 0x301)
        .start(CODE - 4);
    bench.run(100);
    assert_eq!(bench.machine.take_output(), b"abc");
}

#[test]
fn the_host_reads_and_writes_by_virtual_address() {
    let mut bench = mapped(CpuModel::CortexA9);
    bench
        .second(MAPPED, DATA | PAGE)
        .second(MAPPED + 0x1000, (DATA + 0x3000) | PAGE);
    bench
        .arm(CODE, &[0xeaff_fffe])
        .start_mapped(CODE, 0)
        .run(100);
    bench
        .machine
        .write_virtual(MAPPED + 0xffe, &[1, 2, 3, 4])
        .unwrap();
    let mut bytes = [0; 4];
    bench
        .machine
        .read_virtual(MAPPED + 0xffe, &mut bytes)
        .unwrap();
    assert_eq!(bytes, [1, 2, 3, 4]);
    bench
        .machine
        .read_physical(DATA + 0x3000, &mut bytes[..2])
        .unwrap();
    assert_eq!(bytes[..2], [3, 4]);
    assert!(
        bench
            .machine
            .read_virtual(MAPPED + 0x1fff, &mut bytes)
            .is_err()
    );
    assert!(bench.machine.read_virtual(u32::MAX, &mut bytes).is_err());
}
