//! Writes kallsyms in every layout, for the tests of its reader: what
//! scripts/kallsyms.c does at build time, with a simpler choice of tokens.

use std::collections::BTreeMap;

/// Where the addresses stand, and how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addresses {
    /// 2.6.10 .. 4.5: absolute, first of all.
    Before,
    /// 4.6 .. 6.3: offsets and their base, first of all.
    BeforeRelative,
    /// 6.4 .. 6.19: offsets and their base, behind the tokens.
    BehindRelative,
    /// 7.0 ..: absolute, behind the tokens.
    Behind,
    /// 7.0 .., relocatable: distances from their own place.
    BehindPlaceRelative,
}

/// One way to write the tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub addresses: Addresses,
    /// Names by tokens, or, as OpenWrt does, by characters.
    pub compressed: bool,
    /// What every array is aligned to.
    pub align: usize,
    /// Bytes an entry of seqs_of_names, 0 without it.
    pub seqs: usize,
    /// Lengths above 127 take two bytes.
    pub big_names: bool,
}

/// A symbol: address, type letter, name.
pub(super) type Entry = (u32, char, String);

/// Appends the tables to an image whose first byte lies at `base`.
pub(super) fn write(image: &mut Vec<u8>, base: u32, form: Form, symbols: &[Entry]) {
    let tokens = match form.compressed {
        true => Some(Tokens::choose(symbols)),
        false => None,
    };
    if matches!(
        form.addresses,
        Addresses::Before | Addresses::BeforeRelative
    ) {
        addresses(image, base, form, symbols);
    }
    align(image, form);
    image.extend((symbols.len() as u32).to_le_bytes());
    align(image, form);
    let start = image.len();
    let mut markers = Vec::new();
    for (index, (_, kind, name)) in symbols.iter().enumerate() {
        if index % 256 == 0 {
            markers.push((image.len() - start) as u32);
        }
        let text = format!("{kind}{name}");
        let codes = match &tokens {
            Some(tokens) => tokens.compress(text.as_bytes()),
            None => text.into_bytes(),
        };
        match codes.len() {
            len if len > 127 && form.big_names => {
                image.extend([len as u8 | 0x80, (len >> 7) as u8]);
            }
            len => image.push(u8::try_from(len).unwrap()),
        }
        image.extend(codes);
    }
    align(image, form);
    words(image, &markers);
    let seqs = |image: &mut Vec<u8>| {
        if form.seqs > 0 {
            align(image, form);
            for index in 0..symbols.len() as u32 {
                // As from 6.2 on: the high byte first.
                image.extend(&index.to_be_bytes()[4 - form.seqs..]);
            }
        }
    };
    let behind = !matches!(
        form.addresses,
        Addresses::Before | Addresses::BeforeRelative
    );
    if !behind {
        seqs(image);
    }
    if let Some(tokens) = &tokens {
        align(image, form);
        let mut index = Vec::new();
        let start = image.len();
        for token in &tokens.texts {
            index.push((image.len() - start) as u16);
            image.extend(token);
            image.push(0);
        }
        align(image, form);
        image.extend(index.iter().flat_map(|offset| offset.to_le_bytes()));
    }
    if behind {
        addresses(image, base, form, symbols);
        seqs(image);
    }
}

fn addresses(image: &mut Vec<u8>, base: u32, form: Form, symbols: &[Entry]) {
    align(image, form);
    let first = symbols[0].0;
    let start = base + image.len() as u32;
    let values: Vec<u32> = symbols
        .iter()
        .enumerate()
        .map(|(index, (address, ..))| match form.addresses {
            Addresses::Before | Addresses::Behind => *address,
            Addresses::BeforeRelative | Addresses::BehindRelative => address - first,
            Addresses::BehindPlaceRelative => address.wrapping_sub(start + 4 * index as u32),
        })
        .collect();
    words(image, &values);
    if matches!(
        form.addresses,
        Addresses::BeforeRelative | Addresses::BehindRelative
    ) {
        align(image, form);
        words(image, &[first]);
    }
}

fn words(image: &mut Vec<u8>, values: &[u32]) {
    image.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn align(image: &mut Vec<u8>, form: Form) {
    image.resize(image.len().next_multiple_of(form.align), 0);
}

/// Tokens: every character that occurs for itself, and the commonest pairs for
/// the codes that are left, from the highest down.
struct Tokens {
    texts: Vec<Vec<u8>>,
    pairs: BTreeMap<[u8; 2], u8>,
}

impl Tokens {
    fn choose(symbols: &[Entry]) -> Self {
        let mut texts = vec![Vec::new(); 256];
        let mut counts: BTreeMap<[u8; 2], usize> = BTreeMap::new();
        for (_, kind, name) in symbols {
            let text = format!("{kind}{name}").into_bytes();
            for pair in text.windows(2) {
                *counts.entry([pair[0], pair[1]]).or_default() += 1;
            }
            for byte in text {
                texts[usize::from(byte)] = vec![byte];
            }
        }
        let mut common: Vec<_> = counts.into_iter().collect();
        common.sort_by_key(|(pair, count)| (usize::MAX - count, *pair));
        let free: Vec<u8> = (0..=255)
            .rev()
            .filter(|&code| texts[usize::from(code)].is_empty())
            .collect();
        let mut pairs = BTreeMap::new();
        for (code, (pair, _)) in free.into_iter().zip(common) {
            texts[usize::from(code)] = pair.to_vec();
            pairs.insert(pair, code);
        }
        Self { texts, pairs }
    }

    fn compress(&self, mut text: &[u8]) -> Vec<u8> {
        let mut codes = Vec::new();
        while let [first, rest @ ..] = text {
            let pair = rest
                .first()
                .and_then(|second| self.pairs.get(&[*first, *second]));
            codes.push(*pair.unwrap_or(first));
            text = if pair.is_some() { &rest[1..] } else { rest };
        }
        codes
    }
}
