//! Compressed streams: recognising them and decoding them within limits.
//!
//! One file per format. Each takes the bytes from the stream's first byte on
//! (what follows the stream is ignored, as the kernel's own build appends to
//! it), writes into a [`Sink`], which refuses to grow beyond its limit, and
//! gives the number of bytes that the stream took.

mod bzip2;
mod gzip;
mod lz4;
mod lzma;
mod lzo;
mod xz;
mod zstd;

use std::fmt;
use std::io::Read;

use serde::Serialize;

/// A compression format of kernels and ramdisks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 1952.
    Gzip,
    /// The .xz format, with any of its filters.
    Xz,
    /// The older .lzma format ("LZMA alone").
    Lzma,
    /// The container of the program lzop.
    Lzo,
    /// The frame of `lz4 -l`, which the kernel uses.
    Lz4,
    /// RFC 8878.
    Zstd,
    /// The .bz2 format.
    Bzip2,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Gzip => "gzip",
            Format::Xz => "xz",
            Format::Lzma => "lzma",
            Format::Lzo => "lzo",
            Format::Lz4 => "lz4",
            Format::Zstd => "zstd",
            Format::Bzip2 => "bzip2",
        })
    }
}

/// Why a stream could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More output than allowed.
    #[error("gives more than the limit of {limit} bytes")]
    Limit {
        /// The limit in bytes.
        limit: usize,
    },
    /// The data contradicts the format.
    #[error("{what} (after {produced} bytes of output)")]
    Broken {
        /// What was wrong.
        what: String,
        /// Bytes that came out before.
        produced: usize,
    },
}

/// A decoded stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The contents.
    pub bytes: Vec<u8>,
    /// Bytes of input that the stream took.
    pub consumed: usize,
}

/// Output that does not grow beyond a limit.
struct Sink {
    bytes: Vec<u8>,
    limit: usize,
}

impl Sink {
    fn new(limit: usize) -> Sink {
        Sink {
            bytes: Vec::new(),
            limit,
        }
    }

    /// Room that is left.
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }

    /// Appends what fits; an error when that is not all.
    fn push(&mut self, data: &[u8]) -> Result<(), Error> {
        let fits = data.len().min(self.room());
        self.bytes.extend(data.iter().take(fits));
        if fits < data.len() {
            return Err(Error::Limit { limit: self.limit });
        }
        Ok(())
    }

    /// An error that says how far decoding came.
    fn broken(&self, what: impl Into<String>) -> Error {
        Error::Broken {
            what: what.into(),
            produced: self.bytes.len(),
        }
    }

    /// Appends all that `reader` gives.
    fn drain(&mut self, mut reader: impl Read) -> Result<(), Error> {
        let mut buffer = vec![0; 128 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.push(buffer.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(error.to_string())),
            }
        }
    }
}

fn run(format: Format, input: &[u8], sink: &mut Sink) -> Result<usize, Error> {
    match format {
        Format::Gzip => gzip::decode(input, sink),
        Format::Xz => xz::decode(input, sink),
        Format::Lzma => lzma::decode(input, sink),
        Format::Lzo => lzo::decode(input, sink),
        Format::Lz4 => lz4::decode(input, sink),
        Format::Zstd => zstd::decode(input, sink),
        Format::Bzip2 => bzip2::decode(input, sink),
    }
}

/// Decodes the stream at the start of `input` to at most `limit` bytes.
///
/// # Errors
///
/// [`Error::Limit`] for a stream with more contents, [`Error::Broken`] for one
/// that is cut off or damaged.
pub fn decode(format: Format, input: &[u8], limit: usize) -> Result<Decoded, Error> {
    let mut sink = Sink::new(limit);
    let consumed = run(format, input, &mut sink)?;
    Ok(Decoded {
        bytes: sink.bytes,
        consumed,
    })
}

/// The first bytes of the contents, at most `count`; fewer when the stream is
/// broken.
pub fn peek(format: Format, input: &[u8], count: usize) -> Vec<u8> {
    let mut sink = Sink::new(count);
    // Whether it stopped at the limit or at damage makes no difference here.
    let _ = run(format, input, &mut sink);
    sink.bytes
}

/// The format of a stream that begins at the start of `input`, as far as its
/// header tells.
pub fn recognise(input: &[u8]) -> Option<Format> {
    const KNOWN: [(Format, fn(&[u8]) -> bool); 7] = [
        (Format::Gzip, gzip::begins),
        (Format::Xz, xz::begins),
        (Format::Lzo, lzo::begins),
        (Format::Lz4, lz4::begins),
        (Format::Zstd, zstd::begins),
        (Format::Bzip2, bzip2::begins),
        (Format::Lzma, lzma::begins),
    ];
    let (format, _) = KNOWN.iter().find(|(_, begins)| begins(input))?;
    Some(*format)
}

/// All places in `bytes` where a stream may begin, in order.
pub fn streams(bytes: &[u8]) -> impl Iterator<Item = (usize, Format)> + '_ {
    (0..bytes.len()).filter_map(|offset| {
        let rest = bytes.get(offset..)?;
        Some((offset, recognise(rest)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) const TEXT: &[u8] = b"a kernel, a kernel, a kernel for a horse ";

    /// The contents that the formats' tests compress: compressible, and longer
    /// than the buffers on the way.
    pub(super) fn contents() -> Vec<u8> {
        TEXT.repeat(20_000)
    }

    /// What every format has to do with a whole, a cut and a too large stream.
    pub(super) fn check(format: Format, stream: &[u8], contents: &[u8]) {
        let mut input = stream.to_vec();
        input.extend(b"\x12\x34\x56\x00 something behind it");
        assert_eq!(recognise(&input), Some(format));
        let decoded = decode(format, &input, contents.len()).unwrap();
        assert!(decoded.bytes == contents);
        assert_eq!(decoded.consumed, stream.len());

        let limit = contents.len() - 1;
        assert_eq!(decode(format, &input, limit), Err(Error::Limit { limit }));
        assert_eq!(peek(format, &input, 41), TEXT);
        for cut in [0, 1, 5, 13, stream.len() / 2, stream.len() - 1] {
            let result = decode(format, &stream[..cut], contents.len());
            assert!(
                matches!(result, Err(Error::Broken { .. })),
                "{cut}: {result:?}"
            );
        }
    }

    #[test]
    fn streams_are_found_in_order() {
        let mut bytes = vec![0x55; 100];
        bytes.extend(b"\xfd7zXZ\0");
        bytes.extend([0x55; 10]);
        bytes.extend(b"\x1f\x8b\x08\0");
        bytes.extend([0x55; 10]);
        let found: Vec<_> = streams(&bytes).collect();
        assert_eq!(found, [(100, Format::Xz), (116, Format::Gzip)]);
    }

    proptest! {
        /// Whatever stands behind a header, decoders end and keep the limit.
        #[test]
        fn decoders_withstand_junk(
            index in 0usize..7,
            mut junk in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let heads: [(Format, &[u8]); 7] = [
                (Format::Gzip, b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
                (Format::Xz, b"\xfd7zXZ\0\0\x01"),
                (Format::Lzma, b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0"),
                (Format::Lzo, b"\x89LZO\0\x0d\x0a\x1a\x0a\x10\x30\x20\x60\x09\x40\x01\x05"),
                (Format::Lz4, b"\x02\x21\x4c\x18"),
                (Format::Zstd, b"\x28\xb5\x2f\xfd"),
                (Format::Bzip2, b"BZh91AY&SY"),
            ];
            let (format, head) = heads[index];
            let mut input = head.to_vec();
            input.append(&mut junk);
            if let Ok(decoded) = decode(format, &input, 10_000) {
                prop_assert!(decoded.bytes.len() <= 10_000);
                prop_assert!(decoded.consumed <= input.len());
            }
        }
    }
}
