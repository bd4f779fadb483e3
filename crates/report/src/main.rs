//! `report`: makes, checks and measures the report in `docs/report`.

mod assets;
mod measure;

// In a build of the whole workspace, alloy hashes with this crate, so every program must link it.
use keccak as _;

use clap::Parser;
use enshrine_report::{FOLDER, Manifest, Report, differences, page};
use eyre::{Result, WrapErr as _, ensure};
use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

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
        measure::measure(&root, names)?;
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
        print_pdf(&html)?;
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

/// Prints the page by the first Chromium that is installed; without one, says so.
fn print_pdf(html: &Path) -> Result<()> {
    let pdf = html.with_extension("pdf");
    for program in ["chromium", "chromium-browser", "google-chrome"] {
        let mut command = Command::new(program);
        command.args(["--headless", "--no-sandbox", "--no-pdf-header-footer"]);
        command.arg(format!("--print-to-pdf={}", pdf.display())).arg(html);
        let Ok(status) = command.status() else { continue };
        ensure!(status.success() && pdf.is_file(), "{program} has not written {}", pdf.display());
        println!("{}", pdf.display());
        return Ok(());
    }
    eprintln!("SKIPPED: no PDF, since no Chromium is installed");
    Ok(())
}
