import { BaseError } from 'viem'

/** Value that was found, and the expected value. */
export type Evidence = {
  /** Value that was found. */
  got: string | number | bigint | null
  /** Value that was expected. */
  expected: string | number | bigint | null
}

/** Options that an error passes on to viem's `BaseError`. */
export type EvidenceOptions = {
  /** Error that caused this one. */
  cause?: Error | undefined
  /** Further lines for the message. */
  metaMessages?: string[] | undefined
  /** Page of the documentation. */
  docsPath?: string | undefined
}

/** An error with evidence: the base of all errors of this package. */
export class EvidenceError extends BaseError {
  /** Value that was found. */
  readonly got: Evidence['got']
  /** Value that was expected. */
  readonly expected: Evidence['expected']

  constructor(shortMessage: string, evidence: Evidence, options: EvidenceOptions = {}) {
    const { cause, docsPath, metaMessages = [] } = options
    super(shortMessage, {
      docsBaseUrl: 'https://github.com/enshrine-rollups/enshrine/blob/main',
      docsPath: docsPath ?? '/docs/sdk.md',
      metaMessages: [
        ...metaMessages,
        `got:      ${evidence.got}`,
        `expected: ${evidence.expected}`,
      ],
      name: 'EvidenceError',
      ...(cause ? { cause } : {}),
    } as ConstructorParameters<typeof BaseError>[1])
    this.got = evidence.got
    this.expected = evidence.expected
  }
}

/** The node is of another chain than the rollup's. Nothing was sent. */
export class WrongChainError extends EvidenceError {
  override name = 'WrongChainError'

  constructor({ layer, got, expected }: { layer: 'L1' | 'L2'; got: number; expected: number }) {
    super(`The node is not of the ${layer} of this rollup: it has another chain id.`, {
      got,
      expected,
    })
  }
}

/** A contract, a node or a transaction belongs to another rollup. Nothing was sent. */
export class WrongRollupError extends EvidenceError {
  override name = 'WrongRollupError'
  /** What differs, such as `messageQueue`. */
  readonly what: string

  constructor({ what, got, expected }: { what: string } & Evidence) {
    super(`This is another rollup: its ${what} differs.`, { got, expected })
    this.what = what
  }
}

/** Place at which a proof fails. */
export type ProofPlace =
  'stateRoot' | 'header' | 'account' | 'storage' | 'value' | 'message' | 'calldata'

/**
 * The response of a node is not what L1 proves: the node is faulty or malicious. Nothing was sent.
 */
export class ProofMismatchError extends EvidenceError {
  override name = 'ProofMismatchError'
  /** Place at which the proof fails. */
  readonly at: ProofPlace

  constructor({
    at,
    reason,
    got,
    expected,
    cause,
  }: { at: ProofPlace; reason: string; cause?: Error | undefined } & Evidence) {
    super(`The node did not prove the ${at}: ${reason}.`, { got, expected }, { cause })
    this.at = at
  }
}

/** A waiting action reached its timeout. Nothing is lost; the action can be called again. */
export class WaitTimeoutError extends EvidenceError {
  override name = 'WaitTimeoutError'

  constructor({ what, got, expected, timeout }: { what: string; timeout: number } & Evidence) {
    super(`Timed out after ${timeout} ms while waiting for ${what}.`, { got, expected })
  }
}
