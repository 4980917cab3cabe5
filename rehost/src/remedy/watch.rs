//! Watches a boot for what stops it: calls of `die` and `panic`, a wait with
//! interrupts off, a jump to itself, and an initial call that does not come back.

use emu::machine::{Machine, Registers};
use linker::kernel::Kernel;
use linker::symbols::SymbolTable;

use super::chain::{self, Named, Place, stack};
use super::choice;
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
#[derive(Debug, Clone, Copy)]
struct Running {
    call: u32,
    instructions: u64,
    time: u64,
    asked: u64,
    console: usize,
}

/// What is known of the boot under way.
#[derive(Debug, Default)]
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
    /// Those that came after user space had begun.
    faults: Faults,
}

/// The first of some faults that came one upon the other, and when the last did: one
/// in what ends the faulting program is the first one's doing.
#[derive(Debug, Default)]
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

    /// A trap was reached.
    pub fn trapped(&mut self, session: &Session, va: u32, at: &Registers) -> Option<Stopped> {
        let machine = session.machine();
        let now = machine.instructions();
        let user_space = session.has_passed(Milestone::Userspace);
        let [r0, r1, ..] = at.r;
        let (lr, sp) = (at.r[14], at.r[13]);
        if Some(va) == self.runner {
            self.running = Some(Running {
                call: r0,
                instructions: now,
                time: session.now().0,
                asked: machine.unassigned_reads(),
                console: session.console().len(),
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
            running: self.running.map(|running| running.call),
            how: How::Plain,
            why: why.to_owned(),
        })
    }

    /// Looks whether the kernel waits for ever.
    pub fn look(&mut self, session: &Session) -> Option<Stopped> {
        let registers = session.machine().registers();
        let deaf = self.look_for_interrupts(session, &registers);
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
            running: self.running.map(|running| running.call),
            how: How::Plain,
            why: "it ends in an endless loop, as BUG does in this kernel".to_owned(),
        })
    }

    /// Looks whether interrupts have been off for too long: a lock is taken twice,
    /// or a chip asked that is not there.
    fn look_for_interrupts(&mut self, session: &Session, registers: &Registers) -> Option<Stopped> {
        let machine = session.machine();
        let now = machine.instructions();
        if registers.cpsr & INTERRUPTS_OFF == 0 || registers.cpsr & PRIVILEGED == 0 {
            self.deaf = None;
            return None;
        }
        let since = *self.deaf.get_or_insert(now);
        (now - since > LONGEST_DEAF).then(|| Stopped {
            place: Place::of(machine, registers),
            running: None,
            how: How::Locked,
            why: "it waits with interrupts off".to_owned(),
        })
    }

    /// Looks whether the initial call under way will never come back.
    fn look_at_call(&mut self, session: &Session) -> Option<Stopped> {
        let running = self.running?;
        if session.has_passed(Milestone::Initcalls) || session.has_passed(Milestone::Userspace) {
            return None;
        }
        let machine = session.machine();
        // What speaks is alive: the first console prints all that was said before.
        let console = session.console().len();
        if console != running.console {
            let alive = Running {
                instructions: machine.instructions(),
                time: session.now().0,
                asked: machine.unassigned_reads(),
                console,
                ..running
            };
            self.running = Some(alive);
            return None;
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
    pub boot: &'a Boot<'a>,
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

    /// What the next boot is to leave out; `None` when that is nothing.
    pub fn remedy(&self, kernel: &Kernel, with: &Known<'_>) -> Option<Remedy> {
        let Known {
            functions, boot, ..
        } = with;
        let symbols = functions.symbols;
        if boot.omitted.len() >= MOST {
            return None;
        }
        let known: Vec<u32> = boot.omitted.iter().map(|one| one.va).collect();
        let chain = chain::chain(kernel, functions, &self.place);
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
            (Some(va), _) if self.how == How::Call => choice::Choice { va, initcall: true },
            (_, Some(choice)) if !known.contains(&choice.va) => choice,
            (running, _) => choice::choose(&chain, running, symbols, &known)?,
        };
        if known.contains(&choice.va) || kernel.offset(choice.va).is_none() {
            return None;
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
