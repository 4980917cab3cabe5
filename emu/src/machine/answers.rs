//! Physical addresses without a chip that somebody answers for: a script that
//! stands in for a chip of the device.

use std::ops::RangeInclusive;

use super::Machine;

/// An access to such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The physical address.
    pub address: u32,
    /// Bytes: 1, 2 or 4.
    pub size: u32,
    /// What is written; none for a read.
    pub value: Option<u32>,
    /// The instruction, where that is known.
    pub pc: Option<u32>,
}

/// Answers an access; what it returns for a write does not matter. It is called
/// while the guest runs and must not panic.
pub type Answer = Box<dyn FnMut(&Asked) -> u32>;

/// All answers, the newest last.
#[derive(Default)]
pub(super) struct Answers(Vec<(RangeInclusive<u32>, Answer)>);

impl Answers {
    /// The answer of the newest that answers for the address.
    pub(super) fn ask(&mut self, asked: &Asked) -> Option<u32> {
        let mut all = self.0.iter_mut().rev();
        let (_, answer) = all.find(|(range, _)| range.contains(&asked.address))?;
        Some(answer(asked))
    }
}

impl Machine {
    /// Lets `answer` answer for physical addresses where there is neither memory nor a
    /// chip. Such accesses are not unassigned any more. It is no part of snapshots.
    pub fn answer_for(&mut self, addresses: RangeInclusive<u32>, answer: Answer) {
        self.engine.parts().0.answers.0.push((addresses, answer));
    }

    /// Takes all answers away.
    pub fn answer_for_nothing(&mut self) {
        self.engine.parts().0.answers.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_answers() {
        let mut answers = Answers::default();
        answers
            .0
            .push((0x1000..=0x1fff, Box::new(|asked| asked.address)));
        answers
            .0
            .push((0x1800..=0x18ff, Box::new(|asked| asked.size)));
        let ask = |address| Asked {
            address,
            size: 4,
            value: None,
            pc: None,
        };
        assert_eq!(answers.ask(&ask(0x1004)), Some(0x1004));
        assert_eq!(answers.ask(&ask(0x1804)), Some(4));
        assert_eq!(answers.ask(&ask(0x2000)), None);
    }
}
