//! Prints where the fields of kernel structs are, and what says so.
//!
//!     cargo run --release -p linker --example layouts -- FOLDER-OR-IMAGE ... [--all] [--addresses | --no-symbols]
//!
//! With `--addresses` only addresses are taken from the symbol table: what is
//! absent from it says nothing, nor does it say where functions end, as when the
//! functions of a kernel without symbols were found by other means. With
//! `--no-symbols` they are found by those other means.
//!
//! For a folder, every image in it (`*/image`): per struct, how many of its
//! fields are read from code, from the table, or contradictory. For an image,
//! or with `--all`, every field with its evidence.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use linker::{
    identify, image,
    kernel::Kernel,
    layouts::{Layouts, Lookup, Tables},
    machine,
    symbols::{self, SymbolTable},
};

#[derive(Default)]
struct Count {
    code: usize,
    both: usize,
    table: usize,
    contradictory: usize,
}

fn main() -> anyhow::Result<()> {
    let (options, paths): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|it| it.starts_with("--"));
    let all = options.iter().any(|it| it == "--all");
    let has = |option: &str| options.iter().any(|it| it == option);
    let names = match (has("--addresses"), has("--no-symbols")) {
        (_, true) => Names::Hidden,
        (true, _) => Names::Addresses,
        _ => Names::All,
    };
    let mut totals: BTreeMap<String, Count> = BTreeMap::new();
    for path in paths {
        let path = PathBuf::from(path);
        if path.is_file() {
            let (kernel, layouts, took) = open(&path, names)?;
            let release = kernel.facts.release;
            print(&format!("{release} ({} us)", took.as_micros()), &layouts);
            continue;
        }
        let mut images: Vec<PathBuf> = std::fs::read_dir(&path)?
            .filter_map(|entry| Some(entry.ok()?.path().join("image")))
            .filter(|image| image.is_file())
            .collect();
        images.sort();
        for image in images {
            let (kernel, layouts, took) = open(&image, names)?;
            let name = image.parent().and_then(|folder| folder.file_name());
            let name = name.unwrap_or_default().to_string_lossy();
            match all {
                true => print(&format!("{name} {}", kernel.facts.release), &layouts),
                false => summary(&format!("{name} ({} us)", took.as_micros()), &layouts),
            }
            for (of, count) in counts(&layouts) {
                let total = totals.entry(of).or_default();
                total.code += count.code;
                total.both += count.both;
                total.table += count.table;
                total.contradictory += count.contradictory;
            }
        }
    }
    for (of, count) in totals {
        println!("all: {of:24} {}", words(&count));
    }
    Ok(())
}

/// What is used of the symbol table.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    All,
    Addresses,
    Hidden,
}

fn open(path: &std::path::Path, names: Names) -> anyhow::Result<(Kernel, Layouts, Duration)> {
    let kernel = image::open(&std::fs::read(path)?)?.kernel;
    if names == Names::Hidden {
        let hidden = symbols::hidden(&kernel);
        let (none, options) = (SymbolTable::default(), identify::Options::default());
        let start = Instant::now();
        let found = identify::identify(&hidden, &none, &options);
        return Ok((kernel, found.layouts, start.elapsed()));
    }
    let addresses = names == Names::Addresses;
    let symbols = symbols::recover(&kernel);
    let lookup = Lookup {
        address: &|name| symbols.address(name),
        end: &|_| None,
    };
    let none = SymbolTable::default();
    let machines = match addresses {
        true => machine::find_by(&kernel, &none, &lookup),
        false => machine::find(&kernel, &symbols),
    };
    let start = Instant::now();
    let layouts = match addresses {
        true => Layouts::with(Tables::built_in(), &kernel, &none, &machines, &lookup),
        false => Layouts::of(&kernel, &symbols, &machines),
    };
    Ok((kernel, layouts, start.elapsed()))
}

fn words(count: &Count) -> String {
    format!(
        "{:4} by code alone, {:4} by code and table, {:4} by table alone, {:3} contradictory",
        count.code, count.both, count.table, count.contradictory
    )
}

fn counts(layouts: &Layouts) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for (name, known) in layouts.iter() {
        let Some((of, _)) = name.split_once('.') else {
            continue;
        };
        let count = counts.entry(of.to_owned()).or_default();
        match known.source() {
            "layout_table" => count.table += 1,
            _ if known.evidence.ends_with("agrees)") => count.both += 1,
            _ => count.code += 1,
        }
    }
    for (name, _) in layouts.contradictions() {
        let of = name.split_once('.').map_or(name, |(of, _)| of);
        counts.entry(of.to_owned()).or_default().contradictory += 1;
    }
    counts
}

fn summary(name: &str, layouts: &Layouts) {
    println!("{name}");
    for (of, count) in counts(layouts) {
        println!("  {of:24} {}", words(&count));
    }
    for (field, words) in layouts.contradictions() {
        println!("  ! {field}: {words}");
    }
}

fn print(title: &str, layouts: &Layouts) {
    println!("{title}");
    for (name, known) in layouts.iter() {
        println!("  {name:40} {:#8x}  {}", known.value, known.evidence);
    }
    for (field, words) in layouts.contradictions() {
        println!("  ! {field}: {words}");
    }
}
