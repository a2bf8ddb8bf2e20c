// Preload of the compliance suite: the spec document comes from the file named by PSA_SPEC, not from the web, and
// nothing but loopback is reached.
const { EventEmitter } = require('node:events')
const { readFileSync } = require('node:fs')
const { Readable } = require('node:stream')

const LOOPBACK = ['127.0.0.1', 'localhost', '::1', '[::1]']

for (const module of [require('node:http'), require('node:https')]) {
  for (const method of ['get', 'request']) {
    const original = module[method]
    module[method] = function (target, ...rest) {
      const { hostname, pathname } = where(target)
      if (pathname.endsWith('/ipfs-pinning-service.yaml')) return document()
      if (!LOOPBACK.includes(hostname)) throw new Error(`refused to leave this machine: ${hostname}`)
      return original.call(this, target, ...rest)
    }
  }
}

function where (target) {
  if (typeof target === 'string' || target instanceof URL) return new URL(target)
  const hostname = target.hostname ?? (target.host ?? 'localhost').replace(/:\d+$/, '')
  return { hostname, pathname: (target.pathname ?? target.path ?? '/').replace(/\?.*/, '') }
}

function document () {
  const request = new EventEmitter()
  for (const name of ['setTimeout', 'end', 'abort', 'destroy']) request[name] = () => request
  setImmediate(() => {
    const response = Readable.from([readFileSync(process.env.PSA_SPEC)])
    request.emit('response', Object.assign(response, { statusCode: 200, headers: { 'content-type': 'text/yaml' } }))
  })
  return request
}
