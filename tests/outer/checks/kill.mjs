// kill -9 at random instants under load. Afterwards every acknowledged write must stand, and the providers must hold
// exactly what is listed: nothing twice, nothing left behind. OUTER_SEED repeats a run's choices.
import assert from 'node:assert/strict'
import { check, each, pause, seeded, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { Journal } from '../lib/journal.mjs'
import { Sim } from '../lib/upstreams.mjs'

const KILLS = 24
const WRITERS = 6
const LONGEST_LIFE_MS = 1400
// Few enough that pins share contents all the time, and contents come back after they were removed.
const CONTENTS = 120
const MOST_PINS_OF_A_WRITER = 40
const SETTLED_WITHIN = 150_000

const seed = Number(process.env.OUTER_SEED ?? Math.floor(Math.random() * 2 ** 31))
console.log(`     seed ${seed}`)
const dice = seeded(seed)
const upTo = (most) => Math.floor(dice() * most)

// One that is ours alone; one that loses answers and connections now and then; one that does not echo our tags.
const [alpha, beta, gamma] = await Promise.all([
  new Sim('alpha', { pinAfter: '30ms' }).start(),
  new Sim('beta', { pinAfter: '200ms' }).start(),
  new Sim('gamma', { pinAfter: '50ms' }).start()
])
const sims = [alpha, beta, gamma]
await alpha.change('behaviour', { latency: '10ms' })
await beta.change('behaviour', { latency: '30ms' })
await beta.change('faults', { add: ['add:stored-500@0.05', 'add:stored-reset@0.05', 'remove:stored-reset@0.05', 'any:reset@0.05', 'any:503@0.05'] })
await gamma.change('behaviour', { latency: '20ms', meta: 'dropped' })
const gateway = await new Gateway({
  providers: [alpha.entry({ exclusive: true }), beta.entry(), gamma.entry()],
  policy: { copies: 3 },
  api: { accept_wait: '20ms' },
  engine: { retry_max: '2s' }
}).start()
const journal = new Journal()

/** Adds, replaces and deletes pins of its own until told to stop. */
async function writer (name, running) {
  const mine = []
  for (let n = 0; running.on; n++) {
    const operation = next(mine, `${name}-${n}`)
    try {
      const entry = journal.done(operation, await perform(operation))
      if (entry) mine.push(entry)
    } catch (error) {
      if (error.status >= 400 && error.status < 500) journal.refused(operation, error)
      else journal.unanswered(operation)
      await until('the gateway is back', async () => !running.on || (await fetch(`${gateway.admin}/readyz`)).ok)
    }
  }
}

function next (mine, name) {
  const kind = mine.length === 0 ? 'add' : mine.length >= MOST_PINS_OF_A_WRITER ? 'delete' : ['add', 'add', 'replace', 'delete'][upTo(4)]
  const old = kind === 'add' ? undefined : mine.splice(upTo(mine.length), 1)[0]
  // A replace by the same CID is what a client does to change a name.
  const cid = kind === 'replace' && upTo(4) === 0 ? old.cid : rawCid(`content ${upTo(CONTENTS)}`)
  return journal.begin(kind, old, kind === 'delete' ? {} : { cid, name })
}

function perform ({ kind, old, cid, name }) {
  if (kind === 'add') return gateway.add({ cid, name })
  if (kind === 'replace') return gateway.replace(old.requestid, { cid, name })
  return gateway.remove(old.requestid)
}

await check(`${KILLS} kills under ${WRITERS} writers, and it starts again each time`, async () => {
  const running = { on: true }
  const writers = Array.from({ length: WRITERS }, (_, n) => writer(`w${n}`, running))
  try {
    for (let kills = 0; kills < KILLS; kills++) {
      // Every sixth one dies while it starts.
      if (kills % 6 === 5) await pause(upTo(150))
      else { await gateway.ready(); await pause(upTo(LONGEST_LIFE_MS)) }
      await gateway.kill()
      gateway.spawn()
    }
    await gateway.ready()
  } finally {
    running.on = false
  }
  await Promise.all(writers)
  console.log(`     ${journal.acknowledged} writes acknowledged, ${journal.unsure.length} cut off, ${journal.alive.size} pins promised`)
  assert.ok(journal.acknowledged > KILLS * 4, 'too few writes to tell anything')
  assert.ok(journal.unsure.length > 0, 'no kill met a write')
})

await check('no acknowledged add, replace or delete is lost', async () => {
  const wrong = journal.complaints(await gateway.listAll())
  assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} promises broken`)
})

/** What a provider holds that differs from the contents wanted there, in words. */
async function differences (sim, wanted) {
  const held = await sim.held()
  return [
    ...[...held].filter(([, times]) => times > 1).map(([cid, times]) => `${sim.name} holds ${times} of ${cid}`),
    ...[...held.keys()].filter((cid) => !wanted.has(cid)).map((cid) => `${sim.name} still holds ${cid}`),
    ...[...wanted].filter((cid) => !held.has(cid)).map((cid) => `${sim.name} lacks ${cid}`)
  ]
}

async function settle (wanted) {
  let last
  await until('the providers hold what is listed', async () => {
    last = (await Promise.all(sims.map((sim) => differences(sim, wanted)))).flat()
    return last.length === 0
  }, { within: SETTLED_WITHIN, every: 200 }).catch((error) => assert.deepEqual(last.slice(0, 10), [], error.message))
}

await beta.heal()
await check('all providers come to hold each content once, and nothing that is not listed', async () => {
  const listed = await gateway.listAll()
  await settle(new Set(listed.map((entry) => entry.pin.cid)))
  for (const sim of sims) assert.deepEqual((await sim.stats()).made_twice, {})
})

await check('at no moment did one hold two pins of one content', async () => {
  assert.deepEqual(await Promise.all(sims.map(async (sim) => (await sim.stats()).most_of_one_content)), sims.map(() => 1))
})

await check('every pin ends pinned, and the list is still the promised one', async () => {
  await until('all are pinned', async () => (await gateway.list({ status: 'queued,pinning,failed' })).count === 0, { within: 60_000 })
  assert.deepEqual(journal.complaints(await gateway.listAll()), [])
})

await check('after the last delete nothing is left behind', async () => {
  await each(await gateway.listAll(), 8, ({ requestid }) => gateway.remove(requestid))
  await settle(new Set())
  assert.equal((await gateway.list()).count, 0)
})
process.exit()
