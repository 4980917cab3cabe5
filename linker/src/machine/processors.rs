//! The processor table (`.proc.info.init`), found by its shape.
//!
//! `struct proc_info_list` is value, mask, section flags for memory, (from
//! 2.6.21 on) section flags for I/O, a branch or an offset to the set-up code,
//! arch_name, elf_name, then words that do not matter here.

use std::collections::BTreeMap;

use super::Processor;
use crate::{
    bytes::{c_str, le32},
    kernel::Kernel,
};

/// Where arch_name stands, as an index of words: with and without I/O flags.
const ARCH_NAME_AT: [u32; 2] = [5, 4];

/// The entries, in the order in which the kernel tries them.
pub(super) fn find(kernel: &Kernel) -> Vec<Processor> {
    let names: BTreeMap<u32, &str> = memchr::memmem::find_iter(&kernel.bytes, b"armv")
        .filter_map(|at| {
            let text = c_str(&kernel.bytes, at, 15)?;
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric())
                .then_some((kernel.va(at), text))
        })
        .collect();
    let (Some(low), Some(high)) = (names.keys().next(), names.keys().next_back()) else {
        return Vec::new();
    };
    (0..kernel.bytes.len().saturating_sub(8))
        .step_by(4)
        .filter_map(|at| {
            let word = le32(&kernel.bytes, at)?;
            if !(low..=high).contains(&&word) {
                return None;
            }
            let arch_name = names.get(&word)?;
            let elf_name = elf_name(kernel, le32(&kernel.bytes, at + 4)?)?;
            let (va, value, mask) = ARCH_NAME_AT.iter().find_map(|index| {
                let va = kernel.va(at).checked_sub(4 * index)?;
                let (value, mask) = (kernel.word(va)?, kernel.word(va.wrapping_add(4))?);
                // A pattern of an identification register: some bits must
                // match, and no bit outside the mask can. It is no address.
                let pattern = mask.count_ones() >= 4 && value & !mask == 0 && value != 0;
                (pattern && kernel.offset(mask).is_none()).then_some((va, value, mask))
            })?;
            Some(Processor {
                va,
                value,
                mask,
                arch_name: (*arch_name).to_owned(),
                elf_name: elf_name.to_owned(),
            })
        })
        .collect()
}

fn elf_name(kernel: &Kernel, va: u32) -> Option<&str> {
    let text = c_str(&kernel.bytes, kernel.offset(va)?, 7)?;
    let digit = text.strip_prefix('v')?.bytes().next()?;
    digit.is_ascii_digit().then_some(text)
}
