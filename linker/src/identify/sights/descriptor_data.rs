//! `irq_set_handler_data` and `irq_set_chip_data` (kernel/irq/chip.c, 2.6.39 and
//! later; `set_irq_data` and `set_irq_chip_data` before): one stores its second
//! argument in a field of the descriptor, the other does the same with a field that
//! in every version lies further on.

use std::collections::BTreeMap;

use super::{Arguments, trace};
use crate::{
    identify::{
        graph::{Named, Node, Place, Source},
        matcher::Matcher,
        seen::Seen,
        tally::Tally,
    },
    machine::flow::{Event, Value, Width},
};

/// The twins, by the place of the field.
const TWINS: [[&str; 2]; 2] = [
    ["irq_set_handler_data", "irq_set_chip_data"],
    ["set_irq_data", "set_irq_chip_data"],
];
/// What gives the descriptor.
const GETTERS: [&str; 2] = ["__irq_get_desc_lock", "irq_to_desc"];
/// Bits for the right field, and against the other.
const RIGHT: f32 = 6.0;
const WRONG: f32 = 9.0;
/// Bytes of such a function.
const SIZE: u32 = 0xc0;
/// The two fields lie at the start of the descriptor; `affinity_hint`, which has a
/// function like theirs, lies behind.
const FIELDS: std::ops::Range<i32> = 0..0x48;

/// Which names are twins, and the two functions by what gives them the descriptor.
#[derive(Debug, Default)]
pub(super) struct DescriptorData {
    twins: Vec<[Option<Named>; 2]>,
    getters: Vec<Named>,
    seen: Seen<Node, Option<[Node; 2]>>,
}

impl DescriptorData {
    pub(super) fn of(source: &Source) -> Self {
        let named = |names: &[&str; 2]| names.map(|name| source.named(name));
        Self {
            twins: TWINS.iter().map(named).collect(),
            getters: GETTERS.iter().filter_map(|it| source.named(it)).collect(),
            seen: Seen::default(),
        }
    }

    pub(super) fn score(&self, matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
        let sides = self.twins.iter().flat_map(|it| it.iter().zip([0, 1]));
        let Some(side) = sides
            .filter(|it| *it.0 == Some(named))
            .map(|it| it.1)
            .next()
        else {
            return;
        };
        let getters = self.getters.iter().filter_map(|it| matcher.node_of(*it));
        let found =
            getters.filter_map(|getter| self.seen.get_or(getter, || setters(matcher, getter)));
        for both in found {
            if both[side] == node {
                tally.add(Arguments, RIGHT, || {
                    "stores its second argument in the right one of two fields".to_owned()
                });
            } else {
                tally.add(Arguments, -WRONG, || {
                    "does not store its second argument in the right one of two fields".to_owned()
                });
            }
        }
    }
}

/// The two functions that get a descriptor there and do nothing with it but store their
/// second argument, the one with the lower field first.
fn setters(matcher: &Matcher, getter: Node) -> Option<[Node; 2]> {
    let address = matcher.binary.node(getter).address;
    let mut fields: BTreeMap<i32, Node> = BTreeMap::new();
    for &caller in &matcher.binary.node(getter).callers {
        let Place::Function(id) = matcher.binary.node(caller).place else {
            continue;
        };
        let code = matcher.binary.code;
        let function = code.function(id);
        if function.end - function.start > SIZE || function.arguments != 2 {
            continue;
        }
        let events = trace(matcher.kernel, code, function);
        // Two that store in one field are none of the twins.
        if let Some(field) = stored(&events, address).filter(|it| FIELDS.contains(it))
            && fields.insert(field, caller).is_some()
        {
            return None;
        }
    }
    match fields.into_values().collect::<Vec<_>>()[..] {
        [low, high] => Some([low, high]),
        _ => None,
    }
}

/// The only field of the descriptor that is stored, if it gets the second argument.
fn stored(events: &[Event], getter: u32) -> Option<i32> {
    let descriptor = events.iter().find_map(|event| match event {
        Event::Call { at, target, .. } if *target == getter => Some(Value::Result(*at)),
        _ => None,
    })?;
    let mut stores = events.iter().filter_map(|event| match event {
        Event::Store {
            base: Value::Stack(_),
            ..
        } => None,
        Event::Store {
            base,
            offset,
            value,
            width,
            ..
        } => Some((base, *offset, value, *width)),
        _ => None,
    });
    match (stores.next(), stores.next()) {
        (Some((base, field, Value::Argument(1), Width::Word)), None) if *base == descriptor => {
            Some(field)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, events},
    };

    #[test]
    fn the_second_argument_goes_into_the_descriptor() {
        // push {r4, lr}; mov r4, r1; bl; cmp r0, #0; beq over the store; str r4, [r0,
        // #24]; pop {r4, pc}
        let mut words = [
            0xe92d_4010,
            0xe1a0_4001,
            0xeb00_0100,
            0xe350_0000,
            0x0a00_0000,
            0xe580_4018,
            0xe8bd_8010,
        ];
        let getter = BASE + 8 + 8 + 0x400;
        let field = |words: &[u32]| stored(&events(words, Version(3, 4, 0)), getter);
        assert_eq!(field(&words), Some(24));
        // A byte of it, or something else.
        words[5] = 0xe5c0_4018;
        assert_eq!(field(&words), None);
        words[5] = 0xe580_3018;
        assert_eq!(field(&words), None);
    }
}
