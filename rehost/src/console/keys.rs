//! Ctrl-A and the key after it are for us, everything else is for the guest.

const CTRL_A: u8 = 0x01;

/// What Ctrl-A H shows.
pub const HELP: &str = "\r\n[ecmo: Ctrl-A X ends, Ctrl-A C talks to the monitor, \
    Ctrl-A A types Ctrl-A, Ctrl-A H shows this]\r\n";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// These bytes are for the guest.
    Type(Vec<u8>),
    /// The run ends.
    End,
    /// The monitor is asked for.
    Monitor,
    /// The keys are to be shown.
    Help,
}

/// Reads keys; remembers a Ctrl-A whose second key has not come yet.
#[derive(Debug, Default)]
pub struct Keys {
    prefixed: bool,
}

impl Keys {
    /// What these bytes from the keyboard ask for, in order.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut typed = Vec::new();
        for &byte in bytes {
            if !self.prefixed {
                if byte == CTRL_A {
                    self.prefixed = true;
                } else {
                    typed.push(byte);
                }
                continue;
            }
            self.prefixed = false;
            let action = match byte {
                b'x' | b'X' | 0x18 => Action::End,
                b'c' | b'C' | 0x03 => Action::Monitor,
                b'h' | b'H' | b'?' => Action::Help,
                b'a' | b'A' | CTRL_A => {
                    typed.push(CTRL_A);
                    continue;
                }
                _ => continue,
            };
            if !typed.is_empty() {
                actions.push(Action::Type(std::mem::take(&mut typed)));
            }
            actions.push(action);
        }
        if !typed.is_empty() {
            actions.push(Action::Type(typed));
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_is_for_the_guest() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"ls\r\x03"), [Action::Type(b"ls\r\x03".to_vec())]);
    }

    #[test]
    fn the_second_key_may_come_later() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"a\x01"), [Action::Type(b"a".to_vec())]);
        assert_eq!(keys.read(b"xb"), [Action::End, Action::Type(b"b".to_vec())]);
    }

    #[test]
    fn ctrl_a_can_be_typed_and_other_pairs_vanish() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"\x01\x01z"), [Action::Type(b"\x01z".to_vec())]);
        assert_eq!(keys.read(b"\x01q"), []);
        assert_eq!(keys.read(b"\x01c\x01h"), [Action::Monitor, Action::Help]);
    }
}
