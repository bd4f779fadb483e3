//! Content of a file, recognized by its first bytes and not by its name.

use crate::output;
use eyre::{Context as _, Result, bail};
use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// Most bytes of a source, packed or not: twice the length of a full mainnet block with its witness
/// in hex. A hundred kilobytes may unpack to gigabytes, and what is read is copied up to twice.
const LONGEST: u64 = 256 << 20;

/// The first bytes of what zstd has packed.
const ZSTD: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// Standard input or output, where a file is asked for.
const STDIO: &str = "-";

/// Decoded content of a file, without compression, hex or the envelope of a JSON-RPC response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The text of a JSON object.
    Object(Vec<u8>),
    /// Bytes, which may have been written in hex.
    Bytes(Vec<u8>),
}

/// Reads a file, or standard input for `-`; unpacks it, takes the result out of the answer of a
/// node, and reads hex digits as the bytes that they stand for.
pub(crate) fn read(path: &Path) -> Result<Content> {
    let read = || {
        let bytes = match path.as_os_str() == STDIO {
            true => read_all(io::stdin().lock())?,
            false => read_all(File::open(path)?)?,
        };
        match bytes.starts_with(&ZSTD) {
            true => Content::of(&unpacked(&bytes)?),
            false => Content::of(&bytes),
        }
    };
    read().wrap_err_with(|| format!("cannot read {}", name_of(path)))
}

/// Name of an input file, for messages.
pub(crate) fn name_of(path: &Path) -> String {
    match path.as_os_str() == STDIO {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// Writes a file, or standard output for `-`. Whether it was a file: nothing else may be said on
/// standard output otherwise.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<bool> {
    if path.as_os_str() == STDIO {
        output::write_bytes(bytes);
        return Ok(false);
    }
    fs::write(path, bytes).wrap_err_with(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn read_all(from: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_behind(&mut bytes, from)?;
    Ok(bytes)
}

/// Unpacks the frames of zstd, one after another.
fn unpacked(mut packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !packed.is_empty() {
        let mut frame = StreamingDecoder::new(&mut packed)?;
        read_behind(&mut bytes, &mut frame)?;
        let (got, expected) =
            (frame.decoder.get_calculated_checksum(), frame.decoder.get_checksum_from_data());
        if let Some(expected) = expected
            && got != Some(expected)
        {
            bail!("the checksum of what it unpacks to is {got:x?}, and not {expected:x}");
        }
    }
    Ok(bytes)
}

/// Appends all that there is to read, unless that is more than the longest source.
fn read_behind(bytes: &mut Vec<u8>, from: impl Read) -> Result<()> {
    // A few packed bytes may unpack to any number.
    from.take(LONGEST + 1 - bytes.len() as u64).read_to_end(bytes)?;
    if bytes.len() as u64 > LONGEST {
        bail!("it is longer than {LONGEST} bytes");
    }
    Ok(())
}

/// The answer of a node, if a JSON object is one.
#[derive(Deserialize)]
struct Answer<'a> {
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

impl Content {
    fn of(bytes: &[u8]) -> Result<Self> {
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Self::plain(bytes);
        }
        let answer: Answer<'_> = serde_json::from_slice(bytes).wrap_err("it is no JSON")?;
        match answer {
            Answer { error: Some(Refusal { message }), .. } => {
                bail!("it holds a node's error and no result: {message}")
            }
            Answer { result: Some(result), .. } => match result.get().as_bytes().first() {
                Some(b'{' | b'"') => Self::plain(result.get().as_bytes()),
                _ => {
                    let result: String = result.get().chars().take(40).collect();
                    bail!("its result is {result}, expected an object or a string of bytes")
                }
            },
            Answer { jsonrpc: Some(_), .. } => {
                bail!("it holds the answer of a node that has no such block")
            }
            _ => Self::plain(bytes),
        }
    }

    /// Decodes bytes that are not a JSON-RPC response.
    fn plain(bytes: &[u8]) -> Result<Self> {
        match bytes.trim_ascii_start().first() {
            None => bail!("it is empty"),
            Some(b'{') => Ok(Self::Object(bytes.to_vec())),
            Some(b'"') => {
                let text: Cow<'_, str> = serde_json::from_slice(bytes).wrap_err("it is no JSON")?;
                let digits = text.strip_prefix("0x").unwrap_or(&text);
                let decoded = alloy_primitives::hex::decode(digits);
                Ok(Self::Bytes(decoded.wrap_err("it is a JSON string that is not hex")?))
            }
            Some(_) => hex_or_binary(bytes).map(Self::Bytes),
        }
    }
}

/// Bytes that are binary, or hex with or without 0x.
fn hex_or_binary(bytes: &[u8]) -> Result<Vec<u8>> {
    let text = bytes.trim_ascii();
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    match is_hex {
        true => alloy_primitives::hex::decode(digits).wrap_err("it is hex that is cut off"),
        false => Ok(bytes.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_shows_in_its_bytes_and_not_in_its_name() {
        let bytes = |text: &str| match Content::of(text.as_bytes()) {
            Ok(Content::Bytes(bytes)) => bytes,
            other => panic!("{text}: {other:?}"),
        };
        for text in ["0x12ab", "12AB\n", " 12ab", r#""0x12ab""#, r#"{"result":"0x12ab"}"#] {
            assert_eq!(bytes(text), [0x12, 0xab], "{text}");
        }
        assert_eq!(bytes("\x12\x01x"), b"\x12\x01x");
        let object = r#"{"chainId":1,"block":"0x"}"#;
        for text in [object.to_owned(), format!(r#" {{"jsonrpc":"2.0","id":1,"result":{object}}}"#)]
        {
            let Content::Object(found) = Content::of(text.as_bytes()).unwrap() else {
                panic!("{text}")
            };
            assert_eq!(String::from_utf8(found).unwrap(), object);
        }
    }

    /// A zstd frame of this many blocks, four bytes each, that unpack to 128 KiB of zeros each (RFC
    /// 8878).
    fn bomb(blocks: usize) -> Vec<u8> {
        const SIZE: u32 = 128 << 10;
        // No checksum and no content size; a window of 128 KiB.
        let mut frame = [&ZSTD[..], &[0x00, 0x38]].concat();
        for block in 1..=blocks {
            let header = SIZE << 3 | 1 << 1 | u32::from(block == blocks);
            frame.extend(&header.to_le_bytes()[..3]);
            frame.push(0);
        }
        frame
    }

    #[test]
    fn a_packed_source_is_as_bounded_as_a_plain_one() {
        assert_eq!(unpacked(&bomb(8)).unwrap().len(), 1 << 20);
        let packed = bomb(25_000);
        assert!(packed.len() < 101_000);
        let error = unpacked(&packed).unwrap_err().to_string();
        assert!(error.contains("longer than"), "{error}");
    }

    #[test]
    fn what_holds_nothing_says_what_it_is() {
        for (text, reason) in [
            ("", "it is empty"),
            ("\n ", "it is empty"),
            ("0x123", "cut off"),
            (r#"{"a":"#, "it is no JSON"),
            (r#""0xzz""#, "not hex"),
            (r#"{"jsonrpc":"2.0","result":null}"#, "no such block"),
            (r#"{"result":5}"#, "its result is 5, expected an object or a string"),
            (r#"{"result":["0x12"]}"#, r#"its result is ["0x12"], expected"#),
            (r#"{"error":{"code":-32601,"message":"no method"}}"#, "no method"),
        ] {
            let error = format!("{:#}", Content::of(text.as_bytes()).unwrap_err());
            assert!(error.contains(reason), "{text}: {error}");
        }
        // An answer in an answer is none.
        let nested = Content::of(br#"{"result":{"result":"0x12"}}"#).unwrap();
        assert_eq!(nested, Content::Object(br#"{"result":"0x12"}"#.to_vec()));
    }
}
