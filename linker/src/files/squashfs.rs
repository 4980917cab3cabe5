//! squashfs 4 (`fs/squashfs/squashfs_fs.h`), which nearly all routers and cameras
//! have for their root.
//!
//! Inodes and directories lie in two tables of compressed blocks of 8 KiB each. A
//! reference is the distance of a block from its table's start and an offset in
//! what the block gives. Contents are blocks too, and the rest of a file may lie
//! with that of others in a fragment.

use std::collections::BTreeMap;
use std::ops::Range;

use super::block::{self, Packing};
use super::tree::{Builder, Entry, Folder, Node, special};
use super::{Error, Kind};
use crate::bytes::{le32, u16_at};

const KIND: Kind = Kind::Squashfs;
/// Length of the superblock.
pub(super) const SUPERBLOCK: usize = 96;
/// What a block of the tables gives at most.
const METADATA: usize = 8192;
/// The largest block of contents.
const LARGEST_BLOCK: u32 = 1 << 20;
/// No fragment, or no table.
const NONE: u32 = u32::MAX;
/// A fragment's entry, and how many are in a block of the table of them.
const FRAGMENT: usize = 16;

/// The superblock.
pub(super) struct Superblock {
    pub(super) packing: Packing,
    /// Bytes in use.
    pub(super) used: u64,
    pub(super) minor: u16,
    block_size: u32,
    fragments: u32,
    ids: u32,
    root: u64,
    id_table: u64,
    inode_table: u64,
    directory_table: u64,
    fragment_table: u64,
}

impl Superblock {
    /// None when it is not one of version 4.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let half = |at| u16_at(bytes, at, scroll::LE);
        if bytes.get(..4)? != b"hsqs" || half(28)? != 4 {
            return None;
        }
        let block_size = le32(bytes, 12)?;
        if !block_size.is_power_of_two() || !(4096..=LARGEST_BLOCK).contains(&block_size) {
            return None;
        }
        Some(Self {
            packing: match half(20)? {
                1 => Packing::Zlib,
                2 => Packing::Lzma,
                3 => Packing::Lzo,
                4 => Packing::Xz,
                5 => Packing::Lz4,
                6 => Packing::Zstd,
                _ => return None,
            },
            used: le64(bytes, 40).filter(|&used| used >= SUPERBLOCK as u64)?,
            minor: half(30)?,
            block_size,
            fragments: le32(bytes, 16)?,
            ids: u32::from(half(26)?),
            root: le64(bytes, 32)?,
            id_table: le64(bytes, 48)?,
            inode_table: le64(bytes, 64)?,
            directory_table: le64(bytes, 72)?,
            fragment_table: le64(bytes, 80)?,
        })
    }

    /// The compression's name.
    pub(super) fn compression(&self) -> &'static str {
        match self.packing {
            Packing::Zlib => "gzip",
            Packing::Lzma => "lzma",
            Packing::Lzo => "lzo",
            Packing::Xz => "xz",
            Packing::Lz4 => "lz4",
            Packing::Zstd => "zstd",
        }
    }
}

fn le64(bytes: &[u8], offset: usize) -> Option<u64> {
    let low = le32(bytes, offset)?;
    let high = le32(bytes, offset.checked_add(4)?)?;
    Some(u64::from(high) << 32 | u64::from(low))
}

fn outside(what: &'static str, offset: u64) -> Error {
    Error::Outside {
        kind: KIND,
        what,
        offset,
    }
}

/// A table whose blocks were decoded.
struct Table {
    start: u64,
    bytes: Vec<u8>,
    /// Where the contents of the block at a distance from the start begin.
    blocks: BTreeMap<u64, usize>,
}

impl Table {
    /// The bytes from a reference on.
    fn at(&self, block: u64, offset: u64) -> Option<&[u8]> {
        let start = *self.blocks.get(&block)?;
        self.bytes.get(start.checked_add(offset as usize)?..)
    }
}

struct Reader<'a, 'b> {
    bytes: &'a [u8],
    superblock: Superblock,
    tree: &'b mut Builder,
    inodes: Table,
    directories: Table,
    /// Start and size of each.
    fragments: Vec<(u64, u32)>,
    ids: Vec<u32>,
    /// The fragment that was decoded last: most neighbours share it.
    fragment: Option<(u32, Vec<u8>)>,
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], tree: &mut Builder) -> Result<(), Error> {
    let superblock = Superblock::read(bytes).ok_or(outside("superblock of version 4", 0))?;
    let used = usize::try_from(superblock.used).unwrap_or(usize::MAX);
    let bytes = bytes.get(..used).unwrap_or(bytes);
    let packing = superblock.packing;
    let mut table = |range: Range<u64>| table(bytes, packing, range, tree);
    let inodes = table(superblock.inode_table..superblock.directory_table)?;
    let directories = table(superblock.directory_table..directory_end(bytes, &superblock))?;
    let fragments = list(
        bytes,
        &superblock,
        tree,
        superblock.fragment_table,
        superblock.fragments,
        FRAGMENT,
    )?;
    let ids = list(
        bytes,
        &superblock,
        tree,
        superblock.id_table,
        superblock.ids,
        4,
    )?;
    let mut reader = Reader {
        bytes,
        tree,
        inodes,
        directories,
        fragments: fragments
            .chunks_exact(FRAGMENT)
            .filter_map(|entry| Some((le64(entry, 0)?, le32(entry, 8)?)))
            .collect(),
        ids: crate::bytes::words(&ids).collect(),
        fragment: None,
        superblock,
    };
    let root = reader.superblock.root;
    match reader.inode(root)? {
        (_, Contents::Directory(listing)) => reader.directory(&Folder::default(), listing),
        _ => Err(Error::Field {
            kind: KIND,
            field: "inode of the root",
            offset: root,
            found: root,
            expected: "a directory's",
        }),
    }
}

/// The directories end where whatever lies behind them begins.
fn directory_end(bytes: &[u8], superblock: &Superblock) -> u64 {
    let lists = [
        (superblock.fragment_table, superblock.fragments),
        (superblock.id_table, superblock.ids),
    ];
    // A list of blocks lies behind its blocks; the first of them is its start.
    let blocks = lists
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .filter_map(|(at, _)| Some(le64(bytes, usize::try_from(at).ok()?)?.min(at)));
    // That of inodes by number is optional, and so is that of attributes.
    let others = [56, 88].into_iter().filter_map(|at| {
        let table = le64(bytes, at).filter(|&table| table != u64::MAX)?;
        Some(le64(bytes, usize::try_from(table).ok()?)?.min(table))
    });
    blocks
        .chain(others)
        .filter(|&end| end > superblock.directory_table)
        .fold(superblock.used, u64::min)
}

/// Decodes the blocks of a range.
fn table(
    bytes: &[u8],
    packing: Packing,
    range: Range<u64>,
    tree: &mut Builder,
) -> Result<Table, Error> {
    let mut table = Table {
        start: range.start,
        bytes: Vec::new(),
        blocks: BTreeMap::new(),
    };
    let mut at = range.start;
    while at < range.end {
        table.blocks.insert(at - range.start, table.bytes.len());
        let (contents, next) = metadata(bytes, packing, at, tree)?;
        tree.check_contents(table.bytes.len() as u64)?;
        table.bytes.extend(contents);
        at = next;
    }
    Ok(table)
}

/// Decodes the block of a table at an offset; gives also where the next begins.
fn metadata(
    bytes: &[u8],
    packing: Packing,
    at: u64,
    tree: &mut Builder,
) -> Result<(Vec<u8>, u64), Error> {
    let missing = || outside("block of a table", at);
    let start = usize::try_from(at).map_err(|_| missing())?;
    let header = u16_at(bytes, start, scroll::LE).ok_or_else(missing)?;
    let length = usize::from(header & 0x7fff);
    let data = start
        .checked_add(2)
        .and_then(|start| bytes.get(start..start.checked_add(length)?))
        .ok_or_else(missing)?;
    tree.spend(METADATA as u64)?;
    let contents = match header & 0x8000 {
        0 => block::unpack(packing, data, METADATA).map_err(|why| broken(at, why))?,
        _ => data.to_vec(),
    };
    Ok((contents, at + 2 + length as u64))
}

fn broken(offset: u64, why: String) -> Error {
    Error::Block {
        kind: KIND,
        offset,
        why,
    }
}

/// Decodes a list of entries of one size: a list of the places of its blocks
/// stands at `at`.
fn list(
    bytes: &[u8],
    superblock: &Superblock,
    tree: &mut Builder,
    at: u64,
    count: u32,
    size: usize,
) -> Result<Vec<u8>, Error> {
    let length = count as usize * size;
    let mut result = Vec::new();
    let mut place = at;
    while result.len() < length {
        let block = usize::try_from(place)
            .ok()
            .and_then(|place| le64(bytes, place))
            .ok_or(outside("list of blocks", place))?;
        let (contents, _) = metadata(bytes, superblock.packing, block, tree)?;
        if contents.is_empty() {
            return Err(outside("entries of a list", block));
        }
        result.extend(contents);
        place = place.saturating_add(8);
    }
    result.truncate(length);
    Ok(result)
}

/// What an inode stands for, without contents that are not needed yet.
enum Contents {
    Directory(Listing),
    File(Pieces),
    Other(Node),
}

/// Where a directory's entries stand.
struct Listing {
    block: u32,
    offset: u16,
    length: u32,
}

/// Where a file's contents lie.
struct Pieces {
    start: u64,
    size: u64,
    fragment: u32,
    offset: u32,
    /// A size for each block.
    blocks: Vec<u32>,
}

impl Reader<'_, '_> {
    /// An inode by its reference.
    fn inode(&self, reference: u64) -> Result<(Entry, Contents), Error> {
        let missing = || outside("inode", self.inodes.start.saturating_add(reference >> 16));
        let bytes = self
            .inodes
            .at(reference >> 16, reference & 0xffff)
            .ok_or_else(missing)?;
        self.parse(bytes).ok_or_else(missing)?
    }

    /// None when it is cut off.
    fn parse(&self, bytes: &[u8]) -> Option<Result<(Entry, Contents), Error>> {
        let half = |at| u16_at(bytes, at, scroll::LE);
        let word = |at| le32(bytes, at);
        let kind = half(0)?;
        let id = |index: u16| self.ids.get(usize::from(index)).copied().unwrap_or(0);
        let entry = Entry {
            permissions: u32::from(half(2)? & 0o7777),
            user: id(half(4)?),
            group: id(half(6)?),
            node: Node::Directory,
        };
        let contents = match kind {
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
            2 => Contents::File(self.pieces(
                bytes,
                u64::from(word(16)?),
                u64::from(word(28)?),
                [word(20)?, word(24)?],
                32,
            )?),
            9 => Contents::File(self.pieces(
                bytes,
                le64(bytes, 16)?,
                le64(bytes, 24)?,
                [word(44)?, word(48)?],
                56,
            )?),
            3 | 10 => {
                let length = word(20)? as usize;
                let target = bytes.get(24..24usize.checked_add(length)?)?;
                Contents::Other(Node::Link(String::from_utf8_lossy(target).into_owned()))
            }
            4 | 11 => Contents::Other(special(0o060_000, word(20)?)?),
            5 | 12 => Contents::Other(special(0o020_000, word(20)?)?),
            6 | 13 => Contents::Other(Node::Pipe),
            7 | 14 => Contents::Other(Node::Socket),
            _ => {
                return Some(Err(Error::Field {
                    kind: KIND,
                    field: "type of an inode",
                    offset: self.inodes.start,
                    found: u64::from(kind),
                    expected: "1 to 14",
                }));
            }
        };
        Some(Ok((entry, contents)))
    }

    fn pieces(
        &self,
        bytes: &[u8],
        start: u64,
        size: u64,
        [fragment, offset]: [u32; 2],
        list: usize,
    ) -> Option<Pieces> {
        let block_size = u64::from(self.superblock.block_size);
        let count = match fragment {
            NONE => size.div_ceil(block_size),
            _ => size / block_size,
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

    /// Adds all that is in a directory.
    fn directory(&mut self, folder: &Folder, listing: Listing) -> Result<(), Error> {
        // The length counts two entries that are not there, and is three at least.
        let mut left = (listing.length as usize).saturating_sub(3);
        let place = u64::from(listing.block);
        let missing = || outside("directory", place);
        let bytes = self
            .directories
            .at(place, u64::from(listing.offset))
            .and_then(|bytes| bytes.get(..left))
            .ok_or_else(missing)?
            .to_vec();
        self.tree.spend(left as u64)?;
        let mut at = 0;
        while left > 0 {
            let count = le32(&bytes, at).ok_or_else(missing)?.saturating_add(1);
            let block = le32(&bytes, at + 4).ok_or_else(missing)?;
            at += 12;
            for _ in 0..count {
                let half = |at| u16_at(&bytes, at, scroll::LE).ok_or_else(missing);
                let offset = half(at)?;
                let length = usize::from(half(at + 6)?) + 1;
                let name = bytes.get(at + 8..at + 8 + length).ok_or_else(missing)?;
                self.entry(folder, name, u64::from(block) << 16 | u64::from(offset))?;
                at += 8 + length;
            }
            left = bytes.len().saturating_sub(at);
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Folder, name: &[u8], reference: u64) -> Result<(), Error> {
        let (mut entry, contents) = self.inode(reference)?;
        let listing = match contents {
            Contents::Directory(listing) => Some(listing),
            Contents::File(pieces) => {
                entry.node = Node::File(self.file(&pieces)?);
                None
            }
            Contents::Other(node) => {
                entry.node = node;
                None
            }
        };
        let inside = self.tree.add(folder, name, entry)?;
        match listing {
            Some(listing) => self.directory(&inside, listing),
            None => Ok(()),
        }
    }

    fn file(&mut self, pieces: &Pieces) -> Result<Vec<u8>, Error> {
        self.tree.check_contents(pieces.size)?;
        let block_size = self.superblock.block_size as usize;
        // The limit was checked.
        let size = pieces.size as usize;
        let mut contents = Vec::new();
        let mut at = pieces.start;
        for &stored in &pieces.blocks {
            let length = block_size.min(size - contents.len());
            let end = contents.len() + length;
            // A block of zeros is not stored.
            if stored != 0 {
                contents.extend(self.block(at, stored)?);
                at = at.saturating_add(u64::from(stored & 0x00ff_ffff));
            }
            contents.resize(end, 0);
        }
        if pieces.fragment != NONE {
            let start = pieces.offset as usize;
            let length = size - contents.len();
            let fragment = self.fragment(pieces.fragment)?;
            let rest = fragment
                .get(start..start.saturating_add(length))
                .ok_or(outside("rest of a file in a fragment", pieces.start))?;
            contents.extend_from_slice(rest);
        }
        Ok(contents)
    }

    /// Decodes a block of contents. A bit of its size says that it is stored.
    fn block(&mut self, at: u64, stored: u32) -> Result<Vec<u8>, Error> {
        const PLAIN: u32 = 1 << 24;
        let block_size = self.superblock.block_size as usize;
        let length = (stored & (PLAIN - 1)) as usize;
        let data = usize::try_from(at)
            .ok()
            .and_then(|start| self.bytes.get(start..start.checked_add(length)?))
            .ok_or(outside("block of a file", at))?;
        self.tree.spend(block_size as u64)?;
        if stored & PLAIN != 0 {
            return Ok(data.to_vec());
        }
        block::unpack(self.superblock.packing, data, block_size).map_err(|why| broken(at, why))
    }

    fn fragment(&mut self, number: u32) -> Result<&[u8], Error> {
        if self
            .fragment
            .as_ref()
            .is_none_or(|(known, _)| *known != number)
        {
            let (start, stored) = self
                .fragments
                .get(number as usize)
                .copied()
                .ok_or(outside("fragment", self.superblock.fragment_table))?;
            let contents = self.block(start, stored)?;
            self.fragment = Some((number, contents));
        }
        Ok(self.fragment.as_ref().map_or(&[], |(_, bytes)| bytes))
    }
}
