import { hexToBigInt, type Hex } from 'viem'
import type { ReadClient } from '../types/client.js'

/** Calls a JSON-RPC method that viem does not know. */
export async function request<T>(
  client: ReadClient,
  method: string,
  params: readonly unknown[],
): Promise<T> {
  return (await client.request({ method, params } as never)) as T
}

/** Converts a QUANTITY of an answer; `null` stays. */
export function quantity<T extends Hex | null | undefined>(
  value: T,
): T extends Hex ? bigint : bigint | null {
  return (value === null || value === undefined ? null : hexToBigInt(value)) as never
}
