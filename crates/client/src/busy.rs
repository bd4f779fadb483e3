//! Responses by which a node reports that it is overloaded.

use alloy_json_rpc::{Response, ResponsePacket, ResponsePayload};

/// Returns `true` if a response reports that the node is overloaded or rate-limits the client.
pub(crate) fn is_busy(response: &Response) -> bool {
    matches!(&response.payload, ResponsePayload::Failure(error) if error.is_retry_err())
}

/// Returns `true` if any response of a packet is [busy](is_busy).
pub(crate) fn is_any_busy(packet: &ResponsePacket) -> bool {
    packet.responses().iter().any(is_busy)
}

/// Returns `true` if every response of a packet is [busy](is_busy). Otherwise the responses of a
/// batch are used.
pub(crate) fn is_busy_as_a_whole(packet: &ResponsePacket) -> bool {
    match packet {
        ResponsePacket::Single(response) => is_busy(response),
        ResponsePacket::Batch(responses) => !responses.is_empty() && responses.iter().all(is_busy),
    }
}
