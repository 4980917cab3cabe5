//! Writes squashfs 3, for which there is no tool any more: the layout is that of
//! `unsquashfs`, which still reads it and so says whether this is right.

use std::collections::BTreeMap;
use std::io::Write as _;

use linker::files::{Entry, Files, Node};

/// Bytes in a block of contents.
const BLOCK: usize = 64 << 10;
/// Bytes in a block of a table.
const METADATA: usize = 8192;
/// A length of a block of contents, and one of tables, with this is that of one
/// that is not compressed.
const PLAIN: u32 = 1 << 24;
const PLAIN_METADATA: u16 = 1 << 15;
/// No fragment.
const NONE: u32 = u32::MAX;

/// How contents are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As in Linux.
    Zlib,
    /// As some vendors had it.
    Lzma,
}

/// What can be different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// The first word.
    pub(crate) magic: &'static [u8; 4],
    /// Of contents; tables are not compressed, so that places in them are known
    /// before they are written.
    pub(crate) packing: Packing,
    /// A byte more before each block of the tables.
    pub(crate) checked: bool,
}

/// A table while it grows.
#[derive(Default)]
struct Table(Vec<u8>);

impl Table {
    /// Where the next byte goes: the distance of its block, and the offset in it.
    fn place(&self, checked: bool) -> (u32, u32) {
        let (block, offset) = (self.0.len() / METADATA, self.0.len() % METADATA);
        let stride = METADATA + 2 + usize::from(checked);
        ((block * stride) as u32, offset as u32)
    }

    fn blocks(&self, checked: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in self.0.chunks(METADATA) {
            bytes.extend((block.len() as u16 | PLAIN_METADATA).to_le_bytes());
            bytes.extend(checked.then_some(0xff));
            bytes.extend(block);
        }
        bytes
    }
}

struct Writer<'a> {
    files: &'a Files,
    options: Options,
    image: Vec<u8>,
    inodes: Table,
    directories: Table,
    /// Start and size of each.
    fragments: Vec<(u64, u32)>,
    /// The one that is not full yet.
    fragment: Vec<u8>,
    /// Inodes so far.
    count: u32,
    owners: Vec<u32>,
}

/// An entry of a directory that is being written.
struct Child {
    name: String,
    kind: u16,
    block: u32,
    offset: u32,
    number: u32,
}

impl Writer<'_> {
    fn pack(&self, bytes: &[u8]) -> (Vec<u8>, u32) {
        let packed = match self.options.packing {
            Packing::Zlib => {
                let level = flate2::Compression::best();
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).expect("memory");
                encoder.finish().expect("memory")
            }
            Packing::Lzma => {
                let options = liblzma::stream::LzmaOptions::new_preset(6).expect("a preset");
                let stream = liblzma::stream::Stream::new_lzma_encoder(&options);
                let stream = stream.expect("an encoder");
                let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
                encoder.write_all(bytes).expect("memory");
                encoder.finish().expect("memory")
            }
        };
        if packed.len() < bytes.len() {
            let length = packed.len() as u32;
            return (packed, length);
        }
        (bytes.to_vec(), bytes.len() as u32 | PLAIN)
    }

    fn end_fragment(&mut self) {
        if self.fragment.is_empty() {
            return;
        }
        let contents = std::mem::take(&mut self.fragment);
        let (packed, size) = self.pack(&contents);
        self.fragments.push((self.image.len() as u64, size));
        self.image.extend(packed);
    }

    fn owner(&mut self, number: u32) -> u8 {
        let known = self.owners.iter().position(|&owner| owner == number);
        let index = known.unwrap_or(self.owners.len());
        if known.is_none() {
            self.owners.push(number);
        }
        u8::try_from(index).expect("few owners")
    }

    /// Writes an inode: what all have, then `rest`. Gives its place and number.
    fn inode(&mut self, kind: u16, entry: &Entry, rest: &[u8]) -> (u32, u32, u32) {
        let place = self.inodes.place(self.options.checked);
        self.count += 1;
        let head = kind | (entry.permissions as u16) << 4;
        let (user, group) = (self.owner(entry.user), self.owner(entry.group));
        let table = &mut self.inodes.0;
        table.extend(head.to_le_bytes());
        table.extend([user, if user == group { 255 } else { group }]);
        table.extend(0u32.to_le_bytes());
        table.extend(self.count.to_le_bytes());
        table.extend(rest);
        (place.0, place.1, self.count)
    }

    fn file(&mut self, entry: &Entry, contents: &[u8], long: bool) -> (u32, u32, u32) {
        let start = self.image.len() as u64;
        let whole = contents.len() / BLOCK * BLOCK;
        let mut sizes = Vec::new();
        for block in contents[..whole].chunks(BLOCK) {
            let (packed, size) = self.pack(block);
            self.image.extend(packed);
            sizes.extend(size.to_le_bytes());
        }
        let tail = &contents[whole..];
        let (mut fragment, mut offset) = (NONE, 0);
        if !tail.is_empty() {
            if self.fragment.len() + tail.len() > BLOCK {
                self.end_fragment();
            }
            fragment = self.fragments.len() as u32;
            offset = self.fragment.len() as u32;
            self.fragment.extend(tail);
        }
        let mut rest = Vec::new();
        if long {
            rest.extend(1u32.to_le_bytes());
        }
        rest.extend(start.to_le_bytes());
        rest.extend(fragment.to_le_bytes());
        rest.extend(offset.to_le_bytes());
        match long {
            true => rest.extend((contents.len() as u64).to_le_bytes()),
            false => rest.extend((contents.len() as u32).to_le_bytes()),
        }
        rest.extend(sizes);
        self.inode(if long { 9 } else { 2 }, entry, &rest)
    }

    fn device(&mut self, kind: u16, entry: &Entry, number: u32) -> (u32, u32, u32) {
        let mut rest = 1u32.to_le_bytes().to_vec();
        rest.extend((number as u16).to_le_bytes());
        self.inode(kind, entry, &rest)
    }

    fn directory(&mut self, path: &str, entry: &Entry, long: bool) -> (u32, u32, u32) {
        let inside = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}/{name}"),
        };
        let files = self.files;
        let names: Vec<&str> = files
            .iter()
            .filter_map(|(other, _)| match path {
                "" => Some(other),
                path => other.strip_prefix(path)?.strip_prefix('/'),
            })
            .filter(|name| !name.contains('/'))
            .collect();
        let mut children = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            let path = inside(name);
            let entry = files.get(&path).expect("an entry that was listed");
            // Either form is right for any file.
            let long = index % 3 == 2;
            let link = |target: &str| {
                let mut rest = 1u32.to_le_bytes().to_vec();
                rest.extend((target.len() as u16).to_le_bytes());
                rest.extend(target.as_bytes());
                rest
            };
            let (kind, (block, offset, number)) = match &entry.node {
                Node::Directory => (1, self.directory(&path, entry, long)),
                Node::File(contents) => (2, self.file(entry, contents, long)),
                Node::Link(target) => (3, self.inode(3, entry, &link(target))),
                Node::Block(major, minor) => (4, self.device(4, entry, major << 8 | minor)),
                Node::Character(major, minor) => (5, self.device(5, entry, major << 8 | minor)),
                Node::Pipe => (6, self.inode(6, entry, &1u32.to_le_bytes())),
                Node::Socket => (7, self.inode(7, entry, &1u32.to_le_bytes())),
            };
            children.push(Child {
                name: name.to_owned(),
                kind,
                block,
                offset,
                number,
            });
        }
        let (block, offset) = self.directories.place(self.options.checked);
        let before = self.directories.0.len();
        for run in children.chunk_by(|a, b| a.block == b.block) {
            for run in run.chunks(256) {
                self.run(run);
            }
        }
        // Two entries that are not there count too.
        let length = (self.directories.0.len() - before + 3) as u32;
        let mut rest = 2u32.to_le_bytes().to_vec();
        match long {
            true => {
                let bits = u64::from(length) | u64::from(offset) << 27;
                rest.extend(&bits.to_le_bytes()[..5]);
                rest.extend(block.to_le_bytes());
                rest.extend(0u16.to_le_bytes());
            }
            false => {
                rest.extend((length | offset << 19).to_le_bytes());
                rest.extend(block.to_le_bytes());
            }
        }
        rest.extend(0u32.to_le_bytes());
        self.inode(if long { 8 } else { 1 }, entry, &rest)
    }

    fn run(&mut self, children: &[Child]) {
        let first = &children[0];
        let table = &mut self.directories.0;
        table.push((children.len() - 1) as u8);
        table.extend(first.block.to_le_bytes());
        table.extend(first.number.to_le_bytes());
        for child in children {
            table.extend((child.offset as u16 | child.kind << 13).to_le_bytes());
            table.push((child.name.len() - 1) as u8);
            table.extend((child.number.wrapping_sub(first.number) as u16).to_le_bytes());
            table.extend(child.name.as_bytes());
        }
    }
}

/// The file system with these files.
///
/// # Panics
/// For what version 3 cannot hold.
pub(crate) fn write(files: &Files, options: Options) -> Vec<u8> {
    const SUPERBLOCK: usize = 119;
    const CHECKED: u8 = 1 << 2;
    let mut writer = Writer {
        files,
        options,
        image: vec![0; SUPERBLOCK],
        inodes: Table::default(),
        directories: Table::default(),
        fragments: Vec::new(),
        fragment: Vec::new(),
        count: 0,
        owners: Vec::new(),
    };
    let root = Entry {
        permissions: 0o755,
        user: 0,
        group: 0,
        node: Node::Directory,
    };
    let (block, offset, _) = writer.directory("", &root, false);
    writer.end_fragment();
    let mut image = std::mem::take(&mut writer.image);
    let mut places = BTreeMap::new();
    let mut put = |name: &'static str, image: &mut Vec<u8>, bytes: &[u8]| {
        places.insert(name, image.len() as u64);
        image.extend(bytes);
    };
    let checked = options.checked;
    put("inodes", &mut image, &writer.inodes.blocks(checked));
    put(
        "directories",
        &mut image,
        &writer.directories.blocks(checked),
    );
    let mut entries = Table::default();
    for (start, size) in &writer.fragments {
        entries.0.extend(start.to_le_bytes());
        entries.0.extend(size.to_le_bytes());
        entries.0.extend(0u32.to_le_bytes());
    }
    let start = image.len() as u64;
    image.extend(entries.blocks(checked));
    let stride = (METADATA + 2 + usize::from(checked)) as u64;
    let blocks = (0..entries.0.len().div_ceil(METADATA) as u64)
        .flat_map(|block| (start + block * stride).to_le_bytes());
    put("fragments", &mut image, &blocks.collect::<Vec<u8>>());
    let owners = writer.owners.iter().flat_map(|owner| owner.to_le_bytes());
    let owners: Vec<u8> = owners.collect();
    put("users", &mut image, &owners);
    put("groups", &mut image, &owners);

    let used = image.len() as u64;
    let mut set = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    set(0, options.magic);
    set(4, &writer.count.to_le_bytes());
    set(28, &3u16.to_le_bytes());
    set(30, &1u16.to_le_bytes());
    set(34, &(BLOCK.trailing_zeros() as u16).to_le_bytes());
    set(36, &[if checked { CHECKED } else { 0 }]);
    set(37, &[writer.owners.len() as u8; 2]);
    set(
        43,
        &(u64::from(block) << 16 | u64::from(offset)).to_le_bytes(),
    );
    set(51, &(BLOCK as u32).to_le_bytes());
    set(55, &(writer.fragments.len() as u32).to_le_bytes());
    set(63, &used.to_le_bytes());
    set(71, &places["users"].to_le_bytes());
    set(79, &places["groups"].to_le_bytes());
    set(87, &places["inodes"].to_le_bytes());
    set(95, &places["directories"].to_le_bytes());
    set(103, &places["fragments"].to_le_bytes());
    set(111, &u64::MAX.to_le_bytes());
    image
}
