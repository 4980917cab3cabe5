//! A running machine, and what is noted of it: milestones with their times, the
//! console, the moment of its last output.
//!
//! * [`typing`]: prepared lines for the console
//! * [`moment`]: all of it at one moment, to go back to and to keep in a file
//! * [`record`]: what was typed and when

pub mod moment;
pub mod record;
pub mod typing;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use emu::clock::Time;
use emu::exception::Exception;
use emu::machine::debug::Hit;
use emu::machine::{Entry, Exit, Machine, Registers};
use serde::{Deserialize, Serialize};

use crate::verdict::{Milestone, shell};
use moment::Moment;
use record::Piece;

/// More console output than this is dropped from the front of what is kept.
const MOST_CONSOLE: usize = 16 << 20;

/// A milestone that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Which.
    pub milestone: Milestone,
    /// Instructions retired until then.
    pub instructions: u64,
    /// Virtual time.
    pub at: Time,
    /// Wall time since the command began.
    pub wall: Duration,
}

/// What a stretch of running came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The stretch is over.
    Ran,
    /// A milestone was passed.
    Passed(Passed),
    /// The kernel mapped something into opaque memory.
    Conflict {
        /// Where.
        va: u32,
    },
    /// The guest waits for an interrupt that nothing but typing will raise.
    Asleep,
    /// A trapped instruction is about to run.
    Trapped {
        /// Where.
        va: u32,
        /// The registers at that moment.
        at: Registers,
    },
    /// An exception is taken, and the kernel has no code for it yet.
    Unserved {
        /// The registers before it.
        at: Registers,
    },
    /// The guest restarted its machine.
    Ended,
    /// One exception follows the other without an instruction between them.
    Stuck,
    /// An exception was taken, and somebody wants to know.
    Excepted(Exception),
    /// A debugger's breakpoint or watchpoint stopped the guest.
    Stopped(Option<Hit>),
}

/// What is noted of a machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Notes {
    /// Typed, and not yet taken by the UART.
    typed: VecDeque<u8>,
    console: Vec<u8>,
    shell: shell::Watch,
    passed: Vec<Passed>,
    last_output: Time,
}

/// A running machine.
pub struct Session {
    machine: Machine,
    began: Instant,
    notes: Notes,
    /// How much of the console the caller has been given.
    shown: usize,
    /// The milestone at which a moment is kept.
    keep_at: Option<Milestone>,
    kept: Option<Moment>,
    /// What the UART was given until now.
    given: Vec<Piece>,
    /// What it is to be given later.
    coming: VecDeque<Piece>,
}

impl Session {
    /// Takes a machine that stands at the kernel's entry. `began` is when the
    /// command did.
    pub fn new(machine: Machine, expected: shell::Expected, began: Instant) -> Self {
        let notes = Notes {
            typed: VecDeque::new(),
            console: Vec::new(),
            shell: shell::Watch::new(expected),
            passed: Vec::new(),
            last_output: Time(0),
        };
        Self {
            machine,
            began,
            notes,
            shown: 0,
            keep_at: None,
            kept: None,
            given: Vec::new(),
            coming: VecDeque::new(),
        }
    }

    /// Puts the processor at the kernel's entry.
    pub fn start(&mut self, entry: Entry) {
        self.machine.start(entry);
        self.note_milestones();
        self.keep_if_due();
    }

    /// Runs for at most this many instructions and until this moment of virtual
    /// time, or to the next thing worth noting.
    pub fn advance(
        &mut self,
        instructions: u64,
        until: Time,
    ) -> Result<Event, emu::machine::Error> {
        let (instructions, until) = self.hand_over(instructions, until);
        self.machine.hold_at(Some(until));
        let exit = self.machine.run(instructions)?;
        Ok(self.note(exit))
    }

    /// Runs one instruction.
    pub fn step(&mut self) -> Result<Event, emu::machine::Error> {
        self.hand_over(u64::MAX, Time(u64::MAX));
        self.machine.hold_at(None);
        let exit = self.machine.step()?;
        Ok(self.note(exit))
    }

    /// Runs until exactly this many instructions have retired, with what was typed
    /// on the way; less far when something else stops the guest, which is returned.
    pub fn run_to(&mut self, instructions: u64) -> Result<Event, emu::machine::Error> {
        loop {
            let left = instructions.saturating_sub(self.machine.instructions());
            let (some, until) = self.hand_over(left, Time(u64::MAX));
            self.machine.hold_at(Some(until));
            let exit = self.machine.run_to(self.machine.instructions() + some)?;
            let event = self.note(exit);
            match event {
                Event::Stopped(_) | Event::Ended | Event::Stuck => return Ok(event),
                Event::Asleep if self.coming.is_empty() => return Ok(event),
                _ if self.machine.instructions() >= instructions => return Ok(event),
                _ => {}
            }
        }
    }

    /// What was typed until now.
    pub fn given(&self) -> &[Piece] {
        &self.given
    }

    /// Whether everything that [`replay`](Self::replay) was given has had its moment.
    pub fn is_replayed(&self) -> bool {
        let now = self.now();
        let count = self.machine.instructions();
        self.coming.iter().all(|piece| piece.is_due(count, now))
    }

    /// Types these, each at its moment.
    pub fn replay(&mut self, entries: Vec<Piece>) {
        self.coming = entries.into();
    }

    /// Notes what a run of the machine came to.
    pub fn note(&mut self, exit: Exit) -> Event {
        self.listen();
        let event = match exit {
            Exit::Budget | Exit::Held | Exit::Stepped => self.look_for_shell(),
            Exit::Milestone(_) => self.note_milestones().map_or(Event::Ran, Event::Passed),
            Exit::OpaqueConflict { va } => Event::Conflict { va },
            Exit::Trap { va, at } => Event::Trapped { va, at },
            Exit::NoVector { at } => Event::Unserved { at },
            Exit::Idle => Event::Asleep,
            Exit::Reset => Event::Ended,
            Exit::Stuck { .. } => Event::Stuck,
            Exit::Exception(exception) => Event::Excepted(exception),
            Exit::Breakpoint { .. } => Event::Stopped(None),
            Exit::Watchpoint(hit) => Event::Stopped(Some(hit)),
        };
        self.keep_if_due();
        event
    }

    /// Types at the console.
    pub fn type_in(&mut self, bytes: &[u8]) {
        self.notes.typed.extend(bytes);
    }

    /// Whether something was typed that the UART has not taken yet.
    pub fn is_typing(&self) -> bool {
        !self.notes.typed.is_empty()
    }

    /// Console output that has not been given out yet.
    pub fn fresh_output(&mut self) -> &[u8] {
        let from = std::mem::replace(&mut self.shown, self.notes.console.len());
        &self.notes.console[from..]
    }

    /// What the console has shown, the last [`MOST_CONSOLE`] bytes of it.
    pub fn console(&self) -> &[u8] {
        &self.notes.console
    }

    /// Virtual time.
    pub fn now(&self) -> Time {
        self.machine.now()
    }

    /// For how long the console has been silent, in virtual time.
    pub fn silence(&self) -> Duration {
        Duration::from_nanos(self.now().0.saturating_sub(self.notes.last_output.0))
    }

    /// When the console last showed something.
    pub fn last_output(&self) -> Time {
        self.notes.last_output
    }

    /// Wall time since the command began.
    pub fn wall(&self) -> Duration {
        self.began.elapsed()
    }

    /// The milestones passed, in the order in which they were.
    pub fn passed(&self) -> &[Passed] {
        &self.notes.passed
    }

    /// Whether this milestone was passed.
    pub fn has_passed(&self, milestone: Milestone) -> bool {
        self.notes
            .passed
            .iter()
            .any(|passed| passed.milestone == milestone)
    }

    /// The furthest milestone that was passed.
    pub fn furthest(&self) -> Option<Milestone> {
        self.notes
            .passed
            .iter()
            .map(|passed| passed.milestone)
            .max()
    }

    /// The machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine, to look into its memory.
    pub fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn listen(&mut self) {
        let output = self.machine.take_output();
        if output.is_empty() {
            return;
        }
        self.notes.last_output = self.now();
        self.notes.shell.feed(&output);
        self.notes.console.extend_from_slice(&output);
        if self.notes.console.len() > MOST_CONSOLE {
            let surplus = self.notes.console.len() - MOST_CONSOLE / 2;
            self.notes.console.drain(..surplus);
            self.shown = self.shown.saturating_sub(surplus);
        }
    }

    /// Gives the UART as much of what was typed as it has room for, and what is to
    /// be typed at this moment. Returns how far the machine may run until there is
    /// more to be given.
    fn hand_over(&mut self, instructions: u64, until: Time) -> (u64, Time) {
        let (count, now) = (self.machine.instructions(), self.now());
        while let Some(piece) = self.coming.pop_front_if(|piece| piece.is_due(count, now)) {
            self.notes.typed.extend(piece.bytes);
        }
        if !self.notes.typed.is_empty() {
            let taken = self.machine.type_in(self.notes.typed.make_contiguous());
            let taken = taken.min(self.notes.typed.len());
            let bytes: Vec<u8> = self.notes.typed.drain(..taken).collect();
            if !bytes.is_empty() {
                self.given.push(Piece {
                    instructions: count,
                    time: now,
                    bytes,
                });
            }
        }
        match self.coming.front() {
            // At its count already, it waits for its time.
            Some(next) => (
                instructions.min(next.instructions.saturating_sub(count).max(1)),
                until.min(next.time.max(Time(now.0 + 1))),
            ),
            None => (instructions, until),
        }
    }

    /// Whether the console shows a prompt now, for the first time.
    pub fn look_for_shell(&mut self) -> Event {
        let waits = self.notes.shell.ready() && self.has_passed(Milestone::Userspace);
        if !waits || self.has_passed(Milestone::Shell) {
            return Event::Ran;
        }
        let passed = Passed {
            milestone: Milestone::Shell,
            instructions: self.machine.instructions(),
            at: self.now(),
            wall: self.wall(),
        };
        self.notes.passed.push(passed);
        Event::Passed(passed)
    }

    /// Takes over the milestones that the machine has reached since the last
    /// time; returns the last of them.
    fn note_milestones(&mut self) -> Option<Passed> {
        let wall = self.wall();
        let mut last = None;
        for reached in self.machine.milestones() {
            let milestone = milestone(reached.milestone);
            if !self.has_passed(milestone) {
                let passed = Passed {
                    milestone,
                    instructions: reached.instructions,
                    at: reached.time,
                    wall,
                };
                self.notes.passed.push(passed);
                last = Some(passed);
            }
        }
        last
    }
}

fn milestone(one: emu::machine::Milestone) -> Milestone {
    match one {
        emu::machine::Milestone::Entered => Milestone::Entered,
        emu::machine::Milestone::Mmu => Milestone::Mmu,
        emu::machine::Milestone::StartKernel => Milestone::StartKernel,
        emu::machine::Milestone::InitIrq => Milestone::InitIrq,
        emu::machine::Milestone::FirstTick => Milestone::FirstTick,
        emu::machine::Milestone::Console => Milestone::Console,
        emu::machine::Milestone::Initcalls => Milestone::Initcalls,
        emu::machine::Milestone::Userspace => Milestone::Userspace,
    }
}
