//! Files of a JFFS2 file system (`include/uapi/linux/jffs2.h`): some flash
//! images keep the kernel in one. Each file is a number of nodes, each with a
//! piece of it; a node with a higher version replaces what others say.

use std::collections::BTreeMap;
use std::io::Read;

use scroll::{Endian, Pread, SizeWith};

use super::compress::{self, Work};
use super::opener::{Opener, Span, Tried};
use super::{Error, LayerKind};
use crate::bytes::{crc32, part, u32_at};
use crate::kernel::Kernel;

const WHAT: &str = "JFFS2 file system";
const MAGIC: u16 = 0x1985;
const DIRENT: u16 = 0xe001;
const INODE: u16 = 0xe002;
const INODE_HEADER: usize = 68;
const DIRENT_HEADER: usize = 40;
/// No kernel is smaller.
const SMALLEST: usize = 64 << 10;

/// `struct jffs2_raw_inode` without what is not needed.
#[derive(Debug, Clone, Copy, Pread, SizeWith)]
struct RawInode {
    _common: [u32; 3],
    number: u32,
    version: u32,
    mode: u32,
    user: u16,
    group: u16,
    size: u32,
    _times: [u32; 3],
    offset: u32,
    stored: u32,
    length: u32,
    compression: u8,
    _user_compression: u8,
    _flags: u16,
    data_crc: u32,
}

/// A piece of a file.
pub(crate) struct Piece<'a> {
    pub(crate) version: u32,
    pub(crate) mode: u32,
    pub(crate) user: u16,
    pub(crate) group: u16,
    /// Length of the file when this was written.
    pub(crate) size: usize,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) compression: u8,
    pub(crate) data: &'a [u8],
}

/// A name of a file in a folder, both by their numbers; number 0 takes the name
/// away.
pub(crate) struct Name {
    pub(crate) folder: u32,
    pub(crate) version: u32,
    pub(crate) number: u32,
    pub(crate) name: String,
}

/// What the nodes say.
#[derive(Default)]
pub(crate) struct Files<'a> {
    pub(crate) pieces: BTreeMap<u32, Vec<Piece<'a>>>,
    pub(crate) names: Vec<Name>,
    /// Where the last node ends.
    pub(crate) end: usize,
}

impl Files<'_> {
    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.names.len() + self.pieces.values().map(Vec::len).sum::<usize>()
    }

    /// A name of a file.
    fn name(&self, number: u32) -> &str {
        let mut names = self.names.iter().filter(|name| name.number == number);
        names.next_back().map_or("", |name| &name.name)
    }
}

/// The byte order of the node at the start of the bytes, when its header's
/// checksum is right.
fn node(bytes: &[u8]) -> Option<Endian> {
    let endian = match bytes.get(..2)? {
        [0x85, 0x19] => Endian::Little,
        [0x19, 0x85] => Endian::Big,
        _ => return None,
    };
    let stored = u32_at(bytes, 8, endian)?;
    (stored == crc32(0, part(bytes, 0, 8))).then_some(endian)
}

/// The offset of the first node.
pub(crate) fn find(bytes: &[u8]) -> Option<usize> {
    let [low, high] = MAGIC.to_le_bytes();
    memchr::memchr2_iter(low, high, bytes)
        .find(|offset| bytes.get(*offset..).and_then(node).is_some())
}

/// Reads all nodes. Between them lies what the flash's blocks leave free.
pub(crate) fn read(bytes: &[u8]) -> Files<'_> {
    let mut files = Files::default();
    let mut offset = 0;
    while let Some(rest) = bytes.get(offset..).filter(|rest| rest.len() >= 12) {
        let Some(endian) = node(rest) else {
            offset += 4;
            continue;
        };
        let total = u32_at(rest, 4, endian).unwrap_or(0) as usize;
        let whole = part(rest, 0, total);
        files.end = offset + whole.len();
        match scroll::Pread::pread_with::<u16>(rest, 2, endian) {
            Ok(INODE) => inode(&mut files, whole, endian),
            Ok(DIRENT) => dirent(&mut files, whole, endian),
            _ => {}
        }
        offset += total.clamp(12, 1 << 20).next_multiple_of(4);
    }
    files
}

fn inode<'a>(files: &mut Files<'a>, bytes: &'a [u8], endian: Endian) {
    let Ok(raw) = bytes.pread_with::<RawInode>(0, endian) else {
        return;
    };
    let data = part(bytes, INODE_HEADER, raw.stored as usize);
    // A node that was being written when the power went is as good as absent.
    if data.len() < raw.stored as usize || crc32(0, data) != raw.data_crc {
        return;
    }
    files.pieces.entry(raw.number).or_default().push(Piece {
        version: raw.version,
        mode: raw.mode,
        user: raw.user,
        group: raw.group,
        size: raw.size as usize,
        offset: raw.offset as usize,
        length: raw.length as usize,
        compression: raw.compression,
        data,
    });
}

fn dirent(files: &mut Files<'_>, bytes: &[u8], endian: Endian) {
    let word = |at| u32_at(bytes, at, endian);
    let (Some(folder), Some(version), Some(number)) = (word(12), word(16), word(20)) else {
        return;
    };
    let length = bytes.get(28).copied().unwrap_or(0);
    let name = part(bytes, DIRENT_HEADER, usize::from(length));
    files.names.push(Name {
        folder,
        version,
        number,
        name: String::from_utf8_lossy(name).into_owned(),
    });
}

/// A node's contents; `None` when they are damaged or packed in a way that is
/// not known. At most a page, 4 KiB, in practice; anything is allowed up to
/// `limit`.
pub(crate) fn unpack(piece: &Piece<'_>, limit: usize) -> Option<Vec<u8>> {
    const NONE: u8 = 0;
    const ZERO: u8 = 1;
    const RTIME: u8 = 2;
    const ZLIB: u8 = 6;
    const LZO: u8 = 7;
    /// OpenWrt's.
    const LZMA: u8 = 8;
    if piece.length > limit {
        return None;
    }
    let mut contents = vec![0; piece.length];
    match piece.compression {
        NONE => contents
            .get_mut(..piece.data.len())?
            .copy_from_slice(piece.data),
        ZERO => {}
        ZLIB => flate2::read::ZlibDecoder::new(piece.data)
            .read_exact(&mut contents)
            .ok()?,
        LZO => {
            let length = lzokay::decompress::decompress(piece.data, &mut contents).ok()?;
            contents.truncate(length);
        }
        RTIME => rtime(piece.data, &mut contents)?,
        LZMA => contents = lzma(piece.data, piece.length)?,
        _ => return None,
    }
    Some(contents)
}

/// `fs/jffs2/compr_rtime.c`: each byte is followed by how many come again from
/// where the same byte stood last.
fn rtime(data: &[u8], contents: &mut [u8]) -> Option<()> {
    let mut places = [0usize; 256];
    let mut pairs = data.as_chunks::<2>().0.iter();
    let mut at = 0;
    while at < contents.len() {
        let &[byte, repeat] = pairs.next()?;
        *contents.get_mut(at)? = byte;
        at += 1;
        let from = std::mem::replace(&mut places[usize::from(byte)], at);
        // What was just written may be among what comes again.
        for from in from..from + usize::from(repeat) {
            *contents.get_mut(at)? = *contents.get(from)?;
            at += 1;
        }
    }
    Some(())
}

/// A stream without its header, which is always the same but for the length
/// (OpenWrt's `fs/jffs2/compr_lzma.c`: no bits of context, 8 KiB of dictionary).
fn lzma(data: &[u8], length: usize) -> Option<Vec<u8>> {
    const PROPERTIES: [u8; 5] = [0, 0, 0x20, 0, 0];
    let mut stream = PROPERTIES.to_vec();
    stream.extend((length as u64).to_le_bytes());
    stream.extend(data);
    // Bounded by the length.
    let mut work = Work::new(u64::MAX);
    let decoded = compress::decode(compress::Format::Lzma, &stream, length, &mut work).ok()?;
    (decoded.bytes.len() == length).then_some(decoded.bytes)
}

/// Puts a file together; `None` for those that are too small for a kernel.
fn assemble(
    opener: &mut Opener,
    span: Span<'_>,
    pieces: &mut [Piece<'_>],
) -> Result<Option<Vec<u8>>, Error> {
    /// Several times what the kernel writes at once.
    const LONGEST_PIECE: usize = 1 << 20;
    let damaged = |at: usize, found: String| Error::Field {
        what: WHAT,
        place: span.place,
        field: "piece of a file",
        found,
        expected: format!("contents for offset {at:#x}"),
    };
    pieces.sort_by_key(|piece| piece.version);
    let size = pieces.last().map_or(0, |piece| piece.size);
    if !(SMALLEST..=opener.limits.output).contains(&size) {
        return Ok(None);
    }
    // Writers leave no holes in what they write once and for all.
    let mut covered: Vec<(usize, usize)> = pieces
        .iter()
        .map(|piece| (piece.offset, piece.offset.saturating_add(piece.length)))
        .collect();
    covered.sort_unstable();
    let end = covered.iter().fold(
        0,
        |end, &(from, to)| {
            if from <= end { end.max(to) } else { end }
        },
    );
    if end < size {
        return Err(damaged(end, "missing".into()));
    }
    opener.spend(size as u64)?;
    let mut file = vec![0; size];
    for piece in pieces {
        opener.spend(piece.length.min(LONGEST_PIECE) as u64)?;
        let Some(contents) = unpack(piece, LONGEST_PIECE) else {
            let found = format!("packed by method {} and damaged", piece.compression);
            return Err(damaged(piece.offset, found));
        };
        for (target, byte) in file.iter_mut().skip(piece.offset).zip(contents) {
            *target = byte;
        }
    }
    Ok(Some(file))
}

/// Opens the first file that has a kernel in it.
pub(super) fn open(opener: &mut Opener, span: Span<'_>, depth: usize) -> Result<Kernel, Error> {
    opener.spend_scan(span)?;
    let mut files = read(span.bytes);
    let mut tried = Tried::default();
    for (number, mut pieces) in std::mem::take(&mut files.pieces) {
        let file = match assemble(opener, span, &mut pieces) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) if error.is_final() => return Err(error),
            Err(error) => {
                tried.add(error);
                continue;
            }
        };
        let name = files.name(number);
        let text = format!("{name:?}, {} bytes in {} nodes", file.len(), pieces.len());
        let result = opener.open_joined((span, &file), depth, LayerKind::Jffs2, text);
        if let Some(end) = tried.ended(result) {
            return end;
        }
    }
    Err(tried.into_error(|tried| Error::NoKernel {
        what: WHAT,
        place: span.place,
        tried,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{compress::Format, fixture, open};
    use super::*;

    fn word(bytes: &mut Vec<u8>, value: u32, endian: Endian) {
        let value = if endian.is_little() {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        };
        bytes.extend(value);
    }

    /// A node: type, then words, then bytes.
    fn node(kind: u16, words: &[u32], rest: &[u8], endian: Endian) -> Vec<u8> {
        let total = 12 + words.len() * 4 + rest.len();
        let mut bytes = Vec::new();
        for half in [MAGIC, kind] {
            bytes.extend(if endian.is_little() {
                half.to_le_bytes()
            } else {
                half.to_be_bytes()
            });
        }
        word(&mut bytes, total as u32, endian);
        let checksum = crc32(0, &bytes);
        word(&mut bytes, checksum, endian);
        for value in words {
            word(&mut bytes, *value, endian);
        }
        bytes.extend(rest);
        bytes.resize(bytes.len().next_multiple_of(4), 0xff);
        bytes
    }

    /// A file system with one file, its pages compressed by turns.
    fn image(file: &[u8], endian: Endian) -> Vec<u8> {
        let name = [&[7, 8, 0, 0], [0; 8].as_slice(), b"vmlinuz"].concat();
        let mut bytes = node(DIRENT, &[1, 1, 2, 0], &name, endian);
        for (index, page) in (0u32..).zip(file.chunks(4096)) {
            let (packed, compression) = match index % 3 {
                0 => (page.to_vec(), 0),
                1 => {
                    let level = flate2::Compression::best();
                    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                    std::io::Write::write_all(&mut encoder, page).unwrap();
                    (encoder.finish().unwrap(), 6)
                }
                _ => (lzokay::compress::compress(page).unwrap(), 7),
            };
            let words = [
                2,
                index + 1,
                0,
                0,
                file.len() as u32,
                0,
                0,
                0,
                index * 4096,
                packed.len() as u32,
                page.len() as u32,
            ];
            let mut tail = vec![compression, 0, 0, 0];
            word(&mut tail, crc32(0, &packed), endian);
            word(&mut tail, 0, endian);
            tail.extend(packed);
            bytes.extend(node(INODE, &words, &tail, endian));
            if index % 7 == 0 {
                bytes.extend([0xff; 256]);
            }
        }
        bytes
    }

    #[test]
    fn puts_files_together() {
        let kernel = fixture::kernel();
        for endian in [Endian::Little, Endian::Big] {
            let firmware = open(&image(&kernel, endian)).unwrap();
            assert!(firmware.kernel.bytes == kernel);
            expect_test::expect![[r#""vmlinuz", 98304 bytes in 24 nodes"#]]
                .assert_eq(&firmware.layers[0].text);
        }
    }

    #[test]
    fn a_damaged_page_is_not_a_kernel() {
        let mut image = image(&fixture::kernel(), Endian::Little);
        let page = image.len() / 3 * 2;
        image[page..page + 2000].fill(0x5a);
        fixture::refused(
            &image,
            expect_test::expect![
                "no ARM Linux kernel found in 36192 bytes: no raw kernel, zImage, uImage, FIT, Android boot image, ELF kernel, JFFS2 nor compressed stream with one (tried: JFFS2 file system at 0x0: no kernel in it (tried: JFFS2 file system: piece of a file at 0x0 is missing, expected contents for offset 0xf000); at 0x74: not a kernel: 36076 bytes, expected at least 65536)"
            ],
        );
    }

    #[test]
    fn bytes_that_come_again() {
        let unpacked = |data: &[u8], length| {
            let mut contents = vec![0; length];
            rtime(data, &mut contents).map(|()| contents)
        };
        // "a", then "b" and nothing; "a" again, with "b" from behind the first.
        assert_eq!(unpacked(b"a\0b\0a\x01", 4).unwrap(), b"abab");
        // Bytes that are written while they are read.
        assert_eq!(unpacked(b"x\0x\x05", 7).unwrap(), b"xxxxxxx");
        // Cut off, and reaching behind the end.
        assert_eq!(unpacked(b"a\0b", 4), None);
        assert_eq!(unpacked(b"a\0a\xff", 4), None);
    }

    #[test]
    fn streams_without_a_header() {
        let contents = b"line after line after line after line ".repeat(50);
        let mut options = liblzma::stream::LzmaOptions::new_preset(6).unwrap();
        options.dict_size(0x2000).literal_context_bits(0);
        options.literal_position_bits(0).position_bits(0);
        let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
        let mut packed = Vec::new();
        liblzma::bufread::XzEncoder::new_stream(contents.as_slice(), stream)
            .read_to_end(&mut packed)
            .unwrap();
        assert_eq!(lzma(&packed[13..], contents.len()).unwrap(), contents);
        assert_eq!(lzma(&packed[13..40], contents.len()), None);
    }

    #[test]
    fn a_stream_in_a_file_is_opened_too() {
        let mut contents = fixture::zimage(&fixture::compress(Format::Gzip, &fixture::kernel()));
        contents.resize(SMALLEST, 0);
        assert!(open(&image(&contents, Endian::Little)).is_ok());
    }
}
