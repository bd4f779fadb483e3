//! Importing blocks that somebody else has built.

use crate::{Block, Chain, ChainError, NewBlock, record::Recording};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, proofs};
use alloy_eips::eip4895::Withdrawal as RlpWithdrawal;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_trie::root::ordered_trie_root_with_encoder;
use stateless::{
    ExecutedBlock, Invalid, RlpSize, Transaction, UnprovenBlock, check_transactions,
    decode_transaction, process_block, recover_sender, validate_header,
};
use wire::{ProtocolFork, Withdrawal, convert::RawBlock};

impl Chain {
    /// Executes a block on the state of its parent and checks all that its header claims.
    ///
    /// The parent may be any known block. The block becomes part of the chain with
    /// [`Chain::append`].
    pub fn import(&self, raw: &RawBlock) -> Result<NewBlock, ChainError> {
        let header = &raw.header;
        let parent = self
            .store()
            .block(&header.parent_hash)
            .ok_or(ChainError::UnknownParent { block: raw.hash, parent: header.parent_hash })?;
        let config = self.config();
        let fork = config
            .spec
            .fork_at(header.timestamp)
            .filter(|fork| *fork >= ProtocolFork::Cancun)
            .ok_or(ChainError::NoFork(header.timestamp))?;
        let withdrawals: Vec<_> = raw.withdrawals.iter().flatten().map(rlp_withdrawal).collect();
        check_body(raw, &withdrawals)?;
        RlpSize::check(header, raw.transactions.iter().map(AsRef::as_ref), &withdrawals, fork)?;
        validate_header(header, &parent.header, fork, &config.spec)?;
        let transactions = raw
            .transactions
            .iter()
            .enumerate()
            .map(|(index, bytes)| {
                decode_transaction(bytes)
                    .map_err(|reason| Invalid::MalformedTransaction { index, reason })
            })
            .collect::<Result<Vec<_>, _>>()?;
        check_transactions(&transactions, header.gas_limit, fork)?;
        let senders = transactions
            .iter()
            .enumerate()
            .map(|(index, tx)| recover_sender(tx).ok_or(Invalid::Signature { index }))
            .collect::<Result<Vec<_>, _>>()?;

        let recording = Recording::new(self.store(), &parent.header);
        let unproven = UnprovenBlock {
            header,
            transactions: &transactions,
            withdrawals: &withdrawals,
            fork,
            pre_state_root: parent.header.state_root,
        };
        let install = |precompiles: &mut _| config.install(precompiles);
        let mut nodes = Vec::new();
        let (executed, post) = process_block(
            &recording,
            unproven,
            &config.spec,
            &config.options(&install),
            |index| Ok(senders[index]),
            |_| {},
            |(hash, node)| nodes.push((hash, Bytes::copy_from_slice(node))),
        )
        .map_err(|reason| match reason {
            Invalid::State(error) => ChainError::Store(error),
            reason => ChainError::Invalid(reason),
        })?;
        Ok(NewBlock {
            block: seal(header.clone(), transactions, senders, withdrawals, executed),
            fork,
            chain_id: config.spec.chain_id(),
            witness: recording.into_witness(),
            nodes,
            codes: post.codes,
        })
    }
}

/// The header commits to the body, and is one of a proof-of-stake block.
fn check_body(raw: &RawBlock, withdrawals: &[RlpWithdrawal]) -> Result<(), Invalid> {
    let commitment = |what, got: B256, expected: B256| {
        (got == expected).then_some(()).ok_or(Invalid::Commitment { what, got, expected })
    };
    let zero = |field, got: U256| {
        let expected = U256::ZERO;
        (got == expected).then_some(()).ok_or(Invalid::Header { field, got, expected })
    };
    let header = &raw.header;
    let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
    let transactions_root = ordered_trie_root_with_encoder(&raw.transactions, put);
    commitment("transactions root", header.transactions_root, transactions_root)?;
    commitment("ommers hash", header.ommers_hash, EMPTY_OMMER_ROOT_HASH)?;
    commitment(
        "withdrawals root",
        header.withdrawals_root.unwrap_or_default(),
        proofs::calculate_withdrawals_root(withdrawals),
    )?;
    zero("difficulty", header.difficulty)?;
    zero("nonce", U256::from(u64::from_be_bytes(header.nonce.0)))
}

/// Puts a block together.
pub(crate) fn seal(
    header: Header,
    transactions: Vec<Transaction>,
    senders: Vec<Address>,
    withdrawals: Vec<RlpWithdrawal>,
    executed: ExecutedBlock,
) -> Block {
    Block { hash: header.hash_slow(), header, transactions, senders, withdrawals, executed }
}

fn rlp_withdrawal(record: &[u8; Withdrawal::LEN]) -> RlpWithdrawal {
    let Withdrawal { index, validator_index, address, amount } = Withdrawal::from_record(record);
    RlpWithdrawal { index, validator_index, address, amount }
}
