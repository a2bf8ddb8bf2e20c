// What promtool says of /metrics, and that no secret or CID is in it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { check, skip } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
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
process.exit()
