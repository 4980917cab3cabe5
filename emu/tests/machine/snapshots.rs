//! Snapshots: the same run again, and nothing left over.

use std::cell::Cell;

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::file::seal;
use emu::machine::{Config, Error, Exit, Machine, RamBank, Reached, Registers};

use proptest::prelude::any;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};

use super::bench::{Bench, CODE, DATA};
use super::running::ticking;

/// What a machine is like after some more instructions.
fn ahead(machine: &mut Machine, instructions: u64) -> (Registers, u64, Vec<Reached>) {
    let end = machine.instructions() + instructions;
    while machine.instructions() < end {
        machine.run(end - machine.instructions()).expect("a run");
    }
    (
        machine.registers(),
        machine.instructions(),
        machine.milestones().to_vec(),
    )
}

#[test]
fn a_run_from_a_snapshot_is_the_run_that_was_not_interrupted() {
    let straight: Vec<_> = {
        let mut bench = ticking();
        (0..4).map(|_| ahead(&mut bench.machine, 50_000)).collect()
    };
    let mut bench = ticking();
    let machine = &mut bench.machine;
    let mut snapshots = Vec::new();
    for expected in &straight {
        snapshots.push(machine.snapshot());
        assert_eq!(ahead(machine, 50_000), *expected);
    }
    // Back and forth, in this machine and in another.
    let mut other = Bench::new(CpuModel::CortexA9);
    for place in [2, 0, 3, 1, 1] {
        for machine in [&mut *machine, &mut other.machine] {
            machine.restore(&snapshots[place]).unwrap();
            assert_eq!(machine.instructions(), snapshots[place].instructions());
            for expected in &straight[place..] {
                assert_eq!(ahead(machine, 50_000), *expected, "from {place}");
            }
        }
    }
}

#[test]
fn a_moment_in_the_middle_of_a_block_is_gone_back_to() {
    let straight = ahead(&mut ticking().machine, 60_000);
    let mut bench = ticking();
    let machine = &mut bench.machine;
    for place in [1_000, 1_001, 1_002, 25_007] {
        machine.run_to(place).unwrap();
        let snapshot = machine.snapshot();
        assert_eq!(snapshot.instructions(), machine.instructions());
        let (mut other, _) = {
            let mut bytes = Vec::new();
            snapshot.write(&mut bytes, b"").unwrap();
            Machine::open(&mut &bytes[..]).unwrap()
        };
        for machine in [&mut *machine, &mut other] {
            let left = 60_000 - machine.instructions();
            assert_eq!(ahead(machine, left), straight, "from {place}");
        }
        machine.restore(&snapshot).unwrap();
        assert_eq!(machine.instructions(), snapshot.instructions());
    }
}

/// str r1, [r0], #4; add r1, r1, #1; b .
const FILL: &[u32] = &[0xe480_1004, 0xe281_1001, 0xeaff_fffc];

#[test]
fn memory_goes_back_to_what_it_was() {
    let mut bench = Bench::new(CpuModel::Arm926);
    bench.arm(CODE, FILL).r(0, DATA).r(1, 1).start(CODE);
    let memory = |machine: &Machine| {
        let mut bytes = vec![0; 1 << 20];
        machine.read_physical(DATA, &mut bytes).unwrap();
        bytes
    };
    let machine = &mut bench.machine;
    ahead(machine, 10_000);
    let (early, early_memory) = (machine.snapshot(), memory(machine));
    ahead(machine, 100_000);
    let (late, late_memory) = (machine.snapshot(), memory(machine));
    ahead(machine, 100_000);
    assert_ne!(memory(machine), late_memory);
    for _ in 0..3 {
        machine.restore(&early).unwrap();
        assert_eq!(memory(machine), early_memory);
        ahead(machine, 50_000);
        machine.restore(&late).unwrap();
        assert_eq!(memory(machine), late_memory);
        // What the host writes is undone, too.
        machine
            .write_physical(DATA + 0x8_0000, &[0xff; 9000])
            .unwrap();
    }
    machine.restore(&late).unwrap();
    assert_eq!(memory(machine), late_memory);
}

#[test]
fn code_that_changed_is_forgotten() {
    // mov r5, #1; b .; then the same with another number at the same place.
    let (old, new) = ([0xe3a0_5001, 0xeaff_fffe], [0xe3a0_5002, 0xeaff_fffe]);
    let mut bench = Bench::new(CpuModel::CortexA9);
    bench.arm(CODE, &old).start(CODE);
    let before = bench.machine.snapshot();
    assert_eq!(bench.run(100).r[5], 1);
    bench.machine.restore(&before).unwrap();
    bench.arm(CODE, &new);
    assert_eq!(bench.run(100).r[5], 2);
    let after = bench.machine.snapshot();
    bench.machine.restore(&before).unwrap();
    assert_eq!(bench.run(100).r[5], 1);
    bench.machine.restore(&after).unwrap();
    assert_eq!(bench.machine.registers().r[5], 2);
}

#[test]
fn a_waiting_guest_goes_on_waiting() {
    let mut bench = Bench::new(CpuModel::Arm926);
    // mcr p15, 0, r0, c7, c0, 4 (wait for interrupt); b .
    bench.arm(CODE, &[0xee07_0f90, 0xeaff_fffe]).start(CODE);
    assert_eq!(bench.until(1000), Exit::Idle);
    let asleep = bench.machine.snapshot();
    for _ in 0..3 {
        bench.machine.restore(&asleep).unwrap();
        assert_eq!(bench.machine.run(1000).unwrap(), Exit::Idle);
        assert_eq!(bench.machine.instructions(), asleep.instructions());
    }
}

#[test]
fn another_kind_of_machine_is_refused() {
    let snapshot = Bench::new(CpuModel::Arm926).machine.snapshot();
    let mut other = Bench::new(CpuModel::CortexA9).machine;
    assert!(matches!(other.restore(&snapshot), Err(Error::OtherMachine)));
    let mut larger = Machine::new(Config {
        cpu: CpuModel::Arm926,
        midr: None,
        ram: vec![RamBank {
            base: 0,
            size: 32 << 20,
        }],
        board: BoardConfig::Versatile,
    })
    .unwrap();
    assert!(matches!(
        larger.restore(&snapshot),
        Err(Error::OtherMachine)
    ));
}

/// Open files, mappings, and resident memory in KiB of this process.
pub(super) fn held() -> (usize, usize, u64) {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.unwrap().trim().trim_end_matches(" kB");
    (files, maps.lines().count(), resident.parse().unwrap())
}

#[test]
fn thousands_of_restores_leave_nothing_behind() {
    // `ECMO_RESTORES=10000` for the full number.
    let rounds = std::env::var("ECMO_RESTORES").map_or(1500, |count| count.parse().unwrap());
    let mut bench = ticking();
    let machine = &mut bench.machine;
    ahead(machine, 20_000);
    let start = machine.snapshot();
    let round = |machine: &mut Machine| {
        machine.restore(&start).unwrap();
        let result = ahead(machine, 5_000);
        let side = machine.snapshot();
        machine.write_physical(DATA, &[7; 4 << 10]).unwrap();
        machine.restore(&side).unwrap();
        result
    };
    let first = round(machine);
    (0..200).for_each(|_| assert_eq!(round(machine), first));
    let before = held();
    (0..rounds).for_each(|_| assert_eq!(round(machine), first));
    let after = held();
    // Other tests of this process may run beside it.
    assert!(after.0 <= before.0 + 16, "files: {before:?}, {after:?}");
    assert!(after.1 <= before.1 + 64, "mappings: {before:?}, {after:?}");
    let grown = after.2.saturating_sub(before.2);
    assert!(grown < 64 << 10, "memory: {before:?}, {after:?}");
}

fn file(machine: &mut Machine) -> Vec<u8> {
    let mut bytes = Vec::new();
    machine.snapshot().write(&mut bytes, b"more").unwrap();
    bytes
}

#[test]
fn a_run_from_a_file_is_the_run_that_was_not_interrupted() {
    let mut bench = ticking();
    let machine = &mut bench.machine;
    for _ in 0..3 {
        let bytes = file(machine);
        let (mut other, more) = Machine::open(&mut &bytes[..]).unwrap();
        assert_eq!(more, b"more");
        assert_eq!(ahead(machine, 33_333), ahead(&mut other, 33_333));
        // What both hold now is the same, to the byte of a file.
        assert!(file(machine) == file(&mut other));
    }
}

#[test]
fn damaged_files_are_told_apart() {
    let bytes = file(&mut ticking().machine);
    let error = |bytes: &[u8]| Machine::open(&mut &*bytes).err().unwrap().to_string();
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        error(&bytes)
    };
    let last = bytes.len() - 1;
    let text = [
        error(b""),
        error(b"ECMOSNA"),
        error(b"\x7fELF and more"),
        error(&bytes[..20]),
        changed(8),
        changed(14),
        changed(40),
        changed(last - 100),
        error(&bytes[..last]),
    ];
    expect_test::expect![[r#"
        not a snapshot: byte 0x0 should be ECMOSNAP
        not a snapshot: byte 0x0 should be ECMOSNAP
        not a snapshot: byte 0x0 should be ECMOSNAP
        byte 0x8: the file ends within the header
        byte 0x8: the snapshot has format 18, and this program reads format 2
        byte 0x0: the header is damaged (its checksum is wrong)
        byte 0x24: the machine's state is damaged (its checksum is wrong)
        byte 0x11c3: memory is damaged (its checksum is wrong)
        byte 0x61d7: the file ends within memory"#]]
    .assert_eq(&text.join("\n"));
}

#[test]
fn files_that_were_changed_on_purpose_do_no_harm() {
    let mut bench = ticking();
    ahead(&mut bench.machine, 40_000);
    let bytes = file(&mut bench.machine);
    let state = 36 + u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    let cases = Cases {
        cases: 400,
        failure_persistence: None,
        ..Cases::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(cases, rng);
    let change = (0..state, any::<u8>());
    let changes = proptest::collection::vec(change, 1..6);
    let opened = Cell::new(0);
    runner
        .run(&changes, |changes| {
            let mut bytes = bytes.clone();
            for (at, value) in changes {
                bytes[at] = value;
            }
            seal(&mut bytes);
            if let Ok((mut machine, _)) = Machine::open(&mut &bytes[..]) {
                opened.set(opened.get() + 1);
                for _ in 0..10 {
                    // Whatever it does, it comes back.
                    let _ = machine.run(1000);
                    machine.take_output();
                    machine.type_in(b"x");
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(opened.get() > 10, "{} could be opened", opened.get());
}
