//! `ecmo-link identify`: the pointers of a kernel.

use std::fmt::{self, Display};
use std::path::PathBuf;

use anyhow::Context as _;
use linker::code::{self, Code};
use linker::identify::{Identification, Status};
use linker::kernel::Kernel;

use super::Outcome;
use super::input::KernelArgs;

/// Shows the pointers of a kernel, each with address, strategy and evidence.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ecmo-link identify zImage\n  \
    ecmo-link identify --symbols System.map Image\n  \
    ecmo-link identify --no-symbols --functions functions.txt zImage")]
pub(super) struct Args {
    #[command(flatten)]
    kernel: KernelArgs,
    /// Look for this name too; may be given several times.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Write the boundaries of all functions: start and end (the address behind
    /// the last byte), one function a line, hexadecimal.
    #[arg(long, value_name = "FILE")]
    functions: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let (kernel, identification) = args.kernel.read(&args.names)?;
    if let Some(path) = &args.functions {
        let code = Code::analyse(&kernel, &code::Options::default());
        std::fs::write(path, code.listing())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    super::print(&Report {
        kernel: &kernel,
        identification: &identification,
    })?;
    Ok(Outcome::Done)
}

struct Report<'a> {
    kernel: &'a Kernel,
    identification: &'a Identification,
}

impl Display for Report<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kernel, found) = (self.kernel, self.identification);
        let end = kernel.end();
        writeln!(
            out,
            "kernel {} {:#010x}..{end:#010x}",
            kernel.facts.release, kernel.base
        )?;
        writeln!(out, "symbols: {}", found.symbols().len())?;
        let machines = &found.machines;
        writeln!(out, "\nmachine descriptors: {}", machines.descriptors.len())?;
        for descriptor in &machines.descriptors {
            writeln!(
                out,
                "  {:#010x} {:?} number {:#x} {}",
                descriptor.va,
                descriptor.name,
                descriptor.nr,
                descriptor.compatible.join(" ")
            )?;
        }
        writeln!(out, "\npointers: {}", found.pointers.len())?;
        for pointer in &found.pointers {
            let strategy = pointer.strategy.as_deref().unwrap_or("");
            match pointer.status {
                Status::Missing => writeln!(out, "  ---------- {}", pointer.name)?,
                Status::Found => {}
                Status::Ambiguous => writeln!(out, "  ambiguous  {}", pointer.name)?,
            }
            for candidate in &pointer.candidates {
                let (address, name) = (candidate.address, &pointer.name);
                let evidence = candidate.evidence.join("; ");
                writeln!(out, "  {address:#010x} {name} [{strategy}] {evidence}")?;
            }
        }
        writeln!(
            out,
            "\nlayouts and constants: {}",
            found.layouts.iter().count()
        )?;
        for (name, known) in found.layouts.iter() {
            writeln!(out, "  {:#10x} {name} ({})", known.value, known.evidence)?;
        }
        Ok(())
    }
}
