//! The matrix as a table.

use super::cell::Result;
use crate::support::script::Framing;

/// Prints the results, one line per fault, framing and digest; first client / follower in every column.
pub(super) fn print(results: &[Result]) {
    println!("what the first client / a follower got (each line: three sizes)");
    println!("  right: all bytes as they should be     as sent: nothing can tell, no digest is known");
    println!("  cut: 200 and a body that breaks off    a number: that status, no body of the object");
    println!(
        "{:<9} {:<10} {:<7} {:<17} {:<17} {:<17}",
        "fault", "framing", "digest", "20 KB", "300 KB", "5 MB"
    );
    for row in results.chunks(3) {
        let cell = row[0].cell;
        let framing = match cell.framing {
            Framing::Length => "length",
            Framing::Chunked => "chunked",
            Framing::UntilClose => "until close",
        };
        let digest = if cell.known { "known" } else { "-" };
        let columns: Vec<_> = row.iter().map(|result| result.got.join(" / ")).collect();
        println!(
            "{:<9} {framing:<11} {digest:<6} {:<17} {:<17} {:<17}{}",
            format!("{:?}", cell.trouble).to_lowercase(),
            columns[0],
            columns[1],
            columns[2],
            if cell.as_sent() {
                " undetectable by design"
            } else {
                ""
            },
        );
    }
}
