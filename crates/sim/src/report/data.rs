//! Data files: figures with their kind, origin and machine.

use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure, eyre};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// Folder of the report in a checkout.
pub(crate) const FOLDER: &str = "docs/report";

/// What a figure is worth as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Equal on every machine.
    Exact,
    /// Equal on every machine, but a model stands for a part of reality.
    Simulated,
    /// Measured on one machine.
    Timed,
}

impl Kind {
    /// Returns the kind's name in data files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Simulated => "simulated",
            Self::Timed => "timed",
        }
    }

    /// Returns the mark after a figure in the text.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Exact => "ᵉ",
            Self::Simulated => "ˢ",
            Self::Timed => "ᵗ",
        }
    }

    fn of(name: &str) -> Result<Self> {
        let all = [Self::Exact, Self::Simulated, Self::Timed];
        all.into_iter().find(|kind| kind.name() == name).ok_or_else(|| eyre!("no kind {name:?}"))
    }
}

/// All data files by name, without the ending.
#[derive(Debug, Clone, Default)]
pub(crate) struct Data {
    files: BTreeMap<String, Value>,
}

impl Data {
    /// Reads the files of a folder.
    ///
    /// # Errors
    ///
    /// If a file is no JSON, or has no kind, command or figures.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).wrap_err_with(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let failed = || path.display().to_string();
            let file: Value =
                serde_json::from_str(&fs::read_to_string(&path)?).wrap_err_with(failed)?;
            let kind = Kind::of(file["kind"].as_str().unwrap_or_default()).wrap_err_with(failed)?;
            ensure!(file["command"].is_string(), "{}: no command", path.display());
            ensure!(file["figures"].is_object(), "{}: no figures", path.display());
            let is_dated = file["machine"].is_string() && file["date"].is_string();
            ensure!(kind != Kind::Timed || is_dated, "{}: no machine or date", path.display());
            let name = path.file_stem().ok_or_eyre("a file has a name")?;
            files.insert(name.to_string_lossy().into_owned(), file);
        }
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(crate) fn of<const N: usize>(files: [(&str, Value); N]) -> Self {
        let file = |(name, figures): (&str, Value)| {
            let file = serde_json::json!({ "kind": "exact", "command": "", "figures": figures });
            (name.to_owned(), file)
        };
        Self { files: files.into_iter().map(file).collect() }
    }

    /// Returns all files.
    pub(crate) const fn files(&self) -> &BTreeMap<String, Value> {
        &self.files
    }

    /// Returns `true` if there is a file of this name.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// Returns the kind of a file, and a figure by its JSON pointer.
    ///
    /// # Errors
    ///
    /// If the file or the figure does not exist.
    pub(crate) fn get(&self, file: &str, pointer: &str) -> Result<(Kind, &Value)> {
        let found = self.files.get(file).ok_or_else(|| eyre!("no data file {file}.json"))?;
        let kind = Kind::of(found["kind"].as_str().unwrap_or_default())?;
        let value = found["figures"].pointer(pointer);
        Ok((kind, value.ok_or_else(|| eyre!("{file}.json has no figure {pointer}"))?))
    }

    /// Returns a number.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), or if the figure does not begin with a number.
    pub(crate) fn number(&self, file: &str, pointer: &str) -> Result<(Kind, f64)> {
        let (kind, value) = self.get(file, pointer)?;
        Ok((kind, number(value).wrap_err_with(|| format!("{file}.json, {pointer}"))?))
    }
}

/// Returns a number, or the first one of a text, such as the cell of a table.
fn number(value: &Value) -> Result<f64> {
    if let Some(number) = value.as_f64() {
        return Ok(number);
    }
    let Some(text) = value.as_str() else { bail!("{value} is not a number") };
    let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.');
    let text = text[..end.unwrap_or(text.len())].trim_end_matches(['.', ',']);
    text.replace(',', "").parse().wrap_err_with(|| format!("{value} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_number_of_cell_counts() {
        for (cell, expected) in [
            (Value::from("**0.416**"), 0.416),
            (Value::from("851,209, and 3,423 of clients"), 851_209.0),
            (Value::from("0.4."), 0.4),
            (Value::from(7), 7.0),
        ] {
            assert_eq!(number(&cell).unwrap(), expected, "{cell}");
        }
        assert!(number(&Value::from("–")).is_err());
        assert!(number(&Value::Null).is_err());
    }
}
