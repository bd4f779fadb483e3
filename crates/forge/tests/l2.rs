//! L2 chains, built by the same requests that Solidity sends.

use std::{fs, path::Path, thread};

use abi::IL2;
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_sol_types::SolCall;
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use enshrine_forge::{ForgeAnswer, Workspace, l2};
use tempfile::TempDir;

#[allow(missing_docs, clippy::all, reason = "generated from the Solidity source")]
mod abi {
    alloy_sol_types::sol!("../../test/utils/IL2.sol");
}

const RICH: Address = Address::repeat_byte(0xaa);
const ABSENT: Address = Address::repeat_byte(0xbb);
const OSAKA: u16 = 0x1201;
/// Schema id of the EIP-8079 draft.
const OSAKA_DRAFT: u16 = 0x1279;

struct Project {
    directory: TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        project.workspace().prepare().unwrap();
        project
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn workspace(&self) -> Workspace {
        Workspace::at(self.path())
    }

    fn block_file(&self, hash: B256) -> std::path::PathBuf {
        self.path().join("l2").join(format!("{}.block", hex::encode(hash)))
    }

    /// Makes one call like Solidity: writes the request and answers it.
    fn try_ask(&self, request: &[u8]) -> ForgeAnswer {
        let hash = keccak256(request);
        loop {
            fs::write(self.path().join("requests").join(hex::encode(hash)), request).unwrap();
            match l2(&self.workspace(), hash) {
                ForgeAnswer::Again => {}
                answer => return answer,
            }
        }
    }

    #[track_caller]
    fn ask<C: SolCall>(&self, call: &C) -> C::Return {
        match self.try_ask(&call.abi_encode()) {
            ForgeAnswer::Done(result) => C::abi_decode_returns(&result).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn genesis(&self) -> IL2::Head {
        self.genesis_under(OSAKA)
    }

    fn genesis_under(&self, schema: u16) -> IL2::Head {
        let slots = (0..40_u64)
            .map(|slot| IL2::Slot {
                slot: U256::from(slot).into(),
                value: U256::from(slot + 1).into(),
            })
            .collect();
        let account = |account, slots, code: &[u8]| IL2::Account {
            account,
            nonce: 0,
            balance: U256::from(10_u64.pow(18)),
            code: Bytes::copy_from_slice(code),
            slots,
        };
        let alice = Address::from_slice(&hex!("328809bc894f92807417d2dad6b7c998c1afdac6"));
        self.ask(&IL2::genesisCall {
            genesis_: IL2::Genesis {
                chainId: 80_790,
                schema,
                number: 0,
                timestamp: 1_700_000_000,
                gasLimit: 12_000_000,
                baseFee: 7,
                feeRecipient: Address::ZERO,
                anchor: B256::ZERO,
                accounts: vec![
                    account(RICH, slots, &hex!("6001600055")),
                    account(alice, Vec::new(), &[]),
                ],
            },
        })
    }

    fn seal_call(parent: &IL2::Head) -> IL2::sealBlockCall {
        IL2::sealBlockCall {
            block_: IL2::Block {
                parentHash: parent.hash,
                schema: 0,
                timestamp: parent.timestamp + 1,
                anchor: keccak256("anchor"),
                feeRecipient: Address::ZERO,
                gasLimit: 0,
                prevRandao: B256::ZERO,
                extraData: Bytes::new(),
                slotNumber: 0,
                leaveOutInvalid: false,
            },
            transactions: vec![IL2::Transaction {
                kind: IL2::Kind::FeeMarket,
                from: "alice".to_owned(),
                create: false,
                to: Address::repeat_byte(parent.number as u8),
                value: U256::from(1),
                data: Bytes::new(),
                chainId: 0,
                nonce: u64::MAX,
                gasLimit: 21_000,
                maxFeePerGas: 1_000,
                maxPriorityFeePerGas: 1,
                accessList: Vec::new(),
                authorizations: Vec::new(),
            }],
        }
    }

    fn seal(&self, parent: &IL2::Head) -> IL2::Sealed {
        self.ask(&Self::seal_call(parent))
    }

    fn verify(&self, input: &Bytes, profile: &str) -> IL2::verifyReturn {
        self.ask(&IL2::verifyCall { input_: input.clone(), profile: profile.to_owned() })
    }

    fn prove(&self, hash: B256, account: Address, slots: &[u64]) -> IL2::AccountProof {
        let slots = slots.iter().map(|slot| U256::from(*slot).into()).collect();
        self.ask(&IL2::proveCall { blockHash: hash, account, slots })
    }
}

/// Checks a proof with `alloy-trie`, which has not created it.
fn assert_proves(proof: &IL2::AccountProof, address: Address) {
    assert_eq!(keccak256(&proof.header), proof.head.hash);
    let account = proof.exists.then(|| {
        alloy_rlp::encode(TrieAccount {
            nonce: proof.nonce,
            balance: proof.balance,
            storage_root: proof.storageRoot,
            code_hash: proof.codeHash,
        })
    });
    let key = Nibbles::unpack(keccak256(address));
    verify_proof(proof.head.stateRoot, key, account, &proof.nodes).unwrap();
    for slot in &proof.slots {
        let value = U256::from_be_bytes(slot.value.0);
        let expected = (!value.is_zero()).then(|| alloy_rlp::encode(value));
        let key = Nibbles::unpack(keccak256(slot.slot));
        verify_proof(proof.storageRoot, key, expected, &slot.nodes).unwrap();
    }
}

#[test]
fn proofs_verify_with_alloy_trie() {
    let project = Project::new();
    let genesis = project.genesis();
    let head = project.seal(&genesis).head;
    for hash in [genesis.hash, head.hash] {
        let proof = project.prove(hash, RICH, &[0, 7, 39, 40, 1_000]);
        assert!(proof.exists);
        assert_eq!(U256::from_be_bytes(proof.slots[1].value.0), U256::from(8));
        assert_eq!(proof.slots[3].value, B256::ZERO);
        assert_proves(&proof, RICH);
        let proof = project.prove(hash, ABSENT, &[]);
        assert!(!proof.exists);
        assert_proves(&proof, ABSENT);
    }
}

#[test]
fn building_blocks_is_deterministic() {
    let (here, there) = (Project::new(), Project::new());
    let genesis = here.genesis();
    assert_eq!(there.genesis().hash, genesis.hash);
    let expected = here.seal(&genesis).input;
    assert_eq!(there.seal(&genesis).input, expected);

    // All calls run concurrently and share one request file.
    let shared = Project::new();
    thread::scope(|scope| {
        let builders: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let genesis = shared.genesis();
                    (0..20).map(|_| shared.seal(&genesis).input).collect::<Vec<_>>()
                })
            })
            .collect();
        for builder in builders {
            assert!(builder.join().unwrap().iter().all(|input| *input == expected));
        }
    });
}

#[test]
fn long_chain_needs_only_latest_blocks() {
    let project = Project::new();
    let mut head = project.genesis();
    let mut hashes = Vec::new();
    for _ in 0..70 {
        hashes.push(head.hash);
        head = project.seal(&head).head;
    }
    let before = project.prove(head.hash, RICH, &[7]);
    for hash in &hashes[..64] {
        fs::remove_file(project.block_file(*hash)).unwrap();
    }
    let proof = project.prove(head.hash, RICH, &[7]);
    assert_eq!(proof.nodes, before.nodes);
    assert_proves(&proof, RICH);
    assert_eq!(project.seal(&head).head.number, 71);
    // The error for an older, removed block says so.
    let request = IL2::proveCall { blockHash: hashes[40], account: RICH, slots: Vec::new() };
    let ForgeAnswer::Broken(reason) = project.try_ask(&request.abi_encode()) else { panic!() };
    assert!(reason.contains("is not known here"), "{reason}");
}

#[test]
fn draft_execute_accepts_draft_blocks() {
    let project = Project::new();
    let mut head = project.genesis_under(OSAKA_DRAFT);
    assert_ne!(head.hash, project.genesis().hash, "their headers differ");
    // Continues beyond a block whose whole state is stored with the headers of its ancestors.
    for number in 1..=35 {
        let sealed = project.seal(&head);
        assert_eq!((sealed.head.number, sealed.head.parentHash), (number, head.hash));
        head = sealed.head;
        assert_eq!(sealed.input[..2], OSAKA_DRAFT.to_be_bytes());
        if [1, 2, 32, 33, 35].contains(&number) {
            let verdict = project.verify(&sealed.input, "dialect=draft-8079");
            assert!(verdict.valid, "{number}: {}", verdict.reason);
            assert!(!project.verify(&sealed.input, "").valid);
            let wide = project.ask(&IL2::wideInputCall { blockHash: head.hash });
            assert!(project.verify(&wide, "dialect=draft-8079").valid);
            assert!(wide.len() > sealed.input.len());
        }
    }
    assert_proves(&project.prove(head.hash, RICH, &[7]), RICH);
}

#[test]
fn chain_cannot_switch_to_or_from_draft() {
    let project = Project::new();
    for (own, other) in [(OSAKA, OSAKA_DRAFT), (OSAKA_DRAFT, OSAKA)] {
        let genesis = project.genesis_under(own);
        let mut call = Project::seal_call(&genesis);
        call.block_.schema = other;
        let ForgeAnswer::Refused(reason) = project.try_ask(&call.abi_encode()) else { panic!() };
        assert!(reason.contains("no chain goes from it"), "{reason}");
        call.block_.schema = own;
        assert_eq!(project.ask(&call).head.number, 1);
    }
}

#[test]
fn burned_fees_can_be_changed_in_draft_blocks() {
    let project = Project::new();
    let change = |input: &Bytes, value: u64, rehash| IL2::changeCall {
        input_: input.clone(),
        changes: vec![IL2::Change {
            field: IL2::Field::BurnedFees,
            index: U256::ZERO,
            value: B256::from(U256::from(value)).into(),
        }],
        rehash,
    };
    let sealed = project.seal(&project.genesis_under(OSAKA_DRAFT));
    let burned = sealed.head.baseFee * sealed.head.gasUsed;
    assert_eq!(project.ask(&change(&sealed.input, burned, true)), sealed.input);
    for (rehash, expected) in [(true, "burned fees: the header claims"), (false, "block hash")] {
        let other = project.ask(&change(&sealed.input, burned + 1, rehash));
        let verdict = project.verify(&other, "dialect=draft-8079");
        assert!(!verdict.valid && verdict.reason.contains(expected), "{}", verdict.reason);
    }
    let plain = project.seal(&project.genesis()).input;
    let ForgeAnswer::Refused(reason) = project.try_ask(&change(&plain, 0, true).abi_encode())
    else {
        panic!("a plain block has burned fees")
    };
    assert!(reason.contains("burned fees"), "{reason}");
}

#[test]
fn damaged_file_is_detected() {
    let project = Project::new();
    let head = project.genesis();
    let path = project.block_file(head.hash);
    let good = fs::read(&path).unwrap();
    let refused = || {
        let ForgeAnswer::Broken(reason) = project.try_ask(&Project::seal_call(&head).abi_encode())
        else {
            panic!("a damaged file is taken for a good one")
        };
        reason
    };
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(refused().contains("enshrine forge clean"));
    // With damage throughout the state, damaged nodes are not found by their hash.
    let bad: Vec<_> = good.iter().map(|byte| if *byte == 0xa0 { 0xa1 } else { *byte }).collect();
    fs::write(&path, &bad).unwrap();
    assert!(!refused().is_empty());
    fs::write(&path, &good).unwrap();
    assert_eq!(project.seal(&head).head.number, 1);
}

#[test]
fn malformed_request_is_rejected() {
    let project = Project::new();
    let ForgeAnswer::Broken(reason) = project.try_ask(&hex!("deadbeef00")) else { panic!() };
    assert!(reason.starts_with("request: "), "{reason}");
}
