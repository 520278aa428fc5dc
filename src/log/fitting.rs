//! Dead letters that fit a topic's limit. The record that is not processed may be larger than any topic takes: a batch that
//! its producer compressed is measured by its compressed size.

use std::borrow::Cow;

use sha2::Digest;
use sha2::Sha256;

use crate::log::Header;
use crate::log::OutputRecord;

/// What a record takes on the wire beside its parts: 61 bytes of its batch, and up to 36 of its own lengths and times.
/// <https://kafka.apache.org/documentation/#recordbatch>
const FRAME_BYTES: usize = 128;
/// The two lengths of a header.
const HEADER_FRAME_BYTES: usize = 10;
/// Every compression that Kafka knows adds less than this share to what it cannot compress, beside what
/// [`FRAME_BYTES`] leaves over.
const GROWTH_SHARE: usize = 1000;
/// zstd's own default.
const COMPRESSION_LEVEL: i32 = 3;

/// The first of segstream's own headers of a dead letter. They follow the headers of its record, which may have any names.
const OWN_FROM: &str = "reason";

/// Size of a record that is alone in its batch, at most.
#[must_use]
pub fn size_bytes(record: &OutputRecord) -> usize {
    FRAME_BYTES + record.bytes() + record.headers.len() * HEADER_FRAME_BYTES
}

/// A dead letter for a topic that takes `limit_bytes`. One that may be larger gets the first of these that fits: its value
/// is compressed; its value is cut; the headers of its record are left out too; its key is cut too. Further headers say
/// what was changed (docs/TOPICS.md). A limit that is smaller than segstream's own headers is not met.
#[must_use]
pub fn fitted(letter: &OutputRecord, limit_bytes: usize) -> Cow<'_, OutputRecord> {
    // A topic that compresses in a way of its own measures again, and what does not compress then grows.
    let limit_bytes = limit_bytes - limit_bytes / GROWTH_SHARE;
    if size_bytes(letter) <= limit_bytes {
        return Cow::Borrowed(letter);
    }
    let steps = [compressed, value_cut, without_foreign_headers, key_cut];
    let mut smallest = Cow::Borrowed(letter);
    for step in steps {
        let Some(made) = step(letter, limit_bytes) else {
            continue;
        };
        let fits = size_bytes(&made) <= limit_bytes;
        smallest = Cow::Owned(made);
        if fits {
            break;
        }
    }
    smallest
}

fn compressed(letter: &OutputRecord, _limit_bytes: usize) -> Option<OutputRecord> {
    let value = letter.value.as_deref()?;
    let encoded = zstd::bulk::compress(value, COMPRESSION_LEVEL).ok()?;
    let mut headers = letter.headers.clone();
    headers.extend(changed_value("zstd", value));
    Some(OutputRecord {
        key: letter.key.clone(),
        value: Some(encoded),
        headers,
        timestamp: letter.timestamp,
    })
}

fn value_cut(letter: &OutputRecord, limit_bytes: usize) -> Option<OutputRecord> {
    Some(with_headers(letter, letter.headers.clone(), limit_bytes))
}

fn without_foreign_headers(letter: &OutputRecord, limit_bytes: usize) -> Option<OutputRecord> {
    Some(with_headers(letter, own_headers(letter), limit_bytes))
}

fn key_cut(letter: &OutputRecord, limit_bytes: usize) -> Option<OutputRecord> {
    let key = letter.key.as_deref()?;
    let mut headers = own_headers(letter);
    headers.extend(facts_of("key", key));
    let mut made = with_headers(letter, headers, 0);
    made.key = Some(Vec::new());
    let room_bytes = limit_bytes.saturating_sub(size_bytes(&made));
    made.key = key.get(..room_bytes.min(key.len())).map(<[u8]>::to_vec);
    Some(made)
}

/// The letter with these headers, and with as much of its value as the limit leaves room for.
fn with_headers(letter: &OutputRecord, headers: Vec<Header>, limit_bytes: usize) -> OutputRecord {
    let mut made = OutputRecord {
        key: letter.key.clone(),
        value: letter.value.as_ref().map(|_| Vec::new()),
        headers,
        timestamp: letter.timestamp,
    };
    let value = letter.value.as_deref().unwrap_or_default();
    if value.is_empty() {
        return made;
    }
    if size_bytes(&made) + value.len() <= limit_bytes {
        made.value = Some(value.to_vec());
        return made;
    }
    made.headers.extend(changed_value("cut", value));
    let room_bytes = limit_bytes.saturating_sub(size_bytes(&made));
    made.value = value.get(..room_bytes.min(value.len())).map(<[u8]>::to_vec);
    made
}

/// What was done to a value, and what it was.
fn changed_value(encoding: &'static str, value: &[u8]) -> impl Iterator<Item = Header> {
    let encoding: Header = ("value_encoding".into(), Some(encoding.into()));
    std::iter::once(encoding).chain(facts_of("value", value))
}

/// segstream's headers, and how many others there were.
fn own_headers(letter: &OutputRecord) -> Vec<Header> {
    let mut headers = letter.headers.iter();
    let omitted = headers.rposition(|(name, _)| name == OWN_FROM).unwrap_or(0);
    let mut headers: Vec<Header> = letter.headers.iter().skip(omitted).cloned().collect();
    headers.push((
        "headers_omitted".into(),
        Some(omitted.to_string().into_bytes()),
    ));
    headers
}

/// Length and hash of a part as it came.
fn facts_of(part: &str, bytes: &[u8]) -> [Header; 2] {
    let digest = Sha256::digest(bytes);
    [
        (
            format!("{part}_bytes").into(),
            Some(bytes.len().to_string().into_bytes()),
        ),
        (
            format!("{part}_sha256").into(),
            Some(format!("{digest:x}").into_bytes()),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// As a dead letter without a record time has them.
    const OWN: [&str; 3] = ["reason", "detail", "app_version"];

    fn letter(
        key: &[u8],
        value: Option<&[u8]>,
        foreign: &[(&'static str, Vec<u8>)],
    ) -> OutputRecord {
        let foreign = foreign.iter();
        let mut headers: Vec<Header> = foreign
            .map(|(name, value)| ((*name).into(), Some(value.clone())))
            .collect();
        for name in OWN {
            headers.push((name.into(), Some(b"own".to_vec())));
        }
        OutputRecord {
            key: Some(key.to_vec()),
            value: value.map(<[u8]>::to_vec),
            headers,
            timestamp: Timestamp::default(),
        }
    }

    fn header<'a>(record: &'a OutputRecord, name: &str) -> Option<&'a [u8]> {
        let mut backwards = record.headers.iter().rev();
        backwards.find(|(known, _)| known == name)?.1.as_deref()
    }

    /// Bytes that nothing compresses: hashes of a counter.
    fn noise(length: usize) -> Vec<u8> {
        let blocks = (0_u64..).flat_map(|counter| Sha256::digest(counter.to_le_bytes()));
        blocks.take(length).collect()
    }

    /// Size of a batch of this record, by Kafka's documentation of the record format: variable lengths have seven bits a
    /// byte, after the zigzag encoding.
    fn wire_bytes(record: &OutputRecord) -> usize {
        let varint = |length: usize| {
            let zigzag = u64::try_from(length).unwrap() * 2;
            let bits = 64 - zigzag.max(1).leading_zeros();
            usize::try_from(bits.div_ceil(7)).unwrap()
        };
        let part = |bytes: Option<usize>| bytes.map_or(1, |length| varint(length) + length);
        let length = |bytes: &Option<Vec<u8>>| part(bytes.as_ref().map(Vec::len));
        let headers = record.headers.iter();
        let headers = headers.map(|(name, value)| part(Some(name.len())) + length(value));
        // Attributes, and the first timestamp and offset of a batch, which are 0.
        let body = 3
            + length(&record.key)
            + length(&record.value)
            + varint(record.headers.len())
            + headers.sum::<usize>();
        61 + varint(body) + body
    }

    #[test]
    fn a_letter_that_fits_stays_as_it_is() {
        let letter = letter(b"key", Some(&[b'a'; 1000]), &[]);
        assert!(matches!(fitted(&letter, 10_000), Cow::Borrowed(_)));
        // What it takes on the wire, 1,061 bytes and its headers, is more.
        assert!(wire_bytes(&letter) > 1061);
        assert!(matches!(fitted(&letter, 1061), Cow::Owned(_)));
    }

    #[test]
    fn a_value_that_compresses_can_be_had_back_whole() {
        let value = vec![b'a'; 3_000_000];
        let letter = letter(b"key", Some(&value), &[("trace", b"abc".to_vec())]);
        let made = fitted(&letter, 200_000);
        assert!(wire_bytes(&made) <= 200_000);
        assert_eq!(header(&made, "value_encoding"), Some(&b"zstd"[..]));
        assert_eq!(header(&made, "value_bytes"), Some(&b"3000000"[..]));
        assert_eq!(header(&made, "trace"), Some(&b"abc"[..]));
        let encoded = made.value.as_deref().unwrap();
        assert!(zstd::bulk::decompress(encoded, 3_000_000).unwrap() == value);
    }

    /// The hash is of `printf abc | sha256sum`.
    #[test]
    fn the_hash_of_a_changed_part_is_that_of_its_bytes_as_they_came() {
        let [(_, length), (name, hash)] = facts_of("key", b"abc");
        assert_eq!(length.unwrap(), b"3");
        assert_eq!(name, "key_sha256");
        let expected = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.unwrap(), expected);
    }

    /// Key, value and foreign headers; whether the key and the foreign headers stay whole; and the encoding.
    type Case<'a> = (
        &'a [u8],
        Option<&'a [u8]>,
        Vec<(&'static str, Vec<u8>)>,
        (bool, bool),
        Option<&'a [u8]>,
    );

    #[test]
    fn what_does_not_compress_is_cut_until_it_fits() {
        let noise = noise(50_000);
        let big = || vec![("first", noise.clone()), ("second", noise.clone())];
        let cut = Some(&b"cut"[..]);
        // Names of segstream's own headers, which are foreign before the last `reason`.
        let own_names = || {
            vec![
                ("reason", b"foreign".to_vec()),
                ("source_timestamp", noise.clone()),
            ]
        };
        let many = || vec![("n", Vec::new()); 5000];
        let cases: [Case<'_>; 7] = [
            (b"key", Some(&noise), vec![], (true, true), cut),
            (b"key", Some(b"small"), big(), (true, false), None),
            (b"key", None, big(), (true, false), None),
            (b"key", Some(b"small"), own_names(), (true, false), None),
            (b"key", Some(b"small"), many(), (true, false), None),
            (&noise, Some(&noise), vec![], (false, false), cut),
            (&noise, None, big(), (false, false), None),
        ];
        for (key, value, foreign, (is_key_whole, has_foreign), encoding) in cases {
            let letter = letter(key, value, &foreign);
            let made = fitted(&letter, 20_000);
            let size = wire_bytes(&made);
            assert!(size <= 20_000, "{size}");
            assert_eq!(header(&made, "value_encoding"), encoding);
            for name in OWN {
                assert_eq!(header(&made, name), Some(&b"own"[..]), "{name}");
            }
            let made_key = made.key.as_deref().unwrap();
            assert!(key.starts_with(made_key));
            assert_eq!(made_key == key, is_key_whole);
            assert_eq!(header(&made, "key_bytes").is_none(), is_key_whole);
            assert_eq!(made.value.is_some(), value.is_some());
            let made_value = made.value.as_deref().unwrap_or_default();
            assert!(value.unwrap_or_default().starts_with(made_value));
            let omitted = header(&made, "headers_omitted");
            assert_eq!(omitted.is_none(), has_foreign);
            if let Some(omitted) = omitted {
                let expected = foreign.len().to_string().into_bytes();
                assert_eq!(omitted, expected);
                assert_eq!(header(&made, "source_timestamp"), None);
            }
            // What is cut fills the limit but for a fiftieth.
            let is_cut = made_value.len() < value.unwrap_or_default().len() || !is_key_whole;
            assert_eq!(size > 19_600, is_cut, "{size}");
        }
    }
}
