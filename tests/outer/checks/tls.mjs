// TLS as clients meet it: curl, and Node's https and http2, with certificates that openssl made.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync, renameSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import tls from 'node:tls'
import { promisify } from 'node:util'
import { check, skip, until } from '../lib/check.mjs'
import { Gateway, OTHER_TOKEN, TOKEN } from '../lib/gateway.mjs'
import { BINARY, scratch } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const RENEWALS = 3
const run = promisify(execFile)
const folder = scratch()
const at = (name) => join(folder, name)
const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' })
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

function authority (name) {
  openssl('req', '-x509', ...KEY, '-days', '2', '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`))
}
function certificate (name, by, san) {
  openssl('req', ...KEY, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`))
  openssl('x509', '-req', '-in', at(`${name}.csr`), '-CA', at(`${by}.pem`), '-CAkey', at(`${by}.key`), '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy', '-out', at(`${name}.pem`))
}
const HERE = 'DNS:localhost,IP:127.0.0.1'
for (const name of ['ours', 'theirs']) authority(name)
certificate('server', 'ours', HERE)
certificate('ci', 'ours', 'DNS:ci.example.org')
certificate('phone', 'ours', 'email:phone@example.org')
certificate('ops', 'ours', 'DNS:ops.example.org')
certificate('stranger', 'ours', 'DNS:stranger.example.org')
certificate('foreign', 'theirs', 'DNS:ci.example.org')
const read = (name) => readFileSync(at(name))
const fingerprint = (name) => new X509Certificate(read(name)).fingerprint256

const TLS = { cert: at('server.pem'), key: at('server.key'), client_ca: at('ours.pem') }

class Secure extends Gateway {
  config () {
    const config = super.config()
    config.admin.tls = { ...TLS, require_client_cert: true }
    config.admin.certificates = [{ name: 'ops', san: 'ops.example.org', scopes: ['admin:read'] }]
    config.accounts[0].certificates = [{ name: 'ci', san: 'ci.example.org', scopes: ['pins:read'] }]
    config.accounts[1].certificates = [{ name: 'phone', sha256: fingerprint('phone.pem') }]
    return config
  }

  async ready () {
    await until('it is ready', () => this.child.ended !== undefined || this.healthcheck('ci').status === 0)
    assert.equal(this.child.ended, undefined, 'pinfold serve ended')
  }

  healthcheck (who) {
    const own = who ? ['--cert', at(`${who}.pem`), '--key', at(`${who}.key`)] : []
    const url = `https://127.0.0.1:${this.adminPort}`
    return spawnSync(BINARY, ['healthcheck', '--admin', url, '--ca-file', at('ours.pem'), ...own], { encoding: 'utf8' })
  }

  get url () { return `https://127.0.0.1:${this.port}` }
}

const alpha = await new Sim('alpha').start()
const gateway = await new Secure({ providers: [alpha.entry()], policy: { copies: 1 }, server: { tls: TLS } }).start()
const log = () => readFileSync(gateway.log, 'utf8')

const ca = read('ours.pem')
const bearer = { authorization: `Bearer ${TOKEN}` }

/** One request by Node's https. */
function ask (options = {}, path = '/pins') {
  return new Promise((resolve, reject) => {
    const request = https.request(gateway.url + path, { ca, headers: bearer, ...options }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode)).on('error', reject)
    })
    request.on('error', reject).end(options.body)
  })
}
const as = (who, more = {}) => ({ cert: read(`${who}.pem`), key: read(`${who}.key`), headers: {}, agent: false, ...more })

async function metric (name) {
  const page = await new Promise((resolve, reject) => {
    const url = `https://127.0.0.1:${gateway.adminPort}/metrics`
    https.get(url, { ca, ...as('ops') }, async (answer) => resolve((await answer.setEncoding('utf8').toArray()).join(''))).on('error', reject)
  })
  const line = page.split('\n').find((line) => line.startsWith(`${name} `))
  assert.ok(line, `no ${name} in:\n${page.slice(0, 500)}`)
  return Number(line.split(' ').at(-1))
}

/** The certificate that a new connection is shown. */
function shown () {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, ca }, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    }).on('error', reject)
  })
}

if (spawnSync('curl', ['--version']).status === 0) {
  await check('curl is served by HTTP/2 and HTTP/1.1, and refused below TLS 1.2', async () => {
    const curl = async (...args) => (await run('curl', ['--disable', '--noproxy', '*', '-sS', '--cacert', at('ours.pem'), '-H', `authorization: ${bearer.authorization}`, '-o', '/dev/null', '-w', '%{http_code} %{http_version}', ...args, `${gateway.url}/pins`])).stdout
    assert.equal(await curl('--http2'), '200 2')
    assert.equal(await curl('--http1.1'), '200 1.1')
    assert.equal(await curl('--tls-max', '1.2'), '200 2')
    await assert.rejects(curl('--tlsv1.0', '--tls-max', '1.1', '--ciphers', 'DEFAULT:@SECLEVEL=0'))
    assert.equal(await curl('--http1.1'), '200 1.1')
  })
} else skip('curl over TLS', 'there is no curl')

await check("Node's https and http2 are served", async () => {
  assert.equal(await ask(), 200)
  const session = http2.connect(gateway.url, { ca })
  const stream = session.request({ ':path': '/pins', ...bearer })
  const [headers] = await new Promise((resolve, reject) => stream.on('response', (...all) => resolve(all)).on('error', reject))
  assert.equal(headers[':status'], 200)
  session.destroy()
})

await check('plain HTTP is told to use https', async () => {
  const answer = await fetch(gateway.url.replace('https', 'http') + '/pins')
  assert.equal(answer.status, 400)
  assert.match((await answer.json()).error.details, /https:\/\//)
})

await check('a certificate stands for its account; a token that is sent is what counts', async () => {
  assert.equal(await ask(as('ci')), 200)
  const post = { method: 'POST', body: JSON.stringify({ cid: 'bafkqaaa' }), headers: { 'content-type': 'application/json' } }
  assert.equal(await ask(as('ci', post)), 403)
  assert.equal(await ask(as('phone', post)), 202)
  assert.equal(await ask(as('ci', { headers: { authorization: `Bearer ${OTHER_TOKEN}` } })), 200)
  assert.equal(await ask(as('ci', { headers: { authorization: 'Bearer wrong' } })), 401)
  assert.equal(await ask(as('ci', { headers: { origin: 'https://evil.example' } })), 401)
  assert.equal(await ask(as('stranger')), 401)
  assert.equal(await ask({ headers: {}, agent: false }), 401)
  await assert.rejects(ask(as('foreign')))
})

await check(`${RENEWALS} renewals under load: no request fails, new connections are shown the new certificate`, async () => {
  let stop = false
  let asked = 0
  const clients = Array.from({ length: 4 }, async (_, who) => {
    const agent = who < 2 ? new https.Agent({ keepAlive: true, maxSockets: 1 }) : false
    while (!stop) {
      assert.equal(await ask({ agent }), 200)
      asked++
    }
  })
  for (let n = 1; n <= RENEWALS; n++) {
    certificate(`next${n}`, 'ours', HERE)
    const next = fingerprint(`next${n}.pem`)
    renameSync(at(`next${n}.key`), TLS.key)
    renameSync(at(`next${n}.pem`), TLS.cert)
    await until('it is shown', async () => (await shown()) === next)
  }
  stop = true
  await Promise.all(clients)
  assert.ok(asked > RENEWALS, `${asked} requests`)
  assert.ok(await metric('pinfold_tls_certificate_not_after_timestamp_seconds{listener="public"}') > Date.now() / 1000)
})

await check('a key that is not the certificate\'s changes nothing, is told once, and is put right by the next', async () => {
  const before = await shown()
  certificate('odd', 'ours', HERE)
  renameSync(at('odd.key'), TLS.key)
  const words = /"listener":"public","error":"key [^"]*: the key is not the certificate's/g
  await until('the log tells of it', () => words.test(log()))
  assert.equal(await metric('pinfold_tls_last_reload_successful{listener="public"}'), 0)
  assert.equal(await shown(), before)
  renameSync(at('odd.pem'), TLS.cert)
  await until('it is taken up', async () => (await metric('pinfold_tls_last_reload_successful{listener="public"}')) === 1)
  assert.equal(await shown(), fingerprint('server.pem'))
  assert.equal(log().match(words).length, 1)
})

await check('a health check needs the certificate that the admin listener requires', async () => {
  assert.equal(gateway.healthcheck('ci').status, 0)
  assert.equal(gateway.healthcheck().status, 6)
  assert.ok(await metric('pinfold_tls_handshake_failures_total{listener="admin",reason="no_certificate"}') >= 1)
})

await check('no private key is in the log', () => assert.ok(!log().includes('PRIVATE')))

await check('SIGTERM still ends it in order', async () => assert.equal(await gateway.stop(), 0))
process.exit()
