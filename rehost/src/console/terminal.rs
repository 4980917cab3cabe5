//! The terminal: raw mode with a way back from everywhere, and waiting for keys.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal was before us; kept here so that the handler of panics finds
/// it as well.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// A terminal in raw mode.
#[derive(Debug)]
pub struct Terminal {
    raw: Termios,
}

/// What came from the keyboard.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing in the time given.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// The terminal is gone.
    End,
}

impl Terminal {
    /// Switches standard input's terminal to raw mode.
    pub fn raw() -> Result<Self, Errno> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        if let Ok(mut kept) = BEFORE.lock() {
            *kept = Some(before);
        }
        let terminal = Self { raw };
        terminal.raw_again();
        Ok(terminal)
    }

    /// Back to how it was, for a talk by lines.
    pub fn cooked(&self) {
        restore();
    }

    /// Raw again after [`cooked`](Self::cooked).
    pub fn raw_again(&self) {
        // It worked once; a terminal that has gone since then shows on reading.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.raw);
    }

    /// What was typed, waiting for it as long as said.
    pub fn read(&self, wait: Duration) -> Result<Typed, Errno> {
        let keyboard = stdin();
        let mut wanted = [PollFd::new(&keyboard, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        match poll(&mut wanted, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Typed::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let mut bytes = [0; 4096];
        match rustix::io::read(stdin(), &mut bytes) {
            Ok(0) | Err(Errno::IO) => Ok(Typed::End),
            Ok(count) => Ok(Typed::Bytes(bytes[..count].to_vec())),
            Err(Errno::INTR | Errno::AGAIN) => Ok(Typed::Nothing),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal back to how it was before the first [`Terminal::raw`].
pub fn restore() {
    if let Ok(before) = BEFORE.try_lock()
        && let Some(before) = &*before
    {
        // There is nobody left to tell.
        let _ = tcsetattr(stdin(), OptionalActions::Now, before);
    }
}

/// A line from the terminal in its cooked mode; `None` at its end.
pub fn line() -> io::Result<Option<String>> {
    let mut line = String::new();
    let count = io::stdin().read_line(&mut line)?;
    Ok((count > 0).then(|| line.trim().to_owned()))
}
