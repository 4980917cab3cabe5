//! Opaque memory: who sees it, who does not, and conflicts.

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Error, Exit, Machine, Milestone, RamBank};
use emu::mmu::opaque::{Chip, ChipKind, OpaqueMap, Segment};

use super::bench::{Bench, CODE, DATA, PAGE, SECTION, TABLE};
use super::programs as p;

const BASE: u32 = 0xd000_8000;
const SIZE: u32 = 0x1_0000;
const DRIVER_DATA: u32 = BASE + 0x1000;
const UART: u32 = BASE + SIZE - 0x1000;

/// A driver: code that adds 1 to r5 and to a word of its data, and returns.
pub(crate) fn map() -> OpaqueMap {
    let code = [
        0xe59f_1010_u32, // ldr r1, [pc, #16]
        0xe591_2000,     // ldr r2, [r1]
        0xe282_2001,     // add r2, r2, #1
        0xe581_2000,     // str r2, [r1]
        0xe285_5001,     // add r5, r5, #1
        0xe12f_ff1e,     // bx lr
        DRIVER_DATA,
    ];
    let chip = |chip, va, phys, irq| Chip {
        chip,
        va,
        phys,
        irq,
    };
    OpaqueMap {
        base: BASE,
        size: SIZE,
        segments: vec![
            Segment {
                va: BASE,
                bytes: code.iter().flat_map(|word| word.to_le_bytes()).collect(),
                size: 0x1000,
                writable: false,
            },
            Segment {
                va: DRIVER_DATA,
                bytes: vec![41, 0, 0, 0],
                size: 0x1000,
                writable: true,
            },
        ],
        chips: vec![
            chip(ChipKind::Pl190, UART - 0x2000, 0xfeec_0000, 0),
            chip(ChipKind::Sp804, UART - 0x1000, 0xfeec_1000, 4),
            chip(ChipKind::Uart16550, UART, 0xfeec_2000, 5),
        ],
        rom: Vec::new(),
    }
}

fn bench() -> Bench {
    let mut bench = Bench::with_board(CpuModel::CortexA9, BoardConfig::Transplant(map()));
    bench.identity().arm(0, p::VECTORS);
    bench
}

#[test]
fn privileged_code_calls_the_driver() {
    let mut bench = bench();
    // blx r6; blx r6; b .
    bench.arm(CODE, &[0xe12f_ff36, 0xe12f_ff36, 0xeaff_fffe]);
    let registers = bench.r(6, BASE).start_mapped(CODE, 0).run(100);
    assert_eq!((registers.r[5], registers.r[2]), (2, 43), "{registers:x?}");
    // The call is not an instruction of the driver.
    assert_eq!(bench.machine.driver_instructions(), 12);
    let mut data = [0; 4];
    bench.machine.read_virtual(DRIVER_DATA, &mut data).unwrap();
    assert_eq!(data, [43, 0, 0, 0]);
}

#[test]
fn its_code_cannot_be_written_nor_its_data_executed() {
    let mut bench = bench();
    bench.arm(CODE, p::STORE);
    let registers = bench.r(6, BASE).start_mapped(CODE, 0).run(100);
    assert_eq!(registers.r[3], 0x10);
    let mut bench = self::bench();
    bench.arm(CODE, p::JUMP);
    let registers = bench.r(6, DRIVER_DATA).start_mapped(CODE, 0).run(100);
    assert_eq!(registers.r[3], 0x0c);
    // A page of the range that has nothing.
    let mut bench = self::bench();
    bench.arm(CODE, p::LOAD);
    let registers = bench.r(6, BASE + 0x3000).start_mapped(CODE, 0).run(100);
    assert_eq!(registers.r[3], 0x10);
}

#[test]
fn the_chips_are_there_at_both_addresses() {
    let mut bench = bench();
    bench.first(0xfee0_0000, 0xfee0_0000 | SECTION);
    // strb r5, [r6]; add r5, r5, #1; strb r5, [r7]; b .
    bench.arm(CODE, &[0xe5c6_5000, 0xe285_5001, 0xe5c7_5000, 0xeaff_fffe]);
    bench.r(5, u32::from(b'x')).r(6, UART).r(7, 0xfeec_2000);
    bench.start_mapped(CODE, 0);
    bench.run(100);
    assert_eq!(bench.machine.take_output(), b"xy");
    let milestones = bench.machine.milestones();
    assert!(
        milestones
            .iter()
            .any(|reached| reached.milestone == Milestone::Console)
    );
    assert_eq!(bench.machine.unassigned(), []);
}

/// Goes to user mode at r6 with its registers.
const TO_USER: [u32; 4] = [0xe10f_0000, 0xe3c0_000f, 0xe16f_f000, 0xe1b0_f006];

#[test]
fn user_mode_faults() {
    for (access, vector) in [
        (0xe597_0000, 0x10),
        (0xe587_0000, 0x10),
        (0xe12f_ff17, 0x0c),
    ] {
        let mut bench = bench();
        // ldr r0, [r7]; str r0, [r7]; bx r7
        bench
            .second(0x7000_0000, DATA | PAGE)
            .arm(DATA, &[access, 0xeaff_fffe]);
        bench.arm(CODE, &TO_USER).r(6, 0x7000_0000).r(7, BASE);
        let registers = bench.start_mapped(CODE, 0).run(100);
        assert_eq!(registers.r[3], vector, "{access:#x}");
        // Translation fault of a section: mrc would tell; the saved mode is user.
        assert_eq!(registers.r[0] & 0x1f, 0x10);
    }
}

#[test]
fn loads_with_the_rights_of_user_mode_fault() {
    let mut bench = bench();
    bench.arm(CODE, p::LDRT).r(6, DRIVER_DATA);
    let registers = bench.start_mapped(CODE, 0).run(100);
    assert_eq!(registers.r[3], 0x10);
}

#[test]
fn without_the_mmu_there_is_no_opaque_memory() {
    let mut bench = bench();
    bench.arm(CODE, p::LOAD).r(5, 1).r(6, DRIVER_DATA);
    assert_eq!(bench.start(CODE).run(100).r[5], 0);
    // The access went to a physical address that has nothing.
    assert_eq!(bench.machine.unassigned()[0].address, DRIVER_DATA);
}

#[test]
fn a_mapping_in_the_range_is_a_conflict_at_the_next_access() {
    for prepare in [
        |bench: &mut Bench| {
            bench.first(BASE, DATA | SECTION);
        },
        |bench: &mut Bench| {
            bench.second(DRIVER_DATA, DATA | PAGE);
        },
        // Without any rights, it is still a mapping.
        |bench: &mut Bench| {
            bench.second(DRIVER_DATA, DATA | 2);
        },
    ] {
        let mut bench = bench();
        prepare(&mut bench);
        bench
            .arm(CODE, p::LOAD)
            .r(6, DRIVER_DATA)
            .start_mapped(CODE, 0);
        assert_eq!(
            bench.until(100_000),
            Exit::OpaqueConflict { va: DRIVER_DATA }
        );
    }
}

#[test]
fn a_mapping_that_appears_later_is_a_conflict_without_any_access() {
    let mut bench = bench();
    let table = super::bench::SECOND + (BASE >> 20) % 32 * 0x400;
    // Used once, then: str r8, [r7] (a page), and a loop that touches nothing.
    bench.arm(CODE, &[0xe596_5000, 0xe587_8000, 0xeaff_fffe]);
    bench.first(BASE, table | 1);
    bench
        .r(6, DRIVER_DATA)
        .r(7, table + (BASE >> 12 & 255) * 4 + 8)
        .r(8, DATA | PAGE);
    bench.start_mapped(CODE, 0);
    let exit = bench.until(50_000_000);
    assert_eq!(exit, Exit::OpaqueConflict { va: BASE + 0x2000 });
    // 10 ms of virtual time are 5 million instructions.
    assert!(bench.machine.instructions() < 5_100_000);
}

#[test]
fn the_kernels_own_table_is_looked_at_when_another_is_in_use() {
    let mut bench = bench();
    // mcr p15, 0, r7, c2, c0, 0 to a copy of the table; then map in the old one.
    bench.arm(CODE, &[0xee02_7f10, 0xe588_9000, 0xeaff_fffe]);
    let copy = TABLE + 0x8000 * 4;
    for mib in 0..16 {
        bench.word(copy + mib * 4, mib << 20 | 0x402);
    }
    bench
        .r(7, copy)
        .r(8, TABLE + (BASE >> 20) * 4)
        .r(9, DATA | SECTION);
    bench.start_mapped(CODE, 0);
    assert_eq!(bench.until(50_000_000), Exit::OpaqueConflict { va: BASE });
}

#[test]
fn conflicts_are_found_while_the_guest_waits() {
    let mut bench = bench();
    // Map, then wait; the timer ticks at its physical address.
    bench.first(0xfee0_0000, 0xfee0_0000 | SECTION);
    // str r8, [r7]; timer: str r9, [r10]; str r11, [r10, #8]; wfi; b wfi
    bench.arm(
        CODE,
        &[
            0xe587_8000,
            0xe58a_9000,
            0xe58a_b008,
            0xe320_f003,
            0xeaff_fffd,
        ],
    );
    bench.r(7, TABLE + (BASE >> 20) * 4).r(8, DATA | SECTION);
    bench.r(9, 50_000).r(10, 0xfeec_1000).r(11, 0xe2);
    bench.start_mapped(CODE, 0);
    assert_eq!(bench.until(1_000_000), Exit::OpaqueConflict { va: BASE });
}

#[test]
fn a_guest_of_512_mib_maps_the_range_itself() {
    let mut machine = Machine::new(Config {
        cpu: CpuModel::CortexA9,
        midr: None,
        ram: vec![RamBank {
            base: 0,
            size: 512 << 20,
        }],
        board: BoardConfig::Transplant(map()),
    })
    .unwrap();
    // The linear map: 0xc0000000 and up.
    for mib in 0..512_u32 {
        let descriptor = (mib << 20 | SECTION).to_le_bytes();
        machine
            .load(TABLE + (0xc00 + mib) * 4, &descriptor)
            .unwrap();
    }
    machine.load(TABLE, &SECTION.to_le_bytes()).unwrap();
    let code: Vec<u8> = p::MMU_ON
        .iter()
        .chain(&[0xeaff_fffe])
        .flat_map(|word| word.to_le_bytes())
        .collect();
    machine.load(CODE, &code).unwrap();
    machine.start(Entry {
        pc: CODE,
        r: [TABLE, 1, 1],
    });
    let exit = loop {
        match machine.run(20_000_000).unwrap() {
            Exit::Milestone(_) => {}
            other => break other,
        }
    };
    // r4 is 0: it jumps to the start of memory, which is zeroes: andeq.
    assert_eq!(exit, Exit::OpaqueConflict { va: BASE });
}

#[test]
fn maps_that_cannot_be() {
    let machine = |change: &dyn Fn(&mut OpaqueMap)| {
        let mut map = map();
        change(&mut map);
        Machine::new(Config {
            cpu: CpuModel::CortexA9,
            midr: None,
            ram: vec![RamBank {
                base: 0,
                size: 1 << 20,
            }],
            board: BoardConfig::Transplant(map),
        })
        .map(|_| ())
    };
    assert!(machine(&|_| ()).is_ok());
    for change in [
        (|map: &mut OpaqueMap| map.base += 4) as fn(&mut OpaqueMap),
        |map| map.size = 0,
        |map| map.size = 0xffff_f000,
        |map| map.segments[0].va -= 0x1000,
        |map| map.segments[0].size = SIZE + 1,
        |map| map.chips[0].va = BASE,
        |map| map.chips[0].va = map.chips[1].va,
    ] {
        assert!(matches!(machine(&change), Err(Error::Opaque(_))));
    }
    assert!(matches!(
        machine(&|map| map.chips[0].phys = 0),
        Err(Error::Chip { .. })
    ));
}
