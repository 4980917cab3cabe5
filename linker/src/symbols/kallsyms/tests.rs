//! Every layout is written and read back; no broken one does harm.

use proptest::prelude::*;

use super::encode::{Addresses, Entry, Form, write};
use crate::{
    kernel::{Kernel, Version},
    machine::testing::{BASE, Image},
    symbols::Symbol,
};

fn kernel(bytes: Vec<u8>) -> Kernel {
    let mut image = Image::new(bytes.len(), Version(4, 4, 0));
    image.put(BASE, &bytes);
    image.kernel()
}

/// Symbols as a kernel has them: by address, several at one, names of every
/// length.
fn symbols(count: u32, longest: usize) -> Vec<Entry> {
    (0..count)
        .map(|index| {
            let kind = ['T', 't', 'D', 'b', 'R', 'W'][index as usize % 6];
            let mut name = format!("symbol_{}_of_the_test.{index}", index / 7);
            if index % 100 == 99 {
                name = format!("{name}{}", "_x9".repeat(longest));
                name.truncate(longest);
            }
            (BASE + 32 * (index / 3), kind, name)
        })
        .collect()
}

/// An image with code-like words around the tables.
fn image(form: Form, symbols: &[Entry]) -> Vec<u8> {
    let mut image: Vec<u8> = (0..0x4000u32)
        .flat_map(|index| (0xe59f_0000 | index.wrapping_mul(2_654_435_761) >> 8).to_le_bytes())
        .collect();
    write(&mut image, BASE, form, symbols);
    image.extend((0..0x400u32).flat_map(|index| (0xe1a0_0000 | index).to_le_bytes()));
    image
}

fn found(symbols: Vec<Symbol>) -> Vec<Entry> {
    symbols
        .into_iter()
        .map(|symbol| (symbol.address, symbol.kind, symbol.name))
        .collect()
}

const FORMS: [Form; 8] = [
    form(Addresses::Before, true, 16, 0, false),
    form(Addresses::Before, true, 4, 0, false),
    form(Addresses::BeforeRelative, true, 4, 0, false),
    form(Addresses::BeforeRelative, true, 4, 3, true),
    form(Addresses::BeforeRelative, true, 4, 4, true),
    form(Addresses::BehindRelative, true, 4, 3, true),
    form(Addresses::Behind, true, 4, 3, true),
    form(Addresses::BehindPlaceRelative, true, 4, 3, true),
];

const fn form(
    addresses: Addresses,
    compressed: bool,
    align: usize,
    seqs: usize,
    big_names: bool,
) -> Form {
    Form {
        addresses,
        compressed,
        align,
        seqs,
        big_names,
    }
}

#[test]
fn every_layout_is_read_back() {
    for compressed in [true, false] {
        for form in FORMS {
            let form = Form { compressed, ..form };
            // 257 is just over one marker, 256 * 4 just fills four.
            for count in [257, 1024, 3001] {
                let expected = symbols(count, if form.big_names { 400 } else { 127 });
                let read = super::recover(&kernel(image(form, &expected))).symbols;
                assert_eq!(found(read), expected, "{form:?} with {count} symbols");
            }
        }
    }
}

#[test]
fn a_kernel_without_a_table_has_none() {
    assert_eq!(super::recover(&kernel(Vec::new())).symbols, []);
    assert_eq!(super::recover(&kernel(vec![0; 0x20000])).symbols, []);
    let words = (0..0x8000u32).flat_map(|index| index.to_le_bytes());
    assert_eq!(super::recover(&kernel(words.collect())).symbols, []);
}

#[test]
fn an_image_that_promises_a_million_names_everywhere_ends() {
    // Each word is a count, and every name is one byte long.
    let bytes = [0x01, b't', 0x01, 0x00].repeat(1 << 20);
    assert_eq!(super::recover(&kernel(bytes)).symbols, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_mutation_does_harm(
        form in 0..FORMS.len(),
        compressed: bool,
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let form = Form { compressed, ..FORMS[form] };
        let mut bytes = image(form, &symbols(700, 100));
        let tables = 0x1_0000..bytes.len();
        for (place, value) in places {
            bytes[tables.start + place.index(tables.len())] = value;
        }
        // Nothing to compare with: a changed letter makes another valid name.
        super::recover(&kernel(bytes));
    }

    #[test]
    fn no_cut_does_harm(form in 0..FORMS.len(), compressed: bool, at: prop::sample::Index) {
        let form = Form { compressed, ..FORMS[form] };
        let mut bytes = image(form, &symbols(700, 100));
        bytes.truncate(at.index(bytes.len()));
        super::recover(&kernel(bytes));
    }
}
