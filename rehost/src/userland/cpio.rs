//! Writer of the archive format that Linux takes as an initramfs: cpio `newc`.
//!
//! Format: kernel documentation `driver-api/early-userspace/buffer-format`.
//! The output depends on the entries alone (no time, inode numbers in
//! sequence), so the same entries give the same bytes.

use linker::files::{Entry, Node};

/// Directory bit of a mode word (`S_IFDIR`).
const DIRECTORY: u32 = 0o040_000;
/// Regular file (`S_IFREG`).
const FILE: u32 = 0o100_000;
/// Symbolic link (`S_IFLNK`).
const SYMLINK: u32 = 0o120_000;
/// Character device (`S_IFCHR`).
const CHARACTER: u32 = 0o020_000;
/// Block device (`S_IFBLK`).
const BLOCK: u32 = 0o060_000;
/// Named pipe (`S_IFIFO`).
const PIPE: u32 = 0o010_000;
/// Socket (`S_IFSOCK`).
const SOCKET: u32 = 0o140_000;

/// An archive being written. Directories must be added before what lies in them:
/// the kernel unpacks in the order of the archive.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory with permissions 0755.
    pub fn directory(&mut self, path: &str) -> &mut Self {
        self.plain(path, DIRECTORY | 0o755, (0, 0), &[])
    }

    /// Adds a regular file; `permissions` is as in `chmod`.
    pub fn file(&mut self, path: &str, permissions: u32, contents: &[u8]) -> &mut Self {
        self.plain(path, FILE | permissions, (0, 0), contents)
    }

    /// Adds a symbolic link at `path` that points to `target`.
    pub fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.plain(path, SYMLINK | 0o777, (0, 0), target.as_bytes())
    }

    /// Adds a character device node, readable and writable by root only.
    pub fn character_device(&mut self, path: &str, major: u32, minor: u32) -> &mut Self {
        self.plain(path, CHARACTER | 0o600, (major, minor), &[])
    }

    /// The archive with its trailer.
    pub fn finish(mut self) -> Vec<u8> {
        self.header("TRAILER!!!", 0, (0, 0), (0, 0), 0);
        self.bytes
    }

    /// Adds an entry of a file system as it is.
    pub fn entry(&mut self, path: &str, entry: &Entry) -> &mut Self {
        let (kind, device, contents): (u32, (u32, u32), &[u8]) = match &entry.node {
            Node::Directory => (DIRECTORY, (0, 0), &[]),
            Node::File(contents) => (FILE, (0, 0), contents),
            Node::Link(target) => (SYMLINK, (0, 0), target.as_bytes()),
            Node::Character(major, minor) => (CHARACTER, (*major, *minor), &[]),
            Node::Block(major, minor) => (BLOCK, (*major, *minor), &[]),
            Node::Pipe => (PIPE, (0, 0), &[]),
            Node::Socket => (SOCKET, (0, 0), &[]),
        };
        let owner = (entry.user, entry.group);
        self.add(path, kind | entry.permissions, owner, device, contents)
    }

    fn plain(&mut self, path: &str, mode: u32, device: (u32, u32), contents: &[u8]) -> &mut Self {
        self.add(path, mode, (0, 0), device, contents)
    }

    fn add(
        &mut self,
        path: &str,
        mode: u32,
        owner: (u32, u32),
        device: (u32, u32),
        contents: &[u8],
    ) -> &mut Self {
        self.entries += 1;
        self.header(path, mode, owner, device, contents.len());
        self.bytes.extend_from_slice(contents);
        self.align();
        self
    }

    fn header(
        &mut self,
        path: &str,
        mode: u32,
        owner: (u32, u32),
        device: (u32, u32),
        size: usize,
    ) {
        let inode = if mode == 0 { 0 } else { self.entries };
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let fields = [
            inode,
            mode,
            owner.0,
            owner.1,
            links,
            0, // time
            size as u32,
            0, // device of the file system
            0,
            device.0,
            device.1,
            path.len() as u32 + 1,
            0, // checksum, used by another variant of the format
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn small() -> Vec<u8> {
        let mut archive = Archive::new();
        archive.directory("dev");
        archive.character_device("dev/console", 5, 1);
        archive.file("init", 0o755, b"#!/bin/sh\n");
        archive.symlink("sh", "bin/busybox");
        archive.finish()
    }

    #[test]
    fn every_header_starts_on_a_multiple_of_four() {
        let bytes = small();
        let mut starts = Vec::new();
        for (offset, window) in bytes.windows(6).enumerate() {
            if window == b"070701" {
                starts.push(offset);
            }
        }
        assert_eq!(starts.len(), 5);
        assert!(starts.iter().all(|offset| offset % 4 == 0), "{starts:?}");
    }

    #[test]
    fn same_entries_give_same_bytes() {
        assert_eq!(small(), small());
    }

    #[test]
    fn header_fields_are_what_the_format_says() {
        let bytes = small();
        let text = String::from_utf8(bytes[..110].to_vec()).unwrap();
        let words: Vec<&str> = (6..110).step_by(8).map(|at| &text[at..at + 8]).collect();
        assert_eq!(&text[..6], "070701");
        // Inode, mode, owner, group, links, time, size, device of the file
        // system, device, length of the name with its NUL, checksum.
        expect_test::expect!["00000001 000041ed 00000000 00000000 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000004 00000000"].assert_eq(&words.join(" "));
        assert_eq!(&bytes[110..116], b"dev\0\0\0");
    }

    /// The reference reader, where the host has one.
    #[test]
    fn cpio_lists_it() {
        let Ok(mut child) = Command::new("cpio")
            .args(["-itv", "--quiet", "--numeric-uid-gid"])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            eprintln!("skipped: no cpio on this machine");
            return;
        };
        child.stdin.take().unwrap().write_all(&small()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout).unwrap();
        for expected in ["drwxr-xr-x", "crw-------", "5,   1", "sh -> bin/busybox"] {
            assert!(listing.contains(expected), "{expected} not in:\n{listing}");
        }
    }
}
