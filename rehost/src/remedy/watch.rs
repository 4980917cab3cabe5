//! Watches a boot for what stops it: calls of `die` and `panic`, a wait with
//! interrupts off, a jump to itself, and an initial call that does not come back.

use emu::machine::{Machine, Registers};
use linker::kernel::Kernel;
use linker::symbols::SymbolTable;

use super::chain::{self, Named, Place, stack};
use super::choice;
use super::still::{Pulse, Repeated, Said};
use super::{Boot, MOST, Omitted, Remedy};
use crate::session::Session;
use crate::verdict::Milestone;

/// A panic belongs to the fault before it when it follows within so many
/// instructions: the fault's report is printed in between.
const AFTERMATH: u64 = 50_000_000;
/// An initial call gets so many instructions; calls that measure which of their
/// ways of computing is the fastest take half of that.
const LONGEST: u64 = 2_500_000_000;
/// The same for one that asks absent chips all the time.
const LONGEST_POLLING: u64 = 200_000_000;
/// Asks of absent chips that count as all the time.
const POLLING: u64 = 100_000;
/// Virtual time that an initial call may sleep, in ns.
const LONGEST_SLEEP: u64 = 60_000_000_000;

/// Instructions that the kernel may run with interrupts off, by all that can be
/// seen. On one processor nothing ends a wait of that kind.
const LONGEST_DEAF: u64 = 500_000_000;
/// The same for a loop in which nothing changes.
const LONGEST_STILL: u64 = 50_000_000;
/// Looks in a row, a million instructions apart, that find the kernel in the page of
/// the vectors, where it takes an exception in the mode of another. The kernel leaves
/// those modes before anything can fault.
const MOST_VECTORS: u32 = 20;
/// In a program status: the mode; and those of aborts and undefined instructions.
const MODE: u32 = 0x1f;
const FAULTS: [u32; 2] = [0x17, 0x1b];
/// Where that page is, low or high.
const VECTORS: [std::ops::Range<u32>; 2] = [0..0x1000, 0xffff_0000..0xffff_1000];
/// In a program status: interrupts are off, and the mode's low bits, which are 0
/// for programs only.
const INTERRUPTS_OFF: u32 = 1 << 7;
const PRIVILEGED: u32 = 0xf;

/// Traps are set where these names lie.
const FAULT: &str = "die";
const PANIC: &str = "panic";
const RESTART: [&str; 2] = ["machine_restart", "machine_halt"];
const RUNNER: &str = "do_one_initcall";
/// What ARM's division calls for a divisor of 0: says so, and returns.
const NO_DIVISION: &str = "__div0";
/// So many of those: it is done again and again, with a rate that is 0.
const DIVISIONS: u32 = 40;

/// The T bit of the CPSR.
const THUMB_STATE: u32 = 1 << 5;

/// An initial call that is under way.
#[derive(Debug, Clone)]
struct Running {
    call: u32,
    /// At how many instructions it was made.
    made: u64,
    instructions: u64,
    time: u64,
    asked: u64,
    console: usize,
    said: Said,
}

/// What is known of the boot under way.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    fault: Option<u32>,
    panic: Option<u32>,
    restarts: Vec<u32>,
    runner: Option<u32>,
    no_division: Option<u32>,
    divisions: u32,
    running: Option<Running>,
    /// Since how many instructions interrupts were off at every look.
    deaf: Option<u64>,
    repeated: Repeated,
    pulse: Pulse,
    /// At so many looks in a row it was in the page of the vectors.
    vectors: u32,
    /// Those that came after user space had begun.
    faults: Faults,
}

/// The first of some faults that came one upon the other, and when the last did: one
/// in what ends the faulting program is the first one's doing.
#[derive(Debug, Clone, Default)]
struct Faults(Option<(u64, Place)>);

impl Faults {
    fn add(&mut self, now: u64, place: Place) {
        let first = self.take(now).unwrap_or(place);
        self.0 = Some((now, first));
    }

    /// The first, if the last is not long ago.
    fn take(&mut self, now: u64) -> Option<Place> {
        let (last, first) = self.0.take()?;
        (now - last < AFTERMATH).then_some(first)
    }
}

/// How it can be told that a boot cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// By the kernel's own words, or where it stands.
    Plain,
    /// The same, before the kernel could handle a fault.
    Early,
    /// It waits for what its own processor holds.
    Locked,
    /// The same, and who led there cannot be told.
    Lost,
    /// It is the initial call and no other function, whatever the stack says.
    Call,
}

/// A boot that cannot go on.
#[derive(Debug, Clone)]
pub struct Stopped {
    place: Place,
    /// The initial call under way.
    running: Option<u32>,
    how: How,
    why: String,
}

impl Watch {
    /// Sets the traps.
    pub fn new(machine: &mut Machine, symbols: &SymbolTable) -> Result<Self, emu::machine::Error> {
        let mut trap = |name: &str| match symbols.address(name) {
            Some(va) => machine.trap(va).map(|()| Some(va & !1)),
            None => Ok(None),
        };
        let mut watch = Self {
            fault: trap(FAULT)?,
            panic: trap(PANIC)?,
            runner: trap(RUNNER)?,
            no_division: trap(NO_DIVISION)?,
            ..Self::default()
        };
        for name in RESTART {
            watch.restarts.extend(trap(name)?);
        }
        Ok(watch)
    }

    /// Whether this is where an initial call is made.
    pub fn is_call(&self, va: u32) -> bool {
        Some(va) == self.runner
    }

    /// At how many instructions this initial call was made, if it is under way.
    pub fn made(&self, call: u32) -> Option<u64> {
        let running = self.running.as_ref()?;
        (running.call == call).then_some(running.made)
    }

    /// The initial call under way.
    fn call(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.call)
    }

    /// A trap was reached.
    pub fn trapped(&mut self, session: &Session, va: u32, at: &Registers) -> Option<Stopped> {
        let machine = session.machine();
        let now = machine.instructions();
        let user_space = session.has_passed(Milestone::Userspace);
        let [r0, r1, ..] = at.r;
        let (lr, sp) = (at.r[14], at.r[13]);
        if self.is_call(va) {
            self.running = Some(Running {
                call: r0,
                made: now,
                instructions: now,
                time: session.now().0,
                asked: machine.unassigned_reads(),
                console: session.console().len(),
                said: Said::behind(session.console().len()),
            });
            return None;
        }
        if Some(va) == self.no_division {
            self.divisions += 1;
            if self.divisions < DIVISIONS || user_space {
                return None;
            }
        }
        let place = if Some(va) == self.fault {
            // die(text, registers, error): r0 to r15 in order.
            let register = |number: u32| machine.word(r1.wrapping_add(4 * number));
            Place {
                pc: register(15)?,
                lr: register(14)?,
                stack: stack(machine, register(13)?),
            }
        } else {
            Place {
                pc: lr.wrapping_sub(2),
                lr,
                stack: stack(machine, sp),
            }
        };
        // A fault that user space led to ends one program, unless a panic follows.
        if user_space {
            if Some(va) == self.fault {
                self.faults.add(now, place);
                return None;
            }
            return self.faults.take(now).map(|place| Stopped {
                place,
                running: None,
                how: How::Plain,
                why: "a fault in it".to_owned(),
            });
        }
        let why = if Some(va) == self.panic {
            "the kernel panics in it"
        } else if Some(va) == self.fault {
            "a fault in it"
        } else if Some(va) == self.no_division {
            "it divides by zero again and again"
        } else {
            "it ends the boot"
        };
        Some(Stopped {
            place,
            running: self.call(),
            how: How::Plain,
            why: why.to_owned(),
        })
    }

    /// Looks whether the kernel waits for ever.
    pub fn look(&mut self, session: &Session) -> Option<Stopped> {
        let registers = session.machine().registers();
        let deaf = self.look_at_vectors(session, &registers);
        let deaf = deaf.or_else(|| self.look_for_interrupts(session, &registers));
        let never = deaf.or_else(|| self.look_for_loop(session, &registers));
        never.or_else(|| self.look_at_call(session))
    }

    /// Looks whether the kernel stands at a jump to itself, which is what `BUG`
    /// is without CONFIG_BUG. Only interrupts are still served.
    fn look_for_loop(&self, session: &Session, registers: &Registers) -> Option<Stopped> {
        const ARM: u32 = 0xeaff_fffe;
        const THUMB: u32 = 0xe7fe;
        let machine = session.machine();
        if registers.cpsr & PRIVILEGED == 0 || session.has_passed(Milestone::Userspace) {
            return None;
        }
        let at = machine.word(registers.r[15] & !1)?;
        let stands = match registers.cpsr & THUMB_STATE {
            0 => at == ARM,
            _ => at & 0xffff == THUMB,
        };
        stands.then(|| Stopped {
            place: Place::of(machine, registers),
            running: self.call(),
            how: How::Plain,
            why: "it ends in an endless loop, as BUG does in this kernel".to_owned(),
        })
    }

    /// Looks whether one exception follows the other, each before the last was served.
    fn look_at_vectors(&mut self, session: &Session, registers: &Registers) -> Option<Stopped> {
        let pc = registers.r[15];
        let nested = [registers.cpsr, registers.spsr].map(|status| status & MODE);
        let there = VECTORS.iter().any(|page| page.contains(&pc))
            && nested.iter().all(|mode| FAULTS.contains(mode));
        self.vectors = if there { self.vectors + 1 } else { 0 };
        (self.vectors > MOST_VECTORS).then(|| Stopped {
            place: Place::of(session.machine(), registers),
            running: self.call(),
            // Of a program's faults the stack of the kernel knows nothing.
            how: match session.has_passed(Milestone::Userspace) {
                true => How::Lost,
                false => How::Locked,
            },
            why: "one exception follows the other without end".to_owned(),
        })
    }

    /// Looks whether interrupts have been off for too long: a lock is taken twice,
    /// or a chip asked that is not there.
    fn look_for_interrupts(&mut self, session: &Session, registers: &Registers) -> Option<Stopped> {
        let machine = session.machine();
        let now = machine.instructions();
        let slept = self.pulse.slept(now, session.now());
        let off = registers.cpsr & INTERRUPTS_OFF != 0 && registers.cpsr & PRIVILEGED != 0;
        if slept || !off {
            self.deaf = None;
            self.repeated = Repeated::default();
            return None;
        }
        let since = *self.deaf.get_or_insert(now);
        let asked = machine.unassigned_reads();
        let still = self.repeated.look(now, &registers.r, asked);
        (now - since > LONGEST_DEAF || still > LONGEST_STILL).then(|| Stopped {
            place: Place::of(machine, registers),
            running: None,
            how: How::Locked,
            why: "it waits with interrupts off".to_owned(),
        })
    }

    /// Looks whether the initial call under way will never come back.
    fn look_at_call(&mut self, session: &Session) -> Option<Stopped> {
        let running = self.running.as_mut()?;
        if session.has_passed(Milestone::Initcalls) || session.has_passed(Milestone::Userspace) {
            return None;
        }
        let machine = session.machine();
        // What says something new is alive: the first console prints all that was
        // said before.
        let console = session.console();
        if console.len() != running.console {
            running.console = console.len();
            if running.said.is_new(console) {
                running.instructions = machine.instructions();
                running.time = session.now().0;
                running.asked = machine.unassigned_reads();
                return None;
            }
        }
        let spent = machine.instructions() - running.instructions;
        let polling = machine.unassigned_reads() - running.asked > POLLING;
        let why = if polling && spent > LONGEST_POLLING {
            "it asks absent chips without end"
        } else if spent > LONGEST {
            "it does not come back"
        } else if session.now().0 - running.time > LONGEST_SLEEP {
            "it sleeps and is not woken"
        } else {
            return None;
        };
        Some(Stopped {
            place: Place::of(machine, &machine.registers()),
            running: Some(running.call),
            how: How::Call,
            why: why.to_owned(),
        })
    }
}

/// What a remedy depends on.
pub struct Known<'a> {
    /// The kernel's functions.
    pub functions: Named<'a>,
    /// Functions that the machine descriptors point to.
    pub callbacks: Vec<u32>,
    /// What was special about this boot.
    pub boot: &'a Boot,
    /// Whether it went on from a moment.
    pub went_back: bool,
}

impl Stopped {
    /// At an exception for which there is no code yet.
    pub fn unserved(session: &Session, at: &Registers) -> Self {
        Self {
            place: Place::of(session.machine(), at),
            running: None,
            how: How::Early,
            why: "a fault in it, before the kernel can handle any".to_owned(),
        }
    }

    /// Nothing can be left out. A kernel that waits for ever will not say why.
    fn hopeless(&self) -> Option<Remedy> {
        let why = self.why.clone();
        matches!(self.how, How::Locked | How::Lost).then_some(Remedy::Hopeless { why })
    }

    /// What the next boot is to leave out; `None` when that is nothing and it goes on
    /// to say why.
    pub fn remedy(&self, kernel: &Kernel, with: &Known<'_>) -> Option<Remedy> {
        let Known {
            functions, boot, ..
        } = with;
        let symbols = functions.symbols;
        if boot.omitted.len() >= MOST || self.how == How::Lost {
            return self.hopeless();
        }
        let known: Vec<u32> = boot.omitted.iter().map(|one| one.va).collect();
        let chain = chain::chain(kernel, functions, &self.place);
        if with.went_back && choice::has_one_of(&chain, &known) {
            return Some(Remedy::Earlier);
        }
        if choice::has_one_of(&chain, &boot.doubtful) {
            return Some(Remedy::AnotherPointer);
        }
        // Without names all that can be told so early is that no code of the
        // machine was at work, so less RAM is tried once.
        let early = self.how == How::Early && !choice::has_one_of(&chain, &with.callbacks);
        let allocator = choice::is_in_allocator_setup(&chain, symbols);
        let may_be_memory = boot.can_shrink && (early || allocator);
        if choice::is_in_memory_setup(&chain, symbols) || may_be_memory {
            return Some(Remedy::LessRam);
        }
        // What takes a lock twice is mostly a message, printed by who was called
        // with the console's lock held.
        let printed = choice::who_prints(&chain, symbols).filter(|_| self.how == How::Locked);
        let choice = match (self.running, printed) {
            (Some(va), _) if self.how == How::Call => choice::Choice {
                va,
                initcall: true,
                root: None,
            },
            (_, Some(choice)) if !known.contains(&choice.va) => choice,
            (running, _) => match choice::choose(&chain, running, symbols, &boot.omitted) {
                Some(choice) => choice,
                None => return self.hopeless(),
            },
        };
        if known.contains(&choice.va) || kernel.offset(choice.va).is_none() {
            return self.hopeless();
        }
        let name = match symbols.nearest(choice.va & !1) {
            Some((symbol, 0)) => symbol.name.clone(),
            _ => format!("{:#010x}", choice.va),
        };
        Some(Remedy::Without(Omitted {
            va: choice.va,
            name,
            initcall: choice.initcall,
            why: self.why.clone(),
            root: choice.root,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_faults_in_a_row_led_to_the_panic() {
        let place = |pc| Place {
            pc,
            lr: 0,
            stack: Vec::new(),
        };
        let mut faults = Faults::default();
        faults.add(100, place(1));
        faults.add(100 + AFTERMATH / 2, place(2));
        let first = faults.take(100 + AFTERMATH);
        assert_eq!(first.map(|it| it.pc), Some(1));
        assert!(faults.take(100 + AFTERMATH).is_none());
        // Long after, another program's.
        faults.add(100, place(1));
        faults.add(100 + AFTERMATH, place(3));
        let first = faults.take(101 + AFTERMATH);
        assert_eq!(first.map(|it| it.pc), Some(3));
    }
}
