import type { Address, Hash } from 'viem'
import { readContract } from 'viem/actions'
import { l1TokenBridgeAbi } from '../abis/l1TokenBridge.js'
import type { SendClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireBridge } from '../utils/bridge.js'
import { requireContract, requireL1 } from '../utils/checks.js'
import { minimumMessageFee, offeredFee } from '../utils/fee.js'
import { contractCall, sendCall, senderOf, type TransactionParameters } from '../utils/send.js'

/** Parameters of {@link registerToken}. */
export type RegisterTokenParameters = RollupParameter &
  TransactionParameters & {
    /** Token on L1. */
    l1Token: Address
    /** Gas of the message [default: `REGISTER_GAS` of the bridge]. */
    gas?: bigint | undefined
    /** Fee of the message, in wei [default: twice the minimum]. */
    fee?: bigint | undefined
    /** Maximum of the default fee, in wei. */
    maxFee?: bigint | undefined
  }

/**
 * Registers a token of L1: the L2 deploys the token that represents it (`getTokenPair`). Any
 * account may register any token, once.
 *
 * @param client - Client of L1 with an account.
 * @returns Hash of the L1 transaction.
 * @throws `WrongChainError` and `WrongRollupError`, before anything is sent.
 */
export async function registerToken(
  client: SendClient,
  parameters: RegisterTokenParameters,
): Promise<Hash> {
  const { rollup, l1Token, maxFee } = parameters
  const account = senderOf(client, parameters)
  await requireL1(client, rollup)
  await requireContract(client, rollup, 'messageQueue')
  const address = await requireBridge(client, rollup)
  const contract = { abi: l1TokenBridgeAbi, address } as const
  const gas =
    parameters.gas ?? (await readContract(client, { ...contract, functionName: 'REGISTER_GAS' }))
  const { messageQueue } = rollup.contracts
  const value =
    parameters.fee ??
    offeredFee(await minimumMessageFee(client, messageQueue, gas, account), maxFee)
  const call = contractCall({ ...contract, functionName: 'register', args: [l1Token, gas], value })
  return sendCall(client, rollup.l1, call, parameters)
}
