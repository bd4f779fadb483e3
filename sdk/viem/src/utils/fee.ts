import { decodeFunctionResult, encodeFunctionData, type Account, type Address } from 'viem'
import { call, getBlock } from 'viem/actions'
import { forcedInboxAbi } from '../abis/forcedInbox.js'
import { messageQueueAbi } from '../abis/messageQueue.js'
import { FeeAboveMaximumError } from '../errors/bridge.js'
import type { ReadClient } from '../types/client.js'

/** Gas that a read of a fee needs at most. */
const READ_GAS = 200_000n

/**
 * Calls a contract that reads the base fee. Some nodes execute calls without a gas price at a base
 * fee of zero, so the call pays the price of the latest block.
 */
async function callPriced(
  client: ReadClient,
  to: Address,
  data: `0x${string}`,
  account: Account | Address | undefined,
): Promise<`0x${string}`> {
  const { baseFeePerGas } = await getBlock(client)
  const price = account && baseFeePerGas ? { maxFeePerGas: baseFeePerGas } : {}
  const answer = await call(client, {
    to,
    data,
    gas: READ_GAS,
    ...(account ? { account } : {}),
    ...price,
  } as Parameters<typeof call>[1])
  return answer.data ?? '0x'
}

/** Returns the minimum fee of a message with this gas limit in the latest L1 block, in wei. */
export async function minimumMessageFee(
  client: ReadClient,
  messageQueue: Address,
  gasLimit: bigint,
  account: Account | Address | undefined,
): Promise<bigint> {
  const abi = messageQueueAbi
  const data = encodeFunctionData({ abi, functionName: 'minimumFee', args: [gasLimit] })
  const answer = await callPriced(client, messageQueue, data, account)
  return decodeFunctionResult({ abi, functionName: 'minimumFee', data: answer })
}

/** Returns the minimum fee of a forced transaction in the latest L1 block, in wei. */
export async function minimumForcedFee(
  client: ReadClient,
  forced: Address,
  gasLimit: bigint,
  footprint: bigint,
  account: Account | Address | undefined,
): Promise<bigint> {
  const abi = forcedInboxAbi
  const data = encodeFunctionData({ abi, functionName: 'minimumFee', args: [gasLimit, footprint] })
  const answer = await callPriced(client, forced, data, account)
  return decodeFunctionResult({ abi, functionName: 'minimumFee', data: answer })
}

/**
 * Returns the fee to offer: twice the minimum, because the base fee of L1 may rise by an eighth per
 * block (it doubles in six full blocks), and never more than `maxFee`.
 */
export function offeredFee(minimumFee: bigint, maxFee: bigint | undefined): bigint {
  if (maxFee === undefined) return minimumFee * 2n
  if (minimumFee > maxFee) throw new FeeAboveMaximumError({ minimumFee, maxFee })
  return minimumFee * 2n < maxFee ? minimumFee * 2n : maxFee
}
