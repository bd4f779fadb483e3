import { zeroAddress, type Address } from 'viem'
import { getChainId } from 'viem/actions'
import { ProofMismatchError, WrongChainError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { Rollup, RollupContracts } from '../types/rollup.js'
import { requireSame } from '../utils/checks.js'
import type { Quantity, RollupConfig } from '../types/rpc.js'
import { quantity, request, smallQuantity } from '../utils/rpc.js'
import { chainOf, readRollup } from './readRollup.js'

/** Parameters of {@link getRollup}. */
export type GetRollupParameters = {
  /** Client of L1. With it, the response is compared with the contracts on L1. */
  l1Client?: ReadClient | undefined
  /** Address of `NativeRollup` on L1, as its operator publishes it. */
  address?: Address | undefined
}

/**
 * Requests the rollup from an L2 node. Without further parameters the response is not verified: use
 * it for reading only. Before you send funds, pass the client of L1 and the address of the rollup,
 * against which the response is verified.
 *
 * @param client - Client of a rollup node.
 * @throws `WrongChainError` and `WrongRollupError` if the response differs from L1 or from `address`.
 *
 * @example
 * const rollup = await getRollup(l2Client, { l1Client, address: '0x…' })
 */
export async function getRollup(
  client: ReadClient,
  { l1Client, address }: GetRollupParameters = {},
): Promise<Rollup> {
  const [config, l2Id] = await Promise.all([
    request(client, 'rollup_config', []),
    getChainId(client),
  ])
  const rollup = rollupOf(config, client)
  for (const got of [smallQuantity(config.l2ChainId), rollup.l2.id]) {
    if (got !== l2Id) throw new WrongChainError({ layer: 'L2', got, expected: l2Id })
  }
  if (address !== undefined) requireSame('rollup', rollup.contracts.rollup, address)
  if (l1Client === undefined) return rollup

  const expected = await readRollup(l1Client, {
    address: rollup.contracts.rollup,
    l1Bridge: rollup.contracts.l1Bridge,
  })
  requireChains(rollup, expected)
  for (const what of Object.keys(expected.contracts) as (keyof RollupContracts)[]) {
    requireSame(what, rollup.contracts[what], expected.contracts[what])
  }
  requireRules(rollup, expected)
  // The values from L1, which are equal, and the name and URLs of the node.
  return { ...expected, l2: rollup.l2 }
}

function requireChains(got: Rollup, expected: Rollup): void {
  for (const layer of ['l1', 'l2'] as const) {
    if (got[layer].id === expected[layer].id) continue
    const name = layer === 'l1' ? 'L1' : 'L2'
    throw new WrongChainError({ layer: name, got: got[layer].id, expected: expected[layer].id })
  }
}

function requireRules(got: Rollup, expected: Rollup): void {
  const text = (rules: Rollup['rules']) => sorted(rules)
  if (text(got.rules) === text(expected.rules)) return
  throw new ProofMismatchError({
    at: 'value',
    reason: 'its rules are not those on L1',
    got: text(got.rules),
    expected: text(expected.rules),
  })
}

/** Returns a value as text that does not depend on the order of keys or the case of addresses. */
function sorted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value).toLowerCase()
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([key, it]) => `${key}: ${sorted(it)}`).join(', ')}}`
}

function rollupOf(config: RollupConfig, client: ReadClient): Rollup {
  const { contracts, rules, owner, guardian, preconfirmations } = config
  const { l2Messenger, l2Anchor, l2Accounts, ...others } = contracts
  const [l1Id, l2Id] = [smallQuantity(config.l1ChainId), smallQuantity(config.l2ChainId)]
  const url = client.transport.url as string | undefined
  const numbers = <K extends string>(of: Record<K, Quantity>, keys: readonly K[]) =>
    Object.fromEntries(keys.map((key) => [key, smallQuantity(of[key])])) as Record<K, number>
  return {
    l1: chainOf(l1Id, `L1 ${l1Id}`),
    l2: client.chain ?? chainOf(l2Id, `Rollup ${l2Id}`, url, l1Id),
    contracts: {
      rollup: others.rollup,
      messageQueue: others.messageQueue,
      forced: others.forced,
      exit: others.exit,
      policy: others.policy === zeroAddress ? null : others.policy,
      l1Bridge: others.l1Bridge,
      l2Bridge: others.l2Bridge,
      messenger: l2Messenger,
      anchor: l2Anchor,
      accounts: l2Accounts,
    },
    rules: {
      ...numbers(rules, ['maxLag', 'openAfter', 'relayDeadline', 'upgradeDelay', 'stateRoots']),
      owner,
      forced: numbers(rules.forced, [
        'delay',
        'grace',
        'expiry',
        'maxSize',
        'maxGas',
        'maxBoundedGas',
      ]),
      messages: numbers(rules.messages, ['maxGas', 'maxData', 'feePercent']),
      guardian: guardian && {
        account: guardian.account,
        pause: smallQuantity(guardian.pause),
        limit: quantity(guardian.limit),
      },
      preconfirmations: preconfirmations && {
        ...numbers(preconfirmations, ['postWithin', 'timeout']),
        bonds: preconfirmations.bonds,
        minBond: quantity(preconfirmations.minBond),
        postDelay: preconfirmations.postDelay && smallQuantity(preconfirmations.postDelay),
      },
    },
  }
}
