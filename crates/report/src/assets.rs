//! Files that the EIP's authors may include below `assets/eip-8079`.

use crate::measure;
use enshrine_report::{FOLDER, Report};
use eyre::{OptionExt as _, Result, WrapErr as _};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

const LICENCE: &str = "Copyright and related rights waived via CC0: \
    https://creativecommons.org/publicdomain/zero/1.0/\n";

/// Writes vectors, data files as CSV, and the table of the draft's open places.
pub(crate) fn write(root: &Path, report: &Report) -> Result<PathBuf> {
    let folder = root.join("target/assets/eip-8079");
    let vectors = folder.join("vectors");
    measure::simulation(&["vectors", "--out", vectors.to_str().ok_or_eyre("no Unicode path")?])?;
    crate::write(&folder.join("LICENSE"), LICENCE)?;
    for (name, file) in report.data.files() {
        let mut text = format!("# {}# {}\nfigure,value\n", LICENCE, file["command"]);
        flatten("", &file["figures"], &mut text);
        crate::write(&folder.join("data").join(name).with_extension("csv"), &text)?;
    }
    for (name, svg) in &report.charts {
        crate::write(&folder.join("charts").join(name), svg)?;
    }
    let page = root.join(FOLDER).join("eip-8079.md");
    let text = fs::read_to_string(&page).wrap_err_with(|| page.display().to_string())?;
    let table: String = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| format!("{line}\n"))
        .collect();
    crate::write(&folder.join("open-places.md"), &format!("<!-- {LICENCE}-->\n\n{table}"))?;
    Ok(folder)
}

/// Appends a line for each leaf.
fn flatten(at: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.iter().for_each(|(key, value)| flatten(&format!("{at}/{key}"), value, text));
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                flatten(&format!("{at}/{index}"), value, text);
            }
        }
        leaf => {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "\"{}\",{leaf}", at.replace('"', "\"\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_become_lines() {
        let mut text = String::new();
        flatten("", &json!({ "b": [1, 2], "a \"x\"": "y" }), &mut text);
        assert_eq!(text, "\"/a \"\"x\"\"\",\"y\"\n\"/b/0\",1\n\"/b/1\",2\n");
    }
}
