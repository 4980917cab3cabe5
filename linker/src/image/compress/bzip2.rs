//! bzip2, one stream.

use bzip2::bufread::BzDecoder;

use super::{Error, Sink};

/// "BZh", the block size, and the magic of a first block (the digits of pi).
pub(super) fn begins(input: &[u8]) -> bool {
    matches!(
        input,
        [
            b'B',
            b'Z',
            b'h',
            b'1'..=b'9',
            0x31,
            0x41,
            0x59,
            0x26,
            0x53,
            0x59,
            ..
        ]
    )
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let mut rest = input;
    let result = sink.drain(BzDecoder::new(&mut rest));
    sink.consumed = input.len() - rest.len();
    result
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{Format, tests};

    #[test]
    fn decodes() {
        let contents = tests::contents();
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(&contents).unwrap();
        tests::check(Format::Bzip2, &encoder.finish().unwrap(), &contents);
    }
}
