//! RLP encoding of changed nodes.

use crate::node::{Child, HASH_ITEM, LONGEST_BRANCH, Node, NodeId, Reference, Slot, branch_items};
use alloc::vec::Vec;
use nybbles::Nibbles;

/// Appends the RLP of node `id`. Its changed children must have references.
pub(crate) fn encode<B: AsRef<[u8]>>(slots: &[Slot<B>], id: NodeId, out: &mut Vec<u8>) {
    match &slots[id.0 as usize].node {
        Node::Leaf { key, value } => {
            let value = value.as_slice();
            put_list_header(hex_prefix_len(key) + string_len(value), out);
            put_hex_prefix(key, true, out);
            put_string(value, out);
        }
        Node::Extension { key, child } => {
            let child = reference(slots, *child);
            put_list_header(hex_prefix_len(key) + child.item_len(), out);
            put_hex_prefix(key, false, out);
            child.put_item(out);
        }
        Node::Branch { bytes, children } => {
            let mut payload = Vec::with_capacity(LONGEST_BRANCH);
            let bytes = bytes.as_ref().map_or(&[][..], |bytes| bytes.as_ref());
            let mut items = branch_items(bytes);
            for child in children {
                let item = items.next();
                match *child {
                    Child::EMPTY => payload.push(0x80),
                    // Children that were not visited are copied without decoding.
                    Child::IN_BYTES => payload.extend_from_slice(&bytes[item.unwrap_or_default()]),
                    Child(id) => reference(slots, NodeId(id)).put_item(&mut payload),
                }
            }
            // All keys have the same length, so no key ends at a branch, and its value is always
            // empty.
            payload.push(0x80);
            put_list_header(payload.len(), out);
            out.extend_from_slice(&payload);
        }
        Node::Unloaded => unreachable!("a node that was never loaded has not changed"),
    }
}

fn reference<B>(slots: &[Slot<B>], id: NodeId) -> Reference {
    slots[id.0 as usize].reference.expect("children are hashed before their parents")
}

pub(crate) fn put_list_header(len: usize, out: &mut Vec<u8>) {
    put_header(0xc0, len, out);
}

/// Writes an RLP header. Lengths are those of nodes and values, far below 64 KiB.
#[allow(clippy::cast_possible_truncation, reason = "each branch has checked the length")]
pub(crate) fn put_header(base: u8, len: usize, out: &mut Vec<u8>) {
    match len {
        0..=55 => out.push(base + len as u8),
        56..=0xff => out.extend_from_slice(&[base + 56, len as u8]),
        _ => {
            let digits = len.to_be_bytes();
            let digits = &digits[digits.iter().take_while(|byte| **byte == 0).count()..];
            out.push(base + 55 + digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
}

fn string_len(string: &[u8]) -> usize {
    match string {
        [0..=0x7f] => 1,
        _ => header_len(string.len()) + string.len(),
    }
}

const fn header_len(len: usize) -> usize {
    match len {
        0..=55 => 1,
        56..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 1 + (usize::BITS as usize - len.leading_zeros() as usize).div_ceil(8),
    }
}

pub(crate) fn put_string(string: &[u8], out: &mut Vec<u8>) {
    if !matches!(string, [0..=0x7f]) {
        put_header(0x80, string.len(), out);
    }
    out.extend_from_slice(string);
}

/// Returns the length of a key in hex prefix form, as an RLP string, in bytes.
const fn hex_prefix_len(key: &Nibbles) -> usize {
    match key.len() / 2 {
        0 => 1,
        bytes => 2 + bytes,
    }
}

fn put_hex_prefix(key: &Nibbles, leaf: bool, out: &mut Vec<u8>) {
    let mut prefix = [0; 33];
    let odd = key.len() % 2 == 1;
    prefix[0] = if leaf { 0x20 } else { 0x00 };
    if odd {
        prefix[0] |= 0x10 | key.get_unchecked(0);
    }
    let rest = key.slice(usize::from(odd)..);
    let len = 1 + rest.len() / 2;
    rest.pack_to(&mut prefix[1..len]);
    put_string(&prefix[..len], out);
}

const _: () = assert!(HASH_ITEM == 0x80 + 32);
