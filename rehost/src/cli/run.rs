//! `ecmo run`: from an image to its console.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::progress::Progress;
use super::{DONE, NEGATIVE, is_stdout, print_bytes, read, symbols, text, write_json};
use crate::console::Console;
use crate::pipeline::boot::{self, Control, Observer, Ran};
use crate::pipeline::prepare::{self, Prepared};
use crate::pipeline::{Error, Initrd, Limits, Settings, outcome};
use crate::plan::{Board, Plan, Wishes};
use crate::report::Tried;
use crate::session::{Passed, Session};
use crate::verdict::Milestone;

/// Boot the kernel of a firmware image and give its console
///
/// The kernel is unpacked, drivers for the machine's interrupt controller, timer
/// and UART are linked into it, and it is booted. The console is then the
/// terminal's: Ctrl-A X ends, Ctrl-A C talks to the monitor.
///
/// With --until, or when standard input is no terminal, the run ends by itself:
/// at the milestone (`shell` if none is given), or when the budget is used up.
/// The exit code is then 0 if the milestone was reached and 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ecmo run firmware.bin
  ecmo run firmware.bin --until shell --input commands.txt --json report.json
  ecmo run zImage --initrd rootfs.cpio --append 'loglevel=8'")]
pub struct Arguments {
    /// Firmware image: zImage, uImage, Image, ELF, or a flash image with one inside
    image: PathBuf,
    /// User space: a cpio archive, `builtin`, `vendor` (the one inside the kernel, else a
    /// root file system of the image) or `none` [default: vendor if there is one, else
    /// builtin]
    #[arg(long, value_name = "FILE|builtin|vendor|none")]
    initrd: Option<PathBuf>,
    /// Add this to the end of the kernel's command line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    append: Option<String>,
    /// Run without a person and end at this milestone
    #[arg(long, value_name = "MILESTONE")]
    until: Option<Milestone>,
    /// End after this many seconds of wall time [default with --until: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    budget: Option<Duration>,
    /// RAM in MiB [default: 128, more for a large kernel or user space]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..4096))]
    ram: Option<u32>,
    /// Ignore the kernel's own symbol tables
    #[arg(long)]
    no_symbols: bool,
    /// Names from a list in the form of System.map, beside the kernel's own
    #[arg(long, value_name = "FILE", conflicts_with = "no_symbols")]
    symbols: Option<PathBuf>,
    /// Link this driver library instead of the built-in one
    #[arg(long, value_name = "FILE")]
    driver: Option<PathBuf>,
    /// Type this at the console line by line once there is a shell, after an Enter
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The machine: the transplant's, or ARM's Versatile/PB with the kernel as it is
    #[arg(long, value_enum, default_value_t = BoardName::Transplant)]
    board: BoardName,
    /// Device tree for the kernel instead of one made for it
    #[arg(long, value_name = "FILE")]
    dtb: Option<PathBuf>,
    /// Keep the transplant in this folder: driver.elf, kernel.elf, transplant.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the report as one JSON object; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BoardName {
    Transplant,
    Versatile,
}

/// A number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let began = Instant::now();
    let interactive = arguments.until.is_none() && std::io::stdin().is_terminal();
    let settings = settings(arguments, interactive)?;
    let progress = Progress::new("opening the image");
    let firmware = prepare::open(&settings.name, &settings.image)?;
    progress.say("looking for pointers");
    let prepared = prepare::identify(firmware, &settings.symbols)?;
    let result = if interactive {
        progress.clear();
        boot::boot(&settings, &prepared, began, &mut Console::new(&prepared)?)
    } else {
        let shows = !is_stdout(arguments.json.as_deref());
        let mut watcher = Watcher { progress, shows };
        boot::boot(&settings, &prepared, began, &mut watcher)
    };
    let ran = match result {
        // Nothing ran, but the report says why not.
        Err(error @ Error::Link(_)) => {
            let report = outcome::unlinked(&settings, &prepared, &error, began.elapsed());
            write_json(arguments.json.as_deref(), &report)?;
            return Err(error);
        }
        other => other?,
    };
    finish(arguments, &settings, &prepared, &ran, began)
}

fn finish(
    arguments: &Arguments,
    settings: &Settings,
    prepared: &Prepared,
    ran: &Ran,
    began: Instant,
) -> Result<u8, Error> {
    if let (Some(folder), Some(transplant)) = (&arguments.out, &ran.transplant) {
        transplant.write_to(folder, &prepared.firmware.kernel, &prepared.symbols)?;
    }
    let report = outcome::report(settings, prepared, ran, began.elapsed());
    write_json(arguments.json.as_deref(), &report)?;
    eprint!("\n{}", text::summary(&report));
    Ok(if report.reason.is_none() {
        DONE
    } else {
        NEGATIVE
    })
}

fn settings(arguments: &Arguments, interactive: bool) -> Result<Settings, Error> {
    let initrd = match &arguments.initrd {
        None => Initrd::Default,
        Some(path) => match path.to_str() {
            Some("builtin") => Initrd::Builtin,
            Some("vendor") => Initrd::Vendor,
            Some("none") => Initrd::None,
            _ => Initrd::File(read(path)?),
        },
    };
    let mut limits = if interactive {
        Limits::NONE
    } else {
        Limits::SCRIPT
    };
    if arguments.budget.is_some() {
        limits.wall = arguments.budget;
    }
    let goal = (!interactive).then(|| arguments.until.unwrap_or(Milestone::Shell));
    Ok(Settings {
        name: arguments.image.display().to_string(),
        image: read(&arguments.image)?,
        initrd,
        symbols: symbols(arguments.no_symbols, arguments.symbols.as_deref())?,
        driver: match &arguments.driver {
            Some(path) => Some((path.display().to_string(), read(path)?)),
            None => None,
        },
        board: match arguments.board {
            BoardName::Transplant => Board::Transplant,
            BoardName::Versatile => Board::Versatile,
        },
        wishes: Wishes {
            ram_mib: arguments.ram,
            append: arguments.append.clone(),
            load_address: None,
            tree: arguments.dtb.as_deref().map(read).transpose()?,
        },
        goal,
        input: arguments.input.as_deref().map(read).transpose()?,
        limits,
    })
}

/// Watches a run that needs no person: the console goes to standard output if
/// that is free, else a line of progress shows the last milestone.
struct Watcher {
    progress: Progress,
    shows: bool,
}

impl Observer for Watcher {
    fn started(&mut self, plan: &Plan, _tried: &[Tried]) {
        self.progress
            .say(format!("booting on {}", plan.cpu.model.name()));
        if self.shows {
            self.progress.clear();
        }
    }

    fn passed(&mut self, passed: &Passed) {
        self.progress.say(format!("booting: {}", passed.milestone));
    }

    fn between(&mut self, session: &mut Session) -> Result<Control, Error> {
        if self.shows {
            print_bytes(session.fresh_output())?;
        }
        Ok(Control::Continue)
    }
}
