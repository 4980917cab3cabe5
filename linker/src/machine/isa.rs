//! Which instruction set a piece of a kernel is written in.

use crate::kernel::Kernel;

/// Words that are looked at.
const SAMPLE: u32 = 12;

/// Whether the code at an even address is Thumb.
///
/// Symbol tables of kernels give even addresses, and a kernel compiled to
/// Thumb-2 has a few functions in A32 (its entry, some assembler). Nearly
/// every A32 instruction is unconditional, so the top four bits of a word are
/// 0xe; in T32 code these bits belong to every second halfword and are 0xe or
/// 0xf only by chance.
pub(crate) fn is_thumb(kernel: &Kernel, va: u32) -> bool {
    if !kernel.facts.thumb2 {
        return false;
    }
    if va & 3 != 0 {
        return true;
    }
    let words: Vec<u32> = (0..SAMPLE)
        .map_while(|index| kernel.word(va.wrapping_add(4 * index)))
        .take_while(|&word| word != 0)
        .collect();
    let always = words.iter().filter(|&&word| word >> 28 == 0xe).count();
    2 * always <= words.len()
}

/// Whether a word may be the address of a function in the image.
pub(crate) fn may_be_function(kernel: &Kernel, word: u32) -> bool {
    let aligned = if word & 1 == 1 {
        kernel.facts.thumb2
    } else {
        word & 3 == 0
    };
    aligned && kernel.offset(word).is_some()
}
