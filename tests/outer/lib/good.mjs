// A client that does nothing wrong, in a thread of its own so that what the others do here does not slow it:
// it reads all the time, adds now and then, each time on what connection it has, and notes how long it waited.
import { parentPort, Worker, workerData, isMainThread } from 'node:worker_threads'

const PAUSE_MS = 20
const ADD_EVERY = 25

export class GoodClient {
  constructor (gateway, token, cids) {
    this.worker = new Worker(new URL(import.meta.url), { workerData: { url: gateway.url, token, cids } })
  }

  /** How it fared since the last time that it was asked: how many answers, the worst wait, what failed. */
  report () {
    return new Promise((resolve) => {
      this.worker.once('message', resolve)
      this.worker.postMessage('report')
    })
  }

  end () { return this.worker.terminate() }
}

async function live () {
  const { url, token, cids } = workerData
  let seen = fresh()
  parentPort.on('message', () => { parentPort.postMessage(seen); seen = fresh() })
  for (let n = 0; ; n++) {
    const began = performance.now()
    try {
      const add = n % ADD_EVERY === 0
      const answer = await fetch(`${url}/pins?limit=10`, {
        method: add ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${token}`, ...(add && { 'content-type': 'application/json' }) },
        body: add ? JSON.stringify({ cid: cids[n % cids.length], name: `good ${n}` }) : undefined,
        signal: AbortSignal.timeout(20_000)
      })
      await answer.arrayBuffer()
      if (!answer.ok) seen.failed.push(`${answer.status}`)
    } catch (error) {
      seen.failed.push(String(error.cause ?? error))
    }
    seen.count++
    seen.worst = Math.max(seen.worst, performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

function fresh () { return { count: 0, worst: 0, failed: [] } }

if (!isMainThread) await live()
