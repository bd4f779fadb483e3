import { claimWithdrawal } from '../actions/claimWithdrawal.js'
import { depositToken } from '../actions/depositToken.js'
import { depositTransaction } from '../actions/depositTransaction.js'
import { forceTransaction } from '../actions/forceTransaction.js'
import { registerToken } from '../actions/registerToken.js'
import type { SendClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'
import { bind, type BoundActions } from './bind.js'

const actions = {
  claimWithdrawal,
  depositToken,
  depositTransaction,
  forceTransaction,
  registerToken,
}

/** Actions that send transactions to L1, without the parameter `rollup`. */
export type WalletActionsL1 = BoundActions<typeof actions>

/**
 * Extends a client of L1 by the actions that send transactions to L1.
 *
 * @example const client = createWalletClient({ account, transport: http()
 * }).extend(walletActionsL1({ rollup })) const hash = await client.depositTransaction({ value:
 * parseEther('1') })
 */
export function walletActionsL1({ rollup }: { rollup: Rollup }) {
  return (client: SendClient): WalletActionsL1 => bind(actions, client, rollup)
}
