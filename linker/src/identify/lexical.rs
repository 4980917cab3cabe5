//! Strategy I: texts, and the file and line of warnings.

use super::{
    Strategy::Lexical,
    graph::{Fact, Named, Node},
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};

/// A text that more functions than this refer to points to none of them.
const MAX_USERS: usize = 64;
/// Bits against an answer that refers to a text of another function.
const OTHERS_TEXT: f32 = 3.0;
/// The same for a text that no function of the source has.
const FOREIGN_TEXT: f32 = 0.7;
/// Bits against an answer without a text that the kernel has elsewhere ...
const ABSENT: f32 = 4.0;
/// ... and without one that the kernel has nowhere.
const NOWHERE: f32 = 1.0;
/// Bits against an answer that warns as of another file.
const OTHER_FILE: f32 = 8.0;
/// Bits at most for a warning as of the file, at another line.
const FILE_ONLY: f32 = 4.0;
/// Bits at most for each character of a text: a short one is in many a function of which
/// the source that is compared knows nothing.
const EACH_CHARACTER: f32 = 2.0;
/// Lines that a function moves between two versions.
const NEAR: u32 = 60;

/// Functions that refer to a text or to the file of a warning.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    let source = matcher.source.node(named);
    for &(text, ..) in &source.texts {
        let users = &matcher.binary.text_users[text as usize];
        if users.len() <= MAX_USERS {
            votes.extend(users, users.len());
        }
    }
    for warned in &source.warns {
        let users = &matcher.binary.file_users[warned.file as usize];
        if users.len() <= MAX_USERS {
            votes.extend(users, users.len());
        }
    }
}

/// Texts that both have, and that only one has.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    let source = matcher.source.node(named);
    let binary = matcher.binary.node(node);
    let text_of = |text: u32| &matcher.source.texts[text as usize];
    for &text in &binary.texts {
        let users = matcher.binary.text_users[text as usize].len();
        match source.texts.binary_search_by_key(&text, |it| it.0) {
            Ok(index) => {
                let (_, fact, via) = source.texts[index];
                if matcher.elsewhere(via, node) {
                    continue;
                }
                let most = EACH_CHARACTER * text_of(text).len() as f32;
                let bits = matcher.rarity(users).min(most) * share(fact);
                tally.fact(Lexical, fact, bits, || match users {
                    1 => format!("the only one to refer to {:?}", text_of(text)),
                    _ => format!("one of {users} to refer to {:?}", text_of(text)),
                });
            }
            Err(_) => tally.add(Lexical, -OTHERS_TEXT, || {
                format!("refers to {:?}, which the source does not", text_of(text))
            }),
        }
    }
    if source.known && binary.foreign_texts > 0 {
        let bits = FOREIGN_TEXT * binary.foreign_texts.min(6) as f32;
        tally.add(Lexical, -bits, || {
            format!("refers to {} texts unknown", binary.foreign_texts)
        });
    }
    for &(text, fact, _) in &source.texts {
        if fact != Fact::Must || binary.texts.binary_search(&text).is_ok() {
            continue;
        }
        let bits = match matcher.binary.text_users[text as usize].is_empty() {
            true => NOWHERE,
            false => ABSENT,
        };
        tally.add(Lexical, -bits, || {
            format!("does not refer to {:?}", text_of(text))
        });
    }
    warnings(matcher, named, node, tally);
}

/// File and line, or the file with a line nearby.
fn warnings(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    let source = matcher.source.node(named);
    let binary = matcher.binary.node(node);
    for &file in &binary.files {
        let path = &matcher.source.files[file as usize];
        let users = matcher.binary.file_users[file as usize].len();
        let all = source.warns.iter().filter(|it| it.file == file);
        let own: Vec<_> = all
            .clone()
            .filter(|it| !matcher.elsewhere(it.via, node))
            .collect();
        if own.is_empty() {
            if all.count() == 0
                && source.known
                && !path.ends_with(".h")
                && source.file != Some(file)
            {
                tally.add(Lexical, -OTHER_FILE, || format!("warns as of {path}"));
            }
            continue;
        }
        let rarity = matcher.rarity(users);
        let exact = own.iter().find(|it| {
            it.inline
                && (binary.constants.binary_search(&it.line).is_ok()
                    || binary.constants.binary_search(&it.end_line).is_ok())
        });
        if let Some(warned) = exact {
            let line = warned.line;
            let bits = (rarity + matcher.rarity_of_constant(line)) * share(warned.fact);
            let why = || format!("warns as of {path}:{line}");
            tally.fact(Lexical, warned.fact, bits, why);
            continue;
        }
        let near = own.iter().find(|it| {
            let lines = it.line.saturating_sub(NEAR)..=it.end_line + NEAR;
            it.inline && binary.constants.iter().any(|value| lines.contains(value))
        });
        let best = own.iter().map(|it| it.fact).max().unwrap_or(Fact::May);
        match near {
            Some(warned) => {
                let line = warned.line;
                tally.fact(Lexical, best, rarity * 0.7 * share(best), || {
                    format!("warns as of {path} near line {line}")
                });
            }
            // The functions of a file that warn are many: little more than a place.
            None if own.iter().any(|it| it.inline) => {
                tally.fact(Lexical, best, rarity.min(FILE_ONLY) * share(best), || {
                    format!("warns as of {path}")
                });
            }
            None => {}
        }
    }
    for warned in &source.warns {
        if warned.fact == Fact::Must
            && warned.inline
            && !matcher.binary.file_users[warned.file as usize].is_empty()
            && binary.files.binary_search(&warned.file).is_err()
        {
            tally.add(Lexical, -2.0, || {
                let path = &matcher.source.files[warned.file as usize];
                format!("does not warn as of {path}:{}", warned.line)
            });
        }
    }
}

/// How much of a fact's weight counts.
pub(super) fn share(fact: Fact) -> f32 {
    match fact {
        Fact::Must => 1.0,
        Fact::May => 0.9,
        Fact::Inherited => 0.8,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        identify::{
            Strategy,
            tally::Tally,
            testing::{self, named, place},
        },
        kernel::Version,
        machine::testing::{BASE, Image},
    };

    /// Bits for the text alone, of a function that is the only one of many to refer to it.
    fn bits(text: &str) -> f32 {
        const TEXT: u32 = BASE + 0x3_0000;
        let mut image = Image::new(0x4_0000, Version(4, 4, 0));
        for index in 0..1024 {
            let at = BASE + 16 * index;
            image.words(at, &[0xe92d_4010, 0xe1a0_4000, 0xe080_0004, 0xe8bd_8010]);
        }
        // push {r4, lr}; mov r4, r0; ldr r0, [pc, #0]; pop {r4, pc}; the text's address
        let at = BASE + 16 * 1024;
        let words = [0xe92d_4010, 0xe1a0_4000, 0xe59f_0000, 0xe8bd_8010, TEXT];
        image.words(at, &words).text(TEXT, text);
        let source =
            format!("signatures 1\nversion 4.4.0\nfile a.c\nfn says --x- 1 10 1 0 0\nt {text:?}\n");
        let mut bits = 0.0;
        testing::with_matcher(&image.kernel(), &source, |matcher| {
            let tally = Tally::default();
            let tally = matcher.score(named(matcher, "says"), place(matcher, at), tally);
            bits = tally.of(Strategy::Lexical);
        });
        bits
    }

    #[test]
    fn a_short_text_tells_little() {
        assert_eq!(bits("/"), 2.0);
        assert_eq!(bits("tty"), 6.0);
        assert!(bits("already free") > 9.0);
    }
}
