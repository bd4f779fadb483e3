//! Comparison with the table in docs/dialects.md.

use super::Form;
use eyre::{Result, ensure};
use std::collections::BTreeSet;
use testkit::localnet::units::grouped;
use variants::DialectName;

const DOCUMENT: &str = include_str!("../../../../docs/dialects.md");
/// Header row of the table.
pub(super) const HEAD: &str = "| block | form | bytes | blobs | gas on L1 | ms | nearest limit |";
/// Column of the time.
const TIME: usize = 5;
/// Column of the dialects.
const DIALECTS: usize = 1;
/// Separator of dialects that share a row.
pub(super) const AND: &str = ", ";

/// Fails and lists the differences if measured rows are not in the document. Times are not
/// compared.
///
/// If the forms `are_all`, rows in the document without a measurement are an error too.
pub(super) fn check(forms: &[Form], are_all: bool) -> Result<()> {
    let documented = rows(DOCUMENT);
    ensure!(!documented.is_empty(), "docs/dialects.md has no table of figures");
    let with_row = forms.iter().filter(|form| has_row(form));
    let measured: BTreeSet<_> = with_row.map(|form| form.cells().to_vec()).collect();
    let others: Vec<_> = measured.difference(&documented).map(|row| row.join(", ")).collect();
    ensure!(others.is_empty(), "not as in docs/dialects.md: {}", others.join("; "));
    let unmeasured: Vec<_> = documented.difference(&measured).map(|row| row.join(", ")).collect();
    ensure!(
        !are_all || unmeasured.is_empty(),
        "in docs/dialects.md without a measurement: {}",
        unmeasured.join("; ")
    );
    if let Some(sentence) = surplus_of_drake(forms).filter(|_| are_all) {
        let text = DOCUMENT.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(text.contains(&sentence), "not in docs/dialects.md: {sentence}");
    }
    Ok(())
}

/// Returns `true` if the table has the form: a sentence compares those in Drake's dialect.
pub(super) fn has_row(form: &Form) -> bool {
    form.dialect != DialectName::Drake
}

/// Returns what blocks need more in Drake's dialect than in `specs`, as the document says it.
fn surplus_of_drake(forms: &[Form]) -> Option<String> {
    let of = |dialect| forms.iter().filter(move |form| form.dialect == dialect);
    let pairs = of(DialectName::Drake).filter_map(|drake| {
        let specs = of(DialectName::Specs).find(|specs| specs.block == drake.block)?;
        Some((drake.bytes.checked_sub(specs.bytes)?, drake.gas.checked_sub(specs.gas)?))
    });
    let (bytes, gas): (Vec<_>, Vec<_>) = pairs.unzip();
    let (minimum, maximum) = (bytes.iter().min()?, bytes.iter().max()?);
    let gas = grouped(*gas.iter().max()?);
    Some(format!("{minimum} to {maximum} bytes and at most {gas} gas more than `specs`"))
}

/// Returns the rows of the table without the time, one per dialect.
fn rows(document: &str) -> BTreeSet<Vec<String>> {
    let table = document.lines().skip_while(|line| *line != HEAD);
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let mut cells: Vec<_> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.remove(TIME.min(cells.len() - 1));
        cells
    };
    let of_each = |cells: Vec<String>| {
        let dialects = cells.get(DIALECTS).cloned().unwrap_or_default();
        let dialects: Vec<_> = dialects.split(AND).map(str::to_owned).collect();
        dialects.into_iter().map(move |dialect| {
            let mut cells = cells.clone();
            if let Some(cell) = cells.get_mut(DIALECTS) {
                *cell = dialect;
            }
            cells
        })
    };
    rows.map(cells).flat_map(of_each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{json_of, measure},
        report::check_figures,
    };

    #[test]
    fn documented_table_matches_input_form_costs() {
        let with_real = testkit::vectors::folder().unwrap().is_some();
        let mut forms = measure(with_real).unwrap();
        check(&forms, with_real).unwrap();
        check_figures("dialects", &json_of(&forms)).unwrap();
        assert!(
            check(&forms[1..], true).is_err(),
            "a documented row without a measurement must be an error"
        );
        forms[0].gas += 1;
        assert!(check(&forms, with_real).is_err(), "another figure must be an error");
    }
}
