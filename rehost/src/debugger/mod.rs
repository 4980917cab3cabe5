//! GDB at a running guest: `ecmo run --gdb`.
//!
//! GDB's protocol is spoken by a thread of its own (`server`, with the crate
//! `gdbstub`). It never touches the machine: what it wants done is sent as a
//! closure to the run's thread, which does it between two stretches of running
//! ([`Debugger`], an observer around the one that shows the console). So the
//! console goes on working, and a guest that nobody stops runs as it would
//! without a debugger.
//!
//! * `server`: connections, and waiting for the guest to stop
//! * `target`: what GDB can ask for
//! * [`history`]: going back, by moments that are kept and run on from

pub mod history;
mod server;
mod target;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use emu::clock::Time;
use emu::machine::debug::{Hit, Watchpoint};
use linker::transplant::Transplant;

use crate::console::monitor::Monitor;
use crate::names::Names;
use crate::pipeline::Error;
use crate::pipeline::boot::{Control, Observer};
use crate::pipeline::prepare::Prepared;
use crate::plan::Plan;
use crate::report::Tried;
use crate::session::{Passed, Session};
use history::History;

/// How long the debugger is waited for before the console gets its turn.
const TURN: Duration = Duration::from_millis(20);

/// Something that the debugger wants done with the guest.
type Job = Box<dyn FnOnce(&mut Session, &mut State) + Send>;

/// Why the guest stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// A breakpoint.
    Break,
    /// An access that is watched.
    Watch(Hit),
    /// One instruction has run.
    Step,
    /// Going back came to the start of what is known.
    Beginning,
    /// Going back came to where it was asked to.
    Back,
}

/// How the guest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It stands still for the debugger.
    Halted,
    /// It runs one instruction.
    Stepping,
    /// It runs.
    Free,
    /// It is to be ended.
    Killed,
}

/// What the debugger has said.
struct State {
    pace: Pace,
    stops: Sender<Stop>,
    breakpoints: BTreeSet<u32>,
    watchpoints: BTreeSet<Watchpoint>,
    /// The machine may have others.
    stale: bool,
    history: History,
    /// The guest went back.
    back: bool,
    monitor: Monitor,
}

impl State {
    fn halt(&mut self, stop: Stop) {
        self.pace = Pace::Halted;
        // A debugger that has gone needs no answer.
        let _ = self.stops.send(stop);
    }

    /// Gives the machine the breakpoints and watchpoints that it is to have.
    fn set_stops(&mut self, session: &mut Session) -> Result<(), emu::machine::Error> {
        if !std::mem::take(&mut self.stale) {
            return Ok(());
        }
        let machine = session.machine_mut();
        machine.set_stops(&self.breakpoints, &self.watchpoints)
    }
}

/// The run's side: an observer around another one.
pub struct Debugger<'a> {
    inner: &'a mut dyn Observer,
    prepared: Option<&'a Prepared>,
    address: SocketAddr,
    folder: PathBuf,
    jobs: Receiver<Job>,
    state: State,
    /// The user was told how to connect.
    told: bool,
}

impl<'a> Debugger<'a> {
    /// Listens at an address; port 0 lets the system choose one. The guest waits at
    /// its first instruction. Files for GDB go to `folder`.
    pub fn new(
        address: &str,
        folder: PathBuf,
        names: Names,
        prepared: Option<&'a Prepared>,
        inner: &'a mut dyn Observer,
    ) -> Result<Self, Error> {
        let io = |source| Error::Io {
            what: format!("--gdb {address}"),
            source,
        };
        let listener = TcpListener::bind(address).map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let (jobs, received) = mpsc::channel();
        let (stops, stopped) = mpsc::channel();
        std::thread::spawn(move || server::serve(&listener, &jobs, &stopped));
        Ok(Self {
            inner,
            prepared,
            address,
            folder,
            jobs: received,
            state: State {
                pace: Pace::Halted,
                stops,
                breakpoints: BTreeSet::new(),
                watchpoints: BTreeSet::new(),
                stale: false,
                history: History::default(),
                back: false,
                monitor: Monitor::new(names),
            },
            told: false,
        })
    }

    /// Says how to connect, and writes it as commands for GDB.
    fn tell(&mut self, has_symbols: bool) -> Result<(), Error> {
        if std::mem::replace(&mut self.told, true) {
            return Ok(());
        }
        let script = self.folder.join("ecmo.gdb");
        write_script(&self.folder, &script, self.address, has_symbols).map_err(|source| {
            Error::Io {
                what: script.display().to_string(),
                source,
            }
        })?;
        eprint!(
            "[ecmo: the guest waits for GDB at {}: gdb-multiarch -x {}]\r\n",
            self.address,
            script.display()
        );
        Ok(())
    }
}

fn write_script(
    folder: &Path,
    script: &Path,
    address: SocketAddr,
    has_symbols: bool,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut text = String::new();
    if has_symbols {
        let folder = fs::canonicalize(folder)?;
        text += "set confirm off\n";
        text += &format!("file {}\n", folder.join("kernel.elf").display());
        text += &format!("add-symbol-file {}\n", folder.join("driver.elf").display());
        text += "set confirm on\n";
    }
    text += &format!("target remote {address}\n");
    fs::write(script, text)
}

impl Observer for Debugger<'_> {
    fn linked(&mut self, transplant: &Transplant) -> Result<(), Error> {
        if let Some(prepared) = self.prepared {
            let kernel = &prepared.firmware.kernel;
            transplant.write_to(&self.folder, kernel, &prepared.symbols)?;
            self.state.monitor.linked(transplant);
            self.tell(true)?;
        }
        self.inner.linked(transplant)
    }

    fn started(&mut self, plan: &Plan, tried: &[Tried]) {
        self.state.stale = true;
        self.state.history = History::default();
        self.inner.started(plan, tried);
    }

    fn went_back(&mut self, session: &Session, tried: &[Tried]) {
        // Earlier moments are of a kernel that has what is left out now.
        self.state.history = History::default();
        self.inner.went_back(session, tried);
    }

    fn passed(&mut self, passed: &Passed) {
        self.inner.passed(passed);
    }

    fn stopped(&mut self, hit: Option<&Hit>) {
        let stop = match (hit, self.state.pace) {
            (Some(hit), _) => Stop::Watch(*hit),
            (None, Pace::Stepping) => Stop::Step,
            (None, Pace::Halted) => return,
            (None, _) => Stop::Break,
        };
        self.state.halt(stop);
    }

    fn between(&mut self, session: &mut Session) -> Result<Control, Error> {
        self.tell(false)?;
        loop {
            let job = match self.state.pace {
                Pace::Killed => return Ok(Control::Stop),
                Pace::Halted => self.jobs.recv_timeout(TURN),
                _ => self.jobs.try_recv().map_err(|error| match error {
                    mpsc::TryRecvError::Empty => RecvTimeoutError::Timeout,
                    mpsc::TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
            };
            match (job, self.state.pace) {
                (Ok(job), _) => job(session, &mut self.state),
                (Err(RecvTimeoutError::Timeout), Pace::Halted) => {
                    if self.inner.between(session)? == Control::Stop {
                        return Ok(Control::Stop);
                    }
                }
                (Err(RecvTimeoutError::Disconnected), Pace::Halted) => {
                    self.state.pace = Pace::Free;
                }
                _ => break,
            }
        }
        self.state.set_stops(session)?;
        if self.state.pace == Pace::Stepping {
            return Ok(Control::Step);
        }
        self.state.history.note(session);
        self.inner.between(session)
    }

    fn took_back(&mut self) -> bool {
        let monitor = self.state.monitor.took_back();
        std::mem::take(&mut self.state.back) | monitor | self.inner.took_back()
    }

    fn asleep(&mut self) {
        self.inner.asleep();
    }

    fn horizon(&self, session: &Session) -> Time {
        self.inner.horizon(session)
    }
}
