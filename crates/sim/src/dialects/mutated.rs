//! Time per gas of mutated calls, which are nearly valid.

use crate::{
    dialects::{FORMS, OF_EQUAL_COST},
    gas_model::{
        dialects::held,
        speed::{ReferenceWork, Timer},
    },
    vectors::{
        carrier, draft, nested,
        vector_chain::{Content, VectorChain},
    },
};
use alloy_primitives::B256;
use codec::SignedExecuteTx;
use execute::{Answer, Dialect, Execute, ExecuteError, PrecompileCall};
use eyre::{OptionExt as _, Result, bail, ensure};
use serde_json::{Value, json};
use testkit::localnet::units::grouped;
use testkit::{mutations, mutations_of_batch, mutations_of_draft};
use variants::{DialectCall, DialectName, Dialects};
use wire::ProtocolFork;

/// Maximum nanoseconds per gas: twice the rate of the gas schedule.
const LIMIT: f64 = 6.0;
/// Gas limit of a call.
const PLENTY: u64 = 50_000_000;
/// Number of timed runs of a call that seems to be the slowest; the fastest run counts.
const ROUNDS: usize = 9;

/// Result for the mutated calls of a dialect.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mutated {
    dialect: DialectName,
    calls: u64,
    accepted: u64,
    /// Nanoseconds per gas of the slowest call.
    slowest: f64,
    /// Reason why that call was rejected, or `valid`.
    outcome: &'static str,
}

impl Mutated {
    fn json(&self) -> Value {
        json!({
            "dialect": self.dialect.name(), "calls": self.calls, "accepted": self.accepted,
            "nsPerGas": self.slowest, "outcome": self.outcome,
        })
    }
}

/// Makes this many mutated calls in each dialect, and prints the slowest.
///
/// # Errors
///
/// If a call with an invalid input is accepted, ends in an internal error, or takes longer than its
/// gas covers.
pub(super) fn run(calls: u64, json: bool) -> Result<()> {
    let forms = FORMS.into_iter().chain(OF_EQUAL_COST);
    let measured: Vec<_> = forms.map(|form| measure(form, calls)).collect::<Result<_>>()?;
    if json {
        println!("{:#}", Value::from_iter(measured.iter().map(Mutated::json)));
    } else {
        println!(
            "| form | mutated calls | accepted | ns per gas, at most | outcome of that call |"
        );
        println!("|---|---|---|---|---|");
        for Mutated { dialect, calls, accepted, slowest, outcome } in &measured {
            let (calls, accepted) = (grouped(*calls), grouped(*accepted));
            println!("| `{dialect}` | {calls} | {accepted} | {slowest:.2} | {outcome} |");
        }
    }
    for Mutated { dialect, slowest, .. } in &measured {
        ensure!(*slowest <= LIMIT, "{dialect}: {slowest:.2} ns per gas, at most {LIMIT}");
    }
    Ok(())
}

/// Returns inputs, one per call, and whether each is a batch.
fn subjects(dialect: DialectName) -> Result<Vec<(Vec<u8>, bool)>> {
    if dialect == DialectName::Nested {
        let blocks = nested::blocks(ProtocolFork::Osaka)?;
        return Ok(blocks.into_iter().map(|block| (block, false)).collect());
    }
    let mut chain = VectorChain::new(ProtocolFork::Osaka)?;
    let transfers = chain.block(Content::Transfers(2))?;
    let log = chain.block(Content::Log)?;
    chain.block(Content::Ancestor)?;
    Ok(vec![(transfers, false), (log, false), (chain.batch(2)?, true)])
}

/// Measures the mutated calls of a dialect, which are derived from several inputs in equal shares.
fn measure(dialect: DialectName, calls: u64) -> Result<Mutated> {
    let mut mutated = Mutated { dialect, calls: 0, accepted: 0, slowest: 0.0, outcome: "" };
    let yardstick = ReferenceWork::new();
    if dialect == DialectName::Draft8079 {
        let subjects = draft::calls()?;
        let share = calls.div_ceil(subjects.len() as u64);
        for calldata in subjects.iter().flat_map(|good| mutations_of_draft(good, share)) {
            mutated.add(&DialectCall { calldata, blobs: Vec::new() }, &yardstick)?;
        }
        return Ok(mutated);
    }
    let mut subjects = subjects(dialect)?;
    if dialect == DialectName::ExecuteTx {
        subjects.retain(|(_, is_batch)| !is_batch);
        let share = calls.div_ceil(subjects.len() as u64);
        for (input, _) in &subjects {
            for tx in mutated_transactions(input, share)? {
                mutated.add_in(tx, &yardstick)?;
            }
        }
        return Ok(mutated);
    }
    for (input, is_batch) in &subjects {
        let share = calls.div_ceil(subjects.len() as u64);
        for call in mutated_calls(dialect, input, *is_batch, share)? {
            mutated.add(&call, &yardstick)?;
        }
    }
    Ok(mutated)
}

/// Returns this many mutations of a call with this input: half of them encode a mutated input, and
/// half mutate the calldata of the valid call, which is the same in the dialect of the
/// execution-specs.
fn mutated_calls(
    dialect: DialectName,
    input: &[u8],
    is_batch: bool,
    count: u64,
) -> Result<impl Iterator<Item = DialectCall>> {
    let good = dialect.encode(input)?;
    // Some mutated inputs cannot be encoded in a dialect, so there are more of them than calls.
    let inputs: Box<dyn Iterator<Item = Vec<u8>>> = match is_batch {
        true => Box::new(mutations_of_batch(input, 2 * count)),
        false => Box::new(mutations(input, 2 * count)),
    };
    let of_inputs = if dialect == DialectName::Specs { count } else { count / 2 };
    let encoded = inputs.filter_map(move |input| dialect.encode(&input).ok());
    let calldata: Vec<_> = mutations(&good.calldata, count - of_inputs).collect();
    let blobs = good.blobs;
    let changed =
        calldata.into_iter().map(move |calldata| DialectCall { calldata, blobs: blobs.clone() });
    Ok(encoded.take(usize::try_from(of_inputs)?).chain(changed))
}

/// Returns this many mutations of a transaction of type `0x05` with this input: half of them encode
/// a mutated input with matching fields, and half change a byte of the valid transaction, in a
/// field, the head or the witness.
fn mutated_transactions(input: &[u8], count: u64) -> Result<impl Iterator<Item = SignedExecuteTx>> {
    let dialect = DialectName::ExecuteTx;
    let good = carrier::around(&dialect.encode(input)?).encode();
    // Some mutated inputs cannot be split, and some mutated bytes are not a transaction.
    let encoded = mutations(input, 2 * count).filter_map(move |input| dialect.encode(&input).ok());
    let of_inputs = encoded.map(|call| carrier::around(&call)).take(usize::try_from(count / 2)?);
    let changed: Vec<_> = mutations(&good, 2 * count)
        .filter_map(|bytes| SignedExecuteTx::decode(&bytes).ok())
        .take(usize::try_from(count - count / 2)?)
        .collect();
    Ok(of_inputs.chain(changed))
}

impl Mutated {
    /// Makes a call and counts it.
    fn add(&mut self, call: &DialectCall, yardstick: &ReferenceWork) -> Result<()> {
        let (blob_hashes, source) = held(&call.blobs);
        let execute = Dialects::usual(&[self.dialect]).of(Execute::default(), &source);
        let own = execute.dialects.last().ok_or_eyre("no dialect")?;
        self.make(&execute, &**own, call, &blob_hashes, yardstick)?;
        Ok(())
    }

    /// Makes the call by a transaction of type `0x05` and counts it.
    fn add_in(&mut self, tx: SignedExecuteTx, yardstick: &ReferenceWork) -> Result<()> {
        let blobs = vec![tx.tx.witness.to_vec()];
        let call = DialectCall { calldata: tx.tx.input.to_vec(), blobs };
        let fields = tx.tx.clone();
        let own = carrier::dialect_in(tx);
        if self.make(&Execute::default(), &*own, &call, &[], yardstick)? {
            let block = carrier::around(&call).tx;
            let bound = fields.pre_state_root == block.pre_state_root
                && fields.coinbase == block.coinbase
                && fields.block_number == block.block_number
                && fields.timestamp == block.timestamp
                && (fields.anchor().is_none() || fields.anchor() == block.anchor());
            ensure!(bound, "accepted with the fields of another block: {fields:?}");
        }
        Ok(())
    }

    /// Makes a call and counts it. Returns `true` if it is accepted.
    fn make(
        &mut self,
        execute: &Execute,
        own: &dyn Dialect,
        call: &DialectCall,
        blob_hashes: &[B256],
        yardstick: &ReferenceWork,
    ) -> Result<bool> {
        let precompile = PrecompileCall { calldata: &call.calldata, blob_hashes };
        let (mut per_gas, answer) = time(execute, own, precompile);
        let outcome = match &answer {
            Ok(answer) if answer.output[..] == B256::ZERO[..] => "answer 0",
            Ok(_) => "valid",
            Err(ExecuteError::Internal(_) | ExecuteError::Panic(_)) => {
                bail!("{}: {answer:?}", self.dialect)
            }
            Err(refused) => refused.kind(),
        };
        self.calls += 1;
        let is_valid = outcome == "valid";
        if is_valid {
            self.accepted += 1;
            let input = self.dialect.decode(&call.calldata, &call.blobs)?;
            self.dialect.run(execute, &call.calldata, &input)?;
        }
        // Other processes may have slowed down a run, but not every run, and the core may be
        // shared.
        for _ in 1..ROUNDS {
            if per_gas <= self.slowest {
                return Ok(is_valid);
            }
            let slowness = yardstick.slowness();
            per_gas = per_gas.min(time(execute, own, precompile).0 / slowness);
        }
        if per_gas > self.slowest {
            (self.slowest, self.outcome) = (per_gas, outcome);
        }
        Ok(is_valid)
    }
}

/// Returns the nanoseconds per gas of a call, and its result.
fn time(
    execute: &Execute,
    dialect: &dyn Dialect,
    call: PrecompileCall<'_>,
) -> (f64, Result<Answer, ExecuteError>) {
    let timer = Timer::start();
    let (answer, gas) = execute.answer_counted(dialect, call, PLENTY);
    (timer.nanoseconds() / gas as f64, answer)
}
