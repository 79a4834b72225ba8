//! End to end: the real `docker`, `cove`, `buf` and a Python script in front, a real machine behind. One machine is
//! booted for all tests; those that stop or kill something have it for themselves meanwhile.
//!
//! `make e2e` runs all of them; `make e2e ARGS=run::` those whose names begin so. Modules are named by docker's nouns and
//! verbs; `lifecycle`, `isolation`, `attacks`, `faults`, `clients` and `refusals` by what they put to the test.

mod attacks;
mod binds;
mod clients;
mod commit;
mod compose;
mod containers;
mod cp;
mod devices;
mod distribution;
mod docker_socket;
mod egress;
mod events;
mod exec;
mod explain;
mod faults;
mod flags;
mod giving_back;
mod images;
mod isolation;
mod leaks;
mod life;
mod lifecycle;
mod limits;
mod logs;
mod model;
mod names;
mod namespaces;
mod networks;
mod options;
mod ports;
mod project;
mod pull;
mod refusals;
mod registry;
mod run;
mod scarcity;
mod security_options;
mod settings;
mod stats;
mod stop;
mod terminal;
mod user_namespaces;
mod user_networks;
mod volumes;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use cove_tests::world::{OnlyCove, World, waited};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test and its name, which is a sentence.
type Test = (&'static str, fn(&World) -> Result<()>);

/// The shared machine: booted by the first test that asks, so that a list of tests costs nothing.
type Shared = Arc<OnceLock<Result<World, String>>>;

fn main() {
    let arguments = Arguments::from_args();
    let (shared, times) = (Shared::default(), Times::default());
    let modules: &[(&str, &[Test])] = &[
        ("run", run::TESTS),
        ("terminal", terminal::TESTS),
        ("logs", logs::TESTS),
        ("stats", stats::TESTS),
        ("stop", stop::TESTS),
        ("containers", containers::TESTS),
        ("exec", exec::TESTS),
        ("events", events::TESTS),
        ("life", life::TESTS),
        ("flags", flags::TESTS),
        ("images", images::TESTS),
        ("registry", registry::TESTS),
        ("pull", pull::TESTS),
        ("cp", cp::TESTS),
        ("commit", commit::TESTS),
        ("limits", limits::TESTS),
        ("options", options::TESTS),
        ("security_options", security_options::TESTS),
        ("namespaces", namespaces::TESTS),
        ("user_namespaces", user_namespaces::TESTS),
        ("networks", networks::TESTS),
        ("user_networks", user_networks::TESTS),
        ("names", names::TESTS),
        ("egress", egress::TESTS),
        ("ports", ports::TESTS),
        ("compose", compose::TESTS),
        ("devices", devices::TESTS),
        ("attacks", attacks::TESTS),
        ("explain", explain::TESTS),
        ("isolation", isolation::TESTS),
        ("volumes", volumes::TESTS),
        ("binds", binds::TESTS),
        ("docker_socket", docker_socket::TESTS),
        ("clients", clients::TESTS),
        ("refusals", refusals::TESTS),
        ("leaks", leaks::TESTS),
        ("giving_back", giving_back::TESTS),
        ("faults", faults::TESTS),
        ("model", model::TESTS),
        ("scarcity", scarcity::TESTS),
        ("settings", settings::TESTS),
        ("lifecycle", lifecycle::TESTS),
    ];
    // It takes minutes, and a Debian.
    let distribution = env::var_os(distribution::TAR).map(|_| ("distribution", distribution::TESTS));
    let project = env::var_os(project::TAR).map(|_| ("project", project::TESTS));
    let trials = modules
        .iter()
        .copied()
        .chain(distribution)
        .chain(project)
        .flat_map(|(module, tests)| tests.iter().map(|test| trial(module, *test, &shared, &times)).collect::<Vec<_>>())
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The machine goes down before the verdict becomes an exit code.
    drop(shared);
    show_slowest(&times);
    conclusion.exit();
}

/// What the tests took, without waiting for each other.
type Times = Arc<Mutex<Vec<(Duration, String)>>>;

/// So many are told.
const SLOWEST: usize = 10;

#[expect(clippy::print_stdout, reason = "who waits for the tests wants to see for which")]
fn show_slowest(times: &Times) {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
    times.sort();
    for (time, name) in times.iter().rev().take(SLOWEST).filter(|_| times.len() > SLOWEST) {
        println!("{:6.1} s  {name}", time.as_secs_f32());
    }
}

fn trial(module: &str, (name, test): Test, shared: &Shared, times: &Times) -> Trial {
    let name = format!("{module}::{name}");
    let (shared, times, of) = (Arc::clone(shared), Arc::clone(times), name.clone());
    Trial::ignorable_test(name, move || {
        let world = shared.get_or_init(|| World::running().map_err(|error| format!("{error:#}")));
        let world = world.as_ref().map_err(|error| Failed::from(format!("no machine to test with: {error}")))?;
        let (began, _) = (Instant::now(), waited());
        let done = catch_unwind(AssertUnwindSafe(|| test(world)));
        let took = began.elapsed().saturating_sub(waited());
        times.lock().unwrap_or_else(PoisonError::into_inner).push((took, of));
        match done {
            Ok(Ok(())) => Ok(Completion::Completed),
            Ok(Err(error)) => {
                world.doubt();
                Err(Failed::from(format!("{error:#}\n{}", world.words())))
            }
            Err(unwound) if unwound.is::<OnlyCove>() => Ok(Completion::ignored_with("it is about Cove alone")),
            Err(unwound) => resume_unwind(unwound),
        }
    })
}

/// Names the tests of a module after their functions.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[crate::Test] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use tests;
