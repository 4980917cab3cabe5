//! What two texts of a program differ in.
//!
//! A line is `what it is about: word word ...`, where a word may be `name=value`.
//! Lines are compared by their numbers, because a program prints as many on both
//! machines; differences of one kind are shown once, with how many there are.

use std::fmt::Write;

/// Kinds of differences that are shown; the rest is counted.
const SHOWN: usize = 30;

/// Registers of single bits, of which the bits that differ are shown.
const BITS: [&str; 2] = ["cpsr", "spsr"];

/// The lines that differ, nothing when the texts are equal.
pub(crate) fn differences(ours: &str, theirs: &str) -> String {
    let mut kinds: Vec<(String, usize, &str)> = Vec::new();
    let (mut left, mut right) = (ours.lines(), theirs.lines());
    loop {
        let (ours, theirs) = match (left.next(), right.next()) {
            (None, None) => break,
            (ours, theirs) => (ours.unwrap_or("(end)"), theirs.unwrap_or("(end)")),
        };
        if ours == theirs {
            continue;
        }
        let (about, difference) = difference(ours, theirs);
        match kinds.iter_mut().find(|(kind, ..)| *kind == difference) {
            Some((_, count, _)) => *count += 1,
            None => kinds.push((difference, 1, about)),
        }
    }
    let mut found = String::new();
    for (kind, count, first) in kinds.iter().take(SHOWN) {
        match count {
            1 => writeln!(found, "  {first}: {kind}"),
            _ => writeln!(found, "  {count} lines, first {first}: {kind}"),
        }
        .expect("a text can be written to");
    }
    if kinds.len() > SHOWN {
        writeln!(found, "  and {} kinds more", kinds.len() - SHOWN)
            .expect("a text can be written to");
    }
    found
}

/// What a line is about, and the words that differ.
fn difference<'a>(ours: &'a str, theirs: &str) -> (&'a str, String) {
    let about = ours.split(": ").next().unwrap_or_default();
    if theirs.split(": ").next() != Some(about) {
        return (ours, format!("QEMU {theirs}"));
    }
    let words = |line: &str| -> Vec<String> {
        let rest = line.get(about.len() + 2..).unwrap_or_default();
        rest.split(' ').map(str::to_owned).collect()
    };
    let (ours, theirs) = (words(ours), words(theirs));
    if ours[0] != theirs[0] {
        // What follows belongs to another exception.
        return (about, format!("{} (QEMU {})", ours[0], theirs[0]));
    }
    if ours.len() != theirs.len() {
        let line = |words: Vec<String>| words.join(" ");
        return (about, format!("{}, QEMU {}", line(ours), line(theirs)));
    }
    let pairs: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| word(ours, theirs))
        .collect();
    (about, pairs.join(", "))
}

fn word(ours: &str, theirs: &str) -> String {
    let named = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let value = u32::from_str_radix(value, 16).ok()?;
        BITS.contains(&name).then(|| (name.to_owned(), value))
    };
    let (Some((name, ours)), Some((_, theirs))) = (named(ours), named(theirs)) else {
        return format!("{ours} (QEMU {theirs})");
    };
    let bits = |who: &str, bits: u32| match bits {
        0 => String::new(),
        _ => format!(" only {who} has {bits:08x}"),
    };
    let (here, there) = (ours & !theirs, theirs & !ours);
    format!("{name}{}{}", bits("ours", here), bits("QEMU", there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_do_not_differ() {
        assert_eq!(differences("a: 1\nb: 2\n", "a: 1\nb: 2\n"), "");
    }

    #[test]
    fn differences_of_a_kind_are_counted_and_bits_are_told() {
        let found = differences(
            "a: x cpsr=00000013\nb: x cpsr=00000010\nc: d=1 5\n",
            "a: x cpsr=00000113\nb: x cpsr=00000110\nc: d=2 6\ne: 3\n",
        );
        let expected = "  2 lines, first a: cpsr only QEMU has 00000100\n  \
                        c: d=1 (QEMU d=2)\n  (end): QEMU e: 3\n";
        assert_eq!(found, expected);
    }
}
