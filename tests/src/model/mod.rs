//! What a container is to Docker's API: a state, and for each request what is answered and what becomes of it. The rules are
//! dockerd's.
//!
//! ```text
//!           create           start               pause
//! Absent ───────────► Created ─────► Running ◄────────► Paused
//!    ▲                                │  ▲     unpause     │
//!    │ remove            stop or kill ▼  │ start           │ stop or kill
//!    └───────────────────────────── Exited ◄───────────────┘
//! ```

pub mod history;

/// A container's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// There is none of this name.
    Absent,
    /// Its name is taken, and more there is not; seen only by others than who makes it.
    Creating,
    /// It has never run.
    Created,
    /// Its program runs.
    Running,
    /// Its program is frozen.
    Paused,
    /// Its program has ended.
    Exited,
    /// It is on its way out; seen only by others than who removes it.
    Removing,
}

impl State {
    /// The word of docker inspect.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Exited => "exited",
            Self::Removing => "removing",
        }
    }
}

/// What one may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Make one.
    Create,
    /// Run its program.
    Start,
    /// End it, at once.
    Stop,
    /// Kill it.
    Kill,
    /// End and run it.
    Restart,
    /// Freeze it.
    Pause,
    /// Let it go on.
    Unpause,
    /// Make a further program, without starting it.
    Exec,
    /// Look at it.
    Inspect,
    /// Take it away if it does not run.
    Remove,
    /// Take it away.
    RemoveByForce,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Start,
        Self::Stop,
        Self::Kill,
        Self::Restart,
        Self::Pause,
        Self::Unpause,
        Self::Exec,
        Self::Inspect,
        Self::Remove,
        Self::RemoveByForce,
    ];

    /// Method and path of the request for a container of this name.
    #[must_use]
    pub fn request(self, name: &str) -> (&'static str, String) {
        let of = |rest: &str| format!("/containers/{name}{rest}");
        match self {
            Self::Create => ("POST", format!("/containers/create?name={name}")),
            Self::Start => ("POST", of("/start")),
            Self::Stop => ("POST", of("/stop?t=0")),
            Self::Kill => ("POST", of("/kill")),
            Self::Restart => ("POST", of("/restart?t=0")),
            Self::Pause => ("POST", of("/pause")),
            Self::Unpause => ("POST", of("/unpause")),
            Self::Exec => ("POST", of("/exec")),
            Self::Inspect => ("GET", of("/json")),
            Self::Remove => ("DELETE", of("")),
            Self::RemoveByForce => ("DELETE", of("?force=1")),
        }
    }

    /// The status code of the answer in a state, and the state afterwards.
    #[must_use]
    pub fn answer(self, state: State) -> (u16, State) {
        use State::{Absent, Created, Creating, Exited, Paused, Removing, Running};
        match (self, state) {
            (_, Removing) => (409, Removing),
            (Self::Create, Absent) => (201, Created),
            (Self::Create, _) => (409, state),
            (_, Absent | Creating) => (404, state),
            (Self::Start, Created | Exited) | (Self::Restart, _) => (204, Running),
            (Self::Start, Running) | (Self::Stop, Created | Exited) => (304, state),
            (Self::Stop | Self::Kill, Running | Paused) => (204, Exited),
            (Self::Pause, Running) => (204, Paused),
            (Self::Unpause, Paused) => (204, Running),
            // dockerd calls this one its own fault.
            (Self::Unpause, _) => (500, state),
            (Self::Exec, Running) => (201, Running),
            (Self::Inspect, _) => (200, state),
            (Self::Remove, Created | Exited) | (Self::RemoveByForce, _) => (204, Absent),
            (Self::Start, Paused)
            | (Self::Kill, Created | Exited)
            | (Self::Pause, Created | Paused | Exited)
            | (Self::Exec, Created | Paused | Exited)
            | (Self::Remove, Running | Paused) => (409, state),
        }
    }
}

/// Numbers that look random and are the same for the same seed: Knuth's linear congruence, without its poor low bits.
#[derive(Debug, Clone, Copy)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}
