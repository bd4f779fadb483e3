import {
  decodeEventLog,
  encodeAbiParameters,
  keccak256,
  numberToHex,
  type Address,
  type Hex,
  type Log,
} from 'viem'
import { messengerAbi } from '../abis/messenger.js'
import type { Message } from '../types/message.js'

const header = [
  { type: 'address' },
  { type: 'address' },
  { type: 'address' },
  { type: 'uint128' },
  { type: 'uint128' },
  { type: 'uint64' },
  { type: 'uint64' },
  { type: 'bytes32' },
] as const

/** Slot of the mapping in `L2Messenger` from index to hash of a message to L1. */
const SENT_SLOT = 4n

/** Topic of `MessageSent`, which both messengers emit. */
const MESSAGE_SENT: Hex = '0x5088f3dd8e5ef918208984d43d795d81364796740671a728f14272b13e782952'

/** Returns the hash of a message, which is the same in both directions. */
export function hashMessage(message: Message): Hex {
  const { sender, to, refundTo, value, fee, gasLimit, index, data } = message
  return keccak256(
    encodeAbiParameters(header, [
      sender,
      to,
      refundTo,
      value,
      fee,
      gasLimit,
      index,
      keccak256(data),
    ]),
  )
}

/** Returns the slot of `L2Messenger` with the hash of a message to L1. */
export function sentSlot(index: bigint): Hex {
  return keccak256(
    encodeAbiParameters([{ type: 'uint256' }, { type: 'uint256' }], [index, SENT_SLOT]),
  )
}

/** Returns the messages in these logs that a messenger has emitted, in order. */
export function messagesOf(address: Address, logs: readonly Log[]): Message[] {
  const isOf = (log: Log) =>
    log.address.toLowerCase() === address.toLowerCase() && log.topics[0] === MESSAGE_SENT
  return logs.filter(isOf).map((log) => {
    // `L1MessageQueue` emits the same event.
    const { args } = decodeEventLog({
      abi: messengerAbi,
      eventName: 'MessageSent',
      data: log.data,
      topics: log.topics,
    })
    return { ...args }
  })
}

/** Returns an index as the 32 bytes of an indexed event argument. */
export function indexTopic(index: bigint): Hex {
  return numberToHex(index, { size: 32 })
}
