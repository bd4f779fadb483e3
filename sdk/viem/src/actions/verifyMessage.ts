import { numberToHex, type Address, type Hex } from 'viem'
import { getProof } from 'viem/actions'
import { WithdrawalNotReadyError } from '../errors/bridge.js'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { Message, MessageProof } from '../types/message.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireL2 } from '../utils/checks.js'
import { hashMessage, sentSlot } from '../utils/message.js'
import { readAccount, readSlot, type TrieAccount } from '../utils/trie.js'
import { getHead, getStateRoot } from './getHead.js'

/** Parameters that the checks of the L2's state share. */
export type VerifyParameters = RollupParameter & {
  /** Client of any L2 node, which is not trusted. */
  l2Client: ReadClient
  /** L2 block whose state is proven [default: the newest block on L1]. */
  l2Block?: bigint | undefined
}

/** An account of the L2, proven against L1. */
export type VerifiedAccount = {
  /** L2 block of the state. */
  l2Block: bigint
  /** State root of that block, from L1. */
  stateRoot: Hex
  /** The account, or `null` if it is proven that there is none. */
  account: TrieAccount | null
}

/** Parameters of {@link verifyAccount}. */
export type VerifyAccountParameters = VerifyParameters & {
  /** Address of the account. */
  address: Address
}

/** A slot of an account of the L2, proven against L1. */
export type VerifiedStorage = VerifiedAccount & {
  /** Value of the slot, 32 bytes. */
  value: Hex
}

/** Parameters of {@link verifyStorage}. */
export type VerifyStorageParameters = VerifyAccountParameters & {
  /** Slot, 32 bytes. */
  slot: Hex
}

/** A proof of `eth_getProof` that has been verified against L1. */
type Proven = VerifiedStorage & {
  accountProof: readonly Hex[]
  storageProof: readonly Hex[]
}

/** Fetches the proof of an account, and of a slot if one is given, and verifies it against L1. */
async function prove(
  client: ReadClient,
  { rollup, l2Client, address, slot, ...parameters }: VerifyAccountParameters & { slot?: Hex },
): Promise<Proven> {
  await requireL2(l2Client, rollup)
  const l2Block = parameters.l2Block ?? (await getHead(client, { rollup })).number
  const stateRoot = await getStateRoot(client, { rollup, l2Block })
  const storageKeys = slot === undefined ? [] : [slot]
  const answer = await getProof(l2Client, { address, storageKeys, blockNumber: l2Block })
  const account = readAccount(stateRoot, address, answer.accountProof)
  const zero = numberToHex(0, { size: 32 })
  const proven = { l2Block, stateRoot, account, accountProof: answer.accountProof }
  if (slot === undefined || account === null) return { ...proven, value: zero, storageProof: [] }
  const storageProof = answer.storageProof[0]?.proof ?? []
  const value = readSlot(account.storageRoot, slot, storageProof)
  return { ...proven, value, storageProof }
}

/**
 * Reads an account of the L2 with a proof that is verified against the state root on L1, from a
 * node that is not trusted.
 *
 * @param client - Client of L1.
 * @throws `ProofMismatchError` if the node did not prove the account.
 */
export async function verifyAccount(
  client: ReadClient,
  parameters: VerifyAccountParameters,
): Promise<VerifiedAccount> {
  const { l2Block, stateRoot, account } = await prove(client, parameters)
  return { l2Block, stateRoot, account }
}

/**
 * Reads a storage slot of the L2 with a proof that is verified against the state root on L1, from a
 * node that is not trusted.
 *
 * @param client - Client of L1.
 * @throws `ProofMismatchError` if the node did not prove the slot.
 */
export async function verifyStorage(
  client: ReadClient,
  parameters: VerifyStorageParameters,
): Promise<VerifiedStorage> {
  const { l2Block, stateRoot, account, value } = await prove(client, parameters)
  return { l2Block, stateRoot, account, value }
}

/** Parameters of {@link verifyMessage}. */
export type VerifyMessageParameters = VerifyParameters & {
  /** The message, as `getWithdrawals` returns it. */
  message: Message & { l2Block?: bigint | undefined }
}

/**
 * Proves that the L2 has sent a message to L1, and verifies the proof against the state root on L1.
 *
 * @param client - Client of L1.
 * @returns The proof for `L1MessageQueue.claim`.
 * @throws `WithdrawalNotReadyError` if L1 does not have the block of the message yet;
 * `ProofMismatchError` if the node proves anything but this message.
 */
export async function verifyMessage(
  client: ReadClient,
  { message, ...parameters }: VerifyMessageParameters,
): Promise<MessageProof> {
  const { rollup } = parameters
  const l2Block = parameters.l2Block ?? (await getHead(client, { rollup })).number
  if (message.l2Block !== undefined && message.l2Block > l2Block) {
    throw new WithdrawalNotReadyError({ l2Block: message.l2Block, safeHead: l2Block })
  }
  const slot = sentSlot(message.index)
  const address = rollup.contracts.messenger
  const proven = await prove(client, { ...parameters, l2Block, address, slot })
  if (proven.account === null) {
    const expected = rollup.contracts.messenger
    throw new ProofMismatchError({
      at: 'account',
      reason: 'the L2 has no messenger',
      got: null,
      expected,
    })
  }
  requireMessage(message, proven.value)
  const { accountProof, storageProof, account } = proven
  return { l2Block, storageRoot: account.storageRoot, accountProof, storageProof }
}

/** Throws {@link ProofMismatchError} unless the slot of a message contains its hash. */
export function requireMessage(message: Message, value: Hex): void {
  const expected = hashMessage(message)
  if (value === expected) return
  const reason = BigInt(value) === 0n ? 'no message has this index' : 'the L2 sent another message'
  throw new ProofMismatchError({ at: 'message', reason, got: value, expected })
}
