//! `enshrine execute inspect`: prints the contents of inputs and their gas.

use super::{
    fields::Fields,
    load::{Source, decode_input},
    verify::Cause,
};
use crate::output::{error_chain, print_stderr, say};
use alloy_consensus::Typed2718;
use clap::Args;
use codec::RootConvention;
use execute::{DeclaredGas, FURTHER_BLOCK_GAS};
use executor::decode_transaction;
use eyre::{Context, Result, bail};
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, process::ExitCode};
use variants::{DraftBlock, GasSchedule};
use wire::{Input, ProtocolFork, StatelessBatch, StatelessInput};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Additional gas schedule besides the named ones: a name, BASE+PER_BYTE or
    /// BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM
    #[arg(long, default_value_t, value_name = "SCHEDULE")]
    execute_gas: GasSchedule,

    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.source.is_empty() {
        bail!(
            "nothing to inspect: name files, - for standard input, or --block with --witness and --chain"
        );
    }
    let mut documents = Vec::new();
    let mut exit = ExitCode::SUCCESS;
    for (file, loaded) in arguments.source.load() {
        let input = loaded.and_then(|loaded| {
            let (calldata, schedule) = (&loaded.calldata[..], arguments.execute_gas);
            match decode_input(&file, calldata)? {
                Input::Block(input) => {
                    let fields = describe(&input, calldata.len(), schedule);
                    Ok(match (loaded.draft(), &loaded.carrier) {
                        (Some(DraftBlock { anchor, burned_fees }), _) => fields
                            .with("anchor", json!(anchor), "")
                            .with("burned fees", burned_fees, "wei"),
                        (None, Some(carrier)) => fields.group("transaction", carrier.describe()?),
                        (None, None) => fields,
                    })
                }
                Input::Batch(batch) => describe_batch(&batch, calldata, schedule)
                    .wrap_err_with(|| format!("{file} is not an input of EXECUTE")),
            }
        });
        if input.is_err() {
            exit = UNREADABLE.into();
        }
        match input {
            Ok(input) if arguments.json => documents.push(Document::Input { file, input }),
            Err(error) if arguments.json => {
                let (reason, kind) = (error_chain(&error), Cause::of(&error).kind());
                documents.push(Document::Unreadable { file, reason, kind });
            }
            Ok(input) => {
                say!("{file}");
                input.print(1);
            }
            Err(error) => print_stderr(format_args!("error: {}", error_chain(&error))),
        }
    }
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&documents)?);
    }
    Ok(exit)
}

/// Exit code if a file is not a valid input. The other files are still printed.
const UNREADABLE: u8 = 2;

#[derive(Serialize)]
#[serde(untagged)]
enum Document {
    Input { file: String, input: Fields },
    Unreadable { file: String, reason: String, kind: &'static str },
}

/// Returns the fields of an input, in the order of its encoding.
///
/// The gas is computed by the schedule `chosen` and by each named schedule, from the payload's
/// claims: nothing is executed.
fn describe(input: &StatelessInput<'_>, calldata: usize, chosen: GasSchedule) -> Fields {
    let request = &input.request;
    let payload = &request.payload;
    let decoded: Vec<_> = payload.transactions.iter().map(decode_transaction).collect();
    let mut types = BTreeMap::<String, usize>::new();
    for transaction in &decoded {
        let kind = transaction
            .as_ref()
            .map_or_else(|_| "malformed".to_owned(), |tx| format!("type {}", tx.ty()));
        *types.entry(kind).or_default() += 1;
    }
    let mut transaction_types = Fields::default();
    for (kind, count) in types {
        transaction_types = transaction_types.with(&kind, count, "");
    }
    let known: Vec<_> = decoded.iter().flatten().cloned().collect();
    let declared = variants::declared_of(calldata, input, &known);
    let gas = gas_fields(&declared, payload.gas_used, chosen);
    let root = |convention| json!(codec::hash_tree_root(request, input.fork, convention));
    let requests = request.execution_requests.typed();
    let request_bytes = requests.iter().map(|(_, data)| data.len()).sum::<usize>();
    let witness = &input.witness;
    let has_beacon_root = input.fork >= ProtocolFork::Cancun;
    let payload_fields = Fields::default()
        .with("parent hash", json!(payload.parent_hash), "")
        .with("fee recipient", json!(payload.fee_recipient), "")
        .with("state root", json!(payload.state_root), "")
        .with("receipts root", json!(payload.receipts_root), "")
        .with("prev randao", json!(payload.prev_randao), "")
        .with("block number", payload.block_number, "")
        .with("gas limit", payload.gas_limit, "gas")
        .with("gas used", payload.gas_used, "gas")
        .with("timestamp", payload.timestamp, "seconds since 1970")
        .with("extra data", alloy_primitives::hex::encode_prefixed(payload.extra_data), "")
        .with("base fee per gas", payload.base_fee_per_gas.to_string(), "wei")
        .with("block hash", json!(payload.block_hash), "")
        .with("transactions", payload.transactions.len(), "")
        .group("transaction types", transaction_types)
        .with("transaction bytes", payload.transactions.total_bytes(), "bytes")
        .with("sum of gas limits", declared.transaction_gas, "gas")
        .with("withdrawals", payload.withdrawals.len(), "")
        .with("blob gas used", payload.blob_gas_used, "gas")
        .with("excess blob gas", payload.excess_blob_gas, "gas")
        .with("block access list bytes", payload.block_access_list.len(), "bytes")
        .with("slot number", payload.slot_number, "");
    let mut fields = Fields::default()
        .with("schema", input.schema().to_string(), "")
        .with("fork", input.fork.name(), "")
        .with("bytes", calldata, "bytes")
        .group("payload", payload_fields)
        .with("versioned hashes", request.versioned_hashes.len(), "");
    if has_beacon_root {
        let anchor = json!(request.parent_beacon_block_root);
        fields = fields.with("parent beacon block root", anchor, "");
    }
    let witness_fields = Fields::default()
        .with("bytes", witness.encoded_len(), "bytes")
        .with("nodes", witness.state.len(), "")
        .with("node bytes", witness.state.total_bytes(), "bytes")
        .with("codes", witness.codes.len(), "")
        .with("code bytes", witness.codes.total_bytes(), "bytes")
        .with("headers", witness.headers.len(), "");
    let roots = Fields::default()
        .with("execution-specs", root(RootConvention::ExecutionSpecs), "")
        .with("consensus-specs", root(RootConvention::ConsensusSpecs), "");
    fields
        .with("execution request bytes", request_bytes, "bytes")
        .group("witness", witness_fields)
        .with("chain id", input.chain_id, "")
        .group("request roots", roots)
        .group("gas", gas)
}

/// Returns the gas of an input under each schedule, if its blocks have used this much gas.
fn gas_fields(declared: &DeclaredGas, gas_used: u64, chosen: GasSchedule) -> Fields {
    let mut gas = Fields::default();
    let is_named = GasSchedule::NAMED.iter().any(|(_, schedule)| *schedule == chosen);
    let chosen = (!is_named).then_some(("chosen", chosen));
    for (name, schedule) in chosen.into_iter().chain(GasSchedule::NAMED) {
        let priced = Fields::default()
            .with("schedule", schedule.to_string(), "")
            .with("reserve", schedule.reserve(declared), "gas")
            .with("charge", schedule.charge(declared, gas_used), "gas");
        gas = gas.group(name, priced);
    }
    gas
}

/// Like [`describe`], for a batch: a summary of each block, and the shared witness.
fn describe_batch(
    batch: &StatelessBatch<'_>,
    calldata: &[u8],
    chosen: GasSchedule,
) -> Result<Fields> {
    let mut fields = Fields::default()
        .with("schema", batch.schema().to_string(), "")
        .with("fork", batch.fork.name(), "")
        .with("bytes", calldata.len(), "bytes")
        .with("blocks", batch.requests.len(), "");
    let mut gas_used = FURTHER_BLOCK_GAS * (batch.requests.len() as u64 - 1);
    for request in &batch.requests {
        let payload = &request.payload;
        gas_used = gas_used.saturating_add(payload.gas_used);
        let block = Fields::default()
            .with("block hash", json!(payload.block_hash), "")
            .with("state root", json!(payload.state_root), "")
            .with("gas limit", payload.gas_limit, "gas")
            .with("gas used", payload.gas_used, "gas")
            .with("timestamp", payload.timestamp, "seconds since 1970")
            .with("transactions", payload.transactions.len(), "")
            .with("transaction bytes", payload.transactions.total_bytes(), "bytes");
        fields = fields.group(&format!("block {}", payload.block_number), block);
    }
    let witness = &batch.witness;
    let witness_fields = Fields::default()
        .with("bytes", witness.encoded_len(), "bytes")
        .with("nodes", witness.state.len(), "")
        .with("compact node bytes", witness.state.stream().len(), "bytes")
        .with("node bytes", witness.state.expanded_len(), "bytes")
        .with("codes", witness.codes.len(), "")
        .with("code bytes", witness.codes.total_bytes(), "bytes")
        .with("headers", witness.headers.len(), "");
    let declared = DeclaredGas::of_calldata(calldata)?;
    let root = Fields::default().with("execution-specs", json!(batch.requests_root()), "");
    Ok(fields
        .group("witness", witness_fields)
        .with("chain id", batch.chain_id, "")
        .group("request roots", root)
        .group("gas", gas_fields(&declared, gas_used, chosen)))
}
