//! Symbols from a text file: System.map, the output of `nm`, or a plain list.
//!
//! A line is one of these; blank lines and lines that begin with `#` are
//! skipped:
//!
//! ```text
//! c0008000 T stext
//! stext 0xc0008000
//! 0xc0008000 stext
//! ```
//!
//! In a list of two columns the address is the one that has `0x`, or, when
//! neither has, the one that is eight hexadecimal digits. Numbers are
//! hexadecimal in any case. Undefined symbols of `nm` (`U name`) are skipped.

use super::{Source, Symbol, SymbolTable};

/// Why a line is not a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not two or three columns.
    #[error(
        "line {line}: expected `ADDRESS TYPE NAME`, `NAME 0xADDRESS` or `0xADDRESS NAME`, found {found:?}"
    )]
    Columns {
        /// Number of the line, from 1.
        line: usize,
        /// Its text, cut to a readable length.
        found: String,
    },
    /// An address that is not a hexadecimal number of at most 32 bits.
    #[error("line {line}: {found:?} is not an address: expected at most 32 bits in hexadecimal")]
    Address {
        /// Number of the line, from 1.
        line: usize,
        /// The column that should have been the address.
        found: String,
    },
    /// No symbol in the whole text.
    #[error("no symbols: expected lines such as `c0008000 T stext` or `stext 0xc0008000`")]
    Empty,
}

/// The symbols of such a text.
///
/// # Errors
/// When a line has another form, with its number; when no line has a symbol.
pub fn parse(text: &str) -> Result<SymbolTable, Error> {
    let mut symbols = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(symbol) = parse_line(index + 1, line)? {
            symbols.push(symbol);
        }
    }
    if symbols.is_empty() {
        return Err(Error::Empty);
    }
    Ok(SymbolTable::new(symbols))
}

fn parse_line(line: usize, text: &str) -> Result<Option<Symbol>, Error> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let wrong = || Error::Columns {
        line,
        found: text.chars().take(80).collect(),
    };
    let columns: Vec<&str> = text.split_whitespace().take(5).collect();
    let (address, kind, name) = match columns[..] {
        ["U" | "w" | "v", _] => return Ok(None),
        [a, b] if has_prefix(a) && !has_prefix(b) => (a, '?', b),
        [a, b] if has_prefix(b) && !has_prefix(a) => (b, '?', a),
        [a, b] if eight_digits(a) => (a, '?', b),
        [a, b] if eight_digits(b) => (b, '?', a),
        // A fourth column is the module in /proc/kallsyms.
        [address, kind, name] | [address, kind, name, _] => {
            let mut letters = kind.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => (address, letter, name),
                _ => return Err(wrong()),
            }
        }
        _ => return Err(wrong()),
    };
    let digits = address
        .strip_prefix("0x")
        .or_else(|| address.strip_prefix("0X"))
        .unwrap_or(address);
    // `nm` of a 64-bit host writes 16 digits.
    let value = u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| !digits.starts_with('+'))
        .and_then(|value| u32::try_from(value).ok())
        .ok_or_else(|| Error::Address {
            line,
            found: address.chars().take(40).collect(),
        })?;
    Ok(Some(Symbol {
        address: value,
        kind,
        name: name.to_owned(),
        source: Source::File,
    }))
}

fn has_prefix(word: &str) -> bool {
    word.starts_with("0x") || word.starts_with("0X")
}

fn eight_digits(word: &str) -> bool {
    word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(u32, char, String)> {
        let table = parse(text).unwrap();
        table
            .iter()
            .map(|symbol| (symbol.address, symbol.kind, symbol.name.clone()))
            .collect()
    }

    #[test]
    fn all_forms_are_read() {
        let expected = vec![(0xc000_8000, 'T', "stext".to_owned())];
        assert_eq!(pairs("c0008000 T stext\n"), expected);
        assert_eq!(pairs("00000000c0008000 T stext\r\n"), expected);
        assert_eq!(
            pairs("         U gone\nc0008000 T stext [a_module]"),
            expected
        );
        let expected = vec![(0xc000_8000, '?', "stext".to_owned())];
        assert_eq!(pairs("# a comment\n\nstext\t0xc0008000"), expected);
        assert_eq!(pairs("0xc0008000 stext"), expected);
        assert_eq!(pairs("stext c0008000"), expected);
        assert_eq!(pairs("c0008000 stext"), expected);
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text| parse(text).unwrap_err().to_string();
        assert_eq!(
            error("c0008000 T stext\nnonsense"),
            "line 2: expected `ADDRESS TYPE NAME`, `NAME 0xADDRESS` or `0xADDRESS NAME`, found \"nonsense\""
        );
        assert_eq!(
            error("stext 0xc000800000"),
            "line 1: \"0xc000800000\" is not an address: expected at most 32 bits in hexadecimal"
        );
        assert_eq!(parse("# nothing\n").unwrap_err(), Error::Empty);
        assert!(parse("hello T world").is_err());
        assert!(parse("c0008000 Text stext").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }
    }
}
