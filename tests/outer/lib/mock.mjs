// Runs mock-ipfs-pinning-service on loopback (its own command line binds every interface) and prints `port N`.
// The mock never pins on its own: here what is queued turns pinned soon after.
import { createServer } from 'node:http'
import mock from 'mock-ipfs-pinning-service'

const PIN_EVERY_MS = 150
const DELEGATE = '/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

const app = await mock.setup({ token: process.argv[2], loglevel: 'error', delegates: DELEGATE })
setInterval(() => {
  const { state } = app.locals
  const pinned = (entry) => (entry.status === 'queued' ? { ...entry, status: 'pinned' } : entry)
  app.locals.state = { ...state, pins: new Map([...state.pins].map(([cid, entry]) => [cid, pinned(entry)])) }
}, PIN_EVERY_MS)
const server = createServer(app).listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
