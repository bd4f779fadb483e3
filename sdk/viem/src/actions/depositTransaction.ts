import type { Address, Hash, Hex } from 'viem'
import { getCode } from 'viem/actions'
import { messageQueueAbi } from '../abis/messageQueue.js'
import { ContractWalletDepositError, MessageGasMissingError } from '../errors/bridge.js'
import type { ReadClient, SendClient } from '../types/client.js'
import type { Rollup, RollupParameter } from '../types/rollup.js'
import { requireContract, requireL1 } from '../utils/checks.js'
import { minimumMessageFee, offeredFee } from '../utils/fee.js'
import {
  addressOf,
  contractCall,
  encodeCall,
  estimateCall,
  sendCall,
  senderOf,
  type Call,
  type ContractCall,
  type TransactionParameters,
} from '../utils/send.js'
import { aliasAddressOf } from './getAliasAccount.js'

/** Gas of a payment to an alias account: its code accepts ether by a delegated call. */
const ALIAS_GAS = 50_000n

/** Parameters of {@link depositTransaction}, {@link buildDepositTransaction} and its estimate. */
export type DepositTransactionParameters = RollupParameter &
  TransactionParameters & {
    /**
     * Target on the L2; by default the address of the sender. `'alias'` is the alias account of the
     * sender, which a contract on L1 controls.
     */
    to?: Address | 'alias' | undefined
    /** Ether for the target, in wei. */
    value?: bigint | undefined
    /** Calldata for the target. */
    data?: Hex | undefined
    /**
     * Gas that the call of the target receives on the L2; none is needed to pay an account without
     * code. Required with `data`.
     */
    gas?: bigint | undefined
    /**
     * Account of the L2 that may withdraw the value if the target rejects the message [default: the
     * account of the L2 that the sender controls].
     */
    refundTo?: Address | undefined
    /** Fee for the account that delivers the message, in wei [default: twice the minimum]. */
    fee?: bigint | undefined
    /** Maximum of the default fee, in wei. */
    maxFee?: bigint | undefined
  }

/**
 * Returns the account of the L2 that an L1 account controls: its own address if it is a key, also
 * if it delegates to code (EIP-7702), and its alias account if it is a contract.
 */
export async function controlledAccount(
  client: ReadClient,
  address: Address,
): Promise<{ account: Address; codeSize: number }> {
  const code = (await getCode(client, { address })) ?? '0x'
  const codeSize = (code.length - 2) / 2
  const isKey = codeSize === 0 || (codeSize === 23 && code.startsWith('0xef0100'))
  return { account: isKey ? address : aliasAddressOf(address), codeSize }
}

async function depositCall(
  client: SendClient,
  parameters: DepositTransactionParameters,
): Promise<ContractCall> {
  const { rollup, to, value = 0n, data = '0x', maxFee } = parameters
  if (data !== '0x' && !parameters.gas) throw new MessageGasMissingError({ data })
  await requireL1(client, rollup)
  await requireContract(client, rollup, 'messageQueue')

  const sender = addressOf(senderOf(client, parameters))
  const { account, codeSize } = await controlledAccount(client, sender)
  if (to === undefined && account !== sender)
    throw new ContractWalletDepositError({ sender, codeSize })
  const target = to === 'alias' ? aliasAddressOf(sender) : (to ?? sender)
  const gas = parameters.gas ?? (to === 'alias' ? ALIAS_GAS : 0n)
  const fee = parameters.fee ?? (await defaultFee(client, rollup, gas, sender, maxFee))
  return contractCall({
    abi: messageQueueAbi,
    address: rollup.contracts.messageQueue,
    functionName: 'send',
    args: [target, parameters.refundTo ?? account, gas, fee, data],
    value: value + fee,
  })
}

async function defaultFee(
  client: ReadClient,
  { contracts: { messageQueue } }: Rollup,
  gas: bigint,
  sender: Address,
  maxFee: bigint | undefined,
): Promise<bigint> {
  return offeredFee(await minimumMessageFee(client, messageQueue, gas, sender), maxFee)
}

/**
 * Builds the call of L1 that {@link depositTransaction} sends, for wallets that send it themselves,
 * such as a Safe.
 *
 * @param client - Client of L1.
 */
export async function buildDepositTransaction(
  client: SendClient,
  parameters: DepositTransactionParameters,
): Promise<Call> {
  return encodeCall(await depositCall(client, parameters))
}

/**
 * Estimates the L1 gas of {@link depositTransaction}.
 *
 * @param client - Client of L1.
 */
export async function estimateDepositTransactionGas(
  client: SendClient,
  parameters: DepositTransactionParameters,
): Promise<bigint> {
  return estimateCall(client, await depositCall(client, parameters), parameters)
}

/**
 * Sends a message with ether, calldata or both from L1 to the L2. The next blocks of the L2 deliver
 * it (`getMessages`, `waitForRelay`).
 *
 * A contract must name the target: on the L2, nobody controls the address of an L1 contract.
 *
 * @param client - Client of L1 with an account.
 * @returns Hash of the L1 transaction.
 * @throws `ContractWalletDepositError`, `MessageGasMissingError`, `FeeAboveMaximumError`,
 * `WrongChainError` and `WrongRollupError`, before anything is sent.
 *
 * @example
 * import { createClient, http, parseEther } from 'viem'
 * import { privateKeyToAccount } from 'viem/accounts'
 * import { depositTransaction, readRollup } from '@enshrine/viem'
 *
 * const client = createClient({
 *   account: privateKeyToAccount('0x…'),
 *   transport: http('http://127.0.0.1:8545'),
 * })
 * const rollup = await readRollup(client, { address: '0x…' })
 * const hash = await depositTransaction(client, { rollup, value: parseEther('1') })
 */
export async function depositTransaction(
  client: SendClient,
  parameters: DepositTransactionParameters,
): Promise<Hash> {
  const call = await depositCall(client, parameters)
  return sendCall(client, parameters.rollup.l1, call, parameters)
}
