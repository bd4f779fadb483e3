// Weight of the package: what an application of one action contains.

import assert from 'node:assert/strict'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { packageFolder } from './support/paths.js'

/** Maximum size of the two actions with what they need of viem, compressed. */
const LIMIT = 60_000

/** Bundles a program, and returns its size and the modules of this package that it contains. */
async function bundle(text) {
  const { metafile, outputFiles } = await build({
    bundle: true,
    format: 'esm',
    logLevel: 'silent',
    metafile: true,
    minify: true,
    platform: 'browser',
    stdin: { contents: text, resolveDir: packageFolder },
    target: 'es2022',
    write: false,
  })
  const [output] = Object.values(metafile.outputs)
  const used = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  const modules = used.map(([path]) => path).filter((path) => path.includes('dist/'))
  return { bytes: gzipSync(outputFiles[0].contents).length, modules }
}

const names = (modules) => modules.map((path) => path.split('dist/').pop()).sort()
const actions = (modules) => names(modules).filter((path) => path.startsWith('actions/'))

test('deposit_and_claim_are_small', async (t) => {
  const { bytes } = await bundle(
    "export { claimWithdrawal, depositTransaction } from '@enshrine/viem'",
  )
  t.diagnostic(`depositTransaction and claimWithdrawal: ${bytes} bytes of gzip`)
  assert.ok(bytes <= LIMIT, `${bytes} bytes, expected at most ${LIMIT}`)
})

test('one_action_contains_no_other', async (t) => {
  const exported = await import('@enshrine/viem')
  // What other actions are built on: the head on L1, the address of an alias account, the proof of a
  // message, the rollup from L1, the state of a message.
  const below = ['getHead', 'getAliasAccount', 'verifyMessage', 'readRollup', 'getMessage'].map(
    (name) => `actions/${name}.js`,
  )
  const isAction = ([name, value]) =>
    value instanceof Function && /^[a-z]/.test(name) && !/^(public|wallet)Actions/.test(name)
  const names = Object.entries(exported)
    .filter(isAction)
    .map(([name]) => name)
  assert.ok(names.length > 30)
  await Promise.all(
    names.map(async (name) => {
      const { bytes, modules } = await bundle(`export { ${name} } from '@enshrine/viem'`)
      const others = actions(modules).filter((path) => !below.includes(path))
      t.diagnostic(`${name}: ${bytes} bytes of gzip`)
      assert.ok(others.length <= 1 + Number(name === 'depositToken'), `${name}: ${others}`)
    }),
  )
})

test('module_without_use_leaves_nothing', async () => {
  const { modules } = await bundle("import '@enshrine/viem'; import '@enshrine/viem/chains'")
  assert.deepEqual(modules, [])
})
