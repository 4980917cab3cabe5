//! Tells from what the guest prints that its user space waits for a person.

use serde::{Deserialize, Serialize};

use crate::userland;

/// What OpenWrt prints instead of a prompt until somebody presses Enter.
const PRESS_ENTER: &str = "Please press Enter to activate this console";
/// Longest prompt that is taken for one.
const LONGEST_PROMPT: usize = 100;
/// Longest line that is kept; more than any of the texts looked for.
const LONGEST_LINE: usize = 1024;

/// Which user space is expected to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// The built-in one, which says when it is ready.
    Builtin,
    /// Any other: known by its prompt.
    Other,
}

/// Reads console output as it comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    expected: Expected,
    line: Vec<u8>,
    escape: Escape,
    /// The text was printed that says so.
    announced: bool,
    /// The built-in shell's prompt stood after it.
    prompted: bool,
}

/// Where within a terminal's control sequence (ECMA-48) the output stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Escape {
    None,
    Started,
    Parameters,
}

impl Watch {
    /// Nothing read yet.
    pub fn new(expected: Expected) -> Self {
        Self {
            expected,
            line: Vec::new(),
            escape: Escape::None,
            announced: false,
            prompted: false,
        }
    }

    /// Takes output of the console in.
    pub fn feed(&mut self, output: &[u8]) {
        for &byte in output {
            match (self.escape, byte) {
                (Escape::None, 0x1b) => self.escape = Escape::Started,
                (Escape::Started, b'[') => self.escape = Escape::Parameters,
                (Escape::Started, _) | (Escape::Parameters, b'@'..=b'~') => {
                    self.escape = Escape::None;
                }
                (Escape::Parameters, _) => {}
                (Escape::None, b'\n') => self.line.clear(),
                (Escape::None, b'\r' | 0x07 | 0x08) => {}
                (Escape::None, byte) => {
                    if self.line.len() < LONGEST_LINE {
                        self.line.push(byte);
                    }
                    self.announced |= self.announces();
                    // Kept, because a kernel message may come behind it.
                    self.prompted |= self.announced && self.is_our_prompt();
                }
            }
        }
    }

    /// Whether the guest waits for input: only to be believed once user space
    /// runs, since kernel messages may look like anything.
    pub fn ready(&self) -> bool {
        match self.expected {
            Expected::Builtin => self.prompted,
            Expected::Other => self.announced || self.at_prompt(),
        }
    }

    /// Whether the line under the cursor reads like a prompt.
    pub fn at_prompt(&self) -> bool {
        if self.line.len() > LONGEST_PROMPT {
            return false;
        }
        ["# ", "$ ", "login: "]
            .iter()
            .any(|end| self.line.ends_with(end.as_bytes()))
    }

    fn is_our_prompt(&self) -> bool {
        self.line.starts_with(userland::PROMPT.as_bytes()) && self.line.ends_with(b"# ")
    }

    fn announces(&self) -> bool {
        let text = match self.expected {
            Expected::Builtin => userland::READY,
            Expected::Other => PRESS_ENTER,
        };
        self.line.ends_with(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(expected: Expected, output: &str) -> bool {
        let mut watch = Watch::new(expected);
        watch.feed(output.as_bytes());
        watch.ready()
    }

    #[test]
    fn built_in_user_space_needs_its_line_and_its_prompt() {
        let line = "ecmo: shell ready (6.1.0, armv7l)\r\n";
        assert!(ready(Expected::Builtin, &format!("{line}ecmo:~# \x1b[6n")));
        assert!(ready(
            Expected::Builtin,
            &format!("{line}ecmo:~# usb 1-1: new device\r\n")
        ));
        assert!(!ready(Expected::Builtin, line));
        assert!(!ready(Expected::Builtin, "/ # "));
    }

    #[test]
    fn prompts_of_other_user_spaces() {
        for output in [
            "\r\nPlease press Enter to activate this console. ",
            "\r\nPlease press Enter to activate this console.\r\n[    3.1] usb\r\n",
            "BusyBox\r\n\r\n/ # ",
            "root@OpenWrt:/# ",
            "\x1b[1m$\x1b[0m ",
            "\r\nrouter login: ",
        ] {
            assert!(ready(Expected::Other, output), "{output:?}");
        }
    }

    #[test]
    fn kernel_messages_are_no_prompt() {
        for output in [
            "",
            "# ",
            "Linux version 6.1.0 #1 SMP\r\n",
            "login: incorrect\r\n",
        ] {
            assert_eq!(ready(Expected::Other, output), output == "# ", "{output:?}");
        }
    }

    #[test]
    fn text_that_comes_in_pieces_is_seen() {
        let mut watch = Watch::new(Expected::Other);
        for piece in PRESS_ENTER.as_bytes().chunks(3) {
            watch.feed(piece);
        }
        assert!(watch.ready());
    }
}
