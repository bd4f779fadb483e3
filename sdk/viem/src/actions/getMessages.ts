import type { Log } from 'viem'
import { EventMissingError } from '../errors/bridge.js'
import type { ReadClient } from '../types/client.js'
import type { Message } from '../types/message.js'
import type { RollupParameter } from '../types/rollup.js'
import { messagesOf } from '../utils/message.js'

/** The part of a receipt that the actions read. */
export type ReceiptLogs = {
  /** Logs of the transaction. */
  logs: readonly Log[]
  /** Block that contains the transaction. */
  blockNumber: bigint
}

/** Parameters of {@link getMessages} and {@link getWithdrawals}. */
export type GetMessagesParameters = RollupParameter & {
  /** Receipt of the transaction that sent the messages. */
  receipt: ReceiptLogs
}

/**
 * Returns the messages to the L2 that an L1 transaction sent, in order. Sends no request.
 *
 * @param client - Client of L1.
 * @throws `EventMissingError` if there are none.
 */
export async function getMessages(
  _client: ReadClient,
  { rollup, receipt }: GetMessagesParameters,
): Promise<Message[]> {
  return found(rollup.contracts.messageQueue, receipt)
}

/** A message to L1, and the L2 block that sent it. */
export type Withdrawal = Message & {
  /** L2 block that sent the message. L1 has to have it before the message can be claimed. */
  l2Block: bigint
}

/**
 * Returns the messages to L1 that an L2 transaction sent, in order. Sends no request.
 *
 * @param client - Client of the L2.
 * @throws `EventMissingError` if there are none.
 */
export async function getWithdrawals(
  _client: ReadClient,
  { rollup, receipt }: GetMessagesParameters,
): Promise<Withdrawal[]> {
  const messages = found(rollup.contracts.messenger, receipt)
  return messages.map((message) => ({ ...message, l2Block: receipt.blockNumber }))
}

function found(address: `0x${string}`, { logs }: ReceiptLogs): Message[] {
  const messages = messagesOf(address, logs)
  if (messages.length > 0) return messages
  throw new EventMissingError({ event: 'MessageSent', address, logs: logs.length })
}
