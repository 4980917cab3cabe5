//! Bare-metal programs (the folder `guest`) on this machine and on
//! `qemu-system-arm -M versatilepb`: both have the same chips at the same
//! addresses, so one program runs on both, and must print the same text.
//!
//! Where the two differ, the difference is written down in the test, with the
//! section of the manual that decides; it is compared too, so that a change of it
//! is noticed. Manuals: DDI 0100I (Armv5, v6), DDI 0406C (Armv7).

mod both;
mod streams;
mod text;

use std::collections::BTreeMap;

use emu::cpu::CpuModel;
use expect_test::{Expect, expect};

use both::Program;

/// Runs a program on both, for each of some processors, and compares what they
/// print. `least` is how many lines there are at least, `known` the differences.
fn compare(program: &Program, models: &[CpuModel], least: usize, known: &Expect) {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut built = BTreeMap::new();
    for &cpu in models {
        let target = both::built_for(program, cpu);
        let built = built
            .entry(target)
            .or_insert_with(|| both::build(program, target));
        let (ours, theirs) = (both::on_ours(built, cpu), both::on_qemu(built, cpu));
        let lines = theirs.lines().count();
        assert!(lines >= least, "{cpu}: QEMU's text has {lines} lines");
        let differences = text::differences(&ours, &theirs);
        if differences.is_empty() {
            continue;
        }
        both::keep(built, cpu, &ours, &theirs);
        match found.iter_mut().find(|(_, other)| *other == differences) {
            Some((models, _)) => models.push_str(&format!(", {cpu}")),
            None => found.push((cpu.to_string(), differences)),
        }
    }
    let text = |(models, differences)| format!("{models}:\n{differences}");
    known.assert_eq(&found.into_iter().map(text).collect::<String>());
}

/// Armv5 has no mask for asynchronous aborts (DDI 0100I A2.5): QEMU sets it in an
/// abort's handler all the same.
#[test]
fn every_exception_from_every_mode() {
    let program = Program::of("exceptions", &["exceptions.c", "exceptions.S"]);
    compare(
        &program,
        &CpuModel::ALL,
        1000,
        &expect![[r#"
            arm926:
              575 lines, first load, ARM, usr: cpsr only QEMU has 00000100
        "#]],
    );
}

/// What is known:
///
/// * QEMU looks at the domain before it has read the descriptor of the second level,
///   and at the access flag last of all. The order is: translation, access flag,
///   domain, permission (DDI 0406C B3.12.3, DDI 0100I B4.5).
/// * QEMU puts the domain into the status of a refused fetch; IFSR has no such field
///   (DDI 0406C B4.1.96).
/// * QEMU ignores SCTLR.UWXN with short descriptors (DDI 0406C B3.7.2).
/// * Of a page with permissions for each KiB we take the strictest: Unicorn's pages
///   are 4 KiB. (DDI 0100I B4.7.3 has them apart, as QEMU does.)
#[test]
fn permissions_of_every_descriptor() {
    let program = Program::of("permissions", &["permissions.c", "access.c", "access.S"]);
    compare(
        &program,
        &CpuModel::ALL,
        100,
        &expect![[r#"
            arm926:
              no page, domain closed: 057 (QEMU 05b)
              instruction fault status: domain=00000000 (QEMU domain=00000005)
              6 lines, first old small page, quarter 1: 05f (QEMU ok)
            arm1176, arm11mpcore:
              no page, domain closed: 057 (QEMU 05b)
              instruction fault status: domain=00000000 (QEMU domain=00000005)
              8 lines, first section AP=0 AFE, closed: 053 (QEMU 059)
              4 lines, first section AP=0 XN AFE, client: 003 (QEMU 00d), 003 (QEMU 00d)
              8 lines, first section AP=0 AFE, manager: 053 (QEMU ok)
              3 lines, first old small page, quarter 1: 05f (QEMU ok)
            cortex-a7, cortex-a15:
              no page, domain closed: 057 (QEMU 05b)
              instruction fault status: domain=00000000 (QEMU domain=00000005)
              2 lines, first section AP=3 UWXN, client: 00d (QEMU ok)
              2 lines, first large page AP=3 UWXN, client: 00f (QEMU ok)
              16 lines, first section AP=0 AFE, closed: 053 (QEMU 059)
              8 lines, first section AP=0 XN AFE, client: 003 (QEMU 00d), 003 (QEMU 00d)
              4 lines, first section AP=0 PXN AFE, client: 003 (QEMU 00d)
              16 lines, first section AP=0 AFE, manager: 053 (QEMU ok)
            cortex-a8, cortex-a9:
              no page, domain closed: 057 (QEMU 05b)
              instruction fault status: domain=00000000 (QEMU domain=00000005)
              8 lines, first section AP=0 AFE, closed: 053 (QEMU 059)
              4 lines, first section AP=0 XN AFE, client: 003 (QEMU 00d), 003 (QEMU 00d)
              8 lines, first section AP=0 AFE, manager: 053 (QEMU ok)
        "#]],
    );
}

/// QEMU's board has processors without the security extensions, and with them the
/// bits that close a table (DDI 0406C B4.1.153).
#[test]
fn two_tables() {
    let program = Program::of("split", &["split.c", "access.c", "access.S"]);
    compare(
        &program,
        &CpuModel::ALL[1..],
        40,
        &expect![[r#"
            arm1176, cortex-a7, cortex-a8, cortex-a9, cortex-a15:
              read back: ttbcr=00000020 (QEMU ttbcr=00000000)
              6 lines, first N=1 PD1 address=80800124: 005 (QEMU ok)
              read back: ttbcr=00000021 (QEMU ttbcr=00000001)
              read back: ttbcr=00000022 (QEMU ttbcr=00000002)
              read back: ttbcr=00000023 (QEMU ttbcr=00000003)
        "#]],
    );
}

#[test]
fn loads_and_stores_with_the_rights_of_user_mode() {
    let program = Program::of("unprivileged", &["unprivileged.c", "unprivileged.S"]);
    compare(&program, &CpuModel::ALL, 120, &expect![""]);
}

#[test]
fn code_that_changes() {
    let program = Program::of("changing_code", &["changing_code.c"]);
    compare(&program, &CpuModel::ALL, 600, &expect![""]);
}

/// Unicorn's TLB is asked for pages of 4 KiB, so a page that stands for more is
/// forgotten in parts: an invalidation by address of a section or large page takes
/// away its 4 KiB alone (DDI 0406C B3.10.5 has all of it go). Linux invalidates each
/// page of a range (arch/arm/mm/tlb-v7.S).
#[test]
fn mappings_that_change() {
    let program = Program::of("remapping", &["remapping.c"]);
    compare(
        &program,
        &CpuModel::ALL,
        40,
        &expect![[r#"
            arm926, arm1176, arm11mpcore:
              4 lines, first large page elsewhere, by address: read=00abc10a (QEMU read=00abc00a)
              4 lines, first section elsewhere, by address: read=00abc145 (QEMU read=00abc045)
            cortex-a7, cortex-a8, cortex-a9, cortex-a15:
              6 lines, first large page elsewhere, by address: called=0000000a (QEMU called=0000008a)
              6 lines, first section elsewhere, by address: called=00000045 (QEMU called=000000c5)
              6 lines, first large page elsewhere, by address: read=00abc00a (QEMU read=00abc10a)
              6 lines, first section elsewhere, by address: read=00abc045 (QEMU read=00abc145)
        "#]],
    );
}

/// User mode can write CPSR.E with `msr cpsr_x` (DDI 0406C B1.3.3), which Unicorn
/// does not let it; it can with `setend`.
#[test]
fn modes_and_their_registers() {
    let program = Program::of("modes", &["pieces.c", "modes.S"]);
    compare(
        &program,
        &CpuModel::ALL,
        200,
        &expect![[r#"
        arm1176, arm11mpcore, cortex-a7, cortex-a8, cortex-a9, cortex-a15:
          msr cpsr_x, 0xfffffeff, ARM, usr: spsr only QEMU has 00000200, r2=600000d0 (QEMU r2=600002d0), spsr only QEMU has 00000200
    "#]],
    );
}

/// Unicorn's core refuses exclusive accesses and swaps that are not aligned, and
/// nothing else: not LDM, STM, LDRD and STRD, which always have to be, and not single
/// accesses with SCTLR.A set (DDI 0406C A3.2.1). On Armv5, where a load that is not
/// aligned rotates (DDI 0100I A2.8), both machines load as Armv7 does.
#[test]
fn accesses_that_are_not_aligned() {
    let program = Program::of("alignment", &["alignment.c", "alignment.S"]);
    compare(
        &program,
        &CpuModel::ALL,
        100,
        &expect![[r#"
            arm926, cortex-a7, cortex-a8, cortex-a9, cortex-a15:
              51 lines, first ldm at 1, unchecked: ok (QEMU data)
            arm1176, arm11mpcore:
              102 lines, first ldm at 1, unchecked: ok (QEMU data)
        "#]],
    );
}

#[test]
fn exclusive_accesses() {
    let program = Program::of("exclusive", &["pieces.c", "exclusive.S", "few_modes.c"]);
    compare(&program, &CpuModel::ALL[1..], 50, &expect![""]);
}

/// QEMU has another revision of the Cortex-A15, and other counters of performance;
/// the processors of its board are without the security extensions, which
/// identification registers say. Registers of absent parts and calls of absent
/// firmware are no undefined instructions here, in privileged modes, as on the
/// device that a kernel is for: see `machine/coprocessor.rs`.
#[test]
fn system_registers() {
    let program = Program::of("coprocessor", &["pieces.c", "coprocessor.S", "few_modes.c"]);
    compare(
        &program,
        &CpuModel::ALL,
        50,
        &expect![[r#"
            arm926, arm11mpcore:
              smc, ARM, fiq: supervisor (QEMU undefined)
            arm1176:
              smc, ARM, fiq: supervisor (QEMU undefined)
              ID_PFR1, ARM, fiq: r1=00000011 (QEMU r1=00000001)
              ID_DFR0, ARM, fiq: r1=00000033 (QEMU r1=00000003)
            cortex-a7:
              smc, ARM, fiq: supervisor (QEMU undefined)
              ID_PFR1, ARM, fiq: r1=00011011 (QEMU r1=00011001)
              ID_DFR0, ARM, fiq: r1=02010555 (QEMU r1=02010505)
              PMCR, ARM, fiq: r1=41002040 (QEMU r1=41072000)
            cortex-a8:
              smc, ARM, fiq: supervisor (QEMU undefined)
              ID_PFR1, ARM, fiq: r1=00000011 (QEMU r1=00000001)
              PMCR, ARM, fiq: r1=41002040 (QEMU r1=41002000)
            cortex-a9:
              2 lines, first a register of an absent part, ARM, fiq: supervisor (QEMU undefined)
              ID_PFR1, ARM, fiq: r1=00000011 (QEMU r1=00000001)
              PMCR, ARM, fiq: r1=41002040 (QEMU r1=41093000)
            cortex-a15:
              smc, ARM, fiq: supervisor (QEMU undefined)
              MIDR, ARM, fiq: r1=412fc0f1 (QEMU r1=414fc0f0)
              ID_PFR1, ARM, fiq: r1=00011011 (QEMU r1=00011001)
              ID_DFR0, ARM, fiq: r1=02010555 (QEMU r1=02010505)
              PMCR, ARM, fiq: r1=41002040 (QEMU r1=410f3000)
        "#]],
    );
}

#[test]
fn random_instruction_streams() {
    let program = Program {
        made: Some(streams::whole),
        ..Program::of("streams", &["streams.c", "sums.c", "vectors_on.S"])
    };
    compare(&program, &CpuModel::ALL, 750, &expect![""]);
}

/// What is known:
///
/// * Unicorn rounds a fixed-point number as FPSCR says when it makes it a
///   floating-point one; it is rounded to nearest (DDI 0406C A8.8.308).
/// * QEMU has the vectors' fused multiplication on processors without the second
///   version of Advanced SIMD (DDI 0406C A8.8.317).
/// * Unicorn has an operation that does not exist (DDI 0406C table A7-9).
#[test]
fn what_random_streams_keep_away_from() {
    let program = Program::of(
        "vectors",
        &["pieces.c", "vectors.S", "vectors.c", "vectors_on.S"],
    );
    compare(
        &program,
        &CpuModel::ALL[3..],
        30,
        &expect![[r#"
            cortex-a7, cortex-a15:
              2 lines, first vcvt of signed fixed point, rounding 2, ARM, usr: r1=4b11a2b3 (QEMU r1=4b11a2b4)
              2 lines, first vcvt of unsigned fixed point, rounding 2, ARM, usr: r1=4591a2b3 (QEMU r1=4591a2b4)
              no operation 1101, U, C 10, B 1, ARM, usr: supervisor (QEMU undefined)
            cortex-a8, cortex-a9:
              2 lines, first vcvt of signed fixed point, rounding 2, ARM, usr: r1=4b11a2b3 (QEMU r1=4b11a2b4)
              2 lines, first vcvt of unsigned fixed point, rounding 2, ARM, usr: r1=4591a2b3 (QEMU r1=4591a2b4)
              2 lines, first vfma of vectors, ARM, usr: undefined (QEMU supervisor)
              no operation 1101, U, C 10, B 1, ARM, usr: supervisor (QEMU undefined)
        "#]],
    );
}

/// QEMU's PL190 has the vector address of a line that asks, whether it is let through
/// or not (DDI 0181, VICVECTADDR), and its SP804 starts a free-running timer from the
/// largest value whatever is loaded (DDI 0271, TimerXLoad).
#[test]
fn interrupts_of_controller_and_timers() {
    let program = Program::of("interrupts", &["interrupts.c", "interrupts.S"]);
    compare(
        &program,
        &CpuModel::ALL,
        300,
        &expect![[r#"
            arm926, arm1176, arm11mpcore, cortex-a7, cortex-a8, cortex-a9, cortex-a15:
              3 lines, first a more important line that is off: a=00000001 (QEMU a=00000000)
        "#]],
    );
}

#[test]
fn random_loads_and_stores_that_are_refused() {
    let program = Program {
        made: Some(streams::refused),
        ..Program::of("faults", &["faults.c", "sums.c", "vectors_on.S"])
    };
    compare(&program, &CpuModel::ALL, 750, &expect![""]);
}

#[test]
fn code_that_runs_into_another_page() {
    let program = Program::of("boundaries", &["boundaries.c"]);
    compare(&program, &CpuModel::ALL, 90, &expect![""]);
}
