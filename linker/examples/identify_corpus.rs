//! Measures identification over a folder of kernels with known symbols.
//!
//! For each kernel: its own tables hidden, identified, compared with the truth
//! (a list of address, type letter and name in `symbols.txt`). Prints one line
//! a kernel, then one a name.
//!
//!     cargo run --release -p linker --example identify_corpus -- CORPUS TRUTHS [--only TEXT] [--explain NAME] [--strategies a,b]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use linker::identify::{Options, Status, Strategy, StrategySet, identify};
use linker::symbols::SymbolTable;

#[derive(Default)]
struct Count {
    exist: u32,
    found: u32,
    wrong: u32,
    extra: u32,
    ambiguous: u32,
    ambiguous_first: u32,
    missing: u32,
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let corpus = args.next().unwrap_or_default();
    let truths = args.next().unwrap_or_default();
    let (mut only, mut explain) = (None, None);
    let mut verbose = false;
    let mut all = false;
    let mut strategies = StrategySet::ALL;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--only" => only = args.next(),
            "--explain" => explain = args.next(),
            "--verbose" => verbose = true,
            "--all" => all = true,
            "--strategies" => {
                let list = args.next().unwrap_or_default();
                let chosen: Vec<Strategy> = Strategy::ALL
                    .into_iter()
                    .filter(|it| list.split(',').any(|name| name == it.name()))
                    .collect();
                strategies = StrategySet::of(&chosen);
            }
            other => anyhow::bail!("unknown: {other}"),
        }
    }
    let mut names: BTreeMap<String, Count> = BTreeMap::new();
    let mut total = Count::default();
    let mut everything = Count::default();
    let mut folders: Vec<_> = std::fs::read_dir(&corpus)?.flatten().collect();
    folders.sort_by_key(|it| it.file_name());
    for folder in folders {
        let kernel_name = folder.file_name().to_string_lossy().into_owned();
        let wanted = |only: &String| only.split(',').any(|it| kernel_name.contains(it));
        if only.as_ref().is_some_and(|only| !wanted(only)) {
            continue;
        }
        let truth = Path::new(&truths).join(format!("{kernel_name}.txt"));
        let Ok(text) = std::fs::read_to_string(&truth) else {
            continue;
        };
        let truth = read_truth(&text);
        let bytes = std::fs::read(folder.path().join("image"))?;
        let firmware = linker::image::open(&bytes)?;
        let kernel = &firmware.kernel;
        let start = Instant::now();
        let options = Options {
            no_symbols: true,
            strategies,
            ..Options::default()
        };
        let identified = identify(kernel, &SymbolTable::default(), &options);
        let time = start.elapsed();
        let mut count = Count::default();
        let mut notes = Vec::new();
        for pointer in &identified.pointers {
            if pointer.name.contains('.') {
                continue;
            }
            if pointer.kind == linker::identify::Kind::Data && !truth.data {
                continue;
            }
            let right = truth.addresses(&pointer.name);
            let first = pointer.candidates.first().map(|it| it.address & !1);
            let good = first.is_some_and(|it| right.contains(&it));
            let of_name = names.entry(pointer.name.clone()).or_default();
            for count in [&mut count, of_name, &mut total] {
                count.exist += u32::from(!right.is_empty());
                match pointer.status {
                    Status::Found if good => count.found += 1,
                    Status::Found if right.is_empty() => count.extra += 1,
                    Status::Found => count.wrong += 1,
                    Status::Ambiguous if good => {
                        count.ambiguous += 1;
                        count.ambiguous_first += 1;
                    }
                    Status::Ambiguous => count.ambiguous += 1,
                    Status::Missing if right.is_empty() => {}
                    Status::Missing => count.missing += 1,
                }
            }
            let note = match pointer.status {
                Status::Found if !good => Some("WRONG"),
                Status::Ambiguous => Some("ambiguous"),
                Status::Missing if !right.is_empty() => Some("missing"),
                _ => None,
            };
            if let Some(note) = note {
                let actual = first.and_then(|it| truth.at(it)).unwrap_or_default();
                let right: Vec<String> = right.iter().map(|it| format!("{it:#x}")).collect();
                notes.push(format!(
                    "    {note} {} right {} first {:#x} = {actual}",
                    pointer.name,
                    right.join(" "),
                    first.unwrap_or(0)
                ));
            }
        }
        // Every other name that the code gave.
        for symbol in identified.symbols().iter() {
            let right = truth.addresses(&symbol.name);
            if symbol.kind == 'D' && !truth.data {
                continue;
            }
            if right.contains(&(symbol.address & !1)) {
                everything.found += 1;
            } else {
                let actual = truth.at(symbol.address & !1).unwrap_or_default();
                if actual.starts_with(&format!("{}.", symbol.name)) {
                    everything.found += 1;
                    continue;
                }
                if right.is_empty() {
                    everything.extra += 1;
                } else {
                    everything.wrong += 1;
                }
                if all {
                    println!(
                        "    other {kernel_name} {} at {:#x} is {actual}{}",
                        symbol.name,
                        symbol.address,
                        if right.is_empty() { " (absent)" } else { "" }
                    );
                }
            }
        }
        println!(
            "{kernel_name}: {} ms, exist {}, found {}, WRONG {}, EXTRA {}, ambiguous {} (first {}), missing {}; named {}",
            time.as_millis(),
            count.exist,
            count.found,
            count.wrong,
            count.extra,
            count.ambiguous,
            count.ambiguous_first,
            count.missing,
            identified.symbols().len(),
        );
        for note in notes {
            if verbose || note.contains("WRONG") {
                println!("{note}");
            }
        }
        if let Some(name) = &explain {
            for name in name.split(',') {
                let pointer = identified.resolve(name);
                println!(
                    "  {name}: {:?} right {:x?}",
                    pointer.status,
                    truth.addresses(name)
                );
                for candidate in &pointer.candidates {
                    let actual = truth.at(candidate.address & !1).unwrap_or_default();
                    println!(
                        "    {:#x} {actual} {:.1}",
                        candidate.address, candidate.score
                    );
                    for text in &candidate.evidence {
                        println!("      {text}");
                    }
                }
            }
        }
    }
    println!("\nname: exist found wrong extra ambiguous missing");
    for (name, it) in &names {
        if it.found < it.exist || it.extra > 0 {
            println!(
                "{name}: {} {} {} {} {}({}) {}",
                it.exist,
                it.found,
                it.wrong,
                it.extra,
                it.ambiguous,
                it.ambiguous_first,
                it.missing
            );
        }
    }
    println!(
        "all: exist {} found {} ({:.2} %) wrong {} extra {} ambiguous {} (first {}) missing {}",
        total.exist,
        total.found,
        100.0 * f64::from(total.found) / f64::from(total.exist.max(1)),
        total.wrong,
        total.extra,
        total.ambiguous,
        total.ambiguous_first,
        total.missing
    );
    println!(
        "every name given: right {} wrong {} absent {}",
        everything.found, everything.wrong, everything.extra
    );
    Ok(())
}

struct Truth {
    by_name: BTreeMap<String, Vec<(u32, char)>>,
    by_address: BTreeMap<u32, String>,
    data: bool,
}

impl Truth {
    fn addresses(&self, name: &str) -> Vec<u32> {
        let all = self
            .by_name
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let global: Vec<u32> = all
            .iter()
            .filter(|it| it.1.is_ascii_uppercase())
            .map(|it| it.0)
            .collect();
        match global.is_empty() {
            true => all.iter().map(|it| it.0).collect(),
            false => global,
        }
    }

    fn at(&self, address: u32) -> Option<String> {
        let (start, name) = self.by_address.range(..=address).next_back()?;
        Some(match address - start {
            0 => name.clone(),
            distance => format!("{name}+{distance:#x}"),
        })
    }
}

fn read_truth(text: &str) -> Truth {
    let mut truth = Truth {
        by_name: BTreeMap::new(),
        by_address: BTreeMap::new(),
        data: false,
    };
    for line in text.lines() {
        let mut parts = line.split_whitespace();
        let (Some(address), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let Ok(address) = u32::from_str_radix(address, 16) else {
            continue;
        };
        let kind = kind.chars().next().unwrap_or('?');
        let all = truth.by_name.entry(name.to_owned()).or_default();
        all.push((address & !1, kind));
        truth.by_address.insert(address & !1, name.to_owned());
        truth.data |= name == "jiffies";
    }
    truth
}
