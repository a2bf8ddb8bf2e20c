//! Simulated providers: real HTTP servers that play a preset's quirks, and faults on demand.
