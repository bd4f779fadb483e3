import { readContract } from 'viem/actions'
import { anchorAbi } from '../abis/anchor.js'
import { messengerAbi } from '../abis/messenger.js'
import { MessageFailedError } from '../errors/bridge.js'
import type { ReadClient } from '../types/client.js'
import type { DepositStatus, Message } from '../types/message.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireL2 } from '../utils/checks.js'
import { hashMessage } from '../utils/message.js'
import { poll, type WaitParameters } from '../utils/poll.js'

/** Parameters of {@link getDepositStatus}. */
export type GetDepositStatusParameters = RollupParameter & {
  /** The message from L1, as `getMessages` returns it. */
  message: Message
}

/**
 * Returns the state of a message from L1, from the state of the L2: `sent` until the L2 knows the L1
 * block of the message, `anchored` until a block relays it, then `relayed`, or `failed` or `parked`
 * while it can be retried. (A message that was refunded later is `relayed` here.)
 *
 * @param client - Client of the L2.
 */
export async function getDepositStatus(
  client: ReadClient,
  { rollup, message }: GetDepositStatusParameters,
): Promise<DepositStatus> {
  await requireL2(client, rollup)
  const messenger = { abi: messengerAbi, address: rollup.contracts.messenger } as const
  const [count] = await readContract(client, { ...messenger, functionName: 'relayed' })
  if (message.index >= count) {
    const [anchored] = await readContract(client, {
      abi: anchorAbi,
      address: rollup.contracts.anchor,
      functionName: 'messages',
    })
    return message.index < anchored ? 'anchored' : 'sent'
  }
  const args = [hashMessage(message)] as const
  const [isFailed, isParked] = await Promise.all([
    readContract(client, { ...messenger, functionName: 'isFailed', args }),
    readContract(client, { ...messenger, functionName: 'isParked', args }),
  ])
  if (isFailed) return 'failed'
  return isParked ? 'parked' : 'relayed'
}

/** Parameters of {@link waitForRelay}. */
export type WaitForRelayParameters = GetDepositStatusParameters & WaitParameters

/**
 * Waits until the L2 has delivered a message from L1.
 *
 * @param client - Client of the L2.
 * @throws `MessageFailedError` if its target rejected it or a block parked it, and
 * `WaitTimeoutError`.
 *
 * @example
 * const receipt = await waitForTransactionReceipt(l1Client, { hash })
 * const [message] = await getMessages(l1Client, { rollup, receipt })
 * await waitForRelay(l2Client, { rollup, message })
 */
export async function waitForRelay(
  client: ReadClient,
  { rollup, message, ...parameters }: WaitForRelayParameters,
): Promise<void> {
  const { index } = message
  await poll(client, `the relay of message ${index}`, parameters, async () => {
    const state = await getDepositStatus(client, { rollup, message })
    if (state === 'failed' || state === 'parked') {
      throw new MessageFailedError({ index, state, reason: null })
    }
    return state === 'relayed' ? { done: undefined } : { got: state, expected: 'relayed' }
  })
}
