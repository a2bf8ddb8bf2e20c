//! The reconciler that drives replicas from what is to what should be.
