//! Runner for official fixtures (EEST "blockchain_test").

use super::requests::{Claim, claimed};
use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, eth::EthEvmFactory};
use alloy_primitives::{Bytes, TxKind, keccak256};
use codec::{OwnedWitness, RawBlock};
use enshrine_chain::store::StoredNodes;
use enshrine_chain::{Chain, ChainConfig, ChainError};
use execute::{EXECUTE_ADDRESS, Execute, ExecuteError, Networks};
use executor::{ChainSpec, Invalid, SystemCode};
use eyre::{Context, OptionExt, Result, bail, ensure, eyre};
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv},
    database::{CacheDB, EmptyDB},
    primitives::hardfork::SpecId,
};
use std::{collections::BTreeMap, sync::Arc};
use testkit::vectors::fixture::{self, CHAIN_ID, DEPOSIT_CONTRACT, Fixture};
use variants::Flat;
use wire::StatelessResult;

/// Exceptions that fixtures expect, and the reason with which EXECUTE rejects the block.
const REASONS: [(&str, &str); 38] = [
    ("INCORRECT_EXCESS_BLOB_GAS", "header field excess blob gas"),
    ("INVALID_BASEFEE_PER_GAS", "header field base fee"),
    ("INVALID_BLOCK_HASH", "block hash"),
    ("INVALID_DEPOSIT_EVENT_LAYOUT", "an invalid layout"),
    ("INVALID_GASLIMIT", "header field gas limit"),
    ("INVALID_REQUESTS", "requests hash"),
    // Lists that no input can represent: of unknown types, out of order, or without records.
    ("INVALID_REQUESTS", "but the fields hash to"),
    ("INVALID_WITHDRAWALS_ROOT", "but the fields hash to"),
    ("RLP_BLOCK_LIMIT_EXCEEDED", "bytes of RLP"),
    ("RLP_STRUCTURES_ENCODING", "transaction "),
    ("SYSTEM_CONTRACT_CALL_FAILED", "block execution: "),
    ("SYSTEM_CONTRACT_CALL_FAILED", "at the system address"),
    // Out of gas at the 30 million of the EIPs, but not at the gas that revm gives
    // (docs/security.md).
    ("SYSTEM_CONTRACT_CALL_FAILED", "state root"),
    ("GAS_ALLOWANCE_EXCEEDED", "available gas"),
    ("GAS_ALLOWANCE_EXCEEDED", "the minimum gas of"),
    ("GAS_LIMIT_EXCEEDS_MAXIMUM", "is greater than the cap"),
    ("INITCODE_SIZE_EXCEEDED", "initcode size limit"),
    ("INSUFFICIENT_ACCOUNT_FUNDS", "lack of funds"),
    ("INSUFFICIENT_ACCOUNT_FUNDS", "overflow payment"),
    ("INSUFFICIENT_MAX_FEE_PER_BLOB_GAS", "max fee per blob gas"),
    ("INSUFFICIENT_MAX_FEE_PER_GAS", "less than basefee"),
    ("INTRINSIC_GAS_BELOW_FLOOR_GAS_COST", "is below its intrinsic gas"),
    ("INTRINSIC_GAS_TOO_LOW", "is below its intrinsic gas"),
    ("NONCE_MISMATCH_TOO_HIGH", "too high"),
    ("NONCE_MISMATCH_TOO_LOW", "too low"),
    ("SENDER_NOT_EOA", "senders with deployed code"),
    ("TYPE_3_TX_BLOB_COUNT_EXCEEDED", "too many blobs"),
    ("TYPE_3_TX_BLOB_COUNT_EXCEEDED", "header field blob gas used"),
    ("TYPE_3_TX_CONTRACT_CREATION", "transaction "),
    ("TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH", "blob version not supported"),
    ("TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED", "header field blob gas used"),
    ("TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED", "too many blobs"),
    ("TYPE_3_TX_WITH_FULL_BLOBS", "transaction "),
    ("TYPE_3_TX_ZERO_BLOBS", "empty blobs"),
    ("TYPE_4_EMPTY_AUTHORIZATION_LIST", "empty authorization list"),
    ("TYPE_4_TX_CONTRACT_CREATION", "transaction "),
    ("INVALID_CHAINID", "chain"),
    ("INVALID_SIGNATURE_VRS", "recovers no sender"),
];

/// A pack of fixtures.
pub(crate) struct Pack {
    name: &'static str,
}

/// Outcome of a pack.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) tests: usize,
    pub(crate) valid: usize,
    pub(crate) invalid: usize,
    /// Number of tests whose pre-state has non-canonical code at a system address. EXECUTE as
    /// configured rejects their blocks for that; configured to accept any code, it agrees with the
    /// fixture.
    pub(crate) foreign_system_code: usize,
    /// Number of rejected invalid blocks by reason.
    pub(crate) reasons: BTreeMap<String, usize>,
    /// Tests with a verdict that differs from the fixture's, and the difference.
    pub(crate) wrong: Vec<(String, String)>,
    /// Number of blocks that are rejected because they claim requests other than those they cause.
    pub(crate) claimed_requests: usize,
    /// Number of blocks that claim lists of requests which no input can represent.
    pub(crate) malformed_requests: usize,
    /// Number of valid Amsterdam blocks that EXECUTE accepts.
    pub(crate) of_amsterdam: usize,
}

impl Outcome {
    pub(crate) fn print(&self) {
        self.print_summary();
        for (reason, count) in &self.reasons {
            println!("  refused {count:5}: {reason}");
        }
        for (name, reason) in &self.wrong {
            println!("  other verdict: {name}\n      {reason}");
        }
    }

    pub(crate) fn print_summary(&self) {
        println!(
            "{} tests, {} valid blocks, {} invalid blocks, {} tests with foreign system code",
            self.tests, self.valid, self.invalid, self.foreign_system_code
        );
    }
}

impl Pack {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// Runs every test of the pack; `None` if the pack is missing.
    pub(crate) fn run(&self) -> Result<Option<Outcome>> {
        let mut outcome = Outcome::default();
        let present = fixture::each(self.name, |fixture| {
            outcome.tests += 1;
            if let Err(error) = run_test(fixture, &mut outcome) {
                outcome.wrong.push((fixture.name.clone(), format!("{error:#}")));
            }
            Ok(())
        })?;
        Ok(present.then_some(outcome))
    }
}

fn run_test(fixture: &Fixture, outcome: &mut Outcome) -> Result<()> {
    let spec = ChainSpec::scheduled(CHAIN_ID, fixture.fork, fixture.later.as_slice())
        .with_deposit_contract(DEPOSIT_CONTRACT);
    let canonical = genesis_code_is_canonical(fixture);
    outcome.foreign_system_code += usize::from(!canonical);
    let config = ChainConfig { system_code: SystemCode::Any, ..ChainConfig::new(spec.clone()) };
    let mut chain = Chain::from_header(fixture.header.clone(), &fixture.genesis, config)?;
    let execute = Execute {
        networks: Networks::Only(Arc::new(spec)),
        system_code: if canonical { SystemCode::Canonical } else { SystemCode::Any },
        ..Execute::l1()
    };
    for (index, block) in fixture.blocks.iter().enumerate() {
        match &block.exception {
            None => {
                outcome.valid += 1;
                accept(&mut chain, &execute, &block.rlp)
                    .wrap_err_with(|| format!("block {index}"))?;
                let header = RawBlock::decode(&block.rlp)?.header;
                outcome.of_amsterdam += usize::from(header.block_access_list_hash.is_some());
            }
            Some(exception) => {
                outcome.invalid += 1;
                let Ok(raw) = RawBlock::decode(&block.rlp) else { continue };
                let claim = raw.header.requests_hash.and_then(|hash| claimed(&fixture.name, hash));
                let refusal = refuse(&chain, &execute, &raw, exception, claim.as_ref())
                    .wrap_err_with(|| format!("block {index}, {exception}"))?;
                let reason = generalise(&refusal.to_string());
                match claim {
                    Some(Claim::Shown(_)) => outcome.claimed_requests += 1,
                    Some(Claim::Malformed) => outcome.malformed_requests += 1,
                    None => {}
                }
                *outcome.reasons.entry(format!("{exception} => {reason}")).or_default() += 1;
            }
        }
    }
    check_post_state(&chain, fixture)
}

/// Imports a valid block, and checks that EXECUTE verifies it from the reads of the import.
fn accept(chain: &mut Chain, execute: &Execute, rlp: &[u8]) -> Result<()> {
    let raw = RawBlock::decode(rlp)?;
    let new = chain.import(&raw).wrap_err("import")?;
    let calldata = new.input()?;
    let output = call(execute, &calldata).ok_or_else(|| {
        let reason = execute.run(&calldata, u64::MAX).map(|_| ());
        eyre!("EXECUTE refuses a valid block: {reason:?}")
    })?;
    if execute.system_code == SystemCode::Any {
        let strict = Execute { system_code: SystemCode::Canonical, ..execute.clone() };
        let refusal = strict.run(&calldata, u64::MAX).err();
        ensure!(
            matches!(refusal, Some(ExecuteError::Invalid(Invalid::SystemCode { .. }))),
            "foreign code at a system address: {refusal:?}"
        );
    }
    let result = StatelessResult::decode(&output)?;
    ensure!(result.valid && result.chain_id == 1, "{result:?}");
    chain.append(new)?;
    Ok(())
}

/// Checks that the chain and EXECUTE reject an invalid block for the fixture's reason. The witness
/// for EXECUTE contains the whole store.
fn refuse(
    chain: &Chain,
    execute: &Execute,
    raw: &RawBlock,
    exception: &str,
    claim: Option<&Claim>,
) -> Result<ExecuteError> {
    match chain.import(raw) {
        Ok(_) => bail!("import accepts an invalid block"),
        Err(ChainError::Invalid(_) | ChainError::NoFork(_)) => {}
        Err(other) => bail!("import fails for another reason: {other}"),
    }
    let requests = match claim {
        Some(Claim::Shown(requests)) => &requests[..],
        _ => &[],
    };
    let calldata = calldata_of_invalid(chain, raw, requests)?;
    ensure!(call(execute, &calldata).is_none(), "EXECUTE accepts an invalid block");
    let refusal = execute.run(&calldata, u64::MAX).expect_err("just refused");
    let reason = refusal.to_string();
    ensure!(!reason.contains("missing"), "refused for its witness: {reason}");
    // Blocks of older Amsterdam drafts are invalid by the current rules, besides any other fault.
    let is_of_a_draft = raw.header.block_access_list_hash.is_some();
    ensure!(
        is_of_a_draft || exception.split('|').any(|exception| is_reason_of(exception, &reason)),
        "refused for another reason: {reason}"
    );
    if let Some(Claim::Shown(_)) = claim {
        let is_about_requests = matches!(
            refusal,
            ExecuteError::Invalid(Invalid::Commitment { what: "requests hash", .. })
        );
        ensure!(is_of_a_draft || is_about_requests, "not refused for its requests: {reason}");
    }
    Ok(refusal)
}

/// Returns `true` if the reason matches the exception that the fixture expects.
fn is_reason_of(exception: &str, reason: &str) -> bool {
    let (_, exception) = exception.split_once('.').unwrap_or_default();
    let known = REASONS.iter().filter(|(of, _)| *of == exception);
    known.into_iter().any(|(_, part)| reason.contains(part))
}

/// Returns the input of a block that cannot be executed, with the whole store as witness.
fn calldata_of_invalid(chain: &Chain, raw: &RawBlock, requests: &[Bytes]) -> Result<Vec<u8>> {
    let mut headers = vec![];
    let mut next = raw.header.parent_hash;
    while let Some(block) = chain.find_block(&next)? {
        headers.push(alloy_rlp::encode(&block.header).into());
        next = block.header.parent_hash;
    }
    headers.truncate(256);
    headers.reverse();
    let StoredNodes { nodes, codes } = chain.store().everything()?;
    let mut witness = OwnedWitness { state: nodes, codes, headers };
    witness.canonicalize();
    let spec = &chain.config().spec;
    let fork = spec.fork_at(raw.header.timestamp).ok_or_eyre("no fork at this timestamp")?;
    Ok(raw.to_input(fork, 1, &witness, requests, &[])?)
}

/// Calls EXECUTE from a transaction; `None` if the call fails.
fn call(execute: &Execute, calldata: &[u8]) -> Option<Vec<u8>> {
    let execute =
        Arc::new(Execute { gas: Arc::new(Flat { base: 0, per_byte: 0 }), ..execute.clone() });
    let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA);
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    let block = BlockEnv { gas_limit: u64::MAX, ..Default::default() };
    let env = EvmEnv { cfg_env: cfg, block_env: block };
    let mut evm = EthEvmFactory::default().create_evm(CacheDB::new(EmptyDB::new()), env);
    execute.install(evm.precompiles_mut());
    let transaction = TxEnv {
        kind: TxKind::Call(EXECUTE_ADDRESS),
        data: Bytes::copy_from_slice(calldata),
        gas_limit: u64::MAX / 2,
        ..Default::default()
    };
    let result = evm.transact(transaction).expect("a call never aborts the EVM").result;
    result.is_success().then(|| result.output().cloned().unwrap_or_default().to_vec())
}

fn check_post_state(chain: &Chain, fixture: &Fixture) -> Result<()> {
    let last = fixture.last_block_hash;
    ensure!(chain.head().hash == last, "head {}, expected {last}", chain.head().hash);
    for (&address, account) in fixture.post_state.iter().flatten() {
        ensure!(chain.balance(address)? == account.balance, "balance of {address}");
        for (&slot, &expected) in &account.storage {
            let got = chain.storage(address, slot)?;
            ensure!(got == expected, "slot {slot} of {address}: {got}, expected {expected}");
        }
    }
    Ok(())
}

fn genesis_code_is_canonical(fixture: &Fixture) -> bool {
    let contracts = executor::SYSTEM_CONTRACTS.iter();
    contracts.filter(|contract| contract.since <= fixture.fork).all(|contract| {
        let account = fixture.genesis.alloc.get(&contract.address);
        let code = account.and_then(|account| account.code.as_ref());
        code.is_some_and(|code| keccak256(code) == contract.code_hash)
    })
}

/// Returns a reason without its numbers, as a key for counting.
fn generalise(reason: &str) -> String {
    let words = reason
        .split_whitespace()
        .map(|word| if word.chars().any(|c| c.is_ascii_digit()) { "#" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(110).collect()
}
