//! `ecmo-link link`: drivers into a kernel.

use std::path::PathBuf;

use linker::link::{self, Board, Error, OpaqueRequest};
use linker::object::Driver;
use linker::transplant::{DEFAULT_OPAQUE_BASE, DEFAULT_OPAQUE_SIZE};

use super::Outcome;
use super::input::{KernelArgs, number, read};

/// Links drivers into a kernel.
///
/// Writes driver.elf (the linked driver with symbols and debugging
/// information), kernel.elf (the patched kernel with all symbols that are
/// known) and transplant.json (addresses, evidence, patches).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    ecmo-link link --driver libdriver.a zImage -o transplant/\n  \
    ecmo-link link --driver libdriver.a --driver nic.o uImage -o out/ --opaque-base 0xd8000000")]
pub(super) struct Args {
    #[command(flatten)]
    kernel: KernelArgs,
    /// Driver: a static library or a relocatable object. May be given several
    /// times; functions for one place are called in this order.
    #[arg(long, value_name = "LIB", required = true)]
    driver: Vec<PathBuf>,
    /// Directory for the result.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// First address of opaque memory.
    #[arg(long, value_name = "ADDRESS", value_parser = number, default_value_t = DEFAULT_OPAQUE_BASE)]
    opaque_base: u32,
    /// Size of opaque memory in bytes, the chips' register pages included.
    #[arg(long, value_name = "BYTES", value_parser = number, default_value_t = DEFAULT_OPAQUE_SIZE)]
    opaque_size: u32,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut drivers = Vec::new();
    for path in &args.driver {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        drivers.push(Driver::read(&name, &read(path)?)?);
    }
    let (kernel, identification) = args.kernel.read(&[])?;
    let request = OpaqueRequest {
        base: args.opaque_base,
        size: args.opaque_size,
    };
    let linked = link::link(
        &kernel,
        &identification,
        &drivers,
        request,
        &Board::default(),
    );
    let transplant = match linked {
        Ok(transplant) => transplant,
        // The kernel lacks something: an answer, and not a broken file.
        Err(error @ (Error::Unresolved { .. } | Error::NothingInstalled { .. })) => {
            eprintln!("ecmo-link: {error}");
            return Ok(Outcome::Negative);
        }
        Err(error) => return Err(error.into()),
    };
    transplant.write_to(&args.output, &kernel, identification.symbols())?;
    for left in &transplant.left_out {
        eprintln!("left out: {}: {}", left.what, left.why);
    }
    Ok(Outcome::Done)
}
