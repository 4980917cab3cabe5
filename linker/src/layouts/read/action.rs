//! `irqaction` and `irq_data.irq`, from kernel/irq/manage.c and handle.c.

use super::{Code, Function, Reads, only};
use crate::machine::flow::{Event, Value};

pub(super) fn read(code: &Code<'_>, reads: &mut Reads) {
    // request_threaded_irq(irq, handler, thread_fn, flags, name, dev), since
    // 2.6.30; request_irq(irq, handler, flags, name, dev) before.
    let requests: [(&'static str, &[(u8, &str)]); 2] = [
        (
            "request_threaded_irq",
            &[
                (1, "handler"),
                (2, "thread_fn"),
                (3, "flags"),
                (4, "name"),
                (5, "dev_id"),
            ],
        ),
        (
            "request_irq",
            &[(1, "handler"), (2, "flags"), (3, "name"), (4, "dev_id")],
        ),
    ];
    for (name, fields) in requests {
        if let Some(function) = code.function(name) {
            request(&function, fields, reads);
            break;
        }
    }
    for function in code.functions(&[
        "__handle_irq_event_percpu",
        "handle_irq_event_percpu",
        "handle_IRQ_event",
        "handle_irq_event",
    ]) {
        handled(&function, reads);
    }
    // setup_irq(irq, new); __setup_irq(irq, desc, new).
    for (name, action) in [("setup_irq", 1), ("__setup_irq", 2)] {
        let Some(function) = code.function(name) else {
            continue;
        };
        let found = only(
            function
                .stores()
                .filter(|store| *store.base == Value::Argument(action))
                .filter(|store| *store.value == Value::Argument(0))
                .map(|store| (store.offset, store.at)),
        );
        if let Some((offset, at)) = found {
            let what = format!("stores the number at [action + {offset:#x}] at {at:#x}");
            reads.add(("irqaction", "irq"), offset, &function, what);
        }
    }
}

/// An action is allocated, and the arguments are stored in it.
fn request(function: &Function, fields: &[(u8, &str)], reads: &mut Reads) {
    let stored = |argument: u8| {
        only(
            function
                .stores()
                .filter(|store| matches!(store.base, Value::Result(_)))
                .filter(|store| *store.value == Value::Argument(argument))
                .map(|store| ((store.base, store.offset), store.at)),
        )
    };
    // The action is what the handler is stored in, at its start in most.
    let Some(((action, _), _)) = stored(1).or_else(|| stored(3)) else {
        return;
    };
    for (argument, field) in fields {
        if let Some(((base, offset), at)) = stored(*argument)
            && base == action
        {
            let what = format!(
                "stores its argument {} at [action + {offset:#x}] at {at:#x}",
                argument + 1
            );
            reads.add(("irqaction", field), offset, function, what);
        }
    }
}

/// `action->handler(irq, action->dev_id)` for all actions of a list.
fn handled(function: &Function, reads: &mut Reads) {
    let call = function.callbacks().find_map(|call| {
        let (base, dev_id) = call.arguments[1].field()?;
        (base == call.base).then_some((call, dev_id))
    });
    let Some((call, dev_id)) = call else { return };
    let what = format!(
        "calls [action + {:#x}] with [action + {dev_id:#x}] at {:#x}",
        call.offset, call.at
    );
    reads.add(
        ("irqaction", "handler"),
        call.offset,
        function,
        what.clone(),
    );
    reads.add(("irqaction", "dev_id"), dev_id, function, what);
    if let Some((base, irq)) = call.arguments[0].field()
        && *base == Value::Argument(0)
        && let Some(data) = reads.agreed("irq_desc", "irq_data")
        && let Some(value) = irq.checked_sub(data)
    {
        let what = format!(
            "hands [descriptor + {irq:#x}] to the handler at {:#x}",
            call.at
        );
        reads.add(("irq_data", "irq"), value, function, what);
    }
    let next = only(function.events.iter().filter_map(|event| match event {
        Event::Load {
            at,
            base,
            offset,
            replaces_base: true,
            ..
        } if base == call.base => Some((*offset as u32, *at)),
        _ => None,
    }));
    if let Some((offset, at)) = next {
        let what = format!("goes on to [action + {offset:#x}] at {at:#x}");
        reads.add(("irqaction", "next"), offset, function, what);
    }
}
