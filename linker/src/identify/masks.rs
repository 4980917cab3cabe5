//! `cpu_possible_mask` and `cpu_online_mask` (kernel/cpu.c, 2.6.29 to 4.4): constants
//! that point to bitmaps. Kernels for one processor export them and use them nowhere,
//! so that nothing but where they lie tells them.
//!
//! ```c
//! const unsigned long cpu_bit_bitmap[33][1];        /* 0, 1, 2, 4, ... */
//! const DECLARE_BITMAP(cpu_all_bits, NR_CPUS);      /* 1, 3, 7, ... */
//! const struct cpumask *const cpu_possible_mask;    /* then online, present, active */
//! ```
//!
//! Compilers keep this order or turn it round, with the table at either end; the mask of
//! the possible processors lies beside `cpu_all_bits` in any case, and that of those
//! online behind it.

use std::ops::Range;

use super::{
    Candidate, Strategy,
    combine::{Finding, Findings},
};
use crate::kernel::{Kernel, Version};

/// Versions that have the constants.
const VERSIONS: Range<Version> = Version(2, 6, 29)..Version(4, 5, 0);
/// Words of `cpu_bit_bitmap`.
const TABLE: u32 = 33;
/// Masks beside each other.
const MASKS: u32 = 4;
/// How far behind the image its own variables may lie (`.bss`), in bytes.
const BSS: u32 = 16 << 20;
/// Bits for the only place of this form: five words that fit each other, beside a
/// table that nothing else has.
const FORM: f64 = 20.0;

/// Where the constants lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    table: u32,
    possible: u32,
    online: u32,
}

/// Adds the constants to what was found; where that was another address, neither is
/// certain.
pub(super) fn add(kernel: &Kernel, findings: &mut Findings) {
    let Some(found) = find(kernel) else {
        return;
    };
    let table = found.table;
    for (name, address) in [
        ("cpu_possible_mask", found.possible),
        ("cpu_online_mask", found.online),
    ] {
        let why = format!(
            "shape: one of four pointers at {address:#010x} to words side by side, in the order of kernel/cpu.c beside the table of processors' bits at {table:#010x} (+{FORM:.1})"
        );
        let candidate = Candidate {
            address,
            score: FORM,
            evidence: vec![why],
        };
        let known = findings.entry(name.to_owned()).or_insert(Finding {
            certain: true,
            ..Finding::default()
        });
        if known.candidates.iter().all(|it| it.1.address != address) {
            known.candidates.push((Strategy::Shape, candidate));
            known.certain &= known.candidates.len() == 1;
        }
    }
}

/// The constants, when there is one place that has the form.
fn find(kernel: &Kernel) -> Option<Masks> {
    if !VERSIONS.contains(&kernel.facts.version) {
        return None;
    }
    let bits = (0..TABLE - 1).map(|bit| 1u32 << bit);
    let table: Vec<u8> = std::iter::once(0)
        .chain(bits)
        .flat_map(u32::to_le_bytes)
        .collect();
    let mut found = memchr::memmem::find_iter(&kernel.bytes, &table)
        .map(|at| kernel.va(at))
        .filter(|va| va.is_multiple_of(4))
        .flat_map(|table| beside(kernel, table));
    found.next().filter(|_| found.next().is_none())
}

/// The masks beside a table, in every order that fits.
fn beside(kernel: &Kernel, table: u32) -> impl Iterator<Item = Masks> {
    let behind = |words: u32| table.wrapping_add(4 * words);
    // `cpu_all_bits`, and on which side of it the masks lie.
    let orders = [
        (behind(TABLE), 4),
        (table.wrapping_sub(4), 4u32.wrapping_neg()),
        (behind(TABLE + MASKS), 4u32.wrapping_neg()),
    ];
    orders.into_iter().filter_map(move |(all, step)| {
        let mask = |index: u32| all.wrapping_add(step.wrapping_mul(index + 1));
        let processors = kernel.word(all)?;
        let are_all = processors != 0 && processors & processors.wrapping_add(1) == 0;
        let pointers: Option<Vec<u32>> = (0..MASKS).map(|it| kernel.word(mask(it))).collect();
        (are_all && are_side_by_side(kernel, pointers?)).then(|| Masks {
            table,
            possible: mask(0),
            online: mask(1),
        })
    })
}

/// Whether these are the addresses of words beside each other, in any order.
fn are_side_by_side(kernel: &Kernel, mut pointers: Vec<u32>) -> bool {
    pointers.sort_unstable();
    let variables = kernel.base..kernel.end().saturating_add(BSS);
    let within = |it: &u32| it.is_multiple_of(4) && variables.contains(it);
    let next = |pair: &[u32]| pair[0].checked_add(4) == Some(pair[1]);
    pointers.iter().all(within) && pointers.windows(2).all(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::{BASE, Image};

    const AT: u32 = BASE + 0x400;
    const BITS: u32 = BASE + 0x2000;

    /// These words around the table.
    fn found(before: &[u32], behind: &[u32], version: Version) -> Option<Masks> {
        let mut image = Image::new(0x1000, version);
        image.words(AT - 4 * before.len() as u32, before);
        for bit in 0..TABLE - 1 {
            image.words(AT + 4 + 4 * bit, &[1 << bit]);
        }
        image.words(AT + 4 * TABLE, behind);
        find(&image.kernel())
    }

    fn masks(possible: u32, online: u32) -> Option<Masks> {
        let table = AT;
        Some(Masks {
            table,
            possible,
            online,
        })
    }

    #[test]
    fn the_masks_lie_beside_all_bits_in_every_order() {
        let version = Version(3, 4, 0);
        let behind = AT + 4 * TABLE;
        let [a, b, c, d] = [BITS + 4, BITS + 8, BITS, BITS + 12];
        assert_eq!(
            found(&[], &[1, a, b, c, d], version),
            masks(behind + 4, behind + 8)
        );
        assert_eq!(
            found(&[d, c, b, a, 3], &[], version),
            masks(AT - 8, AT - 12)
        );
        assert_eq!(
            found(&[], &[d, c, b, a, 3], version),
            masks(behind + 12, behind + 8)
        );
    }

    #[test]
    fn what_does_not_fit_is_not_believed() {
        let version = Version(3, 4, 0);
        let right = [1, BITS, BITS + 4, BITS + 8, BITS + 12];
        assert!(found(&[], &right, version).is_some());
        // Before and after the constants were there.
        assert_eq!(found(&[], &right, Version(2, 6, 28)), None);
        assert_eq!(found(&[], &right, Version(4, 5, 0)), None);
        // No mask of all processors; a gap; an address far away; two places.
        assert_eq!(
            found(&[], &[2, right[1], right[2], right[3], right[4]], version),
            None
        );
        assert_eq!(
            found(&[], &[1, BITS, BITS + 4, BITS + 8, BITS + 16], version),
            None
        );
        assert_eq!(found(&[], &[1, 0, 4, 8, 12], version), None);
        let before = [right[4], right[3], right[2], right[1], 1];
        assert_eq!(found(&before, &right, version), None);
    }

    #[test]
    fn another_address_makes_both_doubtful() {
        let mut image = Image::new(0x1000, Version(3, 4, 0));
        for bit in 0..TABLE - 1 {
            image.words(AT + 4 + 4 * bit, &[1 << bit]);
        }
        image.words(AT + 4 * TABLE, &[1, BITS, BITS + 4, BITS + 8, BITS + 12]);
        let kernel = image.kernel();
        let mut findings = Findings::new();
        add(&kernel, &mut findings);
        let addresses = |findings: &Findings, name: &str| -> (Vec<u32>, bool) {
            let finding = &findings[name];
            let all = finding.candidates.iter().map(|it| it.1.address);
            (all.collect(), finding.certain)
        };
        let online = AT + 4 * TABLE + 8;
        assert_eq!(
            addresses(&findings, "cpu_online_mask"),
            (vec![online], true)
        );
        // Once more: the same.
        add(&kernel, &mut findings);
        assert_eq!(
            addresses(&findings, "cpu_online_mask"),
            (vec![online], true)
        );
        if let Some(known) = findings.get_mut("cpu_online_mask") {
            known.candidates[0].1.address = BASE;
        }
        add(&kernel, &mut findings);
        let both = vec![BASE, online];
        assert_eq!(addresses(&findings, "cpu_online_mask"), (both, false));
    }
}
