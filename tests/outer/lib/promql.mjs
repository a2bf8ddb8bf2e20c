// What a PromQL expression names, by reading it only as far as that takes: metrics with their matchers, and the labels
// that it groups by. And what a scrape has.

const SELECTOR = /(?<![\w:"$])((?:pinfold_|process_)\w+|(?:up|ALERTS)(?=\s*[{)\s]|$)|\w+:\w+:\w+)(?:\{([^}]*)\})?/g
const MATCHER = /(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g
const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g

// Braces in strings, such as those of a route's name, end no selector; quotes keep their length.
const BRACES = { '{': '\u0001', '}': '\u0002' }
const hide = (text) => text.replace(/"(?:[^"\\]|\\.)*"/g, (string) => string.replace(/[{}]/g, (brace) => BRACES[brace]))
const show = (text) => text.replaceAll('\u0001', '{').replaceAll('\u0002', '}')

/** The metrics that are named, each with its matchers and the text before it. */
export function selectors (expr) {
  const hidden = hide(expr)
  const plain = hidden.replace(/"[^"]*"/g, (string) => `"${' '.repeat(string.length - 2)}"`)
  return [...plain.matchAll(SELECTOR)].map((match) => ({
    name: match[1],
    matchers: [...hidden.slice(match.index, match.index + match[0].length).matchAll(MATCHER)]
      .map(([, label, op, value]) => ({ label, op, value: show(value) })),
    before: plain.slice(0, match.index)
  }))
}

/** The labels that it groups or joins by. */
export function groupings (expr) {
  return [...expr.matchAll(GROUPING)].flatMap(([, labels]) => labels.split(',').map((label) => label.trim()).filter(Boolean))
}

/** Whether a series with these labels is one that the matchers mean. */
export function fits (labels, matchers) {
  return matchers.every(({ label, op, value }) => {
    const has = labels[label] ?? ''
    const same = op.endsWith('~') ? new RegExp(`^(?:${value})$`).test(has) : has === value
    return op.startsWith('!') ? !same : same
  })
}

/** What /metrics says: the labels of each series by its name, and each family's help. */
export function parseScrape (text) {
  const series = new Map()
  const help = new Map()
  for (const line of text.split('\n')) {
    const [, family, words] = line.match(/^# HELP (\w+) (.*)$/) ?? []
    if (family) help.set(family, words)
    const [, name, labels = ''] = line.match(/^(\w+)(?:\{(.*)\})? \S+$/) ?? []
    if (name) series.set(name, [...(series.get(name) ?? []), Object.fromEntries([...labels.matchAll(MATCHER)].map(([, label, , value]) => [label, value]))])
  }
  return { series, help }
}
