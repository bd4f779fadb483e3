//! Output of the measured rows as a table and as JSON.

use super::{NANOSECONDS, TOLERANCE};
use keccak::Backend;
use serde::Serialize;
use serde_json::{Value, json};

/// Measurements of an input.
#[derive(Debug, Serialize)]
pub(super) struct MeasuredRow {
    pub(super) name: String,
    /// Fork whose rules apply, or `vectors` for real blocks and official fixtures.
    pub(super) group: String,
    pub(super) bytes: usize,
    /// Charge of the call; for a rejected call its reserve.
    pub(super) gas: u64,
    pub(super) verdict: String,
    /// Median milliseconds on the reference machine, with each Keccak.
    pub(super) ms: Vec<f64>,
    /// Median slowness of this machine, at most over the Keccaks.
    pub(super) slowness: f64,
    /// Median time over what the call pays for, with the slowest Keccak.
    pub(super) ratio: f64,
    /// The tenth and the ninetieth percentile of the same rounds.
    pub(super) spread: [f64; 2],
}

/// Prints the head of the table.
pub(super) fn print_head(backends: &[Backend]) {
    println!(
        "milliseconds on the reference machine, slowdown of this one, and for the slowest Keccak \
         nanoseconds per gas and time over price\n"
    );
    print!("  {:<60}{:>10}{:>12}", "", "bytes", "gas");
    for backend in backends {
        print!("{:>10}", format!("{backend:?}"));
    }
    println!("{:>8}{:>9}{:>7}", "slower", "ns/gas", "ratio");
}

impl MeasuredRow {
    /// Prints the row.
    pub(super) fn print(&self) {
        print!("  {:<60}{:>10}{:>12}", self.name, self.bytes, self.gas);
        for ms in &self.ms {
            print!("{ms:>10.3}");
        }
        let per_gas = self.ratio * NANOSECONDS;
        println!("{:>8.2}{per_gas:>9.2}{:>7.2}  {}", self.slowness, self.ratio, self.verdict);
    }
}

/// Returns all rows, and the largest ratio of each group.
pub(super) fn document(rows: &[MeasuredRow]) -> Value {
    let most = |rows: &mut dyn Iterator<Item = &MeasuredRow>| {
        rows.max_by(|a, b| a.ratio.total_cmp(&b.ratio))
            .map(|row| json!({ "name": row.name, "group": row.group, "ratio": row.ratio }))
    };
    let real = |row: &&MeasuredRow| {
        ["mainnet", "sepolia", "hoodi"].iter().any(|network| row.name.starts_with(network))
    };
    // Of F-05 in docs/report.
    let shared = |row: &&MeasuredRow| row.name.starts_with("SSTORE below");
    let worst_shared = rows.iter().filter(shared).max_by(|a, b| a.ratio.total_cmp(&b.ratio));
    json!({
        "inputs": rows.len(),
        "above_tolerance": rows.iter().filter(|row| row.ratio > TOLERANCE).count(),
        "tolerance": TOLERANCE,
        "nanoseconds_per_gas": NANOSECONDS,
        "worst": most(&mut rows.iter()),
        "worst_shared": worst_shared,
        "worst_real": most(&mut rows.iter().filter(real)),
        "slowness_most": rows.iter().map(|row| row.slowness).fold(1.0, f64::max),
        "rows": rows,
    })
}
