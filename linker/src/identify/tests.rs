//! Sources that agree, that disagree, and that are not to be used.

use super::{Identification, Kind, Options, Status, identify};
use crate::{
    kernel::Version,
    machine::testing::{BASE, Image},
    symbols::{Source, Symbol, SymbolTable},
};

fn table(symbols: &[(&str, char, u32, Source)]) -> SymbolTable {
    let symbol = |&(name, kind, offset, source): &(&str, char, u32, Source)| Symbol {
        address: BASE + offset,
        kind,
        name: name.to_owned(),
        source,
    };
    SymbolTable::new(symbols.iter().map(symbol).collect())
}

fn identified(symbols: &[(&str, char, u32, Source)], options: &Options) -> Identification {
    let kernel = Image::new(0x4000, Version(4, 4, 0)).kernel();
    identify(&kernel, &table(symbols), options)
}

#[test]
fn sources_that_agree_are_one_candidate() {
    let found = identified(
        &[
            ("setup_irq", 'T', 0x100, Source::Kallsyms),
            ("setup_irq", '?', 0x100, Source::Exports),
        ],
        &Options::default(),
    );
    let pointer = found.pointer("setup_irq").unwrap();
    assert_eq!(pointer.status, Status::Found);
    assert_eq!(pointer.kind, Kind::Function);
    assert_eq!(pointer.strategy.as_deref(), Some("symbol_table"));
    assert_eq!(
        pointer.candidates[0].evidence,
        ["the kernel's symbol table", "the kernel's export table"]
    );
    assert_eq!(found.address("setup_irq"), Some(BASE + 0x100));
}

#[test]
fn sources_that_disagree_are_ambiguous() {
    let extra = table(&[("setup_irq", '?', 0x200, Source::File)]);
    let found = identified(
        &[
            ("setup_irq", 'T', 0x100, Source::Kallsyms),
            ("setup_irq", '?', 0x100, Source::Exports),
        ],
        &Options {
            extra: Some(extra),
            ..Options::default()
        },
    );
    let pointer = found.pointer("setup_irq").unwrap();
    assert_eq!(pointer.status, Status::Ambiguous);
    assert_eq!(found.address("setup_irq"), None);
    let candidates: Vec<_> = pointer
        .candidates
        .iter()
        .map(|it| (it.address - BASE, it.evidence.len()))
        .collect();
    assert_eq!(candidates, [(0x100, 2), (0x200, 1)]);
}

#[test]
fn the_global_function_is_meant_among_static_ones() {
    let symbols = [
        ("free_irq", 't', 0x100, Source::Kallsyms),
        ("free_irq", 'T', 0x200, Source::Kallsyms),
        ("other", 't', 0x300, Source::Kallsyms),
        ("other", 't', 0x400, Source::Kallsyms),
    ];
    let found = identified(&symbols, &Options::default());
    assert_eq!(found.address("free_irq"), Some(BASE + 0x200));
    assert_eq!(
        found.pointer("free_irq").unwrap().candidates[0].evidence,
        ["the kernel's symbol table: the global one of 2 of this name"]
    );
    assert_eq!(found.resolve("other").status, Status::Ambiguous);
    assert_eq!(found.resolve("no_such_name").status, Status::Missing);
}

#[test]
fn without_symbols_only_the_users_are_left() {
    let extra = table(&[("printk", '?', 0x500, Source::File)]);
    let found = identified(
        &[],
        &Options {
            extra: Some(extra),
            ..Options::default()
        },
    );
    assert_eq!(found.pointer("setup_irq").unwrap().status, Status::Missing);
    assert_eq!(found.address("printk"), Some(BASE + 0x500));
    let strategy = found.pointer("printk").unwrap().strategy.clone();
    assert_eq!(strategy.as_deref(), Some("symbols_file"));
}

#[test]
fn thumb_functions_have_bit_0_and_data_has_not() {
    let mut image = Image::new(0x4000, Version(4, 9, 0)).thumb2();
    image
        .halves(
            BASE + 0x100,
            &[0xb510, 0x4604, 0x6823, 0xbd10, 0xbf00, 0x4770],
        )
        .words(
            BASE + 0x200,
            &[0xe92d_4010, 0xe1a0_4000, 0xe594_3000, 0xe8bd_8010],
        );
    let symbols = table(&[
        ("setup_irq", 'T', 0x100, Source::Kallsyms),
        ("memcpy", 'T', 0x200, Source::Kallsyms),
        ("jiffies", 'D', 0x1000, Source::Kallsyms),
        ("some_variable", 'd', 0x1004, Source::Kallsyms),
        ("some_function", 't', 0x100, Source::Kallsyms),
    ]);
    let found = identify(&image.kernel(), &symbols, &Options::default());
    assert_eq!(found.address("setup_irq"), Some(BASE + 0x101));
    assert_eq!(found.address("memcpy"), Some(BASE + 0x200));
    assert_eq!(found.address("jiffies"), Some(BASE + 0x1000));
    assert_eq!(found.address("some_variable"), Some(BASE + 0x1004));
    assert_eq!(found.address("some_function"), Some(BASE + 0x101));
}

#[test]
fn every_name_is_listed_found_or_not() {
    let found = identified(&[], &Options::default());
    let count = |kind| found.pointers.iter().filter(|it| it.kind == kind).count();
    assert!(count(Kind::Function) >= 40);
    assert!(count(Kind::Data) >= 5);
    assert!(count(Kind::Field) >= 4);
    assert!(found.pointers.iter().all(|it| it.status == Status::Missing));
    let mut names: Vec<_> = found.pointers.iter().map(|it| &it.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), found.pointers.len());
}
