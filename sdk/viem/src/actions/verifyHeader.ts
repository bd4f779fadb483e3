import { isHex, keccak256, numberToHex, toRlp, type Hex } from 'viem'
import { getContractEvents, readContract } from 'viem/actions'
import { rollupAbi } from '../abis/rollup.js'
import { BlockEventMissingError, WithdrawalNotReadyError } from '../errors/bridge.js'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'
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

type Field = (typeof FIELDS)[number][0]

/** A header as JSON-RPC returns it. */
export type RpcHeader = Partial<Record<Field, Hex>> & Record<string, unknown>

/** Returns the hash of a header, computed from its fields. */
export function hashHeader(header: RpcHeader): Hex {
  return readHeader(header).hash
}

/** Returns the fields of a header that its hash covers, and the hash. */
function readHeader(header: RpcHeader): { fields: Partial<Record<Field, Hex>>; hash: Hex } {
  const fields: Partial<Record<Field, Hex>> = {}
  const items: Hex[] = []
  for (const [name, kind] of FIELDS) {
    const value = header[name]
    if (value === undefined || value === null) break
    if (kind === 'data') {
      // `toRlp` skips the first two characters, whatever they are.
      if (!isHex(value)) throw new TypeError(`${name} is not hexadecimal: ${value}`)
      const bytes = padded(value)
      fields[name] = bytes
      items.push(bytes)
    } else {
      const number = BigInt(value)
      fields[name] = numberToHex(number)
      items.push(number === 0n ? '0x' : padded(numberToHex(number)))
    }
  }
  return { fields, hash: keccak256(toRlp(items)) }
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
  /** The fields that hash to `hash`, without any others that the node returned. */
  header: Partial<Record<Field, Hex>>
}

/**
 * Reads a header of the L2 from a node that is not trusted, hashes its fields, and compares the
 * hash with the one that L1 has executed.
 *
 * @param client - Client of L1.
 * @throws `ProofMismatchError` if the node has another header, `WithdrawalNotReadyError` if L1 does
 * not have the block yet, and `BlockEventMissingError` if L1 returns no event of it.
 */
export async function verifyHeader(
  client: ReadClient,
  { rollup, l2Client, fromBlock = 0n, ...parameters }: VerifyHeaderParameters,
): Promise<VerifiedHeader> {
  await requireL2(l2Client, rollup)
  const head = await getHead(client, { rollup })
  const l2Block = parameters.l2Block ?? head.number
  if (l2Block > head.number) throw new WithdrawalNotReadyError({ l2Block, safeHead: head.number })
  const hash = await hashOnL1(client, { rollup, l2Block, fromBlock })
  const answer = (await l2Client.request({
    method: 'eth_getBlockByNumber',
    params: [numberToHex(l2Block), false],
  })) as RpcHeader | null
  const fail = (reason: string, got: Hex | null, cause?: Error): never => {
    throw new ProofMismatchError({ at: 'header', reason, got, expected: hash, cause })
  }
  if (answer === null) return fail('the node does not have the block', null)
  let read: ReturnType<typeof readHeader>
  try {
    read = readHeader(answer)
  } catch (error) {
    return fail('a field is malformed', null, error as Error)
  }
  const { fields: header, hash: got } = read
  if (got !== hash) return fail('its fields hash to another value', got)
  if (header.number === undefined || BigInt(header.number) !== l2Block) {
    return fail(`it is the header of block ${header.number}, not of block ${l2Block}`, got)
  }
  return { l2Block, hash, header }
}

/** Returns the hash of an L2 block from its event on L1, or from the head. */
async function hashOnL1(
  client: ReadClient,
  { rollup, l2Block, fromBlock }: RollupParameter & { l2Block: bigint; fromBlock: bigint },
): Promise<Hex> {
  const contract = { abi: rollupAbi, address: rollup.contracts.rollup } as const
  const events = await getContractEvents(client, {
    ...contract,
    eventName: 'BlockAdded',
    args: { number: l2Block },
    fromBlock,
    toBlock: 'latest',
  })
  const found = events.at(-1)?.args.blockHash
  if (found !== undefined) return found
  // The hash is that of the head, which may be another block by now.
  const hash = await readContract(client, { ...contract, functionName: 'blockHash' })
  const head = await getHead(client, { rollup })
  if (head.number !== l2Block) throw new BlockEventMissingError({ l2Block, fromBlock })
  return hash
}
