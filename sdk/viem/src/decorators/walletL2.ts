import { initiateTokenWithdrawal } from '../actions/initiateTokenWithdrawal.js'
import { initiateWithdrawal } from '../actions/initiateWithdrawal.js'
import { deliverParked, refundMessage, refundToL1, retryMessage } from '../actions/retryMessage.js'
import type { SendClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'
import { bind, type BoundActions } from './bind.js'

const actions = {
  deliverParked,
  initiateTokenWithdrawal,
  initiateWithdrawal,
  refundMessage,
  refundToL1,
  retryMessage,
}

/** Actions that send transactions to the L2, without the parameter `rollup`. */
export type WalletActionsL2 = BoundActions<typeof actions>

/**
 * Extends a client of the L2 by the actions that send transactions to the L2.
 *
 * @example const client = createWalletClient({ account, transport: http()
 * }).extend(walletActionsL2({ rollup })) const hash = await client.initiateWithdrawal({ value:
 * parseEther('0.5') })
 */
export function walletActionsL2({ rollup }: { rollup: Rollup }) {
  return (client: SendClient): WalletActionsL2 => bind(actions, client, rollup)
}
