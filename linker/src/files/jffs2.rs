//! The tree of a JFFS2 file system, from the nodes that [`crate::image::jffs2`]
//! reads.

use std::collections::BTreeMap;

use super::find::FileSystem;
use super::tree::{Builder, Entry, Folder, Node, special};
use super::{Error, Kind};
use crate::image::jffs2::{self, Files, Piece};

const KIND: Kind = Kind::Jffs2;
/// The root has no inode of its own, but a number.
const ROOT: u32 = 1;
/// Several times what the kernel writes at once.
const LONGEST_PIECE: usize = 1 << 20;
/// A file system has at least so many nodes: a few words in other data may look
/// like one.
const FEWEST_NODES: usize = 8;

/// The file system that begins with the first node, and reaches to the last.
pub(super) fn find(bytes: &[u8]) -> Option<FileSystem> {
    let offset = jffs2::find(bytes)?;
    let files = jffs2::read(bytes.get(offset..)?);
    let nodes = files.nodes();
    (nodes >= FEWEST_NODES).then(|| FileSystem {
        kind: KIND,
        offset,
        len: files.end,
        text: format!("JFFS2, {nodes} nodes"),
    })
}

/// See [`super::read`].
pub(super) fn read(bytes: &[u8], tree: &mut Builder) -> Result<(), Error> {
    let mut files = jffs2::read(bytes);
    // The last word on a name counts; number 0 says that it is gone.
    let mut names: BTreeMap<(u32, String), (u32, u32)> = BTreeMap::new();
    for one in std::mem::take(&mut files.names) {
        let last = names.entry((one.folder, one.name)).or_default();
        if one.version >= last.0 {
            *last = (one.version, one.number);
        }
    }
    let mut folders: BTreeMap<u32, Vec<(String, u32)>> = BTreeMap::new();
    for ((folder, name), (_, number)) in names {
        if number != 0 {
            folders.entry(folder).or_default().push((name, number));
        }
    }
    for pieces in files.pieces.values_mut() {
        pieces.sort_by_key(|piece| piece.version);
    }
    directory(&files, &folders, tree, &Folder::default(), ROOT)
}

fn directory(
    files: &Files<'_>,
    folders: &BTreeMap<u32, Vec<(String, u32)>>,
    tree: &mut Builder,
    folder: &Folder,
    number: u32,
) -> Result<(), Error> {
    for (name, number) in folders.get(&number).into_iter().flatten() {
        // A name whose inode never came to the flash.
        let Some(pieces) = files.pieces.get(number) else {
            continue;
        };
        let Some(last) = pieces.last() else {
            continue;
        };
        let node = match last.mode >> 12 & 15 {
            0o04 => Node::Directory,
            0o10 => Node::File(contents(tree, pieces)?),
            0o12 => {
                let target = contents(tree, pieces)?;
                Node::Link(String::from_utf8_lossy(&target).into_owned())
            }
            _ => {
                let word = last.data.iter().take(4).rev();
                let word = word.fold(0, |word, &byte| word << 8 | u32::from(byte));
                special(last.mode, word).ok_or(Error::Field {
                    kind: KIND,
                    field: "mode of a file",
                    offset: u64::from(*number),
                    found: last.mode.into(),
                    expected: "a known type of file",
                })?
            }
        };
        let is_folder = node == Node::Directory;
        let entry = Entry {
            permissions: last.mode & 0o7777,
            user: last.user.into(),
            group: last.group.into(),
            node,
        };
        let inside = tree.add(folder, name.as_bytes(), entry)?;
        if is_folder {
            directory(files, folders, tree, &inside, *number)?;
        }
    }
    Ok(())
}

/// The pieces in the order in which they were written.
fn contents(tree: &mut Builder, pieces: &[Piece<'_>]) -> Result<Vec<u8>, Error> {
    let size = pieces.last().map_or(0, |piece| piece.size);
    tree.check_contents(size as u64)?;
    tree.spend(size as u64)?;
    let mut file = vec![0; size];
    for piece in pieces {
        tree.spend(piece.length.min(LONGEST_PIECE) as u64)?;
        let contents = jffs2::unpack(piece, LONGEST_PIECE).ok_or_else(|| Error::Block {
            kind: KIND,
            offset: piece.offset as u64,
            why: format!(
                "packed by method {}, which is not known, or damaged",
                piece.compression
            ),
        })?;
        for (target, byte) in file.iter_mut().skip(piece.offset).zip(contents) {
            *target = byte;
        }
    }
    Ok(file)
}
