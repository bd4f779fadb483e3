//! Call trace of a transaction as a text tree for the console.

use crate::{CONSOLE, ConsoleOptions, ExecuteCall, Note};
use alloy_primitives::hex;
use revm_inspectors::tracing::{
    CallTraceArena, TraceWriter,
    types::{CallTrace, DecodedCallData},
};

/// Renders recorded calls as a tree, with storage changes and printed lines as `console_options`
/// request. Reverts show their decoded reason; refusals of EXECUTE show the reason in `notes`.
pub fn call_tree(
    mut calls: CallTraceArena,
    notes: &[Note],
    console_options: &ConsoleOptions,
) -> String {
    let mut notes = notes.iter();
    let mut next = notes.next();
    // A precompile makes no calls itself, so such calls begin in the order in which they end.
    for node in calls.nodes_mut() {
        let trace = &mut node.trace;
        let noted = next.filter(|note| is_of(note, trace));
        if noted.is_some() {
            next = notes.next();
        }
        let named = match noted {
            // The input is a block with its witness: too long to print, and useless as hexadecimal
            // digits.
            Some(Note::Execute(call)) => {
                Some(("EXECUTE", "execute(bytes)", format!("{} bytes", call.bytes)))
            }
            Some(Note::Console(data)) => {
                let line = console_options.console.and_then(|read| read(data));
                line.map(|line| ("console", "log(string)", format!("{line:?}")))
            }
            None => None,
        };
        if let Some((label, signature, argument)) = named {
            let call_data =
                DecodedCallData { signature: signature.to_owned(), args: vec![argument] };
            let decoded = trace.decoded();
            (decoded.label, decoded.call_data) = (Some(label.to_owned()), Some(call_data));
        }
        let words = words(trace, noted);
        if words.is_some() {
            trace.decoded().return_data = words;
        }
    }
    let mut writer = TraceWriter::new(Vec::new()).with_storage_changes(console_options.storage);
    // Writing to memory cannot fail.
    let _ = writer.write_arena(&calls);
    String::from_utf8_lossy(&writer.into_writer()).into_owned()
}

/// Returns `true` if a note belongs to this call.
fn is_of(note: &Note, trace: &CallTrace) -> bool {
    match note {
        Note::Execute(call) => trace.address == call.address && trace.data.len() == call.bytes,
        Note::Console(data) => trace.address == CONSOLE && trace.data.starts_with(data),
    }
}

/// Returns the reason of a failure, if it is known.
fn words(trace: &CallTrace, noted: Option<&Note>) -> Option<String> {
    if let Some(Note::Execute(ExecuteCall { outcome: Err(reason), .. })) = noted {
        return Some(format!("EXECUTE refused: {reason}"));
    }
    (trace.is_revert() && !trace.output.is_empty()).then(|| revert_words(&trace.output))
}

/// Returns the revert reason in the wording of Foundry: the string, a Solidity panic, or the custom
/// error. Unprintable bytes are written as hexadecimal digits.
pub fn revert_words(output: &[u8]) -> String {
    let Some(reason) = chain::foundry_revert_reason(output) else { return "no reason".to_owned() };
    let is_shown = |character: char| !character.is_control() || character == '\n';
    match output.split_first_chunk::<4>() {
        _ if reason.chars().all(is_shown) => reason,
        Some((selector, data)) if !data.is_empty() => {
            format!("custom error {}: {}", hex::encode_prefixed(selector), hex::encode(data))
        }
        _ => hex::encode_prefixed(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revert_reason_is_decoded_or_hexadecimal() {
        assert_eq!(revert_words(&[]), "no reason");
        assert_eq!(revert_words(&hex!("0102")), "0x0102");
        assert_eq!(revert_words(&hex!("ff02")), "custom error bytes 0xff02");
        assert_eq!(revert_words(&hex!("c246547f")), "custom error 0xc246547f");
        assert_eq!(revert_words(&hex!("c246547f07")), "custom error 0xc246547f: 07");
    }
}
