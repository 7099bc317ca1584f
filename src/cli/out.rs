//! The only place that writes to standard output and standard error. A reader that went away is no error.

use std::io::Write;

/// Prints a line for whoever called: the result of a command.
pub(crate) fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    // A closed pipe (`| head`) ends the reading, not the work.
    drop(writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush()));
}

/// Prints a line beside the result: a remark or a failure.
pub(crate) fn remark(line: impl AsRef<str>) {
    drop(writeln!(std::io::stderr().lock(), "{}", line.as_ref()));
}

/// Prints a document as JSON, indented.
pub(crate) fn json(document: &impl serde::Serialize) {
    say(serde_json::to_string_pretty(document).unwrap_or_default());
}
