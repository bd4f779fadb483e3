//! A chain that sells EXECUTE gas, and contracts on it that call EXECUTE.

use alloy_consensus::{Transaction as _, TxEip1559};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use codec::RawBlock;
use enshrine_chain::{
    Block, BlockAttributes, BlockBuilder, BlockBuilderOutcome, Chain, ChainConfig, ChainError,
    ExecuteDraw, ExecuteMarket, ExecuteTxPrecompile, ExecutedBlock, RecoveredTransaction,
    empty_genesis, try_alone, verify_child, witness_of,
};
use execute::{CallObserver, Execute, ExecuteError, ObservedCall};
use executor::{BlockError, ChainSpec, EvmOverrides, Invalid, Transaction};
use stateless::{UncheckedBlocks, VerifyOptions};
use std::sync::{Arc, Mutex};
use testkit::Key;
use variants::{
    BlobSource, DialectName, Dialects, ExecuteExtension, Flat, GasSchedule,
    market::{LIMIT, MARKET_ADDRESS, MARKET_CODE, Rate, price, price_on},
};
use wire::{ProtocolFork, StatelessInput};

const MARKET: ExecuteMarket = ExecuteMarket { limit: LIMIT, price: price_on };
pub(crate) const CHAIN_ID: u64 = 8_079;
pub(crate) const GWEI: u64 = 1_000_000_000;
pub(crate) const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Forwards its calldata to EXECUTE, and continues after any outcome.
pub(crate) const GOES_ON: (Address, [u8; 18]) =
    (Address::repeat_byte(0xa0), hex!("365f5f375f5f365f5f6101015af1500000ff"));
/// Forwards its calldata to EXECUTE, and reverts.
pub(crate) const REVERTS: (Address, [u8; 18]) =
    (Address::repeat_byte(0xb0), hex!("365f5f375f5f365f5f6101015af1505f5ffd"));
/// Forwards its calldata to [`REVERTS`], and continues.
pub(crate) const AROUND: (Address, [u8; 36]) = (
    Address::repeat_byte(0xc0),
    hex!("365f5f375f5f365f5f73b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b05af150000000"),
);
/// Calls EXECUTE four times with its calldata, each time with three million gas, and continues.
pub(crate) const FOUR_TIMES: (Address, [u8; 61]) = (
    Address::repeat_byte(0xd0),
    hex!(
        "365f5f37"
        "5f5f365f5f610101622dc6c0f150"
        "5f5f365f5f610101622dc6c0f150"
        "5f5f365f5f610101622dc6c0f150"
        "5f5f365f5f610101622dc6c0f150"
        "00"
    ),
);

/// Account whose balance would overflow with any fee.
pub(crate) const FULL: Address = Address::repeat_byte(0xf0);

/// Reasons with which EXECUTE has rejected calls.
#[derive(Debug, Default)]
pub(crate) struct Reasons(pub(crate) Mutex<Vec<ExecuteError>>);

impl CallObserver for Reasons {
    fn called(&self, call: &ObservedCall<'_>) {
        if let Err(reason) = call.outcome {
            self.0.lock().unwrap().push(reason.clone());
        }
    }
}

/// A chain that sells EXECUTE gas, and the calls that EXECUTE has rejected on it.
pub(crate) struct L1 {
    pub(crate) chain: Chain,
    pub(crate) reasons: Arc<Reasons>,
}

/// Returns the genesis of a chain that sells EXECUTE gas, with two rich accounts, the contracts of
/// the tests, and the market with this excess.
pub(crate) fn genesis(fork: ProtocolFork, excess: u64) -> Genesis {
    let mut genesis = empty_genesis(fork);
    genesis.gas_limit = 200_000_000;
    genesis.base_fee_per_gas = Some(u128::from(GWEI) * 8 / 7);
    for name in ["alice", "bob"] {
        let rich = GenesisAccount { balance: U256::from(10_u128.pow(24)), ..Default::default() };
        genesis.alloc.insert(Key::named(name).address(), rich);
    }
    let full = GenesisAccount { balance: U256::MAX, ..Default::default() };
    genesis.alloc.insert(FULL, full);
    let contracts = [
        (GOES_ON.0, &GOES_ON.1[..]),
        (REVERTS.0, &REVERTS.1),
        (AROUND.0, &AROUND.1),
        (FOUR_TIMES.0, &FOUR_TIMES.1),
    ];
    for (address, code) in contracts.into_iter().chain([(MARKET_ADDRESS, MARKET_CODE)]) {
        let storage = (address == MARKET_ADDRESS)
            .then(|| [(B256::ZERO, B256::from(U256::from(excess)))].into());
        let code = Some(Bytes::copy_from_slice(code));
        genesis.alloc.insert(address, GenesisAccount { code, storage, ..Default::default() });
    }
    genesis
}

impl L1 {
    pub(crate) fn new(fork: ProtocolFork, schedule: GasSchedule, excess: u64) -> Self {
        Self::of(&genesis(fork, excess), fork, schedule)
    }

    pub(crate) fn of(genesis: &Genesis, fork: ProtocolFork, schedule: GasSchedule) -> Self {
        let reasons = Arc::<Reasons>::default();
        let observer = Arc::<Reasons>::clone(&reasons);
        let execute = Execute { gas: schedule.into(), observer, ..Execute::on(fork) };
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))
            .with_extension(Arc::new(ExecuteExtension::with_market(execute)));
        Self { chain: Chain::new(genesis, config).unwrap(), reasons }
    }

    /// Returns the same L1 with a changed EXECUTE.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Execute)) -> Self {
        self.chain.configure(|config| {
            let present = config.extension::<ExecuteExtension>().unwrap();
            let mut execute = Execute::clone(&present.execute);
            change(&mut execute);
            config.set_extension(Arc::new(ExecuteExtension::with_market(execute)));
        });
        self
    }

    pub(crate) fn excess(&self) -> u64 {
        self.chain.storage(MARKET_ADDRESS, U256::ZERO).unwrap().to()
    }

    pub(crate) fn reasons(&self) -> Vec<ExecuteError> {
        std::mem::take(&mut self.reasons.0.lock().unwrap())
    }

    pub(crate) fn attributes(&self) -> BlockAttributes {
        let parent = &self.chain.head().header;
        BlockAttributes {
            timestamp: parent.timestamp + 12,
            slot_number: parent.number + 1,
            ..Default::default()
        }
    }

    /// Builds and appends a block of all transactions, also imports and verifies it, and returns it
    /// with the gas that each has used.
    pub(crate) fn block(&mut self, transactions: Vec<Transaction>) -> (ExecutedBlock, Vec<u64>) {
        let (block, rejected) = self.chain.build(&self.attributes(), transactions).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        self.append(block)
    }

    pub(crate) fn append(&mut self, block: ExecutedBlock) -> (ExecutedBlock, Vec<u64>) {
        let reasons = self.reasons();
        let raw = RawBlock::decode(&block.block.rlp()).unwrap();
        let imported = self.chain.import(&raw).unwrap();
        assert_eq!((imported.block.hash, &imported.witness), (block.block.hash, &block.witness));
        assert_eq!(verify(&block, self.chain.config()), Ok(()));
        let head = self.chain.append(block.clone()).unwrap();
        let before = self.chain.state_before(&head).unwrap().unwrap();
        assert_eq!(witness_of(&before, &head).unwrap(), block.witness);
        *self.reasons.0.lock().unwrap() = reasons;
        let used = gas_used(&head);
        (block, used)
    }

    /// Rate of the next block.
    pub(crate) fn rate(&self) -> Rate {
        let base_fee = self.chain.state().next_base_fee().unwrap();
        Rate { price: price(self.excess()), base_fee }
    }

    pub(crate) fn selling_allowances(
        genesis: &Genesis,
        fork: ProtocolFork,
        schedule: GasSchedule,
    ) -> Self {
        let reasons = Arc::<Reasons>::default();
        let observer = Arc::<Reasons>::clone(&reasons);
        let blobs: Arc<dyn BlobSource> = Arc::new(());
        let execute = Dialects::usual(&[DialectName::Specs, DialectName::ExecuteTx])
            .of(Execute { gas: schedule.into(), observer, ..Execute::on(fork) }, &blobs);
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork))
            .with_extension(Arc::new(ExecuteExtension::with_market(execute)));
        let chain = Chain::new(genesis, config).unwrap();
        Self { chain, reasons }.selling(Some(MARKET))
    }

    /// Returns the same L1 with this market.
    pub(crate) fn selling(mut self, market: Option<ExecuteMarket>) -> Self {
        self.chain.configure(|config| {
            let extension = ExecuteExtension::clone(config.extension().unwrap());
            let address = extension.execute_tx_address().unwrap();
            config.execute_tx = Some(ExecuteTxPrecompile::new(
                address,
                market,
                move |transaction, precompiles, tally| {
                    extension.install_execute_tx(transaction, precompiles, tally);
                },
            ));
        });
        self
    }

    pub(crate) fn build(&self, offered: &[RecoveredTransaction]) -> BlockBuilderOutcome {
        let state = self.chain.state();
        let header = state.open_header(&self.attributes()).unwrap();
        BlockBuilder::new(&state).build_recorded(&header, &[], offered).unwrap()
    }

    /// Builds and appends a block of all offered transactions, and also imports and replays it.
    pub(crate) fn block_of(&mut self, offered: &[RecoveredTransaction]) -> Arc<Block> {
        let built = self.build(offered);
        assert!(built.rejected.is_empty(), "{:?}", built.rejected);
        let reasons = self.reasons();
        let raw = RawBlock::decode(&built.executed.block.rlp()).unwrap();
        if offered.iter().all(|bid| bid.signed) {
            let imported = self.chain.import(&raw).unwrap();
            let block = &built.executed.block;
            assert_eq!(imported.block.hash, block.hash);
            assert_eq!(imported.witness, built.executed.witness);
            assert_eq!(imported.block.execute_draws, block.execute_draws);
            assert!(block.provable && imported.block.provable);
            verify_child(&self.chain.state(), block, &imported.witness).unwrap();
        }
        let witness = built.executed.witness.clone();
        let head = self.chain.append(built.executed).unwrap();
        let before = self.chain.state_before(&head).unwrap().unwrap();
        assert_eq!(witness_of(&before, &head).unwrap(), witness);
        *self.reasons.0.lock().unwrap() = reasons;
        head
    }

    /// Returns the reason why the chain rejects a block that was built with another market.
    pub(crate) fn refusal(&self, built: &BlockBuilderOutcome) -> (usize, String) {
        assert!(built.rejected.is_empty(), "{:?}", built.rejected);
        let raw = RawBlock::decode(&built.executed.block.rlp()).unwrap();
        match self.chain.import(&raw) {
            Err(ChainError::Invalid(Invalid::Transaction { index, reason })) => (index, reason),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the reason why execution rejects the transaction as the first one of a block.
    pub(crate) fn alone(&self, offered: &RecoveredTransaction) -> Result<(), Invalid> {
        let state = self.chain.state();
        let header = state.open_header(&self.attributes()).unwrap();
        try_alone(&state, &header, &offered.transaction, offered.sender).unwrap()
    }

    pub(crate) fn price(&self) -> u64 {
        price(self.excess())
    }

    pub(crate) fn balance(&self, of: &str) -> U256 {
        self.chain.balance(Key::named(of).address()).unwrap()
    }

    /// Builds a block with a transaction of Alice's, and returns its gas and the EXECUTE gas for
    /// which she has paid.
    pub(crate) fn paid(&mut self, offered: RecoveredTransaction) -> (Arc<Block>, u64, u64) {
        let (before, price, value) =
            (self.balance("alice"), self.price(), offered.transaction.value());
        let block = self.block_of(&[offered]);
        let gas = gas_used(&block)[0];
        let base_fee = block.header.base_fee_per_gas.unwrap();
        let spent = before - self.balance("alice") - value - U256::from(gas) * U256::from(base_fee);
        let (units, rest) = spent.div_rem(U256::from(price));
        assert!(rest.is_zero(), "{spent} wei at {price}");
        let drawn = ExecuteDraw { index: 0, gas: units.to(), price };
        assert_eq!(block.execute_draws, [drawn]);
        (block, gas, drawn.gas)
    }
}

/// Gas used by each transaction of a block.
pub(crate) fn gas_used(block: &Block) -> Vec<u64> {
    let sums = block.executed.receipts.iter().map(|receipt| receipt.cumulative_gas_used);
    let before = [0].into_iter().chain(sums.clone());
    sums.zip(before).map(|(sum, before)| sum - before).collect()
}

/// Verifies a block from its own input.
pub(crate) fn verify(block: &ExecutedBlock, evm: &dyn EvmOverrides) -> Result<(), BlockError> {
    let calldata = block.input().unwrap();
    let input = StatelessInput::decode(&calldata).unwrap();
    let spec = ChainSpec::constant(CHAIN_ID, block.fork);
    let options = VerifyOptions { evm, ..VerifyOptions::default() };
    UncheckedBlocks::decode(&input)?.verify(&spec, options, |_| {})?;
    Ok(())
}

/// Returns a call by a named account.
pub(crate) fn send(
    who: &str,
    nonce: u64,
    to: Address,
    gas_limit: u64,
    input: &[u8],
) -> Transaction {
    Key::named(who).sign(TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: 100 * u128::from(GWEI),
        to: TxKind::Call(to),
        input: Bytes::copy_from_slice(input),
        ..Default::default()
    })
}

/// Returns an L2 block without transactions as EXECUTE calldata.
pub(crate) fn empty_l2_block(fork: ProtocolFork) -> Vec<u8> {
    let config = ChainConfig::new(ChainSpec::constant(9_999, fork));
    let chain = Chain::new(&empty_genesis(fork), config).unwrap();
    let attributes = BlockAttributes { timestamp: 12, slot_number: 1, ..Default::default() };
    chain.build(&attributes, vec![]).unwrap().0.input().unwrap()
}

/// Returns a schedule with a flat price for each EXECUTE call, successful or not, and free
/// bytes.
pub(crate) const fn flat(base: u64) -> GasSchedule {
    GasSchedule::Flat(Flat { base, per_byte: 0 })
}

/// Flat price of a call at which three calls fill the limit of a block.
pub(crate) const CALL: u64 = 20_000_000;
