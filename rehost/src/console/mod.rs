//! The console of a run is the terminal's: keys go to the guest, its output to
//! the screen, and a guest that waits costs no processor time.
//!
//! * [`terminal`]: raw mode, and waiting for a key
//! * [`keys`]: Ctrl-A and what follows it
//! * [`pace`]: virtual time held back to wall time
//! * [`monitor`]: questions about the machine

pub mod keys;
pub mod monitor;
pub mod pace;
pub mod terminal;

use std::time::{Duration, Instant};

use emu::clock::Time;
use linker::transplant::Transplant;

use crate::cli::print_bytes;
use crate::names::Names;
use crate::pipeline::Error;
use crate::pipeline::boot::{Control, Observer};
use crate::plan::Plan;
use crate::report::Tried;
use crate::session::{Passed, Session};
use crate::verdict::Milestone;
use keys::{Action, Keys};
use monitor::Monitor;
use pace::Pace;
use terminal::Terminal;

/// A guest that has said nothing for this long of virtual time before it came to
/// a shell is held back, too: it may never come to one.
const LONG_SILENCE: Duration = Duration::from_secs(30);

/// How long a key is waited for when nothing else can wake the guest.
const NAP: Duration = Duration::from_millis(200);

/// A person at the terminal.
pub struct Console {
    monitor: Monitor,
    /// Of the kernel.
    release: String,
    terminal: Terminal,
    keys: Keys,
    pace: Pace,
    /// Nothing but a key can wake the guest up.
    asleep: bool,
}

impl Console {
    /// Takes the terminal over; it is given back when this is dropped.
    pub fn new(names: Names, release: &str) -> Result<Self, Error> {
        let terminal = Terminal::raw().map_err(|source| Error::Io {
            what: "the terminal".to_owned(),
            source: source.into(),
        })?;
        Ok(Self {
            monitor: Monitor::new(names),
            release: release.to_owned(),
            terminal,
            keys: Keys::default(),
            pace: Pace::default(),
            asleep: false,
        })
    }

    /// The run does not start but goes on.
    pub fn goes_on(&self) -> Result<(), Error> {
        say(&format!(
            "[ecmo: Linux {} goes on; Ctrl-A X ends, Ctrl-A H shows the other keys]\r\n",
            self.release
        ))
    }

    /// Does what the keys say. Returns whether the user wants to go on.
    fn obey(&mut self, typed: &[u8], session: &mut Session) -> Result<Control, Error> {
        for action in self.keys.read(typed) {
            match action {
                Action::Type(bytes) => session.type_in(&bytes),
                Action::End => return Ok(Control::Stop),
                Action::Help => say(keys::HELP)?,
                Action::Monitor => {
                    self.terminal.cooked();
                    let control = self.monitor.talk(session)?;
                    self.terminal.raw_again();
                    self.pace.start(session.now(), Instant::now());
                    if control == Control::Stop {
                        return Ok(Control::Stop);
                    }
                }
            }
        }
        Ok(Control::Continue)
    }
}

impl Observer for Console {
    fn started(&mut self, plan: &Plan, tried: &[Tried]) {
        let mut text = String::new();
        if !tried.is_empty() {
            text += "[ecmo: the kernel uses the driver's memory; starting over elsewhere]\r\n";
        }
        text += &format!(
            "[ecmo: Linux {} on {}; Ctrl-A X ends, Ctrl-A H shows the other keys]\r\n",
            self.release,
            plan.cpu.model.name()
        );
        self.pace = Pace::default();
        // The run goes on without this line when the terminal is gone.
        let _ = say(&text);
    }

    fn went_back(&mut self, _session: &Session, tried: &[Tried]) {
        let without = tried.last().map_or("it", |tried| &tried.value);
        self.pace = Pace::default();
        // As in `started`.
        let _ = say(&format!(
            "\r\n[ecmo: going back, to do without {without}]\r\n"
        ));
    }

    fn passed(&mut self, passed: &Passed) {
        if passed.milestone == Milestone::Shell {
            self.pace.start(passed.at, Instant::now());
        }
    }

    fn between(&mut self, session: &mut Session) -> Result<Control, Error> {
        print_bytes(session.fresh_output())?;
        let idle = session.silence() >= LONG_SILENCE || session.has_passed(Milestone::Shell);
        if !self.pace.is_held() && idle {
            self.pace.start(session.now(), Instant::now());
        }
        let mut wait = self.pace.ahead(session.now(), Instant::now());
        if std::mem::take(&mut self.asleep) {
            wait = wait.max(NAP);
        }
        let typed = self.terminal.read(wait).map_err(|source| Error::Io {
            what: "the terminal".to_owned(),
            source: source.into(),
        })?;
        match typed {
            terminal::Typed::Nothing => Ok(Control::Continue),
            terminal::Typed::Bytes(bytes) => {
                if !self.pace.is_held() {
                    self.pace.start(session.now(), Instant::now());
                }
                self.obey(&bytes, session)
            }
            terminal::Typed::End => Ok(Control::Stop),
        }
    }

    fn took_back(&mut self) -> bool {
        self.monitor.took_back()
    }

    fn linked(&mut self, transplant: &Transplant) -> Result<(), Error> {
        self.monitor.linked(transplant);
        Ok(())
    }

    fn asleep(&mut self) {
        self.asleep = true;
    }

    fn horizon(&self, session: &Session) -> Time {
        self.pace.horizon(session.now())
    }
}

fn say(text: &str) -> Result<(), Error> {
    print_bytes(text.as_bytes())
}
