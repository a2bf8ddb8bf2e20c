// What a third-party server is asked and what it holds, told on a second loopback listener beside its own, which prints
// `port N` and `spy M`; its state survives a restart in a file that it writes when told to end.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

const calls = []

/** Every call that came in, as `METHOD /path`. */
export function note (request) {
  calls.push(`${request.method} ${request.url}`)
}

/** `routes`: functions of the request's body by path. `calls` is one of them already. */
export async function listen (routes, port) {
  const all = { '/calls': () => calls, ...routes }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const answer = await all[request.url]?.(body)
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer ?? null))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  console.log(`spy ${server.address().port}`)
  console.log(`port ${port}`)
}

export function remembered (file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

export function rememberAtTheEnd (file, state) {
  process.on('SIGTERM', async () => {
    writeFileSync(file, JSON.stringify(await state()))
    process.exit(0)
  })
}
