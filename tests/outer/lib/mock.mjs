// Runs mock-ipfs-pinning-service on loopback (its own command line binds every interface): node mock.mjs TOKEN PORT FILE
// The mock never pins on its own: here what is queued turns pinned soon after.
import { createServer } from 'node:http'
import mock from 'mock-ipfs-pinning-service'
import { listen, note, remembered, rememberAtTheEnd } from './spy.mjs'

const PIN_EVERY_MS = 150
const DELEGATE = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

const [, , token, port, file] = process.argv
const app = await mock.setup({ token, loglevel: 'error', delegates: DELEGATE })
const pins = remembered(file)
const requestid = pins.length && Date.now() // it counts them: none may be given out twice
app.locals.state = { ...app.locals.state, requestid, pins: new Map(pins) }
rememberAtTheEnd(file, () => [...app.locals.state.pins])
setInterval(() => {
  const { state } = app.locals
  const pinned = (entry) => (entry.status === 'queued' ? { ...entry, status: 'pinned' } : entry)
  app.locals.state = { ...state, pins: new Map([...state.pins].map(([cid, entry]) => [cid, pinned(entry)])) }
}, PIN_EVERY_MS)
const server = createServer((request, response) => {
  note(request)
  app(request, response)
})
server.listen(Number(port), '127.0.0.1', () => listen({}, server.address().port))
