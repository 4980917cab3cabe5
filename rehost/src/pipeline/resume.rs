//! A run that goes on where another was when its snapshot was taken.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::boot::{Observer, Ran};
use super::prepare::Prepared;
use super::running::run_alone;
use super::{Error, Settings, outcome};
use crate::names::{self, Names};
use crate::report::Report;
use crate::session::Session;
use crate::verdict::reason::End;

/// What a file has beside the session.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The report of the run that was kept, as JSON; what is of a moment in it is
    /// replaced.
    report: String,
    names: names::Kept,
}

/// A run that can go on.
pub struct Resumed {
    /// The machine and what is noted of it.
    pub session: Session,
    /// The names of its kernel.
    pub names: Names,
    report: Report,
}

/// Writes the moment that a run has kept. False when it kept none.
pub fn write(path: &Path, prepared: &Prepared, ran: &Ran, report: &Report) -> Result<bool, Error> {
    let Some(moment) = ran.session.kept() else {
        return Ok(false);
    };
    let error = |source| Error::Io {
        what: path.display().to_string(),
        source,
    };
    let kept = Kept {
        report: serde_json::to_string(report).map_err(|source| error(source.into()))?,
        names: Names::of(prepared, ran.transplant.as_ref()).keep(),
    };
    let more =
        postcard::to_allocvec(&kept).map_err(|source| error(std::io::Error::other(source)))?;
    let mut file = File::create(path).map_err(error)?;
    moment.write(&mut file, &more).map_err(error)?;
    Ok(true)
}

/// Opens such a file.
pub fn open(path: &Path, began: Instant) -> Result<Resumed, Error> {
    let unusable = |why: String| Error::Input {
        file: path.display().to_string(),
        why,
    };
    let mut file = File::open(path).map_err(|error| unusable(error.to_string()))?;
    let opened = Session::open(&mut file, began);
    let (session, more) = opened.map_err(|error| unusable(error.to_string()))?;
    let kept: Kept = postcard::from_bytes(&more)
        .map_err(|error| unusable(format!("the run's state: {error}")))?;
    let report: Report = serde_json::from_str(&kept.report)
        .map_err(|error| unusable(format!("the report in it: {error}")))?;
    Ok(Resumed {
        session,
        names: Names::kept(&kept.names),
        report,
    })
}

impl Resumed {
    /// The kernel's release.
    pub fn release(&self) -> &str {
        &self.report.kernel.release
    }

    /// Runs it to its end. Of the settings only goal, input and limits count.
    pub fn run(
        &mut self,
        settings: &Settings,
        observer: &mut dyn Observer,
    ) -> Result<Option<End>, Error> {
        run_alone(settings, &mut self.session, observer)
    }

    /// The report: the old one with what came since.
    pub fn report(mut self, settings: &Settings, end: Option<End>) -> Report {
        let session = &self.session;
        let messages = outcome::Messages::of_console(session);
        self.report.reason = outcome::reason(settings, &self.names, session, end, None, &messages);
        outcome::refresh(&mut self.report, session, messages, session.wall());
        self.report
    }
}
