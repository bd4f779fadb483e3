// The page docs/sdk.md: its program runs, and it names all actions.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as exported from '@enshrine/viem'
import { readyFile } from '../support/localnet.js'
import { packageFolder, root } from '../support/paths.js'

const page = readFileSync(join(root, 'docs/sdk.md'), 'utf8')

export default function suite() {
  test('program_of_the_page_runs', async (t) => {
    const [, program] = page.match(/```js\n(.*?)```/s)
    // From standard input, so that the package finds itself by its name.
    const child = spawn(process.execPath, ['--input-type=module', '-', readyFile], {
      cwd: packageFolder,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let [output, errors] = ['', '']
    child.stdout.on('data', (data) => (output += data))
    child.stderr.on('data', (data) => (errors += data))
    child.stdin.end(program)
    const [code] = await once(child, 'close')
    assert.equal(code, 0, errors)
    const lines = output.trim().split('\n')
    for (const line of lines) t.diagnostic(line)
    const expected = [
      /^deposited 2 ether as message \d+$/,
      /^transferred; the friend has 0.5 ether$/,
      /^claimed; on L1 the friend has 1 ether$/,
      /^forced transaction \d+ is in L2 block \d+$/,
    ]
    assert.equal(lines.length, expected.length)
    for (const [i, pattern] of expected.entries()) assert.match(lines[i], pattern)
  })

  test('page_names_all_actions', () => {
    const isAction = ([name, value]) => value instanceof Function && /^[a-z]/.test(name)
    const below = ['hashHeader', 'hashMessage', 'lookUpTrie']
    const names = Object.entries(exported)
      .filter(isAction)
      .map(([name]) => name)
      .filter((name) => !below.includes(name))
    const missing = names.filter((name) => !page.includes(`\`${name}\``))
    assert.deepEqual(missing, [])
    // The last part is about another package.
    const [typescript] = page.split('\n## From Rust\n')
    const errors = typescript.match(/`\w+Error`/g).map((name) => name.slice(1, -1))
    for (const name of errors) assert.ok(exported[name], name)
  })
}
