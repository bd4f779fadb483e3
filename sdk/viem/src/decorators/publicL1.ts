import { buildClaim, estimateClaimGas } from '../actions/claimWithdrawal.js'
import {
  buildDepositTransaction,
  estimateDepositTransactionGas,
} from '../actions/depositTransaction.js'
import { explainExecute } from '../actions/explainExecute.js'
import {
  estimateForcedFee,
  getForced,
  suggestForcedFeeCap,
  suggestForcedGas,
} from '../actions/forceTransaction.js'
import { buildAliasCall, getAliasAccount } from '../actions/getAliasAccount.js'
import { getExitBound } from '../actions/getExitBound.js'
import { getHead, getStateRoot } from '../actions/getHead.js'
import { getMessages } from '../actions/getMessages.js'
import { getTokenPair } from '../actions/getTokenPair.js'
import { verifyHeader } from '../actions/verifyHeader.js'
import { verifyAccount, verifyMessage, verifyStorage } from '../actions/verifyMessage.js'
import { waitToClaim } from '../actions/waitToClaim.js'
import type { ReadClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'
import { bind, type BoundActions } from './bind.js'

const actions = {
  buildAliasCall,
  buildClaim,
  buildDepositTransaction,
  estimateClaimGas,
  estimateDepositTransactionGas,
  estimateForcedFee,
  explainExecute,
  getAliasAccount,
  getExitBound,
  getForced,
  getHead,
  getMessages,
  getStateRoot,
  getTokenPair,
  suggestForcedFeeCap,
  suggestForcedGas,
  verifyAccount,
  verifyHeader,
  verifyMessage,
  verifyStorage,
  waitToClaim,
}

/** Actions that read L1, without the parameter `rollup`. */
export type PublicActionsL1 = BoundActions<typeof actions>

/**
 * Extends a client of L1 by the actions that read L1. All of them end up in a bundle; import single
 * actions where size matters.
 *
 * @example
 * const client = createPublicClient({ transport: http() }).extend(publicActionsL1({ rollup }))
 * const { number } = await client.getHead()
 */
export function publicActionsL1({ rollup }: { rollup: Rollup }) {
  return (client: ReadClient): PublicActionsL1 => bind(actions, client, rollup)
}
