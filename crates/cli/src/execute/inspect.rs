//! `enshrine execute inspect`.

use super::load::{Source, decode};
use alloy_consensus::Typed2718;
use clap::Args;
use execute::{DeclaredGas, GasSchedule};
use executor::decode_transaction;
use eyre::{Result, bail};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, process::ExitCode};
use wire::{RootConvention, StatelessInput};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// By what to price as well as by the schedules that have a name: one of these, BASE+PER_BYTE or
    /// BASE+REQUEST_BYTE+WITNESS_BYTE+ITEM
    #[arg(long, default_value_t, value_name = "SCHEDULE")]
    execute_gas: GasSchedule,

    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.source.is_empty() {
        bail!("nothing to inspect: name files, or --block with --witness and --chain");
    }
    let mut documents = Vec::new();
    for (path, loaded) in arguments.source.load() {
        let loaded = loaded?;
        let document = {
            let input = decode(&path, &loaded.calldata)?;
            describe(&input, loaded.calldata.len(), arguments.execute_gas)
        };
        if arguments.json {
            documents.push(json!({ "file": path, "input": document }));
        } else {
            println!("{path}");
            print(&document, 1);
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&documents)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// What an input holds, in the order in which it stands there.
///
/// Gas is that of an L1 which charges by `chosen`, and beside it what the named schedules make of the
/// same input, all on the word of the payload: nothing is executed.
fn describe(input: &StatelessInput<'_>, calldata: usize, chosen: GasSchedule) -> Value {
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
    let known: Vec<_> = decoded.iter().flatten().cloned().collect();
    let declared = DeclaredGas::of(calldata, input, &known);
    let schedule = |schedule: GasSchedule| {
        json!({
            "schedule": schedule.to_string(),
            "reserve": schedule.reserve(&declared),
            "charge": schedule.charge(&declared, payload.gas_used),
        })
    };
    let gas: Map<String, Value> = core::iter::once(("enshrine", chosen))
        .chain(GasSchedule::NAMED)
        .map(|(name, one)| (name.to_owned(), schedule(one)))
        .collect();
    let root = |convention| request.hash_tree_root(input.fork, convention);
    let witness = &input.witness;
    json!({
        "schema": input.schema().to_string(),
        "fork": input.fork.name(),
        "chain id": input.chain_id,
        "bytes": calldata,
        "payload": {
            "block number": payload.block_number,
            "block hash": payload.block_hash,
            "parent hash": payload.parent_hash,
            "state root": payload.state_root,
            "receipts root": payload.receipts_root,
            "fee recipient": payload.fee_recipient,
            "timestamp": payload.timestamp,
            "gas limit": payload.gas_limit,
            "gas used": payload.gas_used,
            "base fee": payload.base_fee_per_gas.to_string(),
            "blob gas used": payload.blob_gas_used,
            "excess blob gas": payload.excess_blob_gas,
            "extra data": alloy_primitives::hex::encode_prefixed(payload.extra_data),
            "transactions": payload.transactions.len(),
            "transaction types": types,
            "transaction bytes": payload.transactions.total_bytes(),
            "sum of gas limits": declared.transaction_gas,
            "withdrawals": payload.withdrawals.len(),
            "block access list bytes": payload.block_access_list.len(),
        },
        "parent beacon block root": request.parent_beacon_block_root,
        "versioned hashes": request.versioned_hashes.len(),
        "execution request bytes":
            request.execution_requests.typed().iter().map(|(_, data)| data.len()).sum::<usize>(),
        "witness": {
            "bytes": witness.encoded_len(),
            "nodes": witness.state.len(),
            "node bytes": witness.state.total_bytes(),
            "codes": witness.codes.len(),
            "code bytes": witness.codes.total_bytes(),
            "headers": witness.headers.len(),
        },
        "request root": {
            "execution-specs": root(RootConvention::ExecutionSpecs),
            "consensus-specs": root(RootConvention::ConsensusSpecs),
        },
        "gas": gas,
    })
}

/// Prints nested fields, indented.
fn print(value: &Value, depth: usize) {
    let Value::Object(fields) = value else { return };
    for (name, field) in fields {
        let indent = "  ".repeat(depth);
        match field {
            Value::Object(_) => {
                println!("{indent}{name}");
                print(field, depth + 1);
            }
            Value::String(text) => println!("{indent}{name:<28}{text}"),
            other => println!("{indent}{name:<28}{other}"),
        }
    }
}
