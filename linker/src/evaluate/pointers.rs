//! Pointers against the truth.

use std::collections::{BTreeSet, HashSet};
use std::ops::AddAssign;

use serde::Serialize;

use super::truth::Truth;
use crate::identify::{Identification, Kind, Pointer};
use crate::link::Provide;
use crate::object::Need;

/// The pointers of Table 1 of the paper, by the names they have in the kernel.
/// `_set_irq_handler` there is `__set_irq_handler` in every kernel.
pub const PAPER: [&str; 24] = [
    "machine_desc.init_irq",
    "machine_desc.init_time",
    "irq_set_chip_and_handler_name",
    "irq_set_chip_data",
    "handle_level_irq",
    "__handle_domain_irq",
    "setup_machine_fdt",
    "set_handle_irq",
    "irq_domain_add_simple",
    "irq_create_mapping",
    "of_find_node_by_path",
    "setup_irq",
    "clockevents_config_and_register",
    "irq_domain_xlate_onetwocell",
    "clockevent_delta2ns",
    "clockevents_register_device",
    "set_irq_flags",
    "set_irq_chip",
    "irq_to_desc",
    "__do_div64",
    "platform_device_register",
    "lookup_machine_type",
    "__set_irq_handler",
    "irq_modify_status",
];

/// The field that is known by the variable alone that it is copied to.
const BY_VARIABLE: &str = "machine_desc.handle_irq";

/// How what was found compares with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// One address, the right one.
    Right,
    /// One address, and not the right one; or the kernel has nothing of the name.
    Wrong,
    /// Several candidates, the first of which is the right one.
    First,
    /// Several candidates, the right one among them but not the first.
    Behind,
    /// Several candidates, none of which is right.
    Astray,
    /// The kernel has it, and nothing was found.
    Missing,
    /// The kernel does not have it, and nothing was found.
    Absent,
    /// The kernel does not have it, and there are several candidates.
    Phantom,
    /// The truth cannot tell.
    Untold,
}

/// One pointer and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How it compares.
    pub verdict: Verdict,
    /// Every candidate, the likeliest first, without the Thumb bit.
    pub candidates: Vec<u32>,
    /// Where the truth has it.
    pub truth: Vec<u32>,
    /// What found it.
    pub strategy: Option<String>,
    /// What speaks for the first candidate.
    pub evidence: Vec<String>,
}

/// How many pointers have which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// One address, the right one.
    pub right: u32,
    /// One address, a wrong one.
    pub wrong: u32,
    /// Several candidates, the right one first.
    pub first: u32,
    /// Several candidates, the right one not first or not among them.
    pub misranked: u32,
    /// The kernel has it, and nothing was found.
    pub missing: u32,
    /// Several candidates for what the kernel does not have.
    pub phantom: u32,
    /// One address for what the kernel does not have; also among the wrong.
    pub invented: u32,
}

impl Counts {
    /// Pointers that the kernel has, by the truth.
    pub fn existing(&self) -> u32 {
        self.right + self.ambiguous() + self.missing + (self.wrong - self.invented)
    }

    /// Pointers that the kernel has and that have several candidates.
    pub fn ambiguous(&self) -> u32 {
        self.first + self.misranked
    }

    /// The share of what the kernel has for which the right address, and no
    /// other, was found. 1 when it has none.
    pub fn share(&self) -> f64 {
        match self.existing() {
            0 => 1.0,
            existing => f64::from(self.right) / f64::from(existing),
        }
    }

    /// The counts of these.
    pub fn of<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut counts = Self::default();
        for one in judged {
            match one.verdict {
                Verdict::Right => counts.right += 1,
                Verdict::Wrong => {
                    counts.wrong += 1;
                    counts.invented += u32::from(one.truth.is_empty());
                }
                Verdict::First => counts.first += 1,
                Verdict::Behind | Verdict::Astray => counts.misranked += 1,
                Verdict::Missing => counts.missing += 1,
                Verdict::Phantom => counts.phantom += 1,
                Verdict::Absent | Verdict::Untold => {}
            }
        }
        counts
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.first += other.first;
        self.misranked += other.misranked;
        self.missing += other.missing;
        self.phantom += other.phantom;
        self.invented += other.invented;
    }
}

/// Judges every pointer that is always asked for, those of the paper, and, when
/// the truth is a list of some names, those.
///
/// `reference` is what identification says when it is given the truth as
/// symbols. The fields of the machine descriptor have no symbol of their own;
/// theirs is the truth about them.
pub fn judge(found: &Identification, reference: &Identification, truth: &Truth) -> Vec<Judged> {
    let mut names: Vec<&str> = found.pointers.iter().map(|it| it.name.as_str()).collect();
    names.extend(PAPER);
    if !truth.has_functions() {
        names.extend(truth.symbols().iter().map(|symbol| symbol.name.as_str()));
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(*name));
    names
        .into_iter()
        .map(|name| match name {
            "machine_desc" if !truth.has_functions() => descriptor(found, truth),
            _ => one(found.resolve(name), reference, truth),
        })
        .collect()
}

/// A list of what somebody has looked up calls the descriptor itself by the
/// name that in the kernel is that of the pointer to it.
fn descriptor(found: &Identification, truth: &Truth) -> Judged {
    let descriptors = found.machines.descriptors.iter();
    let candidates: Vec<u32> = descriptors.map(|it| it.va).collect();
    let told = truth.addresses("machine_desc", Kind::Data);
    let strategy = candidates.first().map(|_| "machine_desc".to_owned());
    Judged {
        name: "machine_desc".to_owned(),
        kind: Kind::Data,
        verdict: verdict(told.as_ref(), &candidates),
        candidates,
        truth: told.unwrap_or_default().into_iter().collect(),
        strategy,
        evidence: Vec::new(),
    }
}

/// `None` for the truth: it cannot tell; no address: the kernel has no such
/// thing.
fn verdict(truth: Option<&BTreeSet<u32>>, candidates: &[u32]) -> Verdict {
    let Some(truth) = truth else {
        return Verdict::Untold;
    };
    match (truth.is_empty(), candidates) {
        (true, []) => Verdict::Absent,
        (_, [only]) if !truth.contains(only) => Verdict::Wrong,
        (_, [_]) => Verdict::Right,
        (true, _) => Verdict::Phantom,
        (false, []) => Verdict::Missing,
        (false, [first, ..]) if truth.contains(first) => Verdict::First,
        (false, rest) if rest.iter().any(|it| truth.contains(it)) => Verdict::Behind,
        (false, _) => Verdict::Astray,
    }
}

fn one(pointer: Pointer, reference: &Identification, truth: &Truth) -> Judged {
    let told: Option<BTreeSet<u32>> = match pointer.kind {
        Kind::Field => match reference.address(&pointer.name) {
            None if pointer.name == BY_VARIABLE && !truth.has_variables() => None,
            address => Some(address.into_iter().collect()),
        },
        kind => truth.addresses(&pointer.name, kind),
    };
    let even = |address: u32| address & !u32::from(pointer.kind == Kind::Function);
    let candidates: Vec<u32> = pointer
        .candidates
        .iter()
        .map(|it| even(it.address))
        .collect();
    let evidence = pointer.candidates.first().map(|it| it.evidence.clone());
    Judged {
        name: pointer.name,
        kind: pointer.kind,
        verdict: verdict(told.as_ref(), &candidates),
        candidates,
        truth: told.unwrap_or_default().into_iter().collect(),
        strategy: pointer.strategy,
        evidence: evidence.unwrap_or_default(),
    }
}

/// Functions that return the machine descriptor in use
/// (arch/arm/kernel/devtree.c; arch/arm/kernel/head-common.S up to 2.6.36).
const RETURN_DESCRIPTOR: [&str; 2] = ["setup_machine_fdt", "lookup_machine_type"];

/// Judges fields of the machine descriptor as found without looking for the
/// descriptor's shape.
///
/// The paper finds the descriptor in the running kernel, as what
/// `setup_machine_fdt` or `lookup_machine_type` returns. So without the shape its
/// fields count as found where one of these is, and as missing elsewhere.
pub(super) fn fields_by_functions(judged: &mut [Judged]) {
    let mut functions = RETURN_DESCRIPTOR.iter();
    let found = functions.any(|name| {
        let mut all = judged.iter();
        all.any(|one| one.name == *name && one.verdict == Verdict::Right)
    });
    for one in judged.iter_mut().filter(|one| one.kind == Kind::Field) {
        one.verdict = match (one.truth.is_empty(), found) {
            (true, _) => Verdict::Absent,
            (false, true) => Verdict::Right,
            (false, false) => Verdict::Missing,
        };
    }
}

/// What a driver cannot do without, what this kernel has by the truth, and what
/// was not found: each as the names of which one would have been enough.
pub fn unmet(
    needs: &[Need],
    found: &Identification,
    reference: &Identification,
    truth: &Truth,
) -> Vec<Vec<String>> {
    let has = |name: &str| {
        let pointer = found.resolve(name);
        match pointer.kind {
            Kind::Field => reference.address(name).is_some(),
            kind => truth.addresses(name, kind).is_some_and(|it| !it.is_empty()),
        }
    };
    // What the linker would be told: system calls have a table besides.
    let is_known = |name: &String| found.address(name).is_some() || found.function(name).is_ok();
    needs
        .iter()
        .filter(|need| need.names.iter().any(|name| has(name)))
        .filter(|need| !need.names.iter().any(is_known))
        .map(|need| need.names.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let truth = |addresses: &[u32]| Some(addresses.iter().copied().collect::<BTreeSet<_>>());
        let judge = |told: &[u32], candidates: &[u32]| verdict(truth(told).as_ref(), candidates);
        assert_eq!(judge(&[4], &[4]), Verdict::Right);
        assert_eq!(judge(&[4, 8], &[8]), Verdict::Right);
        assert_eq!(judge(&[4], &[8]), Verdict::Wrong);
        assert_eq!(judge(&[], &[8]), Verdict::Wrong);
        assert_eq!(judge(&[4], &[4, 8]), Verdict::First);
        assert_eq!(judge(&[4], &[8, 4]), Verdict::Behind);
        assert_eq!(judge(&[4], &[8, 12]), Verdict::Astray);
        assert_eq!(judge(&[4], &[]), Verdict::Missing);
        assert_eq!(judge(&[], &[]), Verdict::Absent);
        assert_eq!(judge(&[], &[8, 12]), Verdict::Phantom);
        assert_eq!(verdict(None, &[8]), Verdict::Untold);
    }

    #[test]
    fn shares_are_of_what_exists() {
        let judged = |verdict, truth: &[u32]| Judged {
            name: String::new(),
            kind: Kind::Function,
            verdict,
            candidates: Vec::new(),
            truth: truth.to_vec(),
            strategy: None,
            evidence: Vec::new(),
        };
        let counts = Counts::of(&[
            judged(Verdict::Right, &[4]),
            judged(Verdict::Wrong, &[4]),
            judged(Verdict::Wrong, &[]),
            judged(Verdict::First, &[4]),
            judged(Verdict::Missing, &[4]),
            judged(Verdict::Absent, &[]),
            judged(Verdict::Phantom, &[]),
            judged(Verdict::Untold, &[]),
        ]);
        assert_eq!(counts.existing(), 4);
        assert_eq!(counts.share(), 0.25);
        assert_eq!((counts.wrong, counts.invented), (2, 1));
        assert_eq!(Counts::default().share(), 1.0);
    }

    #[test]
    fn fields_count_where_their_descriptor_can_be_had() {
        let judged = |name: &str, kind, verdict| Judged {
            name: name.to_owned(),
            kind,
            verdict,
            candidates: Vec::new(),
            truth: vec![4],
            strategy: None,
            evidence: Vec::new(),
        };
        for (function, field) in [
            (Verdict::Right, Verdict::Right),
            (Verdict::First, Verdict::Missing),
        ] {
            let mut all = [
                judged("machine_desc.init_irq", Kind::Field, Verdict::Right),
                judged("setup_machine_fdt", Kind::Function, function),
            ];
            fields_by_functions(&mut all);
            assert_eq!(all[0].verdict, field);
            assert_eq!(all[1].verdict, function);
        }
    }
}
