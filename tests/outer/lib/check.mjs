// One line a check: `ok NAME`, `FAIL NAME: why`, `skip NAME: why`, also in the file named by OUTER_LINES, where `run`
// counts them; the exit code says the same.
import { appendFileSync } from 'node:fs'
import { inspect } from 'node:util'

const SLOW_MS = 1000

/** Runs one check. A failure is printed and remembered, so that the checks after it still run. */
export async function check (name, body) {
  const began = Date.now()
  try {
    await body()
    const took = Date.now() - began
    say(`ok   ${name}${took > SLOW_MS ? ` (${(took / 1000).toFixed(1)} s)` : ''}`)
  } catch (error) {
    process.exitCode = 1
    say(`FAIL ${name}: ${reason(error)}`)
  }
}

export function skip (name, why) {
  say(`skip ${name}: ${why}`)
}

function say (line) {
  console.log(line)
  if (process.env.OUTER_LINES) appendFileSync(process.env.OUTER_LINES, line + '\n')
}

function reason (error) {
  const text = error instanceof Error ? error.stack ?? error.message : inspect(error)
  return text.split('\n').slice(0, 12).join('\n     ')
}

/** Waits for a state: `probe` is asked until it returns something truthy, which is returned. */
export async function until (what, probe, { within = 30_000, every = 25 } = {}) {
  const deadline = Date.now() + within
  let last
  for (;;) {
    try {
      const found = await probe()
      if (found) return found
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${within / 1000} s in vain: ${what}${last ? ` (last: ${last.message})` : ''}`)
    }
    await pause(every)
  }
}

/** The step between two probes, and the seeded instants of the kill test; never a wait for something to be done. */
export function pause (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Runs `work(item, index)` over all items, at most `width` at once. */
export async function each (items, width, work) {
  const queue = [...items].entries()
  const out = []
  await Promise.all(Array.from({ length: width }, async () => {
    for (const [index, item] of queue) out[index] = await work(item, index)
  }))
  return out
}

/** A small seeded generator (mulberry32): the same seed gives the same run of numbers in [0, 1). */
export function seeded (seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
