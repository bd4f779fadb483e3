//! Output of the figures as a table, as JSON, and as a chart.

use crate::measured::{Kind, Measured};
use comfy_table::{CellAlignment, Table, presets};
use core::num::NonZeroUsize;
use measure::geometric_mean;
use serde_json::{Value, json};
use testkit::charts::{Bar, Bars, COLOURS};

/// Returns the figures, with geometric means and worst ratios over the real blocks, or over all
/// inputs if there are none.
pub(crate) fn document(all: &[Measured], threads: NonZeroUsize) -> Value {
    let counted = counted(all);
    let mean = |ratio: fn(&Measured) -> Option<f64>| {
        geometric_mean(counted.iter().filter_map(|measured| ratio(measured)))
    };
    let worst = |ratio: fn(&Measured) -> f64| {
        counted.iter().map(|measured| ratio(measured)).fold(0.0, f64::max)
    };
    json!({
        "threads": threads,
        "keccakBackend": format!("{:?}", keccak::Backend::detect()),
        "blocks": all,
        "geomean": {
            "single_over_ethrex": mean(|row| Some(row.single_over_ethrex())),
            "reference_over_ethrex": mean(|row| Some(row.reference_over_ethrex())),
            "parallel_over_ethrex": mean(|row| Some(row.parallel_over_ethrex())),
            "single_over_floor": mean(Measured::single_over_floor),
            "single_over_reference_floor": mean(Measured::single_over_reference_floor),
            "parallel_over_floor": mean(Measured::parallel_over_floor),
            "cold_over_ethrex": mean(|row| Some(row.cold_over_ethrex())),
            "peak_over_input": mean(|row| Some(row.peak_over_input())),
        },
        "worst": {
            "single_over_ethrex": worst(Measured::single_over_ethrex),
            "peak_over_input": worst(Measured::peak_over_input),
        },
    })
}

/// Returns the inputs that are included in the means.
fn counted(all: &[Measured]) -> Vec<&Measured> {
    let real: Vec<_> = all.iter().filter(|measured| measured.kind == Kind::Real).collect();
    if real.is_empty() { all.iter().collect() } else { real }
}

/// Prints a row for each input, and the means.
pub(crate) fn print(all: &[Measured], threads: NonZeroUsize) {
    println!(
        "milliseconds: of one thread on a core, of all ({threads}) by the clock; medians of rounds in turn"
    );
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "block",
        "Mgas",
        "MB",
        "rounds",
        "one",
        "reference",
        "all",
        "cold",
        "ethrex",
        "cold",
        "floor",
        "│ one/ethrex",
        "all/ethrex",
        "one/floor",
        "peak",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let ms = |value: f64| format!("{value:.2}");
    let ratio = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    for measured in all {
        table.add_row([
            measured.name.clone(),
            ms(measured.gas_used as f64 / 1e6),
            format!("{:.3}", measured.bytes as f64 / 1e6),
            measured.rounds.to_string(),
            ms(measured.single.median.on_core),
            ms(measured.reference.median.on_core),
            ms(measured.parallel.median.by_clock),
            ms(measured.cold.on_core),
            ms(measured.ethrex.median.on_core),
            ms(measured.ethrex_cold.on_core),
            measured.floor.map_or_else(String::new, |floor| ms(floor.total())),
            ratio(Some(measured.single_over_ethrex())),
            ratio(Some(measured.parallel_over_ethrex())),
            ratio(measured.single_over_floor()),
            format!("{:.2}x", measured.peak_over_input()),
        ]);
    }
    println!("{}", table.trim_fmt());
    let document = document(all, threads);
    println!("geometric means: {}; worst: {}", document["geomean"], document["worst"]);
}

/// Returns an SVG with a bar for each input, of the time on one thread relative to ethrex, and a
/// line at ethrex's time.
pub(crate) fn chart(all: &[Measured]) -> String {
    let [real, batch, heavy, _] = COLOURS;
    let bar = |measured: &Measured| Bar {
        name: measured.name.clone(),
        value: measured.single_over_ethrex(),
        figure: format!("{:.2}", measured.single_over_ethrex()),
        colour: match measured.kind {
            Kind::Real => real,
            Kind::Heavy => heavy,
            Kind::Batch => batch,
        },
    };
    let title = "time on one thread over ethrex 31's, shorter is faster".to_owned();
    Bars { title, reference: Some((300.0, 1.3)), bars: all.iter().map(bar).collect() }.svg()
}
