//! What came of one boot, from the report of `ecmo run`.

use serde_json::Value;

/// Typed at the prompt. The sleep twice: a kernel that still tests its ciphers when the
/// shell comes, without letting another go first, answers the first one late.
pub(crate) const TYPED: &str = "echo $((6*7))\ntime sleep 1\ntime sleep 1\ncat /proc/interrupts\n";
/// The line that answers the first.
const ANSWER: &str = "42";
/// How a sleep says that a second of virtual time has passed: to a tenth.
const SECOND: &str = "real 0m 1.0";
/// What the last says has interrupted: the timer, and the UART by the name that
/// our driver or the kernel's own gives it.
const TIMER: &[&str] = &["sp804"];
const UART: &[&str] = &["ttyS0", "serial"];

/// One boot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The last milestone; empty when nothing ran.
    pub(crate) milestone: String,
    /// Whether all that was typed was answered as it should be.
    pub(crate) answered: bool,
    /// Wall time of the whole command.
    pub(crate) seconds: f64,
    /// Boots before this one.
    pub(crate) tried: usize,
    /// Parts of the kernel that it had to do without.
    pub(crate) left_out: usize,
    /// Why there is no shell; empty when there is one.
    pub(crate) reason: String,
}

impl Outcome {
    /// From the report.
    pub(crate) fn of(report: &Value) -> Self {
        let count = |key: &str| report[key].as_array().map_or(0, Vec::len);
        let console = report["console"].as_str().unwrap_or_default();
        Self {
            milestone: report["verdict"].as_str().unwrap_or_default().to_owned(),
            answered: answered(console),
            seconds: report["wall_s"].as_f64().unwrap_or_default(),
            tried: count("tried"),
            left_out: count("left_out"),
            reason: report["reason"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// Of a command that left no report.
    pub(crate) fn failed(message: &str) -> Self {
        Self {
            milestone: String::new(),
            answered: false,
            seconds: 0.0,
            tried: 0,
            left_out: 0,
            reason: message.trim().to_owned(),
        }
    }

    /// Whether it came to a shell that answers.
    pub(crate) fn is_shell(&self) -> bool {
        self.milestone == "shell" && self.answered
    }
}

/// Whether the shell calculates, a second takes a second at least once, and timer and UART count
/// their interrupts.
fn answered(console: &str) -> bool {
    let lines = || {
        console
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
    };
    // `  4:        101     PL190  sp804`
    let counts = |names: &[&str]| {
        lines().any(|words| match words[..] {
            [number, count, .., name] => {
                let of_line = number.strip_suffix(':').map(str::parse::<u32>);
                let count = count.parse::<u64>();
                matches!((of_line, count), (Some(Ok(_)), Ok(1..))) && names.contains(&name)
            }
            _ => false,
        })
    };
    lines().any(|words| words[..] == [ANSWER])
        && lines().any(|words| words.join(" ").starts_with(SECOND))
        && counts(TIMER)
        && counts(UART)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shell_is_one_that_answers() {
        let report = |console: &str| {
            Outcome::of(&json!({
                "verdict": "shell", "console": console, "wall_s": 1.5,
                "tried": [{}, {}], "left_out": [{}], "reason": null,
            }))
        };
        const WHOLE: &str = "# echo $((6*7))\r\n42\r\nreal\t0m 1.00s\r\n\
             \x20 4:        101     PL190  sp804\r\n  5:  65  PL190  Level  ttyS0\r\n# ";
        let answers = report(WHOLE);
        assert!(answers.is_shell());
        assert_eq!((answers.tried, answers.left_out), (2, 1));
        for (what, instead) in [
            ("42\r", "43\r"),
            ("1.00s", "7.00s"),
            ("101", "0"),
            ("ttyS0", "i2c"),
            ("65", "x"),
        ] {
            assert!(!report(&WHOLE.replace(what, instead)).is_shell(), "{what}");
        }
        assert!(!report("").is_shell());
    }

    #[test]
    fn what_did_not_run_has_no_milestone() {
        let outcome = Outcome::failed("ecmo: no kernel\n");
        assert!(!outcome.is_shell());
        assert_eq!(outcome.reason, "ecmo: no kernel");
        assert_eq!(Outcome::of(&json!({"verdict": null})).milestone, "");
    }
}
