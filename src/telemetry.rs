//! Metrics with typed labels, logs, the request log.
