//! The names of kallsyms, and the markers that prove them.

use std::ops::Range;

use super::{MAX_SYMBOLS, MIN_SYMBOLS, starts_behind, tokens::Tokens};
use crate::bytes::le32;

/// Names between two markers (kernel/kallsyms.c).
const MARKER_STEP: usize = 256;
/// Names that are looked at before all of them are.
const SAMPLE: usize = 64;
/// Longest expanded name believed in: `KSYM_NAME_LEN` is 512 from 6.1 on.
const MAX_NAME: usize = 1024;
/// Most characters that all names together may expand to.
const MAX_TEXT: usize = 64 << 20;
/// Steps over names that one image may cost; an image whose every word starts
/// a list of a million names would otherwise take for ever.
const MAX_STEPS: usize = 50_000_000;

/// Where the names lie.
pub(super) struct Names {
    /// Offset of num_syms.
    pub count_at: usize,
    /// Number of symbols.
    pub count: usize,
    /// Offset of names.
    pub start: usize,
    /// Offsets of markers.
    pub markers: Range<usize>,
    lengths: Lengths,
}

/// How a length above 127 is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    /// In two bytes, the low seven bits first (6.1 and later).
    TwoBytes,
    /// In one byte (before).
    OneByte,
}

/// The names that these tokens spell: the one place where a number is followed
/// by that many names and these by their markers.
pub(super) fn find(bytes: &[u8], tokens: &Tokens) -> Option<Names> {
    let first = tokens.first_characters(bytes);
    let limit = tokens.start().unwrap_or(bytes.len());
    let mut steps = MAX_STEPS;
    // From the end, since the names stand just before the tokens.
    for count_at in (0..limit.saturating_sub(4)).step_by(4).rev() {
        let count = le32(bytes, count_at)? as usize;
        // A name takes two bytes at least.
        if !(MIN_SYMBOLS..=MAX_SYMBOLS).contains(&count) || count > (limit - count_at) / 2 {
            continue;
        }
        for start in starts_behind(bytes, count_at + 4) {
            for lengths in [Lengths::TwoBytes, Lengths::OneByte] {
                let walk = Walk {
                    bytes: bytes.get(..limit)?,
                    lengths,
                    first: &first,
                    plain: tokens.start().is_none(),
                };
                if let Some(markers) = walk.prove(start, count, &mut steps) {
                    return Some(Names {
                        count_at,
                        count,
                        start,
                        markers,
                        lengths,
                    });
                }
                if steps == 0 {
                    return None;
                }
            }
        }
    }
    None
}

/// Type and text of every name, or `None` when one is not a name.
pub(super) fn expand(bytes: &[u8], tokens: &Tokens, names: &Names) -> Option<Vec<(char, String)>> {
    let mut texts = Vec::with_capacity(names.count);
    let mut at = names.start;
    let mut total = 0;
    let mut text = Vec::new();
    for _ in 0..names.count {
        let codes = name_at(bytes, at, names.lengths)?;
        at = codes.end;
        text.clear();
        for &code in bytes.get(codes)? {
            tokens.expand(bytes, code, &mut text);
            if text.len() > MAX_NAME {
                return None;
            }
        }
        total += text.len();
        let (&kind, name) = text.split_first()?;
        if total > MAX_TEXT || !kind.is_ascii_graphic() {
            return None;
        }
        texts.push((kind as char, std::str::from_utf8(name).ok()?.to_owned()));
    }
    Some(texts)
}

/// Offsets of the codes of the name that starts with its length at `at`.
fn name_at(bytes: &[u8], at: usize, lengths: Lengths) -> Option<Range<usize>> {
    let low = usize::from(*bytes.get(at)?);
    let (len, start) = if low < 0x80 || lengths == Lengths::OneByte {
        (low, at + 1)
    } else {
        let high = usize::from(*bytes.get(at + 1)?);
        if high >= 0x80 {
            return None;
        }
        (low & 0x7f | high << 7, at + 2)
    };
    let end = start + len;
    (len > 0 && end <= bytes.len()).then_some(start..end)
}

/// A walk over names at one place.
struct Walk<'a> {
    bytes: &'a [u8],
    lengths: Lengths,
    /// First character of every code.
    first: &'a [u8; 256],
    /// The codes are characters.
    plain: bool,
}

impl Walk<'_> {
    /// The markers behind `count` names at `start`, if they fit the names.
    fn prove(&self, start: usize, count: usize, steps: &mut usize) -> Option<Range<usize>> {
        let mut marks = Vec::new();
        let mut at = start;
        for index in 0..count {
            *steps = steps.checked_sub(1)?;
            if index % MARKER_STEP == 0 {
                marks.push((at - start) as u32);
            }
            let codes = name_at(self.bytes, at, self.lengths)?;
            if index < SAMPLE && !self.starts_like_a_name(&codes) {
                return None;
            }
            at = codes.end;
        }
        let size = marks.len() * 4;
        let fits = |&place: &usize| {
            marks
                .iter()
                .enumerate()
                .all(|(index, &mark)| le32(self.bytes, place + 4 * index) == Some(mark))
        };
        let place = starts_behind(self.bytes, at).find(fits)?;
        Some(place..place + size)
    }

    /// A type letter of `nm`, and, where that can be seen without expanding
    /// anything, a character that a name may begin with.
    fn starts_like_a_name(&self, codes: &Range<usize>) -> bool {
        let Some(name) = self.bytes.get(codes.clone()) else {
            return false;
        };
        let kind = name
            .first()
            .map_or(0, |&code| self.first[usize::from(code)]);
        let typed = matches!(kind, b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'?');
        typed
            && (!self.plain
                || name.get(1).is_some_and(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')
                }))
    }
}
