// Providers that are sick in every way while pins come in: the healthy one carries the day, reads never notice, and
// each sick one catches up when it is well again.
import assert from 'node:assert/strict'
import { check, each, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { SICKNESSES, Sim } from '../lib/upstreams.mjs'

const PINS = 12
const CAUGHT_UP_WITHIN = 120_000

const healthy = await new Sim('healthy').start()
const absent = await new Sim('absent').choosePort() // in the config, but nobody listens there yet
const sick = new Map()
for (const sickness of Object.keys(SICKNESSES)) sick.set(sickness, await new Sim(sickness.replaceAll(' ', '-')).start())
await each(sick, 4, ([sickness, sim]) => sim.sicken(sickness))

const providers = [absent, ...sick.values(), healthy]
const gateway = await new Gateway({
  providers: providers.map((sim) => sim.entry()),
  policy: { copies: 'all', pinned_when: 1 },
  api: { accept_wait: '50ms' },
  engine: { retry_max: '3s' }
}).start()

/** Reads without a pause until told to stop; whatever is not a 200 within ten seconds is kept. */
async function reader (running, pins) {
  const bad = []
  for (let n = 0; running.on; n++) {
    const path = n % 2 || pins.length === 0 ? '/pins?limit=100&status=queued,pinning,pinned,failed' : `/pins/${pins[n % pins.length].requestid}`
    const answer = await gateway.request('GET', path, { timeout: 10_000 }).catch((error) => ({ status: error.name }))
    if (answer.status !== 200) bad.push(`${path}: ${answer.status}`)
    await new Promise(setImmediate)
  }
  return bad
}

const running = { on: true }
const pins = []
const reading = reader(running, pins)

await check(`with ${providers.length - 1} of ${providers.length} providers sick every pin is taken, and pinned at the one that is well`, async () => {
  const numbers = Array.from({ length: PINS }, (_, n) => n)
  await each(numbers, 4, async (n) => pins.push(await gateway.add({ cid: rawCid(`bad day ${n}`), name: `bad day ${n}` })))
  await each(pins, 4, ({ requestid }) => gateway.pinned(requestid, 60_000))
  const held = await healthy.held()
  assert.deepEqual(pins.map(({ pin }) => held.get(pin.cid)), pins.map(() => 1))
})

await check('what is deleted meanwhile is gone at once', async () => {
  const [{ requestid }] = pins.splice(0, 1)
  await gateway.remove(requestid)
  assert.equal((await gateway.request('GET', `/pins/${requestid}`)).status, 404)
  assert.equal((await gateway.list({ limit: 1000 })).count, PINS - 1)
})

await check('info names the copies that wait, without a word of any secret', async () => {
  const { body } = await gateway.request('GET', `/pins/${pins[0].requestid}`)
  assert.match(body.info.copies, new RegExp(`^[1-9]/${providers.length}$`))
  assert.ok(body.info['copy.healthy'].startsWith('pinned'), JSON.stringify(body.info))
  for (const { token } of providers) assert.ok(!JSON.stringify(body).includes(token))
})

await check('reads answered 200 throughout', async () => {
  running.on = false
  const bad = await reading
  assert.deepEqual(bad.slice(0, 5), [], `${bad.length} reads failed`)
})

await Promise.all([absent.start(), ...[...sick.values()].map((sim) => sim.heal())])
const catchUp = async (what, sim) => check(`${what}: catches up, each content once, nothing that was deleted`, async () => {
  const wanted = pins.map(({ pin }) => pin.cid).sort()
  let held
  await until('it holds what it should', async () => {
    held = await sim.held()
    return assert.deepEqual([...held.keys()].sort(), wanted) ?? true
  }, { within: CAUGHT_UP_WITHIN, every: 200 })
  assert.deepEqual([...held.values()], wanted.map(() => 1))
  assert.equal((await sim.stats()).most_of_one_content, 1, 'not even for a while were there two of one')
})
await Promise.all([...sick, ['not running', absent]].map(([what, sim]) => catchUp(what, sim)))

await check('in the end every copy is pinned', async () => {
  await each(pins, 4, ({ requestid }) => until('all copies are pinned', async () => {
    const { body } = await gateway.request('GET', `/pins/${requestid}`)
    return body.info.copies === `${providers.length}/${providers.length}`
  }, { within: 60_000, every: 200 }))
})
process.exit()
