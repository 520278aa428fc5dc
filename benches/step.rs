//! The pure step with and without the parse, and the codec of records.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a benchmark"
)]

use std::hint::black_box;

use criterion::BatchSize;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use segstream::codec;
use segstream::domain::churn::ChurnDefinition;
use segstream::domain::churn::ChurnPolicy;
use segstream::domain::event::parse::parse;
use segstream::domain::event::rules::IntakeRules;
use segstream::domain::ids::CustomerId;
use segstream::domain::ids::Partition;
use segstream::domain::ids::Position;
use segstream::domain::ids::Source;
use segstream::domain::money::Currency;
use segstream::domain::money::Exchange;
use segstream::domain::money::Money;
use segstream::domain::time::BusinessZone;
use segstream::domain::time::Timestamp;
use segstream::engine::assignment::evaluate_committed;
use segstream::engine::commands::Delivered;
use segstream::engine::commands::decide;
use segstream::engine::deadline::Situation;
use segstream::engine::deadline::next_deadline;
use segstream::engine::policy::Policy;
use segstream::engine::policy::Rules;
use segstream::engine::state::entry::Entry;
use segstream::engine::state::seal::Sealing;
use segstream::engine::state::table::DefinitionTable;
use segstream::model_files;
use segstream::pipeline::outputs::change_record;

fn payload(number: i64) -> (Vec<u8>, Timestamp) {
    let at = Timestamp::from_milliseconds(1_767_225_600_000 + number * 86_400_000).unwrap();
    let text = format!(
        r#"{{"event_id":"e-{number}","type":"order.completed","occurred_at":"{at}","customer_id":"c-1042","order_id":"o-{number}","currency":"USD","revenue":"129.50","channel":"web","coupon":"WELCOME","products":[{{"sku":"sku-1","category":"wine","quantity":1,"price":"89.50"}},{{"sku":"sku-2","category":"fish","quantity":2,"price":"20.00"}}]}}"#
    );
    (text.into_bytes(), at)
}

fn benchmarks(criterion: &mut Criterion) {
    let intake = IntakeRules {
        exchange: Exchange {
            base: Currency::parse("USD").unwrap(),
            rates: Vec::new(),
            amount_max: Money(100_000_000_000),
        },
        earliest: Timestamp::MIN,
        customer_ids_ignored: vec!["null".to_owned()],
    };
    let policy = Policy {
        zone: BusinessZone::UTC,
        base_currency: Currency::parse("USD").unwrap(),
        ledger_days: 800,
        refund_days: 60,
        remembered_ids: 512,
        assign_prospects: false,
        horizon_days: 730,
        churn: ChurnPolicy {
            definition: ChurnDefinition::NoPurchaseWithin {
                horizon_days: 273.0,
            },
            medium: 0.6,
            high: 0.8,
            publishes_bands: false,
        },
    };
    let model = model_files::shipped_model().unwrap();
    let rules = Rules {
        policy: &policy,
        model: &model,
    };
    let id = CustomerId::new("c-1042");
    let fold = |record: Option<Entry>, number: i64| {
        let (payload, at) = payload(number);
        let event = parse(&payload, at, &intake).unwrap();
        let position = Position {
            source: Source::Events,
            partition: Partition(0),
            offset: u64::try_from(number).unwrap(),
        };
        let done = decide(
            record,
            id.as_str(),
            Delivered {
                event: &event,
                position,
                origin: position,
                record_time: at,
                clock: None,
            },
            rules,
        );
        done.entry
    };
    let mut entry = (0..12).fold(None, fold).unwrap();
    let (next, at) = payload(12);
    let event = parse(&next, at, &intake).unwrap();
    let position = Position {
        source: Source::Events,
        partition: Partition(0),
        offset: 12,
    };
    let delivered = Delivered {
        event: &event,
        position,
        origin: position,
        record_time: at,
        clock: None,
    };
    criterion.bench_function("parse", |bencher| {
        bencher.iter(|| parse(black_box(&next), at, &intake).unwrap());
    });
    let unknown = String::from_utf8(next.clone()).unwrap().replacen(
        '{',
        r#"{"shop":"north","till":7,"cashier":"c-3","loyalty_points":129,"session":{"device":"phone"},"#,
        1,
    );
    criterion.bench_function("parse, five unknown fields", |bencher| {
        bencher.iter(|| parse(black_box(unknown.as_bytes()), at, &intake).unwrap());
    });
    criterion.bench_function("step", |bencher| {
        bencher.iter_batched(
            || Some(entry.clone()),
            |entry| decide(entry, id.as_str(), delivered, rules),
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("parse and step", |bencher| {
        bencher.iter_batched(
            || Some(entry.clone()),
            |entry| {
                let event = parse(black_box(&next), at, &intake).unwrap();
                let delivered = Delivered {
                    event: &event,
                    position,
                    origin: position,
                    record_time: at,
                    clock: None,
                };
                decide(entry, id.as_str(), delivered, rules)
            },
            BatchSize::SmallInput,
        );
    });
    let Entry::Live(record) = &entry else {
        unreachable!("a customer who buys");
    };
    let evaluation = evaluate_committed(record, record.evaluated_at, rules);
    let situation = Situation {
        aggregate: &record.aggregate,
        now: record.evaluated_at,
        evaluation: &evaluation,
        risk: None,
    };
    criterion.bench_function("deadline", |bencher| {
        bencher.iter(|| next_deadline(black_box(situation), rules));
    });
    let (first, first_at) = payload(0);
    let first = parse(&first, first_at, &intake).unwrap();
    let first = Delivered {
        event: &first,
        record_time: first_at,
        ..delivered
    };
    let change = decide(None, id.as_str(), first, rules).changes.remove(0);
    criterion.bench_function("change JSON", |bencher| {
        bencher.iter(|| change_record(black_box(&change), "retail.events.v1", at).unwrap());
    });
    let mut table = DefinitionTable::default();
    table.add(&model).unwrap();
    let sealing = Sealing::default();
    // The events of the past are sealed with the first encoding; later ones write the head alone.
    let sealed = codec::entry::encode(&mut entry, &mut table, sealing).unwrap();
    criterion.bench_function("encode", |bencher| {
        bencher.iter(|| codec::entry::encode(black_box(&mut entry), &mut table, sealing).unwrap());
    });
    let head = codec::entry::encode(&mut entry, &mut table, sealing)
        .unwrap()
        .head;
    criterion.bench_function("decode", |bencher| {
        let mut part = |wanted| {
            let mut parts = sealed.parts.iter();
            parts
                .find(|(part, _)| *part == wanted)
                .map(|(_, bytes)| &**bytes)
        };
        bencher.iter(|| codec::entry::decode(black_box(&head.bytes), &mut part, &table).unwrap());
    });
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
