//! Measurements: programs of the repository, whose output becomes data files.

use enshrine_report::{DOCUMENTS, FOLDER, Kind, Manifest, Report, computed};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// A data file that a simulation writes: name, kind, arguments, and the command for a reader.
type Source = (&'static str, Kind, &'static [&'static str], &'static str);

const SOURCES: [Source; 6] = [
    ("economics", Kind::Exact, &["economics", "--json"], "cargo xtask bench economics --json"),
    (
        "bytes",
        Kind::Exact,
        &["economics", "--bytes", "--json"],
        "cargo xtask report --measure bytes",
    ),
    ("dialects", Kind::Exact, &["dialects", "--json"], "cargo xtask dialects --json"),
    ("market", Kind::Simulated, &["market", "--json"], "cargo xtask report --measure market"),
    ("vectors", Kind::Exact, &["vectors", "--json"], "cargo xtask report --measure vectors"),
    (
        "gas-model",
        Kind::Timed,
        &["gas-model", "--json", "--quick"],
        "cargo xtask report --measure gas-model",
    ),
];

/// Machine of the documents whose tables are data.
const DOCUMENTED: &str =
    "figures of the document, on the machine that it names; not measured again for this edition";

/// Measures data files: those named, those of the named findings, or all.
pub(crate) fn measure(root: &Path, names: &[String]) -> Result<()> {
    let mut wanted: BTreeSet<String> =
        names.iter().filter(|it| !it.starts_with("F-")).cloned().collect();
    if names.iter().any(|it| it.starts_with("F-")) {
        for finding in Report::read(root)?.findings.iter().filter(|it| names.contains(&it.id)) {
            wanted.extend(finding.figures.iter().flat_map(|it| it.files.iter().cloned()));
        }
        ensure!(!wanted.is_empty(), "no data file of {names:?}");
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(name);
    let folder = root.join(FOLDER).join("data");
    let write = |name: &str, file: &Value| {
        let path = folder.join(name).with_extension("json");
        crate::write(&path, &format!("{file:#}\n"))
    };
    for (name, figures) in computed(root)?.into_iter().filter(|(name, _)| is_wanted(name)) {
        let file = if DOCUMENTS.contains(&name.as_str()) {
            let command = format!("docs/{name}.md");
            json!({ "kind": "timed", "command": command, "machine": DOCUMENTED, "figures": figures })
        } else {
            json!({ "kind": "exact", "command": "cargo xtask report", "figures": figures })
        };
        write(&name, &file)?;
    }
    for (name, kind, arguments, command) in SOURCES.into_iter().filter(|it| is_wanted(it.0)) {
        let (before, begun) = (load(), Instant::now());
        let mut figures: Value = serde_json::from_str(&simulation(arguments)?).wrap_err(name)?;
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        println!("{name}: {minutes:.1} minutes");
        let mut file = json!({ "kind": kind.name(), "command": command });
        if kind == Kind::Timed {
            file["machine"] = machine().into();
            file["load"] = json!([before, load()]);
            file["minutes"] = json!((minutes * 10.0).round() / 10.0);
        } else {
            without_times(&mut figures);
        }
        file["figures"] = figures;
        write(name, &file)?;
    }
    describe(root)
}

/// Runs the program `sim` beside this one and returns its output.
pub(crate) fn simulation(arguments: &[&str]) -> Result<String> {
    let own = env::current_exe()?;
    let program = own.with_file_name(format!("sim{}", env::consts::EXE_SUFFIX));
    let output = Command::new(&program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.wrap_err_with(|| format!("cannot run {}", program.display()))?;
    let text = String::from_utf8(output.stdout)?;
    // An input above the tolerance is a result, which is in the output.
    let is_finding = arguments.first() == Some(&"gas-model") && text.starts_with('{');
    ensure!(output.status.success() || is_finding, "sim {}: {text}", arguments.join(" "));
    Ok(text)
}

/// Removes times, which exact figures have no place for.
fn without_times(figures: &mut Value) {
    if let Value::Object(entries) = figures {
        entries.retain(|key, _| key != "ms" && !key.starts_with("execute_ms"));
        entries.values_mut().for_each(without_times);
    }
}

/// Returns the load averages.
fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// Returns CPU, cores, memory and kernel.
fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{}, {cores} cores, {}, Linux {}, profile `checks`, other builds running",
        field("/proc/cpuinfo", "model name"),
        field("/proc/meminfo", "MemTotal"),
        kernel.trim(),
    )
}

/// Writes date, commit, versions and machine into the manifest.
fn describe(root: &Path) -> Result<()> {
    let output = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).current_dir(root).output();
        let output = output.wrap_err_with(|| format!("cannot run {program}"))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let lock = fs::read_to_string(root.join("Cargo.lock")).wrap_err("Cargo.lock")?;
    let version = |name: &str| {
        let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(after.split_once('"')?.0.to_owned())
    };
    let mut manifest = Manifest::read(root)?;
    manifest.0["date"] = output("date", &["-u", "+%F"])?.into();
    manifest.0["commit"] = output("git", &["rev-parse", "--short=12", "HEAD"])?.into();
    manifest.0["rustc"] = output("rustc", &["--version"])?.into();
    manifest.0["revm"] = version("revm").ok_or_eyre("Cargo.lock has no revm")?.into();
    manifest.0["ethrex"] = version("ethrex-crypto").ok_or_eyre("Cargo.lock has no ethrex")?.into();
    manifest.0["machine"] = machine().into();
    manifest.0["load"] = load().into();
    manifest.0["command"] = "cargo xtask report --measure".into();
    manifest.write(root)
}
