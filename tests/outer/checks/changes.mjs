// What an operator changes between two runs: a provider's lines deleted and put back, its token, its endpoint, an
// account; and a second gateway on the same database.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { check, each, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { BINARY } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const PINS = 12
const BAD_CONFIG = 78

const [alpha, beta] = await Promise.all([new Sim('alpha').start(), new Sim('beta').start()])
const gateway = await new Gateway({ providers: [alpha.entry(), beta.entry()], engine: { retry_max: '2s' } }).start()
const pins = await each(Array.from({ length: PINS }), 4, (_, n) => gateway.add({ cid: rawCid(`kept ${n}`), name: `kept ${n}` }))

/** Stops, changes the config's providers, and starts again. */
async function restartWith (providers, policy) {
  assert.equal(await gateway.stop(), 0, 'SIGTERM ends it in order')
  Object.assign(gateway.settings, { providers, policy })
  await gateway.start()
}

/** The exit code of a start that is not to succeed, and what it said last. */
async function refusedStart (which = gateway) {
  which.spawn()
  const code = await which.child.gone
  return { code, words: readFileSync(which.log, 'utf8').trimEnd().split('\n').at(-1) }
}

const rebind = (as) => spawnSync(BINARY, ['provider', 'rebind', 'beta', as, '--config', join(gateway.folder, 'config.yaml')], { encoding: 'utf8' })
const copies = async ({ requestid }) => (await gateway.request('GET', `/pins/${requestid}`)).body.info.copies
const allAt = (sim, what = pins) => until(`${sim.name} holds what it should`, async () => {
  const held = await sim.held()
  return assert.deepEqual([...held].sort(), what.map(({ pin }) => [pin.cid, 1]).sort()) ?? true
})
const bothCopies = () => each(pins, 4, (pin) => until('both copies are pinned', async () => await copies(pin) === '2/2'))
const adds = async (sim) => (await sim.stats()).calls.add ?? 0

await check('lines deleted and put back: pins stay, what was deleted meanwhile goes, nothing is sent again', async () => {
  await bothCopies()
  const sent = [await adds(alpha), await adds(beta)]
  await restartWith([alpha.entry()], { copies: 1 })
  assert.match(readFileSync(gateway.log, 'utf8'), /gone from the config/)
  assert.equal((await gateway.list({ status: 'pinned' })).count, PINS)
  await each(pins.splice(0, 3), 3, ({ requestid }) => gateway.remove(requestid))
  await allAt(alpha)
  await restartWith([alpha.entry(), beta.entry()], {})
  await Promise.all([allAt(alpha), allAt(beta)])
  await bothCopies()
  assert.deepEqual([await adds(alpha), await adds(beta)], sent)
})

await check('a token that is refused: pins stay and new ones are taken; the right one catches up', async () => {
  await restartWith([alpha.entry(), beta.entry({ token: 'revoked' })], {})
  const fresh = await gateway.add({ cid: rawCid('meanwhile'), name: 'meanwhile' })
  await gateway.pinned(fresh.requestid)
  assert.equal((await gateway.list({ status: 'pinned' })).count, pins.length + 1)
  pins.push(fresh)
  await restartWith([alpha.entry(), beta.entry()], {})
  await bothCopies()
  await allAt(beta)
})

await check("another account's token: nothing is sent there", async () => {
  const other = new Sim('beta')
  other.port = beta.port
  other.token = 'token-of-another-account'
  const kept = await beta.stop().then(() => other.start())
  await restartWith([alpha.entry(), kept.entry()], {})
  await until('the operator is told', () => /reaches none of the copies on record/.test(readFileSync(gateway.log, 'utf8')))
  const fresh = await gateway.add({ cid: rawCid('not there'), name: 'not there' })
  await gateway.pinned(fresh.requestid)
  assert.equal((await gateway.list({ status: 'pinned' })).count, pins.length + 1)
  assert.equal(await adds(kept), 0)
  pins.push(fresh)
})

await check(`an endpoint that changed: ${BAD_CONFIG}, until told that it is a new account; then copies are made there`, async () => {
  await gateway.stop()
  const moved = await new Sim('beta').start()
  Object.assign(gateway.settings, { providers: [alpha.entry(), moved.entry()] })
  const { code, words } = await refusedStart()
  assert.equal(code, BAD_CONFIG, words)
  assert.match(words, /pinfold provider rebind beta --new-account/)
  const told = rebind('--new-account')
  assert.equal(told.status, 0, told.stderr)
  await gateway.start()
  await allAt(moved)
  await bothCopies()
  await until('every pin is pinned', async () => (await gateway.list({ status: 'pinned' })).count === pins.length)
  beta.port = moved.port
})

await check('the same account at another address: nothing is sent again', async () => {
  await gateway.stop()
  const sent = await adds(beta)
  Object.assign(gateway.settings, { providers: [alpha.entry(), beta.entry({ endpoint: `http://localhost:${beta.port}` })] })
  assert.equal((await refusedStart()).code, BAD_CONFIG)
  const told = rebind('--same-account')
  assert.equal(told.status, 0, told.stderr)
  await gateway.start()
  await bothCopies()
  assert.equal(await adds(beta), sent)
  await gateway.remove(pins.pop().requestid)
  await allAt(beta)
})

await check('a second gateway on the same database ends with 1 and says why', async () => {
  const second = new Gateway({ ...gateway.settings })
  Object.assign(second, { port: 0, adminPort: 0 })
  const { code, words } = await refusedStart(second)
  assert.equal(code, 1, words)
  assert.match(words, /^error: .*in use by another pinfold process/)
  assert.equal((await gateway.list()).count, pins.length)
})
process.exit()
