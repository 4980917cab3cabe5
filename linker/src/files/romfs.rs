//! romfs (`include/uapi/linux/romfs_fs.h`, `Documentation/filesystems/romfs.rst`):
//! files in a list, one after the other, nothing compressed.

use super::tree::{Builder, Entry, Folder, Node};
use super::{Error, Kind};
use crate::bytes::{be32, part};

const KIND: Kind = Kind::Romfs;
pub(super) const MAGIC: &[u8] = b"-rom1fs-";
/// Everything begins at a multiple of this.
const ALIGNMENT: usize = 16;
const LONGEST_NAME: usize = 255;

/// A file's header. The lowest bits of the word with the next one are its type.
#[derive(Clone, Copy)]
struct Header<'a> {
    next: usize,
    kind: u32,
    executable: bool,
    /// The first file of a directory, the target of a hard link, the numbers of a
    /// device.
    info: u32,
    name: &'a [u8],
    contents: &'a [u8],
}

/// Length in bytes, when the bytes begin with a superblock whose checksum is right.
pub(super) fn superblock(bytes: &[u8]) -> Option<usize> {
    /// The checksum is over so much.
    const SUMMED: usize = 512;
    let size = be32(bytes, 8)? as usize;
    let sane = bytes.starts_with(MAGIC) && (32..=bytes.len()).contains(&size);
    let words = part(bytes, 0, size.min(SUMMED)).as_chunks::<4>().0;
    let sum = words.iter().fold(0, |sum: u32, word| {
        sum.wrapping_add(u32::from_be_bytes(*word))
    });
    (sane && sum == 0).then_some(size)
}

fn outside(what: &'static str, offset: usize) -> Error {
    Error::Outside {
        kind: KIND,
        what,
        offset: offset as u64,
    }
}

/// The name at an offset, and where what follows it begins.
fn name(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let name = part(bytes, at, LONGEST_NAME + 1)
        .split(|&byte| byte == 0)
        .next()?;
    Some((name, at + (name.len() + 1).next_multiple_of(ALIGNMENT)))
}

fn header(bytes: &[u8], at: usize) -> Result<Header<'_>, Error> {
    let missing = || outside("header of a file", at);
    let word = |index: usize| be32(bytes, at + index * 4).ok_or_else(missing);
    let (first, info, size) = (word(0)?, word(1)?, word(2)? as usize);
    let (name, data) = name(bytes, at + 16).ok_or_else(missing)?;
    let contents = data.checked_add(size).and_then(|end| bytes.get(data..end));
    Ok(Header {
        next: (first & !15) as usize,
        kind: first & 7,
        executable: first & 8 != 0,
        info,
        name,
        contents: contents.ok_or(outside("contents of a file", data))?,
    })
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], tree: &mut Builder) -> Result<(), Error> {
    let size = superblock(bytes).ok_or(outside("superblock", 0))?;
    let bytes = part(bytes, 0, size);
    let (_, first) = name(bytes, 16).ok_or(outside("name of the volume", 16))?;
    directory(bytes, tree, &Folder::default(), first)
}

fn directory(bytes: &[u8], tree: &mut Builder, folder: &Folder, first: usize) -> Result<(), Error> {
    let mut next = first;
    while next != 0 {
        tree.spend(16)?;
        let file = header(bytes, next)?;
        next = file.next;
        // The folder itself and the one above are links among the others.
        if matches!(file.name, b"." | b"..") {
            continue;
        }
        let target = match file.kind {
            0 => header(bytes, (file.info & !15) as usize)?,
            _ => file,
        };
        let device = (target.info >> 16, target.info & 0xffff);
        tree.check_contents(target.contents.len() as u64)?;
        let node = match target.kind {
            1 => Node::Directory,
            2 => Node::File(target.contents.to_vec()),
            3 => Node::Link(String::from_utf8_lossy(target.contents).into_owned()),
            4 => Node::Block(device.0, device.1),
            5 => Node::Character(device.0, device.1),
            6 => Node::Socket,
            7 => Node::Pipe,
            _ => {
                return Err(Error::Field {
                    kind: KIND,
                    field: "type of a hard link's target",
                    offset: next as u64,
                    found: 0,
                    expected: "no hard link",
                });
            }
        };
        let entry = Entry {
            // All may read, as the kernel has it.
            permissions: match (target.executable, target.kind) {
                (true, _) => 0o755,
                (false, 4 | 5) => 0o600,
                (false, _) => 0o644,
            },
            user: 0,
            group: 0,
            node,
        };
        let inside = tree.add(folder, file.name, entry)?;
        if target.kind == 1 && file.kind != 0 {
            directory(bytes, tree, &inside, (target.info & !15) as usize)?;
        }
    }
    Ok(())
}
