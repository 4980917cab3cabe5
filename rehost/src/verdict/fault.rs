//! Finds in the kernel's own messages what went wrong.

/// A fault that the kernel reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it is, as one sentence.
    pub summary: String,
    /// Whether the kernel stopped for good.
    pub fatal: bool,
}

/// Texts that begin a report, the gravest first.
const PANIC: &str = "Kernel panic - not syncing";
const OOPS: [&str; 5] = [
    "Unable to handle kernel",
    "Internal error: ",
    "Unhandled fault: ",
    "Unhandled prefetch abort: ",
    "kernel BUG at ",
];
/// Printed by `setup_arch` for a machine number or tree that nobody claims; an
/// endless loop follows.
const UNKNOWN_MACHINE: [&str; 2] = [
    "Error: unrecognized/unsupported",
    "unrecognized/unsupported processor variant",
];
/// Lines in which an oops says where it happened.
const PLACE: [&str; 2] = ["PC is at ", "pc : "];

/// The first fault in these messages, a panic before an oops.
pub fn find(messages: &str) -> Option<Fault> {
    let lines = || messages.lines().map(clean);
    if let Some(line) = lines().find(|line| UNKNOWN_MACHINE.iter().any(|text| line.contains(text)))
    {
        let summary = format!("the kernel does not know this machine: {line}");
        return Some(Fault {
            summary,
            fatal: true,
        });
    }
    let oops = lines().find(|line| OOPS.iter().any(|text| line.contains(text)));
    let place = oops.and_then(|_| {
        lines().find_map(|line| PLACE.iter().find_map(|text| line.split(text).nth(1)))
    });
    let oops = oops.map(|line| match place {
        Some(place) => format!("{line} (at {})", place.trim()),
        None => line.to_owned(),
    });
    let panic = lines().find_map(|line| Some(line.split_once(PANIC)?.1));
    let panic = panic.map(|text| text.trim_start_matches([':', ' ']));
    match (panic, oops) {
        // "Fatal exception" is what a panic says that an oops led to.
        (Some(panic), Some(oops)) => Some(Fault {
            summary: format!("kernel panic: {panic}, after: {oops}"),
            fatal: true,
        }),
        (Some(panic), None) => Some(Fault {
            summary: format!("kernel panic: {panic}"),
            fatal: true,
        }),
        (None, Some(oops)) => Some(Fault {
            summary: format!("kernel oops: {oops}"),
            fatal: false,
        }),
        (None, None) => None,
    }
}

/// A message without what stands before it: level and time.
fn clean(line: &str) -> &str {
    let mut line = line.trim();
    if let Some(rest) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        line = rest.1;
    }
    if let Some(rest) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && rest.0.trim().parse::<f64>().is_ok()
    {
        line = rest.1;
    }
    line.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_without_an_oops() {
        let text = "[    0.9] VFS: Cannot open root device\n\
            [    0.9] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n";
        let fault = find(text).unwrap();
        assert!(fault.fatal);
        expect_test::expect!["kernel panic: VFS: Unable to mount root fs on unknown-block(0,0)"]
            .assert_eq(&fault.summary);
    }

    #[test]
    fn panic_after_an_oops_names_both_and_the_place() {
        let text = "<1>[    0.1] Unable to handle kernel NULL pointer dereference at virtual address 00000000\n\
            <0>[    0.1] Internal error: Oops: 5 [#1] ARM\n\
            <4>[    0.1] PC is at scu_get_core_count+0x10/0x1c\n\
            <0>[    0.1] Kernel panic - not syncing: Attempted to kill the idle task!\n";
        let fault = find(text).unwrap();
        expect_test::expect!["kernel panic: Attempted to kill the idle task!, after: Unable to handle kernel NULL pointer dereference at virtual address 00000000 (at scu_get_core_count+0x10/0x1c)"]
            .assert_eq(&fault.summary);
    }

    #[test]
    fn an_unknown_machine_is_final() {
        let fault = find("\nError: unrecognized/unsupported machine ID (r1 = 0x00000001).\n");
        assert!(fault.unwrap().fatal);
    }

    #[test]
    fn a_good_boot_has_no_fault() {
        assert_eq!(
            find("[    0.0] Booting Linux on physical CPU 0x0\nWelcome\n"),
            None
        );
    }
}
