import {
  concatHex,
  encodeFunctionData,
  getCreate2Address,
  keccak256,
  pad,
  type Address,
  type Hex,
} from 'viem'
import { accountsAbi } from '../abis/accounts.js'
import { accountsAddress } from '../constants.js'
import type { ReadClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'

/** Parameters of {@link getAliasAccount}. */
export type GetAliasAccountParameters = {
  /** Account on L1, usually a contract. */
  address: Address
}

/** Code that deploys a minimal proxy to `L2Accounts` (solady's `LibClone`, with PUSH0). */
const initCode = concatHex([
  '0x602d5f8160095f39f35f5f365f5f37365f73',
  accountsAddress,
  '0x5af43d5f5f3e6029573d5ffd5b3d5ff3',
])

/** Returns the address of an L1 account's alias account, as {@link getAliasAccount} does. */
export function aliasAddressOf(address: Address): Address {
  return getCreate2Address({
    from: accountsAddress,
    salt: pad(address, { size: 32 }),
    bytecodeHash: keccak256(initCode),
  })
}

/**
 * Returns the alias account of an L1 account: the account of the L2 that a contract on L1 controls
 * by messages to `L2Accounts` ({@link buildAliasCall}). The address is the same on every rollup,
 * and may have no code yet. Sends no request.
 */
export async function getAliasAccount(
  _client: ReadClient,
  { address }: GetAliasAccountParameters,
): Promise<Address> {
  return aliasAddressOf(address)
}

/** Call that an alias account makes on the L2. */
export type AliasCall = {
  /** Target on the L2. */
  to: Address
  /** Ether of the call, in wei, from the message or from the balance of the alias account. */
  value?: bigint | undefined
  /** Calldata. */
  data?: Hex | undefined
}

/** Parameters of {@link buildAliasCall}. */
export type BuildAliasCallParameters = RollupParameter & {
  /** Calls, in order. If one fails, all are undone. */
  calls: readonly AliasCall[]
}

/**
 * Builds the target and calldata of a message by which an L1 account calls from its alias account.
 * Pass both, and `gas`, to `depositTransaction`. Sends no request.
 */
export async function buildAliasCall(
  _client: ReadClient,
  { rollup, calls }: BuildAliasCallParameters,
): Promise<{ to: Address; data: Hex }> {
  const list = calls.map(({ to, value = 0n, data = '0x' }) => ({ to, value, data }))
  const data = encodeFunctionData({ abi: accountsAbi, functionName: 'execute', args: [list] })
  return { to: rollup.contracts.accounts, data }
}
