import type { Hash } from 'viem'
import { TransactionDroppedError } from '../errors/bridge.js'
import type { ReadClient } from '../types/client.js'
import type { Finality } from '../types/message.js'
import { poll, type WaitParameters } from '../utils/poll.js'
import type { TransactionStatus } from '../types/rpc.js'
import { quantityOrNull, request } from '../utils/rpc.js'

/** Parameters of {@link getTransactionFinality} and {@link getL1Cost}. */
export type GetTransactionFinalityParameters = {
  /** Hash of the L2 transaction. */
  hash: Hash
}

function statusOf(client: ReadClient, hash: Hash): Promise<TransactionStatus | null> {
  return request(client, 'rollup_transactionStatus', [hash])
}

function finalityOf(answer: TransactionStatus | null): Finality | null {
  switch (answer?.status) {
    case 'included':
      return 'unsafe'
    case 'submitted':
      return 'submitted'
    case 'posted':
      return answer.finalized ? 'finalized' : 'safe'
    default:
      return null
  }
}

/**
 * Returns how safe a transaction of the L2 is: `unsafe` in a block that only the L2 has, `submitted`
 * while the L1 transaction of that block is pending, `safe` on L1, and `finalized` in a final L1
 * block. `null` if no block contains it.
 *
 * @param client - Client of a rollup node.
 */
export async function getTransactionFinality(
  client: ReadClient,
  { hash }: GetTransactionFinalityParameters,
): Promise<Finality | null> {
  return finalityOf(await statusOf(client, hash))
}

/** Parameters of {@link waitForFinality}. */
export type WaitForFinalityParameters = GetTransactionFinalityParameters &
  WaitParameters & {
    /** What to wait for [default: `safe`]. */
    finality?: Finality | undefined
  }

const ORDER: readonly Finality[] = ['unsafe', 'submitted', 'safe', 'finalized']

/**
 * Waits until a transaction of the L2 is at least as safe as wanted.
 *
 * @param client - Client of a rollup node.
 * @throws `TransactionDroppedError` if the node has dropped it, and `WaitTimeoutError`.
 */
export async function waitForFinality(
  client: ReadClient,
  { hash, finality = 'safe', ...parameters }: WaitForFinalityParameters,
): Promise<Finality> {
  return poll(client, `transaction ${hash}`, parameters, async () => {
    const answer = await statusOf(client, hash)
    if (answer?.status === 'dropped') {
      throw new TransactionDroppedError({ hash, reason: answer.reason })
    }
    const got = finalityOf(answer)
    const isReached = got !== null && ORDER.indexOf(got) >= ORDER.indexOf(finality)
    return isReached ? { done: got } : { got, expected: finality }
  })
}

/**
 * Returns a transaction's share of the cost of the L1 transaction that posted its block, in wei, or
 * `null` before, and if the node does not know it. It is no fee: users of the L2 pay the L2 fee only.
 *
 * @param client - Client of a rollup node.
 */
export async function getL1Cost(
  client: ReadClient,
  { hash }: GetTransactionFinalityParameters,
): Promise<bigint | null> {
  const answer = await statusOf(client, hash)
  return answer?.status === 'posted' ? quantityOrNull(answer.l1Cost) : null
}
