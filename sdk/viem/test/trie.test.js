// The proof check beside an independent implementation of the trie.

import assert from 'node:assert/strict'
import test from 'node:test'
import { createMPT, createMerkleProof } from '@ethereumjs/mpt'
import { bytesToHex, hexToBytes, keccak256, numberToHex } from 'viem'
import { emptyTrieRoot, lookUpTrie, ProofMismatchError } from '@enshrine/viem'

/** Hashed key of a number. */
const keyOf = (number) => keccak256(numberToHex(number, { size: 32 }))

/** A trie with this many values, which are between 1 and 40 bytes long. */
async function trieOf(count) {
  const trie = await createMPT()
  const values = new Map()
  for (let i = 0; i < count; i += 1) {
    const value = numberToHex(i + 1, { size: 1 + (i % 40 < 2 ? 1 : i % 40) })
    values.set(i, value)
    await trie.put(hexToBytes(keyOf(i)), hexToBytes(value))
  }
  return { trie, values, root: bytesToHex(trie.root()) }
}

/** Returns the nodes of a path as `eth_getProof` does: without those that are in their parents. */
async function proofOf(trie, key) {
  const nodes = await createMerkleProof(trie, hexToBytes(key))
  return nodes.filter((node, i) => i === 0 || node.length >= 32).map((node) => bytesToHex(node))
}

const isMismatch = (error) => error instanceof ProofMismatchError && error.at === 'storage'

test('values_and_absences_of_another_trie_are_read', async () => {
  for (const count of [1, 2, 17, 400]) {
    const { trie, values, root } = await trieOf(count)
    for (let i = 0; i < count + 50; i += 1) {
      const key = keyOf(i)
      const got = lookUpTrie(root, key, await proofOf(trie, key), 'storage')
      assert.equal(got, values.get(i) ?? null, `${i} of ${count}`)
    }
  }
  assert.equal(lookUpTrie(emptyTrieRoot, keyOf(0), [], 'storage'), null)
})

test('nodes_inside_of_their_parents_are_read', async () => {
  // Keys that differ in their last half byte only: the leaves are below 32 bytes.
  const trie = await createMPT()
  const keys = ['0', '1', 'f'].map((digit) => `0x${'ab'.repeat(31)}c${digit}`)
  for (const [i, key] of keys.entries()) await trie.put(hexToBytes(key), new Uint8Array([i + 1]))
  const root = bytesToHex(trie.root())
  for (const [i, key] of keys.entries()) {
    assert.equal(
      lookUpTrie(root, key, await proofOf(trie, key), 'storage'),
      numberToHex(i + 1, { size: 1 }),
    )
  }
  const absent = `0x${'ab'.repeat(31)}c7`
  assert.equal(lookUpTrie(root, absent, await proofOf(trie, absent), 'storage'), null)
})

test('any_changed_proof_is_refused', async () => {
  const { trie, values, root } = await trieOf(400)
  for (const number of [3, 120, 399, 400, 430]) {
    const key = keyOf(number)
    const proof = await proofOf(trie, key)
    assert.equal(lookUpTrie(root, key, proof, 'storage'), values.get(number) ?? null)
    const changed = [
      proof.slice(1),
      proof.slice(0, -1),
      [],
      [...proof, '0xc0'],
      [...proof, proof[0]],
      [...proof].reverse(),
      ...proof.map((_, at) => proof.map((node, i) => (i === at ? flipped(node) : node))),
    ]
    for (const nodes of changed) {
      assert.throws(() => lookUpTrie(root, key, nodes, 'storage'), isMismatch)
    }
    assert.throws(() => lookUpTrie(keyOf(1), key, proof, 'storage'), isMismatch)
  }
})

/** Returns a node with another bit in its middle. */
function flipped(node) {
  const bytes = hexToBytes(node)
  bytes[bytes.length >> 1] ^= 1
  return bytesToHex(bytes)
}
