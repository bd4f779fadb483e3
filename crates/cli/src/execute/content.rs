//! Content of an input file, whose format is recognized by its first bytes, not by its name.

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

/// Maximum size of a source, before and after decompression, in bytes: twice that of a full mainnet
/// block with its witness in hex. A hundred kilobytes may decompress to gigabytes, and the content
/// is copied up to twice.
const LONGEST: u64 = 256 << 20;

/// Magic number of a zstd frame.
const ZSTD: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// File name for standard input or output.
const STDIO: &str = "-";

/// Decoded content of a file, without compression, hex or the envelope of a JSON-RPC response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The text of a JSON object.
    Object(Vec<u8>),
    /// Bytes, which may have been written in hex.
    Bytes(Vec<u8>),
}

/// Reads a file, or standard input for `-`; decompresses it, extracts the result of a JSON-RPC
/// response, and decodes hex.
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

/// Returns the name of an input file for messages.
pub(crate) fn name_of(path: &Path) -> String {
    match path.as_os_str() == STDIO {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// Writes a file, or standard output for `-`. Returns `true` for a file; otherwise the caller must
/// print nothing else to standard output.
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
    append_all(&mut bytes, from)?;
    Ok(bytes)
}

/// Decompresses consecutive zstd frames.
fn unpacked(mut packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !packed.is_empty() {
        let mut frame = StreamingDecoder::new(&mut packed)?;
        append_all(&mut bytes, &mut frame)?;
        let (got, expected) =
            (frame.decoder.get_calculated_checksum(), frame.decoder.get_checksum_from_data());
        if let Some(expected) = expected
            && got != Some(expected)
        {
            bail!("zstd checksum mismatch: got {got:x?}, expected {expected:x}");
        }
    }
    Ok(bytes)
}

/// Appends everything from a reader; fails if the total exceeds [`LONGEST`].
fn append_all(bytes: &mut Vec<u8>, from: impl Read) -> Result<()> {
    // Reads only one byte past the limit: a few compressed bytes may decompress to any number.
    from.take(LONGEST + 1 - bytes.len() as u64).read_to_end(bytes)?;
    if bytes.len() as u64 > LONGEST {
        bail!("longer than {LONGEST} bytes");
    }
    Ok(())
}

/// A JSON-RPC response; the fields are missing in other JSON objects.
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
        let answer: Answer<'_> = serde_json::from_slice(bytes).wrap_err("invalid JSON")?;
        match answer {
            Answer { error: Some(Refusal { message }), .. } => {
                bail!("the JSON-RPC response is an error: {message}")
            }
            Answer { result: Some(result), .. } => match result.get().as_bytes().first() {
                Some(b'{' | b'"') => Self::plain(result.get().as_bytes()),
                _ => {
                    let result: String = result.get().chars().take(40).collect();
                    bail!("the JSON-RPC result is {result}, expected an object or a hex string")
                }
            },
            Answer { jsonrpc: Some(_), .. } => {
                bail!("the JSON-RPC result is null: the node has no such block")
            }
            _ => Self::plain(bytes),
        }
    }

    /// Decodes bytes that are not a JSON-RPC response.
    fn plain(bytes: &[u8]) -> Result<Self> {
        match bytes.trim_ascii_start().first() {
            None => bail!("the input is empty"),
            Some(b'{') => Ok(Self::Object(bytes.to_vec())),
            Some(b'"') => {
                let text: Cow<'_, str> = serde_json::from_slice(bytes).wrap_err("invalid JSON")?;
                let digits = text.strip_prefix("0x").unwrap_or(&text);
                let decoded = alloy_primitives::hex::decode(digits);
                Ok(Self::Bytes(decoded.wrap_err("the JSON string is not hex")?))
            }
            Some(_) => hex_or_binary(bytes).map(Self::Bytes),
        }
    }
}

/// Decodes hex with or without 0x; returns other bytes unchanged.
fn hex_or_binary(bytes: &[u8]) -> Result<Vec<u8>> {
    let text = bytes.trim_ascii();
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    match is_hex {
        true => alloy_primitives::hex::decode(digits).wrap_err("the hex is cut off"),
        false => Ok(bytes.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_recognized_by_content() {
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

    /// Returns a zstd frame (RFC 8878) of this many four-byte blocks, each of which decompresses to
    /// 128 KiB of zeros.
    fn bomb(blocks: usize) -> Vec<u8> {
        const SIZE: u32 = 128 << 10;
        // Frame header without checksum and content size, with a window of 128 KiB.
        let mut frame = [&ZSTD[..], &[0x00, 0x38]].concat();
        for block in 1..=blocks {
            let header = SIZE << 3 | 1 << 1 | u32::from(block == blocks);
            frame.extend(&header.to_le_bytes()[..3]);
            frame.push(0);
        }
        frame
    }

    #[test]
    fn decompressed_size_is_bounded() {
        assert_eq!(unpacked(&bomb(8)).unwrap().len(), 1 << 20);
        let packed = bomb(25_000);
        assert!(packed.len() < 101_000);
        let error = unpacked(&packed).unwrap_err().to_string();
        assert!(error.contains("longer than"), "{error}");
    }

    #[test]
    fn unusable_content_returns_reason() {
        for (text, reason) in [
            ("", "is empty"),
            ("\n ", "is empty"),
            ("0x123", "cut off"),
            (r#"{"a":"#, "invalid JSON"),
            (r#""0xzz""#, "not hex"),
            (r#"{"jsonrpc":"2.0","result":null}"#, "no such block"),
            (r#"{"result":5}"#, "result is 5, expected an object or a hex string"),
            (r#"{"result":["0x12"]}"#, r#"result is ["0x12"], expected"#),
            (r#"{"error":{"code":-32601,"message":"no method"}}"#, "no method"),
        ] {
            let error = format!("{:#}", Content::of(text.as_bytes()).unwrap_err());
            assert!(error.contains(reason), "{text}: {error}");
        }
        // Only the outer response is extracted.
        let nested = Content::of(br#"{"result":{"result":"0x12"}}"#).unwrap();
        assert_eq!(nested, Content::Object(br#"{"result":"0x12"}"#.to_vec()));
    }
}
