//! U-Boot's legacy image (`include/image.h` of U-Boot): a header of 64 bytes,
//! all numbers big-endian, then the data, or for the type "multi-file" a list of
//! lengths and then the files.

use scroll::{Pread, SizeWith};

use super::compress::Format;
use super::opener::{Opener, Span, Tried};
use super::{Error, LayerKind, Place};
use crate::bytes::{be32, crc32};
use crate::kernel::Kernel;

pub(super) const MAGIC: u32 = 0x2705_1956;
const HEADER: usize = 64;
const WHAT: &str = "uImage";

/// Architectures (`IH_ARCH_*`).
const ARM: u8 = 2;
/// Types (`IH_TYPE_*`).
const STANDALONE: u8 = 1;
const KERNEL: u8 = 2;
const RAMDISK: u8 = 3;
const MULTI: u8 = 4;
const KERNEL_NOLOAD: u8 = 14;

#[derive(Debug, Clone, Copy, Pread, SizeWith)]
struct Header {
    magic: u32,
    header_crc: u32,
    _time: u32,
    size: u32,
    load: u32,
    entry: u32,
    data_crc: u32,
    _system: u8,
    arch: u8,
    kind: u8,
    compression: u8,
}

pub(super) fn begins(bytes: &[u8]) -> bool {
    be32(bytes, 0) == Some(MAGIC)
}

/// A header whose checksum is right, as it has to be when it was found by
/// looking for the magic number.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    let stored = be32(bytes, 4);
    begins(bytes) && bytes.len() >= HEADER && stored == Some(header_crc(bytes))
}

/// The header's checksum, its own field counting as zero.
fn header_crc(bytes: &[u8]) -> u32 {
    let mut header = [0; HEADER];
    for (byte, given) in header.iter_mut().zip(bytes) {
        *byte = *given;
    }
    header[4..8].fill(0);
    !crc32(!0, &header)
}

fn name(bytes: &[u8]) -> String {
    let field = crate::bytes::part(bytes, 32, 32);
    let text = field.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).escape_debug().to_string()
}

fn kind_name(kind: u8) -> String {
    match kind {
        STANDALONE => "standalone program".into(),
        KERNEL => "kernel".into(),
        RAMDISK => "ramdisk".into(),
        MULTI => "multi-file".into(),
        5 => "firmware".into(),
        6 => "script".into(),
        7 => "file system".into(),
        8 => "device tree".into(),
        KERNEL_NOLOAD => "kernel (any load address)".into(),
        other => format!("type {other}"),
    }
}

fn arch_name(arch: u8) -> String {
    let name = match arch {
        ARM => "ARM",
        3 => "x86",
        5 => "MIPS",
        6 => "MIPS64",
        7 => "PowerPC",
        9 => "SuperH",
        22 => "arm64",
        24 => "x86-64",
        26 => "RISC-V",
        _ => return arch.to_string(),
    };
    format!("{arch} ({name})")
}

/// The stream's format by the header's number; `None` for no compression.
fn compression(number: u8, place: Place) -> Result<Option<Format>, Error> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => Format::Gzip,
        2 => Format::Bzip2,
        3 => Format::Lzma,
        4 => Format::Lzo,
        5 => Format::Lz4,
        6 => Format::Zstd,
        other => {
            return Err(Error::Field {
                what: WHAT,
                place,
                field: "compression",
                found: other.to_string(),
                expected: "0 to 6".into(),
            });
        }
    }))
}

pub(super) fn open(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    let head = span.whole(0, HEADER, WHAT, "header")?;
    let header: Header = head
        .bytes
        .pread_with(0, scroll::BE)
        .map_err(|_| head.cut_off(HEADER, WHAT, "header"))?;
    if header.arch != ARM {
        return Err(Error::Field {
            what: WHAT,
            place: span.at(29),
            field: "architecture",
            found: arch_name(header.arch),
            expected: arch_name(ARM),
        });
    }
    let data = span.whole(HEADER, header.size as usize, WHAT, "data")?;
    let header_right = header.magic == MAGIC && header.header_crc == header_crc(span.bytes);
    let data_right = header.data_crc == !crc32(!0, data.bytes);
    opener.note(
        span.part(0, HEADER + data.bytes.len()),
        depth,
        LayerKind::UImage,
        format!(
            "{} {:?}, load {:#010x}, entry {:#010x}, checksums {}",
            kind_name(header.kind),
            name(span.bytes),
            header.load,
            header.entry,
            match (header_right, data_right) {
                (true, true) => "right",
                (false, true) => "of the header wrong",
                (true, false) => "of the data wrong",
                (false, false) => "wrong",
            }
        ),
    );
    for (right, part) in [(header_right, "header"), (data_right, "data")] {
        if !right {
            let place = span.place;
            let text = format!("{WHAT} at {place}: checksum of its {part} is wrong");
            opener.warnings.push(text);
        }
    }
    let format = compression(header.compression, span.at(31))?;
    match header.kind {
        KERNEL | KERNEL_NOLOAD | STANDALONE => {
            if header.kind != KERNEL_NOLOAD {
                opener.load_address = Some(header.load);
            }
            part(opener, format, data, depth + 1).map_err(|error| error.within(WHAT, span.place))
        }
        MULTI => {
            opener.load_address = Some(header.load);
            multi(opener, format, data, depth + 1)
        }
        other => Err(Error::Field {
            what: WHAT,
            place: span.at(30),
            field: "type",
            found: kind_name(other),
            expected: "kernel or multi-file".into(),
        }),
    }
}

/// Opens data that are a kernel.
fn part(
    opener: &mut Opener,
    format: Option<Format>,
    data: Span<'_>,
    depth: usize,
) -> Result<Kernel, Error> {
    match format {
        // The stream's own header may say otherwise than ours.
        Some(format) if super::compress::recognise(data.bytes).is_none() => {
            opener.open_stream(format, data, depth)
        }
        _ => opener.open(data, depth),
    }
}

/// Opens a list of files: the kernel, then perhaps a ramdisk and a tree.
fn multi(
    opener: &mut Opener,
    format: Option<Format>,
    data: Span<'_>,
    depth: usize,
) -> Result<Kernel, Error> {
    /// U-Boot uses three.
    const MOST: usize = 32;
    let mut lengths = Vec::new();
    let end = loop {
        let offset = lengths.len() * 4;
        match be32(data.bytes, offset) {
            Some(0) => break offset + 4,
            Some(length) if lengths.len() < MOST => lengths.push(length as usize),
            found => {
                return Err(Error::Field {
                    what: WHAT,
                    place: data.at(offset),
                    field: "length of a file",
                    found: found.map_or("missing".into(), |length| format!("{length:#x}")),
                    expected: format!("0 after at most {MOST} files"),
                });
            }
        }
    };
    let mut offset = end;
    let mut files = Vec::new();
    for length in lengths {
        files.push(data.whole(offset, length, WHAT, "list of files")?);
        offset = offset.saturating_add(length.next_multiple_of(4));
    }
    let mut tried = Tried::default();
    let mut kernel = None;
    for file in files {
        if kernel.is_none() {
            match opener.attempt(|opener| part(opener, format, file, depth)) {
                Ok(found) => {
                    kernel = Some(found);
                    continue;
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => tried.add(error),
            }
        }
        // Trees are found by their own magic number.
        if !super::tree::begins(file.bytes) && !file.bytes.is_empty() {
            opener.keep_ramdisk(file, depth);
        }
    }
    kernel.ok_or_else(|| {
        tried.into_error(|tried| Error::NoKernel {
            what: WHAT,
            place: data.place,
            tried,
        })
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::fixture::{self, refused};
    use super::super::open;
    use super::*;

    fn zimage() -> Vec<u8> {
        fixture::zimage(&fixture::compress(Format::Gzip, &fixture::kernel()))
    }

    #[test]
    fn opens_a_zimage_in_it() {
        let firmware = open(&fixture::uimage(KERNEL, 0, &zimage())).unwrap();
        assert_eq!(firmware.load_address, Some(0x8000_8000));
        assert_eq!(firmware.warnings, [""; 0]);
        expect_test::expect![[
            r#"kernel "Linux-5.4.3", load 0x80008000, entry 0x80008000, checksums right"#
        ]]
        .assert_eq(&firmware.layers[0].text);
    }

    #[test]
    fn opens_a_compressed_kernel_in_it() {
        for (number, format) in [(1, Format::Gzip), (2, Format::Bzip2), (3, Format::Lzma)] {
            let data = fixture::compress(format, &fixture::kernel());
            let firmware = open(&fixture::uimage(KERNEL, number, &data)).unwrap();
            assert!(firmware.kernel.bytes == fixture::kernel());
        }
    }

    #[test]
    fn opens_several_files() {
        let (zimage, tree) = (zimage(), fixture::tree());
        let ramdisk = b"a ramdisk of odd length";
        let mut data = Vec::new();
        for length in [zimage.len(), ramdisk.len(), tree.len(), 0] {
            data.extend((length as u32).to_be_bytes());
        }
        for file in [zimage.as_slice(), ramdisk, &tree] {
            data.extend(file);
            data.resize(data.len().next_multiple_of(4), 0);
        }
        let firmware = open(&fixture::uimage(MULTI, 0, &data)).unwrap();
        assert_eq!(firmware.ramdisks.len(), 1);
        assert_eq!(firmware.ramdisks[0].bytes, ramdisk);
        assert_eq!(firmware.trees.len(), 1);
        assert!(firmware.trees[0].bytes == tree);
    }

    #[test]
    fn wrong_checksums_are_reported_and_no_more() {
        let mut image = fixture::uimage(KERNEL, 0, &zimage());
        image[40] ^= 1;
        let last = image.len() - 1;
        image[last] ^= 1;
        let firmware = open(&image).unwrap();
        assert_eq!(
            firmware.warnings,
            [
                "uImage at 0x0: checksum of its header is wrong",
                "uImage at 0x0: checksum of its data is wrong"
            ]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let image = fixture::uimage(KERNEL, 0, &zimage());
        refused(
            &image[..1000],
            expect![
                "uImage at 0x0 is cut off: its data should end at 0x9b8, but the data end at 0x3e8"
            ],
        );
        refused(
            &image[..50],
            expect![
                "uImage at 0x0 is cut off: its header should end at 0x40, but the data end at 0x32"
            ],
        );
        let mut mips = fixture::uimage(KERNEL, 0, b"a kernel for MIPS");
        mips[29] = 5;
        refused(
            &mips,
            expect!["uImage: architecture at 0x1d is 5 (MIPS), expected 2 (ARM)"],
        );
        refused(
            &fixture::uimage(6, 0, b"echo"),
            expect!["uImage: type at 0x1e is script, expected kernel or multi-file"],
        );
        refused(
            &fixture::uimage(KERNEL, 9, b"packed"),
            expect!["uImage: compression at 0x1f is 9, expected 0 to 6"],
        );
        refused(
            &fixture::uimage(MULTI, 0, &[1; 400]),
            expect![
                "uImage: length of a file at 0xc0 is 0x1010101, expected 0 after at most 32 files"
            ],
        );
        refused(
            &fixture::uimage(KERNEL, 0, b"no kernel"),
            expect![
                "uImage at 0x0: no kernel in it (tried: at 0x40: not a kernel: 9 bytes, expected at least 65536)"
            ],
        );
    }
}
