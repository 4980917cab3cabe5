//! File systems as their own tools make them: every file is found again, whatever
//! the compression, and damage is an error at worst. And a device's image with one
//! beside the kernel comes up to the prompt of its own user space.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use linker::files::{self, Kind, Limits, Node};
use tests::{command, fixtures};

/// The way to a file system: its format, the program, what comes before the image
/// and the folder on the command line, or behind.
struct Recipe {
    kind: Kind,
    tool: &'static str,
    options: &'static [&'static str],
    order: Order,
}

/// What a tool wants in which order.
enum Order {
    FolderThenImage,
    /// `-d` or `-r`, folder, `-f` or `-o`, image.
    Named(&'static str, &'static str),
    /// `-d` folder, then the image and its size in KiB.
    ImageOfSize,
}

const fn squashfs(options: &'static [&'static str]) -> Recipe {
    Recipe {
        kind: Kind::Squashfs,
        tool: "mksquashfs",
        options,
        order: Order::FolderThenImage,
    }
}

const fn ext(options: &'static [&'static str]) -> Recipe {
    Recipe {
        kind: Kind::Ext,
        tool: "mke2fs",
        options,
        order: Order::ImageOfSize,
    }
}

const fn jffs2(options: &'static [&'static str]) -> Recipe {
    Recipe {
        kind: Kind::Jffs2,
        tool: "mkfs.jffs2",
        options,
        order: Order::Named("-r", "-o"),
    }
}

const RECIPES: [Recipe; 17] = [
    squashfs(&["-comp", "gzip"]),
    squashfs(&["-comp", "xz", "-b", "256K"]),
    squashfs(&["-comp", "lzma"]),
    squashfs(&["-comp", "lzo"]),
    squashfs(&["-comp", "lz4"]),
    squashfs(&["-comp", "zstd", "-b", "1M"]),
    // Without fragments; with every table and block as it is; with few.
    squashfs(&["-comp", "gzip", "-no-fragments", "-no-exports"]),
    squashfs(&["-noI", "-noD", "-noF", "-no-xattrs", "-b", "4K"]),
    squashfs(&["-comp", "xz", "-always-use-fragments", "-Xbcj", "arm"]),
    jffs2(&["-e", "128KiB", "--squash"]),
    jffs2(&["-e", "64KiB", "-b", "-X", "lzo", "-n"]),
    Recipe {
        kind: Kind::Cramfs,
        tool: "mkfs.cramfs",
        options: &[],
        order: Order::FolderThenImage,
    },
    Recipe {
        kind: Kind::Romfs,
        tool: "genromfs",
        options: &["-V", "volume"],
        order: Order::Named("-d", "-f"),
    },
    ext(&["-t", "ext2", "-b", "1024"]),
    ext(&["-t", "ext3", "-b", "4096"]),
    ext(&["-t", "ext4", "-b", "4096"]),
    ext(&["-t", "ext4", "-b", "1024", "-O", "64bit,^has_journal"]),
];

/// A folder with all that matters: a program, links, empty files, files around the
/// sizes of blocks, holes, text, folders within folders, many files in one.
fn fill(folder: &Path) {
    let put = |path: &str, contents: &[u8]| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, contents).expect("a file");
    };
    put("etc/passwd", b"root::0:0:root:/root:/bin/sh\n");
    put("etc/empty", b"");
    let text: Vec<u8> = (0..60_000u32)
        .flat_map(|number| format!("line {number}\n").into_bytes())
        .collect();
    put("usr/share/text", &text);
    for size in [1, 4095, 4096, 4097, 131_072, 131_073] {
        put(&format!("usr/share/sizes/{size}"), &text[..size]);
    }
    let mut holes = vec![0; 700_000];
    holes[300_000..300_007].copy_from_slice(b"between");
    put("usr/share/holes", &holes);
    // Nothing that can be compressed.
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(200_000)
    .collect();
    put("usr/share/noise", &noise);
    for number in 0..300 {
        put(
            &format!("usr/lib/many/{number}"),
            format!("{number}").as_bytes(),
        );
    }
    put("a/b/c/d/e/f/deep", b"deep");
    put("bin/tool", b"#!/bin/sh\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("bin/tool"), executable).expect("a program");
    symlink("tool", folder.join("bin/link")).expect("a link");
    symlink("/bin/tool", folder.join("a/absolute")).expect("a link");
    // Too long to fit where ext keeps short ones.
    symlink("../".repeat(30) + "bin/tool", folder.join("a/long")).expect("a link");
    fs::create_dir(folder.join("empty")).expect("a folder");
}

/// Path, kind and contents of everything in a folder.
fn listing(folder: &Path, path: &str, into: &mut BTreeMap<String, (char, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().into_string().expect("a plain name");
        let inside = format!("{path}{name}");
        let kind = entry.file_type().expect("a type");
        let at = entry.path();
        let one = if kind.is_symlink() {
            let target = fs::read_link(&at).expect("a link");
            ('l', target.to_str().expect("plain").as_bytes().to_vec())
        } else if kind.is_dir() {
            listing(&at, &format!("{inside}/"), into);
            ('d', Vec::new())
        } else {
            ('-', fs::read(&at).expect("a file"))
        };
        into.insert(inside, one);
    }
}

/// The same of what was read.
fn read(kind: Kind, bytes: &[u8]) -> BTreeMap<String, (char, Vec<u8>)> {
    let files = files::read(kind, bytes, Limits::default()).expect("a whole file system");
    files
        .iter()
        // Every ext file system has one of its own.
        .filter(|(path, _)| *path != "lost+found")
        .map(|(path, entry)| {
            let one = match &entry.node {
                Node::Directory => ('d', Vec::new()),
                Node::File(contents) => ('-', contents.clone()),
                Node::Link(target) => ('l', target.clone().into_bytes()),
                other => panic!("{path} is {other:?}"),
            };
            (path.to_owned(), one)
        })
        .collect()
}

fn make(recipe: &Recipe, folder: &Path, image: &Path) -> Vec<u8> {
    let mut command = Command::new(recipe.tool);
    let folder: &OsStr = folder.as_ref();
    let image_name: &OsStr = image.as_ref();
    match recipe.order {
        Order::FolderThenImage if recipe.kind == Kind::Squashfs => command
            .args([folder, image_name])
            .args(["-noappend", "-quiet", "-no-progress"])
            .args(recipe.options),
        Order::FolderThenImage => command.args(recipe.options).args([folder, image_name]),
        Order::Named(from, to) => command
            .args(recipe.options)
            .arg(from)
            .arg(folder)
            .arg(to)
            .arg(image_name),
        Order::ImageOfSize => command
            .args(["-q", "-F", "-d"])
            .arg(folder)
            .args(recipe.options)
            .arg(image_name)
            .arg("16384"),
    };
    let output = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}: run `cargo xtask setup`", recipe.tool);
    });
    assert!(
        output.status.success(),
        "{} {:?}: {}",
        recipe.tool,
        recipe.options,
        String::from_utf8_lossy(&output.stderr)
    );
    let bytes = fs::read(image).expect("the image");
    fs::remove_file(image).expect("the image is gone");
    bytes
}

/// A folder with files, and a place for images.
fn fixture() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let folder = work.path().join("root");
    fs::create_dir(&folder).expect("a folder");
    fill(&folder);
    let image = work.path().join("image");
    (work, folder, image)
}

#[test]
fn every_file_is_found_again() {
    let (_work, folder, image) = fixture();
    let mut expected = BTreeMap::new();
    listing(&folder, "", &mut expected);
    for recipe in &RECIPES {
        let bytes = make(recipe, &folder, &image);
        // Behind other things, and with more behind it.
        let mut flash = vec![0xff; 0x1_2340];
        flash.extend(&bytes);
        flash.resize(flash.len() + 0x4321, 0xff);
        let what = format!("{} {:?}", recipe.tool, recipe.options);
        let found = files::find(&flash);
        let [one] = found.as_slice() else {
            panic!("{what}: {found:?}");
        };
        assert_eq!((one.kind, one.offset), (recipe.kind, 0x1_2340), "{what}");
        assert!(
            one.len <= bytes.len().next_multiple_of(4),
            "{what}: {}",
            one.len
        );
        let read = read(one.kind, &flash[one.offset..one.offset + one.len]);
        for (path, one) in &expected {
            assert!(read.get(path) == Some(one), "{what}: {path} differs");
        }
        assert_eq!(read.len(), expected.len(), "{what}");
    }
}

/// Damage of any kind ends in an error or in other files, soon, and within limits.
#[test]
fn damage_is_an_error_at_worst() {
    const TIMES: u32 = 60;
    let (_work, folder, image) = fixture();
    let limits = Limits {
        contents: 8 << 20,
        work: 32 << 20,
        ..Limits::default()
    };
    let mut state = 7u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for recipe in &RECIPES {
        let bytes = make(recipe, &folder, &image);
        let whole = files::find(&bytes);
        let len = whole.first().map_or(bytes.len(), |one| one.len);
        let (mut errors, started) = (0, Instant::now());
        for turn in 0..TIMES {
            let mut broken = bytes.clone();
            if turn % 3 == 0 {
                broken.truncate(random(len));
            } else {
                for _ in 0..1 + random(40) {
                    // Half of it where the tables begin or end.
                    let at = match random(3) {
                        0 => random(len.min(4096)),
                        1 => len - 1 - random(len.min(4096)),
                        _ => random(len),
                    };
                    broken[at] = random(256) as u8;
                }
            }
            for one in files::find(&broken) {
                let _ = files::read(one.kind, &broken[one.offset..], limits);
            }
            errors += u32::from(files::read(recipe.kind, &broken, limits).is_err());
        }
        let what = format!("{} {:?}", recipe.tool, recipe.options);
        assert!(errors > 0, "{what}: no damage was ever noticed");
        let limit = Duration::from_secs(60);
        assert!(started.elapsed() < limit, "{what}: {:?}", started.elapsed());
    }
}

/// Devices, owners and permissions, which only some tools write for anybody.
#[test]
fn devices_and_permissions_are_kept() {
    let (_work, folder, image) = fixture();
    let recipe = squashfs(&[
        "-p",
        "dev d 755 0 0",
        "-p",
        "dev/console c 600 0 5 5 1",
        "-p",
        "dev/disk b 640 1 2 8 17",
        "-p",
        "bin/su f 4755 0 0 echo program",
    ]);
    let bytes = make(&recipe, &folder, &image);
    let files = files::read(Kind::Squashfs, &bytes, Limits::default()).expect("its files");
    let at = |path: &str| files.get(path).unwrap_or_else(|| panic!("no {path}"));
    let console = at("dev/console");
    assert_eq!(console.node, Node::Character(5, 1));
    assert_eq!((console.permissions, console.group), (0o600, 5));
    assert_eq!(at("dev/disk").node, Node::Block(8, 17));
    assert_eq!((at("dev/disk").user, at("dev/disk").group), (1, 2));
    assert_eq!(at("bin/su").permissions, 0o4755);
    assert_eq!(at("bin/tool").permissions, 0o755);
}

/// A file of a terabyte in a few bytes, and others that ask for too much.
#[test]
fn bombs_are_refused() {
    let (_work, folder, image) = fixture();
    fs::File::create(folder.join("bomb"))
        .and_then(|file| file.set_len(400 << 20))
        .expect("a file of nothing");
    for recipe in [
        squashfs(&["-comp", "xz"]),
        squashfs(&["-comp", "gzip", "-b", "1M"]),
    ] {
        let bytes = make(&recipe, &folder, &image);
        assert!(bytes.len() < 4 << 20);
        let error = files::read(Kind::Squashfs, &bytes, Limits::default()).expect_err("a bomb");
        assert_eq!(
            error.to_string(),
            "squashfs: more than the limit of 268435456 bytes of contents"
        );
    }
}

/// What is typed at the prompt: the answer stands nowhere in the question.
const QUESTION: &str = "echo answer $((6*7))\n";

/// A device's flash: the kernel, and a root file system behind it, with Debian's
/// busybox as the maker's user space.
#[test]
fn a_device_boots_into_its_own_root() {
    let work = tempfile::tempdir().expect("a temporary folder");
    let folder = work.path().join("root");
    for path in ["bin", "sbin", "etc", "proc", "dev", "tmp"] {
        fs::create_dir_all(folder.join(path)).expect("a folder");
    }
    fs::copy(fixtures::busybox("armel"), folder.join("bin/busybox")).expect("busybox");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("bin/busybox"), executable).expect("a program");
    for (name, target) in [
        ("sbin/init", "../bin/busybox"),
        ("bin/sh", "busybox"),
        ("bin/mount", "/bin/busybox"),
    ] {
        symlink(target, folder.join(name)).expect("a link");
    }
    let inittab = "::sysinit:/bin/mount -t proc proc /proc\n::askfirst:-/bin/sh\n";
    fs::write(folder.join("etc/inittab"), inittab).expect("inittab");

    let kernel = fixtures::kernel("bcm5301x-6.1", "zImage");
    let input = work.path().join("input");
    fs::write(&input, QUESTION).expect("the input");
    let image = work.path().join("flash.bin");
    let squashfs = make(&squashfs(&["-comp", "xz"]), &folder, &image);
    let jffs2 = make(&jffs2(&["-e", "128KiB"]), &folder, &image);
    for flash in [
        behind(&kernel, &squashfs),
        behind(&kernel, &jffs2),
        in_volumes(&kernel, &squashfs, work.path()),
    ] {
        fs::write(&image, flash).expect("the flash");
        let mut ecmo = command::ecmo();
        ecmo.arg("run").arg(&image).arg("--input").arg(&input);
        ecmo.args(["--until", "shell", "--budget", "120", "--json", "-"]);
        let finished = command::run(&mut ecmo, Duration::from_secs(180));
        let report = finished.json();
        let console = report["console"].as_str().unwrap_or_default();
        assert_eq!(finished.code(), 0, "{}\n{console}", finished.stderr);
        assert!(
            console.contains("Please press Enter to activate"),
            "{console}"
        );
        assert!(console.contains("answer 42"), "{console}");
        assert_eq!(report["tried"].as_array().map(Vec::len), Some(0));
    }
}

/// A kernel, and a file system in the next erase block.
fn behind(kernel: &Path, root: &[u8]) -> Vec<u8> {
    let mut flash = fs::read(kernel).expect("the kernel");
    flash.resize(flash.len().next_multiple_of(0x2_0000), 0xff);
    flash.extend(root);
    flash
}

/// Both as volumes of UBI.
fn in_volumes(kernel: &Path, root: &[u8], work: &Path) -> Vec<u8> {
    let [root_file, list, flash] =
        ["root.bin", "volumes.ini", "ubi.bin"].map(|name| work.join(name));
    fs::write(&root_file, root).expect("the root");
    let volume = |name: &str, number: u32, image: &Path, kind: &str| {
        format!(
            "[{name}]\nmode=ubi\nimage={}\nvol_id={number}\nvol_type={kind}\n\
             vol_name={name}\nvol_size=4MiB\n",
            image.display()
        )
    };
    let text = volume("kernel", 0, kernel, "static") + &volume("rootfs", 1, &root_file, "dynamic");
    fs::write(&list, text).expect("the list of volumes");
    let made = Command::new("ubinize")
        .args(["-p", "128KiB", "-m", "2048", "-o"])
        .args([&flash, &list])
        .status()
        .expect("ubinize: run `cargo xtask setup`");
    assert!(made.success());
    fs::read(flash).expect("the flash")
}

/// Routers' images of the corpus with their makers' root file system, to the
/// prompt of their own user space.
#[test]
fn corpus_images_boot_into_their_own_root() {
    for name in [
        "netgear-wn802t-4.4.93-r5142",
        "netgear-wnr854t-4.9.162-r9625",
        "openwrt-orion-3.10.58",
        "openwrt-orion-4.4.38",
        "openwrt-orion-4.9.77",
        "openwrt-orion-4.9.190",
    ] {
        let Some(image) = fixtures::image(name, "image") else {
            return;
        };
        let work = tempfile::tempdir().expect("a temporary folder");
        let input = work.path().join("input");
        fs::write(&input, format!("{QUESTION}cat /etc/openwrt_release\n")).expect("the input");
        let mut ecmo = command::ecmo();
        ecmo.arg("run").arg(&image).arg("--input").arg(&input);
        ecmo.args(["--initrd", "vendor", "--until", "shell", "--budget", "120"]);
        let finished = command::run(ecmo.args(["--json", "-"]), Duration::from_secs(180));
        let report = finished.json();
        let console = report["console"].as_str().unwrap_or_default();
        assert_eq!(finished.code(), 0, "{name}: {}\n{console}", finished.stderr);
        for text in ["answer 42", "DISTRIB_RELEASE"] {
            assert!(console.contains(text), "{name}: no {text}:\n{console}");
        }
    }
}
