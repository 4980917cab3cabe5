//! Signatures are made from source and not by hand: those that `ecmo-link
//! signatures` takes from one source tree find, alone, the pointers of kernels that
//! were built from this tree with unusual options, one of them for size and in
//! Thumb-2 code.
//!
//! Both need Debian's `linux-source-6.12`, which not every system can fetch: the
//! tests have that in their names and are counted as skipped without it.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use linker::kernel::Version;
use linker::signatures::Signatures;
use tests::{
    command,
    evaluation::{self, Bar, Case},
    fixtures,
};

/// Names in the cache.
const KERNELS: [&str; 2] = ["fast-arm-6.12", "small-thumb-6.12"];

/// What the signatures are taken from, below the top of the tree.
const FOLDERS: [&str; 18] = [
    "Makefile",
    "arch/arm",
    "drivers/base",
    "drivers/char",
    "drivers/clk",
    "drivers/clocksource",
    "drivers/irqchip",
    "drivers/net/loopback.c",
    "drivers/of",
    "drivers/tty",
    "fs",
    "include",
    "init",
    "kernel",
    "lib",
    "mm",
    "net",
    "security",
];

/// Where this stands; the aim is that none is wrong. One is: the compiler of the
/// small kernel did not put `tty_insert_flip_char` into its one caller.
const BAR: Bar = Bar {
    right: 0.85,
    wrong: 0.005,
    ambiguous: 0.035,
    by_signatures: 0.7,
    unmet: 0,
};

#[test]
fn signatures_of_linux_source_6_12_find_the_pointers_of_its_kernels() {
    let folder = tempfile::tempdir().expect("a folder");
    let tarball = fixtures::cache().join("downloads/linux-source-6.12.tar.xz");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder.path()).arg("-xf").arg(&tarball);
    tar.args([
        "--strip-components=1",
        "--wildcards",
        "--no-wildcards-match-slash",
    ]);
    tar.args(FOLDERS.map(|name| format!("*/{name}")));
    assert!(
        tar.status().expect("tar").success(),
        "{}",
        tarball.display()
    );

    let file = folder.path().join("signatures.txt");
    let mut ecmo_link = command::ecmo_link();
    ecmo_link
        .args(["signatures", "--source"])
        .arg(folder.path());
    ecmo_link.arg("-o").arg(&file);
    let finished = command::run(&mut ecmo_link, Duration::from_secs(120));
    assert_eq!(finished.code(), 0);

    let bytes = std::fs::read(&file).expect("the signatures");
    let signatures = Arc::new(Signatures::read(&bytes).expect("signatures"));
    let releases: Vec<Version> = signatures.versions().collect();
    assert!(matches!(releases[..], [Version(6, 12, _)]), "{releases:?}");

    let cases = KERNELS.map(|name| Case::of_cache(name, "Image"));
    let evaluations = evaluation::all_by(&cases, &signatures);
    let faults = evaluation::faults(&evaluations, &BAR);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
