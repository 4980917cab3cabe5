//! Functions of a script that touch the guest: registers, memory, the console,
//! snapshots. They work while a function of the script is called, when the guest
//! stands still.

use std::rc::Rc;

use emu::machine::debug::{Hit, Mode};
use emu::machine::{Machine, Registers};
use mlua::{AnyUserData, Error, IntoLua, Lua, MetaMethod, Result, Table, Value};

use super::Shared;
use super::wishes::Place;
use crate::cli::text;
use crate::session::Session;

/// Where the guest is while it is lent to the script.
const GUEST: &str = "ecmo.guest";
/// Bytes that a script reads at once at most.
const MOST: u32 = 64 << 20;
/// Bytes of a text without an end.
const MOST_TEXT: u32 = 4096;

/// Lets functions of the script have the guest while `act` runs.
pub(super) fn lend<T>(
    lua: &Lua,
    session: &mut Session,
    act: impl FnOnce() -> Result<T>,
) -> Result<T> {
    lua.scope(|scope| {
        let guest = scope.create_any_userdata_ref_mut(session)?;
        lua.set_named_registry_value(GUEST, guest)?;
        let done = act();
        lua.unset_named_registry_value(GUEST)?;
        done
    })
}

/// Does something with the guest.
fn with<T>(lua: &Lua, act: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
    let guest: Option<AnyUserData> = lua.named_registry_value(GUEST)?;
    let absent =
        || Error::runtime("there is no guest to be asked now: it has not started, or runs");
    let guest = guest.ok_or_else(absent)?;
    guest.borrow_mut_scoped(act)?
}

fn emu(error: emu::machine::Error) -> Error {
    Error::runtime(error)
}

/// An address or a value: what the `bit` library returns may be negative.
fn word(value: i64) -> u32 {
    value as u32
}

/// An access that a watchpoint stopped, and the instruction that makes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    pub(super) hit: Hit,
    pub(super) pc: u32,
}

impl IntoLua for Access {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        let table = lua.create_table()?;
        table.set("address", self.hit.address)?;
        table.set("size", self.hit.size)?;
        table.set("old", self.hit.old)?;
        table.set("new", self.hit.new)?;
        table.set("pc", self.pc)?;
        Ok(Value::Table(table))
    }
}

/// Adds the functions.
pub(super) fn install(lua: &Lua, wishes: &Shared) -> Result<()> {
    let globals = lua.globals();
    globals.set("cpu", cpu(lua)?)?;
    globals.set("memory", memory(lua, false)?)?;
    globals.set("physical", memory(lua, true)?)?;
    globals.set(
        "argument",
        lua.create_function(|lua, number: u32| {
            with(lua, |session| {
                let machine = session.machine();
                let r = machine.registers().r;
                match number {
                    0..4 => Ok(r[number as usize]),
                    _ => {
                        let at = r[13].wrapping_add(4 * (number - 4));
                        let absent = || Error::runtime(format!("no memory at {at:#010x}"));
                        machine.word(at).ok_or_else(absent)
                    }
                }
            })
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "on_return",
        lua.create_function(move |lua, function: mlua::Function| {
            let registers = with(lua, |session| Ok(session.machine().registers()))?;
            let place = Place::Return(registers.r[14], registers.r[13]);
            let result = lua.create_function(move |lua, _: u32| {
                let value = with(lua, |session| Ok(session.machine().registers().r[0]))?;
                function.call::<()>(value)
            })?;
            Ok(shared.borrow_mut().add_break(place, result))
        })?,
    )?;
    globals.set(
        "send",
        lua.create_function(|lua, text: mlua::LuaString| {
            with(lua, |session| {
                session.type_in(&text.as_bytes());
                Ok(())
            })
        })?,
    )?;
    globals.set(
        "console",
        lua.create_function(|lua, ()| {
            let text = with(lua, |session| Ok(session.console().to_vec()))?;
            lua.create_string(text)
        })?,
    )?;
    globals.set(
        "now",
        lua.create_function(|lua, ()| with(lua, |session| Ok(session.now().0 as f64 / 1e9)))?,
    )?;
    globals.set(
        "instructions",
        lua.create_function(|lua, ()| {
            with(lua, |session| Ok(session.machine().instructions() as f64))
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "snapshot",
        lua.create_function(move |lua, ()| {
            let moment = with(lua, |session| Ok(session.moment()))?;
            let mut wishes = shared.borrow_mut();
            wishes.moments.push(moment);
            Ok(wishes.moments.len())
        })?,
    )?;
    let shared = Rc::clone(wishes);
    globals.set(
        "restore",
        lua.create_function(move |lua, number: usize| {
            let mut wishes = shared.borrow_mut();
            let index = number.checked_sub(1);
            let moment = index.and_then(|index| wishes.moments.get(index));
            let moment =
                moment.ok_or_else(|| Error::runtime(format!("there is no snapshot {number}")))?;
            with(lua, |session| session.go_to(moment).map_err(emu))?;
            wishes.back = true;
            Ok(())
        })?,
    )
}

/// Registers as fields of a table: `cpu.r0`, `cpu.pc`, `cpu.sp_irq`, `cpu.sctlr`.
fn cpu(lua: &Lua) -> Result<Table> {
    let meta = lua.create_table()?;
    meta.set(
        MetaMethod::Index.name(),
        lua.create_function(|lua, (_, name): (Table, String)| {
            with(lua, |session| register(session.machine(), &name))
        })?,
    )?;
    meta.set(
        MetaMethod::NewIndex.name(),
        lua.create_function(|lua, (_, name, value): (Table, String, i64)| {
            with(lua, |session| {
                set_register(session.machine_mut(), &name, word(value))
            })
        })?,
    )?;
    let cpu = lua.create_table()?;
    cpu.set_metatable(Some(meta))?;
    Ok(cpu)
}

/// The number of a general register.
fn general(name: &str) -> Option<usize> {
    match name {
        "sp" => Some(13),
        "lr" => Some(14),
        "pc" => Some(15),
        _ => {
            let number: usize = name.strip_prefix('r')?.parse().ok()?;
            (number < 16).then_some(number)
        }
    }
}

/// A register of another mode: `sp_irq`.
fn of_mode(name: &str) -> Option<(&str, Mode)> {
    let (register, mode) = name.rsplit_once('_')?;
    let mode = Mode::ALL.into_iter().find(|it| it.name() == mode)?;
    Some((register, mode))
}

fn unknown(name: &str) -> Error {
    Error::runtime(format!("this processor has no register {name:?}"))
}

fn register(machine: &Machine, name: &str) -> Result<u32> {
    let Registers { r, cpsr, spsr } = machine.registers();
    if let Some(number) = general(name) {
        return Ok(r[number]);
    }
    if let Some((register, mode)) = of_mode(name) {
        let banked = machine.banked(mode);
        return match register {
            "sp" => Ok(banked.sp),
            "lr" => Ok(banked.lr),
            "spsr" => Ok(banked.spsr),
            _ => Err(unknown(name)),
        };
    }
    match name {
        "cpsr" => Ok(cpsr),
        "spsr" => Ok(spsr),
        _ => machine.system_register(name).ok_or_else(|| unknown(name)),
    }
}

fn set_register(machine: &mut Machine, name: &str, value: u32) -> Result<()> {
    let mut registers = machine.registers();
    if let Some((register, mode)) = of_mode(name) {
        let mut banked = machine.banked(mode);
        match register {
            "sp" => banked.sp = value,
            "lr" => banked.lr = value,
            "spsr" => banked.spsr = value,
            _ => return Err(unknown(name)),
        }
        machine.set_banked(mode, &banked);
        return Ok(());
    }
    match (general(name), name) {
        (Some(number), _) => registers.r[number] = value,
        (None, "cpsr") => registers.cpsr = value,
        (None, "spsr") => registers.spsr = value,
        (None, _) if machine.set_system_register(name, value) => return Ok(()),
        (None, _) => return Err(unknown(name)),
    }
    machine.set_registers(&registers).map_err(emu)
}

/// Memory by virtual or by physical address.
fn memory(lua: &Lua, physical: bool) -> Result<Table> {
    let read = move |lua: &Lua, at: u32, size: u32| {
        if size > MOST {
            return Err(Error::runtime(format!("{size} bytes are too many")));
        }
        with(lua, |session| {
            let mut bytes = vec![0; size as usize];
            let machine = session.machine();
            match physical {
                true => machine.read_physical(at, &mut bytes),
                false => machine.read_virtual(at, &mut bytes),
            }
            .map_err(emu)?;
            Ok(bytes)
        })
    };
    let write = move |lua: &Lua, at: u32, bytes: &[u8]| {
        with(lua, |session| {
            let machine = session.machine_mut();
            match physical {
                true => machine.write_physical(at, bytes),
                false => machine.write_virtual(at, bytes),
            }
            .map_err(emu)
        })
    };
    let table = lua.create_table()?;
    for (name, size) in [("u8", 1), ("u16", 2), ("u32", 4)] {
        table.set(
            name,
            lua.create_function(move |lua, (at, value): (i64, Option<i64>)| {
                if let Some(value) = value {
                    write(lua, word(at), &value.to_le_bytes()[..size as usize])?;
                }
                let mut bytes = read(lua, word(at), size)?;
                bytes.resize(4, 0);
                let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
                Ok(u32::from_le_bytes(bytes))
            })?,
        )?;
    }
    table.set(
        "read",
        lua.create_function(move |lua, (at, size): (i64, u32)| {
            lua.create_string(read(lua, word(at), size)?)
        })?,
    )?;
    table.set(
        "write",
        lua.create_function(move |lua, (at, bytes): (i64, mlua::LuaString)| {
            write(lua, word(at), &bytes.as_bytes())
        })?,
    )?;
    table.set(
        "text",
        lua.create_function(move |lua, (at, most): (i64, Option<u32>)| {
            let mut text = Vec::new();
            for index in 0..most.unwrap_or(MOST_TEXT) {
                match read(lua, word(at).wrapping_add(index), 1)?.first() {
                    None | Some(0) => break,
                    Some(&byte) => text.push(byte),
                }
            }
            lua.create_string(text)
        })?,
    )?;
    table.set(
        "dump",
        lua.create_function(move |lua, (at, size): (i64, u32)| {
            Ok(text::dump(word(at), &read(lua, word(at), size)?))
        })?,
    )?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_registers() {
        assert_eq!(general("r12"), Some(12));
        assert_eq!(general("r16"), None);
        assert_eq!(general("lr"), Some(14));
        assert_eq!(of_mode("sp_irq"), Some(("sp", Mode::Irq)));
        assert_eq!(of_mode("ttbr0"), None);
    }
}
