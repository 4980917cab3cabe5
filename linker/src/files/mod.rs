//! File systems in an image: where they are, and the files in them.
//!
//! * `find`: their superblocks, wherever they lie
//! * `tree`: directories, files, links and devices as one tree in memory, and the
//!   limits that it keeps
//! * `squashfs`, `jffs2`, `cramfs`, `romfs`, `ext`: a reader for each format
//! * `block`: decompression of one block
//! * `ubi`: the volumes on a flash chip, which hold file systems in turn
//!
//! A reader trusts nothing: every offset is checked against the bytes that are
//! there, a name that leads elsewhere is refused, and entries, contents and work
//! are bounded by [`Limits`].

mod block;
mod cramfs;
mod ext;
mod find;
mod jffs2;
mod romfs;
mod squashfs;
mod tree;
mod ubi;

use std::fmt;

use serde::Serialize;

pub use find::{FileSystem, find};
pub use tree::{Entry, Files, Limits, Node};
pub use ubi::{Volume, erase_blocks, volumes};

/// A format of file systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Read-only and compressed, `fs/squashfs`.
    Squashfs,
    /// For flash chips, `fs/jffs2`.
    Jffs2,
    /// Read-only and compressed, `fs/cramfs`.
    Cramfs,
    /// Read-only, `fs/romfs`.
    Romfs,
    /// ext2, ext3 or ext4.
    Ext,
    /// Erase blocks of UBI, `drivers/mtd/ubi`, with volumes in them.
    Ubi,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Squashfs => "squashfs",
            Kind::Jffs2 => "JFFS2",
            Kind::Cramfs => "cramfs",
            Kind::Romfs => "romfs",
            Kind::Ext => "ext",
            Kind::Ubi => "UBI",
        })
    }
}

/// Why the files of a file system cannot be had. Offsets count from its start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that should be there lies behind the end.
    #[error("{kind}: {what} at {offset:#x} is cut off or outside of the file system")]
    Outside {
        /// The format.
        kind: Kind,
        /// What should be there.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// A field has a value that it cannot have.
    #[error("{kind}: {field} at {offset:#x} is {found:#x}, expected {expected}")]
    Field {
        /// The format.
        kind: Kind,
        /// Its name.
        field: &'static str,
        /// Where it lies.
        offset: u64,
        /// What stands there.
        found: u64,
        /// What could stand there.
        expected: &'static str,
    },
    /// A block cannot be decompressed.
    #[error("{kind}: block at {offset:#x}: {why}")]
    Block {
        /// The format.
        kind: Kind,
        /// Where the block begins.
        offset: u64,
        /// What the decoder says.
        why: String,
    },
    /// A name that would lead to another place.
    #[error("{kind}: a file in {folder:?} is named {name:?}, expected a name without '/'")]
    Name {
        /// The format.
        kind: Kind,
        /// The folder.
        folder: String,
        /// The name.
        name: String,
    },
    /// Two files with one name in a folder.
    #[error("{kind}: {path:?} is there twice")]
    Twice {
        /// The format.
        kind: Kind,
        /// The path.
        path: String,
    },
    /// Folders within folders without an end, or far too many.
    #[error("{kind}: more than {limit} folders within each other at {folder:?}")]
    Depth {
        /// The format.
        kind: Kind,
        /// The innermost that was looked into.
        folder: String,
        /// How many are allowed.
        limit: usize,
    },
    /// More than allowed of something.
    #[error("{kind}: more than the limit of {limit} {what}")]
    Limit {
        /// The format.
        kind: Kind,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A feature that the reader does not know.
    #[error("{kind}: {what} is not supported")]
    Unsupported {
        /// The format.
        kind: Kind,
        /// The feature.
        what: String,
    },
}

/// Reads all files of the file system at the start of the bytes.
///
/// # Errors
/// When it is damaged, asks for more than `limits`, or uses something unknown.
pub fn read(kind: Kind, bytes: &[u8], limits: Limits) -> Result<Files, Error> {
    let mut tree = tree::Builder::new(kind, limits);
    match kind {
        Kind::Squashfs => squashfs::read(bytes, &mut tree)?,
        Kind::Jffs2 => jffs2::read(bytes, &mut tree)?,
        Kind::Cramfs => cramfs::read(bytes, &mut tree)?,
        Kind::Romfs => romfs::read(bytes, &mut tree)?,
        Kind::Ext => ext::read(bytes, &mut tree)?,
        Kind::Ubi => {
            return Err(Error::Unsupported {
                kind,
                what: "what is no file system but holds volumes".to_owned(),
            });
        }
    }
    Ok(tree.finish())
}
