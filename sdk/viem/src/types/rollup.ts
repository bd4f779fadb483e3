import type { Address, Chain } from 'viem'

/** Contracts of a rollup on both chains. */
export type RollupContracts = {
  /** `NativeRollup` on L1, which holds the head and the state roots of the L2. */
  rollup: Address
  /** `L1MessageQueue` on L1, which is also the escrow of the L2's ether. */
  messageQueue: Address
  /** `ForcedInbox` on L1. */
  forced: Address
  /** `RollupExit` on L1, or `null` if the rollup has none. */
  exit: Address | null
  /** Sequencing policy on L1, or `null` if any account may advance the rollup. */
  policy: Address | null
  /** `L1TokenBridge` on L1, or `null` if the rollup has none. */
  l1Bridge: Address | null
  /** `L2TokenBridge` on the L2, or `null` if the rollup has none. */
  l2Bridge: Address | null
  /** `L2Messenger` on the L2. */
  messenger: Address
  /** `L1Anchor` on the L2. */
  anchor: Address
  /** `L2Accounts` on the L2. */
  accounts: Address
}

/** Delays and bounds that the contracts on L1 enforce. All durations are in seconds. */
export type RollupRules = {
  /** Maximum age of a block when it is posted to L1. */
  maxLag: number
  /** Age of the head, or of an unfulfilled duty, from which any account may advance the rollup. */
  openAfter: number
  /** Time within which a message from L1 must be relayed. */
  relayDeadline: number
  /** Time from the announcement of a change of the rollup to the change. */
  upgradeDelay: number
  /** Number of state roots that L1 stores. A proof against an older block cannot be claimed. */
  stateRoots: number
  /** Account that may announce changes, or `null` if the rollup never changes. */
  owner: Address | null
  /** Forced transactions. */
  forced: {
    /** Time from submission until a block must include the transaction. */
    delay: number
    /** Time after that during which a full block may omit it. */
    grace: number
    /** Time after that until the first transaction of the queue expires. */
    expiry: number
    /** Maximum size of a transaction, in bytes. */
    maxSize: number
    /** Maximum gas limit of a transfer. */
    maxGas: number
    /** Maximum gas limit of a call of the messenger or of the bounded target. */
    maxBoundedGas: number
  }
  /** Messages from L1. */
  messages: {
    /** Maximum gas limit of a message. */
    maxGas: number
    /** Maximum length of the data of a message, in bytes. */
    maxData: number
    /** Minimum price of a message's gas, in percent of the L1 base fee. */
    feePercent: number
  }
  /** Account that may pause large claims, or `null` if there is none. */
  guardian: {
    /** The account. */
    account: Address
    /** Duration of a pause. */
    pause: number
    /** Ether that claims may withdraw during a pause, in wei. */
    limit: bigint
  } | null
  /** Preconfirmations, or `null` if any account may always advance the rollup. */
  preconfirmations: PreconfirmationTerms | null
}

/** Rules of the sequencing policy for preconfirmations. */
export type PreconfirmationTerms = {
  /**
   * Registry in which the policy requires a bond, and in whose EIP-712 domain the messages then are;
   * `null` if it requires none.
   */
  bonds: Address | null
  /** Minimum bond of a sequencer, in wei. */
  minBond: bigint
  /** Time from the timestamp of a signed block to the end of the promise. */
  postWithin: number
  /** Age from which any account may post a sealed, signed block, or `null` if none may. */
  postDelay: number | null
  /** Age of the head from which the policy lets any account advance. */
  timeout: number
}

/**
 * A rollup: its chains, contracts and rules. Obtain it with `readRollup`, which needs L1 only, or
 * with `getRollup`. Whoever controls this object controls where funds are sent.
 */
export type Rollup = {
  /** The L1. */
  l1: Chain
  /** The L2. */
  l2: Chain
  /** Contracts on both chains. */
  contracts: RollupContracts
  /** Rules of the contracts on L1. */
  rules: RollupRules
}

/** Parameter that all actions of a rollup share. */
export type RollupParameter = {
  /** The rollup, from `readRollup` or `getRollup`. */
  rollup: Rollup
}
