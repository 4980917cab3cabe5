//! Inodes and the entries of directories, as versions 3 and 4 lay them out
//! (`fs/squashfs/squashfs_fs.h`; version 3 is `squashfs_fs.h` of its own patches to
//! the kernel). Bits of version 3 are counted from the lowest.

use super::super::tree::{Node, special};
use super::le64;
use super::superblock::Layout;
use crate::bytes::{le32, u16_at};

/// No fragment.
pub(super) const NONE: u32 = u32::MAX;

/// An inode, without contents that are not needed yet.
pub(super) struct Inode {
    pub(super) permissions: u32,
    /// Which of the users.
    pub(super) user: usize,
    /// Which of the groups; none when it has the user's number.
    pub(super) group: Option<usize>,
    pub(super) contents: Contents,
}

/// What an inode stands for.
pub(super) enum Contents {
    Directory(Listing),
    File(Pieces),
    Other(Node),
}

/// Where a directory's entries stand.
pub(super) struct Listing {
    pub(super) block: u32,
    pub(super) offset: u16,
    pub(super) length: u32,
}

/// Where a file's contents lie.
pub(super) struct Pieces {
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) fragment: u32,
    pub(super) offset: u32,
    /// A size for each block.
    pub(super) blocks: Vec<u32>,
}

/// A run of entries in a directory.
pub(super) struct Run {
    pub(super) entries: u32,
    /// The block of their inodes.
    pub(super) block: u32,
    /// Where the first entry begins.
    pub(super) start: usize,
}

/// An entry of a directory.
pub(super) struct Named<'a> {
    pub(super) name: &'a [u8],
    /// Where in its block the inode begins.
    pub(super) offset: u16,
    /// Where the next entry begins.
    pub(super) end: usize,
}

impl Layout {
    /// The inode at the start of the bytes, or a type that there is not; none when it
    /// is cut off.
    pub(super) fn inode(self, bytes: &[u8], block_size: u32) -> Option<Result<Inode, u16>> {
        match self {
            Layout::Three { .. } => inode_3(bytes, block_size),
            Layout::Four => inode_4(bytes, block_size),
        }
    }

    /// The run of entries that begins at `at`.
    pub(super) fn run(self, bytes: &[u8], at: usize) -> Option<Run> {
        let (count, block, length) = match self {
            Layout::Three { .. } => (u32::from(*bytes.get(at)?), at + 1, 9),
            Layout::Four => (le32(bytes, at)?, at + 4, 12),
        };
        Some(Run {
            entries: count.saturating_add(1),
            block: le32(bytes, block)?,
            start: at + length,
        })
    }

    /// The entry that begins at `at`.
    pub(super) fn entry(self, bytes: &[u8], at: usize) -> Option<Named<'_>> {
        let half = |at| u16_at(bytes, at, scroll::LE);
        let (offset, length, name) = match self {
            Layout::Three { .. } => (half(at)? & 0x1fff, u16::from(*bytes.get(at + 2)?), at + 5),
            Layout::Four => (half(at)?, half(at + 6)?, at + 8),
        };
        let end = name + usize::from(length) + 1;
        Some(Named {
            name: bytes.get(name..end)?,
            offset,
            end,
        })
    }
}

fn inode_4(bytes: &[u8], block_size: u32) -> Option<Result<Inode, u16>> {
    let half = |at| u16_at(bytes, at, scroll::LE);
    let word = |at| le32(bytes, at);
    let pieces = |start, size, fragment: usize, list| {
        pieces(bytes, start, size, fragment, list, block_size).map(Contents::File)
    };
    let contents = match half(0)? {
        1 => Contents::Directory(Listing {
            block: word(16)?,
            offset: half(26)?,
            length: u32::from(half(24)?),
        }),
        8 => Contents::Directory(Listing {
            block: word(24)?,
            offset: half(34)?,
            length: word(20)?,
        }),
        2 => pieces(u64::from(word(16)?), u64::from(word(28)?), 20, 32)?,
        9 => pieces(le64(bytes, 16)?, le64(bytes, 24)?, 44, 56)?,
        3 | 10 => link(bytes, 24, word(20)? as usize)?,
        4 | 11 => Contents::Other(special(0o060_000, word(20)?)?),
        5 | 12 => Contents::Other(special(0o020_000, word(20)?)?),
        6 | 13 => Contents::Other(Node::Pipe),
        7 | 14 => Contents::Other(Node::Socket),
        unknown => return Some(Err(unknown)),
    };
    Some(Ok(Inode {
        permissions: u32::from(half(2)? & 0o7777),
        user: usize::from(half(4)?),
        group: Some(usize::from(half(6)?)),
        contents,
    }))
}

fn inode_3(bytes: &[u8], block_size: u32) -> Option<Result<Inode, u16>> {
    /// The group has the user's number.
    const SAME: u8 = 255;
    let half = |at| u16_at(bytes, at, scroll::LE);
    let word = |at| le32(bytes, at);
    let pieces = |start, size, fragment: usize, list| {
        pieces(bytes, start, size, fragment, list, block_size).map(Contents::File)
    };
    let head = half(0)?;
    let contents = match head & 15 {
        1 => Contents::Directory(Listing {
            block: word(20)?,
            offset: (word(16)? >> 19) as u16,
            length: word(16)? & 0x7_ffff,
        }),
        // 27 bits of length, 13 of the offset.
        8 => Contents::Directory(Listing {
            block: word(21)?,
            offset: half(19)? >> 3,
            length: word(16)? & 0x07ff_ffff,
        }),
        2 => pieces(le64(bytes, 12)?, u64::from(word(28)?), 20, 32)?,
        9 => pieces(le64(bytes, 16)?, le64(bytes, 32)?, 24, 40)?,
        3 => link(bytes, 18, usize::from(half(16)?))?,
        4 => Contents::Other(special(0o060_000, u32::from(half(16)?))?),
        5 => Contents::Other(special(0o020_000, u32::from(half(16)?))?),
        6 => Contents::Other(Node::Pipe),
        7 => Contents::Other(Node::Socket),
        unknown => return Some(Err(unknown)),
    };
    let group = *bytes.get(3)?;
    Some(Ok(Inode {
        permissions: u32::from(head >> 4),
        user: usize::from(*bytes.get(2)?),
        group: (group != SAME).then_some(usize::from(group)),
        contents,
    }))
}

fn link(bytes: &[u8], at: usize, length: usize) -> Option<Contents> {
    let target = bytes.get(at..at.checked_add(length)?)?;
    let target = String::from_utf8_lossy(target).into_owned();
    Some(Contents::Other(Node::Link(target)))
}

/// The number of the fragment and the offset in it stand at `fragment`, the sizes
/// of the blocks at `list`.
fn pieces(
    bytes: &[u8],
    start: u64,
    size: u64,
    fragment: usize,
    list: usize,
    block_size: u32,
) -> Option<Pieces> {
    let (fragment, offset) = (le32(bytes, fragment)?, le32(bytes, fragment + 4)?);
    let count = match fragment {
        NONE => size.div_ceil(u64::from(block_size)),
        _ => size / u64::from(block_size),
    };
    let length = usize::try_from(count).ok()?.checked_mul(4)?;
    let blocks = bytes.get(list..list.checked_add(length)?)?;
    Some(Pieces {
        start,
        size,
        fragment,
        offset,
        blocks: crate::bytes::words(blocks).collect(),
    })
}
