//! The container of the program lzop, as `lib/decompress_unlzo.c` reads it:
//! magic, header, then blocks of at most 256 KiB, each with its two lengths and
//! checksums, and a zero word at the end. All numbers are big-endian.

use scroll::Pread;

use super::{Error, Sink};

const MAGIC: &[u8] = b"\x89LZO\0\r\n\x1a\n";
/// The limit of lzop itself is 64 MiB; the kernel's is 256 KiB.
const LONGEST_BLOCK: u32 = 64 << 20;

/// A byte of a compressed form gives at most so many of contents.
const GROWTH: u32 = 255;

const ADLER32_OF_CONTENTS: u32 = 0x1;
const ADLER32_OF_DATA: u32 = 0x2;
const EXTRA_FIELD: u32 = 0x40;
const CRC32_OF_CONTENTS: u32 = 0x100;
const CRC32_OF_DATA: u32 = 0x200;
const FILTER: u32 = 0x800;

/// From this version on the header has a level and the time's upper half.
const WITH_LEVEL: u16 = 0x940;

pub(super) fn begins(input: &[u8]) -> bool {
    input.starts_with(MAGIC)
}

/// Reads big-endian numbers one after the other.
struct Reader<'a> {
    input: &'a [u8],
    offset: usize,
}

impl Reader<'_> {
    fn number<T>(&mut self, sink: &Sink, what: &str) -> Result<T, Error>
    where
        T: for<'b> scroll::ctx::TryFromCtx<'b, scroll::Endian, Error = scroll::Error>,
    {
        self.input
            .gread_with(&mut self.offset, scroll::BE)
            .map_err(|_| sink.broken(format!("ends at {:#x} within the {what}", self.offset)))
    }
}

/// Reads the header up to its checksum and gives its flags.
fn header(reader: &mut Reader<'_>, sink: &Sink) -> Result<u32, Error> {
    reader.offset = MAGIC.len();
    let version: u16 = reader.number(sink, "header")?;
    let _library: u16 = reader.number(sink, "header")?;
    if version >= WITH_LEVEL {
        let _needed: u16 = reader.number(sink, "header")?;
    }
    let method: u8 = reader.number(sink, "header")?;
    if !(1..=3).contains(&method) {
        return Err(sink.broken(format!("method is {method}, expected 1 to 3")));
    }
    if version >= WITH_LEVEL {
        let _level: u8 = reader.number(sink, "header")?;
    }
    let flags: u32 = reader.number(sink, "header")?;
    if flags & FILTER != 0 {
        return Err(sink.broken(format!("flags are {flags:#x}: filters are not supported")));
    }
    let _mode: u32 = reader.number(sink, "header")?;
    let _time: u32 = reader.number(sink, "header")?;
    if version >= WITH_LEVEL {
        let _upper: u32 = reader.number(sink, "header")?;
    }
    let name: u8 = reader.number(sink, "header")?;
    reader.offset += usize::from(name);
    let _checksum: u32 = reader.number(sink, "header")?;
    if flags & EXTRA_FIELD != 0 {
        let length: u32 = reader.number(sink, "extra field")?;
        reader.offset = reader.offset.saturating_add(length as usize);
        let _checksum: u32 = reader.number(sink, "extra field")?;
    }
    Ok(flags)
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let mut reader = Reader { input, offset: 0 };
    let flags = header(&mut reader, sink)?;
    let set = |bits: u32| u32::from(flags & bits != 0);
    let mut block = Vec::new();
    loop {
        let contents: u32 = reader.number(sink, "length of a block")?;
        if contents == 0 {
            sink.consumed = reader.offset;
            return Ok(());
        }
        let data: u32 = reader.number(sink, "length of a block")?;
        let at = reader.offset;
        let possible = LONGEST_BLOCK.min(data.saturating_mul(GROWTH));
        if contents > possible || data > contents {
            return Err(sink.broken(format!(
                "block at {at:#x} of the stream: {data:#x} bytes for {contents:#x}, expected from {data:#x} to {possible:#x}"
            )));
        }
        for _ in 0..set(ADLER32_OF_CONTENTS) + set(CRC32_OF_CONTENTS) {
            let _checksum: u32 = reader.number(sink, "checksum of a block")?;
        }
        // Blocks that did not shrink are stored, without a second checksum.
        if data < contents {
            for _ in 0..set(ADLER32_OF_DATA) + set(CRC32_OF_DATA) {
                let _checksum: u32 = reader.number(sink, "checksum of a block")?;
            }
        }
        let end = reader.offset.saturating_add(data as usize);
        let Some(bytes) = input.get(reader.offset..end) else {
            return Err(sink.broken(format!(
                "block of {data:#x} bytes at {:#x} of the stream ends behind the {:#x} bytes that are there",
                reader.offset,
                input.len()
            )));
        };
        if data == contents {
            sink.push(bytes)?;
        } else {
            block.resize(contents as usize, 0);
            let produced = lzokay::decompress::decompress(bytes, &mut block).map_err(|error| {
                sink.broken(format!("block at {at:#x} of the stream: {error:?}"))
            })?;
            if produced != contents as usize {
                return Err(sink.broken(format!(
                    "block at {at:#x} of the stream gives {produced:#x} bytes, expected {contents:#x}"
                )));
            }
            sink.push(&block)?;
        }
        reader.offset = end;
        sink.consumed = end;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};
    use super::*;
    use crate::image::fixture;

    #[test]
    fn decodes() {
        let contents = tests::contents();
        for flags in [
            0x0300_0000,
            ADLER32_OF_CONTENTS | ADLER32_OF_DATA,
            CRC32_OF_CONTENTS | CRC32_OF_DATA | EXTRA_FIELD,
        ] {
            tests::check_stream(Format::Lzo, &fixture::lzo(&contents, flags), &contents);
        }
    }

    #[test]
    fn decodes_stored_blocks() {
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(1000)
        .collect();
        let stream = fixture::lzo(&noise, ADLER32_OF_CONTENTS);
        let decoded = tests::decode(Format::Lzo, &stream, 1000).unwrap();
        assert!(decoded.bytes == noise);
    }

    #[test]
    fn a_block_that_claims_gigabytes_is_refused() {
        let mut stream = fixture::lzo(b"", 0);
        let end = stream.len() - 4;
        stream.truncate(end);
        stream.extend(u32::MAX.to_be_bytes());
        stream.extend([0, 0, 1, 0, 1, 2, 3]);
        let error = tests::decode(Format::Lzo, &stream, 1 << 30).unwrap_err();
        expect_test::expect!["block at 0x33 of the stream: 0x100 bytes for 0xffffffff, expected from 0x100 to 0xff00 (after 0 bytes of output)"]
            .assert_eq(&error.to_string());
    }
}
