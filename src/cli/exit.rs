//! What the shell is told at the end; scripts rely on these numbers.

use std::process::ExitCode;

use crate::app;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    /// It did not work, for a reason that has no number of its own.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// There are warnings, and `--strict` was given.
    Warnings = 3,
    /// A pin that was waited for has failed.
    PinFailed = 4,
    /// What was waited for is not done: a job was paused, cancelled or left running, asks something, or failed; or the time
    /// to wait for a pin ran out.
    NotDone = 5,
    /// The gateway does not answer.
    Unreachable = 6,
    /// The gateway does not know the token.
    Unauthorized = 7,
    /// A provider does otherwise than its preset says, or something does not work there.
    Differs = 8,
    /// The configuration cannot be used (sysexits' `EX_CONFIG`): starting again does not help.
    BadConfig = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not work: its exit code, and what stderr says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub text: String,
}

impl Failure {
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }
}

/// One line with the whole chain of causes.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let exit = if app::is_of_the_config(&error) { Exit::BadConfig } else { Exit::Failed };
        Self::new(exit, format!("error: {error:#}"))
    }
}
