//! Figures as a table and as JSON.

use super::Measured;
use crate::output::say;
use core::num::NonZeroUsize;
use serde_json::{Value, json};

/// Geometric mean of a ratio over all blocks.
fn geomean(all: &[Measured], ratio: impl Fn(&Measured) -> f64) -> f64 {
    let logarithms: f64 = all.iter().map(|measured| ratio(measured).ln()).sum();
    (logarithms / all.len() as f64).exp()
}

fn simd_floor(measured: &Measured) -> f64 {
    let floor = &measured.floor_parts_ms;
    floor.keccak_simd + floor.senders + floor.evm
}

pub(super) fn document(all: &[Measured], threads: NonZeroUsize) -> Value {
    json!({
        "threads": threads,
        "keccakBackend": format!("{:?}", keccak::Backend::detect()),
        "blocks": all,
        "geomean": {
            "singleOverFloor": geomean(all, |m| m.single_ms / m.floor_ms),
            "parallelOverFloor": geomean(all, |m| m.parallel_ms / m.floor_ms),
            "singleOverSimdFloor": geomean(all, |m| m.single_ms / simd_floor(m)),
            "parallelOverSimdFloor": geomean(all, |m| m.parallel_ms / simd_floor(m)),
            "peakOverInput": geomean(all, |m| m.peak_bytes as f64 / m.input_bytes as f64),
        },
        "worst": {
            "peakOverInput": all
                .iter()
                .map(|m| m.peak_bytes as f64 / m.input_bytes as f64)
                .fold(0.0, f64::max),
        },
    })
}

pub(super) fn print(all: &[Measured], threads: NonZeroUsize) {
    say!("one thread, milliseconds by stage; floor by part; all = {threads} threads");
    say!(
        "{:<18}{:>7}{:>8} │{:>7}{:>7}{:>8}{:>7}{:>7}{:>8} │{:>8}{:>8}{:>7}{:>7} │{:>8}{:>6}{:>6}{:>6}",
        "block",
        "Mgas",
        "MB",
        "decode",
        "link",
        "senders",
        "exec",
        "roots",
        "total",
        "keccak",
        "senders",
        "evm",
        "floor",
        "all",
        "1/fl",
        "n/fl",
        "peak",
    );
    for m in all {
        let (stages, floor) = (&m.stages_ms, &m.floor_parts_ms);
        say!(
            "{:<18}{:>7.2}{:>8.3} │{:>7.2}{:>7.2}{:>8.2}{:>7.2}{:>7.2}{:>8.2} │{:>8.2}{:>8.2}{:>7.2}{:>7.2} │{:>8.2}{:>6.2}{:>6.2}{:>5.1}x",
            m.name,
            m.gas as f64 / 1e6,
            m.input_bytes as f64 / 1e6,
            stages.decode,
            stages.link,
            stages.senders,
            stages.execution,
            stages.roots,
            m.single_ms,
            floor.keccak,
            floor.senders,
            floor.evm,
            m.floor_ms,
            m.parallel_ms,
            m.single_ms / m.floor_ms,
            m.parallel_ms / m.floor_ms,
            m.peak_bytes as f64 / m.input_bytes as f64,
        );
    }
    say!(
        "geometric mean: one thread {:.2}× the floor, all threads {:.2}×",
        geomean(all, |m| m.single_ms / m.floor_ms),
        geomean(all, |m| m.parallel_ms / m.floor_ms),
    );
    say!(
        "with Keccak in batches ({:?}) in the floor too: {:.2}× and {:.2}×",
        keccak::Backend::detect(),
        geomean(all, |m| m.single_ms / simd_floor(m)),
        geomean(all, |m| m.parallel_ms / simd_floor(m)),
    );
}
