// A node that lies: an HTTP proxy of JSON-RPC that rewrites requests or answers.

import { createServer } from 'node:http'
import { once } from 'node:events'

/** Methods by which a wallet would send a transaction. */
const SENDS = ['eth_sendRawTransaction', 'eth_sendTransaction', 'eth_sendRawTransactionSync']

/**
 * Starts a proxy of a node.
 *
 * @param target - URL of the node.
 * @returns `url`; `lie`, to set any of `instead(method, params)`, which returns a result without
 * asking the node, `failing(method, params)`, which returns an error, `request(method, params)`, which returns
 * other params, and `answer(method, params, result)`, which returns another result (all `undefined`
 * for the truth); `sent()`, the number of transactions that were sent through the proxy; and
 * `stop()`.
 */
export async function startProxy(target) {
  let lies = {}
  let sent = 0
  const forward = async (body) => {
    if (SENDS.includes(body.method)) sent += 1
    const instead = lies.instead?.(body.method, body.params ?? [])
    const error = lies.failing?.(body.method, body.params ?? [])
    if (error !== undefined) return { jsonrpc: '2.0', id: body.id, error }
    if (instead !== undefined) return { jsonrpc: '2.0', id: body.id, result: instead }
    const params = lies.request?.(body.method, body.params) ?? body.params
    const answer = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, params }),
    })
    const document = await answer.json()
    if ('result' in document) {
      const copy = structuredClone(document.result)
      document.result = lies.answer?.(body.method, params, copy) ?? document.result
    }
    return document
  }
  const server = createServer(async (request, response) => {
    try {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      const body = JSON.parse(Buffer.concat(chunks).toString())
      const answer = Array.isArray(body)
        ? await Promise.all(body.map(forward))
        : await forward(body)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer))
    } catch (error) {
      response.statusCode = 502
      response.end(String(error))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    lie(next) {
      lies = next
    },
    sent: () => sent,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
