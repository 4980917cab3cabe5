//! The token table of kallsyms: what each of the 256 codes stands for.

use scroll::Endian;

use super::{align_up, starts_behind};
use crate::bytes::u16_at;

/// Number of codes, fixed by the format: a code is a byte.
const CODES: usize = 256;
/// Bytes of token_index: one `u16` a code.
const INDEX_SIZE: usize = 2 * CODES;
/// Longest token believed in; the longest seen is 40.
const MAX_TOKEN: u16 = 512;

/// What a name's codes stand for.
pub(super) struct Tokens {
    /// Offset of token_table, end of token_index and the tokens' places.
    table: Option<Table>,
}

struct Table {
    start: usize,
    end: usize,
    /// Offset and length of each code's token in the image.
    places: Vec<(usize, usize)>,
}

impl Tokens {
    /// Names that are not compressed: each code is its own character.
    pub(super) fn none() -> Self {
        Self { table: None }
    }

    /// Offset of the token table, below which the names lie.
    pub(super) fn start(&self) -> Option<usize> {
        self.table.as_ref().map(|table| table.start)
    }

    /// Offset behind token_index.
    pub(super) fn end(&self) -> Option<usize> {
        self.table.as_ref().map(|table| table.end)
    }

    /// The first character of every code's token; 0 for an empty one.
    pub(super) fn first_characters(&self, bytes: &[u8]) -> [u8; CODES] {
        std::array::from_fn(|code| match &self.table {
            None => code as u8,
            Some(_) => self
                .token(bytes, code as u8)
                .and_then(|token| token.first().copied())
                .unwrap_or(0),
        })
    }

    /// Appends what a code stands for.
    pub(super) fn expand(&self, bytes: &[u8], code: u8, text: &mut Vec<u8>) {
        match self.token(bytes, code) {
            Some(token) => text.extend_from_slice(token),
            None => text.push(code),
        }
    }

    fn token<'a>(&self, bytes: &'a [u8], code: u8) -> Option<&'a [u8]> {
        let &(start, len) = self.table.as_ref()?.places.get(usize::from(code))?;
        bytes.get(start..start + len)
    }
}

/// Every token table in the image: one in a kernel with compressed names.
///
/// token_index is the anchor: 256 numbers of 16 bits that start at 0 and rise,
/// each by the length of a string that ends where the next one starts.
pub(super) fn find(bytes: &[u8]) -> Vec<Tokens> {
    let last = bytes.len().saturating_sub(INDEX_SIZE);
    (0..=last)
        .step_by(4)
        .filter(|&at| {
            // Most places fail here; reading all 256 numbers comes after.
            matches!(bytes.get(at..at + 4), Some(&[0, 0, low, high])
                if (1..=MAX_TOKEN).contains(&u16::from_le_bytes([low, high])))
        })
        .filter_map(|at| {
            let index = read_index(bytes, at)?;
            let places = table_before(bytes, at, &index)?;
            Some(Tokens {
                table: Some(Table {
                    start: places.first()?.0,
                    end: at + INDEX_SIZE,
                    places,
                }),
            })
        })
        .collect()
}

fn read_index(bytes: &[u8], at: usize) -> Option<Vec<u16>> {
    let mut index = Vec::with_capacity(CODES);
    for code in 0..CODES {
        let value = u16_at(bytes, at + 2 * code, Endian::Little)?;
        if let Some(&before) = index.last() {
            let step = value.checked_sub(before)?;
            if step == 0 || step > MAX_TOKEN {
                return None;
            }
        }
        index.push(value);
    }
    Some(index)
}

/// The places of the tokens in the table that ends before `index_at`.
fn table_before(bytes: &[u8], index_at: usize, index: &[u16]) -> Option<Vec<(usize, usize)>> {
    // Behind the last token stand its NUL and the alignment's zeros. Codes are
    // given away from the highest down, so the last token is never empty.
    let tail = bytes.get(index_at.checked_sub(usize::from(MAX_TOKEN) + 16)?..index_at)?;
    let zeros = tail.iter().rev().take_while(|&&byte| byte == 0).count();
    if !(1..=16).contains(&zeros) {
        return None;
    }
    let text_end = index_at - zeros;
    let last_len = tail[..tail.len() - zeros]
        .iter()
        .rev()
        .take_while(|&&byte| byte != 0)
        .count();
    let last_start = text_end - last_len;
    let start = last_start.checked_sub(usize::from(*index.last()?))?;
    // The index follows the table at the next aligned place.
    if !starts_behind(bytes, text_end + 1).any(|place| place == index_at)
        || align_up(start, 4) != start
    {
        return None;
    }
    let ends = index
        .iter()
        .skip(1)
        .map(|&next| start + usize::from(next) - 1)
        .chain([text_end]);
    index
        .iter()
        .zip(ends)
        .map(|(&offset, end)| {
            let begin = start + usize::from(offset);
            let token = bytes.get(begin..end)?;
            let text = token.iter().all(|byte| matches!(byte, b' '..=b'~'));
            (text && bytes.get(end) == Some(&0)).then_some((begin, token.len()))
        })
        .collect()
}
