//! Joins the parts for one boot: what is watched, and what is made of it.

use emu::machine::Registers;
use linker::code::{self, Code};

use super::chain::Named;
use super::watch::{Stopped, Watch};
use super::{Omitted, Remedy};
use crate::pipeline::prepare::Prepared;
use crate::session::Session;

/// The help that one boot has.
pub struct Help<'a>(Option<Parts<'a>>);

struct Parts<'a> {
    prepared: &'a Prepared,
    omitted: &'a [Omitted],
    /// Functions that the driver calls on trust.
    doubtful: Vec<u32>,
    code: &'a mut Option<Code>,
    watch: Watch,
}

impl<'a> Help<'a> {
    /// None, for a machine of the kernel's own.
    pub fn none() -> Self {
        Self(None)
    }

    /// For a machine that is about to start. `omitted` is left out already,
    /// `doubtful` are the addresses, bit 0 clear, that the driver took on trust,
    /// and `code` is filled when it is needed first.
    pub fn new(
        session: &mut Session,
        prepared: &'a Prepared,
        (omitted, doubtful): (&'a [Omitted], Vec<u32>),
        code: &'a mut Option<Code>,
    ) -> Result<Self, emu::machine::Error> {
        let watch = Watch::new(session.machine_mut(), &prepared.symbols)?;
        Ok(Self(Some(Parts {
            prepared,
            omitted,
            doubtful,
            code,
            watch,
        })))
    }

    /// Between two stretches: what is to be different in the next boot, if this
    /// one has come to its end.
    pub fn look(&mut self, session: &Session) -> Option<Remedy> {
        let parts = self.0.as_mut()?;
        let stopped = parts.watch.look(session)?;
        self.remedy(&stopped)
    }

    /// The same, at a trap.
    pub fn trapped(&mut self, session: &Session, va: u32, at: &Registers) -> Option<Remedy> {
        let parts = self.0.as_mut()?;
        let stopped = parts.watch.trapped(session, va, at)?;
        self.remedy(&stopped)
    }

    /// The same, at an exception for which there is no code yet.
    pub fn unserved(&mut self, session: &Session, at: &Registers) -> Option<Remedy> {
        self.0.as_ref()?;
        self.remedy(&Stopped::unserved(session, at))
    }

    /// When nothing helps, the kernel is let go on to say why.
    fn remedy(&mut self, stopped: &Stopped) -> Option<Remedy> {
        let parts = self.0.as_mut()?;
        let kernel = &parts.prepared.firmware.kernel;
        let code = parts
            .code
            .get_or_insert_with(|| Code::analyse(kernel, &code::Options::default()));
        let functions = Named {
            code,
            symbols: &parts.prepared.symbols,
        };
        let remedy = stopped.remedy(kernel, &functions, parts.omitted, &parts.doubtful);
        if remedy.is_none() {
            self.0 = None;
        }
        remedy
    }
}
