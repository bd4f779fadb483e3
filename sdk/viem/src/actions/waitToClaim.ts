import type { ReadClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { poll, type WaitParameters } from '../utils/poll.js'
import { getHead, type Head } from './getHead.js'

/** Parameters of {@link waitToClaim}. */
export type WaitToClaimParameters = RollupParameter &
  WaitParameters & {
    /** L2 block that sent the message, from `getWithdrawals`. */
    l2Block: bigint
    /**
     * `safe` waits until the block is on L1; `finalized` until no reorganisation of L1 can remove
     * it [default: `safe`].
     */
    finality?: 'safe' | 'finalized' | undefined
  }

/**
 * Waits until L1 has an L2 block, so that its messages can be claimed.
 *
 * @param client - Client of L1.
 * @returns The head of the L2 on L1.
 * @throws `WaitTimeoutError`.
 */
export async function waitToClaim(
  client: ReadClient,
  { rollup, l2Block, finality = 'safe', ...parameters }: WaitToClaimParameters,
): Promise<Head> {
  const blockTag = finality === 'finalized' ? 'finalized' : 'latest'
  return poll(client, `L2 block ${l2Block} on L1`, parameters, async () => {
    const head = await getHead(client, { rollup, blockTag })
    return head.number >= l2Block ? { done: head } : { got: head.number, expected: l2Block }
  })
}
