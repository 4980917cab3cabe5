//! Strategy II: callers, callees, siblings, and the order of calls.
//!
//! It grows from functions that already have a name, to a fixpoint.

use super::{
    Strategy::Relation,
    graph::{Fact, Link, Named, Node, linked},
    lexical::share,
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};

/// A function with more callers than this does not point to them.
const MAX_CALLERS: usize = 96;
/// A function with more callees than this points weakly to them.
const MAX_CALLEES: usize = 250;
/// Named callers that are asked for candidates.
const MAX_VOTERS: usize = 12;
/// Named callers that are compared.
const MAX_COMPARED: usize = 40;
/// Bits against an answer that does not call what it must.
const NOT_CALLED: f32 = 4.0;
/// Bits against an answer that calls what it should not.
const CALLED_TOO: f32 = 3.0;
/// Bits against an answer that is not called by whom it must be.
const NOT_BY: f32 = 5.0;
/// Callers that count when they do not call it: a macro of the source may take
/// another way wherever it stands.
const MAX_MISSED: usize = 3;
/// Bits against an answer that is called by whom it should not be.
const BY_OTHER: f32 = 3.0;
/// Callers that count when the source does not know them.
const MAX_OTHERS: usize = 8;
/// Bits for lying between the same two calls as in the source, or not.
const BETWEEN: f32 = 3.0;
/// Most bits that facts of one kind may add.
const ENOUGH: f32 = 60.0;

/// Neighbours of neighbours that have a name.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    let source = matcher.source.node(named);
    let callers = source.callers.iter();
    for caller in callers
        .filter_map(|it| matcher.node_of(it.to))
        .take(MAX_VOTERS)
    {
        let calls = &matcher.binary.node(caller).calls;
        if calls.len() <= MAX_CALLEES {
            votes.extend(calls, calls.len());
        }
    }
    for link in &source.calls {
        if let Some(callee) = matcher.node_of(link.to) {
            let callers = &matcher.binary.node(callee).callers;
            if callers.len() <= MAX_CALLERS {
                votes.extend(callers, callers.len());
            }
        }
    }
    let referrers = source.referrers.iter();
    for referrer in referrers
        .filter_map(|it| matcher.node_of(it.to))
        .take(MAX_VOTERS)
    {
        let refers = &matcher.binary.node(referrer).refers;
        votes.extend(refers, refers.len());
    }
    for link in &source.refers {
        if let Some(referred) = matcher.node_of(link.to) {
            let referrers = &matcher.binary.node(referred).referrers;
            if referrers.len() <= MAX_CALLERS {
                votes.extend(referrers, referrers.len());
            }
        }
    }
}

/// The neighbours of a name in the source that have a place, with the places.
pub(super) struct Neighbours {
    named: Named,
    /// What it must call.
    must_call: Vec<(Named, Node)>,
    /// Who calls it, and who refers to it: the first of them.
    callers: Vec<(Link, Node)>,
    referrers: Vec<(Link, Node)>,
}

impl Neighbours {
    pub(super) fn of(matcher: &Matcher, named: Named) -> Self {
        let source = matcher.source.node(named);
        let must_call = source.calls.iter().filter(|it| it.fact == Fact::Must);
        let placed = |links: &[Link]| {
            let placed = links
                .iter()
                .filter_map(|it| Some((*it, matcher.node_of(it.to)?)));
            placed.take(MAX_COMPARED).collect()
        };
        Self {
            named,
            must_call: must_call
                .filter_map(|it| Some((it.to, matcher.node_of(it.to)?)))
                .collect(),
            callers: placed(&source.callers),
            referrers: placed(&source.referrers),
        }
    }
}

/// Calls and references, in both directions.
pub(super) fn score(matcher: &Matcher, near: &Neighbours, node: Node, tally: &mut Tally) {
    let named = near.named;
    let source = matcher.source.node(named);
    let binary = matcher.binary.node(node);
    let name = |named: Named| &matcher.source.node(named).name;

    // What it calls.
    let mut sum = 0.0;
    for &callee in &binary.calls {
        let Some(called) = matcher.name_of(callee) else {
            continue;
        };
        match linked(&source.calls, called) {
            Some(link) if matcher.elsewhere(link.via, node) => {}
            Some(&Link { fact, .. }) => {
                let callers = matcher.binary.node(callee).callers.len();
                let bits = (matcher.rarity(callers) * share(fact)).min(ENOUGH - sum);
                sum += bits;
                tally.fact(Relation, fact, bits, || match callers {
                    1 => format!("the only one to call {}", name(called)),
                    _ => format!("one of {callers} to call {}", name(called)),
                });
            }
            None if source.known && !matcher.is_helper(callee) => {
                tally.add(Relation, -CALLED_TOO, || {
                    format!("calls {}, which the source does not", name(called))
                })
            }
            None => {}
        }
    }
    for &(must, callee) in &near.must_call {
        if binary.calls.binary_search(&callee).is_err() && callee != node {
            tally.add(Relation, -NOT_CALLED, || {
                format!("does not call {}", name(must))
            });
        }
    }

    // Who calls it.
    let mut sum = 0.0;
    let mut missed = 0;
    for &(ref link, caller) in &near.callers {
        let calls = &matcher.binary.node(caller).calls;
        if calls.binary_search(&node).is_ok() {
            let bits = matcher.rarity(calls.len()) * 0.5 * share(link.fact);
            let bits = (bits + order(matcher, link, named, node)).min(ENOUGH - sum);
            sum += bits;
            let why = || format!("called by {}", name(link.to));
            tally.fact(Relation, link.fact, bits, why);
        } else if link.fact == Fact::Must && caller != node && missed < MAX_MISSED {
            missed += 1;
            tally.add(Relation, -NOT_BY, || {
                format!("not called by {}", name(link.to))
            });
        }
    }
    let mut others = 0;
    // What compilers and macros call is called in places where no source shows it.
    let callers = match matcher.is_helper(node) {
        true => &[],
        false => &binary.callers[..],
    };
    for &caller in callers.iter().take(100) {
        if let Some(by) = matcher.name_of(caller)
            && linked(&source.callers, by).is_none()
            && matcher.source.node(by).known
        {
            others += 1;
            tally.add(Relation, -BY_OTHER, || {
                format!("called by {}, which in the source does not", name(by))
            });
            if others == MAX_OTHERS {
                break;
            }
        }
    }
    references(matcher, near, node, tally);
}

/// Addresses taken, and variables used.
fn references(matcher: &Matcher, near: &Neighbours, node: Node, tally: &mut Tally) {
    let source = matcher.source.node(near.named);
    let binary = matcher.binary.node(node);
    let name = |named: Named| &matcher.source.node(named).name;
    for &referred in &binary.refers {
        let Some(to) = matcher.name_of(referred) else {
            continue;
        };
        match linked(&source.refers, to) {
            Some(link) if matcher.elsewhere(link.via, node) => {}
            Some(&Link { fact, .. }) => {
                let users = matcher.binary.node(referred).referrers.len();
                let bits = matcher.rarity(users) * share(fact);
                tally.fact(Relation, fact, bits, || match users {
                    1 => format!("the only one to refer to {}", name(to)),
                    _ => format!("one of {users} to refer to {}", name(to)),
                });
            }
            None if source.known => tally.add(Relation, -2.0, || {
                format!("refers to {}, which the source does not", name(to))
            }),
            None => {}
        }
    }
    let mut sum = 0.0;
    for &(ref link, referrer) in &near.referrers {
        let refers = &matcher.binary.node(referrer).refers;
        if refers.binary_search(&node).is_ok() {
            let bits = (matcher.rarity(refers.len()) * 0.5 * share(link.fact)).min(ENOUGH - sum);
            sum += bits;
            tally.add(Relation, bits, || {
                format!("referred to by {}", name(link.to))
            });
        } else if link.fact != Fact::Inherited && referrer != node {
            tally.add(Relation, -1.5, || {
                format!("not referred to by {}", name(link.to))
            });
        }
    }
    for &referrer in binary.referrers.iter().take(100) {
        if let Some(by) = matcher.name_of(referrer)
            && matcher.source.node(by).known
            && linked(&source.referrers, by).is_none()
        {
            // What it refers to by name is not all known.
            tally.add(Relation, -1.0, || {
                format!("referred to by {}, which in the source does not", name(by))
            });
        }
    }
}

/// Where the call stands among calls that have a name.
///
/// Compilers move what is unlikely to the end of a function, so that a call at
/// another place speaks only weakly against an answer.
fn order(matcher: &Matcher, caller: &Link, named: Named, node: Node) -> f32 {
    let Some(by) = matcher.node_of(caller.to) else {
        return 0.0;
    };
    let in_source = &matcher.source.node(caller.to).order_of_calls;
    let in_binary = &matcher.binary.node(by).order_of_calls;
    let Some(at) = in_source.iter().position(|it| it.0 == named) else {
        return 0.0;
    };
    let Some(place) = in_binary.iter().position(|it| *it == node) else {
        return 0.0;
    };
    let known = |it: &(Named, bool)| matcher.node_of(it.0).filter(|it| in_binary.contains(it));
    let before = in_source[..at].iter().rev().find_map(known);
    let after = in_source[at + 1..].iter().find_map(known);
    let position = |of: Node| in_binary.iter().position(|it| *it == of);
    let last = |of: Node| in_binary.iter().rposition(|it| *it == of);
    let mut bits = 0.0;
    if let Some(before) = before.and_then(position) {
        bits += if before < place {
            BETWEEN / 2.0
        } else {
            -BETWEEN / 2.0
        };
    }
    if let Some(after) = after.and_then(last) {
        bits += if place < after {
            BETWEEN / 2.0
        } else {
            -BETWEEN / 2.0
        };
    }
    // Between two calls that have a name, one has none on either side.
    if let (Some(low), Some(high)) = (before.and_then(position), after.and_then(last))
        && low < place
        && place < high
    {
        let open = |it: &&Node| matcher.name_of(**it).is_none();
        let mut between: Vec<Node> = in_binary[low + 1..high]
            .iter()
            .filter(open)
            .copied()
            .collect();
        between.sort_unstable();
        between.dedup();
        if between.len() == 1 {
            bits += BETWEEN;
        }
    }
    bits
}
