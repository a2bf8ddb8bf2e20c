// What promtool says of /metrics, and that no secret or CID is in it; that every line of the log is JSON, and that what is
// logged can be changed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { check, skip, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { BINARY } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const sims = await Promise.all([new Sim('alpha').start(), new Sim('beta').start()])
await sims[1].sicken('failing')
const gateway = await new Gateway({ providers: sims.map((sim) => sim.entry()) }).start()
const cid = rawCid('measured')

/** A little of everything first, so that as many series as can be have a value. */
async function exercise () {
  const { requestid } = await gateway.add({ cid, name: 'measured' })
  await gateway.pinned(requestid)
  await gateway.request('GET', '/pins', { token: 'wrong' })
  await gateway.request('GET', '/nowhere')
  await gateway.request('POST', '/pins', { body: 'broken' })
  const fresh = await gateway.replace(requestid, { cid: rawCid('other') })
  await gateway.remove(fresh.requestid)
}

async function scrape () {
  const answer = await fetch(`${gateway.admin}/metrics`)
  assert.equal(answer.status, 200)
  assert.match(answer.headers.get('content-type'), /^text\/plain; *version=0\.0\.4/)
  return answer.text()
}

let page = ''
await check('/metrics answers, with series of our own', async () => {
  await exercise()
  page = await scrape()
  assert.match(page, /^pinfold_\w+(\{.*\})? \d/m)
})

await check('no token, CID or name is a label', () => {
  for (const secret of [TOKEN, cid, 'measured', ...sims.map((sim) => sim.token)]) assert.ok(!page.includes(secret), secret)
})

const promtool = spawnSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8' })
if (promtool.error) skip('promtool check metrics', 'promtool is not installed (Debian: the package prometheus)')
else {
  await check('promtool check metrics finds nothing', () => {
    assert.equal(promtool.status, 0, promtool.stdout + promtool.stderr)
    assert.equal((promtool.stdout + promtool.stderr).trim(), '')
  })
}

const logLevel = (...words) => spawnSync(BINARY, ['log-level', ...words, '--config', gateway.file], { encoding: 'utf8' })
const lines = () => readFileSync(gateway.log, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
const lineOf = (id) => lines().find((line) => line.message === 'answered' && line.request_id === id)

await check('every line of the log is JSON, and each request has one with its id', async () => {
  for (const [base, id] of [[gateway.url, 'outer-1'], [`${gateway.admin}/api/v1/providers`, 'outer-2']]) {
    const answer = await fetch(base, { headers: { 'x-request-id': id } })
    assert.equal(answer.headers.get('x-request-id'), id)
    await until(`the line of ${id}`, () => lineOf(id) !== undefined)
  }
  const { listener, route, code } = lineOf('outer-2')
  assert.deepEqual({ listener, route, code }, { listener: 'admin', route: '/api/v1/providers', code: 200 })
})

await check('what is logged is changed while the gateway serves, and a wrong filter is told what to write', async () => {
  assert.equal(logLevel().stdout, 'info\n')
  const changed = logLevel('info,pinfold::request=off')
  assert.equal(changed.stdout, 'info,pinfold::request=off (the configuration says info)\n', changed.stderr)
  await fetch(gateway.url, { headers: { 'x-request-id': 'outer-3' } })
  assert.equal(logLevel('--reset').stdout, 'info\n')
  await fetch(gateway.url, { headers: { 'x-request-id': 'outer-4' } })
  await until('the line of outer-4', () => lineOf('outer-4') !== undefined)
  assert.equal(lineOf('outer-3'), undefined)
  const wrong = logLevel('warning')
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /write one of off, error, warn, info, debug and trace/)
})
process.exit()
