//! Decompression of one block of a file system, which says how it is packed, and
//! whose length is known to be at most so much.

use std::io::Read as _;

use crate::image::compress::{self, Format, Work};

/// How blocks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// RFC 1950.
    Zlib,
    /// LZMA alone, with its header.
    Lzma,
    /// LZO1X without a container.
    Lzo,
    /// A whole .xz stream.
    Xz,
    /// An LZ4 block without a container.
    Lz4,
    /// A Zstandard frame.
    Zstd,
    /// Zlib or, where a vendor changed it, LZMA alone: whichever a block begins as.
    ZlibOrLzma,
}

/// The contents of a block, at most `limit` bytes; else what is wrong.
pub(super) fn unpack(packing: Packing, block: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let stream = |format: Format| {
        // Bounded by the limit; the caller accounts for it.
        compress::decode(format, block, limit, &mut Work::new(u64::MAX))
            .map(|decoded| decoded.bytes)
            .map_err(|error| error.to_string())
    };
    match packing {
        Packing::Zlib => {
            let mut contents = Vec::new();
            let most = limit as u64 + 1;
            flate2::read::ZlibDecoder::new(block)
                .take(most)
                .read_to_end(&mut contents)
                .map_err(|error| error.to_string())?;
            if contents.len() > limit {
                return Err(format!("gives more than {limit} bytes"));
            }
            Ok(contents)
        }
        Packing::ZlibOrLzma => {
            let head = block
                .first_chunk()
                .map_or(0, |&head| u16::from_be_bytes(head));
            // RFC 1950, 2.2: deflate, and a check of the two bytes.
            let zlib = head >> 8 & 15 == 8 && head % 31 == 0;
            let packing = if zlib { Packing::Zlib } else { Packing::Lzma };
            unpack(packing, block, limit)
        }
        Packing::Lzma => stream(Format::Lzma),
        Packing::Xz => stream(Format::Xz),
        Packing::Zstd => stream(Format::Zstd),
        Packing::Lzo => {
            let mut contents = vec![0; limit];
            let length = lzokay::decompress::decompress(block, &mut contents)
                .map_err(|error| format!("{error:?}"))?;
            contents.truncate(length);
            Ok(contents)
        }
        Packing::Lz4 => {
            let mut contents = vec![0; limit];
            let length = lz4_flex::block::decompress_into(block, &mut contents)
                .map_err(|error| error.to_string())?;
            contents.truncate(length);
            Ok(contents)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_no_more_than_it_may() {
        let contents = vec![7; 5000];
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &contents).unwrap();
        let lzo = lzokay::compress::compress(&contents).unwrap();
        let lz4 = lz4_flex::block::compress(&contents);
        for (packing, block) in [
            (Packing::Zlib, encoder.finish().unwrap()),
            (Packing::Lzo, lzo),
            (Packing::Lz4, lz4),
        ] {
            assert_eq!(unpack(packing, &block, 5000).unwrap(), contents);
            assert!(unpack(packing, &block, 4999).is_err(), "{packing:?}");
            assert!(unpack(packing, &block[..block.len() / 2], 5000).is_err());
            assert!(unpack(packing, b"\xff\xff\xff\xff", 5000).is_err());
        }
    }
}
