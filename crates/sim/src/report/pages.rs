//! Pages of the findings, their figures and the index.

use super::{
    csv,
    data::{Data, FOLDER, Kind},
    drawings,
    exact::{COMPUTED, DOCUMENTS, limits, prices, tables},
    manifest::Manifest,
    template::{Figure, Filled, fill},
    timings,
};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure, eyre};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Beginning of the command of a data file whose figures are copied from a document.
const COPIED: &str = "copied from ";
/// Headings that each finding has, in order.
const PARTS: [&str; 6] =
    ["Why it matters to L1", "Measured", "Repeat it", "Evidence", "Limits", "Recommendation"];

/// A finding.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// `F-01` and so on. An id is never used for another finding.
    pub(crate) id: String,
    /// Name of the page, without the ending.
    pub(crate) name: String,
    /// Title without the id.
    pub(crate) title: String,
    /// The page.
    pub(crate) text: String,
    /// Its figures.
    pub(crate) figures: Vec<Figure>,
}

/// The report of a checkout.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// Findings by id.
    pub(crate) findings: Vec<Finding>,
    /// Data files.
    pub(crate) data: Data,
    /// Charts by file name.
    pub(crate) charts: Vec<(&'static str, String)>,
}

impl Report {
    /// Reads templates and data files, and fills the templates.
    ///
    /// # Errors
    ///
    /// If a file is missing or malformed, if a key is unknown or unused, or if ids have changed.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let folder = root.join(FOLDER);
        let data = Data::read(&folder.join("data"))?;
        let mut charts = drawings::draw(&data)?;
        charts.extend(timings::draw(&data)?);
        let mut findings = Vec::new();
        for path in listed(&folder.join("src"))? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let name = name.trim_end_matches(".md.in");
            let Some(id) = name.get(..4).filter(|id| id.starts_with("F-")) else { continue };
            let text = fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
            let finding = finding(id, name, &text, &data).wrap_err_with(|| name.to_owned())?;
            findings.push(finding);
        }
        let ids: String = findings.iter().map(|finding| format!("{}\n", finding.name)).collect();
        let known = fs::read_to_string(folder.join("ids.txt")).wrap_err("ids.txt")?;
        ensure!(ids == known, "ids.txt has\n{known}and the templates have\n{ids}");
        let drawn: BTreeSet<_> = charts.iter().map(|(name, _)| *name).collect();
        for finding in &findings {
            for chart in charts_of(&finding.text) {
                ensure!(drawn.contains(chart), "{}: no chart {chart}", finding.name);
            }
        }
        let shown =
            |name: &str| findings.iter().any(|finding| charts_of(&finding.text).contains(&name));
        let unused: Vec<_> = drawn.iter().filter(|name| !shown(name)).collect();
        ensure!(unused.is_empty(), "charts that no finding shows: {unused:?}");
        Ok(Self { findings, data, charts })
    }

    /// Returns all generated files, by their path in [`FOLDER`].
    ///
    /// # Errors
    ///
    /// If the template of the index cannot be read.
    pub(crate) fn files(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>> {
        let mut files = BTreeMap::new();
        for finding in &self.findings {
            files.insert(format!("{}.md", finding.name).into(), finding.text.clone());
        }
        for (name, svg) in &self.charts {
            files.insert(Path::new("charts").join(name), svg.clone());
        }
        for (name, file) in self.data.files() {
            files.insert(Path::new("data").join(name).with_extension("csv"), csv::csv(file));
        }
        let template = root.join(FOLDER).join("src/README.md.in");
        let template = fs::read_to_string(&template).wrap_err("src/README.md.in")?;
        let rows = self.findings.iter().map(|finding| {
            format!(
                "| [{}]({}.md) | {} | {} |\n",
                finding.id,
                finding.name,
                finding.title,
                finding.kinds()
            )
        });
        let table = format!("| | finding | figures |\n|---|---|---|\n{}", rows.collect::<String>());
        let mut index = template;
        for (place, table) in [("{{findings}}\n", table), ("{{timed}}\n", timed(&self.data))] {
            ensure!(index.contains(place), "src/README.md.in has no {}", place.trim());
            index = index.replacen(place, &table, 1);
        }
        files.insert("README.md".into(), index);
        Ok(files)
    }
}

impl Finding {
    /// Returns the kinds of its figures.
    fn kinds(&self) -> String {
        let kinds: BTreeSet<_> = self.figures.iter().map(|figure| figure.kind).collect();
        let names: Vec<_> = kinds.into_iter().map(Kind::name).collect();
        if names.is_empty() { "none (analysis)".to_owned() } else { names.join(", ") }
    }
}

/// Returns the files of a folder, sorted.
fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).wrap_err_with(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Fills a template and appends the table of its figures.
fn finding(id: &str, name: &str, template: &str, data: &Data) -> Result<Finding> {
    let Filled { mut text, figures } = fill(id, template, data)?;
    let title = text.trim_start().lines().next().unwrap_or_default();
    let title = title.strip_prefix(&format!("# {id}: ")).ok_or_eyre("no title with the id")?;
    let title = title.to_owned();
    let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    ensure!(headings == PARTS, "headings {headings:?}, expected {PARTS:?}");
    let (_, evidence) = text.split_once("## Evidence\n").ok_or_eyre("no evidence")?;
    let (evidence, _) = evidence.split_once("## Limits").ok_or_eyre("no limits")?;
    ensure!(evidence.contains(".rs::") || evidence.contains(".sol::"), "no test as evidence");
    if !figures.is_empty() {
        text += "\n## Figures\n\n| key | figure | kind | from |\n|---|---|---|---|\n";
        let mut files = BTreeSet::new();
        for Figure { key, text: value, kind, files: of } in &figures {
            let names: Vec<_> = of.iter().map(|file| format!("`{file}`")).collect();
            let from = if names.is_empty() { "arithmetic".to_owned() } else { names.join(", ") };
            text += &format!("| `{id}.{key}` | {value} | {} | {from} |\n", kind.name());
            files.extend(of);
        }
        let lines = files.into_iter().map(|file| format!("- `{file}`: {}.\n", source(file, data)));
        let lines: String = lines.collect();
        text += &if lines.is_empty() { lines } else { format!("\n{lines}") };
    }
    Ok(Finding { id: id.to_owned(), name: name.to_owned(), title, text, figures })
}

/// Returns the command behind a data file; if its figures are timed also the day, the machine, and,
/// if they are not copied from a document, the load and the minutes of the run.
fn source(file: &str, data: &Data) -> String {
    let Some(found) = data.files().get(file) else { return String::new() };
    let of = |key: &str| found[key].as_str().unwrap_or_default();
    let made = match of("command").strip_prefix(COPIED) {
        Some(document) => format!("{COPIED}`{document}`"),
        None => format!("`{}`", of("command")),
    };
    let mut text = match (of("machine"), of("date")) {
        ("", _) => made,
        (machine, date) => format!("{made}, {date}, {machine}"),
    };
    if let (Some([before, after]), Some(minutes)) = (loads(found), found["minutes"].as_f64()) {
        text += &format!("; load {before} before, {after} after; {minutes:.1} minutes");
    }
    text
}

/// Returns the load averages over one minute before and after the measurement of a data file.
fn loads(file: &serde_json::Value) -> Option<[&str; 2]> {
    let of = |index: usize| file["load"][index].as_str()?.split_whitespace().next();
    Some([of(0)?, of(1)?])
}

/// Returns a table of the data files with timed figures, and the sum of their minutes.
fn timed(data: &Data) -> String {
    let mut text =
        "| data | date | machine | load before, after | minutes |\n|---|---|---|---|---|\n"
            .to_owned();
    let mut sum = 0.0;
    for (name, file) in data.files().iter().filter(|(_, file)| file["kind"] == Kind::Timed.name()) {
        let of = |key: &str| file[key].as_str().unwrap_or_default();
        let minutes = file["minutes"].as_f64();
        sum += minutes.unwrap_or_default();
        let machine = match of("command").strip_prefix(COPIED) {
            Some(document) => format!("{COPIED}`{document}`: {}", of("machine")),
            None => of("machine").to_owned(),
        };
        let load = loads(file).map_or_else(|| "–".to_owned(), |load| load.join(", "));
        let minutes = minutes.map_or_else(|| "–".to_owned(), |minutes| format!("{minutes:.1}"));
        text += &format!("| `{name}` | {} | {machine} | {load} | {minutes} |\n", of("date"));
    }
    text + &format!("| sum | | | | {sum:.1} |\n")
}

/// Returns the names of the charts that a page shows.
fn charts_of(text: &str) -> Vec<&str> {
    let parts = text.split("](charts/").skip(1);
    parts.filter_map(|part| Some(part.split_once(')')?.0)).collect()
}

/// Returns a line for each generated or computed file of a checkout that is not as it should be.
///
/// # Errors
///
/// If the report cannot be made.
pub(crate) fn differences(root: &Path) -> Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let report = Report::read(root)?;
    let mut found = Vec::new();
    let generated = report.files(root)?;
    for (path, text) in &generated {
        let now = fs::read_to_string(folder.join(path)).unwrap_or_default();
        if now != *text {
            found.push(format!("{} is outdated: run cargo xtask report", path.display()));
        }
    }
    for path in listed(&folder.join("data"))? {
        let name = Path::new("data").join(path.file_name().unwrap_or_default());
        if path.extension().is_none_or(|extension| extension != "json")
            && !generated.contains_key(&name)
        {
            found.push(format!("{} belongs to no data file", name.display()));
        }
    }
    for (name, figures) in computed(root)? {
        let file = report.data.files().get(&name).ok_or_else(|| eyre!("no data/{name}.json"))?;
        if file["figures"] != figures {
            found.push(format!(
                "data/{name}.json has other figures: run cargo xtask report --measure {name}"
            ));
        }
    }
    found.extend(Manifest::read(root)?.differences(root)?);
    Ok(found)
}

/// Returns the figures that are computed without a measurement, by data file.
///
/// # Errors
///
/// If a document cannot be read.
pub(crate) fn computed(root: &Path) -> Result<Vec<(String, serde_json::Value)>> {
    let [prices_name, limits_name] = COMPUTED.map(str::to_owned);
    let mut all = vec![(prices_name, prices()), (limits_name, limits())];
    for document in DOCUMENTS {
        all.push((document.to_owned(), tables(root, document)?));
    }
    Ok(all)
}

/// Writes a file and its folder.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).wrap_err_with(failed)?;
    fs::write(path, text).wrap_err_with(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finding_needs_all_parts_and_a_test() {
        let parts = |evidence: &str| {
            let parts = PARTS.map(|part| {
                let text = if part == "Evidence" { evidence } else { "text" };
                format!("## {part}\n\n{text}\n")
            });
            format!("\n---\n# F-01: claim\n\n{}", parts.concat())
        };
        let made = |text: &str| finding("F-01", "F-01-x", text, &Data::default());
        assert_eq!(made(&parts("`a/b.rs::c`")).unwrap().title, "claim");
        assert!(made(&parts("none")).is_err());
        assert!(made(&parts("`a/b.rs::c`").replace("## Limits\n", "")).is_err());
        assert!(made(&parts("`a/b.rs::c`").replace("# F-01: claim", "# claim")).is_err());
    }

    #[test]
    fn timed_files_are_listed_with_load_and_minutes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, file: serde_json::Value| {
            fs::write(folder.path().join(name).with_extension("json"), file.to_string()).unwrap();
        };
        let figures = json!({ "a": 1 });
        write("exact", json!({ "kind": "exact", "command": "run", "figures": figures }));
        write(
            "page",
            json!({
                "kind": "timed", "command": "copied from docs/page.md", "machine": "old",
                "date": "2026-01-01", "figures": figures,
            }),
        );
        write(
            "run",
            json!({
                "kind": "timed", "command": "measure", "machine": "new", "date": "2026-01-02",
                "load": ["0.10 1 2 1/9 7", "1.50 1 2 1/9 8"], "minutes": 8.3, "figures": figures,
            }),
        );
        let data = Data::read(folder.path()).unwrap();
        let table = timed(&data);
        assert!(!table.contains("exact"), "{table}");
        for row in [
            "| `page` | 2026-01-01 | copied from `docs/page.md`: old | – | – |",
            "| `run` | 2026-01-02 | new | 0.10, 1.50 | 8.3 |",
            "| sum | | | | 8.3 |",
        ] {
            assert!(table.contains(row), "{table}");
        }
        assert_eq!(source("exact", &data), "`run`");
        assert_eq!(source("page", &data), "copied from `docs/page.md`, 2026-01-01, old");
        let expected = "`measure`, 2026-01-02, new; load 0.10 before, 1.50 after; 8.3 minutes";
        assert_eq!(source("run", &data), expected);
    }
}
