//! Values that a function prints, with the text before each.

use super::{Code, Function};
use crate::{kernel::Version, machine::flow::Value};

/// A value as an argument of a formatting function.
pub(super) struct Printed<'a> {
    /// Address of the call.
    pub at: u32,
    /// The format before the conversion, from the one before it on.
    pub label: String,
    /// The value: the low word of one of 64 bits.
    pub value: &'a Value,
}

/// All values that a function prints, in the order of the walk through it.
///
/// The format is the first of the first three arguments that is a text with a
/// conversion in it, as with `printk`, `seq_printf` and `snprintf`.
pub(super) fn values<'a>(code: &Code<'_>, function: &'a Function) -> Vec<Printed<'a>> {
    // The old ABI does not align 64-bit arguments.
    let aligned = code.kernel.facts.version >= Version(2, 6, 16);
    let mut printed = Vec::new();
    for (at, _, arguments) in function.calls() {
        let format = arguments[..3]
            .iter()
            .enumerate()
            .find_map(|(index, value)| {
                let text = code.text(value).filter(|text| text.contains('%'))?;
                Some((index, text))
            });
        let Some((index, text)) = format else {
            continue;
        };
        let mut next = index + 1;
        for conversion in conversions(text) {
            if conversion.wide && aligned {
                next = next.next_multiple_of(2);
            }
            let Some(value) = arguments.get(next) else {
                break;
            };
            printed.push(Printed {
                at,
                label: conversion.label,
                value,
            });
            next += if conversion.wide { 2 } else { 1 };
        }
    }
    printed
}

struct Conversion {
    label: String,
    wide: bool,
}

/// The conversions of a format, `*` widths as conversions of their own.
fn conversions(format: &str) -> Vec<Conversion> {
    let mut found = Vec::new();
    let mut label = String::new();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            label.push(char);
            continue;
        }
        let mut longs = 0;
        for char in chars.by_ref() {
            match char {
                '*' => found.push(Conversion {
                    label: String::new(),
                    wide: false,
                }),
                'l' => longs += 1,
                'L' => longs = 2,
                '-' | '+' | ' ' | '#' | '.' | 'h' | 'z' | 'Z' | 't' | '0'..='9' => {}
                '%' => {
                    label.push('%');
                    break;
                }
                _ => {
                    found.push(Conversion {
                        label: std::mem::take(&mut label),
                        wide: longs > 1,
                    });
                    break;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::conversions;

    #[test]
    fn a_format_is_taken_apart() {
        let labels: Vec<_> = conversions(" max: %llu of %*d%%, %-8.3s\n")
            .into_iter()
            .map(|it| (it.label, it.wide))
            .collect();
        let expected = [
            (" max: ", true),
            ("", false),
            (" of ", false),
            ("%, ", false),
        ];
        assert_eq!(
            labels,
            expected.map(|(label, wide)| (label.to_owned(), wide))
        );
    }
}
