// The localnet of a test run, and clients of both of its chains.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { readRollup } from '@enshrine/viem'
import { localnet, localnetL1 } from '@enshrine/viem/chains'

/** Seconds until a start counts as failed, on a busy machine. */
const START_SECONDS = 120

/** Starts `enshrine localnet` on free ports. The test run fails without ENSHRINE_BIN. */
export async function startLocalnet(...flags) {
  const program = process.env.ENSHRINE_BIN
  if (!program) throw new Error('set ENSHRINE_BIN to the path of the enshrine binary')
  const folder = mkdtempSync(join(tmpdir(), 'enshrine-viem-'))
  const ready = join(folder, 'ready.json')
  const options = ['localnet', '--l1-port', '0', '--l2-port', '0', '--json', '--ready-file', ready]
  const child = spawn(program, [...options, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] })
  // Also if the process ends by an error, after which nothing awaits the end of the localnet.
  process.once('exit', () => child.kill('SIGTERM'))
  let log = ''
  child.stderr.on('data', (data) => {
    log = (log + data).slice(-10_000)
  })
  const ended = new Promise((resolve) => {
    child.once('exit', resolve)
    child.once('error', resolve)
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  for (let tries = 0; !existsSync(ready); tries += 1) {
    const isOver = child.exitCode !== null || child.signalCode !== null
    if (isOver || tries > START_SECONDS * 20) {
      await stop()
      throw new Error(`enshrine localnet did not start: ${log}`)
    }
    await sleep(50)
  }
  const info = JSON.parse(readFileSync(ready, 'utf8'))
  return { info, ready, stop }
}

const { info, ready, stop } = await startLocalnet()
after(stop)

/** Path of its ready file. */
export const readyFile = ready

/** What the localnet has written to its ready file. */
export const net = info

/** Milliseconds between two polls. */
const pollingInterval = 100

/**
 * Times that viem repeats a request, with growing delays: on a busy machine, the sequencer refuses
 * transactions while too many blocks wait for L1, and asks to send them again later.
 */
const retryCount = 8

/** Returns a client of L1, with the account of this number unless it is `undefined`. */
export function l1(account, url = net.l1Url, retries = retryCount) {
  return createClient({
    ...accountOf(account),
    chain: localnetL1,
    pollingInterval,
    transport: http(url, { retryCount: retries }),
  })
}

/** Returns a client of the L2, with the account of this number unless it is `undefined`. */
export function l2(account, url = net.l2Url) {
  return createClient({
    ...accountOf(account),
    chain: localnet,
    pollingInterval,
    transport: http(url, { retryCount }),
  })
}

function accountOf(number) {
  return number === undefined ? {} : { account: privateKeyToAccount(net.accounts[number].key) }
}

/** The rollup, as L1 alone describes it. */
export const rollup = await readRollup(l1(), {
  address: net.contracts.rollup,
  l1Bridge: net.contracts.l1Bridge,
})
