import { decodeFunctionData, type Address, type Hash, type Hex } from 'viem'
import { readContract } from 'viem/actions'
import { claimsAbi } from '../abis/claims.js'
import { AlreadyClaimedError } from '../errors/bridge.js'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient, SendClient } from '../types/client.js'
import type { Message, MessageProof } from '../types/message.js'
import type { Rollup, RollupParameter } from '../types/rollup.js'
import { requireContract, requireL1, requireL2, requireSame } from '../utils/checks.js'
import { hashMessage, sentSlot } from '../utils/message.js'
import { indexParameter, request } from '../utils/rpc.js'
import {
  addressOf,
  contractCall,
  encodeCall,
  estimateCall,
  sendCall,
  senderOf,
  type Call,
  type ContractCall,
  type TransactionParameters,
} from '../utils/send.js'
import { readAccount, readSlot } from '../utils/trie.js'
import { getStateRoot } from './getHead.js'
import { requireMessage, verifyMessage } from './verifyMessage.js'

/** Parameters of {@link claimWithdrawal}, {@link buildClaim} and {@link estimateClaimGas}. */
export type ClaimWithdrawalParameters = RollupParameter &
  TransactionParameters & {
    /** Client of any L2 node, which is not trusted. */
    l2Client: ReadClient
    /** The message, as `getWithdrawals` returns it. */
    message: Message & { l2Block?: bigint | undefined }
    /** Account of L1 that receives the fee of the message [default: the sender]. */
    feeRecipient?: Address | undefined
    /**
     * Source of the proof: `eth_getProof` of any node, or `rollup_claimProof`, which builds the
     * whole call. Both are verified against L1 [default: `proof`].
     */
    source?: 'proof' | 'node' | undefined
    /** L2 block whose state proves the message [default: the newest block on L1]. */
    l2Block?: bigint | undefined
  }

async function claimCall(
  client: SendClient,
  parameters: ClaimWithdrawalParameters,
): Promise<ContractCall> {
  const { rollup, l2Client, source, l2Block } = parameters
  const { l2Block: sentIn, ...message } = parameters.message
  await Promise.all([requireL1(client, rollup), requireL2(l2Client, rollup)])
  await requireContract(client, rollup, 'messageQueue')
  await requireUnclaimed(client, rollup, message.index)
  const feeRecipient = parameters.feeRecipient ?? addressOf(senderOf(client, parameters))
  const wanted = { ...message, l2Block: sentIn }
  const proof =
    source === 'node'
      ? await proofOfNode(client, rollup, l2Client, message, feeRecipient)
      : await verifyMessage(client, { rollup, l2Client, message: wanted, l2Block })
  return contractCall({
    abi: claimsAbi,
    address: rollup.contracts.messageQueue,
    functionName: 'claim',
    args: [message, proof, feeRecipient],
  })
}

async function requireUnclaimed(client: ReadClient, rollup: Rollup, index: bigint): Promise<void> {
  const isClaimed = await readContract(client, {
    abi: claimsAbi,
    address: rollup.contracts.messageQueue,
    functionName: 'isClaimed',
    args: [index],
  })
  if (isClaimed) throw new AlreadyClaimedError({ index })
}

/**
 * Returns the proof in the call that the node has built, after verifying it against L1: the call is
 * decoded, and rebuilt from the caller's message.
 */
async function proofOfNode(
  client: ReadClient,
  rollup: Rollup,
  l2Client: ReadClient,
  message: Message,
  feeRecipient: Address,
): Promise<MessageProof> {
  const answer = await request(l2Client, 'rollup_claimProof', [
    indexParameter(message.index),
    feeRecipient,
  ])
  requireSame('messageQueue', answer.to, rollup.contracts.messageQueue)
  const [got, proof] = decodeClaim(answer.data)
  const expected = hashMessage(message)
  if (hashMessage(got) !== expected) {
    const reason = 'the call claims another message'
    throw new ProofMismatchError({ at: 'message', reason, got: hashMessage(got), expected })
  }
  const stateRoot = await getStateRoot(client, { rollup, l2Block: proof.l2Block })
  const account = readAccount(stateRoot, rollup.contracts.messenger, proof.accountProof)
  if (account?.storageRoot !== proof.storageRoot) {
    const reason = 'the call names another storage root'
    throw new ProofMismatchError({
      at: 'storage',
      reason,
      got: proof.storageRoot,
      expected: account?.storageRoot ?? null,
    })
  }
  requireMessage(
    message,
    readSlot(account.storageRoot, sentSlot(message.index), proof.storageProof),
  )
  return proof
}

function decodeClaim(data: Hex): readonly [Message, MessageProof, Address] {
  const expected = 'a call of claim'
  try {
    const call = decodeFunctionData({ abi: claimsAbi, data })
    if (call.functionName === 'claim') return call.args
  } catch (error) {
    const reason = 'the calldata cannot be decoded'
    throw new ProofMismatchError({
      at: 'calldata',
      reason,
      got: data.slice(0, 10),
      expected,
      cause: error as Error,
    })
  }
  const reason = 'the calldata is of another function'
  throw new ProofMismatchError({ at: 'calldata', reason, got: data.slice(0, 10), expected })
}

/**
 * Builds the call of L1 that {@link claimWithdrawal} sends, after verifying its proof.
 *
 * @param client - Client of L1.
 */
export async function buildClaim(
  client: SendClient,
  parameters: ClaimWithdrawalParameters,
): Promise<Call> {
  return encodeCall(await claimCall(client, parameters))
}

/**
 * Estimates the L1 gas of {@link claimWithdrawal}.
 *
 * @param client - Client of L1.
 */
export async function estimateClaimGas(
  client: SendClient,
  parameters: ClaimWithdrawalParameters,
): Promise<bigint> {
  return estimateCall(client, await claimCall(client, parameters), parameters)
}

/**
 * Claims a message from the L2 on L1: its target receives the ether and the call. Any account may
 * claim any message. The proof is verified against the state root on L1 before a wallet sees the
 * transaction, so an L2 node cannot change what is sent.
 *
 * @param client - Client of L1 with an account.
 * @returns Hash of the L1 transaction.
 * @throws `WithdrawalNotReadyError`, `AlreadyClaimedError`, `StateRootExpiredError`,
 * `ProofMismatchError`, `WrongChainError` and `WrongRollupError`, before anything is sent.
 *
 * @example
 * const [message] = await getWithdrawals(l2Client, { rollup, receipt })
 * await waitToClaim(l1Client, { rollup, l2Block: message.l2Block })
 * const hash = await claimWithdrawal(l1Client, { rollup, l2Client, message })
 */
export async function claimWithdrawal(
  client: SendClient,
  parameters: ClaimWithdrawalParameters,
): Promise<Hash> {
  const call = await claimCall(client, parameters)
  return sendCall(client, parameters.rollup.l1, call, parameters)
}
