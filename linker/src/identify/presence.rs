//! Source files of which the kernel has nothing: a driver that is not built, or
//! one of several allocators.
//!
//! Their functions are like those of other files, above all like those of drivers
//! for other chips, and would take their places. What tells is that none of the texts
//! that such a file alone has, and has in any configuration, stands in the kernel.

use std::collections::HashMap;

use super::graph::{Binary, Fact, Source};

/// Texts of a file that must be absent for the file to be.
const TEXTS: u32 = 4;

/// By index into `Source::files`, whether the kernel lacks it.
pub(super) fn absent(source: &Source, binary: &Binary) -> Vec<bool> {
    // The file that alone has a text.
    let mut files: HashMap<u32, Option<u32>> = HashMap::new();
    let must: Vec<(u32, u32)> = texts(source, true).collect();
    for (text, file) in texts(source, false) {
        let only = files.entry(text).or_insert(Some(file));
        if *only != Some(file) {
            *only = None;
        }
    }
    let mut counts = vec![(0, 0); source.files.len()];
    for (text, file) in must {
        if files.get(&text) == Some(&Some(file)) {
            let (absent, present) = &mut counts[file as usize];
            match binary.text_users[text as usize].is_empty() {
                true => *absent += 1,
                false => *present += 1,
            }
        }
    }
    let lacks: Vec<bool> = counts
        .iter()
        .map(|&(absent, present)| absent >= TEXTS && present == 0)
        .collect();
    // A kernel without any text says nothing.
    match counts.iter().any(|it| it.1 > 0) {
        true => lacks,
        false => vec![false; lacks.len()],
    }
}

/// Texts, each with the file of a function that has it itself: those that are there
/// in any configuration, or all.
fn texts(source: &Source, surely: bool) -> impl Iterator<Item = (u32, u32)> + '_ {
    let nodes = source
        .names
        .iter()
        .filter(move |it| it.known && !(surely && it.conditional));
    nodes.flat_map(move |node| {
        let texts = node.texts.iter();
        let own = texts.filter(move |it| match surely {
            true => it.1 == Fact::Must,
            false => it.1 != Fact::Inherited,
        });
        own.filter_map(|it| Some((it.0, node.file?)))
    })
}
