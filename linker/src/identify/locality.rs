//! Functions of one source file lie together, for the linker takes its object
//! whole. Never a proof, but it tells equal functions apart.

use super::{
    Strategy::Locality,
    graph::{Named, Node},
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};

/// Most functions between two named ones of a file that are looked at.
const MAX_BETWEEN: u32 = 120;

/// Most bits for lying among the functions of the file.
const WITHIN: f32 = 7.0;

/// Functions at the start of the image that are kept apart from their files.
const APART: u32 = 160;
/// Bits for lying beside one, with no function of another file between.
const BESIDE: f32 = 4.5;

/// Functions that lie among the named ones of the file.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    let source = matcher.source.node(named);
    let Some((low, high)) = matcher.files.span(source.file, source.init) else {
        return;
    };
    if high - low <= MAX_BETWEEN {
        let end = (high + 13).min(matcher.binary.functions as u32);
        let nodes = (low.saturating_sub(12)..end).map(Node);
        let nodes = nodes.filter(|&it| matcher.name_of(it).is_none());
        let count = nodes.clone().count();
        votes.add(nodes, count);
    }
}

/// Near named functions of the same file, or far from all of them.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    if !matcher.binary.is_function(node) {
        return;
    }
    let source = matcher.source.node(named);
    let Some(place) = matcher.place(named, node) else {
        return;
    };
    let path = || {
        let file = source.file.unwrap_or_default() as usize;
        matcher.source.files.get(file).cloned().unwrap_or_default()
    };
    match place.distance {
        0 => {
            let bits = matcher.rarity(place.span as usize + 16).min(WITHIN);
            tally.add(Locality, bits, || {
                format!("lies among functions of {}", path())
            });
        }
        _ if place.beside => {
            tally.add(Locality, BESIDE, || {
                format!("lies beside functions of {}", path())
            });
        }
        1..=80 => {}
        // What is kept apart (`.exception.text`) stands before all files.
        _ if node.0 < APART => {}
        far => tally.add(Locality, -3.0, || {
            format!("lies {far} functions from those of {}", path())
        }),
    }
    if place.order != 0.0 {
        tally.add(Locality, place.order, || match place.order > 0.0 {
            true => format!("in the order of {}", path()),
            false => format!("not in the order of {}", path()),
        });
    }
}
