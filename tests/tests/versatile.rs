//! The machine itself, without a transplant: kernels for ARM's Versatile board
//! say and show the same here and in QEMU.
//!
//! Compared are the kernel's messages about processor, memory, interrupts, timer
//! and UART, and what the user space sees of them. Chips that only QEMU has
//! (graphics, flash, PCI, cards, the fourth UART) are left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rehost::userland::READY;
use tests::qemu::Boot;
use tests::{command, fixtures, userland};

const LIMIT: Duration = Duration::from_secs(240);

/// What user space shows of the machine.
const SCRIPT: &str = "\
echo begin
uname -s -r -m
grep -v -i bogomips /proc/cpuinfo
grep -E 'System RAM|Kernel|uart|serial' /proc/iomem
echo 'forty-two' | md5sum
sleep 1
grep -c timer /proc/interrupts
echo end
";

struct Kernel {
    image: PathBuf,
    tree: Option<PathBuf>,
    qemu_cpu: &'static str,
}

fn on_ours(kernel: &Kernel, archive: &Path) -> String {
    let mut ecmo = command::ecmo();
    ecmo.arg("run")
        .arg(&kernel.image)
        .args(["--board", "versatile", "--ram", "128"]);
    ecmo.args([
        "--until", "shell", "--budget", "200", "--json", "-", "--initrd",
    ])
    .arg(archive);
    if let Some(tree) = &kernel.tree {
        ecmo.arg("--dtb").arg(tree);
    }
    let finished = command::run(&mut ecmo, LIMIT);
    let report = finished.json();
    let console = report["console"]
        .as_str()
        .expect("the console is text")
        .to_owned();
    assert_eq!(
        report["verdict"].as_str(),
        Some("shell"),
        "{}\n{console}",
        finished.stderr
    );
    // Untransplanted: no driver of ours may have run.
    assert_eq!(report["driver_instructions"].as_u64(), Some(0));
    assert_eq!(report["patches"].as_u64(), Some(0));
    console
}

fn on_qemu(kernel: &Kernel, archive: &Path) -> String {
    let boot = Boot {
        cpu: kernel.qemu_cpu,
        kernel: &kernel.image,
        tree: kernel.tree.as_deref(),
        initrd: Some(archive),
        append: "console=ttyAMA0 rdinit=/init",
        ram_mib: 128,
        options: &["-icount", "shift=3,sleep=off"],
    };
    let console = boot.until(&[READY], LIMIT);
    assert!(
        console.arrived[0].is_some(),
        "QEMU came to no shell:\n{}",
        console.text
    );
    console.text
}

/// The kernel's messages about what both machines have, without time stamps.
fn messages(console: &str) -> BTreeSet<String> {
    const ABOUT: &[&str] = &[
        "Linux version",
        "CPU: ",
        "Machine",
        "Memory",
        "Normal ",
        "node   0",
        "node 0",
        "Total pages",
        "lowmem",
        "vmalloc",
        "NR_IRQS",
        "VIC @",
        "IRQ chip",
        "sched_clock",
        "clocksource",
        "ttyAMA",
        "PL011",
        "VFP",
        "panic",
        "Oops",
        "WARNING",
    ];
    let kernel = console
        .lines()
        .map(str::trim_end)
        .take_while(|line| *line != "begin");
    let lines = kernel.map(|line| match line.split_once("] ") {
        Some((stamp, text)) if stamp.trim_start_matches(['[', ' ']).parse::<f64>().is_ok() => text,
        _ => line,
    });
    let told = lines.filter(|line| ABOUT.iter().any(|word| line.contains(word)));
    told.filter(|line| !is_apart(line))
        .map(str::to_owned)
        .collect()
}

/// What differs by right: the command line, memory that is free (QEMU hands over
/// a device tree with room in it; see [`free_memory`]), and the UART behind the
/// second interrupt controller, which only QEMU has.
fn is_apart(line: &str) -> bool {
    ["command line", "available", "10009000", "fpga:09"]
        .iter()
        .any(|word| line.contains(word))
}

/// KiB that the kernel says are available.
fn free_memory(console: &str) -> i64 {
    let line = console
        .lines()
        .find(|line| line.contains("Memory: ") && line.contains("available"));
    let line = line.unwrap_or_else(|| panic!("nothing about memory in:\n{console}"));
    let (_, numbers) = line.split_once("Memory: ").unwrap_or_default();
    let digits: String = numbers.chars().take_while(char::is_ascii_digit).collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number in {line:?}"))
}

/// What the script printed. Messages of the kernel about keyboards and mice, of
/// which only QEMU has some, may stand between its lines.
fn shown(console: &str) -> Vec<&str> {
    let lines = console
        .lines()
        .map(str::trim_end)
        .skip_while(|line| *line != "begin");
    let lines = lines.skip(1).take_while(|line| *line != "end");
    lines
        .filter(|line| !line.contains("input: ") && !is_apart(line))
        .collect()
}

fn compare(kernel: &Kernel) {
    let archive = userland::with_script(SCRIPT);
    let (ours, theirs) = (
        on_ours(kernel, archive.path()),
        on_qemu(kernel, archive.path()),
    );
    let (our_lines, their_lines) = (messages(&ours), messages(&theirs));
    assert!(
        their_lines.len() > 12,
        "too little to compare: {their_lines:#?}"
    );
    let only_ours: Vec<_> = our_lines.difference(&their_lines).collect();
    let only_theirs: Vec<_> = their_lines.difference(&our_lines).collect();
    assert!(
        only_ours.is_empty() && only_theirs.is_empty(),
        "only here: {only_ours:#?}\nonly in QEMU: {only_theirs:#?}"
    );
    let difference = free_memory(&ours) - free_memory(&theirs);
    assert!(
        difference.abs() <= 64,
        "{difference} KiB more are free than in QEMU"
    );
    assert!(
        shown(&theirs).len() > 10,
        "the script showed nothing:\n{theirs}"
    );
    assert_eq!(shown(&ours), shown(&theirs));
}

#[test]
fn linux_6_1_with_a_device_tree() {
    compare(&Kernel {
        image: fixtures::kernel("versatile-6.1", "zImage"),
        tree: Some(fixtures::kernel("versatile-6.1", "versatile-pb.dtb")),
        qemu_cpu: "arm926",
    });
}

#[test]
fn corpus_linux_3_10_with_tags() {
    let Some(image) = fixtures::image("qemu-rpi-3.10.25", "image") else {
        return;
    };
    compare(&Kernel {
        image,
        tree: None,
        qemu_cpu: "arm1176",
    });
}
