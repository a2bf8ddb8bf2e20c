// Runs @helia/pinning-service-api-server on loopback, over a Helia node that lives in memory and never dials: it has
// the blocks that it is given, and no network to look for others in.
// node helia.mjs TOKEN PORT FILE: every other token that begins with `other-` is another user's.
import { createPinningServiceAPIServer } from '@helia/pinning-service-api-server'
import { Helia } from '@helia/utils'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import fastify from 'fastify'
import { Key } from 'interface-datastore'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { listen, note, remembered, rememberAtTheEnd } from './spy.mjs'

// Node 20 has it not yet.
Promise.withResolvers ??= function () {
  const parts = {}
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

const [, , token, port, file] = process.argv
const DELEGATE = '/ip4/127.0.0.1/tcp/4002/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const base64 = (bytes) => Buffer.from(bytes).toString('base64')

const datastore = new MemoryDatastore()
const blockstore = new MemoryBlockstore()
const put = async (text) => {
  const block = raw.encode(Buffer.from(text))
  const cid = CID.createV1(raw.code, await sha256.digest(block))
  await blockstore.put(cid, block)
  return cid.toString()
}
for (const [store, key, value] of remembered(file)) {
  const bytes = Buffer.from(value, 'base64')
  if (store === 'block') await blockstore.put(CID.parse(key), bytes)
  else await datastore.put(new Key(key), bytes)
}
rememberAtTheEnd(file, async () => {
  const state = []
  for await (const { cid, block } of blockstore.getAll()) state.push(['block', cid.toString(), base64(block)])
  for await (const { key, value } of datastore.query({})) state.push(['data', key.toString(), base64(value)])
  return state
})

const node = new Helia({
  datastore,
  blockstore,
  blockBrokers: [],
  routers: [{ provide: async () => {} }],
  libp2p: {
    getMultiaddrs: () => [DELEGATE],
    dial: () => Promise.reject(new Error('this node never dials'))
  }
})
await node.start()

const server = fastify()
server.addHook('onRequest', async (request) => note(request))
await createPinningServiceAPIServer(node, {
  fastify: server,
  listen: { host: '127.0.0.1', port: Number(port) },
  validateAccessToken: async (given) => {
    if (given === token) return { id: 'ours' }
    if (given?.startsWith('other-')) return { id: given }
    throw new Error('no such user')
  }
})
const pinned = async () => {
  const found = []
  for await (const { cid } of node.pins.ls()) found.push(cid.toString())
  return found
}
await listen({ '/blocks': (texts) => Promise.all(JSON.parse(texts).map(put)), '/pinned': pinned }, server.server.address().port)
