//! The scripts that come with the program, each over a real kernel, and what a
//! user reads when a script is wrong.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::command::Finished;
use tests::{command, fixtures};

/// Far more than a run takes; a loaded machine may be slow.
const LIMIT: Duration = Duration::from_secs(180);

/// A script that comes with the program.
fn shipped(name: &str) -> PathBuf {
    fixtures::root().join("rehost/scripts").join(name)
}

/// Boots with a script, to this milestone; at a shell these lines are typed.
fn run(script: &Path, until: &str, typed: &str) -> Finished {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("typed");
    let kernel = fixtures::kernel("debian-marvell", "vmlinuz");
    let mut ecmo = command::ecmo();
    ecmo.arg("run").arg(kernel).args(["--initrd", "builtin"]);
    ecmo.args(["--until", until, "--script"]).arg(script);
    if !typed.is_empty() {
        std::fs::write(&input, typed).expect("a file");
        ecmo.arg("--input").arg(&input);
    }
    command::run(&mut ecmo, LIMIT)
}

/// The same with a script of the test's own.
fn own(text: &str, until: &str) -> Finished {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("own.lua");
    std::fs::write(&script, text).expect("a file");
    run(&script, until, "")
}

/// What a shipped script says in a run that reaches its goal.
fn said(name: &str, until: &str, typed: &str) -> String {
    let finished = run(&shipped(name), until, typed);
    assert_eq!(finished.code(), 0, "{name}: {}", finished.stderr);
    // A terminal may be raw.
    finished.stderr.replace("\r\n", "\n")
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn every_shipped_script_is_tested() {
    let text = include_str!("scripts.rs");
    let folder = std::fs::read_dir(shipped("")).expect("the folder of scripts");
    let names = folder.map(|entry| entry.expect("an entry").file_name());
    let names: Vec<String> = names
        .map(|name| name.into_string().expect("a name"))
        .collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(text.contains(&format!("\"{name}\"")), "{name} has no test");
    }
}

#[test]
fn system_calls_and_files_of_user_space() {
    let calls = said("syscalls.lua", "shell", "mkdir /tmp/made\n");
    // mkdir and write: EABI numbers, arch/arm/tools/syscall.tbl.
    has(&calls, &["call 39 (", "call 4 ("]);
    let opens = said("opens.lua", "shell", "cat /proc/version\n");
    has(
        &opens,
        &["openat /etc/inittab", "openat /proc/version", "execve"],
    );
}

#[test]
fn what_a_program_writes() {
    let written = said("written.lua", "shell", "");
    has(&written, &["bytes to file 1:", "BusyBox v1."]);
}

#[test]
fn initial_calls_are_timed() {
    let calls = said("initcalls.lua", "initcalls", "");
    has(&calls, &[" ms  "]);
    let unnamed = calls.lines().filter(|line| line.contains(" ms  0x"));
    assert_eq!(unnamed.count(), 0, "{calls}");
}

#[test]
fn a_function_of_the_kernel_is_answered_for() {
    let finished = run(&shipped("deny.lua"), "shell", "hostname other\n");
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let console = String::from_utf8_lossy(&finished.stdout);
    has(&console, &["sethostname: Operation not permitted"]);
}

#[test]
fn a_chip_that_is_not_there_answers() {
    let typed = "devmem 0x50000000 8 0x5a\ndevmem 0x50000004\ndevmem 0x500000fc\n";
    let finished = run(&shipped("gpio.lua"), "shell", typed);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let console = String::from_utf8_lossy(&finished.stdout);
    has(&console, &["0x000000A5", "0x6770696F"]);
}

#[test]
fn a_dialogue_at_the_console() {
    let finished = run(&shipped("login.lua"), "shell", "");
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    has(&finished.stderr, &["the answer is 42"]);
}

#[test]
fn the_same_moment_again_and_again() {
    let said = said("rewind.lua", "shell", "");
    has(
        &said,
        &[
            "echo one > /tmp/file     answers 0",
            "cat /tmp/file            answers 1",
        ],
    );
}

#[test]
fn a_variable_is_watched() {
    let said = said("watch.lua", "console", "");
    let changes: Vec<&str> = said.lines().filter(|it| it.contains(" -> ")).collect();
    assert_eq!(changes.len(), 5, "{said}");
    has(changes[0], &["jiffies 0x", "by do_timer+0x"]);
}

#[test]
fn functions_that_run_are_counted() {
    let said = said("coverage.lua", "shell", "true\n");
    let line = said
        .lines()
        .find(|it| it.contains("functions of the kernel"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    let count: u32 = line
        .split(' ')
        .next()
        .and_then(|it| it.parse().ok())
        .expect("a number");
    assert!((200..20_000).contains(&count), "{line}");
}

#[test]
fn a_guest_that_does_not_get_on_is_noticed() {
    let text = std::fs::read_to_string(shipped("stuck.lua")).expect("the script");
    // A loop of one instruction.
    let text = text
        + "\non(\"milestone\", function(name)\n\
           if name == \"console\" then memory.u32(symbol(\"console_on_rootfs\"), 0xeafffffe) end\n\
           end)\n";
    let finished = own(&text, "shell");
    has(
        &finished.stderr,
        &["stuck in console_on_rootfs+0x0, called from kernel_init"],
    );
}

#[test]
fn a_script_changes_nothing_that_it_does_not_ask_for() {
    let count = |text: &str| {
        let finished = own(text, "userspace");
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        let lines = finished.stderr.lines();
        let milestones: Vec<String> = lines
            .filter(|line| line.contains(" s  "))
            // All but the host's time.
            .map(|line| line.split("  ").take(12).collect::<Vec<_>>().join(" "))
            .map(|line| {
                line.rsplit_once(" s ")
                    .map_or(line.clone(), |it| it.0.to_owned())
            })
            .collect();
        assert!(milestones.len() >= 6, "{}", finished.stderr);
        milestones
    };
    let plain = count("");
    let watching = "on('exception', function() end)\n\
         breakpoint('do_one_initcall', function() return cpu.r0 end)\n\
         watchpoint(0xc0008000, 4, 'access', function() end)\n";
    assert_eq!(count(watching), plain);
}

/// How a script's fault is told.
fn fault(text: &str, until: &str) -> (i32, String) {
    let finished = own(text, until);
    let mut lines = finished.stderr.lines();
    let told = lines.find_map(|line| line.strip_prefix("ecmo: ")?.split_once("/own.lua: "));
    let (_, told) = told.unwrap_or_else(|| panic!("{}", finished.stderr));
    (finished.code(), told.to_owned())
}

#[test]
fn faults_name_the_line() {
    let at_once = [
        "print(",
        "\n\non('nothing', print)",
        "machine { rom = 1 }",
        "watchpoint(1, 4, 'sometimes', print)",
        "print(cpu.r0)",
        "breakpoint({}, print)",
    ];
    let later = [
        "on('milestone', function(name)\n  local x = name.y.z\nend)",
        "on('start', function() cpu.r77 = 1 end)",
        "on('start', function() print(memory.u32(0x10)) end)",
        "\nbreakpoint('no_such_function', print)",
    ];
    let mut text = String::new();
    for script in at_once.iter().chain(&later) {
        let (code, fault) = fault(script, "start_kernel");
        text += &format!("exit {code}: {fault}\n");
    }
    expect_test::expect![[r#"
        exit 3: line 1: unexpected symbol near '<eof>'
        exit 3: line 3: there is no event "nothing", but start, milestone, output, exception, block, instruction, stuck, finish
        exit 3: line 1: machine has no field "rom" (integer); it has ram, append, initrd, input
        exit 3: line 1: expected read, write or access, not "sometimes"
        exit 3: line 1: there is no guest to be asked now: it has not started, or runs
        exit 3: line 1: expected an address or the name of a symbol, not a table
        exit 3: line 2: attempt to index field 'y' (a nil value)
        exit 3: line 1: this processor has no register "r77"
        exit 3: line 1: no memory at 0x00000010+0x4
        exit 3: line 2: this kernel has no symbol "no_such_function"
    "#]].assert_eq(&text);
}

#[test]
fn a_fault_leaves_the_guest_alone() {
    let finished = own("on('start', function() error('mine') end)", "start_kernel");
    assert_eq!(finished.code(), 3, "{}", finished.stderr);
    has(
        &finished.stderr,
        &["[script: own.lua:1: mine]", "own.lua: line 1: mine"],
    );
}
