//! Counting, time, budgets, waiting, repeatability.

use emu::board::BoardConfig;
use emu::clock::{NANOSECONDS_PER_INSTRUCTION, Time};
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Error, Exit, Machine, Milestone, RamBank};

use super::bench::{Bench, CODE, DATA, TABLE};
use super::programs as p;

const TIMER: u32 = 0x101e_2000;
pub(super) const CONTROLLER: u32 = 0x1014_0000;

#[test]
fn arm_instructions_are_counted_exactly() {
    // add; add; svc, whose handler is: movs pc, lr; then a milestone.
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(
        CODE,
        &[
            0xe280_0001,
            0xe280_0001,
            0xef00_0000,
            0xe280_0001,
            0xeaff_fffe,
        ],
    );
    bench.arm(8, &[0xe1b0_f00e]);
    bench
        .machine
        .watch(CODE + 12, Milestone::StartKernel)
        .unwrap();
    bench.start(CODE).run(100);
    let reached = bench.machine.milestones().last().copied().unwrap();
    assert_eq!(reached.milestone, Milestone::StartKernel);
    assert_eq!(reached.instructions, Bench::FRONT + 4);
    assert_eq!(
        reached.time,
        Time(NANOSECONDS_PER_INSTRUCTION * (Bench::FRONT + 4))
    );
}

#[test]
fn thumb_instructions_are_counted_truly() {
    // 2 + 10 * 5 instructions, of which one in five is wide; then a loop.
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.thumb(CODE, p::THUMB_LOOP);
    let last = CODE + 2 * p::THUMB_LOOP.len() as u32 - 2;
    bench.machine.watch(last | 1, Milestone::Initcalls).unwrap();
    bench.start(CODE | 1).run(200);
    let reached = bench.machine.milestones().last().copied().unwrap();
    assert_eq!(reached.milestone, Milestone::Initcalls);
    assert_eq!(reached.instructions, Bench::FRONT + 52);
}

#[test]
fn blocks_that_abort_are_counted_as_far_as_they_went() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench
        .identity()
        .arm(0, p::VECTORS)
        .arm(CODE, p::LOAD_BETWEEN);
    bench.machine.watch(0x10, Milestone::StartKernel).unwrap();
    bench.machine.watch(CODE, Milestone::InitIrq).unwrap();
    bench.r(6, 0x7000_0000).start_mapped(CODE, 0).run(200);
    let at = |milestone| {
        let reached = bench.machine.milestones().iter();
        reached
            .filter(|reached| reached.milestone == milestone)
            .map(|reached| reached.instructions)
            .next()
            .unwrap()
    };
    assert_eq!(at(Milestone::StartKernel) - at(Milestone::InitIrq), 2);
}

#[test]
fn a_watched_address_in_the_middle_of_a_block_is_seen() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench
        .arm(CODE, &[0xe280_0001; 8])
        .arm(CODE + 32, &[0xeaff_fff6]);
    // Translated already when it is watched.
    bench.start(CODE).run(100);
    bench
        .machine
        .watch(CODE + 16, Milestone::StartKernel)
        .unwrap();
    assert_eq!(
        bench.machine.run(1000).unwrap(),
        Exit::Milestone(Milestone::StartKernel)
    );
    // Once.
    assert_eq!(bench.machine.run(1000).unwrap(), Exit::Budget);
}

#[test]
fn budgets_are_kept_to_a_block() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, &[0xeaff_fffe]).start(CODE);
    assert_eq!(bench.machine.run(0).unwrap(), Exit::Budget);
    assert_eq!(bench.machine.instructions(), 0);
    bench.run(50);
    for budget in [1, 2, 1000, 12345] {
        let before = bench.machine.instructions();
        assert_eq!(bench.machine.run(budget).unwrap(), Exit::Budget);
        assert_eq!(bench.machine.instructions(), before + budget);
    }
}

#[test]
fn a_machine_must_be_started() {
    let mut bench = Bench::new(CpuModel::Arm926);
    assert!(matches!(bench.machine.run(1), Err(Error::NotStarted)));
}

#[test]
fn waiting_jumps_to_the_next_event() {
    for cpu in CpuModel::ALL {
        let mut bench = Bench::new(cpu);
        // On Armv7 the wait of Armv6 does nothing.
        let mut program = p::TIMER_THEN_WAIT.to_vec();
        if cpu.name().starts_with("cortex") {
            program[6] = p::WAIT[0];
        }
        bench.arm(CODE, &program);
        // 5 ms.
        bench.r(0, TIMER).r(1, CONTROLLER).r(2, 5000).start(CODE);
        let registers = bench.run(100);
        assert_eq!((registers.r[5], registers.r[6]), (1, 1), "{cpu}");
        let now = bench.machine.now().0;
        assert!((5_000_000..5_100_000).contains(&now), "{cpu} {now}");
        assert!(bench.machine.instructions() < 200, "{cpu}");
    }
}

#[test]
fn waiting_for_nothing_is_idle() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.arm(CODE, p::WAIT).start(CODE);
    assert_eq!(bench.until(u64::MAX), Exit::Idle);
    // It still waits.
    assert_eq!(bench.until(1000), Exit::Idle);
    assert_eq!(bench.machine.registers().r[5], 0);
}

#[test]
fn time_can_be_held() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, p::TIMER_THEN_WAIT);
    bench.r(0, TIMER).r(1, CONTROLLER).r(2, 5000).start(CODE);
    bench.machine.hold_at(Some(Time(1_000_000)));
    assert_eq!(bench.until(1_000_000), Exit::Held);
    assert_eq!(bench.machine.now(), Time(1_000_000));
    assert_eq!(bench.until(1_000_000), Exit::Held);
    bench.machine.hold_at(None);
    assert_eq!(bench.run(1000).r[5], 1);
    // A guest that does not wait is held, too.
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, &[0xeaff_fffe]).start(CODE);
    bench
        .machine
        .hold_at(Some(Time(1000 * NANOSECONDS_PER_INSTRUCTION)));
    assert_eq!(bench.until(1_000_000), Exit::Held);
    assert_eq!(bench.machine.instructions(), 1000);
}

/// A machine that counts in memory while a timer interrupts it.
pub(crate) fn ticking() -> Bench {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench
        .identity()
        .arm(0, p::VECTORS)
        .arm(CODE, p::TIMER_THEN_COUNT);
    // r0 to r4 are taken: mov r0, r9; mov r1, r10; mov r2, r11; mov r3, #0; b
    bench.arm(
        CODE - 20,
        &[
            0xe1a0_0009,
            0xe1a0_100a,
            0xe1a0_200b,
            0xe3a0_3000,
            0xeaff_ffff,
        ],
    );
    bench
        .r(9, TIMER)
        .r(10, CONTROLLER)
        .r(11, 777)
        .start_mapped(CODE - 20, 0);
    bench
}

#[test]
fn runs_are_repeatable_to_the_instruction() {
    let run = |slice: u64| {
        let mut bench = ticking();
        for _ in 0..400_000 / slice {
            bench.until(slice);
        }
        let reached: Vec<_> = bench.machine.milestones().to_vec();
        (bench.machine.registers(), reached)
    };
    let once = run(400_000);
    assert_eq!(once, run(400_000));
    // However it is cut.
    assert_eq!(once, run(1000));
    assert!(
        once.1
            .iter()
            .any(|reached| reached.milestone == Milestone::FirstTick)
    );
}

#[test]
fn milestones_come_in_order() {
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.identity();
    // User mode: its page, its code; mrs, orr, msr to user mode, then b .
    bench
        .second(0x7000_0000, DATA | super::bench::PAGE)
        .arm(DATA, &[0xeaff_fffe]);
    // mrs r0, cpsr; bic r0, r0, #0xf; msr spsr_cxsf, r0; movs pc, r6
    bench.arm(CODE, &[0xe10f_0000, 0xe3c0_000f, 0xe16f_f000, 0xe1b0_f006]);
    bench.r(6, 0x7000_0000).start_mapped(CODE, 0);
    let mut exits = Vec::new();
    while let Exit::Milestone(milestone) = bench.machine.run(100).unwrap() {
        exits.push(milestone);
    }
    assert_eq!(exits, [Milestone::Mmu, Milestone::Userspace]);
    let reached: Vec<_> = bench
        .machine
        .milestones()
        .iter()
        .map(|r| r.milestone)
        .collect();
    assert_eq!(
        reached,
        [Milestone::Entered, Milestone::Mmu, Milestone::Userspace]
    );
    assert!(bench.machine.in_user_mode());
    // Switching on takes 8 instructions and a jump, the rest 4.
    let user = bench.machine.milestones()[2].instructions;
    assert_eq!(user, Bench::FRONT + p::MMU_ON.len() as u64 + 4);
}

#[test]
fn configurations_that_cannot_be() {
    let machine = |banks: &[(u32, u64)]| {
        Machine::new(Config {
            cpu: CpuModel::Arm926,
            midr: None,
            ram: banks
                .iter()
                .map(|&(base, size)| RamBank { base, size })
                .collect(),
            board: BoardConfig::Versatile,
        })
        .map(|_| ())
    };
    assert!(matches!(machine(&[(0, 0)]), Err(Error::Bank { .. })));
    assert!(matches!(machine(&[(0, 0x1234)]), Err(Error::Bank { .. })));
    assert!(matches!(
        machine(&[(0xffff_f000, 0x2000)]),
        Err(Error::Bank { .. })
    ));
    assert!(matches!(
        machine(&[(0, 0x2000), (0x1000, 0x1000)]),
        Err(Error::Bank { .. })
    ));
    assert!(matches!(
        machine(&[(0x1000_0000, 0x10_0000)]),
        Err(Error::Chip { .. })
    ));
    assert!(machine(&[(0xffff_f000, 0x1000), (0, 0x1000)]).is_ok());
    assert!(machine(&[]).is_ok());
}

#[test]
fn another_identification_register() {
    for cpu in CpuModel::ALL {
        for midr in [0x5615_1310, 0x413f_c090, 0] {
            let mut machine = Machine::new(Config {
                cpu,
                midr: Some(midr),
                ram: vec![RamBank {
                    base: 0,
                    size: 1 << 20,
                }],
                board: BoardConfig::Bare,
            })
            .unwrap();
            // mrc p15, 0, r0, c0, c0, 0; b .
            let code: Vec<u8> = [0xee10_0f10_u32, 0xeaff_fffe]
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect();
            machine.load(CODE, &code).unwrap();
            machine.start(Entry {
                pc: CODE,
                r: [0xffff_ffff; 3],
            });
            machine.run(10).unwrap();
            assert_eq!(machine.registers().r[0], midr, "{cpu}");
        }
    }
}

/// Numbers that look random and are the same every time (xorshift).
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn words(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Runs a guest that does anything at all: any outcome but a hang or a panic
/// will do.
fn run_wild(bench: &mut Bench) {
    for _ in 0..10 {
        let before = bench.machine.instructions();
        if bench.machine.run(10_000).is_err() {
            break;
        }
        assert!(bench.machine.instructions() - before < 20_000);
    }
}

#[test]
fn guests_that_run_wild_are_ended_by_their_budget() {
    let rounds = wild_rounds();
    let mut noise = Noise(0x1234_5678);
    for _ in 0..rounds {
        for cpu in CpuModel::ALL {
            let mut bench = Bench::new(cpu);
            bench.arm(0, &noise.words(4096));
            let thumb = noise.next() & 1;
            bench.start(0x2000 | thumb);
            run_wild(&mut bench);
        }
    }
}

#[test]
fn guests_that_run_wild_with_any_page_tables_are_ended_by_their_budget() {
    let rounds = wild_rounds();
    let mut noise = Noise(0x8765_4321);
    for _ in 0..rounds {
        for cpu in CpuModel::ALL {
            let mut bench = Bench::with_board(cpu, BoardConfig::Transplant(super::opaque::map()));
            // Code and vectors that mostly load, store and call; tables that mostly
            // lead somewhere.
            let code: Vec<u32> = noise
                .words(0x4000)
                .into_iter()
                .map(|word| match word >> 29 {
                    0 => word,
                    1 => 0xe890_0000 | word & 0x013f_ffff,
                    2..=4 => 0xe410_0000 | word & 0x03ef_ffff,
                    5 => 0xe100_0090 | word & 0x01ff_f00f,
                    6 => 0xee00_0f10 | word & 0x001f_f0ff,
                    _ => 0xea00_0000 | word & 0xff,
                })
                .collect();
            bench.arm(0x1_0000, &code).arm(0, &code[..64]);
            let tables: Vec<u32> = noise
                .words(0x1000)
                .into_iter()
                .map(|word| word & 0x000f_ffff | word >> 8 & 0x00f0_0000)
                .collect();
            bench.arm(TABLE, &tables).first(0, super::bench::SECTION);
            let mut words = noise.words(16).into_iter();
            for number in 5..15 {
                bench.r(number, words.next().unwrap_or(0));
            }
            let control = words.next().unwrap_or(0) & 0x2080_2300;
            bench.start_mapped(0x1_0000 + (noise.next() & 0x3ffc), control);
            run_wild(&mut bench);
        }
    }
}

/// A few rounds, or as many as the environment asks for.
fn wild_rounds() -> u32 {
    let rounds = std::env::var("ECMO_WILD_ROUNDS").ok();
    rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

#[test]
fn exclusive_and_swapped_accesses_to_chips_do_not_hang() {
    // swp r0, r1, [r6]; ldrex r0, [r6]; strex r2, r1, [r6]: to nothing, to a chip, and
    // swp unaligned.
    for program in [
        [0xe106_0091, 0xeaff_fffe, 0],
        [0xe196_0f9f, 0xe186_2f91, 0xeaff_fffe],
    ] {
        for address in [0x5000_0000, 0x101f_1000, DATA + 1] {
            let mut bench = Bench::new(CpuModel::Arm1176);
            bench
                .arm(0, p::VECTORS)
                .arm(CODE, &program)
                .r(6, address)
                .start(CODE);
            run_wild(&mut bench);
        }
    }
}
