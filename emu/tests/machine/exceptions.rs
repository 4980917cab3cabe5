//! Every exception, with both places of the vectors, in ARM and Thumb code.

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Entry, Exit, Milestone, Registers};

use super::bench::{Bench, CODE, DATA, PAGE_PRIVILEGED};
use super::programs as p;

const UNDEFINED: u32 = 0x04;
const SUPERVISOR: u32 = 0x08;
const PREFETCH: u32 = 0x0c;
const DATA_ABORT: u32 = 0x10;
const IRQ: u32 = 0x18;
const FIQ: u32 = 0x1c;

const TIMER: u32 = 0x101e_2000;
const CONTROLLER: u32 = 0x1014_0000;

/// What the handlers of [`p::VECTORS`] leave: vector, link register, saved
/// status, status.
fn taken(registers: &Registers) -> (u32, u32, u32, u32) {
    let r = registers.r;
    (r[3], r[1], r[0], r[2])
}

fn without_mmu(cpu: CpuModel, program: &[u32]) -> Bench {
    let mut bench = Bench::new(cpu);
    bench.arm(0, p::VECTORS).arm(CODE, program);
    bench
}

#[test]
fn supervisor_call() {
    for cpu in CpuModel::ALL {
        let registers = without_mmu(cpu, p::SVC).start(CODE).run(100);
        let (vector, lr, spsr, cpsr) = taken(&registers);
        assert_eq!((vector, lr), (SUPERVISOR, CODE + 4), "{cpu}");
        assert_eq!((spsr, cpsr), (0x1d3, 0x1d3), "{cpu}");
    }
}

#[test]
fn undefined_instruction() {
    for cpu in CpuModel::ALL {
        let registers = without_mmu(cpu, p::UDF).start(CODE).run(100);
        let (vector, lr, spsr, cpsr) = taken(&registers);
        assert_eq!((vector, lr), (UNDEFINED, CODE + 4), "{cpu}");
        assert_eq!((spsr, cpsr), (0x1d3, 0x1db), "{cpu}");
    }
}

#[test]
fn floating_point_is_undefined_until_it_is_switched_on() {
    for cpu in [CpuModel::Arm926, CpuModel::Arm1176, CpuModel::CortexA15] {
        let registers = without_mmu(cpu, p::VFP).start(CODE).run(100);
        let (vector, lr, ..) = taken(&registers);
        assert_eq!((vector, lr), (UNDEFINED, CODE + 4), "{cpu}");
    }
}

#[test]
fn floating_point_can_be_switched_on() {
    for cpu in CpuModel::ALL {
        if cpu == CpuModel::Arm11MpCore {
            continue;
        }
        // CPACR, FPEXC, then the instruction.
        let switch = [0xe3a0_560f, 0xee01_5f50, 0xe3a0_5101, 0xeee8_5a10];
        let mut bench = without_mmu(cpu, &switch);
        bench.arm(CODE + 16, p::VFP);
        let registers = bench.start(CODE).run(100);
        assert_eq!(registers.r[15], CODE + 20, "{cpu}");
    }
}

#[test]
fn breakpoint_is_a_prefetch_abort() {
    for cpu in CpuModel::ALL {
        let registers = without_mmu(cpu, p::BKPT).start(CODE).run(100);
        let (vector, lr, _, cpsr) = taken(&registers);
        assert_eq!((vector, lr), (PREFETCH, CODE + 4), "{cpu}");
        assert_eq!(cpsr, 0x1d7, "{cpu}");
    }
}

#[test]
fn interrupt_and_fast_interrupt() {
    for cpu in CpuModel::ALL {
        for (fast, vector, status) in [(0, IRQ, 0x192), (0x10, FIQ, 0x1d1)] {
            let mut bench = without_mmu(cpu, p::TIMER_THEN_COUNT);
            bench.r(0, TIMER).r(1, CONTROLLER).r(2, 10).r(3, fast);
            let registers = bench.start(CODE).run(20_000);
            let (taken, lr, spsr, cpsr) = taken(&registers);
            assert_eq!(taken, vector, "{cpu}");
            // Interrupts are taken between blocks; the loop is one, behind ten
            // instructions.
            assert_eq!(lr, CODE + 10 * 4 + 4, "{cpu}");
            assert_eq!(spsr & 0xff, 0x13, "{cpu}");
            // Armv5 has no mask for aborts: it stays as it was.
            assert_eq!(cpsr, status, "{cpu}");
            // The timer takes one tick more: 11 us are 1375 instructions, 687 turns of
            // the loop.
            assert!((657..=687).contains(&registers.r[4]), "{cpu} {registers:?}");
            assert_eq!(
                bench.machine.milestones().last().map(|last| last.milestone),
                Some(Milestone::FirstTick)
            );
        }
    }
}

/// With the MMU on: vectors at 0 and at the top, aborts.
fn mapped(cpu: CpuModel, program: &[u32]) -> Bench {
    let mut bench = Bench::new(cpu);
    bench.identity().arm(CODE, program).arm(0, p::VECTORS);
    bench
}

const HIGH_VECTORS: u32 = 1 << 13;
const HOLE: u32 = 0x7000_0123;

#[test]
fn aborts_with_low_and_high_vectors() {
    for cpu in [CpuModel::Arm926, CpuModel::Arm11MpCore, CpuModel::CortexA9] {
        for (program, vector, lr) in [
            (p::LOAD, DATA_ABORT, CODE + 8),
            (p::STORE, DATA_ABORT, CODE + 8),
            (p::JUMP, PREFETCH, (HOLE & !3) + 4),
            (p::UDF, UNDEFINED, CODE + 4),
            (p::SVC, SUPERVISOR, CODE + 4),
        ] {
            for control in [0, HIGH_VECTORS] {
                let mut bench = mapped(cpu, program);
                if control != 0 {
                    // Nothing at 0; the vectors are at 0xffff0000.
                    bench.arm(0, &[0; 8]).arm(DATA, p::VECTORS);
                    // A small page reads the same in both formats here: privileged.
                    bench.second(0xffff_0000, DATA | PAGE_PRIVILEGED | 0x540);
                    if cpu != CpuModel::Arm926 {
                        bench.second(0xffff_0000, DATA | PAGE_PRIVILEGED);
                    }
                }
                let hole = if program == p::JUMP { HOLE & !3 } else { HOLE };
                // The new format on Armv6.
                let registers = bench
                    .r(6, hole)
                    .start_mapped(CODE, control | 1 << 23)
                    .run(200);
                let taken = taken(&registers);
                assert_eq!((taken.0, taken.1), (vector, lr), "{cpu} {control:#x}");
                let base = if control == 0 { 0 } else { 0xffff_0000 };
                assert_eq!(registers.r[15] & 0xffff_f000, base, "{cpu}");
            }
        }
    }
}

#[test]
fn vector_base_register() {
    for cpu in [CpuModel::Arm1176, CpuModel::CortexA8, CpuModel::CortexA15] {
        let mut bench = Bench::new(cpu);
        // mcr p15, 0, r0, c12, c0, 0; svc
        bench.arm(CODE, &[0xee0c_0f10, 0xef00_0000]);
        let registers = bench.arm(DATA, p::VECTORS).r(0, DATA).start(CODE).run(100);
        assert_eq!(taken(&registers).0, SUPERVISOR, "{cpu}");
        assert_eq!(registers.r[15] & !0xff, DATA, "{cpu}");
    }
}

#[test]
fn handlers_in_thumb_code() {
    // The bit in the control register; set without switching the MMU on.
    // mrc p15, 0, r7, c1, c0, 0; orr r7, r7, #1 << 30; mcr p15, 0, r7, c1, c0, 0
    let enable = [0xee11_7f10, 0xe387_7101, 0xee01_7f10];
    for (program, vector, lr) in [(p::SVC, SUPERVISOR, 0x10), (p::UDF, UNDEFINED, 0x10)] {
        let mut bench = Bench::new(CpuModel::CortexA9);
        bench.thumb(0, p::THUMB_VECTORS);
        bench.arm(CODE, &enable).arm(CODE + 12, program);
        let registers = bench.start(CODE).run(100);
        let (taken, link, spsr, cpsr) = taken(&registers);
        assert_eq!((taken, link), (vector, CODE + lr));
        assert_eq!(spsr & 0x20, 0);
        assert_eq!(registers.cpsr & 0x20, 0x20);
        assert_eq!(cpsr & 0xdf, if vector == UNDEFINED { 0xdb } else { 0xd3 });
    }
}

#[test]
fn exceptions_from_thumb_code_and_return() {
    // svc #1; movs r5, #7; b .
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.thumb(CODE, &[0xdf01, 0x2507, 0xe7fe]);
    // The supervisor vector returns at once: movs pc, lr.
    bench.arm(SUPERVISOR, &[0xe1b0_f00e]);
    let registers = bench.start(CODE | 1).run(100);
    assert_eq!((registers.r[5], registers.r[15]), (7, CODE + 4));
    assert_eq!(registers.cpsr & 0x20, 0x20);

    // udf #0, whose handler notes where to.
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.arm(0, p::VECTORS).thumb(CODE, &[0xde00]);
    let registers = bench.start(CODE | 1).run(100);
    assert_eq!(taken(&registers).0, UNDEFINED);
    assert_eq!(taken(&registers).1, CODE + 2);
    assert_eq!(taken(&registers).2 & 0x20, 0x20);
}

#[test]
fn hints_are_not_undefined() {
    // wfe; yield; mov r5, #7; b .
    let mut bench = without_mmu(
        CpuModel::CortexA9,
        &[0xe320_f002, 0xe320_f001, 0xe3a0_5007, 0xeaff_fffe],
    );
    // The same after an exception that left a syndrome: return from svc.
    bench.arm(SUPERVISOR, &[0xe1b0_f00e]);
    bench.arm(
        CODE + 12,
        &[0xef00_0000, 0xe320_f002, 0xe3a0_6008, 0xeaff_fffe],
    );
    let registers = bench.start(CODE).run(100);
    assert_eq!((registers.r[5], registers.r[6]), (7, 8));
    assert_eq!(registers.r[15], CODE + 24);
}

#[test]
fn absent_parts_read_zero_and_are_counted() {
    for cpu in [CpuModel::Arm1176, CpuModel::CortexA9] {
        let mut bench = without_mmu(cpu, p::ABSENT);
        let registers = bench.r(0, 1).r(2, 1).r(3, 1).r(4, 1).start(CODE).run(100);
        assert_eq!(registers.r[1], 2, "{cpu} {registers:x?}");
        assert_eq!(registers.r[0], 0, "{cpu}");
        assert!(!bench.machine.absent_registers().is_empty(), "{cpu}");
    }
}

#[test]
fn absent_parts_stay_undefined_in_user_mode() {
    let mut bench = without_mmu(
        CpuModel::CortexA9,
        &[0xe10f_0000, 0xe3c0_001f, 0xe380_0010, 0xe121_f000],
    );
    // mrs r0, cpsr; to user mode; mrc p15, 1, r0, c9, c0, 2
    bench.arm(CODE + 16, &p::ABSENT[..1]);
    let registers = bench.start(CODE).run(100);
    assert_eq!(taken(&registers).0, UNDEFINED);
    assert_eq!(taken(&registers).1, CODE + 20);
}

#[test]
fn exceptions_without_end_are_noticed() {
    // Nothing is mapped at the vectors: each abort aborts.
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.identity().arm(CODE, p::UDF);
    bench.start_mapped(CODE, HIGH_VECTORS);
    let Exit::NoVector { at } = bench.until(1_000_000) else {
        panic!("the vectors were not missed");
    };
    assert_eq!(at.r[15], CODE);
    let Exit::Stuck { pc } = bench.until(1_000_000) else {
        panic!("not stuck");
    };
    assert_eq!(pc, 0xffff_000c);
    // An undefined instruction in its own vector.
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.arm(UNDEFINED, p::UDF).arm(CODE, p::UDF).start(CODE);
    assert_eq!(bench.until(1_000_000), Exit::Stuck { pc: UNDEFINED });
    // And it can be run again without hanging.
    assert!(matches!(bench.until(1_000_000), Exit::Stuck { .. }));
}

#[test]
fn reset_starts_over() {
    let mut bench = Bench::with_board(CpuModel::Arm926, BoardConfig::Versatile);
    // Unlock, then reset: str r1, [r0, #0x20]; str r2, [r0, #0x40]; b .
    bench.arm(CODE, &[0xe580_1020, 0xe580_2040, 0xeaff_fffe]);
    bench.r(0, 0x1000_0000).r(1, 0xa05f).r(2, 0x100).start(CODE);
    assert_eq!(bench.until(1000), Exit::Reset);
    bench.machine.start(Entry {
        pc: CODE,
        r: [1, 2, 3],
    });
    assert_eq!(bench.machine.registers().r[..3], [1, 2, 3]);
    assert_eq!(bench.machine.registers().cpsr, 0x1d3);
}
