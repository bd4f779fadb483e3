//! Blocks on forged states, which no sequence of blocks can produce.
//!
//! EXECUTE does not verify the history of a block's pre-state, so an attacker can choose the parent
//! and its state root. The keys in the attacker's tries therefore need not be hashes.

use crate::{CHAIN_ID, Transaction};
use alloy_consensus::transaction::SignerRecoverable as _;
use alloy_eips::{eip1559::BaseFeeParams, eip2718::Encodable2718};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::TrieAccount;
use chain::{BlockAttributes, Chain, ChainConfig, genesis_header};
use codec::Encode as _;
use codec::compact::compact_reachable;
use execute::{Execute, ExecuteError};
use executor::{BlockState, ChainSpec, Environment, Invalid, execute_block};
use eyre::{Result, bail, eyre};
use stateless::{VerifyOptions, Witness};
use std::collections::BTreeMap;
use trie::{NodePath, NodeSource, SourceError, Trie, hash_tries};
use wire::{BatchWitness, ProtocolFork, StatelessInput};

/// A forged state, and the transactions of one block on it.
#[derive(Debug, Clone)]
pub struct Forgery {
    /// Accounts, with codes and ordinary storage.
    pub genesis: Genesis,
    /// Fork of the block.
    pub fork: ProtocolFork,
    /// Forged storage roots, which replace the real ones of the genesis.
    pub storage_roots: BTreeMap<Address, B256>,
    /// Trie nodes of the forged storage.
    pub nodes: Vec<Bytes>,
    /// Transactions of the block.
    pub transactions: Vec<Transaction>,
}

impl Forgery {
    /// Returns the block as an input that EXECUTE accepts.
    ///
    /// # Errors
    ///
    /// If correcting the header fields does not make the block valid.
    pub fn input(&self) -> Result<Vec<u8>> {
        let spec = ChainSpec::constant(CHAIN_ID, self.fork);
        let chain = Chain::new(&self.genesis, ChainConfig::new(spec.clone()))?;
        let timestamp = self.genesis.timestamp + 12;
        let attributes = BlockAttributes { timestamp, slot_number: 1, ..Default::default() };
        let (empty, _) = chain.build(&attributes, vec![])?;
        let empty = empty.input()?;

        let (root, mut nodes, codes) = self.state()?;
        nodes.extend(self.nodes.iter().cloned());
        let parent = genesis_header(&self.genesis, root, &spec);
        let headers = [Bytes::from(alloy_rlp::encode(&parent))];
        let transactions: Vec<Bytes> =
            self.transactions.iter().map(|tx| tx.encoded_2718().into()).collect();

        let mut input = StatelessInput::decode(&empty)?;
        input.witness.state = nodes.as_slice().into();
        input.witness.codes = codes.as_slice().into();
        input.witness.headers = headers.as_slice().into();
        let payload = &mut input.request.payload;
        payload.parent_hash = parent.hash_slow();
        payload.transactions = transactions.as_slice().into();
        payload.gas_used = payload.gas_limit;
        Ok(self.settle(input, |input| Ok(input.encode()))?.encode())
    }

    /// Encodes a batch of this block and further blocks with these transactions, on the same
    /// witness.
    ///
    /// # Errors
    ///
    /// As [`Self::input`].
    pub fn batch(&self, more: &[Vec<Transaction>]) -> Result<Vec<u8>> {
        let first = self.input()?;
        let first = StatelessInput::decode(&first)?;
        let (root, ..) = self.state()?;
        let (nodes, codes) = (first.witness.state, first.witness.codes);
        let state = compact_reachable(root, nodes, codes)?;
        let witness = BatchWitness::new(&state, codes, first.witness.headers)?;
        let more: Vec<Vec<Bytes>> = more
            .iter()
            .map(|block| block.iter().map(|tx| tx.encoded_2718().into()).collect())
            .collect();
        let (mut inputs, mut calldata) = (vec![first], Vec::new());
        for transactions in &more {
            let mut next = inputs[inputs.len() - 1].clone();
            let parent = stateless::header_of(&next.request, next.fork);
            let parent = parent.ok_or_else(|| eyre!("a payload without a header"))?;
            let payload = &mut next.request.payload;
            payload.parent_hash = parent.hash_slow();
            payload.block_number += 1;
            payload.timestamp += 12;
            let base_fee = parent.next_block_base_fee(BaseFeeParams::ethereum());
            payload.base_fee_per_gas = U256::from(base_fee.unwrap_or_default());
            payload.transactions = transactions.as_slice().into();
            payload.gas_used = payload.gas_limit;
            let settled = inputs.clone();
            next = self.settle(next, |next| {
                let all: Vec<_> = settled.iter().chain([next]).cloned().collect();
                Ok(codec::batch_of(&all, witness)?.encode())
            })?;
            inputs.push(next);
            calldata = codec::batch_of(&inputs, witness)?.encode();
        }
        Ok(calldata)
    }

    /// Corrects the header fields of a block until execution confirms all of them.
    fn settle<'a>(
        &self,
        mut input: StatelessInput<'a>,
        encode: impl Fn(&StatelessInput<'a>) -> Result<Vec<u8>>,
    ) -> Result<StatelessInput<'a>> {
        let execute = Execute::on(self.fork);
        for _ in 0..8 {
            if let Some(header) = stateless::header_of(&input.request, input.fork) {
                input.request.payload.block_hash = header.hash_slow();
            }
            let calldata = encode(&input)?;
            let payload = &mut input.request.payload;
            let refused = match execute.run(&calldata, u64::MAX) {
                Err(ExecuteError::InBatch { reason, .. }) => Err(*reason),
                other => other,
            };
            match refused {
                Ok(_) => return Ok(input),
                Err(ExecuteError::Invalid(Invalid::Amount {
                    what: "gas used", expected, ..
                })) => {
                    payload.gas_used = expected;
                }
                Err(ExecuteError::Invalid(Invalid::Commitment { what, expected, .. })) => {
                    match what {
                        "receipts root" => payload.receipts_root = expected,
                        "state root" => payload.state_root = expected,
                        "block access list hash" => {
                            let list = self.access_list(&input)?;
                            input.request.payload.block_access_list = list.leak();
                        }
                        other => bail!("cannot correct the {other}"),
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        bail!("the corrections do not converge")
    }

    /// Returns the block access list (EIP-7928) of the first block. It is recomputed whenever
    /// header fields change.
    fn access_list(&self, input: &StatelessInput<'_>) -> Result<Vec<u8>> {
        let header = stateless::header_of(&input.request, input.fork)
            .ok_or_else(|| eyre!("a payload without a header"))?;
        let witness = Witness::new(&input.witness, header.parent_hash)?;
        let linked = witness.link();
        let (source, options) = (linked.state(), VerifyOptions::default());
        let mut state = BlockState::new(&source, witness.state_root())
            .with_system_code(options.system_code)
            .with_access_list();
        let spec = ChainSpec::constant(CHAIN_ID, self.fork);
        let environment =
            Environment { header: &header, ommers: &[], withdrawals: &[], spec: &spec };
        let sender = |index: usize| {
            let transaction = self.transactions.get(index);
            let sender = transaction.and_then(|transaction| transaction.recover_signer().ok());
            sender.ok_or(Invalid::Signature { index })
        };
        let executed = execute_block(
            &mut state,
            environment,
            options.evm,
            &self.transactions,
            sender,
            |_, _| Ok(()),
        )?;
        let list =
            executed.block_access_list.ok_or_else(|| eyre!("a fork without block access lists"))?;
        Ok(list.to_vec())
    }

    /// Returns state root, trie nodes and codes.
    fn state(&self) -> Result<(B256, Vec<Bytes>, Vec<Bytes>)> {
        let (mut nodes, mut codes) = (Vec::new(), Vec::new());
        let mut accounts = Vec::new();
        for (address, account) in &self.genesis.alloc {
            let slots = account.storage.iter().flatten().map(|(slot, value)| {
                let value = U256::from_be_bytes(value.0);
                (keccak256(slot), alloy_rlp::encode(value))
            });
            let storage_root = match self.storage_roots.get(address) {
                Some(root) => *root,
                None => trie_of(slots, &mut nodes)?,
            };
            accounts.push((keccak256(address), alloy_rlp::encode(leaf_of(account, storage_root))));
            codes.extend(account.code.clone().filter(|code| !code.is_empty()));
        }
        let root = trie_of(accounts.into_iter(), &mut nodes)?;
        codes.sort();
        codes.dedup();
        Ok((root, nodes, codes))
    }
}

fn leaf_of(account: &GenesisAccount, storage_root: B256) -> TrieAccount {
    TrieAccount {
        nonce: account.nonce.unwrap_or_default(),
        balance: account.balance,
        storage_root,
        code_hash: account.code.as_ref().map_or(KECCAK256_EMPTY, keccak256),
    }
}

/// Empty node source, for tries that are built from scratch.
struct Nothing;

impl NodeSource for Nothing {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, _: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(None)
    }
}

/// Builds a trie, appends its nodes to `nodes`, and returns its root.
fn trie_of(values: impl Iterator<Item = (B256, Vec<u8>)>, nodes: &mut Vec<Bytes>) -> Result<B256> {
    let mut trie = Trie::default();
    for (key, value) in values {
        trie.insert(&Nothing, &key, &value)?;
    }
    hash_tries(&mut [&mut trie], |(_, node)| nodes.push(Bytes::copy_from_slice(node)));
    Ok(trie.root().unwrap_or_default())
}

/// Returns a storage trie of 65 nodes in which every slot has the maximum value: all children of a
/// branch are the same node.
pub fn uniform_storage() -> (B256, Vec<Bytes>) {
    let mut nodes = vec![leaf_at_the_end()];
    for _ in 0..64 {
        let child = keccak256(&nodes[nodes.len() - 1]);
        nodes.push(branch(&[child; 16]));
    }
    (keccak256(&nodes[64]), nodes)
}

/// Returns a storage trie in which each of these slots has the maximum value, below 64 branches.
/// The paths share only the root branch, so the hashed slots must differ in their first nibble.
/// Each other branch has `width` children, only one of which can be proven.
pub fn deep_storage(slots: &[U256], width: usize) -> (B256, Vec<Bytes>) {
    let mut nodes = Vec::new();
    let mut top = [B256::ZERO; 16];
    for slot in slots {
        let place = keccak256(slot.to_be_bytes::<32>());
        let nibble = |depth: usize| usize::from(place[depth / 2] >> (4 * (1 - depth % 2)) & 0xf);
        let mut node = leaf_at_the_end();
        for depth in (1..64).rev() {
            let mut children = [B256::ZERO; 16];
            for (index, child) in children.iter_mut().enumerate() {
                if (index + 16 - nibble(depth)) % 16 < width {
                    *child = keccak256([place.as_slice(), &[depth as u8, index as u8]].concat());
                }
            }
            children[nibble(depth)] = keccak256(&node);
            nodes.push(core::mem::replace(&mut node, branch(&children)));
        }
        top[nibble(0)] = keccak256(&node);
        nodes.push(node);
    }
    let root = branch(&top);
    let hash = keccak256(&root);
    nodes.push(root);
    (hash, nodes)
}

/// Returns the leaf with the maximum value after a path of 64 nibbles.
fn leaf_at_the_end() -> Bytes {
    let value = alloy_rlp::encode(U256::MAX);
    list(&[&[0x20][..], &alloy_rlp::encode(value.as_slice())].concat())
}

/// Encodes a branch; a zero child is absent.
fn branch(children: &[B256; 16]) -> Bytes {
    let mut items = Vec::with_capacity(16 * 33 + 1);
    for child in children {
        if child.is_zero() {
            items.push(0x80);
        } else {
            items.push(0xa0);
            items.extend_from_slice(child.as_slice());
        }
    }
    items.push(0x80);
    list(&items)
}

/// Encodes an RLP list of these encoded items.
fn list(items: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(items.len() + 3);
    alloy_rlp::Header { list: true, payload_length: items.len() }.encode(&mut out);
    out.extend_from_slice(items);
    out.into()
}
