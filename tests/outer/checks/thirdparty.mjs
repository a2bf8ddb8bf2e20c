// Two providers that are not ours behind one Pinfold: mock-ipfs-pinning-service, which keeps one pin a CID and fits no
// preset, and Helia's pinning server, which keeps many and takes its time. What the user has there stays the user's.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check, each, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { scratch } from '../lib/process.mjs'
import { Helia, Mock } from '../lib/upstreams.mjs'

const STUCK_AFTER_MS = 3000
const [mock, helia] = await Promise.all([new Mock('mock').start(), new Helia('helia').start()])
const servers = [mock, helia]

// What is queued there for ever is given up after a quarter of an hour; here there is no time for that.
const presets = join(scratch(), 'presets.yaml')
writeFileSync(presets, JSON.stringify({ helia: { stuck_after: `${STUCK_AFTER_MS}ms` } }))
const gateway = new Gateway({
  providers: servers.map((server) => server.entry()),
  engine: { retry_max: '1s', poll_max: '1s' },
  presetsFile: presets
})

/** Content that Helia's node can find. */
async function content (text) {
  assert.deepEqual(await helia.give(text), [rawCid(text)])
  return rawCid(text)
}

const of = (pins, cid) => pins.filter(({ pin }) => pin.cid === cid)
const held = async (cid) => Promise.all(servers.map(async (server) => of(await server.pins(), cid).length))
const bothCopies = ({ requestid }) => until('both copies are pinned', async () => {
  const { body } = await gateway.request('GET', `/pins/${requestid}`)
  return body.status === 'pinned' && body.info.copies === '2/2' && body
})
const goneAtBoth = (cid) => until('it is gone at both', async () => assert.deepEqual(await held(cid), [0, 0]) ?? true)

const theirs = await content("the user's own")
await Promise.all(servers.map((server) => server.call('POST', '/pins', { body: { cid: theirs, name: 'mine since long' } })))
await until("the user's own pins are pinned", async () =>
  (await Promise.all(servers.map((server) => server.pins()))).every(([entry]) => entry.status === 'pinned'))
const before = await Promise.all(servers.map((server) => server.pins()))
await gateway.start()

const kept = []
await check('adds reach pinned at both, one pin each', async () => {
  const texts = ['one', 'two', 'three']
  await each(texts, 3, async (name) => {
    kept.push(await gateway.add({ cid: await content(name), name: `kept ${name}`, meta: { app: name } }))
  })
  await each(kept, 3, bothCopies)
  for (const { pin } of kept) assert.deepEqual(await held(pin.cid), [1, 1])
  assert.deepEqual(await Promise.all(servers.map((server) => server.count('POST /pins'))), [4, 4], "three, and the user's own")
})

await check('lists and filters are right, whatever the two make of theirs', async () => {
  const names = async (query) => (await gateway.list(query)).results.map(({ pin }) => pin.name).sort()
  assert.deepEqual(await names({}), ['kept one', 'kept three', 'kept two'])
  assert.deepEqual(await names({ cid: rawCid('two') }), ['kept two'])
  assert.deepEqual(await names({ name: 'KEPT T', match: 'ipartial' }), ['kept three', 'kept two'])
  assert.deepEqual(await names({ meta: JSON.stringify({ app: 'one' }) }), ['kept one'])
  assert.deepEqual(await names({ status: 'queued,failed' }), [])
  const { count, results } = await gateway.list({ limit: 1 })
  assert.deepEqual([count, results.length], [3, 1])
})

await check('a second pin of one content shares the copies, which stay until the last one goes', async () => {
  const cid = await content('shared')
  const [first, second] = [await gateway.add({ cid, name: 'first' }), await gateway.add({ cid, name: 'second' })]
  await each([first, second], 2, bothCopies)
  assert.deepEqual(await held(cid), [1, 1])
  await gateway.remove(first.requestid)
  await bothCopies(second)
  assert.deepEqual(await held(cid), [1, 1])
  await gateway.remove(second.requestid)
  await goneAtBoth(cid)
})

await check('replaced by other content: the new is at both, then the old at neither', async () => {
  const old = kept.shift()
  const fresh = await gateway.replace(old.requestid, { cid: await content('other'), name: 'other' })
  assert.equal((await gateway.request('GET', `/pins/${old.requestid}`)).status, 404)
  await bothCopies(fresh)
  assert.deepEqual(await held(fresh.pin.cid), [1, 1])
  await goneAtBoth(old.pin.cid)
  kept.push(fresh)
})

await check('replaced by the same content: a new id and name, and nobody is asked to pin it again', async () => {
  const old = kept.shift()
  const posts = () => Promise.all(servers.map((server) => server.count('POST /pins')))
  const sent = await posts()
  const fresh = await gateway.replace(old.requestid, { cid: old.pin.cid, name: 'the same' })
  assert.notEqual(fresh.requestid, old.requestid)
  await bothCopies(fresh)
  assert.deepEqual(await held(old.pin.cid), [1, 1])
  assert.deepEqual(await posts(), sent)
  kept.push(fresh)
})

await check("what the user has there counts as a copy, and no delete or replace ever removes it", async () => {
  const pin = await gateway.add({ cid: theirs, name: 'mine through Pinfold' })
  await bothCopies(pin)
  assert.deepEqual(await held(theirs), [1, 1], 'nothing is pinned a second time')
  const same = await gateway.replace(pin.requestid, { cid: theirs, name: 'again' })
  const other = await gateway.replace(same.requestid, { cid: await content('instead'), name: 'instead' })
  await bothCopies(other)
  await gateway.remove((await gateway.add({ cid: theirs })).requestid)
  await gateway.remove(other.requestid)
  await goneAtBoth(other.pin.cid)
  const ids = (pins) => pins.map(({ requestid, pin }) => [requestid, pin.name])
  const now = await Promise.all(servers.map((server) => server.pins()))
  assert.deepEqual(now.map((pins) => ids(of(pins, theirs))), before.map(ids))
  const asked = (await Promise.all(servers.map((server) => server.spy('calls')))).flat()
  const wrong = before.flat().flatMap(({ requestid }) => asked.filter((call) => call === `DELETE /pins/${requestid}`))
  assert.deepEqual(wrong, [])
})

await check('added again after a delete, five times over: pinned at both each time', async () => {
  const cid = await content('again and again')
  for (let n = 0; n < 5; n++) {
    const pin = await gateway.add({ cid, name: `time ${n}` })
    await bothCopies(pin)
    assert.deepEqual(await held(cid), [1, 1])
    await gateway.remove(pin.requestid)
    await goneAtBoth(cid)
  }
})

for (const server of servers) {
  const other = servers.find((one) => one !== server)
  await check(`${server.name} stopped and started again: pins go on at ${other.name}, and it catches up`, async () => {
    const doomed = await gateway.add({ cid: await content(`doomed at ${server.name}`), name: 'doomed' })
    await bothCopies(doomed)
    const text = `while ${server.name} is away`
    const cid = await content(text)
    assert.equal(await server.stop(), 0)
    const pin = await gateway.add({ cid, name: text })
    await gateway.remove(doomed.requestid)
    const seen = await gateway.pinned(pin.requestid)
    assert.equal(seen.info.copies, '1/2')
    await server.start()
    await bothCopies(pin)
    await goneAtBoth(doomed.pin.cid)
    assert.deepEqual(await held(cid), [1, 1])
    for (const { pin } of kept) assert.deepEqual(await held(pin.cid), [1, 1], pin.name)
    kept.push(pin)
  })
}

await check('what Helia leaves queued for ever, having it pinned already, is no copy: the other one carries it', async () => {
  const cid = await content('pinned by another user')
  await helia.call('POST', '/pins', { body: { cid }, token: 'other-user' })
  await until('it is pinned for another user', async () => (await helia.pins('other-user'))[0].status === 'pinned')
  const posts = await helia.count('POST /pins')
  const pin = await gateway.add({ cid, name: 'stuck' })
  await gateway.pinned(pin.requestid)
  await until('it is given up and sent anew', async () => await helia.count('POST /pins') >= posts + 2)
  const { body } = await gateway.request('GET', `/pins/${pin.requestid}`)
  assert.deepEqual([body.status, body.info.copies], ['pinned', '1/2'], JSON.stringify(body.info))
  assert.ok(of(await helia.pins(), cid).length <= 1, 'not one more for each try')
  await gateway.remove(pin.requestid)
  await goneAtBoth(cid)
  assert.equal((await helia.pins('other-user')).length, 1)
})

await check('in the end both hold what is listed and what the user had, and nothing else', async () => {
  const listed = (await gateway.listAll()).map(({ pin }) => pin.cid)
  assert.deepEqual(listed.sort(), kept.map(({ pin }) => pin.cid).sort())
  for (const server of servers) {
    const there = (await server.pins()).map(({ pin }) => pin.cid).sort()
    assert.deepEqual(there, [...listed, theirs].sort(), server.name)
  }
})
process.exit()
