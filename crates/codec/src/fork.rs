//! Parsing of fork names and schema ids.

use wire::{ProtocolFork, SchemaId};

/// The text is neither a fork name nor a schema id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a fork: write paris, shanghai, cancun, prague, osaka, bpo1, bpo2 or amsterdam, or the \
     schema id of one, such as {osaka} for osaka", osaka = SchemaId::OSAKA
)]
pub struct UnknownFork(pub String);

/// Returns the fork with this name, ignoring case.
pub fn fork_of_name(name: &str) -> Option<ProtocolFork> {
    ProtocolFork::ALL.into_iter().find(|fork| fork.name().eq_ignore_ascii_case(name))
}

/// Parses the name of a fork, ignoring case, or its [schema id](SchemaId) in hexadecimal.
///
/// # Errors
///
/// [`UnknownFork`] if the text is neither.
pub fn parse_fork(text: &str) -> Result<ProtocolFork, UnknownFork> {
    let of_schema = || {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        // `u16::from_str_radix` would also accept a sign.
        let is_id = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let id = u16::from_str_radix(digits, 16).ok().filter(|_| is_id)?;
        SchemaId::new(id).fork()
    };
    fork_of_name(text).or_else(of_schema).ok_or_else(|| UnknownFork(text.to_owned()))
}
