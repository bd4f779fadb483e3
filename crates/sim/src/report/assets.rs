//! Files that the EIP's authors may include below `assets/eip-8079`.

use super::{
    data::FOLDER,
    measure,
    pages::{Report, write},
};
use eyre::{OptionExt as _, Result, WrapErr as _};
use std::{
    fs,
    path::{Path, PathBuf},
};

const LICENCE: &str = "Copyright and related rights waived via CC0: \
    https://creativecommons.org/publicdomain/zero/1.0/\n";

/// Writes vectors, data files as CSV, and the table of the draft's open places.
pub(crate) fn write_assets(root: &Path, report: &Report) -> Result<PathBuf> {
    let folder = root.join("target/assets/eip-8079");
    let vectors = folder.join("vectors");
    measure::simulation(&["vectors", "--out", vectors.to_str().ok_or_eyre("no Unicode path")?])?;
    write(&folder.join("LICENSE"), LICENCE)?;
    for (path, text) in report.files(root)? {
        if path.starts_with("data") || path.starts_with("charts") {
            write(&folder.join(path), &text)?;
        }
    }
    let page = root.join(FOLDER).join("eip-8079.md");
    let text = fs::read_to_string(&page).wrap_err_with(|| page.display().to_string())?;
    let table: String = text
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| format!("{line}\n"))
        .collect();
    write(&folder.join("open-places.md"), &format!("<!-- {LICENCE}-->\n\n{table}"))?;
    Ok(folder)
}
