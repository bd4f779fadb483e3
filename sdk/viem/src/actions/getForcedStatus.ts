import type { Address, Hash } from 'viem'
import { getBlock } from 'viem/actions'
import type { ReadClient } from '../types/client.js'
import type { ForcedStatus } from '../types/message.js'
import { poll, type WaitParameters } from '../utils/poll.js'
import { indexParameter, namedState, quantity, quantityOrNull, request } from '../utils/rpc.js'

/** A forced transaction and its state. Times are in Unix seconds. */
export type ForcedTransaction = {
  /** Number of the transaction in the queue. */
  index: bigint
  /** Hash of the transaction on the L2. */
  hash: Hash
  /** Account of the L2 that signed it. */
  sender: Address
  /** Target of the transaction. */
  to: Address
  /** Time of its submission on L1. */
  submittedAt: bigint
  /** Time from which a block must include it. */
  due: bigint
  /** Time until which a full block may omit it. */
  graceUntil: bigint
  /** Time from which the first transaction of the queue expires. */
  expires: bigint
  /** `true` if a base fee above its cap defers it, and does not discharge it. */
  isPriced: boolean
  /** State of the transaction. Treat one that you do not know as unknown. */
  status: ForcedStatus
  /** L2 block that contains it, or `null`. */
  l2Block: bigint | null
  /** L1 transaction that submitted it, or `null` if the node does not know it. */
  l1Transaction: Hash | null
  /** `true` if no reorganisation of L1 can undo the state. */
  finalized: boolean
}

/** Parameters of {@link getForcedTransaction} and {@link getForcedStatus}. */
export type GetForcedTransactionParameters = {
  /** Number of the transaction in the queue, as `getForced` returns it. */
  index: bigint
}

/**
 * Returns a forced transaction by `rollup_getForced`, or `null` if the node does not know it yet.
 *
 * @param client - Client of a rollup node.
 */
export async function getForcedTransaction(
  client: ReadClient,
  { index }: GetForcedTransactionParameters,
): Promise<ForcedTransaction | null> {
  const answer = await request(client, 'rollup_getForced', [indexParameter(index)])
  if (answer === null) return null
  const { due } = answer
  const outcome = namedState(answer.outcome)
  return {
    index: quantity(answer.index),
    hash: answer.hash,
    sender: answer.sender,
    to: answer.to,
    submittedAt: quantity(answer.submittedAt),
    due: quantity(due),
    graceUntil: quantity(answer.graceUntil),
    expires: quantity(answer.expires),
    isPriced: answer.priced,
    status: outcome === 'waiting' && (await isDue(client, quantity(due))) ? 'due' : outcome,
    l2Block: quantityOrNull(answer.l2Block),
    l1Transaction: answer.l1Transaction,
    finalized: answer.finalized,
  }
}

/** Returns `true` if the L2 has reached this time: L2 time applies, not L1 time. */
async function isDue(client: ReadClient, due: bigint): Promise<boolean> {
  return (await getBlock(client)).timestamp >= due
}

/**
 * Returns the state of a forced transaction: `waiting` until its delay has passed, then `due` until a
 * block contains it; or why it was discharged. `null` if the node does not know it yet.
 *
 * @param client - Client of a rollup node.
 */
export async function getForcedStatus(
  client: ReadClient,
  parameters: GetForcedTransactionParameters,
): Promise<ForcedStatus | null> {
  return (await getForcedTransaction(client, parameters))?.status ?? null
}

/** Parameters of {@link waitForForced}. */
export type WaitForForcedParameters = GetForcedTransactionParameters & WaitParameters

/**
 * Waits until a forced transaction is in a block or discharged. That may take `rules.forced.delay`
 * and longer, which is why the default timeout is too short for a sequencer that ignores it.
 *
 * @param client - Client of a rollup node.
 * @throws `WaitTimeoutError`.
 */
export async function waitForForced(
  client: ReadClient,
  { index, ...parameters }: WaitForForcedParameters,
): Promise<ForcedTransaction> {
  return poll(client, `forced transaction ${index}`, parameters, async () => {
    const forced = await getForcedTransaction(client, { index })
    const status = forced?.status ?? null
    const isPending = status === null || status === 'waiting' || status === 'due'
    return forced && !isPending ? { done: forced } : { got: status, expected: 'included' }
  })
}
