//! A kernel whose code stops it is started again and again. A script plays the
//! code for an absent chip.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests::command::Finished;
use tests::{command, fixtures};

/// Far more than a run takes; a loaded machine may be slow.
const LIMIT: Duration = Duration::from_secs(400);
/// No run may end for its wall time.
const BUDGET: &str = "350";

/// Runs the kernel under a script, to a shell.
fn run(folder: &Path, script: &str, options: &[&str]) -> (Finished, Value) {
    let path = folder.join("script.lua");
    std::fs::write(&path, script).expect("a file");
    let json = folder.join("report.json");
    let mut ecmo = command::ecmo();
    ecmo.arg("run")
        .arg(fixtures::kernel("bcm5301x-6.1", "zImage"))
        .args(["--initrd", "builtin", "--until", "shell"])
        .args(["--budget", BUDGET])
        .arg("--script")
        .arg(&path)
        .arg("--json")
        .arg(&json)
        .args(options);
    let finished = command::run(&mut ecmo, LIMIT);
    let text = std::fs::read(&json).expect("a report");
    (finished, serde_json::from_slice(&text).expect("JSON"))
}

/// The entries of what was tried, one a line.
fn tried(report: &Value) -> String {
    let entries = report["tried"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    entries
        .iter()
        .map(|it| {
            let [what, value, reached] = ["what", "value", "reached"].map(|key| text(&it[key]));
            format!("{what} {value}: {reached}\n")
        })
        .collect()
}

/// Initial calls that panic as long as they are not left out: a breakpoint is at the
/// call, and its first instruction is what tells.
const FAILING: &str = r#"
starts = 0
on("start", function() starts = starts + 1 print("start " .. starts) end)
function fails(name)
    breakpoint(name, function(call)
        -- mov r0, #0: it is left out.
        if memory.u32(call) ~= 0xe3a00000 then
            cpu.lr = call + 8
            cpu.pc = symbol("panic")
        end
    end)
end
"#;

#[test]
fn a_boot_goes_on_from_before_what_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let calls = ["proc_cmdline_init", "proc_version_init", "ioresources_init"];
    let fails = calls.map(|call| format!("fails(\"{call}\")\n")).concat();
    let script = format!("{FAILING}{fails}");
    let (finished, report) = run(folder.path(), &script, &[]);
    let text = String::from_utf8_lossy(&finished.stdout).into_owned() + &finished.stderr;
    expect_test::expect![[r#"
        whole proc_cmdline_init: first_tick
        whole proc_version_init: first_tick
        whole ioresources_init: first_tick
    "#]]
    .assert_eq(&tried(&report));
    // The first keeps no moments; all others go on from one of the second.
    assert!(
        text.contains("start 2") && !text.contains("start 3"),
        "{text}"
    );
    assert_eq!(report["verdict"], "shell", "{}", report["reason"]);
    let (_, again) = run(folder.path(), &script, &[]);
    for field in ["instructions", "console_sha256", "tried", "left_out"] {
        assert_eq!(report[field], again[field], "{field}");
    }
}

#[test]
fn the_furthest_start_is_what_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        r#"{FAILING}
fails("ioresources_init")
-- The second start ends in a loop as soon as it begins.
breakpoint("setup_arch", function(pc)
    if starts > 1 then
        memory.u32(pc + 4, 0xeafffffe)
    end
end)
"#
    );
    let (finished, report) = run(folder.path(), &script, &["--tries", "60"]);
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    assert_eq!(tried(&report), "whole ioresources_init: first_tick\n");
    assert_eq!(report["verdict"], "first_tick");
    let milestones = report["milestones"].as_array().expect("a list");
    let last = milestones.last().expect("a milestone");
    assert_eq!(last["name"], "first_tick");
    let reason = report["reason"].as_str().expect("a text");
    for part in [
        "ioresources_init: the kernel panics in it; the last milestone is first_tick",
        "this is the furthest start: 60000000 instructions were used up while others were tried",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    // Its messages, not those of a start that had said nothing yet.
    let log = report["log"].as_str().expect("a text");
    assert!(log.contains("PF_UNIX"), "{log}");
}
