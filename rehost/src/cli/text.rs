//! Text for people: tables and the summary of a run.

use std::fmt::Write as _;

use linker::kernel::Arch;

use crate::pipeline::outcome::BUILT_IN_LINE;
use crate::report::{Reached, Report};

/// A table: columns two spaces apart, as wide as their widest cell, the last one
/// as long as it is. Without rows it is empty.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&head.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Bytes as a person reads them, sixteen a line.
pub(crate) fn dump(at: u32, bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, row) in (0..).zip(bytes.chunks(16)) {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = row.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        });
        let plain: String = plain.collect();
        let address = at.wrapping_add(16 * line);
        let _ = writeln!(text, "{address:08x}  {:<47}  {plain}", hex.join(" "));
    }
    text
}

/// A number as a person writes it: decimal, or hexadecimal behind `0x`.
pub(crate) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The milestones of a run.
pub(crate) fn milestones(milestones: &[Reached]) -> String {
    let number = |value: Option<String>| value.unwrap_or_else(|| "not seen".to_owned());
    let rows: Vec<[String; 4]> = milestones
        .iter()
        .map(|one| {
            [
                one.name.to_string(),
                number(
                    one.instructions
                        .map(|count| format!("{:>12}", grouped(count))),
                ),
                number(one.virtual_s.map(|seconds| format!("{seconds:9.6} s"))),
                number(one.wall_s.map(|seconds| format!("{seconds:6.3} s"))),
            ]
        })
        .collect();
    table(
        ["milestone", "instructions", "virtual time", "wall time"],
        &rows,
    )
}

/// An architecture as it is written in text.
pub(crate) fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::V4 => "Armv4",
        Arch::V5 => "Armv5",
        Arch::V6 => "Armv6",
        Arch::V7 => "Armv7",
    }
}

/// What a run came to.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = milestones(&report.milestones);
    for tried in &report.tried {
        let reached = tried
            .reached
            .map_or("nothing", |milestone| milestone.name());
        let _ = writeln!(
            text,
            "tried {} {}: came to {reached}",
            tried.what, tried.value
        );
    }
    let (lines, names): (Vec<&str>, Vec<&str>) = report
        .left_out
        .iter()
        .map(|one| one.what.as_str())
        .partition(|what| what.starts_with(BUILT_IN_LINE));
    if !names.is_empty() {
        let _ = writeln!(text, "left out of the driver: {}", names.join(", "));
    }
    for line in lines {
        let _ = writeln!(text, "replaced: {line}");
    }
    let verdict = report
        .verdict
        .map_or("nothing", |milestone| milestone.name());
    let _ = writeln!(text, "verdict: {verdict}");
    if let Some(reason) = &report.reason {
        let _ = writeln!(text, "reason: {reason}");
    }
    text
}

/// A count with its thousands apart: `12 345 678`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use linker::transplant::LeftOut;

    use super::*;
    use crate::report::{Hex, KernelFacts, OpaqueFacts, Tried};
    use crate::verdict::Milestone;

    pub(crate) fn report() -> Report {
        let reached = |name, instructions: Option<u64>| Reached {
            name,
            instructions,
            virtual_s: instructions.map(|count| count as f64 * 2e-9),
            wall_s: instructions.map(|count| count as f64 * 5e-9),
        };
        Report {
            image: "firmware.bin".into(),
            kernel: KernelFacts {
                release: "6.1.0".into(),
                arch: linker::kernel::Arch::V7,
                cpu: "Cortex-A15".into(),
            },
            pointers: Vec::new(),
            opaque: Some(OpaqueFacts {
                base: Hex(0xe040_0000),
                size: 0x1_0000,
                relocated: true,
            }),
            tried: vec![Tried {
                what: "opaque".into(),
                value: "0xd0008000".into(),
                reached: Some(Milestone::Mmu),
            }],
            milestones: vec![
                reached(Milestone::Entered, Some(0)),
                reached(Milestone::Mmu, Some(12_345)),
                reached(Milestone::StartKernel, None),
                reached(Milestone::InitIrq, Some(4_567_890)),
            ],
            verdict: Some(Milestone::InitIrq),
            reason: Some("60 s of wall time are used up".into()),
            driver_instructions: 1,
            left_out: vec![LeftOut {
                what: "machine_desc.init_machine".into(),
                why: "platform_device_alloc is missing".into(),
            }],
            patches: 4,
            unassigned: Vec::new(),
            polled: Vec::new(),
            instructions: 5_000_000,
            console: String::new(),
            log: None,
            console_sha256: String::new(),
            wall_s: 1.0,
        }
    }

    #[test]
    fn summary_of_a_run_that_got_stuck() {
        expect_test::expect![[r#"
            milestone     instructions  virtual time  wall time
            entered                  0   0.000000 s    0.000 s
            mmu                 12 345   0.000025 s    0.000 s
            start_kernel  not seen      not seen      not seen
            init_irq         4 567 890   0.009136 s    0.023 s
            tried opaque 0xd0008000: came to mmu
            left out of the driver: machine_desc.init_machine
            verdict: init_irq
            reason: 60 s of wall time are used up
        "#]]
        .assert_eq(&summary(&report()));
    }

    #[test]
    fn a_command_line_of_the_device_is_named() {
        let mut report = report();
        report.left_out = vec![LeftOut {
            what: "built-in command line console=ttySAC2,115200 root=/dev/mtdblock3".into(),
            why: "it is for the device".into(),
        }];
        let text = summary(&report);
        let lines = text.lines().filter(|line| line.contains("line "));
        expect_test::expect![[
            "replaced: built-in command line console=ttySAC2,115200 root=/dev/mtdblock3"
        ]]
        .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn json_of_a_run() {
        let text = serde_json::to_string_pretty(&report()).unwrap();
        expect_test::expect![[r#"
            {
              "image": "firmware.bin",
              "kernel": {
                "release": "6.1.0",
                "arch": "v7",
                "cpu": "Cortex-A15"
              },
              "pointers": [],
              "opaque": {
                "base": "0xe0400000",
                "size": 65536,
                "relocated": true
              },
              "tried": [
                {
                  "what": "opaque",
                  "value": "0xd0008000",
                  "reached": "mmu"
                }
              ],
              "milestones": [
                {
                  "name": "entered",
                  "instructions": 0,
                  "virtual_s": 0.0,
                  "wall_s": 0.0
                },
                {
                  "name": "mmu",
                  "instructions": 12345,
                  "virtual_s": 0.000024690000000000002,
                  "wall_s": 0.000061725
                },
                {
                  "name": "start_kernel",
                  "instructions": null,
                  "virtual_s": null,
                  "wall_s": null
                },
                {
                  "name": "init_irq",
                  "instructions": 4567890,
                  "virtual_s": 0.009135780000000001,
                  "wall_s": 0.02283945
                }
              ],
              "verdict": "init_irq",
              "reason": "60 s of wall time are used up",
              "driver_instructions": 1,
              "left_out": [
                {
                  "what": "machine_desc.init_machine",
                  "why": "platform_device_alloc is missing"
                }
              ],
              "patches": 4,
              "unassigned": [],
              "polled": [],
              "instructions": 5000000,
              "console": "",
              "log": null,
              "console_sha256": "",
              "wall_s": 1.0
            }"#]]
        .assert_eq(&text);
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!(number("0xc0008000"), Some(0xc000_8000));
        assert_eq!(number("64"), Some(64));
        assert_eq!(number("c0008000"), None);
    }

    #[test]
    fn bytes_as_text() {
        expect_test::expect![[r#"
            c0008000  65 63 6d 6f 00 01 02 03 04 05 06 07 08 09 0a 0b  ecmo............
            c0008010  7e 7f                                            ~.
        "#]]
        .assert_eq(&dump(
            0xc000_8000,
            b"ecmo\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b~\x7f",
        ));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1 000");
        assert_eq!(grouped(12_345_678), "12 345 678");
    }
}
