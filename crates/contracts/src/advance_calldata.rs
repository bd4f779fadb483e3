//! Calldata of `NativeRollup.advance`, read as the contract reads it.

use crate::bindings::INativeRollup::advanceCall;
use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolCall as _;

const WORD: usize = 32;

/// Returns the inputs in the calldata of a call to `advance`, or `None` if it is no such call or L1
/// cannot have accepted it.
///
/// ABI decoders are stricter than Solidity: to a contract, offsets of array elements are signed, so
/// an input may precede the list that points to it. Nodes must read every calldata that L1 accepts,
/// or one such transaction stops them. The evidence after the inputs is not decoded, since it
/// affects no L2 block.
pub fn advance_inputs(calldata: &Bytes) -> Option<Vec<Bytes>> {
    let word = |at: usize| Some(U256::from_be_slice(calldata.get(at..at.checked_add(WORD)?)?));
    let number = |at: usize| usize::try_from(word(at)?).ok();
    let arguments = advanceCall::SELECTOR.len();
    if !calldata.starts_with(&advanceCall::SELECTOR) {
        return None;
    }
    let list = number(arguments)?.checked_add(arguments)?;
    let count = number(list)?;
    let elements = list + WORD;
    // Bounds the allocation: each element has an offset of its own.
    if count > calldata.len().checked_sub(elements)? / WORD {
        return None;
    }
    let input = |index: usize| {
        let offset = word(elements + WORD * index)?;
        let at = usize::try_from(U256::from(elements).wrapping_add(offset)).ok()?;
        let start = at.checked_add(WORD)?;
        let end = start.checked_add(number(at)?)?;
        (end <= calldata.len()).then(|| calldata.slice(start..end))
    };
    (0..count).map(input).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::INativeRollup::Evidence;
    use alloy_primitives::B256;
    use testkit::Random;

    fn word(value: U256) -> [u8; WORD] {
        B256::from(value).0
    }

    /// Returns calldata with the inputs in any order, at any place before or after their list, and
    /// without evidence.
    fn rearranged(inputs: &[Bytes], random: &mut Random) -> Bytes {
        let mut order: Vec<_> = (0..inputs.len()).collect();
        order.sort_by_cached_key(|_| random.below(1 << 20));
        let before = random.below(inputs.len() as u64 + 1) as usize;
        let (mut body, mut places) = (vec![0; 2 * WORD], vec![0; inputs.len()]);
        let mut list = 0;
        for turn in 0..=order.len() {
            if turn == before {
                list = body.len();
                body.extend(word(U256::from(inputs.len())));
                body.resize(body.len() + WORD * inputs.len(), 0);
            }
            if let Some(&index) = order.get(turn) {
                body.resize(body.len() + random.below(40) as usize, 0xff);
                places[index] = body.len();
                body.extend(word(U256::from(inputs[index].len())));
                body.extend_from_slice(&inputs[index]);
            }
        }
        body[..WORD].copy_from_slice(&word(U256::from(list)));
        for (index, place) in places.into_iter().enumerate() {
            let at = list + WORD * (1 + index);
            let offset = U256::from(place).wrapping_sub(U256::from(list + WORD));
            body[at..at + WORD].copy_from_slice(&word(offset));
        }
        [&advanceCall::SELECTOR[..], &body].concat().into()
    }

    #[test]
    fn inputs_are_read_from_any_place() {
        let mut random = Random::new(1);
        for _ in 0..500 {
            let count = random.below(5);
            let input = |_| vec![random.byte(); random.below(100) as usize].into();
            let inputs: Vec<Bytes> = (0..count).map(input).collect();
            let canonical = advanceCall { inputs: inputs.clone(), evidence: Evidence::default() };
            let canonical = canonical.abi_encode().into();
            assert_eq!(advance_inputs(&canonical).as_ref(), Some(&inputs));
            let calldata = rearranged(&inputs, &mut random);
            assert_eq!(advance_inputs(&calldata).as_ref(), Some(&inputs), "{calldata}");
            // Truncated and changed calldata is read within its bounds.
            let end = random.below(calldata.len() as u64) as usize;
            let read = advance_inputs(&calldata.slice(..end));
            assert!(read.is_none_or(|read| read == inputs));
            let mut changed = calldata.to_vec();
            let at = random.below(changed.len() as u64) as usize;
            changed[at] = random.byte();
            let read = advance_inputs(&changed.into()).unwrap_or_default();
            assert!(read.iter().all(|bytes| bytes.len() < calldata.len()));
        }
    }

    #[test]
    fn impossible_calldata_has_no_inputs() {
        let calldata = |words: &[U256]| -> Bytes {
            let words: Vec<_> = words.iter().flat_map(|value| word(*value)).collect();
            [&advanceCall::SELECTOR[..], &words].concat().into()
        };
        let [two, many] = [U256::from(64), U256::from(u64::MAX)];
        let (zero, one) = (U256::ZERO, U256::ONE);
        assert_eq!(advance_inputs(&calldata(&[two, zero, zero])), Some(Vec::new()));
        let empty = Some(vec![Bytes::new()]);
        assert_eq!(advance_inputs(&calldata(&[two, zero, one, U256::from(32), zero])), empty);
        for words in [
            &[two][..],
            &[many, zero, zero],
            &[two, zero, many],
            &[two, zero, one],
            &[two, zero, one, many],
            // Before the calldata, and longer than the calldata.
            &[two, zero, one, zero.wrapping_sub(U256::from(200)), zero],
            &[two, zero, one, U256::from(32), one],
        ] {
            assert_eq!(advance_inputs(&calldata(words)), None, "{words:?}");
        }
        assert_eq!(advance_inputs(&Bytes::from_static(b"adv")), None);
    }
}
