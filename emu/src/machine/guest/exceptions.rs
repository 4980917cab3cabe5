//! Exceptions: aborts, undefined instructions, and what is done instead of some.

use super::Guest;
use crate::cpu::Architecture;
use crate::cpu::count::{Count, advanced_if_then, is_wide};
use crate::cpu::live::{Cp15, Live, psr};
use crate::exception::{Control, Exception, entry};
use crate::machine::coprocessor::{absent, is_monitor_call};
use crate::machine::milestone::Milestone;
use crate::machine::{Exit, Registers};
use crate::mmu::fault::Fault;
use crate::mmu::{Access, operand};

/// Exceptions in a row, without an instruction between, that mean the guest
/// will never run another one.
const STUCK: u32 = 1000;

impl Guest {
    /// Takes an exception. `lr` is what the link register gets.
    pub(super) fn take(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        exception: Exception,
        lr: u32,
    ) {
        let control = Control {
            architecture: self.model.architecture(),
            sctlr: cpu.cp15(Cp15::SCTLR).unwrap_or(0),
            vbar: if self.model.has_security() {
                cpu.cp15(Cp15::VBAR).unwrap_or(0)
            } else {
                0
            },
        };
        let entry = entry(exception, cpu.cpsr(), lr, &control);
        let early = !self.unserved && !self.has_reached(Milestone::FirstTick);
        if early && !self.has_vector(cpu, entry.pc) {
            self.unserved = true;
            let at = Registers::of(cpu);
            self.exit_soon(count, Exit::NoVector { at });
        }
        entry.apply(cpu);
        if self.stops.exceptions {
            self.exit_soon(count, Exit::Exception(exception));
        }
        if count.retired == self.last_exception {
            self.repeated += 1;
            if self.repeated > STUCK {
                self.exit_soon(count, Exit::Stuck { pc: 0 });
            }
        } else {
            self.last_exception = count.retired;
            self.repeated = 0;
        }
    }

    /// Whether there is code for an exception: early in a boot there may be none,
    /// or zeros.
    fn has_vector(&self, cpu: &Live<'_>, va: u32) -> bool {
        self.mmu.word(cpu, va & !3).is_some_and(|code| code != 0)
    }

    /// An access was refused: takes the abort.
    pub(crate) fn abort(&mut self, cpu: &Live<'_>, count: &mut Count) {
        self.take_news(count);
        let Some(refusal) = self.mmu.take_refusal() else {
            // Unicorn gives the same error for an impossible state of the processor.
            self.take_undefined(cpu, count);
            return;
        };
        let pc = cpu.pc();
        if refusal.access == Access::Fetch {
            // The second half of an instruction can be in the next page.
            let address = if pc >> 12 == refusal.address >> 12 {
                pc
            } else {
                refusal.address
            };
            self.prefetch_abort(cpu, count, refusal.fault, address);
        } else {
            count.left_at(pc, cpu.cpsr() & psr::THUMB != 0);
            self.data_abort(cpu, count, refusal.fault, refusal.access, refusal.address);
        }
    }

    pub(super) fn prefetch_abort(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        fault: Fault,
        address: u32,
    ) {
        cpu.set_cp15(Cp15::IFSR, fault.ifsr(self.mmu.format(cpu)));
        if self.model.architecture() == Architecture::V7 {
            cpu.set_cp15(Cp15::IFAR, address);
        }
        let lr = cpu.pc().wrapping_add(4);
        self.take(cpu, count, Exception::PrefetchAbort, lr);
    }

    pub(super) fn data_abort(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        fault: Fault,
        access: Access,
        page: u32,
    ) {
        let address = operand_at(cpu, count).map_or(page, |operand| operand.in_page(page));
        let format = self.mmu.format(cpu);
        let status = fault.dfsr(access, self.model.architecture(), format);
        cpu.set_cp15(Cp15::DFSR, status);
        cpu.set_cp15(Cp15::DFAR, address);
        let lr = cpu.pc().wrapping_add(8);
        self.take(cpu, count, Exception::DataAbort, lr);
    }

    pub(super) fn take_undefined(&mut self, cpu: &Live<'_>, count: &mut Count) {
        let thumb = cpu.cpsr() & psr::THUMB != 0;
        let lr = cpu.pc().wrapping_add(if thumb { 2 } else { 4 });
        self.take(cpu, count, Exception::Undefined, lr);
    }

    /// Firmware was called, which is absent: the registers stay as they are,
    /// unless the call is made again and again. Its answer is in r0, or in r12
    /// with some vendors.
    pub(super) fn answer_call(&mut self, cpu: &Live<'_>, count: &Count, pc: u32) {
        if let Some(answer) = self.polls.call(pc, count.at_block()) {
            cpu.set_register(0, answer);
            cpu.set_register(12, answer);
        }
    }

    /// Does the instruction of an absent part instead of it. False when it is
    /// none.
    pub(super) fn stand_in(&mut self, cpu: &Live<'_>, count: &Count, pc: u32, cpsr: u32) -> bool {
        let thumb = cpsr & psr::THUMB != 0;
        let Some(instruction) = instruction_at(count, pc, thumb) else {
            return false;
        };
        if thumb && !is_wide((instruction >> 16) as u16) {
            return false;
        }
        if let Some(absent) = absent(instruction) {
            self.absent.note(absent.key);
            for number in absent.reads.into_iter().flatten() {
                if number == 15 {
                    // The flags.
                    cpu.set_cpsr(cpsr & 0x0fff_ffff);
                } else {
                    cpu.set_register(number, 0);
                }
            }
        } else if is_monitor_call(instruction, thumb) {
            self.absent.note(instruction & 0x0fff_ffff);
            self.answer_call(cpu, count, pc);
        } else {
            return false;
        }
        if thumb {
            let cpsr = cpu.cpsr();
            cpu.set_cpsr(cpsr & !psr::IF_THEN | advanced_if_then(cpsr));
        }
        cpu.set_pc(pc.wrapping_add(4) | u32::from(thumb));
        true
    }
}

/// An instruction in one word: a wide Thumb one has its first half on top, a
/// narrow one has nothing below.
fn instruction_at(count: &Count, pc: u32, thumb: bool) -> Option<u32> {
    let first = u32::from(count.code_halfword(pc)?);
    let second = u32::from(count.code_halfword(pc.wrapping_add(2)).unwrap_or(0));
    Some(if thumb {
        first << 16 | second
    } else {
        second << 16 | first
    })
}

/// What the instruction at the program counter accesses.
pub(super) fn operand_at(cpu: &Live<'_>, count: &Count) -> Option<operand::Operand> {
    let pc = cpu.pc();
    let thumb = cpu.cpsr() & psr::THUMB != 0;
    let instruction = instruction_at(count, pc, thumb)?;
    let register = |number| cpu.register(number);
    if thumb {
        operand::thumb((instruction >> 16) as u16, instruction as u16, pc, register)
    } else {
        operand::arm(instruction, pc, register)
    }
}
