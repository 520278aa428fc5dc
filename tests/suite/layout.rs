//! Where the parts of a customer's record are cut changes nothing of what it is.
//!
//! `SEGSTREAM_TEST_SEED=n` replays one history.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support;
use crate::support::Chance;
use segstream::codec::abridged;
use segstream::codec::entry;
use segstream::codec::part::Part;
use segstream::domain::event::CustomerEvent;
use segstream::domain::event::parse::parse;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::ids::stable_hash;
use segstream::domain::time::BusinessZone;
use segstream::domain::time::Day;
use segstream::domain::time::Timestamp;
use segstream::engine::commands::Delivered;
use segstream::engine::commands::Effects;
use segstream::engine::commands::decide;
use segstream::engine::commands::needs_past;
use segstream::engine::policy::Policy;
use segstream::engine::policy::Rules;
use segstream::engine::state::entry::Entry;
use segstream::engine::state::record::CustomerRecord;
use segstream::engine::state::seal::Sealing;
use segstream::engine::state::table::DefinitionTable;
use segstream::engine::verdict::Verdict;
use segstream::model::artifact::Artifact;
use segstream::model::segment_model::SegmentModel;
use serde_json::Value;
use serde_json::json;

const HISTORIES: u64 = 200;
const DELIVERIES: u64 = 300;
const DAY_MS: i64 = 86_400_000;

/// What a purchase says, in numbers.
#[derive(Clone, Debug)]
struct Purchase {
    event: u64,
    order: u64,
    at_ms: i64,
    cents: i64,
    /// Name and cents.
    lines: Vec<(String, i64)>,
}

impl Purchase {
    fn json(&self) -> Value {
        let products: Vec<Value> = self
            .lines
            .iter()
            .map(|(name, cents)| json!({"category": name, "quantity": 1, "price": dollars(*cents)}))
            .collect();
        json!({
            "event_id": format!("e-{}", self.event), "type": "order.completed",
            "occurred_at": self.at_ms, "customer_id": "c", "order_id": format!("o-{}", self.order),
            "currency": "USD", "revenue": dollars(self.cents),
            "channel": if self.cents % 2 == 0 { "web" } else { "store" }, "products": products,
        })
    }

    /// The place among the remembered events.
    fn place(&self) -> (i64, u64) {
        (self.at_ms, stable_hash(&[&format!("e-{}", self.event)]))
    }
}

fn dollars(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// What the documents say of a customer, without any record: docs/EVENTS.md, Verdicts; docs/TIME_AND_CHURN.md,
/// The ledger.
#[derive(Default)]
struct Documented {
    applied: Vec<Purchase>,
    /// The place, the event and the order of each remembered event.
    remembered: BTreeMap<(i64, u64), (u64, Option<u64>)>,
    floor_ms: Option<i64>,
    greatest_day: Option<i32>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Applied,
    Duplicate,
    Late,
}

impl Documented {
    fn expect(&self, event: u64, order: Option<u64>, at_ms: i64, policy: &Policy) -> Expected {
        let mut remembered = self.remembered.values();
        let is_known =
            remembered.any(|(known, of)| *known == event || (order.is_some() && *of == order));
        let first = self
            .greatest_day
            .map(|day| day - policy.ledger_days as i32 + 1);
        if is_known {
            Expected::Duplicate
        } else if first.is_some_and(|first| day_of(at_ms) < first)
            || self.floor_ms.is_some_and(|floor| at_ms <= floor)
        {
            Expected::Late
        } else {
            Expected::Applied
        }
    }

    fn apply(&mut self, place: (i64, u64), event: u64, order: Option<u64>, policy: &Policy) {
        self.greatest_day = self.greatest_day.max(Some(day_of(place.0)));
        self.remembered.insert(place, (event, order));
        // All of the oldest instant at once, where the others are enough, and never of the newest day.
        loop {
            let &(oldest_ms, _) = self.remembered.keys().next().unwrap();
            if Some(day_of(oldest_ms)) >= self.greatest_day {
                break;
            }
            let others = self
                .remembered
                .keys()
                .filter(|(at_ms, _)| *at_ms > oldest_ms);
            if others.count() < policy.remembered_ids {
                break;
            }
            self.remembered.retain(|(at_ms, _), _| *at_ms > oldest_ms);
            self.floor_ms = self.floor_ms.max(Some(oldest_ms));
        }
    }

    fn check(&self, record: &CustomerRecord, policy: &Policy) {
        let ledger = &record.aggregate.ledger;
        let days = |since: Option<i32>| {
            let purchases = self.applied.iter();
            let purchases =
                purchases.filter(|one| since.is_none_or(|since| day_of(one.at_ms) >= since));
            let spend: i64 = purchases.clone().map(|one| one.cents).sum();
            let web = purchases.clone().filter(|one| one.cents % 2 == 0).count();
            let days: BTreeSet<i32> = purchases.clone().map(|one| day_of(one.at_ms)).collect();
            (days.len(), purchases.count(), web, spend)
        };
        let greatest = self.greatest_day.unwrap_or_default();
        let ledger_days = policy.ledger_days as i32;
        let windows = [1, 2, 7, 30, 365]
            .into_iter()
            .filter(|days| *days <= ledger_days);
        let firsts = windows.map(|days| Some(greatest - days + 1)).chain([None]);
        for first in firsts {
            let totals = ledger.totals_since(first.map(Day));
            let orders = totals.orders.total() as usize;
            let web = totals.orders.of(segstream::domain::event::Channel::Web) as usize;
            let found = (totals.days as usize, orders, web, totals.spend.0);
            assert_eq!(found, days(first), "since {first:?}");
        }
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for (name, cents) in self.applied.iter().flat_map(|one| &one.lines) {
            *sums.entry(name).or_default() += cents;
        }
        let kept: BTreeMap<&str, i64> = sums
            .iter()
            .take(64)
            .map(|(name, sum)| (*name, *sum))
            .collect();
        let rest: Vec<i64> = sums.values().skip(64).copied().collect();
        let by_name = record.aggregate.categories.by_name();
        let found: BTreeMap<&str, i64> = by_name.iter().map(|(name, sum)| (*name, sum.0)).collect();
        let mut expected = kept;
        if !rest.is_empty() {
            expected.insert("other", rest.iter().sum());
        }
        assert_eq!(found, expected);
        assert_eq!(record.remembered.len(), self.remembered.len());
    }
}

fn delivered<'a>(
    event: &'a CustomerEvent<'a>,
    offset: u64,
    record_time: Timestamp,
) -> Delivered<'a> {
    let position = Position {
        source: Source::Events,
        partition: Partition(0),
        offset,
    };
    Delivered {
        event,
        position,
        origin: position,
        record_time,
        clock: None,
    }
}

fn day_of(at_ms: i64) -> i32 {
    at_ms.div_euclid(DAY_MS) as i32
}

/// What the changelog holds of the customer.
#[derive(Default)]
struct Written {
    table: DefinitionTable,
    head: Vec<u8>,
    parts: BTreeMap<Part, Arc<[u8]>>,
}

impl Written {
    fn write(&mut self, entry: &mut Entry, sealing: Sealing) {
        let encoded = entry::encode(entry, &mut self.table, sealing).unwrap();
        let before = self.parts.len();
        self.parts.extend(encoded.parts.iter().cloned());
        self.parts.retain(|part, _| encoded.named.contains(part));
        let kept: Vec<Part> = self.parts.keys().copied().collect();
        assert_eq!(
            kept, encoded.named,
            "every part that the head names is written, {before} before"
        );
        let named: Vec<Part> = entry::parts_of(&encoded.head.bytes).unwrap().collect();
        assert_eq!(named, encoded.named);
        self.head = encoded.head.bytes;
        // A head has at most 130 bytes beside its tail, and three bytes for each part that it names.
        let limit = 130 + sealing.tail_bytes_max + 3 * self.parts.len();
        assert!(
            self.head.len() <= limit,
            "{} bytes, {} parts",
            self.head.len(),
            self.parts.len()
        );
    }

    fn read(&self) -> Entry {
        let mut part = |part| self.parts.get(&part).map(|bytes| &**bytes);
        entry::decode(&self.head, &mut part, &self.table).unwrap().0
    }

    /// Abridged, unless the first purchase was before an instant.
    fn read_abridged(&self, since: Timestamp) -> Entry {
        let mut part = |part| self.parts.get(&part).map(|bytes| &**bytes);
        let found = entry::decode_abridged(&self.head, &mut part, &self.table, since);
        found.unwrap().0
    }

    fn complete(&mut self, entry: &mut Entry) {
        let Entry::Live(record) = entry else {
            panic!("{entry:?}")
        };
        let parts = &self.parts;
        let mut part = |part| parts.get(&part).map(|bytes| &**bytes);
        abridged::complete(record, &mut part, &mut self.table).unwrap();
    }
}

/// What was done with abridged records.
#[derive(Debug, Default)]
struct Done {
    /// Events that were folded without the past.
    without_past: usize,
    /// Heads that were sealed alone.
    sealed: usize,
    /// Heads that were sealed with chunks before them.
    merged: usize,
}

/// An entry whose past is read only where it is needed.
struct AbridgedCopy {
    entry: Entry,
    written: Written,
    done: Done,
}

impl AbridgedCopy {
    fn decide(&mut self, delivered: Delivered<'_>, rules: Rules<'_>) -> Effects {
        let mut entry = self.entry.clone();
        if needs_past(&entry, delivered, rules) {
            self.written.complete(&mut entry);
        }
        self.done.without_past += usize::from(is_abridged(&entry));
        let done = decide(Some(entry), "c", delivered, rules);
        self.entry = done.entry.clone().unwrap();
        done
    }

    fn write(&mut self, sealing: Sealing) {
        let written = &mut self.written;
        if abridged::must_be_sealed(&mut self.entry, &mut written.table, sealing).unwrap() {
            let Entry::Live(record) = &mut self.entry else {
                panic!("{:?}", self.entry)
            };
            let parts = written.parts.clone();
            let mut part = |part| parts.get(&part).map(|bytes| &**bytes);
            let sealed = abridged::seal(record, &mut part, &mut written.table, sealing);
            let (part, chunk) = sealed.unwrap();
            let is_alone = record.layout.chunks.last().unwrap().level == 0;
            self.done.sealed += usize::from(is_alone);
            self.done.merged += usize::from(!is_alone);
            written.parts.insert(part, chunk);
        }
        self.written.write(&mut self.entry, sealing);
    }
}

fn is_abridged(entry: &Entry) -> bool {
    let record = entry.record();
    record.is_some_and(|record| record.abridged.is_some())
}

/// The shipped model, with a window of so many days or of none in place of its own.
fn model(window_days: Option<u32>) -> SegmentModel {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/retail-6.json");
    let text = std::fs::read_to_string(path).unwrap();
    let mut artifact: Value = serde_json::from_str(&text).unwrap();
    for feature in artifact["features"].as_array_mut().unwrap() {
        if feature.get("window_days").is_some_and(Value::is_number) {
            feature["window_days"] = json!(window_days);
        }
    }
    let mut artifact: Artifact = serde_json::from_value(artifact).unwrap();
    artifact.fingerprint = artifact.compute_fingerprint().unwrap();
    SegmentModel::from_artifact(&artifact).unwrap()
}

/// Chance, and what may be sent again.
struct Feed {
    chance: Chance,
    sent: Vec<Purchase>,
    now_ms: i64,
    names: u64,
}

impl Feed {
    fn purchase(&mut self) -> Purchase {
        let chance = &mut self.chance;
        self.now_ms += chance.below(3) as i64 * DAY_MS / 2 + chance.below(1000) as i64;
        let number = self.sent.len() as u64;
        let again = chance.below(self.sent.len() as u64) as usize;
        let purchase = match (chance.below(10), self.sent.get(again)) {
            // The same event.
            (0, Some(sent)) => sent.clone(),
            // The same order a day later, with another time and another event id.
            (1, Some(sent)) => Purchase {
                event: 1_000_000 + number,
                at_ms: sent.at_ms + DAY_MS,
                ..sent.clone()
            },
            (kind, _) => {
                let late = if kind == 2 {
                    chance.below(60) as i64 * DAY_MS
                } else {
                    0
                };
                let lines: Vec<(String, i64)> = (0..chance.below(3))
                    .map(|_| {
                        let name = format!("category {:03}", chance.below(self.names));
                        (name, chance.below(5000) as i64)
                    })
                    .collect();
                let of_lines: i64 = lines.iter().map(|(_, cents)| cents).sum();
                Purchase {
                    event: number,
                    order: number,
                    at_ms: self.now_ms - late,
                    cents: if of_lines == 0 {
                        1 + chance.below(9000) as i64
                    } else {
                        of_lines
                    },
                    lines,
                }
            }
        };
        self.sent.push(purchase.clone());
        purchase
    }
}

/// Plays one history.
fn run(seed: u64) -> Done {
    let mut chance = Chance(seed);
    let mut one_of = |choices: &[u64]| choices[chance.below(choices.len() as u64) as usize];
    let policy = Policy {
        remembered_ids: one_of(&[1, 4, 30, 512]) as usize,
        ledger_days: one_of(&[1, 7, 40, 800]) as u32,
        ..support::policy()
    };
    let sealing = Sealing {
        tail_bytes_max: one_of(&[0, 40, 112]) as usize,
        chunks_of_a_level: one_of(&[2, 3, 8]) as usize,
        merged_bytes_max: one_of(&[0, 400, 65_536, 65_536]) as usize,
        names_bytes_max: one_of(&[0, 40, 65_536, 65_536]) as usize,
    };
    let names = one_of(&[1, 8, 90]);
    let cut_after = one_of(&[1, 3, 20]);
    let window_days = [None, Some(730), Some(3)][one_of(&[0, 1, 2]) as usize];
    let window_days = window_days.filter(|days| *days <= policy.ledger_days);
    let model = model(window_days);
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let mut written = Written::default();
    written.table.add(&model).unwrap();
    written.table.limit_category_names(sealing.names_bytes_max);
    let mut abridged = AbridgedCopy {
        entry: Entry::Live(Box::new(CustomerRecord::new_abridged())),
        written: Written {
            table: written.table.clone(),
            ..Written::default()
        },
        done: Done::default(),
    };
    let mut feed = Feed {
        chance,
        sent: Vec::new(),
        now_ms: support::at("2024-03-01T09:00:00Z").as_milliseconds(),
        names,
    };
    let mut documented = Documented::default();
    // One entry stays in memory, the other one is written, and often read back.
    let mut held: Option<Entry> = None;
    let mut cut: Option<Entry> = None;
    for offset in 0..DELIVERIES {
        let is_profile = feed.chance.below(15) == 0;
        let purchase = feed.purchase();
        let (value, event, order) = if is_profile {
            let year = 1950 + offset % 50;
            let value = json!({
                "event_id": format!("p-{offset}"), "type": "customer.updated", "customer_id": "c",
                "occurred_at": feed.now_ms, "profile": {"birth_year": year},
            });
            (value, 2_000_000 + offset, None)
        } else {
            (purchase.json(), purchase.event, Some(purchase.order))
        };
        let payload = value.to_string();
        // Later than every event, since an event of the future counts as of its record time.
        let record_time = Timestamp::from_milliseconds(feed.now_ms + 2 * DAY_MS).unwrap();
        let event_at = value["occurred_at"].as_i64().unwrap();
        let parsed = parse(payload.as_bytes(), record_time, &support::intake()).unwrap();
        let delivered = delivered(&parsed, offset, record_time);
        let of_held = decide(held.take(), "c", delivered, rules);
        let of_cut = decide(cut.take(), "c", delivered, rules);
        let of_abridged = abridged.decide(delivered, rules);
        assert_eq!(of_abridged.verdict, of_held.verdict, "delivery {offset}");
        assert_eq!(of_abridged.changes, of_held.changes, "delivery {offset}");
        assert_eq!(of_cut.verdict, of_held.verdict, "delivery {offset}");
        assert_eq!(of_cut.changes, of_held.changes, "delivery {offset}");
        let verdict = match of_held.verdict {
            Verdict::Applied => Expected::Applied,
            Verdict::Duplicate => Expected::Duplicate,
            Verdict::Late { .. } => Expected::Late,
            other => panic!("{other:?} of {payload}"),
        };
        let expected = documented.expect(event, order, event_at, &policy);
        assert_eq!(verdict, expected, "delivery {offset}: {payload}");
        if verdict == Expected::Applied {
            let hash = stable_hash(&[value["event_id"].as_str().unwrap()]);
            documented.apply((event_at, hash), event, order, &policy);
            if !is_profile {
                assert_eq!(purchase.place(), (event_at, hash));
                documented.applied.push(purchase);
            }
        }
        (held, cut) = (of_held.entry, of_cut.entry);
        assert_eq!(cut, held, "delivery {offset}");
        if offset % cut_after == 0 {
            let entry = cut.as_mut().unwrap();
            written.write(entry, sealing);
            let mut read = written.read();
            assert_eq!(Some(&read), held.as_ref(), "delivery {offset}");
            let head = written.head.clone();
            written.write(&mut read, sealing);
            assert_eq!(
                written.head, head,
                "what is written again unchanged is the same"
            );
            if feed.chance.below(2) == 0 {
                cut = Some(read);
            }
            let Some(Entry::Live(record)) = &cut else {
                panic!("{cut:?}")
            };
            documented.check(record, &policy);
            abridged.write(sealing);
            assert_eq!(Some(abridged.written.read()), held, "delivery {offset}");
            if feed.chance.below(2) == 0 {
                let since = window_days.map_or(Timestamp::MIN, |_| record_time);
                let since = [Timestamp::MIN, since][feed.chance.below(2) as usize];
                abridged.entry = abridged.written.read_abridged(since);
            }
        }
    }
    abridged.done
}

/// In St. John's, clocks went back from 00:01 to 23:01 on 7 November 2010. By hand: the first order was at half a minute past
/// midnight, the second, 29.5 minutes later, at 23:30 of the day before.
#[test]
fn a_day_that_comes_after_a_later_one_is_counted() {
    let (model, policy) = (model(None), support::policy());
    let zone = BusinessZone::named("America/St_Johns").unwrap();
    for (zone, days) in [(BusinessZone::UTC, 1), (zone, 2)] {
        let policy = Policy {
            zone,
            ..policy.clone()
        };
        let rules = Rules {
            policy: &policy,
            model: &model,
        };
        let mut table = DefinitionTable::default();
        table.add(&model).unwrap();
        let mut abridged = AbridgedCopy {
            entry: Entry::Live(Box::new(CustomerRecord::new_abridged())),
            written: Written {
                table,
                ..Written::default()
            },
            done: Done::default(),
        };
        for (offset, at) in [(0, "2010-11-07T02:30:30Z"), (1, "2010-11-07T03:00:00Z")] {
            let at = support::at(at);
            let order = Purchase {
                event: offset,
                order: offset,
                at_ms: at.as_milliseconds(),
                cents: 100,
                lines: Vec::new(),
            };
            let payload = order.json().to_string();
            let parsed = parse(payload.as_bytes(), at, &support::intake()).unwrap();
            let done = abridged.decide(delivered(&parsed, offset, at), rules);
            assert_eq!(done.verdict, Verdict::Applied);
            abridged.write(Sealing::default());
        }
        let Entry::Live(record) = abridged.written.read() else {
            panic!("a live customer")
        };
        assert_eq!(record.aggregate.ledger.purchase_days(), days);
        let found: Vec<Day> = record.aggregate.ledger.days().collect();
        assert_eq!(found.len(), days as usize);
    }
}

#[test]
fn a_record_is_the_same_wherever_its_past_is_cut_into_chunks() {
    let seed = std::env::var("SEGSTREAM_TEST_SEED").ok();
    let chosen = seed.and_then(|seed| seed.parse::<u64>().ok());
    let mut all = Done::default();
    for seed in chosen.map_or(0..HISTORIES, |seed| seed..seed + 1) {
        println!("SEGSTREAM_TEST_SEED={seed} cargo test --test suite layout");
        let done = run(seed);
        all.without_past += done.without_past;
        all.sealed += done.sealed;
        all.merged += done.merged;
    }
    // Else little would have been compared.
    let is_enough = all.without_past > 1000 && all.sealed > 300 && all.merged > 100;
    assert!(chosen.is_some() || is_enough, "{all:?}");
    println!("{all:?}");
}

/// A customer with a profile who buys once a day, from one of eight categories at a time, written after each event: the
/// bytes of the head and of all parts after so many orders.
fn sizes(orders: &[u64]) -> Vec<(u64, usize, usize)> {
    let policy = support::policy();
    let model = support::model();
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let mut written = Written::default();
    written.table.add(&model).unwrap();
    let start = support::at("2025-01-01T09:00:00Z").as_milliseconds();
    let profile = json!({
        "event_id": "p", "type": "customer.updated", "customer_id": "c", "occurred_at": start,
        "profile": {"birth_year": 1980, "income": "50000"},
    });
    let purchases = (0..).map(|number: u64| {
        let purchase = Purchase {
            event: number,
            order: number,
            at_ms: start + number as i64 * DAY_MS,
            cents: 1990,
            lines: vec![(format!("category {}", number % 8), 1990)],
        };
        purchase.json()
    });
    let mut entry: Option<Entry> = None;
    let mut found = Vec::new();
    for (offset, value) in (0..).zip(std::iter::once(profile).chain(purchases)) {
        let payload = value.to_string();
        let at_ms = value["occurred_at"].as_i64().unwrap();
        let record_time = Timestamp::from_milliseconds(at_ms).unwrap();
        let parsed = parse(payload.as_bytes(), record_time, &support::intake()).unwrap();
        let delivered = delivered(&parsed, offset, record_time);
        entry = decide(entry.take(), "c", delivered, rules).entry;
        written.write(entry.as_mut().unwrap(), Sealing::default());
        if orders.contains(&offset) {
            let parts = written.parts.values().map(|bytes| bytes.len()).sum();
            found.push((offset, written.head.len(), parts));
        }
        if Some(&offset) == orders.last() {
            break;
        }
    }
    found
}

/// The figures of ARCHITECTURE.md, State.
#[test]
fn a_head_does_not_grow_with_the_history() {
    let found = sizes(&[1, 10, 100, 500, 1000]);
    let expected = [
        (1, 87, 48),
        (10, 87, 341),
        (100, 92, 2790),
        (500, 101, 12_921),
        (1000, 111, 18_142),
    ];
    assert_eq!(
        found, expected,
        "orders, bytes of the head, bytes of the parts"
    );
}

/// A customer who is remembered by 2,000 orders of ten lines each, from categories that are met for the first time in
/// every fifth order. All of it takes more than three times of what one part may.
#[test]
fn no_part_of_an_entry_and_no_table_grows_beyond_what_the_log_takes() {
    const LIMIT_BYTES: usize = 20_000;
    let sealing = Sealing::within(LIMIT_BYTES as u64);
    let policy = Policy {
        remembered_ids: 2000,
        ..support::policy()
    };
    let model = support::model();
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let mut written = Written::default();
    written.table.add(&model).unwrap();
    written.table.limit_category_names(sealing.names_bytes_max);
    let mut entry: Option<Entry> = None;
    let start = support::at("2025-01-01T09:00:00Z").as_milliseconds();
    for number in 0..2500 {
        let lines = (0..10).map(|line| {
            let place = (number / 5 + line) % 500;
            (format!("category {place:03} {}", "x".repeat(80)), 199)
        });
        let purchase = Purchase {
            event: number,
            order: number,
            at_ms: start + number as i64 * 60_000,
            cents: 1990,
            lines: lines.collect(),
        };
        let payload = purchase.json().to_string();
        let record_time = Timestamp::from_milliseconds(purchase.at_ms).unwrap();
        let parsed = parse(payload.as_bytes(), record_time, &support::intake()).unwrap();
        entry = decide(
            entry.take(),
            "c",
            delivered(&parsed, number, record_time),
            rules,
        )
        .entry;
        written.write(entry.as_mut().unwrap(), sealing);
        let parts = written.parts.values().map(|bytes| bytes.len());
        assert!(parts.clone().max() <= Some(LIMIT_BYTES), "order {number}");
        assert!(written.head.len() <= LIMIT_BYTES, "order {number}");
        if number == 2499 {
            assert!(parts.sum::<usize>() > 3 * LIMIT_BYTES);
        }
    }
    let table = segstream::codec::partition::encode_table(&written.table).unwrap();
    assert!(table.len() <= LIMIT_BYTES, "{}", table.len());
    assert_eq!(Some(written.read()), entry);
}

/// Parts of a customer who buys 20 times a day and is remembered by 100 orders, after so many of them, where a chunk
/// takes 2,000 bytes.
fn parts_after(orders: &[u64]) -> Vec<usize> {
    let sealing = Sealing {
        merged_bytes_max: 2000,
        ..Sealing::default()
    };
    let policy = Policy {
        remembered_ids: 100,
        ledger_days: 120,
        ..support::policy()
    };
    let model = model(None);
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let mut written = Written::default();
    written.table.add(&model).unwrap();
    let mut entry: Option<Entry> = None;
    let mut found = Vec::new();
    let start = support::at("2025-01-01T09:00:00Z").as_milliseconds();
    for number in 0..=orders.last().copied().unwrap() {
        let purchase = Purchase {
            event: number,
            order: number,
            at_ms: start + number as i64 * DAY_MS / 20,
            cents: 1990,
            lines: Vec::new(),
        };
        let payload = purchase.json().to_string();
        let record_time = Timestamp::from_milliseconds(purchase.at_ms).unwrap();
        let parsed = parse(payload.as_bytes(), record_time, &support::intake()).unwrap();
        let delivered = delivered(&parsed, number, record_time);
        entry = decide(entry.take(), "c", delivered, rules).entry;
        written.write(entry.as_mut().unwrap(), sealing);
        if orders.contains(&number) {
            found.push(written.parts.len());
        }
    }
    assert_eq!(Some(written.read()), entry);
    found
}

/// By hand: the 100 orders take 100 * 37 bytes, and the sums of 120 days 120 * 36, which fills five chunks. Of three levels, each
/// may have seven more.
#[test]
fn chunks_whose_events_are_forgotten_do_not_add_up() {
    let found = parts_after(&(1..=10).map(|part| part * 1000).collect::<Vec<_>>());
    assert!(found.iter().all(|parts| *parts <= 5 + 3 * 7), "{found:?}");
}
