//! `cargo xtask coverage`: coverage of the contracts by their tests.
//!
//! forge measures coverage with the optimizer disabled, because optimised code has no line mapping.
//! The gas of such code is meaningless, so the tests in `test/gas` are excluded. The report is
//! written below `target/`.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use eyre::{WrapErr as _, bail};
use toolchain::{Toolchain, progress_to_stderr};

use crate::built::BUILD_ENSHRINE;

/// Minimum share of lines, in percent.
const LINES: f64 = 98.0;

/// Minimum share of branches, in percent.
const BRANCHES: f64 = 95.0;

/// Runs the tests and measures coverage. Returns `true` if `contracts/` is covered sufficiently.
pub(crate) fn run(root: &Path) -> eyre::Result<bool> {
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    let built = toolchain::cargo().args(BUILD_ENSHRINE).current_dir(root).status()?;
    if !built.success() {
        bail!("the helper that the tests call does not build: {built}");
    }
    let dir = root.join("target").join("coverage");
    fs::create_dir_all(&dir).wrap_err_with(|| format!("cannot make {}", dir.display()))?;
    let report = dir.join("lcov.info");
    let _ = fs::remove_file(&report);
    let status = tools
        .forge_command()
        .current_dir(root)
        .args(["coverage", "--no-match-path", "test/gas/*", "--report", "lcov", "--report-file"])
        .arg(&report)
        // A separate build, which does not deny warnings.
        .env("FOUNDRY_OUT", "target/coverage/out")
        .env("FOUNDRY_CACHE_PATH", "target/coverage/cache")
        .env("FOUNDRY_DENY", "never")
        .status()
        .wrap_err("cannot run forge")?;
    if !status.success() {
        bail!("the tests fail when their coverage is counted: {status}");
    }
    let text = fs::read_to_string(&report)
        .wrap_err_with(|| format!("forge has left no report at {}", report.display()))?;
    let files = read(&text)?;
    let mut all = Counts::default();
    println!("\n{:<48} {:>18} {:>18}", "", "lines", "branches");
    for (file, counts) in &files {
        println!("{file:<48} {counts}");
        all.lines.add(counts.lines);
        all.branches.add(counts.branches);
    }
    println!("{:<48} {all}", "all");
    let enough = all.lines.percent() >= LINES && all.branches.percent() >= BRANCHES;
    if !enough {
        println!("at least {LINES} % of lines and {BRANCHES} % of branches are expected");
    }
    Ok(enough)
}

/// Number of lines or branches, and the number that tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    hit: u32,
    found: u32,
}

impl Share {
    const fn count(&mut self, hit: bool) {
        self.found += 1;
        self.hit += hit as u32;
    }

    const fn add(&mut self, other: Self) {
        self.found += other.found;
        self.hit += other.hit;
    }

    /// Returns the covered share in percent; 100 if there is nothing to cover.
    fn percent(self) -> f64 {
        if self.found == 0 { 100.0 } else { 100.0 * f64::from(self.hit) / f64::from(self.found) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6.2} % {:>9}", self.percent(), format!("{}/{}", self.hit, self.found))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    lines: Share,
    branches: Share,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.lines, self.branches)
    }
}

/// Reads the counts of each file below `contracts/` from an lcov report.
fn read(report: &str) -> eyre::Result<BTreeMap<&str, Counts>> {
    let mut files = BTreeMap::new();
    let mut file = "";
    for line in report.lines() {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        if key == "SF" {
            file = value;
        }
        if !file.starts_with("contracts/") {
            continue;
        }
        let counts: &mut Counts = files.entry(file).or_default();
        // `DA:line,times` and `BRDA:line,block,branch,times`, where "-" means never.
        let hit = value.rsplit(',').next().is_some_and(|times| times != "0" && times != "-");
        match key {
            "DA" => counts.lines.count(hit),
            "BRDA" => counts.branches.count(hit),
            _ => {}
        }
    }
    if files.is_empty() {
        bail!("the report of forge names no file below contracts/");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_counted_per_contract_file() {
        let report = "TN:\nSF:contracts/A.sol\nDA:1,7\nDA:2,0\nBRDA:2,0,0,-\nBRDA:2,0,1,3\n\
                      BRDA:3,1,0,0\nend_of_record\nTN:\nSF:test/A.t.sol\nDA:1,0\nend_of_record\n\
                      SF:contracts/B.sol\nDA:9,1\nend_of_record\n";
        let files = read(report).unwrap();
        assert_eq!(files.len(), 2);
        let a = files["contracts/A.sol"];
        assert_eq!(a.lines, Share { hit: 1, found: 2 });
        assert_eq!(a.branches, Share { hit: 1, found: 3 });
        let b = files["contracts/B.sol"];
        assert!((b.lines.percent() - 100.0).abs() < f64::EPSILON);
        assert!((b.branches.percent() - 100.0).abs() < f64::EPSILON);
        assert!(read("SF:test/A.t.sol\nDA:1,1\nend_of_record\n").is_err());
    }
}
