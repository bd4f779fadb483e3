import {
  keccak256,
  parseEventLogs,
  parseTransaction,
  size,
  type Address,
  type Hash,
  type Hex,
  type TransactionSerialized,
} from 'viem'
import { readContract } from 'viem/actions'
import { forcedInboxAbi } from '../abis/forcedInbox.js'
import { rollupAbi } from '../abis/rollup.js'
import { EventMissingError } from '../errors/bridge.js'
import { WrongChainError } from '../errors/evidence.js'
import type { ReadClient, SendClient } from '../types/client.js'
import type { Rollup, RollupParameter } from '../types/rollup.js'
import { requireContract, requireL1 } from '../utils/checks.js'
import { minimumForcedFee, offeredFee } from '../utils/fee.js'
import { contractCall, sendCall, senderOf, type TransactionParameters } from '../utils/send.js'
import type { ReceiptLogs } from './getMessages.js'

/** Parameters of {@link forceTransaction}. */
export type ForceTransactionParameters = RollupParameter &
  TransactionParameters & {
    /**
     * Signed transaction of the L2, of type 0, 1 or 2 without an access list: a transfer, or a call
     * of the messenger.
     */
    serializedTransaction: Hex
    /** Fee on L1, in wei; what exceeds the minimum is returned [default: twice the minimum]. */
    fee?: bigint | undefined
    /** Maximum of the default fee, in wei. */
    maxFee?: bigint | undefined
  }

/**
 * Submits a signed transaction of the L2 on L1. After `rules.forced.delay`, L1 accepts no block of
 * the L2 without it, so no operator can prevent a withdrawal.
 *
 * Sign it with a fee cap of {@link suggestForcedFeeCap} and a gas limit of {@link suggestForcedGas},
 * and keep the ether for it in its account.
 *
 * @param client - Client of L1 with an account, which need not be the signer of the transaction.
 * @returns Hash of the L1 transaction.
 * @throws `WrongChainError` if the transaction is of another chain, and `WrongRollupError`, before
 * anything is sent. A revert of the inbox, such as `NotForceable`, is decoded.
 */
export async function forceTransaction(
  client: SendClient,
  parameters: ForceTransactionParameters,
): Promise<Hash> {
  const { rollup, serializedTransaction, maxFee } = parameters
  const account = senderOf(client, parameters)
  const value =
    parameters.fee ??
    offeredFee(await minimumFee(client, rollup, serializedTransaction, account), maxFee)
  if (parameters.fee !== undefined) await check(client, rollup, serializedTransaction)
  const call = contractCall({
    abi: forcedInboxAbi,
    address: rollup.contracts.forced,
    functionName: 'submit',
    args: [serializedTransaction],
    value,
  })
  return sendCall(client, rollup.l1, call, parameters)
}

/** Checks chain, inbox and transaction, and returns the gas limit of the transaction. */
async function check(client: ReadClient, rollup: Rollup, raw: Hex): Promise<bigint> {
  const transaction = parseTransaction(raw as TransactionSerialized)
  const got = transaction.chainId ?? 0
  if (got !== rollup.l2.id) throw new WrongChainError({ layer: 'L2', got, expected: rollup.l2.id })
  await requireL1(client, rollup)
  await requireContract(client, rollup, 'forced')
  return transaction.gas ?? 0n
}

async function minimumFee(
  client: ReadClient,
  rollup: Rollup,
  raw: Hex,
  account: Parameters<typeof minimumForcedFee>[4],
): Promise<bigint> {
  const gas = await check(client, rollup, raw)
  const { forced } = rollup.contracts
  const footprint = await readContract(client, {
    abi: forcedInboxAbi,
    address: forced,
    functionName: 'footprintOf',
    args: [raw],
  })
  return minimumForcedFee(client, forced, gas, footprint, account)
}

/** Parameters of {@link estimateForcedFee}. */
export type EstimateForcedFeeParameters = RollupParameter & {
  /** Signed transaction of the L2. */
  serializedTransaction: Hex
  /** Account that would submit it; some nodes need one with ether to know the base fee. */
  account?: Address | undefined
}

/**
 * Returns the minimum fee of a forced transaction in the latest L1 block, in wei. Reverts as the
 * submission would.
 *
 * @param client - Client of L1.
 */
export async function estimateForcedFee(
  client: ReadClient,
  { rollup, serializedTransaction, account }: EstimateForcedFeeParameters,
): Promise<bigint> {
  return minimumFee(client, rollup, serializedTransaction, account ?? client.account)
}

/**
 * Returns the `maxFeePerGas` with which to sign a forced transaction: with at least this cap, a
 * block whose base fee is too high defers the transaction, and does not discharge it.
 *
 * @param client - Client of L1.
 */
export async function suggestForcedFeeCap(
  client: ReadClient,
  { rollup }: RollupParameter,
): Promise<bigint> {
  await requireL1(client, rollup)
  const { forced, rollup: address } = rollup.contracts
  const inbox = { abi: forcedInboxAbi, address: forced } as const
  const [margin, floor, baseFee] = await Promise.all([
    readContract(client, { ...inbox, functionName: 'FEE_CAP_MARGIN' }),
    readContract(client, { ...inbox, functionName: 'FEE_CAP_FLOOR' }),
    readContract(client, { abi: rollupAbi, address, functionName: 'baseFee' }),
  ])
  return margin * (baseFee > floor ? baseFee : floor)
}

/** Parameters of {@link suggestForcedGas}. */
export type SuggestForcedGasParameters = RollupParameter & {
  /** Calldata of the transaction [default: none]. */
  data?: Hex | undefined
  /** Gas that the transaction needs today, such as the estimate of a node [default: 0]. */
  gas?: bigint | undefined
}

/**
 * Returns the `gas` with which to sign a forced transaction: what it needs, or the minimum of the
 * inbox if that is higher. The minimum is twice the base price of transactions and four times the
 * calldata floor, so that a fork cannot make the transaction invalid while it waits. The L2 refunds
 * what is not used.
 *
 * @param client - Client of L1.
 */
export async function suggestForcedGas(
  client: ReadClient,
  { rollup, data = '0x', gas = 0n }: SuggestForcedGasParameters,
): Promise<bigint> {
  await requireL1(client, rollup)
  const minimum = await readContract(client, {
    abi: forcedInboxAbi,
    address: rollup.contracts.forced,
    functionName: 'minimumGas',
    args: [BigInt(size(data))],
  })
  return gas > minimum ? gas : minimum
}

/** A submitted transaction. */
export type ForcedSubmission = {
  /** Number of the transaction in the queue, for `getForcedStatus`. */
  index: bigint
  /** Hash of the transaction on the L2. */
  hash: Hash
  /** Account of the L2 that signed it. */
  sender: Address
  /** `true` if its fee cap lets it wait for a lower base fee. */
  isPriced: boolean
}

/**
 * Returns the transactions that an L1 transaction submitted, in order. Sends no request.
 *
 * @param client - Client of L1.
 * @throws `EventMissingError` if there are none.
 */
export async function getForced(
  _client: ReadClient,
  { rollup, receipt }: RollupParameter & { receipt: ReceiptLogs },
): Promise<ForcedSubmission[]> {
  const address = rollup.contracts.forced
  const logs = receipt.logs.filter((log) => log.address.toLowerCase() === address.toLowerCase())
  const events = parseEventLogs({
    abi: forcedInboxAbi,
    eventName: 'ForcedSubmitted',
    logs: [...logs],
  })
  const submitted = events.map(({ args: { index, sender, raw, transaction } }) => {
    return { index, sender, hash: keccak256(raw), isPriced: transaction.priced }
  })
  if (submitted.length > 0) return submitted
  const event = 'ForcedSubmitted'
  throw new EventMissingError({ event, address, logs: receipt.logs.length })
}
