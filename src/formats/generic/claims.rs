//! The digests that a client claims for what it sends: `Repr-Digest` and `Content-Digest` (RFC 9530), `Content-MD5`
//! (RFC 1864) and `X-Checksum-Sha256`. Unknown algorithms are ignored; a malformed claim is an error.

use artifactapi_core::fault::Kind;
use artifactapi_core::{Alg, Digest, Fault, Headers};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Every digest claimed by the header fields of a request whose content is not coded.
pub(super) fn read(headers: &Headers) -> Result<Vec<Digest>, Fault> {
    let mut claimed = Vec::new();
    for item in headers
        .items("repr-digest")
        .chain(headers.items("content-digest"))
    {
        claimed.extend(dictionary_member(item)?);
    }
    for value in headers.all("content-md5") {
        claimed.push(from_base64(Alg::Md5, value.trim())?);
    }
    for value in headers.all("x-checksum-sha256") {
        claimed.push(Digest::new(Alg::Sha256, value.trim()).ok_or_else(malformed)?);
    }
    Ok(claimed)
}

/// A member `sha-256=:…:` of a structured dictionary (RFC 9651 §3.2); `None` for other algorithms.
fn dictionary_member(item: &str) -> Result<Option<Digest>, Fault> {
    let (name, value) = item.split_once('=').ok_or_else(malformed)?;
    let alg = match name.trim() {
        "sha-256" => Alg::Sha256,
        "sha-512" => Alg::Sha512,
        _ => return Ok(None),
    };
    let value = value.split(';').next().unwrap_or_default().trim();
    let bytes = value
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'))
        .ok_or_else(malformed)?;
    from_base64(alg, bytes).map(Some)
}

fn from_base64(alg: Alg, text: &str) -> Result<Digest, Fault> {
    let bytes = STANDARD.decode(text).map_err(|_| malformed())?;
    Digest::new(alg, &hex::encode(bytes)).ok_or_else(malformed)
}

fn malformed() -> Fault {
    Fault::client(Kind::BadRequest, "a digest in the header is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "sZRqySSSl7QLXjRwYsPA4A==";

    /// SHA-256 of nothing.
    const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn claims(fields: &[(&str, String)]) -> Result<Vec<String>, Fault> {
        let headers: Headers = fields.iter().cloned().collect();
        Ok(read(&headers)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_known_field_is_read() {
        let empty = Digest::sha256(b"").to_string();
        let found = claims(&[
            ("repr-digest", format!("sha-256=:{EMPTY}:, unixsum=30637")),
            ("content-digest", format!("sha-256=:{EMPTY}:;p=1")),
            ("content-md5", MD5.to_owned()),
            ("x-checksum-sha256", Digest::sha256(b"").hex().to_uppercase()),
        ]);
        let md5 = format!("md5:{}", hex::encode(STANDARD.decode(MD5).unwrap()));
        assert_eq!(found.unwrap(), [empty.clone(), empty.clone(), md5, empty]);
        assert_eq!(claims(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_malformed_claim_is_refused() {
        for (name, value) in [
            ("repr-digest", "sha-256"),
            ("repr-digest", "sha-256=47DE"),
            ("repr-digest", "sha-256=:47DE:"),
            ("repr-digest", "sha-512=:*:"),
            ("content-md5", "xx"),
            ("x-checksum-sha256", "00"),
            ("x-checksum-sha256", ""),
        ] {
            let fault = claims(&[(name, value.to_owned())]).unwrap_err();
            assert_eq!(fault.kind, Kind::BadRequest, "{name}: {value}");
        }
    }
}
