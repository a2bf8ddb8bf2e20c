// A service that gives back in its answers, in every way it can think of, the credential that it was sent: whole, cut
// short, decoded, in bodies of all kinds, in headers, in redirects.
import { createServer } from 'node:http'

const json = (code, value) => ({ code, type: 'application/json', body: JSON.stringify(value) })
const failure = (code, details) => json(code, { error: { reason: 'UNAUTHORIZED', details } })

/** What is answered; `said` has the credential in it. */
const WAYS = [
  ({ said }) => failure(400, said),
  ({ said }) => failure(422, said.split(' ').reverse().join(', ')),
  ({ said }) => ({ code: 403, type: 'text/html', body: `<html><title>${said}</title><body>${said}</body></html>` }),
  ({ said }) => json(400, said),
  ({ said }) => json(400, { error: { reason: said, details: [said, { token: said }] } }),
  ({ said }) => ({ code: 500, type: 'text/plain', body: said, headers: { 'x-token': said, 'set-cookie': `session=${said}` } }),
  ({ said }) => ({ code: 302, type: 'text/plain', body: '', headers: { location: `/pins/${encodeURIComponent(said)}` } }),
  ({ said }) => json(429, { error: said, message: said }),
  ({ said }) => failure(401, said),
  ({ said }) => ({ code: 200, type: 'application/json', body: `${said} is no JSON` }),
  ({ said }) => json(200, { count: said, results: said }),
  ({ said }) => json(500, { Message: said, Code: 0, Type: 'error' }),
  ({ said }) => json(200, { access_token: 7, token: [said], Progress: said, Pins: [said], error: said }),
  ({ said, cid }) => json(202, {
    requestid: 'one',
    status: 'pinned',
    created: new Date(),
    pin: { cid, name: said, meta: { said } },
    info: { status_details: said },
    delegates: [said]
  })
]

/** Listens, and returns one base URL for each way, under which any path will do; `seen`: the first segments of those. */
export async function echoes () {
  const seen = WAYS.map(() => new Set())
  const server = createServer(async (request, response) => {
    let sent = ''
    for await (const part of request) sent += part
    const [, way, first] = request.url.split(/[/?]/)
    seen[way].add(first)
    const credential = (request.headers.authorization ?? '').replace(/^\w+ /, '')
    const decoded = Buffer.from(credential, 'base64').toString('latin1').replace(/[^ -~]/g, '')
    const password = sent.match(/"password":"([^"]+)"/)?.[1] ?? ''
    const whole = [request.headers.authorization, credential, decoded, password].join(' ')
    const halves = [credential, password].map((text) => `${text.slice(0, Math.ceil(text.length / 2))}...`)
    const cid = sent.match(/"cid":"(\w+)"/)?.[1]
    const { code, type, body, headers } = WAYS[way]({ whole, said: [whole, ...halves].join(' '), cid })
    response.writeHead(code, { 'content-type': type, ...headers })
    response.end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return WAYS.map((_, n) => ({ url: `http://127.0.0.1:${server.address().port}/${n}`, seen: seen[n] }))
}
