//! ext2, ext3 and ext4 (`fs/ext4/ext4.h`, `Documentation/filesystems/ext4`):
//! read as it was left, without its journal.

use super::tree::{Builder, Entry, Folder, Node, special};
use super::{Error, Kind};
use crate::bytes::{le32, part, u16_at};

const KIND: Kind = Kind::Ext;
/// Where the superblock lies.
const SUPERBLOCK: usize = 1024;
const MAGIC: u16 = 0xef53;
/// Where the magic number stands from the file system's start.
pub(super) const MAGIC_AT: usize = SUPERBLOCK + 56;
const ROOT: u32 = 2;

/// Features that change what this reader looks at, all but those that it knows:
/// types in directories, recovery needed, extents, 64 bits, groups that share
/// their tables, large directories, checksums' seed.
const KNOWN: u32 = 0x2 | 0x4 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x4000;
const WIDE: u32 = 0x80;
/// Flags of an inode.
const EXTENTS: u32 = 0x8_0000;
const INLINE: u32 = 0x1000_0000;

/// What the superblock says.
pub(super) struct Superblock {
    block_size: usize,
    blocks: u64,
    inodes_per_group: u32,
    inode_size: usize,
    descriptor_size: usize,
    first_block: u32,
    features: u32,
    /// ext2, ext3 or ext4, by its features.
    pub(super) generation: u32,
}

impl Superblock {
    /// None when the bytes are no such file system.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| le32(bytes, SUPERBLOCK + at);
        let half = |at: usize| u16_at(bytes, SUPERBLOCK + at, scroll::LE);
        if half(56)? != MAGIC || word(24)? > 6 {
            return None;
        }
        let block_size = 1024usize << word(24)?;
        let old = word(76)? == 0;
        let features = if old { 0 } else { word(96)? };
        let inode_size = if old { 128 } else { usize::from(half(88)?) };
        let superblock = Self {
            block_size,
            blocks: u64::from(word(4)?),
            inodes_per_group: word(40)?,
            inode_size,
            descriptor_size: match features & WIDE {
                0 => 32,
                _ => usize::from(half(254)?),
            },
            first_block: word(20)?,
            features,
            generation: match (features & (0x40 | WIDE | 0x200), word(92)? & 4) {
                (0, 0) => 2,
                (0, _) => 3,
                _ => 4,
            },
        };
        // Blocks in a group are bits of a block.
        let sane = superblock.first_block == u32::from(block_size == 1024)
            && superblock.blocks != 0
            && (1..=block_size as u32 * 8).contains(&superblock.inodes_per_group)
            && (1..=block_size as u32 * 8).contains(&word(32)?)
            && inode_size.is_power_of_two()
            && (128..=block_size).contains(&inode_size)
            && (32..=block_size).contains(&superblock.descriptor_size);
        sane.then_some(superblock)
    }

    /// Length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size as u64)
    }
}

fn outside(what: &'static str, offset: u64) -> Error {
    Error::Outside {
        kind: KIND,
        what,
        offset,
    }
}

struct Reader<'a, 'b> {
    bytes: &'a [u8],
    superblock: Superblock,
    tree: &'b mut Builder,
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], tree: &mut Builder) -> Result<(), Error> {
    let superblock = Superblock::read(bytes).ok_or(outside("superblock", SUPERBLOCK as u64))?;
    let unknown = superblock.features & !KNOWN;
    if unknown != 0 {
        return Err(Error::Unsupported {
            kind: KIND,
            what: format!("incompatible feature {unknown:#x}"),
        });
    }
    let mut reader = Reader {
        bytes,
        superblock,
        tree,
    };
    let root = reader.inode(ROOT)?;
    reader.directory(&Folder::default(), root)
}

impl<'a> Reader<'a, '_> {
    /// The bytes of an inode.
    fn inode(&self, number: u32) -> Result<&'a [u8], Error> {
        let all = &self.superblock;
        let missing = || outside("inode", u64::from(number));
        let index = number.checked_sub(1).ok_or_else(missing)?;
        let (group, index) = (index / all.inodes_per_group, index % all.inodes_per_group);
        let descriptors = (all.first_block as usize + 1) * all.block_size;
        let descriptor = descriptors + group as usize * all.descriptor_size;
        let low = le32(self.bytes, descriptor + 8).ok_or_else(missing)?;
        let high = match all.descriptor_size > 32 {
            true => le32(self.bytes, descriptor + 40).ok_or_else(missing)?,
            false => 0,
        };
        let table = u64::from(high) << 32 | u64::from(low);
        let start = usize::try_from(table)
            .ok()
            .and_then(|table| table.checked_mul(all.block_size))
            .and_then(|table| table.checked_add(index as usize * all.inode_size))
            .ok_or_else(missing)?;
        self.bytes
            .get(start..start.saturating_add(all.inode_size))
            .ok_or_else(missing)
    }

    fn directory(&mut self, folder: &Folder, inode: &[u8]) -> Result<(), Error> {
        let list = self.contents(inode)?;
        let mut at = 0;
        while let (Some(number), Some(length)) =
            (le32(&list, at), u16_at(&list, at + 4, scroll::LE))
        {
            let name_length = usize::from(list.get(at + 6).copied().unwrap_or(0));
            let name = part(&list, at + 8, name_length);
            if length < 8 {
                return Err(Error::Field {
                    kind: KIND,
                    field: "length of an entry",
                    offset: at as u64,
                    found: length.into(),
                    expected: "at least 8",
                });
            }
            at += usize::from(length);
            if number != 0 && !matches!(name, b"" | b"." | b"..") {
                self.entry(folder, name, number)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, folder: &Folder, name: &[u8], number: u32) -> Result<(), Error> {
        let inode = self.inode(number)?;
        let half = |at| u16_at(inode, at, scroll::LE).unwrap_or(0);
        let mode = u32::from(half(0));
        // Where the blocks' numbers would be; the older encoding first.
        let device = [40, 44].map(|at| le32(inode, at).unwrap_or(0));
        let node = match mode >> 12 {
            0o04 => Node::Directory,
            0o10 => Node::File(self.contents(inode)?),
            0o12 => {
                let target = self.contents(inode)?;
                Node::Link(String::from_utf8_lossy(&target).into_owned())
            }
            _ => special(mode, if device[0] != 0 { device[0] } else { device[1] }).ok_or(
                Error::Field {
                    kind: KIND,
                    field: "mode of a file",
                    offset: number.into(),
                    found: mode.into(),
                    expected: "a known type of file",
                },
            )?,
        };
        let is_folder = node == Node::Directory;
        let entry = Entry {
            permissions: mode & 0o7777,
            user: half(2).into(),
            group: half(24).into(),
            node,
        };
        let inside = self.tree.add(folder, name, entry)?;
        match is_folder {
            true => self.directory(&inside, inode),
            false => Ok(()),
        }
    }

    /// All contents of an inode.
    fn contents(&mut self, inode: &[u8]) -> Result<Vec<u8>, Error> {
        let word = |at| le32(inode, at).unwrap_or(0);
        let is_file = word(0) >> 12 & 15 == 0o10;
        let size = u64::from(word(4))
            | if is_file {
                u64::from(word(108)) << 32
            } else {
                0
            };
        let flags = word(32);
        let inside = part(inode, 40, 60);
        if flags & INLINE != 0 {
            return Err(Error::Unsupported {
                kind: KIND,
                what: "a file inside its inode".to_owned(),
            });
        }
        self.tree.check_contents(size)?;
        // The limit was checked.
        let size = size as usize;
        // A short link is where others have the numbers of their blocks.
        if word(0) >> 12 & 15 == 0o12 && size < inside.len() && flags & EXTENTS == 0 {
            return Ok(part(inside, 0, size).to_vec());
        }
        self.tree.spend(size as u64)?;
        let mut file = vec![0; size];
        if flags & EXTENTS != 0 {
            self.extents(inside, 0, &mut file)?;
        } else {
            let mut next = 0;
            for (index, number) in crate::bytes::words(inside).enumerate() {
                // Three of them are tables of tables.
                let level = index.saturating_sub(11);
                self.mapped(number, level, &mut next, &mut file)?;
            }
        }
        Ok(file)
    }

    /// Copies blocks to where they belong in a file.
    fn copy(&self, block: u64, at: u64, file: &mut [u8]) -> Result<(), Error> {
        let size = self.superblock.block_size;
        let place = usize::try_from(at)
            .ok()
            .and_then(|at| at.checked_mul(size))
            .and_then(|start| file.get_mut(start..));
        let Some(place) = place else {
            return Ok(());
        };
        let length = size.min(place.len());
        let data = self.block(block)?;
        place[..length].copy_from_slice(&data[..length]);
        Ok(())
    }

    fn block(&self, number: u64) -> Result<&'a [u8], Error> {
        let size = self.superblock.block_size;
        let start = usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_mul(size));
        start
            .and_then(|start| self.bytes.get(start..start.checked_add(size)?))
            .ok_or(outside("block", number.saturating_mul(size as u64)))
    }

    /// A block of the file, or a table of such; `next` counts blocks of the file.
    fn mapped(
        &mut self,
        number: u32,
        level: usize,
        next: &mut u64,
        file: &mut [u8],
    ) -> Result<(), Error> {
        let size = self.superblock.block_size;
        if *next >= file.len().div_ceil(size) as u64 {
            return Ok(());
        }
        if level == 0 {
            if number != 0 {
                self.copy(number.into(), *next, file)?;
            }
            *next += 1;
            return Ok(());
        }
        // A hole as large as the table.
        if number == 0 {
            *next += (size as u64 / 4).pow(level as u32);
            return Ok(());
        }
        self.tree.spend(size as u64)?;
        for number in crate::bytes::words(self.block(number.into())?) {
            self.mapped(number, level - 1, next, file)?;
        }
        Ok(())
    }

    /// A node of the tree of extents (`fs/ext4/ext4_extents.h`).
    fn extents(&mut self, node: &[u8], depth: u32, file: &mut [u8]) -> Result<(), Error> {
        const MAGIC: u16 = 0xf30a;
        /// As deep as any is.
        const DEEPEST: u32 = 5;
        /// Longer ones are set aside and have no contents.
        const LONGEST: u16 = 32768;
        let half = |at| u16_at(node, at, scroll::LE).unwrap_or(0);
        if half(0) != MAGIC || depth > DEEPEST {
            return Err(Error::Field {
                kind: KIND,
                field: "magic number of extents",
                offset: 0,
                found: half(0).into(),
                expected: "0xf30a",
            });
        }
        self.tree.spend(0)?;
        for index in 0..usize::from(half(2)) {
            let at = 12 + index * 12;
            let word = |offset: usize| le32(node, at + offset).ok_or(outside("extent", at as u64));
            if half(6) != 0 {
                let block = u64::from(word(4)?) | u64::from(half(at + 8)) << 32;
                let below = self.block(block)?;
                self.extents(below, depth + 1, file)?;
                continue;
            }
            let start = u64::from(word(8)?) | u64::from(half(at + 6)) << 32;
            let first = u64::from(word(0)?);
            let length = half(at + 4);
            if length > LONGEST {
                continue;
            }
            self.tree
                .spend(u64::from(length) * self.superblock.block_size as u64)?;
            for number in 0..u64::from(length) {
                self.copy(start.saturating_add(number), first + number, file)?;
            }
        }
        Ok(())
    }
}
