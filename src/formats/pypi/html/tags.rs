//! The few tags of an HTML document that an index consists of, in their order.

use html5gum::Tokenizer;
use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};

/// A tag that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// `<base>`.
    Base(Attributes),
    /// `<meta>`.
    Meta(Attributes),
    /// `<a>`.
    Anchor(Attributes),
    /// The text that follows the latest anchor's start, up to the next tag.
    Text(String),
}

/// Attributes in their order. Names are in lower case; of equal names the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The value of an attribute.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let found = self.0.iter_mut().find(|(found, _)| found == name);
        found.map(|(_, value)| std::mem::take(value))
    }
}

/// The tags of a document; text that is not UTF-8 is replaced. Contents of scripts and the like are no tags.
pub(super) fn tags(html: &[u8]) -> impl Iterator<Item = Tag> {
    let mut emitter = CallbackEmitter::new(Collector::default());
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).flatten()
}

/// Puts tags together from the tokenizer's events.
#[derive(Debug, Default)]
struct Collector {
    open: Option<Tag>,
    in_anchor: bool,
}

impl Collector {
    fn attributes(&mut self) -> Option<&mut Vec<(String, String)>> {
        match self.open.as_mut()? {
            Tag::Base(found) | Tag::Meta(found) | Tag::Anchor(found) => Some(&mut found.0),
            Tag::Text(_) => None,
        }
    }
}

impl Callback<Tag> for Collector {
    fn handle_event(&mut self, event: CallbackEvent<'_>) -> Option<Tag> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.open = match name {
                    b"a" => Some(Tag::Anchor(Attributes::default())),
                    b"base" => Some(Tag::Base(Attributes::default())),
                    b"meta" => Some(Tag::Meta(Attributes::default())),
                    _ => None,
                };
                None
            }
            CallbackEvent::AttributeName { name } => {
                self.attributes()?.push((lossy(name), String::new()));
                None
            }
            CallbackEvent::AttributeValue { value } => {
                let (_, last) = self.attributes()?.last_mut()?;
                *last = lossy(value);
                None
            }
            CallbackEvent::CloseStartTag { .. } => {
                let tag = self.open.take();
                self.in_anchor = matches!(tag, Some(Tag::Anchor(_)));
                tag
            }
            CallbackEvent::EndTag { .. } => {
                self.open = None;
                self.in_anchor = false;
                None
            }
            CallbackEvent::String { value } => self.in_anchor.then(|| Tag::Text(lossy(value))),
            CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => None,
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(pairs: &[(&str, &str)]) -> Tag {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Tag::Anchor(Attributes(pairs.iter().map(owned).collect()))
    }

    #[test]
    fn tags_come_in_order_with_decoded_attributes() {
        let html = "<!DOCTYPE html><title><a href=no></title><BASE href='b/'>\
            <A HREF=\"x&amp;y\" data-yanked data-requires-python='&gt;=3'>x&lt;y</A> out\
            <script><a href=no></script><!-- <a href=no> --><meta name=n content=c>";
        let found: Vec<_> = tags(html.as_bytes()).collect();
        assert_eq!(found.len(), 4, "{found:?}");
        let pairs = [
            ("href", "x&y"),
            ("data-yanked", ""),
            ("data-requires-python", ">=3"),
        ];
        assert_eq!(found[1], anchor(&pairs));
        assert_eq!(found[2], Tag::Text("x<y".to_owned()));
        let Tag::Base(base) = &found[0] else { panic!() };
        assert_eq!(base.get("href"), Some("b/"));
        let Tag::Meta(meta) = &found[3] else { panic!() };
        assert_eq!(meta.get("content"), Some("c"));
    }

    #[test]
    fn the_first_of_equal_attributes_counts_and_cut_tags_do_not() {
        let found: Vec<_> = tags(b"<a href=1 href=2>t</a x=y><a href=3").collect();
        let Tag::Anchor(mut first) = found[0].clone() else {
            panic!()
        };
        assert_eq!(first.take("href").as_deref(), Some("1"));
        assert_eq!(found[1..], [Tag::Text("t".to_owned())]);
    }
}
