//! Applying, writing and reading back.

use expect_test::expect;

use super::*;
use crate::kernel::{Arch, Facts, Kernel, Version};
use crate::symbols::{Source, Symbol, SymbolTable};

const BASE: u32 = 0xc000_8000;

fn kernel() -> Kernel {
    Kernel {
        bytes: (0..0x100u32).flat_map(u32::to_le_bytes).collect(),
        base: BASE,
        facts: Facts {
            banner: "Linux version 3.18.20".to_owned(),
            arch: Arch::V6,
            smp: true,
            ..Facts::usual(Version(3, 18, 20))
        },
    }
}

fn patch(va: u32, old: u32, new: u32) -> Patch {
    Patch {
        va,
        old: old.to_le_bytes().to_vec(),
        new: new.to_le_bytes().to_vec(),
        why: "machine_desc.init_irq calls the driver".to_owned(),
    }
}

fn transplant() -> Transplant {
    let segments = vec![
        Segment {
            va: DEFAULT_OPAQUE_BASE,
            bytes: vec![0x11; 0x123],
            size: PAGE,
            writable: false,
        },
        Segment {
            va: DEFAULT_OPAQUE_BASE + PAGE,
            bytes: vec![0x22; 4],
            size: 2 * PAGE,
            writable: true,
        },
    ];
    let image = elf::Image {
        loads: segments
            .iter()
            .map(|segment| elf::Load {
                va: segment.va,
                bytes: &segment.bytes,
                size: segment.size,
                writable: segment.writable,
                executable: !segment.writable,
            })
            .collect(),
        ..elf::Image::default()
    };
    let driver_elf = elf::write(&image).unwrap();
    Transplant {
        release: "3.18.20".to_owned(),
        opaque: Opaque {
            base: DEFAULT_OPAQUE_BASE,
            size: DEFAULT_OPAQUE_SIZE,
            segments,
            chips: vec![ChipPage {
                chip: "sp804".to_owned(),
                va: 0xd001_6000,
                phys: 0xfeec_1000,
                irq: Some(4),
                clock_hz: Some(1_000_000),
            }],
        },
        slots: vec![FilledSlot {
            name: "setup_irq".to_owned(),
            va: 0xd000_8100,
            value: 0xc004_fce0,
            evidence: "the kernel's symbol table".to_owned(),
        }],
        by_name: vec![ByName {
            name: "memset".to_owned(),
            value: 0xc010_0001,
            evidence: "the kernel's export table".to_owned(),
            veneers: vec![0xd000_8080],
        }],
        forwards: vec![InstalledForward {
            place: "machine_desc.init_irq".to_owned(),
            target: 0xd000_8000,
            at: vec![BASE + 8],
        }],
        left_out: vec![LeftOut {
            what: "machine_desc.init_machine".to_owned(),
            why: "no 8250 driver".to_owned(),
        }],
        patches: vec![patch(BASE + 8, 2, 0xd000_8000)],
        driver_elf,
    }
}

#[test]
fn patches_check_what_they_replace() {
    let mut transplant = transplant();
    let mut bytes = kernel().bytes;
    transplant.apply(&mut bytes, BASE).unwrap();
    assert_eq!(bytes[8..12], 0xd000_8000u32.to_le_bytes());
    let error = transplant.apply(&mut bytes, BASE).unwrap_err();
    expect!["at 0xc0008008 stands [00, 80, 00, d0], expected [02, 00, 00, 00] (machine_desc.init_irq calls the driver)"]
        .assert_eq(&error.to_string());

    // A patch that does not fit leaves the others undone too.
    let mut bytes = kernel().bytes;
    transplant.patches.push(patch(BASE + 0x3fe, 0, 0));
    let error = transplant.apply(&mut bytes, BASE).unwrap_err();
    expect!["0xc00083fe lies outside of the kernel (machine_desc.init_irq calls the driver)"]
        .assert_eq(&error.to_string());
    assert_eq!(bytes, kernel().bytes);
    transplant.patches[1].new.push(0);
    let error = transplant.apply(&mut bytes, BASE).unwrap_err();
    expect!["the patch at 0xc00083fe replaces 4 bytes by 5"].assert_eq(&error.to_string());
}

#[test]
fn what_is_written_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let symbols = SymbolTable::new(vec![Symbol {
        address: BASE + 0x40,
        kind: 'T',
        name: "setup_irq".to_owned(),
        source: Source::Kallsyms,
    }]);
    let written = transplant();
    let path = directory.path().join("new");
    written.write_to(&path, &kernel(), &symbols).unwrap();
    assert_eq!(Transplant::read_from(&path).unwrap(), written);

    let kernel_elf = std::fs::read(path.join(KERNEL_ELF)).unwrap();
    let file = goblin::elf::Elf::parse(&kernel_elf).unwrap();
    assert_eq!(file.program_headers.len(), 1);
    assert_eq!(file.program_headers[0].p_vaddr, u64::from(BASE));
    let symbol = file
        .syms
        .iter()
        .find(|symbol| symbol.is_function())
        .unwrap();
    assert_eq!(symbol.st_value, u64::from(BASE) + 0x40);
    assert_eq!(file.strtab.get_at(symbol.st_name), Some("setup_irq"));
    let start = file.program_headers[0].p_offset as usize;
    // The kernel in it is the patched one.
    assert_eq!(
        kernel_elf[start + 8..start + 12],
        0xd000_8000u32.to_le_bytes()
    );
}

#[test]
fn broken_directories() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let symbols = SymbolTable::default();
    assert!(matches!(
        Transplant::read_from(path),
        Err(FileError::Io { .. })
    ));
    transplant().write_to(path, &kernel(), &symbols).unwrap();
    let whole = std::fs::read(path.join(DRIVER_ELF)).unwrap();
    for length in [0, 40, 60, 0x1010] {
        std::fs::write(path.join(DRIVER_ELF), &whole[..length]).unwrap();
        let error = Transplant::read_from(path).unwrap_err();
        assert!(
            matches!(error, FileError::Driver { .. }),
            "{length}: {error}"
        );
    }
    std::fs::write(path.join(MANIFEST), "{\"release\": 3}").unwrap();
    assert!(matches!(
        Transplant::read_from(path),
        Err(FileError::Manifest { .. })
    ));
    let other = Kernel {
        bytes: vec![0; 0x100],
        ..kernel()
    };
    assert!(matches!(
        transplant().write_to(path, &other, &symbols),
        Err(FileError::Apply(_))
    ));
}

#[test]
fn as_text() {
    expect![[r#"
        kernel 3.18.20

        opaque 0xd0008000..0xd0018000
          0xd0008000  0x1000 r-x 0x123 bytes in the file
          0xd0009000  0x2000 rw- 0x4 bytes in the file
          0xd0016000         rw- sp804 at 0xfeec1000, irq 4, 1000000 Hz

        forwards: 1
          machine_desc.init_irq -> 0xd0008000
            at 0xc0008008

        slots: 1
          0xd0008100 = 0xc004fce0 setup_irq (the kernel's symbol table)

        by name: 1
          0xc0100001 memset (the kernel's export table) by 0xd0008080

        patches: 1
          0xc0008008 02 00 00 00 -> 00 80 00 d0 machine_desc.init_irq calls the driver

        left out: 1
          machine_desc.init_machine: no 8250 driver
    "#]]
    .assert_eq(&transplant().to_string());
}
