//! What was typed and when: enough to run the same once more.
//!
//! As a file it is text. The first line names the format, the second says which
//! start of the kernel it belongs to and what was started; each further line is a
//! piece of input: the instructions that had retired when the UART was given it,
//! virtual time in nanoseconds, and the bytes in hexadecimal. The last line has
//! none: that is where the run ended.
//!
//! ```text
//! ecmo input 1
//! start 1 of 5f8e...
//! 87211747 712318000 6c730d
//! 115554728 3104471544
//! ```

use emu::clock::Time;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::report::hex;

/// The first line.
const FORMAT: &str = "ecmo input 1";

/// A piece of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Instructions retired until then.
    pub instructions: u64,
    /// Virtual time.
    pub time: Time,
    /// What was typed.
    pub bytes: Vec<u8>,
}

impl Piece {
    /// Whether its moment has come.
    pub(super) fn is_due(&self, instructions: u64, now: Time) -> bool {
        self.instructions <= instructions && self.time <= now
    }
}

/// What was typed in one start of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Which start it was, from 1: a kernel that does not come up is started again
    /// with something changed.
    pub start: usize,
    /// What was started: the SHA-256 of the image, or `snapshot`.
    pub of: String,
    /// In the order in which they were typed.
    pub entries: Vec<Piece>,
}

/// Why a text is no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: expected {expected}, found {found:?}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// What should be there.
    pub expected: &'static str,
    /// What is, cut to a readable length.
    pub found: String,
}

/// What stands for an image in a record; an empty one for a snapshot.
pub fn identity(image: &[u8]) -> String {
    if image.is_empty() {
        return "snapshot".to_owned();
    }
    hex(&Sha256::digest(image))
}

impl Record {
    /// As the text of a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FORMAT}\nstart {} of {}\n", self.start, self.of);
        for entry in &self.entries {
            let digits = hex(&entry.bytes);
            text += &format!("{} {} {digits}\n", entry.instructions, entry.time.0);
        }
        text
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// When a line has another form, with its number.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut lines = (1..).zip(text.lines());
        let mut next = |expected| {
            let end = ParseError {
                line: text.lines().count() + 1,
                expected,
                found: String::new(),
            };
            lines.next().ok_or(end)
        };
        let (line, first) = next(FORMAT)?;
        if first != FORMAT {
            return Err(wrong(line, FORMAT, first));
        }
        const START: &str = "`start NUMBER of WHAT`";
        let (line, second) = next(START)?;
        let words: Vec<&str> = second.split(' ').collect();
        let (start, of) = match words[..] {
            ["start", number, "of", what] => (number.parse().ok(), what.to_owned()),
            _ => (None, String::new()),
        };
        let start = start.ok_or_else(|| wrong(line, START, second))?;
        let mut entries: Vec<Piece> = Vec::new();
        for (line, text) in lines {
            let entry = entry(text)
                .ok_or_else(|| wrong(line, "`INSTRUCTIONS NANOSECONDS HEXADECIMAL`", text))?;
            let last = entries.last();
            if last.is_some_and(|last| last.instructions > entry.instructions) {
                return Err(wrong(line, "instructions not before the last line's", text));
            }
            entries.push(entry);
        }
        Ok(Self { start, of, entries })
    }
}

fn entry(line: &str) -> Option<Piece> {
    let mut words = line.split(' ');
    let (instructions, time, digits) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || digits.len() % 2 != 0 || !digits.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some(Piece {
        instructions: instructions.parse().ok()?,
        time: Time(time.parse().ok()?),
        bytes: (0..digits.len())
            .step_by(2)
            .map(byte)
            .collect::<Option<_>>()?,
    })
}

fn wrong(line: usize, expected: &'static str, found: &str) -> ParseError {
    ParseError {
        line,
        expected,
        found: found.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            start: 2,
            of: "5f8e".to_owned(),
            entries: vec![
                Piece {
                    instructions: 87_211_747,
                    time: Time(712_318_000),
                    bytes: b"ls\r".to_vec(),
                },
                Piece {
                    instructions: 87_211_747,
                    time: Time(812_318_000),
                    bytes: vec![0, 0xff],
                },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = record().to_text();
        expect_test::expect![[r#"
            ecmo input 1
            start 2 of 5f8e
            87211747 712318000 6c730d
            87211747 812318000 00ff
        "#]]
        .assert_eq(&text);
        assert_eq!(Record::parse(&text), Ok(record()));
    }

    #[test]
    fn other_lines_are_refused_by_number() {
        let head = "ecmo input 1\nstart 1 of snapshot\n";
        let errors: Vec<String> = [
            String::new(),
            "ecmo input 2\n".to_owned(),
            "ecmo input 1\nstart one of x\n".to_owned(),
            format!("{head}1 2 3\n"),
            format!("{head}1 2 0x\n"),
            format!("{head}1 2 \u{e9}\n"),
            format!("{head}1 2 33 4\n"),
            format!("{head}2 2 33\n1 2 33\n"),
        ]
        .iter()
        .map(|text| Record::parse(text).unwrap_err().to_string())
        .collect();
        expect_test::expect![[r#"
            line 1: expected ecmo input 1, found ""
            line 1: expected ecmo input 1, found "ecmo input 2"
            line 2: expected `start NUMBER of WHAT`, found "start one of x"
            line 3: expected `INSTRUCTIONS NANOSECONDS HEXADECIMAL`, found "1 2 3"
            line 3: expected `INSTRUCTIONS NANOSECONDS HEXADECIMAL`, found "1 2 0x"
            line 3: expected `INSTRUCTIONS NANOSECONDS HEXADECIMAL`, found "1 2 é"
            line 3: expected `INSTRUCTIONS NANOSECONDS HEXADECIMAL`, found "1 2 33 4"
            line 4: expected instructions not before the last line's, found "1 2 33""#]]
        .assert_eq(&errors.join("\n"));
    }

    #[test]
    fn no_text_does_any_harm() {
        let text = record().to_text();
        for at in 0..text.len() {
            for with in ["", "\n", " ", "zz", "99999999999999999999"] {
                let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
                let _ = Record::parse(&changed);
            }
        }
    }
}
