//! The frame of `lz4 -l`: a magic number, then for each block of 8 MiB the
//! length of its compressed form and that form. There is no end mark
//! (`lib/decompress_unlz4.c` knows the length from outside).

use super::{Error, Sink};
use crate::bytes::le32;

const MAGIC: u32 = 0x184c_2102;
/// Contents of every block but the last.
const BLOCK: usize = 8 << 20;
/// `LZ4_compressBound(BLOCK)`: the longest compressed form.
const LONGEST: usize = BLOCK + BLOCK / 255 + 16;

/// A byte of a compressed form gives at most so many of contents.
const GROWTH: usize = 255;

/// The magic number and a possible length.
pub(super) fn begins(input: &[u8]) -> bool {
    le32(input, 0) == Some(MAGIC)
        && le32(input, 4).is_none_or(|length| (1..=LONGEST).contains(&(length as usize)))
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let mut offset = 4;
    let mut block = Vec::new();
    loop {
        sink.consumed = offset;
        let length = match le32(input, offset) {
            // Frames may follow each other.
            Some(MAGIC) => {
                offset += 4;
                continue;
            }
            Some(length) => length as usize,
            None if offset > 4 => return Ok(()),
            None => return Err(sink.broken("ends before its first block")),
        };
        let start = offset + 4;
        let Some(data) = input.get(start..start.saturating_add(length)) else {
            let behind = !sink.bytes.is_empty() && length > LONGEST;
            if behind {
                return Ok(());
            }
            return Err(sink.broken(format!(
                "block of {length:#x} bytes at {start:#x} of the stream ends behind the {:#x} bytes that are there",
                input.len()
            )));
        };
        if length == 0 || length > LONGEST {
            if sink.bytes.is_empty() {
                return Err(sink.broken(format!(
                    "length of the first block is {length:#x}, expected 1 to {LONGEST:#x}"
                )));
            }
            return Ok(());
        }
        block.resize(BLOCK.min(length * GROWTH + 16), 0);
        let produced = lz4_flex::block::decompress_into(data, &mut block)
            .map_err(|error| sink.broken(format!("block at {start:#x} of the stream: {error}")))?;
        sink.push(block.get(..produced).unwrap_or_default())?;
        offset = start + length;
        // Only the last block is shorter, unless another frame follows.
        if produced < BLOCK && le32(input, offset) != Some(MAGIC) {
            sink.consumed = offset;
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};
    use super::*;
    use crate::image::fixture;

    #[test]
    fn decodes() {
        tests::check(Format::Lz4);
    }

    #[test]
    fn decodes_several_blocks_and_frames() {
        let mut contents = tests::TEXT.repeat(2 * BLOCK / tests::TEXT.len() + 1);
        contents.truncate(2 * BLOCK);
        let mut stream = fixture::compress(Format::Lz4, &contents);
        let whole = tests::decode(Format::Lz4, &stream, 4 * BLOCK).unwrap();
        assert_eq!(
            (whole.bytes.len(), whole.consumed),
            (2 * BLOCK, stream.len())
        );

        stream.extend(fixture::compress(Format::Lz4, tests::TEXT));
        let both = tests::decode(Format::Lz4, &stream, 4 * BLOCK).unwrap();
        assert_eq!(both.bytes.len(), 2 * BLOCK + tests::TEXT.len());
        assert_eq!(both.consumed, stream.len());
    }

    #[test]
    fn a_run_of_magic_numbers_ends() {
        let stream = MAGIC.to_le_bytes().repeat(1000);
        assert_eq!(tests::decode(Format::Lz4, &stream, 100).unwrap().bytes, b"");
    }
}
