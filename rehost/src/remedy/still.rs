//! Signs that a guest does nothing but wait, which no instruction count shows: the
//! same registers again and again, and the same words.

use std::collections::BTreeSet;

use emu::clock::{NANOSECONDS_PER_INSTRUCTION, Time};

/// Different registers that a loop may show when it is looked at now and then.
const STATES: usize = 16;
/// Lines of one initial call that are remembered; one that says more says nothing
/// new any more.
const LINES: usize = 2000;

/// The registers that a guest had when it was looked at.
#[derive(Debug, Clone, Default)]
pub struct Repeated {
    since: Option<u64>,
    asked: u64,
    states: Vec<[u32; 16]>,
}

impl Repeated {
    /// For how many instructions there was nothing but what had been seen before.
    /// `asked`: how often absent chips were, which a loop that waits for one does.
    pub fn look(&mut self, now: u64, registers: &[u32; 16], asked: u64) -> u64 {
        let known = self.states.contains(registers);
        if asked != self.asked || !known && self.states.len() == STATES {
            *self = Self {
                asked,
                since: None,
                states: vec![*registers],
            };
        } else if !known {
            self.states.push(*registers);
        }
        now - *self.since.get_or_insert(now)
    }
}

/// When a guest was looked at last.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    instructions: u64,
    time: Time,
}

impl Pulse {
    /// Whether the guest has slept since the last time for longer than it ran: an idle
    /// loop sleeps with interrupts off, and shows the same registers every time.
    pub fn slept(&mut self, instructions: u64, time: Time) -> bool {
        let ran = (instructions - self.instructions) * NANOSECONDS_PER_INSTRUCTION;
        let passed = time.0 - self.time.0;
        *self = Self { instructions, time };
        passed > 2 * ran
    }
}

/// What an initial call has said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    lines: BTreeSet<Vec<u8>>,
    /// Where on the console the first line begins that was not looked at.
    from: usize,
}

impl Said {
    /// Nothing yet, with so much on the console.
    pub fn behind(console: usize) -> Self {
        Self {
            lines: BTreeSet::new(),
            from: console,
        }
    }

    /// Whether the console has a line that was not there before. As long as a line is
    /// not at its end nobody can tell, and it is taken for new.
    pub fn is_new(&mut self, console: &[u8]) -> bool {
        // Of a long console the front is dropped.
        let fresh = console.get(self.from..).unwrap_or(console);
        let Some(end) = fresh.iter().rposition(|&byte| byte == b'\n') else {
            return true;
        };
        self.from = console.len() - fresh.len() + end + 1;
        let mut new = false;
        for line in fresh[..end].split(|&byte| byte == b'\n') {
            new |= self.lines.len() < LINES && self.lines.insert(words(line).to_vec());
        }
        new
    }
}

/// A line without its level and its time.
fn words(mut line: &[u8]) -> &[u8] {
    for (open, close) in [(b'<', b'>'), (b'[', b']')] {
        if line.first() == Some(&open)
            && let Some(end) = line.iter().position(|&byte| byte == close)
        {
            line = line[end + 1..].trim_ascii();
        }
    }
    line.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_without_a_change_is_told_from_one_that_counts() {
        let mut spins = Repeated::default();
        let mut counts = Repeated::default();
        let mut asks = Repeated::default();
        let mut last = [0; 3];
        for look in 0..100_u64 {
            let mut registers = [7; 16];
            registers[15] = 0xc000_0000 + 4 * (look as u32 % 5);
            last[0] = spins.look(look, &registers, 3);
            last[2] = asks.look(look, &registers, look);
            registers[2] = 1_000_000 - look as u32;
            last[1] = counts.look(look, &registers, 3);
        }
        assert_eq!(last[0], 99);
        assert!(last[1] < STATES as u64, "{last:?}");
        assert_eq!(last[2], 0);
    }

    #[test]
    fn an_idle_loop_is_told_from_one_that_runs() {
        let mut pulse = Pulse::default();
        assert!(!pulse.slept(1_000_000, Time(8_000_000)));
        // A tick, and asleep for the rest of twenty milliseconds.
        assert!(pulse.slept(1_010_000, Time(28_000_000)));
        assert!(!pulse.slept(2_010_000, Time(36_000_000)));
    }

    #[test]
    fn the_same_line_again_is_nothing_new() {
        let mut console = b"before\n".to_vec();
        let mut said = Said::behind(console.len());
        let mut says = |text: &str| {
            console.extend_from_slice(text.as_bytes());
            said.is_new(&console)
        };
        assert!(says("<6>[    0.100000] status 0\nsta"));
        assert!(!says(
            "tus 0\n[    0.200000] status 0\n<4>[ 1.5] status 0\nst"
        ));
        assert!(says("atus 0\r\nstatus 1\n"));
        // Not even a line: nobody knows.
        assert!(says("stat"));
        assert!(!says("us 1\n"));
        let many: String = (0..LINES).map(|n| format!("{n}\n")).collect();
        assert!(says(&many));
        assert!(!says("one more\n"));
    }
}
