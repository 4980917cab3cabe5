//! Bare-metal programs (tests/bare): built with the cross compiler, and run under
//! QEMU until they end by semihosting.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// QEMU is stopped after this: a program that hangs it is a failure.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds a program of sources in tests/bare for a processor.
pub(crate) fn build(name: &str, cpu: &str, sources: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bare");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.elf"));
    let output = Command::new("arm-none-eabi-gcc")
        .arg(format!("-mcpu={cpu}"))
        .args(["-marm", "-mfloat-abi=soft", "-O1", "-ffreestanding"])
        .args(["-nostdlib", "-Wall", "-Wextra", "-Werror", "-T"])
        .arg(folder.join("bare.ld"))
        .args(sources.iter().map(|source| folder.join(source)))
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{}",
                missing("arm-none-eabi-gcc", "gcc-arm-none-eabi", &error)
            )
        });
    assert!(
        output.status.success(),
        "{name} of tests/bare does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

/// A machine of QEMU with a program, and files at physical addresses.
pub(crate) fn qemu(machine: &str, program: &Path, files: &[(&Path, u32)]) -> Command {
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", machine, "-display", "none", "-monitor", "none"])
        .args(["-serial", "null", "-serial", "null", "-nic", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .arg("-kernel")
        .arg(program);
    for (file, address) in files {
        let loader = format!(
            "loader,file={},addr={address:#x},force-raw=on",
            file.display()
        );
        qemu.arg("-device").arg(loader);
    }
    // The boards have a sound chip that nobody listens to.
    qemu.env("QEMU_AUDIO_DRV", "none");
    qemu
}

/// Runs it.
pub(crate) fn run_to_end(qemu: &mut Command) {
    let mut child = match qemu.stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => panic!("{}", missing("qemu-system-arm", "qemu-system-arm", &error)),
    };
    let start = Instant::now();
    loop {
        match child.try_wait().expect("QEMU's state") {
            Some(status) => {
                assert!(status.success(), "QEMU ended with {status}");
                return;
            }
            None if start.elapsed() > LIMIT => {
                child.kill().expect("QEMU stopped");
                child.wait().expect("QEMU's end");
                panic!("QEMU did not end within {LIMIT:?}");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn missing(tool: &str, package: &str, error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::NotFound {
        format!(
            "{tool} is not installed: run `cargo xtask setup`, or install Debian's package {package}"
        )
    } else {
        format!("{tool} cannot be started: {error}")
    }
}
