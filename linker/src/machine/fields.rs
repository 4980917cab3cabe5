//! Fields of `struct machine_desc`, read from the code that uses them.
//!
//! From 2.6.39 on `init_IRQ`, `time_init` and `customize_machine` load the
//! global `machine_desc`, load the field and call it. Before, `setup_arch`
//! copies the fields to the globals `init_arch_irq`, `system_timer` and
//! `init_machine`, and the three functions call these. `handle_irq` is copied
//! by `setup_arch` in all kernels that have it, to `handle_arch_irq`.

use super::{
    Machines,
    flow::{Event, Value, trace},
    irq_loop, isa,
};
use crate::{
    kernel::Kernel,
    layouts::{Known, Lookup},
};

/// Adds to `machines` what the code shows.
pub(super) fn read(kernel: &Kernel, lookup: &Lookup<'_>, machines: &mut Machines) {
    let code = Code { kernel, lookup };
    let setup = code.events("setup_arch");
    let mut found = Found {
        machines,
        setup: &setup,
    };
    if let Some(use_) = code.called_pointer("init_IRQ") {
        found.callback("init_irq", "init_arch_irq", &use_);
    }
    if let Some(use_) = code.called_pointer("time_init") {
        found.timer(&use_);
        found.timer_offset(&use_, kernel, &code.events("time_init"));
    }
    if let Some(use_) = code.called_pointer("customize_machine") {
        found.callback("init_machine", "init_machine", &use_);
    }
    if let Some(use_) = code.called_pointer("init_machine_late") {
        found.callback("init_late", "init_late", &use_);
    }
    if let Some((address, how)) = code.handle_arch_irq() {
        found.handle_irq(address, how);
    }
}

/// A call through a pointer: where it is, and the pointer.
struct Use {
    function: &'static str,
    at: u32,
    pointer: Value,
}

struct Code<'a> {
    kernel: &'a Kernel,
    lookup: &'a Lookup<'a>,
}

impl Code<'_> {
    fn events(&self, function: &str) -> Vec<Event> {
        let Some(start) = (self.lookup.address)(function).map(|address| address & !1) else {
            return Vec::new();
        };
        trace(
            self.kernel,
            start,
            isa::is_thumb(self.kernel, start),
            (self.lookup.end)(start),
        )
    }

    /// The one pointer out of a global through which the function calls.
    fn called_pointer(&self, function: &'static str) -> Option<Use> {
        self.events(function)
            .into_iter()
            .find_map(|event| match event {
                Event::CallValue { at, target, .. } if rooted_in_global(&target) => Some(Use {
                    function,
                    at,
                    pointer: target,
                }),
                _ => None,
            })
    }

    /// Where the kernel keeps the interrupt handler, with the reason when it is
    /// not the symbol table that says it.
    fn handle_arch_irq(&self) -> Option<(u32, Option<String>)> {
        if let Some(address) = (self.lookup.address)("handle_arch_irq") {
            return Some((address, None));
        }
        if let Some((address, at)) = irq_loop::handler_variable(self.kernel) {
            let how = format!("the interrupt vectors call through it at {at:#x}");
            return Some((address, Some(how)));
        }
        // set_handle_irq(handler) stores its argument there.
        self.events("set_handle_irq")
            .into_iter()
            .find_map(|event| match event {
                Event::Store {
                    at,
                    base: Value::Const(base),
                    offset,
                    value: Value::Argument(0),
                    ..
                } => Some((
                    base.wrapping_add_signed(offset),
                    Some(format!(
                        "set_handle_irq stores its argument there at {at:#x}"
                    )),
                )),
                _ => None,
            })
    }
}

fn rooted_in_global(value: &Value) -> bool {
    match value {
        Value::Load(base, _) => matches!(**base, Value::Const(_)) || rooted_in_global(base),
        _ => false,
    }
}

struct Found<'a> {
    machines: &'a mut Machines,
    setup: &'a [Event],
}

impl Found<'_> {
    fn field(&mut self, name: &str, value: u32, evidence: String) {
        let known = Known { value, evidence };
        self.machines.fields.insert(name.to_owned(), known);
    }

    fn variable(&mut self, name: &str, value: u32, evidence: String) {
        let known = Known { value, evidence };
        self.machines.variables.insert(name.to_owned(), known);
    }

    /// A callback, called through `machine_desc` or through its copy `global`.
    fn callback(&mut self, field: &str, global: &str, use_: &Use) {
        let Use {
            function,
            at,
            pointer,
        } = use_;
        if let Some((base, offset)) = pointer.field() {
            if let Some(variable) = base.global() {
                self.variable(
                    "machine_desc",
                    variable,
                    format!("{function} calls through it at {at:#x}"),
                );
                self.field(
                    field,
                    offset,
                    format!("{function} calls [machine_desc + {offset:#x}] at {at:#x}"),
                );
            }
        } else if let Some(variable) = pointer.global() {
            self.variable(
                global,
                variable,
                format!("{function} calls through it at {at:#x}"),
            );
            self.copied(field, global, variable);
        }
    }

    /// A field that setup_arch copies to a global.
    fn copied(&mut self, field: &str, global: &str, variable: u32) {
        let copies: Vec<(u32, u32)> = self
            .setup
            .iter()
            .filter_map(|event| match event {
                Event::Store {
                    at,
                    base: Value::Const(base),
                    offset,
                    value,
                    ..
                } if base.wrapping_add_signed(*offset) == variable => Some((*at, value.field()?.1)),
                _ => None,
            })
            .collect();
        if let [(at, offset)] = copies[..] {
            self.field(
                field,
                offset,
                format!(
                    "setup_arch copies [machine descriptor + {offset:#x}] to {global} at {at:#x}"
                ),
            );
        }
    }

    /// time_init: a callback, or a pointer to a `struct sys_timer` (to 3.8).
    fn timer(&mut self, use_: &Use) {
        let Use { at, pointer, .. } = use_;
        let Some((timer, init)) = pointer.field() else {
            return;
        };
        if let Some((base, offset)) = timer.field() {
            // [[machine_desc + timer] + init]
            if base.global().is_some() {
                self.field(
                    "timer",
                    offset,
                    format!(
                        "time_init calls [[machine_desc + {offset:#x}] + {init:#x}] at {at:#x}"
                    ),
                );
                self.sys_timer(init, *at);
            }
            return;
        }
        let Some(variable) = timer.global() else {
            return;
        };
        let known = self.machines.variables.get("machine_desc");
        if known.is_some_and(|known| known.value == variable) {
            self.callback("init_time", "init_time", use_);
        } else {
            self.variable(
                "system_timer",
                variable,
                format!("time_init calls through it at {at:#x}"),
            );
            self.copied("timer", "system_timer", variable);
            self.sys_timer(init, *at);
        }
    }

    fn sys_timer(&mut self, init: u32, at: u32) {
        self.variable(
            "sys_timer.init",
            init,
            format!("time_init calls [system_timer + {init:#x}] at {at:#x}"),
        );
    }

    /// The callback of `struct sys_timer` that tells the time since the last
    /// tick: time_init sets it where the board has none.
    fn timer_offset(&mut self, use_: &Use, kernel: &Kernel, events: &[Event]) {
        let Some((timer, init)) = use_.pointer.field() else {
            return;
        };
        let set = events.iter().find_map(|event| match event {
            Event::Store {
                at,
                base,
                offset,
                value: Value::Const(function),
                ..
            } if *base == *timer && kernel.offset(*function).is_some() => {
                Some((*at, offset.cast_unsigned()))
            }
            _ => None,
        });
        if let Some((at, offset)) = set.filter(|&(_, offset)| offset > init) {
            self.variable(
                "sys_timer.offset",
                offset,
                format!("time_init sets [system_timer + {offset:#x}] at {at:#x}"),
            );
        }
    }

    fn handle_irq(&mut self, address: u32, how: Option<String>) {
        if let Some(how) = how {
            self.variable("handle_arch_irq", address, how);
        }
        self.copied("handle_irq", "handle_arch_irq", address);
    }
}
