import {
  encodeFunctionData,
  type Abi,
  type Account,
  type Address,
  type Chain,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type Hash,
  type Hex,
  type WriteContractParameters,
} from 'viem'
import { estimateContractGas, writeContract } from 'viem/actions'
import { AccountMissingError } from '../errors/bridge.js'
import type { SendClient } from '../types/client.js'

/** Parameters of the transaction itself, as in viem. */
export type TransactionParameters = {
  /** Account that sends the transaction; by default the account of the client. */
  account?: Account | Address | undefined
  /** Gas limit of the transaction; estimated by default. */
  transactionGas?: bigint | undefined
  /** Maximum fee per gas, in wei. */
  maxFeePerGas?: bigint | undefined
  /** Maximum priority fee per gas, in wei. */
  maxPriorityFeePerGas?: bigint | undefined
  /** Nonce of the transaction. */
  nonce?: number | undefined
}

/** A call for a wallet to send. */
export type Call = {
  /** Contract to call. */
  to: Address
  /** Calldata. */
  data: Hex
  /** Ether of the call, in wei. */
  value: bigint
}

/** A call of a contract function, before it is encoded. */
export type ContractCall = {
  abi: Abi
  address: Address
  functionName: string
  args: readonly unknown[]
  value: bigint
}

/** Returns a contract call with the types of its arguments checked. */
export function contractCall<
  const abi extends Abi,
  name extends ContractFunctionName<abi, 'payable' | 'nonpayable'>,
>(call: {
  abi: abi
  address: Address
  functionName: name
  args: ContractFunctionArgs<abi, 'payable' | 'nonpayable', name>
  value?: bigint | undefined
}): ContractCall {
  return { ...call, value: call.value ?? 0n } as unknown as ContractCall
}

/** Encodes a contract call for a wallet. */
export function encodeCall(call: ContractCall): Call {
  const data = encodeFunctionData({
    abi: call.abi,
    functionName: call.functionName,
    args: call.args,
  })
  return { to: call.address, data, value: call.value }
}

/** Returns the account that sends, or throws {@link AccountMissingError}. */
export function senderOf(client: SendClient, parameters: TransactionParameters): Account | Address {
  const account = parameters.account ?? client.account
  if (!account) throw new AccountMissingError()
  return account
}

/** Returns the address of an account. */
export function addressOf(account: Account | Address): Address {
  return typeof account === 'string' ? account : account.address
}

/**
 * Gas in addition to the estimate. Nodes estimate in the latest block, where an earlier transaction
 * may have paid for storage that the first one of the next block has to write again: the queues
 * store their state once per L1 block. Gas that is not used is not paid.
 */
const MARGIN = 60_000n

/** Sends a contract call. viem checks the chain of the wallet again, and decodes reverts. */
export async function sendCall(
  client: SendClient,
  chain: Chain,
  call: ContractCall,
  parameters: TransactionParameters,
): Promise<Hash> {
  const { maxFeePerGas, maxPriorityFeePerGas, nonce } = parameters
  return writeContract(client, {
    ...call,
    account: senderOf(client, parameters),
    chain: client.chain ?? chain,
    gas: parameters.transactionGas ?? (await estimateCall(client, call, parameters)),
    ...(maxFeePerGas === undefined ? {} : { maxFeePerGas }),
    ...(maxPriorityFeePerGas === undefined ? {} : { maxPriorityFeePerGas }),
    ...(nonce === undefined ? {} : { nonce }),
  } as WriteContractParameters)
}

/** Estimates the gas of a contract call, with a margin, and decodes reverts. */
export async function estimateCall(
  client: SendClient,
  call: ContractCall,
  parameters: TransactionParameters,
): Promise<bigint> {
  // By address: for an account with a key, viem would first estimate to fill a transaction, and then
  // limit the second estimate to the first, which the next block may exceed.
  const account = addressOf(senderOf(client, parameters))
  return MARGIN + (await estimateContractGas(client, { ...call, account } as never))
}
