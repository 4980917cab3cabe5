//! A driver crate outside of the workspace that uses the kit alone: it builds,
//! asks for what it declares and nothing else, and runs in a kernel.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use linker::object::{Driver, Note, NoteKind};
use tests::{command, fixtures};

const TARGET: &str = "armv7a-none-eabi";

/// Builds the crate as its author would, into a folder that stays, so that its
/// dependencies are compiled once.
fn library(features: &[&str]) -> PathBuf {
    let folder = fixtures::root().join("target/heartbeat");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(fixtures::root().join("tests/drivers/heartbeat"))
        .args(["build", "--quiet", "--release", "--locked"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&folder)
        .args(features.iter().flat_map(|feature| ["--features", feature]))
        // What is set for this test is meant for the host.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "the driver did not build");
    folder.join(TARGET).join("release/libheartbeat.a")
}

/// One test, because both libraries are built into one folder.
#[test]
fn a_driver_from_outside_builds_and_runs() {
    asks_for_what_it_declares();
    runs_in_a_kernel();
}

fn asks_for_what_it_declares() {
    let bytes = std::fs::read(library(&[])).expect("the library can be read");
    let driver = Driver::read("heartbeat", &bytes).expect("the linker can read it");
    let mut notes: Vec<&Note> = driver
        .members()
        .iter()
        .flat_map(|member| member.notes())
        .collect();
    notes.sort_by_key(|note| note.wanted());
    let told: Vec<_> = notes
        .iter()
        .map(|note| {
            (
                note.kind,
                note.required,
                note.wanted(),
                note.signature.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                NoteKind::Backward,
                true,
                "_printk|printk".to_owned(),
                "int printk(const char *format, unsigned long argument)"
            ),
            (
                NoteKind::Backward,
                false,
                "linux_banner".to_owned(),
                "char linux_banner"
            ),
            (
                NoteKind::Forward,
                true,
                "machine_desc.init_machine".to_owned(),
                "void beat(void)"
            ),
        ]
    );
}

fn runs_in_a_kernel() {
    let mut ecmo = command::ecmo();
    ecmo.arg("run")
        .arg(fixtures::kernel("bcm5301x-6.1", "zImage"))
        .args(["--until", "userspace", "--json", "-", "--driver"])
        .arg(library(&["chips"]));
    let report = command::run(&mut ecmo, Duration::from_secs(180)).json();
    let console = report["console"].as_str().unwrap_or_default();
    assert!(
        console.contains("heartbeat: a driver runs on CPU 41"),
        "{console}"
    );
    // The kernel of the recipe has CONFIG_KALLSYMS_ALL or not: either is said.
    assert!(console.contains("heartbeat: in "), "{console}");
}
