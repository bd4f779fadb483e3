import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until a condition holds, for at most two minutes. */
export async function until(condition) {
  for (let tries = 0; tries < 1_200; tries += 1) {
    if (await condition()) return
    await sleep(100)
  }
  throw new Error(`still not: ${condition}`)
}
