//! `cargo xtask coverage`: coverage of the contracts by their tests.
//!
//! forge measures coverage with the optimizer disabled, because optimised code has no line mapping.
//! The gas of such code is meaningless, so the tests in `test/gas` are excluded.

use std::path::Path;

use eyre::{OptionExt as _, Result, ensure};
use toolchain::{Toolchain, progress_to_stderr};

use crate::{built::BUILD_ENSHRINE, command};

/// Minimum shares of lines and of branches, in percent.
const MINIMUM: [f64; 2] = [98.0, 95.0];

/// Runs the tests and measures coverage. Fails if `contracts/` is covered insufficiently.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    command::cargo(root, &BUILD_ENSHRINE)?;
    let mut forge = tools.forge_command();
    forge
        .args(["coverage", "--no-match-path", "test/gas/*", "--report", "summary"])
        .args(["--no-match-coverage", "^(lib|node_modules|script|test)/"])
        // A separate build, which does not deny warnings.
        .env("FOUNDRY_OUT", "target/coverage/out")
        .env("FOUNDRY_CACHE_PATH", "target/coverage/cache")
        .env("FOUNDRY_DENY", "never");
    let said = String::from_utf8(command::output(&mut forge)?)?;
    println!("{said}");
    let shares = shares(&said).ok_or_eyre("forge prints no total")?;
    let is_enough = shares.iter().zip(MINIMUM).all(|(share, minimum)| *share >= minimum);
    let [lines, branches] = MINIMUM;
    ensure!(is_enough, "at least {lines} % of lines and {branches} % of branches are expected");
    Ok(())
}

/// Reads the shares of lines and branches of all files from forge's table, in percent.
fn shares(table: &str) -> Option<[f64; 2]> {
    let total = table.lines().find(|line| line.starts_with("| Total "))?;
    // Lines, statements, branches, functions: `98.32% (1234/1255)`.
    let share = |column| total.split('|').nth(column)?.split_once('%')?.0.trim().parse().ok();
    Some([share(2)?, share(4)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn total_of_lines_and_branches_is_read() {
        let table = "| File | % Lines | % Statements | % Branches | % Funcs |\n\
                     | contracts/A.sol | 1.00% (1/100) | 2.00% (2/100) | 3.00% (3/100) | 4.00% (4/100) |\n\
                     | Total           | 98.50% (197/200) | 97.00% (97/100) | 95.25% (381/400) | 100.00% (9/9) |\n";
        assert_eq!(shares(table), Some([98.5, 95.25]));
        assert_eq!(shares("| File | % Lines |\n"), None);
    }
}
