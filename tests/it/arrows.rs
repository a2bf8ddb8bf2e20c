//! Reads `src/` and holds the modules to their arrows.
