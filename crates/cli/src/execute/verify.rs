//! `enshrine execute verify`.

use super::load::{Loaded, Source};
use clap::Args;
use execute::{Execute, Executed, Rules};
use eyre::{Result, bail};
use serde_json::json;
use std::{process::ExitCode, thread, time::Instant};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Also demand what an L2 demands: no blobs, no withdrawals.
    #[arg(long)]
    l2: bool,

    /// Threads per block.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,

    /// One JSON document instead of a line per file.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.source.is_empty() {
        bail!("nothing to verify: name files, or --block with --witness and --chain");
    }
    let execute = Execute {
        rules: if arguments.l2 { Rules::default() } else { Rules::L1 },
        threads: arguments.threads.try_into().or_else(|_| thread::available_parallelism())?,
        ..Execute::l1()
    };
    let mut lines = Vec::new();
    let mut all_valid = true;
    for (path, loaded) in arguments.source.load() {
        let start = Instant::now();
        let outcome = loaded.and_then(|Loaded { calldata, .. }| {
            Ok((calldata.len(), execute.run(&calldata, u64::MAX)?))
        });
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        all_valid &= outcome.is_ok();
        if arguments.json {
            lines.push(document(&path, &outcome, milliseconds));
            continue;
        }
        match outcome {
            Ok((bytes, Executed { verdict, .. })) => println!(
                "valid    {path}  block {} of chain {}, {} transactions, {:.2} Mgas, {bytes} bytes, \
                 {milliseconds:.1} ms",
                verdict.header.number,
                verdict.chain_id,
                verdict.executed.receipts.len(),
                verdict.header.gas_used as f64 / 1e6,
            ),
            Err(error) => println!("INVALID  {path}  {error:#}"),
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&lines)?);
    }
    Ok(if all_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn document(
    path: &str,
    outcome: &Result<(usize, Executed)>,
    milliseconds: f64,
) -> serde_json::Value {
    match outcome {
        Ok((bytes, executed)) => json!({
            "file": path,
            "valid": true,
            "number": executed.verdict.header.number,
            "chain_id": executed.verdict.chain_id,
            "block_hash": executed.verdict.block_hash,
            "state_root": executed.verdict.header.state_root,
            "request_root": executed.result.request_root,
            "transactions": executed.verdict.executed.receipts.len(),
            "gas_used": executed.verdict.header.gas_used,
            "input_bytes": bytes,
            "ms": milliseconds,
        }),
        Err(error) => json!({ "file": path, "valid": false, "reason": format!("{error:#}") }),
    }
}
