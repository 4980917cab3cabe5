//! What the monitor says of a small machine, as text.

use std::time::Instant;

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Machine, RamBank};
use expect_test::{Expect, expect};

use super::*;
use crate::verdict::shell;

/// Where the program lies, and a first-level table.
const CODE: u32 = 0x8000;
const TABLE: u32 = 0x4000;

/// ldr r1, =TABLE; mcr ttbr0; mov r2, #1; mcr dacr; mov r3, #1; mcr sctlr; then
/// str r3, [r4] where nothing is; b .
const PROGRAM: &[u32] = &[
    0xe3a0_1901,
    0xee02_1f10,
    0xe3a0_2001,
    0xee03_2f10,
    0xe3a0_3001,
    0xee01_3f10,
    0xe3a0_4203,
    0xe584_3000,
    0xeaff_fffe,
];

fn session() -> Session {
    let mut machine = Machine::new(Config {
        cpu: CpuModel::Arm926,
        midr: None,
        ram: vec![RamBank {
            base: 0,
            size: 1 << 20,
        }],
        board: BoardConfig::Versatile,
    })
    .expect("a machine");
    let words =
        |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    machine.load(CODE, &words(PROGRAM)).expect("room");
    // Sections: memory for all, chips and nothing for the kernel alone.
    for (mib, descriptor) in [(0, 0xc02), (0x101, 0x402), (0x300, 0x402)] {
        let descriptor = mib << 20 | descriptor;
        machine
            .load(TABLE + mib * 4, &words(&[descriptor]))
            .expect("room");
    }
    let mut session = Session::new(machine, shell::Expected::Other, Instant::now());
    session.start(Entry {
        pc: CODE,
        r: [0, 7, 8],
    });
    session
}

fn check(session: &mut Session, command: &str, expected: &Expect) {
    let mut monitor = Monitor::new(Names::default());
    let words: Vec<&str> = command.split(' ').collect();
    expected.assert_eq(&monitor.answer(session, &words));
}

#[test]
fn before_the_first_instruction() {
    let session = &mut session();
    check(
        session,
        "info registers",
        &expect![[r#"
        r0  00000000 r1  00000007 r2  00000008 r3  00000000
        r4  00000000 r5  00000000 r6  00000000 r7  00000000
        r8  00000000 r9  00000000 r10 00000000 r11 00000000
        r12 00000000 r13 00000000 r14 00000000 r15 00008000
        cpsr 000001d3  spsr 00000000
    "#]],
    );
    check(
        session,
        "info pages",
        &expect![[r#"
        the MMU is off: virtual addresses are physical ones
    "#]],
    );
    check(
        session,
        "info unassigned",
        &expect![[r#"
        none
    "#]],
    );
    check(
        session,
        "backtrace",
        &expect![[r#"
        the kernel is not mapped
    "#]],
    );
}

#[test]
fn with_the_mmu_on() {
    let session = &mut session();
    session.run_to(30).expect("a run");
    check(
        session,
        "info registers",
        &expect![[r#"
        r0  00000000 r1  00004000 r2  00000001 r3  00000001
        r4  30000000 r5  00000000 r6  00000000 r7  00000000
        r8  00000000 r9  00000000 r10 00000000 r11 00000000
        r12 00000000 r13 00000000 r14 00000000 r15 00008020
        cpsr 000001d3  spsr 00000000
    "#]],
    );
    check(
        session,
        "info banked",
        &expect![[r#"
        mode  sp        lr        spsr      r8 to r12
        usr   00000000  00000000  00000000  00000000 00000000 00000000 00000000 00000000
        fiq   00000000  00000000  00000000  00000000 00000000 00000000 00000000 00000000
        irq   00000000  00000000  00000000
        svc   00000000  00000000  00000000
        abt   00000000  00000000  00000000
        und   00000000  00000000  00000000
    "#]],
    );
    check(
        session,
        "info system",
        &expect![[r#"
        sctlr            00000001   ttbr0            00004000   dacr             00000001
        dfsr             00000000   ifsr             00000000   dfar             00000000
        dlockdown        00000000   ilockdown        00000000   fcseidr          00000000
        contextidr       00000000
    "#]],
    );
    check(
        session,
        "info pages",
        &expect![[r#"
        first     last      physical   kernel  user
        00000000  000fffff          0  rwx     rwx
        10100000  101fffff   10100000  rwx     ---
        30000000  300fffff   30000000  rwx     ---
    "#]],
    );
    check(
        session,
        "info pages 0x30000010",
        &expect![[r#"
        first     last      physical   kernel  user
        30000000  300fffff   30000000  rwx     ---
    "#]],
    );
    check(
        session,
        "info pages 0x40000000",
        &expect![[r#"
        nothing is mapped
    "#]],
    );
    check(
        session,
        "info chips",
        &expect![[r#"
        pl190 at 0x10140000
          irqstatus 00000000   fiqstatus 00000000   rawintr   00000000   intselect 00000000
          intenable 00000000   softint   00000000
        sp804 at 0x101e2000
          load1     00000000   value1    ffffffff   control1  00000020   ris1      00000000
          load2     00000000   value2    ffffffff   control2  00000020   ris2      00000000
        sp804 at 0x101e3000
          load1     00000000   value1    ffffffff   control1  00000020   ris1      00000000
          load2     00000000   value2    ffffffff   control2  00000020   ris2      00000000
        pl011 at 0x101f1000
          fr        00000097   ibrd      00000000   fbrd      00000000   lcr_h     00000000
          cr        00000300   imsc      00000000   ris       00000000
        pl011 at 0x101f2000
          fr        00000097   ibrd      00000000   fbrd      00000000   lcr_h     00000000
          cr        00000300   imsc      00000000   ris       00000000
        pl011 at 0x101f3000
          fr        00000097   ibrd      00000000   fbrd      00000000   lcr_h     00000000
          cr        00000300   imsc      00000000   ris       00000000
        pl011 at 0x10009000
          fr        00000097   ibrd      00000000   fbrd      00000000   lcr_h     00000000
          cr        00000300   imsc      00000000   ris       00000000
    "#]],
    );
    check(
        session,
        "info interrupts",
        &expect![[r#"
        processor: irq masked, fiq masked
    "#]],
    );
    check(
        session,
        "info milestones",
        &expect![[r#"
        milestone  instructions   virtual time
        entered                0  0.000000 s
        mmu                    6  0.000000 s
    "#]],
    );
    check(
        session,
        "info unassigned",
        &expect![[r#"
        address     instruction  reads  writes
        0x30000000  0x0000801c   0      1
    "#]],
    );
    check(
        session,
        "read 0x8000 20",
        &expect![[r#"
        00008000  01 19 a0 e3 10 1f 02 ee 01 20 a0 e3 10 2f 03 ee  ......... .../..
        00008010  01 30 a0 e3                                      .0..
    "#]],
    );
    check(
        session,
        "read 0x40000000",
        &expect![[r#"
        no memory at 0x40000000+0x40
    "#]],
    );
    check(
        session,
        "symbol 0x8000",
        &expect![[r#"
        0x00008000
    "#]],
    );
    check(
        session,
        "symbol start_kernel",
        &expect![[r#"
        no symbol start_kernel
    "#]],
    );
    check(
        session,
        "what",
        &expect![[r#"
        not a command; `help` shows them
    "#]],
    );
}

#[test]
fn moments_are_kept_and_gone_back_to() {
    let session = &mut session();
    let mut monitor = Monitor::new(Names::default());
    let mut text = String::new();
    let mut say = |session: &mut Session, command: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        text += &format!("> {command}\n{}", monitor.answer(session, &words));
    };
    say(session, "snapshots");
    say(session, "restore start");
    say(session, "snapshot start");
    session.run_to(4).expect("a run");
    say(session, "snapshot four");
    session.run_to(25).expect("a run");
    say(session, "snapshots");
    say(session, "restore four");
    say(session, "info registers");
    say(session, "restore start");
    say(session, "info registers");
    expect![[r#"
        > snapshots
        none
        > restore start
        no snapshot start; `snapshots` shows them
        > snapshot start
        > snapshot four
        > snapshots
        snapshot  instructions   milestone
        four                  4  entered
        start                 0  entered
        > restore four
        > info registers
        r0  00000000 r1  00004000 r2  00000001 r3  00000000
        r4  00000000 r5  00000000 r6  00000000 r7  00000000
        r8  00000000 r9  00000000 r10 00000000 r11 00000000
        r12 00000000 r13 00000000 r14 00000000 r15 00008010
        cpsr 000001d3  spsr 00000000
        > restore start
        > info registers
        r0  00000000 r1  00000007 r2  00000008 r3  00000000
        r4  00000000 r5  00000000 r6  00000000 r7  00000000
        r8  00000000 r9  00000000 r10 00000000 r11 00000000
        r12 00000000 r13 00000000 r14 00000000 r15 00008000
        cpsr 000001d3  spsr 00000000
    "#]]
    .assert_eq(&text);
    assert!(monitor.took_back() && !monitor.took_back());
}
