//! What users type.

pub mod sim;
