import { BaseError, ContractFunctionRevertedError, type Hex } from 'viem'
import { readContract } from 'viem/actions'
import { rollupAbi } from '../abis/rollup.js'
import { StateRootExpiredError, WithdrawalNotReadyError } from '../errors/bridge.js'
import type { ReadClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireL1 } from '../utils/checks.js'

/** Head of the L2 on L1. */
export type Head = {
  /** Number of the newest L2 block on L1. */
  number: bigint
  /** Timestamp of that block, in seconds. */
  timestamp: bigint
  /** Number of the L1 block in the anchor of that block. */
  anchorNumber: bigint
  /** Number of messages from L1 that the anchor covers. */
  messageCount: bigint
}

/** Parameters of {@link getHead}. */
export type GetHeadParameters = RollupParameter & {
  /** L1 block at which to read: `finalized` for the newest final L2 block [default: `latest`]. */
  blockTag?: 'latest' | 'safe' | 'finalized' | undefined
}

/**
 * Returns the newest L2 block that is on L1, i.e. the safe head, or the finalized one.
 *
 * @param client - Client of L1.
 */
export async function getHead(
  client: ReadClient,
  { rollup, blockTag = 'latest' }: GetHeadParameters,
): Promise<Head> {
  await requireL1(client, rollup)
  return readContract(client, {
    abi: rollupAbi,
    address: rollup.contracts.rollup,
    functionName: 'head',
    blockTag,
  })
}

/** Parameters of {@link getStateRoot}. */
export type GetStateRootParameters = RollupParameter & {
  /** Number of the L2 block. */
  l2Block: bigint
}

/**
 * Returns the state root that L1 stores for an L2 block.
 *
 * @param client - Client of L1.
 * @throws `StateRootExpiredError` if the block is older than the `stateRoots` newest blocks, and
 * `WithdrawalNotReadyError` if L1 does not have it yet.
 */
export async function getStateRoot(
  client: ReadClient,
  { rollup, l2Block }: GetStateRootParameters,
): Promise<Hex> {
  await requireL1(client, rollup)
  try {
    return await readContract(client, {
      abi: rollupAbi,
      address: rollup.contracts.rollup,
      functionName: 'stateRootAt',
      args: [l2Block],
    })
  } catch (error) {
    const latest = latestOf(error)
    if (latest === undefined) throw error
    if (l2Block > latest) throw new WithdrawalNotReadyError({ l2Block, safeHead: latest })
    const oldest = latest - BigInt(rollup.rules.stateRoots) + 1n
    throw new StateRootExpiredError({ l2Block, oldest })
  }
}

/** Returns the head in the error `StateRootUnavailable` of the contract; `undefined` for others. */
function latestOf(error: unknown): bigint | undefined {
  if (!(error instanceof BaseError)) return undefined
  const revert = error.walk((it) => it instanceof ContractFunctionRevertedError)
  if (!(revert instanceof ContractFunctionRevertedError)) return undefined
  if (revert.data?.errorName !== 'StateRootUnavailable') return undefined
  return revert.data.args?.[1] as bigint
}
