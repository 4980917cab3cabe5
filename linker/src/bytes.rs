//! Reading numbers out of untrusted bytes: every access is bounded, none panics.

use scroll::{Endian, Pread};

/// The little- or big-endian `u16` at `offset`, if it lies within `bytes`.
pub fn u16_at(bytes: &[u8], offset: usize, endian: Endian) -> Option<u16> {
    bytes.pread_with(offset, endian).ok()
}

/// The little- or big-endian `u32` at `offset`, if it lies within `bytes`.
pub fn u32_at(bytes: &[u8], offset: usize, endian: Endian) -> Option<u32> {
    bytes.pread_with(offset, endian).ok()
}

/// The little-endian `u32` at `offset`, if it lies within `bytes`.
pub fn le32(bytes: &[u8], offset: usize) -> Option<u32> {
    u32_at(bytes, offset, Endian::Little)
}

/// The big-endian `u32` at `offset`, if it lies within `bytes`.
pub fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    u32_at(bytes, offset, Endian::Big)
}

/// The NUL-terminated printable ASCII string at `offset`, at most `max` bytes
/// long without its NUL.
pub fn c_str(bytes: &[u8], offset: usize, max: usize) -> Option<&str> {
    let rest = bytes.get(offset..)?;
    let end = rest.iter().take(max + 1).position(|&byte| byte == 0)?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    text.bytes()
        .all(|byte| matches!(byte, b'\t' | b'\n' | 0x01 | b' '..=b'~'))
        .then_some(text)
}

/// All whole little-endian words from the start on.
pub fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
}
