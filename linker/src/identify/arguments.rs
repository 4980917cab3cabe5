//! What is passed to a call: the text or address whose register is filled last
//! before a call goes to that call.

use super::{
    Strategy::Arguments,
    graph::{Named, Node, Place},
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};
use crate::code::Target;

/// Bytes from the instruction that fills a register to the call.
const REACH: u32 = 48;
/// Bits for a call that is given what the source gives it.
const GIVEN: f32 = 5.0;
/// Bits against a function that is not.
const NOT_GIVEN: f32 = 2.0;
/// Calls of one function that are looked at.
const MAX_CALLS: usize = 24;

/// What stands behind a text or address in named callers.
pub(super) fn candidates(all: &[Passed], votes: &mut Votes) {
    for passed in all {
        votes.extend(&passed.nodes, 1);
    }
}

/// Whether callers pass what the source passes.
pub(super) fn score(matcher: &Matcher, all: &[Passed], node: Node, tally: &mut Tally) {
    for passed in all {
        let caller = &matcher.source.node(passed.caller).name;
        match passed.nodes.contains(&node) {
            true => tally.add(Arguments, GIVEN, || {
                format!("{caller} calls it with {}", passed.what)
            }),
            false => tally.add(Arguments, -NOT_GIVEN, || {
                format!("{caller} calls another with {}", passed.what)
            }),
        }
    }
}

/// The calls behind one text or address.
pub(super) struct Passed {
    caller: Named,
    what: String,
    nodes: Vec<Node>,
}

/// What named callers pass to a function, and the calls that get it.
pub(super) fn passed(matcher: &Matcher, named: Named) -> Vec<Passed> {
    let mut all = Vec::new();
    for given in &matcher.source.node(named).given {
        let Some(by) = matcher.node_of(given.caller) else {
            continue;
        };
        let Place::Function(id) = matcher.binary.node(by).place else {
            continue;
        };
        let function = matcher.binary.code.function(id);
        let is_it = |address: u32| match given.text {
            Some(text) => matcher
                .binary
                .code
                .text_at(address)
                .is_some_and(|it| matcher.source.text(it) == Some(text)),
            None => given
                .address
                .and_then(|it| matcher.node_of(it))
                .is_some_and(|it| matcher.binary.at(address) == Some(it)),
        };
        let mut nodes: Vec<Node> = Vec::new();
        for reference in function.references.iter().filter(|it| is_it(it.address)) {
            let reach = reference.at..=reference.at.saturating_add(REACH);
            let next = function.calls.iter().find(|call| reach.contains(&call.at));
            if let Some(call) = next
                && let Target::Function(target) = call.target
            {
                nodes.push(Node::of(target));
            }
        }
        if nodes.is_empty() {
            continue;
        }
        let what = match (given.text, given.address) {
            (Some(text), _) => format!("{:?}", matcher.source.texts[text as usize]),
            (None, Some(address)) => matcher.source.node(address).name.clone(),
            (None, None) => continue,
        };
        all.push(Passed {
            caller: given.caller,
            what,
            nodes,
        });
        if all.len() >= MAX_CALLS {
            break;
        }
    }
    all
}
