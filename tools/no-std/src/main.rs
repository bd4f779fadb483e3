//! Reads a stateless input without the standard library, as a guest of a zkVM does.
//!
//! The host gives the input on standard input. The program decodes it, hashes all nodes of its witness, finds the
//! nodes of the state before the block by their hashes, and writes the root of the request. It has a panic handler
//! and an allocator of its own, and asks the host for nothing but bytes.

#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "an allocator and the entry point cannot be written without")]

extern crate alloc;

mod host;

use alloc::{sync::Arc, vec, vec::Vec};
use alloy_primitives::B256;
use host::{read_input, write_output};
use trie::{NodeIndex, NodePath, NodeSource, SourceError, Trie};
use wire::{Input, StatelessInput};

/// Key of the index of nodes. The input of this program is not chosen by an adversary of its host.
const KEY: u64 = 0x6b65_795f_6f66_5f69;

/// Nodes of a witness.
struct Nodes<'i> {
    input: &'i StatelessInput<'i>,
    index: NodeIndex,
}

impl<'i> NodeSource for Nodes<'i> {
    type Bytes = &'i [u8];

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<&'i [u8]>, SourceError> {
        Ok(self.index.position(hash).and_then(|position| self.input.witness.state.get(position)))
    }
}

/// Returns the root of the request, if the witness holds the account trie of the parent's state.
fn check(bytes: &[u8]) -> Option<B256> {
    let Ok(Input::Block(input)) = Input::decode(bytes) else { return None };
    let nodes: Vec<&[u8]> = input.witness.state.iter().collect();
    let mut digests = vec![B256::ZERO; nodes.len()];
    keccak::keccak256_batch(&nodes, &mut digests);
    let index = NodeIndex::keyed(vec![Arc::from(digests)], KEY);
    let source = Nodes { input: &input, index };
    // The state root is the fourth field of the parent's header, each of the three before it 32 or 20 bytes long.
    const STATE_ROOT: core::ops::Range<usize> = 91..123;
    let root = B256::from_slice(input.witness.headers.last()?.get(STATE_ROOT)?);
    let fee_recipient = keccak::keccak256(input.request.payload.fee_recipient.as_slice());
    Trie::new(root).get(&source, &fee_recipient).ok()?;
    Some(input.request.hash_tree_root(input.fork))
}

/// Entry point.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    match check(&read_input()) {
        Some(root) => {
            write_output(root.as_slice());
            0
        }
        None => 1,
    }
}
