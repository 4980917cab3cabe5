//! Functions that the kernel's source has in assembly: their first instructions are
//! the same in every build, whatever the compiler.
//!
//! | function | file of arch/arm |
//! |---|---|
//! | `__do_div64` | lib/div64.S |
//! | `memcpy` | lib/memcpy.S, by lib/copy_template.S |
//! | `memset` | lib/memset.S |
//! | `__udelay` | lib/delay.S, before 3.6 |
//! | `lookup_machine_type` | kernel/head-common.S, before 2.6.37 |

use super::{
    Strategy::Structure,
    by_name::ByName,
    graph::{Binary, Named, Node, Source},
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};
use crate::{code::Function, kernel::Kernel};

/// Bits for the only function with the instructions of the name.
const SAME: f32 = 20.0;
/// Bits against every other.
const ANOTHER: f32 = 10.0;

/// The first instructions of a function: words of A32 or halfwords of T32 in
/// hexadecimal, a point for a digit that may be any.
struct Routine {
    name: &'static str,
    arm: &'static [&'static str],
    thumb: &'static [&'static str],
}

const ROUTINES: [Routine; 5] = [
    // subs ip, r4, #1; bls; tst ip, r4; beq; cmp with the upper half
    Routine {
        name: "__do_div64",
        arm: &["e254c001 9a...... e11c0004 0a...... e15.0004"],
        thumb: &["f1b4 0c01 d9.. ea1c 0f04 d0.."],
    },
    // stmdb sp!, {r0, r4, lr}; subs r2, r2, #4; blt; ands ip, r0, #3, and the same
    // with a frame pointer for the unwinder
    Routine {
        name: "memcpy",
        arm: &[
            "e92d4011 e2522004 ba...... e210c003",
            "e92d4811 e2522004 ba...... e210c003",
            "e92d4811 e1a0b00d e2522004 ba...... e210c003",
        ],
        thumb: &[
            "e92d 4011 3a04 db.. f010 0c03",
            "e92d 4091 466f 3a04 db.. f010 0c03",
        ],
    },
    // and r1, r1, #255 from 5.11 on; ands r3, r0, #3; mov ip, r0 from 3.9 on; bne;
    // orr r1, r1, r1, lsl #8; orr r1, r1, r1, lsl #16
    Routine {
        name: "memset",
        arm: &[
            "e2103003 1a...... e1811401 e1811801",
            "e2103003 e1a0c000 1a...... e1811401 e1811801",
            "e20110ff e2103003 e1a0c000 1a...... e1811401 e1811801",
        ],
        thumb: &[
            "f010 0303 d1.. ea41 2101 ea41 4101",
            "f010 0303 4684 d1.. ea41 2101 ea41 4101",
            "f001 01ff f010 0303 4684 d1.. ea41 2101 ea41 4101",
        ],
    },
    // ldr r2, =...; mul r0, r2, r0; mvn r1, #0 from 2.6.38 on; ldr r2, =loops_per_jiffy;
    // ldr r2, [r2]; 2.6.12 to 2.6.15 make the factor of two constants
    Routine {
        name: "__udelay",
        arm: &[
            "e5.f2... e0000092 e5.f2... e5922000",
            "e5.f2... e0000092 e3e01000 e5.f2... e5922000",
            "e3a02... e38220.. e0000092 e5.f2... e5922000",
        ],
        thumb: &[],
    },
    // stmfd sp!, {r4 - r6, lr}; mov r1, r0; bl; mov r0, r5; ldmfd sp!, {r4 - r6, pc}
    Routine {
        name: "lookup_machine_type",
        arm: &["e92d4070 e1a01000 eb...... e1a00005 e8bd8070"],
        thumb: &[],
    },
];

/// The functions that are in assembly.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROUTINES.iter().map(|it| it.name)
}

/// By name the only function that begins like it.
#[derive(Debug, Default)]
pub(super) struct Assembly(ByName<Node>);

impl Assembly {
    pub(super) fn of(kernel: &Kernel, source: &Source, binary: &Binary) -> Self {
        let mut found = ByName::default();
        for routine in &ROUTINES {
            let Some(named) = source.named(routine.name) else {
                continue;
            };
            let arm: Vec<Pattern> = routine.arm.iter().map(|it| Pattern::of(it)).collect();
            let thumb: Vec<Pattern> = routine.thumb.iter().map(|it| Pattern::of(it)).collect();
            let begins = |function: &Function| {
                let patterns = if function.thumb { &thumb } else { &arm };
                let mut patterns = patterns.iter();
                patterns.any(|it| it.fits(kernel, function.start))
            };
            let nodes = (0..binary.functions as u32).map(Node);
            // From 3.6 on the instructions of `__udelay` are one of several ways to
            // delay, which is called through a pointer.
            let called = |it: &Node| !binary.node(*it).callers.is_empty();
            let functions = nodes.zip(binary.code.functions());
            let mut all = functions.filter(|it| begins(it.1) && called(&it.0));
            if let (Some((only, _)), None) = (all.next(), all.next()) {
                found.insert(named, only);
            }
        }
        Self(found)
    }
}

impl Matcher<'_> {
    /// Whether it is a function that compilers or macros call where the source shows
    /// no call.
    pub(super) fn is_helper(&self, node: Node) -> bool {
        self.assembly.0.iter().any(|it| it.1 == node) || self.sights.is_of_macro(node)
    }
}

/// Bytes, and which bits of them count.
struct Pattern {
    /// Units of so many bytes.
    size: usize,
    units: Vec<(u32, u32)>,
}

impl Pattern {
    fn of(text: &str) -> Self {
        let units = text.split(' ').map(|unit| {
            unit.chars()
                .fold((0, 0), |(value, mask), digit| match digit.to_digit(16) {
                    Some(digit) => (value << 4 | digit, mask << 4 | 0xf),
                    None => (value << 4, mask << 4),
                })
        });
        Self {
            size: text.find(' ').map_or(4, |digits| digits / 2),
            units: units.collect(),
        }
    }

    fn fits(&self, kernel: &Kernel, start: u32) -> bool {
        let Some(offset) = kernel.offset(start) else {
            return false;
        };
        let bytes = kernel.bytes.get(offset..).unwrap_or_default();
        let mut places = bytes.chunks_exact(self.size);
        self.units.iter().all(|&(value, mask)| {
            let place = places.next().unwrap_or_default();
            let unit = place
                .iter()
                .rev()
                .fold(0, |unit, byte| unit << 8 | u32::from(*byte));
            !place.is_empty() && unit & mask == value
        })
    }
}

/// Where the instructions are those of the name.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    if let Some(&node) = matcher.assembly.0.get(&named) {
        votes.extend(&[node], 1);
    }
}

/// Whether the instructions are those of the name.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    match matcher.assembly.0.get(&named) {
        Some(&it) if it == node => tally.add(Structure, SAME, || {
            "the only one that begins with the instructions of its assembly".to_owned()
        }),
        Some(_) => tally.add(Structure, -ANOTHER, || {
            "another begins with the instructions of its assembly".to_owned()
        }),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    #[test]
    fn words_fit_whatever_the_distances_are() {
        let mut image = Image::new(0x1000, Version(3, 4, 0));
        let words = [
            0xe254_c001,
            0x9a00_0033,
            0xe11c_0004,
            0x0a00_0028,
            0xe151_0004,
        ];
        image.words(BASE + 0x100, &words);
        let kernel = image.kernel();
        let division = Pattern::of(ROUTINES[0].arm[0]);
        assert!(division.fits(&kernel, BASE + 0x100));
        assert!(!division.fits(&kernel, BASE + 0x104));
        // Beyond the end.
        assert!(!division.fits(&kernel, BASE + 0xffc));
        assert!(!division.fits(&kernel, BASE + 0x10_0000));
    }

    #[test]
    fn halfwords_fit_in_thumb() {
        let mut image = Image::new(0x1000, Version(3, 8, 0));
        image.halves(
            BASE + 0x102,
            &[0xf1b4, 0x0c01, 0xd95a, 0xea1c, 0x0f04, 0xd044],
        );
        let division = Pattern::of(ROUTINES[0].thumb[0]);
        assert_eq!(division.size, 2);
        assert!(division.fits(&image.kernel(), BASE + 0x102));
    }
}
