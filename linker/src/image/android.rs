//! Android's boot image (`bootimg.h` of AOSP's `system/tools/mkbootimg`), header
//! versions 0 to 4: a page with the header, then kernel, ramdisk and more, each
//! beginning on a page.

use scroll::{Pread, SizeWith};

use super::opener::{Opener, Span};
use super::{Error, LayerKind};
use crate::bytes::{le32, part};
use crate::kernel::Kernel;

pub(super) const MAGIC: &[u8; 8] = b"ANDROID!";
const WHAT: &str = "Android boot image";
/// In all versions, except that vendors of version 0 kept another length here.
const VERSION_AT: usize = 40;
/// Length of the header of version 1, the longest of those without a tree.
const HEADER: usize = 0x660;
/// Pages of versions 3 and 4.
const PAGE: u32 = 4096;

/// The header of versions 0 to 2 up to where they differ.
#[derive(Debug, Clone, Copy, Pread, SizeWith)]
struct Header {
    _magic: u64,
    kernel_size: u32,
    kernel_address: u32,
    ramdisk_size: u32,
    _ramdisk_address: u32,
    second_size: u32,
    _second_address: u32,
    _tags_address: u32,
    page: u32,
    /// Length of a table of trees where the version is 0 and this is not small.
    version: u32,
    _system: u32,
}

/// What the header says, in any version.
struct Contents {
    version: u32,
    page: u32,
    kernel: u32,
    ramdisk: u32,
    /// A second boot loader, or a table of trees.
    second: u32,
    load: Option<u32>,
    name: String,
    command_line: String,
}

pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn text(bytes: &[u8], offset: usize, len: usize) -> String {
    let field = part(bytes, offset, len);
    let text = field.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn contents(span: Span<'_>) -> Result<Contents, Error> {
    let bytes = span.bytes;
    let short = || span.cut_off(HEADER, WHAT, "header");
    let version = le32(bytes, VERSION_AT).ok_or_else(short)?;
    if matches!(version, 3 | 4) {
        return Ok(Contents {
            version,
            page: PAGE,
            kernel: le32(bytes, 8).ok_or_else(short)?,
            ramdisk: le32(bytes, 12).ok_or_else(short)?,
            second: 0,
            load: None,
            name: String::new(),
            command_line: text(bytes, 44, 1536),
        });
    }
    let header: Header = bytes.pread_with(0, scroll::LE).map_err(|_| short())?;
    if !header.page.is_power_of_two() || !(0x200..=0x2_0000).contains(&header.page) {
        return Err(Error::Field {
            what: WHAT,
            place: span.at(36),
            field: "page size",
            found: format!("{:#x}", header.page),
            expected: "a power of two from 0x200 to 0x20000".into(),
        });
    }
    Ok(Contents {
        version: if header.version < 3 {
            header.version
        } else {
            0
        },
        page: header.page,
        kernel: header.kernel_size,
        ramdisk: header.ramdisk_size,
        second: header.second_size,
        load: Some(header.kernel_address),
        name: text(bytes, 48, 16),
        command_line: text(bytes, 64, 512) + &text(bytes, 608, 1024),
    })
}

pub(super) fn open(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    let contents = contents(span)?;
    let page = contents.page as usize;
    // 4 GiB and a page at most: no overflow in 64 bits.
    let kernel = contents.kernel as usize;
    let behind = page.saturating_add(kernel.next_multiple_of(page));
    let kernel = span.whole(page, kernel, WHAT, "kernel")?;
    let ramdisk = span.whole(behind, contents.ramdisk as usize, WHAT, "ramdisk")?;
    opener.note(
        span.part(0, behind.saturating_add(ramdisk.bytes.len())),
        depth,
        LayerKind::Android,
        format!(
            "version {}, name {:?}, {} bytes of second stage, command line {:?}",
            contents.version, contents.name, contents.second, contents.command_line
        ),
    );
    if !ramdisk.bytes.is_empty() {
        opener.keep_ramdisk(ramdisk, depth + 1);
    }
    opener.load_address = contents.load;
    opener.command_line = Some(contents.command_line).filter(|line| !line.is_empty());
    opener
        .open(kernel, depth + 1)
        .map_err(|error| error.within(WHAT, span.place))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::compress::Format;
    use super::super::fixture::{self, refused};
    use super::super::open;

    fn pad(bytes: &mut Vec<u8>, page: usize) {
        bytes.resize(bytes.len().next_multiple_of(page), 0);
    }

    /// An image of version 0 to 2, or of 3.
    fn image(version: u32, page: u32) -> Vec<u8> {
        let kernel = fixture::zimage(&fixture::compress(Format::Lz4, &fixture::kernel()));
        let ramdisk = fixture::compress(Format::Gzip, b"070701 and so on");
        let (kernel_size, ramdisk_size) = (kernel.len() as u32, ramdisk.len() as u32);
        let mut bytes = super::MAGIC.to_vec();
        let words: &[u32] = if version < 3 {
            &[
                kernel_size,
                0x3000_8000,
                ramdisk_size,
                0,
                0,
                0,
                0,
                page,
                version,
                0,
            ]
        } else {
            &[kernel_size, ramdisk_size, 0, 1580, 0, 0, 0, 0, version, 0]
        };
        for word in words {
            bytes.extend(word.to_le_bytes());
        }
        bytes.truncate(if version < 3 { 48 } else { 44 });
        bytes.resize(if version < 3 { 64 } else { 44 }, 0);
        bytes.extend(b"console=ttyS2");
        pad(&mut bytes, page as usize);
        bytes.extend(&kernel);
        pad(&mut bytes, page as usize);
        bytes.extend(&ramdisk);
        pad(&mut bytes, page as usize);
        bytes
    }

    #[test]
    fn opens_all_versions() {
        for (version, page, load) in [
            (0, 2048, Some(0x3000_8000)),
            (2, 4096, Some(0x3000_8000)),
            (3, 4096, None),
        ] {
            let firmware = open(&image(version, page)).unwrap();
            assert_eq!(firmware.load_address, load);
            assert_eq!(firmware.command_line.as_deref(), Some("console=ttyS2"));
            assert_eq!(firmware.ramdisks.len(), 1);
            assert_eq!(firmware.ramdisks[0].compression, Some(Format::Gzip));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let mut bad = image(0, 2048);
        bad[36] = 3;
        bad.truncate(2048);
        refused(
            &bad,
            expect![
                "Android boot image: page size at 0x24 is 0x803, expected a power of two from 0x200 to 0x20000"
            ],
        );
        refused(
            &image(0, 2048)[..3000],
            expect![
                "Android boot image at 0x0 is cut off: its kernel should end at 0x1308, but the data end at 0xbb8"
            ],
        );
        refused(
            &image(3, 4096)[..20],
            expect![
                "Android boot image at 0x0 is cut off: its header should end at 0x660, but the data end at 0x14"
            ],
        );
    }
}
