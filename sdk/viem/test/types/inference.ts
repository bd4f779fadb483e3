// Compiled by `npm run typecheck`, never run: what TypeScript infers for users of the package.

import {
  claimWithdrawal,
  depositTransaction,
  getHead,
  getWithdrawals,
  hashMessage,
  publicActionsL1,
  publicActionsL2,
  readRollup,
  walletActionsL1,
  walletActionsL2,
  type DepositStatus,
  type MessageProof,
  type Rollup,
  type RollupRpcSchema,
  type Withdrawal,
} from '@enshrine/viem'
import { localnet, localnetL1 } from '@enshrine/viem/chains'
import {
  createClient,
  createPublicClient,
  createWalletClient,
  http,
  parseEther,
  rpcSchema,
  type Chain,
  type Hash,
  type Hex,
  type TransactionReceipt,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <T extends true>(): T => true as T

const account = mnemonicToAccount('test test test test test test test test test test test junk')
const transport = http()
const bare = createClient({ transport })
const l1 = createWalletClient({ account, chain: localnetL1, transport })
const l2 = createPublicClient({ chain: localnet, transport })
declare const receipt: TransactionReceipt

export async function clientsOfAnyKind() {
  const rollup = await readRollup(bare, { address: '0x00000000000000000000000000000000000000aa' })
  holds<Equal<typeof rollup, Rollup>>()
  holds<Equal<typeof rollup.l2, Chain>>()
  const hash = await depositTransaction(l1, { rollup, value: parseEther('1') })
  holds<Equal<typeof hash, Hash>>()
  const [withdrawal] = await getWithdrawals(l2, { rollup, receipt })
  holds<Equal<typeof withdrawal, Withdrawal | undefined>>()
  if (!withdrawal) return
  holds<Equal<ReturnType<typeof hashMessage>, Hash>>()
  await claimWithdrawal(l1, { rollup, l2Client: l2, message: withdrawal, source: 'node' })
  const { number } = await getHead(bare, { rollup, blockTag: 'finalized' })
  holds<Equal<typeof number, bigint>>()
}

export async function decoratedClients(rollup: Rollup) {
  const reader = createPublicClient({ transport }).extend(publicActionsL1({ rollup }))
  // Without further parameters, none need be given.
  const head = await reader.getHead()
  holds<Equal<typeof head.messageCount, bigint>>()
  const messages = await reader.getMessages({ receipt })
  const wallet = l1.extend(walletActionsL1({ rollup }))
  await wallet.depositTransaction({ to: 'alias', value: 1n })
  const l2Wallet = createWalletClient({ account, transport })
    .extend(walletActionsL2({ rollup }))
    .extend(publicActionsL2({ rollup }))
  await l2Wallet.retryMessage({ message: messages[0]! })
  const proof = await reader.verifyMessage({ l2Client: l2, message: messages[0]! })
  holds<Equal<typeof proof, MessageProof>>()
}

export async function methodsOfNodes() {
  const node = createClient({ transport, rpcSchema: rpcSchema<RollupRpcSchema>() })
  const message = await node.request({ method: 'rollup_getMessage', params: ['l1ToL2', '0x0'] })
  if (message === null) return
  const { index, deadline, failure } = message
  holds<Equal<typeof index, Hex>>()
  holds<Equal<typeof deadline, Hex | null>>()
  holds<Equal<typeof failure, { reason: Hex } | null>>()
  // @ts-expect-error no such direction
  await node.request({ method: 'rollup_getMessage', params: ['l1ToL3', '0x0'] })
  // @ts-expect-error integers are QUANTITY
  await node.request({ method: 'rollup_getMessage', params: ['l1ToL2', 0] })
}

export async function mistakes(rollup: Rollup) {
  // @ts-expect-error the rollup is missing
  await depositTransaction(l1, { value: 1n })
  // @ts-expect-error amounts are bigints
  await depositTransaction(l1, { rollup, value: 1 })
  // @ts-expect-error no such target
  await depositTransaction(l1, { rollup, to: 'self' })
  // @ts-expect-error the L2 client is missing
  await claimWithdrawal(l1, { rollup, message: {} as Withdrawal })
  // @ts-expect-error a message is required
  await l1.extend(walletActionsL2({ rollup })).retryMessage()
}

export const statuses: DepositStatus[] = [
  'sent',
  'anchored',
  'relayed',
  'failed',
  'parked',
  'refunded',
]
