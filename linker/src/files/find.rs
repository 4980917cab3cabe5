//! Superblocks, wherever they lie in an image.

use memchr::memmem;

use super::{Kind, cramfs, ext, jffs2, romfs, squashfs, ubi};

/// A file system that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Its format.
    pub kind: Kind,
    /// Offset of its first byte.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// What its superblock says, for a person.
    pub text: String,
}

/// More than this many of one format are data that happen to look so.
const MOST: usize = 64;

/// Length and description from the superblock at the start of the bytes.
type Read = fn(&[u8]) -> Option<(usize, String)>;

/// What is looked for, how far behind the start it stands, and who reads on.
const FORMATS: [(Kind, &[u8], usize, Read); 7] = [
    (Kind::Squashfs, squashfs::MAGIC, 0, squashfs),
    (Kind::Squashfs, squashfs::VENDORS[0], 0, squashfs),
    (Kind::Squashfs, squashfs::VENDORS[1], 0, squashfs),
    (Kind::Squashfs, squashfs::VENDORS[2], 0, squashfs),
    (Kind::Cramfs, &cramfs::MAGIC.to_le_bytes(), 0, cramfs),
    (Kind::Romfs, romfs::MAGIC, 0, romfs),
    (Kind::Ext, &[0x53, 0xef], ext::MAGIC_AT, ext),
];

/// All file systems in the bytes, in the order in which they lie there. What lies
/// inside of one is not looked for.
pub fn find(bytes: &[u8]) -> Vec<FileSystem> {
    let mut found = Vec::new();
    for (kind, magic, distance, read) in FORMATS {
        let hits = memmem::find_iter(bytes, magic)
            .filter_map(|hit| hit.checked_sub(distance))
            .filter_map(|offset| {
                let (len, text) = read(bytes.get(offset..)?)?;
                Some(FileSystem {
                    kind,
                    offset,
                    len,
                    text,
                })
            });
        found.extend(hits.take(MOST));
    }
    found.extend(erase_blocks(bytes));
    found.sort_by_key(|one| (one.offset, std::cmp::Reverse(one.len)));
    let mut end = 0;
    found.retain(|one| {
        let outside = one.offset >= end;
        if outside {
            end = one.offset.saturating_add(one.len);
        }
        outside
    });
    // Its nodes may be anywhere, and are looked for where nothing else is.
    let mut free = 0;
    let mut between = Vec::new();
    for one in &found {
        between.push(free..one.offset);
        free = one.offset + one.len;
    }
    between.push(free..bytes.len());
    for range in between {
        let start = range.start;
        let rest = jffs2::find(bytes.get(range).unwrap_or_default());
        found.extend(rest.map(|one| FileSystem {
            offset: start + one.offset,
            ..one
        }));
    }
    found.sort_by_key(|one| one.offset);
    found
}

fn squashfs(bytes: &[u8]) -> Option<(usize, String)> {
    let superblock = squashfs::Superblock::read(bytes)?;
    let used = usize::try_from(superblock.used).ok()?;
    (used <= bytes.len()).then(|| (used, superblock.text()))
}

fn cramfs(bytes: &[u8]) -> Option<(usize, String)> {
    cramfs::superblock(bytes).map(|(len, files)| (len, format!("cramfs, {files} files")))
}

fn romfs(bytes: &[u8]) -> Option<(usize, String)> {
    romfs::superblock(bytes).map(|len| (len, "romfs".to_owned()))
}

fn ext(bytes: &[u8]) -> Option<(usize, String)> {
    let superblock = ext::Superblock::read(bytes)?;
    let length = usize::try_from(superblock.length()).ok()?;
    // Images are often cut off behind the last block in use.
    let text = format!("ext{}", superblock.generation);
    Some((length.min(bytes.len()), text))
}

fn erase_blocks(bytes: &[u8]) -> Option<FileSystem> {
    let run = ubi::find(bytes)?;
    let len = (run.count * run.block).min(bytes.len() - run.offset);
    Some(FileSystem {
        kind: Kind::Ubi,
        offset: run.offset,
        len,
        text: format!("UBI, {} erase blocks of {} KiB", run.count, run.block >> 10),
    })
}
