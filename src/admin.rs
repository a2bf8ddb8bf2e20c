//! The operators' listener: health and metrics.
