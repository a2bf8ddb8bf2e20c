// The generated JavaScript client through every operation and filter, against Pinfold over two simulated providers;
// beside it, what that client cannot show: raw answers, error shapes, CORS, other accounts.
import assert from 'node:assert/strict'
import { Configuration, RemotePinningServiceClient } from '@ipfs-shipyard/pinning-service-client'
import { check, each, until } from '../lib/check.mjs'
import { dagPbCid, rawCid, v0Cid } from '../lib/cid.mjs'
import { ALL_STATUSES, Gateway, OTHER_TOKEN, TOKEN } from '../lib/gateway.mjs'
import { Sim } from '../lib/upstreams.mjs'

const ALL = ALL_STATUSES.split(',')
const ORIGIN = '/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

const sims = await Promise.all([new Sim('alpha').start(), new Sim('beta').start()])
const gateway = await new Gateway({ providers: sims.map((sim) => sim.entry()) }).start()
const client = clientWith(TOKEN)

function clientWith (accessToken) {
  return new RemotePinningServiceClient(new Configuration({ endpointUrl: gateway.url, accessToken }))
}

/** The raw error response that the client throws, with its body. */
async function refusal (promise) {
  const answer = await promise.then(() => assert.fail('this should have been refused'), (thrown) => thrown)
  assert.ok(answer instanceof Response, `not an HTTP answer: ${answer}`)
  return { status: answer.status, headers: answer.headers, body: await answer.json() }
}

function assertFailure ({ status, headers, body }, wanted) {
  assert.equal(status, wanted, JSON.stringify(body))
  assert.match(headers.get('content-type'), /^application\/json/)
  assert.equal(headers.get('access-control-allow-origin'), '*', 'CORS belongs on errors too')
  assert.deepEqual(Object.keys(body), ['error'])
  const { reason, details, ...others } = body.error
  assert.match(reason, /^[A-Z][A-Z0-9_]*$/)
  assert.ok(typeof details === 'string' && details.length > 0, 'details are for people, and never empty')
  assert.deepEqual(others, {})
}

const names = ({ results }) => results.map((entry) => entry.pin.name).sort()
const add = (pin) => client.pinsPost({ pin })

await check('add answers the whole PinStatus at once, and the pin ends pinned at both providers', async () => {
  const pin = { cid: rawCid('whole'), name: 'whole', meta: { app: 'outer', run: '1' }, origins: [ORIGIN] }
  const status = await add(pin)
  assert.match(status.requestid, /^[A-Za-z0-9_-]+$/)
  assert.ok(ALL.includes(status.status) && status.status !== 'failed', status.status)
  assert.ok(status.created instanceof Date)
  assert.equal(status.pin.cid, pin.cid)
  assert.equal(status.pin.name, 'whole')
  assert.deepEqual(status.pin.meta, pin.meta)
  assert.ok(status.delegates.length > 0, 'one delegate at least')
  for (const delegate of status.delegates) assert.match(delegate, /\/p2p\/\w+$/)
  const done = await until('both copies are pinned', async () => {
    const now = await client.pinsRequestidGet({ requestid: status.requestid })
    return now.status === 'pinned' && now.info.copies === '2/2' && now
  })
  assert.deepEqual(done.created, status.created, 'created never changes')
  assert.equal(done.requestid, status.requestid)
  for (const sim of sims) assert.equal((await sim.held()).get(pin.cid), 1, `one pin at ${sim.name}`)
})

await check('raw answers: exactly 202, milliseconds, only the keys of the spec, no nulls', async () => {
  const added = await gateway.request('POST', '/pins', { body: { cid: rawCid('raw'), unknown_key: [1] } })
  assert.equal(added.status, 202)
  assert.match(added.headers.get('content-type'), /^application\/json/)
  assert.match(added.body.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const known = ['requestid', 'status', 'created', 'pin', 'delegates', 'info']
  assert.deepEqual(Object.keys(added.body).filter((key) => !known.includes(key)), [])
  assert.doesNotMatch(JSON.stringify(added.body), /:null/)
  for (const value of Object.values(added.body.info ?? {})) assert.equal(typeof value, 'string')
  const removed = await gateway.request('DELETE', `/pins/${added.body.requestid}`)
  assert.equal(removed.status, 202)
})

await check('a CID is echoed as it was sent, and found by any CID of the same content', async () => {
  const [v0, v1, raw] = [v0Cid('forms'), dagPbCid('forms'), rawCid('forms')]
  const first = await add({ cid: v0, name: 'form v0' })
  const second = await add({ cid: v1, name: 'form v1' })
  await add({ cid: raw, name: 'form raw' })
  assert.equal(first.pin.cid, v0)
  assert.equal(second.pin.cid, v1)
  assert.notEqual(first.requestid, second.requestid)
  for (const asked of [v0, v1]) {
    const found = await client.pinsGet({ cid: [asked], status: ALL })
    assert.equal(found.count, 2)
    assert.deepEqual(names(found), ['form v0', 'form v1'])
  }
  const both = await client.pinsGet({ cid: [v1, raw], status: ALL })
  assert.deepEqual(names(both), ['form raw', 'form v0', 'form v1'])
  await until('the two pins share one copy at each provider', async () => {
    const held = await Promise.all(sims.map((sim) => sim.held()))
    return held.every((of) => of.get(v1) === 1 && of.get(raw) === 1)
  })
})

await check('name filters: exact, iexact, partial, ipartial', async () => {
  const given = ['Blue House', 'blue house', 'a blue house b', 'a BLUE HOUSE b', 'blue', '100% blue_house']
  await each(given, 3, (name) => add({ cid: rawCid(name), name }))
  const found = async (match) => names(await client.pinsGet({ name: 'blue house', match, status: ALL }))
  assert.deepEqual(await found('exact'), ['blue house'])
  assert.deepEqual(await found(undefined), ['blue house'], 'exact is the default')
  assert.deepEqual(await found('iexact'), ['Blue House', 'blue house'])
  assert.deepEqual(await found('partial'), ['a blue house b', 'blue house'])
  assert.deepEqual(await found('ipartial'), ['Blue House', 'a BLUE HOUSE b', 'a blue house b', 'blue house'])
  const literal = await client.pinsGet({ name: '%', match: 'partial', status: ALL })
  assert.deepEqual(names(literal), ['100% blue_house'], 'no wildcards')
})

await check('meta filters: as an object in the query, and as JSON', async () => {
  await add({ cid: rawCid('m1'), name: 'm1', meta: { colour: 'red', size: 'small' } })
  await add({ cid: rawCid('m2'), name: 'm2', meta: { colour: 'red', size: 'large' } })
  await add({ cid: rawCid('m3'), name: 'm3', meta: { colour: 'blue & green' } })
  assert.deepEqual(names(await client.pinsGet({ meta: { colour: 'red' }, status: ALL })), ['m1', 'm2'])
  assert.deepEqual(names(await client.pinsGet({ meta: { colour: 'red', size: 'large' }, status: ALL })), ['m2'])
  assert.deepEqual(names(await client.pinsGet({ meta: { colour: 'blue & green' }, status: ALL })), ['m3'])
  assert.deepEqual(names(await gateway.list({ meta: '{"colour":"red","size":"small"}' })), ['m1'])
  assert.equal((await client.pinsGet({ meta: { colour: 'none' }, status: ALL })).count, 0)
})

await check('status filters: pinned by default, each alone, all four, and counts that add up', async () => {
  await Promise.all(sims.map((sim) => sim.sicken('down')))
  const waiting = await add({ cid: rawCid('waiting'), name: 'status waiting' })
  const by = async (...status) => client.pinsGet({ name: 'status', match: 'partial', status })
  assert.equal((await client.pinsGet({ name: 'status waiting' })).count, 0, 'only pinned ones by default')
  assert.deepEqual(names(await by('queued', 'pinning')), ['status waiting'])
  assert.equal((await by('pinned', 'failed')).count, 0)
  await Promise.all(sims.map((sim) => sim.heal()))
  await gateway.pinned(waiting.requestid, 90_000)
  assert.deepEqual(names(await client.pinsGet({ name: 'status waiting' })), ['status waiting'])
  await until('nothing is left in motion', async () => (await client.pinsGet({ status: ['queued', 'pinning'] })).count === 0)
  const counts = await Promise.all(ALL.map((status) => client.pinsGet({ status: [status], limit: 1 })))
  const total = (await client.pinsGet({ status: ALL, limit: 1 })).count
  assert.equal(counts.reduce((sum, { count }) => sum + count, 0), total)
  assert.equal(counts[ALL.indexOf('pinned')].count, total)
})

await check('pages: newest first, ten by default, before and after exclusive, counts exact', async () => {
  const added = []
  for (let n = 0; n < 15; n++) added.unshift(await add({ cid: rawCid(`page ${n}`), name: `page ${n}` }))
  const mine = { name: 'page', match: 'partial', status: ALL }
  const ids = (page) => page.results.map((entry) => entry.requestid)
  const newest = added.map((entry) => entry.requestid)
  const first = await client.pinsGet(mine)
  assert.equal(first.count, 15)
  assert.deepEqual(ids(first), newest.slice(0, 10))
  const rest = await client.pinsGet({ ...mine, before: first.results.at(-1).created })
  assert.deepEqual({ count: rest.count, ids: ids(rest) }, { count: 5, ids: newest.slice(10) })
  const later = await client.pinsGet({ ...mine, after: added[4].created })
  assert.deepEqual({ count: later.count, ids: ids(later) }, { count: 4, ids: newest.slice(0, 4) })
  const between = await client.pinsGet({ ...mine, after: added[9].created, before: added[2].created, limit: 3 })
  assert.deepEqual({ count: between.count, ids: ids(between) }, { count: 6, ids: newest.slice(3, 6) })
  assert.deepEqual(ids(await client.pinsGet({ ...mine, limit: 1000 })), newest)
  const offset = added[4].created.toISOString().replace(/\.(\d{3})Z$/, '.$1000000+00:00')
  assert.equal((await gateway.list({ name: 'page', match: 'partial', after: offset })).count, 4, 'nanoseconds and an offset')
})

await check('replace gives a new id, and the old one is gone', async () => {
  const old = await add({ cid: rawCid('old'), name: 'old' })
  await gateway.pinned(old.requestid)
  const fresh = await client.pinsRequestidPost({ requestid: old.requestid, pin: { cid: rawCid('new'), name: 'new' } })
  assert.notEqual(fresh.requestid, old.requestid)
  assert.equal(fresh.pin.cid, rawCid('new'))
  assertFailure(await refusal(client.pinsRequestidGet({ requestid: old.requestid })), 404)
  await gateway.pinned(fresh.requestid)
  await until('the old content left both providers', async () => {
    const held = await Promise.all(sims.map((sim) => sim.held()))
    return held.every((of) => !of.has(rawCid('old')) && of.get(rawCid('new')) === 1)
  }, { within: 60_000 })
})

await check('replace by the same CID keeps the content, and takes the new name and meta', async () => {
  const cid = rawCid('same')
  const old = await add({ cid, name: 'same', meta: { version: '1' } })
  await gateway.pinned(old.requestid)
  const fresh = await client.pinsRequestidPost({ requestid: old.requestid, pin: { cid, name: 'again', meta: { version: '2' } } })
  assert.notEqual(fresh.requestid, old.requestid)
  assert.deepEqual({ name: fresh.pin.name, meta: fresh.pin.meta }, { name: 'again', meta: { version: '2' } })
  assert.equal(fresh.status, 'pinned', 'nothing had to move')
  assertFailure(await refusal(client.pinsRequestidGet({ requestid: old.requestid })), 404)
  for (const sim of sims) assert.equal((await sim.held()).get(cid), 1)
})

await check('delete is seen at once, and again answers 404', async () => {
  const { requestid, pin } = await add({ cid: rawCid('doomed'), name: 'doomed' })
  await client.pinsRequestidDelete({ requestid })
  assertFailure(await refusal(client.pinsRequestidGet({ requestid })), 404)
  assertFailure(await refusal(client.pinsRequestidDelete({ requestid })), 404)
  assertFailure(await refusal(client.pinsRequestidPost({ requestid, pin: { cid: pin.cid } })), 404)
  assert.equal((await client.pinsGet({ name: 'doomed', status: ALL })).count, 0)
})

await check('bad input is answered 400 by words that help', async () => {
  const bodies = [
    { cid: '' }, { cid: 'no-cid' }, { cid: '/ipfs/' + rawCid('x') }, { name: 'no cid' }, { cid: 7 }, [], 'not json', '"text"',
    { cid: rawCid('x'), name: 'x'.repeat(256) }, { cid: rawCid('x'), meta: { deep: { er: 'x' } } },
    { cid: rawCid('x'), name: 5 }, { cid: rawCid('x'), origins: 'none' }
  ]
  for (const body of bodies) {
    const raw = typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await gateway.request('POST', '/pins', { body: raw })
    try { assertFailure(answer, 400) } catch (error) { throw new Error(`${raw.slice(0, 60)}: ${error.message}`) }
  }
  const queries = [
    'limit=0', 'limit=1001', 'limit=abc', 'status=wrong', 'status=', 'before=yesterday', 'after=1', 'match=regex&name=x',
    'cid=no-cid', 'meta=notjson', 'meta=%7B%22a%22%3A1%7D', `name=${'x'.repeat(256)}`,
    `cid=${Array.from({ length: 11 }, (_, n) => rawCid(`eleven ${n}`)).join()}`
  ]
  for (const query of queries) {
    const answer = await gateway.request('GET', `/pins?${query}`)
    try { assertFailure(answer, 400) } catch (error) { throw new Error(`${query.slice(0, 60)}: ${error.message}`) }
  }
})

await check('every other refusal has the same shape: 401, 404, 405, 413, 414 or 431, 415', async () => {
  assertFailure(await refusal(clientWith(undefined).pinsGet()), 401)
  assertFailure(await refusal(clientWith('wrong').pinsGet()), 401)
  assertFailure(await gateway.request('GET', '/pins', { headers: { authorization: `Basic ${TOKEN}` }, token: '' }), 401)
  assertFailure(await gateway.request('GET', '/nothing/here'), 404)
  assertFailure(await gateway.request('GET', '/pins/not%20an%20id'), 404)
  const wrongMethod = await gateway.request('PATCH', '/pins', { body: {} })
  assertFailure(wrongMethod, 405)
  assert.match(wrongMethod.headers.get('allow'), /GET/)
  const huge = JSON.stringify({ cid: rawCid('x'), origins: Array(40_000).fill(ORIGIN) })
  assertFailure(await gateway.request('POST', '/pins', { body: huge }), 413)
  const long = await gateway.request('GET', `/pins?name=${'x'.repeat(70_000)}`)
  assert.ok([414, 431].includes(long.status), `a long URL got ${long.status}`)
  assertFailure(long, long.status)
  const xml = await gateway.request('POST', '/pins', { body: '<pin/>', headers: { 'content-type': 'application/xml' } })
  assertFailure(xml, 415)
})

await check('browsers may call: preflights need no token', async () => {
  const answer = await gateway.request('OPTIONS', '/pins', {
    token: '',
    headers: { origin: 'null', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' }
  })
  assert.ok(answer.status < 300, `a preflight got ${answer.status}`)
  assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  const listed = (name) => answer.headers.get(name).toLowerCase().split(/, */)
  for (const method of ['get', 'post', 'delete']) assert.ok(listed('access-control-allow-methods').includes(method))
  for (const header of ['authorization', 'content-type']) assert.ok(listed('access-control-allow-headers').includes(header))
})

await check('doubled and trailing slashes are the same routes, without a redirect', async () => {
  for (const path of ['//pins', '/pins/']) assert.equal((await gateway.request('GET', path)).status, 200, path)
})

await check('one account sees nothing of another', async () => {
  const other = clientWith(OTHER_TOKEN)
  const { requestid, pin } = await add({ cid: rawCid('private'), name: 'private' })
  assert.equal((await other.pinsGet({ status: ALL })).count, 0)
  assertFailure(await refusal(other.pinsRequestidGet({ requestid })), 404)
  assertFailure(await refusal(other.pinsRequestidDelete({ requestid })), 404)
  assertFailure(await refusal(other.pinsRequestidPost({ requestid, pin: { cid: pin.cid } })), 404)
  assert.equal((await client.pinsRequestidGet({ requestid })).requestid, requestid)
})

await check('when all pins are deleted nothing is left at the providers', async () => {
  await each(await gateway.listAll(), 8, ({ requestid }) => client.pinsRequestidDelete({ requestid }))
  assert.equal((await gateway.list()).count, 0)
  await until('both providers are empty', async () => {
    const left = await Promise.all(sims.map((sim) => sim.pins()))
    return left.every((pins) => pins.length === 0)
  }, { within: 60_000 })
})
process.exit()
