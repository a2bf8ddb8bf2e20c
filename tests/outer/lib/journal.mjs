// What writers were promised, so that a list can be held against it after any number of crashes.
import assert from 'node:assert/strict'

/**
 * Every operation has a name of its own, which the pin that it makes carries. An operation whose answer was not seen
 * may have happened or not; the pins that it touches are left alone from then on.
 */
export class Journal {
  alive = new Map() // requestid -> { requestid, cid, name, created }: acknowledged, and not asked to go since
  gone = new Set() // requestids whose delete or replace was acknowledged
  unsure = [] // { kind, old?, name?, cid? }: in flight when the gateway was killed
  broken = [] // refusals of what was right to ask, such as a 404 for a pin that was promised
  acknowledged = 0

  begin (kind, old, pin) {
    if (old) this.alive.delete(old.requestid)
    return { kind, old, ...pin }
  }

  done (operation, answer) {
    this.acknowledged++
    if (operation.old) this.gone.add(operation.old.requestid)
    if (answer?.requestid === undefined) return undefined
    const { requestid, created, pin } = answer
    const entry = { requestid, created, cid: pin.cid, name: pin.name }
    assert.deepEqual([entry.cid, entry.name], [operation.cid, operation.name], 'the answer is about another pin')
    this.alive.set(requestid, entry)
    return entry
  }

  unanswered (operation) {
    this.unsure.push(operation)
  }

  refused ({ kind, old, name }, error) {
    this.broken.push(`${kind} of ${old?.name ?? name}: ${error.message}`)
  }

  /** What is wrong with this list of all pins, in words; empty where every promise was kept. */
  complaints (listed) {
    const wrong = [...this.broken]
    const byId = new Map(listed.map((entry) => [entry.requestid, entry]))
    const byName = groupByName(listed)
    if (byId.size !== listed.length) wrong.push('a requestid is listed twice')
    const explained = new Set()
    for (const promised of this.alive.values()) {
      const found = byId.get(promised.requestid)
      explained.add(promised.requestid)
      if (!found) wrong.push(`lost: ${promised.name}`)
      else if (found.pin.cid !== promised.cid || found.pin.name !== promised.name) wrong.push(`altered: ${promised.name}`)
      else if (found.created !== promised.created) wrong.push(`created changed: ${promised.name}`)
    }
    for (const id of this.gone) if (byId.has(id)) wrong.push(`came back: ${byId.get(id).pin.name}`)
    for (const { kind, old, name, cid } of this.unsure) {
      const made = name === undefined ? [] : byName.get(name) ?? []
      const kept = old !== undefined && byId.has(old.requestid)
      if (made.length > 1) wrong.push(`made ${made.length} times: ${name}`)
      if (made.some((entry) => entry.pin.cid !== cid)) wrong.push(`made wrongly: ${name}`)
      if (kind === 'replace' && kept === (made.length === 1)) wrong.push(`half replaced: ${old.name} by ${name}`)
      for (const entry of made) explained.add(entry.requestid)
      if (kept) explained.add(old.requestid)
    }
    for (const { requestid, pin } of listed) if (!explained.has(requestid)) wrong.push(`nobody asked for ${pin.name}`)
    return wrong
  }
}

function groupByName (listed) {
  const groups = new Map()
  for (const entry of listed) groups.set(entry.pin.name, [...(groups.get(entry.pin.name) ?? []), entry])
  return groups
}
