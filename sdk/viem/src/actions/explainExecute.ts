import type { Address, Hash, Hex } from 'viem'
import type { ReadClient } from '../types/client.js'
import { quantity, request, smallQuantity } from '../utils/rpc.js'

/** A call of EXECUTE in a transaction. */
export type ExecuteCall = {
  /** Address of the precompile. */
  address: Address
  /** Calling convention. */
  dialect: string
  /** Length of the input, in bytes. */
  calldataBytes: number
  /** Gas that the call received. */
  gas: bigint
  /** Gas that it used. */
  gasUsed: bigint
  /** `valid`, `refused`, `outOfGas` or `internal`. */
  verdict: string
  /** Reason why the input was rejected, or `null`. */
  reason: string | null
  /** Kind of the reason in one word, or `null`. */
  kind: string | null
  /** Result of the call, or `null`. */
  output: Hex | null
}

/** Parameters of {@link explainExecute}. */
export type ExplainExecuteParameters = {
  /** Hash of the L1 transaction. */
  hash: Hash
}

/**
 * Returns the calls of EXECUTE in a transaction, with verdict, reason and gas.
 *
 * @param client - Client of an L1 node of Enshrine, such as the devnet.
 */
export async function explainExecute(
  client: ReadClient,
  { hash }: ExplainExecuteParameters,
): Promise<ExecuteCall[]> {
  const calls = await request(client, 'enshrine_explainExecute', [hash])
  return calls.map(({ gas, gasUsed, ...call }) => ({
    address: call.address,
    dialect: call.dialect,
    calldataBytes: smallQuantity(call.calldataBytes),
    gas: quantity(gas),
    gasUsed: quantity(gasUsed),
    verdict: call.verdict,
    reason: call.reason,
    kind: call.kind,
    output: call.output,
  }))
}
