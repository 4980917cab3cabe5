//! What Unicorn translates can be told apart by a store that is refused: with a
//! check behind it the run ends there, without one at the end of the block.

use std::rc::Rc;

use super::*;
use crate::cpu::callbacks::{Flow, Hooks, Page};
use crate::cpu::count::Count;
use crate::cpu::engine::{Engine, Stop};
use crate::cpu::live::Live;
use crate::cpu::ram::Ram;
use crate::cpu::{CpuModel, live::psr};
use crate::machine::stops::WINDOW;
use crate::mmu::Access;

/// A page whose accesses are refused.
const REFUSED: u32 = 0x5000;
const ARM: u32 = 0x1000;
const THUMB: u32 = 0x2000;

/// Everything is where it is, but for [`REFUSED`].
struct Flat;

impl Hooks for Flat {
    fn fill(&mut self, cpu: &Live<'_>, _: &mut Count, address: u32, _: Access) -> Option<Page> {
        let refused = address & !0xfff == REFUSED;
        Some(Page {
            physical: if refused { WINDOW } else { address.into() },
            read: true,
            write: true,
            execute: !refused,
            page: address >> 12,
            cpsr: cpu.cpsr(),
        })
    }

    fn boundary(&mut self, _: &Live<'_>, count: &mut Count, _: u32) -> Flow {
        if count.retired >= 1000 {
            return Flow::Stop;
        }
        count.deadline = 1000;
        Flow::Run
    }

    fn accessed(&mut self, _: &Live<'_>, _: &mut Count, _: u32, _: u32, _: Option<u64>) -> bool {
        false
    }

    fn exception(&mut self, _: &Live<'_>, _: &mut Count, _: u32) {}
    fn undefined(&mut self, _: &Live<'_>, _: &mut Count) {}
    fn read(&mut self, _: &mut Count, _: u32, _: u32, _: Option<u32>) -> u32 {
        0
    }
    fn write(&mut self, _: &mut Count, _: u32, _: u32, _: u32, _: Option<u32>) {}
    fn reached(&mut self, _: &Live<'_>, _: &mut Count, _: u32, _: bool) -> Flow {
        Flow::Run
    }
    fn stepped(&mut self, _: &mut Count, _: u32, _: bool) -> Flow {
        Flow::Run
    }
    fn window_read(&mut self, _: &mut Count, _: u32, _: u32) -> u64 {
        0
    }
    fn window_write(&mut self, _: &Live<'_>, _: &mut Count, _: u32, _: u32, _: u64) {}
    fn counted(&mut self) {}
}

fn engine(model: CpuModel) -> Engine<Flat> {
    let mut ram = Ram::new();
    ram.add(0, 0x8000).unwrap();
    // str r2, [r0]; add r1, r1, #1; add r1, r1, #1; b .
    for (place, word) in (0..).zip([0xe580_2000_u32, 0xe281_1001, 0xe281_1001, 0xeaff_fffe]) {
        ram.write(u64::from(ARM) + 4 * place, &word.to_le_bytes());
    }
    // nop; bx r3
    ram.write(THUMB.into(), &[0xc0, 0x46, 0x18, 0x47]);
    let mut engine = Engine::new(model, Rc::new(ram), Flat).unwrap();
    engine.map_window().unwrap();
    engine.live().set_register(0, REFUSED);
    engine.live().set_register(3, ARM);
    engine
}

/// How many of the instructions behind the refused store of its block are run.
fn run_behind(engine: &mut Engine<Flat>, start: u32) -> u32 {
    let thumb = if start & 1 != 0 { psr::THUMB } else { 0 };
    engine.live().set_register(1, 0);
    engine.live().set_pc(start);
    engine.live().set_cpsr(0x1d3 | thumb);
    engine.parts().1.deadline = 0;
    assert_eq!(engine.run(), Stop::Watched);
    engine.live().register(1)
}

#[test]
fn checks_are_there_only_when_they_are_wanted() {
    for model in CpuModel::ALL {
        let mut engine = engine(model);
        assert_eq!(run_behind(&mut engine, ARM), 2, "{model:?}");
        engine.stops_in_blocks(true);
        assert_eq!(run_behind(&mut engine, ARM), 0, "{model:?}");
        engine.stops_in_blocks(false);
        engine.live().flush_code();
        assert_eq!(run_behind(&mut engine, ARM), 2, "{model:?}");
    }
}

#[test]
fn checks_come_back_with_thumb_code_until_the_next_time() {
    let mut engine = engine(CpuModel::CortexA15);
    assert_eq!(run_behind(&mut engine, THUMB | 1), 0);
    engine.live().flush_code();
    assert_eq!(run_behind(&mut engine, ARM), 2);
    // What the Thumb code leaves does not matter when checks are wanted.
    engine.stops_in_blocks(true);
    assert_eq!(run_behind(&mut engine, THUMB | 1), 0);
}

#[test]
fn registers_are_as_before() {
    let mut engine = engine(CpuModel::CortexA8);
    let state = |engine: &Engine<Flat>| {
        let cpu = engine.live();
        let registers: Vec<u32> = (0..16).map(|number| cpu.register(number)).collect();
        (registers, cpu.cpsr(), cpu.spsr(), engine.count().retired)
    };
    for number in 1..15 {
        engine.live().set_register(number, 100 + number);
    }
    engine.live().set_cpsr(0xf001_0092);
    engine.live().set_spsr(0x6000_0010);
    engine.live().set_register(14, 7);
    engine.live().set_pc(ARM);
    engine.stops_in_blocks(true);
    let before = state(&engine);
    // Nothing is run of the block whose first access is refused.
    assert_eq!(engine.run(), Stop::Watched);
    let (_, count, _) = engine.parts();
    count.left_at(ARM, false);
    assert_eq!(state(&engine), before);
}

#[test]
fn thumb_code_decides_for_the_code_behind_it() {
    let checks = ExitChecks::new();
    assert!(checks.decides(false, 0));
    assert!(!checks.decides(false, 1));
    // A block that ends in an If-Then block leaves it as it is wanted.
    assert!(!checks.translated(Some(true), INTERVAL));
    assert!(!checks.translated(None, INTERVAL));
    // Another does not, which is mended when it is worth it.
    assert!(!checks.translated(Some(false), INTERVAL));
    assert!(!checks.translated(None, INTERVAL - 1));
    assert!(checks.translated(None, INTERVAL));
    assert!(checks.decides(false, INTERVAL));
    // What is translated first in a run is not told.
    assert!(!checks.decides(true, INTERVAL));
    assert!(checks.translated(None, 2 * INTERVAL));
    // A stop must not be missed, whenever it is.
    checks.wanted.set(true);
    assert!(checks.decides(false, 2 * INTERVAL));
    assert!(!checks.translated(Some(false), 0));
    assert!(!checks.translated(None, 0));
    assert!(!checks.translated(Some(true), 0));
    assert!(checks.translated(None, 0));
}
