//! Volumes of UBI (`drivers/mtd/ubi/ubi-media.h`): each erase block says which
//! piece of which volume it holds.

use std::collections::BTreeMap;

use crate::bytes::{be32, part};

/// Header of an erase block, and the one of what it holds.
const BLOCK: &[u8] = b"UBI#";
const PIECE: &[u8] = b"UBI!";
/// No erase block is smaller.
const SMALLEST: usize = 1 << 14;
/// The volume that has the table of the others.
const LAYOUT: u32 = 0x7fff_efff;
/// An entry of that table.
const RECORD: usize = 172;
const LONGEST_NAME: u8 = 127;
/// A volume that is written once; of others the length is not known.
const STATIC: u8 = 2;
/// A volume may have holes, but is not many times longer than all blocks.
const LONGEST: usize = 4;

/// A volume put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name, as far as the table of volumes says.
    pub name: String,
    /// Its contents; where nothing was written they are all ones, as flash is.
    pub bytes: Vec<u8>,
}

/// A run of erase blocks.
pub(super) struct Run {
    pub(super) offset: usize,
    pub(super) block: usize,
    pub(super) count: usize,
}

fn is_header(bytes: &[u8], offset: usize) -> bool {
    let header = part(bytes, offset, 64);
    header.len() == 64 && header.starts_with(BLOCK) && header.get(4..8) == Some(&[1, 0, 0, 0])
}

/// The first run of erase blocks. Their size is the distance of two headers.
pub(super) fn find(bytes: &[u8]) -> Option<Run> {
    let mut headers =
        memchr::memmem::find_iter(bytes, BLOCK).filter(|&offset| is_header(bytes, offset));
    let (offset, second) = (headers.next()?, headers.next()?);
    let block = second - offset;
    if block < SMALLEST || !block.is_power_of_two() {
        return None;
    }
    let count = (offset..bytes.len())
        .step_by(block)
        .take_while(|&offset| is_header(bytes, offset))
        .count();
    Some(Run {
        offset,
        block,
        count,
    })
}

/// Where the first run of erase blocks begins.
pub fn erase_blocks(bytes: &[u8]) -> Option<usize> {
    find(bytes).map(|run| run.offset)
}

/// What an erase block holds.
struct Piece<'a> {
    /// A later one replaces what an earlier one says.
    sequence: u64,
    is_static: bool,
    data: &'a [u8],
}

/// All volumes of the run of erase blocks at the start of the bytes.
pub fn volumes(bytes: &[u8]) -> Vec<Volume> {
    let Some(run) = find(bytes) else {
        return Vec::new();
    };
    let blocks = part(bytes, run.offset, run.block * run.count).chunks(run.block);
    let mut volumes: BTreeMap<u32, BTreeMap<usize, Piece<'_>>> = BTreeMap::new();
    for (volume, number, piece) in blocks.filter_map(read) {
        if number >= run.count.saturating_mul(LONGEST) {
            continue;
        }
        let known = volumes.entry(volume).or_default();
        let newer = known
            .get(&number)
            .is_none_or(|known| known.sequence < piece.sequence);
        if newer {
            known.insert(number, piece);
        }
    }
    let table = volumes.remove(&LAYOUT).map(join).unwrap_or_default();
    let mut left = bytes.len().saturating_mul(LONGEST);
    let mut result = Vec::new();
    for (number, pieces) in volumes {
        let bytes = join(pieces);
        let Some(rest) = left.checked_sub(bytes.len()) else {
            break;
        };
        left = rest;
        result.push(Volume {
            name: name(&table, number),
            bytes,
        });
    }
    result
}

/// Volume, number in it and contents of an erase block.
fn read(block: &[u8]) -> Option<(u32, usize, Piece<'_>)> {
    let header = block.get(be32(block, 16)? as usize..)?;
    let data = block.get(be32(block, 20)? as usize..)?;
    if !header.starts_with(PIECE) {
        return None;
    }
    let is_static = header.get(5) == Some(&STATIC);
    let used = match is_static {
        true => be32(header, 20)? as usize,
        false => data.len(),
    };
    let sequence = u64::from(be32(header, 40)?) << 32 | u64::from(be32(header, 44)?);
    let piece = Piece {
        sequence,
        is_static,
        data: part(data, 0, used),
    };
    Some((be32(header, 8)?, be32(header, 12)? as usize, piece))
}

fn join(pieces: BTreeMap<usize, Piece<'_>>) -> Vec<u8> {
    let length = pieces.values().map(|piece| piece.data.len()).max();
    let length = length.unwrap_or(0);
    let mut bytes = Vec::new();
    for (number, piece) in pieces {
        let start = number * length;
        bytes.resize(start.max(bytes.len()), 0xff);
        bytes.extend_from_slice(piece.data);
        if !piece.is_static {
            bytes.resize(start + length, 0xff);
        }
    }
    bytes
}

/// The name in the table of volumes.
fn name(table: &[u8], number: u32) -> String {
    let record = part(table, (number as usize).saturating_mul(RECORD), RECORD);
    // Flash without a table is all ones.
    let length = record.get(15).filter(|&&length| length <= LONGEST_NAME);
    let length = length.copied().unwrap_or(0).into();
    String::from_utf8_lossy(part(record, 16, length)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = SMALLEST;

    /// An erase block with a piece of a volume.
    fn block(volume: u32, number: u32, sequence: u32, kind: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xff; SIZE];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, BLOCK);
        put(4, &[1, 0, 0, 0]);
        put(16, &64u32.to_be_bytes());
        put(20, &128u32.to_be_bytes());
        put(64, PIECE);
        put(69, &[kind]);
        for (at, word) in [
            (8, volume),
            (12, number),
            (20, data.len() as u32),
            (44, sequence),
        ] {
            put(64 + at, &word.to_be_bytes());
        }
        put(64 + 40, &[0; 4]);
        put(128, data);
        bytes
    }

    #[test]
    fn pieces_are_put_in_order_and_the_last_one_counts() {
        let mut record = vec![0; RECORD];
        record[15] = 4;
        record[16..20].copy_from_slice(b"root");
        let flash = [
            block(LAYOUT, 0, 0, 1, &record),
            block(0, 2, 1, 1, b"third"),
            block(0, 0, 2, 1, b"old"),
            block(0, 0, 3, 1, b"new"),
            block(7, 0, 1, STATIC, b"all of it"),
        ]
        .concat();
        let found = volumes(&[vec![0x55; 100], flash].concat());
        let [root, other] = found.as_slice() else {
            panic!("{found:?}");
        };
        let length = SIZE - 128;
        assert_eq!((root.name.as_str(), root.bytes.len()), ("root", 3 * length));
        assert!(root.bytes.starts_with(b"new\xff"));
        // The second piece was never written.
        assert!(
            root.bytes[length..2 * length]
                .iter()
                .all(|&byte| byte == 0xff)
        );
        assert!(root.bytes[2 * length..].starts_with(b"third"));
        assert_eq!(
            (other.name.as_str(), other.bytes.as_slice()),
            ("", b"all of it".as_slice())
        );
    }

    #[test]
    fn a_volume_is_no_longer_than_can_be() {
        let far = block(0, u32::MAX, 0, 1, b"far");
        assert_eq!(volumes(&[far.clone(), far].concat()), []);
        let mut lost = block(0, 0, 0, 1, b"");
        lost[16..24].fill(0xfe);
        assert_eq!(volumes(&[lost.clone(), lost].concat()), []);
        assert_eq!(volumes(b"UBI#UBI#"), []);
    }
}
