import { keccak256, type Address, type Hash } from 'viem'
import { messengerAbi } from '../abis/messenger.js'
import type { SendClient } from '../types/client.js'
import type { Message } from '../types/message.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireL2 } from '../utils/checks.js'
import { contractCall, sendCall, type TransactionParameters } from '../utils/send.js'

/** Parameters of {@link retryMessage} and {@link deliverParked}. */
export type RetryMessageParameters = RollupParameter &
  TransactionParameters & {
    /** The message from L1, as `getMessages` returns it. */
    message: Message
  }

/**
 * Delivers a message from L1 whose delivery has failed, with all gas of the transaction. Any
 * account may call.
 *
 * @param client - Client of the L2 with an account.
 * @returns Hash of the L2 transaction.
 * @throws `WrongChainError`, before anything is sent. A revert is decoded: `RetryFailed` with the
 * reason of the target, or `NotFailed` if no such message is stored.
 */
export async function retryMessage(
  client: SendClient,
  parameters: RetryMessageParameters,
): Promise<Hash> {
  const { rollup, message } = parameters
  await requireL2(client, rollup)
  const call = contractCall({
    abi: messengerAbi,
    address: rollup.contracts.messenger,
    functionName: 'retry',
    args: [message],
  })
  return sendCall(client, rollup.l2, call, parameters)
}

/**
 * Delivers a message from L1 that was parked, i.e. stored without an attempt to deliver it. The
 * sender receives the fee of the message. Otherwise as {@link retryMessage}.
 *
 * @param client - Client of the L2 with an account.
 * @returns Hash of the L2 transaction.
 */
export async function deliverParked(
  client: SendClient,
  parameters: RetryMessageParameters,
): Promise<Hash> {
  return retryMessage(client, parameters)
}

/** Parameters of {@link refundMessage} and {@link refundToL1}. */
export type RefundMessageParameters = RetryMessageParameters & {
  /** Account that receives the value, and the fee if the message was parked. */
  recipient: Address
}

/**
 * Cancels a message from L1 that failed or was parked, and pays its value to an account of the L2.
 * Only the `refundTo` account of the message may call.
 *
 * @param client - Client of the L2 with the account `refundTo`.
 * @returns Hash of the L2 transaction.
 */
export async function refundMessage(
  client: SendClient,
  parameters: RefundMessageParameters,
): Promise<Hash> {
  const { rollup, message, recipient } = parameters
  await requireL2(client, rollup)
  const call = contractCall({
    abi: messengerAbi,
    address: rollup.contracts.messenger,
    functionName: 'refund',
    args: [message, recipient],
  })
  return sendCall(client, rollup.l2, call, parameters)
}

/**
 * Cancels a message as {@link refundMessage} does, and sends its value to an account on L1 by a
 * message to L1, which has to be claimed. The transaction can be forced.
 *
 * @param client - Client of the L2 with the account `refundTo`.
 * @returns Hash of the L2 transaction.
 */
export async function refundToL1(
  client: SendClient,
  parameters: RefundMessageParameters,
): Promise<Hash> {
  const { rollup, message, recipient } = parameters
  await requireL2(client, rollup)
  const { data, ...header } = message
  const call = contractCall({
    abi: messengerAbi,
    address: rollup.contracts.messenger,
    functionName: 'refundToL1',
    args: [{ ...header, dataHash: keccak256(data) }, recipient],
  })
  return sendCall(client, rollup.l2, call, parameters)
}
