// Walks through a long list while others write: in boxo's manner (`ipfs pin remote ls`) and in Helia's.
import assert from 'node:assert/strict'
import { boxoList } from '../lib/boxo.mjs'
import { check, each } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { ALL_STATUSES, Gateway, TOKEN } from '../lib/gateway.mjs'
import { Sim } from '../lib/upstreams.mjs'

const STORED = 2500
const WRITERS = 4
const HELIA = 40

const sims = await Promise.all([new Sim('alpha').start(), new Sim('beta').start()])
const gateway = await new Gateway({ providers: sims.map((sim) => sim.entry()), api: { accept_wait: '0s' } }).start()
const boxo = { endpoint: gateway.url, key: TOKEN }

/** Helia's loop: pages by `after`, until one is empty. On a newest-first server pins come more than once. */
async function helia (name, atMost) {
  const seen = new Set()
  let after
  for (let requests = 1; requests <= atMost; requests++) {
    const { results } = await gateway.list({ name, limit: 1000, ...(after && { after }) })
    if (results.length === 0) return seen
    for (const { requestid } of results) seen.add(requestid)
    after = new Date(results.at(-1).created).toISOString()
  }
  assert.fail(`it did not end after ${atMost} requests`)
}

/** Adds, and now and then deletes what it added, until told to stop. */
async function writer (name, running) {
  let written = 0
  while (running.on) {
    const { requestid } = await gateway.add({ cid: rawCid(`${name} ${written}`), name })
    if (written++ % 5 === 0) await gateway.remove(requestid)
  }
  return written
}

const stored = new Set()
await check(`${STORED} pins are taken, each with a time of its own`, async () => {
  const numbers = Array.from({ length: STORED }, (_, n) => n)
  const created = await each(numbers, 16, async (n) => {
    const pin = await gateway.add({ cid: rawCid(`stored ${n}`), name: n < HELIA ? 'helia' : 'stored' })
    stored.add(pin.requestid)
    return pin.created
  })
  assert.equal(stored.size, STORED)
  assert.equal(new Set(created).size, STORED)
})

for (const limit of [10, 1000]) {
  await check(`boxo's loop by ${limit} sees each of ${STORED} pins once while ${WRITERS} writers write`, async () => {
    const running = { on: true }
    const writers = Array.from({ length: WRITERS }, (_, n) => writer(`writer ${n} at ${limit}`, running))
    const { found, requests } = await boxoList(boxo, { limit, status: ALL_STATUSES }).finally(() => { running.on = false })
    const written = (await Promise.all(writers)).reduce((sum, count) => sum + count, 0)
    assert.ok(written > 0, 'the writers wrote meanwhile')
    const times = new Map()
    for (const { requestid } of found) times.set(requestid, (times.get(requestid) ?? 0) + 1)
    const wrong = [...stored].filter((id) => times.get(id) !== 1)
    assert.deepEqual(wrong, [], `${wrong.length} of the stored pins were not seen exactly once`)
    assert.equal(Math.max(...times.values()), 1, 'nor was any other pin seen twice')
    assert.ok(requests >= Math.ceil(STORED / limit))
    const order = found.map((entry) => entry.created)
    assert.deepEqual(order, [...order].sort().reverse(), 'newest first throughout')
  })
}

await check(`Helia's loop ends, and saw all ${HELIA} pins`, async () => {
  const seen = await helia('helia', HELIA * 2)
  assert.equal(seen.size, HELIA)
})
process.exit()
