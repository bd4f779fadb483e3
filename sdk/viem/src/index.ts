/**
 * Actions for native rollups in the form of viem: `action(client, parameters)`. Actions of L1 take
 * a client of L1, actions of the L2 a client of the L2.
 *
 * @packageDocumentation
 */

export * from './actions/claimWithdrawal.js'
export {
  buildDepositTransaction,
  depositTransaction,
  estimateDepositTransactionGas,
  type DepositTransactionParameters,
} from './actions/depositTransaction.js'
export * from './actions/depositToken.js'
export * from './actions/estimateTotalFee.js'
export * from './actions/explainExecute.js'
export * from './actions/forceTransaction.js'
export {
  buildAliasCall,
  getAliasAccount,
  type AliasCall,
  type BuildAliasCallParameters,
  type GetAliasAccountParameters,
} from './actions/getAliasAccount.js'
export * from './actions/getDepositStatus.js'
export * from './actions/getExitBound.js'
export * from './actions/getForcedStatus.js'
export * from './actions/getHead.js'
export * from './actions/getMessage.js'
export * from './actions/getMessages.js'
export * from './actions/getRollup.js'
export * from './actions/getSyncStatus.js'
export * from './actions/getTokenPair.js'
export * from './actions/getTransactionFinality.js'
export * from './actions/getWithdrawalStatus.js'
export * from './actions/initiateTokenWithdrawal.js'
export * from './actions/initiateWithdrawal.js'
export { readRollup, type ReadRollupParameters } from './actions/readRollup.js'
export * from './actions/registerToken.js'
export * from './actions/retryMessage.js'
export { hashHeader, verifyHeader } from './actions/verifyHeader.js'
export type { RpcHeader, VerifiedHeader, VerifyHeaderParameters } from './actions/verifyHeader.js'
export { verifyAccount, verifyMessage, verifyStorage } from './actions/verifyMessage.js'
export type {
  VerifiedAccount,
  VerifiedStorage,
  VerifyAccountParameters,
  VerifyMessageParameters,
  VerifyParameters,
  VerifyStorageParameters,
} from './actions/verifyMessage.js'
export * from './actions/waitToClaim.js'
export * from './constants.js'
export type { Bound, BoundActions } from './decorators/bind.js'
export * from './decorators/publicL1.js'
export * from './decorators/publicL2.js'
export * from './decorators/walletL1.js'
export * from './decorators/walletL2.js'
export * from './errors/bridge.js'
export * from './errors/evidence.js'
export * from './types/client.js'
export * from './types/message.js'
export * from './types/rollup.js'
export type { RollupRpcSchema } from './types/rpc.js'
export { hashMessage } from './utils/message.js'
export type { WaitParameters } from './utils/poll.js'
export type { Call, TransactionParameters } from './utils/send.js'
export { emptyCodeHash, emptyTrieRoot, lookUpTrie, type TrieAccount } from './utils/trie.js'
