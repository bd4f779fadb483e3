//! EXECUTE as an extension of a chain.

use crate::{
    ExecuteTail, Verdicts,
    dialects::located,
    market::{self, Payment},
};
use alloy_consensus::Header;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, Sealed};
use codec::SignedExecuteTx;
use execute::{Answer, Dialect, Execute, ExecuteError, PrecompileCall};
use executor::{BlockError, BlockTally, EvmOverrides, HookState};
use std::sync::Arc;

/// EXECUTE on the blocks of a chain, which is an L1 or a lower layer.
#[derive(Debug, Clone)]
pub struct ExecuteExtension {
    /// EXECUTE with its parameters.
    pub execute: Arc<Execute>,
    /// `true` if a [`market`] sells its gas. The extension closes it after each block.
    pub market: bool,
    /// Verdicts on the inputs of transactions of type `0x05`.
    pub verdicts: Arc<Verdicts>,
}

impl ExecuteExtension {
    /// Creates the extension of a chain without a market.
    pub fn new(execute: Execute) -> Self {
        Self { execute: Arc::new(execute), market: false, verdicts: Arc::default() }
    }

    /// Creates the extension of a chain with a market.
    pub fn with_market(execute: Execute) -> Self {
        Self { market: true, ..Self::new(execute) }
    }

    /// Returns the address of the precompile that takes its witness from transactions of type `0x05`, if EXECUTE has
    /// that dialect.
    pub fn execute_tx_address(&self) -> Option<Address> {
        let found = self.execute.dialects.iter().find(|it| it.name() == ExecuteTail::NAME);
        found.map(|dialect| dialect.address())
    }

    /// Puts the precompile into an EVM, for the calls in this transaction, or in one of another type.
    ///
    /// A call with the input of a kept verdict, which the pool may have come to, is answered without work. On a market,
    /// an allowance of the transaction pays for the calls of all dialects: a call that converted gas beside it could
    /// take the room in the block that the allowance has paid for.
    pub fn install_execute_tx(
        &self,
        transaction: Option<&Arc<Sealed<SignedExecuteTx>>>,
        precompiles: &mut PrecompilesMap,
        tally: &Arc<BlockTally>,
    ) {
        let Some(address) = self.execute_tx_address() else { return };
        let tail = transaction.map_or_else(ExecuteTail::default, |it| ExecuteTail::of(it.clone()));
        let dialects = vec![located(Arc::new(tail.clone()), address)];
        let execute = Arc::new(Execute { dialects, ..(*self.execute).clone() });
        let verdicts = Arc::clone(&self.verdicts);
        let answer =
            move |execute: &Execute, dialect: &dyn Dialect, call: PrecompileCall<'_>, gas| {
                answered(&verdicts, &tail, execute, dialect, call, gas)
            };
        if self.market {
            let allowance = transaction.and_then(|it| it.inner().tx.allowance());
            let payment = allowance.map_or(Payment::Converted, |it| Payment::Allowance(it.gas));
            let counted = Execute::answer_counted;
            market::install_with(&self.execute, precompiles, tally, payment, counted);
            market::install_with(&execute, precompiles, tally, payment, answer);
        } else {
            execute.install_with(precompiles, move |execute, dialect, input| {
                answer(execute, dialect, PrecompileCall::of(input), input.gas).0
            });
        }
    }
}

impl EvmOverrides for ExecuteExtension {
    fn precompiles(&self, precompiles: &mut PrecompilesMap, tally: &Arc<BlockTally>) {
        if self.market {
            market::install(&self.execute, precompiles, tally);
        } else {
            self.execute.install(precompiles);
        }
    }

    /// Blocks of an L1 with EXECUTE are verified with the same EXECUTE.
    fn is_verifiable(&self) -> bool {
        true
    }

    fn end_block(
        &self,
        _: &Header,
        state: &mut dyn HookState,
        tally: &BlockTally,
    ) -> Result<(), BlockError> {
        if self.market { market::close_block(state, tally) } else { Ok(()) }
    }
}

/// Returns the answer of a call in a transaction, and the gas that it takes, and keeps the verdict on it.
fn answered(
    verdicts: &Verdicts,
    tail: &ExecuteTail,
    execute: &Execute,
    dialect: &dyn Dialect,
    call: PrecompileCall<'_>,
    gas: u64,
) -> (Result<Answer, ExecuteError>, u64) {
    let payable = dialect.bytes(&call).is_ok_and(|bytes| execute.gas.bytes(bytes as u64) <= gas);
    // Finding the key hashes the input, for which the price per byte pays.
    let Some(transaction) = tail.transaction().filter(|_| payable) else {
        return execute.answer_counted(dialect, call, gas);
    };
    let key = Verdicts::key(call.calldata, &transaction.inner().tx);
    if let Some(answer) = verdicts.get(&key, gas) {
        let taken = answer.gas;
        return (Ok(answer), taken);
    }
    let ran = execute.run_as(dialect, call, gas, |_| {});
    match &ran {
        Ok(executed) => verdicts.put(key, executed),
        Err(refused) => {
            let held = refused.held;
            return (Err(refused.reason.clone()), held);
        }
    }
    let answer = dialect.answer(call.calldata, ran);
    let taken = answer.as_ref().map_or(0, |answer| answer.gas);
    (answer, taken)
}
