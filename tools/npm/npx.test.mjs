// From packed archives in an empty folder to a claimed withdrawal: what a user of npm does.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const sdk = join(here, '../../sdk/viem')
const run = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: 'utf8' }).trim()
const seconds = (since) => `${((Date.now() - since) / 1_000).toFixed(1)} s`

test('packed_command_runs_the_documented_program', async (t) => {
  const binary = process.env.ENSHRINE_BIN
  assert.ok(binary, 'set ENSHRINE_BIN to the path of the enshrine binary')
  const folder = mkdtempSync(join(tmpdir(), 'enshrine-npx-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const platform = `${process.platform}-${process.arch}`
  const pack = ['--out', folder, '--binary', `${platform}=${binary}`]
  const archives = run(process.execPath, [join(here, 'pack.mjs'), ...pack]).split('\n')
  assert.equal(archives.length, 2)
  const packed = run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    sdk,
  )
  archives.push(join(folder, JSON.parse(packed)[0].filename))
  const manifest = JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8'))
  const viem = `viem@${manifest.devDependencies.viem}`

  const begun = Date.now()
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline']
  run('npm', ['install', ...quiet, ...archives, viem], folder)
  t.diagnostic(`installed after ${seconds(begun)}`)

  const ready = join(folder, 'ready.json')
  const flags = ['localnet', '--l1-port', '0', '--l2-port', '0', '--ready-file', ready]
  assert.match(run('npx', ['--no-install', 'enshrine', '--version'], folder), /^enshrine /)
  // npx does not forward signals; a terminal sends them to all processes of the group.
  const localnet = spawn(join(folder, 'node_modules/.bin/enshrine'), flags, {
    cwd: folder,
    stdio: 'ignore',
  })
  const ended = once(localnet, 'exit')
  try {
    for (let tries = 0; !existsSync(ready); tries += 1) {
      assert.ok(localnet.exitCode === null && tries < 1_200, 'the localnet has not started')
      await sleep(100)
    }
    t.diagnostic(`ready after ${seconds(begun)}`)
    const page = readFileSync(join(here, '../../docs/sdk.md'), 'utf8')
    writeFileSync(join(folder, 'program.js'), page.match(/```js\n(.*?)```/s)[1])
    const program = spawn(process.execPath, ['program.js', ready], { cwd: folder })
    let output = ''
    program.stdout.on('data', (data) => {
      output += data
      t.diagnostic(`${String(data).trim()} after ${seconds(begun)}`)
    })
    const [code] = await once(program, 'close')
    assert.equal(code, 0)
    assert.match(output, /^claimed; on L1 the friend has 1 ether$/m)
  } finally {
    localnet.kill('SIGTERM')
    await ended
  }
  // The signal reached the binary, which removes its file.
  assert.equal(existsSync(ready), false)
})

test('missing_platform_is_named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'enshrine-npx-'))
  try {
    writeFileSync(join(folder, 'enshrine.mjs'), readFileSync(join(here, 'enshrine.mjs')))
    const optionalDependencies = { '@enshrine/cli-plan9-x64': '0.1.0' }
    const manifest = { name: '@enshrine/cli', optionalDependencies }
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
    const call = () =>
      execFileSync(process.execPath, [join(folder, 'enshrine.mjs')], { stdio: 'pipe' })
    assert.throws(call, (error) => error.status === 1 && /plan9-x64/.test(error.stderr))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
