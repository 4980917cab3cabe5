//! What came of one boot, from the report of `ecmo run`.

use serde_json::Value;

/// Typed at the prompt.
pub(crate) const TYPED: &str = "echo $((6*7))\n";
/// The line that answers it.
const ANSWER: &str = "42";

/// One boot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The last milestone; empty when nothing ran.
    pub(crate) milestone: String,
    /// Whether a typed command was answered.
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
            answered: console.lines().any(|line| line.trim() == ANSWER),
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
        let answers = report("# echo $((6*7))\r\n42\r\n# ");
        assert!(answers.is_shell());
        assert_eq!((answers.tried, answers.left_out), (2, 1));
        assert!(!report("# echo $((6*7))\r\n").is_shell());
    }

    #[test]
    fn what_did_not_run_has_no_milestone() {
        let outcome = Outcome::failed("ecmo: no kernel\n");
        assert!(!outcome.is_shell());
        assert_eq!(outcome.reason, "ecmo: no kernel");
        assert_eq!(Outcome::of(&json!({"verdict": null})).milestone, "");
    }
}
