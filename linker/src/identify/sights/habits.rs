//! What a function hands on, stores and lists, where its calls alone are those of
//! others too: wrappers into which the compiler has put what they wrap, and
//! twins.

use std::ops::Range;

use super::{Arguments, trace};
use crate::{
    code::{Call, CallKind, Code, Function, FunctionId, Target},
    identify::{
        by_name::ByName,
        graph::{Named, Node, Place, Source},
        matcher::Matcher,
        seen::Seen,
        tally::Tally,
    },
    kernel::Kernel,
    machine::flow::{Event, Value, Width},
};

/// Bytes of a function that is looked at.
const SIZE: u32 = 0x800;

/// A habit, the names that have it, and those of twins that must not.
struct Rule {
    names: &'static [&'static str],
    twins: &'static [&'static str],
    shows: Shows,
    right: f32,
    wrong: f32,
    /// Bits against a twin that shows it.
    twin: f32,
    what: &'static str,
}

/// How a habit is seen.
enum Shows {
    /// In what the function does with its arguments.
    Events(fn(&[Event]) -> bool),
    /// It saves the state of interrupts (`local_irq_save`).
    SavesInterrupts,
}

const RULES: [Rule; 8] = [
    // kernel/irq/chip.c: handler and name go on to __irq_set_handler.
    Rule {
        names: &[
            "irq_set_chip_and_handler_name",
            "set_irq_chip_and_handler_name",
        ],
        // They hand on their third argument where this has the 0.
        twins: &["__irq_set_handler", "__set_irq_handler"],
        shows: Shows::Events(hands_on_handler_and_name),
        right: 9.0,
        wrong: 4.0,
        twin: 30.0,
        what: "hands on its third and fourth argument with 0 between them",
    },
    // kernel/time/clockevents.c: list_add(&dev->list, &clockevent_devices).
    Rule {
        names: &["clockevents_register_device"],
        twins: &["clockevents_do_notify"],
        shows: Shows::Events(lists_argument),
        right: 8.0,
        wrong: 4.0,
        twin: 8.0,
        what: "adds its argument to a list of its own",
    },
    // kernel/irq/irqdomain.c, since 3.8: as many interrupts as may be are counted from
    // 0; the twin's begin at an argument.
    Rule {
        names: &["irq_domain_add_simple"],
        twins: &["irq_domain_add_legacy"],
        shows: Shows::Events(hands_on_size_twice),
        right: 6.0,
        wrong: 0.0,
        twin: 6.0,
        what: "hands on its second argument as second and third",
    },
    // kernel/irq/irqdesc.c, since 6.0: the safe ones may be called with interrupts on.
    Rule {
        names: &["generic_handle_irq_safe", "generic_handle_domain_irq_safe"],
        twins: &["generic_handle_irq", "generic_handle_domain_irq"],
        shows: Shows::SavesInterrupts,
        right: 8.0,
        wrong: 8.0,
        twin: 8.0,
        what: "saves the state of interrupts",
    },
    // drivers/base/platform.c: a copy of so many bytes; the twin counts
    // resources, and keeps their number.
    Rule {
        names: &["platform_device_add_data"],
        twins: &["platform_device_add_resources"],
        shows: Shows::Events(copies_by_size),
        right: 6.0,
        wrong: 6.0,
        twin: 6.0,
        what: "allocates as many bytes as its third argument says",
    },
    // drivers/serial/serial_core.c, to 3.x: tasklet_schedule(&port->state->tlet), whose
    // second word says that it is scheduled.
    Rule {
        names: &["uart_write_wakeup"],
        twins: &[],
        shows: Shows::Events(schedules_part),
        right: 8.0,
        wrong: 0.0,
        twin: 8.0,
        what: "marks a part of what a field of its argument points to, and hands it on",
    },
    // drivers/tty/tty_buffer.c, since 3.9: what is in the last buffer may be
    // read, and the work behind the port is queued.
    Rule {
        names: &["tty_flip_buffer_push"],
        twins: &[],
        shows: Shows::Events(commits_buffer),
        right: 8.0,
        wrong: 0.0,
        twin: 8.0,
        what: "copies a field within what its argument points to, and hands on a part of it",
    },
    // arch/arm/plat-omap/io.c and others of its kind, to 3.2: what is mapped already is
    // answered, the rest goes to __arm_ioremap_caller as __arm_ioremap hands it on.
    Rule {
        names: &["omap_ioremap"],
        twins: &["__arm_ioremap"],
        shows: Shows::Events(looks_before_it_hands_on),
        right: 0.0,
        wrong: 0.0,
        twin: 20.0,
        what: "looks at its arguments before it hands on the first three",
    },
];

/// Which names have a rule, and what was seen of functions so far.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// Rule, and whether the name must show it or must not.
    rules: ByName<(usize, bool)>,
    seen: Seen<(Node, usize), bool>,
}

impl Habits {
    pub(super) fn of(source: &Source) -> Self {
        let mut habits = Habits::default();
        for (index, rule) in RULES.iter().enumerate() {
            for (names, must) in [(rule.names, true), (rule.twins, false)] {
                let named = names.iter().filter_map(|name| source.named(name));
                habits.rules.extend(named.map(|it| (it, (index, must))));
            }
        }
        habits
    }

    pub(super) fn score(&self, matcher: &Matcher, named: Named, node: Node, tally: &mut Tally) {
        let Some(&(index, must)) = self.rules.get(&named) else {
            return;
        };
        let (Some(rule), Place::Function(id)) = (RULES.get(index), matcher.binary.node(node).place)
        else {
            return;
        };
        let shows = self.seen.get_or((node, index), || {
            let function = behind(matcher.binary.code, id);
            let small = function.end - function.start <= SIZE;
            small
                && match rule.shows {
                    Shows::Events(shows) => {
                        shows(&trace(matcher.kernel, matcher.binary.code, function))
                    }
                    Shows::SavesInterrupts => saves_interrupts(
                        matcher.kernel,
                        function.start..function.end,
                        function.thumb,
                    ),
                }
        });
        match (must, shows) {
            (true, true) => tally.add(Arguments, rule.right, || rule.what.to_owned()),
            (true, false) => tally.add(Arguments, -rule.wrong, || format!("not: {}", rule.what)),
            (false, true) => tally.add(Arguments, -rule.twin, || rule.what.to_owned()),
            (false, false) => {}
        }
    }
}

/// Whether there is an `mrs` of the processor's state.
fn saves_interrupts(kernel: &Kernel, function: Range<u32>, thumb: bool) -> bool {
    // Arm Architecture Reference Manual, "MRS": encodings A1 and T1.
    let (mask, mrs) = match thumb {
        true => (0xf0ff_ffff, 0x8000_f3ef),
        false => (0x0fff_0fff, 0x010f_0000),
    };
    let mut places = function.step_by(if thumb { 2 } else { 4 });
    places.any(|va| kernel.word(va).is_some_and(|word| word & mask == mrs))
}

/// The function itself, or the one that it does nothing but jump to.
fn behind(code: &Code, id: FunctionId) -> &Function {
    let function = code.function(id);
    match function.calls[..] {
        [
            Call {
                at,
                target: Target::Function(target),
                kind: CallKind::Tail,
            },
        ] if at == function.start => code.function(target),
        _ => function,
    }
}

/// `__irq_set_handler(irq, handle, 0, name)`, or `__irq_do_set_handler(desc, ...)`.
fn hands_on_handler_and_name(events: &[Event]) -> bool {
    events.iter().any(|event| match event {
        Event::Call { arguments, .. } => matches!(
            arguments.get(1..4),
            Some([Value::Argument(2), Value::Const(0), Value::Argument(3)])
        ),
        _ => false,
    })
}

/// `if (...) return ...; return __arm_ioremap_caller(p, size, type, caller)`
fn looks_before_it_hands_on(events: &[Event]) -> bool {
    let looks = |event: &Event| {
        matches!(
            event,
            Event::Compare { .. } | Event::Test { .. } | Event::Call { .. }
        )
    };
    let handed = [0, 1, 2].map(Value::Argument);
    let hands_on = |event: &Event| match event {
        Event::Call { arguments, .. } => arguments.get(..3) == Some(&handed[..]),
        _ => false,
    };
    let first = events.iter().position(looks);
    first.is_some_and(|at| events[at + 1..].iter().any(hands_on))
}

/// `__irq_domain_add(of_node, size, size, 0, ...)`
fn hands_on_size_twice(events: &[Event]) -> bool {
    events.iter().any(|event| match event {
        Event::Call { arguments, .. } => matches!(
            arguments.get(1..4),
            Some([Value::Argument(1), Value::Argument(1), Value::Const(0),])
        ),
        _ => false,
    })
}

/// The address of a global goes into a field of the argument, and that of the
/// field into the global.
fn lists_argument(events: &[Event]) -> bool {
    let stores = || {
        events.iter().filter_map(|event| match event {
            Event::Store {
                base,
                offset,
                value,
                width: Width::Word,
                ..
            } => Some((base, *offset, value)),
            _ => None,
        })
    };
    stores().any(|(base, offset, value)| {
        let (Value::Const(head), Value::Argument(0), field) = (base, value.address().0, value)
        else {
            return false;
        };
        let head = Value::Const(head.wrapping_add_signed(offset));
        let field = field.address().1;
        stores().any(|(base, offset, value)| {
            *base == Value::Argument(0) && offset == field + 4 && *value == head
        })
    })
}

/// `kmalloc(size, ...)` or, later, `kmemdup(data, size, ...)`.
fn copies_by_size(events: &[Event]) -> bool {
    events.iter().any(|event| match event {
        Event::Call { arguments, .. } => {
            let size = Value::Argument(2);
            let kmalloc = arguments.first() == Some(&size);
            let kmemdup = arguments.get(..2) == Some(&[Value::Argument(1), size]);
            kmalloc || kmemdup
        }
        _ => false,
    })
}

/// `if (!test_and_set_bit(0, &tlet->state)) __tasklet_schedule(tlet)`, with a tasklet
/// in what a field of the argument points to.
fn schedules_part(events: &[Event]) -> bool {
    let part = |value: &Value| match value.address() {
        (of, at @ 1..) if matches!(of.field(), Some((Value::Argument(0), _))) => {
            Some((of.clone(), at))
        }
        _ => None,
    };
    let marked = |(of, at): &(Value, i32)| {
        events.iter().any(|event| match event {
            Event::Store { base, offset, .. } => base == of && *offset == at + 4,
            Event::Call { arguments, .. } => {
                arguments.get(1).and_then(part).as_ref() == Some(&(of.clone(), at + 4))
            }
            _ => false,
        })
    };
    events.iter().any(|event| match event {
        Event::Call { arguments, .. } => arguments
            .first()
            .and_then(part)
            .is_some_and(|it| marked(&it)),
        _ => false,
    })
}

/// `buf->tail->commit = buf->tail->used; queue_work(..., &buf->work)`
fn commits_buffer(events: &[Event]) -> bool {
    let copies = events.iter().any(|event| match event {
        Event::Store {
            base,
            offset,
            value,
            width: Width::Word,
            ..
        } => {
            let of_port = |it: &Value| matches!(it.field(), Some((Value::Argument(0), _)));
            let copied = value
                .field()
                .is_some_and(|(from, at)| from == base && i64::from(at) != i64::from(*offset));
            of_port(base) && copied
        }
        _ => false,
    });
    let hands_on = events.iter().any(|event| match event {
        Event::Call { arguments, .. } => arguments
            .iter()
            .take(3)
            .any(|it| matches!(it.address(), (Value::Argument(0), 1..))),
        _ => false,
    });
    copies && hands_on
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::Version,
        machine::testing::{BASE, events},
    };

    fn seen(words: &[u32]) -> Vec<Event> {
        events(words, Version(4, 9, 0))
    }

    #[test]
    fn handler_and_name_with_0_between() {
        // push {r4-r6, lr}; mov r4, r0; mov r5, r2; mov r6, r3; bl; mov r3, r6;
        // mov r2, #0; mov r1, r5; mov r0, r4; pop {r4-r6, lr}; b
        let mut words = [
            0xe92d_4070,
            0xe1a0_4000,
            0xe1a0_5002,
            0xe1a0_6003,
            0xeb00_0100,
            0xe1a0_3006,
            0xe3a0_2000,
            0xe1a0_1005,
            0xe1a0_0004,
            0xe8bd_4070,
            0xea00_0200,
        ];
        assert!(hands_on_handler_and_name(&seen(&words)));
        // mov r2, #1
        words[6] = 0xe3a0_2001;
        assert!(!hands_on_handler_and_name(&seen(&words)));
    }

    #[test]
    fn arguments_are_looked_at_before_they_are_handed_on() {
        // sub r3, r0, #0x48000000; cmp r3, #0x400000; addcc r0, r0, #0x1000; bxcc lr;
        // mov r3, lr; b
        let words = [
            0xe240_3312,
            0xe353_0501,
            0x3280_0a01,
            0x312f_ff1e,
            0xe1a0_300e,
            0xea00_0100,
        ];
        assert!(looks_before_it_hands_on(&seen(&words)));
        // Handed on at once, and looked at for one's own use.
        assert!(!looks_before_it_hands_on(&seen(&words[4..])));
        // cmp r1, #0; moveq r0, #0; bxeq lr; mov r1, r2; b
        let own = [
            0xe351_0000,
            0x03a0_0000,
            0x012f_ff1e,
            0xe1a0_1002,
            0xea00_0100,
        ];
        assert!(!looks_before_it_hands_on(&seen(&own)));
    }

    #[test]
    fn a_size_handed_on_twice() {
        // push {r4, lr}; mov r2, r1; mov r3, #0; bl; pop {r4, pc}
        let mut words = [
            0xe92d_4010,
            0xe1a0_2001,
            0xe3a0_3000,
            0xeb00_0100,
            0xe8bd_8010,
        ];
        assert!(hands_on_size_twice(&seen(&words)));
        // add r2, r1, r3
        words[1] = 0xe081_2003;
        assert!(!hands_on_size_twice(&seen(&words)));
    }

    #[test]
    fn the_state_of_interrupts_is_saved() {
        use crate::machine::testing::Image;
        let shows =
            |image: &Image, thumb| saves_interrupts(&image.kernel(), BASE..BASE + 16, thumb);
        let mut image = Image::new(0x1000, Version(6, 1, 0));
        // push {r4, lr}; mrs r4, cpsr; cpsid i; pop {r4, pc}
        image.words(BASE, &[0xe92d_4010, 0xe10f_4000, 0xf10c_0080, 0xe8bd_8010]);
        assert!(shows(&image, false));
        // mrs r4, spsr
        image.words(BASE + 4, &[0xe14f_4000]);
        assert!(!shows(&image, false));
        // push {r4, lr}; mrs r4, cpsr; cpsid i
        image.halves(BASE, &[0xb510, 0xf3ef, 0x8400, 0xb672]);
        assert!(shows(&image, true));
    }

    #[test]
    fn an_argument_in_a_list() {
        // ldr r3, [pc, #16]; add r1, r0, #100; ldr r2, [r3]; str r1, [r2, #4];
        // stores: the field's next and prev, and the head's.
        let words = [
            0xe59f_3018,
            0xe280_1064,
            0xe593_2000,
            0xe582_1004,
            0xe580_2064,
            0xe580_3068,
            0xe583_1000,
            0xe12f_ff1e,
            BASE + 0x800,
        ];
        assert!(lists_argument(&seen(&words)));
        assert!(!lists_argument(&seen(&words[..6])));
    }

    #[test]
    fn a_tasklet_of_what_a_field_points_to_is_scheduled() {
        // push {r3, lr}; ldr r0, [r0, #44]; ldr r3, [r0, #112]; orr r1, r3, #1;
        // str r1, [r0, #112]; tst r3, #1; popne {r3, pc}; add r0, r0, #108; bl; pop {r3, pc}
        let mut words = [
            0xe92d_4008,
            0xe590_002c,
            0xe590_3070,
            0xe383_1001,
            0xe580_1070,
            0xe313_0001,
            0x18bd_8008,
            0xe280_006c,
            0xeb00_0100,
            0xe8bd_8008,
        ];
        assert!(schedules_part(&seen(&words)));
        // Another word is set.
        words[4] = 0xe580_1074;
        assert!(!schedules_part(&seen(&words)));
    }

    #[test]
    fn bytes_and_resources() {
        // mov r0, r2; bl
        assert!(copies_by_size(&seen(&[0xe1a0_0002, 0xeb00_0100])));
        // mov r0, r2, lsl #5; bl
        assert!(!copies_by_size(&seen(&[0xe1a0_0282, 0xeb00_0100])));
    }

    #[test]
    fn the_last_buffer_is_committed() {
        // ldr r3, [r0, #68]; add r2, r0, #4; ldr r1, [r3, #4]; str r1, [r3, #12]; b
        let words = [
            0xe590_3044,
            0xe280_2004,
            0xe593_1004,
            0xe583_100c,
            0xea00_0100,
        ];
        assert!(commits_buffer(&seen(&words)));
        assert!(!commits_buffer(&seen(&words[..4])));
    }
}
