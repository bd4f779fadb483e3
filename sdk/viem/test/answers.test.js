// The types of answers are those that the nodes describe.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { file, generate, readDocument } from '../scripts/answers.mjs'

const document = readDocument()

test('types_are_those_of_the_openrpc_document', async () => {
  const text = readFileSync(file, 'utf8')
  assert.equal(await generate(document), text, 'run `npm run answers`')
  // Each change of the document changes the types.
  const changes = [
    ({ components }) => delete components.schemas.MessageInfo.properties.state,
    ({ components }) => components.schemas.SyncStatus.required.pop(),
    ({ methods }) => methods.pop(),
    ({ methods }) => {
      methods.find(({ name }) => name === 'rollup_getMessage').result.schema = { type: 'null' }
    },
  ]
  for (const change of changes) {
    const changed = structuredClone(document)
    change(changed)
    assert.notEqual(await generate(changed), text, `${change}`)
  }
})

test('unknown_keyword_of_a_schema_is_refused', async () => {
  const changed = structuredClone(document)
  changed.components.schemas.MessageInfo.not = {}
  await assert.rejects(generate(changed), /keyword not is not translated/)
})
