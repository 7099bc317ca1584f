//! `[log]`: what the program says about itself, on standard error.

use super::section::section;
use super::value::words;
use crate::fault::FieldError;

words! {
    /// The form of a log line.
    LogFormat {
        /// For people.
        Line = "line",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// The least severe messages that are written.
    LogLevel {
        /// Nothing.
        Off = "off",
        /// What failed and needs somebody.
        Error = "error",
        /// What is odd but goes on.
        Warn = "warn",
        /// What happens.
        Info = "info",
        /// How it happens.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

section! {
    /// What the program says about itself, on standard error.
    Log = "log" {
        /// `line` for people, `json` for programs.
        format: LogFormat = LogFormat::Line;
        /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
        level: LogLevel = LogLevel::Info;
    }
}

impl Log {
    /// What is wrong with the values together, by the names of keys.
    pub fn validate(&self) -> Vec<FieldError> {
        Vec::new()
    }
}
