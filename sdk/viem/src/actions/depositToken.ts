import { erc20Abi, type Address, type Hash } from 'viem'
import { readContract, waitForTransactionReceipt } from 'viem/actions'
import { l1TokenBridgeAbi } from '../abis/l1TokenBridge.js'
import { ContractWalletDepositError } from '../errors/bridge.js'
import type { SendClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
import { requireBridge } from '../utils/bridge.js'
import { requireContract, requireL1 } from '../utils/checks.js'
import { minimumMessageFee, offeredFee } from '../utils/fee.js'
import {
  addressOf,
  contractCall,
  sendCall,
  senderOf,
  type TransactionParameters,
} from '../utils/send.js'
import { controlledAccount } from './depositTransaction.js'
import { aliasAddressOf } from './getAliasAccount.js'

/** Parameters of {@link depositToken}. */
export type DepositTokenParameters = RollupParameter &
  TransactionParameters & {
    /** Registered token on L1. */
    l1Token: Address
    /** Amount in the token's smallest unit. */
    amount: bigint
    /** Account of the L2 that receives the tokens; see `depositTransaction`. */
    to?: Address | 'alias' | undefined
    /**
     * Account of the L2 that may send the tokens back if the delivery fails [default: the account
     * of the L2 that the sender controls].
     */
    refundTo?: Address | undefined
    /** Gas of the message [default: `DEPOSIT_GAS` of the bridge]. */
    gas?: bigint | undefined
    /** Fee of the message, in wei [default: twice the minimum]. */
    fee?: bigint | undefined
    /** Maximum of the default fee, in wei. */
    maxFee?: bigint | undefined
    /** `false` to fail unless the allowance suffices [default: `true`]. */
    approve?: boolean | undefined
  }

/** Transactions of {@link depositToken}. */
export type DepositTokenReturnType = {
  /** L1 transaction that approved the transfer, or `null` if the allowance sufficed. */
  approval: Hash | null
  /** L1 transaction of the deposit. */
  hash: Hash
}

/**
 * Deposits tokens of L1 to the L2. Approves exactly the amount first, unless the allowance
 * suffices, and waits for that transaction.
 *
 * @param client - Client of L1 with an account.
 * @throws `ContractWalletDepositError`, `WrongChainError` and `WrongRollupError`, before anything
 * is sent. A revert of the bridge, such as `TokenNotRegistered` or `EscrowShort`, is decoded.
 */
export async function depositToken(
  client: SendClient,
  parameters: DepositTokenParameters,
): Promise<DepositTokenReturnType> {
  const { rollup, l1Token, amount, to, maxFee } = parameters
  const from = senderOf(client, parameters)
  const sender = addressOf(from)
  await requireL1(client, rollup)
  await requireContract(client, rollup, 'messageQueue')
  const bridge = await requireBridge(client, rollup)
  const { account, codeSize } = await controlledAccount(client, sender)
  if (to === undefined && account !== sender)
    throw new ContractWalletDepositError({ sender, codeSize })
  const target = to === 'alias' ? aliasAddressOf(sender) : (to ?? sender)

  const contract = { abi: l1TokenBridgeAbi, address: bridge } as const
  const gas =
    parameters.gas ?? (await readContract(client, { ...contract, functionName: 'DEPOSIT_GAS' }))
  const { messageQueue } = rollup.contracts
  const value =
    parameters.fee ?? offeredFee(await minimumMessageFee(client, messageQueue, gas, from), maxFee)
  const approval = await approveAmount(client, parameters, bridge, sender)
  const call = contractCall({
    ...contract,
    functionName: 'deposit',
    args: [l1Token, target, parameters.refundTo ?? account, amount, gas],
    value,
  })
  // A nonce of the caller applies to the first transaction.
  const following =
    approval && parameters.nonce !== undefined ? parameters.nonce + 1 : parameters.nonce
  const hash = await sendCall(client, rollup.l1, call, { ...parameters, nonce: following })
  return { approval, hash }
}

/** Approves the transfer to the bridge if necessary. */
async function approveAmount(
  client: SendClient,
  {
    rollup,
    l1Token,
    amount,
    approve = true,
    transactionGas,
    ...parameters
  }: DepositTokenParameters,
  bridge: Address,
  sender: Address,
): Promise<Hash | null> {
  const token = { abi: erc20Abi, address: l1Token } as const
  const allowance = await readContract(client, {
    ...token,
    functionName: 'allowance',
    args: [sender, bridge],
  })
  if (allowance >= amount || !approve) return null
  const call = contractCall({ ...token, functionName: 'approve', args: [bridge, amount] })
  const hash = await sendCall(client, rollup.l1, call, parameters)
  await waitForTransactionReceipt(client, { hash })
  return hash
}
