import { numberToHex, type Hash } from 'viem'
import type { ReadClient } from '../types/client.js'
import type { BlockNumHash } from '../types/rpc.js'
import { quantity, quantityOrNull, request } from '../utils/rpc.js'

/** Number and hash of a block. */
export type BlockId = {
  /** Number of the block. */
  number: bigint
  /** Hash of the block. */
  hash: Hash
}

/** State of a rollup node. */
export type SyncStatus = {
  /** Role of the node; `unknown` while undetermined. Treat other roles as `unknown`. */
  role: 'sequencer' | 'follower' | 'unknown'
  /** Newest L1 block that the node has read; `null` before it has read any. */
  l1Head: BlockId | null
  /** Number of the newest final L1 block. */
  l1Finalized: bigint
  /** Newest L2 block that the node has. */
  unsafeHead: BlockId
  /** Newest L2 block on L1. */
  safeHead: BlockId
  /** Newest L2 block in a final L1 block. */
  finalizedHead: BlockId
  /** `true` if the node has read all of L1. */
  isSynced: boolean
  /** Error that currently prevents the node from working, or `null`. */
  fault: string | null
}

/**
 * Returns the heads of a rollup node.
 *
 * @param client - Client of a rollup node.
 */
export async function getSyncStatus(client: ReadClient): Promise<SyncStatus> {
  const answer = await request(client, 'rollup_syncStatus', [])
  const block = ({ number, hash }: BlockNumHash) => ({ number: quantity(number), hash })
  return {
    role: answer.role,
    l1Head: answer.l1Head && block(answer.l1Head),
    l1Finalized: quantity(answer.l1Finalized),
    unsafeHead: block(answer.unsafeHead),
    safeHead: block(answer.safeHead),
    finalizedHead: block(answer.finalizedHead),
    isSynced: answer.synced,
    fault: answer.fault,
  }
}

/** L1 transaction of an L2 block, and its cost. */
export type BlockCost = {
  /** Hash of the L1 transaction. */
  l1Transaction: Hash
  /** L1 block that contains it. */
  l1Block: bigint
  /** First L2 block of the transaction. */
  firstBlock: bigint
  /** Last L2 block of the transaction. */
  lastBlock: bigint
  /** Share of the block, in wei; `null` if the node does not know it. */
  cost: bigint | null
  /** Cost of the whole transaction, in wei; `null` if the node does not know it. */
  transactionCost: bigint | null
}

/** Parameters of {@link getBlockCost}. */
export type GetBlockCostParameters = {
  /** Number or hash of the L2 block. */
  block: bigint | Hash
}

/**
 * Returns the L1 transaction of an L2 block and its cost, or `null` for a block that is not on L1.
 *
 * @param client - Client of a rollup node.
 */
export async function getBlockCost(
  client: ReadClient,
  { block }: GetBlockCostParameters,
): Promise<BlockCost | null> {
  const id = typeof block === 'bigint' ? numberToHex(block) : block
  const answer = await request(client, 'rollup_blockCost', [id])
  return (
    answer && {
      l1Transaction: answer.l1TransactionHash,
      l1Block: quantity(answer.l1BlockNumber),
      firstBlock: quantity(answer.firstBlock),
      lastBlock: quantity(answer.lastBlock),
      cost: quantityOrNull(answer.l1Cost),
      transactionCost: quantityOrNull(answer.transactionCost),
    }
  )
}
