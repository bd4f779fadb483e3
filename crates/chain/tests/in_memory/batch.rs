//! Batches of multiple blocks with one witness: which blocks can be combined, and their size.

use alloy_consensus::TxEip1559;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, U256};
use codec::Encode as _;
use enshrine_chain::{Block, BlockAttributes, Chain, ChainConfig, ChainError, to_stateless_batch};
use execute::Execute;
use executor::{ChainSpec, Invalid};
use std::sync::Arc;
use testkit::{CHAIN_ID, ETHER, Key, eip1559, fill_system_rings, rich, rich_genesis};
use wire::{DecodeError, ProtocolFork, StatelessBatch, StatelessInput};

const ACCOUNTS: u64 = 10_000;
/// Maximum bytes that an additional block without transactions may add to a batch, on a chain whose
/// blocks have written few slots of the ring buffers of EIP-4788 and EIP-2935.
const EMPTY_BLOCK: usize = 900;
/// The same if both ring buffers are full: three slots of tries with thousands of slots, whose
/// upper levels are shared within a batch.
const EMPTY_BLOCK_OF_AN_OLD_CHAIN: usize = 4_000;

fn account(index: u64) -> Address {
    Address::left_padding_from(&(1_000_000_000 + index).to_be_bytes())
}

/// Returns a chain with ten thousand accounts.
fn chain(spec: ChainSpec, fork: ProtocolFork) -> Chain {
    Chain::new(&genesis(fork), ChainConfig::new(spec)).unwrap()
}

fn genesis(fork: ProtocolFork) -> Genesis {
    let mut genesis = rich_genesis(fork, ["alice"], 1_000 * ETHER);
    genesis.alloc.extend((0..ACCOUNTS).map(|index| (account(index), rich(1))));
    genesis
}

fn osaka() -> Chain {
    chain(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka), ProtocolFork::Osaka)
}

/// Appends a block with this number of transfers, and returns it with its own input.
fn block(chain: &mut Chain, transfers: u64) -> (Arc<Block>, Vec<u8>) {
    let alice = Key::named("alice");
    let first = chain.nonce(alice.address()).unwrap();
    let transfer = |nonce: u64| {
        alice.sign(TxEip1559 {
            value: U256::ONE,
            ..eip1559(nonce, account(97 * nonce % ACCOUNTS), 21_000)
        })
    };
    let attributes = BlockAttributes {
        timestamp: chain.head().header.timestamp + 12,
        slot_number: chain.head().header.number + 1,
        parent_beacon_block_root: B256::repeat_byte(0xa5),
        ..Default::default()
    };
    let transactions = (first..first + transfers).map(transfer).collect();
    let (new, rejected) = chain.build(&attributes, transactions).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    let input = new.input().unwrap();
    (chain.append(new).unwrap(), input)
}

#[test]
fn additional_empty_block_takes_less_than_900_bytes() {
    assert_an_empty_block_more_takes(EMPTY_BLOCK, osaka());
}

#[test]
fn empty_block_of_old_chain_adds_three_paths() {
    let mut genesis = genesis(ProtocolFork::Osaka);
    fill_system_rings(&mut genesis);
    let spec = ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka);
    let chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
    assert_an_empty_block_more_takes(EMPTY_BLOCK_OF_AN_OLD_CHAIN, chain);
}

fn assert_an_empty_block_more_takes(at_most: usize, mut chain: Chain) {
    let (mut blocks, mut previous) = (Vec::new(), None);
    let mut alone = 0;
    for _ in 0..10 {
        let (next, input) = block(&mut chain, 0);
        alone = alone.max(input.len());
        blocks.push(next);
        let input = chain.batch(blocks.clone()).unwrap().input().unwrap();
        assert!(Execute::default().run(&input, u64::MAX).is_ok());
        if let Some(previous) = previous.replace(input.len()) {
            let more = input.len() - previous;
            assert!((1..=at_most).contains(&more), "{more} bytes for block {}", blocks.len());
        }
    }
    assert!(alone > 3 * at_most, "a block alone takes {alone} bytes");
}

#[test]
fn batch_of_stateless_inputs_equals_batch_of_chain() {
    let mut chain = osaka();
    block(&mut chain, 1);
    let (blocks, inputs): (Vec<_>, Vec<_>) =
        [3, 0, 2].map(|transfers| block(&mut chain, transfers)).into_iter().unzip();
    let expected = chain.batch(blocks).unwrap();
    let made = |inputs: &[Vec<u8>]| {
        let decoded: Vec<_> =
            inputs.iter().map(|input| StatelessInput::decode(input).unwrap()).collect();
        let spec = ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka);
        to_stateless_batch(&decoded, ChainConfig::new(spec))
    };
    let batch = made(&inputs).unwrap();
    assert_eq!(batch.witness, expected.witness);
    assert_eq!(batch.input(), expected.input());
    // The blocks must be consecutive and valid.
    assert_eq!(made(&[]).unwrap_err(), Invalid::NoParent.into());
    let gap = made(&[inputs[0].clone(), inputs[2].clone()]).unwrap_err();
    assert!(matches!(gap, ChainError::NoChild { .. } | ChainError::UnknownParent { .. }), "{gap}");
    let changed = |change: &dyn Fn(&mut StatelessInput<'_>)| {
        let mut input = StatelessInput::decode(&inputs[1]).unwrap();
        change(&mut input);
        made(&[inputs[0].clone(), input.encode()]).unwrap_err()
    };
    let forged = changed(&|input| input.request.payload.block_hash.0[0] ^= 1);
    assert!(matches!(forged, ChainError::Invalid(Invalid::BlockHash { .. })), "{forged}");
    let forged = changed(&|input| {
        input.request.payload.state_root.0[0] ^= 1;
        let header = stateless::header_of(&input.request, input.fork).unwrap();
        input.request.payload.block_hash = header.hash_slow();
    });
    assert!(matches!(forged, ChainError::Invalid(Invalid::Commitment { .. })), "{forged}");
}

#[test]
fn batch_rejects_blocks_that_are_not_consecutive() {
    let mut chain = osaka();
    let genesis = Arc::clone(chain.head());
    let [first, second, third] = [0, 1, 0].map(|transfers| block(&mut chain, transfers).0);
    let refused = |blocks: &[&Arc<Block>]| {
        chain.batch(blocks.iter().map(|block| Arc::clone(block)).collect()).unwrap_err()
    };
    let no_child = |block: &Arc<Block>, got: &Arc<Block>, expected: &Arc<Block>| {
        let (got, expected) = (got.hash, expected.hash);
        ChainError::NoChild { block: block.hash, got, expected }
    };
    assert_eq!(refused(&[&first, &third]), no_child(&third, &second, &first));
    assert_eq!(refused(&[&second, &first]), no_child(&first, &genesis, &second));
    assert_eq!(refused(&[&first, &first]), no_child(&first, &genesis, &first));
    let what = "blocks of the batch";
    assert_eq!(refused(&[]), ChainError::Batch(DecodeError::Empty { what }));
    assert!(matches!(refused(&[&genesis, &first]), ChainError::UnknownParent { .. }));
    let (got, limit) = (257, StatelessBatch::MAX_BLOCKS);
    let many = ChainError::Batch(DecodeError::TooMany { what, got, limit });
    assert_eq!(refused(&[&first; 257]), many);
    assert!(chain.batch(vec![first, second, third]).is_ok());
}

#[test]
fn batch_rejects_blocks_of_different_forks() {
    let mut genesis = rich_genesis(ProtocolFork::Bpo1, ["alice"], ETHER);
    genesis.config.chain_id = CHAIN_ID;
    let start = genesis.timestamp;
    let later = [(ProtocolFork::Bpo1, start + 30)];
    let spec = ChainSpec::scheduled(CHAIN_ID, ProtocolFork::Osaka, &later);
    let mut chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
    let blocks: Vec<_> = (0..4).map(|_| block(&mut chain, 0).0).collect();
    for (of, fork) in [(0..2, ProtocolFork::Osaka), (2..4, ProtocolFork::Bpo1)] {
        let batch = chain.batch(blocks[of].to_vec()).unwrap();
        assert_eq!(batch.fork, fork);
        let execute = Execute { networks: networks(&chain), ..Execute::on(ProtocolFork::Bpo1) };
        assert!(execute.run(&batch.input().unwrap(), u64::MAX).is_ok());
    }
    let mixed = chain.batch(blocks[1..3].to_vec()).unwrap_err();
    assert_eq!(mixed.to_string(), "batch: fork of a block in the batch: got bpo1, expected osaka");
}

fn networks(chain: &Chain) -> execute::Networks {
    execute::Networks::Only(Arc::new(chain.config().spec.clone()))
}
