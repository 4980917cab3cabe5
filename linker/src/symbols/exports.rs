//! The export table: names and addresses of what modules may use.
//!
//! `__ksymtab` is an array of entries {value, name} (include/linux/export.h),
//! with a third word for the namespace from 5.4 on. Its words are addresses,
//! or, with `HAVE_ARCH_PREL32_RELOCATIONS` (4.19 and later, not selected by
//! 32-bit ARM in mainline), distances from the word itself. The names lie
//! close together in `__ksymtab_strings`, and that tells the table from other
//! arrays of a pointer and a text.

use std::ops::Range;

use super::{Source, Symbol};
use crate::{
    bytes::{c_str, le32},
    kernel::Kernel,
};

/// Entries in the shortest array believed in; the smallest kernels export
/// hundreds of names.
const MIN_ENTRIES: usize = 64;
/// Longest exported name believed in.
const MAX_NAME: usize = 256;
/// How far behind the image an exported variable may lie (`.bss`).
const MARGIN: usize = 64 << 20;

/// How an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// Bytes an entry.
    size: usize,
    /// Words are distances from themselves.
    place_relative: bool,
}

/// In the order in which they are tried; the kernel has one of them.
const FORMS: [Form; 4] = [
    Form {
        size: 8,
        place_relative: false,
    },
    Form {
        size: 12,
        place_relative: false,
    },
    Form {
        size: 8,
        place_relative: true,
    },
    Form {
        size: 12,
        place_relative: true,
    },
];

/// The export tables of a kernel.
#[derive(Debug, Default)]
pub(super) struct Exports {
    /// What is exported.
    pub symbols: Vec<Symbol>,
    /// Offsets of the arrays and of their names, and of nothing between them.
    pub spans: Vec<Range<usize>>,
}

/// The exported symbols; empty when the kernel exports nothing.
pub(super) fn recover(kernel: &Kernel) -> Exports {
    let mut tables = FORMS.iter().map(|&form| read_form(kernel, form));
    let runs = tables.find(|table| !table.is_empty()).unwrap_or_default();
    let symbols = runs
        .iter()
        .flat_map(|run| &run.names)
        .map(|&(value, name)| {
            // Bit 0 marks a Thumb function; data at an odd address is so rare
            // an export that it is not told apart.
            let thumb = kernel.facts.thumb2 && value & 1 == 1;
            Symbol {
                address: value & !u32::from(thumb),
                kind: if thumb { 'T' } else { '?' },
                name: name.to_owned(),
                source: Source::Exports,
            }
        })
        .collect();
    Exports {
        symbols,
        spans: runs.into_iter().flat_map(Run::pieces).collect(),
    }
}

/// Everything that stands in arrays of this form whose names lie together.
///
/// The arrays are several (for all modules, for GPL ones, ...), one behind
/// the other, sometimes with something else between them.
fn read_form(kernel: &Kernel, form: Form) -> Vec<Run<'_>> {
    let mut runs = runs(kernel, form);
    let Some(longest) = runs.iter().max_by_key(|run| run.names.len()) else {
        return Vec::new();
    };
    // Strings of the same section: within reach of those of the longest array.
    let span = &longest.span;
    let reach = (span.end - span.start).max(0x4000);
    let low = span.start.saturating_sub(reach);
    let high = span.end.saturating_add(reach);
    runs.retain(|run| run.span.start >= low && run.span.end <= high);
    runs
}

/// An array of entries without a gap.
struct Run<'a> {
    names: Vec<(u32, &'a str)>,
    /// Offsets of the array.
    array: Range<usize>,
    /// Offsets in the image over which the names are spread.
    span: Range<usize>,
    /// Offsets of those names that are no tail of another text.
    texts: Vec<Range<usize>>,
}

impl Run<'_> {
    /// The array and its names. Names may lie far apart, with texts between them
    /// that are the kernel's, so each is a piece of its own.
    fn pieces(mut self) -> Vec<Range<usize>> {
        self.texts.sort_unstable_by_key(|it| it.start);
        let mut pieces = vec![self.array];
        for text in self.texts {
            match pieces.last_mut() {
                Some(last) if last.end == text.start => last.end = text.end,
                _ => pieces.push(text),
            }
        }
        pieces
    }
}

fn runs(kernel: &Kernel, form: Form) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at + form.size <= kernel.bytes.len() {
        // Millions of words are looked at, and most of them are not even addresses.
        if value(kernel, form, at).is_none() {
            at += 4;
            continue;
        }
        let mut entries = Vec::new();
        let mut next = at;
        while let Some(entry) = entry(kernel, form, next) {
            entries.push(entry);
            next += form.size;
        }
        if entries.len() >= MIN_ENTRIES {
            runs.extend(close_together(kernel, at..next, entries));
            at = next;
        } else {
            // An entry inside a short array may start a longer one of another
            // phase, so the next word is looked at in any case.
            at += 4;
        }
    }
    runs
}

/// One element of the array.
struct Entry<'a> {
    value: u32,
    name: &'a str,
    /// Offset of the name.
    at: usize,
    /// The name is not the tail of a longer string.
    whole: bool,
}

/// The run when its names are different and lie in one piece of the image.
fn close_together<'a>(
    kernel: &Kernel,
    array: Range<usize>,
    entries: Vec<Entry<'a>>,
) -> Option<Run<'a>> {
    let start = entries.iter().map(|entry| entry.at).min()?;
    let end = entries
        .iter()
        .map(|entry| entry.at + entry.name.len() + 1)
        .max()?;
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    names.dedup();
    let text: usize = names.iter().map(|name| name.len() + 1).sum();
    // The strings of one array may be mixed with those of the others and with
    // namespaces, and so fill only a part of the section.
    let dense = text.saturating_mul(16) >= end - start;
    let distinct = names.len() * 10 >= entries.len() * 9;
    // The linker lets a name share the tail of a longer one, but few do.
    let whole = entries.iter().filter(|entry| entry.whole).count() * 4 >= entries.len() * 3;
    // An array of nothing but texts has the texts' own addresses for values.
    let texts = entries.iter().any(|entry| {
        kernel
            .offset(entry.value)
            .is_some_and(|offset| (start..end).contains(&offset))
    });
    (dense && distinct && whole && !texts).then(|| Run {
        texts: entries
            .iter()
            .filter(|entry| entry.whole)
            .map(|entry| entry.at..entry.at + entry.name.len() + 1)
            .collect(),
        names: entries
            .into_iter()
            .map(|entry| (entry.value, entry.name))
            .collect(),
        array,
        span: start..end,
    })
}

/// The first word of an entry at an offset, if it may be an exported address.
#[inline]
fn value(kernel: &Kernel, form: Form, at: usize) -> Option<u32> {
    let word = le32(&kernel.bytes, at)?;
    let value = match form.place_relative {
        true => kernel.va(at).wrapping_add(word),
        false => word,
    };
    let distance = value.wrapping_sub(kernel.base) as usize;
    (distance < kernel.bytes.len().saturating_add(MARGIN)).then_some(value)
}

/// The entry at an offset, if there may be one.
fn entry(kernel: &Kernel, form: Form, at: usize) -> Option<Entry<'_>> {
    let word = |index: usize| {
        let at = at + 4 * index;
        let word = le32(&kernel.bytes, at)?;
        Some(match form.place_relative {
            true => kernel.va(at).wrapping_add(word),
            false => word,
        })
    };
    let value = value(kernel, form, at)?;
    let offset = kernel.offset(word(1)?)?;
    let name = identifier(kernel.bytes.get(offset..)?)?;
    if form.size == 12 {
        // The namespace: none, or a string (an empty one, mostly).
        let namespace = word(2)?;
        let none = namespace == 0 || (form.place_relative && namespace == kernel.va(at + 8));
        if !none {
            c_str(&kernel.bytes, kernel.offset(namespace)?, MAX_NAME)?;
        }
    }
    let before = kernel.bytes.get(offset.checked_sub(1)?)?;
    Some(Entry {
        value,
        name,
        at: offset,
        whole: *before == 0,
    })
}

/// The C identifier, ended by NUL, that these bytes start with.
fn identifier(bytes: &[u8]) -> Option<&str> {
    if !bytes.first()?.is_ascii_alphabetic() && bytes.first() != Some(&b'_') {
        return None;
    }
    let len = bytes
        .iter()
        .take(MAX_NAME)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$'))
        .count();
    match bytes.get(len) {
        Some(0) => std::str::from_utf8(&bytes[..len]).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    const TABLE: u32 = BASE + 0x1000;
    const STRINGS: u32 = BASE + 0x8000;

    /// An export table of 100 names in one of the forms.
    fn image(form: Form) -> Image {
        let mut image = Image::new(0x1_0000, Version(5, 10, 0));
        let mut text = STRINGS + 1;
        for index in 0..100u32 {
            let name = format!("exported_function_{index}");
            let at = TABLE + index * form.size as u32;
            let value = BASE + 0x100 + 4 * index;
            let entry = [value, text, 0];
            let words: Vec<u32> = (0..form.size / 4)
                .map(|word| match form.place_relative && entry[word] != 0 {
                    true => entry[word].wrapping_sub(at + 4 * word as u32),
                    false => entry[word],
                })
                .collect();
            image.words(at, &words).text(text, &name);
            text += name.len() as u32 + 1;
        }
        image
    }

    #[test]
    fn every_form_is_read() {
        for form in FORMS {
            let symbols = recover(&image(form).kernel()).symbols;
            assert_eq!(symbols.len(), 100, "{form:?}");
            assert_eq!(symbols[7].name, "exported_function_7");
            assert_eq!(symbols[7].address, BASE + 0x11c);
            assert_eq!(symbols[7].source, Source::Exports);
        }
    }

    #[test]
    fn what_lies_between_two_names_is_no_name() {
        let far = STRINGS + 0x4000;
        let mut image = image(FORMS[0]);
        image.words(TABLE + 8 * 50, &[BASE + 0x100, far]);
        image.text(far, "far");
        let spans = recover(&image.kernel()).spans;
        let offset = |va: u32| (va - BASE) as usize;
        let covered = |va: u32| spans.iter().any(|span| span.contains(&offset(va)));
        assert!(covered(TABLE) && covered(STRINGS + 1) && covered(far + 3));
        assert!(!covered(far - 1) && !covered(far + 4));
    }

    #[test]
    fn an_array_of_texts_is_no_export_table() {
        let mut image = Image::new(0x1_0000, Version(5, 10, 0));
        for index in 0..200 {
            let at = STRINGS + 1 + 12 * index;
            image
                .text(at, &format!("text_{index}"))
                .words(TABLE + 4 * index, &[at]);
        }
        assert_eq!(recover(&image.kernel()).symbols, []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_mutation_does_harm(
            form in 0..FORMS.len(),
            places in prop::collection::vec((0x1000..0x9000u32, any::<u32>()), 1..20),
        ) {
            let mut image = image(FORMS[form]);
            for (place, word) in places {
                image.words(BASE + (place & !3), &[word]);
            }
            let _ = recover(&image.kernel());
        }
    }
}
