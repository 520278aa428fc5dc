//! What segments and churn bands must have been at every instant, from the raw events alone.
//!
//! Slow and plain on purpose: between two arrivals it asks the full rule every hour, at every local
//! midnight and a millisecond before it, and halves the interval to the first millisecond that
//! answers otherwise. It knows no formula for when something changes, and nothing of the engine.

#![allow(dead_code, unreachable_pub, reason = "a suite may use a part of it")]

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;
use serde_json::Value;

pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 86_400_000;
const THREADS: usize = 2;
/// docs/EVENTS.md, Time: up to 5 minutes ahead is accepted, up to 24 hours is clamped.
const AHEAD_ACCEPTED_MS: i64 = 300_000;
/// Defaults of `state.ledger_days` and `deduplication.ids`; input beyond them is no input of a test.
const LEDGER_DAYS: i32 = 800;
const REMEMBERED_IDS: usize = 512;
/// This near to an edge, the last bits of two computations decide on which side it is. A
/// millisecond moves squared distances by about 1e-9 and risks by about 1e-11.
const ROUNDING: f64 = 1e-13;
const CHANNELS: [&str; 7] = [
    "web",
    "store",
    "catalog",
    "app",
    "marketplace",
    "phone",
    "unknown",
];

/// One delivery: when it was recorded, and the native event.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub record_time_ms: i64,
    pub body: Value,
}

/// What a deployment says.
#[derive(Clone, Debug)]
pub struct Settings {
    pub model: Model,
    /// `None`: the model has no section for it.
    pub churn: Option<Churn>,
    /// The business zone, an IANA name.
    pub zone: String,
    /// Time runs on to this instant, which is included.
    pub until_ms: i64,
}

/// How churn risk is computed, and where its bands begin.
#[derive(Clone, Copy, Debug)]
pub struct Churn {
    pub method: ChurnMethod,
    pub medium: f64,
    pub high: f64,
}

#[derive(Clone, Copy, Debug)]
pub enum ChurnMethod {
    /// 1 - P(a purchase within the horizon).
    Purchase { fit: Fit, horizon_days: f64 },
    /// 1 - P(alive).
    Alive { fit: Fit },
    /// The share of so many days since the last purchase.
    Silence { days: f64 },
}

/// Parameters of MBG/NBD, in days.
#[derive(Clone, Copy, Debug)]
pub struct Fit {
    pub r: f64,
    pub alpha_days: f64,
    pub a: f64,
    pub b: f64,
}

impl Fit {
    /// The section `churn` of a model artifact.
    pub fn from_artifact(artifact: &Value) -> Self {
        let section = &artifact["churn"];
        assert_eq!(section["method"], "mbg_nbd", "{section}");
        Self {
            r: number(&section["r"]),
            alpha_days: number(&section["alpha_days"]),
            a: number(&section["a"]),
            b: number(&section["b"]),
        }
    }
}

/// One change record, as far as time and the rule decide it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub occurred_at_ms: i64,
    /// `assigned`, `changed` or `churn_risk_changed`.
    pub kind: String,
    /// `purchase`, `profile` or `time_passed`.
    pub reason: String,
    pub segment_id: String,
    /// The segment that was left and since when it held; only of `changed`.
    pub previous: Option<(String, i64)>,
    pub band: Option<String>,
    /// Only where it is another band.
    pub previous_band: Option<String>,
    pub risk: Option<f64>,
    /// `mbg_nbd` or `silence`.
    pub method: Option<String>,
    /// Rounding may decide between this millisecond and its neighbours. Not part of a record.
    pub is_close_call: bool,
}

impl Change {
    /// A line of `segstream state changes`.
    pub fn from_record(record: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let risk = &record["churn_risk"];
        let band = text(&risk["band"]);
        let previous = &record["previous"];
        let kind = text(&record["kind"]).unwrap();
        let is_move = kind == "changed";
        let reason = text(&record["reason"]).unwrap();
        let occurred_at_ms = instant(&record["occurred_at"]);
        if reason == "time_passed" {
            assert_eq!(
                instant(&record["cause"]["deadline"]),
                occurred_at_ms,
                "{record}"
            );
        }
        Self {
            occurred_at_ms,
            kind,
            reason,
            segment_id: text(&record["current"]["segment_id"]).unwrap(),
            previous: is_move.then(|| {
                let segment_id = text(&previous["segment_id"]).unwrap();
                (segment_id, instant(&previous["since"]))
            }),
            previous_band: text(&risk["previous_band"])
                .filter(|known| Some(known) != band.as_ref()),
            band,
            risk: risk["score"].as_f64(),
            method: text(&risk["method"]),
            is_close_call: false,
        }
    }

    pub fn is_by_time(&self) -> bool {
        self.reason == "time_passed"
    }
}

/// All changes, and how long the customers were watched.
#[derive(Debug, Default)]
pub struct Replayed {
    /// By customer, in order. A customer without a change is not in it.
    pub changes: BTreeMap<String, Vec<Change>>,
    /// Days from each customer's first segment to the end, summed: what a daily scan evaluates.
    pub customer_days: i64,
}

/// Replays deliveries, which are in the order of their record times.
pub fn replay(deliveries: &[Delivery], settings: &Settings) -> Replayed {
    assert!(
        deliveries
            .windows(2)
            .all(|pair| pair[0].record_time_ms <= pair[1].record_time_ms),
        "the deliveries are in the order of their record times"
    );
    let calendar = Calendar::around(deliveries, settings);
    let customers = by_customer(deliveries);
    let next = AtomicUsize::new(0);
    let replayed = Mutex::new(Replayed::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((customer, deliveries)) = customers.get(place) else {
                        break;
                    };
                    let mut watch = Watch::new(settings, &calendar);
                    for delivery in deliveries {
                        watch.deliver(delivery);
                    }
                    watch.pass_time(settings.until_ms);
                    let mut replayed = replayed.lock().unwrap();
                    if let Some(first) = watch.changes.first() {
                        replayed.customer_days +=
                            (settings.until_ms - first.occurred_at_ms) / DAY_MS;
                        let changes = std::mem::take(&mut watch.changes);
                        replayed.changes.insert((*customer).to_owned(), changes);
                    }
                }
            });
        }
    });
    replayed.into_inner().unwrap()
}

/// The raw features of every customer with a purchase, transformed and scaled, as of an instant
/// after all deliveries.
pub fn scaled_features(deliveries: &[Delivery], settings: &Settings) -> BTreeMap<String, Vec<f64>> {
    let calendar = Calendar::around(deliveries, settings);
    let mut scaled = BTreeMap::new();
    for (customer, deliveries) in by_customer(deliveries) {
        let mut watch = Watch::new(settings, &calendar);
        for delivery in deliveries {
            watch.fold(delivery);
        }
        if !watch.facts.days.is_empty() {
            watch.scale(settings.until_ms);
            scaled.insert(customer.to_owned(), watch.scaled.clone());
        }
    }
    scaled
}

fn by_customer(deliveries: &[Delivery]) -> Vec<(&str, Vec<&Delivery>)> {
    let mut customers: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        let customer = delivery.body["customer_id"].as_str().unwrap();
        customers.entry(customer).or_default().push(delivery);
    }
    customers.into_iter().collect()
}

/// An instant of JSON, in milliseconds.
pub fn instant(value: &Value) -> i64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no instant"));
    at(text)
}

/// An RFC 3339 instant, in milliseconds.
pub fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// Minor units of a decimal with at most two digits after the point.
fn cents(value: &Value) -> i64 {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    assert!(fraction.len() <= 2, "{text} has parts of a cent");
    whole.parse::<i64>().unwrap() * 100 + format!("{fraction:0<2}").parse::<i64>().unwrap()
}

/// The starts of the local days.
struct Calendar {
    /// Days since 1970-01-01 of the first entry.
    first_day: i32,
    /// The instant each day begins.
    starts: Vec<i64>,
    /// The year of each day.
    years: Vec<i32>,
}

impl Calendar {
    fn around(deliveries: &[Delivery], settings: &Settings) -> Self {
        let occurred = deliveries
            .iter()
            .map(|delivery| instant(&delivery.body["occurred_at"]));
        let recorded = deliveries.iter().map(|delivery| delivery.record_time_ms);
        let all = || occurred.clone().chain(recorded.clone());
        let last = all().max().unwrap_or(0).max(settings.until_ms);
        Self::new(&settings.zone, all().min().unwrap_or(0), last)
    }

    fn new(zone: &str, first_ms: i64, last_ms: i64) -> Self {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let date_of = |instant_ms: i64| {
            let instant = jiff::Timestamp::from_millisecond(instant_ms).unwrap();
            instant.to_zoned(zone.clone()).date()
        };
        let epoch = Date::constant(1970, 1, 1);
        let mut date = date_of(first_ms - 3 * DAY_MS);
        let last = date_of(last_ms + 3 * DAY_MS);
        let first_day = (date - epoch).get_days();
        let (mut starts, mut years) = (Vec::new(), Vec::new());
        while date <= last {
            let start = date.to_zoned(zone.clone()).unwrap();
            starts.push(start.timestamp().as_millisecond());
            years.push(i32::from(date.year()));
            date = date.checked_add(1.day()).unwrap();
        }
        Self {
            first_day,
            starts,
            years,
        }
    }

    fn day_of(&self, instant_ms: i64) -> i32 {
        let begun = self.starts.partition_point(|start| *start <= instant_ms);
        self.first_day + i32::try_from(begun).unwrap() - 1
    }

    fn place(&self, day: i32) -> usize {
        usize::try_from(day - self.first_day).unwrap()
    }

    fn start_of(&self, day: i32) -> i64 {
        self.starts[self.place(day)]
    }

    fn year_of(&self, day: i32) -> i32 {
        self.years[self.place(day)]
    }
}

/// Noon of a day written as 19970131, in a zone.
pub fn noon_of(compact_date: &str, zone: &str) -> i64 {
    let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
    let date: Date = compact_date.parse().unwrap();
    let noon = date.at(12, 0, 0, 0).to_zoned(zone).unwrap();
    noon.timestamp().as_millisecond()
}

/// A model, read from its artifact.
#[derive(Clone, Debug)]
pub struct Model {
    features: Vec<Feature>,
    segment_ids: Vec<String>,
    centroids: Vec<Vec<f64>>,
    /// What a squared distance must gain to move from the first index to the second.
    margins: Vec<Vec<f64>>,
}

#[derive(Clone, Debug)]
struct Feature {
    source: Source,
    window_days: Option<i32>,
    is_log1p: bool,
    cap: f64,
    median: f64,
    mean: f64,
    standard_deviation: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Age,
    Income,
    RecencyDays,
    TenureDays,
    TotalSpending,
    Orders,
    Channel(usize),
    Deals,
    Frequency,
    AverageOrderValue,
}

impl Source {
    fn named(name: &str) -> Self {
        match name {
            "age" => Self::Age,
            "income" => Self::Income,
            "recency_days" => Self::RecencyDays,
            "tenure_days" => Self::TenureDays,
            "total_spending" => Self::TotalSpending,
            "orders" => Self::Orders,
            "web_purchases" => Self::Channel(0),
            "store_purchases" => Self::Channel(1),
            "catalog_purchases" => Self::Channel(2),
            "deal_purchases" => Self::Deals,
            "frequency" => Self::Frequency,
            "average_order_value" => Self::AverageOrderValue,
            other => panic!("the oracle knows no feature {other}"),
        }
    }

    fn moves_within_a_day(self) -> bool {
        matches!(self, Self::RecencyDays | Self::TenureDays)
    }
}

impl Feature {
    fn scale(&self, raw: Option<f64>) -> f64 {
        let capped = raw.unwrap_or(self.median).min(self.cap);
        let transformed = if self.is_log1p {
            capped.max(0.0).ln_1p()
        } else {
            capped
        };
        (transformed - self.mean) / self.standard_deviation
    }
}

impl Model {
    pub fn from_artifact(artifact: &Value) -> Self {
        let list = |value: &Value| value.as_array().unwrap().clone();
        let features = list(&artifact["features"]).into_iter().map(|feature| {
            let transform = feature["transform"].as_str().unwrap();
            assert!(["identity", "log1p"].contains(&transform), "{transform}");
            let window_days = feature.get("window_days").and_then(Value::as_i64);
            Feature {
                source: Source::named(feature["name"].as_str().unwrap()),
                window_days: window_days.map(|days| i32::try_from(days).unwrap()),
                is_log1p: transform == "log1p",
                cap: feature.get("cap").map_or(f64::INFINITY, number),
                median: number(&feature["median"]),
                mean: number(&feature["mean"]),
                standard_deviation: number(&feature["standard_deviation"]),
            }
        });
        let segments = list(&artifact["segments"]);
        let id_of = |segment: &Value| segment["id"].as_str().unwrap().to_owned();
        let centroid_of = |segment: &Value| list(&segment["centroid"]).iter().map(number).collect();
        let centroids: Vec<Vec<f64>> = segments.iter().map(centroid_of).collect();
        let (squared, distance) = (
            number(&artifact["margin"]["squared"]),
            number(&artifact["margin"]["distance"]),
        );
        let margin = |from: &Vec<f64>, to: &Vec<f64>| {
            squared + 2.0 * distance * squared_distance(from, to).sqrt()
        };
        let margins = centroids
            .iter()
            .map(|from| centroids.iter().map(|to| margin(from, to)).collect())
            .collect();
        Self {
            features: features.collect(),
            segment_ids: segments.iter().map(id_of).collect(),
            margins,
            centroids,
        }
    }

    /// What the current segment lacks against the best other one: the index of that one, and
    /// D_k + m_ik - D_i, which is below zero where the customer moves.
    fn best_move(&self, distances: &[f64], current: usize) -> Option<(usize, f64)> {
        let others = (0..distances.len()).filter(|other| *other != current);
        others
            .map(|other| {
                let reached = distances[other] + self.margins[current][other];
                (other, reached - distances[current])
            })
            .min_by(|one, other| one.1.total_cmp(&other.1))
    }

    fn segment(&self, distances: &[f64], current: Option<usize>) -> usize {
        let Some(current) = current else {
            let nearest = (0..distances.len())
                .min_by(|one, other| distances[*one].total_cmp(&distances[*other]));
            return nearest.unwrap();
        };
        match self.best_move(distances, current) {
            Some((other, lack)) if lack < 0.0 => other,
            Some(_) | None => current,
        }
    }
}

fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter()
        .zip(other)
        .map(|(one, other)| (one - other) * (one - other))
        .sum()
}

/// What was bought on one local day, or from the first day on up to it.
#[derive(Clone, Debug, Default)]
struct Bought {
    day: i32,
    days: u32,
    orders: u32,
    by_channel: [u32; CHANNELS.len()],
    deals: u32,
    cents: i64,
}

impl Bought {
    fn plus(&self, other: &Self) -> Self {
        let mut sum = other.clone();
        sum.days += self.days;
        sum.orders += self.orders;
        for (count, more) in sum.by_channel.iter_mut().zip(self.by_channel) {
            *count += more;
        }
        sum.deals += self.deals;
        sum.cents += self.cents;
        sum
    }

    fn minus(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.days -= other.days;
        rest.orders -= other.orders;
        for (count, less) in rest.by_channel.iter_mut().zip(other.by_channel) {
            *count -= less;
        }
        rest.deals -= other.deals;
        rest.cents -= other.cents;
        rest
    }
}

/// A stated fact; the later statement holds.
type Stated<T> = Option<(i64, T)>;

/// What is known of one customer.
#[derive(Debug, Default)]
struct Facts {
    ids: HashSet<String>,
    /// Ascending by day.
    days: Vec<Bought>,
    /// The sums of `days` up to each place; the first is empty.
    sums: Vec<Bought>,
    first_at: i64,
    last_at: i64,
    birth_year: Stated<i32>,
    income_cents: Stated<i64>,
    joined_at: Stated<i64>,
}

fn state<T>(known: &mut Stated<T>, at: i64, value: Option<T>) {
    let Some(value) = value else { return };
    match known {
        Some((stated, _)) if *stated > at => {}
        Some((stated, _)) if *stated == at => panic!("two statements of one instant: {at}"),
        Some(_) | None => *known = Some((at, value)),
    }
}

impl Facts {
    /// Takes an event in; `false` if it was known.
    fn fold(&mut self, event: &Value, occurred_at: i64, day: i32) -> bool {
        let kind = event["type"].as_str().unwrap();
        let mut ids = vec![format!("id {}", event["event_id"].as_str().unwrap())];
        if let Some(order_id) = event.get("order_id").and_then(Value::as_str) {
            ids.push(format!("{kind} {order_id}"));
        }
        if ids.iter().any(|id| self.ids.contains(id)) {
            return false;
        }
        self.ids.extend(ids);
        assert!(self.ids.len() < REMEMBERED_IDS, "more than is remembered");
        match kind {
            "order.completed" => self.add_order(event, occurred_at, day),
            "customer.updated" => {
                let profile = &event["profile"];
                let birth_year = profile.get("birth_year").and_then(Value::as_i64);
                let birth_year = birth_year.map(|year| i32::try_from(year).unwrap());
                state(&mut self.birth_year, occurred_at, birth_year);
                let income_cents = profile.get("income").map(cents);
                state(&mut self.income_cents, occurred_at, income_cents);
                let joined_at = profile.get("joined_at").map(instant);
                assert!(joined_at.is_none_or(|joined_at| joined_at <= occurred_at));
                state(&mut self.joined_at, occurred_at, joined_at);
            }
            other => panic!("the oracle knows no event {other}"),
        }
        true
    }

    fn add_order(&mut self, event: &Value, occurred_at: i64, day: i32) {
        if self.days.is_empty() {
            (self.first_at, self.last_at) = (occurred_at, occurred_at);
        }
        self.first_at = self.first_at.min(occurred_at);
        self.last_at = self.last_at.max(occurred_at);
        let newest = self.days.last().map_or(day, |bought| bought.day);
        assert!(
            newest - day < LEDGER_DAYS,
            "the oracle knows no late events"
        );
        let place = self.days.partition_point(|bought| bought.day < day);
        if self.days.get(place).is_none_or(|bought| bought.day != day) {
            let bought = Bought {
                day,
                days: 1,
                ..Bought::default()
            };
            self.days.insert(place, bought);
        }
        let bought = &mut self.days[place];
        let channel = event["channel"].as_str().unwrap_or("unknown");
        let known = CHANNELS.iter().position(|known| *known == channel);
        bought.orders += 1;
        bought.by_channel[known.unwrap()] += 1;
        let has_coupon = event.get("coupon").is_some();
        let has_discount = event.get("discount").is_some_and(|off| cents(off) > 0);
        bought.deals += u32::from(has_coupon || has_discount);
        bought.cents += cents(&event["revenue"]);
        self.sums = vec![Bought::default()];
        for bought in &self.days {
            let sum = self.sums.last().unwrap().plus(bought);
            self.sums.push(sum);
        }
    }

    /// What was bought on the days that count as of `today`: a day d counts until the midnight that
    /// begins day d + `window_days`.
    fn bought_within(&self, today: i32, window_days: Option<i32>) -> Bought {
        let left = window_days.map_or(0, |window| {
            self.days
                .partition_point(|bought| bought.day + window <= today)
        });
        let all = self.sums.last().cloned().unwrap_or_default();
        all.minus(&self.sums.get(left).cloned().unwrap_or_default())
    }

    /// docs/TIME_AND_CHURN.md, Features; `None` where it is not known.
    fn raw(&self, feature: &Feature, as_of: i64, held: &Held) -> Option<f64> {
        let bought = || self.bought_within(held.day, feature.window_days);
        match feature.source {
            Source::Age => Some(f64::from(held.year - self.birth_year?.1)),
            Source::Income => Some(self.income_cents?.1 as f64 / 100.0),
            Source::RecencyDays => (!self.days.is_empty()).then(|| days_since(self.last_at, as_of)),
            Source::TenureDays => {
                let joined_at = self.joined_at.map(|(_, joined_at)| joined_at);
                let first_at = (!self.days.is_empty()).then_some(self.first_at);
                Some(days_since(joined_at.or(first_at)?, as_of))
            }
            Source::TotalSpending => Some(bought().cents as f64 / 100.0),
            Source::Orders => Some(f64::from(bought().orders)),
            Source::Channel(place) => Some(f64::from(bought().by_channel[place])),
            Source::Deals => Some(f64::from(bought().deals)),
            Source::Frequency => Some(f64::from(bought().days)),
            Source::AverageOrderValue => {
                let bought = bought();
                let orders = f64::from(bought.orders);
                (bought.orders > 0).then(|| bought.cents as f64 / 100.0 / orders)
            }
        }
    }
}

fn days_since(earlier: i64, as_of: i64) -> f64 {
    (as_of - earlier).max(0) as f64 / 86_400_000.0
}

/// Purchase history as the churn model sees it. docs/TIME_AND_CHURN.md, Histories.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    x: f64,
    t_x_days: f64,
    /// Midnight that began the first purchase day.
    began_at: i64,
    last_at: i64,
}

/// What the churn model says of a history, as of any instant.
#[derive(Clone, Copy, Debug)]
struct Outlook {
    churn: Churn,
    history: History,
    /// ln odds of having died at the last purchase.
    log_odds: f64,
    /// ln(alpha + t_x).
    log_at_last: f64,
}

impl Outlook {
    fn new(churn: Churn, history: History) -> Self {
        let (log_odds, log_at_last) = match churn.method {
            ChurnMethod::Silence { .. } => (0.0, 0.0),
            ChurnMethod::Alive { fit } | ChurnMethod::Purchase { fit, .. } => (
                fit.a.ln() - (fit.b + history.x).ln(),
                (fit.alpha_days + history.t_x_days).ln(),
            ),
        };
        Self {
            churn,
            history,
            log_odds,
            log_at_last,
        }
    }

    /// docs/TIME_AND_CHURN.md, The models: MBG/NBD.
    fn risk(&self, as_of: i64) -> f64 {
        match self.churn.method {
            ChurnMethod::Silence { days } => {
                (days_since(self.history.last_at, as_of) / days).min(1.0)
            }
            ChurnMethod::Alive { fit } => {
                let log_now = (fit.alpha_days + self.age_days(as_of)).ln();
                1.0 - self.probability_alive(fit, log_now)
            }
            ChurnMethod::Purchase { fit, horizon_days } => {
                let now = fit.alpha_days + self.age_days(as_of);
                let log_now = now.ln();
                let shrinks = log_now - (now + horizon_days).ln();
                let buys = -((fit.r + self.history.x) * shrinks).exp_m1();
                1.0 - self.probability_alive(fit, log_now) * buys
            }
        }
    }

    fn age_days(&self, as_of: i64) -> f64 {
        let since_midnight = (as_of - self.history.began_at) as f64 / 86_400_000.0;
        since_midnight.max(self.history.t_x_days)
    }

    fn probability_alive(&self, fit: Fit, log_now: f64) -> f64 {
        let grows = (fit.r + self.history.x) * (log_now - self.log_at_last);
        1.0 / (1.0 + (self.log_odds + grows).exp())
    }
}

impl Churn {
    /// 0 low, 1 medium, 2 high.
    fn band(&self, risk: f64) -> usize {
        usize::from(risk >= self.medium) + usize::from(risk >= self.high_edge())
    }

    fn name(&self) -> &'static str {
        match self.method {
            ChurnMethod::Silence { .. } => "silence",
            ChurnMethod::Alive { .. } | ChurnMethod::Purchase { .. } => "mbg_nbd",
        }
    }

    /// By silence, high is the whole of it.
    fn high_edge(&self) -> f64 {
        match self.method {
            ChurnMethod::Silence { .. } => 1.0,
            ChurnMethod::Alive { .. } | ChurnMethod::Purchase { .. } => self.high,
        }
    }
}

const BANDS: [&str; 3] = ["low", "medium", "high"];

/// The local day for which most features are scaled; empty: none.
#[derive(Debug, Default)]
struct Held {
    from: i64,
    until: i64,
    day: i32,
    year: i32,
}

/// One customer on the way through time.
struct Watch<'a> {
    settings: &'a Settings,
    calendar: &'a Calendar,
    facts: Facts,
    outlook: Option<Outlook>,
    held: Held,
    scaled: Vec<f64>,
    distances: Vec<f64>,
    segment: Option<usize>,
    segment_since: i64,
    band: Option<usize>,
    /// The latest instant as of which a record says something.
    evaluated_at: i64,
    /// Nothing more happens up to here by time alone.
    settled_at: i64,
    changes: Vec<Change>,
}

/// What the full rule says of an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    segment: usize,
    band: Option<usize>,
    risk: Option<f64>,
}

impl<'a> Watch<'a> {
    fn new(settings: &'a Settings, calendar: &'a Calendar) -> Self {
        Self {
            settings,
            calendar,
            facts: Facts::default(),
            outlook: None,
            held: Held::default(),
            scaled: vec![0.0; settings.model.features.len()],
            distances: vec![0.0; settings.model.centroids.len()],
            segment: None,
            segment_since: 0,
            band: None,
            evaluated_at: i64::MIN,
            settled_at: i64::MIN,
            changes: Vec::new(),
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        self.pass_time(delivery.record_time_ms);
        if !self.fold(delivery) {
            return;
        }
        let as_of = self.evaluated_at.max(delivery.record_time_ms);
        let is_order = delivery.body["type"] == "order.completed";
        if !self.facts.days.is_empty() {
            self.step(as_of, if is_order { "purchase" } else { "profile" });
        }
        (self.evaluated_at, self.settled_at) = (as_of, as_of);
    }

    /// Takes a delivery in without judging; `false` if it was known.
    fn fold(&mut self, delivery: &Delivery) -> bool {
        let stated = instant(&delivery.body["occurred_at"]);
        let ahead = stated - delivery.record_time_ms;
        assert!(ahead <= DAY_MS, "the oracle knows no rejected events");
        let occurred_at = if ahead > AHEAD_ACCEPTED_MS {
            delivery.record_time_ms
        } else {
            stated
        };
        let day = self.calendar.day_of(occurred_at);
        if !self.facts.fold(&delivery.body, occurred_at, day) {
            return false;
        }
        self.held = Held::default();
        if let (Some(first), Some(last)) = (self.facts.days.first(), self.facts.days.last()) {
            let history = History {
                x: f64::from(u32::try_from(self.facts.days.len()).unwrap() - 1),
                t_x_days: f64::from(last.day - first.day),
                began_at: self.calendar.start_of(first.day),
                last_at: self.facts.last_at,
            };
            let churn = self.settings.churn;
            self.outlook = churn.map(|churn| Outlook::new(churn, history));
        }
        true
    }

    /// Finds everything that changes by time alone, up to and including `until`.
    fn pass_time(&mut self, until: i64) {
        if self.segment.is_none() {
            return;
        }
        let mut next = self.settled_at + 1;
        while next <= until {
            if self.changes_at(next) {
                let first = self.first_change(self.settled_at, next);
                self.step(first, "time_passed");
                (self.evaluated_at, self.settled_at) = (first, first);
                next = first + 1;
            } else {
                self.settled_at = next;
                next = self.sample_after(next);
                if self.settled_at < until {
                    next = next.min(until);
                }
            }
        }
    }

    /// The next full hour, local midnight, or millisecond before one.
    fn sample_after(&self, instant_ms: i64) -> i64 {
        let hour = (instant_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS;
        let midnight = self.held.until;
        let before = midnight - 1;
        hour.min(if instant_ms < before {
            before
        } else {
            midnight
        })
    }

    fn changes_at(&mut self, instant_ms: i64) -> bool {
        let answer = self.ask(instant_ms);
        Some(answer.segment) != self.segment || answer.band != self.band
    }

    /// The first instant after `settled` with another answer; at `changed` it is another.
    fn first_change(&mut self, settled: i64, changed: i64) -> i64 {
        let (mut same, mut other) = (settled, changed);
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if self.changes_at(middle) {
                other = middle;
            } else {
                same = middle;
            }
        }
        other
    }

    /// The full rule as of an instant.
    fn ask(&mut self, as_of: i64) -> Answer {
        self.scale(as_of);
        for (distance, centroid) in self
            .distances
            .iter_mut()
            .zip(&self.settings.model.centroids)
        {
            *distance = squared_distance(&self.scaled, centroid);
        }
        let risk = self.outlook.map(|outlook| outlook.risk(as_of));
        Answer {
            segment: self.settings.model.segment(&self.distances, self.segment),
            band: self
                .settings
                .churn
                .zip(risk)
                .map(|(churn, risk)| churn.band(risk)),
            risk,
        }
    }

    /// Scales the features as of an instant. Most of them hold for the whole of a local day.
    fn scale(&mut self, as_of: i64) {
        let is_held = self.held.from <= as_of && as_of < self.held.until;
        if !is_held {
            let day = self.calendar.day_of(as_of);
            self.held = Held {
                from: self.calendar.start_of(day),
                until: self.calendar.start_of(day + 1),
                day,
                year: self.calendar.year_of(day),
            };
        }
        for (scaled, feature) in self.scaled.iter_mut().zip(&self.settings.model.features) {
            if !is_held || feature.source.moves_within_a_day() {
                *scaled = feature.scale(self.facts.raw(feature, as_of, &self.held));
            }
        }
    }

    /// Judges as of an instant and writes a record if the answer is another.
    fn step(&mut self, as_of: i64, reason: &str) {
        let answer = self.ask(as_of);
        let is_move = self.segment != Some(answer.segment);
        let is_other_band = self.band != answer.band;
        if !is_move && !is_other_band {
            return;
        }
        let is_close_call = reason == "time_passed"
            && [as_of - 1, as_of]
                .into_iter()
                .any(|instant_ms| self.is_close(instant_ms, is_move, is_other_band));
        let ids = &self.settings.model.segment_ids;
        let name = |band: usize| BANDS[band].to_owned();
        let kind = match self.segment {
            None => "assigned",
            Some(_) if is_move => "changed",
            Some(_) => "churn_risk_changed",
        };
        let left = self.segment.filter(|_| is_move);
        self.changes.push(Change {
            occurred_at_ms: as_of,
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            segment_id: ids[answer.segment].clone(),
            previous: left.map(|left| (ids[left].clone(), self.segment_since)),
            band: answer.band.map(name),
            previous_band: self.band.filter(|_| is_other_band).map(name),
            risk: answer.risk,
            method: self.settings.churn.map(|churn| churn.name().to_owned()),
            is_close_call,
        });
        if is_move {
            self.segment_since = as_of;
        }
        (self.segment, self.band) = (Some(answer.segment), answer.band);
    }

    /// Does an instant lie so near to the edge that is crossed that rounding decides?
    fn is_close(&mut self, as_of: i64, is_move: bool, is_other_band: bool) -> bool {
        let risk = self.ask(as_of).risk;
        let lack = self.segment.filter(|_| is_move).and_then(|current| {
            let lack = self.settings.model.best_move(&self.distances, current)?.1;
            Some(lack / (1.0 + self.distances[current]))
        });
        let churn = self.settings.churn.filter(|_| is_other_band);
        let is_near = |gap: f64| gap.abs() < ROUNDING;
        lack.is_some_and(is_near)
            || churn.zip(risk).is_some_and(|(churn, risk)| {
                is_near(risk - churn.medium) || is_near(risk - churn.high_edge())
            })
    }
}
