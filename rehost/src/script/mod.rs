//! Scripts in Lua that watch and change a running guest: `ecmo run --script`.
//!
//! The script itself runs before there is a guest: it says what the machine shall
//! be like and which of its functions are called when. Those are called between
//! two stretches of running, while the guest stands still, by [`Scripted`], an
//! observer around the one that shows the console. A kernel that is started once
//! more, because something stood in its way, is watched anew by the same wishes.
//!
//! * [`wishes`]: what the script has asked for
//! * `api`: the functions that a script can call
//! * `guest`: those of them that touch the guest
//! * `machine`: what a script wants of the machine before it starts

mod api;
mod guest;
mod machine;
pub mod wishes;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use emu::clock::Time;
use emu::exception::Exception;
use emu::machine::answers::Asked;
use emu::machine::debug::Hit;
use linker::transplant::Transplant;
use mlua::{Function, IntoLuaMulti, Lua};

use crate::names::Names;
use crate::pipeline::boot::{Control, Observer};
use crate::pipeline::{Error, Settings};
use crate::plan::Plan;
use crate::report::Tried;
use crate::session::{Passed, Session};
use wishes::{Event, Wishes};

/// What all functions of a script share.
type Shared = Rc<RefCell<Wishes>>;

/// Instructions in one function without a word on the console, after which a guest
/// counts as stuck.
const STUCK: u64 = 50_000_000;

/// A script that was read.
pub struct Script {
    lua: Lua,
    wishes: Shared,
    /// What Lua calls it in messages.
    name: String,
    file: String,
}

/// A message of Lua, for behind the name of the file.
fn without(name: &str, message: String) -> String {
    let place = message.strip_prefix(name);
    let place = place.and_then(|rest| rest.strip_prefix(':'));
    place.map_or_else(|| message.clone(), |rest| format!("line {rest}"))
}

impl Script {
    /// Reads a script and runs it.
    ///
    /// # Errors
    /// When it is no Lua, or fails; the message names file and line.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let unusable = |why: String| Error::Input {
            file: file.clone(),
            why,
        };
        let text = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let lua = Lua::new();
        let wishes = Shared::default();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let run = || {
            api::install(&lua, &wishes)?;
            lua.load(text).set_name(format!("@{name}")).exec()
        };
        run().map_err(|error| unusable(without(&name, api::message(&error))))?;
        Ok(Self {
            lua,
            wishes,
            name: name.into_owned(),
            file,
        })
    }

    /// Takes over what the script wants of the machine, where the command line says
    /// nothing else.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), Error> {
        let asked = std::mem::take(&mut self.wishes.borrow_mut().machine);
        asked.apply(settings, &self.file)
    }
}

/// What the guest has come to since the script was last asked.
enum News {
    Passed(String),
    Stopped(Option<Hit>),
    Excepted(Exception),
}

/// The run's side: an observer around another one.
pub struct Scripted<'a> {
    inner: &'a mut dyn Observer,
    lua: Lua,
    wishes: Shared,
    name: String,
    file: String,
    news: Vec<News>,
    /// A guest was started, and the script has not heard of it.
    fresh: bool,
    /// How much of the console was looked at.
    heard: usize,
    stuck: Stuck,
}

/// Where the guest was found time and again.
#[derive(Default)]
struct Stuck {
    function: Option<String>,
    /// How much oftener there than in interrupts and elsewhere.
    times: u32,
    since: u64,
    console: usize,
}

impl<'a> Scripted<'a> {
    /// `names` are those of the kernel that is to run.
    pub fn new(script: Script, names: Names, inner: &'a mut dyn Observer) -> Self {
        script.wishes.borrow_mut().names = names;
        Self {
            inner,
            lua: script.lua,
            wishes: script.wishes,
            name: script.name,
            file: script.file,
            news: Vec::new(),
            fresh: true,
            heard: 0,
            stuck: Stuck::default(),
        }
    }

    /// The run is over: tells the script, and what went wrong in it.
    ///
    /// # Errors
    /// The first failure of a function of the script.
    pub fn finish(self, session: &mut Session) -> Result<(), Error> {
        self.call_all(session, Event::Finish, ());
        let failed = self.wishes.borrow_mut().failed.take();
        match failed {
            None => Ok(()),
            Some(why) => Err(Error::Input {
                file: self.file,
                why: without(&self.name, why),
            }),
        }
    }

    /// Calls a function of the script with the guest in its hands; false when it
    /// failed, which is said and kept.
    fn call(&self, session: &mut Session, function: &Function, with: impl IntoLuaMulti) -> bool {
        match guest::lend(&self.lua, session, || function.call::<()>(with)) {
            Ok(()) => true,
            Err(error) => {
                self.wishes.borrow_mut().fail(api::message(&error));
                false
            }
        }
    }

    /// Calls everything that waits for an event. A function that fails is not called
    /// again.
    fn call_all(&self, session: &mut Session, event: Event, with: impl IntoLuaMulti + Clone) {
        let all = self.wishes.borrow().waiting_for(event);
        self.call_each(session, all, with);
    }

    fn call_each(
        &self,
        session: &mut Session,
        all: Vec<(u32, Function)>,
        with: impl IntoLuaMulti + Clone,
    ) {
        for (id, function) in all {
            if !self.call(session, &function, with.clone()) {
                self.wishes.borrow_mut().remove(id);
            }
        }
    }

    fn deliver(&mut self, session: &mut Session) -> Result<(), Error> {
        if std::mem::take(&mut self.fresh) {
            self.wishes.borrow_mut().stale = true;
            self.heard = 0;
            self.stuck = Stuck::default();
            self.call_all(session, Event::Start, ());
        }
        for news in std::mem::take(&mut self.news) {
            match news {
                News::Passed(milestone) => {
                    self.call_all(session, Event::Milestone, milestone);
                }
                News::Excepted(exception) => {
                    let name = api::exception(exception);
                    self.call_all(session, Event::Exception, name);
                }
                News::Stopped(None) => self.at_breakpoint(session),
                News::Stopped(Some(hit)) => self.at_watchpoint(session, &hit),
            }
        }
        self.listen(session);
        for event in [Event::Block, Event::Instruction] {
            if self.wishes.borrow().has(event) {
                let pc = session.machine().registers().r[15];
                self.call_all(session, event, pc);
            }
        }
        self.look_whether_stuck(session);
        self.install(session)
    }

    fn at_breakpoint(&self, session: &mut Session) {
        let registers = session.machine().registers();
        let all = self.wishes.borrow_mut().breaking_at(&registers);
        self.call_each(session, all, registers.r[15]);
    }

    fn at_watchpoint(&self, session: &mut Session, hit: &Hit) {
        let all = self.wishes.borrow().watching(&hit.watchpoint);
        let pc = session.machine().registers().r[15];
        self.call_each(session, all, guest::Access { hit: *hit, pc });
    }

    /// What the console has shown since the last time.
    fn listen(&mut self, session: &mut Session) {
        let console = session.console();
        if console.len() < self.heard {
            // The front of a long console is dropped.
            self.heard = 0;
            self.wishes.borrow_mut().expect_from(0);
        }
        if console.len() == self.heard {
            return;
        }
        let fresh = String::from_utf8_lossy(&console[self.heard..]).into_owned();
        self.heard = console.len();
        self.call_all(session, Event::Output, fresh);
        loop {
            // Not borrowed any more when the function is called.
            let found = self
                .wishes
                .borrow_mut()
                .expected(&self.lua, session.console());
            let Some(found) = found else {
                break;
            };
            match found {
                Ok((function, captures)) => {
                    self.call(session, &function, captures);
                }
                Err(error) => self.wishes.borrow_mut().fail(api::message(&error)),
            }
        }
    }

    /// A function that is not left for long, while nothing is said.
    fn look_whether_stuck(&mut self, session: &mut Session) {
        if !self.wishes.borrow().has(Event::Stuck) {
            return;
        }
        let machine = session.machine();
        let pc = machine.registers().r[15];
        let name = self.wishes.borrow().names.name(pc);
        let function = name.map(|it| it.split('+').next().unwrap_or_default().to_owned());
        let (count, console) = (machine.instructions(), session.console().len());
        let stuck = &mut self.stuck;
        let alive = machine.in_user_mode() || console != stuck.console;
        if !alive && function.is_some() && function == stuck.function {
            stuck.times += 1;
            if count.saturating_sub(stuck.since) >= STUCK {
                stuck.since = count;
                self.call_all(session, Event::Stuck, pc);
            }
        } else if !alive && stuck.times > 0 {
            stuck.times -= 1;
        } else {
            *stuck = Stuck {
                function,
                times: 0,
                since: count,
                console,
            };
        }
    }

    /// Gives the machine what the script wants watched now.
    fn install(&self, session: &mut Session) -> Result<(), Error> {
        let mut wishes = self.wishes.borrow_mut();
        if !std::mem::take(&mut wishes.stale) {
            return Ok(());
        }
        let machine = session.machine_mut();
        machine.set_stops(&wishes.breakpoints(), &wishes.watchpoints())?;
        machine.stop_at_exceptions(wishes.has(Event::Exception));
        machine.answer_for_nothing();
        for region in wishes.regions() {
            let shared = Rc::clone(&self.wishes);
            let range = region.addresses();
            let answer = move |asked: &Asked| {
                region.answer(asked).unwrap_or_else(|error| {
                    // It is called while the guest runs, never from a script.
                    if let Ok(mut wishes) = shared.try_borrow_mut() {
                        wishes.fail(api::message(&error));
                    }
                    0
                })
            };
            machine.answer_for(range, Box::new(answer));
        }
        Ok(())
    }
}

impl Observer for Scripted<'_> {
    fn linked(&mut self, transplant: &Transplant) -> Result<(), Error> {
        self.wishes.borrow_mut().names.link(transplant);
        self.inner.linked(transplant)
    }

    fn started(&mut self, plan: &Plan, tried: &[Tried]) {
        self.fresh = true;
        self.news.clear();
        self.inner.started(plan, tried);
    }

    fn went_back(&mut self, session: &Session, tried: &[Tried]) {
        self.news.clear();
        self.heard = session.console().len();
        self.stuck = Stuck::default();
        self.wishes.borrow_mut().expect_from(self.heard);
        self.inner.went_back(session, tried);
    }

    fn passed(&mut self, passed: &Passed) {
        self.news.push(News::Passed(passed.milestone.to_string()));
        self.inner.passed(passed);
    }

    fn stopped(&mut self, hit: Option<&Hit>) {
        self.news.push(News::Stopped(hit.copied()));
        self.inner.stopped(hit);
    }

    fn excepted(&mut self, exception: Exception) {
        self.news.push(News::Excepted(exception));
        self.inner.excepted(exception);
    }

    fn between(&mut self, session: &mut Session) -> Result<Control, Error> {
        self.deliver(session)?;
        let control = self.inner.between(session)?;
        let wishes = self.wishes.borrow();
        Ok(if wishes.stop {
            Control::Done
        } else if control == Control::Continue && wishes.has(Event::Instruction) {
            Control::Step
        } else {
            control
        })
    }

    fn took_back(&mut self) -> bool {
        std::mem::take(&mut self.wishes.borrow_mut().back) | self.inner.took_back()
    }

    fn goes_on(&self) -> bool {
        self.wishes.borrow().expects() || self.inner.goes_on()
    }

    fn asleep(&mut self) {
        self.inner.asleep();
    }

    fn stretch(&self) -> u64 {
        match self.wishes.borrow().has(Event::Block) {
            true => 1,
            false => self.inner.stretch(),
        }
    }

    fn horizon(&self, session: &Session) -> Time {
        self.inner.horizon(session)
    }
}
