//! Builds the driver for both guest instruction sets with a cargo of its own,
//! and finds the busybox binaries in the cache, so that all of them can be
//! embedded into the program.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Target of the driver for Armv7-A kernels; rustup has its `core`.
const ARMV7: &str = "armv7a-none-eabi";
/// Target of the driver for older kernels: a file of ours, `core` built on the way.
const ARMV5: &str = "armv5te-ecmo-none-eabi";

/// Variables of the outer cargo that would change what the inner one does:
/// flags and wrappers meant for the host (clippy sets a wrapper, for one).
const NOT_FOR_THE_GUEST: [&str; 12] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "TARGET",
    "CARGO_CFG_TARGET_ARCH",
    "CARGO_MANIFEST_DIR",
];

fn main() {
    let here = PathBuf::from(required("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(&here).to_path_buf();
    for path in ["driver", "target-specs", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo:rerun-if-changed=build.rs");

    let specification = root.join("target-specs").join(format!("{ARMV5}.json"));
    let armv7 = build_driver(&root, ARMV7.as_ref(), ARMV7, false);
    let armv5 = build_driver(&root, &specification, ARMV5, true);
    println!("cargo:rustc-env=ECMO_DRIVER_ARMV7={}", armv7.display());
    println!("cargo:rustc-env=ECMO_DRIVER_ARMV5={}", armv5.display());

    let cache = cache_folder();
    for (variable, name) in [
        ("ECMO_BUSYBOX_ARMEL", "busybox-armel"),
        ("ECMO_BUSYBOX_ARMHF", "busybox-armhf"),
    ] {
        let path = cache.join("userland").join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        if !path.is_file() {
            stop(&format!(
                "{} is missing: it is the built-in user space; run `cargo xtask setup`",
                path.display()
            ));
        }
        println!("cargo:rustc-env={variable}={}", path.display());
    }
    for variable in ["ECMO_CACHE", "XDG_CACHE_HOME", "HOME"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
}

/// Builds the driver library for `target` (a name or a file) and returns its path.
fn build_driver(root: &Path, target: &Path, name: &str, build_std: bool) -> PathBuf {
    let out = PathBuf::from(required("OUT_DIR")).join("driver");
    let mut command = Command::new(required("CARGO"));
    command
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "driver",
            "--lib",
        ])
        .arg("--target")
        .arg(target)
        .arg("--target-dir")
        .arg(&out);
    if build_std {
        // `core` for this target comes from the toolchain's sources, which the
        // stable compiler builds when told that it may.
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["-Zbuild-std=core", "-Zjson-target-spec"]);
    }
    for variable in NOT_FOR_THE_GUEST {
        command.env_remove(variable);
    }
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(_) => stop(&format!(
            "the driver did not build for {name} (messages above). \
             If `core` is what is missing, run `cargo xtask setup`"
        )),
        Err(error) => stop(&format!("cannot start cargo for the driver: {error}")),
    }
    out.join(name).join("release").join("libdriver.a")
}

/// Where set-up puts what is not part of the checkout.
fn cache_folder() -> PathBuf {
    if let Some(path) = env::var_os("ECMO_CACHE") {
        return path.into();
    }
    match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache).join("ecmo-rs"),
        (None, Some(home)) => PathBuf::from(home).join(".cache").join("ecmo-rs"),
        (None, None) => stop("neither ECMO_CACHE nor HOME is set"),
    }
}

fn required(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| stop(&format!("cargo did not set {variable}")))
}

fn stop(why: &str) -> ! {
    println!("cargo:warning={why}");
    eprintln!("{why}");
    std::process::exit(1)
}
