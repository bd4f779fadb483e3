//! `report`: makes, checks and measures the report in `docs/report`.

mod assets;
mod differential;
mod measure;
mod sources;

// In a build of the whole workspace, alloy hashes with this crate, so every program must link it.
use keccak as _;

use clap::Parser;
use enshrine_report::{FOLDER, Manifest, Report, differences, page, print};
use eyre::{Result, WrapErr as _, ensure};
use std::{fs, path::Path, process::ExitCode};

/// Make the report "EXECUTE, measured" from its templates and data files
#[derive(Debug, Parser)]
#[command(name = "report", version)]
struct Arguments {
    /// Fail if a page, a chart, a hash or a computed figure is outdated
    #[arg(long)]
    check: bool,

    /// Measure data files again first: those named, those of findings such as F-02, or all
    #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with = "check")]
    measure: Option<Vec<String>>,

    /// Make the timed measurements short, and write them into target/report/quick instead
    #[arg(long, requires = "measure")]
    quick: bool,

    /// Also write target/assets/eip-8079, as an EIP may include it
    #[arg(long)]
    assets: bool,

    /// Also print the HTML page as PDF, by Chromium
    #[arg(long)]
    pdf: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let root = toolchain::find_root()?;
    if arguments.check {
        let found = differences(&root)?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        // Compare what they measure with docs/report/data too.
        for name in ["economics", "dialects", "market"] {
            measure::simulation(&[name, "--check"])?;
        }
        println!("the report is up to date");
        return Ok(());
    }
    if let Some(names) = &arguments.measure {
        measure::measure(&root, names, arguments.quick)?;
        if arguments.quick {
            return Ok(());
        }
    }
    let report = Report::read(&root)?;
    for (path, text) in report.files(&root)? {
        write(&root.join(FOLDER).join(path), &text)?;
    }
    let mut manifest = Manifest::read(&root)?;
    manifest.hash_files(&root)?;
    manifest.write(&root)?;
    let html = root.join("target/report/execute-measured.html");
    write(&html, &page(&report, &root)?)?;
    let keys: usize = report.findings.iter().map(|it| it.figures.len()).sum();
    let (findings, charts) = (report.findings.len(), report.charts.len());
    println!("{findings} findings, {keys} keys, {charts} charts: {}", html.display());
    if arguments.pdf {
        let titles = report.findings.iter().map(|it| format!("{}: ", it.id));
        match print(&html, &titles.collect::<Vec<_>>())? {
            Some((pdf, pages)) => println!("{pages} pages: {}", pdf.display()),
            None => eprintln!("SKIPPED: no PDF, since no Chromium is installed"),
        }
    }
    if arguments.assets {
        println!("{}", assets::write(&root, &report)?.display());
    }
    Ok(())
}

/// Writes a file and its folder.
fn write(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).wrap_err_with(failed)?;
    fs::write(path, text).wrap_err_with(failed)
}
