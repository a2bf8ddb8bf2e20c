//! The one HTTP client: hyper and rustls, bounded bodies.
