// Each account: its pins, what it asks, what it was refused. The first 200 accounts have series of their own.
import { bars, dashboard, graph, of, q, quantile, row, share, table } from './grafana.mjs'

const CHOSEN = 'account=~"$account"'
const series = (name, ...matchers) => of(name, CHOSEN, ...matchers)
const gauge = (by, ...selector) => `max by (${by}) (${series(...selector)})`
const answers = (by, ...matchers) => `sum by (${by}) (rate(${series('account_requests_total', ...matchers)}[$__rate_interval]))`
const rate = (by, ...selector) => `sum by (${by}) (rate(${of(...selector)}[$__rate_interval]))`

export const accounts = dashboard('accounts', {
  description: 'Each account: its pins, what it asks, what it was refused.',
  choose: [{ name: 'account', label: 'Account', series: 'account_pins' }],
  rows: [
    row('Now', 8, [
      table('Pins', 'By the status that clients see, and what is used of quotas.', 'account', [
        { title: 'pinned', expr: gauge('account', 'account_pins', 'status="pinned"') },
        { title: 'pinning', expr: gauge('account', 'account_pins', 'status="pinning"') },
        { title: 'queued', expr: gauge('account', 'account_pins', 'status="queued"') },
        { title: 'failed', expr: gauge('account', 'account_pins', 'status="failed"'), steps: [['green'], ['orange', 1]] },
        { title: 'today', expr: gauge('account', 'account_quota_used', 'quota="pins_per_day"') },
        { title: 'meta', expr: gauge('account', 'account_quota_used', 'quota="meta_bytes"'), unit: 'bytes' }
      ], { width: 14 }),
      bars('Quotas', 'Used of what each account may have. At the end of it adds are refused.',
        q(share(gauge('account, quota', 'account_quota_used'), gauge('account, quota', 'account_quota_limit')), '{{account}} {{quota}}'),
        { none: 'No account has a quota' })
    ]),
    row('What accounts ask', 8, [
      graph('Requests', 'Answers a second.', [q(answers('account'), '{{account}}')], { unit: 'reqps' }),
      graph('Refused and failed', 'Answers of 400 and more, by code.', [q(answers('account, code', 'code!~"2.."'), '{{account}} {{code}}')], { unit: 'reqps' }),
      graph('Pins', 'In any status.', [q(`sum by (account) (${gauge('account, status', 'account_pins')})`, '{{account}}')])
    ]),
    row('All accounts together', 8, [
      graph('Changes', 'Adds, replaces and deletes that are on disk, a second.', [
        q(rate('operation', 'pin_requests_accepted_total'), '{{operation}}'),
        q(`sum(rate(${of('pins_adopted_total')}[$__rate_interval]))`, 'adopted'),
        q(`sum(rate(${of('pins_expired_total')}[$__rate_interval]))`, 'expired')
      ], { unit: 'ops' }),
      graph('Pins came to', 'Times that a pin came into a status, a second.', [q(rate('to', 'pin_transitions_total'), '{{to}}')], { unit: 'ops' }),
      graph('Until pinned', 'From acceptance, for half of the pins and for 95 of 100.', [0.5, 0.95].map((part) =>
        q(quantile(part, '', of('pin_settle_duration_seconds_bucket', 'outcome="pinned"')), `p${100 * part}`)), { unit: 's', none: 'No pin was pinned in this time' })
    ]),
    row('Limits and routes', 8, [
      graph('Refused before the store', 'By why.', [q(rate('reason', 'http_rejections_total'), '{{reason}}')], { unit: 'reqps' }),
      graph('Over a limit', 'Refused, or, in shadow mode, let in.', [q(rate('limit, class, outcome', 'rate_limited_requests_total'), '{{limit}} {{class}} {{outcome}}')], { unit: 'reqps' }),
      graph('Routes', 'Pins that each route placed, a second.', [q(rate('route', 'route_pins_total'), '{{route}}')], { unit: 'ops', none: 'There are no routes' })
    ])
  ]
})
