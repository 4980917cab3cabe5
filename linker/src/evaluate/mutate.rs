//! Kernels that were damaged on purpose, and what may be believed of them.
//!
//! A mutation changes some bytes of a decompressed kernel. Whatever it changes,
//! identification ends in bounded time without a panic. And an address that is
//! accepted is the right one, unless bytes were changed that its evidence rests
//! on: a function or text that the evidence names, by address, by name or as a
//! quotation, or the function in question.

use std::ops::Range;

use crate::bytes;
use crate::identify::{Identification, Kind};
use crate::kernel::Kernel;

/// What is done to a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// Single bits change, up to a few hundred, anywhere.
    BitFlips,
    /// The end is missing.
    Cut,
    /// From some place on everything lies a few bytes further on or back.
    Shifted,
    /// A piece is replaced by a copy of another piece.
    Spliced,
    /// A piece of data is replaced by code.
    DataAsCode,
    /// A piece of code is replaced by bytes without meaning.
    Overwritten,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Mutation; 6] = [
        Mutation::BitFlips,
        Mutation::Cut,
        Mutation::Shifted,
        Mutation::Spliced,
        Mutation::DataAsCode,
        Mutation::Overwritten,
    ];

    /// The kernel with the mutation that this seed stands for. The same seed
    /// gives the same bytes; `text` are the offsets of its code.
    pub fn apply(self, kernel: &Kernel, text: Range<usize>, seed: u64) -> Kernel {
        let mut random = Random::new(seed ^ (self as u64) << 56);
        let mut bytes = kernel.bytes.clone();
        let len = bytes.len();
        let data = text.end.min(len)..len;
        match self {
            Mutation::BitFlips => {
                for _ in 0..random.below(400) + 1 {
                    let at = random.below(len);
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << random.below(8);
                    }
                }
            }
            Mutation::Cut => bytes.truncate(len / 8 + random.below(len - len / 8)),
            Mutation::Shifted => {
                let at = random.below(len);
                let by = random.below(64) + 1;
                if random.below(2) == 0 {
                    let filling = random.bytes(by);
                    bytes.splice(at..at, filling);
                    bytes.truncate(len);
                } else {
                    bytes.drain(at..(at + by).min(len));
                }
            }
            Mutation::Spliced => {
                let piece = random.piece(0..len);
                copy(&mut bytes, piece, random.below(len));
            }
            Mutation::DataAsCode => {
                let piece = random.piece(text);
                let to = data.start + random.below(data.len());
                copy(&mut bytes, piece, to);
            }
            Mutation::Overwritten => {
                let piece = random.piece(text);
                let filling = random.bytes(piece.len());
                if let Some(place) = bytes.get_mut(piece) {
                    place.copy_from_slice(&filling);
                }
            }
        }
        Kernel {
            bytes,
            base: kernel.base,
            facts: kernel.facts.clone(),
        }
    }
}

/// Copies a piece to another place, as much as fits.
fn copy(bytes: &mut [u8], from: Range<usize>, to: usize) {
    let len = from.len().min(bytes.len().saturating_sub(to));
    let from = from.start..from.start + len;
    if from.end <= bytes.len() {
        bytes.copy_within(from, to);
    }
}

/// Numbers that depend on nothing but the seed (splitmix64).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `limit`; 0 when there is none.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % (limit as u64).max(1)) as usize
    }

    /// A piece of between 16 bytes and 64 KiB within a range.
    fn piece(&mut self, within: Range<usize>) -> Range<usize> {
        let size = (16usize << self.below(12)).min(within.len());
        let start = within.start + self.below(within.len() - size + 1);
        start..start + size
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// An address that was accepted although it is wrong and nothing that its
/// evidence names was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The pointer.
    pub name: String,
    /// The address that was accepted.
    pub found: u32,
    /// What is right; empty when the unchanged kernel does not have it.
    pub right: Vec<u32>,
    /// Why the address was believed.
    pub evidence: Vec<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let evidence = self.evidence.join("; ");
        let (name, found) = (&self.name, self.found);
        write!(out, "{name} at {found:#x} instead of")?;
        for right in &self.right {
            write!(out, " {right:#x}")?;
        }
        write!(out, " [{evidence}]")
    }
}

/// What is known of the kernel before its mutation.
pub trait Knowledge {
    /// Where a name is: `None` when that is not known, no address when the
    /// kernel has nothing of that name.
    fn right(&self, name: &str, kind: Kind) -> Option<Vec<u32>>;

    /// The bytes that belong to an address: the function around it, when it lies
    /// in one.
    fn extent(&self, va: u32) -> Option<Range<u32>>;
}

/// What was wrongly accepted in a mutated kernel.
pub fn faults(
    original: &Kernel,
    mutated: &Kernel,
    found: &Identification,
    known: &impl Knowledge,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for pointer in &found.pointers {
        let (Some(address), Some(right)) =
            (pointer.address(), known.right(&pointer.name, pointer.kind))
        else {
            continue;
        };
        let even = address & !u32::from(pointer.kind == Kind::Function);
        if right.contains(&even) {
            continue;
        }
        let evidence: Vec<String> = pointer
            .candidates
            .iter()
            .flat_map(|candidate| candidate.evidence.iter().cloned())
            .collect();
        let mut named = vec![even];
        named.extend(&right);
        for text in &evidence {
            named.extend(addresses(text));
            named.extend(texts(text).filter_map(|text| place_of(original, text)));
            for name in names(text) {
                named.extend(found.address(name).map(|it| it & !1));
                named.extend(known.right(name, Kind::Function).into_iter().flatten());
            }
        }
        let touched = named.into_iter().any(|va| {
            let span = known.extent(va).unwrap_or_else(|| item(original, va));
            changed(original, mutated, &span)
        });
        if !touched {
            faults.push(Fault {
                name: pointer.name.clone(),
                found: address,
                right,
                evidence,
            });
        }
    }
    faults
}

/// The identifiers in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.len() > 3)
}

/// Of everything that a text quotes as Rust writes it, the longest piece that
/// is free of escapes.
fn texts(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('"').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| {
            let parts = quoted.split('\\').enumerate();
            let plain = parts.map(|(index, part)| match index {
                0 => part,
                // What the backslash escapes: `u{1}`, or one letter.
                _ => match part.split_once('}') {
                    Some((code, rest)) if code.starts_with("u{") => rest,
                    _ => part.get(1..).unwrap_or(""),
                },
            });
            plain.max_by_key(|part| part.len())
        })
        .filter(|part| part.len() > 3)
}

/// The first place of a text.
fn place_of(kernel: &Kernel, text: &str) -> Option<u32> {
    memchr::memmem::find(&kernel.bytes, text.as_bytes()).map(|at| kernel.va(at))
}

/// The addresses that a text names: `0x` and eight digits.
fn addresses(text: &str) -> impl Iterator<Item = u32> + '_ {
    text.match_indices("0x").filter_map(|(at, _)| {
        let digits: &str = text.get(at + 2..at + 10)?;
        let ends = text[at + 10..]
            .chars()
            .next()
            .is_none_or(|next| !next.is_ascii_hexdigit());
        ends.then(|| u32::from_str_radix(digits, 16).ok())?
    })
}

/// What lies at an address outside of functions: a text, or a few words.
fn item(kernel: &Kernel, va: u32) -> Range<u32> {
    const WORDS: u32 = 64;
    const TEXT: usize = 512;
    let text = kernel
        .offset(va)
        .and_then(|at| bytes::c_str(&kernel.bytes, at, TEXT));
    let len = text.map_or(WORDS, |text| text.len() as u32 + 1);
    va..va.saturating_add(len.max(WORDS))
}

/// Whether any byte of a range of addresses differs between two kernels.
fn changed(original: &Kernel, mutated: &Kernel, span: &Range<u32>) -> bool {
    let bytes = |kernel: &'_ Kernel| {
        let start = kernel.offset(span.start).unwrap_or(kernel.bytes.len());
        let end = start.saturating_add(span.len());
        start..end.min(kernel.bytes.len())
    };
    original.bytes.get(bytes(original)) != mutated.bytes.get(bytes(mutated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Version;
    use crate::machine::testing::{BASE, Image};

    fn kernel() -> Kernel {
        let mut image = Image::new(0x4000, Version(4, 9, 0));
        for at in 0..0x1000 {
            image.words(BASE + 4 * at, &[0xe1a0_0000 + at]);
        }
        image.kernel()
    }

    #[test]
    fn a_seed_is_a_mutation() {
        let kernel = kernel();
        for mutation in Mutation::ALL {
            let mut different = 0;
            for seed in 0..50 {
                let one = mutation.apply(&kernel, 0..0x3000, seed);
                let same = mutation.apply(&kernel, 0..0x3000, seed);
                assert_eq!(one.bytes, same.bytes, "{mutation:?}");
                different += usize::from(one.bytes != kernel.bytes);
            }
            assert!(different > 40, "{mutation:?}: {different}");
        }
    }

    #[test]
    fn tiny_kernels_can_be_mutated_too() {
        let mut kernel = kernel();
        for len in [0, 1, 15, 17] {
            kernel.bytes.truncate(len);
            for mutation in Mutation::ALL {
                for seed in 0..20 {
                    mutation.apply(&kernel, 0..len / 2, seed);
                }
            }
        }
    }

    #[test]
    fn names_and_quotations_in_texts() {
        let text =
            r#"lexical: the only one to refer to "\u{1}3Trying IRQ%d\n", called by setup_irq"#;
        assert_eq!(texts(text).collect::<Vec<_>>(), ["3Trying IRQ%d"]);
        assert!(names(text).any(|name| name == "setup_irq"));
    }

    #[test]
    fn addresses_in_texts() {
        let named: Vec<u32> =
            addresses("text \"x 0x10\" at 0xc0123456, 0xc0008000..0xc0009000 0x123456789")
                .collect();
        assert_eq!(named, [0xc012_3456, 0xc000_8000, 0xc000_9000]);
    }

    #[test]
    fn a_change_is_seen_where_it_is() {
        let original = kernel();
        let mut mutated = original.clone();
        mutated.bytes[0x100] ^= 1;
        let changed = |span| changed(&original, &mutated, &span);
        assert!(changed(BASE + 0xf0..BASE + 0x101));
        assert!(!changed(BASE + 0xf0..BASE + 0x100));
        mutated.bytes.truncate(0x2000);
        assert!(super::changed(
            &original,
            &mutated,
            &(BASE + 0x1ff0..BASE + 0x2010)
        ));
        assert!(super::changed(
            &original,
            &mutated,
            &(BASE + 0x3000..BASE + 0x3010)
        ));
    }
}
