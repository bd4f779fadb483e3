import type { Address, Hex } from 'viem'

/** Direction of a message. */
export type Direction = 'l1ToL2' | 'l2ToL1'

/** A message between the chains. Both directions have the same fields and the same hash. */
export type Message = {
  /** Account that sent the message. */
  sender: Address
  /** Target on the other chain. */
  to: Address
  /**
   * Account on the other chain that may withdraw the value of a rejected message; zero for none.
   */
  refundTo: Address
  /** Ether for the target, in wei. */
  value: bigint
  /** Ether for the account that delivers or claims the message, in wei. */
  fee: bigint
  /** Minimum gas that the call of the target receives. */
  gasLimit: bigint
  /** Number of the message in its direction, counted from zero. */
  index: bigint
  /** Calldata for the target. */
  data: Hex
}

/** Proof that the L2 has sent a message, as `L1MessageQueue.claim` expects it. */
export type MessageProof = {
  /** L2 block whose state contains the message. */
  l2Block: bigint
  /** Storage root of `L2Messenger` after that block. */
  storageRoot: Hex
  /** Trie nodes from the state root to the account of `L2Messenger`. */
  accountProof: readonly Hex[]
  /** Trie nodes from the storage root to the slot of the message. */
  storageProof: readonly Hex[]
}

/** State of a message from L1. New states may be added. */
export type DepositStatus = 'sent' | 'anchored' | 'relayed' | 'failed' | 'parked' | 'refunded'

/** State of a message to L1. New states may be added. */
export type WithdrawalStatus = 'unsafe' | 'claimable' | 'claimed' | 'refunded' | 'delayed'

/** State of a forced transaction. New states may be added. */
export type ForcedStatus =
  'waiting' | 'due' | 'included' | 'invalid' | 'underpriced' | 'expired' | 'targetHasCode'

/** Finality of a block or transaction of the L2. */
export type Finality = 'unsafe' | 'submitted' | 'safe' | 'finalized'
