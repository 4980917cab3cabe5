//! Headers that vendors of routers put in front of their parts:
//!
//! * TRX of Broadcom (`trxhdr.h` of its SDK, `trx.c` of OpenWrt): up to four parts
//!   at offsets from the header
//! * CHK of Netgear (`mkchkimg.c` of OpenWrt): a kernel and a root file system
//!   behind each other
//! * Seama of D-Link (`oseama.c` of OpenWrt): images behind each other, each with
//!   its metadata in front
//!
//! One may lie in the other. The first part with a kernel is taken; the rest is
//! left to who looks for file systems.

use super::opener::{Opener, Span, Tried};
use super::{Error, LayerKind};
use crate::bytes::{be32, crc32, le32, part};
use crate::kernel::Kernel;

/// One of these headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Header {
    Trx,
    Chk,
    Seama,
}

/// A header taken apart.
struct Contents {
    /// Bytes of it all.
    len: usize,
    /// For a person.
    text: String,
    /// Offset and length of each part.
    parts: Vec<(usize, usize)>,
    /// What is odd about it.
    warning: Option<String>,
}

impl Header {
    const ALL: [Header; 3] = [Header::Trx, Header::Chk, Header::Seama];

    /// The header that something begins with.
    pub(super) fn of(bytes: &[u8]) -> Option<Header> {
        let all = Self::ALL.into_iter();
        all.into_iter()
            .find(|header| bytes.starts_with(&header.magic()))
    }

    /// What it begins with.
    pub(super) fn magic(self) -> [u8; 4] {
        match self {
            Header::Trx => *b"HDR0",
            Header::Chk => [0x2a, 0x23, 0x24, 0x5e],
            Header::Seama => [0x5e, 0xa3, 0xa4, 0x17],
        }
    }

    fn what(self) -> &'static str {
        match self {
            Header::Trx => "TRX image",
            Header::Chk => "CHK image",
            Header::Seama => "Seama image",
        }
    }

    fn layer(self) -> LayerKind {
        match self {
            Header::Trx => LayerKind::Trx,
            Header::Chk => LayerKind::Chk,
            Header::Seama => LayerKind::Seama,
        }
    }

    fn read(self, span: Span<'_>) -> Result<Contents, Error> {
        match self {
            Header::Trx => trx(span),
            Header::Chk => chk(span),
            Header::Seama => seama(span),
        }
    }
}

/// Opens the parts behind a header until one gives a kernel.
pub(super) fn open(
    opener: &mut Opener,
    header: Header,
    span: Span<'_>,
    depth: usize,
) -> Result<Kernel, Error> {
    let what = header.what();
    let contents = header.read(span)?;
    opener.note(
        span.part(0, contents.len),
        depth,
        header.layer(),
        contents.text,
    );
    opener.warnings.extend(contents.warning);
    let mut tried = Tried::default();
    for (offset, len) in contents.parts {
        let piece = span.part(offset, len);
        match opener.attempt(|opener| opener.open_all(piece, depth + 1)) {
            Err(error) if !error.is_final() => tried.add(error),
            result => return result.map_err(|error| error.within(what, span.place)),
        }
    }
    Err(tried.into_error(|tried| Error::NoKernel {
        what,
        place: span.place,
        tried,
    }))
}

/// Little-endian: magic number, length, CRC of all behind it, flags and version,
/// offsets of the parts, of which 0 is none.
fn trx(span: Span<'_>) -> Result<Contents, Error> {
    const WHAT: &str = "TRX image";
    const CRC_FROM: usize = 12;
    const OFFSETS: usize = 16;
    let word = |at: usize| {
        let short = || span.cut_off(OFFSETS + 12, WHAT, "header");
        le32(span.bytes, at).ok_or_else(short)
    };
    let (len, crc, version) = (word(4)? as usize, word(8)?, word(CRC_FROM)? >> 16);
    let count = match version {
        1 => 3,
        2 => 4,
        _ => {
            return Err(Error::Field {
                what: WHAT,
                place: span.at(14),
                field: "version",
                found: version.to_string(),
                expected: "1 or 2".into(),
            });
        }
    };
    let header = OFFSETS + 4 * count;
    let whole = span.whole(0, len, WHAT, "data")?;
    let mut starts = Vec::new();
    for index in 0..count {
        match word(OFFSETS + 4 * index)? as usize {
            0 => {}
            start if (header..len).contains(&start) => starts.push(start),
            start => {
                return Err(Error::Field {
                    what: WHAT,
                    place: span.at(OFFSETS + 4 * index),
                    field: "offset of a part",
                    found: format!("{start:#x}"),
                    expected: format!("0, or {header:#x} to {len:#x}"),
                });
            }
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([len]);
    let parts: Vec<(usize, usize)> = starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| (start, end - start))
        .collect();
    // Without the last inversion of the usual CRC.
    let sum = crc32(!0, whole.from(CRC_FROM).bytes);
    let wrong = format!(
        "{WHAT} at {}: its CRC is {crc:#010x}, but that of its data {sum:#010x}",
        span.place
    );
    Ok(Contents {
        len,
        text: format!("version {version}, {} parts", parts.len()),
        parts,
        warning: (sum != crc).then_some(wrong),
    })
}

/// Big-endian: magic number, length of the header, region and version, sums, the
/// lengths of kernel and root file system at 24 and 28, at 40 the board.
fn chk(span: Span<'_>) -> Result<Contents, Error> {
    const WHAT: &str = "CHK image";
    const BOARD: usize = 40;
    /// The longest board has 64 characters.
    const LONGEST: usize = 0x100;
    let word = |at: usize| {
        let short = || span.cut_off(BOARD, WHAT, "header");
        Ok(be32(span.bytes, at).ok_or_else(short)? as usize)
    };
    let (header, kernel, root) = (word(4)?, word(24)?, word(28)?);
    if !(BOARD..=LONGEST).contains(&header) {
        return Err(Error::Field {
            what: WHAT,
            place: span.at(4),
            field: "length of the header",
            found: format!("{header:#x}"),
            expected: format!("{BOARD:#x} to {LONGEST:#x}"),
        });
    }
    span.whole(header, kernel, WHAT, "kernel")?;
    let behind = header.saturating_add(kernel);
    span.whole(behind, root, WHAT, "root file system")?;
    let board = String::from_utf8_lossy(part(span.bytes, BOARD, header - BOARD)).into_owned();
    Ok(Contents {
        len: behind.saturating_add(root),
        text: format!("for {:?}", board.trim_end_matches('\0')),
        parts: vec![(header, kernel)],
        warning: None,
    })
}

/// Big-endian: magic number, two bytes, length of the metadata, length of the
/// image. One of length 0 seals those behind it; others have an MD5 sum before the
/// metadata.
fn seama(span: Span<'_>) -> Result<Contents, Error> {
    const WHAT: &str = "Seama image";
    const SHORT: usize = 12;
    const SUM: usize = 16;
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut at = 0;
    while part(span.bytes, at, 4) == Header::Seama.magic() {
        let short = || span.cut_off(at.saturating_add(SHORT), WHAT, "header");
        let metadata = be32(span.bytes, at.saturating_add(4)).ok_or_else(short)? as usize & 0xffff;
        let image = be32(span.bytes, at.saturating_add(8)).ok_or_else(short)? as usize;
        let front = match image {
            0 => SHORT,
            _ => SHORT + SUM,
        };
        let from = at.saturating_add(front);
        let said = span.whole(from, metadata, WHAT, "metadata")?;
        if text.is_empty() {
            let words = said.bytes.split(|&byte| byte == 0);
            let words = words.filter(|word| !word.is_empty());
            let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
            text = words.join(", ");
        }
        let start = from.saturating_add(metadata);
        span.whole(start, image, WHAT, "image")?;
        if image != 0 {
            parts.push((start, image));
        }
        at = start.saturating_add(image);
    }
    Ok(Contents {
        len: at,
        text,
        parts,
        warning: None,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::super::compress::Format;
    use super::super::fixture::{self, put, refused};
    use super::super::{Firmware, open};
    use super::*;

    fn kernel() -> Vec<u8> {
        fixture::zimage(&fixture::compress(Format::Lzma, &fixture::kernel()))
    }

    /// A TRX with two parts: a kernel, and something behind it.
    fn trx_of(version: u32, kernel: &[u8]) -> Vec<u8> {
        let header = if version == 1 { 28 } else { 32 };
        let second = header + kernel.len();
        let len = second + 64;
        let mut bytes = b"HDR0".to_vec();
        for word in [len as u32, 0, version << 16, header as u32, second as u32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.resize(header, 0);
        bytes.extend(kernel);
        bytes.resize(len, 0x11);
        let sum = crc32(!0, &bytes[12..]);
        put(&mut bytes, 8, &sum.to_le_bytes());
        bytes
    }

    fn chk_of(kernel: &[u8], root: &[u8]) -> Vec<u8> {
        let board = b"U12H240T00_NETGEAR";
        let mut bytes = Header::Chk.magic().to_vec();
        let header = 40 + board.len();
        bytes.extend((header as u32).to_be_bytes());
        bytes.resize(24, 1);
        bytes.extend((kernel.len() as u32).to_be_bytes());
        bytes.extend((root.len() as u32).to_be_bytes());
        bytes.resize(40, 0);
        for piece in [&board[..], kernel, root] {
            bytes.extend(piece);
        }
        bytes
    }

    fn seama_of(metadata: &[u8], image: &[u8]) -> Vec<u8> {
        let mut bytes = Header::Seama.magic().to_vec();
        bytes.extend([0, 0]);
        bytes.extend((metadata.len() as u16).to_be_bytes());
        bytes.extend((image.len() as u32).to_be_bytes());
        if !image.is_empty() {
            bytes.resize(28, 0xaa);
        }
        bytes.extend(metadata);
        bytes.extend(image);
        bytes
    }

    fn layers(firmware: &Firmware) -> String {
        let texts = firmware.layers.iter().map(|layer| {
            format!(
                "{}{:#x} {} {}\n",
                "  ".repeat(layer.depth),
                layer.offset,
                layer.what,
                layer.text
            )
        });
        texts.collect()
    }

    #[test]
    fn parts_are_opened() {
        let sealed = [
            seama_of(b"signature=wrgac\0", b""),
            seama_of(b"dev=/dev/mtdblock/1\0type=firmware\0", &kernel()),
        ];
        expect![[r#"
            0x0 TRX image version 1, 2 parts
              0x1c zImage self-extracting kernel
                0x81c lzma stream 98304 bytes unpacked
                  0x0 kernel Linux 5.4.3-test, V7, at 0xc0008000
        "#]]
        .assert_eq(&layers(&open(&trx_of(1, &kernel())).unwrap()));
        assert_eq!(open(&trx_of(2, &kernel())).unwrap().warnings.len(), 0);
        expect![[r#"
            0x0 CHK image for "U12H240T00_NETGEAR"
              0x3a TRX image version 1, 2 parts
                0x56 zImage self-extracting kernel
                  0x856 lzma stream 98304 bytes unpacked
                    0x0 kernel Linux 5.4.3-test, V7, at 0xc0008000
        "#]]
        .assert_eq(&layers(&open(&chk_of(&trx_of(1, &kernel()), b"")).unwrap()));
        expect![[r#"
            0x0 Seama image signature=wrgac
              0x5a zImage self-extracting kernel
                0x85a lzma stream 98304 bytes unpacked
                  0x0 kernel Linux 5.4.3-test, V7, at 0xc0008000
        "#]]
        .assert_eq(&layers(&open(&sealed.concat()).unwrap()));
    }

    #[test]
    fn a_wrong_sum_is_said() {
        let mut bytes = trx_of(1, &kernel());
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let firmware = open(&bytes).unwrap();
        assert!(firmware.warnings[0].contains("TRX image at 0x0: its CRC is"));
    }

    #[test]
    fn says_what_is_wrong() {
        let good = trx_of(1, &kernel());
        refused(
            &good[..2000],
            expect![
                "TRX image at 0x0 is cut off: its data should end at 0x98c, but the data end at 0x7d0"
            ],
        );
        let mut bad = good[..28].to_vec();
        put(&mut bad, 4, &28_u32.to_le_bytes());
        refused(
            &bad,
            expect!["TRX image: offset of a part at 0x10 is 0x1c, expected 0, or 0x1c to 0x1c"],
        );
        put(&mut bad, 14, &[9, 0]);
        refused(
            &bad,
            expect!["TRX image: version at 0xe is 9, expected 1 or 2"],
        );
        refused(
            &chk_of(b"nothing", b"")[..50],
            expect![
                "CHK image at 0x0 is cut off: its kernel should end at 0x41, but the data end at 0x32"
            ],
        );
        let mut bad = chk_of(b"nothing", b"");
        put(&mut bad, 4, &[1, 2, 3, 4]);
        refused(
            &bad,
            expect!["CHK image: length of the header at 0x4 is 0x1020304, expected 0x28 to 0x100"],
        );
        refused(
            &seama_of(b"x=y\0", b"nothing at all")[..30],
            expect![
                "Seama image at 0x0 is cut off: its metadata should end at 0x20, but the data end at 0x1e"
            ],
        );
    }

    proptest! {
        /// Whatever the fields say, it ends, and without a panic.
        #[test]
        fn any_header(which in 0..3usize, mut bytes in prop::collection::vec(any::<u8>(), 4..96)) {
            bytes[..4].copy_from_slice(&Header::ALL[which].magic());
            let _ = open(&bytes);
        }
    }
}
