//! An L1 for tests: a chain with EXECUTE, in this process or behind a node.

use crate::{Blobs, ETHER, HarnessError, Key, L2, NodeProcess, Transaction, rich};
use alloy_consensus::{Header, TxEip1559, TxEip4844};
use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718};
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256};
use alloy_provider::{Provider as _, ext::AnvilApi as _};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest};
use alloy_sol_types::{SolCall, SolError};
use chain::{
    Block, BlockAttributes, BlockBuilder, Call, CallBlock, CallOutcome, Chain, ChainConfig,
    ExecuteTxPrecompile, ExecutedBlock, RecoveredTransaction, State, empty_genesis,
};
use client::{Client, ClientError};
use codec::{ExecuteTx, RawBlock, SignedExecuteTx};
use contracts::{
    code_reference::{CodeReference, PROXY},
    l2_chain_config,
};
use execute::Execute;
use executor::{BlockState, ChainSpec, ReadError, Receipt};
use serde::Deserialize;
use std::sync::Arc;
use variants::{BlobSource, BlobTail, Dialects, ExecuteExtension};
use wire::ProtocolFork;

/// Maximum gas limit of a transaction (EIP-7825).
pub const TRANSACTION_GAS_CAP: u64 = 1 << 24;

/// An L1 with the rules of mainnet and the precompile EXECUTE. Each transaction gets its own block,
/// twelve seconds after the previous one.
///
/// The L1 is a chain in this process, or a node in another process ([`L1::behind`]). In the latter
/// case the chain in this process imports each block of the node, i.e. executes and validates it.
#[derive(Debug)]
pub struct L1 {
    chain: Chain,
    /// Additional seconds before the next block.
    skipped: u64,
    node: Option<NodeProcess>,
    /// Blobs of the transactions.
    blobs: Arc<Blobs>,
    /// Anchor of the blocks, if this chain is an L2 itself.
    anchor: Option<B256>,
}

/// An included transaction.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Block of the transaction.
    pub block: Arc<Block>,
    /// Receipt of the transaction.
    pub receipt: Receipt,
    /// Gas used.
    pub gas_used: u64,
    /// Calldata of the transaction.
    pub input: Bytes,
}

impl L1 {
    /// Seconds between blocks.
    pub const BLOCK_TIME: u64 = 12;

    /// Starts an L1 at Osaka with this chain id, where the named accounts are rich.
    pub fn new(chain_id: u64, execute: Execute, rich: &[&str]) -> Result<Self, HarnessError> {
        Self::on(ProtocolFork::Osaka, chain_id, execute, rich)
    }

    /// Starts an L1 at this fork.
    pub fn on(
        fork: ProtocolFork,
        chain_id: u64,
        execute: Execute,
        rich: &[&str],
    ) -> Result<Self, HarnessError> {
        let spec = ChainSpec::constant(chain_id, fork);
        let config =
            ChainConfig::new(spec).with_extension(Arc::new(ExecuteExtension::new(execute)));
        let chain = Chain::new(&Self::genesis(fork, chain_id, rich), config)?;
        Ok(Self { chain, skipped: 0, node: None, blobs: Arc::default(), anchor: None })
    }

    /// Starts an L1 whose EXECUTE also accepts inputs with blobs.
    pub fn with_blobs(
        fork: ProtocolFork,
        chain_id: u64,
        mut execute: Execute,
        rich: &[&str],
    ) -> Result<Self, HarnessError> {
        let l1 = Self::on(fork, chain_id, execute.clone(), rich)?;
        Ok(l1.with_execute(|source| {
            execute.dialects.push(Arc::new(BlobTail::new(source)));
            execute
        }))
    }

    /// Gives the chain in this process an EXECUTE with these dialects, and transactions of type
    /// `0x05` if their dialect is among them. EXECUTE reads the blobs of [`Self::send_with_blobs`]
    /// and [`Self::try_with_blobs`].
    #[must_use]
    pub fn with_dialects(mut self, execute: Execute, dialects: &Dialects) -> Self {
        let source: Arc<dyn BlobSource> = Arc::<Blobs>::clone(&self.blobs);
        let extension = Arc::new(ExecuteExtension::new(dialects.of(execute, &source)));
        let address = extension.execute_tx_address();
        self.chain.configure(|config| {
            config.set_extension(Arc::<ExecuteExtension>::clone(&extension));
            config.execute_tx = address.map(|address| {
                ExecuteTxPrecompile::new(address, None, move |transaction, precompiles, tally| {
                    extension.install_execute_tx(transaction, precompiles, tally);
                })
            });
        });
        self
    }

    /// Gives the chain in this process an EXECUTE with dialects that are created from the source of
    /// its blobs.
    #[must_use]
    pub fn with_execute(mut self, execute: impl FnOnce(Arc<dyn BlobSource>) -> Execute) -> Self {
        let execute = execute(Arc::<Blobs>::clone(&self.blobs));
        self.chain
            .configure(|config| config.set_extension(Arc::new(ExecuteExtension::new(execute))));
        self
    }

    /// Makes an L2 the parent chain of further rollups: each transaction gets its own L2 block with
    /// this anchor.
    pub fn on_l2(l2: L2, execute: Execute, anchor: B256) -> Self {
        let mut chain = l2.into_chain();
        let extension = Arc::new(ExecuteExtension::new(execute));
        chain.configure(|config| config.set_extension(extension));
        Self { chain, skipped: 0, node: None, blobs: Arc::default(), anchor: Some(anchor) }
    }

    /// Connects to a node that was started at [`Self::genesis`] with this EXECUTE.
    pub fn behind(
        fork: ProtocolFork,
        node: NodeProcess,
        chain_id: u64,
        execute: Execute,
        rich: &[&str],
    ) -> Result<Self, HarnessError> {
        let l1 = Self::on(fork, chain_id, execute, rich)?;
        let (expected, provider) = (l1.chain.head().hash, node.client().provider().clone());
        let genesis = node
            .client()
            .wait(async move { provider.get_block_by_number(BlockNumberOrTag::Earliest).await });
        let got = genesis.map_err(ClientError::from)?.unwrap_or_default().header.hash;
        if got != expected {
            return Err(HarnessError::OtherGenesis { got, expected });
        }
        Ok(Self { node: Some(node), ..l1 })
    }

    /// Returns the node, if there is one.
    pub const fn node(&self) -> Option<&NodeProcess> {
        self.node.as_ref()
    }

    /// Returns the genesis of an L1 with all forks up to `fork`, which must be Osaka or later, rich
    /// named accounts and the deterministic deployment proxy (CREATE2).
    pub fn genesis(fork: ProtocolFork, chain_id: u64, names: &[&str]) -> Genesis {
        let config = l2_chain_config(chain_id, fork);
        let mut genesis = Genesis { config, ..empty_genesis(fork) };
        genesis.gas_limit = 60_000_000;
        genesis.timestamp = 1_800_000_000;
        let accounts = names.iter().map(|name| (Key::named(name).address(), rich(10_000 * ETHER)));
        genesis.alloc.extend(accounts);
        // Amsterdam adds the proxy by EIP-7997, and it is deployed on nearly all chains.
        let proxy = empty_genesis(ProtocolFork::Amsterdam).alloc.remove(&PROXY).unwrap_or_default();
        genesis.alloc.insert(PROXY, proxy);
        genesis
    }

    /// Returns the chain in this process.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Changes the state at the head directly, without a transaction.
    pub fn edit(
        &mut self,
        edit: impl FnOnce(&mut BlockState<'_, State>) -> Result<(), ReadError>,
    ) -> Result<(), HarnessError> {
        Ok(self.chain.edit(edit)?)
    }

    /// Returns the timestamp of the next block.
    pub fn next_timestamp(&self) -> u64 {
        self.chain.head().header.timestamp + Self::BLOCK_TIME + self.skipped
    }

    /// Delays the next block by this number of seconds.
    pub const fn skip(&mut self, seconds: u64) {
        self.skipped += seconds;
    }

    /// Includes a transaction in a block, whether it succeeds or reverts.
    pub fn send(
        &mut self,
        from: &Key,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> Result<Sent, HarnessError> {
        let transaction = from.sign(TxEip1559 {
            chain_id: self.chain.config().spec.chain_id(),
            nonce: self.chain.nonce(from.address())?,
            gas_limit,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to,
            value,
            input: input.clone(),
            ..Default::default()
        });
        if let Some(node) = &self.node {
            let built = self.included_by(node, transaction.encoded_2718())?;
            return self.sent(built, input);
        }
        self.include(transaction, input)
    }

    /// Has the node include a transaction, and executes the block in this process.
    fn included_by(&self, node: &NodeProcess, raw: Vec<u8>) -> Result<ExecutedBlock, HarnessError> {
        let rlp = send_to(node.client(), raw.into(), self.next_timestamp())?;
        let (block, ommers) = RawBlock::decode_with_ommers(&rlp)?;
        Ok(self.chain.import_with_ommers(&block, &ommers)?)
    }

    /// Sends a call in a blob transaction, on the chain in this process.
    pub fn send_with_blobs<B: AsRef<[u8]>>(
        &mut self,
        from: &Key,
        to: Address,
        input: Bytes,
        blobs: &[B],
        gas_limit: u64,
    ) -> Result<Sent, HarnessError> {
        let transaction = self.sign_with_blobs(from, to, input.clone(), blobs, gas_limit)?;
        self.include(transaction, input)
    }

    /// Builds a block with a blob transaction on the chain in this process and discards it. Returns
    /// the receipt of the transaction.
    pub fn try_with_blobs<B: AsRef<[u8]>>(
        &self,
        from: &Key,
        to: Address,
        input: Bytes,
        blobs: &[B],
    ) -> Result<Receipt, HarnessError> {
        let transaction = self.sign_with_blobs(from, to, input, blobs, self.transaction_gas())?;
        Ok(self.block_of(transaction)?.block.executed.receipts[0].clone())
    }

    fn sign_with_blobs<B: AsRef<[u8]>>(
        &self,
        from: &Key,
        to: Address,
        input: Bytes,
        blobs: &[B],
        gas_limit: u64,
    ) -> Result<Transaction, HarnessError> {
        let hashes = blobs.iter().map(|blob| self.blobs.keep(blob.as_ref()));
        Ok(from.sign(TxEip4844 {
            chain_id: self.chain.config().spec.chain_id(),
            nonce: self.chain.nonce(from.address())?,
            gas_limit,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            max_fee_per_blob_gas: 100_000_000_000,
            to,
            input,
            blob_versioned_hashes: hashes.collect::<Result<_, _>>()?,
            ..Default::default()
        }))
    }

    /// Builds a block with a transaction and appends it.
    fn include(&mut self, transaction: Transaction, input: Bytes) -> Result<Sent, HarnessError> {
        let block = self.block_of(transaction)?;
        self.sent(block, input)
    }

    /// Signs a transaction of type `0x05` after setting its chain id, nonce and fees.
    pub fn execute_tx(
        &self,
        from: &Key,
        tx: ExecuteTx,
    ) -> Result<RecoveredTransaction, HarnessError> {
        let tx = ExecuteTx {
            chain_id: self.chain.config().spec.chain_id(),
            nonce: self.chain.nonce(from.address())?,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            ..tx
        };
        let signed = SignedExecuteTx { signature: from.sign_digest(&tx.signing_hash()), tx };
        let (transaction, sender) = (signed.into(), from.address());
        Ok(RecoveredTransaction { transaction, sender, signed: true })
    }

    /// Returns the header of the next block before its execution.
    pub fn next_header(&self) -> Result<Header, HarnessError> {
        let timestamp = self.next_timestamp();
        let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
        Ok(self.chain.state().open_header(&attributes)?)
    }

    /// Sends a transaction of type `0x05`, which the chain must support.
    pub fn send_execute_tx(&mut self, from: &Key, tx: ExecuteTx) -> Result<Sent, HarnessError> {
        let (input, offered) = (tx.input.clone(), self.execute_tx(from, tx)?);
        if let Some(node) = &self.node {
            let built = self.included_by(node, offered.transaction.encoded_2718())?;
            return self.sent(built, input);
        }
        let header = self.next_header()?;
        let mut built =
            BlockBuilder::new(&self.chain.state()).build_recorded(&header, &[], [&offered])?;
        if let Some((_, reason)) = built.rejected.pop() {
            return Err(HarnessError::NotIncluded(reason.into_invalid()));
        }
        self.sent(built.executed, input)
    }

    /// Builds a block with a transaction.
    fn block_of(&self, transaction: Transaction) -> Result<ExecutedBlock, HarnessError> {
        let timestamp = self.next_timestamp();
        let attributes = match self.anchor {
            None => BlockAttributes { timestamp, ..Default::default() },
            Some(anchor) => L2::attributes(timestamp, anchor, self.chain.head().header.number + 1),
        };
        let (new, rejected) = self.chain.build(&attributes, vec![transaction])?;
        if let Some((_, reason)) = rejected.into_iter().next() {
            return Err(HarnessError::NotIncluded(reason));
        }
        Ok(new)
    }

    /// Appends a block with one transaction.
    fn sent(&mut self, block: ExecutedBlock, input: Bytes) -> Result<Sent, HarnessError> {
        let block = self.chain.append(block)?;
        self.skipped = 0;
        let receipt = block.executed.receipts[0].clone();
        let gas_used = receipt.cumulative_gas_used;
        Ok(Sent { block, receipt, gas_used, input })
    }

    /// Deploys a contract; a revert is an error.
    pub fn deploy(&mut self, from: &Key, init_code: Bytes) -> Result<Address, HarnessError> {
        let address = from.address().create(self.chain.nonce(from.address())?);
        let input = init_code.clone();
        let gas = self.deployment_gas();
        let sent = self.send(from, TxKind::Create, U256::ZERO, init_code, gas)?;
        if sent.receipt.success {
            return Ok(address);
        }
        let call = Call { from: from.address(), data: input, ..Default::default() };
        Err(HarnessError::Reverted { to: None, output: self.chain.call(call)?.output })
    }

    /// Creates the account that stores these bytes, unless it exists. Returns the gas used.
    pub fn keep(&mut self, from: &Key, code: &CodeReference) -> Result<u64, HarnessError> {
        if self.kept_at(code.account())?.is_some() {
            return Ok(0);
        }
        let gas = self.deployment_gas();
        let sent = self.send(from, PROXY.into(), U256::ZERO, code.creation(), gas)?;
        let reverted = HarnessError::Reverted { to: Some(PROXY), output: Bytes::new() };
        self.kept_at(code.account())?.map(|_| sent.gas_used).ok_or(reverted)
    }

    /// Returns the bytes that an account stores for references from inputs.
    pub fn kept_at(&self, account: Address) -> Result<Option<CodeReference>, HarnessError> {
        let code = self.chain.code(account)?;
        Ok(CodeReference::at(account, &code))
    }

    /// Returns a gas limit for deploying any contract. Since Amsterdam, the cap applies to regular
    /// gas only, and new code needs more than that as state gas (EIP-8037).
    fn deployment_gas(&self) -> u64 {
        let head = &self.chain.head().header;
        let fork = self.chain.config().spec.fork_at(head.timestamp);
        if fork >= Some(ProtocolFork::Amsterdam) { head.gas_limit } else { self.transaction_gas() }
    }

    /// Returns the maximum gas limit of a transaction: the cap, or the block gas limit of an L2.
    fn transaction_gas(&self) -> u64 {
        TRANSACTION_GAS_CAP.min(self.chain.head().header.gas_limit)
    }

    /// Sends a call to a contract. A revert is an error that contains the revert data.
    pub fn transact<C: SolCall>(
        &mut self,
        from: &Key,
        to: Address,
        value: U256,
        call: &C,
    ) -> Result<Sent, HarnessError> {
        self.transact_raw(from, to, value, call.abi_encode().into())
    }

    /// Like [`Self::transact`], with encoded calldata.
    pub fn transact_raw(
        &mut self,
        from: &Key,
        to: Address,
        value: U256,
        data: Bytes,
    ) -> Result<Sent, HarnessError> {
        let tried = self.try_call(from.address(), to, value, data.clone())?;
        if !tried.success {
            return Err(HarnessError::Reverted { to: Some(to), output: tried.output });
        }
        let sent = self.send(from, to.into(), value, data, self.transaction_gas())?;
        if !sent.receipt.success {
            return Err(HarnessError::Reverted { to: Some(to), output: Bytes::new() });
        }
        Ok(sent)
    }

    /// Returns the error of this type with which a call reverts in the next block. Any other
    /// outcome is an error.
    pub fn try_reverted<E: SolError>(
        &self,
        from: Address,
        to: Address,
        data: Bytes,
    ) -> Result<E, HarnessError> {
        let tried = self.try_call(from, to, U256::ZERO, data)?;
        if tried.success {
            return Err(HarnessError::NotReverted { to, expected: E::SIGNATURE });
        }
        E::abi_decode(&tried.output)
            .map_err(|_| HarnessError::Reverted { to: Some(to), output: tried.output })
    }

    /// Simulates a call in the next block.
    pub fn try_call(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: Bytes,
    ) -> Result<CallOutcome, HarnessError> {
        let gas = Some(self.transaction_gas());
        let timestamp = self.next_timestamp();
        let block = CallBlock::Next { timestamp };
        let call = Call { from, to: Some(to), data, value, gas, block };
        match &self.node {
            Some(node) => call_at(node.client(), call, timestamp),
            None => Ok(self.chain.call(call)?),
        }
    }

    /// Calls a view function of a contract.
    pub fn read<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, HarnessError> {
        let data = call.abi_encode().into();
        let outcome = self.try_call(Address::ZERO, to, U256::ZERO, data)?;
        if !outcome.success {
            return Err(HarnessError::Reverted { to: Some(to), output: outcome.output });
        }
        C::abi_decode_returns(&outcome.output).map_err(|error| HarnessError::Answer { to, error })
    }
}

/// Block number of a receipt whose transaction type alloy may not support.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Included {
    block_number: U64,
}

/// Has a node include a transaction in a block with this timestamp. Returns the RLP of the block.
fn send_to(client: &Client, transaction: Bytes, timestamp: u64) -> Result<Bytes, HarnessError> {
    let provider = client.provider().clone();
    client.wait(async move {
        provider.anvil_set_next_block_timestamp(timestamp).await.map_err(ClientError::from)?;
        let pending =
            provider.send_raw_transaction(&transaction).await.map_err(ClientError::from)?;
        let hash = *pending.tx_hash();
        let receipt = provider.raw_request("eth_getTransactionReceipt".into(), (hash,)).await;
        let receipt: Option<Included> = receipt.map_err(ClientError::from)?;
        let number = receipt.ok_or(HarnessError::NoReceipt(hash))?.block_number;
        let number = BlockNumberOrTag::Number(number.to());
        let raw = provider.raw_request("debug_getRawBlock".into(), (number,)).await;
        Ok(raw.map_err(ClientError::from)?)
    })
}

/// Simulates a call in a block after a node's head with this timestamp. The gas used is unknown and
/// returned as zero.
fn call_at(client: &Client, call: Call, timestamp: u64) -> Result<CallOutcome, HarnessError> {
    let provider = client.provider().clone();
    let request = TransactionRequest {
        from: Some(call.from),
        to: Some(call.to.map_or(TxKind::Create, TxKind::Call)),
        input: call.data.into(),
        value: Some(call.value),
        gas: call.gas,
        ..Default::default()
    };
    client.wait(async move {
        let head = provider.get_block_number().await.map_err(ClientError::from)?;
        let next = BlockOverrides {
            number: Some(U256::from(head + 1)),
            time: Some(timestamp),
            ..Default::default()
        };
        let call = provider.call(request).block(BlockId::latest()).with_block_overrides(next);
        match call.await {
            Ok(output) => Ok(CallOutcome { success: true, output, gas_used: 0 }),
            // Only a revert returns data; other failures return none.
            Err(error) => match error.as_error_resp() {
                Some(refusal) => {
                    let output = refusal.as_revert_data().unwrap_or_default();
                    Ok(CallOutcome { success: false, output, gas_used: 0 })
                }
                None => Err(ClientError::from(error).into()),
            },
        }
    })
}
