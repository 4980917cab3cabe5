//! `ecmo run --gdb` as GDB sees it, over a real kernel with the driver in it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::{command, fixtures};

/// Far more than a session takes; a loaded machine may be slow.
const LIMIT: Duration = Duration::from_secs(180);

/// A run that waits for GDB.
struct Run {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Run {
    fn new(arguments: &[&str]) -> Self {
        let mut command = command::ecmo();
        command.args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ecmo starts");
        let stderr = child.stderr.take().expect("its messages");
        let mut run = Self {
            child,
            stderr: BufReader::new(stderr),
        };
        let mut line = String::new();
        while !line.contains("waits for GDB at 127.0.0.1:") {
            line.clear();
            let read = run.stderr.read_line(&mut line).expect("a message");
            assert_ne!(read, 0, "it does not wait for GDB");
        }
        run
    }

    /// The exit code, and what it said in the end.
    fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).expect("messages");
        let status = self.child.wait().expect("it ends");
        (status.code(), text)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
    }
}

/// What GDB answers to some commands.
fn gdb(script: &Path, commands: &[&str]) -> String {
    let mut gdb = Command::new("gdb-multiarch");
    // Sources are named from there.
    gdb.current_dir(fixtures::root());
    gdb.args(["-q", "-nx", "-batch", "-ex", "set style enabled off", "-x"]);
    gdb.arg(script);
    for one in ["set pagination off", "set language c"]
        .iter()
        .chain(commands)
    {
        gdb.args(["-ex", one]);
    }
    let finished = command::run(&mut gdb, LIMIT);
    String::from_utf8_lossy(&finished.stdout).into_owned() + &finished.stderr
}

/// Checks that these texts stand in an answer, in this order.
fn has(answer: &str, texts: &[&str]) {
    let mut rest = answer;
    for text in texts {
        let Some(at) = rest.find(text) else {
            panic!("{text:?} is not where it should be in\n{answer}");
        };
        rest = &rest[at + text.len()..];
    }
}

#[test]
fn the_drivers_source_is_seen_and_time_goes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a name in UTF-8");
    let kernel = fixtures::kernel("debian-marvell", "vmlinuz");
    let kernel = kernel.to_str().expect("a name in UTF-8");
    let run = Run::new(&[
        "run", kernel, "--until", "shell", "--out", out, "--gdb", "0",
    ]);
    let answer = gdb(
        &folder.path().join("ecmo.gdb"),
        &[
            "break start_kernel",
            "continue",
            "info registers pc",
            "break driver::chips::pl190::unmask",
            "continue",
            "list",
            "stepi",
            "print $pc == $pc",
            "reverse-stepi",
            "echo back to ",
            "info symbol $pc",
            "delete",
            "tbreak free_initmem",
            "continue",
            "backtrace 2",
            "watch *(unsigned int *)&jiffies",
            "continue",
            "delete",
            "break start_kernel",
            "reverse-continue",
            "reverse-continue",
            "delete",
            "break free_initmem",
            "continue",
            "monitor info registers",
            "set $r4 = 0x1234",
            "print/x $r4",
            "print/x *(unsigned int *)$pc == *(unsigned int *)free_initmem",
            "kill",
        ],
    );
    has(
        &answer,
        &[
            "Breakpoint 1, 0x",
            "in start_kernel ()",
            "<start_kernel>",
            "Breakpoint 2, driver::chips::pl190::unmask",
            "driver/src/chips/pl190.rs:",
            "extern \"C\" fn unmask(",
            "= 1",
            "back to",
            "pl190::unmask in section .text",
            "in free_initmem ()",
            "kernel_init ()",
            "Old value = 4294",
            "New value = 4294",
            "Breakpoint 5, 0x",
            "in start_kernel ()",
            "No more reverse-execution history.",
            "Breakpoint 6, 0x",
            "in free_initmem ()",
            "= 0x1234",
            "= 0x1",
        ],
    );
    has(&answer, &["at free_initmem+0x0\n"]);
    let (code, text) = run.end();
    assert_eq!(code, Some(1), "{text}");
    has(&text, &["verdict: initcalls", "the user ended the run"]);
}

#[test]
fn a_debugger_does_not_change_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let kernel = fixtures::kernel("bcm5301x-6.1", "zImage");
    let kernel = kernel.to_str().expect("a name in UTF-8");
    let run = ["run", kernel, "--until", "shell", "--json"];
    let report = |path: &str| -> Value {
        let text = std::fs::read_to_string(path).expect("a report");
        serde_json::from_str(&text).expect("JSON")
    };
    let straight = file("straight.json");
    let finished = command::run(command::ecmo().args(run).arg(&straight), LIMIT);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);

    let debugged = file("debugged.json");
    let out = file("out");
    let more = [&debugged, "--out", &out, "--gdb", "127.0.0.1:0"];
    let run = Run::new(&[&run[..], &more].concat());
    let answer = gdb(
        &folder.path().join("out/ecmo.gdb"),
        &[
            "break driver::chips::pl190::handle_irq",
            "continue",
            "continue",
            "continue",
            "stepi 40",
            "watch jiffies_64",
            "continue",
            "continue",
            "detach",
        ],
    );
    has(&answer, &["handle_irq", "Old value", "detached"]);
    assert_eq!(run.end().0, Some(0));
    let [straight, debugged] = [straight, debugged].map(|path| report(&path));
    for key in [
        "instructions",
        "driver_instructions",
        "console_sha256",
        "unassigned",
    ] {
        assert_eq!(straight[key], debugged[key], "{key}");
    }
}
