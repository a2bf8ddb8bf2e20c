// What a dashboard is made of: panels in rows, laid out over Grafana's 24 columns, as plain JSON.

const COLUMNS = 24
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

/** One of our series in the installation that is chosen above the dashboard. */
export function of (name, ...matchers) {
  return `pinfold_${name}{${['job="$job"', ...matchers].join(', ')}}`
}

/** The part `some` of `all`; nothing where there is none of `all`. */
export function share (some, all) {
  return `${some} / (${all} > 0)`
}

/** The value below which `quantile` of what a histogram saw lies, by these labels; nothing, instead of NaN, where it saw nothing. */
export function quantile (quantile, by, histogram, range = '$__rate_interval') {
  return `histogram_quantile(${quantile}, sum by (le${by && `, ${by}`}) (rate(${histogram}[${range}]))) >= 0`
}

/** A query and what its series are called. */
export const q = (expr, legend) => ({ expr, legend })

// Colours from a value on: the first is that of all lower values.
export const ANY_IS_BAD = [['green'], ['red', 1]]
export const ANY_IS_ODD = [['green'], ['orange', 1]]
export const ALL_OR_BAD = [['red'], ['green', 1]]
export const FILLS_UP = [['green'], ['orange', 0.75], ['red', 0.95]]
export const PLAIN = [['blue']]
export const NO_OR_YES = [['no'], ['yes']]
/** What a provider is, the better first; `health` numbers them in this order. */
export const HEALTHS = [['healthy', 'green'], ['degraded', 'yellow'], ['down', 'orange'], ['auth_failed', 'purple'], ['no_funds', 'blue'], ['dead', 'red']]

/** The number of each provider's health, of those that the matchers mean. */
export function health (...matchers) {
  return HEALTHS.map(([word], value) => `${value} * max by (provider) (${of('provider_health', ...matchers, `health="${word}"`)})`).join(' + ')
}

const thresholds = (steps) => ({ mode: 'absolute', steps: steps.map(([color, value = null]) => ({ color, value })) })
const LAST = { calcs: ['lastNotNull'] }
const words = (pairs) => [{ type: 'value', options: Object.fromEntries(pairs.map(([text, color], value) => [value, { text, color }])) }]

/** `none` is what it says where there is nothing to show: Grafana's own "No data" looks as if something were broken. */
function panel (type, title, description, queries, { width, none, defaults = {}, options = {}, instant = false, format, ...more }) {
  const targets = queries.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode(65 + index),
    expr,
    ...(legend && { legendFormat: legend }),
    ...(instant && { instant: true, range: false }),
    ...(format && { format })
  }))
  const fieldConfig = { defaults: { ...defaults, ...(none && { noValue: none }) }, overrides: [] }
  return { width, type, title, description, datasource: DATASOURCE, targets, fieldConfig, options, ...more }
}

/** One number as it is now, on its colour; `texts` are said in the place of single numbers. */
export function stat (title, description, expr, { unit = 'short', steps = PLAIN, decimals, texts, none, width } = {}) {
  return panel('stat', title, description, [q(expr)], {
    width,
    none,
    instant: true,
    defaults: {
      unit,
      ...(decimals !== undefined && { decimals }),
      ...(texts && { mappings: [{ type: 'value', options: texts }] }),
      thresholds: thresholds(steps),
      color: { mode: 'thresholds' }
    },
    options: { colorMode: 'background', graphMode: 'none', reduceOptions: LAST }
  })
}

/** Lines over time; `stack` lays them on each other. */
export function graph (title, description, queries, { unit = 'short', stack = false, max, none, width } = {}) {
  return panel('timeseries', title, description, queries, {
    width,
    none,
    defaults: {
      unit,
      min: 0,
      ...(max !== undefined && { max }),
      custom: { lineWidth: 1, fillOpacity: stack ? 30 : 5, showPoints: 'never', stacking: { mode: stack ? 'normal' : 'none' } }
    },
    options: { legend: { showLegend: true, displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
  })
}

/** A bar for each series, of shares between 0 and 1. */
export function bars (title, description, query, { none, width } = {}) {
  return panel('bargauge', title, description, [query], {
    width,
    none,
    instant: true,
    defaults: { unit: 'percentunit', min: 0, max: 1, thresholds: thresholds(FILLS_UP), color: { mode: 'thresholds' } },
    options: { displayMode: 'basic', orientation: 'horizontal', reduceOptions: LAST }
  })
}

/** When each series had which of a few values; `states` has a word and a colour for each. */
export function states (title, description, query, states, { width } = {}) {
  return panel('state-timeline', title, description, [query], {
    width,
    defaults: { mappings: words(states), color: { mode: 'thresholds' }, thresholds: thresholds(PLAIN) },
    options: { mergeValues: true, showValue: 'never', legend: { showLegend: true, displayMode: 'list', placement: 'bottom' } }
  })
}

const cells = { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } }

/** The series of a query that has any only where something is odd: a line each, of its labels, in this order. */
export function labels (title, description, expr, columns, { hidden, none, links, width } = {}) {
  const made = panel('table', title, description, [q(expr)], { width, none, links, instant: true, format: 'table' })
  made.fieldConfig.overrides = [
    // `none` would be said in every empty cell, too.
    { matcher: { id: 'byType', options: 'string' }, properties: [{ id: 'noValue', value: '-' }] },
    ...columns.filter(({ colors }) => colors).map(({ name, colors }) => ({
      matcher: { id: 'byName', options: name },
      properties: [{ id: 'mappings', value: [{ type: 'value', options: colors }] }, cells]
    }))
  ]
  const excludeByName = Object.fromEntries(['Time', 'Value', '__name__', ...hidden].map((name) => [name, true]))
  const indexByName = Object.fromEntries(columns.map(({ name }, index) => [name, index]))
  made.transformations = [{ id: 'organize', options: { excludeByName, indexByName } }]
  return made
}

/** A row for each value of the label `key`; a column has a title, a query by that label, and how it is shown: `texts` for 0, 1 .. */
export function table (title, description, key, columns, { width, worst } = {}) {
  const queries = columns.map(({ expr }) => q(expr))
  const options = worst ? { sortBy: [{ displayName: worst, desc: true }] } : {}
  const made = panel('table', title, description, queries, { width, options, instant: true, format: 'table' })
  // Where there is one query only, Grafana does not number its values.
  const values = columns.length > 1 ? made.targets.map(({ refId }) => `Value #${refId}`) : ['Value']
  const names = Object.fromEntries(columns.map(({ title }, index) => [values[index], title]))
  made.fieldConfig.overrides = columns.map(({ title, unit = 'short', decimals, steps, texts }) => ({
    matcher: { id: 'byName', options: title },
    properties: [
      { id: 'unit', value: unit },
      ...(texts ? [{ id: 'mappings', value: words(texts) }] : []),
      ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
      ...(steps ? [{ id: 'thresholds', value: thresholds(steps) }, cells] : [])
    ]
  }))
  made.transformations = [{ id: 'merge', options: {} }, { id: 'organize', options: { excludeByName: { Time: true }, renameByName: names } }]
  return made
}

export const row = (title, height, panels) => ({ title, height, panels })

/** Places panels from left to right; those without a width share what is left of their row, the first ones what cannot be shared. */
function layOut (rows) {
  const placed = []
  let y = 0
  for (const { title, height, panels } of rows) {
    placed.push({ type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 } })
    const open = panels.filter(({ width }) => width === undefined)
    const taken = panels.reduce((sum, { width = 0 }) => sum + width, 0)
    const each = Math.floor((COLUMNS - taken) / open.length)
    let over = (COLUMNS - taken) % open.length
    let x = 0
    for (const { width = each + (over-- > 0 ? 1 : 0), ...panel } of panels) {
      if (x + width > COLUMNS) throw new Error(`${title}: ${panel.title} has no room`)
      placed.push({ ...panel, gridPos: { x, y, w: width, h: height } })
      x += width
    }
    y += height
  }
  return placed.map((panel, index) => ({ id: index + 1, ...panel }))
}

function variable (name, label, series, { multi = false } = {}) {
  const query = `label_values(${series}, ${name})`
  return {
    name, label, type: 'query', datasource: DATASOURCE, definition: query, query: { query, refId: name }, refresh: 2, regex: '', sort: 1,
    ...(multi && { multi, includeAll: true, allValue: '.+', current: { text: 'All', value: '$__all' } })
  }
}

/** `choose`: a label of ours whose values can be chosen, and the series that has all of them. */
export function dashboard (name, { description, from = 'now-6h', choose = [], rows }) {
  return {
    uid: `pinfold-${name}`,
    title: `Pinfold: ${name}`,
    description,
    tags: ['pinfold'],
    schemaVersion: 38,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from, to: 'now' },
    links: [{
      type: 'dashboards', title: 'Pinfold', tooltip: '', icon: 'external link', tags: ['pinfold'],
      asDropdown: false, targetBlank: false, includeVars: true, keepTime: true
    }],
    templating: {
      list: [
        { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', regex: '' },
        variable('job', 'Installation', 'pinfold_build_info'),
        ...choose.map(({ name, label, series }) => variable(name, label, of(series), { multi: true }))
      ]
    },
    panels: layOut(rows)
  }
}
