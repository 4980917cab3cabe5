//! The device's own user space: a root file system from the image, as an archive.
//!
//! No chip holds the file system here, so the kernel cannot mount it. All that is
//! in it goes into the root file system that kernels unpack an archive into, with
//! `/init` in front of its own first program.

use linker::files::{self, Files, Limits, Node};
use linker::image::FileSystem;

use super::cpio;

/// More contents do not fit into the memory that every kernel maps, twice over as
/// they are while an archive is unpacked.
const CONTENTS: u64 = 96 << 20;

/// First programs of root file systems, by preference. OpenWrt's kernels start a
/// script of its own; the others are those of `init/main.c` and, for initial RAM
/// disks, of `Documentation/admin-guide/initrd.rst`.
const FIRST: [&str; 6] = [
    "init",
    "etc/preinit",
    "sbin/init",
    "etc/init",
    "bin/init",
    "linuxrc",
];

/// A root file system, ready to boot with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// It all as a cpio archive.
    pub archive: Vec<u8>,
    /// Words for the end of the command line, which the kernel hands to the first
    /// program as its environment.
    pub environment: &'static str,
}

/// Makes an archive of the file system that a device could boot with; of several
/// the one with the most files. None when there is none.
///
/// # Errors
/// Says what is wrong with a file system that cannot be read, when no other is a
/// root.
pub fn root(file_systems: &[FileSystem]) -> Result<Option<Root>, String> {
    let limits = Limits {
        contents: CONTENTS,
        ..Limits::default()
    };
    let mut best: Option<(Files, &str)> = None;
    let mut wrong = None;
    for one in file_systems {
        match files::read(one.kind, &one.bytes, limits) {
            Ok(files) => {
                if let Some(first) = first(&files)
                    && best
                        .as_ref()
                        .is_none_or(|(other, _)| other.len() < files.len())
                {
                    best = Some((files, first));
                }
            }
            Err(error) => {
                let why = format!("file system at {}: {error}", one.place);
                wrong.get_or_insert(why);
            }
        }
    }
    match (best, wrong) {
        (Some((files, first)), _) => Ok(Some(archive(&files, first))),
        (None, Some(why)) => Err(why),
        (None, None) => Ok(None),
    }
}

/// The path of its first program.
fn first(files: &Files) -> Option<&'static str> {
    FIRST.into_iter().find(|path| {
        let program = files.resolve(path);
        program.is_some_and(|entry| matches!(&entry.node, Node::File(bytes) if starts(bytes)))
    })
}

/// Whether a file may be run: an ELF file for ARM, or a script.
fn starts(bytes: &[u8]) -> bool {
    const ARM: [u8; 2] = [40, 0];
    bytes.starts_with(b"#!")
        || bytes.starts_with(b"\x7fELF\x01\x01") && bytes.get(18..20) == Some(&ARM)
}

fn archive(files: &Files, first: &'static str) -> Root {
    let mut archive = cpio::Archive::new();
    for (path, entry) in files.iter() {
        archive.entry(path, entry);
    }
    // A link: programs such as busybox go by the name that they are called by.
    if first != "init" && files.get("init").is_none() {
        archive.symlink("init", first);
    }
    // The kernel opens it for the first program before anything can be mounted.
    if files.get("dev").is_none() {
        archive.directory("dev");
    }
    if files.get("dev/console").is_none() {
        archive.character_device("dev/console", 5, 1);
    }
    Root {
        archive: archive.finish(),
        // OpenWrt's scripts look for their flash chips without it.
        environment: match first {
            "etc/preinit" => "INITRAMFS=1",
            _ => "",
        },
    }
}
