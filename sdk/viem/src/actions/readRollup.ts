import {
  BaseError,
  decodeFunctionResult,
  defineChain,
  encodeFunctionData,
  ExecutionRevertedError,
  zeroAddress,
  type Abi,
  type Address,
  type Chain,
  type ContractFunctionName,
  type ContractFunctionReturnType,
} from 'viem'
import { call, getChainId, readContract } from 'viem/actions'
import { forcedInboxAbi } from '../abis/forcedInbox.js'
import { l1TokenBridgeAbi } from '../abis/l1TokenBridge.js'
import { messageQueueAbi } from '../abis/messageQueue.js'
import { rollupAbi } from '../abis/rollup.js'
import { sequencingAbi } from '../abis/sequencing.js'
import { accountsAddress, anchorAddress, messengerAddress } from '../constants.js'
import type { ReadClient } from '../types/client.js'
import type { PreconfirmationTerms, Rollup } from '../types/rollup.js'
import { requireSame } from '../utils/checks.js'

/** Parameters of {@link readRollup}. */
export type ReadRollupParameters = {
  /** Address of `NativeRollup` on L1. */
  address: Address
  /** Address of `L1TokenBridge`. The rollup does not reference it, as anyone can deploy one. */
  l1Bridge?: Address | null | undefined
  /** URL of an L2 node, for the chain definition. */
  l2Url?: string | undefined
}

/**
 * Reads a rollup from L1 alone: its contracts from `NativeRollup`, and the rules from them. Trusts
 * the L1 node and the address, and no node of the L2.
 *
 * @param client - Client of L1.
 * @throws `WrongRollupError` if the token bridge is of another rollup.
 *
 * @example
 * import { createClient, http } from 'viem'
 * import { readRollup } from '@enshrine/viem'
 *
 * const client = createClient({ transport: http('http://127.0.0.1:8545') })
 * const rollup = await readRollup(client, {
 *   address: '0x282c21f7586f25feed1f3ba2c64f61fcad09b942',
 * })
 */
export async function readRollup(
  client: ReadClient,
  { address, l1Bridge = null, l2Url }: ReadRollupParameters,
): Promise<Rollup> {
  const rollup = { abi: rollupAbi, address } as const
  const [l1Id, l2Id, messageQueue, forced, policy, owner] = await Promise.all([
    client.chain?.id ?? getChainId(client),
    readContract(client, { ...rollup, functionName: 'CHAIN_ID' }),
    readContract(client, { ...rollup, functionName: 'MESSAGE_QUEUE' }),
    readContract(client, { ...rollup, functionName: 'FORCED' }),
    readContract(client, { ...rollup, functionName: 'policy' }),
    readContract(client, { ...rollup, functionName: 'owner' }),
  ])
  const [rules, queue, inbox, l2Bridge, terms] = await Promise.all([
    readDelays(client, address),
    readQueue(client, messageQueue),
    readForced(client, forced),
    l1Bridge && readBridge(client, l1Bridge, messageQueue),
    orNull(policy) && readTerms(client, policy),
  ])
  requireSame('messageQueue', address, queue.rollup)
  requireSame('forced', address, inbox.rollup)
  return {
    l1: client.chain ?? chainOf(l1Id, `L1 ${l1Id}`),
    l2: chainOf(Number(l2Id), `Rollup ${l2Id}`, l2Url, l1Id),
    contracts: {
      rollup: address,
      messageQueue,
      forced,
      exit: orNull(queue.exit),
      policy: orNull(policy),
      l1Bridge,
      l2Bridge,
      messenger: messengerAddress,
      anchor: anchorAddress,
      accounts: accountsAddress,
    },
    rules: {
      ...rules,
      owner: orNull(owner),
      forced: inbox.rules,
      messages: queue.messages,
      guardian: queue.guardian,
      preconfirmations: terms && { ...terms, postWithin: Math.floor(rules.maxLag / 2) },
    },
  }
}

async function readDelays(client: ReadClient, address: Address) {
  const contract = { abi: rollupAbi, address } as const
  const read = async (
    functionName: 'MAX_LAG' | 'OPEN_AFTER' | 'RELAY_DEADLINE' | 'UPGRADE_DELAY' | 'STATE_ROOTS',
  ) => Number(await readContract(client, { ...contract, functionName }))
  const [maxLag, openAfter, relayDeadline, upgradeDelay, stateRoots] = await Promise.all([
    read('MAX_LAG'),
    read('OPEN_AFTER'),
    read('RELAY_DEADLINE'),
    read('UPGRADE_DELAY'),
    read('STATE_ROOTS'),
  ])
  return { maxLag, openAfter, relayDeadline, upgradeDelay, stateRoots }
}

async function readQueue(client: ReadClient, address: Address) {
  const contract = { abi: messageQueueAbi, address } as const
  const [rollup, exit, maxGas, maxData, feePercent, guardian] = await Promise.all([
    readContract(client, { ...contract, functionName: 'ROLLUP' }),
    readContract(client, { ...contract, functionName: 'EXIT_CONTRACT' }),
    readContract(client, { ...contract, functionName: 'MAX_GAS' }),
    readContract(client, { ...contract, functionName: 'MAX_DATA' }),
    readContract(client, { ...contract, functionName: 'FEE_PERCENT' }),
    readContract(client, { ...contract, functionName: 'guardian' }),
  ])
  return {
    rollup,
    exit,
    messages: { maxGas: Number(maxGas), maxData: Number(maxData), feePercent: Number(feePercent) },
    guardian: orNull(guardian.account) && { ...guardian, pause: Number(guardian.pause) },
  }
}

async function readForced(client: ReadClient, address: Address) {
  const contract = { abi: forcedInboxAbi, address } as const
  const read = async (
    functionName: 'DELAY' | 'GRACE' | 'EXPIRY' | 'MAX_SIZE' | 'MAX_GAS' | 'MAX_BOUNDED_GAS',
  ) => Number(await readContract(client, { ...contract, functionName }))
  const [rollup, delay, grace, expiry, maxSize, maxGas, maxBoundedGas] = await Promise.all([
    readContract(client, { ...contract, functionName: 'ROLLUP' }),
    read('DELAY'),
    read('GRACE'),
    read('EXPIRY'),
    read('MAX_SIZE'),
    read('MAX_GAS'),
    read('MAX_BOUNDED_GAS'),
  ])
  return { rollup, rules: { delay, grace, expiry, maxSize, maxGas, maxBoundedGas } }
}

async function readBridge(client: ReadClient, address: Address, messageQueue: Address) {
  const contract = { abi: l1TokenBridgeAbi, address } as const
  const [queue, l2Bridge] = await Promise.all([
    readContract(client, { ...contract, functionName: 'MESSAGE_QUEUE' }),
    readContract(client, { ...contract, functionName: 'L2_BRIDGE' }),
  ])
  requireSame('l1Bridge', queue, messageQueue)
  return l2Bridge
}

/** Reads the rules of a policy, or `null` if it has no timeout. */
async function readTerms(
  client: ReadClient,
  address: Address,
): Promise<Omit<PreconfirmationTerms, 'postWithin'> | null> {
  const [timeout, bonds, minBond, postDelay] = await Promise.all([
    readIfPresent(client, address, 'TIMEOUT'),
    readIfPresent(client, address, 'BONDS'),
    readIfPresent(client, address, 'MIN_BOND'),
    readIfPresent(client, address, 'POST_DELAY'),
  ])
  if (timeout === null) return null
  return {
    bonds: bonds && orNull(bonds),
    minBond: minBond ?? 0n,
    postDelay: postDelay === null ? null : Number(postDelay),
    timeout: Number(timeout),
  }
}

/**
 * Reads a value of a policy, or `null` if the contract has no such function. Other errors, such as
 * those of a rate-limited node, must not count as `null`: `readContract` throws the same error for
 * some of them.
 */
async function readIfPresent<name extends ContractFunctionName<typeof sequencingAbi>>(
  client: ReadClient,
  to: Address,
  name: name,
): Promise<ContractFunctionReturnType<typeof sequencingAbi, 'view', name> | null> {
  const getter: { abi: Abi; functionName: string } = { abi: sequencingAbi, functionName: name }
  try {
    const { data } = await call(client, { to, data: encodeFunctionData(getter) })
    return data === undefined ? null : (decodeFunctionResult({ ...getter, data }) as never)
  } catch (error) {
    if (isRevert(error)) return null
    throw error
  }
}

function isRevert(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false
  const isReverted = error.walk((it) => it instanceof ExecutionRevertedError) !== null
  // Nethermind's message, which viem does not recognise.
  return isReverted || /vm execution error|reverted/i.test(error.details)
}

/** Returns a chain definition with ether as its currency. */
export function chainOf(id: number, name: string, url?: string, sourceId?: number): Chain {
  return defineChain({
    id,
    name,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: url === undefined ? [] : [url] } },
    ...(sourceId === undefined ? {} : { sourceId }),
  })
}

function orNull(address: Address): Address | null {
  return address === zeroAddress ? null : address
}
