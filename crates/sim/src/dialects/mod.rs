//! The same blocks in each dialect of EXECUTE: bytes on L1, gas, time, and the nearest L1 limit.
//!
//! Each form is measured as a transaction that calls its precompile. L2 blocks are sent in such
//! transactions to an L1 at Osaka in this process, and the gas in the receipts must equal the
//! computed gas. Blocks of public networks exceed the gas limit of an L1 transaction, so their gas
//! is only computed.

mod admission;
mod blocks;
mod documented;
mod mutated;

use crate::{gas_model::speed::Timer, report::check_figures, vectors::carrier};
use alloy_primitives::{B256, Bytes, U256};
use blocks::Subject;
use codec::ExecuteTx;
use core::fmt;
use execute::{Execute, PrecompileCall};
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use testkit::localnet::units::grouped;
use testkit::{Blobs, Key, L1, TRANSACTION_GAS_CAP};
use variants::{BlobSource, DialectCall, DialectName, Dialects};

const L1_CHAIN: u64 = 31_337;
/// Compared dialects.
pub(crate) const FORMS: [DialectName; 5] = [
    DialectName::Specs,
    DialectName::Drake,
    DialectName::Blobs,
    DialectName::ExecuteTx,
    DialectName::Draft8079,
];
/// Other dialects, each of which costs as much as one of [`FORMS`].
pub(crate) const OF_EQUAL_COST: [DialectName; 3] =
    [DialectName::Nested, DialectName::Headers, DialectName::HeadersBlobs];
/// Number of timed runs of a call; the fastest counts.
const ROUNDS: usize = 5;
/// Base gas of a transaction.
const TRANSACTION_GAS: u64 = 21_000;
/// Gas per calldata token (EIP-7623).
const TOKEN_GAS: u64 = 4;
/// Floor gas per calldata token (EIP-7623).
const FLOOR_GAS: u64 = 10;
/// Maximum size of a transaction without blobs in public pools, in bytes.
const POOL_BYTES: usize = 128 << 10;
/// Maximum size of a blob transaction in public pools, in bytes.
const BLOB_POOL_BYTES: usize = 1 << 20;
/// Maximum number of blobs in a transaction (EIP-7594).
const MAX_BLOBS: usize = 6;

/// Arguments of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Fail if bytes or gas differ from docs/dialects.md
    #[arg(long)]
    check: bool,
    /// Skip the blocks of public networks
    #[arg(long)]
    without_vectors: bool,
    /// Make N mutated calls in each dialect instead, and print the slowest relative to its gas
    #[arg(long, value_name = "N", conflicts_with = "check")]
    mutated: Option<u64>,
    /// Measure the time of the pool and of blocks for transactions of type 0x05 instead
    #[arg(long, conflicts_with_all = ["check", "mutated"])]
    admission: bool,
}

/// A block in a dialect.
#[derive(Debug, Clone, PartialEq)]
struct Form {
    block: String,
    dialect: DialectName,
    /// Bytes of the calldata and of a witness in the transaction.
    bytes: usize,
    blobs: usize,
    /// Gas of a transaction that calls the precompile.
    gas: u64,
    /// Gas that the call must have, which is lost if the call fails or if the claim in Drake's
    /// dialect is false.
    reserve: u64,
    /// CPU time of the call in milliseconds.
    ms: f64,
}

/// A limit of L1 transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// Gas of a transaction (EIP-7825).
    Gas,
    /// Size limit of public pools.
    Bytes,
    /// Number of blobs of a transaction (EIP-7594).
    Blobs,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gas => "gas",
            Self::Bytes => "bytes",
            Self::Blobs => "blobs",
        })
    }
}

impl Form {
    /// Returns the nearest limit, and the share of it that the transaction uses.
    fn limit(&self) -> (Limit, f64) {
        let pool = if self.blobs > 0 { BLOB_POOL_BYTES } else { POOL_BYTES };
        // The gas limit must cover the whole reserve, although unused gas is returned.
        let gas = self.gas.max(TRANSACTION_GAS + self.reserve);
        let shares = [
            (Limit::Gas, gas as f64 / TRANSACTION_GAS_CAP as f64),
            (Limit::Bytes, self.bytes as f64 / pool as f64),
            (Limit::Blobs, self.blobs as f64 / MAX_BLOBS as f64),
        ];
        shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Limit::Gas, 0.0))
    }

    /// Returns the cells of the table without the time, which depends on the machine.
    fn cells(&self) -> [String; 6] {
        let (limit, share) = self.limit();
        [
            self.block.clone(),
            format!("`{}`", self.dialect),
            grouped(self.bytes as u64),
            if self.blobs > 0 { self.blobs.to_string() } else { "–".to_owned() },
            grouped(self.gas),
            format!("{limit}, {:.0} %", 100.0 * share),
        ]
    }

    fn json(&self) -> Value {
        let (limit, share) = self.limit();
        json!({
            "bytes": self.bytes, "blobs": self.blobs,
            "gas": self.gas, "reserve": self.reserve, "ms": self.ms,
            "limit": limit.to_string(), "share": share,
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(calls) = arguments.mutated {
        return mutated::run(calls, arguments.json);
    }
    if arguments.admission {
        return admission::run(arguments.json);
    }
    let forms = measure(!arguments.without_vectors)?;
    if arguments.json {
        println!("{:#}", json_of(&forms));
    } else {
        println!("{}", table(&forms));
    }
    if arguments.check {
        documented::check(&forms, !arguments.without_vectors)?;
        check_figures("dialects", &json_of(&forms))?;
    }
    Ok(())
}

/// Returns the forms by block and dialect.
fn json_of(forms: &[Form]) -> Value {
    let mut blocks = Map::new();
    for form in forms {
        let block = blocks.entry(form.block.clone()).or_insert_with(|| json!({}));
        block[form.dialect.name()] = form.json();
    }
    blocks.into()
}

/// Formats the table as in docs/dialects.md: without Drake's dialect, and forms of a block that
/// differ only in their time share a row.
fn table(forms: &[Form]) -> String {
    let mut rows: Vec<([String; 6], f64)> = Vec::new();
    for form in forms.iter().filter(|form| documented::has_row(form)) {
        let cells = form.cells();
        let is_same = |row: &[String; 6]| row[0] == cells[0] && row[2..] == cells[2..];
        match rows.iter_mut().find(|(row, _)| is_same(row)) {
            Some((row, _)) => {
                row[1] = [&row[1], &cells[1]].map(String::as_str).join(documented::AND);
            }
            None => rows.push((cells, form.ms)),
        }
    }
    let row = |([block, dialects, bytes, blobs, gas, limit], ms): ([String; 6], f64)| {
        format!("| {block} | {dialects} | {bytes} | {blobs} | {gas} | {ms:.1} | {limit} |")
    };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    [documented::HEAD, "|---|---|---|---|---|---|---|", &rows.join("\n")].join("\n")
}

/// Measures the blocks in all dialects that can encode them.
fn measure(with_real: bool) -> Result<Vec<Form>> {
    let mut forms = Vec::new();
    let can_say = |subject: &Subject, dialect: &DialectName| {
        *dialect != DialectName::Draft8079 || subject.draft.is_some()
    };
    if with_real {
        for subject in blocks::real()? {
            for dialect in FORMS.into_iter().filter(|dialect| can_say(&subject, dialect)) {
                forms.push(form(&subject, dialect).wrap_err_with(|| subject.name.clone())?.0);
            }
        }
    }
    let execute = Execute::default();
    let l1 = L1::new(L1_CHAIN, execute.clone(), &["operator"])?;
    let mut l1 = l1.with_dialects(execute, &Dialects::usual(&FORMS));
    for subject in blocks::of_l2()? {
        for dialect in FORMS.into_iter().filter(|dialect| can_say(&subject, dialect)) {
            let (form, call) = form(&subject, dialect).wrap_err_with(|| subject.name.clone())?;
            let got = receipt(&mut l1, dialect, &call)?;
            ensure!(
                got == form.gas,
                "{} in {dialect}: the receipt has {got} gas, computed {}",
                form.block,
                form.gas
            );
            forms.push(form);
        }
    }
    Ok(forms)
}

/// Returns the call with a block in a dialect.
fn call_of(subject: &Subject, dialect: DialectName) -> Result<DialectCall> {
    if dialect == DialectName::Draft8079 {
        let calldata = subject.draft.clone().ok_or_eyre("a block without burned fees")?;
        return Ok(DialectCall { calldata, blobs: Vec::new() });
    }
    let call = dialect.encode(&subject.input)?;
    ensure!(dialect.decode(&call.calldata, &call.blobs)? == subject.input, "another input");
    Ok(call)
}

/// Measures a block in a dialect.
fn form(subject: &Subject, dialect: DialectName) -> Result<(Form, DialectCall)> {
    let call = call_of(subject, dialect)?;
    let in_transaction = dialect == DialectName::ExecuteTx;
    let (witness, blobs) = match in_transaction {
        true => (&call.blobs[..], &[][..]),
        false => (&[][..], &call.blobs[..]),
    };
    let store = Blobs::default();
    let blob_hashes =
        blobs.iter().map(|blob| store.keep(blob)).collect::<Result<Vec<B256>, _>>()?;
    let source: Arc<dyn BlobSource> = Arc::new(store);
    let execute = Dialects::usual(&[dialect]).of(subject.execute.clone(), &source);
    let own = match in_transaction {
        true => carrier::dialect_in(carrier::around(&call)),
        false => Arc::clone(execute.dialects.last().ok_or_eyre("a dialect")?),
    };
    let precompile = PrecompileCall { calldata: &call.calldata, blob_hashes: &blob_hashes };
    let reserve = execute.run_as(&*own, precompile, u64::MAX, |_| {});
    let reserve = reserve.map_err(|refused| refused.reason)?.reserve;
    let mut ms = f64::INFINITY;
    let mut charge = 0;
    for _ in 0..ROUNDS {
        let timer = Timer::start();
        charge = execute.answer(&*own, precompile, u64::MAX)?.gas;
        ms = ms.min(timer.nanoseconds() / 1e6);
    }
    // A byte of the witness in the transaction costs as much as one of the calldata.
    let carried = || witness.iter().flatten().chain(&call.calldata);
    let tokens: u64 = carried().map(|byte| if *byte == 0 { 1 } else { 4 }).sum();
    let gas = TRANSACTION_GAS + (TOKEN_GAS * tokens + charge).max(FLOOR_GAS * tokens);
    let form = Form {
        block: subject.name.clone(),
        dialect,
        bytes: carried().count(),
        blobs: blobs.len(),
        gas,
        reserve,
        ms,
    };
    Ok((form, call))
}

/// Sends the call to an L1 and returns the gas in the receipt.
fn receipt(l1: &mut L1, dialect: DialectName, call: &DialectCall) -> Result<u64> {
    let operator = Key::named("operator");
    let (to, data) = (dialect.address(), Bytes::copy_from_slice(&call.calldata));
    let sent = if dialect == DialectName::ExecuteTx {
        let tx = carrier::around(call).tx;
        l1.send_execute_tx(&operator, ExecuteTx { gas_limit: TRANSACTION_GAS_CAP, ..tx })?
    } else if call.blobs.is_empty() {
        l1.send(&operator, to.into(), U256::ZERO, data, TRANSACTION_GAS_CAP)?
    } else {
        l1.send_with_blobs(&operator, to, data, &call.blobs, TRANSACTION_GAS_CAP)?
    };
    ensure!(sent.receipt.success, "the call of {dialect} fails");
    Ok(sent.gas_used)
}
