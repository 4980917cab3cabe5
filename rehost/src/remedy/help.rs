//! Joins the parts for one boot: what is watched, what is made of it, and the
//! moments from which it can go on.

use std::ops::RangeInclusive;

use emu::machine::Registers;
use linker::code::{self, Code};
use linker::kernel::Kernel;
use linker::machine::Machines;

use super::chain::Named;
use super::moments::Moments;
use super::watch::{Known, Stopped, Watch};
use super::{Boot, Omitted, Remedy};
use crate::pipeline::prepare::Prepared;
use crate::session::Session;
use crate::session::moment::Moment;
use crate::verdict::Milestone;

/// Console output that is read once more when there is new: more than a line.
const OVERLAP: usize = 256;
/// The bits of an address within a page.
const PAGE: u32 = 0xfff;

/// Where boards map their chips for good (`map_io`), above everything else that a
/// kernel has and below the vectors.
const CHIPS: RangeInclusive<u32> = 0xf000_0000..=0xfeff_ffff;

/// The help that one boot has.
pub struct Help<'a>(Option<Parts<'a>>);

struct Parts<'a> {
    prepared: &'a Prepared,
    boot: Boot,
    code: Option<Code>,
    watch: Watch,
    moments: Moments<(Moment, Watch)>,
    /// Nothing can be left out any more.
    given_up: bool,
    /// How much of the console was read.
    read: usize,
}

impl<'a> Help<'a> {
    /// None, for a machine of the kernel's own.
    pub fn none() -> Self {
        Self(None)
    }

    /// For a machine that is about to start; `code` is filled when it is needed
    /// first.
    pub fn new(
        session: &mut Session,
        prepared: &'a Prepared,
        boot: Boot,
        code: Option<Code>,
    ) -> Result<Self, emu::machine::Error> {
        let watch = Watch::new(session.machine_mut(), &prepared.symbols)?;
        let parts = Parts {
            prepared,
            boot,
            code,
            watch,
            moments: Moments::default(),
            given_up: false,
            read: 0,
        };
        parts.leave_chips_to_nobody(session);
        Ok(Self(Some(parts)))
    }

    /// The analysis of the code, if it was made.
    pub fn into_code(self) -> Option<Code> {
        self.0?.code
    }

    /// Between two stretches: what is to be different in the next boot, if this
    /// one has come to its end.
    pub fn look(&mut self, session: &Session) -> Option<Remedy> {
        let parts = self.watching()?;
        if let Some(line) = parts.lost_line(session) {
            return Some(Remedy::AnotherLine(line));
        }
        let stopped = parts.watch.look(session)?;
        parts.remedy(&stopped)
    }

    /// The same, at a trap.
    pub fn trapped(&mut self, session: &mut Session, va: u32, at: &Registers) -> Option<Remedy> {
        let parts = self.watching()?;
        let stopped = parts.watch.trapped(session, va, at);
        if parts.watch.is_call(va) {
            parts.keep(session);
        }
        parts.remedy(&stopped?)
    }

    /// The same, at an exception for which there is no code yet.
    pub fn unserved(&mut self, session: &Session, at: &Registers) -> Option<Remedy> {
        let parts = self.watching()?;
        parts.remedy(&Stopped::unserved(session, at))
    }

    /// The same, when exceptions follow each other: a kernel that has its vectors in
    /// a memory of its chip's maps what is nowhere, and needs that page.
    pub fn stuck(&self, session: &Session) -> Option<Remedy> {
        self.0.as_ref()?;
        let machine = session.machine();
        let vector = machine.registers().r[15] & !PAGE;
        let page = u32::try_from(machine.physical(vector)?).ok()?;
        let is_nowhere = machine.read_physical(page, &mut [0]).is_err();
        is_nowhere.then_some(Remedy::ChipMemory(page))
    }

    /// A milestone was passed.
    pub fn passed(&mut self, session: &mut Session) {
        if let Some(parts) = self.watching() {
            parts.keep(session);
        }
    }

    /// Whether the boot under way went on from a moment.
    pub fn went_back(&self) -> bool {
        self.0.as_ref().is_some_and(|it| it.moments.went_back())
    }

    /// Takes the guest back to before this function was called, and leaves it out;
    /// with none, to before the moment it went on from last. False when there is no
    /// such moment, and it has to start over.
    ///
    /// # Errors
    /// When the machine cannot be taken back, or the kernel does not lie where the
    /// boot says.
    pub fn go_back(
        &mut self,
        session: &mut Session,
        without: Option<&Omitted>,
    ) -> Result<bool, emu::machine::Error> {
        // What was kept for the user is of a boot that has everything.
        let free = session.kept().is_none();
        let Some(parts) = self.watching().filter(|_| free) else {
            return Ok(false);
        };
        let found = match without {
            None => parts.moments.earlier(),
            Some(one) => {
                let made = parts.watch.made(one.va).filter(|_| one.initcall);
                let now = session.machine().instructions();
                parts.boot.omitted.push(one.clone());
                parts.moments.back_to(made.unwrap_or(now))
            }
        };
        let Some((moment, watch)) = found else {
            return Ok(false);
        };
        session.go_to(moment)?;
        parts.watch = watch.clone();
        let kernel = &parts.prepared.firmware.kernel;
        for one in &parts.boot.omitted {
            one.apply_to(kernel, session.machine_mut(), parts.boot.loaded)?;
        }
        parts.leave_chips_to_nobody(session);
        Ok(true)
    }

    fn watching(&mut self) -> Option<&mut Parts<'a>> {
        self.0.as_mut().filter(|parts| !parts.given_up)
    }
}

impl Parts<'_> {
    /// What maps a board's chips may be among what is left out; who then asks
    /// them is to find them as absent as the others.
    fn leave_chips_to_nobody(&self, session: &mut Session) {
        if self.boot.omitted.iter().any(|one| !one.initcall) {
            session.machine_mut().leave_to_nobody(CHIPS);
        }
    }

    /// Keeps the moment, when it is time to. What was typed cannot be taken back.
    fn keep(&mut self, session: &mut Session) {
        let now = session.machine().instructions();
        let early = session.given().is_empty() && !session.has_passed(Milestone::Shell);
        if self.boot.keeps_moments && early && self.moments.is_due(now) {
            let moment = (session.moment(), self.watch.clone());
            self.moments.keep(now, moment);
        }
    }

    /// When nothing helps, the kernel is let go on to say why.
    fn remedy(&mut self, stopped: &Stopped) -> Option<Remedy> {
        let kernel = &self.prepared.firmware.kernel;
        let code = self
            .code
            .get_or_insert_with(|| Code::analyse(kernel, &code::Options::default()));
        let machines = &self.prepared.identification.machines;
        let known = Known {
            functions: Named {
                code,
                symbols: &self.prepared.symbols,
            },
            callbacks: callbacks(kernel, machines),
            boot: &self.boot,
            went_back: self.moments.went_back(),
        };
        let remedy = stopped.remedy(kernel, &known);
        self.given_up = matches!(remedy, None | Some(Remedy::Hopeless { .. }));
        remedy
    }
}

impl Parts<'_> {
    /// The UART's line, when the kernel says that a driver has it to itself: then
    /// the terminal cannot be opened.
    fn lost_line(&mut self, session: &Session) -> Option<u32> {
        let line = self.boot.uart_line?;
        let console = session.console();
        if console.len() == self.read || !session.has_passed(Milestone::Userspace) {
            return None;
        }
        // A line may have come in two pieces.
        let from = self.read.saturating_sub(OVERLAP).min(console.len());
        self.read = console.len();
        is_lost(line, &String::from_utf8_lossy(&console[from..])).then_some(line)
    }
}

/// Whether the kernel says that this interrupt is not to be had
/// (kernel/irq/manage.c, `__setup_irq`: to 3.3, and since).
fn is_lost(line: u32, text: &str) -> bool {
    let after = |words: &str| {
        let mut all = text.split(words).skip(1);
        all.any(|rest| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            // Cut off, the number may be another.
            digits < rest.len() && rest[..digits].parse() == Ok(line)
        })
    };
    after("IRQ handler type mismatch for IRQ ") || after("Flags mismatch irq ")
}

/// Functions of the board: what the machine descriptors point to, bit 0 clear.
fn callbacks(kernel: &Kernel, machines: &Machines) -> Vec<u32> {
    let fields = machines.fields.values().map(|field| field.value);
    let fields: Vec<u32> = fields.collect();
    let descriptors = machines.descriptors.iter();
    descriptors
        .flat_map(|descriptor| {
            fields
                .iter()
                .map(|field| descriptor.va.wrapping_add(*field))
        })
        .filter_map(|place| kernel.word(place))
        .map(|word| word & !1)
        .filter(|&word| kernel.offset(word).is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_lost_where_the_kernel_names_it() {
        let old = "IRQ handler type mismatch for IRQ 5\ncurrent handler: remote\n";
        let new = "genirq: Flags mismatch irq 5. 00000080 (serial) vs. 00000000 (remote)\n";
        for text in [old, new] {
            assert!(is_lost(5, text), "{text}");
            assert!(!is_lost(4, text), "{text}");
        }
        assert!(!is_lost(5, "IRQ handler type mismatch for IRQ 57\n"));
        assert!(!is_lost(5, "IRQ handler type mismatch for IRQ 5"));
    }
}
