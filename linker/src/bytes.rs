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

/// Bytes of `bytes` from `offset` on, at most `len`; empty where there are none.
pub fn part(bytes: &[u8], offset: usize, len: usize) -> &[u8] {
    let rest = bytes.get(offset..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}

/// CRC-32 with the polynomial of IEEE 802.3, reflected, `state` being what the
/// register holds before and the result what it holds after, without inversion:
/// the usual checksum is `!crc32(!0, bytes)`, JFFS2's is `crc32(0, bytes)`.
pub fn crc32(state: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = value >> 1 ^ if value & 1 != 0 { 0xedb8_8320 } else { 0 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    bytes.iter().fold(state, |state, byte| {
        // The index has eight bits and the table 256 entries.
        TABLE[usize::from(state as u8 ^ byte)] ^ state >> 8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_of_the_usual_example() {
        assert_eq!(!crc32(!0, b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(0, b""), 0);
    }

    #[test]
    fn reading_ends_at_the_end() {
        assert_eq!(le32(&[1, 2, 3, 4], 0), Some(0x0403_0201));
        assert_eq!(be32(&[1, 2, 3, 4], 0), Some(0x0102_0304));
        assert_eq!(le32(&[1, 2, 3, 4], 1), None);
        assert_eq!(le32(&[1, 2, 3, 4], usize::MAX), None);
        assert_eq!(c_str(b"abc\0", 1, 10), Some("bc"));
        assert_eq!(c_str(b"abc", 0, 10), None);
        assert_eq!(c_str(b"abcdef\0", 0, 3), None);
        assert_eq!(part(b"abc", 1, 100), b"bc");
        assert_eq!(part(b"abc", 4, 1), b"");
    }
}
