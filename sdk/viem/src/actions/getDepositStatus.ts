import { readContract } from 'viem/actions'
import { anchorAbi } from '../abis/anchor.js'
import { messengerAbi } from '../abis/messenger.js'
import { MessageFailedError } from '../errors/bridge.js'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { DepositStatus, Message } from '../types/message.js'
import type { Rollup, RollupParameter } from '../types/rollup.js'
import { requireL2 } from '../utils/checks.js'
import { hashMessage } from '../utils/message.js'
import { poll, type WaitParameters } from '../utils/poll.js'
import { isMissingMethod } from '../utils/rpc.js'
import { getMessage, type MessageInfo, type MessageTransaction } from './getMessage.js'

/** Parameters of {@link getDepositStatus}. */
export type GetDepositStatusParameters = RollupParameter & {
  /** The message from L1, as `getMessages` returns it. */
  message: Message
}

/** State of a message from L1, as a node reports it. */
type Known = Pick<MessageInfo, 'delivered' | 'failure'> & { state: DepositStatus }

/**
 * Returns the state of a message from L1: `sent` until the L2 knows the L1 block of the message,
 * `anchored` until a block relays it, then `relayed`, or `failed` or `parked` while it can be
 * retried, and `refunded` after its value was withdrawn.
 *
 * Uses `rollup_getMessage`. If the node lacks the method, reads the state of the L2 instead, which
 * does not distinguish refunded messages from relayed ones.
 *
 * @param client - Client of the L2.
 */
export async function getDepositStatus(
  client: ReadClient,
  { rollup, message }: GetDepositStatusParameters,
): Promise<DepositStatus> {
  await requireL2(client, rollup)
  return (await known(client, rollup, message)).state
}

async function known(client: ReadClient, rollup: Rollup, message: Message): Promise<Known> {
  const { index } = message
  try {
    const info = await getMessage(client, { direction: 'l1ToL2', index })
    // The node may not have read the L1 block of the message yet.
    if (info === null) return { state: 'sent', delivered: null, failure: null }
    const expected = hashMessage(message)
    if (info.messageHash !== expected) {
      const reason = 'the node has another message with this number'
      throw new ProofMismatchError({ at: 'message', reason, got: info.messageHash, expected })
    }
    return { ...info, state: info.state as DepositStatus }
  } catch (error) {
    if (!isMissingMethod(error)) throw error
  }
  const state = await stateOf(client, rollup, message)
  return { state, delivered: null, failure: null }
}

/** Returns the state of a message by the contracts of the L2. */
async function stateOf(
  client: ReadClient,
  rollup: Rollup,
  message: Message,
): Promise<DepositStatus> {
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
 * @returns The L2 transaction that delivered it, or `null` if the node does not know that.
 * @throws `MessageFailedError` if its target rejected it, a block parked it, or it was refunded;
 * `WaitTimeoutError`; `ProofMismatchError` if the node has another message with its number.
 *
 * @example
 * const receipt = await waitForTransactionReceipt(l1Client, { hash })
 * const [message] = await getMessages(l1Client, { rollup, receipt })
 * await waitForRelay(l2Client, { rollup, message })
 */
export async function waitForRelay(
  client: ReadClient,
  { rollup, message, ...parameters }: WaitForRelayParameters,
): Promise<MessageTransaction | null> {
  await requireL2(client, rollup)
  const { index } = message
  return poll(client, `the relay of message ${index}`, parameters, async () => {
    const { state, delivered, failure } = await known(client, rollup, message)
    if (state === 'relayed') return { done: delivered }
    if (state === 'failed' || state === 'parked' || state === 'refunded') {
      throw new MessageFailedError({ index, state, reason: failure })
    }
    return { got: state, expected: 'relayed' }
  })
}
