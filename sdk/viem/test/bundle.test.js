// Weight of the package: what an application of one action contains.

import assert from 'node:assert/strict'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import * as exported from '@enshrine/viem'
import { packageFolder } from './support/paths.js'

/** Maximum size of the two actions with what they need of viem, compressed. */
const LIMIT = 60_000

/** Bundles programs by name, and returns their sizes and the modules of this package in them. */
async function bundle(programs) {
  const given = {
    name: 'given',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^given:/ }, ({ path }) => ({ path, namespace: 'given' }))
      onLoad({ filter: /./, namespace: 'given' }, ({ path }) => ({
        contents: programs[path.slice('given:'.length)],
        resolveDir: packageFolder,
      }))
    },
  }
  const { metafile, outputFiles } = await build({
    absWorkingDir: packageFolder,
    bundle: true,
    // One build of all programs parses each module once.
    entryPoints: Object.keys(programs).map((name) => ({ in: `given:${name}`, out: name })),
    format: 'esm',
    logLevel: 'silent',
    metafile: true,
    minify: true,
    outdir: 'bundles',
    platform: 'browser',
    plugins: [given],
    target: 'es2022',
    write: false,
  })
  const bundles = Object.entries(metafile.outputs).map(([path, { inputs }], i) => {
    const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    const modules = used.map(([module]) => module).filter((module) => module.startsWith('dist/'))
    assert.ok(outputFiles[i].path.endsWith(path))
    const bytes = gzipSync(outputFiles[i].contents).length
    return [path.slice('bundles/'.length, -'.js'.length), { bytes, modules }]
  })
  return Object.fromEntries(bundles)
}

test('deposit_and_claim_are_small', async (t) => {
  const program = "export { claimWithdrawal, depositTransaction } from '@enshrine/viem'"
  const { both } = await bundle({ both: program })
  t.diagnostic(`depositTransaction and claimWithdrawal: ${both.bytes} bytes of gzip`)
  assert.ok(both.bytes <= LIMIT, `${both.bytes} bytes, expected at most ${LIMIT}`)
})

test('one_action_contains_no_other', async (t) => {
  // What other actions are built on: the head on L1, the address of an alias account, the proof of a
  // message, the rollup from L1, the state of a message.
  const below = ['getHead', 'getAliasAccount', 'verifyMessage', 'readRollup', 'getMessage'].map(
    (name) => `dist/actions/${name}.js`,
  )
  const isAction = ([name, value]) =>
    value instanceof Function && /^[a-z]/.test(name) && !/^(public|wallet)Actions/.test(name)
  const names = Object.entries(exported)
    .filter(isAction)
    .map(([name]) => name)
  assert.ok(names.length > 40)
  const programs = names.map((name) => [name, `export { ${name} } from '@enshrine/viem'`])
  const bundles = await bundle(Object.fromEntries(programs))
  for (const name of names) {
    const { bytes, modules } = bundles[name]
    const actions = modules.filter((path) => path.startsWith('dist/actions/'))
    const others = actions.filter((path) => !below.includes(path))
    t.diagnostic(`${name}: ${bytes} bytes of gzip`)
    // A deposit of tokens asks who controls the account, as one of ether does.
    assert.ok(others.length <= 1 + Number(name === 'depositToken'), `${name}: ${others}`)
  }
})

test('module_without_use_leaves_nothing', async () => {
  const { unused } = await bundle({
    unused: "import '@enshrine/viem'; import '@enshrine/viem/chains'",
  })
  assert.deepEqual(unused.modules, [])
})
