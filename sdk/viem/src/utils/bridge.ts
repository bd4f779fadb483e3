import type { Address } from 'viem'
import { readContract } from 'viem/actions'
import { l1TokenBridgeAbi } from '../abis/l1TokenBridge.js'
import { WrongRollupError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'
import { requireSame } from './checks.js'

/** Returns the token bridge of a rollup; throws {@link WrongRollupError} if it has none. */
export function bridgeOf(rollup: Rollup, side: 'l1Bridge' | 'l2Bridge'): Address {
  const bridge = rollup.contracts[side]
  if (bridge !== null) return bridge
  throw new WrongRollupError({ what: side, got: null, expected: 'a token bridge' })
}

/** Throws {@link WrongRollupError} unless the bridge on L1 sends by the queue of this rollup. */
export async function requireBridge(client: ReadClient, rollup: Rollup): Promise<Address> {
  const address = bridgeOf(rollup, 'l1Bridge')
  const contract = { abi: l1TokenBridgeAbi, address } as const
  const [queue, peer] = await Promise.all([
    readContract(client, { ...contract, functionName: 'MESSAGE_QUEUE' }),
    readContract(client, { ...contract, functionName: 'L2_BRIDGE' }),
  ])
  requireSame('l1Bridge', queue, rollup.contracts.messageQueue)
  requireSame('l2Bridge', peer, rollup.contracts.l2Bridge)
  return address
}
