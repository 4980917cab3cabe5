//! The table: a line for each image, the totals, and the reasons.

use crate::outcome::Outcome;

/// Before and after the table in a file that has one.
const MARKS: [&str; 2] = [
    "<!-- made by cargo xtask corpus -->\n",
    "<!-- end of what cargo xtask corpus made -->\n",
];
/// Characters of a reason.
const LONGEST_REASON: usize = 200;

/// One image.
pub(crate) struct Row {
    pub(crate) name: String,
    /// With the names that the kernel has in it.
    pub(crate) named: Outcome,
    /// Without any.
    pub(crate) stripped: Outcome,
}

/// Milestone, seconds, and what it took.
fn cells(outcome: &Outcome) -> String {
    let milestone = match outcome.milestone.as_str() {
        "" => return "not started | |".to_owned(),
        "shell" if !outcome.answered => "shell (no answer)",
        milestone => milestone,
    };
    format!(
        "{milestone} | {:.1} | {} / {}",
        outcome.seconds, outcome.tried, outcome.left_out
    )
}

/// One row of the table.
pub(crate) fn line(row: &Row) -> String {
    format!(
        "| {} | {} | {} |",
        row.name,
        cells(&row.named),
        cells(&row.stripped)
    )
}

/// The whole text, as Markdown.
pub(crate) fn text(rows: &[Row]) -> String {
    let shells = |of: fn(&Row) -> &Outcome| rows.iter().filter(|row| of(row).is_shell()).count();
    let mut text = format!(
        "Of {} images, {} come to a shell that answers with the kernel's own names, {} without any.\n\n",
        rows.len(),
        shells(|row| &row.named),
        shells(|row| &row.stripped),
    );
    text.push_str(
        "| image | with names | s | tried / left out | without | s | tried / left out |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    let mut reasons = String::new();
    for row in rows {
        for (outcome, how) in [(&row.named, "with names"), (&row.stripped, "without")] {
            if !outcome.is_shell() {
                let reason = short(&outcome.reason);
                reasons.push_str(&format!("* {}, {how}: {reason}\n", row.name));
            }
        }
    }
    if !reasons.is_empty() {
        text.push_str("\nWhy not:\n\n");
        text.push_str(&reasons);
    }
    text
}

/// The beginning of a reason, on one line.
fn short(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None if line.is_empty() => "the command was not answered".to_owned(),
        None => line,
    }
}

/// A file's text with the table between its marks replaced; `None` without them.
pub(crate) fn replaced(file: &str, table: &str) -> Option<String> {
    let start = file.find(MARKS[0])? + MARKS[0].len();
    let end = start + file.get(start..)?.find(MARKS[1])?;
    Some(format!("{}{table}{}", &file[..start], &file[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(milestone: &str, answered: bool, reason: &str) -> Outcome {
        Outcome {
            milestone: milestone.to_owned(),
            answered,
            seconds: 1.25,
            tried: 2,
            left_out: 3,
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn each_image_has_a_line_and_each_failure_its_reason() {
        let rows = [
            Row {
                name: "a".to_owned(),
                named: outcome("shell", true, ""),
                stripped: outcome("shell", false, ""),
            },
            Row {
                name: "b".to_owned(),
                named: outcome("first_tick", false, "the kernel\nloops"),
                stripped: outcome("", false, "no pointer"),
            },
        ];
        expect_test::expect![[r#"
            Of 2 images, 1 come to a shell that answers with the kernel's own names, 0 without any.

            | image | with names | s | tried / left out | without | s | tried / left out |
            |---|---|---|---|---|---|---|
            | a | shell | 1.2 | 2 / 3 | shell (no answer) | 1.2 | 2 / 3 |
            | b | first_tick | 1.2 | 2 / 3 | not started | | |

            Why not:

            * a, without: the command was not answered
            * b, with names: the kernel loops
            * b, without: no pointer
        "#]]
        .assert_eq(&text(&rows));
    }

    #[test]
    fn a_table_replaces_the_one_between_the_marks() {
        let file = format!("before\n{}old\n{}after\n", MARKS[0], MARKS[1]);
        let new = replaced(&file, "new\n");
        let wanted = format!("before\n{}new\n{}after\n", MARKS[0], MARKS[1]);
        assert_eq!(new.as_deref(), Some(wanted.as_str()));
        assert_eq!(replaced("no marks", "new"), None);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let cut = short(&"ä".repeat(LONGEST_REASON + 1));
        assert_eq!(cut.chars().count(), LONGEST_REASON + 4);
    }
}
