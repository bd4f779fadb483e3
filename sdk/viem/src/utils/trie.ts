import { fromRlp, keccak256, numberToHex, type Hex } from 'viem'
import { ProofMismatchError, type ProofPlace } from '../errors/evidence.js'

/** RLP of a node: a branch has 17 items, an extension or leaf two. */
type Node = readonly (Hex | Node)[]

/** Root of a trie without keys. */
export const emptyTrieRoot: Hex =
  '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'

/** Hash of no code. */
export const emptyCodeHash: Hex =
  '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'

/** Returns the half bytes of a byte string. */
function nibblesOf(bytes: Hex): number[] {
  return [...bytes.slice(2)].map((digit) => Number.parseInt(digit, 16))
}

/**
 * Returns the value at a key of a Merkle Patricia trie, or `null` if the nodes prove that there is
 * none. As the contracts do, accepts exactly the nodes of the path, from the root down.
 *
 * Each node is hashed before it is parsed, so malformed bytes are never decoded: they would have to
 * be in the trie whose root is given.
 *
 * @param root - Root of the trie. The caller has to know it from L1.
 * @param key - Hashed key of 32 bytes.
 * @param proof - RLP of the nodes.
 * @param at - Place that a {@link ProofMismatchError} names.
 */
export function lookUpTrie(root: Hex, key: Hex, proof: readonly Hex[], at: ProofPlace): Hex | null {
  const fail = (reason: string, got: string | number, expected: string | number): never => {
    throw new ProofMismatchError({ at, reason, got, expected })
  }
  const path = nibblesOf(key)
  let used = 0
  let depth = 0

  /** Returns the node to which a reference leads: nodes below 32 bytes are in their parents. */
  const follow = (reference: Hex | Node): Node => {
    if (typeof reference !== 'string') return reference
    const raw = proof[used]
    if (raw === undefined) return fail('a node is missing', `${proof.length} nodes`, reference)
    const hash = keccak256(raw)
    if (hash !== reference) fail(`node ${used} has another hash`, hash, reference)
    used += 1
    const node = fromRlp(raw, 'hex') as Hex | Node
    if (typeof node === 'string') return fail('a node is not a list', raw, 'a list')
    return node
  }
  const end = (value: Hex | null): Hex | null => {
    if (used !== proof.length) fail('nodes beyond the path', proof.length, used)
    return value
  }

  if (root === emptyTrieRoot) return end(null)
  let node = follow(root)
  for (;;) {
    if (node.length === 17) {
      const nibble = path[depth]
      if (nibble === undefined) return fail('the path is longer than the key', depth, path.length)
      depth += 1
      const child = node[nibble] as Hex | Node
      if (child === '0x') return end(null)
      node = follow(child)
      continue
    }
    if (node.length !== 2 || typeof node[0] !== 'string' || node[0].length < 4) {
      return fail('a node is malformed', `${node.length} items`, '2 or 17 items')
    }
    const encoded = nibblesOf(node[0])
    const flags = encoded[0] as number
    if (flags > 3) return fail('a node is malformed', flags, 'flags up to 3')
    // With an odd number of half bytes, the first of them follows the flags directly.
    const part = encoded.slice(flags & 1 ? 1 : 2)
    const isOnPath = part.every((nibble, i) => path[depth + i] === nibble)
    depth += part.length
    if (!isOnPath || depth > path.length) return end(null)
    const below = node[1] as Hex | Node
    if (flags >= 2) {
      if (depth !== path.length) return end(null)
      if (typeof below !== 'string') return fail('a value is a list', 'a list', 'bytes')
      return end(below)
    }
    node = follow(below)
  }
}

/** Account in the state trie. */
export type TrieAccount = {
  /** Number of transactions, or of contracts created. */
  nonce: bigint
  /** Balance in wei. */
  balance: bigint
  /** Root of the storage trie. */
  storageRoot: Hex
  /** Hash of the code. */
  codeHash: Hex
}

/** Returns an account of the state with this root, or `null` if it is proven that there is none. */
export function readAccount(
  stateRoot: Hex,
  address: Hex,
  proof: readonly Hex[],
): TrieAccount | null {
  const leaf = lookUpTrie(stateRoot, keccak256(address), proof, 'account')
  if (leaf === null) return null
  const fields = fromRlp(leaf, 'hex')
  const [nonce, balance, storageRoot, codeHash] = Array.isArray(fields) ? fields : []
  if (
    !isHash(storageRoot) ||
    !isHash(codeHash) ||
    typeof nonce !== 'string' ||
    typeof balance !== 'string'
  ) {
    throw new ProofMismatchError({
      at: 'account',
      reason: 'the leaf is not an account',
      got: leaf,
      expected: 'four fields',
    })
  }
  const quantity = (bytes: string) => (bytes === '0x' ? 0n : BigInt(bytes))
  return { nonce: quantity(nonce), balance: quantity(balance), storageRoot, codeHash }
}

/** Returns a storage slot of the account with this storage root; zero if it is not set. */
export function readSlot(storageRoot: Hex, slot: Hex, proof: readonly Hex[]): Hex {
  const leaf = lookUpTrie(storageRoot, keccak256(slot), proof, 'storage')
  if (leaf === null) return numberToHex(0, { size: 32 })
  const value: unknown = fromRlp(leaf, 'hex')
  if (typeof value !== 'string' || value.length > 66) {
    throw new ProofMismatchError({
      at: 'storage',
      reason: 'the leaf is not a word',
      got: leaf,
      expected: 'at most 32 bytes',
    })
  }
  return numberToHex(value === '0x' ? 0n : BigInt(value), { size: 32 })
}

function isHash(value: unknown): value is Hex {
  return typeof value === 'string' && value.length === 66
}
