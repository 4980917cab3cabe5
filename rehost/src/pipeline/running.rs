//! Runs a started machine until its goal, its limits, or a reason to start over.

use std::time::Duration;

use emu::clock::Time;
use emu::machine::Error as Refusal;

use super::boot::{Control, Observer, STRETCH, STRETCH_TIME};
use super::{Error, Limits, Settings};
use crate::remedy::Remedy;
use crate::remedy::help::Help;
use crate::session::typing::Typist;
use crate::session::{Event, Session};
use crate::verdict::reason::End;
use crate::verdict::{Milestone, fault};

/// Virtual time that a kernel gets to say more after a panic.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Virtual time without a milestone and without a word on the console, after which
/// another pointer is tried.
const STANDSTILL: Duration = Duration::from_secs(20);
/// The same where user space runs and nothing was ever seen of a console: what it says
/// first goes there, and nobody will read it.
const NO_CONSOLE: Duration = Duration::from_secs(2);
/// Console output that is read once more when there is new: more than a line.
const OVERLAP: usize = 256;

/// How a run came to its end.
pub(super) enum Finish {
    /// At the goal, or by the user, or for this reason.
    End(Option<End>),
    /// Patience was over.
    Cut(End),
    /// The kernel mapped something into opaque memory.
    Conflict(u32),
    /// Something is to be different in the next.
    Again(Remedy),
}

/// How long a run may last that could be repeated with another pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as the limits allow.
    Endless,
    /// While the kernel gets on, at its own pace.
    WhileItGetsOn,
    /// The same, and up to so many instructions unless it comes further than
    /// this milestone.
    Beyond(Option<Milestone>, u64),
}

impl Patience {
    /// Why it is over.
    fn over(self, session: &Session) -> Option<End> {
        if self == Patience::Endless || session.has_passed(Milestone::Shell) {
            return None;
        }
        let count = session.machine().instructions();
        if let Patience::Beyond(milestone, most) = self
            && session.furthest() <= milestone
            && count > most
        {
            return Some(End::Instructions(most));
        }
        let last = session.passed().last().map_or(0, |passed| passed.at.0);
        let still = Duration::from_nanos(session.now().0.saturating_sub(last));
        let still = still.min(session.silence());
        let mute = session.has_passed(Milestone::Userspace) && session.console().is_empty();
        let most = if mute { NO_CONSOLE } else { STANDSTILL };
        (still > most).then_some(End::VirtualTime(most.as_secs_f64()))
    }
}

/// How long one start may last, as those before it decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long it is worth while.
    pub(super) patience: Patience,
    /// The instructions that are left for all starts, up to a shell.
    pub(super) left: Option<u64>,
}

impl Bounds {
    /// For a machine that is not started over.
    const NONE: Bounds = Bounds {
        patience: Patience::Endless,
        left: None,
    };
}

/// Runs a started machine to its end.
pub(super) fn run(
    settings: &Settings,
    session: &mut Session,
    help: &mut Help,
    bounds: Bounds,
    observer: &mut dyn Observer,
) -> Result<Finish, Error> {
    let Bounds { patience, left } = bounds;
    let began = session.machine().instructions();

    let mut typist = settings.input.as_deref().map(Typist::new);
    let mut panic = PanicWatch::default();
    let mut looked = Looked::default();
    loop {
        if let Some(typist) = &mut typist {
            typist.advance(session);
        }
        let control = observer.between(session)?;
        if control == Control::Done {
            return Ok(Finish::End(None));
        }
        if control == Control::Stop {
            // Without a goal that is the way it ends.
            let missed = settings.goal.is_some() && !reached(settings, session, &typist);
            return Ok(Finish::End(missed.then_some(End::Stopped)));
        }
        if observer.took_back() {
            // What was noted is of a future that need not come.
            *help = Help::none();
            panic = PanicWatch::default();
        }
        if reached(settings, session, &typist) && !observer.goes_on() {
            let answered = typist.is_none_or(|typist| typist.answered(session));
            return Ok(Finish::End((!answered).then_some(End::Unanswered)));
        }
        if let Some(end) = used_up(&settings.limits, session) {
            return Ok(Finish::End(Some(end)));
        }
        let spent = session.machine().instructions().saturating_sub(began);
        if left.is_some_and(|left| spent >= left) && !session.has_passed(Milestone::Shell) {
            return Ok(Finish::End(settings.limits.tries.map(End::Instructions)));
        }
        if let Some(end) = patience.over(session) {
            return Ok(Finish::Cut(end));
        }
        // Without a goal the user sees what happens, and decides what it means.
        let judged = settings.goal.is_some()
            || patience != Patience::Endless && !session.has_passed(Milestone::Shell);
        if judged && panic.is_over(session) {
            return Ok(Finish::End(Some(End::Fault)));
        }
        let advanced = match control {
            Control::Step => session.step(),
            _ => session.advance(observer.stretch(), observer.horizon(session)),
        };
        if control == Control::Step {
            observer.stopped(None);
        }
        let event = match advanced {
            Err(error @ Refusal::Processor { .. }) => {
                return Ok(Finish::End(Some(End::Refused(error.to_string()))));
            }
            other => other?,
        };
        match event {
            Event::Ran => {}
            Event::Stopped(hit) => observer.stopped(hit.as_ref()),
            Event::Excepted(exception) => observer.excepted(exception),
            Event::Trapped { va, at } => {
                if let Some(one) = help.trapped(session, va, &at) {
                    return Ok(Finish::Again(one));
                }
            }
            Event::Unserved { at } => {
                if let Some(one) = help.unserved(session, &at) {
                    return Ok(Finish::Again(one));
                }
            }
            Event::Passed(passed) => {
                help.passed(session);
                observer.passed(&passed);
            }
            Event::Conflict { va } => return Ok(Finish::Conflict(va)),
            Event::Ended => return Ok(Finish::End(judged.then_some(End::Reset))),
            Event::Stuck => {
                if let Some(one) = help.stuck(session) {
                    return Ok(Finish::Again(one));
                }
                return Ok(Finish::End(judged.then_some(End::Stuck)));
            }
            Event::Asleep if judged && !session.is_typing() => {
                return Ok(Finish::End(Some(End::Asleep)));
            }
            Event::Asleep => observer.asleep(),
        }
        // A guest that is stopped all the time is looked at all the same.
        let stopped = matches!(event, Event::Stopped(_) | Event::Excepted(_));
        if (stopped || event == Event::Ran) && looked.is_due(session) {
            match help.look(session) {
                Some(Remedy::Hopeless { why }) if judged => {
                    return Ok(Finish::End(Some(End::Hopeless(why))));
                }
                None | Some(Remedy::Hopeless { .. }) => {}
                Some(one) => return Ok(Finish::Again(one)),
            }
            if let (true, Event::Passed(passed)) = (stopped, session.look_for_shell()) {
                observer.passed(&passed);
            }
        }
    }
}

/// The same for a machine that nobody helps and that is not started over.
pub(super) fn run_alone(
    settings: &Settings,
    session: &mut Session,
    observer: &mut dyn Observer,
) -> Result<Option<End>, Error> {
    let mut help = Help::none();
    Ok(
        match run(settings, session, &mut help, Bounds::NONE, observer)? {
            Finish::End(end) => end,
            Finish::Cut(end) => Some(end),
            Finish::Conflict(va) => Some(End::Conflict { va }),
            // Without help there is nothing to be tried.
            Finish::Again(_) => None,
        },
    )
}

/// When a running guest was looked at last.
#[derive(Default)]
struct Looked {
    instructions: u64,
    at: Time,
}

impl Looked {
    /// Whether it has run for a stretch since.
    fn is_due(&mut self, session: &Session) -> bool {
        let (instructions, at) = (session.machine().instructions(), session.now());
        let due = instructions.wrapping_sub(self.instructions) >= STRETCH
            || at.0.wrapping_sub(self.at.0) >= STRETCH_TIME.as_nanos() as u64;
        if due {
            *self = Self { instructions, at };
        }
        due
    }
}

/// Notices in the console's output that the kernel has panicked.
#[derive(Default)]
struct PanicWatch {
    /// How much of the console was read.
    read: usize,
    since: Option<Time>,
}

impl PanicWatch {
    /// Whether the kernel panicked and had time to say where it was.
    fn is_over(&mut self, session: &Session) -> bool {
        if let Some(since) = self.since {
            return session.now().0 - since.0 >= LAST_WORDS.as_nanos() as u64;
        }
        let console = session.console();
        if console.len() != self.read {
            // A line may have come in two pieces.
            let from = self.read.min(console.len()).saturating_sub(OVERLAP);
            let text = String::from_utf8_lossy(&console[from..]);
            if fault::find(&text).is_some_and(|fault| fault.fatal) {
                self.since = Some(session.now());
            }
            self.read = console.len();
        }
        false
    }
}

/// Whether the goal is reached, with all input answered if there is any.
fn reached(settings: &Settings, session: &Session, typist: &Option<Typist>) -> bool {
    let Some(goal) = settings.goal else {
        return false;
    };
    // A milestone that cannot be observed on this kernel is passed when a later
    // one is.
    let passed = session.furthest().is_some_and(|furthest| furthest >= goal);
    if settings.replay.is_some() {
        return passed && session.is_replayed();
    }
    let answered = match typist {
        Some(typist) if goal == Milestone::Shell => typist.done(session),
        _ => true,
    };
    passed && answered
}

fn used_up(limits: &Limits, session: &Session) -> Option<End> {
    let seconds = |limit: Duration| limit.as_secs_f64();
    if let Some(limit) = limits.wall.filter(|&limit| session.wall() >= limit) {
        return Some(End::WallTime(seconds(limit)));
    }
    let count = session.machine().instructions();
    if let Some(limit) = limits.instructions.filter(|&limit| count >= limit) {
        return Some(End::Instructions(limit));
    }
    let now = u128::from(session.now().0);
    let limit = limits
        .virtual_time
        .filter(|limit| now >= limit.as_nanos())?;
    Some(End::VirtualTime(seconds(limit)))
}
