//! Every pair is compared again with all that has become known since; one that no
//! longer stands is given up.

use super::{Matcher, Named, Node, Ranked, STEPS};
use crate::identify::{doubt::are_siblings, tally::Tally};

impl Matcher<'_> {
    /// Looks at every pair again; gives up those that no longer stand.
    pub(super) fn check(&mut self) -> bool {
        let mut unnamed: Vec<Vec<Named>> = vec![Vec::new(); self.source.files.len()];
        for named in self.source.ids().filter(|it| self.node_of(*it).is_none()) {
            let source = self.source.node(named);
            if let (true, Some(file)) = (source.known, source.file) {
                unnamed[file as usize].push(named);
            }
        }
        let due: Vec<(Named, Node)> = self
            .source
            .ids()
            .filter(|it| self.unchecked[it.0 as usize] && !self.fixed[it.0 as usize])
            .filter_map(|named| Some((named, self.node_of(named)?)))
            .collect();
        self.unchecked.fill(false);
        let checked = self.ask_each(&due, |&pair, votes| {
            let ranked = self.rank_open(pair.0, votes);
            let stands = self.stands(pair, &ranked, &unnamed);
            (ranked, stands)
        });
        let mut falls = false;
        for (&(named, node), (ranked, stands)) in due.iter().zip(checked) {
            self.ranked[named.0 as usize] = ranked;
            if !stands {
                self.give_up(named);
                self.refuted[named.0 as usize].push(node);
                falls = true;
            }
        }
        falls
    }

    /// Whether a pair is still what it was accepted for.
    fn stands(
        &self,
        (named, node): (Named, Node),
        ranked: &Ranked,
        unnamed: &[Vec<Named>],
    ) -> bool {
        let tally = self.score(named, node, Tally::default());
        let own = tally.total();
        let other = ranked
            .iter()
            .filter(|it| it.0 != node)
            .map(|it| it.1)
            .fold(0.0, f32::max);
        let (need, margin) = STEPS[STEPS.len() - 1];
        own >= need
            && own - other >= margin
            && self.stands_alone_by(&tally, named, node)
            && !self.is_claimed(named, node, own, unnamed)
    }

    /// Whether a name of the same file that has no place fits better here: it may
    /// have come to nothing only because this one was the first.
    fn is_claimed(&self, named: Named, node: Node, bits: f32, unnamed: &[Vec<Named>]) -> bool {
        let source = self.source.node(named);
        let Some(file) = source.file.filter(|_| source.known) else {
            return false;
        };
        unnamed[file as usize].iter().any(|&other| {
            let rival = self.source.node(other);
            // What is a part of another is nowhere else, but that other must be.
            let whole = rival.global && !rival.conditional;
            are_siblings(source, rival)
                && !self.may_contain(named, other)
                && (whole || !self.may_contain(other, named))
                && self.score(other, node, Tally::default()).total() > bits
        })
    }
}
