//! Seals for documents that show their own end: JSON by its last bracket, HTML by `</html>`.

use artifactapi_core::port::upstream::Head;
use artifactapi_core::seal::{Seal, Verdict};

/// Judges a page that may come as JSON or as HTML.
pub(crate) fn page(head: &Head) -> Box<dyn Seal> {
    Box::new(Page {
        media: head.headers.get("content-type").unwrap_or_default().to_owned(),
        framed: head.framed,
        judge: Judge::Waiting,
    })
}

/// What a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON.
    Json,
    /// HTML.
    Html,
}

impl Form {
    /// The form that a content type promises, or that a document's first character shows: no HTML begins with a brace.
    pub(crate) fn of(media: &str, first: Option<u8>) -> Self {
        let essence = media.split(';').next().unwrap_or_default().trim_end();
        if first == Some(b'{') || super::media::ends_with(essence, "json") {
            Self::Json
        } else {
            Self::Html
        }
    }
}

/// See [`page`].
#[derive(Debug)]
struct Page {
    media: String,
    framed: bool,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    /// Nothing but white space so far.
    Waiting,
    Json(JsonEnd),
    Html(HtmlEnd),
}

impl Seal for Page {
    fn update(&mut self, chunk: &[u8]) {
        let mut chunk = chunk;
        if matches!(self.judge, Judge::Waiting) {
            let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
            let start = chunk.iter().take_while(|byte| blank(byte)).count();
            chunk = chunk.get(start..).unwrap_or_default();
            let Some(first) = chunk.first() else { return };
            self.judge = match Form::of(&self.media, Some(*first)) {
                Form::Json => Judge::Json(JsonEnd::default()),
                Form::Html => Judge::Html(HtmlEnd::default()),
            };
        }
        match &mut self.judge {
            Judge::Waiting => {}
            Judge::Json(json) => json.update(chunk),
            Judge::Html(html) => html.update(chunk),
        }
    }

    fn finish(self: Box<Self>) -> Verdict {
        match self.judge {
            Judge::Waiting => match Form::of(&self.media, None) {
                Form::Json => Verdict::Broken("the JSON document is empty"),
                Form::Html => Verdict::Unknown,
            },
            Judge::Json(json) => json.verdict(),
            Judge::Html(html) => html.verdict(self.framed),
        }
    }
}

/// Follows a JSON object's brackets to the last one. Anything else inside is left to whoever reads it.
#[derive(Debug, Default)]
struct JsonEnd {
    at: Place,
    /// How many brackets are open.
    depth: u64,
}

/// Where in a JSON document the last byte was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the first brace.
    #[default]
    Before,
    /// Between brackets, in no string.
    Inside,
    /// In a string.
    Text,
    /// In a string, after a backslash.
    Escape,
    /// After the last bracket.
    After,
    /// Where no JSON object can be.
    Wrong,
}

impl JsonEnd {
    fn update(&mut self, chunk: &[u8]) {
        for byte in chunk {
            self.at = match (self.at, byte) {
                (Place::Before, b'{') | (Place::Inside, b'{' | b'[') => self.open(),
                (Place::Inside, b'"') => Place::Text,
                (Place::Inside, b'}' | b']') => self.close(),
                (Place::Text, b'"') | (Place::Inside, _) => Place::Inside,
                (Place::Text, b'\\') => Place::Escape,
                (Place::Text | Place::Escape, _) => Place::Text,
                (blank @ (Place::Before | Place::After), _) if byte.is_ascii_whitespace() => blank,
                (Place::Before | Place::After | Place::Wrong, _) => Place::Wrong,
            };
        }
    }

    fn open(&mut self) -> Place {
        self.depth += 1;
        Place::Inside
    }

    fn close(&mut self) -> Place {
        self.depth -= 1;
        if self.depth > 0 {
            Place::Inside
        } else {
            Place::After
        }
    }

    fn verdict(&self) -> Verdict {
        match self.at {
            Place::After => Verdict::Whole,
            Place::Wrong => Verdict::Broken("the document is not one JSON object"),
            Place::Before | Place::Inside | Place::Text | Place::Escape => {
                Verdict::Broken("the JSON document is cut short")
            }
        }
    }
}

/// How a document begins that should also say where it ends. Lower case.
const OPENINGS: [&[u8]; 2] = [b"<!doctype", b"<html"];
/// What ends it. Its first character occurs in it only once.
const CLOSING: &[u8] = b"</html";

/// Looks for `</html` in a document that began with `<html` or a doctype; comments may follow it.
#[derive(Debug, Default)]
struct HtmlEnd {
    beginning: Vec<u8>,
    /// How many characters of [`CLOSING`] have just been seen.
    matched: usize,
    closed: bool,
}

impl HtmlEnd {
    fn update(&mut self, chunk: &[u8]) {
        let missing = 9usize.saturating_sub(self.beginning.len());
        self.beginning
            .extend(chunk.iter().take(missing).map(u8::to_ascii_lowercase));
        for byte in chunk {
            let expected = CLOSING.get(self.matched);
            self.matched = if expected == Some(&byte.to_ascii_lowercase()) {
                self.matched + 1
            } else {
                usize::from(*byte == b'<')
            };
            self.closed |= self.matched == CLOSING.len();
        }
    }

    /// A document that leaves its end tag out is legal; it counts as cut only where nothing else shows its end.
    fn verdict(&self, framed: bool) -> Verdict {
        let opened = OPENINGS.iter().any(|opening| self.beginning.starts_with(opening));
        if opened && self.closed {
            Verdict::Whole
        } else if opened && !framed {
            Verdict::Broken("the HTML document is cut short")
        } else {
            Verdict::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifactapi_core::Headers;
    use proptest::prelude::*;

    fn judged(media: &str, framed: bool, chunks: &[&[u8]]) -> Verdict {
        let head = Head {
            status: 200,
            headers: Headers::from_iter([("Content-Type", media)]),
            url: "http://h.example/".parse().unwrap(),
            length: None,
            framed,
        };
        let mut seal = page(&head);
        for chunk in chunks {
            seal.update(chunk);
        }
        seal.finish()
    }

    #[test]
    fn json_is_whole_at_its_last_bracket_only() {
        let json = |body: &str| judged("application/vnd.pypi.simple.v1+json", true, &[body.as_bytes()]);
        for whole in [r"{}", " {\"a\":[{\"}\":\"\\\"]\"}]}\n", "\u{feff}{}"] {
            assert_eq!(json(whole), Verdict::Whole, "{whole}");
        }
        for broken in [
            "",
            " ",
            "{",
            r#"{"a":"}"#,
            r#"{"a":[1}"#,
            "{}x",
            "{}{}",
            "[]",
            "<html></html>",
            "}",
        ] {
            assert!(matches!(json(broken), Verdict::Broken(_)), "{broken}");
        }
    }

    #[test]
    fn html_that_began_must_end_unless_its_length_is_known() {
        for (body, framed, verdict) in [
            (
                "<!DOCTYPE html><html><a>x</a></HTML>\n<!-- 1 -->",
                false,
                Verdict::Whole,
            ),
            ("\n<html></html>", false, Verdict::Whole),
            ("<html><a>x</a>", true, Verdict::Unknown),
            ("<a>x</a>", false, Verdict::Unknown),
            ("", false, Verdict::Unknown),
        ] {
            assert_eq!(judged("text/html", framed, &[body.as_bytes()]), verdict, "{body}");
        }
        for cut in [
            "<html><a>x",
            "<!doctype html>",
            "<html></htm",
            "<html><</html".trim_end_matches('l'),
        ] {
            let verdict = judged("text/html; charset=utf-8", false, &[cut.as_bytes()]);
            assert!(matches!(verdict, Verdict::Broken(_)), "{cut}");
        }
    }

    #[test]
    fn a_brace_at_the_beginning_is_json_whatever_the_content_type_says() {
        for media in ["", "text/html", "application/octet-stream"] {
            assert_eq!(judged(media, true, &[b"{}"]), Verdict::Whole);
            assert!(matches!(judged(media, true, &[b"{"]), Verdict::Broken(_)));
        }
        let whole = judged("application/octet-stream", false, &[b"<html></html>"]);
        assert_eq!(whole, Verdict::Whole);
    }

    proptest! {
        #[test]
        fn every_proper_prefix_of_json_is_broken_however_it_is_chunked(
            value in "[a-z\\[\\]{}\"\\\\ ]{0,12}", cut in 0usize..200, step in 1usize..9,
        ) {
            let body = serde_json::json!({"k": [value, {"x": value}], "n": 1}).to_string();
            let chunks: Vec<&[u8]> = body.as_bytes().chunks(step).collect();
            prop_assert_eq!(judged("application/json", false, &chunks), Verdict::Whole);
            let cut = cut % body.len();
            let verdict = judged("application/json", false, &[&body.as_bytes()[..cut]]);
            prop_assert!(matches!(verdict, Verdict::Broken(_)));
        }

        #[test]
        fn every_proper_prefix_of_unframed_html_is_broken(text in "[a-z<>/ ]{0,20}", cut in 5usize..200, step in 1usize..9) {
            let body = format!("<html><a>{}</a></html>", text.replace("</html", ""));
            let chunks: Vec<&[u8]> = body.as_bytes().chunks(step).collect();
            prop_assert_eq!(judged("text/html", false, &chunks), Verdict::Whole);
            let cut = 5 + cut % (body.len() - 6);
            let verdict = judged("text/html", false, &[&body.as_bytes()[..cut]]);
            prop_assert!(matches!(verdict, Verdict::Broken(_)) || cut + 1 == body.len());
        }
    }
}
