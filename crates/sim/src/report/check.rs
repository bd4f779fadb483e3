//! Comparison with the data files of the report in `docs/report`.

use eyre::{Result, WrapErr as _, ensure};
use serde_json::Value;
use std::{fs, path::Path};

/// Fails and lists the differences if figures are not those of a data file of the report. Figures
/// that only one of both has, such as times, are not compared.
///
/// # Errors
///
/// If the file cannot be read, if it has none of the figures, or if one differs.
pub(crate) fn check_figures(name: &str, measured: &Value) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/report/data")
        .join(format!("{name}.json"));
    let text = fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
    let file: Value = serde_json::from_str(&text).wrap_err_with(|| path.display().to_string())?;
    let (mut compared, mut others) = (0, Vec::new());
    compare("", &file["figures"], measured, &mut compared, &mut others);
    ensure!(compared > 0, "{} has none of the measured figures", path.display());
    ensure!(
        others.is_empty(),
        "not as in the report, run cargo xtask report --measure {name}: {}",
        others.join("; ")
    );
    Ok(())
}

fn compare(
    at: &str,
    file: &Value,
    measured: &Value,
    compared: &mut usize,
    others: &mut Vec<String>,
) {
    if let (Value::Object(file), Value::Object(measured)) = (file, measured) {
        for (key, value) in file {
            if let Some(measured) = measured.get(key) {
                compare(&format!("{at}/{key}"), value, measured, compared, others);
            }
        }
        return;
    }
    *compared += 1;
    // A share that was written as text can differ in its last digit.
    let is_close = match (file.as_f64(), measured.as_f64()) {
        (Some(file), Some(measured)) => (file - measured).abs() <= 1e-12 * file.abs(),
        _ => false,
    };
    if file != measured && !is_close {
        others.push(format!("{at}: {measured}, the report has {file}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_common_figures_are_compared() {
        let differences = |file: Value, measured: Value| {
            let (mut compared, mut others) = (0, Vec::new());
            compare("", &file, &measured, &mut compared, &mut others);
            (compared, others)
        };
        let (compared, others) =
            differences(json!({"a": {"b": 1}}), json!({"a": {"b": 1, "ms": 2}}));
        assert_eq!((compared, others), (1, Vec::new()));
        let (_, others) = differences(json!({"a": {"b": 1}}), json!({"a": {"b": 2}}));
        assert_eq!(others, ["/a/b: 2, the report has 1"]);
        assert_eq!(differences(json!({"a": 1}), json!({"b": 1})).0, 0);
        assert!(differences(json!(0.10477447509765624), json!(0.10477447509765625)).1.is_empty());
        assert!(!differences(json!(0.1047), json!(0.1048)).1.is_empty());
    }
}
