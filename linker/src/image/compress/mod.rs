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
    /// The input as a whole asks for more work than allowed.
    #[error(
        "decoding stopped: the whole image asks for more than the limit of {limit} bytes read and written"
    )]
    Work {
        /// The limit in bytes.
        limit: u64,
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

/// What may still be done for one image, over all its streams: bytes read and
/// written, and something for each attempt, so that an image of nothing but
/// headers costs no more than another.
#[derive(Debug)]
pub struct Work {
    left: u64,
    limit: u64,
}

impl Work {
    /// What setting up a decoder counts as, in bytes.
    const ATTEMPT: u64 = 64 << 10;

    /// Work for `limit` bytes.
    pub fn new(limit: u64) -> Work {
        Work { left: limit, limit }
    }

    /// Takes `bytes` away.
    ///
    /// # Errors
    ///
    /// [`Error::Work`] when there is not that much left.
    pub fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Error::Work { limit: self.limit })
    }
}

/// Output that does not grow beyond a limit.
struct Sink {
    bytes: Vec<u8>,
    limit: usize,
    /// Bytes of input that were read, also by a decoder that failed.
    consumed: usize,
}

impl Sink {
    fn new(limit: usize) -> Sink {
        Sink {
            bytes: Vec::new(),
            limit,
            consumed: 0,
        }
    }

    /// Room that is left.
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }

    /// Appends what fits; an error when that is not all.
    fn push(&mut self, data: &[u8]) -> Result<(), Error> {
        let fits = data.len().min(self.room());
        self.bytes
            .extend_from_slice(data.get(..fits).unwrap_or_default());
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
        // One byte more than fits shows that there is more.
        let mut buffer = vec![0; (self.room() + 1).min(128 << 10)];
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

fn run(format: Format, input: &[u8], sink: &mut Sink, work: &mut Work) -> Result<(), Error> {
    work.spend(Work::ATTEMPT)?;
    let result = match format {
        Format::Gzip => gzip::decode(input, sink),
        Format::Xz => xz::decode(input, sink),
        Format::Lzma => lzma::decode(input, sink),
        Format::Lzo => lzo::decode(input, sink),
        Format::Lz4 => lz4::decode(input, sink),
        Format::Zstd => zstd::decode(input, sink),
        Format::Bzip2 => bzip2::decode(input, sink),
    };
    work.spend((sink.consumed as u64).saturating_add(sink.bytes.len() as u64))?;
    result
}

/// Decodes the stream at the start of `input` to at most `limit` bytes.
///
/// # Errors
///
/// [`Error::Limit`] for a stream with more contents, [`Error::Broken`] for one
/// that is cut off or damaged, [`Error::Work`] when `work` is used up.
pub fn decode(
    format: Format,
    input: &[u8],
    limit: usize,
    work: &mut Work,
) -> Result<Decoded, Error> {
    let mut sink = Sink::new(limit);
    run(format, input, &mut sink, work)?;
    Ok(Decoded {
        bytes: sink.bytes,
        consumed: sink.consumed,
    })
}

/// The first bytes of the contents, at most `count`; fewer when the stream is
/// broken.
///
/// # Errors
///
/// [`Error::Work`] when `work` is used up.
pub fn peek(format: Format, input: &[u8], count: usize, work: &mut Work) -> Result<Vec<u8>, Error> {
    let mut sink = Sink::new(count);
    match run(format, input, &mut sink, work) {
        Err(error @ Error::Work { .. }) => Err(error),
        // Whether it stopped at the limit or at damage makes no difference.
        _ => Ok(sink.bytes),
    }
}

/// The format of a stream that begins at the start of `input`, as far as its
/// header tells.
pub fn recognise(input: &[u8]) -> Option<Format> {
    let (format, begins): (Format, fn(&[u8]) -> bool) = match input.first()? {
        0x1f => (Format::Gzip, gzip::begins),
        0xfd => (Format::Xz, xz::begins),
        0x89 => (Format::Lzo, lzo::begins),
        0x02 => (Format::Lz4, lz4::begins),
        0x28 => (Format::Zstd, zstd::begins),
        b'B' => (Format::Bzip2, bzip2::begins),
        _ => (Format::Lzma, lzma::begins),
    };
    if begins(input) {
        return Some(format);
    }
    lzma::begins(input).then_some(Format::Lzma)
}

/// All places in `bytes` at a multiple of `step` where a stream may begin, in
/// order.
pub fn streams(bytes: &[u8], step: usize) -> impl Iterator<Item = (usize, Format)> + '_ {
    let mut offset = 0;
    std::iter::from_fn(move || {
        // Millions of places are looked at, and nearly all of them end here.
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let at = offset;
            offset += step;
            if may_begin(rest)
                && let Some(format) = recognise(rest)
            {
                return Some((at, format));
            }
        }
        None
    })
}

/// False for most places where no stream begins, by two or three bytes.
#[inline]
fn may_begin(rest: &[u8]) -> bool {
    match *rest {
        [0x1f, 0x8b, ..]
        | [0xfd, b'7', ..]
        | [0x89, b'L', ..]
        | [0x02, 0x21, ..]
        | [0x28, 0xb5, ..]
        | [b'B', b'Z', ..] => true,
        [_, 0, ..] => lzma::may_begin(rest),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixture;
    use proptest::prelude::*;

    pub(super) fn decode(format: Format, input: &[u8], limit: usize) -> Result<Decoded, Error> {
        super::decode(format, input, limit, &mut Work::new(1 << 30))
    }

    pub(super) const TEXT: &[u8] = b"a kernel, a kernel, a kernel for a horse ";

    /// The contents that the formats' tests compress: compressible, and longer
    /// than the buffers on the way.
    pub(super) fn contents() -> Vec<u8> {
        TEXT.repeat(20_000)
    }

    /// What every format has to do with a whole, a cut and a too large stream.
    pub(super) fn check(format: Format) {
        let contents = contents();
        check_stream(format, &fixture::compress(format, &contents), &contents);
    }

    /// [`check`] for a given stream.
    pub(super) fn check_stream(format: Format, stream: &[u8], contents: &[u8]) {
        let mut input = stream.to_vec();
        input.extend(b"\x12\x34\x56\x00 something behind it");
        assert_eq!(recognise(&input), Some(format));
        let decoded = decode(format, &input, contents.len()).unwrap();
        assert!(decoded.bytes == contents);
        assert_eq!(decoded.consumed, stream.len());

        let limit = contents.len() - 1;
        assert_eq!(decode(format, &input, limit), Err(Error::Limit { limit }));
        let start = peek(format, &input, 41, &mut Work::new(1 << 30)).unwrap();
        assert_eq!(start, TEXT);
        let result = super::decode(format, &input, contents.len(), &mut Work::new(500_000));
        assert_eq!(result, Err(Error::Work { limit: 500_000 }));
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
        let found: Vec<_> = streams(&bytes, 1).collect();
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
