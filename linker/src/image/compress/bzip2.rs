//! bzip2, one stream.

use bzip2::bufread::BzDecoder;

use super::{Error, Sink};

/// "BZh", the block size, and the magic of a first block (the digits of pi).
pub(super) fn begins(input: &[u8]) -> bool {
    const FIRST_BLOCK: &[u8] = &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    match input.strip_prefix(b"BZh") {
        Some([b'1'..=b'9', block @ ..]) => block.starts_with(FIRST_BLOCK),
        _ => false,
    }
}

pub(super) fn decode(input: &[u8], sink: &mut Sink) -> Result<(), Error> {
    let mut rest = input;
    let result = sink.drain(BzDecoder::new(&mut rest));
    sink.consumed = input.len() - rest.len();
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Format, tests};

    #[test]
    fn decodes() {
        tests::check(Format::Bzip2);
    }
}
