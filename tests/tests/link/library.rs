//! Static libraries by rustc: what is kept of them, and several at once.

use std::path::Path;
use std::process::Command;

use linker::link::{Board, Error, OpaqueRequest, Place, Provide, Resolved, link};
use linker::object::Driver;
use linker::transplant::{PAGE, Transplant};

use crate::compile::{Compiler, Flavour, run};
use crate::fake::{self, Fake};
use crate::{execute, reference};

const BASE: u32 = 0xc000_8000;

/// Answers yes to everything.
struct Everything;

fn yes(value: u32) -> Result<Resolved, String> {
    let evidence = "everything".to_owned();
    Ok(Resolved { value, evidence })
}

impl Provide for Everything {
    fn function(&self, _: &str) -> Result<Resolved, String> {
        yes(0xc001_0001)
    }
    fn data(&self, _: &str) -> Result<Resolved, String> {
        yes(0xc002_0000)
    }
    fn layout(&self, _: &str) -> Result<Resolved, String> {
        yes(8)
    }
    fn constant(&self, _: &str) -> Result<Resolved, String> {
        yes(1)
    }
    fn place(&self, name: &str) -> Result<Place, String> {
        // A word of its own for each place.
        let word = name
            .bytes()
            .fold(0, |sum: u32, byte| sum.wrapping_mul(31) + u32::from(byte));
        let words = vec![BASE + word % 0x400 * 4];
        let evidence = "everything".to_owned();
        Ok(Place::words(words, evidence))
    }
}

fn sizes(transplant: &Transplant) -> (usize, usize) {
    let of = |name| reference::section(&transplant.driver_elf, name).1.len();
    (of(".text") + of(".rodata"), of(".data"))
}

/// The real driver with all its parts leaves room in 64 KiB.
#[test]
fn the_embedded_driver_fits() {
    let kernel = fake::kernel(vec![0; 0x4000], BASE);
    for (name, library) in [
        ("armv7", rehost::embedded::DRIVER_ARMV7),
        ("armv5", rehost::embedded::DRIVER_ARMV5),
    ] {
        let driver = Driver::read(name, library).expect("readable");
        let request = OpaqueRequest::default();
        let transplant = link(&kernel, &Everything, &[driver], request, &Board::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (code, data) = sizes(&transplant);
        println!(
            "{name}: library {}, code and constants {code}, data {data}",
            library.len()
        );
        assert!(
            code < 0x8000,
            "{name}: {code:#x} bytes of code and constants"
        );
        let pages: u32 = transplant
            .opaque
            .segments
            .iter()
            .map(|segment| segment.size)
            .sum();
        assert!(pages + 3 * PAGE <= request.size);
        assert!(
            transplant.left_out.is_empty(),
            "{name}: {:?}",
            transplant.left_out
        );
    }
}

const NEARLY_EMPTY: &str = r#"
#![no_std]
#[repr(C)]
pub struct Note { magic: u32, kind: u16, flags: u16, at: extern "C" fn(usize) -> usize, len: u32, text: [u8; 28] }
#[used]
#[unsafe(link_section = ".ecmo.note.init")]
static NOTE: Note = Note {
    magic: 0x314e_4345, kind: 2, flags: 1, at: init, len: 25,
    text: *b"machine_desc.init_irq\0\0\0\0\0\0\0",
};
extern "C" fn init(n: usize) -> usize {
    let mut table = [0u32; 64];
    fill(&mut table, n);
    (table.get(n).copied().unwrap_or(5) % 7) as usize + table.len() / (n + 1)
}
#[inline(never)]
fn fill(table: &mut [u32], n: usize) {
    for (index, word) in table.iter_mut().enumerate() {
        *word = (index / (n + 1)) as u32;
    }
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! { loop {} }
"#;

fn rust_library(directory: &Path) -> Vec<u8> {
    let source = directory.join("nearly_empty.rs");
    std::fs::write(&source, NEARLY_EMPTY).expect("cannot write a source file");
    let library = directory.join("libnearly_empty.a");
    run(Command::new("rustc")
        .args([
            "--edition=2024",
            "--crate-type=staticlib",
            "--target=armv7a-none-eabi",
        ])
        .args(["-Cpanic=abort", "-Copt-level=s", "-Cdebuginfo=2", "-o"])
        .arg(&library)
        .arg(&source));
    std::fs::read(library).expect("rustc wrote nothing")
}

/// `core` and `compiler_builtins` come along with every static library; hardly
/// anything of them is kept.
#[test]
fn a_nearly_empty_rust_library_becomes_small() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let bytes = rust_library(directory.path());
    let driver = Driver::read("nearly_empty", &bytes).expect("readable");
    let loaded: u64 = driver
        .members()
        .iter()
        .flat_map(|member| member.sections())
        .filter(|section| section.kind.is_loaded())
        .map(|section| u64::from(section.size))
        .sum();
    let kernel = fake::kernel(vec![0; 0x4000], BASE);
    let transplant = link(
        &kernel,
        &Everything,
        &[driver],
        OpaqueRequest::default(),
        &Board::default(),
    )
    .expect("links");
    let (code, data) = sizes(&transplant);
    println!(
        "library {}, loaded sections {loaded}, kept {code} + {data}",
        bytes.len()
    );
    assert!(loaded > 300_000, "{loaded}");
    assert!(code + data < 2048, "{code} + {data}");

    let place = transplant.patches[0].va;
    // 64 words of n / 4; word 3 is 0; 64 / 4.
    assert_eq!(
        execute::call(&kernel, &transplant, place, true, [3, 0, 0, 0]),
        16
    );
}

const COUNTER: &str = r#"
#include "ecmo.h"
static int calls;
int shared_name(int n) { return n + STEP; }
static int init(int a, int b) { calls++; return shared_name(a) + calls * b; }
ECMO_FORWARD(ECMO_REQUIRED, "machine_desc.init_machine", init, "", "int (int, int)");
"#;

fn counter(directory: &Path, step: &str, thumb: bool) -> Driver {
    let flavour = Flavour {
        compiler: Compiler::BareGcc,
        thumb,
        v7: true,
        pic: false,
        optimise: "2",
    };
    let path = flavour.compile(directory, "counter.c", &COUNTER.replace("STEP", step));
    Driver::read(step, &std::fs::read(path).expect("no object")).expect("readable")
}

/// Several drivers, each with its own names, for one place: called in order,
/// all with the same arguments; the last one's result is returned.
#[test]
fn drivers_share_a_place() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let drivers = [
        counter(directory.path(), "100", false),
        counter(directory.path(), "200", true),
        counter(directory.path(), "300", false),
    ];
    let kernel = fake::kernel(vec![0; 0x4000], BASE);
    let transplant = link(
        &kernel,
        &Everything,
        &drivers,
        OpaqueRequest::default(),
        &Board::default(),
    )
    .expect("links");
    assert_eq!(transplant.forwards.len(), 1);
    let place = transplant.patches[0].va;
    assert_eq!(
        execute::call(&kernel, &transplant, place, true, [7, 1000, 0, 0]),
        1307
    );
    let single = link(
        &kernel,
        &Everything,
        &drivers[1..2],
        OpaqueRequest::default(),
        &Board::default(),
    )
    .expect("links");
    assert_eq!(
        execute::call(&kernel, &single, place, true, [7, 1000, 0, 0]),
        1207
    );
}

/// What is too large says what is big.
#[test]
fn too_large() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let source = r#"
        #include "ecmo.h"
        static volatile char big[60000];
        static const volatile char table[9000] = { 1 };
        static int init(int n) { big[n] = 1; return table[n]; }
        ECMO_FORWARD(ECMO_REQUIRED, "machine_desc.init_irq", init, "", "");
    "#;
    let flavour = Flavour {
        compiler: Compiler::BareGcc,
        thumb: false,
        v7: true,
        pic: false,
        optimise: "2",
    };
    let path = flavour.compile(directory.path(), "big.c", source);
    let driver = Driver::read("big.o", &std::fs::read(path).expect("no object")).expect("readable");
    let kernel = fake::kernel(vec![0; 0x4000], BASE);
    let error = link(
        &kernel,
        &Fake {
            ..everything_at(BASE)
        },
        &[driver],
        OpaqueRequest::default(),
        &Board::default(),
    )
    .expect_err("too large");
    let Error::TooLarge { biggest, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(biggest[0], ("big.o: .bss".to_owned(), 60000));
    expect_test::expect![[r#"
        driver too large: it needs 0x15000 bytes of opaque memory and there are 0x10000: code and constants 0x20, data 0x10d88, chips' pages 0x3000; biggest:
           0xea60 big.o: .bss
           0x2328 big.o: .data
             0x20 big.o: .text"#]].assert_eq(&error.to_string());
}

fn everything_at(word: u32) -> Fake {
    let mut fake = Fake::default();
    fake.places
        .insert("machine_desc.init_irq".to_owned(), vec![word]);
    fake
}

/// Both members bring the same COMDAT group; one is kept, and both use it.
#[test]
fn comdat_groups_are_kept_once() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let source = r#"
        .syntax unified
        .arm
        .section .text.shared, "axG", %progbits, shared, comdat
        .weak shared
        .type shared, %function
shared: ldr r1, 1f
        ldr r0, [r1]
        bx lr
1:      .word .Lvalue
        .section .rodata.shared, "aG", %progbits, shared, comdat
.Lvalue: .word VALUE
        .section .text.start, "ax"
        .type NAME, %function
        .global NAME
NAME:   push {r4, lr}
        bl shared
        pop {r4, pc}
        .section .ecmo.note.NAME, "a"
        .word 0x314e4345
        .hword 2, 1
        .word NAME
        .word 9
        .asciz "NAME_"
        .asciz ""
        .asciz ""
        .asciz ""
        .balign 4
    "#;
    let flavour = Flavour {
        compiler: Compiler::BareGcc,
        thumb: false,
        v7: true,
        pic: false,
        optimise: "0",
    };
    let library = directory.path().join("comdat.a");
    let mut ar = Command::new("arm-none-eabi-ar");
    ar.arg("rcs").arg(&library);
    for (name, value) in [("one1", "11"), ("two2", "22")] {
        let text = source.replace("NAME", name).replace("VALUE", value);
        ar.arg(flavour.compile(directory.path(), &format!("{name}.s"), &text));
    }
    run(&mut ar);
    let bytes = std::fs::read(library).expect("ar wrote nothing");
    let driver = Driver::read("comdat.a", &bytes).expect("readable");
    let kernel = fake::kernel(vec![0; 0x4000], BASE);
    let request = OpaqueRequest::default();
    let transplant = link(&kernel, &Everything, &[driver], request, &Board::default())
        .unwrap_or_else(|error| panic!("{error}"));
    for patch in &transplant.patches {
        assert_eq!(
            execute::call(&kernel, &transplant, patch.va, true, [0; 4]),
            11
        );
    }
    assert_eq!(transplant.patches.len(), 2);
}

/// A debugger finds the source of what the kernel calls.
#[test]
fn driver_elf_knows_its_source() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let bytes = rust_library(directory.path());
    let c = counter(directory.path(), "100", true);
    let kernel = fake::kernel(vec![0; 0x4000], BASE);
    let drivers = [Driver::read("nearly_empty", &bytes).expect("readable"), c];
    let request = OpaqueRequest::default();
    let transplant = link(&kernel, &Everything, &drivers, request, &Board::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let elf = directory.path().join("driver.elf");
    std::fs::write(&elf, &transplant.driver_elf).expect("cannot write driver.elf");
    let source = |place: &str| {
        let forward = transplant
            .forwards
            .iter()
            .find(|forward| forward.place == place);
        let address = forward.expect("installed").target & !1;
        let line = run(Command::new("arm-none-eabi-addr2line")
            .arg("-e")
            .arg(&elf)
            .arg(format!("{address:#x}")));
        String::from_utf8(line).expect("text")
    };
    let line = |text: &str, wanted: &str| {
        text.lines()
            .position(|line| line.contains(wanted))
            .expect("in the source")
            + 1
    };
    let rust = line(NEARLY_EMPTY, "extern \"C\" fn init");
    let found = source("machine_desc.init_irq");
    assert!(
        found.ends_with(&format!("nearly_empty.rs:{rust}\n")),
        "{found}"
    );
    let c = line(COUNTER, "static int init");
    let found = source("machine_desc.init_machine");
    assert!(found.contains(&format!("counter.c:{c}")), "{found}");
}
