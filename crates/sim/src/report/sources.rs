//! Programs whose output becomes data files.

use super::data::Kind;

/// A data file, and how it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// Name of the data file, without the ending.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Program beside this one, or [`TESTS`].
    pub(crate) program: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// Arguments of a short run, whose figures are not for the report; empty if the whole
    /// measurement is short.
    pub(crate) quick: &'static [&'static str],
    /// Flag that names the file for the output; empty if the program prints it.
    pub(crate) output: &'static str,
    /// Command for a reader.
    pub(crate) command: &'static str,
}

/// Stands for the differential tests, which are no program.
pub(crate) const TESTS: &str = "agreement";

/// All sources. Together they take less than an hour on two cores.
pub(crate) const SOURCES: [Source; 14] = [
    exact("economics", &["economics", "--json"], "cargo xtask bench economics --json"),
    exact("bytes", &["economics", "--bytes", "--json"], "cargo xtask report --measure bytes"),
    exact("dialects", &["dialects", "--json"], "cargo xtask dialects --json"),
    Source {
        kind: Kind::Simulated,
        ..exact("market", &["market", "--json"], "cargo xtask report --measure market")
    },
    exact("vectors", &["vectors", "--json"], "cargo xtask report --measure vectors"),
    exact("nested-cost", &["findings", "nested-cost"], "cargo xtask report --measure nested-cost"),
    exact(
        "shared-nodes",
        &["findings", "shared-nodes"],
        "cargo xtask report --measure shared-nodes",
    ),
    exact(
        "transaction-gas",
        &["findings", "transaction-gas"],
        "cargo xtask report --measure transaction-gas",
    ),
    exact(
        "witness-sizes",
        &["findings", "witness-sizes"],
        "cargo xtask report --measure witness-sizes",
    ),
    Source {
        program: TESTS,
        quick: &["2"],
        // As many worlds as `cargo xtask differential` has by default.
        ..exact("differential", &["1400"], "cargo xtask report --measure differential")
    },
    Source {
        name: "gas-model",
        kind: Kind::Timed,
        program: "sim",
        arguments: &["gas-model", "--json"],
        quick: &[
            "gas-model",
            "--json",
            "--quick",
            "--fork",
            "osaka",
            "--without-vectors",
            "shared",
            "ECPAIRING of 1",
        ],
        output: "",
        command: "cargo xtask report --measure gas-model",
    },
    Source {
        name: "execute",
        kind: Kind::Timed,
        program: "side-by-side",
        arguments: &["--json"],
        quick: &["--json", "--rounds", "1", "--budget", "0", "mainnet_21429"],
        output: "",
        command: "cargo xtask report --measure execute",
    },
    Source {
        name: "soak",
        kind: Kind::Timed,
        program: "sim",
        arguments: &["soak", "--minutes", "15", "--seed", "26"],
        quick: &["soak", "--minutes", "0.05", "--seed", "26"],
        output: "--json",
        command: "cargo xtask report --measure soak",
    },
    Source {
        name: "rollup",
        kind: Kind::Timed,
        program: "sim",
        arguments: &["load", "--json", "--accounts", "0"],
        quick: &[],
        output: "",
        command: "cargo xtask report --measure rollup",
    },
];

const fn exact(
    name: &'static str,
    arguments: &'static [&'static str],
    command: &'static str,
) -> Source {
    Source { name, kind: Kind::Exact, program: "sim", arguments, quick: &[], output: "", command }
}
