// What `ipfs pin remote` does over HTTP (Kubo's core/commands/pin/remotepin.go on boxo's pinning/remote/client), with
// its strictness: whatever it would stop at is thrown here.
import assert from 'node:assert/strict'
import { pause } from './check.mjs'

const STATUSES = ['queued', 'pinning', 'pinned', 'failed']
const POLL_EVERY_MS = 100 // Kubo waits five times as long

/** One page after the other until `count` is the page's length; `query` is the first one's without `before`. */
export async function boxoList ({ endpoint, key }, query) {
  const found = []
  let before
  for (let requests = 1; ; requests++) {
    const sorted = Object.entries({ ...(before && { before }), ...query }).sort(([a], [b]) => (a < b ? -1 : 1))
    const answer = await ask({ endpoint, key }, 'GET', `/pins?${new URLSearchParams(sorted)}`)
    const { count, results } = answer
    found.push(...(results ?? []).map(strict))
    if (count === results.length) return { found, requests }
    assert.ok(results.length > 0, `invalid pinning service response: PinResults.count=${count} but no PinResults.results`)
    before = rfc3339Nano(results.at(-1).created)
  }
}

/** A service as `ipfs pin remote service add NAME ENDPOINT KEY` keeps it. */
export class Remote {
  constructor (endpoint, key) {
    const url = new URL(endpoint)
    assert.ok(['http:', 'https:'].includes(url.protocol) && url.search === '', `Kubo refuses the endpoint ${endpoint}`)
    const path = url.pathname.replace(/\/+/g, '/').replace(/\/$/, '')
    assert.doesNotMatch(path, /\/pins$/, 'Kubo refuses an endpoint that ends in /pins')
    Object.assign(this, { endpoint: url.origin + path, key })
  }

  async add (cid, { name } = {}) {
    const added = strict(await ask(this, 'POST', '/pins', { cid, ...(name && { name }) }))
    for (const delegate of added.delegates ?? []) assert.match(delegate, /\/p2p\/\w+$/, 'Kubo stops at this delegate')
    for (;;) {
      const now = strict(await ask(this, 'GET', `/pins/${encodeURIComponent(added.requestid)}`))
      assert.equal(now.requestid, added.requestid)
      assert.notEqual(now.status, 'failed', 'remote service failed to pin')
      if (now.status === 'pinned') return now
      await pause(POLL_EVERY_MS)
    }
  }

  async ls ({ status = 'pinned', cid, name } = {}) {
    return (await boxoList(this, { limit: 10, status, ...(cid && { cid }), ...(name && { name }) })).found
  }

  async rm ({ force, ...query }) {
    const matching = await this.ls(query)
    assert.ok(force || matching.length <= 1, 'multiple remote pins are matching this query')
    for (const { requestid } of matching) await ask(this, 'DELETE', `/pins/${encodeURIComponent(requestid)}`)
    return matching
  }
}

async function ask ({ endpoint, key }, method, path, body) {
  const answer = await fetch(endpoint + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      'user-agent': 'go-pinning-service-http-client',
      accept: 'application/json',
      ...(body && { 'content-type': 'application/json' })
    },
    body: body && JSON.stringify(body) + '\n'
  })
  const text = await answer.text()
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${text}`)
  if (text === '') return undefined
  assert.match(answer.headers.get('content-type'), /^(application|text)\/(vnd\..+)?json/, 'undefined response type')
  return JSON.parse(text)
}

/** One entry that Go cannot decode spoils its whole list. */
function strict (entry) {
  assert.ok(STATUSES.includes(entry.status), `status ${entry.status}`)
  assert.ok(!Number.isNaN(Date.parse(entry.created)), `created ${entry.created}`)
  for (const texts of [entry.info, entry.pin.meta]) {
    for (const value of Object.values(texts ?? {})) assert.equal(typeof value, 'string')
  }
  return entry
}

/** Go writes no zeros at the end of a fraction, and no fraction of zeros. */
function rfc3339Nano (text) {
  return text.replace(/\.(\d*?)0*Z$/, (_, digits) => (digits ? `.${digits}Z` : 'Z'))
}
