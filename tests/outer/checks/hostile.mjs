// Clients that mean harm, at the plain listener: slow ones, greedy ones, liars, floods. Through all of it a good client
// is served, the server's memory stays within a bound, and whatever can be read as a request gets a Failure.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { check, each, pause, seeded, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, OTHER_TOKEN, TOKEN } from '../lib/gateway.mjs'
import { GoodClient } from '../lib/good.mjs'
import * as raw from '../lib/raw.mjs'
import { Sim } from '../lib/upstreams.mjs'

const CONNECTIONS = 10_000
const SPARE_FILES = 500
const PINS = 1000
// Of its own worst case, 64 KiB a head and 1 MiB a body in flight, this leaves out most.
const MEMORY_MB = 700
const PATIENCE_MS = 10_000
const TIMEOUTS = { head: '2s', idle: '60s', body: '2s', write: '2s' }
const AUTH = `authorization: Bearer ${TOKEN}\r\n`
const SLACK_MS = 10_000

const files = Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1]) // node raises its own as far as it may
const idle = Math.min(CONNECTIONS, files - SPARE_FILES)
if (idle < CONNECTIONS) console.log(`     this machine allows ${files} open files: ${idle} connections instead of ${CONNECTIONS}`)

const sim = await new Sim('alpha').start()
const gateway = await new Gateway({
  providers: [sim.entry()],
  policy: { copies: 1 },
  api: { accept_wait: '0s' },
  limits: { read: 'none', write: 'none' }, // what is shown here is that it holds without them
  server: { max_connections: CONNECTIONS + SPARE_FILES, timeouts: TIMEOUTS }
}).start()
const { port } = gateway
const good = new GoodClient(gateway, OTHER_TOKEN, Array.from({ length: 100 }, (_, n) => rawCid(`good ${n}`)))

const memory = (key) => Math.round(Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))[1]) / 1024)
const metric = async (line) => {
  const text = await (await fetch(`${gateway.admin}/metrics`)).text()
  const found = text.split('\n').find((candidate) => candidate.startsWith(line + ' '))
  return found === undefined ? undefined : Number(found.split(' ').at(-1))
}
const openConnections = () => metric('pinfold_http_connections{listener="public"}')

/** One kind of attack. Afterwards: the good client was served, memory is bounded, the server is the same process. */
async function attack (name, body) {
  await good.report()
  await check(name, async () => {
    await body()
    assert.equal(gateway.child.ended, undefined, 'the server ended')
    await pause(200) // so that it was asked at least once meanwhile
    const { count, worst, failed } = await good.report()
    console.log(`     good client: ${count} answers, worst ${Math.round(worst)} ms; memory ${memory('VmRSS')} MB, peak ${memory('VmHWM')} MB`)
    assert.deepEqual(failed, [], 'requests of the good client failed')
    assert.ok(count > 0 && worst < PATIENCE_MS, `the good client waited ${worst} ms`)
    assert.ok(memory('VmHWM') < MEMORY_MB, `the server took ${memory('VmHWM')} MB`)
  })
}

/** That many sockets, connected, from addresses of their own range: one address has too few ports and too small a share. */
async function crowd (count, options = {}) {
  const sockets = Array.from({ length: count }, (_, n) => raw.open(port, { from: `127.0.1.${1 + n % 200}`, ...options }))
  await Promise.all(sockets.map((socket) => socket.opened))
  return sockets
}

const gone = (sockets) => sockets.forEach((socket) => socket.destroy())

async function allClose (sockets, within) {
  const closed = await Promise.all(sockets.map((socket) => raw.closes(socket, within)))
  gone(sockets)
  const open = closed.filter((yes) => !yes).length
  assert.equal(open, 0, `${open} of ${sockets.length} connections were still open after ${within / 1000} s`)
}

/** Writes a byte at a time on each, until it is closed. */
function dribble (sockets, byte) {
  const timer = setInterval(() => {
    for (const socket of sockets) if (!socket.isOver && socket.writable) socket.write(byte)
  }, 200)
  return () => clearInterval(timer)
}

function assertFailures (found, statuses) {
  assert.ok(found.length > 0, 'no answer')
  for (const { status, body } of found) {
    assert.ok(statuses.includes(status), `answered ${status} ${body}`)
    if (status >= 400) assert.ok(raw.isFailure(body), `${status} with no Failure: ${body}`)
  }
}

const before = { peak: memory('VmHWM'), now: memory('VmRSS') }
console.log(`     at the start: memory ${before.now} MB`)

await attack('1,000 heads that dribble in are cut', async () => {
  const sockets = await crowd(1000)
  for (const socket of sockets) socket.write('GET /pins HTTP/1.1\r\nhost: x\r\nx-slow: ')
  const stop = dribble(sockets, 'a')
  await allClose(sockets, 2000 + SLACK_MS).finally(stop)
})

await attack('500 bodies that dribble in are answered 408 with a Failure, or cut', async () => {
  const sockets = await crowd(500)
  const head = `POST /pins HTTP/1.1\r\nhost: x\r\n${AUTH}content-type: application/json\r\n`
  sockets.forEach((socket, n) => socket.write(head + (n % 2 ? 'content-length: 5000\r\n\r\n{' : 'transfer-encoding: chunked\r\n\r\nfff\r\n{')))
  const stop = dribble(sockets, ' ')
  await allClose(sockets, 2000 + SLACK_MS).finally(stop)
  for (const socket of sockets) assertFailures(raw.answers(socket.came.toString('latin1')), [408])
})

await attack('200 bodies that dribble in over HTTP/2 are answered 408 with a Failure', async () => {
  const socket = raw.open(port)
  await socket.opened
  socket.write(Buffer.concat([raw.PREFACE, raw.settings()]))
  const streams = Array.from({ length: 200 }, (_, n) => 2 * n + 1)
  for (const stream of streams) socket.write(raw.frame(raw.HEADERS, raw.END_HEADERS, stream, raw.post('/pins', TOKEN)))
  // They end before the answers come: what is sent to a stream that is answered already is another attack.
  for (let n = 0; n < 5; n++) {
    for (const stream of streams) socket.write(raw.frame(raw.DATA, 0, stream, Buffer.from(' ')))
    await pause(200)
  }
  const answers = () => {
    const bodies = new Map()
    for (const { type, stream, payload } of raw.frames(socket.came)) {
      if (type === raw.DATA) bodies.set(stream, (bodies.get(stream) ?? '') + payload)
    }
    return [...bodies.values()].filter((body) => body.endsWith('}}'))
  }
  await until('each is answered', () => answers().length === streams.length, { within: 2000 + SLACK_MS })
  for (const body of answers()) assert.equal(JSON.parse(body).error.reason, 'REQUEST_TIMEOUT')
  socket.destroy()
})

await attack(`${idle} idle connections`, async () => {
  const sockets = []
  for (let n = 0; n < idle; n += 250) {
    const more = await crowd(Math.min(250, idle - n))
    more.forEach((socket) => socket.write('OPTIONS /pins HTTP/1.1\r\nhost: x\r\n\r\n'))
    await until('an answer on each', () => more.every((socket) => socket.came.length > 0 || socket.isOver))
    sockets.push(...more)
  }
  assert.ok(await openConnections() >= idle, 'not all are open at once')
  console.log(`     ${await openConnections()} connections are open`)
  await pause(1000) // while the good client goes on
  gone(sockets)
  await until('they are gone', async () => await openConnections() < 100)
})

await attack('huge heads, addresses and bodies are refused with a Failure', async () => {
  const get = (path, headers = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${AUTH}${headers}\r\n`
  const shapes = [
    [get('/pins', `x: ${'a'.repeat(40_000)}\r\n`), [431]],
    [get('/pins', `x: ${'a'.repeat(2_000_000)}\r\n`), [431]],
    [get('/pins', 'x: a\r\n'.repeat(500)), [431]],
    [get('/pins', 'x: a\r\n'.repeat(200_000)), [431]],
    [get(`/pins?name=${'a'.repeat(20_000)}`), [414]],
    [get(`/pins?name=${'a'.repeat(60_000)}`), [414, 431]],
    [get(`/pins?name=${'a'.repeat(3_000_000)}`), [414, 431]],
    [get(`/${'../'.repeat(10_000)}`), [414]],
    [`${'A'.repeat(100_000)} / HTTP/1.1\r\n\r\n`, [400, 431]]
  ]
  for (const [bytes, statuses] of shapes) {
    const { closed, answers } = await raw.exchange(port, bytes)
    assert.ok(closed, `${bytes.slice(0, 60)} keeps its connection`)
    assertFailures(answers, statuses)
  }
  const post = (headers) => `POST /pins HTTP/1.1\r\nhost: x\r\n${AUTH}content-type: application/json\r\n${headers}\r\n`
  const bodies = [
    [post('content-length: 6000000\r\n') + ' '.repeat(6_000_000), [413]],
    [post('content-length: 99999999999\r\n'), [413, 408]],
    [post('content-length: 99999999999999999999999999\r\n'), [400]],
    [post('transfer-encoding: chunked\r\n') + 'ffff\r\n' + ' '.repeat(65_535) + `\r\n${`ffff\r\n${' '.repeat(65_535)}\r\n`.repeat(100)}`, [413]],
    [post('content-encoding: gzip\r\ncontent-length: 3\r\n') + 'abc', [415]],
    [post('content-length: 400000\r\n') + '['.repeat(400_000), [400]],
    [post('content-length: 400000\r\n') + '{"a":'.repeat(80_000), [400]]
  ]
  await each(bodies, 7, async ([bytes, statuses]) => {
    const { answers } = await raw.exchange(port, bytes)
    assertFailures(answers, statuses)
  })
})

await attack('64 bodies of a gigabyte each, at once', async () => {
  const sockets = await crowd(64)
  const block = Buffer.alloc(1 << 16, 0x20)
  for (const socket of sockets) {
    socket.write(`POST /pins HTTP/1.1\r\nhost: x\r\n${AUTH}content-type: application/json\r\ncontent-length: 1000000000\r\n\r\n`)
    const more = () => { while (!socket.isOver && socket.writable && socket.write(block)); }
    socket.on('drain', more)
    more()
  }
  await allClose(sockets, SLACK_MS)
})

await attack('chunks that lie end in a Failure or a close', async () => {
  const post = (chunks) => `POST /pins HTTP/1.1\r\nhost: x\r\n${AUTH}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`
  const shapes = ['zz\r\nabc\r\n0\r\n\r\n', '-1\r\nabc\r\n', '5\r\nabc\r\n0\r\n\r\n', 'fffffffffffffffffffff\r\nabc', '0x5\r\nabcde\r\n0\r\n\r\n',
    '5\nabcde\n0\n\n', '5 5\r\nabcde\r\n0\r\n\r\n', `5;${'a'.repeat(100_000)}\r\nabcde\r\n0\r\n\r\n`, `${'0'.repeat(100_000)}5\r\nabcde\r\n0\r\n\r\n`,
    `5;a=b\nX\r\nabcde\r\n0\r\n\r\n`, '5\r\nabcdeXX0\r\n\r\n', `0\r\n${'x: a\r\n'.repeat(100_000)}\r\n`, `2\r\n{}\r\n0\r\n${'x'.repeat(200_000)}`]
  await each(shapes, 4, async (chunks) => {
    const { closed, answers } = await raw.exchange(port, post(chunks))
    assert.ok(closed || answers.length > 0, `${JSON.stringify(chunks.slice(0, 40))} is neither answered nor closed`)
    if (answers.length > 0) assertFailures(answers, [400, 408])
  })
})

await attack('no request is smuggled in another', async () => {
  // What follows the first request would, taken for a request of its own, be answered 404 by this path.
  const smuggled = `GET /smuggled HTTP/1.1\r\nhost: x\r\n${AUTH}\r\n`
  const shape = (headers, body = '') => `POST /pins HTTP/1.1\r\nhost: x\r\n${AUTH}content-type: application/json\r\n${headers}\r\n${body}`
  const chunked = `0\r\n\r\n${smuggled}`
  const shapes = {
    'CL and TE': shape(`content-length: 6\r\ntransfer-encoding: chunked\r\n`, chunked),
    'TE and CL': shape(`transfer-encoding: chunked\r\ncontent-length: 6\r\n`, chunked),
    'two CLs': shape(`content-length: 0\r\ncontent-length: ${smuggled.length}\r\n`, smuggled),
    'two CLs in one': shape(`content-length: 0, ${smuggled.length}\r\n`, smuggled),
    'CL with a sign': shape('content-length: +0\r\n', smuggled),
    'CL with a letter': shape('content-length: 0x0\r\n', smuggled),
    'obs-fold': shape(`x: a\r\n transfer-encoding: chunked\r\ncontent-length: 0\r\n`, smuggled),
    'folded TE': shape(`transfer-encoding:\r\n chunked\r\n`, chunked),
    'space before the colon': shape(`transfer-encoding : chunked\r\n`, chunked),
    'tab before the colon': shape(`content-length\t: 5\r\n`, smuggled),
    'TE with a vertical tab': shape(`transfer-encoding: \vchunked\r\n`, chunked),
    'TE of another kind': shape(`transfer-encoding: gzip\r\n`, chunked),
    'TE: chunked, identity': shape(`transfer-encoding: chunked, identity\r\n`, chunked),
    'TE: chunked and something': shape(`transfer-encoding: chunkedx\r\n`, chunked),
    'TE in HTTP/1.0': shape(`transfer-encoding: chunked\r\n`, chunked).replace('HTTP/1.1', 'HTTP/1.0'),
    'NUL in a value': shape(`x: a\0b\r\ncontent-length: 0\r\n`, smuggled),
    'CR in a value': shape(`x: a\rcontent-length: 0\r\n`, smuggled),
    'a line without a colon': shape(`x\r\ncontent-length: 0\r\n`, smuggled),
    'no host, absolute form of garbage': `GET http:///\\x HTTP/1.1\r\n\r\n${smuggled}`
  }
  const refused = []
  for (const [name, bytes] of Object.entries(shapes)) {
    const { closed, answers } = await raw.exchange(port, bytes)
    assert.ok(closed, `${name}: the connection goes on`)
    assert.ok(!answers.some(({ status }) => status === 404), `${name}: what followed was served`)
    assertFailures(answers, [400])
    refused.push(name)
  }
  // These have one meaning only: they are read so, and what follows is the next request.
  const twice = await raw.exchange(port, shape(`transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n`, chunked), { within: 1000 })
  const bare = await raw.exchange(port, `GET /smuggled HTTP/1.1\nhost: x\n${AUTH.replace('\r', '')}\n`, { within: 1000 })
  const extension = await raw.exchange(port, shape('transfer-encoding: chunked\r\n', `2;a=b\r\n{}\r\n0\r\n\r\n`), { within: 1000 })
  console.log(`     refused: ${refused.length} shapes; TE twice: ${twice.answers.map(({ status }) => status)}; bare LF: ${bare.answers.map(({ status }) => status)}; chunk extension: ${extension.answers.map(({ status }) => status)}`)
})

await attack('garbage and a TLS hello at the plain port end soon', async () => {
  const random = seeded(7)
  const noise = Array.from({ length: 200 }, () => Buffer.from(Array.from({ length: 1 + Math.floor(random() * 2000) }, () => Math.floor(random() * 256))))
  const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(505, 7)])
  await each([hello, Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'), Buffer.from('\0'.repeat(5000)), ...noise], 50, async (bytes) => {
    const { closed, answers } = await raw.exchange(port, bytes)
    assert.ok(closed, `${bytes.subarray(0, 20).toString('hex')} keeps its connection`)
    if (answers.length > 0) assertFailures(answers, [400])
  })
})

/** A raw HTTP/2 connection that is flooded until it is closed or `enough`; what came is returned. */
async function flood (make, { enough = 20_000, batch = 500, window } = {}) {
  const socket = raw.open(port)
  await socket.opened
  socket.write(Buffer.concat([raw.PREFACE, raw.settings(window)]))
  for (let n = 0; n < enough && !socket.isOver && socket.writable; n += batch) {
    const wrote = socket.write(Buffer.concat(Array.from({ length: batch }, (_, k) => make(n + k))))
    if (!wrote) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), raw.closes(socket, 3000)])
    else await pause(1)
  }
  const closed = await raw.closes(socket, 5000)
  socket.destroy()
  return { closed, frames: raw.frames(socket.came) }
}

await attack('HTTP/2 rapid reset ends in GOAWAY', async () => {
  const found = await Promise.all(Array.from({ length: 20 }, () => flood((n) => {
    const stream = 2 * n + 1
    return Buffer.concat([raw.frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, stream, raw.get('/pins?limit=1000', TOKEN)), raw.reset(stream)])
  })))
  for (const { closed } of found) assert.ok(closed, 'a connection that resets 20,000 streams goes on')
})

await attack('streams beyond the bound are refused', async () => {
  const { closed, frames } = await flood((n) => raw.frame(raw.HEADERS, raw.END_HEADERS, 2 * n + 1, raw.post('/pins', TOKEN)), { enough: 5000 })
  const refused = frames.filter(({ type, payload }) => type === raw.RESET && payload.at(-1) === 7).length
  const away = frames.some(({ type }) => type === raw.GO_AWAY)
  // Where the close comes as a reset, what was said before is lost.
  assert.ok(closed || refused > 0 || away, 'thousands of streams at once were taken')
})

await attack('an endless CONTINUATION is cut', async () => {
  const filler = raw.header('x-filler', 'a'.repeat(1000))
  const { closed } = await flood((n) => n === 0
    ? raw.frame(raw.HEADERS, 0, 1, raw.get('/pins', TOKEN))
    : raw.frame(raw.CONTINUATION, 0, 1, filler), { enough: 100_000 })
  assert.ok(closed, 'it goes on')
  const empty = await flood((n) => n === 0
    ? raw.frame(raw.HEADERS, 0, 1, raw.get('/pins', TOKEN))
    : raw.frame(raw.CONTINUATION, 0, 1), { enough: 100_000 })
  assert.ok(empty.closed, 'an empty one goes on')
})

await attack('PINGs and SETTINGS do not keep a connection without requests', async () => {
  const socket = raw.open(port)
  await socket.opened
  socket.write(Buffer.concat([raw.PREFACE, raw.settings()]))
  const timer = setInterval(() => socket.writable && socket.write(Buffer.concat([raw.frame(raw.PING, 0, 0, Buffer.alloc(8)), raw.settings()])), 100)
  const closed = await raw.closes(socket, 2000 + SLACK_MS)
  clearInterval(timer)
  socket.destroy()
  assert.ok(closed, 'it goes on')
})

await attack('2,000 guesses of a token are all refused', async () => {
  const before = await metric('pinfold_http_rejections_total{reason="unauthorized"}')
  const guesses = Array.from({ length: 2000 }, (_, n) => `outer-test-token-of-the-first-accoun${n}`)
  const answers = await each(guesses, 32, async (token) => gateway.request('GET', '/pins', { token }))
  for (const { status, body } of answers) {
    assert.ok([401, 429].includes(status), `answered ${status}`)
    assert.ok(body.error.reason && body.error.details)
  }
  const counted = await metric('pinfold_http_rejections_total{reason="unauthorized"}') - before
  const refused = answers.filter(({ status }) => status === 401).length
  assert.equal(counted, refused, 'not all were counted')
  console.log(`     ${refused} answered 401, ${2000 - refused} answered 429`)
})

await check(`${PINS} pins for the greedy to list`, async () => {
  // Few at once: each connection has two seconds for its first head, which a busy machine may need.
  await each(Array.from({ length: PINS }), 8, (_, n) => gateway.add({ cid: rawCid(`listed ${n}`), name: `listed ${n}`, meta: { filler: 'x'.repeat(500) } }))
})
/** Those who never read do not see that they were cut: the server tells. */
async function cutOff () {
  await until('all are connected', async () => await openConnections() >= 20)
  await until('the server has closed them', async () => await openConnections() < 10, { within: 60_000, every: 250 })
}

const LIST = `/pins?limit=1000&status=queued,pinning,pinned,failed`

await attack('20 clients that pipeline 1,000 lists each and never read are cut', async () => {
  const sockets = await crowd(20, { paused: true })
  const request = `GET ${LIST} HTTP/1.1\r\nhost: x\r\n${AUTH}\r\n`.repeat(1000)
  for (const socket of sockets) socket.write(request)
  await cutOff()
  gone(sockets)
})

await attack('20 clients that take a list byte by byte are cut', async () => {
  const sockets = await crowd(20, { paused: true })
  for (const socket of sockets) socket.write(`GET ${LIST} HTTP/1.1\r\nhost: x\r\n${AUTH}\r\n`.repeat(50))
  const timer = setInterval(() => sockets.forEach((socket) => socket.read(1)), 100)
  await cutOff().finally(() => clearInterval(timer))
  gone(sockets)
})

await attack('HTTP/2 clients that open no window for 2,000 lists are cut, PINGs or not', async () => {
  const sockets = await crowd(20)
  const timer = setInterval(() => sockets.forEach((socket) => socket.writable && socket.write(raw.frame(raw.PING, 0, 0, Buffer.alloc(8)))), 200)
  sockets.forEach((socket, at) => {
    socket.write(Buffer.concat([raw.PREFACE, raw.settings(0)]))
    // One asks only for what is surely made: where some are refused, the small refusals are not taken either.
    const lists = at === 0 ? 1 : 100
    for (let n = 0; n < lists; n++) socket.write(raw.frame(raw.HEADERS, raw.END_HEADERS | raw.END_STREAM, 2 * n + 1, raw.get(LIST, TOKEN)))
  })
  // Long enough to make 2,000 lists on a busy machine, and too short for what their size would take slowly.
  await allClose(sockets, 30_000).finally(() => clearInterval(timer))
})

/** What a proxy writes before the bytes of its client, by version 2 of the PROXY protocol. */
const introduction = (address) => Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'), Buffer.from([...address, 127, 0, 0, 1, 0, 1, 0, 80])
])

await check('behind a proxy each address has its share of connections, and no connection comes without an introduction', async () => {
  const proxied = await new Gateway({
    providers: [sim.entry()],
    policy: { copies: 1 },
    server: { max_connections_per_address: 20, timeouts: TIMEOUTS, proxies: { trusted: ['127.0.0.0/8'], protocol: 'v2' } }
  }).start()
  const asks = (bytes) => {
    const socket = raw.open(proxied.port)
    socket.write(Buffer.concat([bytes, Buffer.from(`GET /pins HTTP/1.1\r\nhost: x\r\n${AUTH}\r\n`)]))
    return socket
  }
  const greedy = Array.from({ length: 100 }, () => asks(introduction([192, 0, 2, 1])))
  await until('the share is used up', () => greedy.filter((socket) => socket.isOver).length === 80 && greedy.filter((socket) => socket.came.length > 0).length === 20)
  const other = asks(introduction([192, 0, 2, 2]))
  await until('another address is served', () => other.came.length > 0)
  const bare = asks(Buffer.alloc(0))
  assert.ok(await raw.closes(bare, 5000) && bare.came.length === 0, 'a connection without an introduction was served')
  const slow = raw.open(proxied.port)
  slow.write(introduction([192, 0, 2, 3]).subarray(0, 14))
  assert.ok(await raw.closes(slow, 2000 + SLACK_MS), 'half an introduction keeps its connection')
  gone([...greedy, other])
  const text = await (await fetch(`${proxied.admin}/metrics`)).text()
  assert.ok(text.includes('pinfold_http_connections_refused_total{listener="public",reason="address"} 80'), 'they were not counted')
  await proxied.stop()
})

await check('nothing panicked, and the server ends in order', async () => {
  const log = readFileSync(gateway.log, 'utf8')
  assert.ok(!/panick/i.test(log), log.split('\n').find((line) => /panick/i.test(line)))
  console.log(`     memory: ${before.now} MB before, ${memory('VmRSS')} MB after, peak ${memory('VmHWM')} MB`)
  await good.end()
  assert.equal(await gateway.stop(), 0)
})
process.exit()
