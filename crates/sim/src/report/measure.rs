//! Measurements: programs of the repository, whose output becomes data files.

use super::{
    data::{FOLDER, Kind},
    differential,
    exact::{COMPUTED, DOCUMENTS},
    manifest::Manifest,
    pages::{Report, computed, write},
    sources::{SOURCES, Source, TESTS},
};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// Machine of the tables that are copied from a document, and the day on which they were written.
const DOCUMENTED: [(&str, &str, &str); 3] = [
    (
        "benchmarks",
        "two Zen 5 cores with AVX-512, otherwise idle; the faults on two cores shared with other \
         work",
        "2026-11-27",
    ),
    ("gas", "one core of a loaded Xeon with AVX-512, times over a Keccak yardstick", "2026-11-26"),
    ("performance", "Zen 4 and Zen 5 cores, as the page says", "2026-11-25"),
];

/// Measures data files: those named, those of the named findings, or all. Short runs write into
/// `target/report/quick` instead of the report.
pub(crate) fn measure(root: &Path, names: &[String], is_quick: bool) -> Result<()> {
    let mut wanted: BTreeSet<String> =
        names.iter().filter(|name| !name.starts_with("F-")).cloned().collect();
    if names.iter().any(|name| name.starts_with("F-")) {
        for finding in
            Report::read(root)?.findings.iter().filter(|finding| names.contains(&finding.id))
        {
            wanted.extend(finding.figures.iter().flat_map(|figure| figure.files.iter().cloned()));
        }
        ensure!(!wanted.is_empty(), "no data file of {names:?}");
    }
    let known = || computed_names().into_iter().chain(SOURCES.map(|source| source.name));
    for name in &wanted {
        ensure!(
            known().any(|known| known == name),
            "no data file {name}; there are: {}",
            list(known())
        );
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(name);
    let folder =
        if is_quick { "target/report/quick".into() } else { Path::new(FOLDER).join("data") };
    let folder = root.join(folder);
    let begun = Instant::now();
    let write_file = |name: &str, file: &Value| {
        let path = folder.join(name).with_extension("json");
        write(&path, &format!("{file:#}\n"))
    };
    for (name, figures) in computed(root)?.into_iter().filter(|(name, _)| is_wanted(name)) {
        let file = match DOCUMENTED.iter().find(|(document, ..)| *document == name) {
            Some((_, machine, date)) => json!({
                "kind": "timed", "command": format!("copied from docs/{name}.md"),
                "machine": machine, "date": date, "figures": figures,
            }),
            None => json!({
                "kind": "exact", "command": "cargo xtask report", "figures": figures,
            }),
        };
        write_file(&name, &file)?;
    }
    for source in SOURCES.into_iter().filter(|source| is_wanted(source.name)) {
        if is_quick && source.kind == Kind::Timed && source.quick.is_empty() {
            println!("{}: has no short run", source.name);
            continue;
        }
        write_file(source.name, &run(root, &source, is_quick)?)?;
    }
    if is_quick {
        return Ok(());
    }
    let minutes = wanted.is_empty().then(|| rounded_minutes(begun));
    let is_timed =
        SOURCES.iter().any(|source| source.kind == Kind::Timed && is_wanted(source.name));
    describe(root, is_timed, minutes)
}

/// Returns the minutes since a time, to a tenth.
fn rounded_minutes(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() / 6.0).round() / 10.0
}

fn computed_names() -> Vec<&'static str> {
    COMPUTED.iter().chain(&DOCUMENTS).copied().collect()
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// Measures one data file.
fn run(root: &Path, source: &Source, is_quick: bool) -> Result<Value> {
    let (before, begun) = (load(), Instant::now());
    let is_short = is_quick && !source.quick.is_empty();
    let arguments = if is_short { source.quick } else { source.arguments };
    let text = output_of(root, source, arguments)?;
    let mut figures: Value = serde_json::from_str(&text).wrap_err(source.name)?;
    // `sim load` also prints the texts of its steps.
    if let Some(load) = figures.get_mut("load") {
        figures = load.take();
    }
    let minutes = rounded_minutes(begun);
    println!("{}: {minutes:.1} minutes", source.name);
    let mut file = json!({ "kind": source.kind.name(), "command": source.command });
    if source.kind == Kind::Timed {
        file["machine"] = machine()?.into();
        file["date"] = output(root, "date", &["-u", "+%F"])?.into();
        file["load"] = json!([before, load()]);
        file["minutes"] = minutes.into();
    } else {
        without_times(&mut figures);
    }
    file["figures"] = figures;
    Ok(file)
}

/// Runs a program and returns the JSON that it prints or writes.
fn output_of(root: &Path, source: &Source, arguments: &[&str]) -> Result<String> {
    if source.program == TESTS {
        return differential::run(root, arguments.first().ok_or_eyre("no number of worlds")?);
    }
    if source.output.is_empty() {
        return program(source.program, arguments);
    }
    let file = root.join("target/report").join(source.name).with_extension("output.json");
    fs::create_dir_all(root.join("target/report"))?;
    // So that an old file is not taken for the new one.
    drop(fs::remove_file(&file));
    let path = file.to_str().ok_or_eyre("no Unicode path")?;
    program(source.program, &[arguments, &[source.output, path]].concat())?;
    fs::read_to_string(&file).wrap_err_with(|| file.display().to_string())
}

/// Runs the program `sim` beside this one and returns what it prints.
pub(crate) fn simulation(arguments: &[&str]) -> Result<String> {
    program("sim", arguments)
}

/// Runs a program beside this one and returns what it prints.
fn program(name: &str, arguments: &[&str]) -> Result<String> {
    let own = env::current_exe()?;
    let program = own.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    let output = Command::new(&program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.wrap_err_with(|| format!("cannot run {}", program.display()))?;
    let text = String::from_utf8(output.stdout)?;
    // An input above the tolerance is a result, which is in the output.
    let is_finding = arguments.first() == Some(&"gas-model") && text.starts_with('{');
    ensure!(output.status.success() || is_finding, "{name} {}: {text}", arguments.join(" "));
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

/// Features of a CPU that the libraries detect.
const CPU_FEATURES: [&str; 6] = ["adx", "avx2", "avx512f", "avx512ifma", "bmi2", "sha_ni"];

/// Returns CPU, cores, memory, kernel and the profile of the programs. The load before and after
/// each measurement shows whether other programs ran.
fn machine() -> Result<String> {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let flags = field("/proc/cpuinfo", "flags");
    let has = |name: &&str| flags.split(' ').any(|flag| flag == *name);
    let features: Vec<_> = CPU_FEATURES.into_iter().filter(has).collect();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let own = env::current_exe()?;
    let profile = own.parent().and_then(Path::file_name).ok_or_eyre("a program has a folder")?;
    Ok(format!(
        "{} ({}), {cores} cores, {}, Linux {}, profile `{}`",
        field("/proc/cpuinfo", "model name"),
        features.join(" "),
        field("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        profile.to_string_lossy(),
    ))
}

/// Runs a tool and returns what it prints.
fn output(root: &Path, tool: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(tool).args(arguments).current_dir(root).output();
    let output = output.wrap_err_with(|| format!("cannot run {tool}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Writes date, commit and versions into the manifest, the machine if times were measured, and the
/// minutes of a run that measured all files.
fn describe(root: &Path, is_timed: bool, minutes: Option<f64>) -> Result<()> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).wrap_err("Cargo.lock")?;
    let version = |name: &str| {
        let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        Some(after.split_once('"')?.0.to_owned())
    };
    let mut manifest = Manifest::read(root)?;
    manifest.0["date"] = output(root, "date", &["-u", "+%F"])?.into();
    manifest.0["commit"] = output(root, "git", &["rev-parse", "--short=12", "HEAD"])?.into();
    manifest.0["rustc"] = output(root, "rustc", &["--version"])?.into();
    manifest.0["revm"] = version("revm").ok_or_eyre("Cargo.lock has no revm")?.into();
    manifest.0["ethrex"] = version("ethrex-crypto").ok_or_eyre("Cargo.lock has no ethrex")?.into();
    if is_timed {
        manifest.0["machine"] = machine()?.into();
        manifest.0["load"] = load().into();
    }
    manifest.0["command"] = "cargo xtask report --measure".into();
    if let Some(minutes) = minutes {
        manifest.0["minutes"] = minutes.into();
    }
    manifest.write(root)
}
