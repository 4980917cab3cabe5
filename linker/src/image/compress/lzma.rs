//! LZMA alone: five bytes of properties, eight of length, then the stream.
//!
//! The length cannot be trusted: vendors' tools leave a wrong one. A stream
//! with an end marker is whole whatever the header says, so that a stream which
//! does not end where the header says is decoded once more as one of unknown
//! length.

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;

use super::{Error, Sink, xz};
use crate::bytes::le32;

/// Properties and dictionary size.
const PROPERTIES: usize = 5;
/// The same and the length.
const HEADER: usize = 13;
/// No kernel and no ramdisk has as much as this.
const LONGEST: u64 = 1 << 30;

/// The part of [`begins`] that costs little and where most places fail: no
/// dictionary has an odd number of bytes, no encoder sets all properties to 0,
/// and most bytes of a kernel are.
#[inline]
pub(super) fn may_begin(input: &[u8]) -> bool {
    input.len() > HEADER && input[0] != 0 && input[1] == 0 && input[HEADER] == 0
}

/// There is no magic number: possible properties, a dictionary size that
/// encoders choose (2^n or 2^n + 2^(n-1)), an unknown or sensible length, and
/// the zero byte with which the range coder begins.
pub(super) fn begins(input: &[u8]) -> bool {
    let Some(&properties) = input.first().filter(|_| may_begin(input)) else {
        return false;
    };
    let Some(dictionary) = le32(input, 1) else {
        return false;
    };
    let Some(length) = length(input) else {
        return false;
    };
    // (pb * 5 + lp) * 9 + lc with lc + lp <= 4, as liblzma and the kernel want.
    let (lc, lp) = (properties % 9, properties / 9 % 5);
    let usual = dictionary.count_ones() == 1
        || dictionary.count_ones() == 2
            && dictionary.leading_zeros() + dictionary.trailing_zeros() == 30;
    properties < 225
        && lc + lp <= 4
        && usual
        && (0x1000..=128 << 20).contains(&dictionary)
        && (length == u64::MAX || (1..LONGEST).contains(&length))
}

/// The length in the header, all ones for an unknown one.
fn length(input: &[u8]) -> Option<u64> {
    let bytes = input.get(PROPERTIES..HEADER)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let first = attempt(input, input.get(..HEADER).unwrap_or(input), sink);
    let unknown = length(input).is_none_or(|length| length == u64::MAX);
    if unknown || !matches!(first, Err(Error::Broken { .. })) {
        return first;
    }
    sink.bytes.clear();
    let mut header = [0xff; HEADER];
    for (byte, given) in header.iter_mut().zip(input.iter().take(PROPERTIES)) {
        *byte = *given;
    }
    match attempt(input, &header, sink) {
        // The first error is the one that speaks of what stands in the file.
        Err(Error::Broken { .. }) => first,
        other => other,
    }
}

/// Decodes with `header` in the place of the stream's own.
fn attempt(input: &[u8], header: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let body = input.get(HEADER..).unwrap_or_default();
    let stream =
        Stream::new_lzma_decoder(xz::MEMORY).map_err(|error| sink.broken(error.to_string()))?;
    let mut joined = std::io::Read::chain(header, body);
    let result = sink.drain(XzDecoder::new_stream(&mut joined, stream));
    let (_, rest) = joined.into_inner();
    sink.consumed = input.len() - rest.len();
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};
    use super::*;
    use crate::image::fixture;

    #[test]
    fn decodes() {
        tests::check(Format::Lzma);
    }

    #[test]
    fn a_header_that_lies_about_the_length_does_no_harm() {
        let contents = tests::contents();
        for lie in [
            100,
            contents.len() as u64 - 1,
            contents.len() as u64 + 1,
            1 << 25,
        ] {
            let mut stream = fixture::compress(Format::Lzma, &contents);
            stream[PROPERTIES..HEADER].copy_from_slice(&lie.to_le_bytes());
            assert!(begins(&stream));
            let decoded = tests::decode(Format::Lzma, &stream, contents.len()).unwrap();
            assert!(decoded.bytes == contents, "{lie}");
            assert_eq!(decoded.consumed, stream.len());
        }
    }

    #[test]
    fn junk_is_not_a_header() {
        assert!(!begins(&[0x5d; 32]));
        assert!(!begins(&[0; 32]));
        assert!(!begins(b"\x5d\0\0\x80\0"));
    }
}
