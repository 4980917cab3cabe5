//! The whole path on real kernels: image in, a prompt at which a typed command
//! answers.
//!
//! One kernel of every instruction set, none of them for a chip that the
//! emulator models: BCM5301X (Armv7, SMP), many SoCs of Armv7 with long page table
//! descriptors (LPAE), Kirkwood (Armv5TE), BCM2835 (Armv6), OX820 (Armv6, SMP, a vendor's user space and no symbols).

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests::{command, fixtures};

/// Far more than a boot takes; a loaded machine may be slow.
const LIMIT: Duration = Duration::from_secs(180);

/// What is typed: the answer stands nowhere in the question.
const QUESTION: &str = "echo answer $((6*7))";
const ANSWER: &str = "answer 42";
/// Vendors' kernels, with their symbols, that come to a shell; half of them have
/// no 8250 driver, some do so only without a function or five of their own, two
/// cannot unpack an archive, and two have no clock events.
const OF_VENDORS: [&str; 21] = [
    "at91sam9n12-2.6.39",
    "debian-5.10-marvell",
    "develboard-3.18.0",
    "escam-4.9.37",
    "ev3-2.6.33",
    "f1c100s-4.19.0",
    "f1c100s-6.3.7",
    "firmae-virt-4.1.17",
    "glinet-ipq40xx-3.14.77",
    "imx283-4.13.2",
    "iotbox-am335x-3.2.0",
    "jazz-2.6.35",
    "jazz-3.14.1",
    "netgear-wn802t-4.4.93-r5142",
    "openwrt-orion-3.10.58",
    "qemu-rpi-3.10.25",
    "qemu-rpi-4.4.34",
    "sama5d27-4.9.29",
    "smdk6410-2.6.28",
    "snickerdoodle-4.4.0",
    "ts4700-2.6.29",
];
/// Vendors' kernels that do so without any names as well; some of them only after
/// another candidate of a pointer was tried.
const WITHOUT_NAMES: [&str; 12] = [
    "develboard-3.18.0",
    "escam-4.9.37",
    "ev3-2.6.33",
    "galaxys-2.6.35",
    "imx283-4.13.2",
    "jazz-3.14.1",
    "lt02-3.4.5",
    "openwrt-orion-2.6.32.10",
    "qemu-rpi-4.19.50",
    "smdk6410-2.6.28",
    "snickerdoodle-4.4.0",
    "ts4700-2.6.29",
];

const MILESTONES: [&str; 9] = [
    "entered",
    "mmu",
    "start_kernel",
    "init_irq",
    "first_tick",
    "console",
    "initcalls",
    "userspace",
    "shell",
];

/// `ecmo run IMAGE`, typing one question, to the end.
fn run<const N: usize>(image: &Path, options: [&OsStr; N]) -> Value {
    typing(QUESTION, image, options)
}

/// `ecmo run IMAGE`, typing these lines, to the end.
fn typing<const N: usize>(lines: &str, image: &Path, options: [&OsStr; N]) -> Value {
    let folder = tempfile::tempdir().expect("a folder for the input");
    let input = folder.path().join("input");
    std::fs::write(&input, format!("{lines}\n")).expect("the input can be written");
    let mut ecmo = command::ecmo();
    ecmo.arg("run").arg(image).args(options);
    ecmo.args([
        "--until", "shell", "--budget", "120", "--json", "-", "--input",
    ])
    .arg(input);
    let finished = command::run(&mut ecmo, LIMIT);
    let report = finished.json();
    assert_eq!(
        (
            finished.code(),
            report["verdict"].as_str(),
            report["reason"].as_str()
        ),
        (0, Some("shell"), None),
        "standard error:\n{}\nconsole:\n{}",
        finished.stderr,
        report["console"].as_str().unwrap_or_default()
    );
    report
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not a whole number: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {value}"))
}

/// What holds for every boot that came to a shell with a transplant.
fn check(report: &Value) {
    let console = report["console"].as_str().expect("the console is text");
    assert!(
        console.contains(ANSWER),
        "the command was not answered:\n{console}"
    );

    let names: Vec<&str> = list(&report["milestones"])
        .iter()
        .map(|milestone| milestone["name"].as_str().expect("a milestone has a name"))
        .collect();
    let mut order = MILESTONES.iter();
    assert!(
        names.iter().all(|name| order.any(|other| other == name)),
        "not in order: {names:?}"
    );
    for needed in ["entered", "init_irq", "first_tick", "userspace", "shell"] {
        assert!(names.contains(&needed), "{needed} is not among {names:?}");
    }
    // One that this kernel does not show on the way has no numbers.
    let counts: Vec<u64> = list(&report["milestones"])
        .iter()
        .filter(|milestone| !milestone["instructions"].is_null())
        .map(|milestone| number(&milestone["instructions"]))
        .collect();
    assert!(counts.is_sorted(), "milestones at {counts:?}");

    assert!(
        number(&report["driver_instructions"]) > 1000,
        "the driver hardly ran"
    );
    assert!(number(&report["patches"]) > 0, "nothing was patched");
    assert!(number(&report["instructions"]) >= *counts.last().unwrap_or(&0));
    assert!(!list(&report["pointers"]).is_empty(), "no pointers");
    for pointer in list(&report["pointers"]) {
        let evidence = &pointer["evidence"];
        assert!(
            pointer["name"].is_string() && !evidence.is_null(),
            "{pointer}"
        );
    }
    let opaque = &report["opaque"];
    assert!(number(&opaque["size"]) > 0, "{opaque}");
}

#[test]
fn bcm5301x_armv7() {
    check(&run(&fixtures::kernel("bcm5301x-6.1", "zImage"), []));
}

#[test]
fn multiplatform_armv7_with_long_descriptors() {
    check(&run(&fixtures::kernel("debian-armmp-lpae", "vmlinuz"), []));
}

#[test]
fn kirkwood_armv5te() {
    check(&run(&fixtures::kernel("debian-marvell", "vmlinuz"), []));
}

#[test]
fn bcm2835_armv6() {
    check(&run(&fixtures::kernel("debian-rpi", "vmlinuz"), []));
}

/// The same kernels when their tables of names are not looked at: every pointer
/// is found by the code alone.
#[test]
fn without_symbols() {
    for (name, file) in [
        ("bcm5301x-6.1", "zImage"),
        ("debian-marvell", "vmlinuz"),
        ("debian-rpi", "vmlinuz"),
        ("debian-armmp-lpae", "vmlinuz"),
    ] {
        let report = run(
            &fixtures::kernel(name, file),
            ["--no-symbols"].map(OsStr::new),
        );
        check(&report);
    }
}

/// A kernel with no 8250 driver gets a UART's driver as well: a console, and a
/// terminal by interrupts that loses nothing of more than a million characters.
#[test]
fn a_kernel_without_an_8250_driver() {
    /// Lines up to this number have 1.04 MB.
    const LAST: u32 = 150_000;
    // The kernel's own messages would come in between.
    let lines =
        format!("echo 1 > /proc/sys/kernel/printk\nseq 1 {LAST}\ncat /proc/interrupts\n{QUESTION}");
    let report = typing(&lines, &fixtures::kernel("versatile-6.1", "zImage"), []);
    check(&report);
    let console = report["console"].as_str().unwrap_or_default();
    let counted: Vec<u32> = console
        .lines()
        .filter_map(|line| line.trim_end().parse().ok())
        .collect();
    assert!(
        counted
            .windows(LAST as usize)
            .any(|all| all.iter().copied().eq(1..=LAST)),
        "characters were lost:\n{console}"
    );
    for chip in ["sp804", "ttyS0"] {
        let count = console
            .lines()
            .filter(|line| line.trim_end().ends_with(chip))
            .find_map(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok());
        assert!(
            count.is_some_and(|count| count > 10),
            "{chip} interrupted {count:?} times:\n{console}"
        );
    }
}

/// What a person does at a terminal of that driver: ends a program, and has one in
/// the background.
#[test]
fn job_control() {
    let lines = format!(
        "sleep 1000\n\x03\necho ended with $?\nsleep 500 &\njobs\nkill %1\njobs\n{QUESTION}"
    );
    let report = typing(&lines, &fixtures::kernel("versatile-6.1", "zImage"), []);
    check(&report);
    let console = report["console"].as_str().unwrap_or_default();
    // 128 and the number of SIGINT.
    for answer in ["ended with 130", "Running", "Terminated"] {
        assert!(console.contains(answer), "no {answer:?}:\n{console}");
    }
}

/// Kernels of many makers and versions.
#[test]
fn corpus_kernels_with_symbols() {
    for name in OF_VENDORS {
        let Some(image) = fixtures::image(name, "image") else {
            return;
        };
        check(&run(&image, ["--initrd", "builtin"].map(OsStr::new)));
    }
}

/// The same with nothing but their code to go by.
#[test]
fn corpus_kernels_without_symbols() {
    for name in WITHOUT_NAMES {
        let Some(image) = fixtures::image(name, "image") else {
            return;
        };
        let options = ["--no-symbols", "--initrd", "builtin"];
        check(&run(&image, options.map(OsStr::new)));
    }
}

/// The vendor's own user space asks for an Enter before it gives its shell.
#[test]
fn corpus_ox820_armv6_with_its_own_user_space() {
    let name = "ecmo-oxnas-3.18.20";
    let Some(image) = fixtures::image(name, "image") else {
        return;
    };
    let Some(pointers) = fixtures::image(name, "pointers.tsv") else {
        return;
    };
    let report = run(&image, [OsStr::new("--symbols"), pointers.as_os_str()]);
    check(&report);
    let console = report["console"].as_str().unwrap_or_default();
    assert!(
        console.contains("Please press Enter to activate this console"),
        "{console}"
    );
    assert!(console.contains("OpenWrt"), "{console}");
}

/// A kernel that has no symbols, and no list of pointers either.
#[test]
fn corpus_ox820_armv6_without_symbols() {
    let Some(image) = fixtures::image("ecmo-oxnas-3.18.20", "image") else {
        return;
    };
    let options = ["--no-symbols", "--initrd", "builtin"];
    check(&run(&image, options.map(OsStr::new)));
}

/// The same input gives the same run, instruction by instruction.
#[test]
fn a_run_is_repeatable() {
    let kernel = fixtures::kernel("bcm5301x-6.1", "zImage");
    let (first, second) = (run(&kernel, []), run(&kernel, []));
    for field in [
        "console_sha256",
        "instructions",
        "driver_instructions",
        "unassigned",
        "pointers",
    ] {
        assert!(!first[field].is_null(), "{field} is missing");
        assert_eq!(first[field], second[field], "{field}");
    }
    let virtual_time = |report: &Value| {
        let milestones = list(&report["milestones"]).iter();
        milestones
            .map(|milestone| {
                (
                    milestone["instructions"].clone(),
                    milestone["virtual_s"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(virtual_time(&first), virtual_time(&second));
}

/// What the demo promises, with the limits that it promises.
#[test]
fn demo_reaches_a_shell() {
    let finished = command::run(
        command::ecmo()
            .arg("demo")
            .arg(fixtures::kernel("bcm5301x-6.1", "zImage")),
        LIMIT,
    );
    let text = String::from_utf8_lossy(&finished.stdout);
    assert_eq!(finished.code(), 0, "{text}\n{}", finished.stderr);
    assert!(text.contains("shell"), "{text}");
    assert!(
        finished.peak_kib < 400 * 1024,
        "{} KiB of memory",
        finished.peak_kib
    );
}
