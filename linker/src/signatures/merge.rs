//! What holds on both sides of a release that has no file of its own.
//!
//! A fact that both have is taken as it is; one that a side lacks may have gone
//! or not yet come, which is what *conditional* says. Numbers that cannot be
//! doubted one by one (lines, blocks) are the older side's.

use std::collections::HashMap;

use super::{Initialiser, SourceFunction};

/// A function is the same if its name and file are; one that moved to another
/// file is the same if its name is.
pub(super) fn functions(below: &[SourceFunction], above: &[SourceFunction]) -> Vec<SourceFunction> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::with_capacity(above.len());
    for (index, function) in above.iter().enumerate() {
        by_name.entry(&function.name).or_default().push(index);
    }
    let mut used = vec![false; above.len()];
    let mut merged = Vec::with_capacity(below.len());
    for old in below {
        let same = by_name.get(old.name.as_str()).and_then(|all| {
            let of = |index: &usize| above.get(*index);
            all.iter()
                .find(|index| of(index).is_some_and(|new| new.file == old.file))
                .or(all.first())
        });
        match same.and_then(|&index| Some((index, above.get(index)?))) {
            Some((index, new)) => {
                if let Some(used) = used.get_mut(index) {
                    *used = true;
                }
                merged.push(both(old, new));
            }
            None => merged.push(one(old)),
        }
    }
    let rest = above.iter().zip(used).filter(|(_, used)| !used);
    merged.extend(rest.map(|(new, _)| one(new)));
    merged
}

/// The function that both sides have.
pub(crate) fn both(old: &SourceFunction, new: &SourceFunction) -> SourceFunction {
    let mut function = old.clone();
    function.conditional |= new.conditional;
    function.exported &= new.exported;
    function.init &= new.init;
    function.strings = union(
        &old.strings,
        &new.strings,
        |one, other| one.text == other.text,
        |fact, doubt| fact.conditional |= doubt,
        |fact| fact.conditional,
    );
    function.warns = union(
        &old.warns,
        &new.warns,
        |one, other| one == other,
        |fact, doubt| fact.conditional |= doubt,
        |fact| fact.conditional,
    );
    function.calls = union(
        &old.calls,
        &new.calls,
        |one, other| one.name == other.name && one.arguments == other.arguments,
        |fact, doubt| fact.conditional |= doubt,
        |fact| fact.conditional,
    );
    // The callee is there on both sides if its arguments alone changed.
    for call in function.calls.iter_mut().filter(|call| call.conditional) {
        let sure = |side: &SourceFunction| {
            let mut calls = side.calls.iter();
            calls.any(|other| other.name == call.name && !other.conditional)
        };
        if sure(old) && sure(new) {
            call.conditional = false;
        }
    }
    function.constants = union(
        &old.constants,
        &new.constants,
        |one, other| one.operator == other.operator && one.value == other.value,
        |fact, doubt| fact.conditional |= doubt,
        |fact| fact.conditional,
    );
    function
        .address_of
        .retain(|name| new.address_of.contains(name));
    function.returns.retain(|value| new.returns.contains(value));
    function.blocks = old.blocks.min(new.blocks);
    function.loops = old.loops.min(new.loops);
    function.indirect_calls = old.indirect_calls.min(new.indirect_calls);
    function
}

/// The function that one side has: all of it is doubtful.
fn one(side: &SourceFunction) -> SourceFunction {
    let mut function = side.clone();
    function.conditional = true;
    function
}

/// All facts of both lists, the old in their order; those that one list lacks
/// are doubted.
fn union<T: Clone>(
    old: &[T],
    new: &[T],
    same: impl Fn(&T, &T) -> bool,
    doubt: impl Fn(&mut T, bool),
    doubted: impl Fn(&T) -> bool,
) -> Vec<T> {
    let mut all = Vec::with_capacity(old.len());
    for fact in old {
        let mut fact = fact.clone();
        let others = new.iter().filter(|other| same(&fact, other));
        let sure = others.clone().any(|other| !doubted(other));
        doubt(&mut fact, !sure);
        all.push(fact);
    }
    for fact in new {
        if !old.iter().any(|other| same(fact, other)) {
            let mut fact = fact.clone();
            doubt(&mut fact, true);
            all.push(fact);
        }
    }
    all
}

/// A variable is the same if its name and tag are.
pub(super) fn initialisers(below: &[Initialiser], above: &[Initialiser]) -> Vec<Initialiser> {
    let same =
        |one: &Initialiser, other: &Initialiser| one.name == other.name && one.tag == other.tag;
    let mut merged = Vec::with_capacity(below.len());
    for old in below {
        let mut variable = old.clone();
        match above.iter().find(|new| same(old, new)) {
            Some(new) => {
                variable.conditional |= new.conditional;
                let before = variable.members.len();
                variable
                    .members
                    .retain(|member| new.members.contains(member));
                variable.conditional |= before != variable.members.len();
            }
            None => variable.conditional = true,
        }
        merged.push(variable);
    }
    for new in above {
        if !below.iter().any(|old| same(new, old)) {
            let mut variable = new.clone();
            variable.conditional = true;
            merged.push(variable);
        }
    }
    merged
}
