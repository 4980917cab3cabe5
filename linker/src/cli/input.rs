//! Reading what commands have in common: a kernel and what is known of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use linker::identify::{self, Identification, Options};
use linker::image;
use linker::kernel::Kernel;
use linker::signatures::Signatures;
use linker::symbols::{self, SymbolTable, system_map};

/// The kernel, and where its symbols come from.
#[derive(Debug, clap::Args)]
pub(super) struct KernelArgs {
    /// Kernel: zImage, uImage, Image, ELF, or a firmware image that holds one.
    #[arg(value_name = "KERNEL")]
    kernel: PathBuf,
    /// Symbols in the form of System.map, beside those in the kernel.
    #[arg(long, value_name = "FILE")]
    symbols: Option<PathBuf>,
    /// Use neither the kernel's symbol table nor its export table.
    #[arg(long)]
    no_symbols: bool,
    /// Signatures of the kernel's source, as `ecmo-link signatures` wrote them,
    /// instead of those that come with the program.
    #[arg(long, value_name = "FILE")]
    signatures: Option<PathBuf>,
}

impl KernelArgs {
    /// Opens the image and identifies what is in the kernel, these names too.
    pub(super) fn read(&self, names: &[String]) -> anyhow::Result<(Kernel, Identification)> {
        let bytes = read(&self.kernel)?;
        let firmware = image::open(&bytes).with_context(|| self.kernel.display().to_string())?;
        let extra = match &self.symbols {
            None => None,
            Some(path) => {
                let text = String::from_utf8_lossy(&read(path)?).into_owned();
                let table = system_map::parse(&text);
                Some(table.with_context(|| path.display().to_string())?)
            }
        };
        let kernel = firmware.kernel;
        let options = Options {
            extra,
            names: names.to_vec(),
            signatures: self.signatures.as_deref().map(signatures).transpose()?,
            ..Options::default()
        };
        let identification = match self.no_symbols {
            true => {
                let hidden = symbols::hidden(&kernel);
                identify::identify(&hidden, &SymbolTable::default(), &options)
            }
            false => identify::identify(&kernel, &symbols::recover(&kernel), &options),
        };
        Ok((kernel, identification))
    }
}

/// Signatures from a file.
pub(super) fn signatures(path: &Path) -> anyhow::Result<Arc<Signatures>> {
    let read = Signatures::read(&read(path)?);
    Ok(Arc::new(read.with_context(|| path.display().to_string())?))
}

/// A file's bytes; an error names it.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A number as C writes it: decimal, or hexadecimal behind `0x`.
pub(super) fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| format!("{error}; write 0xd0008000 or 65536"))
}
