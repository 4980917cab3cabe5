//! The machine: configuration, loading, running, and what can be asked of it.
//!
//! * [`milestone`]: how far the guest came
//! * [`unassigned`]: the account of accesses to absent chips
//! * [`poll`]: loops that wait for an absent chip
//! * [`debug`]: breakpoints, watchpoints, steps, registers
//! * `stops`: what stops the guest for them
//! * [`snapshot`]: the whole machine at one moment
//! * [`mod@file`]: the same as a file
//! * [`answers`]: who answers for absent chips
//! * `memory`: reading and writing the guest's memory
//! * `layout`: how memory and chips share the address space
//! * `guest`: what happens while the guest runs: the callbacks
//! * `coprocessor`: system registers of absent parts

pub mod answers;
mod coprocessor;
pub mod debug;
pub mod file;
mod guest;
mod layout;
mod memory;
pub mod milestone;
pub mod poll;
pub mod snapshot;
pub(crate) mod stops;
pub mod unassigned;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::board::{Board, BoardConfig, Wiring};
use crate::clock::Time;
use crate::cpu::CpuModel;
use crate::cpu::engine::{Engine, EngineError, Hook, Stop};
use crate::cpu::image::Image;
use crate::cpu::live::{Cp15, Live, psr};
use crate::cpu::ram::Ram;
use crate::exception::Exception;
use crate::mmu::opaque::{Opaque, OpaqueError, PHYSICAL};
use crate::mmu::translate::Mmu;
use guest::{Guest, Rest};
use layout::{check_banks, regions};
pub use milestone::{Milestone, Reached};
pub use snapshot::Snapshot;
pub use unassigned::Unassigned;

/// A bank of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RamBank {
    /// First physical address, a multiple of 4096.
    pub base: u32,
    /// Bytes, a multiple of 4096.
    pub size: u64,
}

/// What a machine is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The processor.
    pub cpu: CpuModel,
    /// Another value for the main identification register, for kernels that
    /// look for a processor that is not emulated.
    pub midr: Option<u32>,
    /// Memory.
    pub ram: Vec<RamBank>,
    /// Chips.
    pub board: BoardConfig,
}

/// Where the guest starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Program counter; bit 0 selects Thumb.
    pub pc: u32,
    /// The first three registers.
    pub r: [u32; 3],
}

/// Why [`Machine::run`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The instructions are used up.
    Budget,
    /// A milestone was reached for the first time.
    Milestone(Milestone),
    /// The kernel mapped something in the opaque range.
    OpaqueConflict {
        /// Where.
        va: u32,
    },
    /// The guest waits for an interrupt, and none will ever come unless
    /// something is typed.
    Idle,
    /// Virtual time has come to where it is held; see [`Machine::hold_at`].
    Held,
    /// The instruction at a trapped address was about to run.
    Trap {
        /// Which.
        va: u32,
        /// The registers at that moment; by now a block more has run.
        at: Registers,
    },
    /// The instruction at a breakpoint is about to run.
    Breakpoint {
        /// Which.
        va: u32,
    },
    /// An access to a watchpoint is about to be made.
    Watchpoint(debug::Hit),
    /// The instructions that were asked for have run.
    Stepped,
    /// An exception is taken, and there is no code for it yet: the first of them.
    NoVector {
        /// The registers before it.
        at: Registers,
    },
    /// An exception was taken, and the first instruction of its handler is about to
    /// run; see [`Machine::stop_at_exceptions`].
    Exception(Exception),
    /// The guest reset the board.
    Reset,
    /// Exceptions follow each other without an instruction between them.
    Stuck {
        /// Where the processor is.
        pc: u32,
    },
}

/// The registers, for reports and the debugger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Registers {
    /// General registers of the current mode; 15 is the program counter.
    pub r: [u32; 16],
    /// Current program status.
    pub cpsr: u32,
    /// Saved program status of the current mode.
    pub spsr: u32,
}

impl Registers {
    fn of(cpu: &Live<'_>) -> Self {
        let mut registers = Self {
            cpsr: cpu.cpsr(),
            spsr: cpu.spsr(),
            ..Self::default()
        };
        for (number, value) in (0..).zip(&mut registers.r) {
            *value = cpu.register(number);
        }
        registers
    }
}

/// What a machine cannot do.
#[derive(Debug, Error)]
pub enum Error {
    /// Unicorn refused something.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Memory that cannot be.
    #[error("memory bank {base:#010x}+{size:#x}: {why}")]
    Bank {
        /// First address.
        base: u32,
        /// Bytes.
        size: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Memory that the host does not have.
    #[error("no memory for a bank of {size:#x} bytes")]
    Memory {
        /// Bytes.
        size: u64,
        /// Why.
        source: std::io::Error,
    },
    /// The opaque map is wrong.
    #[error(transparent)]
    Opaque(#[from] OpaqueError),
    /// A chip in memory, or in another chip's page.
    #[error("the chip at physical address {address:#010x} overlaps memory or another chip")]
    Chip {
        /// The page.
        address: u32,
    },
    /// An address range that has no memory.
    #[error("no memory at {address:#010x}+{size:#x}")]
    Address {
        /// First address.
        address: u32,
        /// Bytes.
        size: usize,
    },
    /// A program status with a mode that there is not.
    #[error("{status:#010x} is no program status: there is no such mode")]
    Status {
        /// The status.
        status: u32,
    },
    /// A snapshot of a machine that is made of something else.
    #[error("the snapshot is of another kind of machine")]
    OtherMachine,
    /// [`Machine::run`] before [`Machine::start`].
    #[error("the machine was not started")]
    NotStarted,
    /// Unicorn stopped for a reason that we do not know how to go on from.
    #[error("the processor cannot go on at {pc:#010x}: {reason}")]
    Processor {
        /// Where it is.
        pc: u32,
        /// Unicorn's words.
        reason: String,
    },
}

/// A machine.
pub struct Machine {
    engine: Engine<Guest>,
    started: bool,
    /// What it was made of, without the bytes that are in its memory.
    config: Rc<Config>,
    /// What memory held when the last snapshot was taken or gone back to. All of
    /// it was zero at the start.
    image: Image,
    breakpoints: BTreeMap<u32, Hook>,
    /// There while the guest is stepped.
    stepping: Option<Hook>,
    /// The window of watchpoints is mapped.
    has_window: bool,
}

impl Machine {
    /// A machine that is switched off. Memory is zero.
    ///
    /// # Errors
    /// When banks, chips and the opaque map do not fit together, or the host
    /// lacks memory.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        check_banks(&config.ram)?;
        let mut ram = Ram::new();
        let mut add = |base, size| {
            ram.add(base, size)
                .map_err(|source| Error::Memory { size, source })
        };
        for bank in &config.ram {
            add(u64::from(bank.base), bank.size)?;
        }
        let mut opaque = None;
        let mut counted = None;
        if let BoardConfig::Transplant(map) = &config.board {
            let (table, bytes) = Opaque::new(map)?;
            add(PHYSICAL, bytes.len() as u64)?;
            counted = Some(table.range());
            ram.write(PHYSICAL, &bytes);
            opaque = Some(table);
        }
        let ram = Rc::new(ram);
        let board = Board::new(&config.board);
        let regions = regions(&config.ram, board.pages())?;
        let mmu = Mmu::new(config.cpu, Rc::clone(&ram), opaque);
        let guest = Guest::new(config.cpu, mmu, board);
        let mut engine = Engine::new(config.cpu, ram, guest)?;
        for region in regions {
            engine.map_device(region.base, region.size, !region.chip)?;
        }
        if let Some((first, last)) = counted {
            engine.count_range(first, last)?;
        }
        if let Some(midr) = config.midr {
            let cpu = engine.live();
            cpu.set_cp15(Cp15::MIDR, midr);
            if config.cpu.has_virtualization() {
                cpu.set_cp15(Cp15::VPIDR, midr);
            }
        }
        if let BoardConfig::Transplant(map) = &mut config.board {
            map.rom.clear();
            map.segments
                .iter_mut()
                .for_each(|segment| segment.bytes.clear());
        }
        Ok(Self {
            engine,
            started: false,
            config: Rc::new(config),
            image: Image::default(),
            breakpoints: BTreeMap::new(),
            stepping: None,
            has_window: false,
        })
    }

    /// Copies bytes into memory.
    ///
    /// # Errors
    /// When they are not all inside one bank.
    pub fn load(&mut self, address: u32, bytes: &[u8]) -> Result<(), Error> {
        self.write_physical(address, bytes)
    }

    /// Puts the processor at its entry: supervisor mode, interrupts off, MMU
    /// and caches off (as Linux wants it: Documentation/arch/arm/booting.rst).
    pub fn start(&mut self, entry: Entry) {
        let (guest, count, cpu) = self.engine.parts();
        cpu.set_cpsr(0x1d3);
        for (number, value) in (0..).zip(entry.r) {
            cpu.set_register(number, value);
        }
        cpu.set_pc(entry.pc);
        count.starts_at(entry.pc & !1, entry.pc & 1 != 0);
        guest.reach(count.retired, Milestone::Entered);
        self.started = true;
    }

    /// Calls for a milestone when the instruction at `va` is about to run for
    /// the first time. Bit 0 of a Thumb address is ignored.
    ///
    /// # Errors
    /// When Unicorn cannot add another hook.
    pub fn watch(&mut self, va: u32, milestone: Milestone) -> Result<(), Error> {
        self.engine.watch(va & !1)?;
        self.engine.parts().0.watches.push((va & !1, milestone));
        Ok(())
    }

    /// Returns [`Exit::Trap`] each time the instruction at `va` is about to run.
    /// Bit 0 of a Thumb address is ignored.
    ///
    /// # Errors
    /// When Unicorn cannot add another hook.
    pub fn trap(&mut self, va: u32) -> Result<(), Error> {
        self.engine.watch(va & !1)?;
        self.engine.parts().0.traps.push(va & !1);
        Ok(())
    }

    /// Lets privileged code that reads or writes one of these virtual addresses
    /// find nothing there, instead of a fault, as long as nothing is mapped.
    pub fn leave_to_nobody(&mut self, addresses: RangeInclusive<u32>) {
        self.engine.parts().0.mmu.nobodys = Some(addresses);
    }

    /// Runs until something is worth a return, and for `instructions` and a
    /// block at most.
    ///
    /// # Errors
    /// When the machine was not started, or Unicorn cannot go on.
    pub fn run(&mut self, instructions: u64) -> Result<Exit, Error> {
        self.stop_stepping();
        self.run_on(instructions)
    }

    fn run_on(&mut self, instructions: u64) -> Result<Exit, Error> {
        if !self.started {
            return Err(Error::NotStarted);
        }
        let thumb = self.is_thumb();
        let (guest, count, _) = self.engine.parts();
        guest.begin(count, thumb, instructions);
        loop {
            let (guest, count, cpu) = self.engine.parts();
            if let Some(exit) = guest.take_exit(&cpu) {
                return Ok(exit);
            }
            if guest.waiting && guest.wait(count, &cpu) == Rest::Ended {
                continue;
            }
            match self.engine.run() {
                // A watchpoint: everything is as before the instruction.
                Stop::Watched => {}
                Stop::Asked => {
                    let (_, count, cpu) = self.engine.parts();
                    count.bring_back_if_then(&cpu);
                }
                Stop::Waiting => self.engine.parts().0.waiting = true,
                Stop::Refused => {
                    let (guest, count, cpu) = self.engine.parts();
                    guest.abort(&cpu, count);
                }
                Stop::Failed(reason) => {
                    return Err(Error::Processor {
                        pc: self.engine.live().pc(),
                        reason: reason.to_string(),
                    });
                }
            }
        }
    }

    /// Holds virtual time back: [`run`](Self::run) returns [`Exit::Held`] when
    /// it comes to this moment. With none, waiting guests jump ahead freely.
    pub fn hold_at(&mut self, moment: Option<Time>) {
        self.engine.parts().0.hold = moment;
    }

    /// Instructions retired since power-on.
    pub fn instructions(&self) -> u64 {
        self.engine.count().done(self.is_thumb())
    }

    /// Of these, the ones in the opaque range.
    pub fn driver_instructions(&self) -> u64 {
        self.engine.host().driver_instructions
    }

    /// Virtual time.
    pub fn now(&self) -> Time {
        self.engine.host().clock.at(self.instructions())
    }

    /// The milestones that were reached, in the order in which they were.
    pub fn milestones(&self) -> &[Reached] {
        &self.engine.host().milestones
    }

    /// What the console has sent since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.engine.parts().0.board.take_output()
    }

    /// Types at the console. Returns how many bytes there was room for.
    pub fn type_in(&mut self, bytes: &[u8]) -> usize {
        let (guest, count, _) = self.engine.parts();
        let now = guest.clock.at(count.moment());
        let taken = guest.board.push_input(bytes, now);
        guest.rewire(count);
        taken
    }

    /// Accesses to physical addresses where nothing is, by address and program
    /// counter.
    pub fn unassigned(&self) -> Vec<Unassigned> {
        self.engine.host().unassigned.list()
    }

    /// How many of them were reads.
    pub fn unassigned_reads(&self) -> u64 {
        self.engine.host().unassigned.reads()
    }

    /// Loops that waited for an absent chip and were given an answer.
    pub fn ended_polls(&self) -> Vec<poll::Ended> {
        self.engine.host().polls.list()
    }

    /// How many such accesses were not told apart because there were too many
    /// different ones.
    pub fn unassigned_overflow(&self) -> u64 {
        self.engine.host().unassigned.overflow()
    }

    /// Accesses to system registers of absent parts: the instruction (its
    /// condition and register fields cleared) and how often.
    pub fn absent_registers(&self) -> Vec<(u32, u64)> {
        self.engine.host().absent.list()
    }

    /// The registers as they are.
    pub fn registers(&self) -> Registers {
        Registers::of(&self.engine.live())
    }

    /// Whether the processor is in user mode.
    pub fn in_user_mode(&self) -> bool {
        self.engine.live().cpsr() & psr::MODE == psr::USER
    }
}
