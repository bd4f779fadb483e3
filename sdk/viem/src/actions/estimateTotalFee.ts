import type { EstimateGasParameters } from 'viem'
import { estimateGas, getGasPrice } from 'viem/actions'
import type { ReadClient } from '../types/client.js'

/** Parameters of {@link estimateTotalFee}: those of viem's `estimateGas`. */
export type EstimateTotalFeeParameters = EstimateGasParameters

/**
 * Estimates what a transaction of the L2 costs its sender, in wei: its gas at the present price. A
 * native rollup charges no separate fee for L1.
 *
 * @param client - Client of the L2.
 */
export async function estimateTotalFee(
  client: ReadClient,
  parameters: EstimateTotalFeeParameters,
): Promise<bigint> {
  const [gas, price] = await Promise.all([estimateGas(client, parameters), getGasPrice(client)])
  return gas * price
}
