//! Records and batches that are larger than a topic takes.

use rdkafka::config::ClientConfig;
use rdkafka::message::Header;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::BaseProducer;
use rdkafka::producer::BaseRecord;
use rdkafka::producer::Producer;
use segstream::log::OutputRecord;
use sha2::Digest;
use sha2::Sha256;

use crate::PATIENCE;
use crate::deployment::Deployment;
use crate::deployment::set_topic;
use crate::deployment::wait_until;
use crate::running::Running;
use crate::support::cluster::committed;
use crate::support::kafka;
use crate::surroundings::purchase;

fn header<'a>(record: &'a OutputRecord, name: &str) -> &'a [u8] {
    let found = record.headers.iter().rev().find(|(known, _)| known == name);
    let value = found
        .unwrap_or_else(|| panic!("no header {name}"))
        .1
        .as_deref();
    value.unwrap()
}

/// Digits of hashes of a counter: four bits in each byte.
fn digits(length: usize) -> Vec<u8> {
    let blocks = (0_u64..).flat_map(|counter| {
        let digest = Sha256::digest(counter.to_le_bytes());
        format!("{digest:x}").into_bytes()
    });
    blocks.take(length).collect()
}

/// The broker's default limits the compressed size of a batch to 1,048,588 bytes.
pub fn compressed_garbage() {
    let deployment = Deployment::new("garbage");
    let events = deployment.topic("events");
    set_topic(&events, "max.message.bytes=1048588");
    set_topic(&deployment.topic("letters"), "max.message.bytes=1114124");
    let uniform = vec![b'a'; 3_000_000];
    let digits = digits(1_800_000);
    let cases: [(&str, &[u8]); 6] = [
        ("gzip", &uniform),
        ("zstd", &uniform),
        ("lz4", &uniform),
        ("snappy", &uniform),
        ("gzip", &digits),
        ("zstd", &digits),
    ];
    for (number, (codec, garbage)) in cases.into_iter().enumerate() {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka::brokers())
            .set("message.max.bytes", "33554432")
            .set("compression.type", codec)
            .create()
            .unwrap();
        let trace = Header {
            key: "trace",
            value: Some(codec.as_bytes()),
        };
        let record = BaseRecord::to(&events)
            .partition(0)
            .key("garbage")
            .payload(garbage)
            .headers(OwnedHeaders::new().insert(trace))
            .timestamp(1_767_225_600_000);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        let payload = purchase(u32::try_from(number).unwrap(), "2026-01-01T00:00:00Z");
        let key = format!("c{number}");
        let record = BaseRecord::to(&events)
            .partition(0)
            .key(&key)
            .payload(&payload)
            .timestamp(1_767_225_600_000);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
        assert_eq!(producer.in_flight_count(), 0);
    }
    let sent = committed(&events, 12);
    assert_eq!(sent.len(), 12, "the broker took every record");
    deployment.run_to_end("a", &["input.partitioner=unchecked"]);
    assert_eq!(deployment.export(&["a"]).lines().count(), cases.len());
    let letters = committed(&deployment.topic("letters"), 12);
    assert_eq!(letters.len(), cases.len());
    for (letter, (codec, garbage)) in letters.iter().zip(cases) {
        assert_eq!(letter.key.as_deref(), Some(&b"garbage"[..]));
        assert_eq!(header(letter, "trace"), codec.as_bytes());
        assert_eq!(header(letter, "reason"), b"unreadable");
        assert_eq!(header(letter, "value_encoding"), b"zstd");
        let length = garbage.len().to_string();
        assert_eq!(header(letter, "value_bytes"), length.as_bytes());
        let hash = format!("{:x}", Sha256::digest(garbage));
        assert_eq!(header(letter, "value_sha256"), hash.as_bytes());
        let value = letter.value.as_deref().unwrap();
        assert!(zstd::bulk::decompress(value, garbage.len()).unwrap() == garbage);
    }
}

/// Noise in each part of a record, larger than the dead letters take. What is cut fills their limit, and goes to the
/// broker as it is; one topic leaves it so, and one compresses it again.
pub fn noise() {
    for recompressed in ["producer", "gzip"] {
        let deployment = Deployment::new(&format!("noise-{recompressed}"));
        let events = deployment.topic("events");
        let letters = deployment.topic("letters");
        set_topic(&events, "max.message.bytes=2000000");
        set_topic(&letters, "max.message.bytes=300000");
        set_topic(&letters, &format!("compression.type={recompressed}"));
        let noise: Vec<u8> = (0_u64..)
            .flat_map(|counter| Sha256::digest(counter.to_le_bytes()))
            .take(800_000)
            .collect();
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka::brokers())
            .set("message.max.bytes", "33554432")
            .create()
            .unwrap();
        let send = |key: &[u8], payload: &[u8], headers: OwnedHeaders| {
            let record = BaseRecord::to(&events)
                .partition(0)
                .key(key)
                .payload(payload)
                .headers(headers)
                .timestamp(1_767_225_600_000);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        };
        let one = |name| {
            OwnedHeaders::new().insert(Header {
                key: name,
                value: Some(&noise),
            })
        };
        send(b"value", &noise, OwnedHeaders::new());
        send(b"header", b"garbage", one("trace"));
        send(b"own", b"garbage", one("source_timestamp"));
        send(&noise, b"garbage", OwnedHeaders::new());
        let many = (0..40_000).fold(OwnedHeaders::new(), |headers, _| {
            headers.insert(Header {
                key: "n",
                value: Some(b"12345678"),
            })
        });
        send(b"many", b"garbage", many);
        let payload = purchase(1, "2026-01-01T00:00:00Z");
        send(b"c1", payload.as_bytes(), OwnedHeaders::new());
        producer.flush(PATIENCE).unwrap();
        assert_eq!(
            committed(&events, 12).len(),
            6,
            "the broker took every record"
        );
        let settings = ["input.partitioner=unchecked", "kafka.compression=none"];
        deployment.run_to_end("a", &settings);
        assert_eq!(deployment.export(&["a"]).lines().count(), 1);
        let found = committed(&letters, 12);
        assert_eq!(found.len(), 5);
        let of_key = |key: &[u8]| {
            let mut letters = found.iter();
            let is_of = |letter: &&OutputRecord| letter.key.as_deref() == Some(key);
            letters.find(is_of).unwrap()
        };
        let value = of_key(b"value");
        assert_eq!(header(value, "value_encoding"), b"cut");
        let kept = value.value.as_deref().unwrap();
        assert!(kept.len() > 290_000 && noise.starts_with(kept));
        for (key, omitted) in [("header", "1"), ("own", "1"), ("many", "40000")] {
            let letter = of_key(key.as_bytes());
            assert_eq!(header(letter, "headers_omitted"), omitted.as_bytes());
            assert_eq!(letter.value.as_deref(), Some(&b"garbage"[..]));
        }
        assert_eq!(header(of_key(b"own"), "source_timestamp"), b"1767225600000");
        let is_cut =
            |letter: &&OutputRecord| letter.headers.iter().any(|(name, _)| name == "key_bytes");
        let cut = found.iter().find(is_cut).unwrap();
        assert_eq!(header(cut, "key_bytes"), b"800000");
        assert!(noise.starts_with(cut.key.as_deref().unwrap()));
    }
}

/// Without compression, the changes of 6,000 customers are more than a batch of each partition may take, and so are the
/// events of a replay.
pub fn small_limits() {
    let deployment = Deployment::new("small-limits");
    for (kind, bytes) in [
        ("events", 20_000),
        ("changes", 20_000),
        ("current", 20_000),
        ("state", 20_000),
        ("letters", 90_000),
    ] {
        set_topic(
            &deployment.topic(kind),
            &format!("max.message.bytes={bytes}"),
        );
    }
    let lines: Vec<String> = (0..6000)
        .map(|number| purchase(number, "2026-01-01T00:00:00Z"))
        .collect();
    let input = deployment.root.path().join("events.jsonl");
    std::fs::write(&input, lines.join("\n")).unwrap();
    let target = format!("kafka://{}", deployment.topic("events"));
    let arguments = [
        "replay",
        "--input",
        input.to_str().unwrap(),
        "--format",
        "jsonl",
        "--to",
        &target,
        "--set",
        "kafka.compression=none",
    ];
    let replay = Running::start(deployment.command("producer", &arguments));
    assert_eq!(replay.code(), Some(0));
    deployment.run_to_end("a", &["kafka.compression=none"]);
    assert_eq!(deployment.export(&["a"]).lines().count(), 6000);
    let current = committed(&deployment.topic("current"), 12);
    assert!(current.len() >= 6000, "{}", current.len());
}

/// A customer whose every order has ten lines, in categories with long names: state that the topic does not take in one
/// record, if all of it were.
pub fn growing_state() {
    let deployment = Deployment::new("growing");
    set_topic(&deployment.topic("state"), "max.message.bytes=20000");
    let orders = 2500;
    let lines: Vec<String> = (0..orders)
        .map(|number: u32| {
            let products: Vec<String> = (0..10)
                .map(|line| {
                    let place = (number / 5 + line) % 500;
                    let name = format!("{place:03} {}", hex(place));
                    format!(r#"{{"category":"{name}","quantity":1,"price":"1.00"}}"#)
                })
                .collect();
            let (minute, hour, day) = (number % 60, number / 60 % 24, 1 + number / 1440);
            format!(
                r#"{{"event_id":"e{number}","type":"order.completed","occurred_at":"2026-01-{day:02}T{hour:02}:{minute:02}:00Z","customer_id":"c","order_id":"o{number}","currency":"USD","revenue":"10","products":[{}]}}"#,
                products.join(",")
            )
        })
        .collect();
    let input = deployment.root.path().join("events.jsonl");
    std::fs::write(&input, lines.join("\n")).unwrap();
    let target = format!("kafka://{}", deployment.topic("events"));
    let input = input.to_str().unwrap();
    let arguments = [
        "replay", "--input", input, "--format", "jsonl", "--to", &target,
    ];
    let replay = Running::start(deployment.command("producer", &arguments));
    assert_eq!(replay.code(), Some(0));
    let settings = ["kafka.compression=none", "deduplication.ids=4096"];
    deployment.run_to_end("a", &settings);
    assert_eq!(committed(&deployment.topic("letters"), 12), []);
    let export = deployment.export_with(&["a"], &settings);
    let record: serde_json::Value = serde_json::from_str(&export).unwrap();
    assert_eq!(record["orders"], orders, "{export}");
}

/// Sixty digits that nothing compresses below half.
fn hex(number: u32) -> String {
    let digest = format!("{:x}", Sha256::digest(number.to_le_bytes()));
    digest.chars().take(60).collect()
}

/// While a topic takes no change, events that cause one are rejected and the others are applied. Once it takes them again,
/// so do they.
pub fn lowered_limit() {
    let deployment = Deployment::new("lowered");
    let changes = deployment.topic("changes");
    let events = deployment.topic("events");
    let letters = deployment.topic("letters");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka::brokers())
        .create()
        .unwrap();
    let send = |numbers: std::ops::Range<u32>, garbage: bool| {
        for number in numbers {
            let key = format!("c{number}");
            let payload = if garbage {
                "garbage".to_owned()
            } else {
                purchase(number, "2026-01-01T00:00:00Z")
            };
            let record = BaseRecord::to(&events)
                .partition(0)
                .key(&key)
                .payload(&payload)
                .timestamp(1_767_225_600_000);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    };
    let running = deployment.start("a", &["input.partitioner=unchecked"]);
    send(0..5, false);
    wait_until("five changes", || committed(&changes, 12).len() == 5);
    set_topic(&changes, "max.message.bytes=300");
    send(5..9, false);
    send(20..21, true);
    wait_until("five dead letters", || committed(&letters, 12).len() == 5);
    set_topic(&changes, "max.message.bytes=1048588");
    send(10..13, false);
    wait_until("eight changes", || committed(&changes, 12).len() == 8);
    running.signal("TERM");
    assert_eq!(running.code(), Some(0));
    let found = committed(&letters, 12);
    let (refused, garbage): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|letter| header(letter, "reason") == b"output_too_large");
    assert_eq!((refused.len(), garbage.len()), (4, 1));
    for letter in refused {
        let detail = String::from_utf8_lossy(header(letter, "detail"));
        assert!(detail.contains(&changes), "{detail}");
    }
    let export = deployment.export_with(&["a"], &["input.partitioner=unchecked"]);
    assert_eq!(export.lines().count(), 8);
}

/// All topics take 200,000 bytes, and then one of them at a time takes 20,000. 3 MB of one letter in each compression take
/// 3 KB to 141 KB.
pub fn limits_of_each_topic() {
    let kinds = ["events", "changes", "current", "state", "letters"];
    let single = kinds.map(|kind| (kind, vec![(kind, 20_000)]));
    let all = ("all", kinds.map(|kind| (kind, 200_000)).to_vec());
    for (name, limits) in single.into_iter().chain([all]) {
        let deployment = Deployment::new(&format!("each-{name}"));
        for (kind, bytes) in &limits {
            let setting = format!("max.message.bytes={bytes}");
            set_topic(&deployment.topic(kind), &setting);
        }
        let events = deployment.topic("events");
        let garbage = vec![b'a'; 3_000_000];
        // In snappy it is too large for 20,000 bytes, as the producer is told.
        let codecs: &[&str] = match name {
            "events" => &["gzip", "zstd", "lz4"],
            _ => &["gzip", "zstd", "lz4", "snappy"],
        };
        for (number, codec) in (0..).zip(codecs) {
            let producer: BaseProducer = ClientConfig::new()
                .set("bootstrap.servers", kafka::brokers())
                .set("message.max.bytes", "33554432")
                .set("compression.type", *codec)
                .create()
                .unwrap();
            let payload = purchase(number, "2026-01-01T00:00:00Z");
            let key = format!("c{number}");
            for (key, payload) in [("garbage", &garbage[..]), (&key, payload.as_bytes())] {
                let record = BaseRecord::to(&events)
                    .partition(0)
                    .key(key)
                    .payload(payload)
                    .timestamp(1_767_225_600_000);
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
            producer.flush(PATIENCE).unwrap();
        }
        let sent = committed(&events, 12).len();
        assert_eq!(
            sent,
            2 * codecs.len(),
            "{name}: the broker took every record"
        );
        deployment.run_to_end("a", &["input.partitioner=unchecked"]);
        assert_eq!(
            deployment.export(&["a"]).lines().count(),
            codecs.len(),
            "{name}"
        );
        let letters = committed(&deployment.topic("letters"), 12);
        assert_eq!(letters.len(), codecs.len(), "{name}");
        for letter in &letters {
            assert_eq!(header(letter, "value_bytes"), b"3000000", "{name}");
        }
    }
}
