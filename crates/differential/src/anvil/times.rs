//! Response times of each method on the two nodes.

use crate::anvil::{Record, play::median};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// Ratio of the medians above which a method is listed.
const NOTABLE: f64 = 1.3;

/// Returns a table of the methods for which the subject is slower, slowest first: the median time
/// of both nodes over all requests with the same name, in milliseconds.
pub fn slower(records: &[Record], name: impl Fn(&Record) -> String) -> String {
    let mut methods: BTreeMap<String, [Vec<Duration>; 2]> = BTreeMap::new();
    for record in records {
        let times = methods.entry(name(record)).or_default();
        times.iter_mut().zip(record.times).for_each(|(times, time)| times.push(time));
    }
    let mut rows: Vec<_> = methods
        .into_iter()
        .map(|(method, times)| (method, times[0].len(), times.map(median)))
        .map(|(method, count, [reference, subject])| (method, count, reference, subject))
        .filter(|(_, _, reference, subject)| *subject > reference.mul_f64(NOTABLE))
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
        let table = slower(&records, |record| record.method.clone());
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(rows, ["| `slowest` | 1 | 0.50 | 9.50 |", "| `slow` | 1 | 1.00 | 3.00 |"]);
    }
}
