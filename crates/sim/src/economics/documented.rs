//! The figures as docs/gas.md gives them.

use super::figures::Figures;
use eyre::{OptionExt, Result, bail, ensure};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../../docs/gas.md");

/// A column of the table: which L2 its figures are of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// Ten thousand accounts, with full history rings.
    TenThousand,
    /// Ten thousand accounts, some blocks after genesis.
    Young,
    /// A million accounts, with full history rings.
    Million,
    /// Ten accounts, some blocks after genesis.
    New,
}

impl Column {
    pub(crate) fn of(accounts: usize, is_young: bool) -> Result<Self> {
        match (accounts, is_young) {
            (10_000, false) => Ok(Self::TenThousand),
            (10_000, true) => Ok(Self::Young),
            (1_000_000, false) => Ok(Self::Million),
            (10, true) => Ok(Self::New),
            _ => bail!("docs/gas.md has no figures of an L2 of {accounts} accounts like this one"),
        }
    }
}

/// Fails, naming each of them, if figures are not those of the document.
pub(crate) fn check(figures: &Figures, column: Column) -> Result<()> {
    let measured = figures.json();
    let mut others = Vec::new();
    let mut compared = 0;
    for (key, cell) in cells(column) {
        let value = measured
            .get(key)
            .ok_or_eyre(format!("docs/gas.md has {key}, which is not measured"))?;
        let got = written(value)?;
        // What follows in parentheses are calls and bytes.
        let documented = cell.split(" (").next().unwrap_or(cell);
        if got != documented {
            others.push(format!("{key}: {got}, documented: {documented}"));
        }
        compared += 1;
    }
    ensure!(compared > 0, "docs/gas.md has no table of figures");
    ensure!(others.is_empty(), "not as in docs/gas.md: {}", others.join("; "));
    println!("{compared} figures are those of docs/gas.md");
    Ok(())
}

/// The keys of the table, each with what stands in this column.
fn cells(column: Column) -> impl Iterator<Item = (&'static str, &'static str)> {
    let table =
        DOCUMENT.lines().skip_while(|line| !line.starts_with("| L1 gas for each L2 transaction"));
    table.skip(2).take_while(|line| line.starts_with('|')).filter_map(move |row| {
        let mut cells = row.split('|').skip(2).map(str::trim);
        let key = cells.next()?.trim_matches('`');
        Some((key, cells.nth(column as usize)?))
    })
}

/// A figure as it is written there: a share in per cent, or gas; a dash if there is none.
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
    let share = figure.as_f64().ok_or_eyre(format!("{figure} is no figure"))?;
    Ok(format!("{:.1} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::economics::{ACCOUNTS, Past, account};
    use variants::GasSchedule;

    #[test]
    fn documented_figures_match_transaction_costs() {
        let people = (0..ACCOUNTS).map(|index| account(index).address()).collect();
        let past = Past { people, is_young: false };
        let figures = Figures::measure(GasSchedule::DEFAULT, &past).unwrap();
        check(&figures, Column::TenThousand).unwrap();
        assert!(check(&figures, Column::Young).is_err(), "any figures are those of the document");
    }
}
