// Writes src/abis/ from the output of `forge build`: of each interface, only the entries that the
// actions use. `--check` compares instead, and fails if a file is out of date.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const out = join(here, '../../../out')
const abis = join(here, '../src/abis')

/**
 * Functions, events and errors by interface: errors, so that the reason of a revert is decoded, and
 * under `also` those of contracts that it calls.
 */
const WANTED = [
  {
    file: 'rollup',
    interface: 'IRollup',
    about: 'Head, state roots and delays of a rollup.',
    entries: [
      'head',
      'baseFee',
      'blockHash',
      'stateRootAt',
      'policy',
      'owner',
      'CHAIN_ID',
      'MESSAGE_QUEUE',
      'FORCED',
      'MAX_LAG',
      'OPEN_AFTER',
      'RELAY_DEADLINE',
      'UPGRADE_DELAY',
      'STATE_ROOTS',
      'BlockAdded',
      'StateRootUnavailable',
    ],
  },
  {
    file: 'sequencing',
    interface: 'HybridSequencing',
    about: 'Bond and times of a sequencing policy.',
    entries: ['TIMEOUT', 'BONDS', 'MIN_BOND', 'POST_DELAY'],
  },
  {
    file: 'messageQueue',
    interface: 'IL1MessageQueue',
    about: 'Messages to the L2.',
    entries: [
      'send',
      'minimumFee',
      'MessageSent',
      'isClaimed',
      'paused',
      'guardian',
      'ROLLUP',
      'EXIT_CONTRACT',
      'MAX_GAS',
      'MAX_DATA',
      'FEE_PERCENT',
      'QueueClosed',
      'SendPaused',
      'CapsTooHigh',
      'TargetForbidden',
      'GasLimitTooHigh',
      'DataTooLong',
      'FeeTooLow',
      'FeeAboveValue',
      'ValueTooLarge',
      'CheckpointsExhausted',
    ],
  },
  {
    file: 'claims',
    interface: 'IL1MessageQueue',
    about: 'Claims of messages from the L2.',
    also: { IRollup: ['StateRootUnavailable'] },
    entries: [
      'claim',
      'refund',
      'isClaimed',
      'MessageClaimed',
      'MessageRefunded',
      'ClaimDelayed',
      'TargetForbidden',
      'Reentrancy',
      'AlreadyClaimed',
      'MessageNotSent',
      'StorageRootUnknown',
      'StorageRootMismatch',
      'TargetWithoutCode',
      'DeliveryFailed',
      'NotRefundable',
      'ReleaseFailed',
    ],
  },
  {
    file: 'messenger',
    interface: 'IL2Messenger',
    about: 'Messages of the L2 in both directions.',
    entries: [
      'send',
      'retry',
      'refund',
      'refundToL1',
      'relayed',
      'isFailed',
      'isParked',
      'sentCount',
      'sent',
      'MessageSent',
      'MessageDelivered',
      'MessageFailed',
      'MessageParked',
      'MessageRefunded',
      'Reentrancy',
      'GasLimitTooHigh',
      'DataTooLong',
      'FeeAboveValue',
      'ValueTooLarge',
      'FeeTransferFailed',
      'NotFailed',
      'RetryFailed',
      'NotRefundable',
      'RefundFailed',
    ],
  },
  {
    file: 'forcedInbox',
    interface: 'IForcedInbox',
    about: 'Forced transactions.',
    entries: [
      'submit',
      'commitment',
      'count',
      'minimumGas',
      'minimumFee',
      'footprintOf',
      'ROLLUP',
      'CHAIN_ID',
      'DELAY',
      'GRACE',
      'EXPIRY',
      'MAX_GAS',
      'MAX_BOUNDED_GAS',
      'MAX_SIZE',
      'FEE_CAP_MARGIN',
      'FEE_CAP_FLOOR',
      'ForcedSubmitted',
      'ForcedDischarged',
      'TransactionTooLong',
      'ForcedGasTooHigh',
      'ForcedGasTooLow',
      'ForcedFeeTooLow',
      'ChangeRefused',
      'NotForceable',
      'TargetIsPrecompile',
    ],
  },
  {
    file: 'l1TokenBridge',
    interface: 'IL1TokenBridge',
    about: 'The token bridge on L1.',
    also: { IL1MessageQueue: ['FeeTooLow', 'GasLimitTooHigh', 'SendPaused', 'QueueClosed'] },
    entries: [
      'register',
      'deposit',
      'l2TokenOf',
      'isRegistered',
      'owed',
      'MESSAGE_QUEUE',
      'L2_BRIDGE',
      'DEPOSIT_GAS',
      'REGISTER_GAS',
      'TokenRegistered',
      'Deposited',
      'Released',
      'Reentrancy',
      'RecipientZero',
      'RecipientForbidden',
      'NotToken',
      'DecimalsUnknown',
      'GasTooLow',
      'TokenNotRegistered',
      'NothingReceived',
      'EscrowShort',
      'EscrowExceeded',
      'ChangeRefused',
    ],
  },
  {
    file: 'l2TokenBridge',
    interface: 'IL2TokenBridge',
    about: 'The token bridge on the L2.',
    also: { IL2Messenger: ['GasLimitTooHigh', 'ValueTooLarge'] },
    entries: [
      'withdraw',
      'tokenOf',
      'TOKEN_CODE',
      'L1_BRIDGE',
      'Withdrawn',
      'Minted',
      'TokenUnknown',
      'AmountZero',
      'RecipientForbidden',
    ],
  },
  {
    file: 'anchor',
    interface: 'IL1Anchor',
    about: 'What the L2 knows of L1.',
    entries: ['messages', 'latest'],
  },
  {
    file: 'accounts',
    interface: 'IL2Accounts',
    about: 'Alias accounts.',
    entries: ['execute', 'accountOf'],
  },
]

/** Returns an ABI value as TypeScript, in one line where it fits into 100 columns. */
function print(value, indent = 0) {
  const flat = printFlat(value)
  const pad = ' '.repeat(indent)
  if (indent + flat.length <= 98 || typeof value !== 'object' || value === null) return flat
  const inner = ' '.repeat(indent + 2)
  if (Array.isArray(value)) {
    return `[\n${value.map((it) => `${inner}${print(it, indent + 2)},\n`).join('')}${pad}]`
  }
  const fields = Object.entries(value)
  return `{\n${fields.map(([key, it]) => `${inner}${key}: ${print(it, indent + 2)},\n`).join('')}${pad}}`
}

function printFlat(value) {
  if (Array.isArray(value)) return `[${value.map(printFlat).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([key, it]) => `${key}: ${printFlat(it)}`)
    return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
  }
  return typeof value === 'string' ? `'${value}'` : String(value)
}

/** Removes what viem does not read; tuples keep only the names and types of their components. */
function slim(entry) {
  const { internalType, anonymous, ...rest } = entry
  for (const key of ['inputs', 'outputs', 'components']) {
    if (rest[key]) rest[key] = rest[key].map(slim)
  }
  return order(rest)
}

function order(entry) {
  const { type, name, ...rest } = entry
  return name === undefined ? { type, ...rest } : { type, name, ...rest }
}

function text({ file, interface: name, about, entries, also = {} }) {
  const found = [[name, entries], ...Object.entries(also)].flatMap(([from, names]) => {
    const { abi } = JSON.parse(readFileSync(join(out, `${from}.sol/${from}.json`), 'utf8'))
    return names.map((wanted) => {
      const entry = abi.find((it) => it.name === wanted)
      if (!entry) throw new Error(`${from} has no ${wanted}`)
      return slim(entry)
    })
  })
  return `// Generated by scripts/abis.mjs from ${name}.sol; do not edit.

/** ABI entries of \`${name}\`: ${about} */
export const ${file}Abi = ${print(found)} as const
`
}

const isCheck = process.argv.includes('--check')
if (!existsSync(out)) throw new Error('no out/: run `forge build` first')
let stale = 0
for (const wanted of WANTED) {
  const path = join(abis, `${wanted.file}.ts`)
  const expected = text(wanted)
  if (!isCheck) {
    writeFileSync(path, expected)
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== expected) {
    console.error(`src/abis/${wanted.file}.ts is out of date: run \`npm run abis\``)
    stale += 1
  }
}
process.exitCode = stale === 0 ? 0 : 1
