import type { Address } from 'viem'
import { getChainId, readContract } from 'viem/actions'
import { rollupAbi } from '../abis/rollup.js'
import { WrongChainError, WrongRollupError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'

/** Throws {@link WrongChainError} unless the node of the client is of the rollup's L1. */
export async function requireL1(client: ReadClient, rollup: Rollup): Promise<void> {
  await requireChain(client, 'L1', rollup.l1.id)
}

/** Throws {@link WrongChainError} unless the node of the client is of the rollup's L2. */
export async function requireL2(client: ReadClient, rollup: Rollup): Promise<void> {
  await requireChain(client, 'L2', rollup.l2.id)
}

async function requireChain(
  client: ReadClient,
  layer: 'L1' | 'L2',
  expected: number,
): Promise<void> {
  // The chain of the client is what a wallet would sign for.
  const configured = client.chain?.id ?? expected
  if (configured !== expected) throw new WrongChainError({ layer, got: configured, expected })
  const got = await getChainId(client)
  if (got !== expected) throw new WrongChainError({ layer, got, expected })
}

/**
 * Throws {@link WrongRollupError} unless the contract on L1 is the one that the rollup itself
 * names. Funds that are sent to another message queue, or forced transactions to another inbox, are
 * lost.
 */
export async function requireContract(
  client: ReadClient,
  rollup: Rollup,
  what: 'messageQueue' | 'forced',
): Promise<void> {
  const expected = await readContract(client, {
    abi: rollupAbi,
    address: rollup.contracts.rollup,
    functionName: what === 'forced' ? 'FORCED' : 'MESSAGE_QUEUE',
  })
  requireSame(what, rollup.contracts[what], expected)
}

/** Throws {@link WrongRollupError} unless two addresses are equal. */
export function requireSame(what: string, got: Address | null, expected: Address | null): void {
  if (got?.toLowerCase() !== expected?.toLowerCase()) {
    throw new WrongRollupError({ what, got, expected })
  }
}
