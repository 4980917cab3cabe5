//! Types prepared lines at the console, as a person would: the next one when
//! the guest has answered the last.

use std::collections::VecDeque;
use std::time::Duration;

use emu::clock::Time;

use super::Session;
use crate::verdict::Milestone;

/// Silence of the console, in virtual time, after which the next line is typed.
const PAUSE: Duration = Duration::from_millis(100);
/// A guest that never falls silent gets its next line after this long.
const PATIENCE: Duration = Duration::from_secs(5);
/// Silence after the last line that counts as the end of its answer.
const ANSWERED: Duration = Duration::from_secs(2);

/// Lines still to be typed.
#[derive(Debug)]
pub struct Typist {
    lines: VecDeque<Vec<u8>>,
    typed: Time,
    /// When the first line was typed.
    began: Option<Time>,
}

impl Typist {
    /// An Enter, then every line of `text`.
    pub fn new(text: &[u8]) -> Self {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut lines = VecDeque::from([Vec::new()]);
        if !text.is_empty() {
            lines.extend(text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec));
        }
        Self {
            lines,
            typed: Time(0),
            began: None,
        }
    }

    /// Types the next line if it is time to.
    pub fn advance(&mut self, session: &mut Session) {
        if !session.has_passed(Milestone::Shell) {
            return;
        }
        let quiet = session.silence() >= PAUSE && self.since(session) >= PAUSE;
        if (quiet || self.since(session) >= PATIENCE)
            && let Some(mut line) = self.lines.pop_front()
        {
            line.push(b'\r');
            session.type_in(&line);
            self.typed = session.now();
            self.began.get_or_insert(self.typed);
        }
    }

    /// Whether all was typed and the guest has nothing more to say to it.
    pub fn done(&self, session: &Session) -> bool {
        self.lines.is_empty() && session.silence() >= ANSWERED && self.since(session) >= ANSWERED
    }

    /// Whether the console showed anything since, if only what was typed.
    pub fn answered(&self, session: &Session) -> bool {
        self.began.is_none_or(|began| session.last_output() > began)
    }

    fn since(&self, session: &Session) -> Duration {
        Duration::from_nanos(session.now().0.saturating_sub(self.typed.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enter_comes_first_and_the_last_line_needs_no_newline() {
        for text in ["id\nls /\n", "id\nls /"] {
            let typist = Typist::new(text.as_bytes());
            assert_eq!(
                typist.lines,
                [b"".to_vec(), b"id".to_vec(), b"ls /".to_vec()]
            );
        }
        assert_eq!(Typist::new(b"").lines.len(), 1);
    }
}
