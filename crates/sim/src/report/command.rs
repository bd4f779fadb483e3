//! The command: makes, checks and measures the report.

use super::{
    assets,
    data::FOLDER,
    html::page,
    manifest::Manifest,
    measure,
    pages::{Report, differences, write},
    pdf::print,
};
use clap::Args;
use eyre::{Result, ensure};

/// Arguments of `sim report`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
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

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
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
    let keys: usize = report.findings.iter().map(|finding| finding.figures.len()).sum();
    let (findings, charts) = (report.findings.len(), report.charts.len());
    println!("{findings} findings, {keys} keys, {charts} charts: {}", html.display());
    if arguments.pdf {
        let titles = report.findings.iter().map(|finding| format!("{}: ", finding.id));
        match print(&html, &titles.collect::<Vec<_>>())? {
            Some((pdf, pages)) => println!("{pages} pages: {}", pdf.display()),
            None => eprintln!("SKIPPED: no PDF, since no Chromium is installed"),
        }
    }
    if arguments.assets {
        println!("{}", assets::write_assets(&root, &report)?.display());
    }
    Ok(())
}
