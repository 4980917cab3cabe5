//! A transplanted kernel, started again and again: elsewhere in memory, with less
//! RAM, without a function that stops it, with another candidate of a pointer.
//!
//! Each of these changes what the next start does and is an entry of the report.

use std::time::Instant;

use emu::board::BoardConfig;
use linker::code::Code;
use linker::link::{self, OpaqueRequest};
use linker::object::Driver;
use linker::transplant::{ChipPage, Transplant};

use super::boot::{FIRST, Observer, Ran, entry, machine, make_plan, session, watch};
use super::guesses::{self, Guesses, Open};
use super::prepare::Prepared;
use super::running::{Finish, Patience, run};
use super::{Error, Settings, opaque_range, outcome, transplanting};
use crate::plan::{self, Plan, UserSpace, Wishes};
use crate::remedy::help::Help;
use crate::remedy::{Boot, Omitted, Remedy};
use crate::report::Tried;
use crate::session::Session;
use crate::userland;
use crate::verdict::reason::End;
use crate::verdict::{Milestone, fault, shell};

/// What another candidate may take to come as far as the best, in its
/// instructions, and some more.
const SLOWER: u64 = 2;
const MORE: u64 = 1_000_000_000;

/// What is different in the next start, and what came of those before.
pub(super) struct Attempts<'a> {
    settings: &'a Settings,
    prepared: &'a Prepared,
    user_space: (UserSpace<'a>, shell::Expected),
    began: Instant,
    driver: Driver,
    wishes: Wishes,
    plan: Plan,
    tried: Vec<Tried>,
    /// Ranges that the kernel uses itself, and where it said that it ends.
    refused: Vec<OpaqueRequest>,
    printed_end: Option<u32>,
    omitted: Vec<Omitted>,
    code: Option<Code>,
    guesses: Guesses,
    patience: Patience,
    best: Option<Best>,
    /// Whether nothing is left to be tried after this one.
    last: bool,
    /// The number of the next start.
    start: usize,
}

/// One start that came to its end.
struct Attempt {
    ran: Ran,
    /// The pointers that it took on trust.
    open: Vec<Open>,
    /// Whether its end is that patience was over.
    cut: bool,
}

/// The one that came furthest.
struct Best {
    attempt: Attempt,
    /// What it stands for in the report, once it is surpassed.
    entries: Vec<Tried>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        prepared: &'a Prepared,
        user_space: (UserSpace<'a>, shell::Expected),
        began: Instant,
    ) -> Result<Self, Error> {
        let wishes = settings.wishes.clone();
        Ok(Self {
            driver: transplanting::driver(&prepared.firmware.kernel, settings.driver.as_ref())?,
            plan: make_plan(&wishes, settings, prepared, user_space.0, None)?,
            settings,
            prepared,
            user_space,
            began,
            wishes,
            tried: Vec::new(),
            refused: Vec::new(),
            printed_end: None,
            omitted: Vec::new(),
            code: None,
            guesses: Guesses::default(),
            patience: Patience::WhileItGetsOn,
            best: None,
            last: false,
            start: FIRST,
        })
    }

    /// Starts it until it comes to its goal or nothing is left to try.
    pub(super) fn run(mut self, observer: &mut dyn Observer) -> Result<Ran, Error> {
        loop {
            let ran = match self.once(observer) {
                Ok(Some(attempt)) => self.judge(attempt),
                Ok(None) => None,
                // A driver that does not link without a pointer.
                Err(Error::Link(_)) if self.best.is_some() => self.advance(),
                Err(error) => return Err(error),
            };
            if let Some(mut ran) = ran {
                ran.tried = self.tried;
                return Ok(ran);
            }
        }
    }

    /// The boot that counts, or nothing when another candidate is to be tried.
    fn judge(&mut self, attempt: Attempt) -> Option<Ran> {
        let Some(end) = attempt.ran.end.as_ref().filter(|_| !self.last) else {
            // What came of the others was no use.
            let old = self.best.take();
            self.surpassed(old);
            return Some(attempt.ran);
        };
        if attempt.open.is_empty() && self.best.is_none() {
            return Some(attempt.ran);
        }
        let reached = attempt.ran.session.furthest();
        let out_of_time = matches!(end, End::WallTime(_) | End::Stopped);
        let standing = (reached, *end != End::Unanswered);
        let better = self.guesses.note(standing, &attempt.open);
        let entries = self.guesses.tried(&attempt.open, reached);
        let best = match self.best.take() {
            Some(best) if !better => {
                self.tried.extend(entries);
                best
            }
            old => {
                self.surpassed(old);
                Best { attempt, entries }
            }
        };
        if out_of_time {
            return Some(best.attempt.ran);
        }
        self.best = Some(best);
        self.advance()
    }

    fn surpassed(&mut self, best: Option<Best>) {
        let entries = best.into_iter().flat_map(|best| best.entries);
        self.tried.extend(entries);
    }

    /// Goes on with another candidate. When there is none, the best is what counts;
    /// if it was cut, it gets all the time there is.
    fn advance(&mut self) -> Option<Ran> {
        self.omitted.clear();
        let best = self.best.take()?;
        if self.guesses.advance() {
            let session = &best.attempt.ran.session;
            let counts = session.passed().iter().map(|passed| passed.instructions);
            let most = counts.max().unwrap_or(0).saturating_mul(SLOWER);
            self.patience = Patience::Beyond(session.furthest(), most.saturating_add(MORE));
            self.best = Some(best);
            return None;
        }
        self.last = true;
        self.patience = Patience::Endless;
        (!best.attempt.cut).then_some(best.attempt.ran)
    }

    /// One start; nothing when there is a reason for another.
    fn once(&mut self, observer: &mut dyn Observer) -> Result<Option<Attempt>, Error> {
        let kernel = &self.prepared.firmware.kernel;
        let ranges =
            opaque_range::candidates(kernel.facts.page_offset, self.plan.ram, self.printed_end);
        let free = |range: &&OpaqueRequest| !self.refused.contains(range);
        let Some(range) = ranges.iter().find(free).copied() else {
            return Err(Error::Usage(format!(
                "opaque memory: no range of {} is free; use another --ram",
                ranges.len()
            )));
        };
        let others = self.refused.len() + 1 < ranges.len();
        let choices = self.guesses.choices();
        let machine = (self.plan.ram, self.user_space.0, self.wishes.uart_line);
        let transplant =
            match transplanting::link(self.prepared, &self.driver, range, machine, choices) {
                Err(link::Error::Overlap { .. } | link::Error::Range { .. }) if others => {
                    self.refuse(range, None);
                    return Ok(None);
                }
                other => other?,
            };
        let open = guesses::open(&self.prepared.identification, &transplant);
        if open.is_empty() && self.best.is_none() {
            self.patience = Patience::Endless;
        }
        let mut session = self.started(&transplant, observer)?;
        let doubtful = match self.patience {
            Patience::Endless => Vec::new(),
            _ => open.iter().map(|one| one.chosen & !1).collect(),
        };
        let boot = Boot {
            omitted: &self.omitted,
            doubtful,
            can_shrink: self.wishes.ram_mib.is_none() && less_ram(self.plan.ram),
            uart_line: transplanting::uart_line(&transplant),
        };
        let mut help = Help::new(&mut session, self.prepared, boot, &mut self.code)?;
        let patience = self.patience;
        let finish = run(self.settings, &mut session, &mut help, patience, observer)?;
        let cut = matches!(finish, Finish::Cut(_));
        let end = match finish {
            Finish::End(end) => end,
            Finish::Cut(end) => Some(end),
            Finish::Again(remedy) => match self.help(remedy, &session)? {
                Some(end) => Some(end),
                None => return Ok(None),
            },
            Finish::Conflict(_) if others => {
                self.refuse(range, session.furthest());
                let messages = outcome::messages(&session, self.prepared, &self.plan);
                self.printed_end = opaque_range::printed_end(&messages.text);
                return Ok(None);
            }
            Finish::Conflict(va) => Some(End::Conflict { va }),
        };
        let choices = open.iter().map(|one| (one.name.clone(), one.chosen));
        let ran = Ran {
            plan: self.plan.clone(),
            choices: choices.collect(),
            transplant: Some(transplant),
            session,
            start: self.start - 1,
            tried: Vec::new(),
            omitted: self.omitted.clone(),
            end,
        };
        Ok(Some(Attempt { ran, open, cut }))
    }

    /// The machine with the transplanted kernel in it, at its entry.
    fn started(
        &mut self,
        transplant: &Transplant,
        observer: &mut dyn Observer,
    ) -> Result<Session, Error> {
        let kernel = &self.prepared.firmware.kernel;
        if let Some(uart) = transplanting::unserved_uart(transplant) {
            self.plan = self.new_plan(Some(uart))?;
        }
        let mut bytes = kernel.bytes.clone();
        transplant.apply(&mut bytes, kernel.base)?;
        plan::command_line::replace_built_in(&mut bytes, &self.plan.command_line);
        let machines = &self.prepared.identification.machines;
        userland::accept_new_calls(&mut bytes, kernel.base, machines);
        for one in &self.omitted {
            one.apply(kernel, &mut bytes);
        }
        let map = BoardConfig::Transplant(transplanting::opaque_map(transplant, self.user_space.0));
        let machine = machine(&self.plan, map, &bytes)?;
        let (expected, start) = (self.user_space.1, self.start);
        self.start += 1;
        let mut session = session(self.settings, machine, expected, self.began, start);
        observer.linked(transplant)?;
        let init_irq = transplanting::forward(transplant, "machine_desc.init_irq");
        watch(&mut session, self.prepared, init_irq)?;
        session.start(entry(&self.plan));
        observer.started(&self.plan, &self.tried);
        Ok(session)
    }

    /// Changes what a remedy says; the end of it all when that cannot be done.
    fn help(&mut self, remedy: Remedy, session: &Session) -> Result<Option<End>, Error> {
        let (what, value) = match remedy {
            Remedy::AnotherPointer => return Ok(Some(End::Fault)),
            Remedy::LessRam if self.settings.wishes.ram_mib.is_some() => {
                return Ok(Some(End::Fault));
            }
            Remedy::LessRam if !less_ram(self.plan.ram) => return Ok(Some(End::Fault)),
            Remedy::LessRam => {
                let size = self.plan.ram.size;
                self.wishes.ram_mib = Some(size >> 21);
                self.plan = self.new_plan(None)?;
                ("ram", format!("{} MiB", size >> 20))
            }
            Remedy::ChipMemory(page) => {
                self.wishes.chip_memory = Some(page);
                self.plan = self.new_plan(None)?;
                ("memory", format!("{page:#010x}"))
            }
            Remedy::AnotherLine(line) => {
                let Some(next) = next_line(line) else {
                    return Ok(Some(End::Fault));
                };
                self.wishes.uart_line = Some(next);
                ("uart line", line.to_string())
            }
            Remedy::Without(mut one) => {
                let messages = outcome::messages(session, self.prepared, &self.plan);
                if let Some(fault) = fault::find(&messages.text) {
                    one.why = fault.summary;
                }
                let name = one.name.clone();
                self.omitted.push(one);
                ("whole", name)
            }
        };
        self.tried.push(Tried {
            what: what.to_owned(),
            value,
            reached: session.furthest(),
        });
        Ok(None)
    }

    fn new_plan(&self, uart: Option<&ChipPage>) -> Result<Plan, Error> {
        let user_space = self.user_space.0;
        make_plan(&self.wishes, self.settings, self.prepared, user_space, uart)
    }

    fn refuse(&mut self, range: OpaqueRequest, reached: Option<Milestone>) {
        self.refused.push(range);
        self.tried.push(Tried {
            what: "opaque".to_owned(),
            value: format!("{:#010x}", range.base),
            reached,
        });
    }
}

/// The line for the UART after one that a driver of the device's has taken.
fn next_line(line: u32) -> Option<u32> {
    /// Of those that the driver serves (`driver/src/chips/pl190.rs`), wide apart, for
    /// a device's chips of one kind have lines side by side.
    const OTHERS: [u32; 3] = [14, 9, 2];
    match OTHERS.iter().position(|&one| one == line) {
        None => Some(OTHERS[0]),
        Some(at) => OTHERS.get(at + 1).copied(),
    }
}

/// Whether half of it is still enough for a kernel.
fn less_ram(ram: plan::Ram) -> bool {
    const LEAST: u32 = 128 << 20;
    ram.size / 2 >= LEAST
}
