//! One round: what is out of date is compared again, and what meets the demands and has
//! no rival is accepted.

use super::{BY_PLACE, Matcher, NONE, Named, Node, cluster};
use crate::identify::tally::Tally;

/// More bits, and a wider margin, for a name of which only callers are known.
const UNKNOWN: f32 = 3.0;

/// A name with its best place.
struct Winner {
    named: Named,
    node: Node,
    bits: f32,
    /// What its margin has to be wider.
    wider: f32,
}

/// When a winner was refused: after how many changes, with how many rivals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    changes: u32,
    rivals: usize,
}

/// What comes of a winner.
enum Verdict {
    Accepted,
    /// Refused; these rivals have to be looked at again, for things have changed since
    /// they were.
    Outdated(Vec<Named>),
}

impl Matcher<'_> {
    /// Accepts what meets the demands; false when nothing does.
    pub(in crate::identify) fn round(&mut self, (need, margin): (f32, f32)) -> bool {
        let moved = |named: Named| {
            let file = self.source.file_of(named);
            need <= BY_PLACE && file.is_some_and(|file| self.stale_files[file as usize])
        };
        let is_due = |&named: &Named| {
            self.node_of(named).is_none() && (self.stale[named.0 as usize] || moved(named))
        };
        let due: Vec<Named> = self.source.ids().filter(is_due).collect();
        let ranked = self.ask_each(&due, |&named, votes| self.rank_open(named, votes));
        for (named, ranked) in due.iter().zip(ranked) {
            let index = named.0 as usize;
            self.ranked[index] = ranked;
            self.stale[index] = false;
            self.looked_at[index] = self.changes;
        }
        if need <= BY_PLACE {
            self.stale_files.fill(false);
        }
        let winners: Vec<Winner> = self
            .source
            .ids()
            .filter_map(|named| self.winner(named, (need, margin)))
            .collect();
        let rivals = self.rivals(&winners);
        let claims: Vec<_> = winners.into_iter().zip(rivals).collect();
        let verdicts = self.ask_each(&claims, |(winner, rivals), _| {
            self.verdict(winner, rivals, margin)
        });
        let changes = self.changes;
        let mut any = false;
        for ((winner, rivals), verdict) in claims.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Accepted => {
                    self.assign(winner.named, winner.node);
                    any = true;
                }
                Verdict::Outdated(outdated) => {
                    // With rivals to be looked at again it is not settled.
                    let rivals = rivals.len();
                    let refusal = Refusal { changes, rivals };
                    self.refused[winner.named.0 as usize] = outdated.is_empty().then_some(refusal);
                    any |= !outdated.is_empty();
                    for rival in outdated {
                        self.stale[rival.0 as usize] = true;
                    }
                }
            }
        }
        any
    }

    /// Whether a winner was refused in this step, and neither it nor any rival has been
    /// looked at again or has got a place since.
    fn is_refused(&self, winner: &Winner, rivals: &[(Named, f32)]) -> bool {
        self.refused[winner.named.0 as usize].is_some_and(|it| {
            let old = |named: Named| self.looked_at[named.0 as usize] <= it.changes;
            old(winner.named)
                && rivals.len() == it.rivals
                && rivals.iter().all(|rival| old(rival.0))
        })
    }

    /// Whether a winner is accepted. That it can stand alone is asked last, for it
    /// takes longest.
    fn verdict(&self, winner: &Winner, rivals: &[(Named, f32)], margin: f32) -> Verdict {
        if self.is_refused(winner, rivals) {
            return Verdict::Outdated(Vec::new());
        }
        let beats = self.beats(winner, rivals, margin);
        let old = |it: &&(Named, f32)| self.looked_at[it.0.0 as usize] < self.changes;
        let outdated: Vec<Named> = match beats {
            true => Vec::new(),
            false => rivals.iter().filter(old).map(|it| it.0).collect(),
        };
        match (beats || !outdated.is_empty()) && self.stands_alone(winner.named, winner.node) {
            true if beats => Verdict::Accepted,
            true => Verdict::Outdated(outdated),
            false => Verdict::Outdated(Vec::new()),
        }
    }

    /// The best place of a name, if its bits meet the demands.
    fn winner(&self, named: Named, (need, margin): (f32, f32)) -> Option<Winner> {
        let ranked = &self.ranked[named.0 as usize];
        let &(node, bits) = ranked.first().filter(|it| it.1 >= need)?;
        if self.node_of(named).is_some() {
            return None;
        }
        let next = ranked.get(1).map_or(0.0, |it| it.1);
        let (more, wider) = match self.source.node(named) {
            source if source.known => (0.0, 0.0),
            source if source.data => (UNKNOWN / 2.0, 0.0),
            _ => (UNKNOWN, UNKNOWN),
        };
        let meets =
            self.name_of(node).is_none() && bits >= need + more && bits - next >= margin + wider;
        meets.then_some(Winner {
            named,
            node,
            bits,
            wider,
        })
    }

    /// For each of these winners all names that have its place among their
    /// candidates, each with its bits.
    fn rivals(&mut self, winners: &[Winner]) -> Vec<Vec<(Named, f32)>> {
        let mut rivals = vec![Vec::new(); winners.len()];
        if winners.is_empty() {
            return rivals;
        }
        // By node, the last winner that has it, from 1; and the one before that.
        let last = &mut self.last_winner;
        let mut before = Vec::with_capacity(winners.len());
        for (winner, index) in winners.iter().zip(1..) {
            before.push(std::mem::replace(&mut last[winner.node.0 as usize], index));
        }
        for (index, ranked) in self.ranked.iter().enumerate() {
            if self.nodes[index] != NONE {
                continue;
            }
            for &(node, bits) in ranked.iter() {
                let mut winner = last[node.0 as usize];
                while let Some(at) = (winner as usize).checked_sub(1) {
                    rivals[at].push((Named(index as u32), bits));
                    winner = before[at];
                }
            }
        }
        for winner in winners {
            last[winner.node.0 as usize] = 0;
        }
        rivals
    }

    /// Whether no other name has a claim to the place.
    fn beats(&self, winner: &Winner, rivals: &[(Named, f32)], margin: f32) -> bool {
        let &Winner {
            named,
            node,
            bits,
            wider,
        } = winner;
        let mut others = rivals.iter().filter(|it| it.0 != named);
        others.all(|&(rival, theirs)| {
            if self.may_contain(named, rival) {
                // It explains a part of this one, unless it is there itself.
                theirs <= bits || !self.stands_alone(rival, node)
            } else if self.may_contain(rival, named) {
                let own = self.score(rival, node, Tally::default()).own();
                bits - own >= margin
            } else {
                bits - theirs >= margin + wider
            }
        })
    }

    /// Accepts names that are certain only together with others.
    pub(super) fn together(&mut self, (need, margin): (f32, f32)) -> bool {
        let likely: Vec<(Named, Node)> = self
            .source
            .ids()
            .filter_map(|named| {
                let first = self.ranked[named.0 as usize].first()?;
                let open = first.1 >= need && self.node_of(named).is_none();
                (open && self.source.node(named).known).then_some((named, first.0))
            })
            .collect();
        let stand = self.ask_each(&likely, |&(named, node), _| self.stands_alone(named, node));
        let ranked: Vec<(Named, Vec<(Node, f32)>)> = likely
            .iter()
            .zip(stand)
            .filter(|it| it.1)
            .map(|(&(named, _), _)| {
                let ranked = self.ranked[named.0 as usize].iter();
                let open = |it: &&(Node, f32)| self.name_of(it.0).is_none();
                (named, ranked.filter(open).copied().collect())
            })
            .collect();
        let pairs = cluster::resolve(self, &ranked, margin);
        for &(named, node) in &pairs {
            self.assign(named, node);
        }
        !pairs.is_empty()
    }
}
