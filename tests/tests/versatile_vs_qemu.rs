//! The machine as a whole against `qemu-system-arm -M versatilepb`: two kernels
//! with their own drivers, the same compressed image, tree or tags, RAM, command
//! line and user space at the same places in memory. What they print must be
//! equal, but for chips that only one of the two has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use emu::board::BoardConfig;
use emu::cpu::CpuModel;
use emu::machine::{Config, Entry, Exit, Machine, RamBank};
use rehost::plan::{Ram, tags};
use rehost::userland::cpio::Archive;
use tests::{fixtures, qemu};

const RAM_MIB: u32 = 128;
/// The log's buffer must hold what is printed before the console is there.
const COMMAND_LINE: &str = "console=ttyAMA0 rdinit=/init log_buf_len=1M";

/// Where QEMU's boot loader puts things (hw/arm/boot.c, 7.2).
const TAGS: u32 = 0x100;
const KERNEL: u32 = 0x1_0000;
const INITRD: u32 = (RAM_MIB << 20) / 2;
/// Machine number of Versatile/PB.
const MACHINE: u32 = 0x183;

/// Instructions that user space is reached well within.
const BUDGET: u64 = 6_000_000_000;
/// QEMU's limit.
const LIMIT: Duration = Duration::from_secs(120);

const END: &str = "== end";

/// The first process: shows what user space sees of processor, memory and
/// interrupts, and has the processor work a little.
const INIT: &str = r#"#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo "== user space"
/bin/busybox cat /proc/cpuinfo
/bin/busybox grep MemTotal /proc/meminfo
/bin/busybox cat /proc/interrupts
/bin/busybox head -c 1000000 /bin/busybox | /bin/busybox md5sum
/bin/busybox seq 1 3000 | /bin/busybox gzip | /bin/busybox gunzip | /bin/busybox sha1sum
echo "== end"
while :; do /bin/busybox sleep 1000; done
"#;

struct Guest {
    cpu: CpuModel,
    kernel: PathBuf,
    tree: Option<PathBuf>,
}

/// Chips that QEMU's board has and ours has not, and words of the messages that
/// only their drivers print: lines with them are left out on both sides. (The
/// drivers speak on ours too, of what they miss.)
const ABSENT: &[(&str, &[&str])] = &[
    ("PCI bridge", &["PCI", "pci"]),
    (
        "53C895A SCSI and its CD-ROM",
        &["sym0", "sym53c8xx", "sym-2", "scsi", "cdrom", "sr 0:"],
    ),
    ("PL050 keyboard and mouse", &["kmi-pl050", "input: "]),
    ("PL061 GPIO", &["pl061_gpio"]),
    (
        "PL110 display",
        &["pl11", "PL110", "colour frame buffer", "[drm]"],
    ),
    ("PL181 memory card", &["mmci-pl18x"]),
    ("DS1338 clock", &["rtc-ds1307", "hctosys"]),
    (
        "flash",
        &[
            "34000000.flash",
            "physmap",
            "Extended Query",
            "buffer write",
        ],
    ),
    // Prints of every chip in the tree that shows no identification; of the
    // system controller it is QEMU that has none.
    ("identification registers", &["amba_device_add() failed"]),
    // Comes when enough interrupts have come, the absent chips' among them.
    ("entropy", &["random: "]),
    // QEMU's own complaint of a register of its interrupt controller.
    ("QEMU's log", &["vpb_sic_write"]),
];

/// What a kernel thread prints beside the others, at a place that depends on
/// what else the processor has to do: it must be there.
const ANYWHERE: [&str; 2] = ["Trying to unpack rootfs", "Freeing initrd memory"];

/// What must be among the lines that are compared: processor, memory,
/// interrupts, time, serial port, user space.
const NEEDED: &[&str] = &[
    "CPU: ",
    "Memory: ",
    "VIC @",
    "FPGA IRQ chip",
    "sched_clock: ",
    "clocksource",
    "BogoMIPS",
    "101f1000",
    "10009000",
    "is a PL011 rev1",
    "CPU part",
    "MemTotal",
    " timer",
    "uart-pl011",
];

fn archive() -> Vec<u8> {
    let busybox = std::fs::read(fixtures::busybox("armel")).expect("busybox");
    let mut archive = Archive::new();
    archive
        .directory("dev")
        .directory("proc")
        .directory("bin")
        .character_device("dev/console", 5, 1)
        .file("bin/busybox", 0o755, &busybox)
        .file("init", 0o755, INIT.as_bytes());
    archive.finish()
}

/// Virtual time in QEMU as in our machine: 8 ns an instruction, idle time
/// jumped over. With it even the calibration loop comes to the same number.
const VIRTUAL_TIME: [&str; 2] = ["-icount", "shift=3,sleep=off"];

/// QEMU's console up to the end of the first process's work.
fn run_qemu(guest: &Guest, initrd: &Path, options: &[&str]) -> String {
    let boot = qemu::Boot {
        cpu: guest.cpu.name(),
        kernel: &guest.kernel,
        tree: guest.tree.as_deref(),
        initrd: Some(initrd),
        append: COMMAND_LINE,
        ram_mib: RAM_MIB,
        options,
    };
    boot.until(&[END], LIMIT).text
}

/// The tree as QEMU puts it into the guest's memory: it writes it to a file
/// instead and ends.
fn tree_of_qemu(guest: &Guest, folder: &Path, initrd: &Path) -> Vec<u8> {
    let dump = folder.join("qemu.dtb");
    let option = format!("dumpdtb={}", dump.display());
    run_qemu(guest, initrd, &["-machine", &option]);
    std::fs::read(&dump).expect("QEMU's tree")
}

fn under_ours(guest: &Guest, initrd: &[u8], tree: Option<&[u8]>) -> String {
    let size = RAM_MIB << 20;
    let mut machine = Machine::new(Config {
        cpu: guest.cpu,
        midr: None,
        ram: vec![RamBank {
            base: 0,
            size: size.into(),
        }],
        board: BoardConfig::Versatile,
    })
    .expect("a machine");
    let kernel = std::fs::read(&guest.kernel).expect("the kernel");
    machine.load(KERNEL, &kernel).expect("room for the kernel");
    machine.load(INITRD, initrd).expect("room for the archive");
    let length = u32::try_from(initrd.len()).expect("a small archive");
    let boot_data = match tree {
        Some(tree) => {
            let place = (INITRD + length).next_multiple_of(4096);
            machine.load(place, tree).expect("room for the tree");
            place
        }
        None => {
            let ram = Ram { base: 0, size };
            let list = tags::build(ram, COMMAND_LINE, Some((INITRD, length))).expect("tags");
            machine.load(TAGS, &list).expect("room for the tags");
            TAGS
        }
    };
    machine.start(Entry {
        pc: KERNEL,
        r: [0, MACHINE, boot_data],
    });
    let mut console = Vec::new();
    while machine.instructions() < BUDGET {
        let exit = machine.run(1_000_000).expect("the machine runs");
        console.extend(machine.take_output());
        let ended = String::from_utf8_lossy(&console).contains(END);
        if ended || !matches!(exit, Exit::Budget | Exit::Milestone(_)) {
            break;
        }
    }
    String::from_utf8_lossy(&console).into_owned()
}

/// The console's lines without what may differ.
fn lines(console: &str) -> Vec<String> {
    let absent = |line: &str| {
        let mut words = ABSENT.iter().flat_map(|(_, words)| *words);
        words.any(|word| line.contains(word))
    };
    let mut lines: Vec<String> = console
        .lines()
        .map(|line| without_time(line.trim_matches(['\r', '\0'])))
        .filter(|line| !absent(line))
        .map(without_count)
        .collect();
    lines.sort_by_key(|line| ANYWHERE.iter().any(|start| line.starts_with(start)));
    lines
}

/// Without the "[    0.000000] " of newer kernels.
fn without_time(line: &str) -> &str {
    match line.split_once("] ") {
        Some((time, rest)) if time.starts_with('[') && time.contains('.') => rest,
        _ => line,
    }
}

/// Without the count of a line of /proc/interrupts, and with single spaces:
/// the width of columns depends on the counts.
fn without_count(line: &str) -> String {
    let mut words = line.split_whitespace();
    let number = words.next().and_then(|word| word.strip_suffix(':'));
    let is_interrupt = number.is_some_and(|number| number.parse::<u32>().is_ok());
    let has_count = words.next().is_some_and(|word| word.parse::<u64>().is_ok());
    if !(is_interrupt && has_count) {
        return line.to_owned();
    }
    let rest: Vec<&str> = words.collect();
    format!("{}: {}", number.unwrap_or_default(), rest.join(" "))
}

fn compare(name: &str, guest: &Guest) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let initrd = archive();
    let file = folder.path().join("initrd.cpio");
    std::fs::write(&file, &initrd).expect("initrd.cpio written");
    let theirs = run_qemu(guest, &file, &VIRTUAL_TIME);
    let tree = guest
        .tree
        .is_some()
        .then(|| tree_of_qemu(guest, folder.path(), &file));
    let ours = under_ours(guest, &initrd, tree.as_deref());
    for (whose, text) in [("qemu", &theirs), ("ours", &ours)] {
        let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{whose}.txt"));
        std::fs::write(&keep, text).expect("the console kept");
    }
    let (theirs, ours) = (lines(&theirs), lines(&ours));
    assert!(ours.iter().any(|line| line == END), "{ours:#?}");
    for needed in NEEDED {
        let printed = ours.iter().any(|line| line.contains(needed));
        assert!(printed, "nothing with {needed:?} in {ours:#?}");
    }
    let first = theirs
        .iter()
        .zip(&ours)
        .position(|(theirs, ours)| theirs != ours);
    if let Some(at) = first {
        panic!(
            "line {at} differs:\nQEMU: {}\nours: {}\nbefore it:\n{}",
            theirs[at],
            ours[at],
            ours[..at].join("\n")
        );
    }
    assert_eq!(theirs.len(), ours.len());
}

#[test]
fn linux_6_1_prints_the_same_as_under_qemu() {
    compare(
        "versatile-6.1",
        &Guest {
            cpu: CpuModel::Arm926,
            kernel: fixtures::kernel("versatile-6.1", "zImage"),
            tree: Some(fixtures::kernel("versatile-6.1", "versatile-pb.dtb")),
        },
    );
}

/// A kernel of the corpus for an ARM1176 on this board.
fn compare_corpus(name: &str, tree: bool) {
    let Some(kernel) = fixtures::image(name, "image") else {
        return;
    };
    let tree = tree.then(|| fixtures::kernel("versatile-6.1", "versatile-pb.dtb"));
    let cpu = CpuModel::Arm1176;
    compare(name, &Guest { cpu, kernel, tree });
}

#[test]
fn linux_3_10_prints_the_same_as_under_qemu() {
    compare_corpus("qemu-rpi-3.10.25", false);
}

#[test]
fn linux_4_4_prints_the_same_as_under_qemu() {
    compare_corpus("qemu-rpi-4.4.34", false);
}

#[test]
fn linux_4_19_prints_the_same_as_under_qemu() {
    compare_corpus("qemu-rpi-4.19.50", true);
}
