//! The embedded tables are sound, and say what compiled kernels say.

use std::collections::BTreeMap;

use super::{Known, Layouts, Tables};
use crate::{
    kernel::Version,
    machine::{
        Descriptor, Machines,
        testing::{BASE, Image},
    },
    symbols::{Source, Symbol, SymbolTable},
};

/// What the compiler says for 6.1 built for Armv7 with SMP (BCM5301X) and for
/// Armv5 (Versatile): name, value in the first, value in the second where it
/// is another. Printed by a C file of `offsetof` and `sizeof`.
const COMPILED_6_1: &[(&str, u32, u32)] = &[
    ("machine_desc", 104, 104),
    ("machine_desc.dt_compat", 12, 12),
    ("machine_desc.smp", 48, 48),
    ("machine_desc.map_io", 72, 72),
    ("machine_desc.init_irq", 80, 80),
    ("machine_desc.init_time", 84, 84),
    ("machine_desc.init_machine", 88, 88),
    ("machine_desc.handle_irq", 96, 96),
    ("machine_desc.restart", 100, 100),
    ("irq_data", 32, 28),
    ("irq_data.irq", 4, 4),
    ("irq_data.hwirq", 8, 8),
    ("irq_data.chip", 16, 16),
    ("irq_data.chip_data", 28, 24),
    ("irq_chip", 132, 132),
    ("irq_chip.name", 0, 0),
    ("irq_chip.irq_ack", 20, 20),
    ("irq_chip.irq_unmask", 32, 32),
    ("irq_chip.flags", 128, 128),
    ("irqaction", 64, 52),
    ("irqaction.dev_id", 4, 4),
    ("irqaction.flags", 32, 32),
    ("irqaction.name", 44, 44),
    ("clock_event_device", 192, 160),
    ("clock_event_device.event_handler", 0, 0),
    ("clock_event_device.mult", 40, 40),
    ("clock_event_device.features", 52, 52),
    ("clock_event_device.set_state_periodic", 60, 60),
    ("clock_event_device.tick_resume", 76, 76),
    ("clock_event_device.name", 100, 100),
    ("clock_event_device.cpumask", 116, 116),
    ("clocksource", 104, 104),
    ("clocksource.mask", 8, 8),
    ("clocksource.max_cycles", 40, 40),
    ("clocksource.name", 48, 48),
    ("clocksource.flags", 72, 72),
    ("resource", 32, 32),
    ("resource.flags", 12, 12),
    ("plat_serial8250_port", 80, 80),
    ("plat_serial8250_port.uartclk", 20, 20),
    ("plat_serial8250_port.regshift", 28, 28),
    ("plat_serial8250_port.flags", 32, 32),
    ("plat_serial8250_port.serial_in", 44, 44),
    ("platform_device.id", 4, 4),
];

fn symbols(names: &[&str]) -> SymbolTable {
    let named = |(index, name): (usize, &&str)| Symbol {
        address: BASE + 4 * index as u32,
        kind: 'T',
        name: (*name).to_owned(),
        source: Source::Kallsyms,
    };
    SymbolTable::new(names.iter().enumerate().map(named).collect())
}

/// A table that looks whole: what is not in it is not in the kernel.
fn whole(names: &[&str]) -> SymbolTable {
    let others: Vec<String> = (0..4000).map(|index| format!("function_{index}")).collect();
    let mut all: Vec<&str> = others.iter().map(String::as_str).collect();
    all.extend(names);
    symbols(&all)
}

fn machines(fields: &[(&str, u32)], size: Option<u32>) -> Machines {
    Machines {
        descriptors: vec![Descriptor {
            va: BASE,
            nr: u32::MAX,
            name: "board".into(),
            compatible: Vec::new(),
        }],
        size,
        fields: fields
            .iter()
            .map(|(name, value)| {
                let known = Known {
                    value: *value,
                    evidence: "seen".into(),
                };
                ((*name).to_owned(), known)
            })
            .collect(),
        ..Machines::default()
    }
}

#[test]
fn the_embedded_tables_are_readable() {
    let tables = Tables::built_in();
    assert!(tables.structs.len() >= 10);
    for table in &tables.structs {
        table.check().unwrap();
    }
}

#[test]
fn tables_agree_with_the_compiler() {
    let mut image = Image::new(0x1000, Version(6, 1, 0)).smp();
    let v7 = Layouts::of(
        &image.kernel(),
        &whole(&["irq_domain_set_hwirq_and_chip"]),
        &machines(&[("init_irq", 80)], Some(104)),
    );
    image = Image::new(0x1000, Version(6, 1, 0)).v5();
    let v5 = Layouts::of(
        &image.kernel(),
        &whole(&[]),
        &machines(&[("init_irq", 80)], None),
    );
    for &(name, first, second) in COMPILED_6_1 {
        assert_eq!(v7.get(name).map(|it| it.value), Some(first), "{name} on v7");
        // Without its size the configuration of machine_desc is seen too.
        assert_eq!(
            v5.get(name).map(|it| it.value),
            Some(second),
            "{name} on v5"
        );
    }
}

#[test]
fn eras_of_3_18() {
    let image = Image::new(0x1000, Version(3, 18, 20)).smp();
    let layouts = Layouts::of(
        &image.kernel(),
        &symbols(&["set_handle_irq"]),
        &machines(&[], Some(104)),
    );
    let expected = [
        // handle_irq is there, so it is not DMA that makes up the size.
        ("machine_desc.init_irq", 0x50),
        ("machine_desc.init_time", 0x54),
        ("machine_desc.init_machine", 0x58),
        ("machine_desc.handle_irq", 0x60),
        ("irq_data.irq", 4),
        ("irq_data.chip", 20),
        ("irq_chip.irq_unmask", 32),
        ("clock_event_device.mode", 48),
        ("clock_event_device.set_mode", 64),
        ("clock_event_device.name", 84),
        ("clock_event_device.cpumask", 100),
        ("irqaction.name", 40),
        ("irqaction.dir", 44),
        ("plat_serial8250_port.flags", 32),
        ("IRQ_NOREQUEST", 0x800),
        ("IRQF_TIMER", 0x1_4200),
        ("IRQF_DISABLED", 0x20),
    ];
    for (name, value) in expected {
        assert_eq!(layouts.get(name).map(|it| it.value), Some(value), "{name}");
    }
    assert!(
        layouts
            .get("clock_event_device.set_state_periodic")
            .is_none()
    );
}

#[test]
fn what_conditions_leave_open_is_unknown() {
    let image = Image::new(0x1000, Version(3, 18, 20));
    // 104 bytes: handle_irq or a DMA zone, either way.
    let layouts = Layouts::of(
        &image.kernel(),
        &SymbolTable::default(),
        &machines(&[], Some(104)),
    );
    assert!(layouts.get("machine_desc.init_irq").is_none());
    assert_eq!(layouts.get("machine_desc.nr_irqs").unwrap().value, 16);
    // One field that the code shows settles the others.
    let layouts = Layouts::of(
        &image.kernel(),
        &SymbolTable::default(),
        &machines(&[("init_irq", 0x54)], Some(104)),
    );
    assert_eq!(
        layouts.get("machine_desc.init_irq").unwrap().evidence,
        "seen"
    );
    assert_eq!(
        layouts.get("machine_desc.init_machine").unwrap().value,
        0x5c
    );
    assert!(layouts.get("machine_desc.handle_irq").is_none());
}

#[test]
fn a_struct_that_contradicts_the_table_has_only_what_is_seen() {
    let image = Image::new(0x1000, Version(4, 4, 0));
    let layouts = Layouts::of(
        &image.kernel(),
        &SymbolTable::default(),
        &machines(&[("init_irq", 0x7c)], None),
    );
    let of_struct: Vec<_> = layouts
        .iter()
        .filter(|(name, _)| name.starts_with("machine_desc"))
        .map(|(name, known)| (name.to_owned(), known.value))
        .collect();
    assert_eq!(of_struct, [("machine_desc.init_irq".to_owned(), 0x7c)]);
}

#[test]
fn versions_outside_every_era_have_nothing() {
    // irq_chip changed between 4.4 and 4.8, and it is not tabled where.
    let image = Image::new(0x1000, Version(4, 6, 0));
    let layouts = Layouts::of(&image.kernel(), &whole(&[]), &Machines::default());
    assert!(layouts.get("irq_chip.irq_ack").is_none());
    assert_eq!(layouts.get("irq_data.irq").unwrap().value, 4);
    let image = Image::new(0x1000, Version(9, 0, 0));
    let layouts = Layouts::of(&image.kernel(), &whole(&[]), &Machines::default());
    assert_eq!(layouts.iter().count(), 0);
}

#[test]
fn errors_name_the_file_and_the_fault() {
    let read = |text: &str| {
        let error = Tables::read(&[("x.toml", text)], "constant = []", "condition = []");
        error.err().map(|error| error.to_string())
    };
    let era = |member: &str, versions: &str| {
        format!(
            "struct = \"x\"\n[[era]]\nversions = {versions}\nsource = \"\"\nmembers = [\"{member}\"]"
        )
    };
    assert_eq!(read(&era("u32 a if smp !lpae", r#"["3.0", "3.2"]"#)), None);
    assert_eq!(
        read(&era("int a", r#"["3.0", "3.2"]"#)).unwrap(),
        "x.toml: member \"int a\": expected `TYPE NAME [align cacheline] [if CONDITIONS]`"
    );
    assert_eq!(
        read(&era("u32 a", r#"["3", "3.2"]"#)).unwrap(),
        "x.toml: \"3\" is not a version such as 2.6.39 or 6.1"
    );
    assert!(
        read("struct = 1")
            .unwrap()
            .starts_with("x.toml: TOML parse error")
    );
}

#[test]
fn the_old_abi_aligns_less() {
    // clock_event_device of 2.6.35 has its first 64-bit member at 8 either
    // way, but ends in one.
    let table = r#"
        struct = "x"
        [[era]]
        versions = ["2.6.12", "2.6.39"]
        source = "a header"
        members = ["u32 a", "u64 b"]
    "#;
    let tables = Tables::read(&[("x.toml", table)], "constant = []", "condition = []").unwrap();
    let layout = |version| {
        let image = Image::new(0x1000, version).v5();
        let symbols = SymbolTable::default();
        let layouts = Layouts::by(&tables, &image.kernel(), &symbols, &Machines::default());
        let known: BTreeMap<_, _> = layouts
            .iter()
            .map(|(name, known)| (name.to_owned(), known.value))
            .collect();
        known
    };
    let of = |pairs: &[(&str, u32)]| -> BTreeMap<String, u32> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    };
    assert_eq!(
        layout(Version(2, 6, 12)),
        of(&[("x", 12), ("x.a", 0), ("x.b", 4)])
    );
    // Which ABI it is, is not known here.
    assert_eq!(layout(Version(2, 6, 32)), of(&[("x.a", 0)]));
}
