//! Known differences and their reasons.

mod eth;
mod every;
mod other;

use crate::anvil::{Difference, Record};
use serde_json::Value;

/// Consequence of a difference for a test suite that passes with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// The subject rejects an accepted request, or the request has another effect: a suite may
    /// fail.
    Effect,
    /// A value differs: a suite that compares it may fail.
    Value,
    /// The code or message of an error differs: a suite that compares it may fail.
    Error,
    /// The subject returns a result where the reference returns an error or nothing: no suite
    /// fails.
    More,
}

impl Impact {
    /// Returns the heading in the report for the differences of this kind.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Effect => "What may break a suite",
            Self::Value => "Values that differ",
            Self::Error => "Errors with other codes or messages",
            Self::More => "Answers where anvil has none",
        }
    }
}

/// A known difference: where it may occur, and why.
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Affected methods; a `*` at the end matches any rest.
    pub methods: &'static [&'static str],
    /// Paths in the response, with the same rule.
    pub paths: &'static [&'static str],
    /// A further condition on the difference.
    pub when: fn(&Record, &Difference) -> bool,
    /// Consequence for a user.
    pub impact: Impact,
    /// Reason, written for readers who know Ethereum but not this code.
    pub why: &'static str,
}

/// No further condition.
const ALWAYS: fn(&Record, &Difference) -> bool = |_, _| true;

/// Returns the error message of the reference.
fn message(record: &Record) -> &str {
    record.answer.pointer("/error/message").and_then(Value::as_str).unwrap_or_default()
}

/// Returns the error message of the subject if the reference returned a result.
fn refusal(record: &Record) -> &str {
    let error =
        |difference: &&Difference| difference.path == "/error" && difference.reference.is_none();
    let found = record.differences.iter().find(error);
    found.and_then(|difference| difference.subject.as_deref()).unwrap_or_default()
}

/// Returns `true` for the message of a failed execution.
fn is_of_evm(message: &str) -> bool {
    ["execution reverted", "EVM error"].iter().any(|words| message.starts_with(words))
}

/// Returns `true` if the request was made under a fork before the merge.
fn is_early(record: &Record) -> bool {
    ["london", "berlin", "frontier"].iter().any(|fork| record.script.contains(fork))
}

/// All reasons, in the order in which they are tried.
const REASONS: [&[Reason]; 3] = [every::REASONS, eth::REASONS, other::REASONS];

/// Returns the first reason that matches a difference.
pub fn reason(record: &Record, difference: &Difference) -> Option<&'static Reason> {
    REASONS.into_iter().flatten().find(|reason| {
        reason.methods.iter().any(|pattern| fits(pattern, &record.method))
            && reason.paths.iter().any(|pattern| fits(pattern, &difference.path))
            && (reason.when)(record, difference)
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    /// A position, and the values of reference and subject there.
    type Place<'p> = (&'p str, Option<&'p str>, Option<&'p str>);

    /// Returns `true` if all differences of a request have a reason. `said` is the error message of
    /// the reference.
    fn explained(method: &str, params: &str, said: &str, places: &[Place<'_>]) -> bool {
        let answer = match said {
            "" => json!({ "result": {} }),
            message => json!({ "error": { "message": message } }),
        };
        let differences = places.iter().map(|&(path, reference, subject)| Difference {
            path: path.to_owned(),
            reference: reference.map(str::to_owned),
            subject: subject.map(str::to_owned),
        });
        let record = Record {
            script: "03-contracts".to_owned(),
            line: 1,
            method: method.to_owned(),
            params: params.to_owned(),
            answer,
            differences: differences.collect(),
            times: [Duration::ZERO; 2],
        };
        record.differences.iter().all(|difference| reason(&record, difference).is_some())
    }

    /// The subject rejects a request that the reference accepts.
    const fn refuses(words: &str) -> [Place<'_>; 2] {
        [("/error", None, Some(words)), ("/result", Some("[]"), None)]
    }

    /// The subject accepts a request that the reference rejects.
    const TAKES: [Place<'_>; 2] = [("/error", Some("{}"), None), ("/result", None, Some("[]"))];

    #[test]
    fn subject_errors_are_explained_by_message() {
        for (method, words) in [
            ("eth_sendRawTransaction", "invalid chain id for signer: have 1 want 31337"),
            ("eth_getLogs", "invalid block range params: from is above to"),
            ("eth_simulateV1", "empty input: give at least one block"),
            ("debug_traceTransaction", "unexpected config for tracer 'FourByteTracer'"),
        ] {
            assert!(explained(method, "[]", "", &refuses(words)), "{method} {words}");
            assert!(!explained(method, "[]", "", &refuses("out of order")), "{method}");
        }
    }

    #[test]
    fn reference_errors_are_explained_by_message() {
        for (method, words) in [
            ("eth_createAccessList", "execution reverted: refused with words"),
            ("eth_getBlockTransactionCountByNumber", "BlockOutOfRangeError: block height is 0"),
            ("anvil_impersonateSignature", "invalid type: string, expected a tuple of size 2"),
        ] {
            assert!(explained(method, "[]", words, &TAKES), "{method} {words}");
            assert!(!explained(method, "[]", "out of order", &TAKES), "{method}");
        }
        let code: [Place<'_>; 1] = [("/error/code", Some("-32602"), Some("-32603"))];
        assert!(explained("eth_submitWork", "[]", "invalid character 'G' at position 2", &code));
        assert!(!explained("eth_submitWork", "[]", "out of order", &code));
    }

    #[test]
    fn execution_error_messages_are_never_explained() {
        let place: Place<'_> = ("/error/message", Some("1"), Some("2"));
        let words = |said| explained("eth_call", "[]", said, &[place]);
        assert!(words("BlockOutOfRangeError: block height is 0"));
        assert!(!words("execution reverted: custom error 0xc246547f"));
        assert!(!words("EVM error InvalidFEOpcode"));
    }

    #[test]
    fn only_known_estimate_differences_are_explained() {
        let estimate = |params, subject| {
            let place: Place<'_> = ("/result", Some("\"0x5209\""), Some(subject));
            explained("eth_estimateGas", params, "", &[place])
        };
        let blobs = "[{\"blobVersionedHashes\":[],\"to\":\"0x01\"}]";
        assert!(estimate(blobs, "\"0x5208\""));
        assert!(!estimate(blobs, "\"0x5300\""));
        assert!(!estimate("[{\"to\":\"0x01\"}]", "\"0x5208\""));
    }

    #[test]
    fn trace_differences_depend_on_content_and_tracer() {
        let trace = |method, params, path, reference| {
            explained(method, params, "", &[(path, Some(reference), Some("1"))])
        };
        let (transaction, call) = ("debug_traceTransaction", "debug_traceCall");
        assert!(trace(transaction, "[]", "/result/structLogs", "[]"));
        assert!(!trace(transaction, "[]", "/result/structLogs", "[1]"));
        assert!(trace(transaction, "[\"callTracer\"]", "/result/gas", "2"));
        assert!(!trace(transaction, "[\"callTracer\"]", "/result/gasUsed", "2"));
        assert!(!trace(transaction, "[]", "/result/gas", "2"));
        assert!(trace(call, "[\"callTracer\"]", "/result/gas", "2"));
        assert!(!trace(call, "[{}]", "/result/structLogs/*/gas", "2"));
        assert!(trace(transaction, "[\"flatCallTracer\"]", "/result", "{}"));
        assert!(!trace(transaction, "[\"callTracer\"]", "/result", "{}"));
    }

    #[test]
    fn answer_members_are_explained_individually() {
        let member = |method, path, subject| explained(method, "[]", "", &[(path, None, subject)]);
        let one = Some("1");
        assert!(member("eth_config", "/result/current/precompiles/EXECUTE", one));
        assert!(!member("eth_config", "/result/current/precompiles/P256VERIFY", one));
        assert!(member("eth_simulateV1", "/result/*/calls/*/maxUsedGas", one));
        assert!(!member("eth_simulateV1", "/result/*/calls/*/gasUsed", one));
        assert!(!member("eth_simulateV1", "/result/*/logsBloom", one));
        assert!(member("eth_getBlockByHash", "/result/totalDifficulty", None));
        assert!(!member("eth_getBlockByHash", "/result/totalDifficulty", one));
    }

    #[test]
    fn pool_differences_need_pending_and_queued() {
        let pending: Place<'_> = ("/result/pending", Some("\"0x1\""), Some("\"0x0\""));
        let queued: Place<'_> = ("/result/queued", Some("\"0x1\""), Some("\"0x2\""));
        assert!(explained("txpool_status", "[]", "", &[pending, queued]));
        assert!(!explained("txpool_status", "[]", "", &[pending]));
        assert!(!explained("txpool_status", "[]", "", &[queued]));
    }

    #[test]
    fn only_malformed_bodies_are_explained() {
        let code: Place<'_> = ("/error/code", Some("-32600"), Some("-32700"));
        for (body, is_known) in [("nonsense", true), ("{}", true), ("{\"id\":1}", false)] {
            assert_eq!(explained("post", body, "Invalid request", &[code]), is_known, "{body}");
        }
        let whole: Place<'_> = ("", Some("{}"), Some("[]"));
        assert!(explained("post", "[5]", "Invalid request", &[whole]));
        assert!(!explained("post", "5", "Invalid request", &[whole]));
    }
}
