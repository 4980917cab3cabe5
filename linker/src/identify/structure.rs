//! Strategy III: constants, return values, and the numbers of parameters, of
//! blocks and of callees.

use std::cmp::Ordering;

use super::{
    Strategy::Structure,
    graph::{BinaryNode, Fact, Named, Node, Place, SourceNode},
    lexical::share,
    matcher::Matcher,
    tally::Tally,
    votes::Votes,
};
use crate::code::Section;

/// Bits against an answer for a constant that it lacks, or has too many.
const LACKS: f32 = 1.0;
const FOREIGN: f32 = 0.4;
/// Constants below this are in every second function.
const COMMON: u32 = 4;
/// A constant that more functions use points to none.
const MAX_USERS: usize = 40;
/// A function with so many callers may be one that compilers call.
const HELPER: usize = 60;
/// Most bits that constants may add.
const ENOUGH: f32 = 16.0;

/// Functions with a rare constant.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    let source = matcher.source.node(named);
    for &(constant, fact, _) in &source.constants {
        if let Some(users) = matcher.binary.constant_users.get(&constant)
            && fact != Fact::Inherited
            && users.len() <= MAX_USERS
        {
            votes.extend(users, users.len());
        }
    }
}

/// Constants and numbers.
pub(super) fn score(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    let source = matcher.source.node(named);
    let binary = matcher.binary.node(node);
    let Place::Function(id) = binary.place else {
        return;
    };
    if !source.known {
        return;
    }
    let function = matcher.binary.code.function(id);
    let mut sum = 0.0;
    let mut foreign = 0;
    let is_foreign = |(value, rarity): (&u32, &f32)| {
        usize::from(*rarity > 4.0 && (0x10..0x8000_0000).contains(value))
    };
    // Both are sorted.
    let mut own = binary.constants.iter().zip(&binary.rarities).peekable();
    for &(value, fact, via) in &source.constants {
        while let Some(other) = own.next_if(|it| *it.0 < value) {
            foreign += is_foreign(other);
        }
        let same = own.next_if(|it| *it.0 == value);
        if same.is_none() && fact != Fact::Must
            || value < COMMON
            || value > 0u32.wrapping_sub(COMMON)
            || matcher.elsewhere(via, node)
        {
            continue;
        }
        if let Some((_, rarity)) = same {
            let bits = rarity * 0.7 * share(fact);
            let bits = bits.min(ENOUGH - sum);
            sum += bits;
            tally.fact(Structure, fact, bits, || {
                format!("has the constant {value:#x}")
            });
        } else if value >= 0x10 {
            tally.add(Structure, -LACKS, || {
                format!("lacks the constant {value:#x}")
            });
        }
    }
    foreign += own.map(is_foreign).sum::<usize>();
    if foreign > 0 && !source.constants.is_empty() {
        tally.add(Structure, -FOREIGN * foreign.min(8) as f32, || {
            format!("has {foreign} constants that the source has not")
        });
    }
    for &value in &source.returns {
        let errno = value as i32;
        if !(-600..0).contains(&errno) {
            continue;
        }
        if binary.returns.binary_search(&value).is_ok() {
            let users = matcher.binary.return_users.get(&value).copied();
            let bits = matcher.rarity(users.unwrap_or(1) as usize) * 0.6;
            tally.add(Structure, bits, || format!("returns {errno}"));
        } else {
            tally.add(Structure, -1.2, || format!("does not return {errno}"));
        }
    }
    let others = binary
        .returns
        .iter()
        .filter(|&&value| (-600..-1).contains(&(value as i32)))
        .filter(|&&value| source.returns.binary_search(&value).is_err())
        .count();
    if others > 0 {
        tally.add(Structure, -0.6 * others.min(4) as f32, || {
            format!("returns {others} other errors")
        });
    }
    // What is called at the end by a jump may read any register.
    let jumps = binary.jumps;
    let (have, expected) = (function.arguments, source.parameters.min(4));
    let bits = match have.cmp(&expected) {
        _ if jumps && have != expected => 0.0,
        Ordering::Equal => 0.3 + 0.4 * f32::from(have),
        Ordering::Less => -1.3 * f32::from(expected - have),
        // 64 bits take two registers, so one more is no proof.
        Ordering::Greater => -2.0 * f32::from(have - source.parameters),
    };
    tally.add(Structure, bits, || {
        format!("takes {have} arguments, {expected} in the source")
    });
    if source.init && function.section == Section::Text && matcher.has_init {
        tally.add(Structure, -4.0, || "not in .init.text".to_owned());
    }
    if !source.init && function.section == Section::Init && matcher.has_init {
        tally.add(Structure, -2.5, || "in .init.text".to_owned());
    }
    pointed(matcher, named, node, tally);
    calls(matcher, source, binary, tally);
    size(source, function.blocks, tally);
}

/// A static function that nothing calls is called through a pointer, as an
/// initcall for instance; one that is called has callers.
fn pointed(matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
    let source = matcher.source.node(named);
    let binary = matcher.binary.node(node);
    if source.global || !source.callers.is_empty() || !source.referrers.is_empty() {
        return;
    }
    let pointers = matcher.binary.pointers_to(node);
    match (binary.callers.is_empty(), pointers.is_empty()) {
        (true, false) => tally.add(Structure, 2.0, || {
            format!("called through a pointer at {:#x} alone", pointers[0])
        }),
        _ => tally.add(Structure, -4.0, || {
            "not called through a pointer alone".to_owned()
        }),
    }
}

/// Whether it calls at all, how many functions, and through pointers.
fn calls(matcher: &Matcher, source: &SourceNode, binary: &BinaryNode, tally: &mut Tally) {
    let (must, may) = (source.must_call, source.calls.len());
    let have = binary.calls.len();
    if may == 0 && source.indirect == 0 {
        // Division and copying are calls that no source shows.
        let helper = |it: &&Node| {
            matcher.binary.node(**it).callers.len() >= HELPER || matcher.is_helper(**it)
        };
        let helpers = binary.order_of_calls.iter().filter(helper).count() as u32;
        match binary.all_calls.saturating_sub(helpers + binary.indirect) {
            // A parameter may be a function.
            0 if binary.indirect > 0 => {
                tally.add(Structure, -1.5, || "calls through a pointer".to_owned())
            }
            0 if helpers > 0 => {}
            0 => tally.add(Structure, 2.0, || "calls nothing".to_owned()),
            calls => tally.add(Structure, -1.5 - calls.min(4) as f32, || {
                format!("has {calls} calls, none in the source")
            }),
        }
        return;
    }
    if must + source.indirect as usize > 0 && binary.all_calls == 0 {
        tally.add(Structure, -4.0, || "calls nothing".to_owned());
    }
    match (source.indirect, binary.indirect) {
        (0, 0) => {}
        (0, more) => tally.add(Structure, -0.5 * more.min(3) as f32, || {
            format!("calls through {more} pointers, none in the source")
        }),
        (_, 0) => tally.add(Structure, -2.0, || "calls through no pointer".to_owned()),
        (expected, have) => {
            let bits = 1.0 - 0.4 * expected.abs_diff(have).min(5) as f32;
            tally.add(Structure, bits, || {
                format!("calls through {have} pointers, {expected} in the source")
            });
        }
    }
    if have < must {
        tally.add(Structure, -0.7 * (must - have).min(8) as f32, || {
            format!("has {have} callees, not {must}")
        });
    } else if have > may + 1 {
        tally.add(Structure, -0.6 * (have - may).min(10) as f32, || {
            format!("has {have} callees, not {may}")
        });
    } else if have <= 12 {
        tally.add(Structure, 0.7, || format!("has {have} callees"));
    }
}

/// The number of blocks, within a factor of what the source suggests.
fn size(source: &SourceNode, have: u32, tally: &mut Tally) {
    let expected = source.blocks;
    if have > expected && have <= source.most_blocks {
        tally.add(Structure, 0.5, || {
            format!(
                "has {have} blocks, {expected} to {} in the source",
                source.most_blocks
            )
        });
        return;
    }
    let ratio = (have.max(1) as f32 / expected.max(1) as f32).log2();
    let bits = match ratio.abs() {
        _ if expected == 1 && have == 1 => 2.0,
        near if near < 0.7 => 1.0,
        near if near < 1.3 => 0.0,
        far => -((far - 1.3) * 1.5).min(5.0),
    };
    tally.add(Structure, bits, || {
        format!("has {have} blocks, {expected} in the source")
    });
}
