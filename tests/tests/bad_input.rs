//! Images that lie. Every one gives exit code 3 and a message that says what is
//! wrong, in bounded time and memory; none a panic.

use std::path::PathBuf;
use std::time::Duration;

use expect_test::expect;
use tests::command;
use tests::fixtures;

/// More than any of these may take, on a slow machine too.
const LIMIT: Duration = Duration::from_secs(60);
/// In KiB: much more than a kernel with all its layers, much less than a bomb.
const MEMORY: u64 = 600 * 1024;

/// A file in a folder of its own, so that messages can name it.
struct Image {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn image(bytes: &[u8]) -> Image {
    let folder = tempfile::tempdir().expect("a folder for the image");
    let path = folder.path().join("image");
    std::fs::write(&path, bytes).expect("the image can be written");
    Image {
        _folder: folder,
        path,
    }
}

/// Every command that opens an image, on this one.
fn refused(bytes: &[u8]) {
    let image = image(bytes);
    let out = image.path.with_file_name("out");
    let mut run = command::ecmo();
    run.arg("run")
        .arg(&image.path)
        .args(["--until", "shell", "--budget", "20"]);
    let mut inspect = command::ecmo();
    inspect.arg("inspect").arg(&image.path);
    let mut identify = command::ecmo();
    identify.arg("identify").arg(&image.path);
    let mut unpack = command::ecmo();
    unpack.arg("unpack").arg(&image.path).arg("-o").arg(out);
    let finished =
        [run, inspect, identify, unpack].map(|mut command| command::run(&mut command, LIMIT));
    for one in finished {
        assert_eq!(one.code(), 3, "exit code; standard error:\n{}", one.stderr);
        assert!(!one.stderr.contains("panicked"), "{}", one.stderr);
        assert!(
            one.stderr.lines().count() <= 6,
            "a short message:\n{}",
            one.stderr
        );
        assert!(one.peak_kib < MEMORY, "{} KiB of memory", one.peak_kib);
    }
}

fn demo_kernel() -> Vec<u8> {
    std::fs::read(fixtures::kernel("bcm5301x-6.1", "zImage")).expect("the kernel can be read")
}

#[test]
fn an_empty_file() {
    refused(b"");
}

#[test]
fn a_text() {
    refused(&b"This is no firmware. ".repeat(500));
}

#[test]
fn noise() {
    // xorshift32: no structure, and the same in every run.
    let mut state = 0x1234_5678_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let bytes: Vec<u8> = (0..1 << 18).flat_map(|_| next().to_le_bytes()).collect();
    refused(&bytes);
}

#[test]
fn a_kernel_cut_off_at_many_places() {
    let whole = demo_kernel();
    // In the header, in the decompressor, in the compressed data.
    for length in [
        3,
        0x2f,
        0x40,
        0x1000,
        whole.len() / 4,
        whole.len() / 2,
        whole.len() - 5000,
    ] {
        refused(&whole[..length]);
    }
}

#[test]
fn compressed_data_with_a_hole() {
    let mut bytes = demo_kernel();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xaa);
    refused(&bytes);
}

#[test]
fn a_bomb() {
    let bomb = gzip_of_zeros(3 << 10);
    assert!(bomb.len() < 4 << 20, "a bomb is small: {}", bomb.len());
    refused(&bomb);
    // Packed once more, and behind the head of a real self-extracting kernel.
    refused(&gzip(&bomb));
    refused(&[&demo_kernel()[..0x2000], &bomb].concat());
}

/// A gzip member that unpacks to so many MiB of zeros, made from the compressed
/// form of one of them.
fn gzip_of_zeros(mebibytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut compressor = flate2::Compress::new(flate2::Compression::best(), false);
    let mut piece = || {
        let mut output = Vec::with_capacity(1 << 16);
        let flush = flate2::FlushCompress::Full;
        compressor
            .compress_vec(&zeros, &mut output, flush)
            .expect("zeros can be compressed");
        output
    };
    // After a full flush nothing refers back, so a piece may be repeated.
    let (first, next) = (piece(), piece());
    // RFC 1952: magic, deflate, no flags, no time, no extra flags, Unix.
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend(first);
    bytes.extend(next.repeat(mebibytes - 1));
    // An empty last block; the checksum is never reached.
    bytes.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// The first bytes of an ELF file: 32 or 64 bits, byte order, machine.
fn elf(class: u8, order: u8, machine: u16) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', class, order, 1];
    bytes.resize(16, 0);
    for half in [2, machine] {
        bytes.extend(if order == 1 {
            half.to_le_bytes()
        } else {
            half.to_be_bytes()
        });
    }
    bytes.resize(0x2000, 0);
    bytes
}

/// arch/arm64/include/asm/image.h: the magic at 0x38.
fn arm64_image() -> Vec<u8> {
    let mut bytes = vec![0; 0x10000];
    bytes[0x38..0x3c].copy_from_slice(b"ARM\x64");
    bytes
}

/// Documentation/x86/boot.rst: 0xaa55 at 0x1fe, "HdrS" at 0x202.
fn x86_image() -> Vec<u8> {
    let mut bytes = vec![0; 0x10000];
    bytes[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes
}

/// The demo kernel with its first words, the zImage's magic among them, in the
/// other byte order.
fn big_endian_image() -> Vec<u8> {
    let mut bytes = demo_kernel();
    for word in bytes[..0x40].chunks_exact_mut(4) {
        word.reverse();
    }
    bytes
}

#[test]
fn messages_say_what_it_is_instead() {
    let images: [(&str, Vec<u8>); 10] = [
        ("empty", Vec::new()),
        ("text", b"This is no firmware. ".repeat(500)),
        ("bomb", gzip_of_zeros(3 << 10)),
        ("arm64", arm64_image()),
        ("x86", x86_image()),
        ("ELF, x86-64", elf(2, 1, 62)),
        ("ELF, arm64", elf(2, 1, 183)),
        ("ELF, MIPS", elf(1, 2, 8)),
        ("ELF, big-endian ARM", elf(1, 2, 40)),
        ("zImage, big-endian", big_endian_image()),
    ];
    let mut messages = String::new();
    for (name, bytes) in images {
        let image = image(&bytes);
        let finished = command::run(command::ecmo().arg("inspect").arg(&image.path), LIMIT);
        assert_eq!(finished.code(), 3, "{name}: {}", finished.stderr);
        let path = image.path.display().to_string();
        messages.push_str(&format!(
            "{name}:\n  {}\n",
            finished.stderr.trim().replace(&path, "IMAGE")
        ));
    }
    expect![[r#"
        empty:
          ecmo: IMAGE: the image is empty
        text:
          ecmo: IMAGE: no ARM Linux kernel found in 10500 bytes: no raw kernel, zImage, uImage, FIT, Android boot image, ELF kernel, JFFS2 nor compressed stream with one
        bomb:
          ecmo: IMAGE: gzip stream at 0x0: gives more than the limit of 134217728 bytes
        arm64:
          ecmo: IMAGE: at 0x0: an arm64 Image ("ARM\x64" at 0x38); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
        x86:
          ecmo: IMAGE: at 0x0: an x86 bzImage ("HdrS" at 0x202); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
        ELF, x86-64:
          ecmo: IMAGE: at 0x0: an ELF file for x86-64 (machine number 62 at 0x12); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
        ELF, arm64:
          ecmo: IMAGE: at 0x0: an ELF file for arm64 (machine number 183 at 0x12); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
        ELF, MIPS:
          ecmo: IMAGE: at 0x0: an ELF file for MIPS (machine number 8 at 0x12); only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
        ELF, big-endian ARM:
          ecmo: IMAGE: at 0x0: a big-endian ARM kernel, which is not supported; only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
        zImage, big-endian:
          ecmo: IMAGE: at 0x0: a big-endian ARM kernel, which is not supported; only little-endian 32-bit ARM Linux kernels (Armv4 to Armv7-A) can be used
    "#]].assert_eq(&messages);
}

#[test]
fn kernels_of_other_architectures() {
    for bytes in [
        arm64_image(),
        x86_image(),
        elf(1, 2, 8),
        elf(1, 2, 40),
        big_endian_image(),
    ] {
        refused(&bytes);
    }
}

#[test]
fn wrong_usage_is_told_from_a_bad_image() {
    let finished = command::run(command::ecmo().args(["run", "--no-such-option"]), LIMIT);
    assert_eq!(finished.code(), 2, "{}", finished.stderr);
    let finished = command::run(command::ecmo().args(["inspect", "no/such/file"]), LIMIT);
    assert_eq!(finished.code(), 3, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("no/such/file"),
        "{}",
        finished.stderr
    );
}
