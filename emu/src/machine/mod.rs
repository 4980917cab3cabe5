//! The machine: configuration, loading, running, and what can be asked of it.
//!
//! * [`milestone`]: how far the guest came
//! * [`unassigned`]: the account of accesses to absent chips
//! * [`poll`]: loops that wait for an absent chip
//! * `guest`: what happens while the guest runs: the callbacks
//! * `coprocessor`: system registers of absent parts

mod coprocessor;
mod guest;
pub mod milestone;
pub mod poll;
pub mod unassigned;

use std::ops::RangeInclusive;
use std::rc::Rc;

use thiserror::Error;

use crate::board::{Board, BoardConfig, Wiring};
use crate::clock::Time;
use crate::cpu::CpuModel;
use crate::cpu::engine::{Engine, EngineError, Stop};
use crate::cpu::live::{Cp15, Live, psr};
use crate::cpu::ram::{PAGE, Ram};
use crate::mmu::opaque::{Opaque, OpaqueError, PHYSICAL};
use crate::mmu::translate::Mmu;
use guest::{Guest, Rest};
pub use milestone::{Milestone, Reached};
pub use unassigned::Unassigned;

/// A bank of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RamBank {
    /// First physical address, a multiple of 4096.
    pub base: u32,
    /// Bytes, a multiple of 4096.
    pub size: u64,
}

/// What a machine is made of.
#[derive(Debug, Clone)]
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
    /// An exception is taken, and there is no code for it yet: the first of them.
    NoVector {
        /// The registers before it.
        at: Registers,
    },
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
}

impl Machine {
    /// A machine that is switched off. Memory is zero.
    ///
    /// # Errors
    /// When banks, chips and the opaque map do not fit together, or the host
    /// lacks memory.
    pub fn new(config: Config) -> Result<Self, Error> {
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
            engine.live().set_cp15(Cp15::MIDR, midr);
        }
        Ok(Self {
            engine,
            started: false,
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
        count.starts_at(entry.pc);
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
        if !self.started {
            return Err(Error::NotStarted);
        }
        let (guest, count, _) = self.engine.parts();
        guest.begin(count, instructions);
        loop {
            let (guest, count, cpu) = self.engine.parts();
            if let Some(exit) = guest.take_exit(&cpu) {
                return Ok(exit);
            }
            if guest.waiting && guest.wait(count, &cpu) == Rest::Ended {
                continue;
            }
            match self.engine.run() {
                Stop::Asked => {}
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
        self.engine.count().retired
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
        let now = guest.clock.at(count.retired);
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

    /// Reads memory by virtual address, as privileged code would.
    ///
    /// # Errors
    /// When a part of it is not mapped, or not to memory.
    pub fn read_virtual(&self, va: u32, into: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while done < into.len() {
            let (physical, length) = self.locate(va, done, into.len())?;
            if !self
                .engine
                .ram()
                .read(physical, &mut into[done..done + length])
            {
                return Err(address_error(va, into.len()));
            }
            done += length;
        }
        Ok(())
    }

    /// Writes memory by virtual address, whatever its permissions.
    ///
    /// # Errors
    /// When a part of it is not mapped, or not to memory. What comes before
    /// that part is written.
    pub fn write_virtual(&mut self, va: u32, from: &[u8]) -> Result<(), Error> {
        let mut done = 0;
        while done < from.len() {
            let (physical, length) = self.locate(va, done, from.len())?;
            if !self
                .engine
                .ram()
                .write(physical, &from[done..done + length])
            {
                return Err(address_error(va, from.len()));
            }
            let (guest, _, cpu) = self.engine.parts();
            guest.mmu.written_by_host(&cpu, physical, length as u64);
            done += length;
        }
        Ok(())
    }

    /// The part of `va + done ..  va + total` that is in one page.
    fn locate(&self, va: u32, done: usize, total: usize) -> Result<(u64, usize), Error> {
        let error = || address_error(va, total);
        let at = u32::try_from(done)
            .ok()
            .and_then(|done| va.checked_add(done))
            .ok_or_else(error)?;
        let mmu = &self.engine.host().mmu;
        let physical = mmu.locate(&self.engine.live(), at).ok_or_else(error)?;
        let room = PAGE as usize - (at as usize & 0xfff);
        Ok((physical, room.min(total - done)))
    }

    /// Reads memory by physical address.
    ///
    /// # Errors
    /// When it is not all inside one bank.
    pub fn read_physical(&self, address: u32, into: &mut [u8]) -> Result<(), Error> {
        if self.engine.ram().read(u64::from(address), into) {
            Ok(())
        } else {
            Err(address_error(address, into.len()))
        }
    }

    /// Writes memory by physical address.
    ///
    /// # Errors
    /// When it is not all inside one bank; nothing is written then.
    pub fn write_physical(&mut self, address: u32, from: &[u8]) -> Result<(), Error> {
        if !self.engine.ram().write(u64::from(address), from) {
            return Err(address_error(address, from.len()));
        }
        let (guest, _, cpu) = self.engine.parts();
        let length = from.len() as u64;
        guest.mmu.written_by_host(&cpu, u64::from(address), length);
        Ok(())
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

fn address_error(address: u32, size: usize) -> Error {
    Error::Address { address, size }
}

fn check_banks(banks: &[RamBank]) -> Result<(), Error> {
    let mut sorted: Vec<&RamBank> = banks.iter().collect();
    sorted.sort_by_key(|bank| bank.base);
    let mut free = 0_u64;
    for &&RamBank { base, size } in &sorted {
        let error = |why| Err(Error::Bank { base, size, why });
        let start = u64::from(base);
        if (start | size) % PAGE != 0 || size == 0 {
            return error("not a whole number of 4 KiB pages");
        }
        let Some(end) = start.checked_add(size).filter(|&end| end <= PHYSICAL) else {
            return error("reaches beyond 4 GiB");
        };
        if start < free {
            return error("overlaps another bank");
        }
        free = end;
    }
    Ok(())
}

/// A part of the physical address space outside of memory.
struct Region {
    base: u32,
    size: u64,
    chip: bool,
}

/// Divides what memory leaves into pages of chips and the gaps between.
fn regions(banks: &[RamBank], mut chips: Vec<u32>) -> Result<Vec<Region>, Error> {
    chips.sort_unstable();
    let mut taken: Vec<(u64, u64, bool)> = banks
        .iter()
        .map(|bank| (u64::from(bank.base), bank.size, false))
        .chain(chips.iter().map(|&page| (u64::from(page), PAGE, true)))
        .collect();
    taken.sort_unstable_by_key(|&(base, ..)| base);
    let mut regions = Vec::new();
    let mut free = 0;
    for (base, size, chip) in taken {
        if base < free {
            let address = chips
                .iter()
                .copied()
                .find(|&page| u64::from(page) == base || u64::from(page) + PAGE == free);
            return Err(Error::Chip {
                address: address.unwrap_or(base as u32),
            });
        }
        if base > free {
            regions.push(Region {
                base: free as u32,
                size: base - free,
                chip: false,
            });
        }
        if chip {
            regions.push(Region {
                base: base as u32,
                size,
                chip,
            });
        }
        free = base + size;
    }
    if free < PHYSICAL {
        regions.push(Region {
            base: free as u32,
            size: PHYSICAL - free,
            chip: false,
        });
    }
    Ok(regions)
}
