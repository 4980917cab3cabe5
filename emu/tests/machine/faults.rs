//! Fault status and fault address.

use emu::cpu::CpuModel;
use emu::machine::Registers;

use super::bench::{Bench, CODE, DATA, PAGE, PAGE_PRIVILEGED, SECTION, SECTION_PRIVILEGED, TABLE};
use super::programs as p;

/// A handler of data aborts: DFSR in r0, DFAR in r1; of prefetch aborts: IFSR
/// in r2, IFAR in r3.
fn handlers(bench: &mut Bench) {
    // mrc p15, 0, r0, c5, c0, 0; mrc p15, 0, r1, c6, c0, 0; b .
    bench.arm(0x10, &[0xea00_003a]);
    bench.arm(0x100, &[0xee15_0f10, 0xee16_1f10, 0xeaff_fffe]);
    bench.arm(0x0c, &[0xea00_003f]);
    bench.arm(0x110, &[0xee15_2f30, 0xee16_3f50, 0xeaff_fffe]);
}

fn abort(cpu: CpuModel, program: &[u32], r6: u32, prepare: impl FnOnce(&mut Bench)) -> Registers {
    let mut bench = Bench::new(cpu);
    bench.identity().arm(CODE, program);
    handlers(&mut bench);
    prepare(&mut bench);
    bench.r(6, r6).start_mapped(CODE, 1 << 23).run(200)
}

#[test]
fn where_nobody_is_privileged_code_finds_nothing() {
    let status = |program, address| {
        let prepare = |bench: &mut Bench| bench.machine.leave_to_nobody(0x7000_0000..=0x7fff_ffff);
        abort(CpuModel::Arm926, program, address, prepare).r[0]
    };
    for program in [p::LOAD, p::STORE] {
        // Without an abort r0 still has what switched the MMU on.
        assert_eq!(status(program, 0x7000_0120), TABLE);
        assert_eq!(status(program, 0x8000_0120) & 0xf, 5);
    }
}

#[test]
fn statuses_of_armv7() {
    let cpu = CpuModel::CortexA9;
    let case = |program, r6, prepare: &dyn Fn(&mut Bench)| {
        let registers = abort(cpu, program, r6, prepare);
        (registers.r[0], registers.r[1])
    };
    // Nothing in the first level, nothing in the second.
    assert_eq!(case(p::LOAD, 0x7000_0120, &|_| ()), (0x005, 0x7000_0120));
    assert_eq!(case(p::STORE, 0x7000_0120, &|_| ()), (0x805, 0x7000_0120));
    assert_eq!(
        case(p::LOAD, 0x7000_1ffc, &|bench| {
            bench.second(0x7000_0000, DATA | PAGE);
        }),
        (0x007, 0x7000_1ffc)
    );
    // Permissions: read only for privileged modes; none at all.
    assert_eq!(
        case(p::STORE, 0x7000_0003, &|bench| {
            bench.first(0x7000_0000, DATA | SECTION_PRIVILEGED | 1 << 15);
        }),
        (0x80d, 0x7000_0003)
    );
    assert_eq!(
        case(p::LOAD, 0x7000_0004, &|bench| {
            bench.second(0x7000_0000, DATA | 2);
        }),
        (0x00f, 0x7000_0004)
    );
    // A closed domain, of a section and of a page.
    assert_eq!(
        case(p::LOAD, 0x7000_0004, &|bench| {
            bench.first(0x7000_0000, DATA | SECTION | 5 << 5);
        }),
        (0x059, 0x7000_0004)
    );
    assert_eq!(
        case(p::LOAD, 0x7000_0004, &|bench| {
            bench.second(0x7000_0000, DATA | PAGE);
            bench.first(0x7000_0000, super::bench::SECOND | 5 << 5 | 1);
        }),
        (0x05b, 0x7000_0004)
    );
    // A second-level table where there is no memory.
    assert_eq!(
        case(p::LOAD, 0x7000_0004, &|bench| {
            bench.first(0x7000_0000, 0x6000_0001);
        }),
        (0x00e, 0x7000_0004)
    );
}

#[test]
fn statuses_of_armv5_have_no_write_bit() {
    let registers = abort(CpuModel::Arm926, p::STORE, 0x7000_0120, |_| ());
    assert_eq!((registers.r[0], registers.r[1]), (0x005, 0x7000_0120));
}

#[test]
fn instruction_faults() {
    let registers = abort(CpuModel::CortexA9, p::JUMP, 0x7000_0120, |_| ());
    assert_eq!((registers.r[2], registers.r[3]), (0x005, 0x7000_0120));
    // Execute never.
    let registers = abort(CpuModel::CortexA9, p::JUMP, 0x7000_0120, |bench| {
        bench.second(0x7000_0000, DATA | PAGE_PRIVILEGED | 1);
    });
    assert_eq!((registers.r[2], registers.r[3]), (0x00f, 0x7000_0120));
    // Where no memory is.
    let registers = abort(CpuModel::CortexA9, p::JUMP, 0x7000_0120, |bench| {
        bench.first(0x7000_0000, 0x5000_0000 | SECTION);
    });
    assert_eq!((registers.r[2], registers.r[3]), (0x008, 0x7000_0120));
}

#[test]
fn the_second_half_of_a_thumb_instruction_can_fault() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.identity();
    handlers(&mut bench);
    // The last halfword of a page is the first half of nop.w.
    bench
        .second(0x7000_0000, DATA | PAGE)
        .thumb(DATA + 0xffc, &[0xbf00, 0xf3af]);
    bench.arm(CODE, p::JUMP).r(6, 0x7000_0ffd);
    let registers = bench.start_mapped(CODE, 0).run(200);
    assert_eq!((registers.r[2], registers.r[3]), (0x007, 0x7000_1000));
}

/// One instruction with r6 pointing into a hole, r7 = 0x20 and r13 pointing
/// into it, too; and where in the hole it faults.
fn fault_address(cpu: CpuModel, thumb: bool, code: &[u8]) -> u32 {
    let mut bench = Bench::new(cpu);
    bench.identity();
    handlers(&mut bench);
    bench.machine.load(CODE, code).expect("room");
    // The floating point unit on: cpacr = 0xf00000, fpexc = 1 << 30.
    bench.arm(
        0x5000,
        &[
            0xe3a0_560f,
            0xee01_5f50,
            0xe3a0_5101,
            0xeee8_5a10,
            0xe12f_ff18,
        ],
    );
    bench
        .r(6, HOLE)
        .r(7, 0x20)
        .r(13, HOLE)
        .r(8, CODE | u32::from(thumb));
    bench.start_mapped(0x5000, 0).run(200).r[1]
}

const HOLE: u32 = 0x7000_0100;

#[test]
fn fault_addresses_of_arm_instructions() {
    for (text, code, address) in p::ARM_ACCESSES {
        let found = fault_address(CpuModel::CortexA15, false, &code.to_le_bytes());
        assert_eq!(
            found,
            HOLE.wrapping_add_signed(*address),
            "{text} {found:#x}"
        );
    }
}

#[test]
fn fault_addresses_of_thumb_instructions() {
    for (text, code, address) in p::THUMB_ACCESSES {
        let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
        let found = fault_address(CpuModel::CortexA15, true, &bytes);
        assert_eq!(
            found,
            HOLE.wrapping_add_signed(*address),
            "{text} {found:#x}"
        );
    }
}

#[test]
fn accesses_that_cross_into_a_hole_fault_at_its_start() {
    // ldm r6, {r0-r3}; strd; an unaligned ldr; an unaligned str.
    for (word, write) in [
        (0xe896_000f, false),
        (0xe1c6_00f0, true),
        (0xe596_0002, false),
        (0xe586_0002, true),
    ] {
        let registers = abort(CpuModel::CortexA15, &[word], 0x7000_0ffc, |bench| {
            bench.second(0x7000_0000, DATA | PAGE);
        });
        let status = if write { 0x807 } else { 0x007 };
        assert_eq!(registers.r[..2], [status, 0x7000_1000], "{word:#x}");
    }
}

#[test]
fn exclusives_must_be_aligned() {
    // ldrex r0, [r6]
    let registers = abort(CpuModel::CortexA9, &[0xe196_0f9f], DATA + 2, |_| ());
    assert_eq!(registers.r[..2], [0x001, DATA + 2]);
}
