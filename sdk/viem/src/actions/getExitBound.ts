import type { ReadClient } from '../types/client.js'
import type { RollupParameter } from '../types/rollup.js'

/** Time to claim that `RollupRules` reserves, in seconds. */
const EXIT_MARGIN = 86_400

/** Maximum time of an exit without the operator, in seconds, and its parts. */
export type ExitBound = {
  /** Sum of the parts. */
  total: number
  /** From the submission of the forced transaction until a block must include it. */
  forcedDelay: number
  /** During which a full block may omit it. */
  forcedGrace: number
  /** Maximum age of a block when it is posted to L1. */
  maxLag: number
  /** Until any account may advance the rollup, twice: once for a silent sequencer, once for a block
   * that resolves older entries first. */
  openAfter: number
  /** For the claim on L1: a day, and the longest pause of a guardian. */
  claim: number
}

/**
 * Returns the time within which a user can leave the rollup without the operator, by the rules of
 * the contracts, if the queue of forced transactions is not longer than a block. It is shorter than
 * `rules.upgradeDelay`, so a user who rejects a change can leave before it. Sends no request.
 */
export async function getExitBound(
  _client: ReadClient,
  { rollup: { rules } }: RollupParameter,
): Promise<ExitBound> {
  const parts = {
    forcedDelay: rules.forced.delay,
    forcedGrace: rules.forced.grace,
    maxLag: rules.maxLag,
    openAfter: 2 * rules.openAfter,
    claim: EXIT_MARGIN + (rules.guardian?.pause ?? 0),
  }
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0)
  return { total, ...parts }
}
