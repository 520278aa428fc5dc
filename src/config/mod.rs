//! Settings: defaults, file, environment and `--set`, read key by key so that every problem is
//! reported at once, with the key, the value, where it comes from and what is allowed.

pub mod bus;
mod churn;
pub mod commit;
pub mod embedded;
mod filter;
pub mod http;
mod input;
mod intake;
pub mod kafka;
pub mod log;
pub mod meant;
pub mod problems;
pub mod reader;
pub mod secret;
pub mod security;
pub mod settings;
pub mod sources;
pub mod store;
mod syntax;
pub mod time;
pub mod topics;
pub mod units;

use std::path::Path;

use crate::config::problems::Problems;
use crate::config::reader::Reader;
use crate::config::settings::Settings;

/// Reads all sources, the later over the earlier, and checks every key.
///
/// # Errors
/// Every problem at once.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    overrides: &[String],
) -> Result<Settings, Problems> {
    let mut problems = Vec::new();
    let values = sources::merge(file, environment, overrides, &mut problems);
    let mut reader = Reader::new(values, problems);
    let settings = Settings::read(&mut reader);
    let problems = reader.finish();
    match settings {
        Some(settings) if problems.list.is_empty() => Ok(settings),
        Some(_) | None => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::bus::BusKind;
    use crate::config::secret::Secret;
    use crate::config::settings::describe;
    use crate::domain::money::Currency;
    use crate::domain::money::Decimal;
    use crate::domain::partitioner::Partitioner;

    fn load_with(environment: &[(&str, &str)], overrides: &[&str]) -> Result<Settings, Problems> {
        let environment = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        load(None, environment, &overrides)
    }

    #[test]
    fn two_topics_of_one_name_are_refused() {
        let problem = problems_of(&[], &["topics.state=retail.events.v1"]);
        assert!(
            problem.contains("a name of its own: topics.events has it too"),
            "{problem}"
        );
    }

    #[test]
    fn the_embedded_log_places_events_by_murmur2_alone() {
        let problem = problems_of(&[], &["input.partitioner=crc32"]);
        assert!(problem.contains("input.partitioner"), "{problem}");
        let on_kafka = ["kafka.brokers=x:1", "input.partitioner=crc32"];
        let settings = load_with(&[], &on_kafka).unwrap();
        assert_eq!(settings.partitioner, Some(Partitioner::Crc32));
    }

    #[test]
    fn the_defaults_are_valid_and_every_key_is_known() {
        let settings = load_with(&[], &[]).unwrap();
        assert_eq!(settings.commit.interval, Duration::from_millis(100));
        assert_eq!(settings.store.cache_bytes, 32 * 1024 * 1024);
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let environment = [
            ("SEGSTREAM_COMMIT__INTERVAL", "250ms"),
            ("SEGSTREAM_WORKERS", "3"),
        ];
        let settings = load_with(&environment, &["commit.interval=1s"]).unwrap();
        assert_eq!(settings.commit.interval, Duration::from_secs(1));
        assert_eq!(settings.workers, 3);
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_key() {
        let environment = [
            ("SEGSTREAM_COMMIT__INTERVALL", "1s"),
            ("SEGSTREAM_DATA", "/anywhere"),
            ("SEGSTREAM_TEST_X", "1"),
        ];
        let overrides = [
            "commit.records=none",
            "time.business_zone=Mars",
            "http.address=0.0.0.0:80",
            "x",
        ];
        let problems = load_with(&environment, &overrides).unwrap_err().list;
        let all = problems.join("\n");
        for key in [
            "SEGSTREAM_COMMIT__INTERVALL",
            "commit.records",
            "time.business_zone",
            "http.token_file",
            "number 4 of the --set",
        ] {
            assert!(all.contains(key), "{key} in {all}");
        }
        assert_eq!(problems.len(), 5, "{all}");
    }

    fn problems_of(environment: &[(&str, &str)], overrides: &[&str]) -> String {
        let problems = load_with(environment, overrides).unwrap_err().list;
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.join("\n")
    }

    #[test]
    fn an_unknown_variable_is_named_as_it_was_written() {
        // Only the exact name SEGSTREAM_DATA is not a setting.
        let problem = problems_of(&[("SEGSTREAM_DATABASE", "x")], &[]);
        assert!(problem.contains("SEGSTREAM_DATABASE"), "{problem}");
        let problem = problems_of(&[], &["commit.interwall=1s"]);
        assert!(problem.contains("commit.interwall from --set"), "{problem}");
    }

    #[test]
    fn a_file_lies_between_the_defaults_and_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("segstream.toml");
        let text = "workers = 2\n[commit]\nrecords = 7\n[money.rates]\nEUR = \"1.08\"\n";
        std::fs::write(&path, text).unwrap();
        let environment = [
            ("SEGSTREAM_WORKERS", "3"),
            ("SEGSTREAM_MONEY__RATES__EUR", "1.10"),
        ];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let settings = load(Some(&path), environment.into_iter(), &[]).unwrap();
        assert_eq!((settings.workers, settings.commit.records), (3, 7));
        let euro = Currency::parse("EUR").unwrap();
        let rate = settings.intake.exchange.rate(euro);
        assert_eq!(rate, Decimal::parse("1.10"));
    }

    #[test]
    fn a_token_that_is_short_or_no_header_can_carry_is_refused_and_not_shown() {
        let cases = [
            ("hunter2", "16 characters or more: it has 7"),
            ("fifteen-letters", "16 characters or more: it has 15"),
            ("hunter2 hunter2 hunter2", "without spaces"),
            ("hunter2-hunter2\nhunter2-hunter2", "of one line"),
            ("hunter2-hunter2-h\u{fc}nter2", "printable ASCII"),
        ];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        for (token, sentence) in cases {
            std::fs::write(&path, token).unwrap();
            let file = format!("http.token_file={}", path.display());
            let of_file = problems_of(&[], &[&file]);
            let of_environment = problems_of(&[("SEGSTREAM_HTTP__TOKEN", token)], &[]);
            for problem in [of_file, of_environment] {
                assert!(problem.contains(sentence), "{problem}");
                assert!(!problem.contains(token), "{problem}");
                assert!(!problem.contains("hunter2"), "{problem}");
            }
        }
        let least = [("SEGSTREAM_HTTP__TOKEN", "sixteen-letters.")];
        assert!(load_with(&least, &[]).is_ok());
    }

    #[test]
    fn limits_of_crowds_have_their_documented_bounds() {
        // The bounds are those of config/default.toml.
        for (key, least, most, below, above) in [
            ("connections_max", "16", "100000", "15", "100001"),
            ("files_reserve", "64", "1000000", "63", "1000001"),
            ("body_lines_max", "1", "1000000", "0", "1000001"),
            (
                "backlog_events_max",
                "1",
                "1000000000000",
                "0",
                "1000000000001",
            ),
            ("header_timeout", "100ms", "10m", "99ms", "601s"),
            ("body_timeout", "100ms", "10m", "99ms", "601s"),
            ("idle_timeout", "100ms", "10m", "99ms", "601s"),
            ("answer_timeout", "100ms", "10m", "99ms", "601s"),
            ("failed_login_delay", "0s", "10s", "-1s", "11s"),
            ("answers_bytes_max", "4MiB", "1GiB", "4194303", "x"),
            ("bodies_bytes_max", "16MiB", "1GiB", "16777215", "x"),
        ] {
            for value in [least, most] {
                let set = format!("http.{key}={value}");
                assert!(load_with(&[], &[&set]).is_ok(), "{set}");
            }
            for value in [below, above] {
                let set = format!("http.{key}={value}");
                let problem = problems_of(&[], &[&set]);
                assert!(problem.contains(&format!("http.{key}")), "{problem}");
                assert!(problem.contains(value), "{problem}");
            }
        }
    }

    #[test]
    fn a_token_opens_any_address_and_is_never_shown() {
        let overrides = ["http.address=0.0.0.0:80"];
        let environment = [("SEGSTREAM_HTTP__TOKEN", "hunter2-hunter2-hunter2")];
        let settings = load_with(&environment, &overrides).unwrap();
        let token = settings.http.token.as_ref().map(Secret::reveal);
        assert_eq!(token, Some("hunter2-hunter2-hunter2"));
        assert!(!format!("{settings:?}").contains("hunter2"));
        let problem = problems_of(&environment, &["http.token_file=/anywhere"]);
        assert!(
            problem.contains("http.token ") && !problem.contains("hunter2"),
            "{problem}"
        );
    }

    #[test]
    fn the_log_is_beside_the_store_and_never_inside_it() {
        for store in ["state/data", "state/data/", "./state/data"] {
            let set = format!("store.directory={store}");
            let settings = load_with(&[], &[&set]).unwrap();
            let log = settings.embedded.directory.strip_prefix("./");
            let log = log.unwrap_or(&settings.embedded.directory);
            assert_eq!(log, Path::new("state/data-log"), "{store}");
        }
        for log in ["data/log", "./data/log", "other/../data"] {
            let set = format!("embedded.directory={log}");
            let problem = problems_of(&[], &["store.directory=data", &set]);
            assert!(problem.contains("embedded.directory"), "{problem}");
        }
    }

    #[test]
    fn the_cap_of_an_amount_has_its_documented_bounds() {
        // The bounds are those of config/default.toml.
        for (text, is_allowed) in [
            ("1", true),
            ("10000000000", true),
            ("0.99", false),
            ("10000000000.01", false),
        ] {
            let set = format!("events.amount_max={text}");
            assert_eq!(load_with(&[], &[&set]).is_ok(), is_allowed, "{text}");
        }
        let problem = problems_of(&[], &["money.base_currency=dollar"]);
        assert!(problem.contains("money.base_currency"), "{problem}");
    }

    #[test]
    fn a_wrong_log_filter_is_a_problem_of_the_settings() {
        let problem = problems_of(&[], &["log.filter=segstream=loud"]);
        assert!(problem.contains("log.filter"), "{problem}");
    }

    #[test]
    fn brokers_make_it_kafka_and_sasl_needs_all_of_its_keys() {
        let settings = load_with(&[], &["kafka.brokers=one:9092"]).unwrap();
        assert_eq!(settings.bus, BusKind::Kafka);
        assert_eq!(load_with(&[], &[]).unwrap().bus, BusKind::Embedded);
        let problem = problems_of(&[], &["bus=kafka"]);
        assert!(problem.contains("kafka.brokers"), "{problem}");
        let sasl = "kafka.security.protocol=sasl_ssl";
        let problem = problems_of(&[], &["kafka.brokers=one:9092", sasl]);
        assert!(problem.contains("sasl_mechanism"), "{problem}");
        let overrides = [
            "kafka.brokers=one:9092",
            sasl,
            "kafka.security.sasl_mechanism=SCRAM-SHA-512",
            "kafka.security.username=me",
        ];
        let environment = [("SEGSTREAM_KAFKA__SECURITY__PASSWORD", "hunter2")];
        let settings = load_with(&environment, &overrides).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        let given: Vec<_> = settings.kafka.security.reveal().collect();
        assert!(given.contains(&("sasl.mechanisms", "SCRAM-SHA-512")));
        assert!(given.contains(&("sasl.password", "hunter2")));
    }

    #[test]
    fn every_key_is_described() {
        let environment = [("SEGSTREAM_HTTP__TOKEN", "hunter2-hunter2-hunter2")];
        let settings = load_with(&environment, &["workers=3"]).unwrap();
        let shown = |key: &str| {
            let described = describe(&settings).iter();
            let mut found = described.filter(|described| described.key == key);
            let found = found.next().unwrap();
            (found.value.as_str(), found.origin.as_str())
        };
        assert_eq!(shown("commit.interval"), ("\"100ms\"", "default"));
        let variable = "environment SEGSTREAM_HTTP__TOKEN";
        assert_eq!(shown("http.token"), ("\"***\"", variable));
        assert_eq!(shown("kafka.security.password"), ("\"\"", "default"));
        assert_eq!(shown("workers"), ("3", "--set"));
        let ids = "[\"null\", \"undefined\", \"0\", \"test\"]";
        assert_eq!(shown("events.customer_ids_ignored"), (ids, "default"));
    }
}
