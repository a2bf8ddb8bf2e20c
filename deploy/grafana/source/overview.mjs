// Five seconds: are all pins safe, who is in trouble, are we within budgets.
import { ALL_OR_BAD, ANY_IS_BAD, ANY_IS_ODD, HEALTHS, NO_OR_YES, bars, dashboard, graph, health, labels, of, q, quantile, row, share, stat, table } from './grafana.mjs'

const AGE_OF_OLDEST = `(time() - max(${of('pins_oldest_unsettled_timestamp_seconds')})) * (max(${of('pins_oldest_unsettled_timestamp_seconds')}) > bool 0)`
const AGE_OF_SHORT = `(time() - max(${of('pins_oldest_under_replicated_timestamp_seconds')})) * (max(${of('pins_oldest_under_replicated_timestamp_seconds')}) > bool 0)`
const FAILING = 'outcome=~"transient|auth|funds|unknown"'
const FIRING = 'ALERTS{alertname=~"Pinfold.+", alertstate="firing", job=~"$job|"}'
// What only the rules record, so that "none" is said only where somebody looks.
const RULES_ARE_LOADED = 'max(last_over_time(job:pinfold_http_requests:rate5m{job="$job"}[1h]))'
const RUNBOOKS = { title: 'What to do about each', url: 'https://github.com/pinfold/pinfold/blob/main/docs/runbooks.md', targetBlank: true }

// One that left the config has a past, but no line.
const there = (expr) => `${expr} and on (provider) min by (provider) (${of('provider_up')})`
const calls = (...matchers) => `sum by (provider) (rate(${of('provider_requests_total', ...matchers)}[15m]))`

export const overview = dashboard('overview', {
  description: 'Are all pins safe, who is in trouble, are we within budgets.',
  rows: [
    row('Are all pins safe?', 4, [
      stat('Short of copies', 'Pins with fewer pinned copies than their policy asks. New ones are short until their copies are made.',
        `max(${of('pins_under_replicated')})`, { steps: ANY_IS_ODD }),
      stat('Short for', 'How long the pin that has been short of copies for longest is so, of those that were pinned.',
        AGE_OF_SHORT, { unit: 's', decimals: 0, steps: [['green'], ['orange', 3600], ['red', 6 * 3600]] }),
      stat('Copies lost today', 'Copies that audits found gone from their providers in the last 24 hours. They are made again.',
        `round(sum(increase(${of('provider_audited_copies_total', 'result="lost"')}[24h])))`, { steps: ANY_IS_ODD }),
      stat('Failed', 'Pins that no provider takes. They are tried again every day.',
        `max(${of('pins', 'status="failed"')})`, { steps: ANY_IS_ODD }),
      stat('In progress', 'Pins that are queued or being pinned.',
        `sum(max by (status) (${of('pins', 'status=~"queued|pinning"')}))`),
      stat('Oldest in progress', 'How long the oldest of these has been waiting.',
        AGE_OF_OLDEST, { unit: 's', decimals: 0, steps: [['green'], ['orange', 3600], ['red', 6 * 3600]] }),
      stat('Pinned', 'Pins that their clients see as pinned.', `max(${of('pins', 'status="pinned"')})`)
    ]),
    row('Is Pinfold well?', 4, [
      stat('Alerts', 'Alerts of Pinfold that fire now, which the next row names.',
        `count(${FIRING}) or 0 * ${RULES_ARE_LOADED} or vector(-1)`,
        { steps: ANY_IS_BAD, texts: { '-1': { text: 'no rules loaded', color: 'orange' } } }),
      stat('Gateways up', 'The part of the gateways that Prometheus reaches.', 'avg(up{job="$job"})', { unit: 'percentunit', steps: ALL_OR_BAD }),
      stat('Providers not in use', 'Providers that are down, refuse us, or are out of funds.',
        `count(min by (provider) (${of('provider_up')}) == 0) or vector(0)`, { steps: ANY_IS_BAD }),
      stat('Server errors', 'The part of the requests of the last five minutes that were answered 5xx.',
        `sum(rate(${of('http_requests_total', 'code=~"5.."')}[5m])) / (sum(rate(${of('http_requests_total')}[5m])) > 0) or vector(0)`,
        { unit: 'percentunit', decimals: 1, steps: [['green'], ['orange', 0.001], ['red', 0.02]] }),
      stat('Reads take', '99 of 100 reads of the last five minutes took no longer.',
        quantile(0.99, '', of('http_request_duration_seconds_bucket', 'method="GET"'), '5m'),
        { unit: 's', decimals: 1, steps: [['green'], ['orange', 0.25], ['red', 1]], none: 'no reads' }),
      stat('These numbers are from', 'How long ago the numbers of pins and copies were read from the database: every 30 s.',
        `time() - max(${of('store_stats_last_refresh_timestamp_seconds')})`, { unit: 's', decimals: 0, steps: [['green'], ['orange', 120], ['red', 300]] })
    ]),
    row('Who is in trouble?', 8, [
      labels('Alerts that fire', 'Which, and about what. Without the rules of deploy/prometheus there are none.', FIRING, [
        { name: 'severity', colors: { critical: { color: 'red' }, warning: { color: 'orange' } } }, { name: 'alertname' }, { name: 'provider' }, { name: 'account' }
      ], { hidden: ['alertstate', 'job'], none: 'No alert fires', links: [RUNBOOKS], width: 8 }),
      table('Providers', 'A line for each provider, the worst first. Failing and throttled: parts of the calls of the last 15 minutes.', 'provider', [
        { title: 'state', expr: health(), steps: [['green']], texts: HEALTHS },
        { title: 'failing', expr: there(share(calls(FAILING), calls())), unit: 'percentunit', decimals: 1, steps: [['green'], ['orange', 0.05], ['red', 0.5]] },
        { title: 'throttled', expr: there(share(calls('outcome="throttled"'), calls())), unit: 'percentunit', decimals: 1, steps: [['green'], ['orange', 0.01], ['red', 0.1]] },
        { title: 'answers in (p95)', expr: there(quantile(0.95, 'provider', of('provider_request_duration_seconds_bucket'), '15m')), unit: 's', decimals: 2 },
        { title: 'copies', expr: `max by (provider) (${of('replicas', 'state="pinned"')})` },
        { title: 'lost today', expr: there(`round(sum by (provider) (increase(${of('provider_audited_copies_total', 'result="lost"')}[24h])))`), steps: ANY_IS_ODD },
        { title: 'suspect', expr: `max by (provider) (${of('provider_drifted_replicas', 'kind="suspect"')})`, steps: ANY_IS_BAD },
        { title: 'does not serve', expr: `max by (provider) (${of('provider_unproven')})`, steps: ANY_IS_BAD, texts: NO_OR_YES },
        { title: 'leaving', expr: `max by (provider) (${of('provider_draining')})`, steps: ANY_IS_ODD, texts: NO_OR_YES },
        { title: 'last good answer', expr: `time() - max by (provider) (${of('provider_last_success_timestamp_seconds')} > 0)`, unit: 's', decimals: 0 }
      ], { worst: 'state' })
    ]),
    row('Are we within budgets?', 7, [
      bars('Calls to providers', 'Used of what each provider allows in a window, by class of calls. Full is no harm: further calls wait.',
        q(share(`sum by (provider, class) (${of('provider_budget_used')})`, `max by (provider, class) (${of('provider_budget_limit')})`), '{{provider}} {{class}}'),
        { none: 'No provider has a budget' }),
      bars('Quotas of accounts', 'Used of what each account may have. At the end of it adds are refused.',
        q(share(`max by (account, quota) (${of('account_quota_used')})`, `max by (account, quota) (${of('account_quota_limit')})`), '{{account}} {{quota}}'),
        { none: 'No account has a quota' }),
      graph('Refusals by providers, and waits for budgets', 'Answers that told us to slow down, a second; and calls that waited, on average over time.', [
        q(`sum by (provider) (rate(${of('provider_requests_total', 'outcome="throttled"')}[$__rate_interval]))`, '{{provider}} refused/s'),
        q(`sum by (provider) (rate(${of('provider_throttle_wait_seconds_total')}[$__rate_interval]))`, '{{provider}} waiting')
      ])
    ]),
    row('Over time', 8, [
      graph('Pins', 'Pins by the status that clients see.', [q(`max by (status) (${of('pins')})`, '{{status}}')], { stack: true }),
      graph('Copies', 'Pinned copies by provider, and pins that are short of them.', [
        q(`max by (provider) (${of('replicas', 'state="pinned"')})`, '{{provider}}'),
        q(`max(${of('pins_under_replicated')})`, 'pins short of copies')
      ]),
      graph('Requests', 'Answers to clients, by code.', [q(`sum by (code) (rate(${of('http_requests_total')}[$__rate_interval]))`, '{{code}}')], { unit: 'reqps' })
    ])
  ]
})
