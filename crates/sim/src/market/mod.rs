//! Simulation of rollups on the market for EXECUTE gas: prices, queueing delays and utilisation,
//! for docs/market.md.

mod allowance;
mod block;
mod l1;
mod report;
mod simulation;
#[cfg(test)]
mod tests;

use crate::report::check_figures;
use eyre::{OptionExt as _, Result, ensure};
use report::{Report, placed, report};
use std::{fs, path::Path};

/// Arguments of the simulation.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write figures and plots into docs/market.md instead of printing the figures
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Fail if figures or plots differ from docs/market.md
    #[arg(long)]
    check: bool,
    /// Print JSON instead of tables
    #[arg(long, conflicts_with_all = ["write", "check"])]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let Report { text, plots, figures } = report()?;
    if arguments.json {
        println!("{figures:#}");
        return Ok(());
    }
    let document = docs.join("market.md");
    let now = fs::read_to_string(&document)?;
    let new =
        placed(&now, &text).ok_or_eyre("docs/market.md has no markers for the generated part")?;
    if arguments.write {
        fs::write(document, new)?;
        for (name, svg) in plots {
            fs::write(docs.join(name), svg)?;
        }
    } else if arguments.check {
        let mut is_same = now == new;
        for (name, svg) in plots {
            is_same &= fs::read_to_string(docs.join(name))? == svg;
        }
        ensure!(is_same, "docs/market.md is outdated: run cargo xtask market --write");
        check_figures("market", &figures)?;
    } else {
        print!("{text}");
    }
    Ok(())
}
