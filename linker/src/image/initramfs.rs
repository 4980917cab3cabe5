//! The archive within a kernel that becomes its root file system
//! (`.init.ramfs`, `usr/initramfs_data.S`): a cpio archive of the "newc" form,
//! plain or compressed. Every kernel with initramfs support has at least a
//! default one of three entries.

use std::fmt;

use serde::Serialize;

use super::compress::{self, Format, Work};
use crate::bytes::{le32, part};

const MAGIC: &[u8] = b"070701";
/// The same with checksums.
const MAGIC_CRC: &[u8] = b"070702";
const HEADER: usize = 110;
const TRAILER: &[u8] = b"TRAILER!!!";

/// The archive within a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Initramfs {
    /// Offset of its first byte in the kernel's bytes.
    pub offset: usize,
    /// Length in bytes as it lies there.
    pub len: usize,
    /// Its compression, `None` for a plain archive.
    pub compression: Option<Format>,
    /// Files, directories, links and devices in it.
    pub entries: usize,
    /// Length in bytes of the plain archive.
    pub unpacked: usize,
}

impl fmt::Display for Initramfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compression {
            Some(format) => write!(f, "cpio in {format}, ")?,
            None => f.write_str("cpio, ")?,
        }
        write!(
            f,
            "{} entries, {} bytes unpacked",
            self.entries, self.unpacked
        )
    }
}

/// A number of a header: eight hexadecimal digits.
fn number(header: &[u8], index: usize) -> Option<usize> {
    let digits = header.get(6 + index * 8..14 + index * 8)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Entries of the archive at the start of the bytes and its length, `None` when
/// it is not one or is cut off. Entries are aligned to four bytes from the
/// archive's start.
fn archive(bytes: &[u8]) -> Option<(usize, usize)> {
    const SIZE: usize = 6;
    const NAME_SIZE: usize = 11;
    let mut offset = 0usize;
    let mut entries = 0;
    loop {
        let header = bytes.get(offset..offset.checked_add(HEADER)?)?;
        if !header.starts_with(MAGIC) && !header.starts_with(MAGIC_CRC) {
            return None;
        }
        let (size, name_size) = (number(header, SIZE)?, number(header, NAME_SIZE)?);
        let name_at = offset + HEADER;
        let name = bytes.get(name_at..name_at.checked_add(name_size)?)?;
        let data = (name_at + name_size).next_multiple_of(4);
        let end = data.checked_add(size)?;
        if name.split_last() == Some((&0, TRAILER)) {
            return Some((entries, end.min(bytes.len())));
        }
        if end > bytes.len() {
            return None;
        }
        entries += 1;
        offset = end.next_multiple_of(4);
    }
}

/// Finds the archive in a kernel; of several the largest, since others may be
/// there as data of programs.
pub(super) fn find(kernel: &[u8], limit: usize, work: &mut Work) -> Option<Initramfs> {
    let plain = plain(kernel);
    let packed = packed(kernel, limit, work);
    plain
        .into_iter()
        .chain(packed)
        .max_by_key(|found| (found.entries, found.unpacked))
}

fn plain(kernel: &[u8]) -> Vec<Initramfs> {
    let mut result = Vec::new();
    let mut free = 0;
    for offset in memchr::memmem::find_iter(kernel, MAGIC) {
        if offset < free {
            continue;
        }
        let rest = kernel.get(offset..).unwrap_or_default();
        if let Some((entries, len)) = archive(rest) {
            free = offset + len;
            result.push(Initramfs {
                offset,
                len,
                compression: None,
                entries,
                unpacked: len,
            });
        }
    }
    result
}

/// A compressed archive is followed by a word with its length
/// (`__initramfs_size`, from 2.6.38 on) or lies on a page of its own; since
/// neither is certain, each stream is looked into.
fn packed(kernel: &[u8], limit: usize, work: &mut Work) -> Vec<Initramfs> {
    let mut result = Vec::new();
    let mut free = 0;
    for (offset, format) in compress::streams(kernel, 4) {
        if offset < free {
            continue;
        }
        let stream = kernel.get(offset..).unwrap_or_default();
        let Ok(start) = compress::peek(format, stream, MAGIC.len(), work) else {
            // No work left: what was found so far has to do.
            return result;
        };
        if start != MAGIC && start != MAGIC_CRC {
            continue;
        }
        let Ok(decoded) = compress::decode(format, stream, limit, work) else {
            continue;
        };
        if let Some((entries, unpacked)) = archive(&decoded.bytes) {
            free = offset + decoded.consumed;
            result.push(Initramfs {
                offset,
                len: length(kernel, offset, decoded.consumed),
                compression: Some(format),
                entries,
                unpacked,
            });
        }
    }
    result
}

/// The length with what the build may have added to the stream, when the word
/// behind it tells.
fn length(kernel: &[u8], offset: usize, consumed: usize) -> usize {
    const PADDING: usize = 16;
    let end = offset + consumed;
    (end..end + PADDING)
        .filter(|at| at % 4 == 0)
        .filter_map(|at| le32(kernel, at))
        .map(|size| size as usize)
        .find(|size| (consumed..consumed + PADDING).contains(size))
        .filter(|size| part(kernel, offset, *size).len() == *size)
        .unwrap_or(consumed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// An entry of a "newc" archive.
    fn entry(name: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for value in [
            1,
            0o100_644,
            0,
            0,
            1,
            0,
            data.len(),
            0,
            0,
            0,
            0,
            name.len() + 1,
            0,
        ] {
            bytes.extend(format!("{value:08x}").bytes());
        }
        bytes.extend(name.bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn cpio() -> Vec<u8> {
        [
            entry("dev", b""),
            entry("init", b"#!/bin/sh\n"),
            entry("TRAILER!!!", b""),
        ]
        .concat()
    }

    fn work() -> Work {
        Work::new(64 << 20)
    }

    #[test]
    fn finds_a_plain_archive() {
        let cpio = cpio();
        let kernel = [b"code 070701 code", cpio.as_slice(), &[0; 100]].concat();
        let found = find(&kernel, 1 << 20, &mut work()).unwrap();
        assert_eq!(
            (found.offset, found.len, found.entries),
            (16, cpio.len(), 2)
        );
        assert_eq!(found.compression, None);
    }

    #[test]
    fn finds_a_compressed_archive() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&cpio()).unwrap();
        let stream = encoder.finish().unwrap();
        let mut kernel = [&[0x55; 64], stream.as_slice()].concat();
        kernel.resize(kernel.len().next_multiple_of(8), 0);
        kernel.extend((stream.len() as u32).to_le_bytes());
        let found = find(&kernel, 1 << 20, &mut work()).unwrap();
        expect_test::expect![[r#"cpio in gzip, 2 entries, 368 bytes unpacked"#]]
            .assert_eq(&found.to_string());
        assert_eq!((found.offset, found.len), (64, stream.len()));
    }

    #[test]
    fn cut_archives_are_none() {
        let cpio = cpio();
        for cut in 0..cpio.len() - 4 {
            assert_eq!(find(&cpio[..cut], 1 << 20, &mut work()), None, "{cut}");
        }
    }
}
