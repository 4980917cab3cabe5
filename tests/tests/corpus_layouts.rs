//! Where fields lie, over every real kernel with symbols in the folder of
//! vendors' images: what the code shows is what the tables say. Skipped, with a
//! line on standard error, where there is no such folder.

use std::{collections::BTreeMap, fmt::Write, time::Instant};

use linker::{
    image,
    kernel::{Kernel, Version},
    layouts::Layouts,
    machine, symbols,
};
use tests::fixtures;

/// What drivers need of a kernel from a version on, with the share of it, in
/// percent of all kernels, that the code at least shows. Names with `|` are one
/// field under two names.
const NEEDED: [(&str, Version, u32, &[&str]); 9] = [
    (
        "irq_chip",
        Version(2, 6, 18),
        75,
        &["name", "irq_ack|ack", "irq_mask|mask", "irq_unmask|unmask"],
    ),
    ("irq_data", Version(2, 6, 37), 80, &["irq", "chip"]),
    (
        "irqaction",
        Version(2, 6, 12),
        80,
        &["handler", "flags", "name", "dev_id"],
    ),
    (
        "clock_event_device",
        Version(2, 6, 21),
        85,
        &[
            "name",
            "features",
            "rating",
            "event_handler",
            "set_next_event",
            "mult",
            "shift",
            "min_delta_ns",
            "max_delta_ns",
            "set_mode|set_state_shutdown",
        ],
    ),
    (
        "clocksource",
        Version(2, 6, 18),
        70,
        &["name", "read", "mask", "rating"],
    ),
    (
        "plat_serial8250_port",
        Version(2, 6, 12),
        40,
        &[
            "membase", "mapbase", "irq", "uartclk", "regshift", "iotype", "flags",
        ],
    ),
    (
        "uart_port",
        Version(2, 6, 12),
        60,
        &[
            "membase",
            "iotype",
            "irq",
            "uartclk",
            "fifosize",
            "flags",
            "type",
            "line",
            "ops",
            "mapbase",
            "x_char",
            "icount",
            "read_status_mask",
            "ignore_status_mask",
            "state|info",
        ],
    ),
    (
        "uart_driver",
        Version(2, 6, 12),
        70,
        &["nr", "cons", "state", "tty_driver"],
    ),
    (
        "console",
        Version(2, 6, 12),
        60,
        &["name", "write", "device", "flags", "index", "data"],
    ),
];

/// By struct: fields by code, by table, by neither.
type Shares = BTreeMap<&'static str, [u32; 3]>;

#[test]
fn code_and_tables_agree_on_every_kernel_of_the_corpus() {
    let Some(folder) = fixtures::corpus() else {
        return;
    };
    let mut folders: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("symbols.txt.xz").is_file())
        .collect();
    folders.sort();
    let mut shares = Shares::new();
    let mut faults = Vec::new();
    let mut rows = String::new();
    for path in folders {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(path.join("image")).expect("an image");
        let kernel = image::open(&bytes).expect("a kernel").kernel;
        let symbols = symbols::recover(&kernel);
        let machines = machine::find(&kernel, &symbols);
        let start = Instant::now();
        let layouts = Layouts::of(&kernel, &symbols, &machines);
        let took = start.elapsed();
        faults.extend(contradictions(&layouts).map(|fault| format!("{name}: {fault}")));
        let counts = count(&kernel, &layouts, &mut shares);
        writeln!(
            rows,
            "{name:32} {:3} fields by code, {:3} by table, {:2} by neither; {:3} ms",
            counts[0],
            counts[1],
            counts[2],
            took.as_millis()
        )
        .expect("a string takes all");
    }
    eprintln!("{rows}");
    for (of, _, least, _) in NEEDED {
        let [code, table, neither] = shares.get(of).copied().unwrap_or_default();
        let all = (code + table + neither).max(1);
        let percent = |count: u32| 100 * count / all;
        eprintln!(
            "{of:24} {:3} % by code, {:3} % by table, {:3} % by neither",
            percent(code),
            percent(table),
            percent(neither)
        );
        if neither > 0 || percent(code) < least {
            faults.push(format!(
                "{of}: {code} fields by code, {table} by table, {neither} by neither"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Fields on which code and table differ. A vendor may have taken over the
/// struct of another version, or added to it; what tells that is not one field.
fn contradictions(layouts: &Layouts) -> impl Iterator<Item = String> {
    let open = layouts
        .contradictions()
        .map(|(field, words)| format!("{field}: {words}"));
    let overruled = layouts
        .iter()
        .filter(|(_, known)| known.source() == "binary" && !known.evidence.ends_with("agrees)"))
        .filter(|(_, known)| {
            let differs = ["has 0x", "no such field", "leaves it open"];
            let differs = differs.iter().any(|words| known.evidence.contains(words));
            differs && !known.evidence.contains("has grown")
        })
        .map(|(field, known)| format!("{field} {:#x}: {}", known.value, known.evidence));
    open.chain(overruled)
}

fn count(kernel: &Kernel, layouts: &Layouts, shares: &mut Shares) -> [u32; 3] {
    let mut all = [0; 3];
    for (of, from, _, fields) in NEEDED {
        if kernel.facts.version < from {
            continue;
        }
        let share = shares.entry(of).or_default();
        for field in fields {
            let known = field
                .split('|')
                .find_map(|field| layouts.get(&format!("{of}.{field}")));
            let by = match known.map(|known| known.source()) {
                Some("binary") => 0,
                Some(_) => 1,
                None => 2,
            };
            share[by] += 1;
            all[by] += 1;
        }
    }
    all
}
