// Restarts without a refused connection: the sockets outlive the process, and the successor waits for the database.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { check, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { BINARY } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const RESTARTS = 5
const CLIENTS = 6

const sim = await new Sim('alpha').start()
const gateway = new Gateway({ providers: [sim.entry()], policy: { copies: 1 }, api: { accept_wait: '0s' }, lockWait: '30s' })
// Nobody listens there: what is served is served on the sockets that are passed.
gateway.port = gateway.adminPort = 1
gateway.write()

const script = new URL('../lib/sockets.py', import.meta.url).pathname
const holder = spawn('setpriv', ['--pdeathsig', 'KILL', 'python3', script, gateway.log, 'admin:public', BINARY, 'serve', '--config', gateway.file], {
  stdio: ['pipe', 'pipe', 'inherit']
})
const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]()
const said = async () => (await lines.next()).value
;[gateway.adminPort, gateway.port] = (await said()).split(' ').map(Number)

const begin = async () => {
  holder.stdin.write('start\n')
  return Number(await said())
}
const log = () => readFileSync(gateway.log, 'utf8')
const times = (text) => log().split(text).length - 1
const isThere = (pid) => { try { process.kill(pid, 0); return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) } catch { return false } }

let running = await begin()
await until('it is ready', async () => (await fetch(`${gateway.admin}/readyz`)).ok)

await check('sockets that are passed are told apart by name, and go before the config', async () => {
  assert.equal((await fetch(`${gateway.admin}/livez`)).status, 200)
  assert.equal((await gateway.request('GET', '/pins')).status, 200)
  assert.match(log(), /listening on a socket of the service manager/)
})

await check(`${RESTARTS} restarts under ${CLIENTS} clients: no request fails, no pin is lost`, async () => {
  let stop = false
  let added = 0
  const slowest = { ms: 0 }
  const clients = Array.from({ length: CLIENTS }, async (_, who) => {
    for (let n = 0; !stop; n++) {
      const began = Date.now()
      const { requestid } = await gateway.add({ cid: rawCid(`${who} ${n}`) })
      added++
      assert.equal((await gateway.request('GET', `/pins/${requestid}`)).status, 200)
      slowest.ms = Math.max(slowest.ms, Date.now() - began)
    }
  })
  const restarts = async () => {
    for (let n = 0; n < RESTARTS; n++) {
      const [old, waiting, ready] = [running, times('waiting for its end'), times('ready; give it to Kubo')]
      running = await begin()
      await until('the successor waits for the database', () => times('waiting for its end') > waiting)
      process.kill(old, 'SIGTERM')
      await until('the old one is gone', () => !isThere(old))
      await until('the new one serves', () => times('ready; give it to Kubo') > ready)
    }
    stop = true
  }
  await Promise.all([...clients, restarts()])
  await until('every pin is pinned', async () => (await gateway.list({ status: 'pinned', limit: 1 })).count === added)
  for (const [cid, pins] of await sim.held()) assert.equal(pins, 1, `${cid} is held ${pins} times`)
  console.log(`     ${added} pins over ${RESTARTS} restarts; the slowest add and get took ${slowest.ms} ms`)
})

process.exit()
