//! Raw YAML, environment and files into each module's own settings; all errors at once.
