//! EXECUTE as an extension of a chain.

use crate::{
    ExecuteTail, Verdicts,
    located::located,
    market::{self, Payment},
};
use alloy_consensus::Header;
use alloy_evm::precompiles::PrecompilesMap;
use alloy_primitives::{Address, Sealed};
use codec::SignedExecuteTx;
use execute::{Answer, Dialect, Execute, ExecuteError, PrecompileCall};
use executor::{BlockError, BlockTally, EvmOverrides, HookState};
use std::sync::Arc;

/// EXECUTE for the blocks of a chain, which is an L1 or an L2.
#[derive(Debug, Clone)]
pub struct ExecuteExtension {
    /// EXECUTE with its parameters.
    pub execute: Arc<Execute>,
    /// `true` if a [`market`] sells its gas. The extension closes the market after each block.
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

    /// Returns the address of the precompile for transactions of type `0x05`, if EXECUTE has that
    /// dialect.
    pub fn execute_tx_address(&self) -> Option<Address> {
        let found =
            self.execute.dialects.iter().find(|dialect| dialect.name() == ExecuteTail::NAME);
        found.map(|dialect| dialect.address())
    }

    /// Installs the precompile in an EVM, for calls in `transaction`, or in a transaction of
    /// another type.
    ///
    /// A call whose input has a cached verdict, for example from the pool, is not verified again.
    /// On a market, the allowance of the transaction pays for its calls in all dialects: a call
    /// that also converted gas could use the part of the block's limit that the allowance has paid
    /// for.
    pub fn install_execute_tx(
        &self,
        transaction: Option<&Arc<Sealed<SignedExecuteTx>>>,
        precompiles: &mut PrecompilesMap,
        tally: &Arc<BlockTally>,
    ) {
        let Some(address) = self.execute_tx_address() else { return };
        let tail = transaction.map_or_else(ExecuteTail::default, |tx| ExecuteTail::of(tx.clone()));
        let dialects = vec![located(Arc::new(tail.clone()), address)];
        let execute = Arc::new(Execute { dialects, ..(*self.execute).clone() });
        let verdicts = Arc::clone(&self.verdicts);
        let answer =
            move |execute: &Execute, dialect: &dyn Dialect, call: PrecompileCall<'_>, gas| {
                answered(&verdicts, &tail, execute, dialect, call, gas)
            };
        if self.market {
            let allowance = transaction.and_then(|tx| tx.inner().tx.allowance());
            let payment =
                allowance.map_or(Payment::Converted, |allowance| Payment::Allowance(allowance.gas));
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

/// Returns the result of a call in a transaction and the gas that it takes, and caches the verdict.
fn answered(
    verdicts: &Verdicts,
    tail: &ExecuteTail,
    execute: &Execute,
    dialect: &dyn Dialect,
    call: PrecompileCall<'_>,
    gas: u64,
) -> (Result<Answer, ExecuteError>, u64) {
    let payable = dialect.bytes(&call).is_ok_and(|bytes| execute.gas.bytes(bytes as u64) <= gas);
    // Computing the key hashes the input, for which the price per byte pays.
    let Some(transaction) = tail.transaction().filter(|_| payable) else {
        return execute.answer_counted(dialect, call, gas);
    };
    let key = Verdicts::key(call.calldata, &transaction.inner().tx);
    if let Some(answer) = verdicts.get(&key, gas) {
        let charge = answer.gas;
        return (Ok(answer), charge);
    }
    let ran = execute.run_as(dialect, call, gas, |_| {});
    match &ran {
        Ok(executed) => verdicts.put(key, executed),
        Err(refused) => {
            let held = refused.gas;
            return (Err(refused.reason.clone()), held);
        }
    }
    let answer = dialect.answer(call.calldata, ran);
    let deducted = answer.as_ref().map_or(0, |answer| answer.gas);
    (answer, deducted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, Bytes, Signature, TxKind, U256, hex};
    use codec::SignedExecuteTx;
    use testkit::{CHAIN_ID, ETHER, Key, L2, execute_tx_calling, rich_genesis};
    use wire::ProtocolFork;

    /// Calls BLAKE2F with 2^32 - 1 rounds and all gas, which fails.
    const RUNS_OUT: &[u8] = &hex!("63ffffffff60e01b5f52600160d4535f5f60d55f60095afa5000");

    /// Returns the EXECUTE call with a block that contains a failing precompile, or a transfer.
    fn tail_of(fails: bool) -> ExecuteTail {
        let fork = ProtocolFork::Osaka;
        let mut l2 = L2::new(CHAIN_ID, fork, &rich_genesis(fork, ["alice"], ETHER)).unwrap();
        let (alice, time) = (Key::named("alice"), l2.chain().head().header.timestamp + 1);
        let (to, value, input, gas) = match fails {
            true => (TxKind::Create, U256::ZERO, RUNS_OUT.into(), 9_000_000),
            false => (Address::repeat_byte(7).into(), U256::ONE, Bytes::new(), 21_000),
        };
        let transaction = l2.sign(&alice, to, value, input, gas).unwrap();
        let (block, _) = l2.seal(time, B256::ZERO, vec![transaction]).unwrap();
        let call = |head: &[u8]| head.to_vec().into();
        let tx = execute_tx_calling(&block, TxKind::Create, call).unwrap();
        let signature = Signature::new(U256::from(2), U256::from(3), true);
        let signed = SignedExecuteTx { tx, signature };
        let hash = signed.hash();
        ExecuteTail::of(Arc::new(Sealed::new_unchecked(signed, hash)))
    }

    #[test]
    fn cached_verdict_answers_like_verification() {
        for fails in [false, true] {
            let (tail, execute) = (tail_of(fails), Execute::default());
            let head = tail.transaction().unwrap().inner().tx.input.clone();
            let ask = |verdicts: &Verdicts, gas| {
                let call = PrecompileCall::from(&head[..]);
                format!("{:?}", answered(verdicts, &tail, &execute, &tail, call, gas))
            };
            let warm = Verdicts::default();
            let call = PrecompileCall::from(&head[..]);
            let (answer, _) = answered(&warm, &tail, &execute, &tail, call, u64::MAX);
            let charge = answer.unwrap().gas;
            // Around the charge, around the reserve, which is slightly more, and far from both.
            let near = (0..40).map(|step| charge - 20 + step);
            let wide = (0..60).map(|step| charge / 20 * step + step);
            let mut low = charge;
            let mut high = 2 * charge;
            while low + 1 < high {
                let middle = low.midpoint(high);
                let holds = ask(&Verdicts::default(), middle).starts_with("(Ok");
                if holds { high = middle } else { low = middle }
            }
            for gas in near.chain(wide).chain(high - 3..high + 3).chain([0, 1, u64::MAX]) {
                assert_eq!(ask(&warm, gas), ask(&Verdicts::default(), gas), "{gas}");
            }
            assert!(warm.counts().hits > 20, "{:?}", warm.counts());
        }
    }

    /// Its key is the hash of an input of any length, which a call with too little gas has not paid
    /// for.
    #[test]
    fn unpaid_call_looks_up_no_verdict() {
        let (tail, execute) = (tail_of(false), Execute::default());
        let head = tail.transaction().unwrap().inner().tx.input.clone();
        let price = execute.gas.bytes(tail.bytes(&PrecompileCall::from(&head[..])).unwrap() as u64);
        for (gas, lookups) in [(price - 1, 0), (price, 1)] {
            let verdicts = Verdicts::default();
            let call = PrecompileCall::from(&head[..]);
            let (answer, _) = answered(&verdicts, &tail, &execute, &tail, call, gas);
            assert!(answer.is_err());
            assert_eq!(verdicts.counts().misses, lookups, "{gas}");
        }
    }
}
