import { keccak256, numberToHex, toHex, toRlp, type Hex } from 'viem'
import { getContractEvents, readContract } from 'viem/actions'
import { rollupAbi } from '../abis/rollup.js'
import { WithdrawalNotReadyError } from '../errors/bridge.js'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import { requireL2 } from '../utils/checks.js'
import { getHead } from './getHead.js'
import type { VerifyParameters } from './verifyMessage.js'

/** Fields of a header in the order of its RLP; those from Amsterdam on are absent before it. */
const FIELDS = [
  ['parentHash', 'data'],
  ['sha3Uncles', 'data'],
  ['miner', 'data'],
  ['stateRoot', 'data'],
  ['transactionsRoot', 'data'],
  ['receiptsRoot', 'data'],
  ['logsBloom', 'data'],
  ['difficulty', 'quantity'],
  ['number', 'quantity'],
  ['gasLimit', 'quantity'],
  ['gasUsed', 'quantity'],
  ['timestamp', 'quantity'],
  ['extraData', 'data'],
  ['mixHash', 'data'],
  ['nonce', 'data'],
  ['baseFeePerGas', 'quantity'],
  ['withdrawalsRoot', 'data'],
  ['blobGasUsed', 'quantity'],
  ['excessBlobGas', 'quantity'],
  ['parentBeaconBlockRoot', 'data'],
  ['requestsHash', 'data'],
  ['blockAccessListHash', 'data'],
  ['slotNumber', 'quantity'],
] as const

/** A header as JSON-RPC returns it. */
export type RpcHeader = Partial<Record<(typeof FIELDS)[number][0], Hex>> & Record<string, unknown>

/** Returns the hash of a header, computed from its fields. */
export function hashHeader(header: RpcHeader): Hex {
  const items: Hex[] = []
  for (const [name, kind] of FIELDS) {
    const value = header[name]
    if (value === undefined || value === null) break
    if (kind === 'data') items.push(value)
    else items.push(BigInt(value) === 0n ? '0x' : toHex(BigInt(value)))
  }
  return keccak256(toRlp(items.map(padded)))
}

/** Returns a number with whole bytes, as RLP needs it. */
function padded(bytes: Hex): Hex {
  return bytes.length % 2 === 0 ? bytes : `0x0${bytes.slice(2)}`
}

/** Parameters of {@link verifyHeader}. */
export type VerifyHeaderParameters = VerifyParameters & {
  /**
   * First L1 block whose events are searched for the L2 block, unless it is the head [default: 0].
   */
  fromBlock?: bigint | undefined
}

/** A header that L1 has verified. */
export type VerifiedHeader = {
  /** Number of the L2 block. */
  l2Block: bigint
  /** Hash of the L2 block, from L1. */
  hash: Hex
  /** The header as the node returns it, whose fields hash to `hash`. */
  header: RpcHeader
}

/**
 * Reads a header of the L2 from a node that is not trusted, hashes its fields, and compares the
 * hash with the one that L1 has executed.
 *
 * @param client - Client of L1.
 * @throws `ProofMismatchError` if the node has another header, and `WithdrawalNotReadyError` if L1
 * does not have the block yet.
 */
export async function verifyHeader(
  client: ReadClient,
  { rollup, l2Client, fromBlock = 0n, ...parameters }: VerifyHeaderParameters,
): Promise<VerifiedHeader> {
  await requireL2(l2Client, rollup)
  const head = await getHead(client, { rollup })
  const l2Block = parameters.l2Block ?? head.number
  if (l2Block > head.number) throw new WithdrawalNotReadyError({ l2Block, safeHead: head.number })
  const header = (await l2Client.request({
    method: 'eth_getBlockByNumber',
    params: [numberToHex(l2Block), false],
  })) as RpcHeader | null
  const contract = { abi: rollupAbi, address: rollup.contracts.rollup } as const
  const events = await getContractEvents(client, {
    ...contract,
    eventName: 'BlockAdded',
    args: { number: l2Block },
    fromBlock,
    toBlock: 'latest',
  })
  const hash =
    events.at(-1)?.args.blockHash ??
    (await readContract(client, { ...contract, functionName: 'blockHash' }))
  const got = header && hashHeader(header)
  if (header === null || got !== hash) {
    const reason =
      header === null ? 'the node does not have the block' : 'its fields hash to another value'
    throw new ProofMismatchError({ at: 'header', reason, got, expected: hash })
  }
  return { l2Block, hash, header }
}
