//! Changes and dead letters.

use axum::http::StatusCode;
use serde_json::json;

use crate::http::tests::Answer;
use crate::http::tests::PATIENCE;
use crate::http::tests::gated;
use crate::http::tests::get;
use crate::http::tests::open;

#[tokio::test]
async fn changes_come_from_where_the_request_says_and_a_bad_parameter_is_named() {
    let (router, _) = open();
    let answer = get(&router, "/v1/changes?partition=1&from=7&limit=2").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = json!({
        "partition": 1, "partitions": 2, "offset_next": 9, "end": 5000,
        "changes": [{"offset": 7, "change": {"at": 7}}, {"offset": 8, "change": {"at": 8}}],
    });
    assert_eq!(answer.json(), expected);
    let default = get(&router, "/v1/changes").await.json();
    assert_eq!(default["partition"], 0);
    assert_eq!(default["changes"].as_array().unwrap().len(), 100);
    for (parameters, sentence) in [
        ("partition=2", "partition is 2, allowed is 0 to 1"),
        (
            "partition=-1",
            "partition is \"-1\", allowed is the number of a partition, from 0",
        ),
        ("from=x", "from is \"x\", allowed is an offset, from 0"),
        (
            "from=5001",
            "from is 5001, which is past the end 5000 of the partition: was the log made anew or restored?",
        ),
        ("limit=0", "limit is 0, allowed is 1 to 1000"),
        ("limit=1001", "limit is 1001, allowed is 1 to 1000"),
        (
            "after=1",
            "\"after\" is not a parameter, allowed are partition, from and limit",
        ),
    ] {
        let answer = get(&router, &format!("/v1/changes?{parameters}")).await;
        answer.problem(StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["detail"], sentence);
    }
}

#[tokio::test]
async fn changes_of_kafka_are_read_from_their_topic() {
    let (router, ..) = gated(PATIENCE);
    let answer = get(&router, "/v1/changes").await;
    answer.problem(StatusCode::NOT_FOUND);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("topics.changes")
    );
}

#[tokio::test]
async fn dead_letters_come_as_the_request_says_and_a_bad_parameter_is_named() {
    let (router, _) = open();
    let path = "/v1/dead-letters?partition=0&from=7&limit=2&reason=late&reason=type&records=true";
    let answer = get(&router, path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let asked = |answer: &Answer| answer.json()["dead_letters"][0]["record"]["payload"].clone();
    let expected = "LettersAsked { partition: 0, from: 7, limit: 2, reasons: [\"late\", \"type\"], has_records: true }";
    assert_eq!(asked(&answer), expected);
    let default = get(&router, "/v1/dead-letters").await;
    let expected =
        "LettersAsked { partition: 0, from: 0, limit: 100, reasons: [], has_records: false }";
    assert_eq!(asked(&default), expected);
    for (parameters, sentence) in [
        ("partition=2", "partition is 2, allowed is 0 to 1"),
        (
            "partition=x",
            "partition is \"x\", allowed is the number of a partition, from 0",
        ),
        ("from=-1", "from is \"-1\", allowed is an offset, from 0"),
        (
            "from=11",
            "from is 11, which is past the end 10 of the partition",
        ),
        ("limit=0", "limit is 0, allowed is 1 to 1000"),
        ("limit=1001", "limit is 1001, allowed is 1 to 1000"),
        (
            "reason=curency",
            "reason is \"curency\", allowed are unreadable, ",
        ),
        (
            "records=yes",
            "records is \"yes\", allowed is true or false",
        ),
        (
            "after=1",
            "\"after\" is not a parameter, allowed are partition, from, limit, reason and records",
        ),
    ] {
        let answer = get(&router, &format!("/v1/dead-letters?{parameters}")).await;
        answer.problem(StatusCode::BAD_REQUEST);
        let json = answer.json();
        let detail = json["detail"].as_str().unwrap();
        assert!(detail.starts_with(sentence), "{detail}");
    }
    let busy = get(&router, "/v1/dead-letters?partition=1").await;
    busy.problem(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.header("retry-after"), "1");
}

#[tokio::test]
async fn one_dead_letter_has_a_path_and_a_place_without_one_is_404() {
    let (router, _) = open();
    let answer = get(&router, "/v1/dead-letters/0/5").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["record"]["payload"], "one");
    for (place, status, sentence) in [
        (
            "0/4",
            StatusCode::NOT_FOUND,
            "partition 0 has no dead letter at offset 4: its offsets are 5 to 9",
        ),
        (
            "0/78",
            StatusCode::NOT_FOUND,
            "partition 0 has no dead letters",
        ),
        (
            "0/77",
            StatusCode::INTERNAL_SERVER_ERROR,
            "the disk is gone",
        ),
        (
            "1/0",
            StatusCode::SERVICE_UNAVAILABLE,
            "the dead letters are being read or written: try again later",
        ),
        (
            "2/0",
            StatusCode::BAD_REQUEST,
            "partition is 2, allowed is 0 to 1",
        ),
        (
            "x/0",
            StatusCode::BAD_REQUEST,
            "partition is \"x\", allowed is the number of a partition, from 0",
        ),
        (
            "0/1.5",
            StatusCode::BAD_REQUEST,
            "offset is \"1.5\", allowed is an offset, from 0",
        ),
        (
            "0/%ff",
            StatusCode::BAD_REQUEST,
            "the path must be percent-encoded UTF-8",
        ),
    ] {
        let answer = get(&router, &format!("/v1/dead-letters/{place}")).await;
        answer.problem(status);
        assert_eq!(answer.json()["detail"], sentence, "{place}");
    }
}
