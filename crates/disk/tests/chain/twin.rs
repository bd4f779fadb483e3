//! A chain on disk and its twin in memory with the same blocks.

use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use chain::{BlockAttributes, Chain, ChainConfig, ChainError, ChainReader, ExecutedBlock};
use codec::OwnedWitness;
use enshrine_disk::{DiskOptions, open_chain_with};
use executor::ChainSpec;
use std::{fs, io::Write as _, path::Path};
use testkit::{CHAIN_ID, ETHER, Key, Transaction, eip1559, rich_genesis};
use wire::ProtocolFork;

/// Runtime code: sets slot `calldata[0]` to `calldata[32]`.
const SETTER: [u8; 7] = hex!("602035 5f35 55 00");
pub(crate) const CONTRACT: Address = Address::repeat_byte(0x57);
/// Number of accounts that blocks change, besides those that make the trie deeper.
pub(crate) const ACCOUNTS: u64 = 40;
pub(crate) const SLOTS: u64 = 24;

pub(crate) fn account(number: u64) -> Address {
    Address::from_word(keccak256(number.to_be_bytes()))
}

pub(crate) fn genesis() -> Genesis {
    let mut genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 100 * ETHER);
    for number in 0..200_u64 {
        let one = GenesisAccount { balance: U256::from(number + 1), ..Default::default() };
        genesis.alloc.insert(account(number), one);
    }
    let slots = (0..SLOTS).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1)));
    let contract = GenesisAccount {
        nonce: Some(1),
        code: Some(Bytes::from_static(&SETTER)),
        storage: Some(slots.collect()),
        ..Default::default()
    };
    genesis.alloc.insert(CONTRACT, contract);
    genesis
}

pub(crate) fn config() -> ChainConfig {
    ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka))
}

/// Small limits, for quick tests.
pub(crate) fn options() -> DiskOptions {
    DiskOptions { cache_bytes: 8 << 20, ..DiskOptions::default() }
}

pub(crate) fn open(folder: &Path) -> Result<Chain, ChainError> {
    open_chain_with(folder, &genesis(), config(), options())
}

fn sign(nonce: u64, to: TxKind, input: Vec<u8>, value: u64) -> Transaction {
    Key::named("alice").sign(TxEip1559 {
        input: input.into(),
        value: U256::from(value),
        ..eip1559(nonce, to, 200_000)
    })
}

/// Returns a deterministic pseudorandom number.
pub(crate) fn random(seed: u64) -> u64 {
    let hash = keccak256(seed.to_be_bytes());
    u64::from_be_bytes(*hash.first_chunk().unwrap())
}

/// Builds a child of the head: payments, slots set and cleared, a contract deployed. The result
/// depends only on the head and on `branch`, which distinguishes siblings.
pub(crate) fn child(chain: &ChainReader, branch: u64) -> ExecutedBlock {
    let parent = &chain.head().header;
    let number = parent.number + 1;
    let nonce = chain.nonce(Key::named("alice").address()).unwrap();
    let seed = |index: u64| random(number * 1_000 + branch * 100 + index);
    let transactions = (0..7)
        .map(|index| match index {
            0..3 => {
                let to = account(seed(index) % ACCOUNTS);
                sign(nonce + index, TxKind::Call(to), vec![], seed(index) % 1_000 + 1)
            }
            3..6 => {
                let slot = U256::from(seed(index) % SLOTS);
                let value = U256::from(seed(index + 50) % 3);
                let words = [slot, value].map(|word| word.to_be_bytes::<32>()).concat();
                sign(nonce + index, TxKind::Call(CONTRACT), words, 0)
            }
            _ => {
                // Deploys a unique contract of ten bytes.
                let mut init = hex!("600a 600a 5f39 600a 5ff3").to_vec();
                init.extend([0, 0]);
                init.extend(seed(index).to_be_bytes());
                sign(nonce + index, TxKind::Create, init, 0)
            }
        })
        .collect();
    let attributes = BlockAttributes {
        timestamp: parent.timestamp + 12,
        fee_recipient: Address::repeat_byte(0xfe),
        extra_data: vec![u8::try_from(branch).unwrap()].into(),
        ..Default::default()
    };
    let (block, rejected) = chain.build(&attributes, transactions).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    block
}

/// Builds a child of the head in which the contract sets one slot.
pub(crate) fn set_slot(chain: &ChainReader, slot: U256, value: U256) -> ExecutedBlock {
    call(chain, CONTRACT, slot, value, false)
}

/// Builds a child of the head in which a contract with the setter's code sets one slot; with
/// `only_pays`, the value does not change and the contract receives one wei.
pub(crate) fn call(
    chain: &ChainReader,
    to: Address,
    slot: U256,
    value: U256,
    only_pays: bool,
) -> ExecutedBlock {
    let value = if only_pays { chain.storage(to, slot).unwrap() } else { value };
    let input = [slot, value].map(|word| word.to_be_bytes::<32>()).concat();
    let nonce = chain.nonce(Key::named("alice").address()).unwrap();
    let timestamp = chain.head().header.timestamp + 12;
    let attributes = BlockAttributes { timestamp, ..Default::default() };
    let transaction = sign(nonce, TxKind::Call(to), input, u64::from(only_pays));
    let (block, rejected) = chain.build(&attributes, vec![transaction]).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    block
}

/// A chain in memory, and the witnesses of its blocks.
pub(crate) struct Twin {
    pub(crate) chain: Chain,
    pub(crate) witnesses: Vec<(B256, OwnedWitness)>,
}

impl Twin {
    pub(crate) fn new() -> Self {
        Self { chain: Chain::new(&genesis(), config()).unwrap(), witnesses: Vec::new() }
    }

    /// Appends `blocks` blocks to this chain and to `others`.
    pub(crate) fn grow(&mut self, blocks: u64, branch: u64, others: &mut [&mut Chain]) {
        for _ in 0..blocks {
            let block = child(&self.chain, branch);
            self.witnesses.push((block.block.hash, block.witness.clone()));
            for other in &mut *others {
                // The other chain builds the same block from its own store.
                let own = child(other, branch);
                assert_eq!(own.block.hash, block.block.hash);
                assert_eq!(own.witness, block.witness);
                other.append(own).unwrap();
            }
            self.chain.append(block).unwrap();
        }
    }

    /// Asserts that the chain on disk equals this one, for states from block `oldest` on.
    pub(crate) fn assert_same(&self, disk: &ChainReader, oldest: u64) {
        let memory = &self.chain;
        assert_eq!(disk.head().hash, memory.head().hash);
        let head = memory.head().header.number;
        assert_eq!(disk.canonical_hash(head + 1), Ok(None));
        for number in 0..=head {
            self.assert_same_block(disk, number);
            if number >= oldest {
                self.assert_same_state(disk, number);
            }
        }
        for (hash, witness) in &self.witnesses {
            assert_eq!(disk.witness(hash).unwrap().as_ref(), Some(witness));
        }
        // The latest state is complete enough to build on it.
        assert_eq!(child(disk, 9).block.hash, child(memory, 9).block.hash);
    }

    /// Asserts that one block, its state and its neighbours are equal.
    pub(crate) fn assert_same_at(&self, disk: &ChainReader, number: u64) {
        assert_eq!(disk.head().hash, self.chain.head().hash);
        for number in number.saturating_sub(1)..=(number + 1).min(disk.head().header.number) {
            self.assert_same_block(disk, number);
            self.assert_same_state(disk, number);
        }
        for (hash, witness) in self.witnesses.iter().rev().take(3) {
            assert_eq!(disk.witness(hash).unwrap().as_ref(), Some(witness));
        }
        assert_eq!(child(disk, 9).block.hash, child(&self.chain, 9).block.hash);
    }

    fn assert_same_block(&self, disk: &ChainReader, number: u64) {
        let memory = &self.chain;
        let expected = memory.canonical_block(number).unwrap().unwrap();
        let got = disk.canonical_block(number).unwrap().unwrap();
        assert_eq!(got.rlp(), expected.rlp());
        assert_eq!(got.executed, expected.executed);
        assert_eq!(got.senders, expected.senders);
        assert_eq!(
            (got.pre_state_root, got.total_difficulty, got.provable),
            (expected.pre_state_root, expected.total_difficulty, expected.provable)
        );
        assert_eq!(got.execute_draws, expected.execute_draws);
        for transaction in &expected.transactions {
            let place = |chain: &ChainReader| {
                let found = chain.transaction(transaction.hash()).unwrap();
                found.map(|(block, index)| (block.hash, index))
            };
            assert_eq!(place(disk), place(memory));
        }
    }

    /// Asserts that proofs of accounts and slots, selected by the block number, are equal.
    fn assert_same_state(&self, disk: &ChainReader, number: u64) {
        let block = self.chain.canonical_block(number).unwrap().unwrap();
        for (address, slots) in Self::samples(number) {
            assert_eq!(
                disk.prove(&block, address, &slots).unwrap(),
                self.chain.prove(&block, address, &slots).unwrap()
            );
        }
    }

    fn samples(number: u64) -> [(Address, Vec<U256>); 2] {
        let slot = U256::from(random(number) % SLOTS);
        [(account(random(number) % ACCOUNTS), vec![]), (CONTRACT, vec![slot])]
    }

    /// Asserts that each read of the chain on disk fails or returns the value of this chain, and
    /// returns the number of errors.
    pub(crate) fn assert_never_wrong(&self, disk: &ChainReader) -> usize {
        let memory = &self.chain;
        let mut errors = 0;
        let mut check = |same: Result<bool, chain::ChainError>| match same {
            Ok(same) => assert!(same, "a wrong answer"),
            Err(error) => {
                assert!(error.is_internal(), "{error}");
                errors += 1;
            }
        };
        assert_eq!(disk.head().hash, memory.head().hash);
        for number in 0..=memory.head().header.number {
            let expected = memory.canonical_block(number).unwrap().unwrap();
            check(disk.canonical_hash(number).map(|got| got == Some(expected.hash)));
            check(disk.find_block(&expected.hash).map(|got| {
                let got = got.unwrap();
                got.rlp() == expected.rlp()
                    && got.executed == expected.executed
                    && got.senders == expected.senders
            }));
            for transaction in &expected.transactions {
                check(
                    disk.transaction(transaction.hash())
                        .map(|got| got.unwrap().0.hash == expected.hash),
                );
            }
            for (address, slots) in Self::samples(number) {
                let own = memory.prove(&expected, address, &slots).unwrap();
                check(disk.prove(&expected, address, &slots).map(|got| got == own));
            }
        }
        for (hash, witness) in &self.witnesses {
            check(disk.witness(hash).map(|got| got.as_ref() == Some(witness)));
        }
        for number in 0..ACCOUNTS {
            let expected = memory.account(account(number)).unwrap();
            check(disk.account(account(number)).map(|got| got == expected));
        }
        check(disk.code(CONTRACT).map(|got| got == memory.code(CONTRACT).unwrap()));
        errors
    }
}

/// Copies a folder. Preallocated files keep their length and take no space.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let mut file = fs::File::create(target).unwrap();
        file.write_all(&bytes[..used]).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
    }
}

/// Returns all files below a folder, sorted by name.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
