//! Bare-metal programs (the folder `guest`) on this machine and on
//! `qemu-system-arm -M versatilepb`: both have the same chips at the same
//! addresses, so one program runs on both, and must print the same text.
//!
//! Where the two differ, the difference is written down in the test, with the
//! section of the manual that decides; it is compared too, so that a change of it
//! is noticed. Manuals: DDI 0100I (Armv5, v6), DDI 0406C (Armv7).

mod both;
mod text;

use emu::cpu::CpuModel;
use expect_test::{Expect, expect};

use both::Program;

/// Runs a program on both, for each of some processors, and compares what they
/// print. `least` is how many lines there are at least, `known` the differences.
fn compare(program: &Program, models: &[CpuModel], least: usize, known: &Expect) {
    let mut found: Vec<(String, String)> = Vec::new();
    for &cpu in models {
        let built = both::build(program, cpu);
        let (ours, theirs) = (both::on_ours(&built, cpu), both::on_qemu(&built, cpu));
        let lines = theirs.lines().count();
        assert!(lines >= least, "{cpu}: QEMU's text has {lines} lines");
        let differences = text::differences(&ours, &theirs);
        if differences.is_empty() {
            continue;
        }
        both::keep(&built, &ours, &theirs);
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
    let program = Program {
        name: "exceptions",
        sources: &["exceptions.c", "exceptions.S"],
    };
    compare(
        &program,
        &CpuModel::ALL,
        1000,
        &expect![[r#"
        arm926:
          525 lines, first load, ARM, usr: cpsr only QEMU has 00000100
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
    let program = Program {
        name: "permissions",
        sources: &["permissions.c", "access.c", "access.S"],
    };
    compare(
        &program,
        &CpuModel::ALL,
        100,
        &expect![[r#"
        arm926:
          no page, domain closed: 057 (QEMU 05b), 057 (QEMU 05b), 007 (QEMU 00b), 057 (QEMU 05b), 057 (QEMU 05b), 007 (QEMU 00b)
          instruction fault status: domain=00000000 (QEMU domain=00000005)
          2 lines, first old small page, quarter 1: 05f (QEMU ok), 05f (QEMU ok), 00f (QEMU ok)
          2 lines, first old small page, quarter 2: 05f (QEMU ok), 05f (QEMU ok), 00f (QEMU ok), 05f (QEMU ok), 00f (QEMU ok)
          2 lines, first old small page, quarter 3: 05f (QEMU ok), 05f (QEMU ok), 00f (QEMU ok), 05f (QEMU ok), 05f (QEMU ok), 00f (QEMU ok)
        arm1176, arm11mpcore:
          no page, domain closed: 057 (QEMU 05b), 857 (QEMU 85b), 007 (QEMU 00b), 057 (QEMU 05b), 857 (QEMU 85b), 007 (QEMU 00b)
          instruction fault status: domain=00000000 (QEMU domain=00000005)
          8 lines, first section AP=0 AFE, closed: 053 (QEMU 059), 853 (QEMU 859), 003 (QEMU 009), 053 (QEMU 059), 853 (QEMU 859), 003 (QEMU 009)
          4 lines, first section AP=0 XN AFE, client: 003 (QEMU 00d), 003 (QEMU 00d)
          8 lines, first section AP=0 AFE, manager: 053 (QEMU ok), 853 (QEMU ok), 003 (QEMU ok), 053 (QEMU ok), 853 (QEMU ok), 003 (QEMU ok)
          old small page, quarter 1: 05f (QEMU ok), 85f (QEMU ok), 00f (QEMU ok)
          old small page, quarter 2: 05f (QEMU ok), 85f (QEMU ok), 00f (QEMU ok), 05f (QEMU ok), 00f (QEMU ok)
          old small page, quarter 3: 05f (QEMU ok), 85f (QEMU ok), 00f (QEMU ok), 05f (QEMU ok), 85f (QEMU ok), 00f (QEMU ok)
        cortex-a7, cortex-a15:
          no page, domain closed: 057 (QEMU 05b), 857 (QEMU 85b), 007 (QEMU 00b), 057 (QEMU 05b), 857 (QEMU 85b), 007 (QEMU 00b)
          instruction fault status: domain=00000000 (QEMU domain=00000005)
          2 lines, first section AP=3 UWXN, client: 00d (QEMU ok)
          2 lines, first large page AP=3 UWXN, client: 00f (QEMU ok)
          16 lines, first section AP=0 AFE, closed: 053 (QEMU 059), 853 (QEMU 859), 003 (QEMU 009), 053 (QEMU 059), 853 (QEMU 859), 003 (QEMU 009)
          8 lines, first section AP=0 XN AFE, client: 003 (QEMU 00d), 003 (QEMU 00d)
          4 lines, first section AP=0 PXN AFE, client: 003 (QEMU 00d)
          16 lines, first section AP=0 AFE, manager: 053 (QEMU ok), 853 (QEMU ok), 003 (QEMU ok), 053 (QEMU ok), 853 (QEMU ok), 003 (QEMU ok)
        cortex-a8, cortex-a9:
          no page, domain closed: 057 (QEMU 05b), 857 (QEMU 85b), 007 (QEMU 00b), 057 (QEMU 05b), 857 (QEMU 85b), 007 (QEMU 00b)
          instruction fault status: domain=00000000 (QEMU domain=00000005)
          8 lines, first section AP=0 AFE, closed: 053 (QEMU 059), 853 (QEMU 859), 003 (QEMU 009), 053 (QEMU 059), 853 (QEMU 859), 003 (QEMU 009)
          4 lines, first section AP=0 XN AFE, client: 003 (QEMU 00d), 003 (QEMU 00d)
          8 lines, first section AP=0 AFE, manager: 053 (QEMU ok), 853 (QEMU ok), 003 (QEMU ok), 053 (QEMU ok), 853 (QEMU ok), 003 (QEMU ok)
    "#]],
    );
}

/// QEMU's board has processors without the security extensions, and with them the
/// bits that close a table (DDI 0406C B4.1.153).
#[test]
fn two_tables() {
    let program = Program {
        name: "split",
        sources: &["split.c", "access.c", "access.S"],
    };
    compare(
        &program,
        &CpuModel::ALL[1..],
        40,
        &expect![[r#"
        arm1176, cortex-a7, cortex-a8, cortex-a9, cortex-a15:
          read back: ttbcr=00000020 (QEMU ttbcr=00000000)
          6 lines, first N=1 PD1 address=80800124: 005 (QEMU ok), found=00000000 (QEMU found=00000011), 805 (QEMU ok), 005 (QEMU ok)
          read back: ttbcr=00000021 (QEMU ttbcr=00000001)
          read back: ttbcr=00000022 (QEMU ttbcr=00000002)
          read back: ttbcr=00000023 (QEMU ttbcr=00000003)
    "#]],
    );
}

#[test]
fn loads_and_stores_with_the_rights_of_user_mode() {
    let program = Program {
        name: "unprivileged",
        sources: &["unprivileged.c", "unprivileged.S"],
    };
    compare(&program, &CpuModel::ALL, 900, &expect![""]);
}
