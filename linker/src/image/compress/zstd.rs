//! Zstandard (RFC 8878), one frame.

use ruzstd::decoding::StreamingDecoder;

use super::{Error, Sink};

/// The frame's magic number, and the reserved bit of its descriptor.
pub(super) fn begins(input: &[u8]) -> bool {
    matches!(input, [0x28, 0xb5, 0x2f, 0xfd, descriptor, ..] if descriptor & 8 == 0)
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let mut rest = input;
    // The default limit of the window, 128 MiB, is what `zstd -22 --ultra` of
    // the kernel's build needs.
    let decoder =
        StreamingDecoder::new(&mut rest).map_err(|error| sink.broken(error.to_string()))?;
    let result = sink.drain(decoder);
    sink.consumed = input.len() - rest.len();
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};

    #[test]
    fn decodes() {
        tests::check(Format::Zstd);
    }
}
