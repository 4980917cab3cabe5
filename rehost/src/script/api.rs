//! The functions that a script can call, but for those that touch the guest.

use std::rc::Rc;

use emu::exception::Exception;
use emu::machine::debug::{Watched, Watchpoint};
use mlua::{Error, Function, Lua, Result, Table, Value, Variadic};

use super::wishes::{Event, Place, Region};
use super::{Shared, guest};
use crate::cli::text;

/// What a watchpoint is told to stop.
const WATCHED: [(&str, Watched); 3] = [
    ("read", Watched::Reads),
    ("write", Watched::Writes),
    ("access", Watched::Both),
];

/// Adds all functions.
pub(super) fn install(lua: &Lua, wishes: &Shared) -> Result<()> {
    guest::install(lua, wishes)?;
    let globals = lua.globals();
    globals.set(
        "print",
        lua.create_function(|lua, values: Variadic<Value>| {
            let tostring: Function = lua.globals().get("tostring")?;
            let texts: Result<Vec<String>> =
                values.iter().map(|value| tostring.call(value)).collect();
            // The console is standard output, and may be a raw terminal.
            eprint!("{}\r\n", texts?.join("\t").replace('\n', "\r\n"));
            Ok(())
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "machine",
        lua.create_function(move |_, table: Table| shared.borrow_mut().machine.take(&table))?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "breakpoint",
        lua.create_function(move |lua, (place, function): (Value, Function)| {
            let place = place_of(lua, &place)?;
            Ok(shared.borrow_mut().add_break(place, function))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "watchpoint",
        lua.create_function(
            move |lua, (place, length, kind, function): (Value, u32, String, Function)| {
                let watched = WATCHED.iter().find(|it| it.0 == kind);
                let &(_, watched) = watched.ok_or_else(|| {
                    Error::runtime(format!("expected read, write or access, not {kind:?}"))
                })?;
                let mut wishes = shared.borrow_mut();
                let address = match place_of(lua, &place)? {
                    Place::Address(address) | Place::Return(address, _) => address,
                    Place::Symbol(name, distance, _) => {
                        let found = wishes.names.address(&name);
                        let absent = || no_symbol(&name);
                        found.ok_or_else(absent)?.wrapping_add(distance)
                    }
                };
                let watchpoint = Watchpoint {
                    address,
                    length,
                    watched,
                };
                Ok(wishes.add_watch(watchpoint, function))
            },
        )?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "mmio",
        lua.create_function(move |_, (base, size, functions): (i64, u32, Table)| {
            let base = base as u32;
            if size == 0 || base.checked_add(size - 1).is_none() {
                return Err(Error::runtime(format!("no region has {size} bytes there")));
            }
            let region = Region {
                base,
                size,
                read: functions.get("read")?,
                write: functions.get("write")?,
            };
            Ok(shared.borrow_mut().add_region(region))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "on",
        lua.create_function(move |_, (name, function): (String, Function)| {
            let event = Event::ALL.iter().find(|it| it.0 == name);
            let &(_, event) = event.ok_or_else(|| {
                let all: Vec<&str> = Event::ALL.iter().map(|it| it.0).collect();
                Error::runtime(format!(
                    "there is no event {name:?}, but {}",
                    all.join(", ")
                ))
            })?;
            Ok(shared.borrow_mut().add_event(event, function))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "expect",
        lua.create_function(move |lua, (pattern, function): (String, Function)| {
            let console: Function = lua.globals().get("console")?;
            // Before there is a guest there is nothing on its console.
            let shown = console.call::<mlua::LuaString>(());
            let from = shown.map_or(0, |text| text.as_bytes().len());
            Ok(shared.borrow_mut().expect(pattern, function, from))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "remove",
        lua.create_function(move |_, id: u32| match shared.borrow_mut().remove(id) {
            true => Ok(()),
            false => Err(Error::runtime(format!(
                "there is nothing with the number {id}"
            ))),
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "symbol",
        lua.create_function(move |_, name: String| {
            let found = shared.borrow().names.address(&name);
            Ok(found.map(|address| address & !1))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "where",
        lua.create_function(move |_, address: i64| {
            let name = shared.borrow().names.name(address as u32);
            Ok(name.unwrap_or_else(|| format!("{:#010x}", address as u32)))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "stop",
        lua.create_function(move |_, ()| {
            shared.borrow_mut().stop = true;
            Ok(())
        })?,
    )
}

/// A value that may be an address or the name of one.
fn place_of(lua: &Lua, value: &Value) -> Result<Place> {
    match value {
        Value::Integer(address) => Ok(Place::Address(*address as u32)),
        Value::Number(address) => Ok(Place::Address(*address as i64 as u32)),
        Value::String(name) => {
            let name = name.to_str()?.to_owned();
            let (name, distance) = match name.split_once('+') {
                None => (name, 0),
                Some((name, distance)) => {
                    let parsed = text::number(distance.trim());
                    let none = || Error::runtime(format!("{distance:?} is no distance"));
                    (name.trim().to_owned(), parsed.ok_or_else(none)?)
                }
            };
            Ok(Place::Symbol(name, distance, line(lua)))
        }
        other => {
            let kind = other.type_name();
            let why = format!("expected an address or the name of a symbol, not a {kind}");
            Err(Error::runtime(why))
        }
    }
}

fn no_symbol(name: &str) -> Error {
    Error::runtime(format!("this kernel has no symbol {name:?}"))
}

/// What an exception is called.
pub(super) fn exception(one: Exception) -> &'static str {
    match one {
        Exception::Reset => "reset",
        Exception::Undefined => "undefined",
        Exception::Supervisor => "svc",
        Exception::PrefetchAbort => "prefetch abort",
        Exception::DataAbort => "data abort",
        Exception::Irq => "irq",
        Exception::Fiq => "fiq",
    }
}

/// The line of the script that is being carried out: `trace.lua:12`.
fn line(lua: &Lua) -> String {
    (1..16)
        .find_map(|level| {
            lua.inspect_stack(level, |debug| {
                let line = debug.current_line()?;
                let source = debug.source();
                let name = source.short_src?;
                Some(format!("{name}:{line}"))
            })
            .flatten()
        })
        .unwrap_or_default()
}

/// What went wrong, in one line that begins with the line of the script.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::CallbackError { traceback, cause } => {
            let why = message(cause);
            let mut lines = traceback.lines().map(str::trim);
            let at = lines.find_map(|line| {
                let (place, _) = line.split_once(": in ")?;
                let (_, number) = place.rsplit_once(':')?;
                number.parse::<u32>().ok().map(|_| place.to_owned())
            });
            match at {
                Some(at) if !why.starts_with(&at) => format!("{at}: {why}"),
                _ => why,
            }
        }
        Error::SyntaxError { message, .. } | Error::RuntimeError(message) => {
            message.lines().next().unwrap_or_default().to_owned()
        }
        other => {
            let text = other.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        }
    }
}
