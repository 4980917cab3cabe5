//! Files of a JFFS2 file system (`include/uapi/linux/jffs2.h`): some flash
//! images keep the kernel in one. Each file is a number of nodes, each with a
//! piece of it; a node with a higher version replaces what others say.

use std::collections::BTreeMap;
use std::io::Read;

use scroll::{Endian, Pread, SizeWith};

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
    _owner: [u32; 2],
    size: u32,
    _times: [u32; 3],
    offset: u32,
    stored: u32,
    length: u32,
    compression: u8,
}

/// A piece of a file.
struct Piece<'a> {
    version: u32,
    /// Length of the file when this was written.
    size: usize,
    offset: usize,
    length: usize,
    compression: u8,
    data: &'a [u8],
}

/// What the nodes say.
#[derive(Default)]
struct Files<'a> {
    pieces: BTreeMap<u32, Vec<Piece<'a>>>,
    names: BTreeMap<u32, String>,
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
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    let [low, high] = MAGIC.to_le_bytes();
    memchr::memchr2_iter(low, high, bytes)
        .find(|offset| bytes.get(*offset..).and_then(node).is_some())
}

/// Reads all nodes. Between them lies what the flash's blocks leave free.
fn read(bytes: &[u8]) -> Files<'_> {
    let mut files = Files::default();
    let mut offset = 0;
    while let Some(rest) = bytes.get(offset..).filter(|rest| rest.len() >= 12) {
        let Some(endian) = node(rest) else {
            offset += 4;
            continue;
        };
        let total = u32_at(rest, 4, endian).unwrap_or(0) as usize;
        let whole = part(rest, 0, total);
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
    if data.len() < raw.stored as usize {
        return;
    }
    files.pieces.entry(raw.number).or_default().push(Piece {
        version: raw.version,
        size: raw.size as usize,
        offset: raw.offset as usize,
        length: raw.length as usize,
        compression: raw.compression,
        data,
    });
}

fn dirent(files: &mut Files<'_>, bytes: &[u8], endian: Endian) {
    let (Some(number), Some(&length)) = (u32_at(bytes, 20, endian), bytes.get(28)) else {
        return;
    };
    let name = part(bytes, DIRENT_HEADER, usize::from(length));
    files
        .names
        .insert(number, String::from_utf8_lossy(name).into_owned());
}

/// A node's contents; `None` when they are damaged or packed in a way that is
/// not known. At most a page, 4 KiB, in practice; anything is allowed up to
/// `limit`.
fn unpack(piece: &Piece<'_>, limit: usize) -> Option<Vec<u8>> {
    const NONE: u8 = 0;
    const ZERO: u8 = 1;
    const ZLIB: u8 = 6;
    const LZO: u8 = 7;
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
        _ => return None,
    }
    Some(contents)
}

/// Puts a file together.
fn assemble(opener: &mut Opener, pieces: &mut [Piece<'_>]) -> Result<Option<Vec<u8>>, Error> {
    /// Several times what the kernel writes at once.
    const LONGEST_PIECE: usize = 1 << 20;
    pieces.sort_by_key(|piece| piece.version);
    let size = pieces.last().map_or(0, |piece| piece.size);
    let stored: usize = pieces
        .iter()
        .map(|piece| piece.length.min(LONGEST_PIECE))
        .sum();
    // A file may have holes, but not one that is mostly holes.
    if size < SMALLEST || size > opener.limits.output || stored < size / 2 {
        return Ok(None);
    }
    opener.spend(size as u64)?;
    let mut file = vec![0; size];
    for piece in pieces {
        opener.spend(piece.length.min(LONGEST_PIECE) as u64)?;
        let Some(contents) = unpack(piece, LONGEST_PIECE) else {
            return Ok(None);
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
    for (number, mut pieces) in files.pieces {
        let Some(file) = assemble(opener, &mut pieces)? else {
            continue;
        };
        let name = files.names.remove(&number).unwrap_or_default();
        let result = opener.attempt(|opener| {
            let text = format!("{name:?}, {} bytes in {} nodes", file.len(), pieces.len());
            opener.note(span, depth, LayerKind::Jffs2, text);
            let contents = Span {
                place: opener.new_space(),
                bytes: &file,
            };
            let kernel = opener.open(contents, depth + 1)?;
            opener.find_trees(contents, depth + 1);
            Ok(kernel)
        });
        match result {
            Ok(kernel) => return Ok(kernel),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => tried.add(error),
        }
    }
    Err(tried.into_error(|tried| Error::NoKernel {
        what: WHAT,
        place: span.place,
        tried,
    }))
}
