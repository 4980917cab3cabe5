//! Building a program for a processor, and running it on both machines.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Exit, Machine, RamBank};

/// QEMU is ended after this: a program that does not end is a failure.
const LIMIT: Duration = Duration::from_secs(30);
/// A program on this machine has so many instructions, and so much memory.
const BUDGET: u64 = 100_000_000;
const RAM: u64 = 128 << 20;

/// A program of the folder `guest`.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Besides what all have.
    pub(crate) sources: &'static [&'static str],
    /// Assembler text that is made for each processor.
    pub(crate) made: Option<fn(CpuModel) -> String>,
}

impl Program {
    pub(crate) fn of(name: &'static str, sources: &'static [&'static str]) -> Self {
        Self {
            name,
            sources,
            made: None,
        }
    }
}

/// What was built of it.
pub(crate) struct Built {
    elf: PathBuf,
    /// The bytes from address 0 on.
    image: Vec<u8>,
}

impl Built {
    /// The file for what it prints on a processor.
    fn text(&self, cpu: CpuModel, whose: &str) -> PathBuf {
        self.elf.with_extension(format!("{cpu}.{whose}.txt"))
    }
}

/// The processor that a program for this one may be built for: one with the same
/// instructions.
pub(crate) fn built_for(program: &Program, cpu: CpuModel) -> CpuModel {
    match cpu {
        _ if program.made.is_some() => cpu,
        CpuModel::Arm11MpCore => CpuModel::Arm1176,
        CpuModel::CortexA7 => CpuModel::CortexA15,
        CpuModel::CortexA9 => CpuModel::CortexA8,
        other => other,
    }
}

/// What gcc calls a processor.
fn gcc_name(cpu: CpuModel) -> &'static str {
    match cpu {
        CpuModel::Arm926 => "arm926ej-s",
        CpuModel::Arm1176 => "arm1176jzf-s",
        CpuModel::Arm11MpCore => "mpcore",
        other => other.name(),
    }
}

pub(crate) fn build(program: &Program, cpu: CpuModel) -> Built {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs_vs_qemu/guest");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs_vs_qemu");
    std::fs::create_dir_all(&place).expect("a folder for programs");
    let elf = place.join(format!("{}-{cpu}.elf", program.name));
    let mut gcc = Command::new("arm-none-eabi-gcc");
    gcc.arg(format!("-mcpu={}", gcc_name(cpu)))
        .args([
            "-marm",
            "-mfloat-abi=soft",
            "-O1",
            "-std=gnu11",
            "-ffreestanding",
        ])
        .args(["-nostdlib", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(&folder)
        .arg("-Wa,-I")
        .arg(format!("-Wa,{}", folder.display()))
        .arg("-T")
        .arg(folder.join("guest.ld"))
        .args(["start.S", "program.c"].map(|source| folder.join(source)))
        .args(program.sources.iter().map(|source| folder.join(source)))
        .arg("-o")
        .arg(&elf);
    if let Some(made) = program.made {
        let path = elf.with_extension("made.s");
        std::fs::write(&path, made(cpu)).expect("a file beside the program");
        gcc.arg(path);
    }
    finished(&mut gcc, "gcc-arm-none-eabi");
    let binary = elf.with_extension("bin");
    let mut objcopy = Command::new("arm-none-eabi-objcopy");
    objcopy.args(["-O", "binary"]).arg(&elf).arg(&binary);
    finished(&mut objcopy, "binutils-arm-none-eabi");
    let image = std::fs::read(binary).expect("what objcopy wrote");
    Built { elf, image }
}

/// Runs a tool of the cross compiler.
fn finished(command: &mut Command, package: &str) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{}", missing(command, package, &error)));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{errors}");
}

fn missing(command: &Command, package: &str, error: &std::io::Error) -> String {
    let tool = command.get_program().display();
    match error.kind() {
        ErrorKind::NotFound => format!(
            "{tool} is not installed: run `cargo xtask setup`, or install Debian's package {package}"
        ),
        _ => format!("{tool} cannot be started: {error}"),
    }
}

/// What it prints on this machine.
pub(crate) fn on_ours(built: &Built, cpu: CpuModel) -> String {
    let mut machine = Machine::new(Config {
        cpu,
        midr: None,
        ram: vec![RamBank { base: 0, size: RAM }],
        board: BoardConfig::Versatile,
    })
    .expect("a machine");
    machine.load(0, &built.image).expect("room for the program");
    machine.start(Entry {
        pc: 0x10000,
        r: [0; 3],
    });
    let mut output = Vec::new();
    loop {
        let exit = machine.run(BUDGET.saturating_sub(machine.instructions()));
        output.extend(machine.take_output());
        match exit {
            Ok(Exit::Reset) => return String::from_utf8_lossy(&output).into_owned(),
            Ok(Exit::Milestone(_)) => {}
            other => {
                let end = &output[output.len().saturating_sub(1000)..];
                let text = String::from_utf8_lossy(end);
                panic!(
                    "{cpu}: the program does not end, but {other:?}: {:x?}; its text ends:\n{text}",
                    machine.registers()
                );
            }
        }
    }
}

/// What it prints under QEMU.
pub(crate) fn on_qemu(built: &Built, cpu: CpuModel) -> String {
    let mut qemu = Command::new("qemu-system-arm");
    let text = built.text(cpu, "qemu");
    qemu.args(["-M", "versatilepb", "-cpu", cpu.name(), "-m", "128"])
        .args(["-display", "none", "-monitor", "none", "-nic", "none"])
        .args(["-icount", "shift=3,sleep=off", "-no-reboot", "-serial"])
        .arg(format!("file:{}", text.display()))
        .arg("-kernel")
        .arg(&built.elf)
        // The board has a sound chip that nobody listens to.
        .args(["-audiodev", "none,id=silent"])
        .args(["-global", "pl041.audiodev=silent"])
        .stderr(Stdio::null());
    let child = qemu.stdin(Stdio::null()).spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("{}", missing(&qemu, "qemu-system-arm", &error)));
    let start = Instant::now();
    loop {
        match child.try_wait().expect("QEMU's state") {
            Some(status) => {
                assert!(status.success(), "{cpu}: QEMU ended with {status}");
                break;
            }
            None if start.elapsed() > LIMIT => {
                child.kill().expect("QEMU stopped");
                child.wait().expect("QEMU's end");
                let text = std::fs::read(&text).unwrap_or_default();
                let end = &text[text.len().saturating_sub(1000)..];
                let end = String::from_utf8_lossy(end);
                panic!("{cpu}: QEMU did not end within {LIMIT:?}; its text ends:\n{end}");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    let text = std::fs::read(text).expect("what QEMU's guest has printed");
    String::from_utf8_lossy(&text).into_owned()
}

/// Keeps both texts beside the program, for a person to look at.
pub(crate) fn keep(built: &Built, cpu: CpuModel, ours: &str, theirs: &str) {
    for (whose, text) in [("ours", ours), ("qemu", theirs)] {
        let path = built.text(cpu, whose);
        std::fs::write(&path, text).expect("a file beside the program");
        eprintln!("kept: {}", path.display());
    }
}
