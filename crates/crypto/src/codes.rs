//! Jump destinations of code, 64 bytes at a time.
#![allow(unsafe_code, reason = "revm has no safe constructor of analysed code")]

use revm::bytecode::{Bytecode, JumpTable, opcode};

/// Bytes that are examined at a time.
const CHUNK: usize = 64;
/// Minimum number of bytes after the last chunk: they contain more than two instructions, and the
/// last two determine the padding.
const TAIL: usize = 128;

/// Analyses legacy code like revm; `None` if revm must do it.
pub(crate) fn analyse(code: &[u8]) -> Option<Bytecode> {
    // Delegations (EIP-7702) are not legacy code, and a short code is not worth the tables.
    if code.len() < CHUNK + TAIL || code.first() == Some(&0xef) {
        return None;
    }
    let mut jumps = Vec::with_capacity(code.len().div_ceil(8));
    // Bytes of the rest that belong to the operand of the last PUSH before it.
    let mut operand = 0;
    let mut rest = code;
    while rest.len() >= CHUNK + TAIL {
        let (chunk, behind) = rest.split_first_chunk()?;
        let destinations;
        (destinations, operand) = destinations_in(chunk, operand);
        jumps.extend_from_slice(&destinations.to_le_bytes());
        rest = behind;
    }
    let (mut at, first) = (operand, jumps.len());
    jumps.resize(code.len().div_ceil(8), 0);
    let mut last_two = [opcode::STOP; 2];
    while let Some(&instruction) = rest.get(at) {
        last_two = [last_two[1], instruction];
        if instruction == opcode::JUMPDEST {
            jumps[first + at / 8] |= 1 << (at % 8);
        }
        at += 1 + operand_of(instruction);
    }
    // The padding of revm: the missing operand of a PUSH at the end, STOP, and the operand of an
    // instruction of EIP-8024.
    let mut padding = at - rest.len();
    padding += match last_two {
        [before, opcode::STOP] => usize::from(has_byte_behind(before)),
        [_, last] => 1 + usize::from(has_byte_behind(last)),
    };
    let mut padded = Vec::with_capacity(code.len() + padding);
    padded.extend_from_slice(code);
    padded.resize(code.len() + padding, 0);
    let jumps = JumpTable::from_slice(&jumps, code.len());
    // SAFETY: the last instruction of `code` has its complete operand in the padded bytes, and is
    // followed by STOP unless it is STOP itself: the loop above has walked from the start of an
    // instruction to the last one.
    Some(unsafe { Bytecode::new_analyzed(padded.into(), code.len(), jumps) })
}

/// Returns the jump destinations of a chunk as bits, and the number of operand bytes after it. The
/// first `operand` bytes of the chunk are operand bytes.
fn destinations_in(chunk: &[u8; CHUNK], operand: usize) -> (u64, usize) {
    let (pushes, destinations) = positions(chunk);
    let mut code = u64::MAX << operand;
    let mut left = pushes & code;
    let mut end = 0;
    // Operand bytes may look like PUSH, so each PUSH decides about the bytes after it.
    while left != 0 {
        let at = left.trailing_zeros() as usize;
        end = at + 1 + operand_of(chunk[at]);
        let behind = u64::MAX.checked_shl(end as u32).unwrap_or(0);
        code &= behind | !(u64::MAX << at << 1);
        left &= behind;
    }
    (destinations & code, end.saturating_sub(CHUNK))
}

/// Returns the bytes of a chunk that look like PUSH1 to PUSH32, and those that look like JUMPDEST,
/// as bits.
fn positions(chunk: &[u8; CHUNK]) -> (u64, u64) {
    let (mut pushes, mut destinations) = (0, 0);
    for bytes in chunk.as_chunks::<8>().0.iter().rev() {
        let word = u64::from_le_bytes(*bytes);
        // PUSH1 to PUSH32 are the 32 numbers that start with these three bits.
        pushes = pushes << 8 | zeros((word & each(0xe0)) ^ each(opcode::PUSH1));
        destinations = destinations << 8 | zeros(word ^ each(opcode::JUMPDEST));
    }
    (pushes, destinations)
}

/// Returns a word with this byte eight times.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Returns eight bits, set for the bytes of a word that are zero.
const fn zeros(word: u64) -> u64 {
    const LOW: u64 = each(0x7f);
    // The sum sets the highest bit of a byte unless its other bits are all zero, and never carries
    // into another byte.
    let is_zero = !(((word & LOW) + LOW) | word | LOW) >> 7;
    // Moves one bit of each byte together: every product of two bits has its own position.
    is_zero.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Returns the length of the operand of an instruction: that of PUSH1 to PUSH32, otherwise zero.
const fn operand_of(instruction: u8) -> usize {
    match instruction {
        opcode::PUSH1..=opcode::PUSH32 => (instruction - opcode::PUSH0) as usize,
        _ => 0,
    }
}

/// Returns `true` for DUPN, SWAPN and EXCHANGE (EIP-8024), whose operand may be a jump destination.
const fn has_byte_behind(instruction: u8) -> bool {
    matches!(instruction, opcode::DUPN | opcode::SWAPN | opcode::EXCHANGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Random;

    fn same(code: &[u8]) {
        let expected = Bytecode::new_legacy(code.to_vec().into());
        let got = analyse(code).expect("long enough");
        assert_eq!(got.bytecode(), expected.bytecode(), "{code:02x?}");
        assert_eq!(got.len(), expected.len());
        assert_eq!(got.legacy_jump_table(), expected.legacy_jump_table(), "{code:02x?}");
    }

    /// A random byte of code: mostly PUSH, JUMPDEST, and instructions with special rules for
    /// operands.
    fn byte(random: &mut Random) -> u8 {
        match random.index(8) {
            0 => opcode::JUMPDEST,
            1..=3 => opcode::PUSH1 + random.index(32) as u8,
            4 => opcode::DUPN + random.index(3) as u8,
            5 => opcode::STOP,
            _ => random.index(256) as u8,
        }
    }

    #[test]
    fn random_code_analysis_matches_revm() {
        let mut random = Random::new(8_079);
        for _ in 0..20_000 {
            let len = CHUNK + TAIL + random.index(300);
            let mut code: Vec<u8> = (0..len).map(|_| byte(&mut random)).collect();
            code[0] = opcode::JUMPDEST;
            same(&code);
        }
    }

    #[test]
    fn padding_after_last_two_instructions_matches_revm() {
        for last in 0..=u8::MAX {
            for before in [opcode::STOP, opcode::DUPN, opcode::EXCHANGE, opcode::PUSH1, 0xff] {
                for len in [192, 255, 256, 257] {
                    let mut code = vec![opcode::JUMPDEST; len];
                    code[len - 2..].copy_from_slice(&[before, last]);
                    same(&code);
                }
            }
        }
    }

    #[test]
    fn push_across_chunk_border_hides_its_operand() {
        for push in opcode::PUSH1..=opcode::PUSH32 {
            for at in 0..128 {
                let mut code = vec![opcode::JUMPDEST; 400];
                code[at] = push;
                same(&code);
            }
        }
    }

    #[test]
    fn short_codes_and_delegations_are_left_to_revm() {
        assert!(analyse(&[opcode::JUMPDEST; CHUNK + TAIL - 1]).is_none());
        assert!(analyse(&[opcode::JUMPDEST; CHUNK + TAIL]).is_some());
        assert!(analyse(&[0xef; 500]).is_none());
    }
}
