//! Changes one key of an INI file as pip reads it, and leaves every other byte as it was.

/// The text with `key = value` in `section`, replacing an earlier value with its continuation lines.
pub(super) fn set(text: &str, section: &str, key: &str, value: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let header = format!("[{section}]");
    let Some(begin) = lines.iter().position(|line| line.trim() == header) else {
        return appended(text, &format!("{header}\n{key} = {value}\n"));
    };
    let inside = lines
        .iter()
        .skip(begin + 1)
        .take_while(|line| !line.starts_with('['));
    let place = inside
        .clone()
        .position(|line| names(line, key))
        .map(|at| begin + 1 + at);
    let (place, dropped) = place.map_or((begin + 1, 0), |at| {
        (at, 1 + continuation(lines.iter().skip(at + 1)))
    });
    let mut changed: String = lines.iter().take(place).copied().collect();
    changed = appended(&changed, &format!("{key} = {value}\n"));
    changed.extend(lines.iter().skip(place + dropped).copied());
    changed
}

/// `text` and then `more` on a line of its own.
fn appended(text: &str, more: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{text}{gap}{more}")
}

/// Whether a line sets this key, in any of the spellings that pip takes for the same.
fn names(line: &str, key: &str) -> bool {
    let own = !line.starts_with([' ', '\t', '#', ';']);
    let name = line.split(['=', ':']).next().unwrap_or_default().trim();
    own && name.to_ascii_lowercase().replace('_', "-") == key
}

/// How many of these lines continue the value before them.
fn continuation<'l>(lines: impl Iterator<Item = &'l &'l str>) -> usize {
    lines
        .take_while(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gets_its_section() {
        assert_eq!(set("", "global", "index-url", "u"), "[global]\nindex-url = u\n");
        assert_eq!(
            set("[install]\nx = y", "global", "index-url", "u"),
            "[install]\nx = y\n[global]\nindex-url = u\n"
        );
    }

    #[test]
    fn an_earlier_value_goes_with_its_continuation_and_nothing_else() {
        let text = "# mine\n[global]\nINDEX_URL: a\n  b\n\ncert = c\n[install]\nindex-url = d\n";
        let changed = "# mine\n[global]\nindex-url = u\n\ncert = c\n[install]\nindex-url = d\n";
        assert_eq!(set(text, "global", "index-url", "u"), changed);
    }

    #[test]
    fn a_new_key_stands_first_in_its_section() {
        assert_eq!(
            set("[global]\ncert = c", "global", "index-url", "u"),
            "[global]\nindex-url = u\ncert = c"
        );
        assert_eq!(
            set("[global]", "global", "index-url", "u"),
            "[global]\nindex-url = u\n"
        );
    }
}
