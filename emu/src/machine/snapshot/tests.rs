//! Tests that look inside of snapshots.

use super::*;
use crate::board::BoardConfig;
use crate::cpu::CpuModel;
use crate::machine::{Entry, RamBank};

fn machine(cpu: CpuModel) -> Machine {
    let mut machine = Machine::new(Config {
        cpu,
        midr: None,
        ram: vec![RamBank {
            base: 0,
            size: 1 << 20,
        }],
        board: BoardConfig::Versatile,
    })
    .unwrap();
    let r = [1, 2, 3];
    machine.start(Entry { pc: 0x8000, r });
    machine
}

/// What a copy by registers leaves out is what the head of `cpu/state.rs` says,
/// and nothing else: Unicorn's own copy of a processor that was put into a state
/// by registers is the same, byte by byte.
#[test]
fn registers_are_all_there_is() {
    for model in CpuModel::ALL {
        let mut one = machine(model);
        // Every bit that can be set is, in registers of all kinds.
        let (_, _, cpu) = one.engine.parts();
        let full = State::of(&cpu, model, 0).registers.with_everything_set();
        State::foreign(full).apply(&cpu, model, 0);
        let first = one.snapshot();

        let mut other = machine(model);
        other.restore(&first).unwrap();
        let second = other.snapshot();
        assert_eq!(first.cpu.registers, second.cpu.registers, "{model}");
        let (_, _, cpu) = one.engine.parts();
        let size = cpu.context_size();
        assert_eq!(first.cpu.bytes(size), second.cpu.bytes(size), "{model}");
        // It is not that nothing was set.
        let blank = machine(model).snapshot();
        assert_ne!(first.cpu.bytes(size), blank.cpu.bytes(size), "{model}");
    }
}

#[test]
fn snapshots_share_what_did_not_change() {
    let mut machine = machine(CpuModel::Arm926);
    machine.load(0, &[1; 64 << 10]).unwrap();
    let first = machine.snapshot();
    machine.load(0x3000, &[2]).unwrap();
    let second = machine.snapshot();
    assert_eq!(first.image.difference(&second.image), [3]);
    // Going back and forth leaves nothing to be copied.
    machine.restore(&first).unwrap();
    assert!(machine.image.difference(&first.image).is_empty());
    machine.restore(&second).unwrap();
    let mut byte = [0];
    machine.read_physical(0x3000, &mut byte).unwrap();
    assert_eq!(byte, [2]);
}
