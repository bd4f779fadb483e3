//! Comparison with the figures in docs/gas.md.

use super::figures::Figures;
use crate::report::check_figures;
use eyre::{OptionExt, Result, bail, ensure};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../../docs/gas.md");

/// A column of the table, i.e. the measured L2.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// 10,000 accounts, with full history ring buffers.
    TenThousand,
    /// 10,000 accounts, a few blocks after genesis.
    Young,
    /// 1,000,000 accounts, with full history ring buffers.
    Million,
    /// 10 accounts, a few blocks after genesis.
    New,
}

impl Column {
    pub(crate) fn of(accounts: usize, is_young: bool) -> Result<Self> {
        match (accounts, is_young) {
            (10_000, false) => Ok(Self::TenThousand),
            (10_000, true) => Ok(Self::Young),
            (1_000_000, false) => Ok(Self::Million),
            (10, true) => Ok(Self::New),
            _ => bail!(
                "docs/gas.md has no figures for an L2 with {accounts} accounts and these options"
            ),
        }
    }
}

/// Fails and lists the differences if figures are not those of the document.
pub(crate) fn check(figures: &Figures, column: Column) -> Result<()> {
    let measured = figures.json();
    let mut others = Vec::new();
    let mut compared = 0;
    for (key, cell) in cells(column) {
        let value = measured
            .get(key)
            .ok_or_eyre(format!("docs/gas.md has {key}, which is not measured"))?;
        let got = written(value)?;
        // Calls and bytes follow in parentheses.
        let documented = cell.split(" (").next().unwrap_or(cell);
        if got != documented {
            others.push(format!("{key}: {got}, documented: {documented}"));
        }
        compared += 1;
    }
    ensure!(compared > 0, "docs/gas.md has no table of figures");
    ensure!(others.is_empty(), "not as in docs/gas.md: {}", others.join("; "));
    println!("{compared} figures are those of docs/gas.md");
    if matches!(column, Column::TenThousand) {
        check_figures("economics", &measured.into())?;
    }
    Ok(())
}

/// Returns the keys of the table, each with its cell in this column.
fn cells(column: Column) -> impl Iterator<Item = (&'static str, &'static str)> {
    let table =
        DOCUMENT.lines().skip_while(|line| !line.starts_with("| L1 gas for each L2 transaction"));
    table.skip(2).take_while(|line| line.starts_with('|')).filter_map(move |row| {
        let mut cells = row.split('|').skip(2).map(str::trim);
        let key = cells.next()?.trim_matches('`');
        Some((key, cells.nth(column as usize)?))
    })
}

/// Formats a figure as in the document: a share in per cent, gas, or a dash for none.
fn written(figure: &Value) -> Result<String> {
    if figure.is_null() {
        return Ok("–".to_owned());
    }
    if let Some(gas) = figure.as_u64() {
        let digits = gas.to_string();
        let groups: Vec<_> =
            digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
        return Ok(groups.join(","));
    }
    let share = figure.as_f64().ok_or_eyre(format!("{figure} is not a figure"))?;
    Ok(format!("{:.1} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::economics::{ACCOUNTS, Past, account, compositions, json_of};
    use variants::GasSchedule;

    #[test]
    fn documented_figures_match_transaction_costs() {
        let holders = (0..ACCOUNTS).map(|index| account(index).address()).collect();
        let past = Past { holders, is_young: false };
        let figures = Figures::measure(GasSchedule::DEFAULT, &past).unwrap();
        check(&figures, Column::TenThousand).unwrap();
        assert!(check(&figures, Column::Young).is_err(), "other figures must be an error");
    }

    #[test]
    fn report_has_parts_of_inputs() {
        let holders = (0..ACCOUNTS).map(|index| account(index).address()).collect();
        let past = Past { holders, is_young: false };
        check_figures("bytes", &json_of(&compositions(&past).unwrap())).unwrap();
    }
}
