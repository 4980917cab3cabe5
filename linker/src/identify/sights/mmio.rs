//! The four readers of drivers/clocksource/mmio.c (3.0 and later), which nothing calls
//! but through a pointer: each reads a register whose address is in a field of what it
//! gets.
//!
//! | function | reads | gives |
//! |---|---|---|
//! | `clocksource_mmio_readl_up` | a word | what it reads |
//! | `clocksource_mmio_readl_down` | a word | the complement |
//! | `clocksource_mmio_readw_up` | a halfword | what it reads |
//! | `clocksource_mmio_readw_down` | a halfword | the complement |
//!
//! They lie one behind the other, in this order or turned round; the complement takes
//! an instruction more.

use super::trace;
use crate::{
    code::{Code, Function},
    kernel::Kernel,
    machine::flow::{Event, Value, Width},
};

/// In the order of the file.
pub(super) const NAMES: [&str; 4] = [
    "clocksource_mmio_readl_up",
    "clocksource_mmio_readl_down",
    "clocksource_mmio_readw_up",
    "clocksource_mmio_readw_down",
];
/// Bytes of each at most.
const SIZE: u32 = 0x40;

/// The four, in the order of [`NAMES`], when there is one such row.
pub(super) fn readers(kernel: &Kernel, code: &Code) -> Option<[u32; 4]> {
    let is_small = |it: &Function| it.end.saturating_sub(it.start) <= SIZE && it.calls.len() <= 1;
    let rows = code.functions().windows(NAMES.len());
    let mut found = rows
        .filter(|row| row.iter().all(is_small))
        .filter_map(|row| {
            let row: &[Function; 4] = row.try_into().ok()?;
            let reads = row
                .each_ref()
                .map(|it| reads_register(&trace(kernel, code, it)));
            let sizes = row.each_ref().map(|it| it.end - it.start);
            let [a, b, c, d] = row.each_ref().map(|it| it.start);
            match order(reads, sizes)? {
                Order::Kept => Some([a, b, c, d]),
                Order::Turned => Some([d, c, b, a]),
            }
        });
    found.next().filter(|_| found.next().is_none())
}

#[derive(Debug, PartialEq, Eq)]
enum Order {
    Kept,
    Turned,
}

/// The order of four functions of which it is known what they read, and their sizes.
fn order(reads: [Option<(i32, Width)>; 4], sizes: [u32; 4]) -> Option<Order> {
    let [(place, first), second, third, last] = match reads {
        [Some(a), Some(b), Some(c), Some(d)] => [a, b, c, d],
        _ => return None,
    };
    let all = [second, third, last];
    if all.iter().any(|it| it.0 != place) {
        return None;
    }
    let [a, b, c, d] = sizes;
    match (first, all.map(|it| it.1)) {
        (Width::Word, [Width::Word, Width::Half, Width::Half]) if a < b && c < d => {
            Some(Order::Kept)
        }
        (Width::Half, [Width::Half, Width::Word, Width::Word]) if a > b && c > d => {
            Some(Order::Turned)
        }
        _ => None,
    }
}

/// The field of the first argument that holds the register's address, and how much is
/// read there.
fn reads_register(events: &[Event]) -> Option<(i32, Width)> {
    events.iter().find_map(|event| match event {
        Event::Load {
            base: Value::Load(argument, place),
            offset: 0,
            width,
            ..
        } if **argument == Value::Argument(0) => Some((*place, *width)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::Options,
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    const LOAD: u32 = 0xe510_3008; // ldr r3, [r0, #-8]
    const WORD: u32 = 0xe593_0000; // ldr r0, [r3]
    const HALF: u32 = 0xe1d3_00b0; // ldrh r0, [r3]
    const ZERO: u32 = 0xe3a0_1000; // mov r1, #0
    const COMPLEMENT: u32 = 0xe1e0_0000; // mvn r0, r0
    const RETURN: u32 = 0xe12f_ff1e; // bx lr

    const READERS: [&[u32]; 4] = [
        &[LOAD, WORD, ZERO, RETURN],
        &[LOAD, WORD, ZERO, COMPLEMENT, RETURN],
        &[LOAD, HALF, ZERO, RETURN],
        &[LOAD, HALF, ZERO, COMPLEMENT, RETURN],
    ];

    /// What is found among functions of these words, and where they lie.
    fn found(functions: &[&[u32]]) -> (Option<[u32; 4]>, Vec<u32>) {
        let mut image = Image::new(0x1_0000, Version(3, 18, 0));
        let mut at = BASE;
        // push {r4, lr}; mov r4, r0; add r0, r4, r0; pop {r4, pc}
        let filler: &[u32] = &[0xe92d_4010, 0xe1a0_4000, 0xe084_0000, 0xe8bd_8010];
        let mut starts = Vec::new();
        let many = std::iter::repeat_n(&filler, 60);
        for (index, words) in many.clone().chain(functions).chain(many).enumerate() {
            if (60..60 + functions.len()).contains(&index) {
                starts.push(at);
            }
            image.words(at, words);
            at += 4 * words.len() as u32;
        }
        // Words that hold their addresses.
        image.words(BASE + 0x8000, &starts);
        let kernel = image.kernel();
        let code = Code::analyse(&kernel, &Options::default());
        (readers(&kernel, &code), starts)
    }

    #[test]
    fn four_readers_in_either_order() {
        let (kept, starts) = found(&READERS);
        assert_eq!(kept.map(|it| it.to_vec()), Some(starts));
        let mut turned = READERS;
        turned.reverse();
        let (turned, mut starts) = found(&turned);
        starts.reverse();
        assert_eq!(turned.map(|it| it.to_vec()), Some(starts));
    }

    #[test]
    fn others_are_none() {
        let [a, b, c, d] = READERS;
        // Not in the order of the file; not all of them; two rows.
        assert_eq!(found(&[b, a, c, d]).0, None);
        assert_eq!(found(&[a, b, c]).0, None);
        assert_eq!(found(&[a, b, c, d, a, b, c, d]).0, None);
        // Another field.
        let other = [0xe510_300c, WORD, ZERO, RETURN];
        assert_eq!(found(&[&other, b, c, d]).0, None);
    }
}
