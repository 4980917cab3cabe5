//! Boots a decompressed kernel (`Image`) as it is on the Versatile board, and
//! prints its console: a check of the machine without anything else of the
//! project.
//!
//!     cargo run --release -p emu --example boot_image -- Image \
//!         [--dtb FILE] [--machine NUMBER] [--initrd FILE] [--append TEXT] \
//!         [--cpu arm926] [--until MILESTONE|TEXT] [--instructions N]
//!
//! With a tree, `/chosen` must hold the command line and the place of the
//! initrd (0x02000000) already; without one, tags are made. The run ends when a
//! milestone of that name is reached or the console shows the text.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Exit, Machine, RamBank};

const RAM: u64 = 128 << 20;
const KERNEL: u32 = 0x8000;
const TAGS: u32 = 0x100;
const TREE: u32 = 0x0180_0000;
const INITRD: u32 = 0x0200_0000;

type Failure = Box<dyn std::error::Error>;

struct Options {
    kernel: String,
    tree: Option<String>,
    initrd: Option<String>,
    append: String,
    machine: u32,
    cpu: CpuModel,
    until: Option<String>,
    instructions: u64,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boot_image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        kernel: String::new(),
        tree: None,
        initrd: None,
        append: "console=ttyAMA0 rdinit=/init".to_owned(),
        machine: 0x183,
        cpu: CpuModel::Arm926,
        until: None,
        instructions: 20_000_000_000,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--dtb" => options.tree = Some(value()?),
            "--initrd" => options.initrd = Some(value()?),
            "--append" => options.append = value()?,
            "--machine" => options.machine = number(&value()?)? as u32,
            "--until" => options.until = Some(value()?),
            "--instructions" => options.instructions = number(&value()?)?,
            "--cpu" => {
                let name = value()?;
                options.cpu = CpuModel::from_name(&name).ok_or(format!("no processor {name:?}"))?;
            }
            _ if options.kernel.is_empty() => options.kernel = argument,
            _ => return Err(format!("what is {argument:?}?").into()),
        }
    }
    if options.kernel.is_empty() {
        return Err("a kernel is wanted".into());
    }
    Ok(options)
}

fn number(text: &str) -> Result<u64, Failure> {
    Ok(match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16)?,
        None => text.parse()?,
    })
}

fn run(options: &Options) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut machine = Machine::new(Config {
        cpu: options.cpu,
        midr: None,
        ram: vec![RamBank { base: 0, size: RAM }],
        board: BoardConfig::Versatile,
    })?;
    machine.load(KERNEL, &fs::read(&options.kernel)?)?;
    let mut initrd = 0;
    if let Some(file) = &options.initrd {
        let bytes = fs::read(file)?;
        machine.load(INITRD, &bytes)?;
        initrd = u32::try_from(bytes.len())?;
    }
    let second = match &options.tree {
        Some(file) => {
            machine.load(TREE, &fs::read(file)?)?;
            TREE
        }
        None => {
            machine.load(TAGS, &tags(&options.append, initrd))?;
            TAGS
        }
    };
    machine.start(Entry {
        pc: KERNEL,
        r: [0, options.machine, second],
    });
    let exit = until(&mut machine, options)?;
    eprintln!();
    for reached in machine.milestones() {
        eprintln!(
            "{:>12} {:>12} instructions {:>9.3} s",
            reached.milestone,
            reached.instructions,
            reached.time.0 as f64 / 1e9
        );
    }
    for access in machine.unassigned() {
        eprintln!("{access:x?}");
    }
    for (instruction, count) in machine.absent_registers() {
        eprintln!("absent register: {instruction:#010x} {count} times");
    }
    eprintln!(
        "{exit} after {} instructions, {:.3} virtual seconds, {:.3} s",
        machine.instructions(),
        machine.now().0 as f64 / 1e9,
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Runs to the end that was asked for, and says what it was.
fn until(machine: &mut Machine, options: &Options) -> Result<String, Failure> {
    let mut shown = Vec::new();
    loop {
        let left = options.instructions.saturating_sub(machine.instructions());
        if left == 0 {
            return Ok("budget used up".to_owned());
        }
        let exit = machine.run(left.min(5_000_000))?;
        let output = machine.take_output();
        io::stdout().write_all(&output)?;
        io::stdout().flush()?;
        shown.extend(output);
        let wanted = options.until.as_deref();
        match exit {
            Exit::Milestone(milestone) if wanted == Some(milestone.name()) => {
                return Ok(milestone.name().to_owned());
            }
            Exit::Budget | Exit::Milestone(_) => {}
            other => return Ok(format!("{other:x?}")),
        }
        if let Some(text) = wanted
            && String::from_utf8_lossy(&shown).contains(text)
        {
            return Ok(format!("{text:?}"));
        }
    }
}

/// Boot tags (Documentation/arch/arm/setup.rst): each has its length in words,
/// its kind, and its contents.
fn tags(command_line: &str, initrd: u32) -> Vec<u8> {
    let mut tags = Vec::new();
    let mut tag = |kind: u32, contents: &[u32]| {
        tags.extend([contents.len() as u32 + 2, kind]);
        tags.extend(contents);
    };
    tag(0x5441_0001, &[0, 4096, 0]);
    tag(0x5441_0002, &[RAM as u32, 0]);
    if initrd != 0 {
        tag(0x5442_0005, &[INITRD, initrd]);
    }
    let mut text = command_line.as_bytes().to_vec();
    text.resize((text.len() / 4 + 1) * 4, 0);
    let words: Vec<u32> = text
        .chunks_exact(4)
        .map(|word| {
            word.iter()
                .rev()
                .fold(0, |sum, &byte| sum << 8 | u32::from(byte))
        })
        .collect();
    tag(0x5441_0009, &words);
    tags.extend([0, 0]);
    tags.into_iter().flat_map(u32::to_le_bytes).collect()
}
