// The config is changed while the gateway serves: by SIGHUP, by `pinfold reload` and by its file alone, with mistakes in between, under load.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { check, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { BINARY } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const RELOADS = 50

const [alpha, beta, gamma] = await Promise.all(['alpha', 'beta', 'gamma'].map((name) => new Sim(name).start()))
const gateway = await new Gateway({ providers: [alpha.entry(), beta.entry()], api: { accept_wait: '0s' } }).start()

const log = () => readFileSync(gateway.log, 'utf8')
const times = (text) => log().split(text).length - 1
const metric = async (name) => {
  const page = await (await fetch(`${gateway.admin}/metrics`)).text()
  return Number(page.match(new RegExp(`^${name} (.*)$`, 'm'))[1])
}
/** Writes the settings and waits until the log has `word` once more. */
async function written (word, text) {
  const before = times(word)
  gateway.write(text)
  await until(`the log says ${word}`, () => times(word) > before)
}

await check('a file that changes is taken up, and the log says what changed', async () => {
  gateway.settings.policy = { copies: 1 }
  await written('policies[default].copies.max: 1 (was 2)')
  assert.equal(await metric('pinfold_config_last_reload_successful'), 1)
})

await check('a file with mistakes changes nothing; log and metric say so, each mistake with its place', async () => {
  const good = JSON.stringify(gateway.config(), null, 2)
  await written('the config cannot be used', good.replace('"copies"', '"copys"').replace('"exclusive"', '"x"'))
  assert.match(log(), /config\.yaml:\d+:\d+: policies\[0\]\.copys: unknown key; did you mean `copies`\?/)
  assert.equal(await metric('pinfold_config_last_reload_successful'), 0)
  const { requestid } = await gateway.add({ cid: rawCid('meanwhile') })
  await gateway.pinned(requestid)
  await written('the config says what it said before', good)
  assert.equal(await metric('pinfold_config_last_reload_successful'), 1)
})

const reload = () => spawnSync(BINARY, ['reload', '--config', gateway.file], { encoding: 'utf8' })

await check('`pinfold reload` says what changed, and what is wrong with a code of its own', async () => {
  gateway.settings.api = { accept_wait: '0s', default_status: 'all' }
  gateway.write()
  const good = reload()
  assert.equal(good.status, 0, good.stderr)
  // The file's own change may have been seen first.
  assert.match(good.stdout, /^(api\.default_status: all \(was \[pinned\]\)|the config says what it said before)\n$/)
  gateway.write(JSON.stringify(gateway.config()).replace('"policy":"default"', '"policy":"nowhere"'))
  const bad = reload()
  assert.equal(bad.status, 78, bad.stdout)
  assert.match(bad.stderr, /accounts\[0\]\.policy: .*\n(.*\n)*error: the gateway goes on with the configuration it has\n$/)
  const shown = await (await fetch(`${gateway.admin}/api/v1/config`)).json()
  assert.match(shown.refused.problems[0], /accounts\[0\]\.policy/)
  assert.match(shown.effective, /default_status: all/)
  assert.ok(!JSON.stringify(shown).includes(TOKEN), 'no secret is shown')
  await written('the config says what it said before')
})

await check('what takes a restart is told, and stays', async () => {
  const there = gateway.port
  gateway.port = there + 1
  await written('takes a restart')
  gateway.port = there
  assert.equal((await gateway.request('GET', '/pins')).status, 200)
  await written('the config says what it said before')
})

await check('an account with pins cannot be taken away; the reason is told', async () => {
  const config = gateway.config()
  config.accounts.shift()
  await written('is gone from the config but still has', JSON.stringify(config))
  assert.equal((await gateway.request('GET', '/pins')).status, 200)
  await written('the config says what it said before')
})

await check(`${RELOADS} reloads by SIGHUP under load: no request fails, no pin is lost, none is made twice`, async () => {
  let stop = false
  let added = (await gateway.list()).count
  const writers = Array.from({ length: 4 }, async (_, who) => {
    for (let n = 0; !stop; n++) {
      const { requestid } = await gateway.add({ cid: rawCid(`${who} ${n}`) })
      added++
      assert.equal((await gateway.request('GET', `/pins/${requestid}`)).status, 200)
    }
  })
  const turns = [[alpha, beta, gamma], [beta, gamma], [alpha, gamma], [alpha, beta]]
  for (let n = 1; n <= RELOADS; n++) {
    gateway.settings.providers = turns[n % turns.length].map((sim) => sim.entry())
    gateway.settings.policy = { copies: 1 + n % 2 }
    const before = times('config taken up') + times('says what it said before')
    gateway.write()
    gateway.child.kill('SIGHUP')
    await until('it is taken up', () => times('config taken up') + times('says what it said before') > before)
  }
  stop = true
  await Promise.all(writers)
  gateway.settings.providers = [alpha, beta, gamma].map((sim) => sim.entry())
  gateway.write()
  await until('every pin is pinned', async () => (await gateway.list({ status: 'pinned', limit: 1 })).count === added)
  for (const sim of [alpha, beta, gamma]) {
    for (const [cid, pins] of await sim.held()) assert.equal(pins, 1, `${sim.name} holds ${cid} ${pins} times`)
  }
  assert.equal((await gateway.listAll()).length, added)
})

await check('SIGTERM still ends it in order', async () => assert.equal(await gateway.stop(), 0))
process.exit()
