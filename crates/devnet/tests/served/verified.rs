//! Blocks with type 0x05 transactions under `--verify-blocks`.

use crate::{
    execute_tx::ExecuteTxDevnet,
    support::{number, refused},
};
use alloy_primitives::{Address, TxKind};
use codec::ExecuteTx;
use execute::Execute;
use serde_json::json;
use variants::{ExecuteExtension, Verdicts};

/// A transaction whose witness does not match its block.
fn corrupt(devnet: &ExecuteTxDevnet) -> ExecuteTx {
    let tx = devnet.tx(0, TxKind::Create);
    ExecuteTx { witness: [&tx.witness[..], &[0]].concat().into(), ..tx }
}

/// Caches a forged verdict in the pool, by which EXECUTE accepts the transaction's call.
fn forge_verdict(devnet: &ExecuteTxDevnet, tx: &ExecuteTx) {
    let good = devnet.tx(0, TxKind::Create);
    let input = [&good.input[..], &good.witness].concat();
    let executed = Execute::default().run(&input, u64::MAX).unwrap();
    devnet.served.devnet.node().read(|node| {
        let execute = node.chain.config().extension::<ExecuteExtension>().unwrap();
        execute.verdicts.put(Verdicts::key(&tx.input, tx), &executed);
    });
}

#[test]
fn attack_forged_verdict_fails_block_verification() {
    // A devnet that does not verify blocks trusts the pool.
    let trusting = ExecuteTxDevnet::with(|config| config.verify_blocks = false);
    let tx = corrupt(&trusting);
    forge_verdict(&trusting, &tx);
    assert_eq!(trusting.sent(tx)["status"], "0x1");

    let devnet = ExecuteTxDevnet::with(|_| {});
    let tx = corrupt(&devnet);
    forge_verdict(&devnet, &tx);
    let raw = json!([devnet.raw(tx)]);
    let said = refused(&devnet.served.client, "eth_sendRawTransaction", raw);
    assert!(said.contains("block 1 fails verification from its own witness"), "{said}");
    assert_eq!(number(&devnet.ask("eth_blockNumber", json!([]))), 0);

    // Without the forged verdict the call fails in the block, which verifies.
    let honest = ExecuteTxDevnet::with(|_| {});
    assert_eq!(honest.sent(corrupt(&honest))["status"], "0x0");
}

#[test]
fn block_with_execute_transaction_verifies() {
    for verifies in [false, true] {
        let devnet = ExecuteTxDevnet::with(|config| config.verify_blocks = verifies);
        assert_eq!(devnet.sent(devnet.tx(0, TxKind::Create))["status"], "0x1");
        let to = Address::repeat_byte(0x77);
        assert_eq!(devnet.sent(devnet.tx(1, to.into()))["status"], "0x1");
        let is_provable = devnet.served.devnet.node().read(|node| node.chain.head().provable);
        assert!(is_provable, "the block is not provable");
    }
}
