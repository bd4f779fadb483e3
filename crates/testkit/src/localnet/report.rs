//! The report of a run: its steps by part, and its measurements.

use crate::localnet::{
    output::{must, try_line},
    progress::Progress,
    say,
};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::time::Instant;

/// An L2 block with which the rollup was advanced on L1.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advanced {
    /// Short description of the block.
    pub name: String,
    /// L2 gas used by the block.
    #[serde(rename = "gasUsed")]
    pub gas: u64,
    /// Size of the witness in bytes.
    pub witness_bytes: usize,
    /// Size of EXECUTE's input in bytes.
    #[serde(rename = "bytes")]
    pub input_bytes: usize,
    /// Gas used by the L1 transaction.
    pub l1_gas: u64,
    /// Part of `l1_gas` that EXECUTE charged.
    pub execute_gas: u64,
    /// Part of `l1_gas` that pays for calldata.
    pub calldata_gas: u64,
    /// Minimum gas of a transaction with this calldata (EIP-7623).
    pub floor_gas: u64,
    /// Build time of the L1 block with the transaction, in milliseconds.
    #[serde(rename = "milliseconds")]
    pub ms: f64,
}

impl Advanced {
    /// Returns the L1 gas beyond EXECUTE and calldata, or `None` if the calldata floor of EIP-7623
    /// sets the price.
    pub fn overhead_gas(&self) -> Option<u64> {
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

/// A block of a public network that EXECUTE verified.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RealBlock {
    /// Chain and block number.
    pub name: String,
    /// Gas used by the block.
    #[serde(rename = "gasUsed")]
    pub gas: u64,
    /// Number of transactions in the block.
    pub transactions: usize,
    /// Size of the witness in bytes.
    pub witness_bytes: usize,
    /// Size of EXECUTE's input in bytes.
    #[serde(rename = "bytes")]
    pub input_bytes: usize,
    /// Gas charged by EXECUTE.
    pub execute_gas: u64,
    /// Duration of the fastest of multiple calls, in milliseconds.
    #[serde(rename = "milliseconds")]
    pub ms: f64,
    /// Reason why the block is invalid under the rules of an L2, if it is.
    pub refused_under_l2_rules: Option<String>,
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

/// Latencies and rates of an L2 whose nodes and L1 share one machine.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Seconds from a deposit on L1 to the balance on the L2.
    pub deposit_seconds: f64,
    /// Seconds from a transfer to its receipt.
    pub transfer_seconds: f64,
    /// Seconds from a transfer to the inclusion of its block on L1.
    pub transfer_on_l1_seconds: f64,
    /// Seconds from a withdrawal on the L2 to the claimed ether on L1.
    pub withdrawal_seconds: f64,
    /// Transfers per second that the sequencer accepts.
    pub accepted_per_second: f64,
    /// Transfers per second that L2 blocks include.
    pub included_per_second: f64,
    /// Transfers per second whose blocks reach L1.
    pub settled_per_second: f64,
}

impl Figures {
    /// Returns latencies by name, in seconds.
    pub const fn latencies(&self) -> [(&'static str, f64); 4] {
        [
            ("transfer until its receipt", self.transfer_seconds),
            ("transfer until on L1", self.transfer_on_l1_seconds),
            ("deposit on L1 until on the L2", self.deposit_seconds),
            ("withdrawal until claimed on L1", self.withdrawal_seconds),
        ]
    }

    /// Returns transfers per second by name.
    pub const fn rates(&self) -> [(&'static str, f64); 3] {
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

/// Kind of a step, which the page shows as a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// Something was set up or started.
    Built,
    /// A property was checked and holds.
    Shown,
    /// An invalid input was rejected.
    Refused,
    /// The system recovered from a fault.
    Survived,
}

/// Something that the run did or checked.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Kind of the step.
    pub mark: Mark,
    /// Sentence that describes the step.
    pub text: String,
    /// Seconds from the start of the run.
    #[serde(skip)]
    pub seconds: f64,
}

/// A titled group of steps.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// Title of the part.
    pub title: String,
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// Everything that a run did and measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    #[serde(skip)]
    quiet: bool,
    #[serde(skip)]
    start: Instant,
    #[serde(skip)]
    progress: Progress,
    /// Versions of the tools used, by name.
    pub versions: Vec<(String, String)>,
    /// Parts in order.
    pub parts: Vec<Part>,
    /// L2 blocks with which the rollup was advanced on L1.
    pub advanced: Vec<Advanced>,
    /// Blocks of public networks that EXECUTE verified.
    pub real_blocks: Vec<RealBlock>,
    /// Latencies and rates of the L2 whose nodes are processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

impl Report {
    /// Creates a report. A quiet one prints no steps.
    pub fn new(quiet: bool) -> Self {
        let start = Instant::now();
        Self {
            quiet,
            start,
            progress: Progress::start(start),
            versions: Vec::new(),
            parts: Vec::new(),
            advanced: Vec::new(),
            real_blocks: Vec::new(),
            figures: None,
        }
    }

    /// Creates a report of parts that run concurrently with this one. It prints nothing until it is
    /// [appended](Self::append).
    #[must_use]
    pub fn aside(&self) -> Self {
        Self { start: self.start, progress: Progress::Silent, ..Self::new(true) }
    }

    /// Appends and prints the parts of a report that was created by [`aside`](Self::aside).
    pub fn append(&mut self, aside: Self) {
        for Part { title, steps } in aside.parts {
            self.part(&title);
            steps.into_iter().for_each(|step| self.put(step));
        }
        self.advanced.extend(aside.advanced);
        self.real_blocks.extend(aside.real_blocks);
    }

    /// Begins a part of the run.
    pub fn part(&mut self, title: &str) {
        if !self.quiet {
            must(self.progress.beside(|| try_line(format_args!("\n{title}"))));
        }
        self.progress.begin(title);
        self.parts.push(Part { title: title.to_owned(), steps: Vec::new() });
    }

    /// Shows a slow task on standard error.
    pub fn doing(&self, what: &str) {
        self.progress.begin(what);
    }

    /// Adds a step that set something up.
    pub fn built(&mut self, text: String) {
        self.add(Mark::Built, text);
    }

    /// Adds a property that was just checked.
    pub fn shown(&mut self, text: String) {
        self.add(Mark::Shown, text);
    }

    /// Adds an invalid input that was just rejected.
    pub fn refused(&mut self, text: String) {
        self.add(Mark::Refused, text);
    }

    /// Adds a fault from which the system just recovered.
    pub fn survived(&mut self, text: String) {
        self.add(Mark::Survived, text);
    }

    fn add(&mut self, mark: Mark, text: String) {
        self.put(Step { mark, text, seconds: self.start.elapsed().as_secs_f64() });
    }

    /// Prints a step and adds it to the current part.
    fn put(&mut self, step: Step) {
        if !self.quiet {
            let Step { seconds, text, .. } = &step;
            let print = || try_line(format_args!("  {seconds:6.2}s  {text}"));
            must(self.progress.beside(print));
        }
        if self.parts.is_empty() {
            self.parts.push(Part { title: "Preparation".to_owned(), steps: Vec::new() });
        }
        if let Some(part) = self.parts.last_mut() {
            part.steps.push(step);
            // The task that led to this step is over.
            self.progress.begin(&part.title);
        }
    }

    /// Returns the number of steps of a kind.
    pub fn count(&self, mark: Mark) -> usize {
        self.parts.iter().flat_map(|part| &part.steps).filter(|step| step.mark == mark).count()
    }

    /// Formats the report as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Removes the progress line.
    pub fn end(&self) {
        self.progress.begin("");
    }

    /// Prints versions, figures and tables.
    pub fn print_tables(&self) {
        self.end();
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

/// Prints a table with all columns but the first aligned to the right.
fn print_table<const N: usize>(heads: &[&str; N], rows: impl Iterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heads).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    say!("{}", table.trim_fmt());
}
