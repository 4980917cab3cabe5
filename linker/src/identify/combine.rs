//! From names spread over the binary to ranked candidates with evidence.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    Candidate, Strategy,
    graph::{Fact, Named, Node, Place},
    matcher::Matcher,
    tally::Tally,
};
use crate::kernel::Version;

/// Bits of a candidate worth handing on when none is certain.
const WORTH_TRYING: f32 = 16.0;
/// A candidate this many bits below the first is not handed on.
const WITHIN: f32 = 4.0;
/// Bits for a candidate that calls another one, where the source calls a rival.
const CALLER: f32 = 6.0;
/// Bits for a candidate without a branch, where the source has none whatever was put
/// into the function.
const STRAIGHT: f32 = 8.0;
/// Candidates handed on.
const MAX_CANDIDATES: usize = 4;
/// Evidence that is shown, the strongest first.
const MAX_EVIDENCE: usize = 6;

/// What the code says about one name.
#[derive(Debug, Clone, Default)]
pub(super) struct Finding {
    /// The likeliest first; the strategy is the one that says most.
    pub candidates: Vec<(Strategy, Candidate)>,
    /// The first is sufficiently supported, and alone is.
    pub certain: bool,
    /// It is a function.
    pub function: bool,
}

/// By name.
pub(super) type Findings = BTreeMap<String, Finding>;

/// Everything that the matcher has named, and the candidates for names in
/// `asked` for which it has no certain answer.
pub(super) fn findings(matcher: &Matcher, asked: &[&str]) -> Findings {
    let all: Vec<Named> = matcher.source.ids().collect();
    let mut findings: Findings = all
        .par_iter()
        .filter_map(|&named| {
            let name = matcher.source.node(named).name.clone();
            Some((name, placed(matcher, named)?))
        })
        .collect();
    let left = asked.par_iter().filter(|it| !findings.contains_key(**it));
    let further: Vec<_> = left
        .filter_map(|name| Some(((*name).to_owned(), open(matcher, name)?)))
        .collect();
    findings.extend(further);
    findings
}

/// What is said of a name that has a place.
fn placed(matcher: &Matcher, named: Named) -> Option<Finding> {
    let node = matcher.node_of(named)?;
    let means = matcher.source.named(&matcher.source.node(named).name);
    if means != Some(named) || matcher.is_fixed(named) || may_be_changed(matcher, named, node) {
        return None;
    }
    let others = matcher.doubts.get(&named);
    let mut nodes: Vec<Node> = std::iter::once(&node)
        .chain(others.into_iter().flatten())
        .take(MAX_CANDIDATES)
        .copied()
        .collect();
    likeliest_first(matcher, named, &mut nodes);
    Some(Finding {
        candidates: nodes
            .into_iter()
            .map(|node| candidate(matcher, named, node))
            .collect(),
        certain: others.is_none(),
        function: matcher.binary.is_function(node),
    })
}

/// The places worth trying for a name that has none.
fn open(matcher: &Matcher, name: &str) -> Option<Finding> {
    let named = matcher.source.named(name)?;
    let ranked = matcher.rank(named);
    let best = ranked.first().map_or(0.0, |it| it.1);
    let mut nodes: Vec<Node> = ranked
        .iter()
        .take_while(|it| it.1 >= WORTH_TRYING && best - it.1 <= WITHIN)
        .take(MAX_CANDIDATES)
        .map(|it| it.0)
        .collect();
    likeliest_first(matcher, named, &mut nodes);
    let candidates: Vec<_> = nodes
        .into_iter()
        .map(|node| candidate(matcher, named, node))
        .collect();
    (candidates.len() > 1).then(|| Finding {
        candidates,
        certain: false,
        function: !matcher.source.node(named).data,
    })
}

/// Sorts places: first those where the function can stand alone, then by how good they
/// are for this name, and how much better than for another of its file that has no place.
fn likeliest_first(matcher: &Matcher, named: Named, nodes: &mut [Node]) {
    if nodes.len() < 2 {
        return;
    }
    let rivals: Vec<Named> = matcher.unnamed_siblings(named).collect();
    let source = matcher.source.node(named);
    // A function of its file that this one calls may be among the places as well.
    let calls_rival = source.calls.iter().any(|link| {
        let called = matcher.source.node(link.to);
        link.fact != Fact::Inherited
            && called.file == source.file
            && matcher.node_of(link.to).is_none()
    });
    let straight = |node: &Node| match matcher.binary.node(*node).place {
        Place::Function(id) => {
            source.known
                && source.most_blocks.max(source.blocks) == 1
                && matcher.binary.code.function(id).blocks == 1
        }
        Place::Data(_) => false,
    };
    let all = nodes.to_vec();
    let lead = |&node: &Node| {
        let tally = |named| matcher.score(named, node, Tally::default());
        let own = tally(named);
        let rival = rivals.iter().map(|&it| tally(it).total());
        let rival = rival.fold(0.0, f32::max);
        let mut calls = matcher.binary.node(node).calls.iter();
        let caller = calls_rival && calls.any(|it| all.contains(it));
        let caller = if caller { CALLER } else { 0.0 };
        let straight = if straight(&node) { STRAIGHT } else { 0.0 };
        // The variables of a file are often reached from one of them, which then has the
        // users of all.
        let against = if source.data { own.against() } else { 0.0 };
        own.total() - rival / 2.0 + caller + straight - against
    };
    nodes.sort_by(|a, b| {
        let stands = |it: &Node| matcher.stands_alone(named, *it);
        stands(b).cmp(&stands(a)).then(lead(b).total_cmp(&lead(a)))
    });
}

/// A static function whose address nobody takes need not take the arguments
/// that its source says: the compiler may have split it or left some out.
fn may_be_changed(matcher: &Matcher, named: Named, node: Node) -> bool {
    let source = matcher.source.node(named);
    let binary = matcher.binary.node(node);
    let pointed = || !binary.referrers.is_empty() || !matcher.binary.pointers_to(node).is_empty();
    source.known && !source.data && !source.global && source.parameters > 0 && !pointed()
}

/// The pair as an answer for a person.
fn candidate(matcher: &Matcher, named: Named, node: Node) -> (Strategy, Candidate) {
    let tally = matcher.score(named, node, Tally::explained());
    let strategy = Strategy::ALL
        .into_iter()
        .max_by(|a, b| tally.of(*a).total_cmp(&tally.of(*b)))
        .unwrap_or(Strategy::Lexical);
    let score = f64::from(tally.total());
    let source = matcher.source.node(named);
    let mut evidence = tally.evidence.unwrap_or_default();
    evidence.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let mut texts: Vec<String> = evidence
        .into_iter()
        .filter(|it| it.1.abs() >= 0.5)
        .take(MAX_EVIDENCE)
        .map(|(strategy, bits, text)| format!("{}: {text} ({bits:+.1})", strategy.name()))
        .collect();
    if let Some(Version(major, minor, patch)) = source.version {
        texts.push(format!(
            "compared with the source of {major}.{minor}.{patch}"
        ));
    }
    let address = match matcher.binary.node(node).place {
        Place::Function(id) => {
            let function = matcher.binary.code.function(id);
            function.start | u32::from(function.thumb)
        }
        Place::Data(address) => address,
    };
    (
        strategy,
        Candidate {
            address,
            score,
            evidence: texts,
        },
    )
}
