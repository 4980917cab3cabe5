//! `ecmo run`: from an image to its console.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::progress::Progress;
use super::{
    DONE, NEGATIVE, is_stdout, print_bytes, read, read_text, symbols, text, write, write_json,
};
use crate::console::Console;
use crate::debugger::Debugger;
use crate::names::Names;
use crate::pipeline::boot::{self, Control, Observer, Ran};
use crate::pipeline::prepare::{self, Prepared};
use crate::pipeline::{Error, Initrd, Limits, Settings, outcome, resume};
use crate::plan::{Board, Plan, Wishes};
use crate::report::{Report, Tried};
use crate::script::{Script, Scripted};
use crate::session::record::{self, Piece, Record};
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
  ecmo run zImage --initrd rootfs.cpio --append 'loglevel=8'
  ecmo run firmware.bin --snapshot-at shell --snapshot ready.snapshot
  ecmo run --from ready.snapshot")]
pub struct Arguments {
    /// Firmware image: zImage, uImage, Image, ELF, or a flash image with one inside
    #[arg(required_unless_present = "from")]
    image: Option<PathBuf>,
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
    /// End after this many million instructions of all starts together, if there is no
    /// shell by then [default with --until: 4000]
    #[arg(long, value_name = "MILLIONS")]
    tries: Option<u64>,
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
    /// Note what is typed at the console, and at which instruction
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Type what --record has noted, at the same instructions: the same run once more
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    replay: Option<PathBuf>,
    /// Let GDB connect here; the guest waits for it at its entry
    #[arg(long, value_name = "[HOST:]PORT", value_parser = gdb_address)]
    gdb: Option<String>,
    /// Let this script in Lua watch and change the guest
    #[arg(long, value_name = "FILE.lua", conflicts_with = "gdb")]
    script: Option<PathBuf>,
    /// The machine: the transplant's, or ARM's Versatile/PB with the kernel as it is
    #[arg(long, value_enum, default_value_t = BoardName::Transplant)]
    board: BoardName,
    /// Device tree for the kernel instead of one made for it
    #[arg(long, value_name = "FILE")]
    dtb: Option<PathBuf>,
    /// Keep the machine as it is at this milestone, in the file of --snapshot
    #[arg(long, value_name = "MILESTONE", conflicts_with = "from")]
    snapshot_at: Option<Milestone>,
    /// Where --snapshot-at keeps it [default: IMAGE.MILESTONE.snapshot, in the folder
    /// of --out if that is given, else in the current one]
    #[arg(long, value_name = "FILE", requires = "snapshot_at")]
    snapshot: Option<PathBuf>,
    /// Go on where a snapshot was taken, with everything that is in it
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "image", "initrd", "append", "ram", "no_symbols", "symbols", "driver", "board", "dtb", "out",
    ])]
    from: Option<PathBuf>,
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

/// Where GDB connects: on this machine alone unless a host is given.
fn gdb_address(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
    let port: u16 = port
        .parse()
        .map_err(|_| "expected a port, or a host and a port".to_owned())?;
    Ok(format!("{host}:{port}"))
}

/// The command.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let began = Instant::now();
    let interactive = arguments.until.is_none() && std::io::stdin().is_terminal();
    let mut settings = settings(arguments, interactive)?;
    let script = arguments.script.as_deref().map(Script::load).transpose()?;
    if let Some(script) = &script {
        script.apply(&mut settings)?;
    }
    if let Some(from) = &arguments.from {
        return go_on(arguments, &settings, script, from, interactive, began);
    }
    let progress = Progress::new("opening the image");
    let firmware = prepare::open(&settings.name, &settings.image)?;
    progress.say("looking for pointers");
    let prepared = prepare::identify(firmware, &settings.symbols)?;
    let result = if interactive {
        progress.clear();
        let release = &prepared.firmware.kernel.facts.release;
        let mut console = Console::new(Names::of(&prepared, None), release)?;
        observed(arguments, script, &prepared, &mut console, |observer| {
            boot::boot(&settings, &prepared, began, observer)
        })
    } else {
        let mut watcher = Watcher::new(arguments, progress);
        observed(arguments, script, &prepared, &mut watcher, |observer| {
            boot::boot(&settings, &prepared, began, observer)
        })
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
    keep_record(
        arguments,
        ran.start,
        &record::identity(&settings.image),
        &ran.session,
    )?;
    if let Some(milestone) = arguments.snapshot_at {
        let path = snapshot_path(arguments, milestone);
        if resume::write(&path, prepared, ran, &report)? {
            eprintln!("\nsnapshot at {milestone}: {}", path.display());
        } else {
            eprintln!("\nno snapshot: {milestone} was not reached");
        }
    }
    tell(arguments, &report)
}

/// Boots with an observer, with a debugger or a script around it if one is asked for.
fn observed(
    arguments: &Arguments,
    script: Option<Script>,
    prepared: &Prepared,
    inner: &mut dyn Observer,
    run: impl FnOnce(&mut dyn Observer) -> Result<Ran, Error>,
) -> Result<Ran, Error> {
    if let Some(script) = script {
        let mut scripted = Scripted::new(script, Names::of(prepared, None), inner);
        let mut ran = run(&mut scripted)?;
        scripted.finish(&mut ran.session)?;
        return Ok(ran);
    }
    let Some(address) = &arguments.gdb else {
        return run(inner);
    };
    let names = Names::of(prepared, None);
    let folder = gdb_folder(arguments);
    run(&mut Debugger::new(
        address,
        folder,
        names,
        Some(prepared),
        inner,
    )?)
}

/// Where the files for GDB go.
fn gdb_folder(arguments: &Arguments) -> PathBuf {
    let own = || std::env::temp_dir().join(format!("ecmo-gdb-{}", std::process::id()));
    arguments.out.clone().unwrap_or_else(own)
}

/// Writes what --record asks for.
fn keep_record(
    arguments: &Arguments,
    start: usize,
    of: &str,
    session: &Session,
) -> Result<(), Error> {
    let Some(path) = &arguments.record else {
        return Ok(());
    };
    let mut entries = session.given().to_vec();
    entries.push(Piece {
        instructions: session.machine().instructions(),
        time: session.now(),
        bytes: Vec::new(),
    });
    let record = Record {
        start,
        of: of.to_owned(),
        entries,
    };
    write(path, record.to_text().as_bytes())
}

/// What --replay names; it must be a record of this image.
fn replay_of(path: &Path, image: &[u8]) -> Result<Record, Error> {
    let unusable = |why: String| Error::Input {
        file: path.display().to_string(),
        why,
    };
    let record = Record::parse(&read_text(path)?).map_err(|error| unusable(error.to_string()))?;
    let identity = record::identity(image);
    if record.of != identity {
        let why = format!(
            "line 2: it is a record of {}, and this is {identity}",
            record.of
        );
        return Err(unusable(why));
    }
    Ok(record)
}

/// Where the snapshot goes.
fn snapshot_path(arguments: &Arguments, milestone: Milestone) -> PathBuf {
    arguments.snapshot.clone().unwrap_or_else(|| {
        let image = arguments.image.as_deref().and_then(Path::file_name);
        let image = image.unwrap_or_default().to_string_lossy();
        let folder = arguments.out.clone().unwrap_or_default();
        folder.join(format!("{image}.{milestone}.snapshot"))
    })
}

/// The command, from a snapshot.
fn go_on(
    arguments: &Arguments,
    settings: &Settings,
    script: Option<Script>,
    from: &Path,
    interactive: bool,
    began: Instant,
) -> Result<u8, Error> {
    let progress = Progress::new("opening the snapshot");
    let mut resumed = resume::open(from, began)?;
    if let Some(record) = &settings.replay {
        resumed.session.replay(record.entries.clone());
    }
    let (mut console, mut watcher);
    let mut observer: &mut dyn Observer = if interactive {
        progress.clear();
        console = Console::new(resumed.names.clone(), resumed.release())?;
        console.goes_on()?;
        &mut console
    } else {
        watcher = Watcher::new(arguments, progress);
        &mut watcher
    };
    let mut debugger;
    if let Some(address) = &arguments.gdb {
        let names = resumed.names.clone();
        debugger = Debugger::new(address, gdb_folder(arguments), names, None, observer)?;
        observer = &mut debugger;
    }
    let end = match script {
        None => resumed.run(settings, observer)?,
        Some(script) => {
            let mut scripted = Scripted::new(script, resumed.names.clone(), observer);
            let end = resumed.run(settings, &mut scripted)?;
            scripted.finish(&mut resumed.session)?;
            end
        }
    };
    keep_record(arguments, 1, &record::identity(&[]), &resumed.session)?;
    tell(arguments, &resumed.report(settings, end))
}

fn tell(arguments: &Arguments, report: &Report) -> Result<u8, Error> {
    write_json(arguments.json.as_deref(), report)?;
    eprint!("\n{}", text::summary(report));
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
    // Someone with a debugger has all the time there is.
    if arguments.budget.is_some() || arguments.gdb.is_some() {
        limits.wall = arguments.budget;
    }
    if let Some(millions) = arguments.tries {
        limits.tries = Some(millions.saturating_mul(1_000_000));
    }
    let goal = (!interactive).then(|| arguments.until.unwrap_or(Milestone::Shell));
    let image = match &arguments.image {
        Some(image) => read(image)?,
        None => Vec::new(),
    };
    let replay = arguments.replay.as_deref();
    Ok(Settings {
        name: arguments
            .image
            .as_ref()
            .map(|image| image.display().to_string())
            .unwrap_or_default(),
        replay: replay.map(|path| replay_of(path, &image)).transpose()?,
        image,
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
            chip_memory: None,
            uart_line: None,
            tree: arguments.dtb.as_deref().map(read).transpose()?,
        },
        goal,
        input: arguments.input.as_deref().map(read).transpose()?,
        limits,
        keep_at: arguments.snapshot_at,
    })
}

/// Watches a run that needs no person: the console goes to standard output if
/// that is free, else a line of progress shows the last milestone.
struct Watcher {
    progress: Progress,
    shows: bool,
}

impl Watcher {
    fn new(arguments: &Arguments, progress: Progress) -> Self {
        let shows = !is_stdout(arguments.json.as_deref());
        if shows && arguments.from.is_some() {
            progress.clear();
        }
        Self { progress, shows }
    }
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
