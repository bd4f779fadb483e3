import type { Address } from 'viem'
import { readContract } from 'viem/actions'
import { l1TokenBridgeAbi } from '../abis/l1TokenBridge.js'
import type { ReadClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireBridge } from '../utils/bridge.js'
import { requireL1 } from '../utils/checks.js'

/** Parameters of {@link getTokenPair}. */
export type GetTokenPairParameters = RollupParameter & {
  /** Token on L1. */
  l1Token: Address
}

/** A token on L1 and the token that represents it on the L2. */
export type TokenPair = {
  /** Token on L1. */
  l1Token: Address
  /** Token on the L2. It has code only once its registration has been delivered. */
  l2Token: Address
  /** `true` if the registration has been sent to the L2. */
  isRegistered: boolean
  /** Amount on the L2 or in transit, in the token's smallest unit. */
  owed: bigint
}

/**
 * Returns the token of the L2 that represents a token of L1.
 *
 * @param client - Client of L1.
 */
export async function getTokenPair(
  client: ReadClient,
  { rollup, l1Token }: GetTokenPairParameters,
): Promise<TokenPair> {
  await requireL1(client, rollup)
  const contract = { abi: l1TokenBridgeAbi, address: await requireBridge(client, rollup) } as const
  const args = [l1Token] as const
  const [l2Token, isRegistered, owed] = await Promise.all([
    readContract(client, { ...contract, functionName: 'l2TokenOf', args }),
    readContract(client, { ...contract, functionName: 'isRegistered', args }),
    readContract(client, { ...contract, functionName: 'owed', args }),
  ])
  return { l1Token, l2Token, isRegistered, owed }
}
