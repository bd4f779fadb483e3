import type { Address } from 'viem'
import { EvidenceError } from './evidence.js'

/**
 * A contract would deposit to its own address, which nobody controls on the L2. Nothing was sent.
 * Name a target with `to`, or deposit to the contract's alias account with `to: 'alias'`.
 */
export class ContractWalletDepositError extends EvidenceError {
  override name = 'ContractWalletDepositError'

  constructor({ sender, codeSize }: { sender: Address; codeSize: number }) {
    super(
      `The sender ${sender} is a contract: on the L2 nobody controls its address.`,
      { got: `${codeSize} bytes of code`, expected: 'no code, or an EIP-7702 delegation' },
      {
        metaMessages: [
          "Name a target with `to`, or the contract's alias account with `to: 'alias'`.",
        ],
      },
    )
  }
}

/** A message with data has no gas limit, or one of zero. Nothing was sent. */
export class MessageGasMissingError extends EvidenceError {
  override name = 'MessageGasMissingError'

  constructor({ data }: { data: string }) {
    super('A message with data needs `gas`: the gas that the call of its target receives.', {
      got: `${(data.length - 2) / 2} bytes of data without gas`,
      expected: 'a gas limit',
    })
  }
}

/** The minimum fee is above the maximum that the caller accepts. Nothing was sent. */
export class FeeAboveMaximumError extends EvidenceError {
  override name = 'FeeAboveMaximumError'

  constructor({ minimumFee, maxFee }: { minimumFee: bigint; maxFee: bigint }) {
    super('The minimum fee is above `maxFee`.', { got: minimumFee, expected: maxFee })
  }
}

/** L1 does not have the block of the withdrawal yet. Wait with `waitToClaim`. */
export class WithdrawalNotReadyError extends EvidenceError {
  override name = 'WithdrawalNotReadyError'
  /** Block that sent the message. */
  readonly l2Block: bigint
  /** Newest L2 block on L1. */
  readonly safeHead: bigint

  constructor({ l2Block, safeHead }: { l2Block: bigint; safeHead: bigint }) {
    super(`L2 block ${l2Block} is not on L1 yet.`, { got: safeHead, expected: l2Block })
    this.l2Block = l2Block
    this.safeHead = safeHead
  }
}

/**
 * L1 has an L2 block, but its node returned no `BlockAdded` event of it. Search from an earlier L1
 * block, or use a node that serves older events.
 */
export class BlockEventMissingError extends EvidenceError {
  override name = 'BlockEventMissingError'
  /** L2 block whose event is missing. */
  readonly l2Block: bigint

  constructor({ l2Block, fromBlock }: { l2Block: bigint; fromBlock: bigint }) {
    super(`L1 returned no BlockAdded event of L2 block ${l2Block}.`, {
      got: 'no event',
      expected: `an event in L1 block ${fromBlock} or later`,
    })
    this.l2Block = l2Block
  }
}

/** L1 no longer stores the state root of a block. Prove against a newer block. */
export class StateRootExpiredError extends EvidenceError {
  override name = 'StateRootExpiredError'

  constructor({ l2Block, oldest }: { l2Block: bigint; oldest: bigint }) {
    super(`L1 no longer stores the state root of L2 block ${l2Block}.`, {
      got: l2Block,
      expected: `block ${oldest} or later`,
    })
  }
}

/** The message has already been claimed or refunded on L1. Nothing was sent. */
export class AlreadyClaimedError extends EvidenceError {
  override name = 'AlreadyClaimedError'
  /** Number of the message. */
  readonly index: bigint

  constructor({ index }: { index: bigint }) {
    super(`Message ${index} has already been claimed.`, { got: 'claimed', expected: 'unclaimed' })
    this.index = index
  }
}

/**
 * A message from L1 was not delivered. It can be retried, or refunded by its `refundTo` account.
 */
export class MessageFailedError extends EvidenceError {
  override name = 'MessageFailedError'
  /** Number of the message. */
  readonly index: bigint
  /** State of the message: `failed`, `parked` or `refunded`. */
  readonly state: string
  /** Why its target rejected it, as far as the node knows. */
  readonly reason: string | null

  constructor({ index, state, reason }: { index: bigint; state: string; reason: string | null }) {
    super(
      `Message ${index} was not delivered${reason ? `: ${reason}` : ''}.`,
      { got: state, expected: 'relayed' },
      {
        metaMessages: ['Retry it with `retryMessage`, or withdraw its value with `refundMessage`.'],
      },
    )
    this.index = index
    this.state = state
    this.reason = reason
  }
}

/** A receipt has no event of the kind that the action reads. */
export class EventMissingError extends EvidenceError {
  override name = 'EventMissingError'

  constructor({ event, address, logs }: { event: string; address: Address; logs: number }) {
    super(`The receipt has no ${event} event of ${address}.`, {
      got: `${logs} other logs`,
      expected: event,
    })
  }
}

/** Neither the client nor the parameters have an account. */
export class AccountMissingError extends EvidenceError {
  override name = 'AccountMissingError'

  constructor() {
    super('No account sends this transaction.', {
      got: null,
      expected: 'an account of the client, or `account`',
    })
  }
}

/** The node has dropped a transaction from its pool. */
export class TransactionDroppedError extends EvidenceError {
  override name = 'TransactionDroppedError'
  /** Why it was dropped, as far as the node knows. */
  readonly reason: string | null

  constructor({ hash, reason }: { hash: string; reason: string | null }) {
    super(`Transaction ${hash} was dropped${reason ? `: ${reason}` : ''}.`, {
      got: 'dropped',
      expected: 'a block that contains it',
    })
    this.reason = reason
  }
}
