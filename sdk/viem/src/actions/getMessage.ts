import { zeroAddress, type Address, type Hash, type Hex } from 'viem'
import type { ReadClient } from '../types/client.js'
import type { DepositStatus, Direction, WithdrawalStatus } from '../types/message.js'
import type { MessageInfo as Answer } from '../types/rpc.js'
import { indexParameter, namedState, quantity, quantityOrNull, request } from '../utils/rpc.js'

/** Transaction of a chain, with its block. */
export type MessageTransaction = {
  /** Number of the block. */
  block: bigint
  /** Hash of the transaction. */
  transaction: Hash
}

/** A message and its state, as a node reports it. */
export type MessageInfo = {
  /** Direction of the message. */
  direction: Direction
  /** The message; `data` is `null` if the node no longer has it. */
  message: {
    sender: Address
    to: Address
    refundTo: Address
    value: bigint
    fee: bigint
    gasLimit: bigint
    index: bigint
    data: Hex | null
    dataHash: Hex
  }
  /** Hash of the message. */
  messageHash: Hex
  /** State of the message. Treat one that you do not know as unknown. */
  state: DepositStatus | WithdrawalStatus
  /** Transaction that sent the message, on L1 for messages from L1, and when, in seconds. */
  sent: MessageTransaction & { timestamp: bigint }
  /** L2 timestamp from which an L2 block must have relayed it; `null` for messages to L1. */
  deadline: bigint | null
  /** L2 transaction that handled the message from L1 last; `null` before. */
  delivered: MessageTransaction | null
  /** First bytes that the target returned when it rejected the message; `null` otherwise. */
  failure: Hex | null
  /** L1 transaction that claimed or refunded the message to L1; `null` before. */
  claim: MessageTransaction | null
  /** `true` if no reorganisation of L1 can undo the state. */
  finalized: boolean
}

/** Parameters of {@link getMessage}. */
export type GetMessageParameters = {
  /** Direction of the message. */
  direction: Direction
  /** Number of the message in this direction. */
  index: bigint
}

/**
 * Returns a message and its state by `rollup_getMessage`, or `null` if no such message was sent. The
 * response is not verified; `claimWithdrawal` and `verifyMessage` do that.
 *
 * @param client - Client of a rollup node.
 */
export async function getMessage(
  client: ReadClient,
  { direction, index }: GetMessageParameters,
): Promise<MessageInfo | null> {
  const answer = await request(client, 'rollup_getMessage', [direction, indexParameter(index)])
  return answer && infoOf(answer)
}

/** Parameters of {@link listMessages}. */
export type ListMessagesParameters = {
  /** Direction of the messages. */
  direction: Direction
  /** Only messages that have this account as sender, target or `refundTo`. */
  account?: Address | undefined
  /** Only messages with lower numbers: `next` of the page before. */
  before?: bigint | undefined
  /** Maximum number of messages, at most 100 [default: 25]. */
  limit?: number | undefined
}

/** A page of messages. */
export type MessagePage = {
  /** Messages, newest first. */
  messages: MessageInfo[]
  /** Value of `before` for the next page; `null` if there are no older messages. */
  next: bigint | null
}

/**
 * Returns messages of one direction, newest first, by `rollup_getMessages`. A page may be short, or
 * empty, although more follow: `next` is `null` only on the last page.
 *
 * @param client - Client of a rollup node.
 */
export async function listMessages(
  client: ReadClient,
  { direction, account, before, limit }: ListMessagesParameters,
): Promise<MessagePage> {
  const filter = {
    ...(account === undefined ? {} : { account }),
    ...(before === undefined ? {} : { before: indexParameter(before) }),
    ...(limit === undefined ? {} : { limit: indexParameter(BigInt(limit)) }),
  }
  const page = await request(client, 'rollup_getMessages', [direction, filter])
  return { messages: page.messages.map(infoOf), next: quantityOrNull(page.next) }
}

function infoOf(answer: Answer): MessageInfo {
  const { message, sent, deadline, delivered, failure, claim, ...rest } = answer
  return {
    direction: rest.direction,
    message: {
      sender: message.sender,
      to: message.to,
      refundTo: message.refundTo ?? zeroAddress,
      value: quantity(message.value),
      fee: quantity(message.fee),
      gasLimit: quantity(message.gasLimit),
      index: quantity(message.index),
      data: message.data,
      dataHash: message.dataHash,
    },
    messageHash: rest.messageHash,
    state: namedState(rest.state),
    sent: { ...sent, block: quantity(sent.block), timestamp: quantity(sent.timestamp) },
    deadline: quantityOrNull(deadline),
    delivered: delivered && { ...delivered, block: quantity(delivered.block) },
    failure: failure && failure.reason,
    claim: claim && { block: quantity(claim.l1Block), transaction: claim.l1Transaction },
    finalized: rest.finalized,
  }
}
