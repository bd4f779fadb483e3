//! Response times of each method on the two nodes.

use crate::anvil::Record;
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// Minimum difference of the medians for a method to be listed.
const NOTABLE: Duration = Duration::from_micros(300);

/// Returns a table of the methods for which the subject is slower, slowest first: the median time
/// of both nodes over all requests of the method, in milliseconds.
pub fn slower(records: &[Record]) -> String {
    let mut methods: BTreeMap<&str, Vec<[Duration; 2]>> = BTreeMap::new();
    for record in records {
        methods.entry(&record.method).or_default().push(record.times);
    }
    let median = |times: &[[Duration; 2]], node: usize| {
        let mut times: Vec<_> = times.iter().map(|both| both[node]).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let mut rows: Vec<_> = methods
        .iter()
        .map(|(method, times)| (*method, times.len(), median(times, 0), median(times, 1)))
        .filter(|(_, _, reference, subject)| *subject > *reference + NOTABLE)
        .collect();
    rows.sort_by_key(|(_, _, reference, subject)| std::cmp::Reverse(*subject - *reference));
    let mut text = String::from(
        "| method | requests | stock anvil, ms | the devnet, ms |\n|---|---|---|---|\n",
    );
    for (method, count, reference, subject) in rows {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (reference, subject) = (ms(reference), ms(subject));
        let _ = writeln!(text, "| `{method}` | {count} | {reference:.2} | {subject:.2} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn slower_methods_are_listed_by_median() {
        let record = |method: &str, reference, subject| Record {
            script: String::new(),
            line: 0,
            method: method.to_owned(),
            params: String::new(),
            answer: Value::Null,
            differences: Vec::new(),
            times: [reference, subject].map(Duration::from_micros),
        };
        let records = [
            record("slow", 1_000, 3_000),
            // One outlier does not affect the median.
            record("equal", 1_000, 1_000),
            record("equal", 1_000, 90_000),
            record("equal", 1_000, 1_100),
            record("slowest", 500, 9_500),
            record("quick", 9_000, 1_000),
        ];
        let table = slower(&records);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(rows, ["| `slowest` | 1 | 0.50 | 9.50 |", "| `slow` | 1 | 1.00 | 3.00 |"]);
    }
}
