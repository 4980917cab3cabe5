//! The array of machine descriptors (`.arch.info.init`), found by its shape.
//!
//! Its entries begin, by version (arch/arm/include/asm/mach/arch.h):
//!
//! | kernel | words |
//! |---|---|
//! | 2.6.12 | nr, phys_ram, phys_io, io_pg_offst, name |
//! | to 2.6.35 | nr, phys_io, io_pg_offst, name |
//! | 2.6.36 | nr, nr_irqs, phys_io, io_pg_offst, name |
//! | 2.6.37 on | nr, name, boot_params |
//! | 3.0 on | nr, name, boot_params or atag_offset, dt_compat |
//!
//! Behind the array lies the table of ATAG parsers, whose first words are
//! known numbers; that is where it ends. A kernel without ATAGs has only
//! descriptors for device trees, whose number is all ones and whose
//! `dt_compat` points to a list of texts.
//!
//! Before the array mostly lies the processor table, whose words may look like
//! descriptors too: capabilities, a name, functions.

use std::{collections::BTreeMap, ops::RangeInclusive};

use super::{Descriptor, Processor, isa::may_be_function};
use crate::{
    bytes::c_str,
    kernel::{Kernel, Version},
    layouts::Known,
    symbols::SymbolTable,
};

/// The number of a descriptor that is chosen by the tree alone.
const ANY_NUMBER: u32 = u32::MAX;
/// Machine numbers given out end at about 5,500; vendors made up higher ones ...
const MAX_NUMBER: u32 = 0x3fff;
/// ... some of them much higher, which are believed where all else is as usual.
const MAX_OWN_NUMBER: u32 = 0xff_ffff;
/// Where the name may stand, as an index of words, the likeliest first.
///
/// The order matters where one descriptor fits in two ways: the word before
/// the name was io_pg_offst, 0x3c00 for instance, which may also be a number.
fn name_at(kernel: &Kernel) -> [u32; 3] {
    match kernel.facts.version {
        version if version < Version(2, 6, 18) => [4, 3, 1],
        version if version < Version(2, 6, 36) => [3, 4, 1],
        Version(2, 6, 36) => [4, 3, 1],
        _ => [1, 3, 4],
    }
}

/// Bytes of the smallest and largest descriptor believed in: 52 up to 2.6.35 and in 2.6.37,
/// 112 in 4.x with everything configured.
const SIZES: RangeInclusive<u32> = 0x34..=0x90;

/// Bytes of a descriptor in the versions in which nothing in it was optional.
fn usual_size(version: Version) -> Option<u32> {
    match version {
        version if version < Version(2, 6, 13) => Some(0x38),
        version if version < Version(2, 6, 18) => None,
        version if version < Version(2, 6, 36) => Some(0x34),
        Version(2, 6, 36) => Some(0x3c),
        Version(2, 6, 37) => Some(0x34),
        _ => None,
    }
}

/// Bytes of an entry of the processor table that are always there (2.6.12: up to
/// `cache`, without flags for I/O).
const PROCESSOR: u32 = 0x30;
/// Tags of other vendors that may stand before the first one of Linux's.
const MAX_FOREIGN_TAGS: u32 = 8;
/// Longest name, and longest list of compatible strings, believed in.
const MAX_NAME: usize = 96;
const MAX_COMPATIBLE: u32 = 64;

/// An array of descriptors.
pub(super) struct Array {
    /// Addresses of the entries.
    entries: Vec<u32>,
    /// Bytes an entry, when that shows.
    pub size: Option<u32>,
    /// Index of the word that points to the name.
    name_at: u32,
    /// Index of the word that points to the list of compatible strings.
    compatible_at: Option<u32>,
}

impl Array {
    /// The entries as values.
    pub(super) fn descriptors(&self, kernel: &Kernel) -> Vec<Descriptor> {
        self.entries
            .iter()
            .filter_map(|&va| {
                let list = |index| compatible(kernel, kernel.word(va.wrapping_add(4 * index))?);
                Some(Descriptor {
                    va,
                    nr: kernel.word(va)?,
                    name: board_name(kernel, kernel.word(va.wrapping_add(4 * self.name_at))?)?
                        .to_owned(),
                    compatible: self.compatible_at.and_then(list).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// The fields that the entries themselves show.
    pub(super) fn fields(&self, kernel: &Kernel) -> BTreeMap<String, Known> {
        let count = self.entries.len();
        let first = self.entries.first().copied().unwrap_or(kernel.base);
        let known = |index: u32, what: &str| Known {
            value: 4 * index,
            evidence: format!("{what} in {count} descriptors from {first:#x} on"),
        };
        let mut fields = BTreeMap::from([
            ("nr".to_owned(), known(0, "a machine number")),
            ("name".to_owned(), known(self.name_at, "a text")),
        ]);
        if let Some(index) = self.compatible_at {
            fields.insert("dt_compat".to_owned(), known(index, "a list of texts"));
        }
        fields
    }
}

/// The array, when the image shows one.
pub(super) fn find(
    kernel: &Kernel,
    symbols: &SymbolTable,
    processors: &[Processor],
) -> Option<Array> {
    let mut array = match (
        symbols.address("__arch_info_begin"),
        symbols.address("__arch_info_end"),
    ) {
        (Some(start), Some(end)) => between(kernel, start, end),
        _ => None,
    }
    .or_else(|| before_tags(kernel, processors))
    .or_else(|| for_trees(kernel))?;
    // Every entry has a list or none; a list that the configuration emptied
    // lacks even its null pointer, so its contents cannot be asked for.
    array.compatible_at = (2..8).find(|&index| {
        let words = || {
            let words = array
                .entries
                .iter()
                .map(|va| kernel.word(va.wrapping_add(4 * index)));
            words.flatten().filter(|&word| word != 0)
        };
        words().all(|word| kernel.offset(word).is_some())
            && words().any(|word| compatible(kernel, word).is_some())
    });
    Some(array)
}

/// The array whose ends have symbols.
fn between(kernel: &Kernel, start: u32, end: u32) -> Option<Array> {
    let bytes = end.checked_sub(start)?;
    SIZES
        .step_by(4)
        .filter(|size| bytes >= *size && bytes % size == 0)
        .flat_map(|size| name_at(kernel).map(|name_at| (size, name_at)))
        .find_map(|(size, name_at)| {
            let form = Form {
                size,
                name_at,
                most: MAX_OWN_NUMBER,
            };
            let entries = backward(kernel, end, form);
            (entries.first() == Some(&start)).then_some(Array {
                entries,
                size: Some(size),
                name_at,
                compatible_at: None,
            })
        })
}

/// The array that ends where the table of ATAG parsers starts: with descriptors
/// of the usual size and with the name in its usual place, or else of any.
fn before_tags(kernel: &Kernel, processors: &[Processor]) -> Option<Array> {
    let names = name_at(kernel);
    let ends = processors.iter().map(|it| it.va.saturating_add(PROCESSOR));
    let behind = ends.max().unwrap_or(0);
    let longest = |sizes, names, most| longest_before_tags(kernel, sizes, names, most, behind);
    let any = || longest(SIZES, &names[..], MAX_NUMBER);
    let usual = |sizes| longest(sizes, &names[..1], MAX_OWN_NUMBER);
    match usual_size(kernel.facts.version) {
        Some(size) => usual(size..=size).or_else(any),
        None => any().or_else(|| usual(SIZES)),
    }
}

/// The one with the most descriptors, of numbers up to `most`; where `behind` is
/// among the words that could be one, what is before it is none.
fn longest_before_tags(
    kernel: &Kernel,
    sizes: RangeInclusive<u32>,
    names: &[u32],
    most: u32,
    behind: u32,
) -> Option<Array> {
    let mut best: Option<Array> = None;
    for tags in tag_tables(kernel) {
        // Further tags may stand before those that are known.
        let foreign = (1..=MAX_FOREIGN_TAGS).take_while(|&count| {
            let entry = tags.wrapping_sub(8 * count);
            kernel
                .word(entry.wrapping_add(4))
                .is_some_and(|word| may_be_function(kernel, word))
        });
        for end in [0]
            .into_iter()
            .chain(foreign)
            .map(|count| tags.wrapping_sub(8 * count))
        {
            for &name_at in names {
                for size in sizes.clone().step_by(4) {
                    let form = Form {
                        size,
                        name_at,
                        most,
                    };
                    let mut entries = backward(kernel, end, form);
                    if behind <= end {
                        entries.retain(|&va| va >= behind);
                    }
                    let better = best
                        .as_ref()
                        .is_none_or(|best| entries.len() > best.entries.len());
                    if !entries.is_empty() && better {
                        best = Some(Array {
                            entries,
                            size: Some(size),
                            name_at,
                            compatible_at: None,
                        });
                    }
                }
            }
        }
    }
    best
}

/// Addresses of tables of {tag, parser} with at least two of Linux's own tags.
///
/// `ATAG_CORE` is 0x54410001 and the others follow (include/uapi/asm/setup.h);
/// a kernel without ATAGs keeps the two for an initial RAM disk, of which
/// `ATAG_INITRD2` is 0x54420005.
fn tag_tables(kernel: &Kernel) -> Vec<u32> {
    let is_entry = |va: u32| {
        kernel
            .word(va)
            .is_some_and(|tag| matches!(tag, 0x5441_0001..=0x5441_000f | 0x5442_0005))
            && kernel
                .word(va.wrapping_add(4))
                .is_some_and(|parser| may_be_function(kernel, parser))
    };
    [0x41, 0x42]
        .iter()
        .flat_map(|&low| memchr::memmem::find_iter(&kernel.bytes, &[low, 0x54]).collect::<Vec<_>>())
        .filter_map(|at| at.checked_sub(2).filter(|at| at % 4 == 0))
        .map(|at| kernel.va(at))
        .filter(|&va| {
            (0..2).all(|index| is_entry(va.wrapping_add(8 * index)))
                && !is_entry(va.wrapping_sub(8))
        })
        .collect()
}

/// The descriptors for device trees, wherever they are.
fn for_trees(kernel: &Kernel) -> Option<Array> {
    let form = |size| Form {
        size,
        name_at: 1,
        most: MAX_NUMBER,
    };
    let starts: Vec<u32> = memchr::memmem::find_iter(&kernel.bytes, &ANY_NUMBER.to_le_bytes())
        .filter(|at| at % 4 == 0)
        .map(|at| kernel.va(at))
        .filter(|&va| {
            is_descriptor(kernel, va, form(*SIZES.start()))
                && (2..5).any(|index| {
                    kernel
                        .word(va.wrapping_add(4 * index))
                        .is_some_and(|word| compatible(kernel, word).is_some())
                })
        })
        .collect();
    let first = *starts.first()?;
    let size = starts
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .min()
        .filter(|size| SIZES.contains(size));
    let entries = match size {
        None => vec![first],
        Some(size) => {
            let end = (1..)
                .map(|count| first.wrapping_add(count * size))
                .find(|&va| !is_descriptor(kernel, va, form(size)))?;
            backward(kernel, end, form(size))
        }
    };
    Some(Array {
        entries,
        size,
        name_at: 1,
        compatible_at: None,
    })
}

/// What a descriptor may be like.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// Its bytes.
    size: u32,
    /// Index of the word that points to the name.
    name_at: u32,
    /// The highest number of a board.
    most: u32,
}

/// The descriptors of this form that end one behind the other at `end`.
fn backward(kernel: &Kernel, end: u32, form: Form) -> Vec<u32> {
    let mut entries: Vec<u32> = (1..)
        .map(|count| end.wrapping_sub(count * form.size))
        .take_while(|&va| is_descriptor(kernel, va, form))
        .collect();
    entries.reverse();
    entries
}

/// A number, a name, and at least two functions behind it; one for device
/// trees may have no function at all.
fn is_descriptor(kernel: &Kernel, va: u32, form: Form) -> bool {
    let Form {
        size,
        name_at,
        most,
    } = form;
    let word = |index: u32| kernel.word(va.wrapping_add(4 * index));
    let number = word(0).is_some_and(|nr| nr <= most || nr == ANY_NUMBER);
    let named = || word(name_at).is_some_and(|at| board_name(kernel, at).is_some());
    let functions = || {
        (name_at + 1..size / 4)
            .filter_map(word)
            .filter(|&at| may_be_function(kernel, at) && name(kernel, at).is_none())
            .count()
    };
    number && named() && (word(0) == Some(ANY_NUMBER) || functions() >= 2)
}

/// A text that may be the name of a board. Instructions may look like one of two
/// characters, so that is believed only where a name must be.
fn name(kernel: &Kernel, va: u32) -> Option<&str> {
    board_name(kernel, va).filter(|text| letters(text) >= 2)
}

/// A text where the name of a board must be; some are as short as `p3`.
fn board_name(kernel: &Kernel, va: u32) -> Option<&str> {
    let text = c_str(&kernel.bytes, kernel.offset(va)?, MAX_NAME)?;
    let enough = letters(text) >= 2 || letters(text) == 1 && text.len() == 2;
    (enough && text.bytes().all(|byte| byte >= b' ')).then_some(text)
}

fn letters(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_alphabetic).count()
}

/// A list of `vendor,board` texts that ends with a null pointer.
fn compatible(kernel: &Kernel, list: u32) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    for index in 0..MAX_COMPATIBLE {
        let at = kernel.word(list.wrapping_add(4 * index))?;
        if at == 0 {
            break;
        }
        texts.push(name(kernel, at)?.to_owned());
    }
    texts.iter().any(|text| text.contains(',')).then_some(texts)
}

#[cfg(test)]
mod tests {
    use crate::kernel::Version;
    use crate::machine::{
        self,
        testing::{BASE, Image},
    };
    use crate::symbols::SymbolTable;

    const DESCRIPTORS: u32 = BASE + 0x1000;
    const STRINGS: u32 = BASE + 0x2000;
    const CODE: u32 = BASE + 0x3000;

    #[test]
    fn the_processor_table_has_no_descriptors() {
        let numbers = |mask: u32| {
            let mut image = Image::new(0x6000, Version(2, 6, 37));
            image
                .text(STRINGS, "armv7")
                .text(STRINGS + 8, "v7")
                .text(STRINGS + 16, "a processor")
                .words(
                    DESCRIPTORS - 0x1c,
                    &[
                        0x410f_c090,
                        mask,
                        0xc0e,
                        0xc02,
                        0xea00_0010,
                        STRINGS,
                        STRINGS + 8,
                        0x8097,
                        STRINGS + 16,
                        CODE,
                        CODE + 8,
                        CODE + 16,
                        CODE + 24,
                    ],
                )
                .words(DESCRIPTORS + 0x34, &[0x5441_0001, CODE, 0x5441_0002, CODE]);
            let machines = machine::find(&image.kernel(), &SymbolTable::default());
            let all = machines.descriptors.iter().map(|it| it.nr);
            all.collect::<Vec<u32>>()
        };
        assert!(numbers(0xff0f_fff0).is_empty());
        // What stands there is no processor.
        assert_eq!(numbers(1), [0x8097]);
    }
}
