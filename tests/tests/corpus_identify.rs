//! Every real kernel in the folder of vendors' images that has a symbol table,
//! identified with its names hidden. Skipped, with a line on standard error,
//! where there is no such folder.

use std::path::Path;

use linker::evaluate::Verdict;
use tests::{
    evaluation::{self, Bar, Case},
    fixtures,
};

const BAR: Bar = Bar {
    right: 0.925,
    wrong: 0.0,
    ambiguous: 0.006,
    by_signatures: 0.83,
    unmet: 0,
};
/// Of the list of the kernel without a table; the aim is all of it.
const LEAST_OF_LIST: usize = 30;

fn cases(folder: &Path) -> Vec<Case> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut cases: Vec<Case> = entries
        .filter_map(|entry| {
            let entry = entry.expect("an entry");
            let table = std::fs::File::open(entry.path().join("symbols.txt.xz")).ok()?;
            let table = std::io::read_to_string(liblzma::read::XzDecoder::new(table));
            Some(Case {
                name: entry.file_name().to_string_lossy().into_owned(),
                image: entry.path().join("image"),
                truth: Some(table.expect("an xz file")),
            })
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

#[test]
fn every_kernel_of_the_corpus_with_its_names_hidden() {
    let Some(folder) = fixtures::corpus() else {
        return;
    };
    let faults = evaluation::faults(&evaluation::all(&cases(&folder)), &BAR);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A kernel that never had a symbol table: its authors' list of 31 functions and
/// the machine descriptor, from the bare image.
#[test]
fn every_pointer_of_a_kernel_without_a_table() {
    let Some(list) = fixtures::image("ecmo-oxnas-3.18.20", "pointers.tsv") else {
        return;
    };
    let text = std::fs::read_to_string(&list).expect("a list");
    // What the authors' tools call by a name of their own is the kernel's `__irq_svc`.
    let text = text.replace("_irq_handler\t", "__irq_svc\t");
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let case = Case {
        name: "oxnas".to_owned(),
        image: list.with_file_name("image"),
        truth: Some(text.clone()),
    };
    let evaluations = evaluation::all(&[case]);
    let judged = &evaluations[0].pointers;
    let listed = || {
        let of_list = |name: &str| names.contains(&name);
        judged.iter().filter(move |one| of_list(&one.name))
    };
    let right = listed().filter(|one| one.verdict == Verdict::Right).count();
    let others: Vec<String> = listed()
        .filter(|one| one.verdict != Verdict::Right)
        .map(|one| format!("{one:x?}"))
        .collect();
    assert!(
        right >= LEAST_OF_LIST,
        "{right} of {} are right, not:\n{}",
        names.len(),
        others.join("\n")
    );
    let wrong = listed().filter(|one| one.verdict == Verdict::Wrong).count();
    assert_eq!(wrong, 0, "{}", others.join("\n"));
}
