//! Reasons for which an execution failed, in geth's words, which clients parse.

use alloy_sol_types::{Panic, PanicKind, Revert, SolError as _};
use revm::context_interface::result::{HaltReason, OutOfGasError};

/// Returns the reason of a revert, if it is one of Solidity's own errors.
pub fn revert_reason(output: &[u8]) -> Option<String> {
    if let Ok(Revert { reason }) = Revert::abi_decode(output) {
        return Some(reason);
    }
    let Panic { code } = Panic::abi_decode(output).ok()?;
    let words = match code.try_into().ok().and_then(PanicKind::from_number) {
        Some(PanicKind::Generic) => "generic panic",
        Some(PanicKind::Assert) => "assert(false)",
        Some(PanicKind::UnderOverflow) => "arithmetic underflow or overflow",
        Some(PanicKind::DivisionByZero) => "division or modulo by zero",
        Some(PanicKind::EnumConversionError) => "enum overflow",
        Some(PanicKind::StorageEncodingError) => "invalid encoded storage byte array accessed",
        Some(PanicKind::EmptyArrayPop) => "out-of-bounds array access; popping on an empty array",
        Some(PanicKind::ArrayOutOfBounds) => "out-of-bounds access of an array or bytesN",
        Some(PanicKind::ResourceError) => "out of memory",
        Some(PanicKind::InvalidInternalFunction) => "uninitialized function",
        _ => return Some(format!("unknown panic code: {code:#x}")),
    };
    Some(words.to_owned())
}

/// Returns the reason for which the EVM has halted.
pub fn halt_reason(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(OutOfGasError::Basic | OutOfGasError::ReentrancySentry) => {
            "out of gas".to_owned()
        }
        HaltReason::OutOfGas(error) => error.to_string(),
        HaltReason::OpcodeNotFound => "invalid opcode".to_owned(),
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID".to_owned(),
        HaltReason::StackUnderflow => "stack underflow".to_owned(),
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)".to_owned(),
        HaltReason::StateChangeDuringStaticCall => "write protection".to_owned(),
        HaltReason::CreateCollision => "contract address collision".to_owned(),
        HaltReason::CreateContractSizeLimit => "max code size exceeded".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{U256, hex};

    #[test]
    fn how_gas_ran_out_is_said_once() {
        use OutOfGasError::*;
        for (error, more) in [
            (Basic, ""),
            (ReentrancySentry, ""),
            (MemoryLimit, ": memory"),
            (Memory, ": memory"),
            (Precompile, ": precompile"),
            (InvalidOperand, ": invalid operand"),
        ] {
            let words = halt_reason(&HaltReason::OutOfGas(error));
            assert!(words.starts_with(&format!("out of gas{more}")), "{words}");
            assert_eq!(words.matches("out of gas").count(), 1, "{words}");
        }
    }

    #[test]
    fn the_errors_of_solidity_are_read_and_nothing_else_is() {
        let error = hex!(
            "08c379a0"
            "0000000000000000000000000000000000000000000000000000000000000020"
            "000000000000000000000000000000000000000000000000000000000000000a"
            "75736572206572726f7200000000000000000000000000000000000000000000"
        );
        assert_eq!(revert_reason(&error).as_deref(), Some("user error"));
        assert_eq!(revert_reason(&error[..50]), None);
        assert_eq!(revert_reason(&[]), None);
        assert_eq!(revert_reason(&hex!("deadbeef")), None);
        let panic = |code: u64| Panic { code: U256::from(code) }.abi_encode();
        let words = |code| revert_reason(&panic(code)).unwrap();
        assert_eq!(words(0x11), "arithmetic underflow or overflow");
        assert_eq!(words(0x32), "out-of-bounds access of an array or bytesN");
        assert_eq!(words(0x99), "unknown panic code: 0x99");
        let large = Panic { code: U256::MAX }.abi_encode();
        assert!(revert_reason(&large).unwrap().starts_with("unknown panic code: 0xfff"));
        assert_eq!(revert_reason(&panic(0x11)[..35]), None);
    }
}
