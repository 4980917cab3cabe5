//! Why a boot did not reach its goal, as one text for a person.

use super::{Milestone, fault};

/// How a boot ended without its goal.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The wall-time budget is used up, in seconds.
    WallTime(f64),
    /// The instruction budget is used up.
    Instructions(u64),
    /// The virtual-time budget is used up, in seconds.
    VirtualTime(f64),
    /// The kernel reported a fault from which it does not recover.
    Fault,
    /// The guest waits for an interrupt that nothing will raise.
    Asleep,
    /// The guest restarted its machine.
    Reset,
    /// One exception follows the other without an instruction between them.
    Stuck,
    /// There is a prompt, and what is typed at it is not even echoed.
    Unanswered,
    /// The guest does something that the machine does not emulate.
    Refused(String),
    /// The user ended it before the goal.
    Stopped,
    /// The kernel waits for what never comes; how.
    Hopeless(String),
    /// A function of the kernel stopped it, and was left out when it was started once
    /// more.
    LeftOut {
        /// Its name, or its address.
        name: String,
        /// What happened in it.
        why: String,
    },
    /// Every range for opaque memory met with a mapping of the kernel's.
    Conflict {
        /// The last of them.
        va: u32,
    },
}

/// What came of later starts, when an earlier one is the furthest.
#[derive(Debug, Clone, PartialEq)]
pub enum Later {
    /// They were still being tried when the wall time was used up, in seconds.
    WallTime(f64),
    /// The same with the instructions for all starts.
    Instructions(u64),
    /// The user ended the run meanwhile.
    Stopped,
    /// They came less far.
    LessFar,
}

impl Later {
    /// How the last of them ended.
    pub fn of(end: Option<&End>) -> Self {
        match end {
            Some(End::WallTime(seconds)) => Self::WallTime(*seconds),
            Some(End::Instructions(count)) => Self::Instructions(*count),
            Some(End::Stopped) => Self::Stopped,
            _ => Self::LessFar,
        }
    }

    fn text(&self) -> String {
        let when = match self {
            Self::WallTime(seconds) => format!("{seconds} s of wall time were up"),
            Self::Instructions(count) => format!("{count} instructions were used up"),
            Self::Stopped => "the user ended the run".to_owned(),
            Self::LessFar => {
                return "this is the furthest start: what was tried after it came less far"
                    .to_owned();
            }
        };
        format!("this is the furthest start: {when} while others were tried")
    }
}

/// An absent register that is read again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled {
    /// Physical address.
    pub address: u32,
    /// Who reads it, symbolised.
    pub reader: String,
    /// How often.
    pub reads: u64,
}

/// What is known of the end.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// How it ended.
    pub end: End,
    /// The milestone that was to be reached.
    pub goal: Milestone,
    /// The last that was reached.
    pub last: Option<Milestone>,
    /// The kernel's messages: from the console, or else from its log buffer.
    pub messages: &'a str,
    /// Whether they come from the log buffer.
    pub from_memory: bool,
    /// Where the program counter stands, symbolised.
    pub place: &'a str,
    /// The absent register that was read most often.
    pub polled: Option<&'a Polled>,
    /// What came of later starts, if this is not the last.
    pub later: Option<&'a Later>,
}

/// Fewer reads than this are no polling.
const POLLING: u64 = 10_000;

/// The text: what happened, where the processor is, what it waits for.
pub fn text(evidence: &Evidence) -> String {
    let mut text = match (&evidence.end, fault::find(evidence.messages)) {
        (End::Conflict { va }, _) => format!(
            "the kernel uses every range that was tried for the driver, at last at {va:#010x}"
        ),
        (End::Unanswered, _) => {
            "there is a prompt, but nothing that is typed reaches it".to_owned()
        }
        (End::Stopped, _) => "the user ended the run".to_owned(),
        (End::Refused(why), _) => format!("the machine cannot go on: {why}"),
        (_, Some(fault)) => fault.summary,
        (End::WallTime(seconds), None) => format!("{seconds} s of wall time are used up"),
        (End::Instructions(count), None) => format!("{count} instructions are used up"),
        (End::VirtualTime(seconds), None) => format!("{seconds} s of virtual time are used up"),
        (End::Fault, None) => "the kernel stopped".to_owned(),
        (End::Hopeless(why), None) => format!("the kernel cannot go on: {why}"),
        (End::LeftOut { name, why }, None) => format!("{name}: {why}"),
        (End::Asleep, None) => {
            "the guest sleeps and nothing is left that could wake it up".to_owned()
        }
        (End::Stuck, None) => {
            "exceptions follow each other without end: their vectors cannot be run".to_owned()
        }
        (End::Reset, None) => "the guest restarted its machine".to_owned(),
    };
    match evidence.last {
        Some(last) => {
            text += &format!("; the last milestone is {last}, the goal {}", evidence.goal)
        }
        None => text += "; no milestone was reached",
    }
    text += &format!("; the program counter is at {}", evidence.place);
    if let Some(polled) = evidence.polled.filter(|polled| polled.reads >= POLLING) {
        text += &format!(
            "; {:#010x}, where there is nothing, was read {} times by {}",
            polled.address, polled.reads, polled.reader
        );
    }
    let last = evidence
        .messages
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty());
    if let Some(line) = last {
        let from = if evidence.from_memory {
            " (from its log buffer)"
        } else {
            ""
        };
        text += &format!("; the last message{from} is \"{line}\"");
    } else {
        text += "; the kernel left no message";
    }
    if let Some(later) = evidence.later {
        text += &format!("; {}", later.text());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIDENCE: Evidence = Evidence {
        end: End::WallTime(60.0),
        goal: Milestone::Shell,
        last: Some(Milestone::InitIrq),
        messages: "",
        from_memory: false,
        place: "calibrate_delay+0x34 (0xc0301234)",
        polled: None,
        later: None,
    };

    #[test]
    fn an_earlier_start_came_further() {
        let all = [
            End::WallTime(60.0),
            End::Instructions(4_000_000_000),
            End::Stopped,
            End::Asleep,
        ];
        let text: String = all
            .iter()
            .map(|end| {
                let later = Later::of(Some(end));
                let evidence = Evidence {
                    end: End::LeftOut {
                        name: "chip_init".into(),
                        why: "it waits with interrupts off".into(),
                    },
                    later: Some(&later),
                    ..EVIDENCE
                };
                text(&evidence) + "\n"
            })
            .collect();
        expect_test::expect![[r#"
            chip_init: it waits with interrupts off; the last milestone is init_irq, the goal shell; the program counter is at calibrate_delay+0x34 (0xc0301234); the kernel left no message; this is the furthest start: 60 s of wall time were up while others were tried
            chip_init: it waits with interrupts off; the last milestone is init_irq, the goal shell; the program counter is at calibrate_delay+0x34 (0xc0301234); the kernel left no message; this is the furthest start: 4000000000 instructions were used up while others were tried
            chip_init: it waits with interrupts off; the last milestone is init_irq, the goal shell; the program counter is at calibrate_delay+0x34 (0xc0301234); the kernel left no message; this is the furthest start: the user ended the run while others were tried
            chip_init: it waits with interrupts off; the last milestone is init_irq, the goal shell; the program counter is at calibrate_delay+0x34 (0xc0301234); the kernel left no message; this is the furthest start: what was tried after it came less far
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn a_loop_that_polls_is_named() {
        let polled = Polled {
            address: 0x1800_0004,
            reader: "bcm_wait+0x10 (0xc0012340)".into(),
            reads: 6_000_000,
        };
        let text = text(&Evidence {
            polled: Some(&polled),
            messages: "[    0.0] sched_clock: 32 bits\n",
            from_memory: true,
            ..EVIDENCE
        });
        expect_test::expect![[r#"60 s of wall time are used up; the last milestone is init_irq, the goal shell; the program counter is at calibrate_delay+0x34 (0xc0301234); 0x18000004, where there is nothing, was read 6000000 times by bcm_wait+0x10 (0xc0012340); the last message (from its log buffer) is "[    0.0] sched_clock: 32 bits""#]].assert_eq(&text);
    }

    #[test]
    fn a_panic_comes_first() {
        let text = text(&Evidence {
            end: End::Fault,
            last: Some(Milestone::Initcalls),
            messages: "[    0.9] Kernel panic - not syncing: No working init found.\n",
            ..EVIDENCE
        });
        expect_test::expect![[r#"kernel panic: No working init found.; the last milestone is initcalls, the goal shell; the program counter is at calibrate_delay+0x34 (0xc0301234); the last message is "[    0.9] Kernel panic - not syncing: No working init found.""#]].assert_eq(&text);
    }

    #[test]
    fn nothing_at_all() {
        let text = text(&Evidence {
            last: None,
            place: "0x80008000",
            ..EVIDENCE
        });
        expect_test::expect!["60 s of wall time are used up; no milestone was reached; the program counter is at 0x80008000; the kernel left no message"].assert_eq(&text);
    }
}
