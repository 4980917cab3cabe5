//! What happens while the guest runs: the engine's callbacks, exceptions,
//! interrupts, time.

mod exceptions;
mod kept;

use exceptions::operand_at;
pub(super) use kept::Kept;

use super::answers::{Answers, Asked};
use super::coprocessor;
use super::milestone::{Milestone, Reached};
use super::poll::Polls;
use super::stops::Stops;
use super::unassigned;
use super::{Exit, Registers};
use crate::board::{Board, Wiring};
use crate::clock::{Clock, Time};
use crate::cpu::CpuModel;
use crate::cpu::callbacks::{Flow, Hooks, Page};
use crate::cpu::count::Count;
use crate::cpu::live::{Live, psr};
use crate::exception::Exception;
use crate::mmu::Access;
use crate::mmu::fault::{Fault, Status};
use crate::mmu::translate::Mmu;

/// Virtual time between two looks at the kernel's tables for the opaque range:
/// 10 ms.
const CADENCE: u64 = 10_000_000;
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
    /// What else there is to report, when the run is asked to go on.
    later: Option<Exit>,
    /// Where the guest is to be stopped for a debugger.
    pub(super) stops: Stops,
    /// Who answers for absent chips.
    pub(super) answers: Answers,
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
            later: None,
            stops: Stops::default(),
            answers: Answers::default(),
            unserved: false,
            last_exception: 0,
            repeated: 0,
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self, count: &mut Count, thumb: bool, instructions: u64) {
        self.end = count.done(thumb).saturating_add(instructions);
        self.exit = self.later.take();
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

    /// Ends the run before the instruction at `address`, which has been announced.
    fn exit_here(&mut self, count: &mut Count, address: u32, exit: Exit) -> Flow {
        if self.mmu.is_opaque(address) {
            // It will be announced once more.
            self.driver_instructions = self.driver_instructions.saturating_sub(1);
        }
        count.interrupt(address);
        if self.exit.is_some() {
            self.later = Some(exit);
        } else {
            self.exit = Some(exit);
        }
        Flow::Stop
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
}

impl Hooks for Guest {
    fn fill(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        address: u32,
        access: Access,
    ) -> Option<Page> {
        let mut page = self.mmu.fill(cpu, count, address, access);
        if self.mmu.news.any() {
            self.take_news(count);
        }
        if let Some(page) = &mut page
            && self.stops.watches_page(address)
        {
            // Fetched from where it is, read and written by way of the window.
            page.read = access != Access::Fetch;
            if page.read {
                let place = self.stops.place(address, page.physical);
                page.physical = place.unwrap_or_else(|| {
                    cpu.flush_tlb();
                    self.stops.first_place(address, page.physical)
                });
                page.execute = false;
            }
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
                let asked = Asked {
                    address,
                    size,
                    value: None,
                    pc,
                };
                if let Some(answer) = self.answers.ask(&asked) {
                    return answer;
                }
                let pc = pc.unwrap_or(0);
                self.unassigned.note(address, pc, false);
                self.polls.read(address, pc, count.at_block())
            }
        }
    }

    fn write(&mut self, count: &mut Count, address: u32, size: u32, value: u32, pc: Option<u32>) {
        let now = self.clock.at(count.at_block());
        if !self.board.write(address, size, value, now) {
            let asked = Asked {
                address,
                size,
                value: Some(value),
                pc,
            };
            if self.answers.ask(&asked).is_some() {
                return;
            }
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

    fn reached(&mut self, cpu: &Live<'_>, count: &mut Count, address: u32, thumb: bool) -> Flow {
        let instructions = count.before(address, thumb);
        if self.stops.has_passed(address, instructions) {
            return Flow::Run;
        }
        let watched = self.watches.iter().find(|(va, _)| *va == address);
        if let Some(&(_, milestone)) = watched {
            self.reach_and_exit(count, instructions, milestone);
        }
        if self.traps.contains(&address) {
            let at = Registers::of(cpu);
            self.exit_soon(count, Exit::Trap { va: address, at });
        }
        if !self.stops.breaks_at(address) {
            return Flow::Run;
        }
        self.stops.pass(address, instructions);
        self.exit_here(count, address, Exit::Breakpoint { va: address })
    }

    fn stepped(&mut self, count: &mut Count, address: u32, thumb: bool) -> Flow {
        let instructions = count.before(address, thumb);
        if !self.stops.ends_at(instructions) {
            return Flow::Run;
        }
        self.stops.pass(address, instructions);
        self.exit_here(count, address, Exit::Stepped)
    }

    fn accessed(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        offset: u32,
        size: u32,
        new: Option<u64>,
    ) -> bool {
        let pc = cpu.pc();
        let thumb = cpu.cpsr() & psr::THUMB != 0;
        let instructions = count.before(pc, thumb);
        let Some(mut hit) = self.stops.hit(offset, size, new, (pc, instructions)) else {
            return true;
        };
        // A look at a chip might change it.
        hit.old = self.window_memory(offset, size).unwrap_or(0);
        self.exit_here(count, pc, Exit::Watchpoint(hit)) == Flow::Run
    }

    fn window_read(&mut self, count: &mut Count, offset: u32, size: u32) -> u64 {
        match (self.window_memory(offset, size), self.stops.behind(offset)) {
            (Some(value), _) => value,
            (None, Some(physical)) => self.read(count, physical as u32, size, None).into(),
            (None, None) => 0,
        }
    }

    fn window_write(
        &mut self,
        cpu: &Live<'_>,
        count: &mut Count,
        offset: u32,
        size: u32,
        value: u64,
    ) {
        let Some(physical) = self.stops.behind(offset) else {
            return;
        };
        match value.to_le_bytes().get(..size as usize) {
            Some(part) if self.mmu.ram().write(physical, part) => {
                self.mmu.written_in_passing(cpu, physical);
            }
            _ => self.write(count, physical as u32, size, value as u32, None),
        }
    }

    fn counted(&mut self) {
        self.driver_instructions = self.driver_instructions.saturating_add(1);
    }
}

impl Guest {
    /// What memory holds at a place of the window; none for a chip.
    fn window_memory(&self, offset: u32, size: u32) -> Option<u64> {
        let mut bytes = [0; 8];
        let part = bytes.get_mut(..size as usize)?;
        let read = self.mmu.ram().read(self.stops.behind(offset)?, part);
        read.then(|| u64::from_le_bytes(bytes))
    }
}
