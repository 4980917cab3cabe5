//! What a debugger or a script does with a machine that stands still:
//! breakpoints, watchpoints, single instructions, registers.
//!
//! None of it changes the run of a guest whose registers and memory are left
//! alone: a guest that was stopped goes on as if it had not been. Breakpoints
//! cost something only where they are, watchpoints only in their pages; stepping
//! translates all code anew, once when it begins and once when it ends.

use std::collections::BTreeSet;

use super::stops::Steps;
pub use super::stops::{Hit, Watched, Watchpoint};
use super::{Error, Exit, Machine, Registers};
use crate::board::registers::ChipState;
use crate::cpu::live::psr;
use crate::cpu::state::{self, SystemRegister, system_registers};
pub use crate::cpu::state::{Banked, Mode};
pub use crate::mmu::ranges::Range;

/// Instructions in front of a count that are stepped through: more than a block
/// has.
const BEFORE: u64 = 1100;

impl Machine {
    /// Returns [`Exit::Breakpoint`] each time the instruction at `va` is about to
    /// run. The machine then stands before it. Bit 0 of a Thumb address is ignored.
    ///
    /// # Errors
    /// When Unicorn cannot add another hook.
    pub fn add_breakpoint(&mut self, va: u32) -> Result<(), Error> {
        let va = va & !1;
        if self.engine.parts().0.stops.add_breakpoint(va) {
            let hook = self.engine.watch(va)?;
            self.breakpoints.insert(va, hook);
            self.prepare_stops();
        }
        Ok(())
    }

    /// Takes a breakpoint away, if it is there.
    pub fn remove_breakpoint(&mut self, va: u32) {
        let va = va & !1;
        if let Some(hook) = self.breakpoints.remove(&va) {
            self.engine.unhook(hook);
            self.engine.parts().0.stops.remove_breakpoint(va);
            self.prepare_stops();
        }
    }

    /// All breakpoints.
    pub fn breakpoints(&self) -> BTreeSet<u32> {
        self.engine.host().stops.breakpoints().collect()
    }

    /// Returns [`Exit::Watchpoint`] each time one of these addresses is about to be
    /// accessed. The machine then stands before the instruction, of which the
    /// access is the first that is watched. Other virtual addresses of the same
    /// memory are not watched.
    ///
    /// # Errors
    /// When Unicorn cannot map what it needs for that.
    pub fn add_watchpoint(&mut self, watchpoint: Watchpoint) -> Result<(), Error> {
        if !self.has_window {
            self.engine.map_window()?;
            self.has_window = true;
        }
        let (guest, _, cpu) = self.engine.parts();
        guest.stops.add_watchpoint(watchpoint);
        cpu.flush_tlb();
        self.prepare_stops();
        Ok(())
    }

    /// Takes a watchpoint away, if it is there.
    pub fn remove_watchpoint(&mut self, watchpoint: &Watchpoint) {
        let (guest, _, cpu) = self.engine.parts();
        if guest.stops.remove_watchpoint(watchpoint) {
            cpu.flush_tlb();
            self.prepare_stops();
        }
    }

    /// Whether [`Exit::Exception`] is returned for each exception that is taken.
    pub fn stop_at_exceptions(&mut self, stop: bool) {
        self.engine.parts().0.stops.exceptions = stop;
    }

    /// Sets these breakpoints and watchpoints, and takes all others away. Bit 0 of the
    /// addresses is clear.
    ///
    /// # Errors
    /// As for [`add_breakpoint`](Self::add_breakpoint) and
    /// [`add_watchpoint`](Self::add_watchpoint).
    pub fn set_stops(
        &mut self,
        breakpoints: &BTreeSet<u32>,
        watchpoints: &BTreeSet<Watchpoint>,
    ) -> Result<(), Error> {
        let (old_breakpoints, old_watchpoints) = (self.breakpoints(), self.watchpoints());
        for &va in old_breakpoints.difference(breakpoints) {
            self.remove_breakpoint(va);
        }
        for watchpoint in old_watchpoints.difference(watchpoints) {
            self.remove_watchpoint(watchpoint);
        }
        for &va in breakpoints.difference(&old_breakpoints) {
            self.add_breakpoint(va)?;
        }
        for &watchpoint in watchpoints.difference(&old_watchpoints) {
            self.add_watchpoint(watchpoint)?;
        }
        Ok(())
    }

    /// All watchpoints.
    pub fn watchpoints(&self) -> BTreeSet<Watchpoint> {
        self.engine.host().stops.watchpoints().collect()
    }

    /// Runs one instruction and returns [`Exit::Stepped`] before the next one, which
    /// is the handler's first when that one was refused or an interrupt came; or
    /// whatever else there is to return for. A breakpoint at the current
    /// instruction is not looked at.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn step(&mut self) -> Result<Exit, Error> {
        let thumb = self.is_thumb();
        let (guest, count, cpu) = self.engine.parts();
        guest.stops.pass(cpu.pc(), count.done(thumb));
        self.run_by_steps(Steps::One, u64::MAX / 4)
    }

    /// Runs until exactly this many instructions have retired since power-on, and
    /// returns [`Exit::Stepped`]; or whatever else there is to return for. A count
    /// that is past runs nothing.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn run_to(&mut self, instructions: u64) -> Result<Exit, Error> {
        let far = instructions.saturating_sub(self.instructions());
        if far == 0 {
            return Ok(Exit::Stepped);
        }
        if far > BEFORE {
            match self.run(far - BEFORE)? {
                Exit::Budget => {}
                other => return Ok(other),
            }
        }
        self.run_by_steps(Steps::Until(instructions), u64::MAX / 4)
    }

    fn run_by_steps(&mut self, steps: Steps, budget: u64) -> Result<Exit, Error> {
        if self.stepping.is_none() {
            self.stepping = Some(self.engine.step()?);
        }
        self.engine.parts().0.stops.steps = steps;
        self.prepare_stops();
        let exit = self.run_on(budget);
        self.engine.parts().0.stops.steps = Steps::Endless;
        exit
    }

    /// Takes the hook of steps away when the guest is to run freely.
    pub(super) fn stop_stepping(&mut self) {
        if let Some(hook) = self.stepping.take() {
            self.engine.unhook(hook);
            self.prepare_stops();
        }
    }

    fn prepare_stops(&mut self) {
        let may_stop = self.stepping.is_some() || self.engine.host().stops.any();
        self.engine.stops_in_blocks(may_stop);
    }

    pub(super) fn is_thumb(&self) -> bool {
        self.engine.live().cpsr() & psr::THUMB != 0
    }

    /// Writes the registers of the current mode, and of the mode that the new
    /// status selects. Bit 0 of the program counter is ignored: the status selects
    /// Thumb.
    ///
    /// # Errors
    /// When the status has a mode that there is not; nothing is written then.
    pub fn set_registers(&mut self, registers: &Registers) -> Result<(), Error> {
        if !state::is_status(registers.cpsr) {
            return Err(Error::Status {
                status: registers.cpsr,
            });
        }
        let thumb = self.is_thumb();
        let (_, count, cpu) = self.engine.parts();
        let will_be_thumb = registers.cpsr & psr::THUMB != 0;
        let pc = registers.r[15] & if will_be_thumb { !1 } else { !3 };
        if pc != cpu.pc() || thumb != will_be_thumb {
            count.abandon(thumb);
            count.starts_at(pc, will_be_thumb);
        }
        cpu.set_cpsr(registers.cpsr);
        for (number, value) in (0..15).zip(registers.r) {
            cpu.set_register(number, value);
        }
        if registers.cpsr & psr::MODE != psr::USER && registers.cpsr & psr::MODE != psr::SYSTEM {
            cpu.set_spsr(registers.spsr);
        }
        cpu.set_pc(pc | u32::from(will_be_thumb));
        Ok(())
    }

    /// Everything that is mapped, in the order of virtual addresses; none while the
    /// MMU is off.
    pub fn mapped(&self) -> Option<Vec<Range>> {
        self.engine.host().mmu.ranges(&self.engine.live())
    }

    /// The chips and their registers. Looking changes nothing.
    pub fn chips(&self) -> Vec<ChipState> {
        self.engine.host().board.chips(self.now())
    }

    /// The registers that a mode has for itself.
    pub fn banked(&self, mode: Mode) -> Banked {
        state::banked(&self.engine.live(), mode)
    }

    /// Writes them.
    pub fn set_banked(&mut self, mode: Mode, registers: &Banked) {
        state::set_banked(&self.engine.live(), mode, registers);
    }

    /// The registers of the system control coprocessor that hold state, by the
    /// architecture's names in lower case (`sctlr`, `ttbr0`, ...).
    pub fn system_registers(&self) -> Vec<(&'static str, u32)> {
        let cpu = self.engine.live();
        system_registers(self.config.cpu)
            .map(|register| (register.name, register.read(&cpu)))
            .collect()
    }

    /// One of them; none when the processor does not have it.
    pub fn system_register(&self, name: &str) -> Option<u32> {
        let register = SystemRegister::find(self.config.cpu, name)?;
        Some(register.read(&self.engine.live()))
    }

    /// Writes one of them; false when the processor does not have it.
    pub fn set_system_register(&mut self, name: &str, value: u32) -> bool {
        let Some(register) = SystemRegister::find(self.config.cpu, name) else {
            return false;
        };
        let (_, count, cpu) = self.engine.parts();
        register.write(&cpu, value);
        cpu.flush_tlb();
        count.wrote_system();
        true
    }
}
