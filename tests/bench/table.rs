//! Medians, ratios and the table for a person.

use serde_json::{Value, json};

use crate::peers::Peer;

/// The times of every peer for one thing, in the order of [`Peer::ALL`].
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) seconds: Vec<Vec<f64>>,
}

/// The middle one; of an even number, the mean of the middle two. 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    match (sorted.get(upper), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(middle), 1) => *middle,
        (Some(above), _) => (sorted[upper - 1] + above) / 2.0,
    }
}

impl Row {
    fn medians(&self) -> Vec<f64> {
        self.seconds.iter().map(|times| median(times)).collect()
    }

    pub(crate) fn json(&self) -> Value {
        let medians = self.medians();
        let peers =
            Peer::ALL
                .iter()
                .zip(&self.seconds)
                .zip(&medians)
                .map(|((peer, times), median)| {
                    // Below 1: ours takes less time.
                    json!({"name": peer.name(), "median_s": median, "runs_s": times,
                   "ours_relative": medians[0] / median})
                });
        json!({"what": self.what, "peers": peers.collect::<Vec<_>>()})
    }
}

/// The table: seconds of each peer, then our time as a share of theirs.
pub(crate) fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.what.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}", "median seconds");
    for peer in Peer::ALL {
        text.push_str(&format!("  {:>12}", peer.name()));
    }
    text.push_str("  ours/qemu  ours/icount\n");
    for row in rows {
        let medians = row.medians();
        text.push_str(&format!("{:width$}", row.what));
        for median in &medians {
            text.push_str(&format!("  {median:>12.2}"));
        }
        text.push_str(&format!("  {:>9.2}", medians[0] / medians[1]));
        text.push_str(&format!("  {:>11.2}\n", medians[0] / medians[2]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn ratios_are_ours_over_theirs() {
        let row = Row {
            what: "x".into(),
            seconds: vec![vec![1.0], vec![4.0], vec![2.0]],
        };
        assert!(text(&[row]).contains("0.25         0.50"));
    }
}
