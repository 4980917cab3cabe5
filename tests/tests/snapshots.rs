//! Runs that go on from a snapshot are the runs that were not interrupted, to the
//! instruction and to the byte of the console; and so is every run of the same.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests::command::Finished;
use tests::{command, fixtures};

/// Far more than a run takes; a loaded machine may be slow.
const LIMIT: Duration = Duration::from_secs(180);

fn ecmo(arguments: &[&str]) -> Finished {
    command::run(command::ecmo().args(arguments), LIMIT)
}

/// The report of a run that has to reach its goal.
fn report(arguments: &[&str]) -> Value {
    let finished = ecmo(&[arguments, &["--json", "-"]].concat());
    assert_eq!(finished.code(), 0, "{arguments:?}: {}", finished.stderr);
    finished.json()
}

/// What must be the same: everything but the host's time.
fn result(mut report: Value) -> Value {
    report["wall_s"].take();
    for milestone in report["milestones"].as_array_mut().expect("milestones") {
        milestone["wall_s"].take();
    }
    report
}

const TYPED: &str = "echo $((6 * 7))\ncat /proc/interrupts\nsleep 1; date\nls -l /proc/1/\n";

/// One kernel for each instruction set.
fn kernels() -> Vec<String> {
    [("debian-marvell", "vmlinuz"), ("bcm5301x-6.1", "zImage")]
        .map(|(name, file)| fixtures::kernel(name, file).display().to_string())
        .to_vec()
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a name in UTF-8")
}

#[test]
fn a_run_from_a_file_is_the_run_that_was_not_interrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let typed = folder.path().join("typed");
    std::fs::write(&typed, TYPED).expect("a file");
    let to_shell = ["--until", "shell", "--input", path(&typed)];
    for kernel in kernels() {
        let run = [&["run", &kernel, "--initrd", "builtin"], &to_shell[..]].concat();
        let straight = result(report(&run));
        for milestone in ["entered", "start_kernel", "userspace", "shell"] {
            let file = folder.path().join(milestone);
            let keep = ["--snapshot-at", milestone, "--snapshot", path(&file)];
            // Keeping it changes nothing.
            assert_eq!(result(report(&[&run, &keep[..]].concat())), straight);
            let from = [&["run", "--from", path(&file)], &to_shell[..]].concat();
            let resumed = result(report(&from));
            assert_eq!(resumed, straight, "{kernel} from {milestone}");
        }
    }
}

#[test]
fn the_same_run_is_the_same_ten_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let typed = folder.path().join("typed");
    std::fs::write(&typed, TYPED).expect("a file");
    let [kernel, _] = &kernels()[..] else {
        unreachable!("two kernels");
    };
    let run = ["run", kernel, "--until", "shell", "--input", path(&typed)];
    let runs: Vec<Value> = (0..10).map(|_| result(report(&run))).collect();
    for other in &runs[1..] {
        assert_eq!(other, &runs[0]);
    }
}

#[test]
fn files_that_are_no_snapshots_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("some.snapshot");
    let mut text = String::new();
    for bytes in [
        &b""[..],
        b"\x7fELF",
        b"ECMOSNAP\x63\0\0\0\0\0\0\0",
        b"ECMOSNAP",
    ] {
        let mut bytes = bytes.to_vec();
        if bytes.len() == 16 {
            bytes.resize(64, 0);
        }
        std::fs::write(&file, bytes).expect("a file");
        let output = ecmo(&["run", "--from", path(&file), "--until", "shell"]);
        assert_eq!(output.code(), 3);
        text += &output.stderr.replace(path(&file), "FILE");
    }
    expect_test::expect![[r#"
        ecmo: FILE: not a snapshot: byte 0x0 should be ECMOSNAP
        ecmo: FILE: not a snapshot: byte 0x0 should be ECMOSNAP
        ecmo: FILE: byte 0x8: the snapshot has format 99, and this program reads format 2
        ecmo: FILE: byte 0x8: the file ends within the header
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_replay_is_the_recorded_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (typed, record, kept) = (file("typed"), file("record"), file("kept"));
    std::fs::write(&typed, TYPED).expect("a file");
    let end = ["--until", "shell"];
    let input = ["--input", path(&typed), "--record", path(&record)];
    let replay = ["--replay", path(&record)];
    for kernel in kernels() {
        let run = [&["run", &kernel], &end[..]].concat();
        let keep = ["--snapshot-at", "shell", "--snapshot", path(&kept)];
        let recorded = result(report(&[&run, &input[..], &keep].concat()));
        assert_eq!(result(report(&[&run, &replay[..]].concat())), recorded);

        // From a snapshot, too; but a record of the one is none of the other.
        let from = [&["run", "--from", path(&kept)], &end[..]].concat();
        let foreign = ecmo(&[&from, &replay[..]].concat());
        assert_eq!(foreign.code(), 3, "{}", foreign.stderr);
        let recorded = result(report(&[&from, &input[..]].concat()));
        assert_eq!(result(report(&[&from, &replay[..]].concat())), recorded);
    }
}
