//! Strategy III: constants, return values, and the numbers of parameters, of
//! blocks and of callees.

use super::{
    Strategy::Structure,
    graph::{Fact, Named, Node, Place},
    lexical::share,
    matcher::{Matcher, Votes},
    tally::Tally,
};
use crate::code::{CallKind, Section};

/// Constants below this are in every second function.
const COMMON: u32 = 4;
/// A constant that more functions use points to none.
const MAX_USERS: u32 = 40;
/// Most bits that constants may add.
const ENOUGH: f32 = 16.0;

/// Functions with a rare constant.
///
/// Finding them all means a look at every function, so that this serves only
/// where nothing else gives candidates.
pub(super) fn candidates(matcher: &Matcher, named: Named, votes: &mut Votes) {
    let source = matcher.source.node(named);
    for &(constant, fact) in &source.constants {
        let users = matcher.binary.constant_users.get(&constant);
        if fact != Fact::Inherited && users.is_some_and(|users| *users <= MAX_USERS) {
            let found: Vec<Node> = (0..matcher.binary.functions as u32)
                .map(Node)
                .filter(|&node| {
                    let constants = &matcher.binary.node(node).constants;
                    constants.binary_search(&constant).is_ok()
                })
                .collect();
            votes.extend(&found, found.len());
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
    for &(value, fact) in &source.constants {
        if value < COMMON || value > 0u32.wrapping_sub(COMMON) {
            continue;
        }
        if binary.constants.binary_search(&value).is_ok() {
            let bits = matcher.rarity_of_constant(value) * 0.7 * share(fact);
            let bits = bits.min(ENOUGH - sum);
            sum += bits;
            tally.add(Structure, bits, || format!("has the constant {value:#x}"));
        } else if fact == Fact::Must && value >= 0x10 {
            tally.add(Structure, -0.7, || format!("lacks the constant {value:#x}"));
        }
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
    let jumps = function
        .calls
        .iter()
        .any(|call| call.kind != CallKind::Direct);
    if function.arguments > source.parameters && !jumps {
        // 64 bits take two registers, so one more is no proof.
        let more = function.arguments - source.parameters;
        tally.add(Structure, -2.0 * f32::from(more), || {
            format!(
                "takes {} arguments, not {}",
                function.arguments, source.parameters
            )
        });
    }
    if source.init && function.section == Section::Text && matcher.has_init {
        tally.add(Structure, -4.0, || "not in .init.text".to_owned());
    }
    if !source.init && function.section == Section::Init && matcher.has_init {
        tally.add(Structure, -4.0, || "in .init.text".to_owned());
    }
    let must = source
        .calls
        .iter()
        .filter(|link| link.fact == Fact::Must)
        .count();
    let have = binary.calls.len();
    if have < must {
        tally.add(Structure, -0.7 * (must - have).min(8) as f32, || {
            format!("has {have} callees, not {must}")
        });
    } else if have > source.calls.len() + 2 {
        let more = have - source.calls.len();
        tally.add(Structure, -0.5 * more.min(10) as f32, || {
            format!("has {have} callees, not {}", source.calls.len())
        });
    }
    size(source.blocks, function.blocks, tally);
}

/// The number of blocks, within a factor of what the source suggests.
fn size(expected: u32, have: u32, tally: &mut Tally) {
    let ratio = (have.max(1) as f32 / expected.max(1) as f32).log2();
    let bits = match ratio.abs() {
        near if near < 0.7 => 1.0,
        near if near < 1.5 => 0.0,
        far => -(far - 1.5).min(3.0),
    };
    tally.add(Structure, bits, || {
        format!("has {have} blocks, {expected} in the source")
    });
}
