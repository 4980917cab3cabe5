//! From the bytes of an image to a kernel with named pointers.

use linker::identify::{self, Identification};
use linker::image::{self, Firmware};
use linker::symbols::{self, SymbolTable, system_map};

use super::extractor::extract;
use super::{Error, Symbols};

/// An image that was opened, and what was found in its kernel.
#[derive(Debug)]
pub struct Prepared {
    /// The layers of the image and the kernel at their bottom.
    pub firmware: Firmware,
    /// Names of the kernel.
    pub symbols: SymbolTable,
    /// Pointers, layouts and machine descriptors.
    pub identification: Identification,
}

/// Opens an image. `name` is for messages.
pub fn open(name: &str, bytes: &[u8]) -> Result<Firmware, Error> {
    let options = image::Options {
        extractor: Some(extract),
        ..image::Options::default()
    };
    image::open_with(bytes, options).map_err(|error| Error::Input {
        file: name.to_owned(),
        why: error.to_string(),
    })
}

/// Recovers names and identifies pointers.
pub fn identify(firmware: Firmware, source: &Symbols) -> Result<Prepared, Error> {
    let kernel = &firmware.kernel;
    let hidden;
    let mut subject = kernel;
    let (symbols, options) = match source {
        Symbols::Own => (symbols::recover(kernel), identify::Options::default()),
        Symbols::Hidden => {
            hidden = symbols::hidden(kernel);
            subject = &hidden;
            (SymbolTable::default(), identify::Options::default())
        }
        Symbols::Listed { file, text } => {
            let list = system_map::parse(text).map_err(|error| Error::Input {
                file: file.clone(),
                why: error.to_string(),
            })?;
            let options = identify::Options {
                extra: Some(list),
                ..identify::Options::default()
            };
            (symbols::recover(kernel), options)
        }
    };
    let identification = identify::identify(subject, &symbols, &options);
    let symbols = identification.symbols().clone();
    Ok(Prepared {
        firmware,
        symbols,
        identification,
    })
}
