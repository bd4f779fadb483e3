import { getBlock, readContract } from 'viem/actions'
import { claimsAbi } from '../abis/claims.js'
import { messageQueueAbi } from '../abis/messageQueue.js'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { Message, WithdrawalStatus } from '../types/message.js'
import type { Rollup, RollupParameter } from '../types/rollup.js'
import { requireL1, requireL2 } from '../utils/checks.js'
import { hashMessage } from '../utils/message.js'
import { isMissingMethod } from '../utils/rpc.js'
import { getHead } from './getHead.js'
import { getMessage } from './getMessage.js'

/** Parameters of {@link getWithdrawalStatus}. */
export type GetWithdrawalStatusParameters = RollupParameter & {
  /** The message, as `getWithdrawals` returns it. */
  message: Message & { l2Block: bigint }
  /** Client of L1. With it, the claim is checked on L1. */
  l1Client?: ReadClient | undefined
}

/**
 * Returns the state of a message to L1: `unsafe` until its block is on L1, then `claimable`, or
 * `delayed` while a guardian pauses large claims, and `claimed` or `refunded` at the end.
 *
 * Uses `rollup_getMessage`, and `isClaimed` on L1 if there is a client of it. With that client, a
 * node without the method suffices; a refunded message is `claimed` then.
 *
 * @param client - Client of the L2.
 * @throws `ProofMismatchError` if the node has another message with this number.
 */
export async function getWithdrawalStatus(
  client: ReadClient,
  { rollup, message, l1Client }: GetWithdrawalStatusParameters,
): Promise<WithdrawalStatus> {
  await requireL2(client, rollup)
  const onL1 = l1Client && (await statusOnL1(l1Client, rollup, message))
  try {
    const info = await getMessage(client, { direction: 'l2ToL1', index: message.index })
    const expected = hashMessage(message)
    if (info?.messageHash !== expected) {
      const got = info?.messageHash ?? null
      const reason = 'the node has another message with this number'
      throw new ProofMismatchError({ at: 'message', reason, got, expected })
    }
    const state = info.state as WithdrawalStatus
    // L1 decides, but only the node distinguishes a refund from a claim.
    if (onL1 === undefined || (onL1 === 'claimed' && state === 'refunded')) return state
    return onL1
  } catch (error) {
    if (onL1 === undefined || !isMissingMethod(error)) throw error
    return onL1
  }
}

async function statusOnL1(
  client: ReadClient,
  rollup: Rollup,
  { index, l2Block, value, fee, data }: Message & { l2Block: bigint },
): Promise<WithdrawalStatus> {
  await requireL1(client, rollup)
  const address = rollup.contracts.messageQueue
  const [isClaimed, head] = await Promise.all([
    readContract(client, { abi: claimsAbi, address, functionName: 'isClaimed', args: [index] }),
    getHead(client, { rollup }),
  ])
  if (isClaimed) return 'claimed'
  if (head.number < l2Block) return 'unsafe'
  const { guardian } = rollup.rules
  if (guardian === null) return 'claimable'
  const [[until, claimed], { timestamp }] = await Promise.all([
    readContract(client, { abi: messageQueueAbi, address, functionName: 'paused' }),
    getBlock(client),
  ])
  const isPaused = until > timestamp
  const isLarge = data !== '0x' || claimed + value + fee > guardian.limit
  return isPaused && isLarge ? 'delayed' : 'claimable'
}
