import { zeroAddress, type Address, type Hash } from 'viem'
import { readContract } from 'viem/actions'
import { l2TokenBridgeAbi } from '../abis/l2TokenBridge.js'
import type { SendClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { bridgeOf } from '../utils/bridge.js'
import { requireL2, requireSame } from '../utils/checks.js'
import {
  addressOf,
  contractCall,
  sendCall,
  senderOf,
  type TransactionParameters,
} from '../utils/send.js'

/** Gas that the payment of a usual token receives on L1. */
const RELEASE_GAS = 200_000n

/** Parameters of {@link initiateTokenWithdrawal}. */
export type InitiateTokenWithdrawalParameters = RollupParameter &
  TransactionParameters & {
    /** Token on L1. */
    l1Token: Address
    /** Amount in the token's smallest unit. */
    amount: bigint
    /** Account on L1 that receives the tokens [default: the sender]. */
    to?: Address | undefined
    /** L1 account that may send the tokens back if they cannot be paid out [default: none]. */
    refundTo?: Address | undefined
    /** Gas that the payment receives on L1 [default: 200,000]. */
    gas?: bigint | undefined
    /** Fee on L1 for the account that claims the message, in wei [default: 0]. */
    fee?: bigint | undefined
  }

/**
 * Sends tokens from the L2 back to L1. The message is claimed like any other (`getWithdrawals`,
 * `waitToClaim`, `claimWithdrawal`). No approval is needed: the bridge burns the tokens of the
 * sender.
 *
 * @param client - Client of the L2 with an account.
 * @returns Hash of the L2 transaction.
 * @throws `WrongChainError` and `WrongRollupError`, before anything is sent.
 */
export async function initiateTokenWithdrawal(
  client: SendClient,
  parameters: InitiateTokenWithdrawalParameters,
): Promise<Hash> {
  const {
    rollup,
    l1Token,
    amount,
    refundTo = zeroAddress,
    gas = RELEASE_GAS,
    fee = 0n,
  } = parameters
  const to = parameters.to ?? addressOf(senderOf(client, parameters))
  await requireL2(client, rollup)
  const contract = { abi: l2TokenBridgeAbi, address: bridgeOf(rollup, 'l2Bridge') } as const
  const peer = await readContract(client, { ...contract, functionName: 'L1_BRIDGE' })
  requireSame('l1Bridge', peer, rollup.contracts.l1Bridge)
  const call = contractCall({
    ...contract,
    functionName: 'withdraw',
    args: [l1Token, to, refundTo, amount, gas],
    value: fee,
  })
  return sendCall(client, rollup.l2, call, parameters)
}
