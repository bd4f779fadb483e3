// All tests that need a localnet, in one process with one localnet. The suites wait for blocks most
// of the time, so they run at once: each uses accounts of its own.

import { describe } from 'node:test'
import deposits from './suites/deposits.js'
import documented from './suites/documented.js'
import finality from './suites/finality.js'
import forced from './suites/forced.js'
import lies from './suites/lies.js'
import rollup from './suites/rollup.js'
import status from './suites/status.js'
import tokens from './suites/tokens.js'
import withdrawals from './suites/withdrawals.js'

const suites = { deposits, documented, forced, lies, rollup, status, tokens, withdrawals }
describe('localnet', { concurrency: Object.keys(suites).length }, () => {
  for (const [name, suite] of Object.entries(suites)) describe(name, { concurrency: 1 }, suite)
})

// Mines blocks, which moves the time of both chains: not beside others.
describe('finality', finality)
