//! Compilers and other tools for ARM, and the ways in which drivers are compiled.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    LinuxGcc,
    BareGcc,
    Clang,
}

/// A way to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flavour {
    pub(crate) compiler: Compiler,
    pub(crate) thumb: bool,
    /// Armv7-A, else Armv5TE.
    pub(crate) v7: bool,
    /// Position-independent code, with a table of addresses.
    pub(crate) pic: bool,
    pub(crate) optimise: &'static str,
}

impl fmt::Display for Flavour {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.compiler)?;
        out.write_str(if self.thumb { " thumb" } else { " arm" })?;
        out.write_str(if self.v7 { " v7" } else { " v5" })?;
        out.write_str(if self.pic { " pic" } else { "" })?;
        write!(out, " O{}", self.optimise)
    }
}

/// Every way that is tested.
pub(crate) fn flavours() -> Vec<Flavour> {
    let mut all = Vec::new();
    for compiler in [Compiler::LinuxGcc, Compiler::BareGcc, Compiler::Clang] {
        for thumb in [false, true] {
            for v7 in [false, true] {
                for (pic, optimise) in [(false, "2"), (false, "0"), (true, "s")] {
                    all.push(Flavour {
                        compiler,
                        thumb,
                        v7,
                        pic,
                        optimise,
                    });
                }
            }
        }
    }
    all
}

impl Flavour {
    /// Compiles C source (or assembles, when it ends in `.s`) to an object.
    pub(crate) fn compile(self, directory: &Path, name: &str, source: &str) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, source).expect("cannot write a source file");
        let mut build = cc::Build::new();
        match self.compiler {
            Compiler::LinuxGcc => build.compiler("arm-linux-gnueabi-gcc"),
            Compiler::BareGcc => build.compiler("arm-none-eabi-gcc"),
            Compiler::Clang => build.compiler("clang"),
        };
        if self.compiler == Compiler::Clang {
            let triple = if self.v7 {
                "armv7a-none-eabi"
            } else {
                "armv5te-none-eabi"
            };
            build.flag(format!("--target={triple}"));
        } else {
            build.flag(if self.v7 {
                "-march=armv7-a"
            } else {
                "-march=armv5te"
            });
        }
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../driver/include");
        let objects = build
            .no_default_flags(true)
            .cargo_metadata(false)
            .target("arm-unknown-none-eabi")
            .host("x86_64-unknown-linux-gnu")
            .opt_level_str(self.optimise)
            .out_dir(directory)
            .include(include)
            .flag(format!("-O{}", self.optimise))
            .flag(if self.thumb { "-mthumb" } else { "-marm" })
            .flag(if self.pic { "-fPIC" } else { "-fno-pic" })
            .flags([
                "-mfloat-abi=soft",
                "-ffreestanding",
                "-fno-stack-protector",
                "-g",
            ])
            .flags(["-Wall", "-Wextra", "-Werror"])
            .file(&path)
            .try_compile_intermediates();
        let objects = objects.unwrap_or_else(|error| {
            panic!(
                "{self}: {error}\n(gcc-arm-linux-gnueabi, gcc-arm-none-eabi and clang are needed)"
            )
        });
        objects
            .into_iter()
            .next()
            .expect("the compiler made no object")
    }
}

/// Runs a tool; a failure shows what it said.
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; install gcc-arm-linux-gnueabi"));
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
