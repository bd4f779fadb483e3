import { zeroAddress, type Address, type Hash, type Hex } from 'viem'
import { messengerAbi } from '../abis/messenger.js'
import { MessageGasMissingError } from '../errors/bridge.js'
import type { SendClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireL2 } from '../utils/checks.js'
import {
  addressOf,
  contractCall,
  encodeCall,
  estimateCall,
  sendCall,
  senderOf,
  type Call,
  type ContractCall,
  type TransactionParameters,
} from '../utils/send.js'

/** Parameters of {@link initiateWithdrawal}, {@link buildInitiateWithdrawal} and its estimate. */
export type InitiateWithdrawalParameters = RollupParameter &
  TransactionParameters & {
    /** Target on L1 [default: the sender]. */
    to?: Address | undefined
    /** Ether for the target, in wei. */
    value?: bigint | undefined
    /** Calldata for the target. */
    data?: Hex | undefined
    /** Gas that the call of the target receives on L1. Required with `data`. */
    gas?: bigint | undefined
    /** L1 account that may withdraw the value if the target rejects the message [default: none]. */
    refundTo?: Address | undefined
    /** Fee on L1 for the account that claims the message, in wei [default: 0]. */
    fee?: bigint | undefined
  }

async function withdrawalCall(
  client: SendClient,
  parameters: InitiateWithdrawalParameters,
): Promise<ContractCall> {
  const { rollup, value = 0n, data = '0x', fee = 0n, refundTo = zeroAddress } = parameters
  if (data !== '0x' && !parameters.gas) throw new MessageGasMissingError({ data })
  await requireL2(client, rollup)
  const to = parameters.to ?? addressOf(senderOf(client, parameters))
  return contractCall({
    abi: messengerAbi,
    address: rollup.contracts.messenger,
    functionName: 'send',
    args: [to, refundTo, parameters.gas ?? 0n, fee, data],
    value: value + fee,
  })
}

/**
 * Builds the call of the L2 that {@link initiateWithdrawal} sends.
 *
 * @param client - Client of the L2.
 */
export async function buildInitiateWithdrawal(
  client: SendClient,
  parameters: InitiateWithdrawalParameters,
): Promise<Call> {
  return encodeCall(await withdrawalCall(client, parameters))
}

/**
 * Estimates the L2 gas of {@link initiateWithdrawal}.
 *
 * @param client - Client of the L2.
 */
export async function estimateInitiateWithdrawalGas(
  client: SendClient,
  parameters: InitiateWithdrawalParameters,
): Promise<bigint> {
  return estimateCall(client, await withdrawalCall(client, parameters), parameters)
}

/**
 * Sends a message with ether, calldata or both from the L2 to L1. It can be claimed, in one step
 * and without a challenge period, once its block is on L1 (`waitToClaim`, `claimWithdrawal`). A
 * message never expires.
 *
 * @param client - Client of the L2 with an account.
 * @returns Hash of the L2 transaction.
 * @throws `WrongChainError` and `MessageGasMissingError`, before anything is sent.
 *
 * @example
 * const hash = await initiateWithdrawal(l2Client, { rollup, value: parseEther('0.5') })
 * const receipt = await waitForTransactionReceipt(l2Client, { hash })
 * const [withdrawal] = await getWithdrawals(l2Client, { rollup, receipt })
 */
export async function initiateWithdrawal(
  client: SendClient,
  parameters: InitiateWithdrawalParameters,
): Promise<Hash> {
  const call = await withdrawalCall(client, parameters)
  return sendCall(client, parameters.rollup.l2, call, parameters)
}
