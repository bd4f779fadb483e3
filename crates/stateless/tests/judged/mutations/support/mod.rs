//! Valid blocks, and helpers to change them.

pub(crate) mod contracts;
pub(crate) mod generated;
pub(crate) mod relink;

use alloy_primitives::Bytes;
use chain::to_stateless_input;
use codec::RawBlock;
use enshrine_stateless::{BlockError, ChainSpec, Invalid, Verdict, header_of, verify};
use std::sync::LazyLock;
use wire::{ByteLists, StatelessInput};

/// A valid block with its verdict.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) spec: ChainSpec,
    /// The block's RLP.
    pub(crate) rlp: Bytes,
    /// The stateless input, as in the EXECUTE calldata.
    pub(crate) bytes: Vec<u8>,
    pub(crate) verdict: Verdict,
    /// `true` if the witness is known to contain nothing unnecessary.
    pub(crate) minimal: bool,
    /// `true` if a contract in the block stores fields of the block's header.
    pub(crate) sees_header: bool,
}

impl Case {
    pub(crate) fn new(name: String, spec: ChainSpec, rlp: Bytes, bytes: Vec<u8>) -> Self {
        let input = StatelessInput::decode(&bytes).expect("a good block decodes");
        let verdict = verify(&input, &spec).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        Self { name, spec, rlp, bytes, verdict, minimal: false, sees_header: false }
    }

    pub(crate) fn input(&self) -> StatelessInput<'_> {
        StatelessInput::decode(&self.bytes).expect("a good block decodes")
    }

    /// Returns `true` if the block is small enough to try every mutation on it.
    pub(crate) const fn is_small(&self) -> bool {
        self.bytes.len() < 400_000
    }

    /// Verifies an input as a block of this chain.
    pub(crate) fn verify(&self, input: &StatelessInput<'_>) -> Result<Verdict, Invalid> {
        verdict_on(verify(input, &self.spec))
    }

    /// Verifies this block after a change, with an updated block hash.
    pub(crate) fn rehashed<'a>(
        &'a self,
        change: impl FnOnce(&mut StatelessInput<'a>),
    ) -> Result<Verdict, Invalid> {
        let mut input = self.input();
        change(&mut input);
        rehash(&mut input);
        self.verify(&input)
    }

    /// Returns the reason for refusing a change that must make the block invalid.
    pub(crate) fn refusal<'a>(&'a self, change: impl FnOnce(&mut StatelessInput<'a>)) -> Invalid {
        match self.rehashed(change) {
            Err(reason) => reason,
            Ok(_) => panic!("{}: still valid after the change", self.name),
        }
    }

    /// Asserts that `verdict` is on another block with the same effects: execution produced the
    /// same results.
    pub(crate) fn assert_sibling(&self, verdict: &Verdict, what: &str) {
        let name = &self.name;
        assert_ne!(verdict.block_hash, self.verdict.block_hash, "{name}: {what}");
        assert_eq!(verdict.executed, self.verdict.executed, "{name}: {what}");
        assert_eq!(verdict.header.state_root, self.verdict.header.state_root, "{name}: {what}");
        assert_eq!(verdict.pre_state_root, self.verdict.pre_state_root, "{name}: {what}");
    }
}

/// Returns the verdict on a block. An internal error fails the test.
#[track_caller]
pub(crate) fn verdict_on<T>(outcome: Result<T, BlockError>) -> Result<T, Invalid> {
    outcome.map_err(|error| match error {
        BlockError::Invalid(reason) => reason,
        BlockError::Internal(error) => panic!("no verdict: {error}"),
    })
}

/// Sets the block hash to that of the header that the fields have, if they have one.
pub(crate) fn rehash(input: &mut StatelessInput<'_>) {
    if let Some(header) = header_of(&input.request, input.fork) {
        input.request.payload.block_hash = header.hash_slow();
    }
}

/// Returns the elements of a list, so that they can be changed.
pub(crate) fn items<'a>(list: ByteLists<'a>) -> Vec<&'a [u8]> {
    list.iter().collect()
}

/// Blocks of generated chains, of every fork. They are always available.
pub(crate) fn generated() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(generated::cases);
    &CASES
}

/// Blocks of public networks; none if the vectors are absent.
pub(crate) fn real() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let blocks = testkit::vectors::blocks("blocks", "mutations of real blocks");
        blocks.expect("the vectors can be read").iter().map(real_case).collect()
    });
    &CASES
}

/// All blocks.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    generated().iter().chain(real())
}

/// The stateless input of a block from the vectors.
pub(crate) fn input_of(block: &testkit::vectors::Block) -> (ChainSpec, Vec<u8>) {
    let spec = ChainSpec::known(block.bundle.chain_id).expect("a known network");
    let raw = RawBlock::decode(&block.bundle.block).expect("a block");
    let bytes =
        to_stateless_input(&raw, &block.bundle.witness, &spec).expect("a block that executes");
    (spec, bytes)
}

fn real_case(block: &testkit::vectors::Block) -> Case {
    let (spec, bytes) = input_of(block);
    Case::new(block.name.clone(), spec, block.bundle.block.clone(), bytes)
}
