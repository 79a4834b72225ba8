//! What the database keeps of a container.

use serde::{Deserialize, Serialize};

use cove_proto::v1;

use crate::state::Records;

/// The containers, by id.
pub(super) const CONTAINERS: Records<Record> = Records::new("containers");

/// What the database keeps of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Without a leading slash.
    pub name: String,
    /// Nanoseconds since 1970.
    pub created_at: i64,
    /// "sha256:...".
    pub image_id: String,
    /// What it is, merged with its image.
    #[serde(with = "protobuf")]
    pub spec: v1::ContainerSpec,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// How often its restart policy restarted it.
    pub restart_count: u32,
    /// How it is.
    pub state: State,
}

/// How a container is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Where in the diagram.
    pub phase: Phase,
    /// Of the last run, or of the last attempt at one.
    pub exit_code: i32,
    /// Whether the kernel killed a process of the last run for want of memory.
    pub oom_killed: bool,
    /// Why the last start failed.
    pub error: String,
    /// When the last run started, nanoseconds since 1970; 0 before the first.
    pub started_at: i64,
    /// When the last run ended, nanoseconds since 1970; 0 before.
    pub finished_at: i64,
}

/// Where a container is in its diagram (see [`super`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Created or exited: nothing of it runs.
    #[default]
    Idle,
    /// Its program is being started, in this boot of the machine.
    Starting {
        /// The boot.
        boot: String,
    },
    /// Its program runs, in this boot of the machine.
    Running {
        /// The boot.
        boot: String,
    },
    /// It is being removed.
    Removing,
    /// A removal failed half-way.
    Dead,
    /// Exited, and somebody wanted it to: it is not started again unless its policy is to start it always.
    Stopped,
    /// Exited; its restart policy starts it again in a moment.
    Restarting,
}

impl State {
    /// In the words of the API.
    #[must_use]
    pub fn status(&self) -> v1::ContainerStatus {
        match self.phase {
            Phase::Running { .. } => v1::ContainerStatus::Running,
            Phase::Removing => v1::ContainerStatus::Removing,
            Phase::Dead => v1::ContainerStatus::Dead,
            // As with dockerd, what never started is created, also while it starts.
            Phase::Idle | Phase::Starting { .. } if self.started_at == 0 => v1::ContainerStatus::Created,
            Phase::Idle | Phase::Starting { .. } | Phase::Stopped | Phase::Restarting => v1::ContainerStatus::Exited,
        }
    }

    /// Whether its program runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }
}

mod protobuf {
    //! A protobuf message as bytes within a postcard record: its fields may grow without a change of schema.

    use prost::Message;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<M: Message, S: Serializer>(message: &M, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&message.encode_to_vec())
    }

    pub(super) fn deserialize<'de, M: Message + Default, D: Deserializer<'de>>(from: D) -> Result<M, D::Error> {
        M::decode(Vec::<u8>::deserialize(from)?.as_slice()).map_err(D::Error::custom)
    }
}
