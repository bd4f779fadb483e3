//! What the run says of itself.

use crate::{
    load::Load,
    output::{must, say, try_line},
    progress::Progress,
};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::time::Instant;

/// An L2 block that was advanced on L1.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Advanced {
    /// What the block is about.
    pub(crate) name: String,
    /// L2 gas that it used.
    #[serde(rename = "gasUsed")]
    pub(crate) gas: u64,
    /// Bytes of its witness.
    pub(crate) witness_bytes: usize,
    /// Bytes of the input of EXECUTE.
    #[serde(rename = "bytes")]
    pub(crate) input_bytes: usize,
    /// L1 gas of the transaction.
    pub(crate) l1_gas: u64,
    /// Of which EXECUTE charged.
    pub(crate) execute_gas: u64,
    /// Of which the calldata cost.
    pub(crate) calldata_gas: u64,
    /// The least that a transaction with this calldata costs.
    pub(crate) floor_gas: u64,
    /// Milliseconds that the L1 block with it took to build.
    #[serde(rename = "milliseconds")]
    pub(crate) ms: f64,
}

impl Advanced {
    /// L1 gas beyond EXECUTE and calldata; `None` where calldata alone decides (EIP-7623), whatever
    /// else there is.
    pub(crate) fn overhead_gas(&self) -> Option<u64> {
        (self.l1_gas > self.floor_gas).then(|| self.l1_gas - self.execute_gas - self.calldata_gas)
    }

    fn cells(&self) -> [String; 9] {
        [
            self.name.clone(),
            self.gas.to_string(),
            self.witness_bytes.to_string(),
            self.input_bytes.to_string(),
            self.l1_gas.to_string(),
            self.execute_gas.to_string(),
            self.calldata_gas.to_string(),
            self.overhead_gas().map_or_else(|| "floor".to_owned(), |gas| gas.to_string()),
            format!("{:.1}", self.ms),
        ]
    }
}

/// A real block that went through EXECUTE.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RealBlock {
    /// Chain and number.
    pub(crate) name: String,
    /// Gas that it used.
    #[serde(rename = "gasUsed")]
    pub(crate) gas: u64,
    /// Its transactions.
    pub(crate) transactions: usize,
    /// Bytes of its witness.
    pub(crate) witness_bytes: usize,
    /// Bytes of the input of EXECUTE.
    #[serde(rename = "bytes")]
    pub(crate) input_bytes: usize,
    /// What EXECUTE charged.
    pub(crate) execute_gas: u64,
    /// Milliseconds of the call.
    #[serde(rename = "milliseconds")]
    pub(crate) ms: f64,
    /// Why it is no block of an L2, if it is none.
    pub(crate) refused_under_l2_rules: Option<String>,
}

impl RealBlock {
    fn cells(&self) -> [String; 8] {
        [
            self.name.clone(),
            self.gas.to_string(),
            self.transactions.to_string(),
            self.witness_bytes.to_string(),
            self.input_bytes.to_string(),
            self.execute_gas.to_string(),
            format!("{:.1}", self.ms),
            self.refused_under_l2_rules.clone().unwrap_or_else(|| "valid".to_owned()),
        ]
    }
}

/// How fast the L2 of processes is for its users, all of them on one machine.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// From a deposit on L1 to the balance on the L2.
    pub(crate) deposit_seconds: f64,
    /// From a transfer to its receipt, and to L1.
    pub(crate) transfer_seconds: f64,
    pub(crate) transfer_on_l1_seconds: f64,
    /// From a withdrawal on the L2 to the ether on L1, proven and claimed.
    pub(crate) withdrawal_seconds: f64,
    /// Transfers that are accepted, that are in blocks and that are on L1 in a second.
    pub(crate) accepted_per_second: f64,
    pub(crate) included_per_second: f64,
    pub(crate) settled_per_second: f64,
}

impl Figures {
    /// Latencies by name, in seconds.
    pub(crate) const fn latencies(&self) -> [(&'static str, f64); 4] {
        [
            ("transfer until its receipt", self.transfer_seconds),
            ("transfer until on L1", self.transfer_on_l1_seconds),
            ("deposit on L1 until on the L2", self.deposit_seconds),
            ("withdrawal until claimed on L1", self.withdrawal_seconds),
        ]
    }

    /// Transfers per second by name.
    pub(crate) const fn rates(&self) -> [(&'static str, f64); 3] {
        [
            ("accepted", self.accepted_per_second),
            ("in L2 blocks", self.included_per_second),
            ("on L1", self.settled_per_second),
        ]
    }

    fn print(&self) {
        say!("\nThe L2 of processes on this machine");
        for (what, seconds) in self.latencies() {
            say!("  {what:<40}{seconds:>10.2} s");
        }
        for (what, rate) in self.rates() {
            say!("  {:<40}{rate:>10.0} per second", format!("transfers {what}"));
        }
    }
}

/// The whole run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    #[serde(skip)]
    quiet: bool,
    #[serde(skip)]
    start: Instant,
    #[serde(skip)]
    progress: Progress,
    /// Of what ran, by name.
    pub(crate) versions: Vec<(String, String)>,
    steps: Vec<String>,
    pub(crate) advanced: Vec<Advanced>,
    pub(crate) real_blocks: Vec<RealBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) figures: Option<Figures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<Load>,
}

impl Report {
    pub(crate) fn new(quiet: bool) -> Self {
        let start = Instant::now();
        Self {
            quiet,
            start,
            progress: Progress::start(start),
            versions: Vec::new(),
            steps: Vec::new(),
            advanced: Vec::new(),
            real_blocks: Vec::new(),
            figures: None,
            load: None,
        }
    }

    /// Announces a part of the run.
    pub(crate) fn part(&self, title: &str) {
        if !self.quiet {
            must(self.progress.beside(|| try_line(format_args!("\n{title}"))));
        }
        self.progress.begin(title);
    }

    /// Says what takes a while before there is anything to show.
    pub(crate) fn doing(&self, what: &str) {
        self.progress.begin(what);
    }

    /// Tells something that has just been shown to be true.
    pub(crate) fn step(&mut self, text: String) {
        if !self.quiet {
            let seconds = self.start.elapsed().as_secs_f64();
            let print = || try_line(format_args!("  {seconds:6.2}s  {text}"));
            must(self.progress.beside(print));
        }
        self.steps.push(text);
    }

    /// What has been shown to be true so far.
    pub(crate) fn steps(&self) -> &[String] {
        &self.steps
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(crate) fn print_tables(&self) {
        self.progress.begin("");
        if let Some(load) = &self.load {
            load.print();
            return;
        }
        if !self.versions.is_empty() {
            say!("");
        }
        for (name, version) in &self.versions {
            say!("{name}: {version}");
        }
        if let Some(figures) = &self.figures {
            figures.print();
        }
        if self.advanced.is_empty() {
            return;
        }
        say!("\nBlocks advanced on L1 (sizes in bytes)");
        let heads = [
            "block", "L2 gas", "witness", "input", "L1 gas", "EXECUTE", "calldata", "overhead",
            "ms",
        ];
        print_table(&heads, self.advanced.iter().map(Advanced::cells));
        if self.real_blocks.is_empty() {
            return;
        }
        say!(
            "\nReal blocks through the same EXECUTE (L1 profile, gas limits lifted; sizes in bytes)"
        );
        let heads = ["block", "gas", "txs", "witness", "input", "EXECUTE", "ms", "under L2 rules"];
        print_table(&heads, self.real_blocks.iter().map(RealBlock::cells));
    }
}

/// Prints what is in rows below heads: numbers end where others of their column do.
fn print_table<const N: usize>(heads: &[&str; N], rows: impl Iterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heads).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    say!("{}", table.trim_fmt());
}
