//! GNU ld as the reference: the same object at the same addresses.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use linker::transplant::Transplant;
use object::{Object, ObjectSection, ObjectSymbol};

use crate::compile::run;
use crate::fake::Fake;

/// Contents of a section of an ELF file.
pub(crate) fn section(elf: &[u8], name: &str) -> (u32, Vec<u8>) {
    let file = object::File::parse(elf).expect("not an ELF file");
    let section = file.section_by_name(name);
    section.map_or((0, Vec::new()), |section| {
        (
            section.address() as u32,
            section.data().expect("no data").to_vec(),
        )
    })
}

/// The first veneer, if there is one.
fn veneers(elf: &[u8]) -> Option<u32> {
    let file = object::File::parse(elf).expect("not an ELF file");
    let symbols = file
        .symbols()
        .filter(|symbol| symbol.name().is_ok_and(|name| name.ends_with("_veneer")));
    symbols.map(|symbol| symbol.address() as u32 & !1).min()
}

fn slots(elf: &[u8]) -> Vec<u32> {
    let file = object::File::parse(elf).expect("not an ELF file");
    let symbols = file.symbols().filter(|symbol| {
        symbol
            .name()
            .is_ok_and(|name| name.starts_with("ecmo_slot_"))
    });
    symbols.map(|symbol| symbol.address() as u32).collect()
}

/// Links `object` with GNU ld to the addresses that `transplant` has, and
/// compares every section that is loaded.
pub(crate) fn compare(
    directory: &Path,
    object: &Path,
    transplant: &Transplant,
    fake: &Fake,
    what: &str,
) {
    let ours = &transplant.driver_elf;
    let mut script = String::new();
    for (name, &value) in fake.functions.iter().chain(&fake.data) {
        writeln!(script, "{name} = {value:#x};").expect("text");
    }
    script.push_str("SECTIONS {\n");
    for (name, inputs) in [
        (".text", "*(.text .text.*)"),
        (
            ".rodata",
            "*(.rodata .rodata.* .ecmo.slot.* .data.rel.ro .data.rel.ro.*)",
        ),
        (".data", "*(.data .data.*)"),
        (".bss", "*(.bss .bss.* COMMON)"),
    ] {
        let address = match section(ours, name) {
            (0, _) => continue,
            (address, _) => address,
        };
        writeln!(script, "{name} {address:#x} : {{ {inputs} }}").expect("text");
    }
    script.push_str("/DISCARD/ : { *(.ecmo.note.*) *(.ARM.exidx*) *(.ARM.extab*) }\n}\n");
    let script_path = directory.join("reference.ld");
    std::fs::write(&script_path, script).expect("cannot write the linker script");
    let output = directory.join("reference.elf");
    run(Command::new("arm-linux-gnueabi-ld")
        .arg("-T")
        .arg(&script_path)
        .args(["--no-check-sections", "--use-blx", "-e", "0", "-o"])
        .arg(&output)
        .arg(object));
    let reference = std::fs::read(&output).expect("ld wrote nothing");
    for name in [".text", ".rodata", ".data"] {
        let (at, expected) = section(&reference, name);
        let (_, mut found) = section(ours, name);
        let mut expected = expected;
        if name == ".text" {
            // ld makes other veneers, at the same place.
            expected.truncate(veneers(ours).map_or(expected.len(), |first| (first - at) as usize));
        }
        found.truncate(expected.len());
        for slot in slots(ours) {
            // Empty in what ld makes.
            let offset = slot.wrapping_sub(at) as usize;
            if let Some(word) = found.get_mut(offset..offset + 4) {
                word.fill(0);
            }
        }
        if let Some(index) = expected.iter().zip(&found).position(|(a, b)| a != b) {
            let index = index & !3;
            panic!(
                "{what}: {name} at {:#x}: ld has {:02x?}, we have {:02x?}",
                at as usize + index,
                &expected[index..expected.len().min(index + 8)],
                &found[index..found.len().min(index + 8)]
            );
        }
        assert_eq!(expected.len(), found.len(), "{what}: length of {name}");
    }
}
