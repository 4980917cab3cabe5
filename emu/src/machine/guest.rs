//! What happens while the guest runs: the engine's callbacks, exceptions,
//! interrupts, time.

use super::coprocessor::{self, absent, is_monitor_call};
use super::milestone::{Milestone, Reached};
use super::poll::Polls;
use super::unassigned;
use super::{Exit, Registers};
use crate::board::{Board, Wiring};
use crate::clock::{Clock, Time};
use crate::cpu::callbacks::{Flow, Hooks, Page};
use crate::cpu::count::{Count, is_wide};
use crate::cpu::live::{Cp15, Live, psr};
use crate::cpu::{Architecture, CpuModel};
use crate::exception::{Control, Exception, entry};
use crate::mmu::fault::{Fault, Status};
use crate::mmu::translate::Mmu;
use crate::mmu::{Access, operand};

/// Virtual time between two looks at the kernel's tables for the opaque range:
/// 10 ms.
const CADENCE: u64 = 10_000_000;
/// Exceptions in a row, without an instruction between, that mean the guest
/// will never run another one.
const STUCK: u32 = 1000;
/// Events of chips in a row, none of which wakes the guest.
const SLEEPLESS: u32 = 100_000;

/// Numbers that Unicorn gives to exceptions (target/arm/cpu.h).
mod number {
    pub(super) const SUPERVISOR: u32 = 2;
    pub(super) const PREFETCH_ABORT: u32 = 3;
    pub(super) const DATA_ABORT: u32 = 4;
    pub(super) const BREAKPOINT: u32 = 7;
    pub(super) const HYPERVISOR_CALL: u32 = 11;
    pub(super) const MONITOR_CALL: u32 = 13;
}

/// How a wait for an interrupt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// There is something to do.
    Woken,
    /// There is an exit to be taken.
    Ended,
}

/// Everything of the machine that callbacks touch.
pub(crate) struct Guest {
    model: CpuModel,
    pub(super) mmu: Mmu,
    pub(super) board: Board,
    pub(super) clock: Clock,
    pub(super) hold: Option<Time>,
    /// The guest waits for an interrupt.
    pub(super) waiting: bool,
    pub(super) watches: Vec<(u32, Milestone)>,
    pub(super) traps: Vec<u32>,
    pub(super) milestones: Vec<Reached>,
    pub(super) unassigned: unassigned::Account,
    pub(super) polls: Polls,
    pub(super) absent: coprocessor::Account,
    pub(super) driver_instructions: u64,
    /// The count at which the budget is used up.
    end: u64,
    /// When to look at the kernel's tables next.
    look: Time,
    exit: Option<Exit>,
    /// An exception without code for it was reported.
    unserved: bool,
    /// The count at the last exception, and how many came at that count.
    last_exception: u64,
    repeated: u32,
}

impl Guest {
    pub(super) fn new(model: CpuModel, mmu: Mmu, board: Board) -> Self {
        Self {
            model,
            mmu,
            board,
            clock: Clock::default(),
            hold: None,
            waiting: false,
            watches: Vec::new(),
            traps: Vec::new(),
            milestones: Vec::new(),
            unassigned: unassigned::Account::default(),
            polls: Polls::default(),
            absent: coprocessor::Account::default(),
            driver_instructions: 0,
            end: 0,
            look: Time(0),
            exit: None,
            unserved: false,
            last_exception: 0,
            repeated: 0,
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, count: &mut Count, instructions: u64) {
        self.end = count.retired.saturating_add(instructions);
        self.last_exception = count.retired;
        self.repeated = 0;
        // The first boundary works out the next one.
        count.deadline = 0;
    }

    /// Why the run ends, if it does.
    pub(super) fn take_exit(&mut self, cpu: &Live<'_>) -> Option<Exit> {
        let mut exit = self.exit.take()?;
        if let Exit::Stuck { pc } = &mut exit {
            *pc = cpu.pc();
        }
        Some(exit)
    }

    /// A milestone is reached, if it was not before.
    pub(super) fn reach(&mut self, instructions: u64, milestone: Milestone) -> bool {
        if self.has_reached(milestone) {
            return false;
        }
        self.milestones.push(Reached {
            milestone,
            instructions,
            time: self.clock.at(instructions),
        });
        true
    }

    fn has_reached(&self, milestone: Milestone) -> bool {
        self.milestones
            .iter()
            .any(|reached| reached.milestone == milestone)
    }

    /// Reaches a milestone while the guest runs.
    fn reach_and_exit(&mut self, count: &mut Count, instructions: u64, milestone: Milestone) {
        if self.reach(instructions, milestone) {
            self.exit_soon(count, Exit::Milestone(milestone));
        }
    }

    /// Ends the run at the next block. The first reason wins.
    fn exit_soon(&mut self, count: &mut Count, exit: Exit) {
        self.exit.get_or_insert(exit);
        count.deadline = 0;
    }

    /// Levels or events of chips may have changed.
    pub(super) fn rewire(&self, count: &mut Count) {
        count.deadline = if self.exit.is_some() || self.board.irq() || self.board.fiq() {
            0
        } else {
            [self.board.next_event(), self.hold]
                .into_iter()
                .flatten()
                .chain([self.look])
                .map(|moment| self.clock.instructions_at(moment))
                .fold(self.end, u64::min)
        };
    }

    /// Takes what the last fills noticed.
    fn take_news(&mut self, count: &mut Count) {
        let news = std::mem::take(&mut self.mmu.news);
        if news.on {
            self.reach_and_exit(count, count.retired, Milestone::Mmu);
        }
        if news.user {
            self.reach_and_exit(count, count.retired, Milestone::Userspace);
        }
        if let Some(va) = news.conflict {
            self.exit_soon(count, Exit::OpaqueConflict { va });
        }
    }

    /// Time has passed: chips, the cadence.
    fn advance(&mut self, count: &mut Count, cpu: &Live<'_>, now: Time) {
        self.board.advance(now);
        if now >= self.look {
            self.look = Time(now.0.saturating_add(CADENCE));
            self.mmu.look_for_conflict(cpu);
            self.take_news(count);
        }
    }

    /// The guest waits for an interrupt: time jumps to what may wake it.
    pub(super) fn wait(&mut self, count: &mut Count, cpu: &Live<'_>) -> Rest {
        for _ in 0..SLEEPLESS {
            let now = self.clock.at(count.retired);
            self.advance(count, cpu, now);
            if self.exit.is_some() {
                return Rest::Ended;
            }
            // A masked interrupt wakes, too.
            if self.board.irq() || self.board.fiq() {
                self.waiting = false;
                count.deadline = 0;
                return Rest::Woken;
            }
            if self.hold.is_some_and(|moment| now >= moment) {
                self.exit_soon(count, Exit::Held);
                return Rest::Ended;
            }
            match [self.board.next_event(), self.hold]
                .into_iter()
                .flatten()
                .min()
            {
                Some(moment) => self.clock.sleep_until(moment, count.retired),
                None => break,
            }
        }
        self.exit_soon(count, Exit::Idle);
        Rest::Ended
    }

    /// Takes an exception. `lr` is what the link register gets.
    fn take(&mut self, cpu: &Live<'_>, count: &mut Count, exception: Exception, lr: u32) {
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
    pub(super) fn abort(&mut self, cpu: &Live<'_>, count: &mut Count) {
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

    fn prefetch_abort(&mut self, cpu: &Live<'_>, count: &mut Count, fault: Fault, address: u32) {
        cpu.set_cp15(Cp15::IFSR, fault.ifsr(self.mmu.format(cpu)));
        if self.model.architecture() == Architecture::V7 {
            cpu.set_cp15(Cp15::IFAR, address);
        }
        let lr = cpu.pc().wrapping_add(4);
        self.take(cpu, count, Exception::PrefetchAbort, lr);
    }

    fn data_abort(
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

    fn take_undefined(&mut self, cpu: &Live<'_>, count: &mut Count) {
        let thumb = cpu.cpsr() & psr::THUMB != 0;
        let lr = cpu.pc().wrapping_add(if thumb { 2 } else { 4 });
        self.take(cpu, count, Exception::Undefined, lr);
    }

    /// Firmware was called, which is absent: the registers stay as they are,
    /// unless the call is made again and again. Its answer is in r0, or in r12
    /// with some vendors.
    fn answer_call(&mut self, cpu: &Live<'_>, count: &Count, pc: u32) {
        if let Some(answer) = self.polls.call(pc, count.at_block()) {
            cpu.set_register(0, answer);
            cpu.set_register(12, answer);
        }
    }

    /// Does the instruction of an absent part instead of it. False when it is
    /// none.
    fn stand_in(&mut self, cpu: &Live<'_>, count: &Count, pc: u32, cpsr: u32) -> bool {
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

impl Hooks for Guest {
    fn fill(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        address: u32,
        access: Access,
    ) -> Option<Page> {
        let page = self.mmu.fill(cpu, count, address, access);
        if self.mmu.news.any() {
            self.take_news(count);
        }
        page
    }

    fn boundary(&mut self, cpu: &Live<'_>, count: &mut Count, address: u32) -> Flow {
        if self.exit.is_none() {
            let now = self.clock.at(count.retired);
            if count.retired >= self.end {
                self.exit = Some(Exit::Budget);
            } else if self.hold.is_some_and(|moment| now >= moment) {
                self.exit = Some(Exit::Held);
            } else {
                self.advance(count, cpu, now);
            }
        }
        if self.exit.is_some() {
            return Flow::Stop;
        }
        let pending = if self.board.fiq() {
            Some((Exception::Fiq, psr::FIQ_OFF))
        } else if self.board.irq() {
            Some((Exception::Irq, psr::IRQ_OFF))
        } else {
            None
        };
        if let Some((exception, mask)) = pending
            && cpu.cpsr() & mask == 0
        {
            if self.board.timer_irq() {
                self.reach_and_exit(count, count.retired, Milestone::FirstTick);
            }
            self.take(cpu, count, exception, address.wrapping_add(4));
            self.rewire(count);
            return Flow::Redirected;
        }
        self.rewire(count);
        Flow::Run
    }

    fn exception(&mut self, cpu: &Live<'_>, count: &mut Count, number: u32) {
        let pc = cpu.pc();
        let cpsr = cpu.cpsr();
        let thumb = cpsr & psr::THUMB != 0;
        match number {
            number::SUPERVISOR => self.take(cpu, count, Exception::Supervisor, pc),
            number::BREAKPOINT | number::PREFETCH_ABORT => {
                count.left_at(pc, thumb);
                self.prefetch_abort(cpu, count, Fault::new(Status::Debug), pc);
            }
            number::DATA_ABORT => {
                // Only exclusive accesses are checked for alignment.
                let write = cpu.syndrome() & 1 << 6 != 0;
                let access = if write { Access::Write } else { Access::Read };
                count.left_at(pc, thumb);
                let page = operand_at(cpu, count).map_or(pc, |operand| operand.address);
                self.data_abort(cpu, count, Fault::new(Status::Alignment), access, page);
            }
            // The program counter is behind it already: nobody is there to answer.
            number::HYPERVISOR_CALL | number::MONITOR_CALL => {
                self.absent.note(number);
                self.answer_call(cpu, count, pc);
            }
            _ => {
                count.left_at(pc, thumb);
                self.take_undefined(cpu, count);
            }
        }
        cpu.clear_syndrome();
    }

    fn undefined(&mut self, cpu: &Live<'_>, count: &mut Count) {
        // A hint (WFE, YIELD) comes here too, when it is done.
        if cpu.syndrome() == 0 {
            return;
        }
        cpu.clear_syndrome();
        let pc = cpu.pc();
        let cpsr = cpu.cpsr();
        count.left_at(pc, cpsr & psr::THUMB != 0);
        if cpsr & psr::MODE != psr::USER && self.stand_in(cpu, count, pc, cpsr) {
            count.retired += 1;
        } else {
            self.take_undefined(cpu, count);
        }
    }

    fn read(&mut self, count: &mut Count, address: u32, size: u32, pc: Option<u32>) -> u32 {
        let now = self.clock.at(count.at_block());
        match self.board.read(address, size, now) {
            Some(value) => {
                self.rewire(count);
                value
            }
            None => {
                let pc = pc.unwrap_or(0);
                self.unassigned.note(address, pc, false);
                self.polls.read(address, pc, count.at_block())
            }
        }
    }

    fn write(&mut self, count: &mut Count, address: u32, size: u32, value: u32, pc: Option<u32>) {
        let now = self.clock.at(count.at_block());
        if !self.board.write(address, size, value, now) {
            self.unassigned.note(address, pc.unwrap_or(0), true);
            return;
        }
        if self.board.has_output() {
            self.reach_and_exit(count, count.at_block(), Milestone::Console);
        }
        if self.board.reset_asked() {
            self.exit_soon(count, Exit::Reset);
        }
        self.rewire(count);
    }

    fn reached(&mut self, cpu: &Live<'_>, count: &mut Count, address: u32, thumb: bool) {
        let instructions = count.before(address, thumb);
        let watched = self.watches.iter().find(|(va, _)| *va == address);
        if let Some(&(_, milestone)) = watched {
            self.reach_and_exit(count, instructions, milestone);
        }
        if self.traps.contains(&address) {
            let at = Registers::of(cpu);
            self.exit_soon(count, Exit::Trap { va: address, at });
        }
    }

    fn counted(&mut self) {
        self.driver_instructions += 1;
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
fn operand_at(cpu: &Live<'_>, count: &Count) -> Option<operand::Operand> {
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

/// The If-Then bits behind the next instruction (DDI 0406C A2.5.2).
fn advanced_if_then(cpsr: u32) -> u32 {
    let state = cpsr >> 8 & 0xfc | cpsr >> 25 & 3;
    let next = if state & 7 == 0 {
        0
    } else {
        state & 0xe0 | state << 1 & 0x1f
    };
    (next & 0xfc) << 8 | (next & 3) << 25
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_then_state_advances_to_its_end() {
        let bits = |state: u32| (state & 0xfc) << 8 | (state & 3) << 25;
        assert_eq!(advanced_if_then(bits(0b000_01100)), bits(0b000_11000));
        assert_eq!(advanced_if_then(bits(0b000_11000)), 0);
        assert_eq!(advanced_if_then(0), 0);
    }
}
