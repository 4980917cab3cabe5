//! Answers where identification could not decide: one of its candidates.
//!
//! A wrong pointer crashes the kernel, so this is for those who can try it.

use std::collections::BTreeMap;

use super::{Place, Provide, Resolved};
use crate::identify::{Identification, Kind, Pointer, Status};

/// The choice to do without a pointer, be it certain or not.
pub const WITHOUT: u32 = 0;

/// What identification knows, and for each pointer with several candidates the
/// one that was chosen, or else the most likely.
pub struct Choosing<'a> {
    /// What is known.
    pub identification: &'a Identification,
    /// The choices: addresses by name.
    pub choices: &'a BTreeMap<String, u32>,
}

impl Choosing<'_> {
    fn settled(&self, name: &str, data: bool) -> Option<Resolved> {
        let pointer = self.identification.resolve(name);
        let right_kind = (pointer.kind == Kind::Data) == data;
        right_kind.then(|| settled(&pointer, self.choices.get(name).copied()))?
    }
}

/// The candidate at the address that was chosen, else the first. Nothing for a
/// pointer that is certain or missing, and for an address that is no candidate.
fn settled(pointer: &Pointer, choice: Option<u32>) -> Option<Resolved> {
    if pointer.status != Status::Ambiguous {
        return None;
    }
    let mut ranked = pointer.candidates.iter().zip(1..);
    let (candidate, rank) =
        ranked.find(|(candidate, _)| choice.is_none_or(|choice| candidate.address == choice))?;
    Some(Resolved {
        value: candidate.address,
        evidence: format!(
            "number {rank} of {} candidates: {}",
            pointer.candidates.len(),
            candidate.evidence.join(", ")
        ),
    })
}

impl Provide for Choosing<'_> {
    fn function(&self, name: &str) -> Result<Resolved, String> {
        if self.choices.get(name) == Some(&WITHOUT) {
            return Err("left out to see whether the kernel comes further".to_owned());
        }
        self.settled(name, false)
            .map_or_else(|| self.identification.function(name), Ok)
    }

    fn data(&self, name: &str) -> Result<Resolved, String> {
        self.settled(name, true)
            .map_or_else(|| self.identification.data(name), Ok)
    }

    fn layout(&self, name: &str) -> Result<Resolved, String> {
        self.identification.layout(name)
    }

    fn constant(&self, name: &str) -> Result<Resolved, String> {
        self.identification.constant(name)
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        self.identification.place(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::Candidate;

    #[test]
    fn the_chosen_candidate_or_the_likeliest() {
        let candidate = |address| Candidate {
            address,
            score: 1.0,
            evidence: vec!["a text".into()],
        };
        let mut pointer = Pointer {
            name: "handle_level_irq".into(),
            kind: Kind::Function,
            status: Status::Ambiguous,
            candidates: vec![candidate(0xc000_9000), candidate(0xc000_a000)],
            strategy: None,
        };
        let text = |choice, pointer: &Pointer| {
            settled(pointer, choice).map(|found| (found.value, found.evidence))
        };
        let first = (0xc000_9000, "number 1 of 2 candidates: a text".to_owned());
        let second = (0xc000_a000, "number 2 of 2 candidates: a text".to_owned());
        assert_eq!(text(None, &pointer), Some(first));
        assert_eq!(text(Some(0xc000_a000), &pointer), Some(second));
        assert_eq!(text(Some(0xc000_b000), &pointer), None);
        pointer.status = Status::Found;
        assert_eq!(text(None, &pointer), None);
    }
}
