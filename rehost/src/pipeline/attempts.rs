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

use super::boot::{FIRST, Observer, Ran, entry, machine, make_plan, replay_at, session, watch};
use super::guesses::{self, Guesses, Open};
use super::prepare::Prepared;
use super::running::{Bounds, Finish, Patience, run};
use super::{Error, Settings, opaque_range, outcome, transplanting};
use crate::plan::{self, Plan, UserSpace, Wishes};
use crate::remedy::help::Help;
use crate::remedy::{Boot, Omitted, Remedy};
use crate::report::Tried;
use crate::session::Session;
use crate::session::moment::Moment;
use crate::userland;
use crate::verdict::reason::{End, Later};
use crate::verdict::{Milestone, fault, shell};

/// What another candidate may take to come as far as the best, in its
/// instructions, and some more.
const SLOWER: u64 = 2;
const MORE: u64 = 300_000_000;

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
    /// The furthest of the starts that something was left out after.
    furthest: Option<Ran>,
    /// Instructions of all starts.
    spent: u64,
    command_lines: Vec<String>,
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
    /// Whether more patience, or more trust, might bring it further.
    cut: bool,
    /// How it ended, if it was not to be tried any more.
    over: Option<End>,
}

/// How a machine ended, and whether more patience might bring it further; nothing when
/// it is to start over.
type Done = Option<(Option<End>, bool)>;

/// Where a start was before it went back to an earlier moment.
struct Stand {
    moment: Moment,
    end: End,
    omitted: Vec<Omitted>,
    start: usize,
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
            furthest: None,
            spent: 0,
            command_lines: Vec::new(),
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
        let Some(end) = attempt.ran.end.clone().filter(|_| !self.last) else {
            // What came of the others was no use.
            let old = self.best.take();
            self.surpassed(old);
            return Some(self.settle(attempt.ran, attempt.over));
        };
        if attempt.open.is_empty() && self.best.is_none() {
            return Some(self.settle(attempt.ran, attempt.over));
        }
        let reached = attempt.ran.session.furthest();
        let over = attempt.over.clone();
        let standing = (reached, end != End::Unanswered);
        let better = self.guesses.note(standing, &attempt.open);
        let entries = self.guesses.tried(&attempt.open, reached);
        let best = match self.best.take() {
            Some(mut best) if !better => {
                self.tried.extend(entries);
                best.attempt.ran.later = over.as_ref().map(|end| Later::of(Some(end)));
                best
            }
            old => {
                self.surpassed(old);
                Best { attempt, entries }
            }
        };
        if over.is_some() {
            return Some(self.settle(best.attempt.ran, over));
        }
        self.best = Some(best);
        self.advance()
    }

    /// Keeps a boot that is not to be gone on with, if it is the furthest of those.
    fn consider(&mut self, ran: Ran) {
        let reached = |ran: &Ran| ran.session.furthest();
        if self
            .furthest
            .as_ref()
            .is_none_or(|old| reached(&ran) >= reached(old))
        {
            self.furthest = Some(ran);
        }
    }

    /// The boot that is reported: this one, unless it missed its goal and an earlier
    /// one came further. `over` is how the last ended, if no more was to be tried.
    fn settle(&mut self, ran: Ran, over: Option<End>) -> Ran {
        let reached = ran.session.furthest();
        let further = |other: &mut Ran| other.session.furthest() > reached;
        match self.furthest.take_if(further).filter(|_| ran.end.is_some()) {
            Some(other) => Ran {
                later: Some(Later::of(over.as_ref())),
                ..other
            },
            None => ran,
        }
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
        if best.attempt.cut {
            self.consider(best.attempt.ran);
            return None;
        }
        Some(self.settle(best.attempt.ran, None))
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
            _ => doubtful(&open),
        };
        let boot = Boot {
            omitted: self.omitted.clone(),
            doubtful,
            can_shrink: self.wishes.ram_mib.is_none() && less_ram(self.plan.ram),
            loaded: self.plan.entry,
            keeps_moments: self.start > FIRST + 1,
            uart_line: transplanting::uart_line(&transplant),
        };
        let code = self.code.take();
        let mut help = Help::new(&mut session, self.prepared, boot, code)?;
        let plan = self.plan.clone();
        let (done, mut stand) =
            self.run_machine(&mut session, &mut help, (range, others), observer)?;
        self.code = help.into_code();
        let choices = open.iter().map(|one| (one.name.clone(), one.chosen));
        let mut ran = Ran {
            plan,
            choices: choices.collect(),
            transplant: Some(transplant),
            session,
            start: self.start - 1,
            tried: Vec::new(),
            omitted: self.omitted.clone(),
            end: None,
            later: None,
            command_lines: self.command_lines.clone(),
        };
        let Some((end, cut)) = done else {
            if let Some(stand) = stand {
                stand.take(&mut ran)?;
                self.consider(ran);
            }
            return Ok(None);
        };
        let over = end.clone().filter(is_over);
        ran.end = end;
        let reached = ran.session.furthest();
        let further = |stand: &mut Stand| stand.moment.furthest() > reached;
        if ran.end.is_some()
            && let Some(stand) = stand.take_if(further)
        {
            ran.later = Some(Later::of(over.as_ref()));
            stand.take(&mut ran)?;
        }
        Ok(Some(Attempt {
            ran,
            open,
            cut,
            over,
        }))
    }

    /// Runs a started machine, and takes it back each time that something is left out,
    /// as long as there is a moment for that. `others`: whether the driver may lie
    /// elsewhere.
    fn run_machine(
        &mut self,
        session: &mut Session,
        help: &mut Help,
        (range, others): (OpaqueRequest, bool),
        observer: &mut dyn Observer,
    ) -> Result<(Done, Option<Stand>), Error> {
        let mut stand = None;
        let done = loop {
            let remedy = match self.go_on(session, help, observer)? {
                Finish::Again(Remedy::AnotherPointer) => break Some((Some(End::Fault), true)),
                Finish::Again(remedy) => remedy,
                // Only a whole start tells whether that is the moment's doing.
                Finish::End(Some(end)) if help.went_back() && !is_over(&end) => {
                    self.note(&mut stand, session, end);
                    break None;
                }
                Finish::End(end) => break Some((end, false)),
                Finish::Cut(end) => break Some((Some(end), true)),
                Finish::Conflict(_) if others => {
                    self.refuse(range, session.furthest());
                    let messages = outcome::messages(session, self.prepared, &self.plan);
                    self.printed_end = opaque_range::printed_end(&messages.text);
                    break None;
                }
                Finish::Conflict(va) => break Some((Some(End::Conflict { va }), false)),
            };
            let end = match &remedy {
                Remedy::Without(one) => End::LeftOut {
                    name: one.name.clone(),
                    why: one.why.clone(),
                },
                _ => End::Fault,
            };
            let earlier = remedy == Remedy::Earlier;
            let same_machine = remedy.is_for_this_machine();
            if !earlier {
                self.note(&mut stand, session, end);
                if let Some(end) = self.help(remedy, session)? {
                    break Some((Some(end), false));
                }
            }
            let without = self.omitted.last().filter(|_| !earlier);
            if !same_machine || !help.go_back(session, without)? {
                break None;
            }
            replay_at(self.settings, session, self.start);
            self.start += 1;
            observer.went_back(session, &self.tried);
        };
        Ok((done, stand))
    }

    /// Runs it to its end, or to a reason for another start, and counts what that takes.
    fn go_on(
        &mut self,
        session: &mut Session,
        help: &mut Help,
        observer: &mut dyn Observer,
    ) -> Result<Finish, Error> {
        let began = session.machine().instructions();
        let left = self.settings.limits.tries;
        let bounds = Bounds {
            patience: self.patience,
            left: left.map(|most| most.saturating_sub(self.spent)),
        };
        let finish = run(self.settings, session, help, bounds, observer)?;
        let spent = session.machine().instructions().saturating_sub(began);
        self.spent = self.spent.saturating_add(spent);
        Ok(finish)
    }

    /// Keeps where a start is that is about to go back, if it came further than
    /// before.
    fn note(&self, stand: &mut Option<Stand>, session: &mut Session, end: End) {
        let reached = session.furthest();
        if stand
            .as_ref()
            .is_none_or(|old| reached >= old.moment.furthest())
        {
            *stand = Some(Stand {
                moment: session.moment(),
                end,
                omitted: self.omitted.clone(),
                start: self.start - 1,
            });
        }
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
        self.command_lines =
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
            Remedy::AnotherPointer | Remedy::Earlier | Remedy::Hopeless { .. } => {
                return Ok(Some(End::Fault));
            }
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

impl Stand {
    /// Makes a boot what it was then.
    fn take(self, ran: &mut Ran) -> Result<(), Error> {
        ran.session.go_to(&self.moment)?;
        ran.end = Some(self.end);
        ran.omitted = self.omitted;
        ran.start = self.start;
        Ok(())
    }
}

/// Whether nothing more is to be tried after such an end.
fn is_over(end: &End) -> bool {
    matches!(end, End::WallTime(_) | End::Instructions(_) | End::Stopped)
}

/// Functions that the driver took on trust, bit 0 clear. What only shows that the kernel
/// has a driver of its own is called by that one, if at all.
fn doubtful(open: &[Open]) -> Vec<u32> {
    let called = open.iter().filter(|one| !guesses::is_presence(&one.name));
    called.map(|one| one.chosen & !1).collect()
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
