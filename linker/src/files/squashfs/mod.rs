//! squashfs 3 and 4, which nearly all routers and cameras have for their root.
//!
//! * `superblock`: where everything is
//! * `inode`: the forms in which the two versions write the same things
//!
//! Inodes and directories lie in two tables of compressed blocks of 8 KiB each. A
//! reference is the distance of a block from its table's start and an offset in
//! what the block gives. Contents are blocks too, and the rest of a file may lie
//! with that of others in a fragment.

mod inode;
mod superblock;

use std::collections::BTreeMap;
use std::ops::Range;

use super::block;
use super::tree::{Builder, Entry, Folder, Node};
use super::{Error, Kind};
use crate::bytes::{le32, u16_at};
use inode::{Contents, Listing, NONE, Pieces};
use superblock::{Layout, Owners};
pub(super) use superblock::{MAGIC, Superblock, VENDORS};

const KIND: Kind = Kind::Squashfs;
/// What a block of the tables gives at most.
const METADATA: usize = 8192;
/// A fragment's entry, and how many are in a block of the table of them.
const FRAGMENT: usize = 16;

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
    users: Vec<u32>,
    groups: Vec<u32>,
    /// The fragment that was decoded last: most neighbours share it.
    fragment: Option<(u32, Vec<u8>)>,
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], tree: &mut Builder) -> Result<(), Error> {
    let superblock = Superblock::read(bytes).ok_or(outside("superblock of version 3 or 4", 0))?;
    let used = usize::try_from(superblock.used).unwrap_or(usize::MAX);
    let bytes = bytes.get(..used).unwrap_or(bytes);
    let mut table = |range: Range<u64>| table(bytes, &superblock, range, tree);
    let inodes = table(superblock.inode_table..superblock.directory_table)?;
    let directories = table(superblock.directory_table..superblock.directory_end(bytes))?;
    let fragments = list(
        bytes,
        &superblock,
        tree,
        superblock.fragment_table,
        superblock.fragments as usize * FRAGMENT,
    )?;
    let mut owners = |owners| owner_numbers(bytes, &superblock, tree, owners);
    let users = owners(superblock.users)?;
    let groups = owners(superblock.groups)?;
    let mut reader = Reader {
        bytes,
        tree,
        inodes,
        directories,
        fragments: fragments
            .chunks_exact(FRAGMENT)
            .filter_map(|entry| Some((le64(entry, 0)?, le32(entry, 8)?)))
            .collect(),
        users,
        groups,
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

/// The numbers of users or groups, which version 3 has as they are.
fn owner_numbers(
    bytes: &[u8],
    superblock: &Superblock,
    tree: &mut Builder,
    owners: Owners,
) -> Result<Vec<u32>, Error> {
    let length = owners.count as usize * 4;
    let numbers = match superblock.layout {
        Layout::Three { .. } => usize::try_from(owners.at)
            .ok()
            .and_then(|at| bytes.get(at..at.checked_add(length)?))
            .ok_or(outside("numbers of owners", owners.at))?
            .to_vec(),
        Layout::Four => list(bytes, superblock, tree, owners.at, length)?,
    };
    Ok(crate::bytes::words(&numbers).collect())
}

/// Decodes the blocks of a range.
fn table(
    bytes: &[u8],
    superblock: &Superblock,
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
        let (contents, next) = metadata(bytes, superblock, at, tree)?;
        tree.check_contents(table.bytes.len() as u64)?;
        table.bytes.extend(contents);
        at = next;
    }
    Ok(table)
}

/// Decodes the block of a table at an offset; gives also where the next begins.
fn metadata(
    bytes: &[u8],
    superblock: &Superblock,
    at: u64,
    tree: &mut Builder,
) -> Result<(Vec<u8>, u64), Error> {
    let missing = || outside("block of a table", at);
    let start = usize::try_from(at).map_err(|_| missing())?;
    let header = u16_at(bytes, start, scroll::LE).ok_or_else(missing)?;
    let (mut length, mut head) = (usize::from(header & 0x7fff), 2);
    if let Layout::Three { checked } = superblock.layout {
        head += usize::from(checked);
        if length == 0 {
            length = 0x8000;
        }
    }
    let data = start
        .checked_add(head)
        .and_then(|start| bytes.get(start..start.checked_add(length)?))
        .ok_or_else(missing)?;
    tree.spend(METADATA as u64)?;
    let contents = match header & 0x8000 {
        0 => block::unpack(superblock.packing, data, METADATA).map_err(|why| broken(at, why))?,
        _ => data.to_vec(),
    };
    Ok((contents, at + (head + length) as u64))
}

fn broken(offset: u64, why: String) -> Error {
    Error::Block {
        kind: KIND,
        offset,
        why,
    }
}

/// Decodes a list of `length` bytes: a list of the places of its blocks stands at
/// `at`.
fn list(
    bytes: &[u8],
    superblock: &Superblock,
    tree: &mut Builder,
    at: u64,
    length: usize,
) -> Result<Vec<u8>, Error> {
    let mut result = Vec::new();
    let mut place = at;
    while result.len() < length {
        let block = usize::try_from(place)
            .ok()
            .and_then(|place| le64(bytes, place))
            .ok_or(outside("list of blocks", place))?;
        let (contents, _) = metadata(bytes, superblock, block, tree)?;
        if contents.is_empty() {
            return Err(outside("entries of a list", block));
        }
        result.extend(contents);
        place = place.saturating_add(8);
    }
    result.truncate(length);
    Ok(result)
}

impl Reader<'_, '_> {
    /// An inode by its reference.
    fn inode(&self, reference: u64) -> Result<(Entry, Contents), Error> {
        let place = self.inodes.start.saturating_add(reference >> 16);
        let inode = self
            .inodes
            .at(reference >> 16, reference & 0xffff)
            .and_then(|bytes| {
                let superblock = &self.superblock;
                superblock.layout.inode(bytes, superblock.block_size)
            })
            .ok_or_else(|| outside("inode", place))?
            .map_err(|kind| Error::Field {
                kind: KIND,
                field: "type of an inode",
                offset: place,
                found: u64::from(kind),
                expected: "1 to 14",
            })?;
        let number = |list: &[u32], index: usize| list.get(index).copied().unwrap_or(0);
        let user = number(&self.users, inode.user);
        let entry = Entry {
            permissions: inode.permissions,
            user,
            group: inode
                .group
                .map_or(user, |group| number(&self.groups, group)),
            node: Node::Directory,
        };
        Ok((entry, inode.contents))
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
        let layout = self.superblock.layout;
        let mut at = 0;
        while left > 0 {
            let run = layout.run(&bytes, at).ok_or_else(missing)?;
            at = run.start;
            for _ in 0..run.entries {
                let entry = layout.entry(&bytes, at).ok_or_else(missing)?;
                let reference = u64::from(run.block) << 16 | u64::from(entry.offset);
                self.entry(folder, entry.name, reference)?;
                at = entry.end;
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
