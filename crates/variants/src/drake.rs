//! `EXECUTE(pre, post, trace, gas used) → bool`, the dialect of Drake's proposal.

use alloy_primitives::{Address, B256, Bytes, U256, address};
use core::fmt;
use execute::{Answer, Dialect, ExecuteError, Executed, PrecompileCall, Refused};
use std::borrow::Cow;

/// EXECUTE that verifies a claim: the caller claims the state roots before and after and the gas
/// used, and EXECUTE returns whether the trace proves the claim.
///
/// Calldata is the canonical `abi.encode(bytes32 pre, bytes32 post, bytes trace, uint256 gasUsed)`,
/// without a selector. The trace is a stateless input, or a batch, in which case the claim covers
/// all of its blocks. The result is a word, 0 or 1.
///
/// A result of 0 is not a failure, so it must not be cheap: it is charged all gas that the call had
/// to hold, because a false claim takes as much work as a true one. The call fails only if the
/// calldata is not canonical or the gas does not suffice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drake;

impl Drake {
    /// Address of the precompile.
    pub const ADDRESS: Address = address!("0x0000000000000000000000000000000000000102");
    /// Name for logs and tools.
    const NAME: &str = "EXECUTE (Drake)";
}

/// Claim of a call, about all blocks of the trace together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// State root before the first block.
    pub(crate) pre: B256,
    /// State root after the last block.
    pub(crate) post: B256,
    /// Gas used by the blocks.
    pub(crate) gas_used: U256,
}

const WORD: usize = 32;
/// Bytes before the trace: four arguments of one word each, and the length.
const HEAD: usize = 5 * WORD;
/// Offset of the trace in the encoding: after the words of the arguments.
const OFFSET: U256 = U256::from_limbs([4 * WORD as u64, 0, 0, 0]);

impl Claim {
    /// Reads the claim of a call and its trace.
    pub(crate) fn decode(calldata: &[u8]) -> Result<(Self, &[u8]), ExecuteError> {
        let not_canonical = |what| ExecuteError::Calldata { dialect: Drake::NAME, what };
        let (head, tail) = calldata
            .split_first_chunk::<HEAD>()
            .ok_or_else(|| not_canonical("it ends within its head"))?;
        let [pre, post, offset, gas_used, length] =
            core::array::from_fn(|index| B256::from_slice(&head[index * WORD..][..WORD]));
        // An ABI decoder would accept other offsets; here each claim has a single encoding.
        if U256::from_be_bytes(offset.0) != OFFSET {
            return Err(not_canonical("the trace does not follow the head"));
        }
        // The trace is padded to whole words, and nothing follows it.
        let length = usize::try_from(U256::from_be_bytes(length.0))
            .ok()
            .filter(|length| length.checked_next_multiple_of(WORD) == Some(tail.len()))
            .ok_or_else(|| not_canonical("the length of the trace is not that of the calldata"))?;
        let (trace, padding) = tail.split_at(length);
        if padding.iter().any(|byte| *byte != 0) {
            return Err(not_canonical("the padding of the trace is not zero"));
        }
        Ok((Self { pre, post, gas_used: U256::from_be_bytes(gas_used.0) }, trace))
    }

    /// Returns the calldata of a call with this claim and trace.
    pub(crate) fn calldata(&self, trace: &[u8]) -> Vec<u8> {
        let padding = trace.len().next_multiple_of(WORD) - trace.len();
        let word = |value: U256| value.to_be_bytes::<WORD>();
        [
            &self.pre[..],
            &self.post[..],
            &word(OFFSET),
            &word(self.gas_used),
            &word(U256::from(trace.len())),
            trace,
            &[0; WORD][..padding],
        ]
        .concat()
    }

    /// Returns the true claim about blocks.
    fn of(executed: &Executed) -> Self {
        Self {
            pre: executed.pre_state_root(),
            post: executed.verdict.header.state_root,
            gas_used: U256::from(executed.gas_used()),
        }
    }

    /// Checks the claim against the blocks of its trace.
    pub(crate) fn check(&self, executed: &Executed) -> Result<(), ExecuteError> {
        let expected = Self::of(executed);
        if *self == expected {
            return Ok(());
        }
        let reason = format!("the claim is false: got {self}, expected {expected}");
        Err(ExecuteError::Variant { kind: "falseClaim", reason })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pre, post, gas_used } = self;
        write!(f, "state roots {pre} and {post}, {gas_used} gas")
    }
}

impl Dialect for Drake {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn address(&self) -> Address {
        Self::ADDRESS
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        Ok(Cow::Borrowed(Claim::decode(call.calldata)?.1))
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        let (claim, _) = Claim::decode(calldata)?;
        let (answer, gas) = match outcome {
            Ok(executed) if claim == Claim::of(&executed) => (true, executed.gas),
            Ok(executed) => (false, executed.reserve),
            // A call that was rejected at an early step has held less gas, and has also caused less
            // work.
            Err(refused) => (false, refused.gas),
        };
        let output = Bytes::copy_from_slice(&B256::with_last_byte(answer.into()).0);
        Ok(Answer { gas, output })
    }
}
