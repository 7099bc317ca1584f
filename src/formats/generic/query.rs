//! One spelling for each query, so that equal ones share a key. Order and meaning stay: nothing is sorted or dropped.

/// The canonical spelling of a raw query: escapes of unreserved characters are undone, other escapes are in upper
/// case, and what may not stand in a query is escaped (RFC 3986 §6.2.2, §3.4). Doing it twice changes nothing.
pub(super) fn canonical(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            push(&mut out, byte, may_stand(byte));
        } else if let Some((escaped, after)) = escape(after) {
            rest = after;
            push(&mut out, escaped, is_unreserved(escaped));
        } else {
            push(&mut out, b'%', false);
        }
    }
    out
}

/// The byte that two hexadecimal digits spell, and what follows them.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(2)?;
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    Some((byte[0], rest))
}

fn push(out: &mut String, byte: u8, raw: bool) {
    if raw {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push_str(&hex::encode_upper([byte]));
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn may_stand(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/?".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifactapi_core::Key;
    use proptest::prelude::*;

    #[test]
    fn equal_queries_get_one_spelling_and_different_ones_stay_apart() {
        for (raw, expected) in [
            ("", ""),
            ("a=1&b=2", "a=1&b=2"),
            ("b=2&a=1", "b=2&a=1"),
            ("%61=%7e&b=%2f", "a=~&b=%2F"),
            ("u=http://h/?x", "u=http://h/?x"),
            ("a=%26&b", "a=%26&b"),
            ("100%", "100%25"),
            ("a=%zz", "a=%25zz"),
            ("q=\"ü\" <", "q=%22%C3%BC%22%20%3C"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(canonical(raw), expected, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_spelling_is_its_own_and_fits_a_key(raw in "\\PC{0,80}|[%0-9a-fA-F&=/?]{0,40}") {
            let once = canonical(&raw);
            prop_assert_eq!(&canonical(&once), &once);
            let key = Key::new("p").unwrap().with_query(&once).unwrap();
            prop_assert_eq!(key.query(), once);
        }
    }
}
