//! What a script wants of the machine before it starts: `machine{...}`.

use mlua::{Error as LuaError, Table, Value};

use crate::pipeline::{Error, Initrd, Settings};

/// What was asked for; the command line may say otherwise.
#[derive(Debug, Default)]
pub(super) struct Machine {
    ram_mib: Option<u32>,
    append: Option<String>,
    initrd: Option<String>,
    input: Option<String>,
}

impl Machine {
    /// From the table that the script gives.
    pub(super) fn take(&mut self, table: &Table) -> mlua::Result<()> {
        for pair in table.pairs::<String, Value>() {
            let (key, value) = pair?;
            match key.as_str() {
                "ram" => self.ram_mib = Some(table.get(key)?),
                "append" => self.append = Some(table.get(key)?),
                "initrd" => self.initrd = Some(table.get(key)?),
                "input" => self.input = Some(table.get(key)?),
                _ => {
                    let kind = value.type_name();
                    let why = format!(
                        "machine has no field {key:?} ({kind}); it has ram, append, initrd, input"
                    );
                    return Err(LuaError::runtime(why));
                }
            }
        }
        Ok(())
    }

    /// Takes it over where the command line says nothing.
    pub(super) fn apply(self, settings: &mut Settings, file: &str) -> Result<(), Error> {
        let wishes = &mut settings.wishes;
        wishes.ram_mib = wishes.ram_mib.or(self.ram_mib);
        wishes.append = wishes.append.take().or(self.append);
        if let (Initrd::Default, Some(initrd)) = (&settings.initrd, self.initrd) {
            settings.initrd = match initrd.as_str() {
                "builtin" => Initrd::Builtin,
                "vendor" => Initrd::Vendor,
                "none" => Initrd::None,
                path => Initrd::File(std::fs::read(path).map_err(|error| Error::Input {
                    file: file.to_owned(),
                    why: format!("machine.initrd {path}: {error}"),
                })?),
            };
        }
        if settings.input.is_none() {
            settings.input = self.input.map(String::into_bytes);
        }
        Ok(())
    }
}
