//! squashfs 3: what our reader makes of it, and what `unsquashfs` does, which is
//! also how it is known that the images made for this are right.

mod writer;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use linker::files::{self, Entry, Files, Kind, Limits, Node};
use writer::{Options, Packing, write};

const LINUX: Options = Options {
    magic: b"hsqs",
    packing: Packing::Zlib,
    checked: false,
};

/// Files of many sizes, links, devices, owners, many files in one folder; by way of
/// version 4, because only a reader makes such a tree.
fn tree() -> Files {
    let work = tempfile::tempdir().expect("a temporary folder");
    let root = work.path().join("root");
    let put = |path: &str, contents: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, contents).expect("a file");
    };
    let text: Vec<u8> = (0..40_000u32)
        .flat_map(|number| format!("line {number}\n").into_bytes())
        .collect();
    for size in [0, 1, 4095, 65_535, 65_536, 65_537, 300_000] {
        put(&format!("usr/share/{size}"), &text[..size]);
    }
    for number in 0..700 {
        put(
            &format!("usr/lib/many/{number}"),
            format!("{number}").as_bytes(),
        );
    }
    put("a/b/c/deep", b"deep");
    put("bin/tool", b"#!/bin/sh\n");
    let executable = std::fs::Permissions::from_mode(0o4755);
    std::fs::set_permissions(root.join("bin/tool"), executable).expect("a program");
    std::os::unix::fs::symlink("../bin/tool", root.join("a/link")).expect("a link");
    let image = work.path().join("image");
    let made = Command::new("mksquashfs")
        .args([&root, &image])
        .args(["-noappend", "-quiet", "-no-progress"])
        .args(["-p", "dev d 755 0 0", "-p", "dev/console c 600 0 5 5 1"])
        .args([
            "-p",
            "dev/disk b 640 1 2 8 17",
            "-p",
            "dev/pipe i 600 3 3 f",
        ])
        .output()
        .unwrap_or_else(|error| panic!("mksquashfs: {error}: run `cargo xtask setup`"));
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let bytes = std::fs::read(image).expect("the image");
    files::read(Kind::Squashfs, &bytes, Limits::default()).expect("its files")
}

/// What is different between two trees.
fn differences(files: &Files, other: &Files) -> Vec<String> {
    let one_way = |from: &Files, to: &Files| {
        from.iter()
            .filter(|(path, entry)| to.get(path) != Some(entry))
            .map(|(path, _)| path.to_owned())
            .collect::<Vec<_>>()
    };
    [one_way(files, other), one_way(other, files)].concat()
}

#[test]
fn every_file_is_found_again() {
    let tree = tree();
    for (options, text) in [
        (LINUX, "squashfs 3.1, gzip or lzma"),
        (
            Options {
                checked: true,
                ..LINUX
            },
            "squashfs 3.1, gzip or lzma",
        ),
        (
            Options {
                magic: b"shsq",
                packing: Packing::Lzma,
                ..LINUX
            },
            "squashfs 3.1, gzip or lzma",
        ),
    ] {
        let image = write(&tree, options);
        let flash = [vec![0xff; 0x1_0000], image.clone(), vec![0xff; 0x8000]].concat();
        let found = files::find(&flash);
        let [one] = found.as_slice() else {
            panic!("{options:?}: {found:?}");
        };
        assert_eq!(
            (one.kind, one.offset, one.len, one.text.as_str()),
            (Kind::Squashfs, 0x1_0000, image.len(), text)
        );
        let read = files::read(Kind::Squashfs, &image, Limits::default()).expect("its files");
        assert_eq!(
            differences(&tree, &read),
            Vec::<String>::new(),
            "{options:?}"
        );
    }
}

/// `unsquashfs` reads what was written here as what it was written from.
#[test]
fn the_images_are_what_unsquashfs_takes_them_for() {
    let tree = tree();
    let work = tempfile::tempdir().expect("a temporary folder");
    for options in [
        LINUX,
        Options {
            checked: true,
            ..LINUX
        },
    ] {
        let image = work.path().join("image");
        let folder = work.path().join("unpacked");
        std::fs::write(&image, write(&tree, options)).expect("the image");
        let unpacked = Command::new("unsquashfs")
            .args([
                "-no-progress",
                "-quiet",
                "-force",
                "-no-xattrs",
                "-ignore-errors",
                "-dest",
            ])
            .args([&folder, &image])
            .output()
            .unwrap_or_else(|error| panic!("unsquashfs: {error}: run `cargo xtask setup`"));
        let said = String::from_utf8_lossy(&unpacked.stderr).into_owned();
        for (path, entry) in tree.iter() {
            check(&folder.join(path), entry, &said);
        }
        std::fs::remove_dir_all(&folder).expect("the folder is gone");
    }
}

/// Devices need rights that who runs the tests may lack.
fn check(path: &Path, entry: &Entry, said: &str) {
    let right = match &entry.node {
        Node::Directory => path.is_dir(),
        Node::File(contents) => std::fs::read(path).is_ok_and(|read| read == *contents),
        Node::Link(target) => std::fs::read_link(path).is_ok_and(|read| read == Path::new(target)),
        _ => true,
    };
    assert!(right, "{}: not as it was written ({said})", path.display());
}

/// Damage ends in an error or in other files, soon, and within limits.
#[test]
fn damage_is_an_error_at_worst() {
    let image = write(&tree(), LINUX);
    let tables = image.len() * 3 / 4;
    let mut errors = 0;
    for seed in 0..300usize {
        let mut broken = image.clone();
        for step in 0..4 {
            let somewhere = (seed * 7919 + step * 104_729) * 31;
            // Half of them in the superblock and the tables at the end.
            let at = match (seed + step) % 4 {
                0 => somewhere % 119,
                1 => tables + somewhere % (image.len() - tables),
                _ => somewhere % image.len(),
            };
            broken[at] ^= 1 << (seed % 8);
        }
        for one in files::find(&broken) {
            let _ = files::read(one.kind, &broken[one.offset..], Limits::default());
        }
        let read = files::read(Kind::Squashfs, &broken, Limits::default());
        errors += usize::from(read.is_err());
    }
    assert!(errors > 100, "{errors} of 300");
}
