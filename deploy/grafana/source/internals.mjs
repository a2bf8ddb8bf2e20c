// What the gateway does inside: the API, the store, the engine, the process.
import { dashboard, graph, of, q, quantile, row, table } from './grafana.mjs'

const rate = (by, ...selector) => `sum by (${by}) (rate(${of(...selector)}[$__rate_interval]))`
const now = (by, ...selector) => `sum by (${by}) (${of(...selector)})`
const process = (name) => `${name}{job="$job"}`

export const internals = dashboard('internals', {
  description: 'What the gateway does inside: the API, the store, the engine, the process.',
  from: 'now-1h',
  rows: [
    row('API', 8, [
      graph('Requests', 'By route.', [q(rate('method, route', 'http_requests_total'), '{{method}} {{route}}')], { unit: 'reqps' }),
      graph('Server errors', 'By code.', [q(rate('code', 'http_requests_total', 'code=~"5.."'), '{{code}}')], { unit: 'reqps' }),
      graph('Answers take', 'Until the head of the answer, for 99 of 100. An add may wait for its copies (api.accept_wait).', [
        q(quantile(0.99, 'method, route', of('http_request_duration_seconds_bucket')), '{{method}} {{route}}')
      ], { unit: 's', none: 'No requests in this time' }),
      graph('Spans of traces', 'Those that were recorded, by what became of them.', [q(rate('outcome', 'trace_spans_total'), '{{outcome}}')], { unit: 'ops' })
    ]),
    row('Connections', 7, [
      graph('Open', 'Connections and requests under way.', [
        q(now('listener', 'http_connections'), '{{listener}} connections'),
        q(now('listener', 'http_requests_in_flight'), '{{listener}} requests')
      ]),
      graph('Turned away', 'Connections closed before their first request.', [q(rate('listener, reason', 'http_connections_refused_total'), '{{listener}} {{reason}}')], { unit: 'ops' }),
      graph('Kept for clients', 'Bytes of answers that clients have not taken yet; the slowest are given up beyond server.max_unread.', [
        q(now('listener', 'http_unread_bytes'), '{{listener}}')
      ], { unit: 'bytes' }),
      graph('Given up', 'Connections of clients that were the slowest to take their answers.', [q(rate('listener', 'http_connections_given_up_total'), '{{listener}}')], { unit: 'ops' }),
      graph('TLS handshakes that failed', 'By why.', [q(rate('listener, reason', 'tls_handshake_failures_total'), '{{listener}} {{reason}}')], { unit: 'ops' })
    ]),
    row('Store', 8, [
      graph('Operations', 'By class.', [q(rate('class', 'store_operation_duration_seconds_count'), '{{class}}')], { unit: 'ops' }),
      graph('Operations take', 'Waits for their turn included, for 99 of 100.', [q(quantile(0.99, 'class', of('store_operation_duration_seconds_bucket')), '{{class}}')], { unit: 's', none: 'No operations in this time' }),
      graph('Errors', 'Operations that failed.', [q(rate('kind', 'store_errors_total'), '{{kind}}')], { unit: 'ops' }),
      graph('Connections', 'To the database.', [q(now('state', 'store_connections'), '{{state}}')]),
      graph('Size', 'The database\'s files, its log included.', [q(`max(${of('store_size_bytes')})`, 'size')], { unit: 'bytes' })
    ]),
    row('Engine', 8, [
      graph('Due', 'Tasks that are due and not claimed.', [q(`max by (kind) (${of('tasks_due')})`, '{{kind}}')]),
      graph('Late by', 'How long ago the oldest of them was due.', [
        q(`time() - (max by (kind) (${of('tasks_oldest_due_timestamp_seconds')}) > 0) or 0 * max by (kind) (${of('tasks_due')})`, '{{kind}}')
      ], { unit: 's' }),
      graph('Done', 'Tasks that ended.', [q(rate('kind, outcome', 'task_executions_total'), '{{kind}} {{outcome}}')], { unit: 'ops' }),
      graph('Tasks take', 'From claim to outcome, for 95 of 100; and from due to claim.', [
        q(quantile(0.95, 'kind', of('task_duration_seconds_bucket')), '{{kind}}'),
        q(quantile(0.95, '', of('task_queue_wait_seconds_bucket')), 'waiting')
      ], { unit: 's', none: 'No tasks in this time' })
    ]),
    row('Process', 8, [
      graph('Memory', 'Resident.', [q(process('process_resident_memory_bytes'), '{{instance}}')], { unit: 'bytes' }),
      graph('CPU', 'Cores in use.', [q(`rate(${process('process_cpu_seconds_total')}[$__rate_interval])`, '{{instance}}')]),
      graph('Files', 'Open, sockets included, of what the system allows.', [
        q(process('process_open_fds'), '{{instance}}'),
        q(process('process_max_fds'), '{{instance}} allowed')
      ]),
      graph('Logged', 'Warnings and errors, a minute.', [q(`60 * ${rate('level', 'log_messages_total')}`, '{{level}}')])
    ]),
    row('On record', 7, [
      table('Gateways', 'Ages and ends in time.', 'instance', [
        { title: 'running for', expr: `time() - max by (instance) (${process('process_start_time_seconds')})`, unit: 's', decimals: 0 },
        { title: 'engine looked', expr: `time() - max by (instance) (${of('engine_last_tick_timestamp_seconds')})`, unit: 's', decimals: 0 },
        { title: 'numbers read', expr: `time() - max by (instance) (${of('store_stats_last_refresh_timestamp_seconds')})`, unit: 's', decimals: 0 },
        { title: 'clock doubted by', expr: `max by (instance) (${of('clock_doubted_seconds')})`, unit: 's', decimals: 0 },
        { title: 'config good', expr: `min by (instance) (${of('config_last_reload_successful')})`, steps: [['red'], ['green', 1]] },
        { title: 'config read', expr: `time() - max by (instance) (${of('config_last_reload_success_timestamp_seconds')})`, unit: 's', decimals: 0 },
        { title: 'certificate ends in', expr: `min by (instance) (${of('tls_certificate_not_after_timestamp_seconds')}) - time()`, unit: 's', decimals: 0, steps: [['red'], ['orange', 7 * 86400], ['green', 14 * 86400]] },
        { title: 'TLS files good', expr: `min by (instance) (${of('tls_last_reload_successful')})`, steps: [['red'], ['green', 1]] },
        { title: 'created ahead by', expr: `max by (instance) (${of('created_ahead_seconds')})`, unit: 's', decimals: 0 }
      ], { width: 14 }),
      table('Versions', 'What was built.', 'version', [{ title: 'gateways', expr: `count by (version, revision) (${of('build_info')})` }], { width: 5 }),
      table('Jobs', 'Long operations, by how they stand; those that ended within 90 days.', 'kind', [
        ...['running', 'paused', 'asking', 'failed', 'done'].map((state) => ({ title: state, expr: `max by (kind) (${of('jobs', `state="${state}"`)})` }))
      ])
    ])
  ]
})
