//! The superblocks of versions 3 and 4 (`struct squashfs_super_block`).

use super::super::block::Packing;
use super::le64;
use crate::bytes::{le32, u16_at};

/// Length of the superblock of version 4.
const LENGTH_4: usize = 96;
/// Length of that of version 3.
const LENGTH_3: usize = 119;
/// The largest block of contents.
const LARGEST_BLOCK: u32 = 1 << 20;
/// The first bytes.
pub(in super::super) const MAGIC: &[u8; 4] = b"hsqs";
/// Those of vendors whose blocks are LZMA, before version 4.
pub(in super::super) const VENDORS: [&[u8; 4]; 3] = [b"shsq", b"hsqt", b"zlqs"];

/// What is laid out differently in inodes, directories and blocks of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Version 3.
    Three {
        /// A byte between the length of a block and the block.
        checked: bool,
    },
    /// Version 4, in Linux since 2.6.29.
    Four,
}

/// Owners: where their numbers stand and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) at: u64,
    pub(super) count: u32,
}

/// The superblock.
pub(in super::super) struct Superblock {
    pub(super) layout: Layout,
    pub(super) packing: Packing,
    /// Bytes in use.
    pub(in super::super) used: u64,
    minor: u16,
    pub(super) block_size: u32,
    pub(super) fragments: u32,
    pub(super) users: Owners,
    /// The same as the users in version 4.
    pub(super) groups: Owners,
    pub(super) root: u64,
    pub(super) inode_table: u64,
    pub(super) directory_table: u64,
    pub(super) fragment_table: u64,
    /// Tables that are not needed here, where there are some.
    pub(super) others: [Option<u64>; 2],
}

impl Superblock {
    /// None when it is not one of version 3 or 4.
    pub(in super::super) fn read(bytes: &[u8]) -> Option<Self> {
        match u16_at(bytes, 28, scroll::LE)? {
            3 => Self::read_3(bytes),
            4 => Self::read_4(bytes),
            _ => None,
        }
    }

    fn read_4(bytes: &[u8]) -> Option<Self> {
        let half = |at| u16_at(bytes, at, scroll::LE);
        if bytes.get(..4)? != MAGIC {
            return None;
        }
        let owners = Owners {
            at: le64(bytes, 48)?,
            count: u32::from(half(26)?),
        };
        let other = |at| le64(bytes, at).filter(|&table| table != u64::MAX);
        Some(Self {
            layout: Layout::Four,
            packing: match half(20)? {
                1 => Packing::Zlib,
                2 => Packing::Lzma,
                3 => Packing::Lzo,
                4 => Packing::Xz,
                5 => Packing::Lz4,
                6 => Packing::Zstd,
                _ => return None,
            },
            used: le64(bytes, 40).filter(|&used| used >= LENGTH_4 as u64)?,
            minor: half(30)?,
            block_size: le32(bytes, 12).filter(|&size| is_block_size(size))?,
            fragments: le32(bytes, 16)?,
            users: owners,
            groups: owners,
            root: le64(bytes, 32)?,
            inode_table: le64(bytes, 64)?,
            directory_table: le64(bytes, 72)?,
            fragment_table: le64(bytes, 80)?,
            // Attributes, and inodes by their number.
            others: [other(56), other(88)],
        })
    }

    fn read_3(bytes: &[u8]) -> Option<Self> {
        /// Of the flags: blocks of tables have a byte more.
        const CHECKED: u8 = 1 << 2;
        let magic = bytes.get(..4)?;
        let block_size = le32(bytes, 51).filter(|&size| is_block_size(size))?;
        // The same again, as a power of two.
        let logarithm = u16_at(bytes, 34, scroll::LE)?;
        if (magic != MAGIC && !VENDORS.iter().any(|it| magic == *it))
            || u32::from(logarithm) != block_size.trailing_zeros()
        {
            return None;
        }
        let owners = |at, count: usize| {
            Some(Owners {
                at: le64(bytes, at)?,
                count: u32::from(*bytes.get(count)?),
            })
        };
        Some(Self {
            layout: Layout::Three {
                checked: bytes.get(36)? & CHECKED != 0,
            },
            packing: Packing::ZlibOrLzma,
            used: le64(bytes, 63).filter(|&used| used >= LENGTH_3 as u64)?,
            minor: u16_at(bytes, 30, scroll::LE)?,
            block_size,
            fragments: le32(bytes, 55)?,
            users: owners(71, 37)?,
            groups: owners(79, 38)?,
            root: le64(bytes, 43)?,
            inode_table: le64(bytes, 87)?,
            directory_table: le64(bytes, 95)?,
            fragment_table: le64(bytes, 103)?,
            others: [le64(bytes, 111).filter(|&table| table != u64::MAX), None],
        })
    }

    /// The version and how blocks are packed.
    pub(in super::super) fn text(&self) -> String {
        let version = match self.layout {
            Layout::Three { .. } => 3,
            Layout::Four => 4,
        };
        let packing = match self.packing {
            Packing::Zlib => "gzip",
            Packing::Lzma => "lzma",
            Packing::Lzo => "lzo",
            Packing::Xz => "xz",
            Packing::Lz4 => "lz4",
            Packing::Zstd => "zstd",
            Packing::ZlibOrLzma => "gzip or lzma",
        };
        format!("squashfs {version}.{}, {packing}", self.minor)
    }

    /// Where the directories end: where whatever lies behind them begins.
    pub(super) fn directory_end(&self, bytes: &[u8]) -> u64 {
        // A list of blocks lies behind its blocks; the first of them is its start.
        let list = |at: u64| {
            let first = usize::try_from(at).ok().and_then(|at| le64(bytes, at));
            Some(first?.min(at))
        };
        let owners = |owners: Owners| match self.layout {
            _ if owners.count == 0 => None,
            Layout::Three { .. } => Some(owners.at),
            Layout::Four => list(owners.at),
        };
        let fragments = match self.fragments {
            0 => None,
            _ => list(self.fragment_table),
        };
        [fragments, owners(self.users), owners(self.groups)]
            .into_iter()
            .chain(self.others.map(|other| other.and_then(list)))
            .flatten()
            .filter(|&end| end > self.directory_table)
            .fold(self.used, u64::min)
    }
}

fn is_block_size(size: u32) -> bool {
    size.is_power_of_two() && (4096..=LARGEST_BLOCK).contains(&size)
}
