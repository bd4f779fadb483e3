import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import * as exported from '@enshrine/viem'
import { packageFolder, root } from './support/paths.js'

test('package_depends_on_viem_only', () => {
  const manifest = JSON.parse(readFileSync(`${packageFolder}/package.json`, 'utf8'))
  assert.equal(manifest.dependencies, undefined)
  assert.deepEqual(Object.keys(manifest.peerDependencies), ['viem'])
  assert.equal(manifest.sideEffects, false)
  // Types come first: the conditions of an export are tried in order.
  for (const [path, to] of Object.entries(manifest.exports)) {
    if (typeof to === 'object') assert.equal(Object.keys(to)[0], 'types', path)
  }
})

test('version_is_that_of_the_workspace', () => {
  const manifest = JSON.parse(readFileSync(`${packageFolder}/package.json`, 'utf8'))
  const [, workspace] = readFileSync(`${root}/Cargo.toml`, 'utf8').split('[workspace.package]')
  assert.equal(manifest.version, workspace.match(/^version = "(.*)"$/m)[1])
})

test('each_action_has_a_typed_example', () => {
  const examples = readFileSync(`${packageFolder}/test/types/examples.ts`, 'utf8')
  const isAction = ([name, value]) =>
    value instanceof Function && /^[a-z]/.test(name) && !/^(public|wallet)Actions/.test(name)
  for (const [name] of Object.entries(exported).filter(isAction)) {
    assert.ok(examples.includes(`sdk.${name}(`), name)
  }
})
