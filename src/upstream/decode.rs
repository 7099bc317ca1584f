//! Content codings: what a coded body is, and decoding it piece by piece.
//!
//! A piece of input is small, so that one piece of a bomb cannot fill the memory before its output is counted.

use std::io::{self, Write};

use artifactapi_core::fault::Kind;
use artifactapi_core::port::upstream::Coding;
use artifactapi_core::{Fault, Headers};
use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};

/// Most coded bytes decoded at once. Deflate expands to 1032 times its size at most, so this makes 8 MiB.
const STEP: usize = 8 * 1024;

/// Decodes one body.
pub(crate) struct Decoder {
    inflate: Inflate,
    pending: Bytes,
    fed: bool,
}

enum Inflate {
    /// RFC 1952, any number of members.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// RFC 1950, which HTTP calls `deflate`.
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
}

/// Chooses the decoder that an answer's `Content-Encoding` and the wish of its asker call for.
///
/// A coding that must be decoded and is not known, or several at once, is `Broken`.
pub(crate) fn choose(coding: Coding, fields: &Headers) -> Result<Option<Decoder>, Fault> {
    if coding == Coding::Raw {
        return Ok(None);
    }
    let mut codings = fields
        .items("content-encoding")
        .filter(|item| !item.eq_ignore_ascii_case("identity"));
    let Some(first) = codings.next() else {
        return Ok(None);
    };
    let inflate = match (first.to_ascii_lowercase().as_str(), codings.next()) {
        ("gzip" | "x-gzip", None) => Inflate::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
        ("deflate", None) => Inflate::Zlib(Box::new(ZlibDecoder::new(Vec::new()))),
        _ => {
            return Err(Fault::new(
                Kind::Broken,
                "upstream sent a content coding it was not asked for",
            ));
        }
    };
    Ok(Some(Decoder {
        inflate,
        pending: Bytes::new(),
        fed: false,
    }))
}

impl Decoder {
    /// Takes the next coded bytes; the former ones must have been pulled out.
    pub(crate) fn feed(&mut self, coded: Bytes) {
        self.fed |= !coded.is_empty();
        self.pending = coded;
    }

    /// Decodes what was fed, a step at a time; nothing when more must be fed.
    pub(crate) fn pull(&mut self) -> Result<Option<Bytes>, Fault> {
        while !self.pending.is_empty() {
            let step = self.pending.split_to(STEP.min(self.pending.len()));
            match &mut self.inflate {
                Inflate::Gzip(inflate) => inflate.write_all(&step),
                Inflate::Zlib(inflate) => inflate.write_all(&step),
            }
            .map_err(corrupt)?;
            if let Some(output) = self.take() {
                return Ok(Some(output));
            }
        }
        Ok(None)
    }

    /// Ends the body: gives what is left, and checks that the coded stream is whole.
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.fed {
            match &mut self.inflate {
                Inflate::Gzip(inflate) => inflate.try_finish(),
                Inflate::Zlib(inflate) => inflate.try_finish(),
            }
            .map_err(corrupt)?;
        }
        Ok(self.take())
    }

    fn take(&mut self) -> Option<Bytes> {
        let output = match &mut self.inflate {
            Inflate::Gzip(inflate) => std::mem::take(inflate.get_mut()),
            Inflate::Zlib(inflate) => std::mem::take(inflate.get_mut()),
        };
        (!output.is_empty()).then(|| output.into())
    }
}

fn corrupt(error: io::Error) -> Fault {
    Fault::new(Kind::Broken, "upstream's compressed body is damaged").because(error)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(coding: &str, coded: &[u8], piece: usize) -> Result<Vec<u8>, Fault> {
        let fields = Headers::from_iter([("content-encoding", coding)]);
        let mut decoder = choose(Coding::Identity, &fields)?.unwrap();
        let mut plain = Vec::new();
        for piece in coded.chunks(piece) {
            decoder.feed(Bytes::copy_from_slice(piece));
            while let Some(output) = decoder.pull()? {
                plain.extend_from_slice(&output);
            }
        }
        plain.extend_from_slice(&decoder.finish()?.unwrap_or_default());
        Ok(plain)
    }

    fn sample() -> Vec<u8> {
        (0..40_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect()
    }

    #[test]
    fn bodies_decode_whatever_their_pieces() {
        let plain = sample();
        let two: Vec<u8> = [gzip(&plain[..1000]), gzip(&plain[1000..])].concat();
        for piece in [1, 7, 8192, usize::MAX] {
            assert!(decode("gzip", &gzip(&plain), piece).unwrap() == plain);
            assert!(decode("X-GZIP", &two, piece).unwrap() == plain);
            assert!(decode("identity, deflate", &zlib(&plain), piece).unwrap() == plain);
        }
    }

    #[test]
    fn an_empty_body_is_empty_whatever_its_coding() {
        assert_eq!(decode("gzip", b"", 1).unwrap(), b"");
        assert_eq!(decode("gzip", &gzip(b""), 1).unwrap(), b"");
    }

    #[test]
    fn cut_damaged_and_trailing_bytes_are_faults() {
        let plain = sample();
        for (coding, coded) in [("gzip", gzip(&plain)), ("deflate", zlib(&plain))] {
            for cut in [1, 9, 100, coded.len() / 2, coded.len() - 5, coded.len() - 1] {
                assert_eq!(
                    decode(coding, &coded[..cut], 4096).unwrap_err().kind,
                    Kind::Broken,
                    "{coding} {cut}"
                );
            }
            let mut damaged = coded.clone();
            let last = damaged.len() - 6;
            damaged[last] ^= 0x55;
            assert!(decode(coding, &damaged, 4096).is_err(), "{coding}");
            assert!(
                decode(coding, &[coded, b"tail".to_vec()].concat(), 4096).is_err(),
                "{coding}"
            );
        }
        assert!(decode("gzip", b"<html>", 4096).is_err());
    }

    #[test]
    fn one_step_of_a_bomb_stays_small() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let fields = Headers::from_iter([("content-encoding", "gzip")]);
        let mut decoder = choose(Coding::Decode, &fields).unwrap().unwrap();
        decoder.feed(bomb.into());
        let first = decoder.pull().unwrap().unwrap();
        assert!(first.len() <= 9 << 20, "{}", first.len());
    }

    #[test]
    fn only_what_must_be_decoded_needs_a_decoder() {
        let fields = |coding: &str| Headers::from_iter([("content-encoding", coding)]);
        assert!(choose(Coding::Raw, &fields("br")).unwrap().is_none());
        assert!(choose(Coding::Decode, &Headers::new()).unwrap().is_none());
        assert!(choose(Coding::Decode, &fields("identity")).unwrap().is_none());
        for odd in ["br", "zstd", "compress", "gzip, gzip", "aes128gcm"] {
            assert_eq!(
                choose(Coding::Identity, &fields(odd)).err().unwrap().kind,
                Kind::Broken,
                "{odd}"
            );
        }
    }
}
