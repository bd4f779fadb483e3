// Compiled by `npm run typecheck`, never run: a call of each action.

import * as sdk from '@enshrine/viem'
import type { Message, Rollup } from '@enshrine/viem'
import type { Address, Client, Hash, Hex, TransactionReceipt } from 'viem'

declare const l1Client: Client
declare const l2Client: Client
declare const rollup: Rollup
declare const receipt: TransactionReceipt
declare const address: Address
declare const hash: Hash
declare const serializedTransaction: Hex
declare const sent: Message

export async function reads() {
  await sdk.readRollup(l1Client, { address, l1Bridge: address })
  await sdk.getRollup(l2Client, { l1Client, address })
  await sdk.getHead(l1Client, { rollup, blockTag: 'finalized' })
  await sdk.getStateRoot(l1Client, { rollup, l2Block: 1n })
  await sdk.getExitBound(l1Client, { rollup })
  await sdk.getSyncStatus(l2Client)
  await sdk.getBlockCost(l2Client, { block: 1n })
  await sdk.getL1Cost(l2Client, { hash })
  await sdk.estimateTotalFee(l2Client, { account: address, to: address, value: 1n })
  await sdk.explainExecute(l1Client, { hash })
  await sdk.getTransactionFinality(l2Client, { hash })
  await sdk.waitForFinality(l2Client, { hash, finality: 'finalized', timeout: 60_000 })
}

export async function messagesIn() {
  const deposit = { rollup, account: address, to: 'alias', value: 1n, maxFee: 10n } as const
  await sdk.estimateDepositTransactionGas(l1Client, deposit)
  await sdk.buildDepositTransaction(l1Client, deposit)
  await sdk.depositTransaction(l1Client, deposit)
  const [message] = await sdk.getMessages(l1Client, { rollup, receipt })
  if (!message) return
  await sdk.getDepositStatus(l2Client, { rollup, message })
  await sdk.waitForRelay(l2Client, { rollup, message, pollingInterval: 100 })
  await sdk.retryMessage(l2Client, { rollup, account: address, message })
  await sdk.deliverParked(l2Client, { rollup, account: address, message })
  await sdk.refundMessage(l2Client, { rollup, account: address, message, recipient: address })
  await sdk.refundToL1(l2Client, { rollup, account: address, message, recipient: address })
  await sdk.getMessage(l2Client, { direction: 'l1ToL2', index: message.index })
  await sdk.listMessages(l2Client, { direction: 'l2ToL1', account: address, limit: 100 })
}

export async function messagesOut() {
  const withdrawal = { rollup, account: address, value: 1n, refundTo: address }
  await sdk.estimateInitiateWithdrawalGas(l2Client, withdrawal)
  await sdk.buildInitiateWithdrawal(l2Client, withdrawal)
  await sdk.initiateWithdrawal(l2Client, withdrawal)
  const [message] = await sdk.getWithdrawals(l2Client, { rollup, receipt })
  if (!message) return
  await sdk.getWithdrawalStatus(l2Client, { rollup, message, l1Client })
  await sdk.waitToClaim(l1Client, { rollup, l2Block: message.l2Block, finality: 'safe' })
  const claim = { rollup, account: address, l2Client, message, feeRecipient: address }
  await sdk.estimateClaimGas(l1Client, claim)
  await sdk.buildClaim(l1Client, claim)
  await sdk.claimWithdrawal(l1Client, { ...claim, source: 'node' })
}

export async function tokens() {
  const l1Token = address
  await sdk.registerToken(l1Client, { rollup, account: address, l1Token })
  await sdk.getTokenPair(l1Client, { rollup, l1Token })
  await sdk.depositToken(l1Client, { rollup, account: address, l1Token, amount: 1n })
  await sdk.initiateTokenWithdrawal(l2Client, { rollup, account: address, l1Token, amount: 1n })
}

export async function withoutTheOperator() {
  await sdk.suggestForcedFeeCap(l1Client, { rollup })
  await sdk.suggestForcedGas(l1Client, { rollup, data: '0x00', gas: 21_000n })
  await sdk.estimateForcedFee(l1Client, { rollup, serializedTransaction, account: address })
  await sdk.forceTransaction(l1Client, { rollup, account: address, serializedTransaction })
  const [forced] = await sdk.getForced(l1Client, { rollup, receipt })
  if (!forced) return
  await sdk.getForcedStatus(l2Client, { index: forced.index })
  await sdk.getForcedTransaction(l2Client, { index: forced.index })
  await sdk.waitForForced(l2Client, { index: forced.index })
}

export async function contractsOfL1() {
  await sdk.getAliasAccount(l1Client, { address })
  await sdk.buildAliasCall(l1Client, { rollup, calls: [{ to: address, value: 1n }] })
}

export async function checks() {
  await sdk.verifyHeader(l1Client, { rollup, l2Client })
  await sdk.verifyAccount(l1Client, { rollup, l2Client, address })
  await sdk.verifyStorage(l1Client, { rollup, l2Client, address, slot: hash })
  await sdk.verifyMessage(l1Client, { rollup, l2Client, message: sent })
  sdk.hashMessage(sent)
  sdk.hashHeader({})
  sdk.lookUpTrie(hash, hash, [], 'account')
}
