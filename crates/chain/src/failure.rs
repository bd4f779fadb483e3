//! Messages for failed executions, with geth's wording, because clients parse them.

use alloy_primitives::hex;
use alloy_sol_types::{Panic, PanicKind, Revert, SolError as _, SolType as _, sol_data};
use revm::context_interface::result::{HaltReason, OutOfGasError};

/// Returns the reason of a revert with one of Solidity's built-in errors, `Error` or `Panic`.
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

/// Returns the reason of a revert as Foundry formats it; `None` for a revert without data.
///
/// This is the format of anvil and forge: a reason, a panic with its code, bytes that are text, or
/// the selector of a custom error and its data, as text if the data is UTF-8.
pub fn foundry_revert_reason(output: &[u8]) -> Option<String> {
    if let Ok(Revert { reason }) = Revert::abi_decode(output) {
        return Some(reason);
    }
    if let Ok(panic) = Panic::abi_decode(output) {
        return Some(panic.to_string());
    }
    if let Some(text) = sol_data::String::abi_decode(output).ok().filter(|text| !text.is_empty()) {
        return Some(text);
    }
    match (core::str::from_utf8(output), output.split_first_chunk::<4>()) {
        (Ok(""), _) => None,
        (Ok(text), _) if text.is_ascii() => Some(text.to_owned()),
        (_, None) => Some(format!("custom error bytes {}", hex::encode_prefixed(output))),
        (_, Some((selector, []))) => {
            Some(format!("custom error {}", hex::encode_prefixed(selector)))
        }
        (_, Some((selector, data))) => {
            let selector = hex::encode_prefixed(selector);
            let data = core::str::from_utf8(data).map_or_else(|_| hex::encode(data), str::to_owned);
            Some(format!("custom error {selector}: {data}"))
        }
    }
}

/// Returns the message for a halt of the EVM.
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
    fn out_of_gas_cause_appears_once() {
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
    fn revert_reason_decodes_only_built_in_solidity_errors() {
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

    #[test]
    fn foundry_revert_reasons_match_stock_anvil() {
        let decoded = |output: &[u8]| foundry_revert_reason(output);
        assert_eq!(decoded(&[]), None);
        let reason = Revert { reason: "user error".to_owned() }.abi_encode();
        assert_eq!(decoded(&reason).unwrap(), "user error");
        // Responses of stock anvil 1.7.1 for the same bytes.
        let panics = [
            (0x00, "panic: generic/unspecified error (0x00)"),
            (0x01, "panic: assertion failed (0x01)"),
            (0x11, "panic: arithmetic underflow or overflow (0x11)"),
            (0x12, "panic: division or modulo by zero (0x12)"),
            (0x21, "panic: failed to convert value into enum type (0x21)"),
            (0x22, "panic: storage byte array incorrectly encoded (0x22)"),
            (0x31, "panic: called `.pop()` on an empty array (0x31)"),
            (0x32, "panic: array out-of-bounds access (0x32)"),
            (0x41, "panic: memory allocation error (0x41)"),
            (0x51, "panic: called an invalid internal function (0x51)"),
            (0x99, "panic: unknown code (0x99)"),
            (0x100, "panic: unknown code (0x100)"),
        ];
        for (code, words) in panics {
            let panic = Panic { code: alloy_primitives::U256::from(code) }.abi_encode();
            assert_eq!(decoded(&panic).unwrap(), words);
        }
        assert_eq!(decoded(&hex!("deadbeef")).unwrap(), "custom error 0xdeadbeef");
        assert_eq!(decoded(&hex!("deadbeef01")).unwrap(), "custom error 0xdeadbeef: \u{1}");
        assert_eq!(decoded(&hex!("deadbeefff")).unwrap(), "custom error 0xdeadbeef: ff");
        assert_eq!(decoded(&hex!("dead")).unwrap(), "custom error bytes 0xdead");
        assert_eq!(decoded(b"hello world").unwrap(), "hello world");
        assert_eq!(decoded(&hex!("4e487b7111")).unwrap(), "NH{q\u{11}");
    }
}
