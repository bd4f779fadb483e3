//! Comparison of two verifiers on one input.

use alloy_primitives::{Address, Bytes, keccak256};
use enshrine_differential::ethrex::{self, EthrexError};
use ethrex_common::types::ChainConfig;
use execute::{Execute, Networks};
use executor::{ChainSpec, SystemCode};
use std::{
    cell::Cell,
    fs,
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Once},
};
use wire::ProtocolFork;

/// Verdict of a verifier, with the reason if it rejects the input.
pub(crate) type Verdict = Result<(), String>;

/// Both verifiers, configured for one chain.
pub(crate) struct Judges {
    pub(crate) spec: ChainSpec,
    pub(crate) execute: Execute,
    config: Option<ChainConfig>,
}

impl Judges {
    /// Creates verifiers that select the rules by the chain id of the input: those of a public
    /// network, or of the schema's fork.
    pub(crate) fn by_id() -> Self {
        Self { spec: ChainSpec::mainnet(), execute: Execute::l1(), config: None }
    }

    /// Creates verifiers for a chain with a fork schedule.
    pub(crate) fn of_chain(
        chain_id: u64,
        first: ProtocolFork,
        later: Option<(ProtocolFork, u64)>,
        deposit_contract: Option<Address>,
        system_code: SystemCode,
    ) -> Self {
        let mut spec = ChainSpec::scheduled(chain_id, first, later.as_slice());
        let later = later.map(|(fork, since)| (ethrex::fork_of(fork), since));
        let mut config = ethrex::scheduled(chain_id, ethrex::fork_of(first), later.as_slice());
        if let Some(address) = deposit_contract {
            spec = spec.with_deposit_contract(address);
            config.deposit_contract_address.0 = address.into_array();
        }
        let networks = Networks::Only(Arc::new(spec.clone()));
        let execute = Execute { networks, system_code, ..Execute::l1() };
        Self { spec, execute, config: Some(config) }
    }

    pub(crate) fn ours(&self, calldata: &Bytes) -> Verdict {
        self.execute.run(calldata, u64::MAX).map(|_| ()).map_err(|refusal| refusal.to_string())
    }

    /// Returns ethrex's verdict; `None` if it panics.
    pub(crate) fn theirs(&self, calldata: &Bytes) -> Option<Result<(), EthrexError>> {
        let verify = || match &self.config {
            Some(config) => ethrex::verify_on(calldata, config),
            None => ethrex::verify(calldata),
        };
        quietly(|| catch_unwind(AssertUnwindSafe(verify)).ok())
    }
}

/// Runs `work` without printing its panics, because ethrex asserts on some malformed inputs.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                print(info);
            }
        }));
    });
    QUIET.set(true);
    let result = work();
    QUIET.set(false);
    result
}

/// Counts of compared inputs, and disagreements.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Inputs that both accept.
    pub(crate) accepted: usize,
    /// Our reasons for the inputs that both reject.
    pub(crate) refused: Vec<String>,
    /// Number of rejected inputs on which ethrex panics.
    pub(crate) panics: usize,
    disagreements: Vec<String>,
    /// Number of inputs with a damaged witness that is incomplete only for ethrex.
    pub(crate) missing_for_ethrex: usize,
}

impl Tally {
    /// Compares both verdicts on an input.
    pub(crate) fn ask(&mut self, judges: &Judges, name: impl FnOnce() -> String, calldata: &Bytes) {
        let (ours, theirs) = (judges.ours(calldata), judges.theirs(calldata));
        match (&ours, &theirs) {
            (Ok(()), Some(Ok(()))) => self.accepted += 1,
            (Err(reason), Some(Err(_))) => self.refused.push(reason.clone()),
            (Err(reason), None) => {
                self.refused.push(reason.clone());
                self.panics += 1;
            }
            _ => {
                let name = name();
                let saved = keep(calldata);
                self.disagreements
                    .push(format!("{name}\n  ours {ours:?}\n  theirs {theirs:?}\n  {saved}"));
            }
        }
    }

    /// Compares both verdicts on an input whose witness may be damaged. A witness contains the
    /// reads of every client, some of which revm does not make; if such a node is missing, only
    /// ethrex fails.
    pub(crate) fn ask_damaged(
        &mut self,
        judges: &Judges,
        name: impl FnOnce() -> String,
        calldata: &Bytes,
    ) {
        if judges.ours(calldata).is_ok()
            && let Some(Err(reason)) = judges.theirs(calldata)
            && format!("{reason:?}").contains("Database access error")
        {
            self.missing_for_ethrex += 1;
            return;
        }
        self.ask(judges, name, calldata);
    }

    pub(crate) const fn total(&self) -> usize {
        self.accepted + self.refused.len() + self.disagreements.len()
    }

    /// Panics with all disagreements, if there are any; otherwise prints the counts.
    #[track_caller]
    pub(crate) fn assert_agreement(&self, what: &str) {
        println!(
            "{what}: {} accepted and {} refused by both ({} with a panic of ethrex)",
            self.accepted,
            self.refused.len(),
            self.panics,
        );
        assert!(
            self.disagreements.is_empty(),
            "{what}: {} disagreements\n{}",
            self.disagreements.len(),
            self.disagreements.join("\n")
        );
    }
}

/// Writes an input on which the verdicts differ to a file for `enshrine execute verify`, and
/// returns a message with its path.
fn keep(calldata: &Bytes) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.ssz", keccak256(calldata)));
    match fs::write(&path, calldata) {
        Ok(()) => format!("input kept as {}", path.display()),
        Err(error) => format!("input lost: {error}"),
    }
}
