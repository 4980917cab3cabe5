//! Flattened device trees (Devicetree Specification 0.4, chapter 5): finding
//! them, and reading properties of theirs.

use scroll::{Pread, SizeWith};

use super::Place;
use crate::bytes::{be32, c_str, part};

const MAGIC: [u8; 4] = 0xd00d_feedu32.to_be_bytes();
/// The largest that is believed. Trees have some ten KiB; FIT images, which have
/// the same form, carry whole kernels.
const LONGEST: u32 = 256 << 20;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOTHING: u32 = 4;

/// A device tree as it lies in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Where it begins.
    pub place: Place,
    /// All of it.
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Pread, SizeWith)]
struct Header {
    magic: u32,
    total: u32,
    structure: u32,
    strings: u32,
    reservations: u32,
    version: u32,
    oldest: u32,
    _cpu: u32,
    strings_size: u32,
    structure_size: u32,
}

/// A header whose parts lie within the tree, and the tree within the bytes.
fn header(bytes: &[u8]) -> Option<Header> {
    let header: Header = bytes.pread_with(0, scroll::BE).ok()?;
    let total = header.total;
    let within = |offset: u32, size: u32| {
        offset >= 0x28 && offset.checked_add(size).is_some_and(|end| end <= total)
    };
    // Version 16 has no size of the structure; every tree in use is version 17.
    let sane = header.magic.to_be_bytes() == MAGIC
        && total <= LONGEST
        && total as usize <= bytes.len()
        && header.version >= 17
        && header.oldest <= 17
        && within(header.structure, header.structure_size)
        && within(header.strings, header.strings_size)
        && within(header.reservations, 16)
        && header.structure.is_multiple_of(4);
    let first = first_token(bytes, header.structure as usize)?;
    (sane && first == BEGIN_NODE).then_some(header)
}

/// The first token that says something.
fn first_token(bytes: &[u8], structure: usize) -> Option<u32> {
    (0..8)
        .filter_map(|index| be32(bytes, structure.checked_add(index * 4)?))
        .find(|token| *token != NOTHING)
}

/// The length that a tree at the start of the bytes claims when it is cut off.
pub(super) fn cut_off(bytes: &[u8]) -> Option<usize> {
    let total = be32(bytes, 4)?;
    let longer = total <= LONGEST && total as usize > bytes.len();
    (bytes.starts_with(&MAGIC) && longer).then_some(total as usize)
}

/// The length of the tree at the start of the bytes.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    header(bytes).map(|header| header.total as usize)
}

pub(super) fn begins(bytes: &[u8]) -> bool {
    header(bytes).is_some()
}

/// A property: the names of the nodes down to it, its name and its value.
pub(super) struct Property<'a> {
    pub(super) path: Vec<&'a str>,
    pub(super) name: &'a str,
    pub(super) value: &'a [u8],
    /// Offset of the value in the tree.
    pub(super) offset: usize,
}

/// All properties in the order in which they stand, up to the first thing that
/// is not as the specification wants it; nodes deeper than `depth` are left out.
pub(super) fn properties(bytes: &[u8], depth: usize) -> Vec<Property<'_>> {
    /// Properties of a large tree: about ten thousand.
    const MOST: usize = 100_000;
    let Some(header) = header(bytes) else {
        return Vec::new();
    };
    let end = (header.structure + header.structure_size) as usize;
    let mut offset = header.structure as usize;
    let mut path: Vec<&str> = Vec::new();
    let mut result = Vec::new();
    while offset < end && result.len() < MOST {
        let token = be32(bytes, offset);
        offset += 4;
        match token {
            Some(BEGIN_NODE) => {
                let Some(name) = c_str(bytes, offset, 256) else {
                    break;
                };
                offset += (name.len() + 1).next_multiple_of(4);
                path.push(name);
            }
            Some(END_NODE) if path.len() > 1 => {
                path.pop();
            }
            Some(PROPERTY) => {
                let (Some(length), Some(name)) = (be32(bytes, offset), be32(bytes, offset + 4))
                else {
                    break;
                };
                let at = offset + 8;
                let name = (header.strings as usize).saturating_add(name as usize);
                let (Some(name), true) = (
                    c_str(bytes, name, 256),
                    at.saturating_add(length as usize) <= end,
                ) else {
                    break;
                };
                if path.len() <= depth {
                    result.push(Property {
                        path: path.clone(),
                        name,
                        value: part(bytes, at, length as usize),
                        offset: at,
                    });
                }
                offset = at + (length as usize).next_multiple_of(4);
            }
            Some(NOTHING) => {}
            _ => break,
        }
    }
    result
}

/// The text of a value, which ends with a zero byte; the first of several.
pub(super) fn text(value: &[u8]) -> &str {
    c_str(value, 0, value.len()).unwrap_or_default()
}

/// All trees in the bytes: offsets and lengths. Those that lie in others are
/// given for FIT images only, which are not trees of a device themselves.
pub(super) fn find(bytes: &[u8]) -> Vec<(usize, usize)> {
    /// Images within images are no case to spend time on.
    const MOST_FITS: usize = 16;
    let mut result = Vec::new();
    let mut fits = 0;
    let mut free = 0;
    for offset in memchr::memmem::find_iter(bytes, &MAGIC) {
        let rest = bytes.get(offset..).unwrap_or_default();
        if offset < free {
            continue;
        }
        if let Some(length) = length(rest) {
            if fits < MOST_FITS && super::fit::begins(rest) {
                fits += 1;
                continue;
            }
            result.push((offset, length));
            free = offset + length;
        }
    }
    result
}

/// Offsets of FIT images.
pub(super) fn find_images(bytes: &[u8]) -> Vec<usize> {
    /// Each is looked through.
    const MOST: usize = 16;
    memchr::memmem::find_iter(bytes, &MAGIC)
        .filter(|offset| bytes.get(*offset..).is_some_and(begins))
        .take(MOST)
        .filter(|offset| bytes.get(*offset..).is_some_and(super::fit::begins))
        .collect()
}

/// What the root says about the device.
pub(super) fn describe(bytes: &[u8]) -> String {
    let properties = properties(bytes, 1);
    let root = |name: &str| {
        let property = properties.iter().find(|property| property.name == name);
        property.map_or("", |property| text(property.value))
    };
    format!(
        "{:?}, compatible with {:?}",
        root("model"),
        root("compatible")
    )
}
