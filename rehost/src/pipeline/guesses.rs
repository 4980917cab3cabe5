//! Pointers with several candidates, settled by booting.
//!
//! The first boot takes the likeliest candidate of each. When it does not come
//! to its goal, one pointer at a time gets its next candidate, and keeps it when
//! the kernel comes further with it. A boot is not repeated for a pointer that
//! no linked part of the driver uses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use linker::identify::{Identification, Status, Strategy};
use linker::link::WITHOUT;
use linker::transplant::Transplant;

use crate::report::Tried;
use crate::verdict::Milestone;

/// Boots for the sake of candidates, at most.
const MOST: usize = 12;

/// What the driver asks for only to know whether the kernel has a driver of the
/// 8250, by how the names begin. When code alone says so and it is wrong, the
/// kernel gets no UART, although there is another way to one.
const PRESENCE: [&str; 2] = ["serial8250_", "univ8250_"];
/// What finds names that are the kernel's own or the user's.
const BY_NAME: [Strategy; 3] = [
    Strategy::SymbolTable,
    Strategy::ExportTable,
    Strategy::SymbolsFile,
];

/// Which candidate each pointer has, by name.
pub type Choices = BTreeMap<String, u32>;

/// How far a boot came: the last milestone, and whether the shell answered what
/// was typed.
pub type Standing = (Option<Milestone>, bool);

/// A pointer in use that may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its name.
    pub name: String,
    /// The address that this boot has.
    pub chosen: u32,
    /// The others, the likeliest first.
    pub others: Vec<u32>,
}

/// Whether the driver asks for this only to know whether it is there.
pub fn is_presence(name: &str) -> bool {
    PRESENCE.iter().any(|start| name.starts_with(start))
}

/// The pointers that this transplant took on trust. The last thing to be tried of
/// each is to do without: the part of the driver that asks for it is then left out,
/// or takes another way.
pub fn open(identification: &Identification, transplant: &Transplant) -> Vec<Open> {
    let mut found: Vec<Open> = Vec::new();
    for slot in &transplant.slots {
        if found.iter().any(|one| one.name == slot.name) {
            continue;
        }
        let pointer = identification.resolve(&slot.name);
        let strategy = pointer.strategy.as_deref();
        let trusted = BY_NAME.iter().any(|one| strategy == Some(one.name()));
        let doubted = is_presence(&slot.name) && pointer.status == Status::Found && !trusted;
        let candidates = pointer.candidates.iter().map(|one| one.address);
        let (chosen, mut others): (Vec<u32>, Vec<u32>) =
            candidates.partition(|&address| address == slot.value);
        if (pointer.status == Status::Ambiguous || doubted) && !chosen.is_empty() {
            others.push(WITHOUT);
            found.push(Open {
                name: slot.name.clone(),
                chosen: slot.value,
                others,
            });
        }
    }
    found
}

/// What was tried of them, and what comes next.
#[derive(Debug, Default)]
pub struct Guesses {
    /// What the boot under way takes, where it is not the likeliest.
    choices: Choices,
    /// The pointer in which it differs from the best.
    varied: Option<(String, u32)>,
    /// The furthest boot so far, and what it took.
    best: Option<(Standing, Choices)>,
    /// What is still to be tried.
    waiting: VecDeque<(String, u32)>,
    known: BTreeSet<(String, u32)>,
    boots: usize,
}

impl Guesses {
    /// What the boot under way takes.
    pub fn choices(&self) -> &Choices {
        &self.choices
    }

    /// Notes how far a boot came that missed its goal. Whether it is the furthest
    /// so far.
    pub fn note(&mut self, standing: Standing, open: &[Open]) -> bool {
        for one in open {
            self.known.insert((one.name.clone(), one.chosen));
            for &other in &one.others {
                let pair = (one.name.clone(), other);
                if self.known.insert(pair.clone()) {
                    self.waiting.push_back(pair);
                }
            }
        }
        let better = self.best.as_ref().is_none_or(|(best, _)| standing > *best);
        if better {
            self.best = Some((standing, self.choices.clone()));
        }
        better
    }

    /// What the boot that was just noted stood for, as the report has it.
    pub fn tried(&self, open: &[Open], reached: Option<Milestone>) -> Vec<Tried> {
        let entry = |name: &str, address: u32| Tried {
            what: format!("pointer {name}"),
            value: match address {
                WITHOUT => "none".to_owned(),
                address => format!("{address:#010x}"),
            },
            reached,
        };
        match &self.varied {
            Some((name, address)) => vec![entry(name, *address)],
            None => open
                .iter()
                .map(|one| entry(&one.name, one.chosen))
                .collect(),
        }
    }

    /// Makes the choices of the next boot: those of the best, with one pointer
    /// changed. Whether there is anything left to try.
    pub fn advance(&mut self) -> bool {
        let Some((_, choices)) = &self.best else {
            return false;
        };
        self.choices = choices.clone();
        self.varied = None;
        if self.boots == MOST {
            return false;
        }
        let Some((name, address)) = self.waiting.pop_front() else {
            return false;
        };
        self.boots += 1;
        self.choices.insert(name.clone(), address);
        self.varied = Some((name, address));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(name: &str, chosen: u32, others: &[u32]) -> Open {
        Open {
            name: name.to_owned(),
            chosen,
            others: others.to_vec(),
        }
    }

    fn tried(guesses: &Guesses, all: &[Open]) -> String {
        let entries = guesses.tried(all, None);
        let words = entries.iter().map(|it| format!("{} {}", it.what, it.value));
        words.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn one_pointer_at_a_time_and_what_helped_stays() {
        let mut guesses = Guesses::default();
        let all = [open("a", 1, &[2, 3]), open("b", 7, &[8])];
        assert!(guesses.note((Some(Milestone::Mmu), true), &all));
        assert_eq!(
            tried(&guesses, &all),
            "pointer a 0x00000001, pointer b 0x00000007"
        );
        assert!(guesses.advance());
        assert_eq!(guesses.choices(), &Choices::from([("a".into(), 2)]));
        // Not as far: it is dropped.
        assert!(!guesses.note((None, true), &all));
        assert!(guesses.advance());
        assert_eq!(guesses.choices(), &Choices::from([("a".into(), 3)]));
        assert_eq!(tried(&guesses, &all), "pointer a 0x00000003");
        // Further, and with it another pointer is used.
        let more = [
            open("a", 3, &[1, 2]),
            open("b", 7, &[8]),
            open("c", 4, &[5]),
        ];
        assert!(guesses.note((Some(Milestone::Console), true), &more));
        let mut seen = Vec::new();
        while guesses.advance() {
            seen.push(guesses.choices().clone());
            assert!(!guesses.note((Some(Milestone::Console), true), &more));
        }
        let with = |name: &str, address| Choices::from([("a".into(), 3), (name.into(), address)]);
        assert_eq!(seen, [with("b", 8), with("c", 5)]);
        // What is left at the end is the best.
        assert_eq!(guesses.choices(), &Choices::from([("a".into(), 3)]));
    }

    #[test]
    fn an_answer_counts_and_there_is_an_end() {
        let mut guesses = Guesses::default();
        assert!(!guesses.advance());
        let others: Vec<u32> = (2..100).collect();
        let all = [open("a", 1, &others)];
        assert!(guesses.note((Some(Milestone::Shell), false), &all));
        assert!(guesses.advance());
        assert!(guesses.note((Some(Milestone::Shell), true), &all));
        let more = (0..200).take_while(|_| guesses.advance()).count();
        assert_eq!(more, MOST - 1);
    }
}
