//! System registers of absent parts.
//!
//! Kernels for a SoC write to its second-level cache control, performance
//! counters, debug unit and other parts through coprocessors 14 and 15. A part
//! that the emulated model lacks makes that an undefined instruction, which no
//! kernel expects: in privileged modes such a register reads 0 and ignores
//! writes instead, and each is counted. Floating point, and everything in user
//! mode, stays undefined: kernels probe for it and switch it on that way. A
//! secure monitor call does nothing: there is no firmware to call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Different instructions that are told apart.
const LIMIT: usize = 256;

/// An instruction that an absent part would have run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absent {
    /// The instruction without condition and registers: what it accesses.
    pub(super) key: u32,
    /// Registers that it reads into.
    pub(super) reads: [Option<u32>; 2],
}

/// Recognises an instruction in ARM encoding; Thumb has the same with the two
/// halfwords in one.
pub(super) fn absent(instruction: u32) -> Option<Absent> {
    let processor = instruction >> 8 & 15;
    let to_core = instruction & 1 << 20 != 0;
    if !matches!(processor, 14 | 15) || instruction >> 28 == 15 {
        return None;
    }
    let first = instruction >> 12 & 15;
    let second = instruction >> 16 & 15;
    if instruction & 0x0f00_0010 == 0x0e00_0010 {
        // MCR, MRC.
        Some(Absent {
            key: instruction & 0x0fff_0fff,
            reads: [to_core.then_some(first), None],
        })
    } else if instruction & 0x0fe0_0000 == 0x0c40_0000 {
        // MCRR, MRRC.
        Some(Absent {
            key: instruction & 0x0ff0_0fff,
            reads: [to_core.then_some(first), to_core.then_some(second)],
        })
    } else {
        None
    }
}

/// Whether an instruction is a secure monitor or hypervisor call, in ARM
/// encoding.
pub(super) fn is_monitor_call(instruction: u32, thumb: bool) -> bool {
    if thumb {
        instruction & 0xfff0_f000 == 0xf7f0_8000 || instruction & 0xfff0_f000 == 0xf7e0_8000
    } else {
        instruction >> 28 != 15
            && (instruction & 0x0ff0_00f0 == 0x0160_0070
                || instruction & 0x0ff0_00f0 == 0x0140_0070)
    }
}

/// How often each was used.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    entries: BTreeMap<u32, u64>,
}

impl Account {
    pub(super) fn note(&mut self, key: u32) {
        if self.entries.len() < LIMIT || self.entries.contains_key(&key) {
            let count = self.entries.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn list(&self) -> Vec<(u32, u64)> {
        self.entries
            .iter()
            .map(|(&key, &count)| (key, count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_of_both_coprocessors_are_recognised() {
        // mrc p15, 1, r0, c9, c0, 2
        let l2 = absent(0xee39_0f50).unwrap();
        assert_eq!(l2.reads, [Some(0), None]);
        // mcr p14, 0, r1, c0, c0, 0
        assert_eq!(absent(0xee00_1e10).unwrap().reads, [None, None]);
        // mrrc p15, 0, r2, r3, c14
        assert_eq!(absent(0xec53_2f0e).unwrap().reads, [Some(2), Some(3)]);
        // vmrs r0, fpsid; mrc2
        assert_eq!(absent(0xeef0_0a10), None);
        assert_eq!(absent(0xfe39_0f50), None);
    }

    #[test]
    fn the_same_register_is_one_entry_whatever_the_core_register() {
        let key = |instruction| absent(instruction).unwrap().key;
        assert_eq!(key(0xee39_0f50), key(0x0e39_5f50));
        assert_ne!(key(0xee39_0f50), key(0xee39_0f70));
    }

    #[test]
    fn monitor_calls() {
        assert!(is_monitor_call(0xe160_0070, false));
        assert!(is_monitor_call(0xf7f0_8000, true));
        assert!(!is_monitor_call(0xe7f0_00f0, false));
    }
}
