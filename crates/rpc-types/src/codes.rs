//! Codes of JSON-RPC errors. Each is declared here, once.

/// Declares the codes of a module.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: i32 = $code;)+

        /// All of these codes.
        #[cfg(test)]
        pub(super) const ALL: &[i32] = &[$($code),+];
    };
}

pub use general::*;
/// Any method.
mod general {
    codes! {
        /// A call reverted; `data` is its returndata.
        REVERTED = 3;
        /// The pool accepted a transaction, but no block included it before the sender's timeout
        /// (EIP-7966).
        TIMEOUT = 4;
        /// The pool accepted a transaction that waits for earlier nonces of its sender (EIP-7966).
        UNREADY = 5;
        /// The node has pruned the requested history (EIP-4444).
        PRUNED_HISTORY = 4_444;
        /// The request cannot be served at present.
        SERVER = -32_000;
        /// The pool rejects the transaction.
        REJECTED = -32_003;
        /// The request exceeds a limit.
        BUSY = -32_005;
        /// The response exceeds the server's size limit.
        TOO_BIG = -32_008;
        /// The responses to a batch exceed the server's size limit together.
        BATCH_TOO_BIG = -32_011;
        /// The method does not exist.
        METHOD = -32_601;
        /// The parameters are invalid.
        PARAMS = -32_602;
        /// Internal error of the node.
        INTERNAL = -32_603;
    }
}

/// The rollup node is not the sequencer, or refuses to become it.
pub mod role {
    codes! {
        /// The node has the role already.
        ALREADY = -32_021;
        /// The node has no keys of a sequencer.
        NO_KEYS = -32_022;
        /// The node has not read all of L1, or has a fault.
        NOT_SYNCED = -32_023;
        /// The sequencer that the node follows is running.
        SEQUENCER_LIVES = -32_024;
        /// The account has pending transactions on L1.
        NONCE = -32_025;
        /// The account has too little ether on L1.
        FUNDS = -32_026;
        /// The sequencing policy does not admit the account.
        NOT_AUTHORIZED = -32_027;
        /// A request to L1 fails, or the batcher cannot start.
        UNREADY = -32_028;
        /// The node is busy.
        SILENT = -32_029;
        /// Another node has the lease.
        NO_LEASE = -32_030;
        /// The sequencer does not respond, so the transaction is not accepted.
        NO_SEQUENCER = -32_031;
        /// The node builds no blocks, and does not forward transactions.
        NOT_SEQUENCER = -32_032;
        /// The node cannot keep the preconfirmations of earlier leaders.
        PROMISES = -32_033;
    }
}

/// `eth_simulateV1`.
pub mod simulate {
    codes! {
        /// The nonce is too low.
        NONCE_TOO_LOW = -38_010;
        /// The nonce is too high.
        NONCE_TOO_HIGH = -38_011;
        /// The maximum fee is below the base fee.
        FEE_TOO_LOW = -38_012;
        /// The gas limit is below the intrinsic gas.
        INTRINSIC_GAS = -38_013;
        /// The sender has insufficient funds.
        FUNDS = -38_014;
        /// The block's gas limit is exceeded.
        BLOCK_GAS = -38_015;
        /// The block numbers do not increase.
        NUMBER = -38_020;
        /// The timestamps do not increase.
        TIMESTAMP = -38_021;
        /// The sender is a contract.
        SENDER = -38_024;
        /// The init code is too long.
        INIT_CODE = -38_025;
        /// There are too many blocks.
        TOO_MUCH = -38_026;
        /// The call halted.
        VM = -32_015;
    }
}

/// The Engine API.
pub mod engine {
    codes! {
        /// No payload job has this id.
        UNKNOWN_PAYLOAD = -38_001;
        /// Head, safe and finalized block are not on one chain, or the head policy rejects the head.
        INVALID_FORKCHOICE = -38_002;
        /// The payload attributes lack a field of the method's version, have one of another version,
        /// or have an invalid value.
        INVALID_ATTRIBUTES = -38_003;
        /// The response would contain more items than allowed.
        TOO_LARGE = -38_004;
        /// The method's version does not support the fork that is active at the payload's timestamp.
        UNSUPPORTED_FORK = -38_005;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    #[test]
    fn codes_are_distinct() {
        let all = [super::general::ALL, super::role::ALL, super::simulate::ALL, super::engine::ALL];
        let all = all.concat();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert!(distinct.len() > 40);
    }

    fn files_in(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files_in(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }

    /// A code that is written elsewhere escapes the comparison.
    #[test]
    fn codes_are_declared_in_this_file_only() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for name in ["rpc", "rollup"] {
            files_in(&crates.join(name).join("src"), &mut files);
        }
        assert!(files.len() > 100);
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            let code = |line: &&str| line.contains("i32 = -3") || line.contains("=> -3");
            assert_eq!(text.lines().find(code), None, "{}", path.display());
        }
    }
}
