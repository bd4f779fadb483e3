import { BaseError, MethodNotFoundRpcError, hexToBigInt, numberToHex, type Hex } from 'viem'
import { ProofMismatchError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'

/** Calls a JSON-RPC method that viem does not know. */
export async function request<T>(
  client: ReadClient,
  method: string,
  params: readonly unknown[],
): Promise<T> {
  return (await client.request({ method, params } as never)) as T
}

/** Returns `true` if a node does not have the method, such as one that is no rollup node. */
export function isMissingMethod(error: unknown): boolean {
  return (
    error instanceof BaseError && error.walk((it) => it instanceof MethodNotFoundRpcError) !== null
  )
}

/** Numbers of an answer: QUANTITY, or a JSON number of a node before RPC version 1. */
export type Quantity = Hex | number

/** Converts a number of an answer. */
export function quantity(value: Quantity): bigint {
  return typeof value === 'number' ? BigInt(value) : hexToBigInt(value)
}

/** Converts a number of an answer; `null` stays. */
export function quantityOrNull(value: Quantity | null | undefined): bigint | null {
  return value === null || value === undefined ? null : quantity(value)
}

/** Converts a number of an answer that is far below 2^53, such as a duration in seconds. */
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
