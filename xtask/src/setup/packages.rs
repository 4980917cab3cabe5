//! Compilers and tools of the host system.
//!
//! A need is looked for as itself (a program on the search path, a header), not
//! as a Debian package, so that the check is the same on every system. What is
//! missing is installed where apt may be used; elsewhere a person is told what
//! to install and what for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Missing, Scope, say};
use crate::process;

/// How to see that a need is met.
enum Sign {
    /// One of these programs is on the search path.
    Program(&'static [&'static str]),
    /// This file is in `/usr/include` or a folder of it for this architecture.
    Header(&'static str),
    /// The shared library of clang is where bindgen looks for it.
    Libclang,
}

/// One thing that has to be there.
struct Need {
    what: &'static str,
    purpose: &'static str,
    sign: Sign,
    debian: &'static [&'static str],
    scope: Scope,
}

const UNICORN: &str = "build the CPU emulator (Unicorn)";
const C_TESTS: &str = "compile the C drivers and bare-metal programs of the tests";
const FILE_SYSTEMS: &str = "make the file systems that tests read";
const KERNEL: &str = "build the kernels of tests/kernels";

const NEEDS: &[Need] = &[
    Need {
        what: "a C compiler",
        purpose: UNICORN,
        sign: Sign::Program(&["cc"]),
        debian: &["gcc", "libc6-dev"],
        scope: Scope::Demo,
    },
    Need {
        what: "a C++ compiler",
        purpose: UNICORN,
        sign: Sign::Program(&["c++"]),
        debian: &["g++"],
        scope: Scope::Demo,
    },
    Need {
        what: "the C library's headers",
        purpose: UNICORN,
        sign: Sign::Header("stdlib.h"),
        debian: &["libc6-dev"],
        scope: Scope::Demo,
    },
    Need {
        what: "cmake",
        purpose: UNICORN,
        sign: Sign::Program(&["cmake"]),
        debian: &["cmake"],
        scope: Scope::Demo,
    },
    Need {
        what: "make",
        purpose: "build the kernels of tests/kernels, and LuaJIT",
        sign: Sign::Program(&["make"]),
        debian: &["make"],
        scope: Scope::Demo,
    },
    Need {
        what: "libclang",
        purpose: UNICORN,
        sign: Sign::Libclang,
        debian: &["libclang-dev"],
        scope: Scope::Demo,
    },
    Need {
        what: "a C compiler for 32-bit ARM Linux (arm-linux-gnueabi-gcc)",
        purpose: KERNEL,
        sign: Sign::Program(&["arm-linux-gnueabi-gcc"]),
        debian: &["gcc-arm-linux-gnueabi"],
        scope: Scope::Demo,
    },
    Need {
        what: "bc",
        purpose: KERNEL,
        sign: Sign::Program(&["bc"]),
        debian: &["bc"],
        scope: Scope::Demo,
    },
    Need {
        what: "bison",
        purpose: KERNEL,
        sign: Sign::Program(&["bison"]),
        debian: &["bison"],
        scope: Scope::Demo,
    },
    Need {
        what: "flex",
        purpose: KERNEL,
        sign: Sign::Program(&["flex"]),
        debian: &["flex"],
        scope: Scope::Demo,
    },
    Need {
        what: "xz",
        purpose: KERNEL,
        sign: Sign::Program(&["xz"]),
        debian: &["xz-utils"],
        scope: Scope::Demo,
    },
    Need {
        what: "a C compiler for bare 32-bit ARM (arm-none-eabi-gcc)",
        purpose: C_TESTS,
        sign: Sign::Program(&["arm-none-eabi-gcc"]),
        debian: &["gcc-arm-none-eabi"],
        scope: Scope::Everything,
    },
    Need {
        what: "clang",
        purpose: C_TESTS,
        sign: Sign::Program(&["clang"]),
        debian: &["clang"],
        scope: Scope::Everything,
    },
    Need {
        what: "cpio",
        purpose: "read back the archives that are written for guests",
        sign: Sign::Program(&["cpio"]),
        debian: &["cpio"],
        scope: Scope::Everything,
    },
    Need {
        what: "mksquashfs",
        purpose: FILE_SYSTEMS,
        sign: Sign::Program(&["mksquashfs"]),
        debian: &["squashfs-tools"],
        scope: Scope::Everything,
    },
    Need {
        what: "mkfs.jffs2",
        purpose: FILE_SYSTEMS,
        sign: Sign::Program(&["mkfs.jffs2"]),
        debian: &["mtd-utils"],
        scope: Scope::Everything,
    },
    Need {
        what: "genromfs",
        purpose: FILE_SYSTEMS,
        sign: Sign::Program(&["genromfs"]),
        debian: &["genromfs"],
        scope: Scope::Everything,
    },
    Need {
        what: "mkfs.cramfs",
        purpose: FILE_SYSTEMS,
        sign: Sign::Program(&["mkfs.cramfs"]),
        debian: &["util-linux-extra"],
        scope: Scope::Everything,
    },
    Need {
        what: "mke2fs",
        purpose: FILE_SYSTEMS,
        sign: Sign::Program(&["mke2fs"]),
        debian: &["e2fsprogs"],
        scope: Scope::Everything,
    },
    Need {
        what: "qemu-system-arm",
        purpose: "compare the machine with another one, in tests and benchmarks",
        sign: Sign::Program(&["qemu-system-arm"]),
        debian: &["qemu-system-arm"],
        scope: Scope::Everything,
    },
    Need {
        what: "a debugger for 32-bit ARM (gdb-multiarch)",
        purpose: "test `ecmo run --gdb`",
        sign: Sign::Program(&["gdb-multiarch"]),
        debian: &["gdb-multiarch"],
        scope: Scope::Everything,
    },
];

/// Installs what is missing, or says what a person has to install.
///
/// # Errors
/// [`Missing`] when something is not there and apt may not be used; an error of
/// apt's own when it was used and failed.
pub(super) fn ensure(scope: Scope) -> Result<()> {
    let missing = missing(scope);
    if missing.is_empty() {
        say("packages", "all there");
        return Ok(());
    }
    let mut packages: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.debian)
        .copied()
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let Some(privilege) = Privilege::of_this_user() else {
        return Err(Missing(advice(&missing, &packages)).into());
    };
    say("packages", &format!("installing {}", packages.join(" ")));
    // Lists that cannot be refreshed may still do; the installation decides.
    if !process::succeeds(privilege.apt_get().arg("-q").arg("update"))? {
        say(
            "packages",
            "`apt-get update` failed; trying with the lists that are there",
        );
    }
    let install = ["-q", "-y", "--no-install-recommends", "install"];
    process::run(privilege.apt_get().args(install).args(&packages))?;
    let still: Vec<&Need> = self::missing(scope);
    if still.is_empty() {
        return Ok(());
    }
    Err(Missing(advice(&still, &packages)).into())
}

/// The needs that are not met.
fn missing(scope: Scope) -> Vec<&'static Need> {
    NEEDS
        .iter()
        .filter(|need| need.scope <= scope && !need.sign.is_there())
        .collect()
}

/// What a person has to install, by purpose.
fn advice(missing: &[&Need], packages: &[&str]) -> String {
    let mut text = String::from("these are missing and have to be installed first:\n");
    let mut purposes: Vec<&str> = missing.iter().map(|need| need.purpose).collect();
    purposes.dedup();
    for purpose in purposes {
        text.push_str(&format!("  to {purpose}:\n"));
        for need in missing.iter().filter(|need| need.purpose == purpose) {
            text.push_str(&format!("    {}\n", need.what));
        }
    }
    text.push_str(
        "On Debian and its kin (this set-up does it itself for root, or where `sudo -n` works):\n",
    );
    text.push_str(&format!(
        "  apt-get install --no-install-recommends {}",
        packages.join(" ")
    ));
    text
}

/// How apt may be used.
enum Privilege {
    Root,
    Sudo,
}

impl Privilege {
    fn of_this_user() -> Option<Privilege> {
        if !process::on_path("apt-get") {
            return None;
        }
        let id = process::output(Command::new("id").arg("-u")).ok()?;
        if id.trim() == "0" {
            Some(Privilege::Root)
        } else if process::quiet_success(Command::new("sudo").args(["-n", "true"])) {
            Some(Privilege::Sudo)
        } else {
            None
        }
    }

    fn apt_get(&self) -> Command {
        match self {
            Privilege::Root => {
                let mut command = Command::new("apt-get");
                command.env("DEBIAN_FRONTEND", "noninteractive");
                command
            }
            Privilege::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                command
            }
        }
    }
}

/// Installs Debian packages by name, where apt may be used.
///
/// # Errors
/// [`Missing`] where it may not be; an error of apt's own when it failed.
pub(super) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let Some(privilege) = Privilege::of_this_user() else {
        return Err(Missing(format!("to {purpose}, install: {}", packages.join(" "))).into());
    };
    say(
        "packages",
        &format!("installing {} to {purpose}", packages.join(" ")),
    );
    let _ = process::succeeds(privilege.apt_get().arg("-q").arg("update"))?;
    let install = ["-q", "-y", "--no-install-recommends", "install"];
    process::run(privilege.apt_get().args(install).args(packages))
}

impl Sign {
    fn is_there(&self) -> bool {
        match self {
            Sign::Program(names) => names.iter().any(process::on_path),
            Sign::Header(name) => header_is_there(name),
            Sign::Libclang => libclang_is_there(),
        }
    }
}

/// Looks in `/usr/include` and the folder below it for this architecture.
fn header_is_there(name: &str) -> bool {
    let include = Path::new("/usr/include");
    include.join(name).is_file() || folders_in(include).any(|folder| folder.join(name).is_file())
}

/// Looks where bindgen looks: in the folder named by `LIBCLANG_PATH`, then in
/// the usual library folders. The library alone is not enough: the compiler's
/// own headers (`stddef.h`) come in another package.
fn libclang_is_there() -> bool {
    if let Some(path) = std::env::var_os("LIBCLANG_PATH") {
        return Path::new(&path).exists();
    }
    let system = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    let below = |folder: &PathBuf| folders_in(folder).collect::<Vec<_>>();
    let named = |folder: &Path, part: &str| {
        folder
            .file_name()
            .is_some_and(|name| name.to_string_lossy().contains(part))
    };
    let mut libraries = system.to_vec();
    let mut clang: Vec<PathBuf> = system.iter().map(|folder| folder.join("clang")).collect();
    for folder in system.iter().flat_map(below) {
        if named(&folder, "-linux-gnu") {
            libraries.push(folder);
        } else if named(&folder, "llvm") {
            libraries.push(folder.join("lib"));
            clang.push(folder.join("lib").join("clang"));
        }
    }
    let is_libclang = |name: &str| {
        (name.starts_with("libclang.so") || name.starts_with("libclang-")) && name.contains(".so")
    };
    let library = libraries.iter().any(|folder| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files
            .map(|file| file.file_name())
            .any(|name| is_libclang(&name.to_string_lossy()))
    });
    let headers = clang
        .iter()
        .flat_map(below)
        .any(|version| version.join("include").join("stddef.h").is_file());
    library && headers
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
}
