//! Boundaries of functions as text, for other programs to read.

use std::fmt::Write;

use super::Code;

impl Code {
    /// One function a line, by address: start and end (the address behind its
    /// last byte, literal pools included), both hexadecimal. Bit 0 is clear for
    /// Thumb functions too.
    pub fn listing(&self) -> String {
        let mut text = String::new();
        for function in self.functions() {
            let _ = writeln!(text, "{:#010x} {:#010x}", function.start, function.end);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Options;
    use crate::kernel::Version;
    use crate::machine::testing::{BASE, Image};

    #[test]
    fn a_line_for_each_function() {
        // Two functions, the first of which calls the second.
        let mut image = Image::new(0x1_0000, Version(4, 9, 0));
        image.words(
            BASE,
            &[
                0xe92d_4010,
                0xeb00_0001,
                0xe8bd_8010,
                0xe320_f000,
                0xe3a0_0000,
                0xe12f_ff1e,
            ],
        );
        let code = Code::analyse(&image.kernel(), &Options::default());
        let text = code.listing();
        assert_eq!(text.lines().count(), code.functions().len());
        for (line, function) in text.lines().zip(code.functions()) {
            let (start, end) = line.split_once(' ').unwrap();
            let number = |text: &str| u32::from_str_radix(&text[2..], 16).unwrap();
            assert_eq!(number(start), function.start);
            assert_eq!(number(end), function.end);
        }
    }
}
