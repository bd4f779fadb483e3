//! Blocks that are measured in each dialect.

use crate::gas_model::precompiles;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_sol_types::{SolCall as _, sol};
use chain::to_stateless_input;
use codec::RawBlock;
use execute::{Execute, Networks};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result};
use std::{collections::BTreeMap, sync::Arc};
use testkit::{Artifacts, DraftL2, ETHER, Key, L2, Transaction, fill_system_rings, rich_genesis};
use variants::DraftBlock;
use wire::ProtocolFork;

/// A block as an input of EXECUTE, and the EXECUTE that accepts it.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) execute: Execute,
    pub(super) input: Vec<u8>,
    /// Calldata of a block with the same transactions on a chain as in the EIP-8079 draft. `None`
    /// for public networks, whose headers have no burned fees.
    pub(super) draft: Option<Vec<u8>>,
}

/// Blocks of public networks: two large and one small mainnet block, and one per testnet.
const REAL: [&str; 5] = [
    "mainnet_21429992",
    "mainnet_22615247",
    "mainnet_25229957",
    "hoodi_1265656",
    "sepolia_10100112",
];
const CHAIN_ID: u64 = 8_079;
const FORK: ProtocolFork = ProtocolFork::Osaka;
/// Timestamp of the first block.
const TIME: u64 = 1_800_000_000;
/// Address of a token on the L2.
const TOKEN: Address = address!("0x7000000000000000000000000000000000000007");
/// Number of accounts on the L2.
const ACCOUNTS: u64 = 1_000;
/// Gas limit of a transfer of the token.
const TOKEN_GAS: u64 = 60_000;
/// Number of calls of the expensive precompile.
const PAIRINGS: usize = 20;
/// Gas limit of each of these calls.
const PAIRING_GAS: u64 = 300_000;

sol! {
    function transfer(address to, uint256 amount) returns (bool);
}

/// Returns the blocks of public networks. If the vectors are missing, returns none and reports it.
pub(super) fn real() -> Result<Vec<Subject>> {
    let blocks = testkit::vectors::blocks("blocks", "real blocks in each dialect")?;
    let selected = blocks.into_iter().filter(|block| REAL.contains(&block.name.as_str()));
    let subject = |block: testkit::vectors::Block| {
        let spec = ChainSpec::known(block.bundle.chain_id).ok_or_eyre("a public network")?;
        let raw = RawBlock::decode(&block.bundle.block)?;
        let input = to_stateless_input(&raw, &block.bundle.witness, &spec)?;
        let execute = Execute { networks: Networks::Only(Arc::new(spec)), ..Execute::l1() };
        Ok(Subject { name: block.name.replace('_', " "), execute, input, draft: None })
    };
    selected.map(subject).collect()
}

/// Returns the blocks of an L2.
pub(super) fn of_l2() -> Result<Vec<Subject>> {
    let mut twins = TwinChains::new()?;
    let pairing = precompiles::jobs().into_iter().find(|job| job.name == "ECPAIRING of 4");
    let pairing = pairing.ok_or_eyre("no such job")?;
    let transfers = |count: u64| (format!("{count} transfers"), Load::Transfers(count));
    let loads = [
        ("1 transfer".to_owned(), Load::Transfers(1)),
        transfers(50),
        transfers(500),
        ("50 token transfers".to_owned(), Load::Tokens(50)),
        (format!("{PAIRINGS} pairing checks"), Load::Calls(PAIRINGS, pairing)),
    ];
    let subject = |(name, load)| {
        let (input, draft) = twins.block(&load)?;
        Ok(Subject { name, execute: Execute::default(), input, draft: Some(draft) })
    };
    loads.into_iter().map(subject).collect()
}

/// Contents of a block.
enum Load {
    Transfers(u64),
    Tokens(u64),
    Calls(usize, precompiles::Job),
}

/// An L2 with a thousand accounts, a token, and full history ring buffers, as after a day; and a
/// chain as in the draft with the same accounts and transactions.
struct TwinChains {
    l2: L2,
    draft: DraftL2,
    sent: u64,
}

impl TwinChains {
    fn new() -> Result<Self> {
        let names: Vec<_> = (0..ACCOUNTS).map(name).collect();
        let mut genesis = rich_genesis(FORK, names.iter().map(String::as_str), ETHER);
        (genesis.gas_limit, genesis.timestamp) = (12_000_000, TIME);
        genesis.config.chain_id = CHAIN_ID;
        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let balances: BTreeMap<_, _> = (0..ACCOUNTS)
            .map(|index| {
                (crate::economics::balance_slot(key(index).address()), U256::from(ETHER).into())
            })
            .collect();
        let code = Some(artifacts.get("BridgedToken")?.runtime_code.clone());
        genesis
            .alloc
            .insert(TOKEN, GenesisAccount { code, storage: Some(balances), ..Default::default() });
        fill_system_rings(&mut genesis);
        let l2 = L2::new(CHAIN_ID, FORK, &genesis)?;
        Ok(Self { l2, draft: DraftL2::new(genesis, CHAIN_ID, FORK)?, sent: 0 })
    }

    /// Appends a block to both chains. Returns the input of EXECUTE for the L2 block, and the
    /// calldata for the draft block.
    fn block(&mut self, load: &Load) -> Result<(Vec<u8>, Vec<u8>)> {
        let transactions: Vec<_> = match load {
            Load::Transfers(count) => (0..*count)
                .map(|_| self.transaction(|to| (to, U256::ONE, Bytes::new(), 21_000)))
                .collect::<Result<_>>()?,
            Load::Tokens(count) => (0..*count)
                .map(|_| {
                    self.transaction(|to| {
                        let data = transferCall { to, amount: U256::ONE }.abi_encode();
                        (TOKEN, U256::ZERO, data.into(), TOKEN_GAS)
                    })
                })
                .collect::<Result<_>>()?,
            Load::Calls(count, job) => (0..*count)
                .map(|_| {
                    let data = Bytes::copy_from_slice(&job.input);
                    self.transaction(|_| (job.address, U256::ZERO, data, PAIRING_GAS))
                })
                .collect::<Result<_>>()?,
        };
        let anchor = B256::repeat_byte(0xa5);
        let values = DraftBlock { anchor, burned_fees: 0 };
        let built = self.draft.build(values, transactions.clone())?;
        let draft = built.calldata.clone();
        self.draft.append(built)?;
        let new = self.l2.seal_successes(self.l2.next_timestamp(), anchor, transactions)?;
        let input = new.input()?;
        self.l2.append(new)?;
        Ok((input, draft))
    }

    /// Signs a transaction between the next pair of accounts.
    fn transaction(
        &mut self,
        of: impl FnOnce(Address) -> (Address, U256, Bytes, u64),
    ) -> Result<Transaction> {
        let (from, to) = (key(self.sent % ACCOUNTS), key((7 * self.sent + 1) % ACCOUNTS).address());
        self.sent += 1;
        let (to, value, data, gas) = of(to);
        Ok(self.l2.sign(&from, to.into(), value, data, gas)?)
    }
}

fn name(index: u64) -> String {
    format!("account {index}")
}

fn key(index: u64) -> Key {
    Key::named(&name(index))
}
