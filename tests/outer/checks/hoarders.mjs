// Clients that have long lists made and take nothing of them, over HTTP/2 without a window. Memory stays within its bound, and good clients are served: one that asks for little all the time, and one
// that asks for a hundred lists at once and takes them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { check, each, pause, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, OTHER_TOKEN, TOKEN } from '../lib/gateway.mjs'
import { GoodClient } from '../lib/good.mjs'
import * as raw from '../lib/raw.mjs'
import { Sim } from '../lib/upstreams.mjs'

const HOARDERS = 60
const COMES_EVERY_MS = 400 // all at once, they would be busy with each other
const PINS = 100
const UNREAD_MB = 64
const SPARE_MB = 64 // lists while they are made, requests that wait, what the allocator keeps
const PATIENCE_MS = 10_000
const LISTS_MS = 20_000 // all hundred: about one where nothing else runs
const LIST = '/pins?limit=1000&status=queued,pinning,pinned,failed'

const sim = await new Sim('alpha').start()
const gateway = await new Gateway({
  providers: [sim.entry()],
  policy: { copies: 1 },
  api: { accept_wait: '0s' },
  // Time bounds nothing here: an answer may wait for an hour.
  server: { max_unread: `${UNREAD_MB}MiB`, timeouts: { write: '1h' } }
}).start()
const memory = (key) => Math.round(Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))[1]) / 1024)
const metric = async (name) => {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text()
  return Number(text.split('\n').find((line) => line.startsWith(`${name}{listener="public"} `)).split(' ').at(-1))
}

/** Asks for a hundred lists over one connection, all at once, and takes them. */
async function takesAHundredLists () {
  const session = connect(gateway.url)
  session.on('error', () => {}) // each request tells
  const ask = () => new Promise((resolve, reject) => {
    const request = session.request({ ':path': LIST, authorization: `Bearer ${OTHER_TOKEN}` })
    let status
    let length = 0
    request.on('response', (headers) => { status = headers[':status'] })
    request.on('data', (data) => { length += data.length })
    request.on('end', () => resolve({ status, length }))
    request.on('error', reject)
  })
  const answers = await Promise.all(Array.from({ length: 100 }, ask))
  session.close()
  return answers
}

/** Asks for a hundred lists and opens no window for them. */
async function hoards (n) {
  const lists = Array.from({ length: 100 }, (_, at) => raw.frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, 2 * at + 1, raw.get(LIST, TOKEN)))
  const socket = raw.open(gateway.port, { from: `127.0.1.${1 + n}` })
  await socket.opened
  socket.write(Buffer.concat([raw.PREFACE, raw.settings(0), ...lists]))
  return socket
}

await check(`${PINS} pins for each to list`, async () => {
  for (const token of [TOKEN, OTHER_TOKEN]) {
    await each(Array.from({ length: PINS }), 8, async (_, n) => {
      const { status } = await gateway.request('POST', '/pins', { token, body: { cid: rawCid(`listed ${n}`), name: `listed ${n}`, meta: { filler: 'x'.repeat(6000) } } })
      assert.equal(status, 202)
    })
  }
})

await check(`${HOARDERS} clients ask for 100 lists each and take nothing: memory is bounded, good clients are served`, async () => {
  const good = new GoodClient(gateway, OTHER_TOKEN, [rawCid('good beside hoarders')])
  await takesAHundredLists()
  const before = memory('VmHWM')
  let ended = false
  const hoarders = (async () => {
    const sockets = []
    for (let n = 0; n < HOARDERS; n++) {
      sockets.push(await hoards(n))
      await pause(COMES_EVERY_MS)
    }
    ended = true
    return sockets
  })()
  await until('room is short', async () => await metric('pinfold_http_connections_given_up_total') > 0)
  await good.report()
  const began = performance.now()
  let took
  const lists = takesAHundredLists().catch((error) => [{ status: error, length: 0 }]).finally(() => { took = performance.now() - began })
  let unread = 0
  while (took === undefined || !ended) {
    unread = Math.max(unread, await metric('pinfold_http_unread_bytes'))
    await pause(100)
  }
  const { count, worst, failed } = await good.report()
  const peak = memory('VmHWM')
  console.log(`     ${await metric('pinfold_http_connections_given_up_total')} connections were given up; unread at most ${Math.round(unread / 2 ** 20)} MiB; peak memory ${before} MB before, ${peak} MB after`)
  const answers = await lists
  console.log(`     good clients: 100 lists of ${answers[0].length} bytes in ${Math.round(took)} ms; ${count} answers, worst ${Math.round(worst)} ms`)
  assert.deepEqual(failed, [], 'requests of the good client failed')
  assert.ok(count > 0 && worst < PATIENCE_MS, `the good client waited ${worst} ms`)
  assert.ok(answers.every(({ status, length }) => status === 200 && length > 100_000), `the one with a hundred lists was answered ${[...new Set(answers.map(({ status }) => status))]}`)
  assert.ok(took < LISTS_MS, `the one with a hundred lists waited ${Math.round(took)} ms for them`)
  assert.ok(unread <= UNREAD_MB * 2 ** 20, `${unread} bytes were kept`)
  assert.ok(peak - before < UNREAD_MB + SPARE_MB, `the server took ${peak} MB`)
  for (const socket of await hoarders) socket.destroy()
  await until('all room is free again', async () => await metric('pinfold_http_unread_bytes') < 100_000)
  await good.end()
})

await check('nothing panicked, and the server ends in order', async () => {
  const log = readFileSync(gateway.log, 'utf8')
  assert.ok(!/panick/i.test(log), log.split('\n').find((line) => /panick/i.test(line)))
  assert.equal(await gateway.stop(), 0)
})
process.exit()
