//! What speaks for and against one answer, in bits.
//!
//! A fact that one function in 2^n shows by chance speaks for an answer with n
//! bits; what contradicts an answer speaks against it. Texts for a person are
//! only made when they are asked for.

use super::{Strategy, graph::Fact};

/// Bits of a fact that is not in every second function.
const TELLING: f32 = 2.0;

/// The sum of the evidence for one answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// By strategy.
    bits: [f32; Strategy::ALL.len()],
    /// Bits of facts that it has only if a function of its file was put into it.
    inherited: f32,
    /// Bits of what speaks against it.
    against: f32,
    /// Texts and neighbours that speak for it.
    facts: u32,
    /// Texts, each with its strategy and its bits.
    pub evidence: Option<Vec<(Strategy, f32, String)>>,
}

impl Tally {
    /// One that also keeps the texts.
    pub(super) fn explained() -> Self {
        Self {
            evidence: Some(Vec::new()),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, strategy: Strategy, bits: f32, why: impl FnOnce() -> String) {
        self.bits[strategy as usize] += bits;
        self.against -= bits.min(0.0);
        let tells = matches!(strategy, Strategy::Lexical | Strategy::Relation);
        self.facts += u32::from(tells && bits > TELLING);
        if let Some(evidence) = &mut self.evidence {
            evidence.push((strategy, bits, why()));
        }
    }

    /// The same for a fact of the source.
    pub(super) fn fact(
        &mut self,
        strategy: Strategy,
        fact: Fact,
        bits: f32,
        why: impl FnOnce() -> String,
    ) {
        if fact == Fact::Inherited {
            self.inherited += bits.max(0.0);
        }
        self.add(strategy, bits, why);
    }

    /// Bits of its own facts, and not of its place alone.
    pub(super) fn own(&self) -> f32 {
        self.total() - self.inherited - self.of(Strategy::Locality).max(0.0)
    }

    /// Bits of what it has only if another function was put into it.
    pub(super) fn inherited(&self) -> f32 {
        self.inherited
    }

    pub(super) fn total(&self) -> f32 {
        self.bits.iter().sum()
    }

    /// Bits of what speaks against it.
    pub(super) fn against(&self) -> f32 {
        self.against
    }

    /// What speaks against it, as a share of what speaks for it.
    pub(super) fn share_against(&self) -> f32 {
        self.against / (self.total() + self.against).max(1.0)
    }

    /// How many texts and neighbours speak for it.
    pub(super) fn facts(&self) -> u32 {
        self.facts
    }

    pub(super) fn of(&self, strategy: Strategy) -> f32 {
        self.bits[strategy as usize]
    }
}
