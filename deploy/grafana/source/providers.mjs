// Each provider: its health, its calls, its budget, its copies.
import { ANY_IS_BAD, dashboard, FILLS_UP, graph, health, HEALTHS, of, q, quantile, row, share, states, table } from './grafana.mjs'

const CHOSEN = 'provider=~"$provider"'
const series = (name, ...matchers) => of(name, CHOSEN, ...matchers)
const rate = (by, ...selector) => `sum by (${by}) (rate(${series(...selector)}[$__rate_interval]))`
const gauge = (by, ...selector) => `max by (${by}) (${series(...selector)})`
const QUIET = 'No calls in this time'
const OLD_AUDIT = [['green'], ['orange', 14 * 86400]]

export const providers = dashboard('providers', {
  description: 'Each provider: its health, its calls, its budget, its copies.',
  choose: [{ name: 'provider', label: 'Provider', series: 'provider_up' }],
  rows: [
    row('Health', 6, [
      states('Health', 'What was last observed. New copies are sent there while it is healthy or degraded.',
        q(health(CHOSEN), '{{provider}}'), HEALTHS),
      states('Breaker', 'Open: it failed so often that it is left alone for some seconds. Half-open: one call tries.',
        q(`${gauge('provider', 'provider_breaker_state', 'state="half-open"')} + 2 * ${gauge('provider', 'provider_breaker_state', 'state="open"')}`, '{{provider}}'),
        [['closed', 'green'], ['half-open', 'orange'], ['open', 'red']])
    ]),
    row('Calls', 8, [
      graph('Calls', 'HTTP requests that were sent, retries included.', [q(rate('provider, operation', 'provider_requests_total'), '{{provider}} {{operation}}')], { unit: 'reqps' }),
      graph('Calls that did not go well', 'The same, by why not.', [q(rate('provider, outcome', 'provider_requests_total', 'outcome!="ok"'), '{{provider}} {{outcome}}')], { unit: 'reqps' }),
      graph('Breaker opened', 'How often it was left alone, an hour.', [
        q(`sum by (provider) (increase(${series('provider_breaker_transitions_total', 'to="open"')}[1h]))`, '{{provider}}')
      ])
    ]),
    row('Time', 8, [
      graph('Half of the calls take', 'Until the answer was read.', [q(quantile(0.5, 'provider, operation', series('provider_request_duration_seconds_bucket')), '{{provider}} {{operation}}')], { unit: 's', none: QUIET }),
      graph('95 of 100 calls take', 'Until the answer was read.', [q(quantile(0.95, 'provider, operation', series('provider_request_duration_seconds_bucket')), '{{provider}} {{operation}}')], { unit: 's', none: QUIET }),
      graph('Under way', 'Requests that wait for their answer.', [q(`sum by (provider) (${series('provider_requests_in_flight')})`, '{{provider}}')])
    ]),
    row('Budget', 8, [
      graph('Budget used', 'The part of the calls that a window allows; nothing for classes without a limit.', [
        q(share(`sum by (provider, class) (${series('provider_budget_used')})`, gauge('provider, class', 'provider_budget_limit')), '{{provider}} {{class}}')
      ], { unit: 'percentunit', max: 1, none: 'No provider has a budget' }),
      graph('Allowed', 'Calls that are planned in a window: what is configured, less the guard, or what was learned from refusals.', [
        q(`${gauge('provider, class', 'provider_budget_limit')} > 0`, '{{provider}} {{class}}')
      ], { none: 'No provider has a budget' }),
      graph('Waiting for a budget', 'Calls that wait for our own limit or a Retry-After, on average.', [q(rate('provider', 'provider_throttle_wait_seconds_total'), '{{provider}}')])
    ]),
    row('Copies', 8, [
      graph('Copies', 'By the provider\'s last word.', [q(gauge('provider, state', 'replicas'), '{{provider}} {{state}}')]),
      graph('Copies that audits came upon', 'Listed, suspect, found after all, or lost, an hour.', [
        q(`sum by (provider, result) (increase(${series('provider_audited_copies_total')}[1h]))`, '{{provider}} {{result}}')
      ]),
      graph('Proofs', 'Copies that were asked for at its gateway, an hour.', [
        q(`sum by (provider, outcome) (increase(${series('provider_proofs_total')}[1h]))`, '{{provider}} {{outcome}}')
      ])
    ]),
    row('On record', 8, [
      table('Audits, proofs, credentials', 'Differences as the last audit found them; ages and ends in time.', 'provider', [
        { title: 'were missing', expr: gauge('provider', 'provider_drifted_replicas', 'kind="missing"') },
        { title: 'suspect', expr: gauge('provider', 'provider_drifted_replicas', 'kind="suspect"'), steps: ANY_IS_BAD },
        { title: 'nobody\'s', expr: gauge('provider', 'provider_drifted_replicas', 'kind="unexpected"') },
        { title: 'audited', expr: `time() - max by (provider) (${series('provider_last_audit_timestamp_seconds')} > 0)`, unit: 's', decimals: 0, steps: OLD_AUDIT },
        { title: 'audits that asked (30 d)', expr: `round(sum by (provider) (increase(${series('provider_audit_alarms_total')}[30d])))` },
        { title: 'does not serve', expr: gauge('provider', 'provider_unproven'), steps: ANY_IS_BAD },
        { title: 'gateway down', expr: gauge('provider', 'provider_gateway_down'), steps: ANY_IS_BAD },
        { title: 'leaving', expr: gauge('provider', 'provider_draining') },
        { title: 'token ends in', expr: `max by (provider) (${series('provider_token_expiry_timestamp_seconds')} > 0) - time()`, unit: 's', decimals: 0, steps: [['red'], ['orange', 7 * 86400], ['green', 30 * 86400]] },
        { title: 'budget', expr: `max by (provider) (${share(`sum by (provider, class) (${series('provider_budget_used')})`, gauge('provider, class', 'provider_budget_limit'))})`, unit: 'percentunit', decimals: 0, steps: FILLS_UP }
      ])
    ])
  ]
})
