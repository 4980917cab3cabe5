//! What GDB can ask of the guest.

use std::convert::Infallible;
use std::sync::mpsc::{self, Receiver, Sender};

use emu::machine::Registers;
use emu::machine::debug::{Watched, Watchpoint};
use gdbstub::arch::{Arch, RegId};
use gdbstub::common::Signal;
use gdbstub::outputln;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::reverse_exec::{
    ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps,
};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps, SingleThreadSingleStep,
    SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps,
    SwBreakpoint, SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::{Target, TargetError, TargetResult};

use super::{Job, Pace, State, Stop};
use crate::session::Session;

/// The guest as its thread's counterpart sees it.
pub(super) struct Guest<'a> {
    pub(super) jobs: &'a Sender<Job>,
    pub(super) stops: &'a Receiver<Stop>,
}

impl Guest<'_> {
    /// Has something done on the run's thread; none when the run is over.
    pub(super) fn with<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Session, &mut State) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = mpsc::channel();
        let job: Job = Box::new(move |session, state| {
            // Nobody waits any more when the run is over.
            let _ = answer.send(act(session, state));
        });
        self.jobs.send(job).ok()?;
        answered.recv().ok()
    }

    /// The same with what may fail.
    fn try_with<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Session, &mut State) -> Option<T> + Send + 'static,
    ) -> TargetResult<T, Self> {
        self.with(act).flatten().ok_or(TargetError::NonFatal)
    }

    fn run(&mut self, pace: Pace) {
        // What was reported before is old.
        self.stops.try_iter().for_each(drop);
        self.with(move |_, state| state.pace = pace);
    }

    /// Goes back, and says where that came to.
    fn back(
        &mut self,
        act: impl FnOnce(&mut Session, &mut State) -> Result<bool, emu::machine::Error> + Send + 'static,
    ) {
        self.stops.try_iter().for_each(drop);
        self.with(move |session, state| {
            state.back = true;
            let set = state.set_stops(session);
            let back = set.and_then(|()| act(session, state));
            state.halt(match back {
                Ok(true) => Stop::Back,
                Ok(false) | Err(_) => Stop::Beginning,
            });
        });
    }
}

/// r0 to r15, and the status under the number that GDB has for it since it was not
/// the next one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GdbRegisters(Registers);

impl gdbstub::arch::Registers for GdbRegisters {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.0.r[15]
    }

    fn gdb_serialize(&self, mut write: impl FnMut(Option<u8>)) {
        for word in self.0.r.iter().chain([&self.0.cpsr]) {
            word.to_le_bytes()
                .into_iter()
                .map(Some)
                .for_each(&mut write);
        }
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let mut words = bytes
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        for register in self.0.r.iter_mut().chain([&mut self.0.cpsr]) {
            *register = words.next().ok_or(())?;
        }
        Ok(())
    }
}

/// The kind of a breakpoint is the size of its instruction, which does not matter
/// here: the guest's code is not changed.
#[derive(Debug)]
pub(super) struct Kind;

impl gdbstub::arch::BreakpointKind for Kind {
    fn from_usize(_: usize) -> Option<Self> {
        Some(Self)
    }
}

/// Registers are not asked for one by one.
#[derive(Debug)]
pub(super) enum NoId {}

impl RegId for NoId {
    fn from_raw_id(_: usize) -> Option<(Self, Option<std::num::NonZeroUsize>)> {
        None
    }
}

pub(super) enum Arm {}

impl Arch for Arm {
    type Usize = u32;
    type Registers = GdbRegisters;
    type BreakpointKind = Kind;
    type RegId = NoId;

    fn target_description_xml() -> Option<&'static str> {
        Some(include_str!("target.xml"))
    }
}

impl Target for Guest<'_> {
    type Arch = Arm;
    type Error = Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, Arm, Infallible> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn guard_rail_implicit_sw_breakpoints(&self) -> bool {
        true
    }
}

impl SingleThreadBase for Guest<'_> {
    fn read_registers(&mut self, registers: &mut GdbRegisters) -> TargetResult<(), Self> {
        registers.0 = self.try_with(|session, _| Some(session.machine().registers()))?;
        Ok(())
    }

    fn write_registers(&mut self, registers: &GdbRegisters) -> TargetResult<(), Self> {
        let new = registers.clone();
        self.try_with(move |session, _| {
            let spsr = session.machine().registers().spsr;
            let new = Registers { spsr, ..new.0 };
            session.machine_mut().set_registers(&new).ok()
        })
    }

    /// What can be read up to the first page that is not there.
    fn read_addrs(&mut self, start: u32, data: &mut [u8]) -> TargetResult<usize, Self> {
        let length = data.len();
        let bytes: Vec<u8> = self.try_with(move |session, _| {
            let mut bytes = vec![0; length];
            let mut done = 0;
            while done < length {
                let at = start.checked_add(done as u32)?;
                let part = (0x1000 - (at as usize & 0xfff)).min(length - done);
                let into = &mut bytes[done..done + part];
                if session.machine().read_virtual(at, into).is_err() {
                    break;
                }
                done += part;
            }
            bytes.truncate(done);
            (done > 0 || length == 0).then_some(bytes)
        })?;
        data[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_addrs(&mut self, start: u32, data: &[u8]) -> TargetResult<(), Self> {
        let data = data.to_vec();
        self.try_with(move |session, _| session.machine_mut().write_virtual(start, &data).ok())
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadResume for Guest<'_> {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), Infallible> {
        self.run(Pace::Free);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, (), Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, (), Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Guest<'_> {
    fn step(&mut self, _: Option<Signal>) -> Result<(), Infallible> {
        self.run(Pace::Stepping);
        Ok(())
    }
}

impl ReverseStep<()> for Guest<'_> {
    fn reverse_step(&mut self, (): ()) -> Result<(), Infallible> {
        self.back(|session, state| {
            let now = session.machine().instructions();
            match now.checked_sub(1) {
                Some(before) => state.history.go_back(session, before),
                None => Ok(false),
            }
        });
        Ok(())
    }
}

impl ReverseCont<()> for Guest<'_> {
    fn reverse_cont(&mut self) -> Result<(), Infallible> {
        self.back(|session, state| state.history.go_back_to_stop(session));
        Ok(())
    }
}

impl Breakpoints for Guest<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Guest<'_> {
    fn add_sw_breakpoint(&mut self, va: u32, _: Kind) -> TargetResult<bool, Self> {
        self.try_with(move |_, state| {
            state.breakpoints.insert(va & !1);
            state.stale = true;
            Some(true)
        })
    }

    fn remove_sw_breakpoint(&mut self, va: u32, _: Kind) -> TargetResult<bool, Self> {
        self.try_with(move |_, state| {
            state.stale = true;
            Some(state.breakpoints.remove(&(va & !1)))
        })
    }
}

impl HwBreakpoint for Guest<'_> {
    fn add_hw_breakpoint(&mut self, va: u32, kind: Kind) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(va, kind)
    }

    fn remove_hw_breakpoint(&mut self, va: u32, kind: Kind) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(va, kind)
    }
}

fn watchpoint(address: u32, length: u32, kind: WatchKind) -> Watchpoint {
    Watchpoint {
        address,
        length,
        watched: match kind {
            WatchKind::Write => Watched::Writes,
            WatchKind::Read => Watched::Reads,
            WatchKind::ReadWrite => Watched::Both,
        },
    }
}

impl HwWatchpoint for Guest<'_> {
    fn add_hw_watchpoint(
        &mut self,
        va: u32,
        len: u32,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        self.try_with(move |_, state| {
            state.watchpoints.insert(watchpoint(va, len, kind));
            state.stale = true;
            Some(true)
        })
    }

    fn remove_hw_watchpoint(
        &mut self,
        va: u32,
        len: u32,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        self.try_with(move |_, state| {
            state.stale = true;
            Some(state.watchpoints.remove(&watchpoint(va, len, kind)))
        })
    }
}

impl MonitorCmd for Guest<'_> {
    /// What the console's monitor answers.
    fn handle_monitor_cmd(
        &mut self,
        command: &[u8],
        mut out: ConsoleOutput<'_>,
    ) -> Result<(), Infallible> {
        let line = String::from_utf8_lossy(command).into_owned();
        let answer = self.with(move |session, state| {
            let words: Vec<&str> = line.split_whitespace().collect();
            state.monitor.answer(session, &words)
        });
        for line in answer.unwrap_or_default().lines() {
            outputln!(out, "{}", line);
        }
        Ok(())
    }
}
