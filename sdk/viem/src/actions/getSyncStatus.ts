import { numberToHex, type Hash, type Hex } from 'viem'
import type { ReadClient } from '../types/client.js'
import { quantity, quantityOrNull, request, type Quantity } from '../utils/rpc.js'

/** Number and hash of a block. */
export type BlockId = {
  /** Number of the block. */
  number: bigint
  /** Hash of the block. */
  hash: Hash
}

/** State of a rollup node. */
export type SyncStatus = {
  /** `sequencer` or `follower`. Treat a role that you do not know as unknown. */
  role: 'sequencer' | 'follower'
  /** Newest L1 block that the node has read. */
  l1Head: BlockId
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
  /** Operation of the node that fails now, or `null`. */
  fault: string | null
}

type RpcBlockId = { number: Quantity; hash: Hash }

/**
 * Returns the heads of a rollup node.
 *
 * @param client - Client of a rollup node.
 */
export async function getSyncStatus(client: ReadClient): Promise<SyncStatus> {
  type Heads = 'l1Head' | 'unsafeHead' | 'safeHead' | 'finalizedHead'
  type Answer = Record<Heads, RpcBlockId> & {
    role: SyncStatus['role']
    l1Finalized: Quantity
    synced: boolean
    fault: string | null
  }
  const answer = await request<Answer>(client, 'rollup_syncStatus', [])
  const block = ({ number, hash }: RpcBlockId) => ({ number: quantity(number), hash })
  return {
    role: answer.role,
    l1Head: block(answer.l1Head),
    l1Finalized: quantity(answer.l1Finalized),
    unsafeHead: block(answer.unsafeHead),
    safeHead: block(answer.safeHead),
    finalizedHead: block(answer.finalizedHead),
    isSynced: answer.synced,
    fault: answer.fault,
  }
}

/** L1 transaction of an L2 block, and what it cost. */
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
  type Answer = {
    l1TransactionHash: Hash
    l1BlockNumber: Hex
    firstBlock: Hex
    lastBlock: Hex
    l1Cost: Hex | null
    transactionCost: Hex | null
  }
  const id = typeof block === 'bigint' ? numberToHex(block) : block
  const answer = await request<Answer | null>(client, 'rollup_blockCost', [id])
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
