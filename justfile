# Formatting, lints and dependencies.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo deny check bans licenses sources

# The whole test suite.
test:
    cargo test

# The randomised suites for longer, on another seed each day.
test-long:
    SEGSTREAM_TEST_SCHEDULES=10000 cargo test --release --test suite crash_schedules
    SEGSTREAM_TEST_SCHEDULES=20000 cargo test --test suite simulation::whatever
    SEGSTREAM_TEST_LONG=1 SEGSTREAM_TEST_SEED=$(date +%j) cargo test --release --test suite cdnow
    SEGSTREAM_TEST_LINES=1000000 cargo test --test suite intake::generated
    SEGSTREAM_TEST_LONG=1 SEGSTREAM_TEST_SEED=$(date +%j) cargo test --test kafka
    SEGSTREAM_TEST_LONG=1 cargo test --test crowd

# Every request of a transaction is cut, stalled and left without an answer, commits fifty times; the process is stopped
# twenty times: about 15 minutes.
test-outages:
    SEGSTREAM_TEST_LONG=1 cargo test --test kafka may_be_cut
    SEGSTREAM_TEST_LONG=1 cargo test --test kafka without_an_answer
    SEGSTREAM_TEST_LONG=1 cargo test --test kafka comes_back_once
    SEGSTREAM_TEST_LONG=1 cargo test --test kafka stopped_past_its_transactions

# Full disks of 20 sizes and 200 kills a case: about an hour. The disks need root.
test-disk:
    SEGSTREAM_TEST_LONG=1 SEGSTREAM_TEST_SEED=$(date +%j) cargo test --test suite disk:: -- --nocapture

# A worker of an instance loses its session ten times while the other one goes on: about 15 minutes.
test-losses:
    SEGSTREAM_TEST_LOSSES=10 SEGSTREAM_TEST_SEED=$(date +%j) cargo test --test kafka loses_its_session

# Three instances on Kafka under random kills, stalls, stops and restarts for ten minutes.
test-chaos:
    SEGSTREAM_TEST_CHAOS_SECONDS=600 SEGSTREAM_TEST_SEED=$(date +%j) cargo test --test kafka three_instances

# The simulation must find mistakes that are planted inside the program, one at a time.
test-planted *names:
    cargo test --test planted -- {{names}}

# One Kafka node on 127.0.0.1:9092 until ctrl-c, for trying things by hand.
kafka:
    tests/kafka/by-hand

fmt:
    cargo fmt

# THIRD_PARTY_NOTICES.txt anew, after a change of the dependencies.
notices:
    SEGSTREAM_TEST_WRITE_NOTICES=1 cargo test --test suite notices::the_notices_name

# The pure step and the codec.
bench:
    cargo bench

# What an event costs on real Kafka, beside a bare pipe.
bench-kafka:
    cargo bench --bench kafka

# A simulated shop through the whole engine.
demo:
    cargo run --release -- demo --duration 30s

# What runs on every change.
ci:
    .ci/run
