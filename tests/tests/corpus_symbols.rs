//! Symbols, machine descriptors and layouts of every real kernel in the folder
//! of vendors' images, against the symbol tables that another program read from
//! them. Skipped, with a line on standard error, where there is no such folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use linker::{
    identify::{self, Identification, Kind, Options, Status},
    image,
    kernel::Kernel,
    symbols::{self, Source, SymbolTable, system_map},
};
use tests::fixtures;

/// The kernel's own symbols as another program read them: (address, name).
type Truth = BTreeSet<(u32, String)>;

/// One kernel of the folder, with everything that was found in it.
struct Case {
    name: String,
    kernel: Kernel,
    symbols: SymbolTable,
    /// Time that reading both symbol tables took.
    took: Duration,
    truth: Truth,
    found: Identification,
}

fn cases() -> Vec<Case> {
    let Some(folder) = fixtures::corpus() else {
        return Vec::new();
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
        .into_iter()
        .filter_map(|name| case(&fixtures::corpus()?.join(&name), name))
        .collect()
}

fn case(folder: &Path, name: String) -> Option<Case> {
    let bytes = std::fs::read(folder.join("image")).ok()?;
    let kernel = match image::open(&bytes) {
        Ok(firmware) => firmware.kernel,
        Err(error) => panic!("{name}: {error}"),
    };
    let start = Instant::now();
    let symbols = symbols::recover(&kernel);
    let took = start.elapsed();
    let truth = std::fs::File::open(folder.join("symbols.txt.xz"))
        .map(|file| read_truth(&name, file))
        .unwrap_or_default();
    let found = identify::identify(&kernel, &symbols, &Options::default());
    Some(Case {
        name,
        kernel,
        symbols,
        took,
        truth,
        found,
    })
}

fn read_truth(name: &str, file: std::fs::File) -> Truth {
    let text = std::io::read_to_string(liblzma::read::XzDecoder::new(file)).expect("an xz file");
    let table = system_map::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    table
        .iter()
        .map(|symbol| (symbol.address, symbol.name.clone()))
        .collect()
}

#[test]
fn every_kernel_of_the_corpus() {
    let mut table = String::new();
    let mut faults = Vec::new();
    for case in cases() {
        table += &row(&case);
        faults.extend(symbol_faults(&case));
        faults.extend(machine_faults(&case));
        faults.extend(layout_faults(&case));
        faults.extend(pointer_faults(&case));
    }
    eprintln!("{table}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn row(case: &Case) -> String {
    let of = |source| case.symbols.iter().filter(|it| it.source == source).count();
    let machines = &case.found.machines;
    let fields: Vec<String> = [
        "init_irq",
        "init_time",
        "timer",
        "init_machine",
        "handle_irq",
    ]
    .iter()
    .filter_map(|field| Some(format!("{field} {:#x}", machines.fields.get(*field)?.value)))
    .collect();
    let status = |status| {
        let pointers = case.found.pointers.iter();
        pointers.filter(|it| it.status == status).count()
    };
    let mut row = String::new();
    writeln!(
        row,
        "{:32} {:6} symbols of {:6}, {:5} exports, {:3} ms; {:2} descriptors of {:#x}, {:2} processors, {}; \
         {} found, {} ambiguous, {} missing",
        case.name,
        of(Source::Kallsyms),
        case.truth.len(),
        of(Source::Exports),
        case.took.as_millis(),
        machines.descriptors.len(),
        machines.size.unwrap_or(0),
        machines.processors.len(),
        fields.join(", "),
        status(Status::Found),
        status(Status::Ambiguous),
        status(Status::Missing),
    )
    .expect("a string takes all");
    row
}

/// The symbol table is the other program's, neither more nor less; exports are
/// where the table has them.
fn symbol_faults(case: &Case) -> Vec<String> {
    let of = |source| case.symbols.iter().filter(move |it| it.source == source);
    let ours: Truth = of(Source::Kallsyms)
        .map(|symbol| (symbol.address, symbol.name.clone()))
        .collect();
    let mut faults = Vec::new();
    let missing = case.truth.difference(&ours).count();
    let extra = ours.difference(&case.truth).count();
    if missing + extra > 0 {
        faults.push(format!(
            "{}: {missing} symbols missing, {extra} that are none",
            case.name
        ));
    }
    let mut by_name: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (address, name) in &case.truth {
        by_name.entry(name).or_default().push(*address);
    }
    for export in of(Source::Exports) {
        // Data at an odd address in a Thumb kernel cannot be told from a
        // function.
        let near = |address: &u32| {
            *address == export.address
                || (case.kernel.facts.thumb2 && *address == export.address + 1)
        };
        if let Some(addresses) = by_name.get(export.name.as_str())
            && !addresses.iter().any(near)
        {
            faults.push(format!(
                "{}: exported {} at {:#x}, which the table has elsewhere",
                case.name, export.name, export.address
            ));
        }
    }
    faults
}

/// There are descriptors and processors; what stands in the fields are
/// functions whose names say what they are for.
fn machine_faults(case: &Case) -> Vec<String> {
    let machines = &case.found.machines;
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(format!("{}: {text}", case.name));
    if machines.descriptors.is_empty() {
        fault("no machine descriptor".into());
    }
    if machines.processors.is_empty() {
        fault("no processor".into());
    }
    if case.truth.is_empty() {
        return faults;
    }
    for (field, words) in [
        ("init_irq", ["irq", "gic", "intc"].as_slice()),
        ("init_time", &["time", "clk", "clock", "counter"]),
        ("init_machine", &["init"]),
        ("handle_irq", &["irq"]),
    ] {
        let Some(known) = machines.fields.get(field) else {
            continue;
        };
        for descriptor in &machines.descriptors {
            let Some(word) = case.kernel.word(descriptor.va + known.value) else {
                fault(format!("{field} outside the image"));
                continue;
            };
            if word == 0 {
                continue;
            }
            let names: Vec<&str> = case
                .truth
                .range((word & !1, String::new())..)
                .take_while(|(address, _)| *address == word & !1)
                .map(|(_, name)| name.as_str())
                .collect();
            let named = |name: &&str| words.iter().any(|word| name.contains(word));
            if names.is_empty() || (!names.iter().any(named) && case.truth.len() > 20_000) {
                fault(format!(
                    "{field} of {:?} is {word:#x} {names:?}",
                    descriptor.name
                ));
            }
        }
    }
    let has = |name: &str| machines.fields.contains_key(name);
    if !has("init_irq") || !has("init_machine") || !(has("init_time") || has("timer")) {
        fault(format!("only the fields {:?}", machines.fields.keys()));
    }
    faults
}

/// Objects that lie in the image have the shape that the layout says: the
/// name of `dummy_irq_chip` is `dummy`, and its callbacks are functions.
fn layout_faults(case: &Case) -> Vec<String> {
    let layouts = &case.found.layouts;
    let word = |object: u32, field: &str| {
        let known = layouts.get(field)?;
        case.kernel.word(object + known.value)
    };
    let mut faults = Vec::new();
    if let Some(object) = case.symbols.address("dummy_irq_chip") {
        let name = word(object, "irq_chip.name")
            .and_then(|va| case.kernel.offset(va))
            .and_then(|at| linker::bytes::c_str(&case.kernel.bytes, at, 8));
        let unmask = word(object, "irq_chip.irq_unmask").or(word(object, "irq_chip.unmask"));
        let noop = case.symbols.address("noop");
        let wrong = noop.is_some() && noop != unmask.map(|va| va & !1);
        if layouts.get("irq_chip").is_some() && (name != Some("dummy") || wrong) {
            faults.push(format!(
                "{}: dummy_irq_chip is called {name:?} and unmasks by {unmask:x?}",
                case.name
            ));
        }
    }
    faults
}

/// Every pointer that was found is one of the addresses that the truth has for
/// the name, and none of them is ambiguous.
fn pointer_faults(case: &Case) -> Vec<String> {
    if case.truth.is_empty() {
        return Vec::new();
    }
    let pointers = case.found.pointers.iter();
    pointers
        .filter(|pointer| pointer.kind != Kind::Field)
        .filter_map(|pointer| {
            let truth: Vec<u32> = case
                .truth
                .iter()
                .filter(|(_, name)| *name == pointer.name)
                .map(|(address, _)| *address)
                .collect();
            let right = match pointer.address() {
                Some(address) if !truth.is_empty() => truth.contains(&(address & !1)),
                Some(_) => true,
                None => truth.is_empty(),
            };
            (!right).then(|| {
                format!(
                    "{}: {} is {:x?}, {:?}",
                    case.name, pointer.name, truth, pointer
                )
            })
        })
        .collect()
}

#[test]
fn a_list_of_symbols_serves_a_kernel_without_any() {
    let Some(list) = fixtures::image("ecmo-oxnas-3.18.20", "pointers.tsv") else {
        return;
    };
    let bytes = std::fs::read(list.with_file_name("image")).expect("the image beside the list");
    let kernel = image::open(&bytes).expect("an image").kernel;
    let list = system_map::parse(&std::fs::read_to_string(list).expect("a list")).expect("a list");
    let options = Options {
        extra: Some(list.clone()),
        ..Options::default()
    };
    let found = identify::identify(&kernel, &SymbolTable::default(), &options);
    // The descriptor is found by its shape, and is the one of the list.
    let descriptors: Vec<u32> = found.machines.descriptors.iter().map(|it| it.va).collect();
    assert_eq!(Some(descriptors[0]), list.address("machine_desc"));
    assert_eq!(descriptors.len(), 1);
    // In the kernel that is the name of the variable which points to it.
    for symbol in list.iter().filter(|symbol| symbol.name != "machine_desc") {
        assert_eq!(
            found.address(&symbol.name),
            Some(symbol.address),
            "{}",
            symbol.name
        );
    }
    let offset = |field: &str| {
        found
            .layouts
            .get(&format!("machine_desc.{field}"))
            .map(|it| it.value)
    };
    assert_eq!(offset("init_irq"), Some(0x50));
    assert_eq!(offset("init_time"), Some(0x54));
    assert_eq!(offset("init_machine"), Some(0x58));
    assert_eq!(offset("handle_irq"), Some(0x60));
}
