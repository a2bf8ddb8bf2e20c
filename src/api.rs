//! The Pinning Services API: router, extractors, errors, one file an endpoint.
