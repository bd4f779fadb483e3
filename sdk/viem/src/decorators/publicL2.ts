import {
  buildInitiateWithdrawal,
  estimateInitiateWithdrawalGas,
} from '../actions/initiateWithdrawal.js'
import { getDepositStatus, waitForRelay } from '../actions/getDepositStatus.js'
import { estimateTotalFee } from '../actions/estimateTotalFee.js'
import { getForcedStatus, getForcedTransaction, waitForForced } from '../actions/getForcedStatus.js'
import { getMessage, listMessages } from '../actions/getMessage.js'
import { getBlockCost, getSyncStatus } from '../actions/getSyncStatus.js'
import {
  getL1Cost,
  getTransactionFinality,
  waitForFinality,
} from '../actions/getTransactionFinality.js'
import { getWithdrawalStatus } from '../actions/getWithdrawalStatus.js'
import { getWithdrawals } from '../actions/getMessages.js'
import type { ReadClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'
import { bind, type BoundActions } from './bind.js'

const actions = {
  buildInitiateWithdrawal,
  estimateInitiateWithdrawalGas,
  estimateTotalFee,
  getBlockCost,
  getDepositStatus,
  getForcedStatus,
  getForcedTransaction,
  getL1Cost,
  getMessage,
  getSyncStatus,
  getTransactionFinality,
  getWithdrawals,
  getWithdrawalStatus,
  listMessages,
  waitForFinality,
  waitForForced,
  waitForRelay,
}

/** Actions that read the L2, without the parameter `rollup`. */
export type PublicActionsL2 = BoundActions<typeof actions>

/**
 * Extends a client of the L2 by the actions that read the L2. All of them end up in a bundle;
 * import single actions where size matters.
 *
 * @example
 * const client = createPublicClient({ transport: http() }).extend(publicActionsL2({ rollup }))
 * const [withdrawal] = await client.getWithdrawals({ receipt })
 */
export function publicActionsL2({ rollup }: { rollup: Rollup }) {
  return (client: ReadClient): PublicActionsL2 => bind(actions, client, rollup)
}
