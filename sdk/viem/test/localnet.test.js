// All tests that need a localnet, in one process with one localnet.

import './suites/rollup.js'
import './suites/deposits.js'
import './suites/withdrawals.js'
import './suites/tokens.js'
import './suites/forced.js'
import './suites/lies.js'
import './suites/documented.js'
