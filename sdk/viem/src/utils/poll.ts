import { WaitTimeoutError } from '../errors/evidence.js'
import type { ReadClient } from '../types/client.js'

/** Parameters of actions that wait. */
export type WaitParameters = {
  /** Milliseconds between two polls; by default that of the client. */
  pollingInterval?: number | undefined
  /** Milliseconds after which the action throws `WaitTimeoutError` [default: 600,000]. */
  timeout?: number | undefined
}

/** Result of one poll: the value to return, or the value found so far. */
export type Poll<T> = { done: T } | { got: string | bigint | null; expected: string | bigint }

/**
 * Polls until there is a result. A request that fails after the retries of the transport ends it.
 */
export async function poll<T>(
  client: ReadClient,
  what: string,
  parameters: WaitParameters,
  once: () => Promise<Poll<T>>,
): Promise<T> {
  const { pollingInterval = client.pollingInterval, timeout = 600_000 } = parameters
  const end = Date.now() + timeout
  for (;;) {
    const result = await once()
    if ('done' in result) return result.done
    if (Date.now() + pollingInterval > end) {
      throw new WaitTimeoutError({ what, timeout, got: result.got, expected: result.expected })
    }
    await new Promise((resolve) => setTimeout(resolve, pollingInterval))
  }
}
