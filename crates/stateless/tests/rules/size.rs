//! The length of a block in RLP.

use alloy_consensus::{Block, BlockBody, Header};
use alloy_eips::eip4895::Withdrawal;
use alloy_rlp::Encodable as _;
use enshrine_stateless::RlpSize;
use executor::Invalid;
use wire::ProtocolFork;

/// A transaction as it is in a block: a list, or a typed transaction in a string.
struct Raw(Vec<u8>);

impl alloy_rlp::Encodable for Raw {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self.0.first() {
            Some(0xc0..) => out.put_slice(&self.0),
            _ => self.0.as_slice().encode(out),
        }
    }
}

#[test]
fn computed_length_equals_encoded_length() {
    let header = Header { gas_limit: 7, ..Default::default() };
    let legacy = [&[0xd4][..], &[0x07; 20]].concat();
    // Each with a last byte that would make it one of the other kind.
    let lists = [legacy, [&[0xc1][..], &[0x02]].concat()];
    let typed = [vec![2, 0xc0], [&[2][..], &[0xff; 300]].concat(), vec![0x7f]];
    let transactions: Vec<Vec<u8>> = lists.into_iter().chain(typed).collect();
    let withdrawals: Vec<_> = (0..20)
        .map(|index| Withdrawal { index, amount: 1 << index, ..Default::default() })
        .collect();
    for transactions in [&transactions[..], &transactions[..1], &[]] {
        for withdrawals in [&withdrawals[..], &withdrawals[..1], &[]] {
            let got =
                RlpSize::of(header.length(), transactions.iter().map(Vec::as_slice), withdrawals);
            let body = BlockBody {
                transactions: transactions.iter().map(|raw| Raw(raw.clone())).collect(),
                ommers: Vec::new(),
                withdrawals: Some(withdrawals.to_vec().into()),
            };
            let block = Block { header: header.clone(), body };
            assert_eq!(got, alloy_rlp::encode(&block).len());
        }
    }
}

#[test]
fn block_size_is_limited_from_osaka() {
    // Three empty lists, and a list header of four bytes.
    let longest = RlpSize::LIMIT - 3 - 4;
    let check = |header, fork| RlpSize::check(header, std::iter::empty(), &[], fork);
    assert_eq!(RlpSize::LIMIT, 8 << 20);
    for fork in [ProtocolFork::Osaka, ProtocolFork::Bpo1, ProtocolFork::Amsterdam] {
        assert_eq!(check(longest, fork), Ok(()));
        let (got, limit) = (RlpSize::LIMIT + 1, RlpSize::LIMIT);
        assert_eq!(check(longest + 1, fork), Err(Invalid::BlockSize { got, limit }));
    }
    assert_eq!(check(longest + 1, ProtocolFork::Prague), Ok(()));
}
