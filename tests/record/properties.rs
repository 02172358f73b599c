//! Properties of every record, whatever its contents.

use std::fs;

use hermes::host::os::{OsHost, run_ready};
use hermes::record::intent::{self, Intent, Operator};
use hermes::record::json::Reading;
use hermes::record::{boot_log, marker, pidfile, state};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// Any JSON value, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((".{0,12}", any_json()), 0..6)
        .prop_map(|pairs| pairs.into_iter().collect())
}

fn operator() -> Operator {
    Operator { uid: 10_000, pid: 77, argv: vec!["hermes".to_owned()] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("record.json");
        fs::write(&path, &bytes).expect("written");
        let host = OsHost::new();
        run_ready(async {
            let _ = intent::read(&host, &path).await;
            let _ = state::read(&host, &path).await;
            let _ = marker::read(&host, &path).await;
            let _ = pidfile::read(&host, &path).await;
        });
    }

    #[test]
    fn an_update_keeps_every_key_it_does_not_name(object in any_object()) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("gateway_state.json");
        fs::write(&path, serde_json::to_vec(&object).expect("JSON")).expect("written");
        let host = OsHost::new();
        let change = [("gateway_state", Value::from("running"))];
        run_ready(state::update(&host, &path, change)).expect("updated");
        let after: Map<String, Value> =
            serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        prop_assert_eq!(&after["gateway_state"], "running");
        for (key, value) in object.iter().filter(|(key, _)| *key != "gateway_state") {
            prop_assert_eq!(after.get(key), Some(value));
        }
    }

    #[test]
    fn an_intent_is_read_as_it_was_stored_over_anything(before in any_json(), run in any::<bool>()) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("gateway_intent.json");
        fs::write(&path, before.to_string()).expect("written");
        let host = OsHost::new();
        let word = if run { Intent::Running } else { Intent::Stopped };
        run_ready(intent::store(&host, &path, word, &operator(), "now")).expect("stored");
        let Reading::Whole(record) = run_ready(intent::read(&host, &path)) else {
            panic!("whole after being stored");
        };
        prop_assert_eq!(record.intent, Some(word));
        let leftovers = fs::read_dir(dir.path()).expect("readable").count();
        let damaged = dir.path().join("gateway_intent.json.damaged").exists();
        prop_assert_eq!(leftovers, if damaged { 2 } else { 1 });
    }

    #[test]
    fn a_log_line_is_one_line_of_as_many_words_as_fields(value in ".{0,40}", other in ".{0,40}") {
        let line = boot_log::line("T", &[("a", &value), ("b", &other)]);
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(line.ends_with('\n'));
        prop_assert!(line.is_ascii());
    }
}

#[test]
fn a_torn_log_line_is_closed_before_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("container-boot.log");
    fs::write(&path, "whole\ntorn half").expect("written");
    run_ready(boot_log::append(&OsHost::new(), &path, "next\n")).expect("appended");
    assert_eq!(fs::read_to_string(&path).expect("read"), "whole\ntorn half\nnext\n");
}

#[test]
fn a_full_log_is_put_aside() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("container-boot.log");
    fs::write(&path, "x".repeat(boot_log::BYTES_MAX)).expect("written");
    run_ready(boot_log::append(&OsHost::new(), &path, "next\n")).expect("appended");
    assert_eq!(fs::read_to_string(&path).expect("read"), "next\n");
    let aside = fs::metadata(dir.path().join("container-boot.log.1")).expect("put aside");
    assert_eq!(usize::try_from(aside.len()), Ok(boot_log::BYTES_MAX));
}
