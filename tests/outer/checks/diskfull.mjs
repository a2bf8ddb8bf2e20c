// The store on a disk that is full: writes say so, reads go on, and all is well when there is room again. Works on a
// small tmpfs in a mount namespace of its own, which vanishes with this process.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { check, each, skip } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { scratch, start } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const INSIDE = 'OUTER_IN_NAMESPACE'
const SIZE = '6m'
const MOST_WRITES = 5000

if (!process.env[INSIDE]) {
  const unshare = ['--mount', '--propagation', 'private']
  if (spawnSync('unshare', [...unshare, 'true']).status !== 0) {
    skip('disk full', 'this machine does not let us make a mount namespace')
    process.exit()
  }
  const again = start('unshare', [...unshare, process.execPath, ...process.argv.slice(1)], { env: { [INSIDE]: '1' } })
  const ended = await again.gone
  process.exit(Number.isInteger(ended) ? ended : 1)
}

const disk = join(scratch(), 'disk')
mkdirSync(disk)
if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tmpfs', disk]).status !== 0) {
  skip('disk full', 'this machine does not let us mount a tmpfs')
  process.exit()
}
process.prependListener('exit', () => spawnSync('umount', ['--lazy', disk]))
const ballast = join(disk, 'ballast')

function fillTheDisk () {
  const file = openSync(ballast, 'a')
  for (let size = 1 << 16; size > 0;) {
    try { if (writeSync(file, Buffer.alloc(size)) < size) size >>= 1 } catch (error) {
      assert.equal(error.code, 'ENOSPC')
      size >>= 1
    }
  }
  closeSync(file)
}

const sims = await Promise.all([new Sim('alpha').start(), new Sim('beta').start()])
const gateway = await new Gateway({
  providers: sims.map((sim) => sim.entry()),
  api: { accept_wait: '0s' },
  engine: { retry_max: '2s' },
  store: join(disk, 'pinfold.db')
}).start()
const kept = []
const post = (name) => gateway.request('POST', '/pins', { body: { cid: rawCid(name), name, meta: { filler: 'x'.repeat(500) } } })

async function assertReads () {
  const { status, body } = await gateway.request('GET', '/pins?limit=1000&status=queued,pinning,pinned,failed')
  assert.equal(status, 200)
  const ids = new Set(body.results.map((entry) => entry.requestid))
  assert.deepEqual(kept.filter(({ requestid }) => !ids.has(requestid)), [], 'an acknowledged pin is not listed')
  await each(kept.slice(-50), 4, async ({ requestid, pin }) => {
    const one = await gateway.request('GET', `/pins/${requestid}`)
    assert.deepEqual([one.status, one.body.pin?.cid], [200, pin.cid])
  })
}

await check('a full disk answers writes with 507 and a Failure', async () => {
  for (let n = 0; n < 20; n++) kept.push(await gateway.add({ cid: rawCid(`before ${n}`), name: `before ${n}` }))
  await gateway.pinned(kept.at(-1).requestid)
  fillTheDisk()
  let refused
  for (let n = 0; n < MOST_WRITES && !refused && kept.length < 900; n++) { // room that the log had already is used up first
    const answer = await post(`during ${n}`)
    if (answer.status === 202) kept.push(answer.body)
    else refused = answer
  }
  assert.ok(refused, 'the disk never filled up')
  assert.equal(refused.status, 507, JSON.stringify(refused.body))
  assert.equal(refused.body.error.reason, 'INSUFFICIENT_STORAGE')
  assert.ok(refused.body.error.details.length > 0)
})

await check('so do a replace and a delete, or they are done; nothing in between', async () => {
  const [replaced, deleted] = kept.splice(0, 2)
  const answers = [
    [replaced, await gateway.request('POST', `/pins/${replaced.requestid}`, { body: { cid: rawCid('replaced'), meta: { filler: 'x'.repeat(500) } } })],
    [deleted, await gateway.request('DELETE', `/pins/${deleted.requestid}`)]
  ]
  for (const [old, answer] of answers) {
    assert.ok([202, 507].includes(answer.status), `${answer.status} ${JSON.stringify(answer.body)}`)
    if (answer.status === 507) kept.push(old)
    else if (answer.body?.requestid) kept.push(answer.body)
    const still = await gateway.request('GET', `/pins/${old.requestid}`)
    assert.equal(still.status, answer.status === 507 ? 200 : 404)
  }
})

await check('reads go on while the disk is full', assertReads)

await check('writes work again when there is room, and none of what was acknowledged is lost', async () => {
  rmSync(ballast)
  const fresh = await post('after')
  assert.equal(fresh.status, 202, JSON.stringify(fresh.body))
  kept.push(fresh.body)
  await gateway.pinned(fresh.body.requestid, 60_000)
  await assertReads()
})

await check('and it starts again with all of it', async () => {
  await gateway.kill()
  await gateway.start()
  await assertReads()
})
process.exit()
