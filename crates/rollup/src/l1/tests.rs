//! Tests that the inputs derived from an L1 do not depend on how it is read.

use super::*;
use crate::L1View;
use alloy_primitives::{Address, Bytes, Log, Sealed, Signature, U256, keccak256};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use chain::{BlockAttributes, Chain, ChainConfig};
use codec::{
    SignedExecuteTx,
    blob_tail::{MIN_HEAD, Trailer, to_blobs},
};
use contracts::{
    Deployment,
    bindings::{
        IForcedInbox::{ForcedSubmitted, ForcedTransaction},
        INativeRollup::{Evidence, Forwarded, advanceCall},
    },
};
use derive::{Derived, Events, FetchedData, RequiredData, derive, hashes_in};
use executor::ChainSpec;
use std::sync::Arc;
use testkit::{
    CHAIN_ID, ETHER, Random, advance_logs, bare_deployment, execute_tx_of, rich_genesis,
};
use wire::ProtocolFork;

const FORK: ProtocolFork = ProtocolFork::Osaka;
const ROLLUP: Address = Address::repeat_byte(1);
const FORCED: Address = Address::repeat_byte(2);

/// An L1 block as input of the reader.
#[derive(Clone)]
struct L1Block {
    header: L1Header,
    transactions: Vec<L1Transaction>,
    /// Index of the next forced transaction, and position of the next L2 block, after it.
    next: (u64, usize),
}

/// Data of L1, and the L2 blocks.
struct ScriptedL1 {
    deployment: Deployment,
    data: FetchedData,
    /// Hash and input of each L2 block.
    l2: Vec<(B256, Bytes)>,
}

impl ScriptedL1 {
    /// Returns hash and input of consecutive L2 blocks.
    fn l2_blocks() -> Vec<(B256, Bytes)> {
        let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[]);
        let genesis = rich_genesis(FORK, ["alice"], ETHER);
        let mut chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
        let mut l2 = Vec::new();
        for _ in 0..8 {
            let timestamp = chain.head().header.timestamp + 1;
            let attributes = BlockAttributes { timestamp, ..BlockAttributes::default() };
            let (new, _) = chain.build(&attributes, Vec::new()).unwrap();
            l2.push((new.block.hash, Bytes::from(new.input().unwrap())));
            chain.append(new).unwrap();
        }
        l2
    }

    fn new(l2: Vec<(B256, Bytes)>) -> Self {
        let deployment = bare_deployment(ROLLUP, FORCED);
        Self { deployment, data: FetchedData::default(), l2 }
    }

    /// Returns a transaction that posts an L2 block: in calldata, through another contract, in a
    /// transaction of type `0x05`, or in blobs.
    fn advance(&mut self, random: &mut Random, next: usize, hash: B256) -> L1Transaction {
        let (of_block, input) = self.l2[next].clone();
        let number = next as u64 + 1;
        let mut data = advance_logs(number, [of_block]);
        let mut transaction = L1Transaction {
            hash,
            to: Some(ROLLUP),
            input: Bytes::new(),
            blob_hashes: Vec::new(),
            execute: None,
            logs: Vec::new(),
            cost: L1Cost { gas: number, ..L1Cost::default() },
        };
        let call = |input: Bytes| {
            Bytes::from(
                advanceCall { inputs: vec![input], evidence: Evidence::default() }.abi_encode(),
            )
        };
        match random.in_range(0..5) {
            0 => transaction.input = call(input),
            1 => {
                transaction.to = Some(Address::repeat_byte(9));
                data.insert(1, Forwarded { data: call(input) }.encode_log_data());
            }
            2 | 3 => {
                let tx = execute_tx_of(&input).unwrap();
                let calldata = call(tx.input.clone());
                let signature = Signature::new(U256::from(1), U256::from(1), false);
                let signed = SignedExecuteTx { tx, signature };
                transaction.execute = Some(Arc::new(Sealed::new_unchecked(signed, hash)));
                if random.in_range(0..2) == 0 {
                    transaction.input = calldata;
                } else {
                    transaction.to = Some(Address::repeat_byte(9));
                    data.insert(1, Forwarded { data: calldata }.encode_log_data());
                }
            }
            _ => {
                let (head, tail) = input.split_at(MIN_HEAD);
                let trailer = Trailer::new(tail.len(), 0).unwrap().encode();
                transaction.input = call([head, &trailer].concat().into());
                for blob in to_blobs(tail) {
                    let name = keccak256(&blob);
                    self.data.blobs.insert(name, blob.into());
                    transaction.blob_hashes.push(name);
                }
            }
        }
        transaction.logs = data.into_iter().map(|data| Log { address: ROLLUP, data }).collect();
        transaction
    }

    /// Returns a random child block.
    fn block_behind(&mut self, random: &mut Random, parent: Option<&L1Block>) -> L1Block {
        let number = parent.map_or(self.deployment.l1_block, |block| block.header.number + 1);
        let mut next = parent.map_or((0, 0), |block| block.next);
        let salt = random.bytes(32);
        let (hash, timestamp) = (keccak256(&salt), 1_000 + 12 * number);
        let parent = parent.map_or(B256::ZERO, |block| block.header.hash);
        let header = L1Header { number, hash, parent, timestamp, base_fee: 7 };
        let mut transactions = Vec::new();
        for position in 0..random.in_range(0..3) {
            let name = keccak256([&salt[..], &position.to_be_bytes()].concat());
            if random.in_range(0..2) == 0 && next.1 < self.l2.len() {
                transactions.push(self.advance(random, next.1, name));
                next.1 += 1;
            } else {
                transactions.push(submission(next.0, name, random.bytes(9).into()));
                next.0 += 1;
            }
        }
        L1Block { header, transactions, next }
    }

    /// Derives a block, and fetches data as needed.
    fn derived(&self, block: &L1Block) -> Events {
        let mut data = FetchedData::default();
        for _ in 0..100 {
            let is_known = |_: u64, _: &B256| false;
            match derive(&self.deployment, &block.header, &block.transactions, &data, is_known)
                .unwrap()
            {
                Derived::Complete(events) => return events,
                Derived::Missing(RequiredData::Blobs(_, hashes)) => {
                    let blobs = hashes.iter().map(|hash| (*hash, self.data.blobs[hash].clone()));
                    data.blobs.extend(blobs);
                }
                Derived::Missing(RequiredData::Codes(codes)) => {
                    panic!("no input refers to {codes:?}")
                }
            }
        }
        panic!("the derivation does not end");
    }
}

/// Returns a transaction that submits a forced transaction.
fn submission(index: u64, hash: B256, raw: Bytes) -> L1Transaction {
    let transaction = ForcedTransaction {
        hash: keccak256(&raw),
        sender: Address::ZERO,
        nonce: index,
        gasLimit: 21_000,
        maxFee: 1,
        cost: U256::ZERO,
        submittedAt: 0,
        bounded: false,
        to: Address::ZERO,
        footprint: 0,
        priced: false,
    };
    let (submitter, sender) = (Address::ZERO, Address::ZERO);
    let event = ForcedSubmitted { index, submitter, sender, transaction, raw };
    let logs = vec![Log { address: FORCED, data: event.encode_log_data() }];
    let (to, blob_hashes) = (Some(FORCED), Vec::new());
    let (input, cost) = (Bytes::new(), L1Cost::default());
    L1Transaction { hash, to, input, blob_hashes, execute: None, logs, cost }
}

/// A node that follows L1, with its view and derived L2 blocks.
struct Node {
    view: L1View,
    handed_on: Vec<PostedBlock>,
}

impl Node {
    fn new(l1: &ScriptedL1) -> Self {
        Self { view: L1View::new(l1.deployment.clone()), handed_on: Vec::new() }
    }

    fn apply(&mut self, block: &L1Block, events: Events) {
        self.view.accepts(&block.header, &events).unwrap();
        self.handed_on.extend(events.advanced.iter().cloned());
        self.view.apply(block.header.clone(), events);
    }

    fn go_back(&mut self, common: Option<u64>) {
        self.view.cut_back(common);
        self.handed_on.retain(|block| common.is_some_and(|common| block.l1_block <= common));
    }

    /// Returns everything that was derived from L1.
    fn result(&self) -> impl PartialEq + core::fmt::Debug {
        let advanced = |block: &PostedBlock| {
            (block.number, block.hash, block.input.clone(), block.l1_block, block.transaction)
        };
        let forced: Vec<_> =
            self.view.forced_from(0).map(|forced| (forced.index, forced.raw.clone())).collect();
        let head = self.view.head().cloned();
        (
            head,
            self.view.advanced_head(),
            forced,
            self.handed_on.iter().map(advanced).collect::<Vec<_>>(),
        )
    }
}

#[test]
fn inputs_do_not_depend_on_chunks_or_reorgs() {
    let l2 = ScriptedL1::l2_blocks();
    let (mut inputs, mut detours) = (0, 0);
    for seed in 0..200_u64 {
        let mut random = Random::from_hash(&keccak256(seed.to_be_bytes()));
        let mut l1 = ScriptedL1::new(l2.clone());
        let mut main: Vec<L1Block> = Vec::new();
        for _ in 0..12 {
            let block = l1.block_behind(&mut random, main.last());
            main.push(block);
        }
        let mut straight = Node::new(&l1);
        for block in &main {
            straight.apply(block, l1.derived(block));
        }
        inputs += straight.handed_on.iter().filter(|block| block.input.is_some()).count();

        // The same history, read in chunks, with reorgs to a branch and back in between.
        let mut node = Node::new(&l1);
        let mut read = 0;
        while read < main.len() {
            let chunk = random.in_range(1..5).min(main.len() - read);
            for block in &main[read..read + chunk] {
                node.apply(block, l1.derived(block));
            }
            read += chunk;
            if random.in_range(0..2) == 0 {
                let stays = random.in_range(0..read + 1);
                let common = stays.checked_sub(1).map(|last| main[last].header.number);
                node.go_back(common);
                let mut branch: Vec<L1Block> = main[..stays].to_vec();
                for _ in 0..random.in_range(1..4) {
                    let block = l1.block_behind(&mut random, branch.last());
                    node.apply(&block, l1.derived(&block));
                    branch.push(block);
                }
                node.go_back(common);
                (read, detours) = (stays, detours + 1);
            }
        }
        assert_eq!(node.result(), straight.result(), "seed {seed}");
        // Each input contains the block that the rollup has logged.
        for block in &node.handed_on {
            let input = block.input.as_ref().unwrap();
            assert_eq!(hashes_in(input), [block.hash], "seed {seed}");
            // The view keeps the block for as long as its L1 headers, but not its input.
            let posted = node.view.posted(block.number).unwrap();
            assert_eq!(
                (posted.num_hash(), &posted.input),
                (block.num_hash(), &None),
                "seed {seed}"
            );
        }
    }
    assert!(inputs > 200 && detours > 200, "{inputs} inputs, {detours} detours");
}
