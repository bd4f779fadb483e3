#!/usr/bin/env node
// Runs the binary of the package for this platform, which npm has installed beside this one.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const wanted = `${manifest.name}-${process.platform}-${process.arch}`

function program() {
  try {
    return require.resolve(`${wanted}/bin/enshrine`)
  } catch {
    const there = Object.keys(manifest.optionalDependencies).join(', ')
    console.error(`${manifest.name}: ${wanted} is not installed.`)
    console.error(`There are: ${there}. If yours is one of them, install without --omit=optional.`)
    process.exit(1)
  }
}

const child = spawn(program(), process.argv.slice(2), { stdio: 'inherit' })
child.once('error', (error) => {
  console.error(`${manifest.name}: ${error.message}`)
  process.exit(1)
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // A terminal sends SIGINT to the whole group, so the program has it already.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  })
}
child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
