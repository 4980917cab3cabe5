//! A driver in C, by every compiler in every flavour.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use linker::kernel::Kernel;
use linker::link::{Board, OpaqueRequest, link};
use linker::object::Driver;
use object::{Object, ObjectSymbol};

use crate::compile::{Compiler, Flavour, flavours, run};
use crate::fake::{self, Fake};
use crate::{execute, reference};

const KERNEL: &str = include_str!("guest/kernel.c");
const DRIVER: &str = include_str!("guest/driver.c");
const CHECKS: u32 = (1 << 22) - 1;
/// A word in the kernel's image, for the forward.
const PLACE: u32 = 8;

/// The fake kernel at `base`, by GNU tools, and what it has.
fn kernel(directory: &Path, thumb: bool, base: u32) -> (Kernel, Fake) {
    let flavour = Flavour {
        compiler: Compiler::LinuxGcc,
        thumb,
        v7: false,
        pic: false,
        optimise: "1",
    };
    let object = flavour.compile(directory, "kernel.c", KERNEL);
    let elf = directory.join("kernel.elf");
    run(Command::new("arm-linux-gnueabi-ld")
        .arg(format!("-Ttext={:#x}", base + 0x100))
        .args(["-N", "--use-blx", "-e", "0", "-o"])
        .arg(&elf)
        .arg(object)
        .arg(libgcc())
        .args(["--defsym=raise=0", "--defsym=__aeabi_unwind_cpp_pr0=0"])
        .args(["--defsym=__aeabi_unwind_cpp_pr1=0"]));
    let image = directory.join("kernel.bin");
    run(Command::new("arm-linux-gnueabi-objcopy")
        .args(["-O", "binary"])
        .arg(&elf)
        .arg(&image));
    let mut bytes = vec![0; 0x100];
    bytes.extend(std::fs::read(image).expect("objcopy wrote nothing"));

    let elf = std::fs::read(elf).expect("ld wrote nothing");
    let mut fake = Fake::default();
    for symbol in object::File::parse(&*elf)
        .expect("not an ELF file")
        .symbols()
    {
        let name = symbol.name().unwrap_or_default().to_owned();
        match symbol.kind() {
            object::SymbolKind::Text => fake.functions.insert(name, symbol.address() as u32),
            object::SymbolKind::Data => fake.data.insert(name, symbol.address() as u32),
            _ => None,
        };
    }
    fake.places = BTreeMap::from([("machine_desc.init_irq".to_owned(), vec![base + PLACE])]);
    fake.layouts.insert("irq_data.irq".to_owned(), 4);
    fake.constants.insert("IRQ_NOPROBE".to_owned(), 0x400);
    (fake::kernel(bytes, base), fake)
}

fn libgcc() -> String {
    let path = run(Command::new("arm-linux-gnueabi-gcc").arg("-print-libgcc-file-name"));
    String::from_utf8(path).expect("a path").trim().to_owned()
}

/// A static library of the object and all of libgcc, which some compilers need
/// for `switch` in Thumb-1 code.
fn with_libgcc(directory: &Path, object: &Path) -> PathBuf {
    let library = directory.join("driver.a");
    let script = directory.join("driver.mri");
    let text = format!(
        "create {}\naddlib {}\naddmod {}\nsave\nend\n",
        library.display(),
        libgcc(),
        object.display()
    );
    std::fs::write(&script, text).expect("cannot write the script");
    let script = std::fs::File::open(&script).expect("just written");
    run(Command::new("arm-linux-gnueabi-ar").arg("-M").stdin(script));
    library
}

/// 256 MiB between kernel and driver: no branch reaches.
#[test]
fn plain_calls_across_256_mib() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let kernels = [false, true].map(|thumb| kernel(directory.path(), thumb, 0xc000_8000));
    for flavour in flavours() {
        let path = flavour.compile(directory.path(), "driver.c", DRIVER);
        let bytes = std::fs::read(with_libgcc(directory.path(), &path)).expect("no library");
        let driver = Driver::read("driver.a", &bytes).expect("readable");
        for (kernel, fake) in &kernels {
            let drivers = std::slice::from_ref(&driver);
            let transplant = link(
                kernel,
                fake,
                drivers,
                OpaqueRequest::default(),
                &Board::default(),
            )
            .unwrap_or_else(|error| panic!("{flavour}: {error}"));
            let place = kernel.base + PLACE;
            let found = execute::call(kernel, &transplant, place, flavour.v7, [0; 4]);
            let thumb = fake.functions["kernel_add"] & 1;
            assert_eq!(
                found,
                CHECKS,
                "{flavour}, kernel thumb {thumb}: checks that failed: {:#b}",
                !found & CHECKS
            );
            assert!(
                transplant
                    .by_name
                    .iter()
                    .any(|used| used.name == "kernel_add")
            );
            assert!(transplant.by_name.iter().all(|used| used.name != "unused"));
        }
    }
}

/// Near by, GNU ld needs no veneers either, so that every byte must agree.
#[test]
fn bytes_are_those_of_gnu_ld() {
    let directory = tempfile::tempdir().expect("no temporary directory");
    let (kernel, mut fake) = kernel(directory.path(), false, 0xd010_0000);
    let memory = ["memcpy", "memset"];
    fake.functions
        .retain(|name, _| DRIVER.contains(name.as_str()) || memory.contains(&name.as_str()));
    fake.data.retain(|name, _| DRIVER.contains(name.as_str()));
    // We do not keep what is not reached.
    let source: String = DRIVER
        .lines()
        .filter(|line| !line.contains("not_there"))
        .collect::<Vec<_>>()
        .join("\n");
    for flavour in flavours().into_iter().filter(|flavour| !flavour.pic) {
        let path = flavour.compile(directory.path(), "driver.c", &source);
        let bytes = std::fs::read(&path).expect("no object");
        let driver = Driver::read("driver.o", &bytes).expect("readable");
        let transplant = link(
            &kernel,
            &fake,
            &[driver],
            OpaqueRequest::default(),
            &Board::default(),
        )
        .unwrap_or_else(|error| panic!("{flavour}: {error}"));
        reference::compare(
            directory.path(),
            &path,
            &transplant,
            &fake,
            &flavour.to_string(),
        );
    }
}
