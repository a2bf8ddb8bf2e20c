//! The accept loop: hyper serves, bounded, closed gracefully.
