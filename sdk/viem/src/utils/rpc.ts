import { BaseError, MethodNotFoundRpcError, hexToBigInt, numberToHex, type Hex } from 'viem'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'
import type { Quantity, RollupRpcSchema } from '../types/rpc.js'

type Entry = RollupRpcSchema[number]
type EntryOf<method extends Entry['Method']> = Extract<Entry, { Method: method }>

/** Calls a method of Enshrine's nodes, which viem does not know. */
export async function request<const method extends Entry['Method']>(
  client: ReadClient,
  method: method,
  params: EntryOf<method>['Parameters'],
): Promise<EntryOf<method>['ReturnType']> {
  return (await client.request({ method, params } as never)) as EntryOf<method>['ReturnType']
}

/** Returns a state that this version has a name for: none is `unknown` in the answer of a node. */
export function namedState<T extends string>(state: T): Exclude<T, 'unknown'> {
  return state as Exclude<T, 'unknown'>
}

/** Returns `true` if a node does not have the method, such as one that is no rollup node. */
export function isMissingMethod(error: unknown): boolean {
  return (
    error instanceof BaseError && error.walk((it) => it instanceof MethodNotFoundRpcError) !== null
  )
}

/** Converts a number of a response. */
export function quantity(value: Quantity): bigint {
  return hexToBigInt(value)
}

/** Converts a number of a response, and returns `null` unchanged. */
export function quantityOrNull(value: Quantity | null | undefined): bigint | null {
  return value === null || value === undefined ? null : quantity(value)
}

/** Converts a number of a response that is far below 2^53, such as a duration in seconds. */
export function smallQuantity(value: Quantity): number {
  const number = Number(quantity(value))
  if (Number.isSafeInteger(number)) return number
  throw new ProofMismatchError({
    at: 'value',
    reason: 'a number of the answer is too large',
    got: value,
    expected: 'at most 2^53',
  })
}

/** Encodes an index as a parameter. */
export function indexParameter(index: bigint): Hex {
  return numberToHex(index)
}
