//! cramfs (`include/uapi/linux/cramfs_fs.h`, `fs/cramfs/README`): blocks of 4 KiB,
//! each compressed with zlib.

use super::block::{self, Packing};
use super::tree::{Builder, Entry, Folder, Node, special};
use super::{Error, Kind};
use crate::bytes::{le32, part};

const KIND: Kind = Kind::Cramfs;
pub(super) const MAGIC: u32 = 0x28cd_3d45;
pub(super) const SIGNATURE: &[u8] = b"Compressed ROMFS";
/// Where the root's inode stands, in the superblock.
const ROOT: usize = 64;
const INODE: usize = 12;
const BLOCK: usize = 4096;
/// Flag: block pointers say how they are to be read (`EXT_BLOCK_POINTERS`).
const EXTENDED: u32 = 0x800;
/// Of such a pointer: stored as it is; at an address of its own.
const PLAIN: u32 = 1 << 31;
const DIRECT: u32 = 1 << 30;

/// An inode's three words.
struct Inode {
    mode: u32,
    user: u32,
    size: u32,
    group: u32,
    name: usize,
    offset: usize,
}

impl Inode {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let [first, second, third] = [0, 4, 8].map(|part| le32(bytes, at.checked_add(part)?));
        let (first, second, third) = (first?, second?, third?);
        Some(Self {
            mode: first & 0xffff,
            user: first >> 16,
            size: second & 0x00ff_ffff,
            group: second >> 24,
            name: (third as usize & 0x3f) * 4,
            offset: (third >> 6) as usize * 4,
        })
    }
}

/// Length in bytes and number of files, when the bytes begin with a superblock.
pub(super) fn superblock(bytes: &[u8]) -> Option<(usize, u32)> {
    let size = le32(bytes, 4)? as usize;
    let sane = le32(bytes, 0)? == MAGIC
        && part(bytes, 16, 16) == SIGNATURE
        && (ROOT + INODE..=bytes.len()).contains(&size);
    sane.then(|| Some((size, le32(bytes, 44)?)))?
}

fn outside(what: &'static str, offset: usize) -> Error {
    Error::Outside {
        kind: KIND,
        what,
        offset: offset as u64,
    }
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], tree: &mut Builder) -> Result<(), Error> {
    superblock(bytes).ok_or(outside("superblock", 0))?;
    let root = Inode::read(bytes, ROOT).ok_or(outside("root", ROOT))?;
    directory(bytes, tree, &Folder::default(), &root)
}

fn directory(
    bytes: &[u8],
    tree: &mut Builder,
    folder: &Folder,
    inode: &Inode,
) -> Result<(), Error> {
    let mut at = inode.offset;
    let end = at.saturating_add(inode.size as usize);
    while at < end {
        let child = Inode::read(bytes, at).ok_or(outside("inode", at))?;
        let name = part(bytes, at + INODE, child.name);
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        at += INODE + child.name;
        let kind = child.mode >> 12 & 15;
        let node = match kind {
            0o04 => Node::Directory,
            0o10 => Node::File(contents(bytes, tree, &child)?),
            0o12 => {
                let target = contents(bytes, tree, &child)?;
                Node::Link(String::from_utf8_lossy(&target).into_owned())
            }
            _ => special(child.mode, child.size).ok_or(Error::Field {
                kind: KIND,
                field: "mode of a file",
                offset: at as u64,
                found: child.mode.into(),
                expected: "a known type of file",
            })?,
        };
        let entry = Entry {
            permissions: child.mode & 0o7777,
            user: child.user,
            group: child.group,
            node,
        };
        let inside = tree.add(folder, name, entry)?;
        if kind == 0o04 && child.size != 0 {
            directory(bytes, tree, &inside, &child)?;
        }
    }
    Ok(())
}

/// Pointers to the ends of the blocks stand in front of them.
fn contents(bytes: &[u8], tree: &mut Builder, inode: &Inode) -> Result<Vec<u8>, Error> {
    let size = inode.size as usize;
    let extended = le32(bytes, 8).is_some_and(|flags| flags & EXTENDED != 0);
    tree.check_contents(size as u64)?;
    let count = size.div_ceil(BLOCK);
    let mut result = Vec::new();
    let mut start = inode.offset + count * 4;
    for index in 0..count {
        let place = inode.offset + index * 4;
        let pointer = le32(bytes, place).ok_or(outside("pointer to a block", place))?;
        let length = BLOCK.min(size - result.len());
        tree.spend(BLOCK as u64)?;
        if extended && pointer & DIRECT != 0 {
            return Err(Error::Unsupported {
                kind: KIND,
                what: "a block at an address of its own".to_owned(),
            });
        }
        let end = match extended {
            true => pointer & !(PLAIN | DIRECT),
            false => pointer,
        } as usize;
        let filled = result.len() + length;
        // A hole has no bytes.
        if end != start {
            let data = bytes.get(start..end).ok_or(outside("block", start))?;
            if extended && pointer & PLAIN != 0 {
                result.extend_from_slice(part(data, 0, length));
            } else {
                let block = block::unpack(Packing::Zlib, data, BLOCK);
                result.extend(block.map_err(|why| Error::Block {
                    kind: KIND,
                    offset: start as u64,
                    why,
                })?);
            }
        }
        result.resize(filled, 0);
        start = end;
    }
    Ok(result)
}
