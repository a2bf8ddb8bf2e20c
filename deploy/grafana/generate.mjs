#!/usr/bin/env node
// Writes dashboards/*.json from source/. With --check nothing is written: it fails where a file is not what would be.
import { readFileSync, writeFileSync } from 'node:fs'
import { accounts } from './source/accounts.mjs'
import { internals } from './source/internals.mjs'
import { overview } from './source/overview.mjs'
import { providers } from './source/providers.mjs'

const WIDTH = 150

/** JSON in which whatever fits into a line is on one. */
function print (value, indent = '') {
  const flat = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= WIDTH) return flat
  const inner = `${indent}  `
  const parts = Array.isArray(value)
    ? value.map((part) => inner + print(part, inner))
    : Object.entries(value).filter(([, part]) => part !== undefined).map(([key, part]) => `${inner}${JSON.stringify(key)}: ${print(part, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`
}

const check = process.argv.includes('--check')
for (const dashboard of [overview, providers, accounts, internals]) {
  const file = new URL(`dashboards/${dashboard.uid}.json`, import.meta.url)
  const text = print(dashboard) + '\n'
  if (!check) writeFileSync(file, text)
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${file.pathname} is not what deploy/grafana/generate.mjs writes: run it`)
    process.exitCode = 1
  }
}
