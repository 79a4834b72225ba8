//! What a container is: what its creator says over what its image says, by moby's rules.

use cove_proto::v1::{ContainerSpec, Healthcheck, StringList};

use super::spec::SpecError;
use crate::images::{ImageConfig, ImageHealthcheck};

/// PATH where neither creator nor image says one.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Fills in what the image says.
#[must_use]
pub fn merge(mut spec: ContainerSpec, image: &ImageConfig) -> ContainerSpec {
    merge_command(&mut spec, image);
    merge_env(&mut spec.env, &image.env);
    for (name, value) in &image.labels {
        spec.labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    merge_healthcheck(&mut spec.healthcheck, image.healthcheck.as_ref());
    for path in &image.volumes {
        if !spec.anonymous_volumes.contains(path) {
            spec.anonymous_volumes.push(path.clone());
        }
    }
    for port in &image.exposed_ports {
        if !spec.exposed_ports.contains(port) {
            spec.exposed_ports.push(port.clone());
        }
    }
    fill(&mut spec.user, &image.user);
    fill(&mut spec.working_dir, &image.working_dir);
    fill(&mut spec.stop_signal, image.stop_signal.as_deref().unwrap_or_default());
    spec
}

/// An entrypoint of one's own takes the image's command away; `[""]` is how clients say "none".
fn merge_command(spec: &mut ContainerSpec, image: &ImageConfig) {
    let is_empty = |list: &Option<StringList>| list.as_ref().is_none_or(|list| list.values.is_empty());
    if is_empty(&spec.entrypoint) {
        if is_empty(&spec.cmd) {
            spec.cmd = list(image.cmd.as_deref());
        }
        if spec.entrypoint.is_none() {
            spec.entrypoint = list(image.entrypoint.as_deref());
        }
    }
    if spec.entrypoint.as_ref().is_some_and(|list| list.values == [""]) {
        spec.entrypoint = None;
    }
}

/// One's own first, then what only the image has.
fn merge_env(env: &mut Vec<String>, image: &[String]) {
    let own: Vec<String> = env.iter().map(|entry| key(entry).to_owned()).collect();
    env.extend(image.iter().filter(|entry| !own.iter().any(|known| known == key(entry))).cloned());
}

/// What the creator does not say of the check is the image's.
fn merge_healthcheck(own: &mut Option<Healthcheck>, image: Option<&ImageHealthcheck>) {
    let Some(image) = image else { return };
    let own = own.get_or_insert_default();
    let or = |own: &mut i64, image: i64| {
        if *own == 0 {
            *own = image;
        }
    };
    if own.test.is_empty() {
        own.test.clone_from(&image.test);
    }
    or(&mut own.interval_nanos, image.interval);
    or(&mut own.timeout_nanos, image.timeout);
    or(&mut own.start_period_nanos, image.start_period);
    or(&mut own.start_interval_nanos, image.start_interval);
    if own.retries == 0 {
        own.retries = u32::try_from(image.retries).unwrap_or(0);
    }
}

fn key(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

fn fill(own: &mut String, image: &str) {
    if own.is_empty() {
        image.clone_into(own);
    }
}

fn list(values: Option<&[String]>) -> Option<StringList> {
    values.map(|values| StringList { values: values.to_vec() })
}

/// The program of a merged spec, and its arguments.
///
/// # Errors
/// If there is none.
pub fn command(spec: &ContainerSpec) -> Result<(String, Vec<String>), SpecError> {
    let words = |list: &Option<StringList>| list.as_ref().map(|list| list.values.clone()).unwrap_or_default();
    let mut all = words(&spec.entrypoint);
    all.extend(words(&spec.cmd));
    if all.is_empty() {
        return Err(SpecError::NoCommand);
    }
    let program = all.remove(0);
    Ok((program, all))
}

/// The environment of a container's processes.
#[must_use]
pub fn environment(spec: &ContainerSpec, hostname: &str, tty: bool) -> Vec<String> {
    let mut env = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if tty {
        env.push("TERM=xterm".to_owned());
    }
    override_env(env, &spec.env)
}

/// `own` over `defaults`: replaced in place, what is new behind, and "NAME" without a value takes a default away.
#[must_use]
pub fn override_env(mut defaults: Vec<String>, own: &[String]) -> Vec<String> {
    for entry in own {
        let place = defaults.iter().position(|known| key(known) == key(entry));
        match (place, entry.contains('=')) {
            (Some(at), true) => entry.clone_into(&mut defaults[at]),
            (None, true) => defaults.push(entry.clone()),
            (Some(at), false) => drop(defaults.remove(at)),
            (None, false) => {}
        }
    }
    defaults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn image() -> ImageConfig {
        ImageConfig {
            entrypoint: Some(words(&["/entry"])),
            cmd: Some(words(&["arg"])),
            env: words(&["PATH=/bin", "A=image", "B=image"]),
            user: "daemon".to_owned(),
            working_dir: "/srv".to_owned(),
            stop_signal: Some("SIGQUIT".to_owned()),
            labels: [("l".to_owned(), "image".to_owned()), ("m".to_owned(), "image".to_owned())].into(),
            ..ImageConfig::default()
        }
    }

    fn run(entrypoint: Option<&[&str]>, cmd: Option<&[&str]>) -> Result<(String, Vec<String>), SpecError> {
        let as_list = |list: Option<&[&str]>| list.map(|list| StringList { values: words(list) });
        let spec = ContainerSpec { entrypoint: as_list(entrypoint), cmd: as_list(cmd), ..ContainerSpec::default() };
        command(&merge(spec, &image()))
    }

    #[test]
    fn entrypoint_and_command_combine_as_in_moby() {
        let is = |found: Result<(String, Vec<String>), SpecError>, path: &str, args: &[&str]| {
            assert_eq!(found.unwrap(), (path.to_owned(), words(args)));
        };
        is(run(None, None), "/entry", &["arg"]);
        is(run(None, Some(&["own"])), "/entry", &["own"]);
        is(run(Some(&["/own"]), None), "/own", &[]);
        is(run(Some(&["/own", "x"]), Some(&["y"])), "/own", &["x", "y"]);
        is(run(Some(&[]), None), "arg", &[]);
        is(run(Some(&[]), Some(&["own"])), "own", &[]);
        is(run(Some(&[""]), Some(&["own"])), "own", &[]);
        assert!(matches!(run(Some(&[""]), None), Err(SpecError::NoCommand)));
    }

    #[test]
    fn what_the_creator_says_comes_before_what_the_image_says() {
        let spec = ContainerSpec {
            env: words(&["A=own", "C=own"]),
            labels: [("l".to_owned(), "own".to_owned())].into(),
            user: "1000".to_owned(),
            ..ContainerSpec::default()
        };
        let merged = merge(spec, &image());
        assert_eq!(merged.env, words(&["A=own", "C=own", "PATH=/bin", "B=image"]));
        assert_eq!((merged.labels["l"].as_str(), merged.labels["m"].as_str()), ("own", "image"));
        assert_eq!((merged.user.as_str(), merged.working_dir.as_str()), ("1000", "/srv"));
        assert_eq!(merged.stop_signal, "SIGQUIT");
    }

    #[test]
    fn what_the_creator_does_not_say_of_the_check_is_the_images() {
        let test = words(&["CMD", "check"]);
        let healthcheck = Some(ImageHealthcheck { test, interval: 5, retries: 4, ..ImageHealthcheck::default() });
        let image = ImageConfig { healthcheck, ..ImageConfig::default() };
        let merged = |own| merge(ContainerSpec { healthcheck: own, ..ContainerSpec::default() }, &image).healthcheck;
        let from_image = merged(None).unwrap();
        assert_eq!((from_image.test, from_image.interval_nanos), (words(&["CMD", "check"]), 5));
        let own = Healthcheck { interval_nanos: 7, ..Healthcheck::default() };
        let both = merged(Some(own)).unwrap();
        assert_eq!((both.test, both.interval_nanos, both.retries), (words(&["CMD", "check"]), 7, 4));
        let none = Healthcheck { test: words(&["NONE"]), ..Healthcheck::default() };
        assert_eq!(merged(Some(none)).unwrap().test, ["NONE"]);
    }

    #[test]
    fn the_environment_has_defaults_that_can_be_replaced_and_taken_away() {
        let env = |own: &[&str], tty| {
            environment(&ContainerSpec { env: words(own), ..ContainerSpec::default() }, "host", tty)
        };
        assert_eq!(env(&[], false), [DEFAULT_PATH, "HOSTNAME=host"]);
        assert_eq!(env(&["X=1"], true), [DEFAULT_PATH, "HOSTNAME=host", "TERM=xterm", "X=1"]);
        assert_eq!(env(&["PATH=/x", "TERM=dumb"], true), ["PATH=/x", "HOSTNAME=host", "TERM=dumb"]);
        assert_eq!(env(&["HOSTNAME", "Y"], false), [DEFAULT_PATH]);
    }
}
