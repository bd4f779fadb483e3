//! `EXECUTE(pre, post, trace, gas used) → bool`, the form of Drake's proposal.

use alloy_primitives::{Address, B256, Bytes, U256, address};
use execute::{Answer, Dialect, ExecuteError, Executed, PrecompileCall, Refused};
use std::borrow::Cow;

/// EXECUTE that answers a claim: the caller claims the state roots before and after and the gas used, and the
/// answer states whether the trace proves the claim.
///
/// Calldata is the canonical `abi.encode(bytes32 pre, bytes32 post, bytes trace, uint256 gasUsed)`,
/// without a selector; the trace is a stateless input, or a batch, for which the claim is about all of
/// its blocks together. The answer is a word, 0 or 1.
///
/// A negative answer is not a failure, so it must not be cheap: it is charged the full amount that the call
/// had to hold, because a wrong claim takes as much work as a right one. The call fails only if the calldata
/// is not canonical or the gas does not suffice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drake;

/// Claim of a call.
struct Claim<'c> {
    pre: B256,
    post: B256,
    trace: &'c [u8],
    gas_used: U256,
}

const WORD: usize = 32;
/// Bytes before the trace: the words of four arguments, and the length.
const HEAD: usize = 5 * WORD;

impl<'c> Claim<'c> {
    fn decode(calldata: &'c [u8]) -> Result<Self, ExecuteError> {
        let not_canonical = |what| ExecuteError::Calldata { dialect: Drake.name(), what };
        let (head, tail) = calldata
            .split_first_chunk::<HEAD>()
            .ok_or_else(|| not_canonical("it ends within its head"))?;
        let [pre, post, offset, gas_used, length] =
            core::array::from_fn(|index| B256::from_slice(&head[index * WORD..][..WORD]));
        // An ABI decoder would accept other offsets; here each claim has a single encoding.
        if U256::from_be_bytes(offset.0) != U256::from(4 * WORD) {
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
        Ok(Self { pre, post, trace, gas_used: U256::from_be_bytes(gas_used.0) })
    }

    fn holds(&self, executed: &Executed) -> bool {
        executed.pre_state_root() == self.pre
            && executed.verdict.header.state_root == self.post
            && U256::from(executed.gas_used()) == self.gas_used
    }
}

impl Dialect for Drake {
    fn name(&self) -> &'static str {
        "EXECUTE (Drake)"
    }

    fn address(&self) -> Address {
        address!("0x0000000000000000000000000000000000000102")
    }

    fn input<'c>(&self, call: &PrecompileCall<'c>) -> Result<Cow<'c, [u8]>, ExecuteError> {
        Ok(Cow::Borrowed(Claim::decode(call.calldata)?.trace))
    }

    fn answer(
        &self,
        calldata: &[u8],
        outcome: Result<Executed, Refused>,
    ) -> Result<Answer, ExecuteError> {
        let claim = Claim::decode(calldata)?;
        let (answer, gas) = match outcome {
            Ok(executed) if claim.holds(&executed) => (true, executed.gas),
            Ok(executed) => (false, executed.reserve),
            // A refusal at an early step has held less, and has also caused less work.
            Err(refused) => (false, refused.held),
        };
        let output = Bytes::copy_from_slice(&B256::with_last_byte(answer.into()).0);
        Ok(Answer { gas, output })
    }
}
