//! Conformance suite of execution-apis, run on its own chain.

use alloy_genesis::Genesis;
use chain::{Chain, ChainConfig, spec_of};
use enshrine_rpc::{Api, RpcOptions, WorkerOptions, Workers};
use eyre::{ContextCompat, Result, WrapErr, ensure};
use jsonrpsee::Methods;
use node::{Clock, Mining, Node, Settings};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Cases with deviating responses, and the reasons.
const DIFFERENT: &[(&str, &str)] = &[];

/// Imports the suite's chain block by block.
fn import(folder: &Path) -> Result<Chain> {
    let genesis: Genesis = serde_json::from_slice(&fs::read(folder.join("genesis.json"))?)?;
    let mut chain = Chain::new(&genesis, ChainConfig::new(spec_of(&genesis.config)))?;
    let blocks = chain.import_rlp(&fs::read(folder.join("chain.rlp"))?).wrap_err("import")?;
    ensure!(blocks == 54, "{blocks} blocks were imported");
    let head: Value = serde_json::from_slice(&fs::read(folder.join("headfcu.json"))?)?;
    let expected = head["params"][0]["headBlockHash"].as_str().wrap_err("no head")?;
    ensure!(chain.head().hash.to_string() == expected, "head {}", chain.head().hash);
    Ok(chain)
}

fn methods(chain: Chain) -> Methods {
    let head = chain.head().header.clone();
    let settings =
        Settings { mining: Mining::Manual, final_number: head.number, ..Settings::default() };
    let node = Node::new(chain, Clock::starting_at(head.timestamp), settings);
    let workers = Arc::new(Workers::new(&WorkerOptions::default()));
    enshrine_rpc::methods(Api::new(node, RpcOptions::default()), workers)
}

/// Compares the structure of two values, as a schema derived from an example would.
fn same_shape(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            // Keys that are data differ between the two sides.
            let is_data = |key: &String| key.starts_with("0x") || key.parse::<u64>().is_ok();
            expected.iter().filter(|(key, _)| !is_data(key)).all(|(key, expected)| {
                got.get(key).is_some_and(|got| same_shape(got, expected)) || key == "deleteStrategy"
            })
        }
        (Value::Array(got), Value::Array(expected)) => match expected.first() {
            Some(expected) => got.iter().all(|got| same_shape(got, expected)),
            None => true,
        },
        (Value::String(got), Value::String(expected)) => {
            got.starts_with("0x") == expected.starts_with("0x")
        }
        (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _) => true,
        _ => false,
    }
}

fn agree(got: &Value, expected: &Value, shape_only: bool) -> bool {
    if let Some(error) = expected.get("error") {
        return got["error"]["code"] == error["code"]
            && (shape_only || got["error"].get("data") == error.get("data"));
    }
    match (got.get("result"), expected.get("result")) {
        (Some(got), Some(expected)) if shape_only => same_shape(got, expected),
        (Some(got), Some(expected)) => got == expected,
        _ => false,
    }
}

/// Runs one case; returns the difference if the response deviates.
async fn play(methods: &Methods, path: &Path) -> Result<Option<String>> {
    let text = fs::read_to_string(path)?;
    let shape_only = text.lines().any(|line| line.starts_with("//") && line.contains("speconly"));
    let mut answer = None;
    for line in text.lines() {
        if let Some(request) = line.strip_prefix(">> ") {
            let (raw, _) = methods.raw_json_request(request, 1).await?;
            answer = Some(serde_json::from_str::<Value>(raw.get())?);
        } else if let Some(expected) = line.strip_prefix("<< ") {
            let expected: Value = serde_json::from_str(expected)?;
            let got = answer.take().wrap_err("an answer without a request")?;
            if !agree(&got, &expected, shape_only) {
                return Ok(Some(difference(&got, &expected)));
            }
        }
    }
    Ok(None)
}

/// Path of the first difference between two responses.
fn difference(got: &Value, expected: &Value) -> String {
    match (got, expected) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            let parts = keys
                .filter(|key| a.get(*key) != b.get(*key))
                .map(|key| {
                    let null = Value::Null;
                    let (got, expected) =
                        (a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
                    format!("{key}: {}", difference(got, expected))
                })
                .take(3);
            parts.collect::<Vec<_>>().join("; ")
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_default();
            format!("[{at}] {}", difference(&a[at], &b[at]))
        }
        _ => {
            let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
            format!("got {}, expected {}", short(got), short(expected))
        }
    }
}

fn cases(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut cases = Vec::new();
    for method in fs::read_dir(folder)? {
        for case in fs::read_dir(method?.path())? {
            cases.push(case?.path());
        }
    }
    cases.sort();
    Ok(cases)
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_match_execution_apis_vectors() -> Result<()> {
    let Some(folder) = testkit::vectors::part("rpc-compat", "conformance of JSON-RPC")? else {
        return Ok(());
    };
    let methods = methods(import(&folder)?);
    let cases = cases(&folder.join("tests"))?;
    assert!(cases.len() >= 100, "only {} recorded answers", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.strip_prefix(folder.join("tests"))?.display().to_string();
        if let Some(difference) = play(&methods, case).await.wrap_err(name.clone())? {
            println!("{name}: {difference}");
            wrong.push(name);
        }
    }
    println!("{} of {} cases agree", cases.len() - wrong.len(), cases.len());
    let listed: Vec<_> = DIFFERENT.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(wrong, listed, "differences are listed above");
    Ok(())
}
