//! Events that a test makes up.

use std::collections::HashMap;

use cove_proto::v1::StringList;
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Duration, Instant};

use super::*;

fn filter(asked: &[(&str, &[&str])]) -> Filter {
    Filter::parse(lists(asked)).unwrap()
}

fn lists(asked: &[(&str, &[&str])]) -> HashMap<String, StringList> {
    let list = |values: &[&str]| StringList { values: values.iter().map(|value| (*value).to_owned()).collect() };
    asked.iter().map(|(key, values)| ((*key).to_owned(), list(values))).collect()
}

fn at(action: &str, at: i64) -> Event {
    Event { at, ..Event::new(Kind::Container, action, "c1") }
}

async fn actions(events: impl Stream<Item = Result<Arc<Event>, Missed>>) -> Vec<String> {
    events.map(|event| event.unwrap().action.clone()).collect().await
}

#[tokio::test]
async fn who_watches_sees_what_comes_and_nothing_of_before() {
    let events = Events::default();
    events.publish(at("before", 1));
    let mut watched = Box::pin(events.watch(Span::default(), Filter::default()));
    events.publish(at("start", 2));
    assert_eq!(watched.next().await.unwrap().unwrap().action, "start");
    assert!(watched.next().now_or_never().is_none(), "nothing more has happened");
}

#[tokio::test]
async fn the_past_is_told_by_its_times_and_then_it_is_over() {
    let events = Events::default();
    for time in 1..=5 {
        events.publish(at(&time.to_string(), time));
    }
    let told = |since, until| actions(events.watch(Span { since, until }, Filter::default()));
    assert_eq!(told(Some(2), Some(4)).await, ["2", "3", "4"]);
    assert_eq!(told(None, Some(2)).await, ["1", "2"]);
    assert_eq!(told(Some(6), Some(7)).await, Vec::<String>::new());
}

#[tokio::test]
async fn so_many_events_are_kept_and_no_more() {
    let events = Events::default();
    for time in 1..=300 {
        events.publish(at(&time.to_string(), time));
    }
    let told = actions(events.watch(Span { since: Some(1), until: Some(1000) }, Filter::default())).await;
    assert_eq!((told.len(), told[0].as_str(), told[255].as_str()), (256, "45", "300"));
}

#[tokio::test(start_paused = true)]
async fn a_time_to_come_ends_the_watch() {
    let events = Events::default();
    let begin = Instant::now();
    let until = Some(crate::clock::now_nanos() + 3_000_000_000);
    let watched = events.watch(Span { since: None, until }, Filter::default());
    events.publish(at("start", crate::clock::now_nanos()));
    assert_eq!(actions(watched).await, ["start"]);
    let waited = begin.elapsed();
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(4), "{waited:?}");
}

#[tokio::test]
async fn who_does_not_keep_up_is_told_and_let_go() {
    let events = Events::default();
    let watched = events.watch(Span::default(), Filter::default());
    for time in 0..2000 {
        events.publish(at("x", time));
    }
    let told: Vec<_> = watched.collect().await;
    assert_eq!(told, [Err(Missed(976))]);
}

#[test]
fn filters_follow_dockerds_rules() {
    let event = |kind, action: &str, id: &str| Event::new(kind, action, id);
    let start = event(Kind::Container, "start", "c1f0").with("name", "web").with("image", "a:1").with("tier", "x");
    let exec = event(Kind::Container, "exec_create: sh -c true", "c2").with("name", "other").with("image", "b");
    let tag = event(Kind::Image, "tag", "sha256:5").with("name", "host:5000/a:1");
    let volume = event(Kind::Volume, "create", "data").with("driver", "local");
    let all = [&start, &exec, &tag, &volume];
    for (asked, matching) in [
        (&[] as &[(&str, &[&str])], &[&start, &exec, &tag, &volume] as &[&Event]),
        (&[("type", &["container"])], &[&start, &exec]),
        (&[("type", &["image", "volume"])], &[&tag, &volume]),
        (&[("event", &["start"])], &[&start]),
        (&[("event", &["star"])], &[]),
        (&[("event", &["exec_create"])], &[&exec]),
        (&[("container", &["web"])], &[&start]),
        (&[("container", &["c1"])], &[&start]),
        (&[("volume", &["data"])], &[&volume]),
        (&[("network", &["data"])], &[]),
        (&[("image", &["a"])], &[&start]),
        (&[("image", &["a:1"])], &[&start]),
        (&[("image", &["host:5000/a"])], &[&tag]),
        (&[("image", &["sha256:5"])], &[&tag]),
        (&[("label", &["tier"])], &[&start]),
        (&[("label", &["tier=x", "none"])], &[]),
        (&[("scope", &["local"]), ("type", &["image"])], &[&tag]),
        (&[("scope", &["swarm"])], &[]),
        (&[("daemon", &["x"])], &[]),
    ] {
        let filter = filter(asked);
        let found: Vec<&Event> = all.into_iter().filter(|event| filter.matches(event)).collect();
        assert_eq!(found, matching, "{asked:?}");
    }
    let unknown = Filter::parse(lists(&[("color", &["red"])])).unwrap_err();
    assert_eq!(unknown.to_string(), "invalid filter 'color'");
}
