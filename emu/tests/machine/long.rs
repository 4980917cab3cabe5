//! Long descriptors as programs see them: 64-bit base registers, changes of
//! address space by ASID, fault status, and nothing above 4 GiB.

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::Registers;
use emu::mmu::opaque::{OpaqueMap, Segment};

use super::bench::{Bench, CODE, DATA, RAM, TABLE};

/// First-level tables of two address spaces, and second-level tables of theirs.
const FIRST: [u32; 2] = [TABLE, TABLE + 0x20];
const SECOND: [u32; 2] = [TABLE + 0x1000, TABLE + 0x2000];
/// In the lowest GiB: the second-level tables have it.
const MAPPED: u32 = 0x2000_0000;
/// A block that privileged modes may use, accessed.
const BLOCK: u64 = 0x401;

/// mcr p15, 0, r0, c2, c0, 2 (TTBCR); mcrr p15, 0, r1, r2, c2 (TTBR0); SCTLR.M.
const SWITCH_ON: [u32; 5] = [
    0xee02_0f50,
    0xec42_1f02,
    0xee11_bf10,
    0xe38b_b001,
    0xee01_bf10,
];
/// mcrr p15, 0, r1, r3, c2: the same table register with another upper half, and
/// mcrr p15, 0, r9, r10, c2.
const SWITCH_ASID: u32 = 0xec43_1f02;
const SWITCH_SPACE: u32 = 0xec4a_9f02;
/// ldr r5, [r8]; ldr r6, [r8]; ldr r7, [r8]
const LOAD: [u32; 3] = [0xe598_5000, 0xe598_6000, 0xe598_7000];
const LOOP: u32 = 0xeaff_fffe;

/// Both spaces have memory as it is, and what is asked for at [`MAPPED`].
fn bench(board: BoardConfig, mapped: [u64; 2]) -> Bench {
    let mut bench = Bench::with_board(CpuModel::CortexA15, board);
    for ((first, second), mapped) in FIRST.into_iter().zip(SECOND).zip(mapped) {
        long(&mut bench, first, u64::from(second) | 3);
        for block in 0..(RAM >> 21) as u32 {
            long(
                &mut bench,
                second + block * 8,
                u64::from(block) << 21 | BLOCK,
            );
        }
        long(&mut bench, second + (MAPPED >> 21) * 8, mapped);
    }
    bench
        .r(0, 1 << 31)
        .r(1, FIRST[0])
        .r(2, 1 << 16)
        .r(8, MAPPED);
    bench
}

fn long(bench: &mut Bench, at: u32, descriptor: u64) {
    bench.arm(at, &[descriptor as u32, (descriptor >> 32) as u32]);
}

/// Runs with the MMU on; a data abort leaves its status in r5 and address in r6.
fn run(bench: &mut Bench, program: &[u32]) -> Registers {
    // mrc p15, 0, r5, c5, c0, 0; mrc p15, 0, r6, c6, c0, 0; b .
    bench.arm(0x10, &[0xee15_5f10, 0xee16_6f10, LOOP]);
    let whole: Vec<u32> = SWITCH_ON.iter().chain(program).copied().collect();
    bench.arm(CODE, &whole).start(CODE).run(Bench::FRONT + 60)
}

#[test]
fn a_change_of_address_space_is_seen_at_once() {
    let place = |at: u32| u64::from(at) | BLOCK;
    let mut bench = bench(BoardConfig::Versatile, [place(DATA), place(DATA * 2)]);
    bench.word(DATA, 0x1111).word(DATA * 2, 0x2222);
    bench.r(3, 1 << 16).r(9, FIRST[1]).r(10, 2 << 16);
    let program = [LOAD[0], SWITCH_SPACE, LOAD[1], SWITCH_ASID, LOAD[2], LOOP];
    let registers = run(&mut bench, &program);
    assert_eq!(registers.r[5..8], [0x1111, 0x2222, 0x1111]);
}

#[test]
fn faults_have_the_status_of_long_descriptors() {
    for (mapped, expected) in [
        (0, 0x206),
        // A table without entries, in memory that is zero.
        (u64::from(DATA) | 3, 0x207),
        (1, 0x20a),
        // Nothing answers above 4 GiB.
        (1 << 32 | BLOCK, 0x210),
        (0x8000_0003, 0x217),
    ] {
        let mut bench = bench(BoardConfig::Versatile, [mapped; 2]);
        let registers = run(&mut bench, &[LOAD[0], LOOP]);
        let told = (registers.r[5], registers.r[6]);
        assert_eq!(told, (expected, MAPPED), "{mapped:#x}");
    }
    // str r5, [r8] where nobody may write.
    let read_only = u64::from(DATA) | BLOCK | 1 << 7;
    let mut bench = bench(BoardConfig::Versatile, [read_only; 2]);
    let registers = run(&mut bench, &[0xe588_5000, LOOP]);
    assert_eq!(registers.r[5], 0xa0e);
}

#[test]
fn opaque_memory_is_not_to_be_had_by_its_physical_address() {
    let map = OpaqueMap {
        base: 0xd000_8000,
        size: 0x1_0000,
        segments: vec![Segment {
            va: 0xd000_8000,
            bytes: 0x5ec2_e700_u32.to_le_bytes().to_vec(),
            size: 4,
            writable: true,
        }],
        chips: Vec::new(),
        rom: Vec::new(),
    };
    // A block and a table where opaque memory lies for the emulator.
    for mapped in [1 << 32 | BLOCK, 1 << 32 | 3] {
        let board = BoardConfig::Transplant(map.clone());
        let registers = run(&mut bench(board, [mapped; 2]), &[LOAD[0], LOOP]);
        assert!(matches!(registers.r[5], 0x210 | 0x217), "{registers:x?}");
    }
    // By its virtual address it is there.
    let mut bench = bench(BoardConfig::Transplant(map), [0; 2]);
    bench.r(8, 0xd000_8000);
    assert_eq!(run(&mut bench, &[LOAD[0], LOOP]).r[5], 0x5ec2_e700);
}
