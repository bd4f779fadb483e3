//! Benchmark results as a table and as JSON.

use super::Measured;
use crate::output::say;
use comfy_table::{CellAlignment, Table, presets};
use core::num::NonZeroUsize;
use measure::geometric_mean;
use serde_json::{Value, json};

/// Returns the geometric mean of a ratio over all blocks.
fn geomean(all: &[Measured], ratio: impl Fn(&Measured) -> f64) -> f64 {
    geometric_mean(all.iter().map(ratio))
}

/// Returns the floor of a verifier that hashes one node at a time, in milliseconds.
const fn scalar_floor(measured: &Measured) -> f64 {
    measured.floor_parts_ms.scalar_total()
}

pub(super) fn document(all: &[Measured], threads: NonZeroUsize) -> Value {
    json!({
        "threads": threads,
        "keccakBackend": format!("{:?}", keccak::Backend::detect()),
        "blocks": all,
        "geomean": {
            "singleOverFloor": geomean(all, |m| m.single_ms / m.floor_ms),
            "parallelOverFloor": geomean(all, |m| m.parallel_ms / m.floor_ms),
            "singleOverScalarFloor": geomean(all, |m| m.single_ms / scalar_floor(m)),
            "parallelOverScalarFloor": geomean(all, |m| m.parallel_ms / scalar_floor(m)),
        },
    })
}

pub(super) fn print(all: &[Measured], threads: NonZeroUsize) {
    say!(
        "milliseconds; CPU time of one thread by stage, floor by part; all = wall-clock time of {threads} threads"
    );
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "block",
        "Mgas",
        "MB",
        "│ decode",
        "link",
        "senders",
        "exec",
        "roots",
        "total",
        "│ keccak",
        "senders",
        "evm",
        "floor",
        "│ all",
        "1/fl",
        "n/fl",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let ms = |value: f64| format!("{value:.2}");
    for m in all {
        let (stages, floor) = (&m.stages_ms, &m.floor_parts_ms);
        table.add_row([
            m.name.clone(),
            ms(m.gas as f64 / 1e6),
            format!("{:.3}", m.input_bytes as f64 / 1e6),
            ms(stages.decode),
            ms(stages.link),
            ms(stages.senders),
            ms(stages.execution),
            ms(stages.roots),
            ms(m.single_ms),
            ms(floor.keccak),
            ms(floor.senders),
            ms(floor.evm),
            ms(m.floor_ms),
            ms(m.parallel_ms),
            ms(m.single_ms / m.floor_ms),
            ms(m.parallel_ms / m.floor_ms),
        ]);
    }
    say!("{}", table.trim_fmt());
    say!(
        "geometric mean: one thread {:.2}× the floor, all threads {:.2}×",
        geomean(all, |m| m.single_ms / m.floor_ms),
        geomean(all, |m| m.parallel_ms / m.floor_ms),
    );
    say!(
        "Keccak in batches: {:?}; with one hash at a time in the floor: {:.2}× and {:.2}×",
        keccak::Backend::detect(),
        geomean(all, |m| m.single_ms / scalar_floor(m)),
        geomean(all, |m| m.parallel_ms / scalar_floor(m)),
    );
}
