//! A tree of files in memory, and the limits under which it grows.

use std::collections::BTreeMap;

use super::{Error, Kind};

/// How much a file system may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all contents together.
    pub contents: u64,
    /// Bytes that decoders may give, whether they are kept or not.
    pub work: u64,
    /// Files, folders, links and devices.
    pub entries: usize,
    /// Folders within each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Root file systems of devices have some tens of MiB and some thousand files.
        Limits {
            contents: 256 << 20,
            work: 1 << 30,
            entries: 100_000,
            depth: 40,
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Directory,
    /// A file with its contents.
    File(Vec<u8>),
    /// A symbolic link to this path.
    Link(String),
    /// A character device: major and minor number.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
}

/// An entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As in `chmod`.
    pub permissions: u32,
    /// User.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// What it is.
    pub node: Node,
}

/// Files by their paths, which have no '/' at either end and nothing that leads
/// upwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    entries: BTreeMap<String, Entry>,
}

impl Files {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All, a folder before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// The entry with this very path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The entry that a path leads to when all links are followed; paths of links
    /// are those of a system that has this tree as its root.
    pub fn resolve(&self, path: &str) -> Option<&Entry> {
        /// As many as the kernel follows (MAXSYMLINKS).
        const LINKS: usize = 40;
        let parts = |path: &str| -> Vec<String> { path.rsplit('/').map(str::to_owned).collect() };
        let mut ahead = parts(path);
        let mut at: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                _ => at.push(part),
            }
            if let Node::Link(target) = &self.entries.get(&at.join("/"))?.node {
                links += 1;
                if links > LINKS {
                    return None;
                }
                at.pop();
                if target.starts_with('/') {
                    at.clear();
                }
                ahead.extend(parts(target));
            }
        }
        self.entries.get(&at.join("/"))
    }
}

/// A tree that a reader fills.
pub(super) struct Builder {
    kind: Kind,
    limits: Limits,
    contents: u64,
    work: u64,
    files: Files,
}

/// A folder that a reader is in.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    path: String,
    depth: usize,
}

impl Builder {
    pub(super) fn new(kind: Kind, limits: Limits) -> Self {
        Self {
            kind,
            limits,
            contents: 0,
            work: 0,
            files: Files::default(),
        }
    }

    /// Adds an entry to a folder. Gives the folder that it is, if it is one.
    pub(super) fn add(
        &mut self,
        folder: &Folder,
        name: &[u8],
        entry: Entry,
    ) -> Result<Folder, Error> {
        let kind = self.kind;
        let name = String::from_utf8_lossy(name);
        if matches!(&*name, "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(Error::Name {
                kind,
                folder: folder.path.clone(),
                name: name.into_owned(),
            });
        }
        let path = match folder.path.as_str() {
            "" => name.into_owned(),
            above => format!("{above}/{name}"),
        };
        if folder.depth >= self.limits.depth {
            return Err(Error::Depth {
                kind,
                folder: folder.path.clone(),
                limit: self.limits.depth,
            });
        }
        if self.files.len() >= self.limits.entries {
            return Err(self.too_many("files", self.limits.entries as u64));
        }
        if let Node::File(bytes) = &entry.node {
            self.contents += bytes.len() as u64;
            self.check_contents(0)?;
        }
        let depth = folder.depth + 1;
        // What stands there could be a link, and what comes later lie behind it.
        if self.files.entries.insert(path.clone(), entry).is_some() {
            return Err(Error::Twice { kind, path });
        }
        Ok(Folder { path, depth })
    }

    /// An error when there is no room for so many more bytes of contents.
    pub(super) fn check_contents(&self, more: u64) -> Result<(), Error> {
        if self.contents.saturating_add(more) > self.limits.contents {
            return Err(self.too_many("bytes of contents", self.limits.contents));
        }
        Ok(())
    }

    /// Accounts for bytes that were decoded or looked at.
    pub(super) fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        /// What setting up costs, in bytes.
        const ATTEMPT: u64 = 1 << 10;
        self.work = self.work.saturating_add(bytes).saturating_add(ATTEMPT);
        if self.work > self.limits.work {
            return Err(self.too_many("bytes to decode", self.limits.work));
        }
        Ok(())
    }

    fn too_many(&self, what: &'static str, limit: u64) -> Error {
        Error::Limit {
            kind: self.kind,
            what,
            limit,
        }
    }

    pub(super) fn finish(self) -> Files {
        self.files
    }
}

/// The numbers of a device from one word, in the encoding of Linux 2.6 and later
/// (`new_decode_dev`, include/linux/kdev_t.h); the older encoding, with eight bits
/// each, is a part of it.
pub(super) fn device(word: u32) -> (u32, u32) {
    (word >> 8 & 0xfff, word & 0xff | word >> 12 & 0xfff00)
}

/// What the type bits of a mode say, for what has no contents of its own.
pub(super) fn special(mode: u32, device_word: u32) -> Option<Node> {
    let (major, minor) = device(device_word);
    match mode >> 12 & 15 {
        0o01 => Some(Node::Pipe),
        0o02 => Some(Node::Character(major, minor)),
        0o06 => Some(Node::Block(major, minor)),
        0o14 => Some(Node::Socket),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node: Node) -> Entry {
        Entry {
            permissions: 0o755,
            user: 0,
            group: 0,
            node,
        }
    }

    fn builder(limits: Limits) -> Builder {
        Builder::new(Kind::Romfs, limits)
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "/etc", "a\0b"] {
            let mut builder = builder(Limits::default());
            let added = builder.add(&Folder::default(), name.as_bytes(), entry(Node::Pipe));
            assert!(matches!(added, Err(Error::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_there_once() {
        let mut builder = builder(Limits::default());
        let top = Folder::default();
        let link = entry(Node::Link("/etc".to_owned()));
        builder.add(&top, b"a", entry(Node::Directory)).unwrap();
        let error = builder.add(&top, b"a", link).unwrap_err();
        expect_test::expect![[r#"romfs: "a" is there twice"#]].assert_eq(&error.to_string());
    }

    #[test]
    fn limits_hold() {
        let small = Limits {
            contents: 10,
            work: 5000,
            entries: 3,
            depth: 2,
        };
        let mut builder = builder(small);
        let top = Folder::default();
        let a = builder.add(&top, b"a", entry(Node::Directory)).unwrap();
        let b = builder.add(&a, b"b", entry(Node::Directory)).unwrap();
        let deep = builder.add(&b, b"c", entry(Node::Directory)).unwrap_err();
        expect_test::expect![[r#"romfs: more than 2 folders within each other at "a/b""#]]
            .assert_eq(&deep.to_string());
        let large = builder.add(&top, b"d", entry(Node::File(vec![0; 11])));
        expect_test::expect!["romfs: more than the limit of 10 bytes of contents"]
            .assert_eq(&large.unwrap_err().to_string());
        assert!(builder.spend(3000).is_ok() && builder.spend(3000).is_err());
        builder.add(&top, b"e", entry(Node::Pipe)).unwrap();
        assert!(builder.add(&top, b"f", entry(Node::Pipe)).is_err());
    }

    #[test]
    fn links_are_followed_within_the_tree() {
        let mut builder = builder(Limits::default());
        let top = Folder::default();
        let bin = builder.add(&top, b"bin", entry(Node::Directory)).unwrap();
        let program = entry(Node::File(b"program".to_vec()));
        builder.add(&bin, b"busybox", program.clone()).unwrap();
        let sbin = builder.add(&top, b"sbin", entry(Node::Directory)).unwrap();
        for (name, target) in [
            ("init", "../bin/busybox"),
            ("absolute", "/bin/./busybox"),
            // Above the root is the root.
            ("far", "../../../bin/busybox"),
            ("loop", "loop"),
            ("nowhere", "/bin/none"),
        ] {
            let link = entry(Node::Link(target.to_owned()));
            builder.add(&sbin, name.as_bytes(), link).unwrap();
        }
        let folder = entry(Node::Link("sbin".to_owned()));
        builder.add(&top, b"usr", folder).unwrap();
        let files = builder.finish();
        for path in ["sbin/init", "/sbin/absolute", "usr/far", "bin/busybox"] {
            assert_eq!(files.resolve(path), Some(&program), "{path}");
        }
        assert_eq!(files.resolve("sbin/loop"), None);
        assert_eq!(files.resolve("sbin/nowhere"), None);
        assert_eq!(files.len(), 9);
    }

    #[test]
    fn numbers_of_devices() {
        assert_eq!(device(0x0501), (5, 1));
        assert_eq!(device(0x0010_fd02), (0xfd, 0x102));
        assert_eq!(special(0o020_600, 0x0501), Some(Node::Character(5, 1)));
        assert_eq!(special(0o100_600, 0), None);
    }
}
